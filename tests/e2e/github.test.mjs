// What GitHub refuses, limits, moves and takes away, and what people see of it.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { World, assert, git, sleep, until, usual } from './harness.mjs';

const notes = usual('echo "a line" >>notes.txt\n');

describe('an App', { concurrency: 4 }, () => {
    let world;
    before(async () => { world = await World.start(); });
    after(() => world.stop());

    test('where drafts are refused, an ordinary pull request says so, also after a second run', async () => {
        const repository = await world.repository('no-drafts', notes, { drafts: false });
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        const said = /\[!WARNING\]\n> - drafts are not supported in this repository: this is an ordinary pull request/;
        const look = async () => {
            const [pull, ...more] = await world.pulls(repository);
            assert.deepEqual(more, []);
            assert.equal(pull.draft, false);
            assert.equal(pull.title, '[draft] Mend it');
            assert.match(pull.body, said);
            assert.equal(pull.body.split('ordinary pull request').length, 2);
            assert.match((await world.statuses(repository))[0].body, said);
            return pull;
        };
        const first = await look();
        const comment = '@draftd one more line';
        const [{ id }] = await world.control('POST', `repos/${repository}/issues/${first.number}/comments`, { user: 'ann', body: comment });
        await world.deliver('issue_comment', 'created', { repository, number: first.number, pull: true, comment, commentId: id });
        await until('the second run', () => world.show(repository).runs[1]?.state === 'ended');
        await world.ended(repository);
        const second = await look();
        assert.notEqual(second.body, first.body);
    });

    test('a pull request that is there already is taken up', async () => {
        const repository = await world.repository('taken-up', notes);
        // as if GitHub's list had been behind
        await world.control('POST', 'faults', { method: 'GET', path: '^/repos/acme/taken-up/pulls\\?', status: 200, body: [] });
        await world.control('POST', 'faults',
            { method: 'POST', path: '^/repos/acme/taken-up/pulls$', status: 502, after: true });
        await world.control('POST', 'faults', { method: 'GET', path: '^/repos/acme/taken-up/pulls\\?', status: 200, body: [] });
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'drafted', shown.reason);
        assert.equal((await world.pulls(repository)).length, 1);
    });
});

const granted = { contents: 'write', pull_requests: 'write', issues: 'write', metadata: 'read', checks: 'write' };
const red = usual('echo 41 >answer.txt\n', { '.draftd.yml': 'rounds: 1\nchecks:\n  - { name: test, run: "sh test.sh" }\n' });
const unchecked = usual('echo "a line" >>notes.txt\n', { '.draftd.yml': '' });

function heads(world, repository) {
    return world.branches(repository).map((branch) => git('-C', world.bare(repository), 'rev-parse', branch));
}

describe('the evidence on the head, as an App', { concurrency: 4 }, () => {
    let world;
    before(async () => { world = await World.start({ permissions: granted }); });
    after(() => world.stop());

    for (const [name, files, conclusion, title, text] of [
        ['green', notes, 'success', 'Verified: 1 of 1 checks passed', /\| Check \| Before \| After \| Fresh container \| Verdict \|\n.*\n\| `test` \|.*exit 0/],
        ['red', red, 'failure', 'Not verified: 0 of 1 checks passed', /\| `test` \|.*exit 1.*\*\*failed\*\*/],
        ['none', unchecked, 'neutral', 'No checks configured: nothing was verified', null],
    ])
        test(`is a check run: ${name}`, async () => {
            const repository = await world.repository(`check-${name}`, files);
            await world.label(repository);
            assert.equal((await world.ended(repository)).state, 'drafted');
            const [check, ...more] = (await world.state(repository)).check_runs;
            assert.deepEqual(more, []);
            assert.equal(check.name, 'draftd');
            assert.equal(check.head_sha, heads(world, repository)[0]);
            assert.equal(check.conclusion, conclusion);
            assert.equal(check.output.title, title);
            assert.match(check.output.summary, new RegExp(title.split(':')[0]));
            if (text)
                assert.match(check.output.text, text);
            assert.ok(check.details_url.endsWith(`/pull/${(await world.pulls(repository))[0].number}`), check.details_url);
        });

    test('is one for each published head', async () => {
        const repository = await world.repository('check-again', notes);
        await world.label(repository);
        await world.ended(repository);
        const [first] = heads(world, repository);
        await world.label(repository);
        await until('the second run', () => world.show(repository).runs[1]?.state === 'ended');
        await world.ended(repository);
        const { check_runs } = await world.state(repository);
        assert.deepEqual(check_runs.map((check) => check.head_sha), [first, ...heads(world, repository)]);
        assert.notEqual(check_runs[0].external_id, check_runs[1].external_id);
    });
});

test('the evidence on the head is there once, also after kill -9', async () => {
    const world = await World.start({ permissions: granted });
    const repository = await world.repository('check-kill', notes);
    await world.control('POST', 'faults', { method: 'POST', path: '/check-runs$', after: true, hang: true });
    await world.label(repository);
    await until('the check run', async () => (await world.state(repository)).check_runs.length === 1);
    await until('the last word', async () => /Draft ready/.test((await world.statuses(repository))[0]?.body));
    await world.restart();
    await world.ended(repository);
    const { check_runs } = await world.state(repository);
    assert.equal(check_runs.length, 1);
    assert.equal(check_runs[0].history.length, 2, 'it was found and said again');
    await world.stop();
});

test('without the permission the evidence is missing there only, which is logged once', async () => {
    const { checks, ...others } = granted;
    const world = await World.start({ permissions: others });
    for (const name of ['denied-1', 'denied-2']) {
        const repository = await world.repository(name, notes);
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        assert.deepEqual((await world.state(repository)).check_runs, []);
    }
    await world.logged(/event=evidence_denied .*Checks: read and write/);
    assert.equal(world.log.split('event=evidence_denied').length, 2);
    assert.doesNotMatch(world.log, /event=message_failed/);
    await world.stop();
});

describe('a machine user', { concurrency: 4 }, () => {
    let world;
    before(async () => { world = await World.start({ app: false }); });
    after(() => world.stop());

    for (const [name, files, states] of [['green', notes, ['success']], ['red', red, ['failure']], ['none', unchecked, []]])
        test(`says it in a commit status: ${name}`, async () => {
            const repository = await world.repository(`status-${name}`, files);
            await world.label(repository);
            assert.equal((await world.ended(repository)).state, 'drafted');
            const { statuses, check_runs } = await world.state(repository);
            assert.deepEqual(check_runs, []);
            assert.deepEqual(statuses.map((status) => status.state), states);
            for (const status of statuses) {
                assert.equal(status.sha, heads(world, repository)[0]);
                assert.equal(status.context, 'draftd');
                assert.match(status.description, /erified: \d of 1 checks passed/);
            }
        });
});

describe('workflows', { concurrency: 4 }, () => {
    const config = { '.draftd.yml': 'guard: { protect: [ ".draftd.yml" ] }\n', '.github/workflows/old.yml': 'on: push\n' };
    const makes = usual('mkdir -p .github/workflows; echo "on: push # new" >.github/workflows/ci.yml\n', config);
    let world, able, machine;
    before(async () => {
        [world, able, machine] = await Promise.all([World.start(),
            World.start({ permissions: { ...granted, workflows: 'write' } }), World.start({ app: false })]);
    });
    after(() => Promise.all([world, able, machine].map((one) => one.stop())));
    const pushes = async (where, repository) => (await where.control('GET', 'requests'))
        .filter(({ method, url }) => method === 'POST' && url === `/${repository}.git/git-receive-pack`);

    test('that the App may not change are found before the push', async () => {
        const repository = await world.repository('flows', makes);
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'failed');
        assert.match(shown.reason, /nothing was pushed: the change touches \.github\/workflows\/ci\.yml, .*Workflows: read and write/);
        assert.match((await world.statuses(repository))[0].body, /Workflows: read and write/);
        assert.deepEqual(await pushes(world, repository), []);
    });

    test('are found in a commit on the way as well', async () => {
        const repository = await world.repository('flows-way', usual(
            'mkdir -p .github/workflows; echo new >.github/workflows/ci.yml; git add -A; git commit -qm a; git rm -q .github/workflows/ci.yml; echo x >notes.txt; git add -A; git commit -qm b\n', config));
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'failed');
        assert.deepEqual(await pushes(world, repository), []);
    });

    test('that the base branch has already are no news', async () => {
        const repository = await world.repository('flows-base', usual(`
sha=$(grep -o "merge [0-9a-f]\\{40\\}" "$DRAFTD_PROMPT_FILE" | head -n 1 | cut -d" " -f2)
if [ -n "$sha" ]; then git merge -q -m taken "$sha"; else echo "a line" >>notes.txt; fi
`, config));
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        const work = `${world.dir}/more-flows`;
        git('clone', '-q', world.bare(repository), work);
        execFileSync('sh', ['-ec', `echo "on: push # other" >.github/workflows/ci.yml; git add -A
            git -c user.name=a -c user.email=a@b commit -qm x; git push -q origin main`], { cwd: work });
        await world.label(repository, { body: `Please merge ${git('-C', work, 'rev-parse', 'HEAD')}` });
        await until('the second run', () => world.show(repository).runs[1]?.state === 'ended');
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'drafted', shown.reason);
        assert.equal(world.fileAt(repository, 'draftd/1-mend-it', '.github/workflows/ci.yml'), 'on: push # other');
    });

    test('that the App may change are pushed', async () => {
        const repository = await able.repository('flows', makes);
        await able.label(repository);
        assert.equal((await able.ended(repository)).state, 'drafted');
    });

    for (const [scopes, state] of [['repo', 'failed'], ['repo, workflow', 'drafted']])
        test(`with a classic token of the scopes ${scopes}: ${state}, before a push that would be refused`, async () => {
            const classic = await World.start({ app: false, scopes });
            const repository = await classic.repository('flows', makes);
            await classic.label(repository);
            const shown = await classic.ended(repository);
            assert.equal(shown.state, state, shown.reason);
            assert.equal((await pushes(classic, repository)).length, state === 'failed' ? 0 : 1);
            if (state === 'failed') {
                assert.match(shown.reason, /nothing was pushed: the change touches \.github\/workflows\/ci\.yml, .*without the scope workflow/);
                assert.match((await classic.statuses(repository))[0].body, /without the scope workflow/);
            }
            await classic.stop();
        });

    test("that a machine user's token may not change are told in clear words", async () => {
        const repository = await machine.repository('flows', makes);
        const hook = `${machine.bare(repository)}/hooks/pre-receive`;
        writeFileSync(hook, '#!/bin/sh\necho "refusing to allow a Personal Access Token to create or update workflow \\`.github/workflows/ci.yml\\` without \\`workflow\\` scope" >&2\nexit 1\n', { mode: 0o755 });
        await machine.label(repository);
        const shown = await machine.ended(repository);
        assert.equal(shown.state, 'failed');
        assert.match(shown.reason, /^the credential may not change workflows; give a classic token the scope workflow.*: the branch could not be pushed: .*refusing to allow/);
    });
});

test('a run that is longer than the life of a token pushes with a fresh one', async () => {
    const world = await World.start({ permissions: granted, token_minutes: 5 / 60 });
    const repository = await world.repository('long', usual('sleep 8; echo "a line" >>notes.txt\n'));
    await world.label(repository);
    const shown = await world.ended(repository);
    assert.equal(shown.state, 'drafted', shown.reason);
    const ended = (await world.control('GET', 'state')).tokens.filter(({ kind, expires_at }) =>
        kind === 'installation' && Date.parse(expires_at) < Date.now());
    assert.ok(ended.length > 0, 'some had ended by then');
    await world.stop();
});

test('where git does not take the new format of tokens, the classic one is asked for', async () => {
    const world = await World.start({ permissions: granted });
    const repository = await world.repository('classic', notes, { git_needs_classic: true });
    await world.label(repository);
    const shown = await world.ended(repository);
    assert.equal(shown.state, 'drafted', shown.reason);
    const refused = (await world.control('GET', 'requests')).filter(({ url, status }) => url.startsWith('/acme/classic.git') && status === 404);
    assert.equal(refused.length, 1);
    await world.stop();
});

for (const app of [true, false])
    describe(`a repository that is renamed, ${app ? 'as an App' : 'as a machine user'}`, { concurrency: 4 }, () => {
        let world;
        before(async () => { world = await World.start({ app, permissions: { ...granted } }); });
        after(() => world.stop());
        const waits = usual('touch /tmp/ready; sleep 5; echo "a line" >>notes.txt\n');

        async function rename(repository, full_name) {
            world.repositories.set(full_name, world.bare(repository));
            await world.control('POST', `repos/${repository}/rename`, { full_name });
        }

        test('while a run is under way: it is followed, and later deliveries find the task', async () => {
            const repository = await world.repository('young', waits);
            await world.label(repository);
            await until('the agent', () => world.show(repository)?.runs[0].stage === 'agent');
            await rename(repository, 'acme/older');
            const shown = (await until('the move', () => world.task('acme/older')), await world.ended('acme/older'));
            assert.equal(shown.state, 'drafted', shown.reason);
            assert.equal((await world.pulls('acme/older')).length, 1);
            assert.match((await world.statuses('acme/older'))[0].body, /Draft ready/);
            assert.equal((await world.statuses('acme/older')).length, 1);
            await world.label('acme/older');
            await until('the second run', () => world.show('acme/older').runs[1]?.state === 'ended');
            assert.equal((await world.ended('acme/older')).runs.length, 2);
            assert.equal(world.tasks().filter((task) => /young|older/.test(task.repository)).length, 1);
            assert.equal((await world.pulls('acme/older')).length, 1);
        });

        test('before a delivery of its old name is handled', async () => {
            const repository = await world.repository('early', notes);
            await rename(repository, 'acme/late');
            await world.label(repository);
            const shown = (await until('the move', () => world.task('acme/late')), await world.ended('acme/late'));
            assert.equal(shown.state, 'drafted', shown.reason);
            assert.equal((await world.pulls('acme/late')).length, 1);
        });

        test('while nobody told: it is known by its id, whatever comes first under its new name', async () => {
            const repositoryId = 4000;
            const comment = '@draftd once more';
            async function say(full_name, number, more) {
                const [{ id }] = await world.control('POST', `repos/${full_name}/issues/${number}/comments`, { user: 'ann', body: comment });
                await world.deliver('issue_comment', 'created', { repository: full_name, repositoryId, number, comment, commentId: id, ...more });
            }
            const repository = await world.repository('silent', notes);
            await world.label(repository, { repositoryId });
            assert.equal((await world.ended(repository)).state, 'drafted');
            await rename(repository, 'acme/spoken');
            const [pull] = await world.pulls('acme/spoken');
            await say('acme/spoken', pull.number, { pull: true });
            await until('the second run', () => world.show('acme/spoken')?.runs[1]?.state === 'ended');
            await rename('acme/spoken', 'acme/heard');
            await say('acme/heard', 1);
            await until('the third run', () => world.show('acme/heard')?.runs[2]?.state === 'ended');
            assert.equal((await world.ended('acme/heard')).state, 'drafted');
            assert.equal(world.tasks().filter((task) => /silent|spoken|heard/.test(task.repository)).length, 1);
            assert.equal((await world.pulls('acme/heard')).length, 1);
            assert.doesNotMatch(JSON.stringify(await world.state('acme/heard')), /not one of them/);
        });

        test('to where draftd does not serve: it is told, and nothing is pushed', async () => {
            const repository = await world.repository('leaves', notes);
            await rename(repository, 'others/leaves');
            await world.label(repository);
            const shown = (await until('the move', () => world.task('others/leaves')), await world.ended('others/leaves'));
            assert.equal(shown.state, 'failed');
            assert.match(shown.reason, /called others\/leaves now, which is not in the configuration/);
            assert.deepEqual(world.branches('others/leaves'), []);
        });
    });

describe('an installation', { concurrency: 1 }, () => {
    for (const [what, take, give, event, action, why] of [
        ['suspended', { app: { suspended: true } }, { app: { suspended: false } }, 'installation', 'unsuspend', /the GitHub App is suspended on acme\/away/],
        ['removed', { installed: false }, { installed: true }, 'installation', 'created', /the GitHub App is not installed on, or was not given, acme\/away/],
    ])
        test(`that is ${what}: its tasks wait, burn no calls, and go on when it is back`, async () => {
            const world = await World.start({ permissions: granted });
            const repository = await world.repository('away', usual('touch /tmp/ready; sleep 4; echo "a line" >>notes.txt\n'));
            const set = (how) => (how.app ? world.control('PATCH', 'app', how.app)
                : world.control('POST', 'setup', { repositories: [{ full_name: repository, ...how }] }));
            await world.label(repository);
            await until('the agent', () => world.show(repository)?.runs[0].stage === 'agent');
            await set(take);
            await world.control('POST', 'tokens/revoke', {});
            await until('it to wait', () => why.test(world.cli('show', String(world.task(repository).id))));
            assert.match(world.cli('show', String(world.task(repository).id)), /work there pauses until it is/);
            await world.logged(new RegExp(`event=run_waits .*${why.source}`));
            await world.control('DELETE', 'requests');
            await sleep(12000); // the run is tried every 5 seconds at first
            const calls = (await world.control('GET', 'requests')).length;
            assert.ok(calls <= 2, `${calls} calls in vain`);
            assert.deepEqual(await world.pulls(repository), []);
            await set(give);
            const raw = JSON.stringify({ action, installation: { id: 1, account: { login: 'acme' } }, sender: { login: 'ann', type: 'User' } });
            assert.equal((await world.deliver(event, action, { repository, raw })).status, 202);
            const shown = await world.ended(repository, 20000);
            assert.equal(shown.state, 'drafted', shown.reason);
            assert.match((await world.statuses(repository))[0].body, /Draft ready/);
            await world.stop();
        });
});

describe('limits', { concurrency: 4 }, () => {
    let world;
    before(async () => { world = await World.start({ permissions: granted }); });
    after(() => world.stop());
    const calls = async (method, path) => (await world.control('GET', 'requests'))
        .filter((call) => call.method === method && call.url.startsWith(path));

    for (const [name, limit, seconds] of [
        ['primary', { rate_limit: 'primary', reset_in: 12 }, 11],
        ['secondary', { rate_limit: 'secondary', retry_after: 10 }, 10],
        ['too-many', { rate_limit: 'secondary', retry_after: 9, status: 429 }, 9],
    ])
        test(`on opening the draft are waited for, as long as GitHub says: ${name}`, async () => {
            const repository = await world.repository(`limit-${name}`, notes);
            await world.control('POST', 'faults', { method: 'POST', path: `^/repos/${repository}/pulls$`, ...limit });
            await world.label(repository);
            const shown = await world.ended(repository);
            assert.equal(shown.state, 'drafted', shown.reason);
            const [refused, made, ...more] = await calls('POST', `/repos/${repository}/pulls`);
            assert.deepEqual([made.status, more], [201, []]);
            assert.ok(made.at - refused.at >= seconds * 1000 - 500, `after ${made.at - refused.at} ms`);
            assert.equal(shown.runs[0].round, 1);
        });

    test('on a message hold up what comes after it in the thread, and nothing else', async () => {
        const [one, other] = [await world.repository('order-1', notes), await world.repository('order-2', notes)];
        await world.control('POST', 'faults', { method: 'POST', path: `^/repos/${one}/issues/1/reactions$`, times: 2, rate_limit: 'secondary', retry_after: 4 });
        await Promise.all([world.label(one), world.label(other)]);
        await Promise.all([world.ended(one), world.ended(other)]);
        const reactions = await calls('POST', `/repos/${one}/issues/1/reactions`);
        assert.deepEqual(reactions.map(({ status }) => status), [403, 403, 201]);
        for (const i of [1, 2])
            assert.ok(reactions[i].at - reactions[i - 1].at >= 4000, 'not before GitHub said');
        const [comment, ...more] = await calls('POST', `/repos/${one}/issues/1/comments`);
        assert.deepEqual(more, []);
        assert.ok(comment.at >= reactions[2].at, 'the sign comes first');
        const [early] = await calls('POST', `/repos/${other}/issues/1/comments`);
        assert.ok(early.at < reactions[2].at, 'another thread does not wait');
        for (const repository of [one, other])
            assert.match((await world.statuses(repository))[0].body, /Draft ready/);
    });
});
