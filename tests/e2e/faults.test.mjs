// GitHub that fails: 500s, silence, half answers, limits, lost answers. Nothing is lost, nothing doubled.
import { after, before, describe, test } from 'node:test';

import { World, assert, usual } from './harness.mjs';

let world;
before(async () => { world = await World.start(); });
after(() => world.stop());

const edit = 'echo "a line" >>notes.txt\n';

async function oneOfEach(repository) {
    const shown = await world.ended(repository, 120000);
    assert.equal(shown.state, 'drafted', JSON.stringify(shown));
    assert.equal((await world.pulls(repository)).length, 1);
    assert.equal((await world.statuses(repository)).length, 1);
    assert.equal(world.branches(repository).length, 1);
    const [status] = await world.statuses(repository);
    const [pull] = await world.pulls(repository);
    assert.match(status.body, new RegExp(`#${pull.number}\\b|/pull/${pull.number}\\b`));
}

describe('GitHub fails', { concurrency: 3 }, () => {
    const cases = {
        'permission-500': [{ method: 'GET', path: '/repos/acme/permission-500/collaborators', times: 2, status: 500 }],
        'comment-500': [{ method: 'POST', path: '/repos/acme/comment-500/issues/1/comments', times: 2, status: 502 }],
        'comment-lost': [{ method: 'POST', path: '/repos/acme/comment-lost/issues/1/comments', times: 1, after: true, close: 'before' }],
        'comment-half': [{ method: 'POST', path: '/repos/acme/comment-half/issues/1/comments', times: 1, after: true, close: 'half' }],
        'edit-limit': [{ method: 'PATCH', path: '/repos/acme/edit-limit/issues/comments', times: 2, rate_limit: 'secondary', retry_after: 2 }],
        'pull-500': [{ method: 'POST', path: '/repos/acme/pull-500/pulls', times: 1, status: 500 }],
        'pull-lost': [{ method: 'POST', path: '/repos/acme/pull-lost/pulls', times: 1, after: true, close: 'before' }],
        'push-lost': [{ method: 'POST', path: '/acme/push-lost(.git)?/git-receive-pack', times: 1, after: true, close: 'before' }],
        'fetch-500': [{ method: 'GET', path: '/acme/fetch-500(.git)?/info/refs', times: 1, status: 503 }],
    };
    for (const [name, faults] of Object.entries(cases))
        test(name, async () => {
            const repository = await world.repository(name, usual(edit));
            for (const fault of faults)
                await world.control('POST', 'faults', fault);
            await world.label(repository);
            await oneOfEach(repository);
        });

    test('a token that is refused in the middle is minted anew', async () => {
        const repository = await world.repository('revoked', usual('sleep 2\n' + edit));
        await world.label(repository);
        await new Promise((resolve) => { setTimeout(resolve, 1500); });
        await world.control('POST', 'tokens/revoke', {});
        await oneOfEach(repository);
    });

    test('a push that is refused is called a push, and somebody\'s to mend', async () => {
        const repository = await world.repository('push-403', usual(edit));
        await world.control('POST', 'faults', { method: 'POST', path: '/acme/push-403(.git)?/git-receive-pack', times: 9, status: 403 });
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'failed');
        const [status] = await world.statuses(repository);
        assert.match(status.body, /\*\*Failed\*\*: the branch could not be pushed: .* \(HTTP 403\)/);
        assert.match(status.body, /When that is mended, `@draftd retry` tries again\./);
    });

    test('a comment that somebody deleted is written again', async () => {
        const repository = await world.repository('deleted-comment', usual('sleep 3\n' + edit));
        await world.control('POST', 'faults', { method: 'PATCH', path: '/repos/acme/deleted-comment/issues/comments', times: 1, status: 404, body: { message: 'Not Found' } });
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'drafted');
    });
});
