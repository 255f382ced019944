// Awkward moments: cancelling and stopping while something hangs, or between two steps.
import { after, before, test } from 'node:test';
import { connect, createServer } from 'node:net';
import { rmSync } from 'node:fs';

import { World, assert, engine, git, sleep, until, usual } from './harness.mjs';

/// A socket before the engine's that can be told to hang, or to be away.
class Gate {
    constructor(path) {
        this.path = path;
        this.hanging = false;
    }

    open() {
        rmSync(this.path, { force: true });
        this.server = createServer((socket) => {
            socket.on('error', () => {});
            if (this.hanging)
                return;
            const other = connect(engine.replace('unix://', ''));
            other.on('error', () => socket.destroy());
            socket.on('close', () => other.destroy());
            other.on('close', () => socket.destroy());
            socket.pipe(other).pipe(socket);
        });
        return new Promise((resolve) => { this.server.listen(this.path, resolve); });
    }

    close() {
        this.server.close();
        rmSync(this.path, { force: true });
    }
}

let world;
let gate;
before(async () => {
    gate = new Gate(`/tmp/gate-${process.pid}.sock`);
    await gate.open();
    world = await World.start({ workers: 2, sandbox: { engine: `unix://${gate.path}` } });
});
after(async () => {
    await world.stop();
    gate.close();
});

const edit = 'echo "a line" >>notes.txt\n';

async function lastWord(repository) {
    const shown = await world.ended(repository);
    const statuses = await world.statuses(repository);
    assert.equal(statuses.length, 1);
    return { shown, status: statuses[0].body, pulls: await world.pulls(repository) };
}

test('a task that is cancelled before a worker takes it', async () => {
    const names = ['busy-1', 'busy-2', 'queued'];
    for (const name of names)
        await world.repository(name, usual(name === 'queued' ? edit : 'sleep 300\n'));
    for (const name of names) {
        await world.label(`acme/${name}`);
        await until('the task', () => world.task(`acme/${name}`));
    }
    await until('both workers to be busy', () => names.slice(0, 2).every((name) => world.show(`acme/${name}`).runs[0].stage === 'agent'));
    await world.deliver('issues', 'unlabeled', { repository: 'acme/queued', label: 'draftd' });
    const { shown, status } = await lastWord('acme/queued');
    assert.equal(shown.state, 'canceled');
    assert.match(status, /Cancelled.* by ann/);
    for (const name of names.slice(0, 2))
        await world.deliver('issues', 'unlabeled', { repository: `acme/${name}`, label: 'draftd' });
    for (const name of names.slice(0, 2))
        assert.equal((await lastWord(`acme/${name}`)).shown.state, 'canceled');
});

test('a task that is cancelled while it waits for the engine', async () => {
    const repository = await world.repository('no-engine', usual(edit));
    gate.close();
    await world.label(repository);
    await until('it to wait', () => /event=run_waits/.test(world.log));
    await world.deliver('issues', 'unlabeled', { repository, label: 'draftd' });
    const { shown, status } = await lastWord(repository);
    assert.equal(shown.state, 'canceled');
    assert.match(status, /Cancelled/);
    await gate.open();
});

test('the engine hangs: cancelling does not, and neither does the end', async () => {
    const repository = await world.repository('hang', usual(edit));
    gate.hanging = true;
    await world.label(repository);
    await until('the run', () => world.show(repository)?.runs[0].state === 'running');
    await sleep(500);
    let began = Date.now();
    await world.deliver('issues', 'unlabeled', { repository, label: 'draftd' });
    await until('the end', () => world.task(repository).state === 'canceled');
    assert.ok(Date.now() - began < 10000, 'one call to the engine is waited for, and no more');
    began = Date.now();
    await world.kill('SIGTERM');
    assert.ok(Date.now() - began < 5000);
    gate.hanging = false;
    await world.serve();
    assert.equal((await lastWord(repository)).shown.state, 'canceled');
});

test('the engine hangs at the start: the thread is told, the end is prompt, and the run is done when it answers', async () => {
    const repository = await world.repository('hangs-early', usual(edit));
    await world.kill('SIGTERM');
    gate.hanging = true;
    let began = Date.now();
    await world.serve();
    await world.label(repository);
    await until('the status', async () => (await world.statuses(repository)).length);
    assert.ok(Date.now() - began < 10000);
    began = Date.now();
    assert.deepEqual(await world.kill('SIGTERM'), { code: 0, signal: null });
    assert.ok(Date.now() - began < 5000);
    gate.hanging = false;
    const before = world.log.length;
    await world.serve();
    assert.equal((await lastWord(repository)).shown.state, 'drafted');
    await until('the host to be tried', () => /event=sandbox_ready/.test(world.log.slice(before)));
});

test('SIGTERM while a fetch hangs', async () => {
    const repository = await world.repository('fetch-hangs', usual(edit));
    await world.control('POST', 'faults', { path: '/acme/fetch-hangs(.git)?/info/refs', times: 1, hang: true });
    await world.label(repository);
    await until('the run', () => world.show(repository)?.runs[0].state === 'running');
    await sleep(500);
    const began = Date.now();
    assert.deepEqual(await world.kill('SIGTERM'), { code: 0, signal: null });
    assert.ok(Date.now() - began < 5000);
    await world.serve();
    assert.equal((await lastWord(repository)).shown.state, 'drafted');
});

test('SIGTERM while opening the pull request hangs', async () => {
    const repository = await world.repository('pull-hangs', usual(edit));
    await world.control('POST', 'faults', { method: 'POST', path: '/repos/acme/pull-hangs/pulls', times: 1, after: true, hang: true });
    await world.label(repository);
    await until('the pull request', async () => (await world.pulls(repository)).length);
    const began = Date.now();
    assert.deepEqual(await world.kill('SIGTERM'), { code: 0, signal: null });
    assert.ok(Date.now() - began < 5000);
    await world.serve();
    const { shown, pulls } = await lastWord(repository);
    assert.equal(shown.state, 'drafted');
    assert.equal(pulls.length, 1);
});

test('a task that is cancelled while its pull request is being opened', async () => {
    const repository = await world.repository('pull-canceled', usual(edit));
    await world.control('POST', 'faults', { method: 'POST', path: '/repos/acme/pull-canceled/pulls', times: 1, after: true, hang: true });
    await world.label(repository);
    await until('the pull request', async () => (await world.pulls(repository)).length);
    await world.deliver('issues', 'unlabeled', { repository, label: 'draftd' });
    const { shown, status, pulls } = await lastWord(repository);
    assert.equal(shown.state, 'canceled');
    assert.match(status, /being published already: the branch `draftd\/1-mend-it`/);
    assert.equal(pulls.length, 1);
    world.cli('retry', String(shown.id));
    const again = await lastWord(repository);
    assert.equal(again.shown.state, 'drafted');
    assert.equal(again.pulls.length, 1);
});

test('a sandbox that is lost again and again ends the run', async () => {
    const repository = await world.repository('lost', usual('sleep 300\n'));
    await world.label(repository);
    for (let attempt = 1; attempt <= 3; attempt++) {
        const [container] = await until(`sandbox ${attempt}`, async () => {
            const found = await world.containers();
            return world.show(repository).runs[0].stage === 'agent' && found.length && found;
        });
        await world.removeContainer(container.Id);
        await until('it to be missed', async () => !(await world.containers()).length && world.task(repository).state !== 'running');
    }
    const { shown, status, pulls } = await lastWord(repository);
    assert.equal(shown.state, 'failed');
    assert.match(status, /gave up after 3 tries: the sandbox/);
    assert.equal(pulls.length, 0);
});

test('a git server that fails more often than a sandbox may', async () => {
    const repository = await world.repository('fetch-fails', usual(edit));
    await world.control('POST', 'faults', { path: '/acme/fetch-fails(.git)?/info/refs', times: 4, status: 503 });
    await world.label(repository);
    const { shown } = await lastWord(repository);
    assert.equal(shown.state, 'drafted');
});

test('a delivery as large as it may be holds up no other', async () => {
    const repository = await world.repository('large-body', usual(edit));
    for (const size of [25 * 1024 * 1024, 25 * 1024 * 1024 - 1]) {
        const raw = `{"x":"${'a'.repeat(size - 8)}"}`;
        assert.equal(raw.length, size);
        const answer = await world.deliver('issues', 'labeled', { repository, label: 'draftd', raw });
        assert.equal(answer.status, 202);
    }
    await world.label(repository);
    assert.equal((await lastWord(repository)).shown.state, 'drafted');
});

test('a branch that somebody makes under the same name meanwhile is left alone', async () => {
    const repository = await world.repository('same-name', usual('sleep 2; echo "a line" >>notes.txt\n'));
    await world.label(repository);
    await until('the agent to run', () => world.show(repository)?.runs[0].stage === 'agent');
    const main = git('-C', world.bare(repository), 'rev-parse', 'main');
    git('-C', world.bare(repository), 'branch', 'draftd/1-mend-it', 'main');
    const first = await lastWord(repository);
    assert.equal(first.shown.state, 'failed');
    assert.match(first.status, /branch could not be pushed/);
    world.cli('retry', String(first.shown.id));
    const again = await lastWord(repository);
    assert.equal(again.shown.state, 'drafted');
    assert.deepEqual(world.branches(repository).sort(), ['draftd/1-mend-it', 'draftd/1-mend-it-2']);
    assert.equal(git('-C', world.bare(repository), 'rev-parse', 'draftd/1-mend-it'), main);
});
