// GitHub where it is when the configuration does not say otherwise, and the limits that only it has: the stand-in listens
// on an address of its own, which draftd alone takes for api.github.com and github.com.
import { after, before, describe, test } from 'node:test';

import { World, assert, until, usual } from './harness.mjs';

const ADDRESS = '127.71.83.9'; // no other program's
const notes = usual('echo "a line" >>notes.txt\n');
const skip = process.getuid() === 0 ? false : 'needs root';

/// Those that tell people something, as GitHub counts them.
const creates = ({ method, operation, status }) =>
    method === 'POST' && status === 201 && /^(issues\/create-comment|pulls\/create|checks\/create)/.test(operation);

describe('github.com', { skip }, () => {
    let world;
    before(async () => { world = await World.start({ address: ADDRESS, workers: 4 }); });
    after(() => world.stop());

    test('three runs at once: a second between two changes, and three drafts', async () => {
        const names = await Promise.all(['one', 'two', 'three'].map((name) => world.repository(`paced-${name}`, notes)));
        await world.control('DELETE', 'requests');
        await Promise.all(names.map((name) => world.label(name)));
        for (const name of names) {
            const shown = await world.ended(name);
            assert.equal(shown.state, 'drafted', shown.reason);
            assert.match(shown.draft_url ?? '', /^https:\/\/github\.com\/acme\/paced-/);
        }
        const requests = await world.control('GET', 'requests');
        const changes = requests.filter(({ method, operation, status }) => method !== 'GET' && status < 300 &&
            !/git\/|access-token|graphql/.test(operation));
        assert.ok(requests.filter(creates).length >= 9, JSON.stringify(requests.filter(creates)));
        // one may be late on its way, so that the next seems to be early: over two the pace shows
        const pairs = changes.slice(2).map(({ at }, i) => at - changes[i].at);
        assert.ok(Math.min(...pairs) >= 1000, `pairs within ${pairs} ms: ${changes.map(({ operation }) => operation)}`);
    });

    test('the secondary limit silences every worker until it is over', async () => {
        const repository = await world.repository('silenced', notes);
        await world.control('DELETE', 'requests');
        await world.control('POST', 'faults', { method: 'POST', path: '/comments', rate_limit: 'secondary', retry_after: 4 });
        await world.label(repository);
        const refused = await until('the refusal', async () =>
            (await world.control('GET', 'requests')).find(({ status }) => status === 403));
        assert.equal((await world.ended(repository)).state, 'drafted');
        const meanwhile = (await world.control('GET', 'requests'))
            .filter(({ operation, at }) => at > refused.at + 300 && at < refused.at + 3500 && !/git\//.test(operation));
        assert.deepEqual(meanwhile, []);
    });
});
