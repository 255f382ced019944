// GitHub as a machine user instead of an App; and a container engine that is away.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';

import { World, assert, until, usual } from './harness.mjs';

const env_dir = join(dirname(fileURLToPath(import.meta.url)), '..', 'env');
const edit = 'echo "a line" >>notes.txt\n';

test('a machine user: assignment, comment, branch, draft', async () => {
    const world = await World.start({ app: false });
    try {
        const repository = await world.repository('user', usual(edit));
        await world.deliver('issues', 'assigned', { repository, assignee: 'draftd-bot', assignees: ['draftd-bot'] });
        assert.equal((await world.ended(repository)).state, 'drafted');
        const [status] = await world.statuses(repository);
        assert.equal(status.user.login ?? status.user, 'draftd-bot');
        assert.equal((await world.pulls(repository))[0].draft, true);
    } finally {
        await world.stop();
    }
});

test('a disk without room: no run begins, and no try is spent, until there is', { skip: process.getuid() === 0 ? false : 'needs root' }, async () => {
    const world = await World.start({ serve: false });
    const state = join(world.dir, 'state');
    mkdirSync(state, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=700', 'tmpfs', state]);
    try {
        writeFileSync(join(state, 'filler'), Buffer.alloc(40 << 20));
        await world.serve();
        const repository = await world.repository('room', usual(edit));
        await world.label(repository);
        await world.logged(/event=run_waits .*almost full: \d+ MiB are free, and a run needs 32/);
        const waiting = world.show(repository);
        assert.equal(waiting.state, 'queued');
        assert.deepEqual(waiting.runs[0].steps ?? [], []);
        rmSync(join(state, 'filler'));
        const task = await world.ended(repository);
        assert.equal(task.state, 'drafted');
        assert.equal(task.runs.length, 1);
    } finally {
        await world.kill('SIGTERM');
        execFileSync('umount', ['-l', state]);
        await world.stop();
    }
});

test('the engine is away: the run waits, and goes on when it is back', async () => {
    const dir = mkdtempSync('/tmp/de-');
    const script = (name, ...args) => execFileSync('sh', [join(env_dir, name), ...args], { encoding: 'utf8' }).trim();
    const world = await World.start({ sandbox: { engine: `unix://${dir}/podman.sock` } });
    try {
        const repository = await world.repository('engine', usual(edit));
        await world.label(repository);
        await until('the run to wait', () => /event=run_waits/.test(world.log) && world.show(repository).state === 'queued');
        await world.logged(/event=sandbox_not_ready/);
        const [status] = await world.statuses(repository);
        assert.ok(status, 'the thread knows that the task was seen');
        script('image.sh', script('engines.sh', 'start', 'podman', dir));
        assert.equal((await world.ended(repository)).state, 'drafted');
    } finally {
        await world.stop();
        script('engines.sh', 'stop', dir);
        rmSync(dir, { recursive: true, force: true });
    }
});
