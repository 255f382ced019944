// From deliveries to drafts on the stand-in for GitHub, one for each line on standard input: prints how long it
// took, as JSON. Ends with its input. Environment as in tests/e2e/harness.mjs.
import { createInterface } from 'node:readline';

import { World, usual } from '../e2e/harness.mjs';

const world = await World.start({ sandbox: { memory_mib: 1024, disk_mib: 512, tmp_mib: 64 } });
const repository = await world.repository('small', usual('echo x >>notes.txt\n', {
    '.draftd.yml': 'checks:\n  - { name: test, run: "true" }\n',
}), { issues: Array.from({ length: 500 }, (_, i) => ({ number: i + 1, title: 'Mend it', body: 'Please.', user: 'ann' })) });

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

let number = 0;
for await (const _ of createInterface({ input: process.stdin })) {
    const begin = world.log.length;
    const begun = performance.now();
    const claimed = logged(/event=run_claimed/, begin);
    const ended = logged(/event=run_ended/, begin);
    await world.label(repository, { number: ++number });
    const times = { claimed: await claimed - begun, draft: await ended - begun };
    if (!/event=run_ended .*outcome="?draft/.test(world.log.slice(begin)))
        throw new Error(world.log.slice(begin));
    console.log(JSON.stringify(times));
}
await world.stop();
