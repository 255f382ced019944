// From deliveries to drafts on the stand-in for GitHub, one for each line on standard input: prints how long it
// took until the run was claimed, until the draft was there, and until the run had ended, as JSON. Ends with its
// input. Environment as in tests/e2e/harness.mjs.
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { World, sleep, usual } from '../e2e/harness.mjs';

const MOST = 200; // issues, of which each is asked for once
const world = await World.start({ sandbox: { memory_mib: 1024, disk_mib: 512, tmp_mib: 64 } });
const repository = await world.repository('small', usual('echo x >>notes.txt\n', {
    '.draftd.yml': 'checks:\n  - { name: test, run: "true" }\n',
}), { issues: Array.from({ length: MOST }, (_, i) => ({ number: i + 1, title: 'Mend it', body: 'Please.', user: 'ann' })) });
const branches = join(world.bare(repository), 'refs', 'heads', 'draftd');

/// Resolves with the time at which the log first matches from `begin` on.
function logged(pattern, begin) {
    return new Promise((resolve) => {
        const look = () => {
            if (!pattern.test(world.log.slice(begin)))
                return;
            world.child.stderr.off('data', look);
            resolve(performance.now());
        };
        world.child.stderr.on('data', look);
        look();
    });
}

/// Resolves with the time at which there are `count` drafts. Asking costs the stand-in something, so it is not asked
/// before a branch was pushed.
async function drafted(count) {
    if (existsSync(branches))
        await new Promise((resolve) => {
            const watcher = watch(branches, () => { watcher.close(); resolve(); });
        });
    while ((await world.pulls(repository)).length < count)
        await sleep(5);
    return performance.now();
}

let number = 0;
for await (const _ of createInterface({ input: process.stdin })) {
    const begin = world.log.length;
    const begun = performance.now();
    const events = [logged(/event=run_claimed/, begin), drafted(++number), logged(/event=run_ended/, begin)];
    await world.label(repository, { number });
    const [claimed, draft, ended] = (await Promise.all(events)).map((time) => time - begun);
    if (!/event=run_ended .*outcome="?draft/.test(world.log.slice(begin)))
        throw new Error(world.log.slice(begin));
    console.log(JSON.stringify({ claimed, draft, ended }));
}
await world.stop();
