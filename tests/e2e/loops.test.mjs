// Bots that answer what draftd says, and CI that asks again at each red build: it ends, and soon.
import { after, before, describe, test } from 'node:test';

import { World, assert, git, sleep, until, usual } from './harness.mjs';

const agent = 'echo "a line" >>notes.txt; echo "Wrote a line to the notes, as asked." >"$DRAFTD_SUMMARY_FILE"\n';

let world;
before(async () => {
    world = await World.start({ workers: 6 });
    await world.control('POST', 'setup', { users: [{ login: 'helper' }] });
});
after(() => world.stop());

const repositoryOf = (name) => world.repository(name, usual(agent),
    { collaborators: { ann: 'write', 'draftd-bot': 'write', helper: 'write' } });

const isOurs = (comment) => /^draftd/.test(comment.user.login ?? comment.user);

/// What stands in the threads of the repository, as {place, comment}.
async function threads(repository) {
    const { issues, pulls } = await world.state(repository);
    const onPulls = new Set(pulls.map((pull) => pull.number));
    return [
        ...issues.flatMap((issue) => issue.comments.map((comment) => ({ place: { number: issue.number, pull: onPulls.has(issue.number) }, comment }))),
        ...pulls.flatMap((pull) => (pull.review_comments ?? []).map((comment) => ({ place: { number: pull.number, line: comment.in_reply_to_id ?? comment.id }, comment }))),
    ];
}

/// Write it on the stand-in where that has such a thread, and let GitHub tell of it.
async function say(repository, { number, pull, line }, comment, more = {}) {
    const sender = more.sender ?? 'helper';
    const at = { repository, number, pull, comment, sender, body: 'Please mend it.', ...more };
    if (line)
        return world.deliver('pull_request_review_comment', 'created',
            { ...at, commentId: Math.floor(Math.random() * 1e9), on: { path: 'notes.txt', line: 1, diff_hunk: '@@', in_reply_to_id: line, ...more.on } });
    const [made] = more.unwritten ? [{ id: 99 }]
        : await world.control('POST', `repos/${repository}/issues/${number}/comments`, { user: sender, body: comment });
    return world.deliver('issue_comment', 'created', { ...at, commentId: made.id });
}

/// A bot that answers everything new that draftd says, edits too, until nothing has happened for a while.
async function converse(repository, answer, more) {
    const heard = new Set();
    let quietSince = Date.now();
    await until('the bots to be quiet', async () => {
        for (const { place, comment } of (await threads(repository)).filter(({ comment }) => isOurs(comment))) {
            const key = `${comment.id} ${comment.body}`;
            const texts = heard.has(key) ? [] : answer(comment.body, place);
            heard.add(key);
            for (const text of texts) {
                quietSince = Date.now();
                assert.equal((await say(repository, place, text, more)).status, 202);
            }
        }
        const task = world.task(repository);
        if (!task || ['queued', 'running'].includes(task.state))
            quietSince = Date.now();
        return Date.now() - quietSince > 2500;
    }, 120000);
    return world.show(repository).runs.length;
}

async function start(name) {
    const repository = await repositoryOf(name);
    await world.label(repository);
    return repository;
}

const visible = (text) => text.replace(/<!--.*?-->\n?/g, '');
const plain = (text) => visible(text).replace(/^> ?/gm, '').replace(/[`*|>]|\[!WARNING\]|\]\(.*?\)|\[|---/g, '').trim();
const quoted = (text) => visible(text).replace(/^/gm, '> ');
const fenced = (text) => `\`\`\`\`\`\n${text}\n\`\`\`\`\``;

describe('loops', { concurrency: 8 }, () => {
    test('a bot that mentions us whenever we say something', async () => {
        const repository = await start('bot');
        assert.equal(await converse(repository, () => ['@draftd and once more, please'], { sender: 'other[bot]', senderType: 'Bot' }), 1);
    });

    test('an App that writes in the name of a person', async () => {
        const repository = await start('app');
        const runs = await converse(repository, () => ['@draftd and once more, please'],
            { on: { performed_via_github_app: { slug: 'other', id: 5 } } });
        assert.equal(runs, 1);
    });

    test('our own comments, told to us', async () => {
        const repository = await start('own');
        assert.equal(await converse(repository, (text) => [text, `${text}\n@draftd again`], { sender: 'draftd-bot', unwritten: true }), 1);
        assert.equal(await converse(repository, (text) => [`${text}\n@draftd again`], { unwritten: true }), 1);
    });

    test('a bridge under a person\'s account that repeats us, in whatever way', async () => {
        const repository = await start('bridge');
        await until('a draft', () => world.task(repository)?.state === 'drafted');
        const [pull] = await world.pulls(repository);
        await say(repository, { number: 1 }, '@draftd help', { sender: 'ann' });
        await say(repository, { number: pull.number, line: 77 }, 'Longer, please.', { sender: 'ann' });
        await until('the review to be worked on', () => world.show(repository).runs.length === 2);
        const ways = [
            (text) => `**draftd** said:\n\n${quoted(text)}\n\n> @draftd retry\n`,
            (text) => `draftd[bot]:\n${fenced(`${text}\n@draftd retry`)}`,
            (text) => `draftd[bot] wrote:\n\n${text}`,
            (text) => `draftd [bot]  ${plain(text)}`,
        ];
        // fenced or quoted, it is a remark on a line all the same
        assert.equal(await converse(repository, (text, { line }) => ways.slice(line ? 2 : 0).map((way) => way(text))), 2);
    });

    test('CI under a person\'s account that asks again at each red build', async () => {
        const repository = await start('ci');
        const built = new Set();
        await until('it to give up', async () => {
            const task = await world.ended(repository);
            const head = git('-C', world.bare(repository), 'rev-parse', task.branch);
            if (!built.has(head)) {
                built.add(head);
                await say(repository, { number: 1 }, `@draftd build ${1000 + built.size} is red after ${built.size} s, mend it`);
                await sleep(500);
            }
            return (await world.statuses(repository)).some((comment) => /said the same 2 times already/.test(comment.body));
        });
        assert.equal(world.show(repository).runs.length, 3);
        await say(repository, { number: 1 }, '@draftd build 2000 is red after 9 s, mend it');
        await say(repository, { number: 1 }, '@draftd leave the notes alone', { sender: 'ann' });
        await until('people to be heard', () => world.show(repository).runs.length === 4);
        await world.ended(repository);
        assert.equal((await world.statuses(repository)).filter((comment) => /said the same/.test(comment.body)).length, 1);
    });

    test('one that asks how it stands whenever it is told', async () => {
        const repository = await start('status');
        assert.equal(await converse(repository, () => ['@draftd status']), 1);
        const answers = (await world.statuses(repository)).filter((comment) => / answer=/.test(comment.body));
        assert.ok(answers.length <= 10, `${answers.length} answers`);
    });
});
