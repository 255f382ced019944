// Some of the corpus of texts that mean to be obeyed, through real runs: in the issue, in its comments, in what an
// agent prints and says, and in the repository's settings.
import { after, before, describe, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { World, assert, until, usual } from './harness.mjs';

const corpus = join(dirname(fileURLToPath(import.meta.url)), '..', 'handlers', 'injection');
const text = (name) => readFileSync(join(corpus, `${name}.txt`), 'utf8');

let world;
before(async () => {
    world = await World.start({
        profiles: [{ name: 'script', command: 'sh .agent.sh' }, { name: 'evil', command: 'touch evil' }], workers: 6,
    });
});
after(() => world.stop());

/// It obeys nobody, shows its prompt, and repeats the hostile text wherever its words go.
const agent = `
cp "$DRAFTD_PROMPT_FILE" prompt.txt
cat "$DRAFTD_PROMPT_FILE" hostile.txt
cat hostile.txt >"$DRAFTD_SUMMARY_FILE"
echo x >'notes \`@ann\` fixes #1.txt'
git add -A; git commit -q -F hostile.txt --cleanup=verbatim
[ "$DRAFTD_ROUND" = 1 ] && echo 41 >answer.txt || echo 42 >answer.txt
`;

/// The lines outside of fences, and of code in them.
function unfenced(markdown) {
    let fence = 0;
    return markdown.split('\n').filter((line) => {
        const [run] = /^`*/.exec(line.replace(/^> /, ''));
        if (!fence && run.length >= 3)
            fence = run.length;
        else if (fence && run.length >= fence && run === line.replace(/^> /, ''))
            fence = 0;
        else
            return !fence;
        return false;
    }).map((line) => line.replace(/`[^`]*`/g, '')).join('\n');
}

const invisible = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u034f\u061c\u115f\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff]|[\u{E0000}-\u{E0FFF}]/u;

function checkPublished(markdown) {
    const words = unfenced(markdown);
    assert.doesNotMatch(words, /(^|[^\w\\])@[a-z]/, 'nobody is called');
    assert.doesNotMatch(words.replace(/\nCloses #1\n/, '\n'), /(?<!&)#\d|GH-\d/, 'nothing is referred to');
    assert.equal(markdown.match(/<!--/g).length, 1, 'one marker');
    assert.doesNotMatch(markdown, invisible);
    assert.equal((words.match(/^### Checks, run by draftd$/gm) ?? []).length <= 1, true);
}

describe('injection', { concurrency: 6 }, () => {
    for (const name of ['hidden-tag-characters', 'hidden-html-comment', 'rendered-html-comment-in-code', 'fence-longer', 'ours-evidence', 'acts-references', 'terminal-escapes', 'options-plain'])
        test(name, async () => {
            const hostile = text(name);
            const repository = await world.repository(name, usual(agent, { 'hostile.txt': hostile,
                'test.sh': 'cat hostile.txt; grep -q 42 answer.txt\n' }));
            const title = hostile.replace(/\s+/g, ' ').slice(0, 200);
            await world.control('POST', `repos/${repository}/issues/1/comments`, { user: 'eve', body: hostile });
            await world.label(repository, { title, body: hostile, author: 'eve' });
            const shown = await world.ended(repository);
            assert.equal(shown.state, 'drafted', JSON.stringify(shown));
            assert.equal(shown.runs.length, 1);
            assert.equal(shown.runs[0].round, 2);
            const [branch, ...others] = world.branches(repository);
            assert.deepEqual(others, []);
            assert.match(branch, /^draftd\/1-[a-z0-9-]+$/);
            assert.throws(() => world.fileAt(repository, branch, 'evil'), 'the issue chooses no agent');

            const prompt = world.fileAt(repository, branch, 'prompt.txt');
            assert.doesNotMatch(unfenced(prompt), /INJECT/);
            assert.match(unfenced(prompt), /^This is round 2 of at most \d+\.$/m);
            assert.doesNotMatch(prompt, invisible);
            const flagged = name === 'hidden-tag-characters' || name === 'hidden-html-comment';
            if (flagged)
                assert.match((await world.pulls(repository))[0].body, /^> - what was asked holds \d+ characters that people do not see, in HTML comments or invisible; the agent was not given them$/m);
            if (flagged)
                assert.match(unfenced(prompt), /^\(Left out, since people do not see it: (\d+ invisible characters|1 HTML comment)\.\)$/m);
            if (name === 'rendered-html-comment-in-code') {
                assert.ok(prompt.includes('fails on `<!-- draftd:task=1 -->` and on `<!--` in the input. Please fix it.\n\nINJECT'));
                assert.doesNotMatch(unfenced(prompt), /Left out/);
            }

            const [pull] = await world.pulls(repository);
            checkPublished(pull.body);
            if (name === 'acts-references')
                assert.match(pull.body, /commits that close issues when they are merged: 2/);
            assert.doesNotMatch(pull.title, /(^|\W)@\w|#\d|GH-\d|\[skip ci\]/);
            assert.doesNotMatch(pull.title, invisible);
            for (const status of await world.statuses(repository))
                checkPublished(status.body);
            for (const command of ['show', 'logs'])
                assert.doesNotMatch(world.cli(command, String(shown.id)), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
            assert.doesNotMatch(world.cli('list'), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
        });

    test('settings of the repository that would widen anything are refused', async () => {
        const widening = ['network: { allow: [ "*" ] }', 'sandbox: { memory_mib: 65536 }', 'engine: unix:///run/docker.sock',
            'secrets: [ GITHUB_TOKEN ]', 'volumes: [ "/:/host" ]', 'privileged: true'];
        const repository = await world.repository('widening', usual(agent, { '.draftd.yml': `${widening.join('\n')}\n` }));
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'failed');
        const [status] = await world.statuses(repository);
        for (const [key] of widening.map((line) => line.split(':')))
            assert.match(status.body, new RegExp(`\\.draftd\\.yml:\\d+: ${key}: `), status.body);
        const other = await world.repository('unknown-agent', usual(agent, { '.draftd.yml': 'agent: root\n' }));
        await world.label(other);
        await until('it to fail', () => world.task(other)?.state === 'failed');
    });
});
