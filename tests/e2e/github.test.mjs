// What GitHub refuses, limits, moves and takes away, and what people see of it.
import { after, before, describe, test } from 'node:test';

import { World, assert, git, until, usual } from './harness.mjs';

const notes = usual('echo "a line" >>notes.txt\n');

describe('an App', { concurrency: 4 }, () => {
    let world;
    before(async () => { world = await World.start(); });
    after(() => world.stop());

    test('where drafts are refused, an ordinary pull request says so, also after a second run', async () => {
        const repository = await world.repository('no-drafts', notes, { drafts: false });
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        const said = /\[!WARNING\]\n> - drafts are not supported in this repository: this is an ordinary pull request/;
        const look = async () => {
            const [pull, ...more] = await world.pulls(repository);
            assert.deepEqual(more, []);
            assert.equal(pull.draft, false);
            assert.equal(pull.title, '[draft] Mend it');
            assert.match(pull.body, said);
            assert.equal(pull.body.split('ordinary pull request').length, 2);
            assert.match((await world.statuses(repository))[0].body, said);
            return pull;
        };
        const first = await look();
        const comment = '@draftd one more line';
        const [{ id }] = await world.control('POST', `repos/${repository}/issues/${first.number}/comments`, { user: 'ann', body: comment });
        await world.deliver('issue_comment', 'created', { repository, number: first.number, pull: true, comment, commentId: id });
        await until('the second run', () => world.show(repository).runs[1]?.state === 'ended');
        await world.ended(repository);
        const second = await look();
        assert.notEqual(second.body, first.body);
    });

    test('a pull request that is there already is taken up', async () => {
        const repository = await world.repository('taken-up', notes);
        // as if GitHub's list had been behind
        await world.control('POST', 'faults', { method: 'GET', path: '^/repos/acme/taken-up/pulls\\?', status: 200, body: [] });
        await world.control('POST', 'faults',
            { method: 'POST', path: '^/repos/acme/taken-up/pulls$', status: 502, after: true });
        await world.control('POST', 'faults', { method: 'GET', path: '^/repos/acme/taken-up/pulls\\?', status: 200, body: [] });
        await world.label(repository);
        const shown = await world.ended(repository);
        assert.equal(shown.state, 'drafted', shown.reason);
        assert.equal((await world.pulls(repository)).length, 1);
    });
});
