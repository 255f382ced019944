// From a label on a GitHub issue to a draft pull request, and all the ways in which a run can end.
import { after, before, describe, test } from 'node:test';

import { World, assert, until, usual } from './harness.mjs';

let world;
before(async () => { world = await World.start({
    profiles: [{ name: 'script', command: 'sh .agent.sh' }, { name: 'slow', command: 'sh .agent.sh', timeout_minutes: 1 }],
}); });
after(() => world.stop());

const edit = 'echo "a line" >>notes.txt\necho "I wrote a line." >"$DRAFTD_SUMMARY_FILE"\n';

describe('a label becomes a draft pull request', { concurrency: 4 }, () => {
    test('happy path', async () => {
        const repository = await world.repository('happy', usual(edit));
        const answer = await world.label(repository);
        assert.equal(answer.status, 202);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'drafted');
        assert.equal(shown.runs[0].verdict, 'verified');

        const [pull, ...others] = await world.pulls(repository);
        assert.equal(others.length, 0);
        assert.equal(pull.draft, true);
        assert.match(pull.head.ref ?? pull.head, /^draftd\/1-mend-it$/);
        assert.match(pull.body, /Closes #1\b/);
        assert.match(pull.body, /\*\*Verified\*\*/);
        assert.match(pull.body, /I wrote a line\./);
        assert.deepEqual(world.branches(repository), ['draftd/1-mend-it']);
        assert.match(world.fileAt(repository, 'draftd/1-mend-it', 'notes.txt'), /a line/);

        const [status, ...more] = await world.statuses(repository);
        assert.equal(more.length, 0);
        assert.match(status.body, new RegExp(`/pull/${pull.number}\\b|#${pull.number}\\b`));
        const issue = await world.issue(repository);
        assert.ok(issue.reactions.some((reaction) => reaction.content === 'eyes'));
    });

    test('two rounds: red output goes back to the agent', async () => {
        const repository = await world.repository('rounds', usual(
            'if [ "$DRAFTD_ROUND" = 1 ]; then echo 41 >answer.txt; exit; fi\n' +
            'grep -q "does not say 42" "$DRAFTD_PROMPT_FILE" || exit 9\necho "42 at last" >answer.txt\n'));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.runs[0].round, 2);
        assert.equal(shown.runs[0].verdict, 'verified');
        assert.equal(world.fileAt(repository, 'draftd/1-mend-it', 'answer.txt'), '42 at last');
    });

    test('red to the end: the draft says so', async () => {
        const repository = await world.repository('red', usual('echo "$DRAFTD_ROUND" >answer.txt\n'));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.runs[0].round, 3);
        assert.equal(shown.runs[0].verdict, 'not_verified');
        const [pull] = await world.pulls(repository);
        assert.equal(pull.draft, true);
        assert.match(pull.body, /\*\*Not verified\*\*/);
        assert.match(pull.body, /does not say 42/);
    });

    test('red before, and red still: no second round', async () => {
        const repository = await world.repository('before', usual(edit, {
            '.draftd.yml': 'checks:\n  - { name: test, run: "sh test.sh" }\n  - { name: old, run: "echo broken since long; exit 3" }\n',
        }));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.runs[0].round, 1);
        assert.equal(shown.checks.find((check) => check.name === 'old').verdict, 'was_red_before');
        assert.equal(shown.runs[0].verdict, 'verified');
    });

    test('red before, green now: fixed', async () => {
        const repository = await world.repository('fixed', usual('echo 42 >answer.txt\n', { 'answer.txt': '41\n' }));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.checks[0].verdict, 'fixed');
        assert.equal(shown.runs[0].verdict, 'verified');
    });

    test('flaky: red, then green on the same commit', async () => {
        const repository = await world.repository('flaky', usual(edit, {
            '.draftd.yml': 'checks:\n  - { name: moody, run: "grep -q line notes.txt || exit 0; test -e /tmp/again || { touch /tmp/again; exit 1; }" }\n',
            'notes.txt': 'nothing yet\n',
        }));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.checks[0].verdict, 'flaky');
        const [pull] = await world.pulls(repository);
        assert.match(pull.body, /flaky/i);
    });

    const takings = {
        'marked ready': { draft: false },
        'described anew': { title: 'Ours now', body: 'What this is about.' },
    };
    for (const [how, change] of Object.entries(takings))
        test(`a pull request that a person ${how} keeps its words`, async () => {
            const repository = await world.repository(how.replace(' ', '-'), usual('echo more >>notes.txt\n'));
            const again = async () => {
                world.cli('retry', String(world.task(repository).id));
                assert.equal((await world.ended(repository)).state, 'drafted');
                return world.pulls(repository);
            };
            await world.label(repository);
            await world.ended(repository);
            const [draft] = await again();
            assert.match(draft.body, /, run 2\./, 'a draft of ours is kept up to date');

            await world.control('PATCH', `repos/${repository}/pulls/${draft.number}`, change);
            const [taken] = await world.pulls(repository);
            const [left, ...others] = await again();
            assert.deepEqual(others, []);
            assert.deepEqual(left.history, taken.history);
            assert.equal(left.draft, taken.draft);
            assert.equal(world.fileAt(repository, 'draftd/1-mend-it', 'notes.txt'), 'more\nmore\nmore');
            const [status] = await world.statuses(repository);
            assert.match(status.body, new RegExp(`/pull/${draft.number}\\b`));

            await world.control('PATCH', `repos/${repository}/pulls/${draft.number}`, { state: 'closed' });
            const [closed, fresh] = await again();
            assert.deepEqual([closed.state, closed.body], ['closed', left.body]);
            assert.deepEqual([fresh.state, fresh.draft], ['open', true]);
        });

    test('nothing changed: no pull request, and a comment says so', async () => {
        const repository = await world.repository('unchanged', usual('true\n'));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'unchanged');
        assert.deepEqual(await world.pulls(repository), []);
        assert.deepEqual(world.branches(repository), []);
        const [status] = await world.statuses(repository);
        assert.match(status.body, /[Nn]o change|nothing/);
    });

    test('an agent that fails and leaves nothing', async () => {
        const repository = await world.repository('agent-fails', usual('echo "model is away" >&2; exit 7\n'));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'failed');
        const [status] = await world.statuses(repository);
        assert.match(status.body, /exit status 7/);
        assert.match(status.body, /model is away/);
    });

    test('setup fails on the base commit: no agent is run', async () => {
        const repository = await world.repository('setup', usual('touch ran\n', {
            '.draftd.yml': 'setup: [ "echo cannot install; exit 5" ]\nchecks:\n  - { name: test, run: "true" }\n',
        }));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'failed');
        const [status] = await world.statuses(repository);
        assert.match(status.body, /exit status 5/);
        assert.match(status.body, /cannot install/);
        assert.ok(!world.cli('show', String(shown.id)).includes('agent (round'));
    });

    test('an agent that runs out of time', async () => {
        const repository = await world.repository('timeout', usual('echo half >notes.txt; sleep 600\n', {
            '.draftd.yml': 'agent: slow\nchecks:\n  - { name: test, run: "sh test.sh" }\n',
        }));
        await world.label(repository);
        const shown = await world.ended(repository, 150000);
        assert.equal(shown.state, 'drafted');
        const [pull] = await world.pulls(repository);
        assert.match(pull.body, /timed out/);
    });

    test('a repository without .draftd.yml works', async () => {
        const files = usual(edit);
        delete files['.draftd.yml'];
        const repository = await world.repository('plain', files);
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.runs[0].verdict, 'no_checks');
        const [pull] = await world.pulls(repository);
        assert.match(pull.body, /[Nn]o checks/);
    });

    test('a broken .draftd.yml: a comment names file and line, no agent runs', async () => {
        const repository = await world.repository('broken', usual(edit, { '.draftd.yml': 'checks:\n  - { nam: test, run: "true" }\n' }));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'failed');
        const [status] = await world.statuses(repository);
        assert.match(status.body, /\.draftd\.yml:2/);
        assert.match(status.body, /nam/);
    });

    test('an image that is not there is named', async () => {
        const repository = await world.repository('image', usual(edit, { '.draftd.yml': 'image: localhost/no-such-image:1\n' }));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'failed');
        const [status] = await world.statuses(repository);
        assert.match(status.body, /localhost\/no-such-image:1/);
    });

    test('removing the label stops the container within two seconds', async () => {
        const repository = await world.repository('cancel', usual('echo started; trap "" TERM; sleep 300\n'));
        await world.label(repository);
        await until('the agent to run', () => world.show(repository)?.runs[0].stage === 'agent');
        const began = Date.now();
        await world.deliver('issues', 'unlabeled', { repository, label: 'draftd' });
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'canceled');
        assert.ok(Date.now() - began < 4000, `took ${Date.now() - began} ms, polling included`);
        const [status] = await world.statuses(repository);
        assert.match(status.body, /[Cc]ancell?ed/);
        assert.match(status.body, /ann/);
        assert.deepEqual(await world.pulls(repository), []);
    });

    test('"@draftd cancel" in a comment cancels as well', async () => {
        const repository = await world.repository('cancel-comment', usual('sleep 300\n'));
        await world.label(repository);
        await until('the agent to run', () => world.show(repository)?.runs[0].stage === 'agent');
        await world.deliver('issue_comment', 'created', { repository, comment: '@draftd cancel' });
        assert.equal((await world.ended(repository)).state, 'canceled');
    });

    test('the guard: a protected path holds the change back', async () => {
        const repository = await world.repository('protected', usual('mkdir -p .github/workflows; echo x >.github/workflows/ci.yml\n'));
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'held');
        assert.deepEqual(await world.pulls(repository), []);
        assert.deepEqual(world.branches(repository), []);
        const [status] = await world.statuses(repository);
        assert.match(status.body, /\.github\/workflows\/ci\.yml/);
    });

    test('the guard: a credential holds the change back and is never shown', async () => {
        const token = 'ghp_' + 'a1B2c3D4e5'.repeat(4);
        const repository = await world.repository('secret', usual(`echo "token=${token}" >config.ini\n`.replace(token, `ghp_$(printf a1B2c3D4e5%.0s 1 2 3 4)`)));
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'held');
        const [status] = await world.statuses(repository);
        assert.match(status.body, /config\.ini/);
        assert.ok(!JSON.stringify(await world.state(repository)).includes(token));
        assert.ok(!world.log.includes(token));
    });

    test('the guard: a deleted test is flagged at the top', async () => {
        const repository = await world.repository('deleted', usual('git rm -q tests/test_old.sh\n', { 'tests/test_old.sh': 'true\n' }));
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        const [pull] = await world.pulls(repository);
        assert.match(pull.body.slice(0, 1500), /tests\/test_old\.sh/);
    });
});
