// A backup made while draftd serves, the state destroyed, the copy put in its place: nothing that was known is
// forgotten, and nothing is done again.
import { after, before, test } from 'node:test';
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { World, assert, sleep, until, usual } from './harness.mjs';

let world;
before(async () => { world = await World.start(); });
after(() => world.stop());

const quick = 'echo "a line" >>notes.txt\n';

/// Everything of the state is lost, and the backup is all there is.
async function restore(copy) {
    await world.kill();
    const state = join(world.dir, 'state');
    rmSync(state, { recursive: true });
    mkdirSync(state, { mode: 0o700 });
    copyFileSync(copy, join(state, 'draftd.db'));
    await world.serve();
}

test('tasks, evidence and deliveries are there after a restore; what was under way goes on', async () => {
    const done = await world.repository('kept', usual(quick));
    const live = await world.repository('under-way', usual('sleep 4; echo "a line" >>notes.txt\n'));
    const delivery = randomUUID();
    assert.equal((await world.label(done, { delivery })).status, 202);
    const before = await world.ended(done);
    assert.equal(before.state, 'drafted');
    await world.label(live);
    await until('the agent to run', () => world.show(live)?.runs[0].stage === 'agent');

    const copy = join(world.dir, 'copy.db');
    assert.match(world.cli('backup', copy), /copy\.db: \d+ KiB\n$/);
    const logs = world.cli('logs', String(before.id));
    const containers = await world.containers();
    assert.equal(containers.length, 1);
    await restore(copy);

    assert.deepEqual(world.show(done), before);
    assert.equal(world.cli('logs', String(before.id)), logs);
    assert.match(world.cli('replay', '--dry-run', delivery), /\S/); // its payload is there
    assert.equal((await world.label(done, { delivery })).status, 200);
    assert.equal((await world.ended(live)).state, 'drafted');
    for (const repository of [done, live]) {
        assert.equal((await world.pulls(repository)).length, 1, repository);
        assert.equal(world.branches(repository).length, 1, repository);
        assert.equal((await world.statuses(repository)).length, 1, repository);
    }
    // The name of the installation came along: what it had left running is its own to remove.
    const left = await until('the container of before to go', async () => {
        const now = await world.containers();
        return now.every(({ Id }) => Id !== containers[0].Id) && now;
    });
    assert.deepEqual(left, []);
});

// The copy does not know the branch: what draftd does not know to be its own is never touched.
test('after a restore a status sent since is found again, and a branch made since is left alone', async () => {
    const repository = await world.repository('since', usual(quick));
    await world.control('POST', 'faults', { path: '/repos/acme/since/issues/1/comments', method: 'POST', times: 3, status: 502 });
    await world.label(repository);
    await until('the task', () => world.task(repository));
    const copy = join(world.dir, 'second.db');
    world.cli('backup', copy);
    const before = await world.ended(repository);
    assert.equal(before.state, 'drafted');
    await restore(copy);
    await until('the task as it was', () => world.task(repository));
    assert.equal((await world.ended(repository)).state, 'drafted');
    await sleep(500);
    assert.equal((await world.statuses(repository)).length, 1);
    const [first, ...more] = world.branches(repository);
    assert.deepEqual(more, [`${first}-2`]);
    assert.equal((await world.pulls(repository)).length, 2);
    assert.deepEqual(readdirSync(world.dir).filter((name) => /^second\.db./.test(name)), []);
});
