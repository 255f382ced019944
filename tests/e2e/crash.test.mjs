// kill -9 in the middle of each stage, then a restart: one branch, one pull request, one true last word.
// And SIGTERM, which gives runs back; and an engine that is away for a while.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { World, assert, sleep, until, usual } from './harness.mjs';

let world;
before(async () => { world = await World.start({ workers: 2 }); });
after(() => world.stop());

const slow = {
    '.draftd.yml': 'setup: [ "sleep 0.7" ]\nchecks:\n  - { name: test, run: "sleep 0.7; sh test.sh" }\n',
};

const stages = ['fetch', 'setup', 'baseline', 'agent', 'check', 'export', 'proof', 'publish'];

for (const stage of stages)
    test(`kill -9 during ${stage}`, async () => {
        const repository = await world.repository(`crash-${stage}`, usual('echo "a line" >>notes.txt; sleep 0.7\n', slow));
        if (stage === 'fetch' || stage === 'publish')
            await world.control('POST', 'faults', { path: `/acme/crash-${stage}(.git)?/info/refs`, skip: stage === 'fetch' ? 0 : 2, times: 1, delay_ms: 1500 });
        await world.label(repository);
        await until(`stage ${stage}`, () => {
            const run = world.show(repository)?.runs[0];
            return run && (run.state === 'ended' || stages.indexOf(run.stage) >= stages.indexOf(stage));
        });
        await world.restart();
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'drafted', JSON.stringify(shown));
        assert.equal(shown.runs.length, 1);
        assert.equal(shown.runs[0].verdict, 'verified');
        assert.equal((await world.pulls(repository)).length, 1);
        assert.equal(world.branches(repository).length, 1);
        const statuses = await world.statuses(repository);
        assert.equal(statuses.length, 1);
        assert.match(statuses[0].body, /\*\*Verified\*\*|[Vv]erified/);
    });

test('a run under which the process dies again and again is given up, with a last word', async () => {
    const repository = await world.repository('deadly', usual('echo again; sleep 300\n'));
    const rounds = () => world.cli('show', String(world.task(repository).id)).match(/agent \(round 1\)/g)?.length ?? 0;
    await world.label(repository);
    for (let death = 1; death <= 5; death++) {
        await until(`try ${death}`, () => world.task(repository) && rounds() === death);
        await world.restart();
    }
    const shown = await world.ended(repository);
    assert.equal(shown.state, 'failed');
    assert.equal(rounds(), 5);
    const id = String(shown.id);
    assert.doesNotMatch(world.cli('show', id), /: running/);
    assert.equal(world.cli('logs', id).match(/^again\n--- draftd died$/gm)?.length, 5);
    const [status, ...more] = await world.statuses(repository);
    assert.equal(more.length, 0);
    assert.match(status.body, /\*\*Failed\*\*: gave up after 5 tries: the last one ended without a word/);
    assert.deepEqual(await world.pulls(repository), []);
});

test('SIGTERM gives runs back, leaves no container, and the next start takes them up', async () => {
    const repository = await world.repository('drain', usual('sleep 4; echo "a line" >>notes.txt\n'));
    await world.label(repository);
    await until('the agent to run', () => world.show(repository)?.runs[0].stage === 'agent');
    const began = Date.now();
    const ended = await world.kill('SIGTERM');
    assert.deepEqual(ended, { code: 0, signal: null });
    assert.ok(Date.now() - began < 8000, 'it did not wait for the agent');
    assert.deepEqual(await world.containers(), []);
    const [run] = world.show(repository).runs;
    assert.equal(run.state, 'queued');
    await world.serve();
    assert.equal((await world.ended(repository)).state, 'drafted');
});

test('after kill -9 no container is left once the next process works', async () => {
    const repository = await world.repository('orphans', usual('sleep 300\n'));
    await world.label(repository);
    await until('the agent to run', () => world.show(repository)?.runs[0].stage === 'agent');
    await world.restart();
    await until('one container again', async () => (await world.containers()).length === 1 && world.show(repository).runs[0].stage === 'agent');
    await world.deliver('issues', 'unlabeled', { repository, label: 'draftd' });
    await world.ended(repository);
    await until('no container', async () => (await world.containers()).length === 0, 5000);
});

test('deliveries that were acknowledged before kill -9 are handled after it', async () => {
    const repository = await world.repository('acknowledged', usual('echo x >x\n'));
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) =>
        world.label(repository, { delivery: `11111111-0000-0000-0000-0000000000${10 + i}` })));
    assert.ok(answers.every((answer) => answer.status === 202));
    await world.restart();
    for (let i = 0; i < 20; i++)
        assert.equal((await world.label(repository, { delivery: `11111111-0000-0000-0000-0000000000${10 + i}` })).status, 200);
    assert.equal((await world.ended(repository)).state, 'drafted');
    await sleep(500);
    assert.equal((await world.pulls(repository)).length, 1);
});

test('a store that was damaged takes no deliveries, and says once what to do', async (t) => {
    const damaged = await World.start();
    t.after(() => damaged.stop());
    const repository = await damaged.repository('damaged', usual('echo x >x\n'));
    await damaged.kill('SIGTERM');
    const store = join(damaged.dir, 'state', 'draftd.db');
    execFileSync(process.env.DRAFTD, ['backup', '--config', join(damaged.dir, 'draftd.yml'), `${store}.copy`]);
    for (const end of ['-wal', '-shm']) // which have newer copies of the pages
        rmSync(store + end, { force: true });
    renameSync(`${store}.copy`, store);
    const file = openSync(store, 'r+');
    for (const page of [30, 45])
        writeSync(file, Buffer.alloc(4096, 'not a page of it'), 0, 4096, (page - 1) * 4096);
    closeSync(file);

    const begin = damaged.log.length;
    await damaged.serve();
    await damaged.logged(/event=store_damaged error="the store is damaged: stop draftd and restore a backup, as draftd backup --help says/);
    const answer = await damaged.label(repository);
    assert.equal(answer.status, 503);
    const ready = ['-s', '--cacert', `${damaged.dir}/state/tls.crt`, `https://localhost:${damaged.port}/readyz`];
    assert.match(execFileSync('curl', ready, { encoding: 'utf8' }), /the store takes no writes/);
    await sleep(4000);
    const errors = damaged.log.slice(begin).split('\n').filter((line) => /level=error/.test(line)).map((line) => /event=(\S+)/.exec(line)[1]);
    assert.deepEqual(errors.filter((event) => event !== 'delivery_not_stored' && event !== 'store_not_ready'), ['store_damaged']);
});
