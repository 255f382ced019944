// What is pushed and said is what the agent did: not what setup, git or bad luck did, and nothing is lost on the way.
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';

import { World, assert, git, until, usual } from './harness.mjs';

let world;
before(async () => { world = await World.start(); });
after(() => world.stop());

/// What a branch changes: "A file", "M file", "D file".
function changes(repository, branch = 'draftd/1-mend-it', base = 'main') {
    return git('-C', world.bare(repository), 'diff', '--name-status', base, branch).replaceAll('\t', ' ').split('\n');
}

const two = { issues: [1, 2].map((number) => ({ number, title: `Mend it ${number}`, body: 'Please.', user: 'ann' })) };

/// Label one issue after the other and wait for each task to end.
async function both(repository) {
    for (const number of [1, 2]) {
        await world.label(repository, { number, title: `Mend it ${number}` });
        await until(`task ${number}`, () => {
            const tasks = world.tasks().filter((task) => task.repository === repository);
            return tasks.length === number && tasks.every((task) => !['queued', 'running'].includes(task.state));
        });
    }
}

describe('what setup leaves', { concurrency: 4 }, () => {
    const setup = 'echo generated >generated.txt; echo touched >>answer.txt; mkdir -p logs';
    const config = (checks) => `setup: [ "${setup}" ]\n${checks}`;
    // red without what setup made; leaves something as well
    const checks = 'checks:\n  - { name: test, run: "echo by a check >>generated.txt; test -d logs && grep -q touched answer.txt" }\n';

    test('is no change of the agent, whether the baseline is measured or known, and its checks find it', async () => {
        const repository = await world.repository('leaves', usual('grep -q check generated.txt && exit 9; echo x >>notes.txt\n',
            { '.draftd.yml': config(checks) }), two);
        await both(repository);
        assert.deepEqual(world.branches(repository), ['draftd/1-mend-it-1', 'draftd/2-mend-it-2']);
        assert.deepEqual(changes(repository, 'draftd/1-mend-it-1'), ['A notes.txt']);
        assert.deepEqual(changes(repository, 'draftd/2-mend-it-2'), ['A notes.txt']);
        for (const pull of await world.pulls(repository))
            assert.match(pull.body, /\*\*Verified\*\*/);
    });

    test('is no change without checks either', async () => {
        const repository = await world.repository('leaves-plain', usual('git add -A; git commit -q -m all\n', { '.draftd.yml': config('') }));
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'unchanged');
        assert.deepEqual(world.branches(repository), []);
    });

    test('stays from round to round, and is no change in the end', async () => {
        const repository = await world.repository('leaves-rounds', usual(
            'test -d logs && test -f generated.txt || exit 9\necho "$DRAFTD_ROUND" >>round.txt\n',
            { '.draftd.yml': config('checks:\n  - { name: test, run: "test ! -f round.txt || grep -q 2 round.txt" }\n') }));
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.runs[0].round, 2);
        assert.equal(shown.runs[0].verdict, 'verified');
        assert.deepEqual(changes(repository), ['A round.txt']);
        assert.equal(world.fileAt(repository, 'draftd/1-mend-it', 'round.txt'), '1\n2');
        assert.doesNotMatch((await world.pulls(repository))[0].body, /did not end well/);
    });

    test('is part of the change where the agent goes on with it', async () => {
        const repository = await world.repository('leaves-on', usual('echo on >>generated.txt\n', { '.draftd.yml': config(checks) }));
        await world.label(repository);
        await world.ended(repository);
        assert.deepEqual(changes(repository), ['A generated.txt']);
        assert.equal(world.fileAt(repository, 'draftd/1-mend-it', 'generated.txt'), 'generated\non');
    });
});

describe('a baseline', { concurrency: 4 }, () => {
    const breaks = 'rm lib.txt; echo x >>notes.txt\n';
    const unit = (run, more = {}) => ({
        'lib.txt': 'lib\n', 'unit.sh': run, ...more,
        '.draftd.yml': 'checks:\n  - { name: unit, run: "sh unit.sh" }\n  - { name: test, run: "sh test.sh" }\n',
    });

    test('that was red is measured again for the next task', async () => {
        const until_s = Math.floor(Date.now() / 1000) + 12;
        const repository = await world.repository('red-once', usual(breaks,
            unit(`test -f lib.txt && [ "$(date +%s)" -ge ${until_s} ]\n`)), two);
        await world.label(repository, { number: 1, title: 'Mend it 1' });
        const first = await world.ended(repository);
        assert.equal(first.checks.find((check) => check.name === 'unit').verdict, 'was_red_before');
        await until('the bad luck to end', () => Date.now() / 1000 > until_s);
        await world.label(repository, { number: 2, title: 'Mend it 2' });
        await until('the second', () => world.tasks().filter((task) => task.repository === repository && task.state === 'drafted').length === 2);
        const pull = (await world.pulls(repository)).at(-1);
        assert.match(pull.body, /\*\*Not verified\*\*: `unit` failed/);
    });

    for (const [name, how] of [['could not be run', 'exit 127'], ['was killed', 'kill -9 $$'], ['had its child killed', 'exit 137']])
        test(`that ${name} is no excuse`, async () => {
            const repository = await world.repository(name.replaceAll(' ', '-'), usual(breaks, unit(`test -f notes.txt || ${how}\ntest -f lib.txt\n`)));
            await world.label(repository);
            const shown = await world.ended(repository);
            assert.equal(shown.checks.find((check) => check.name === 'unit').verdict, 'failed');
            assert.equal(shown.runs[0].verdict, 'not_verified');
            assert.equal(shown.runs[0].round, 3);
        });
});

test('what the checks said of a change that was taken back is not shown beside the end', async () => {
    const repository = await world.repository('taken-back', usual(
        'if [ $DRAFTD_ROUND = 1 ]; then echo 41 >answer.txt; else echo 42 >answer.txt; fi\n'));
    await world.label(repository);
    const shown = await world.ended(repository);
    assert.equal(shown.state, 'unchanged');
    assert.equal(shown.runs[0].round, 2);
    assert.deepEqual(shown.checks.map((check) => [check.baseline?.status, check.after?.status]), [['passed', 'not_run']]);
    const [status] = await world.statuses(repository);
    assert.match(status.body, /\*\*No change needed\*\*/);
    assert.doesNotMatch(status.body, /After|❌/);
});

describe('what cuts a run off', { concurrency: 4 }, () => {
    let hurried;
    before(async () => { hurried = await World.start({ sandbox: { timeout_minutes: 1 } }); });
    after(() => hurried.stop());
    const good = 'echo 41 >answer.txt; echo "round $DRAFTD_ROUND" >>notes.txt\n';

    test('in a later round loses nothing of the rounds before: out of time', async () => {
        const repository = await hurried.repository('late', usual(
            `if [ $DRAFTD_ROUND = 1 ]; then ${good.trim()}; echo "I began." >"$DRAFTD_SUMMARY_FILE"; else echo half >notes.txt; sleep 300; fi\n`));
        await hurried.label(repository);
        const shown = await hurried.ended(repository, 150000);
        assert.equal(shown.state, 'drafted');
        assert.equal(shown.runs[0].verdict, 'not_verified');
        assert.equal(hurried.fileAt(repository, 'draftd/1-mend-it', 'notes.txt'), 'round 1');
        const [pull] = await hurried.pulls(repository);
        assert.match(pull.body, /round 2 was cut off: the time for the whole run is over/);
        assert.match(pull.body, /I began\./);
    });

    test('in a later round loses nothing of the rounds before: the sandbox is lost', async () => {
        const repository = await world.repository('lost-late', usual(`${good}[ $DRAFTD_ROUND = 1 ] || { echo waiting; sleep 300; }\n`));
        await world.label(repository);
        await until('round 2', () => /waiting/.test(world.cli('logs', String(world.task(repository).id))));
        const [container] = (await world.containers()).filter((one) => one.Labels['draftd.task'] === String(world.task(repository).id));
        await world.removeContainer(container.Id);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'drafted');
        assert.equal(shown.runs[0].attempts ?? 1, 1);
        assert.equal(world.fileAt(repository, 'draftd/1-mend-it', 'notes.txt'), 'round 1');
        assert.match((await world.pulls(repository))[0].body, /round 2 was cut off: /);
    });

    test('in the proof leaves a draft that is not verified', async () => {
        const repository = await hurried.repository('late-proof', usual('echo x >>notes.txt\n', {
            '.draftd.yml': 'checks:\n  - { name: test, run: "sh test.sh" }\n  - { name: slow, run: "sh slow.sh" }\n',
            'slow.sh': 'test -f notes.txt || { touch /tmp/seen; exit 0; }\ntest -f /tmp/seen || sleep 300\n',
        }));
        await hurried.label(repository);
        const shown = await hurried.ended(repository, 150000);
        assert.equal(shown.state, 'drafted');
        assert.equal(shown.runs[0].verdict, 'not_verified');
        assert.deepEqual(shown.checks.map((check) => [check.name, check.verdict]), [['test', 'passed'], ['slow', 'could_not_run']]);
        const [pull] = await hurried.pulls(repository);
        assert.match(pull.body, /\*\*Not verified\*\*: `slow` could not be run/);
        assert.match(pull.body, /the proof was cut off: the time for the whole run is over/);
    });
});

test('setup that fails in the proof is shown with what it printed, once', async () => {
    const repository = await world.repository('setup-proof', usual('echo "echo no such package; exit 7" >setup.sh\n', {
        '.draftd.yml': 'setup: [ "sh setup.sh" ]\nchecks:\n  - { name: test, run: "sh test.sh" }\n  - { name: more, run: "true" }\n',
        'setup.sh': 'true\n',
    }));
    await world.label(repository);
    const shown = await world.ended(repository);
    assert.equal(shown.state, 'drafted');
    assert.equal(shown.runs[0].verdict, 'not_verified');
    const [pull] = await world.pulls(repository);
    assert.match(pull.body, /setup fails on the proposed commit: exit status 7/);
    assert.match(pull.body, /\| Check \| Before \| After \| Fresh container \| Verdict \|/);
    assert.match(pull.body, /\| `more` \|.*\|.*\| ⚠️ could not be run \|/);
    assert.match(pull.body, /<code>setup<\/code>/);
    assert.equal(pull.body.split('no such package').length, 2);
});

describe('what git makes of the bytes', { concurrency: 4 }, () => {
    const who = { GIT_AUTHOR_NAME: 'Ann', GIT_AUTHOR_EMAIL: 'a@example.org', GIT_COMMITTER_NAME: 'Ann', GIT_COMMITTER_EMAIL: 'a@example.org' };
    const crlf = 'printf "a\\r\\nb\\r\\n" >x.bat; git add .; git commit -qm x; echo "*.bat text eol=crlf" >.gitattributes; git add .gitattributes; git commit -qm y';
    const ident = 'printf "\\$Id: abc\\$\\n" >x.c; git add .; git commit -qm x; echo "*.c ident" >.gitattributes; git add .gitattributes; git commit -qm y';
    const auto = 'printf "a\\r\\nb\\r\\n" >old.txt; git add .; git commit -qm x; echo "* text=auto" >.gitattributes; echo "*.out" >.gitignore; git add .gitattributes .gitignore; git commit -qm y';
    const commit = 'git commit -qm c';

    for (const [name, script, agent, expected] of [
        ['crlf-none', crlf, 'exit 0', {}],
        ['ident-none', ident, 'exit 0', {}],
        ['crlf-other', crlf, 'echo x >notes.txt', { 'notes.txt': 'x\n' }],
        ['crlf-commits', crlf, `echo x >notes.txt; git add notes.txt; ${commit}`, { 'notes.txt': 'x\n' }],
        ['crlf-same', crlf, 'printf "c\\r\\n" >>x.bat', { 'x.bat': 'a\nb\nc\n' }],
        ['crlf-mends', crlf, 'printf "a\\nb\\n" >x.bat', { 'x.bat': 'a\nb\n' }],
        ['crlf-renormalizes', crlf, `git add --renormalize .; ${commit}`, { 'x.bat': 'a\nb\n' }],
        ['crlf-takes-back', crlf, `echo x >x.txt; echo 1 >>answer.txt; git add x.txt answer.txt; ${commit}; git checkout -q HEAD~ answer.txt`, { 'x.txt': 'x\n' }],
        ['auto-new', auto, 'printf "n\\r\\n" >new.txt; printf "c\\r\\n" >>old.txt', { 'new.txt': 'n\n', 'old.txt': 'a\r\nb\r\nc\r\n' }],
        ['auto-renormalizes', auto, `git add --renormalize .; ${commit}; echo x >notes.txt`, { 'notes.txt': 'x\n', 'old.txt': 'a\nb\n' }],
        ['auto-forces', auto, `echo 1 >a.out; echo 1 >b.out; echo 1 >c.out; git add -f a.out b.out; ${commit}; echo 2 >>b.out`, { 'a.out': '1\n', 'b.out': '1\n2\n' }],
    ])
        test(`is no work of the agent, what the agent does is: ${name}`, async () => {
            const repository = await world.repository(name, usual(`${agent}\n`, { '.draftd.yml': '' }));
            const work = `${world.dir}/more-${name}`;
            git('clone', '-q', world.bare(repository), work);
            execFileSync('sh', ['-ec', script], { cwd: work, env: { ...process.env, ...who } });
            git('-C', work, 'push', '-q', 'origin', 'main');
            await world.label(repository);
            const shown = await world.ended(repository);
            const paths = Object.keys(expected);
            assert.equal(shown.state, paths.length ? 'drafted' : 'unchanged');
            if (paths.length)
                assert.deepEqual(changes(repository).map((line) => line.slice(2)), paths);
            for (const path of paths)
                assert.equal(execFileSync('git', ['-C', world.bare(repository), 'show', `draftd/1-mend-it:${path}`], { encoding: 'utf8' }), expected[path]);
        });
});

test('what git cannot take is told, whatever its name', async () => {
    const repository = await world.repository('odd-names', usual(
        'echo x >>notes.txt; d=$(printf "n\\377\\376"); mkdir "$d"; git -C "$d" init -q\n'));
    await world.label(repository);
    const shown = await world.ended(repository);
    assert.equal(shown.state, 'drafted', shown.reason);
    assert.match((await world.pulls(repository))[0].body, /files that git could not take are missing: .*n/);
});

test('the branch that .draftd.yml names is where work begins and where the draft leads', async () => {
    const repository = await world.repository('develop', usual('cat other.txt >notes.txt\n', {
        '.draftd.yml': 'branch: develop\nchecks:\n  - { name: test, run: "sh test.sh && test -f other.txt" }\n' }));
    const work = `${world.dir}/more-develop`;
    git('clone', '-q', world.bare(repository), work);
    execFileSync('sh', ['-ec', 'git checkout -q -b develop; echo other >other.txt; git add .; git -c user.name=a -c user.email=a@b commit -qm x; git push -q origin develop'], { cwd: work });
    await world.label(repository);
    assert.equal((await world.ended(repository)).runs[0].verdict, 'verified');
    const [pull] = await world.pulls(repository);
    assert.equal(pull.base.ref ?? pull.base, 'develop');
    assert.deepEqual(changes(repository, 'draftd/1-mend-it', 'develop'), ['A notes.txt']);
});

test('a credential in what the agent says of its work is never shown', async () => {
    const token = 'ghp_' + 'a1B2c3D4e5'.repeat(4);
    const repository = await world.repository('summary', usual(
        'echo x >>notes.txt; t=$(printf a1B2c3D4e5%.0s 1 2 3 4); printf "I used ghp_%s, and ghp\\342\\200\\213_%s.\\n" $t $t >"$DRAFTD_SUMMARY_FILE"\n'));
    await world.label(repository);
    await world.ended(repository);
    const [pull] = await world.pulls(repository);
    assert.match(pull.body, /I used \\?\[redacted\\?\], and \\?\[redacted/);
    assert.ok(!JSON.stringify(await world.state(repository)).includes(token.slice(4)));
    assert.ok(!world.cli('show', '--json', String(world.task(repository).id)).includes(token));
});

test('a title tells neither the platform nor CI anything', async () => {
    const repository = await world.repository('words', usual('echo x >>notes.txt\n'));
    await world.label(repository, { title: 'Closes #7 for @ann [skip ci]' });
    await world.ended(repository);
    const [branch] = world.branches(repository);
    assert.equal(git('-C', world.bare(repository), 'log', '-1', '--format=%s', branch), 'Closes # 7 for @ ann (skip ci)');
});

test("what the agent's own commits say is flagged", async () => {
    const repository = await world.repository('own-words', usual([
        'echo 1 >>notes.txt; git add notes.txt; git commit -q -m "Fixes: #99"',
        'echo 2 >>notes.txt; git commit -q -a -m "More" -m "[ci skip]" --author "Eve <eve@example.org>"',
        'echo 3 >>notes.txt; git commit -q -a -m "Most [skip ci]"', ''].join('\n')));
    await world.label(repository);
    await world.ended(repository);
    const [pull] = await world.pulls(repository);
    const ids = git('-C', world.bare(repository), 'log', '--reverse', '--format=%h', '--abbrev=7', 'main..draftd/1-mend-it').split('\n');
    assert.equal(ids.length, 3);
    const flags = pull.body.split('### Checks')[0];
    assert.match(flags, new RegExp(`commits that close issues when they are merged: 1 \\(${ids[0]}\\)`));
    assert.match(flags, new RegExp(`commits that tell CI to stay away: 2 \\(${ids[1]}\\)`));
    assert.match(flags, new RegExp(`commits that name another author or committer: 1 \\(${ids[1]}: Eve `));
});

test('a run that is taken up again keeps to the settings that it began with', async () => {
    const repository = await world.repository('settings-later', usual('echo x >>notes.txt\n', {
        'slow.sh': 'test -f notes.txt || { touch /tmp/seen; exit 0; }\ntest -f /tmp/seen || sleep 6\n',
        '.draftd.yml': 'checks:\n  - { name: test, run: "sh slow.sh" }\n' }), two);
    await world.label(repository, { number: 1, title: 'Mend it 1' });
    const stage = () => JSON.parse(world.cli('show', '--json', String(first.id))).runs[0].stage;
    const first = await until('the task', () => world.task(repository));
    await until('the proof', () => stage() === 'proof');
    const work = `${world.dir}/more-settings`;
    git('clone', '-q', world.bare(repository), work);
    execFileSync('sh', ['-ec', 'echo "chekcs: 1" >.draftd.yml; git -c user.name=a -c user.email=a@b commit -qam x; git push -q origin main'], { cwd: work });
    await world.label(repository, { number: 2, title: 'Mend it 2' });
    await until('the mirror to have it', () => world.tasks().some((task) => task.repository === repository && task.state === 'failed'));
    assert.equal(stage(), 'proof');
    await world.restart();
    const shown = await until('the draft', () => {
        const found = JSON.parse(world.cli('show', '--json', String(first.id)));
        return !['queued', 'running'].includes(found.state) && found;
    });
    assert.equal(shown.state, 'drafted', shown.reason);
    assert.equal(shown.runs[0].verdict, 'verified');
});
