// What GitHub said while nobody heard is not lost: deliveries, wishes, the end of drafts, and the work of others.
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { makePayload } from '../github/payloads.mjs';
import { World, assert, until, usual } from './harness.mjs';

const agent = 'echo "a line" >>notes.txt\n';
const SECRET = "It's a Secret to Everybody";

const ago = (minutes) => new Date(Date.now() - minutes * 60000).toISOString().replace(/\.\d+Z/, 'Z');

/// A delivery of GitHub's that failed, of a label put on an issue.
function labeled(repository, minutes = 5, more = {}) {
    const payload = makePayload('issues', 'labeled',
        { repository, number: 1, title: 'Mend it', sender: 'ann', label: 'draftd', labels: ['draftd'] });
    payload.issue.updated_at = ago(minutes);
    return {
        guid: randomUUID(), event: 'issues', action: 'labeled', payload, status: 'failed to connect to host',
        status_code: 502, delivered_at: ago(minutes), ...more,
    };
}

async function makeHook(world, more = {}) {
    return world.control('POST', 'hooks',
        { url: `https://127.0.0.1:${world.port}/webhooks/github`, secret: SECRET, ...more });
}

const asked = async (world) => Object.entries(await world.control('GET', 'counts'))
    .filter(([name]) => /redeliver/.test(name)).map(([, { total }]) => total).reduce((a, b) => a + b, 0);

describe('deliveries to an App', () => {
    let world;

    before(async () => { world = await World.start(); });
    after(() => world.stop());

    test('one that failed while draftd was down is asked for again, and handled once', async () => {
        const repository = await world.repository('down', usual(agent));
        const hook = await makeHook(world);
        await world.kill('SIGTERM');
        const lost = labeled(repository);
        await world.control('POST', `hooks/${hook.id}/deliveries`, lost);
        await world.control('POST', `hooks/${hook.id}/deliveries`, labeled(repository, 4, { status: 'OK', status_code: 200 }));
        await world.serve();
        assert.equal((await world.ended(repository)).state, 'drafted');
        assert.equal(world.tasks().length, 1);
        assert.equal(await asked(world), 1);
        await world.logged(new RegExp(`event=delivery_asked_for .*delivery="${lost.guid}"`));

        await world.restart(); // kill -9: it is in the store now, so nobody asks
        await world.logged(/event=serving[^]*event=serving[^]*event=serving/);
        assert.equal(await asked(world), 1);
    });

    test('a list that cannot be read is told and tried again, and nothing else waits for it', async () => {
        const repository = await world.repository('unread', usual(agent));
        await world.control('POST', 'faults', { path: '^/app/hook/deliveries', status: 500, times: 1000 });
        await world.restart();
        await world.logged(/event=deliveries_not_read .*hook="app"/);
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        await world.control('DELETE', 'faults');
    });
});

describe('deliveries that fail again', () => {
    let world;

    before(async () => { world = await World.start(); });
    after(() => world.stop());

    test('one whose redelivery fails too is asked for again later, and handled once', async () => {
        const repository = await world.repository('twice', usual(agent));
        const hook = await makeHook(world);
        const fails = { status: 'Service Unavailable', status_code: 503, delivered_at: ago(30) };
        await world.kill('SIGTERM');
        await world.control('PATCH', `hooks/${hook.id}`, { fails });
        await world.control('POST', `hooks/${hook.id}/deliveries`, labeled(repository, 60));
        // whose first attempt GitHub does not keep any more
        await world.control('POST', `hooks/${hook.id}/deliveries`, labeled(repository, 50, { redelivery: true }));
        await world.control('POST', `hooks/${hook.id}/deliveries`, labeled(repository, 2, { status: 'OK', status_code: 200 }));
        await world.serve();
        await until('it to be asked for', async () => await asked(world) === 1);
        assert.equal(world.task(repository), undefined);

        await world.kill('SIGTERM'); // the look comes to its end
        await world.control('PATCH', `hooks/${hook.id}`, {});
        await world.serve();
        assert.equal((await world.ended(repository)).state, 'drafted');
        assert.equal(await asked(world), 2);
        assert.equal(world.tasks().length, 1);
    });
});

describe('deliveries to repositories', () => {
    let world;

    before(async () => { world = await World.start({ app: false }); });
    after(() => world.stop());

    test('those of a hook that has our URL and may be read are asked for again', async () => {
        const collaborators = { ann: 'write', 'draftd-bot': 'admin' };
        const repository = await world.repository('own', usual(agent), { collaborators });
        const forbidden = await world.repository('forbidden', usual(agent));
        const hook = await makeHook(world, { repository });
        const other = await makeHook(world, { repository, url: `https://127.0.0.1:${world.port}/elsewhere` });
        const unread = await makeHook(world, { repository: forbidden });
        await world.logged(/event=deliveries_not_watched .*github.webhook_url/);
        await world.kill('SIGTERM');
        for (const { id } of [hook, other, unread])
            await world.control('POST', `hooks/${id}/deliveries`, labeled(id === unread.id ? forbidden : repository));
        world.options.github = [`webhook_url: ${hook.url}`];
        await world.serve();
        assert.equal((await world.ended(repository)).state, 'drafted');
        assert.equal(await asked(world), 1);
        assert.equal(world.task(forbidden), undefined);
    });
});

describe('work of others', () => {
    let world;

    before(async () => { world = await World.start(); });
    after(() => world.stop());

    async function say(repository, comment) {
        const [made] = await world.control('POST', `repos/${repository}/issues/1/comments`, { user: 'ann', body: comment });
        const answer = await world.deliver('issue_comment', 'created', { repository, comment, commentId: made.id });
        assert.equal(answer.status, 202);
    }

    const ran = (repository, number) => until(`run ${number}`, () => {
        const runs = world.show(repository)?.runs ?? [];
        return runs.length === number && runs[number - 1].state === 'ended';
    });

    test('an issue with an open pull request by somebody else is told of, and done when asked for again', async () => {
        const repository = await world.repository('rival', usual(agent));
        const pull = await world.control('POST', `repos/${repository}/pulls`, { user: 'ann', head: 'topic', closes: [1] });
        await world.label(repository);
        const task = await world.ended(repository);
        assert.equal(task.state, 'unchanged');
        assert.match(task.reason, new RegExp(`^ann has a pull request open for this already: https.*/pull/${pull.number}$`));
        const [status] = await world.statuses(repository);
        assert.match(status.body, new RegExp(`\\*\\*Not begun\\*\\*: \\[somebody's pull request\\]\\(https.*/pull/${pull.number}\\)`));
        assert.deepEqual(world.branches(repository), []);

        await say(repository, '@draftd do it another way');
        await ran(repository, 2);
        assert.equal((await world.ended(repository)).state, 'drafted');
        await say(repository, '@draftd and once more'); // the draft of our own is nobody else's
        await ran(repository, 3);
        assert.equal((await world.ended(repository)).state, 'drafted');
    });

    test('"retry" does it all the same, and a closed pull request is none', async () => {
        const repository = await world.repository('retried', usual(agent));
        const pull = await world.control('POST', `repos/${repository}/pulls`, { user: 'ann', head: 'topic', closes: [1] });
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'unchanged');
        await say(repository, '@draftd retry');
        await ran(repository, 2);
        assert.equal((await world.ended(repository)).state, 'drafted');

        const closed = await world.repository('closed', usual(agent));
        await world.control('POST', `repos/${closed}/pulls`, { user: 'ann', head: 'topic', closes: [1] });
        await world.control('PATCH', `repos/${closed}/pulls/${pull.number}`, { state: 'closed' });
        await world.label(closed);
        assert.equal((await world.ended(closed)).state, 'drafted');
    });

    test('where nobody answers who works on it, it is done', async () => {
        const repository = await world.repository('unknown', usual(agent));
        await world.control('POST', 'faults', { path: '^/graphql', status: 403, times: 1000 });
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        await world.logged(/event=rivals_not_known/);
        await world.control('DELETE', 'faults');
    });
});

describe('drafts', () => {
    let world;

    before(async () => { world = await World.start(); });
    after(() => world.stop());

    async function drafted(name) {
        const repository = await world.repository(name, usual(agent));
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        return { repository, pull: (await world.pulls(repository))[0] };
    }

    const status = async (repository) => (await world.statuses(repository))[0].body;

    test('one that was merged or closed while nobody heard is recorded', async () => {
        const merged = await drafted('merged');
        const closed = await drafted('closed');
        await world.kill('SIGTERM');
        const end = { state: 'closed', merged_at: ago(3), closed_at: ago(3) };
        await world.control('PATCH', `repos/${merged.repository}/pulls/${merged.pull.number}`, { ...end, merged: true });
        await world.control('PATCH', `repos/${closed.repository}/pulls/${closed.pull.number}`, { ...end, merged_at: null });
        await world.serve();
        await until('the merge to be told', async () => /\*\*Merged\*\*/.test(await status(merged.repository)));
        await until('the end to be told', async () => /\*\*Closed\*\*/.test(await status(closed.repository)));
        assert.equal(world.show(merged.repository).draft_state, 'merged');
        assert.equal(world.show(closed.repository).draft_state, 'closed');
    });

    test('conflicts with the base branch are told, and taken back', async () => {
        const { repository, pull } = await drafted('conflicts');
        await world.control('PATCH', `repos/${repository}/pulls/${pull.number}`, { mergeable: false });
        await world.restart();
        await until('the conflict to be told', async () => /conflicts with `main`; `@draftd rebase`/.test(await status(repository)));
        await world.control('PATCH', `repos/${repository}/pulls/${pull.number}`, { mergeable: true });
        await world.restart();
        await until('it to be taken back', async () => !/It conflicts/.test(await status(repository)));
        await world.control('DELETE', 'requests');
        await world.restart();
        const looks = await until('another look', async () => {
            const found = (await world.control('GET', 'requests')).filter(({ operation }) => operation === 'pulls/get');
            return found.length && found;
        });
        assert.equal(looks[0].status, 304);
    });
});

describe('wishes that nobody heard', () => {
    const issue = (more) => [{ number: 1, title: 'Mend it', body: 'Please mend it.', user: 'ann', labels: ['draftd'], ...more }];

    for (const app of [true, false]) {
        test(`labels${app ? '' : ' and assignments'} become tasks, once, in the name of who put them there`, async (t) => {
            const world = await World.start({ app });
            t.after(() => world.stop());
            const labeled = await world.repository('labeled', usual(agent), { issues: issue() });
            const late = await world.repository('late', usual(agent), { issues: issue({ labels: [] }) });
            const byEve = await world.repository('by-eve', usual(agent), { issues: issue({ labels: [] }) });
            const old = await world.repository('old', usual(agent), { issues: issue({ updated_at: ago(8 * 24 * 60) }) });
            const oldLabel = await world.repository('old-label', usual(agent), { issues: issue({ labels: [] }) });
            const closed = await world.repository('closed', usual(agent), { issues: issue({ state: 'closed' }) });
            const spoken = await world.repository('spoken', usual(agent), { issues: issue() });
            const assigned = await world.repository('assigned', usual(agent), { issues: issue({ labels: [], assignees: ['draftd-bot'] }) });
            const edit = (repository, change) => world.control('PATCH', `repos/${repository}/issues/1`, change);
            await edit(late, { labels: ['draftd'], by: 'ann' });
            await edit(byEve, { labels: ['draftd'], by: 'eve' });
            await edit(oldLabel, { labels: ['draftd'], by: 'ann', at: ago(8 * 24 * 60) });
            await world.control('POST', `repos/${spoken}/issues/1/comments`,
                { user: app ? 'draftd[bot]' : 'draftd-bot', app_id: app ? 4711 : null, body: '<!-- draftd:task=9 instance=ab -->\nDone.' });
            await world.restart();

            const expected = [labeled, late, ...(app ? [] : [assigned])];
            for (const repository of expected)
                assert.equal((await world.ended(repository)).state, 'drafted');
            assert.equal(world.show(labeled).requested_by, 'ann');
            for (const name of ['by-eve', 'old-label', 'spoken'])
                await world.logged(new RegExp(`event=wish_left_alone origin="github:acme/${name}#1"`));
            [byEve, old, oldLabel, closed, spoken, ...(app ? [assigned] : [])].forEach((repository) => assert.equal(world.task(repository), undefined, repository));

            await world.restart();
            await world.logged(/(event=wish_left_alone origin="github:acme.by-eve#1"[^]*){2}/);
            assert.equal(world.tasks().length, expected.length);
            for (const repository of expected)
                assert.equal(world.show(repository).runs.length, 1);
        });
    }
});
