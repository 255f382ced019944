// Without a forge: signed webhooks for plain repositories, and `draftd run` on a checkout without a server.
import { after, before, test } from 'node:test';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { World, assert, draftd, engine, git, until, usual } from './harness.mjs';

let world;
before(async () => {
    world = await World.start({ serve: false });
    world.local = ['calc', 'other'].map((name) => ({ name: `demo/${name}`, path: world.makeBare(name, usual('echo "a line" >>notes.txt\n')) }));
    await world.serve();
});
after(() => world.stop());

const request = { repository: 'demo/calc', title: 'Mend it', text: 'Please.', requested_by: 'ann' };

test('a signed request becomes a branch and a draft that `show` shows', async () => {
    assert.equal((await world.deliverLocal(request)).status, 202);
    const shown = await world.ended('demo/calc');
    assert.equal(shown.state, 'drafted');
    assert.match(shown.draft.body, /\*\*Verified\*\*/);
    assert.doesNotMatch(shown.draft.body, /Closes #/);
    const path = world.local[0].path;
    assert.equal(git('-C', path, 'show', `${shown.draft.branch}:notes.txt`), 'a line');
    assert.equal(git('-C', path, 'rev-parse', shown.draft.branch), shown.draft.head_commit);
    assert.match(world.cli('show', String(shown.id)), /Mend it/);
    assert.doesNotMatch(world.cli('show', String(shown.id)), / $/m);
    assert.match(world.cli('logs', String(shown.id)), /work, agent \(round 1\): script/);
});

test('signatures after Standard Webhooks: key, time, form', async () => {
    const now = Math.floor(Date.now() / 1000);
    assert.equal((await world.deliverLocal(request, { key: Buffer.alloc(32) })).status, 401);
    assert.equal((await world.deliverLocal(request, { timestamp: now - 301 })).status, 401);
    assert.equal((await world.deliverLocal(request, { timestamp: now + 310 })).status, 401);
    assert.equal((await world.post('/webhooks/local', '{}')).status, 401);
    assert.equal((await world.deliverLocal('{"repository":', { id: 'cut' })).status, 202);
    assert.match(world.cli('replay', '--dry-run', 'cut'), /^bad: /);
    assert.equal((await world.deliverLocal({ ...request, repository: 'demo/none' }, { id: 'none' })).status, 202);
    assert.match(world.cli('replay', '--dry-run', 'none'), /^ignored: .*not in the configuration/);
    assert.equal((await world.deliverLocal({ ...request, repository: '../etc' }, { id: 'dots' })).status, 202);
    assert.match(world.cli('replay', '--dry-run', 'dots'), /^bad: /);
    for (const part of ['text', 'requested_by']) {
        assert.equal((await world.deliverLocal({ ...request, [part]: 'x'.repeat(3000000) }, { id: part })).status, 202);
        assert.match(world.cli('replay', '--dry-run', part), new RegExp(`^bad: "${part}" has over`));
    }
});

test('cancel and retry from the command line', async () => {
    const path = world.local[1].path;
    assert.equal((await world.deliverLocal({ ...request, repository: 'demo/other' })).status, 202);
    await world.ended('demo/other');
    const { id } = world.task('demo/other');
    assert.match(world.cli('retry', String(id)), /queued again/);
    const shown = await until('the second run', () => {
        const found = world.show('demo/other');
        return found.runs.length === 2 && found.state === 'drafted' && found;
    });
    assert.equal(git('-C', path, 'show', `${shown.draft.branch}:notes.txt`), 'a line\na line');
    const refused = spawnSync(draftd, ['cancel', '--config', join(world.dir, 'draftd.yml'), String(id)], { encoding: 'utf8' });
    assert.equal(refused.status, 3);
    assert.match(refused.stderr, /nothing of task \d+ is under way/);
});

test('what a step prints is there to be followed while it runs', async () => {
    world.local.push({ name: 'demo/live', path: world.makeBare('live', usual('echo one; echo two; sleep 4; echo three >notes.txt\n')) });
    await world.restart();
    assert.equal((await world.deliverLocal({ ...request, repository: 'demo/live' })).status, 202);
    const { id } = await until('the task', () => world.task('demo/live'));
    await until('both lines', () => /one\ntwo\n$/.test(world.cli('logs', String(id))));
    assert.equal(world.show('demo/live').state, 'running');
    assert.equal((await world.ended('demo/live')).state, 'drafted');
});

/// `draftd run` with a configuration and a home of its own: command line and environment.
function runCommand(checkout, ...args) {
    const config = join(world.dir, 'run.yml');
    writeFileSync(config, [
        `state_dir: ${world.dir}/home/draftd/run`, // for the commands that look into it
        `sandbox: ${JSON.stringify({ engine, image: 'draftd-test', memory_mib: 512, disk_mib: 64, tmp_mib: 32 })}`,
        'agents: { default: script, profiles: [ { name: script, command: "sh .agent.sh" }, { name: idle, command: "true" },',
        '  { name: slow, command: "sleep 300" }, { name: loud, command: "echo x >x; yes | head -c 3000000" },',
        '  { name: brief, command: "sleep 2; echo x >x" } ] }',
    ].join('\n'));
    return [['run', '--config', config, '--repo', checkout, ...args],
        { encoding: 'utf8', env: { ...process.env, XDG_STATE_HOME: join(world.dir, 'home') } }];
}

function run(checkout, ...args) {
    return spawnSync(draftd, ...runCommand(checkout, ...args));
}

/// Start `program` without waiting; `ended` tells how it ended and what it printed.
function begin(program, args, options) {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'])
        child[name].setEncoding('utf8').on('data', (text) => { texts[name] += text; });
    child.ended = new Promise((resolve) => child.on('close', (status, signal) => resolve({ status, signal, ...texts })));
    return child;
}

/// The newest task in the store of `draftd run`.
function newest() {
    const look = (...args) => JSON.parse(execFileSync(draftd, [args[0], '--json', '--config', join(world.dir, 'run.yml'), ...args.slice(1)], { encoding: 'utf8' }));
    const [task] = look('list');
    return look('show', String(task.id));
}

function atAgent() {
    return until('the agent to run', () => newest().state === 'running' && newest().runs[0].stage === 'agent');
}

function makeCheckout(name) {
    const path = join(world.dir, name);
    git('clone', '-q', world.local[0].path, path);
    return path;
}

test('`draftd run` leaves a branch in the checkout and touches nothing else', () => {
    const checkout = makeCheckout('checkout');
    writeFileSync(join(checkout, 'scratch.txt'), 'mine\n');
    const before_run = git('-C', checkout, 'rev-parse', 'HEAD');

    const done = run(checkout, '--agent', 'script', 'Write a line');
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /^drafted: /);
    const [, branch] = /^branch +(\S+)$/m.exec(done.stdout);
    assert.match(done.stdout, /^verdict +verified$/m);
    assert.equal(git('-C', checkout, 'show', `${branch}:notes.txt`), 'a line');
    assert.equal(git('-C', checkout, 'rev-parse', 'HEAD'), before_run);
    assert.equal(git('-C', checkout, 'rev-parse', '--abbrev-ref', 'HEAD'), 'main');
    assert.equal(readFileSync(join(checkout, 'scratch.txt'), 'utf8'), 'mine\n');
    assert.ok(!existsSync(join(checkout, 'notes.txt')));

    const idle = run(checkout, '--agent', 'idle', 'Do nothing');
    assert.equal(idle.status, 1);
    assert.match(idle.stdout, /^unchanged: /);

    const red = run(checkout, '--check', 'echo never; exit 1', '--check', 'true', 'Write a line');
    assert.match(red.stdout, /^verdict +verified$/m, 'red before is not the change\'s fault');
    assert.match(red.stdout, /^checks +check 1: was red before /m, 'nor hidden');
    assert.match(red.stdout, /\n--- proof, check: check 1\nnever\n--- exited 1 after /);
    const [, hint] = /^`draftd (logs --run \d+)` shows all of it$/m.exec(red.stdout);
    const env = runCommand(checkout)[1];
    assert.match(execFileSync(draftd, hint.split(' '), env), /--- work, agent \(round 1\): script\n/);
    assert.match(execFileSync(draftd, ['list', '--run'], env), / drafted +/);
    assert.match(execFileSync(draftd, ['show', '--run', hint.split(' ')[2]], env), /was red before/);

    writeFileSync(join(checkout, '.draftd.yml'), 'cheks: []\n');
    git('-C', checkout, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.org', 'commit', '-q', '-m', 'Err', '.draftd.yml');
    const faulty = run(checkout, 'Write a line');
    assert.equal(faulty.status, 1);
    assert.match(faulty.stdout, /^failed: .*\ndetail +\.draftd\.yml:1: cheks: /);
    git('-C', checkout, 'reset', '-q', '--hard', 'HEAD^');

    const nobody = run(checkout, '--agent', 'nobody', 'x');
    assert.notEqual(nobody.status, 0);
    assert.match(nobody.stdout + nobody.stderr, /"nobody" is not in the operator's configuration/);
    assert.equal(run('/nonexistent', 'x').status, 3);
    assert.equal(run(world.dir, 'x').status, 3, 'a directory that is no repository');
});

test('`draftd run` gives up what a killed one left, and is the only one', async () => {
    const [old, checkout] = [makeCheckout('killed'), makeCheckout('later')];
    const killed = begin(draftd, ...runCommand(old, '--agent', 'slow', 'Never mind'));
    await atAgent();
    const { id } = newest();
    const second = run(checkout, 'Write a line');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /another draftd works in /);
    assert.equal(newest().state, 'running', 'the first one is left alone');
    killed.kill('SIGKILL');
    await killed.ended;

    const done = run(checkout, 'Write a line');
    assert.equal(done.status, 0, done.stdout + done.stderr);
    assert.equal(newest().id, id + 1);
    const left = JSON.parse(execFileSync(draftd, ['show', '--json', '--config', join(world.dir, 'run.yml'), String(id)], { encoding: 'utf8' }));
    assert.equal(left.state, 'canceled');
    assert.equal(left.reason, 'given up: a later draftd run began');
    assert.equal(left.runs.length, 1);
    assert.equal(left.runs[0].state, 'ended');
    assert.equal(left.runs[0].outcome, 'canceled');
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    test(`\`draftd run\` cancels its task at ${signal}`, async () => {
        const child = begin(draftd, ...runCommand(makeCheckout(`at-${signal}`), '--agent', 'slow', 'Never mind'));
        await atAgent();
        child.kill(signal);
        const ended = await child.ended;
        assert.equal(ended.status, 1, JSON.stringify(ended));
        assert.match(ended.stdout, /^canceled: cancelled by you$/m);
    });

test('`nohup draftd run` outlives its terminal', async () => {
    const [args, options] = runCommand(makeCheckout('nohup'), '--agent', 'brief', 'Write x');
    const child = begin('nohup', [draftd, ...args], options);
    await atAgent();
    child.kill('SIGHUP');
    const ended = await child.ended;
    assert.equal(ended.status, 0, JSON.stringify(ended));
});

test('Ctrl-C as the task ends: its result stands', async () => {
    const [args, options] = runCommand(makeCheckout('late'), '--agent', 'loud', 'Write x');
    const pid = join(world.dir, 'late.pid');
    const before_it = newest();
    const words = [draftd, ...args].map((word) => `'${word}'`).join(' ');
    // Nobody reads the terminal, so that draftd is held up while it shows what the agent printed.
    const child = spawn('script', ['-qefc', `echo $$ >${pid}; exec ${words}`, '/dev/null'], { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
    await until('the end', () => newest().id > before_it.id && newest().state === 'drafted');
    process.kill(Number(readFileSync(pid, 'utf8')), 'SIGINT');
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text) => { shown = (shown + text).slice(-1000); });
    const status = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(status, 0, shown);
    assert.match(shown, /^drafted: a draft is open\r$/m);
});

test('wrong usage and configuration: exit status 2, and what to do', () => {
    const call = (...args) => spawnSync(draftd, args, { encoding: 'utf8' });
    for (const args of [[], ['fly'], ['serve', '--fly'], ['show'], ['show', 'x'], ['run'], ['serve', '--role', 'none']])
        assert.equal(call(...args).status, 2, args.join(' '));
    writeFileSync(join(world.dir, 'bad.yml'), 'workers: many\nfly: 1\ngithub: { api_url: 7 }\n');
    const bad = call('serve', '--check', '--config', join(world.dir, 'bad.yml'));
    assert.equal(bad.status, 2);
    assert.match(bad.stderr, /bad\.yml:1: workers: /);
    assert.match(bad.stderr, /bad\.yml:2: fly: /);
    assert.match(bad.stderr, /bad\.yml:3: github\./);
    assert.equal(call('serve', '--check', '--config', '/nonexistent.yml').status, 3);
    assert.equal(call('serve', '--check', '--config', join(world.dir, 'draftd.yml')).status, 0);
    assert.match(execFileSync(draftd, ['version'], { encoding: 'utf8' }), /^draftd \d/);
});
