// The pull request is a conversation: what is said there becomes work on the same branch, and is answered.
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { World, assert, git, until, usual } from './harness.mjs';

// In round 1 of a run without remarks: a first line. Else: one line for each remark, and an answer to each.
const agent = `
if grep -q "^## What is said about the change" "$DRAFTD_PROMPT_FILE"; then
    grep "^### [0-9]*\\." "$DRAFTD_PROMPT_FILE" | while read -r hashes number rest; do
        echo "remark $number $rest" >>notes.txt
        echo "\${number%.}: Did what number \${number%.} asks" >>"$DRAFTD_ANSWERS_FILE"
    done
    cp "$DRAFTD_PROMPT_FILE" prompt.txt
else
    echo "a line" >>notes.txt
fi
echo "Wrote notes." >"$DRAFTD_SUMMARY_FILE"
`;

describe('follow-ups', () => {
    let world;

    before(async () => {
        world = await World.start({
            profiles: [{ name: 'script', command: 'sh .agent.sh' },
                { name: 'other', command: 'echo "by another" >>notes.txt' }],
        });
    });
    after(() => world.stop());

    /// A repository whose issue 1 has a draft already.
    async function drafted(name, files = usual(agent)) {
        const repository = await world.repository(name, files);
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        const [pull] = await world.pulls(repository);
        return { repository, pull, branch: world.branches(repository)[0] };
    }

    /// Wait for the run with this number to have ended.
    async function ran(repository, number, timeout_ms = 90000) {
        await until(`run ${number} of ${repository}`, () => {
            const runs = world.show(repository).runs;
            return runs.length >= number && runs[number - 1].state === 'ended';
        }, timeout_ms);
        return world.ended(repository);
    }

    /// Write a comment in the thread of an issue or pull request, and deliver that.
    async function say(repository, number, comment, pull = false) {
        const [made] = await world.control('POST', `repos/${repository}/issues/${number}/comments`, { user: 'ann', body: comment });
        const answer = await world.deliver('issue_comment', 'created',
            { repository, number, pull, comment, commentId: made.id });
        assert.equal(answer.status, 202);
    }

    async function review(repository, number, body, comments, sender = 'ann') {
        const made = await world.control('POST', `repos/${repository}/pulls/${number}/reviews`,
            { user: sender, body, state: 'changes_requested', comments });
        return made;
    }

    function deliverLine(repository, pull, comment, sender = 'ann') {
        return world.deliver('pull_request_review_comment', 'created', {
            repository, number: pull.number, sender, comment: comment.body, commentId: comment.id,
            on: {
                path: comment.path, line: comment.line, original_line: comment.line, diff_hunk: comment.diff_hunk,
                pull_request_review_id: comment.pull_request_review_id, in_reply_to_id: comment.in_reply_to_id,
            },
        });
    }

    test('a review with three comments is one run, and each thread is answered', async () => {
        const { repository, pull, branch } = await drafted('review');
        const first = world.fileAt(repository, branch, 'notes.txt');
        const made = await review(repository, pull.number, 'Some things are left.', [
            { path: 'notes.txt', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+a line', body: 'Longer, please.' },
            { path: 'notes.txt', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+a line', body: 'And in English.' },
            { path: 'notes.txt', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+a line', body: 'And a date.' },
        ]);
        const [a, b, c] = made.comments;
        await deliverLine(repository, pull, b);
        await world.deliver('pull_request_review', 'submitted', {
            repository, number: pull.number,
            review: { id: made.id, body: made.body, state: 'changes_requested' },
        });
        await deliverLine(repository, pull, a);
        await deliverLine(repository, pull, c);
        await deliverLine(repository, pull, c); // once more, as another delivery

        const task = await ran(repository, 2);
        assert.equal(task.runs.length, 2);
        assert.equal(task.runs[1].trigger_kind ?? task.runs[1].trigger, 'review');
        assert.deepEqual(world.branches(repository), [branch]);
        const notes = world.fileAt(repository, branch, 'notes.txt').split('\n');
        assert.equal(notes[0], first);
        assert.equal(notes.length, 5);
        const prompt = world.fileAt(repository, branch, 'prompt.txt');
        for (const words of ['Some things are left.', 'Longer, please.', 'And in English.', 'And a date.',
            'on `notes.txt`, line 1', '@@ -0,0 +1 @@'])
            assert.ok(prompt.includes(words), `${words} in ${prompt}`);

        const head = git('-C', world.bare(repository), 'rev-parse', branch).slice(0, 7);
        const state = (await world.pulls(repository))[0];
        const replies = (thread) => state.review_comments.filter((x) => x.in_reply_to_id === thread.id);
        for (const thread of [a, b, c]) {
            const [answer, ...more] = replies(thread);
            assert.deepEqual(more, []);
            assert.match(answer.body, new RegExp(`Done in \`${head}\`, verified`));
            assert.match(answer.body, /Did what number \d asks/);
        }
        const comments = (await world.issue(repository, pull.number)).comments.filter((x) => x.body.includes(`Done in \`${head}\``));
        assert.equal(comments.length, 1, 'the review itself is answered in the pull request\'s thread');
        assert.equal((await world.statuses(repository)).length, 1);
    });

    test('what people pushed is where the run starts, and stays', async () => {
        const { repository, pull, branch } = await drafted('pushed');
        const work = `${world.dir}/seed/pushed-by-ann`;
        git('clone', '-q', '-b', branch, world.bare(repository), work);
        git('-C', work, '-c', 'user.name=Ann', '-c', 'user.email=a@example.org', 'commit', '-q', '--allow-empty', '-m', 'Mine');
        git('-C', work, 'push', '-q');
        const mine = git('-C', work, 'rev-parse', 'HEAD');
        await say(repository, pull.number, '@draftd one more line', true);
        await ran(repository, 2);
        assert.equal(git('-C', world.bare(repository), 'merge-base', mine, branch), mine);
        assert.match(world.fileAt(repository, branch, 'prompt.txt'), /one more line/);
    });

    // Slow where it is asked for more and has nothing of anybody else's before it.
    const slow = `
if grep -q "^## What is said about the change" "$DRAFTD_PROMPT_FILE"; then
    while [ ! -e theirs-1.txt ] && [ "$DRAFTD_ROUND" = 1 ] && [ $((waited += 1)) -lt 8 ]; do sleep 1; done
fi
${agent}`;

    /// Somebody's commit on the branch; by force: in place of all that was there, on main.
    function pushTheirs(repository, branch, number, force = false) {
        const work = `${world.dir}/seed/${repository.replace('/', '-')}-theirs-${number}`;
        git('clone', '-q', '-b', force ? 'main' : branch, world.bare(repository), work);
        writeFileSync(`${work}/theirs-${number}.txt`, 'mine\n');
        git('-C', work, 'add', '-A');
        git('-C', work, '-c', 'user.name=Ann', '-c', 'user.email=a@example.org', 'commit', '-q', '-m', 'Mine');
        git('-C', work, 'push', '-q', ...(force ? ['-f'] : []), 'origin', `HEAD:refs/heads/${branch}`);
        return git('-C', work, 'rev-parse', 'HEAD');
    }

    const anew = (repository) => [...world.log.matchAll(/event=run_begins_anew task=(\d+) .*/g)]
        .filter(([, task]) => Number(task) === world.task(repository).id);

    for (const [how, force] of [['pushed', false], ['pushed by force', true]])
        test(`what people ${how} while a run is under way: it begins anew from there`, async () => {
            const { repository, pull, branch } = await drafted(how.replaceAll(' ', '-') + '-meanwhile', usual(slow));
            const made = await review(repository, pull.number, 'Some things are left.', [
                { path: 'notes.txt', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+a line', body: 'Longer, please.' },
            ]);
            await deliverLine(repository, pull, made.comments[0]);
            await say(repository, pull.number, '@draftd one more line', true);
            await until('the agent', () => world.show(repository).runs[1]?.stage === 'agent');
            const theirs = pushTheirs(repository, branch, 1, force);
            await until('it to be begun anew', () => anew(repository).length);
            await until('the status to say so', async () =>
                /The branch was pushed to meanwhile: begun anew from there, try 2 of at most 3/.test(
                    (await world.statuses(repository))[0].body));
            const task = await ran(repository, 2);
            assert.equal(task.state, 'drafted');
            assert.equal(task.runs.length, 2);
            assert.equal(task.runs[1].outcome, 'draft', task.runs[1].reason);
            assert.equal(anew(repository).length, 1);
            assert.deepEqual(world.branches(repository), [branch]);
            assert.equal(git('-C', world.bare(repository), 'rev-parse', `${branch}~1`), theirs);
            const prompt = world.fileAt(repository, branch, 'prompt.txt');
            assert.match(prompt, /Longer, please\./);
            assert.match(prompt, /one more line/);
            assert.doesNotMatch(prompt, /An earlier round/);
            assert.match(world.fileAt(repository, branch, 'notes.txt'), /remark 2/);
            assert.equal((await world.pulls(repository)).length, 1);

            const head = git('-C', world.bare(repository), 'rev-parse', branch).slice(0, 7);
            const [state] = await world.pulls(repository);
            const answers = state.review_comments.filter((x) => x.in_reply_to_id);
            assert.equal(answers.length, 1);
            assert.match(answers[0].body, new RegExp(`Done in \`${head}\`, verified`));
            const { comments } = await world.issue(repository, pull.number);
            assert.equal(comments.filter((x) => x.body.includes(`Done in \`${head}\``)).length, 1);
        });

    test('what people push with every try is not fought', async () => {
        const waits = `
if grep -q "^## What is said about the change" "$DRAFTD_PROMPT_FILE"; then sleep 4; fi
${agent}`;
        const { repository, pull, branch } = await drafted('busy', usual(waits));
        await say(repository, pull.number, '@draftd one more line', true);
        let theirs;
        for (let number = 1; number <= 3; number++) {
            await until(`try ${number}`, () => anew(repository).length === number - 1 && world.show(repository).runs[1]?.stage === 'agent');
            theirs = pushTheirs(repository, branch, number);
        }
        const task = await ran(repository, 2);
        assert.equal(task.state, 'failed');
        assert.match(task.runs[1].reason, /could not be pushed: .* moved meanwhile by someone else/);
        assert.equal(git('-C', world.bare(repository), 'rev-parse', branch), theirs);
        const { comments } = await world.issue(repository, pull.number);
        assert.equal(comments.filter((x) => /\*\*Not done\*\*: the branch could not be pushed/.test(x.body)).length, 1);
    });

    test('kill -9 around what people push meanwhile: the draft has both', async () => {
        const { repository, pull, branch } = await drafted('killed-meanwhile', usual(slow));
        await say(repository, pull.number, '@draftd one more line', true);
        await until('the agent', () => world.show(repository).runs[1]?.stage === 'agent');
        const theirs = pushTheirs(repository, branch, 1);
        await until('it to be begun anew', () => anew(repository).length);
        await world.restart();
        const task = await ran(repository, 2);
        assert.equal(task.runs[1].outcome, 'draft', task.runs[1].reason);
        assert.equal(git('-C', world.bare(repository), 'rev-parse', `${branch}~1`), theirs);
        const { comments } = await world.issue(repository, pull.number);
        assert.equal(comments.filter((x) => /Done in `/.test(x.body)).length, 1);
    });

    test('what is said while a run is under way is given to its next round', async () => {
        const slow = `
if grep -q "in the middle" "$DRAFTD_PROMPT_FILE"; then
    echo "heard in round $DRAFTD_ROUND" >>notes.txt
else
    echo "a line" >>notes.txt
    sleep 3
fi
`;
        const repository = await world.repository('middle', usual(slow));
        await world.label(repository);
        await until('the agent', () => world.show(repository)?.runs[0].stage === 'agent');
        await say(repository, 1, '@draftd in the middle');
        const task = await world.ended(repository);
        assert.equal(task.runs.length, 1);
        assert.match(world.fileAt(repository, world.branches(repository)[0], 'notes.txt'), /heard in round 2/);
    });

    test('what is said too late for a run is a run after it', async () => {
        const late = `
if grep -q "too late" "$DRAFTD_PROMPT_FILE"; then echo "heard" >>notes.txt; else echo "a line" >>notes.txt; fi
`;
        const repository = await world.repository('late', usual(late, {
            '.draftd.yml': 'rounds: 1\nchecks:\n  - { name: test, run: "sleep 3" }\n',
        }));
        await world.label(repository);
        await until('the proof', () => world.show(repository)?.runs[0].stage === 'proof');
        await say(repository, 1, '@draftd too late');
        const task = await ran(repository, 2);
        assert.equal(task.state, 'drafted');
        assert.equal(world.fileAt(repository, world.branches(repository)[0], 'notes.txt'), 'a line\nheard');
    });

    test('those who may not write, bots and approvals start nothing', async () => {
        const { repository, pull } = await drafted('others');
        const made = await review(repository, pull.number, '', [{ path: 'notes.txt', line: 1, diff_hunk: '@@', body: 'Mine!' }], 'eve');
        await deliverLine(repository, pull, made.comments[0], 'eve');
        await world.deliver('pull_request_review_comment', 'created',
            { repository, number: pull.number, sender: 'other[bot]', senderType: 'Bot', comment: 'Lint!', commentId: 601 });
        await world.deliver('pull_request_review', 'submitted', {
            repository, number: pull.number, review: { id: 602, body: 'Good.', state: 'approved' },
        });
        await world.deliver('pull_request_review', 'submitted', {
            repository, number: 999, review: { id: 603, body: 'Not ours.', state: 'commented' },
        });
        const told = await until('all to be handled', () => {
            const reviews = JSON.parse(world.cli('list', '--deliveries', '--json')).slice(0, 4);
            return reviews.every((d) => /review/.test(d.event) && d.state === 'ignored') && reviews;
        });
        assert.deepEqual(told.map((d) => /permission|bots|approves|no task/.exec(d.reason)?.[0]).sort(),
            ['approves', 'bots', 'no task', 'permission']);
        assert.equal(world.show(repository).runs.length, 1);
    });

    test('a merged draft is recorded, and the next wish begins anew', async () => {
        const { repository, pull, branch } = await drafted('merged');
        await world.control('PATCH', `repos/${repository}/pulls/${pull.number}`, { state: 'closed', merged: true });
        await world.deliver('pull_request', 'closed', { repository, number: pull.number, merged: true, state: 'closed' });
        await until('the end to be known', () => world.show(repository).draft_state === 'merged');
        await until('the status to say so', async () => /Merged/.test((await world.statuses(repository))[0].body));
        const told = (words) => until(`the answer: ${words}`, async () =>
            (await world.issue(repository, pull.number)).comments.some((x) => words.test(x.body)));
        await say(repository, pull.number, '@draftd a table, please', true);
        await told(/^\[Pull request \d+\]\(.*\) was merged: .* mention `@draftd` in \[the issue\]\(/m);
        await say(repository, 1, '@draftd and one more');
        const task = await ran(repository, 2);
        assert.equal(task.state, 'drafted');
        const pulls = await world.pulls(repository);
        assert.equal(pulls.length, 2);
        assert.equal(world.branches(repository).length, 2);
        assert.notEqual(task.branch, branch);
        assert.deepEqual(task.past_drafts.map((x) => [x.number, x.branch, x.state, x.runs]),
            [[pull.number, branch, 'merged', 1]]);
        assert.match((await world.statuses(repository))[0].body,
            new RegExp(`\\[pull request ${pull.number}\\]\\(.*\\) was merged; this is new work\\.`));
        await say(repository, pull.number, '@draftd and a date', true);
        await told(new RegExp(`was merged: .* in \\[pull request ${task.draft_number}\\]\\(.*\\), which is open now`));
        assert.equal(world.show(repository).runs.length, 2);
    });

    test('closing the draft stops the run on it', async () => {
        const stuck = 'if [ -e notes.txt ]; then sleep 600; fi\necho "a line" >>notes.txt\n';
        const { repository, pull } = await drafted('closed', usual(stuck));
        await say(repository, pull.number, '@draftd go on', true);
        await until('the agent', () => world.show(repository).runs[1]?.stage === 'agent');
        await world.deliver('pull_request', 'closed', { repository, number: pull.number, state: 'closed' });
        const task = await ran(repository, 2);
        assert.equal(task.state, 'canceled');
        assert.equal(task.draft_state, 'closed');
        await until('the status to say so', async () => (await world.statuses(repository))[0].body.includes(
            `**Closed** without being merged: [pull request ${pull.number}](`));
        assert.doesNotMatch((await world.statuses(repository))[0].body, /There is already/);
    });

    test('what is said while a cancelled run ends is heard after it, what was said before is not', async () => {
        const stubborn = `case $(tail -n 40 "$DRAFTD_PROMPT_FILE") in
            *slow*) trap "" TERM; while :; do sleep 1; done ;; esac\n${agent}`;
        const { repository, pull } = await drafted('regretted', usual(stubborn));
        await say(repository, pull.number, '@draftd go slow', true);
        await until('the agent', () => world.show(repository).runs[1]?.stage === 'agent');
        await say(repository, pull.number, '@draftd and this, too', true); // for a round that will not come
        await new Promise((resolve) => setTimeout(resolve, 1100)); // GitHub tells whole seconds
        await say(repository, pull.number, '@draftd cancel', true);
        await say(repository, pull.number, '@draftd do another thing', true);
        const task = await ran(repository, 3);
        assert.equal(task.state, 'drafted');
        assert.equal(task.runs[1].outcome, 'canceled');
        const prompt = world.fileAt(repository, task.branch, 'prompt.txt');
        assert.match(prompt, /do another thing/);
        assert.doesNotMatch(prompt.slice(prompt.indexOf('## What is said about the change')), /and this, too/);
        assert.equal(world.show(repository).runs.length, 3);
    });

    test('another agent can be asked for on the pull request, and stays', async () => {
        const { repository, pull, branch } = await drafted('another');
        await say(repository, pull.number, '@draftd use other: go on', true);
        await ran(repository, 2);
        assert.match(world.fileAt(repository, branch, 'notes.txt'), /by another/);
        await say(repository, pull.number, '@draftd once more', true);
        const task = await ran(repository, 3);
        assert.equal(task.state, 'drafted');
        assert.equal(world.fileAt(repository, branch, 'notes.txt').match(/by another/g).length, 2);
    });

    test('help and status are answered where they were asked, once', async () => {
        const { repository, pull } = await drafted('asked');
        await say(repository, 1, '@draftd help');
        await say(repository, pull.number, '@draftd status', true);
        await until('the answers', async () => {
            const issue = await world.issue(repository);
            const now = await world.issue(repository, pull.number);
            return issue.comments.some((x) => /\| have it tried again \| `@draftd retry` \|/.test(x.body)) &&
                now.comments.some((x) => /is \*\*drafted\*\*/.test(x.body));
        });
        assert.equal(world.show(repository).runs.length, 1);
    });

    test('who asks where draftd has nothing to do yet is answered, too, once', async () => {
        const repository = await world.repository('stranger', usual('echo "a line" >>notes.txt\n'));
        const pull = await world.control('POST', `repos/${repository}/pulls`, { user: 'ann', title: 'Mine', head: 'main' });
        await say(repository, 1, '@draftd help');
        await say(repository, 1, '@draftd status');
        await say(repository, pull.number, '@draftd mend this', true);
        const said = (number) => world.issue(repository, number).then(({ comments }) =>
            comments.filter(({ body }) => body.startsWith('<!-- draftd:')).map(({ body }) => body));
        await until('the answers', async () => (await said(1)).length === 2 && (await said(pull.number)).length === 1);
        const [help, status] = await said(1);
        assert.match(help, /\| stop \| `@draftd cancel` \|/);
        assert.match(status, /^Nothing was asked of draftd here so far\.$/m);
        assert.match((await said(pull.number))[0], /this is not one of them\. .* mention `@draftd` in an issue/);
        const { comments } = await world.issue(repository);
        const asked = comments.find(({ body }) => body === '@draftd help');
        await world.deliver('issue_comment', 'created', { repository, comment: asked.body, commentId: asked.id });
        await world.label(repository);
        await world.ended(repository);
        assert.equal((await said(1)).filter((body) => body === help).length, 1);
    });

    test('retry with another agent', async () => {
        const { repository, branch } = await drafted('retry');
        await say(repository, 1, '@draftd use other retry');
        const task = await ran(repository, 2);
        assert.equal(task.state, 'drafted');
        assert.match(world.fileAt(repository, branch, 'notes.txt'), /by another/);
    });

    /// Move main on: files of somebody else.
    function moveMain(repository, name, files) {
        const work = `${world.dir}/seed/${name}-main`;
        git('clone', '-q', '-b', 'main', world.bare(repository), work);
        for (const [path, contents] of Object.entries(files))
            writeFileSync(`${work}/${path}`, contents);
        git('-C', work, 'add', '-A');
        git('-C', work, '-c', 'user.name=Bea', '-c', 'user.email=b@example.org', 'commit', '-q', '-m', 'Main goes on');
        git('-C', work, 'push', '-q');
        return git('-C', work, 'rev-parse', 'HEAD');
    }

    const isIn = (repository, commit, branch) =>
        git('-C', world.bare(repository), 'merge-base', commit, branch) === commit;

    test('rebase: a base branch that merges needs no agent', async () => {
        const { repository, pull, branch } = await drafted('clean');
        const before = git('-C', world.bare(repository), 'rev-parse', branch);
        const main = moveMain(repository, 'clean', { 'other.txt': 'of main\n' });
        await say(repository, pull.number, '@draftd rebase', true);
        const task = await ran(repository, 2);
        assert.equal(task.runs[1].outcome, 'draft', task.runs[1].reason);
        assert.ok(isIn(repository, main, branch) && isIn(repository, before, branch));
        assert.equal(world.fileAt(repository, branch, 'other.txt'), 'of main');
        assert.equal(world.fileAt(repository, branch, 'notes.txt'), 'a line');
        assert.equal(git('-C', world.bare(repository), 'log', '-1', '--format=%s', branch), `Merge branch 'main' into ${branch}`);
        const [{ body }] = await world.pulls(repository);
        assert.match(body, /1 file changed, \+1/);
        assert.doesNotMatch(body, /other.txt/);
        await say(repository, pull.number, '@draftd rebase', true);
        const again = await ran(repository, 3);
        assert.equal(again.runs[2].outcome, 'unchanged');
        assert.match(again.runs[2].reason, /has all of "main" already/);
        const [status] = await world.statuses(repository);
        assert.match(status.body, /^\*\*Nothing was changed\*\*: the branch has all of "main" already\.$/m);
        assert.doesNotMatch(status.body, /the agent changed nothing/);
        const { comments } = await world.issue(repository, pull.number);
        assert.match(comments.at(-1).body, /^Nothing was changed for this: the branch has all of "main" already\.$/m);
    });

    test('rebase: the agent resolves what is in conflict', async () => {
        const resolve = `
if grep -q "In conflict" "$DRAFTD_PROMPT_FILE"; then
    grep -q "^answer.txt" "$DRAFTD_PROMPT_FILE" && grep -q "^<<<<<<<" answer.txt || exit 1
    printf 'not 41\nbut 42\nthe answer\n' >answer.txt
else
    printf '42\nthe answer\n' >answer.txt
fi
`;
        const { repository, pull, branch } = await drafted('conflict', usual(resolve));
        const main = moveMain(repository, 'conflict', { 'answer.txt': 'not 41\nbut 42\n' });
        await say(repository, pull.number, '@draftd rebase', true);
        const task = await ran(repository, 2);
        assert.equal(task.runs[1].outcome, 'draft', task.runs[1].reason);
        assert.ok(isIn(repository, main, branch));
        assert.equal(world.fileAt(repository, branch, 'answer.txt'), 'not 41\nbut 42\nthe answer');
        assert.equal(git('-C', world.bare(repository), 'show', '-s', '--format=%P', branch).split(' ').length, 2);
    });

    test('rebase: conflicts that nobody resolved are flagged', async () => {
        const lazy = 'grep -q "In conflict" "$DRAFTD_PROMPT_FILE" || printf "42\\nmine\\n" >answer.txt\n';
        const { repository, pull } = await drafted('lazy', usual(lazy));
        moveMain(repository, 'lazy', { 'answer.txt': '42\ntheirs\n' });
        await say(repository, pull.number, '@draftd rebase', true);
        await ran(repository, 2);
        assert.match((await world.pulls(repository))[0].body, /answer\.txt:2: a conflict is not resolved/);
    });

    /// A check of somebody's App on a commit failed, and GitHub tells so.
    async function red(repository, branch, summary, suite) {
        const head = git('-C', world.bare(repository), 'rev-parse', branch);
        await world.control('POST', `repos/${repository}/check-runs`, {
            name: 'build', head_sha: head, app_id: 777, app_slug: 'some-ci', suite_id: suite, status: 'completed',
            conclusion: 'failure', output: { title: 'Red', summary },
        });
        const answer = await world.deliver('check_suite', 'completed', {
            repository, sender: 'draftd[bot]', senderType: 'Bot', check_suite: {
                id: suite, head_branch: branch, head_sha: head, conclusion: 'failure', app: { id: 777, slug: 'some-ci' },
            },
        });
        assert.equal(answer.status, 202);
    }

    const mend = `
if grep -q "These checks of the forge are red" "$DRAFTD_PROMPT_FILE"; then
    echo "mended $(grep -o "error E[0-9]*" "$DRAFTD_PROMPT_FILE" | tail -n 1)" >>notes.txt
else
    echo "a line" >>notes.txt
fi
`;

    const reasons = (pattern) => JSON.parse(world.cli('list', '--deliveries', '--json')).filter((d) => pattern.test(d.reason ?? ''));

    test('red checks on the draft start a run with what they say, twice at most', async () => {
        const { repository, branch } = await drafted('red', usual(mend));
        await red(repository, branch, 'error E1: no such function', 9001);
        const first = await ran(repository, 2);
        assert.equal(first.runs[1].trigger, 'ci');
        assert.match(world.fileAt(repository, branch, 'notes.txt'), /mended error E1/);
        await red(repository, branch, 'error E2: something quite different', 9002);
        await ran(repository, 3);
        assert.match(world.fileAt(repository, branch, 'notes.txt'), /mended error E2/);
        await red(repository, branch, 'error E3: and a third', 9003);
        await until('it to be too much', () => reasons(/had 2 runs for red checks already/).length === 1);
        assert.equal(world.show(repository).runs.length, 3);
    });

    test('the same failure is not mended twice', async () => {
        const { repository, branch } = await drafted('same', usual(mend));
        await red(repository, branch, 'error E1 after 12 s', 9011);
        await ran(repository, 2);
        await red(repository, branch, 'error E1 after 13 s', 9012);
        const task = await ran(repository, 3);
        assert.equal(task.runs[2].outcome, 'unchanged');
        assert.match(task.runs[2].reason, /fail as they did before/);
        assert.match((await world.statuses(repository))[0].body, /^\*\*Nothing was changed\*\*: the checks fail as they did before/m);
    });

    test('red checks of other heads, and where the repository does not want it, start nothing', async () => {
        const { repository, branch } = await drafted('unwanted', usual(mend, {
            '.draftd.yml': 'follow_ci: false\nchecks:\n  - { name: test, run: "sh test.sh" }\n',
        }));
        await red(repository, branch, 'error E1', 9021);
        await until('it to be refused', () => reasons(/does not want red checks followed/).length === 1);
        const other = await drafted('foreign', usual(mend));
        const work = `${world.dir}/seed/foreign-push`;
        git('clone', '-q', '-b', other.branch, world.bare(other.repository), work);
        git('-C', work, '-c', 'user.name=Ann', '-c', 'user.email=a@example.org', 'commit', '-q', '--allow-empty', '-m', 'Mine');
        git('-C', work, 'push', '-q');
        await red(other.repository, other.branch, 'error E1', 9022);
        await until('it to be refused', () => reasons(/not of draftd's newest commit/).length === 1);
        assert.equal(world.show(repository).runs.length, 1);
        assert.equal(world.show(other.repository).runs.length, 1);
    });

    test('kill -9 while answers are sent: each thread is answered once', async () => {
        const { repository, pull, branch } = await drafted('killed');
        const made = await review(repository, pull.number, '', [
            { path: 'notes.txt', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+a line', body: 'One.' },
            { path: 'notes.txt', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+a line', body: 'Two.' },
            { path: 'notes.txt', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+a line', body: 'Three.' },
        ]);
        for (const comment of made.comments)
            await deliverLine(repository, pull, comment);
        await until('the run', () => world.show(repository).runs[1]?.stage === 'agent' ||
            world.show(repository).runs[1]?.state === 'ended');
        const answered = async () => (await world.pulls(repository))[0].review_comments.filter((x) => x.in_reply_to_id);
        await world.control('POST', 'delay', { ms: 150 });
        for (let count = 0; count < 3; count++) {
            await until(`${count} answers`, async () => (await answered()).length >= count, 120000);
            await world.restart();
        }
        await world.control('POST', 'delay', { ms: 0 });
        await ran(repository, 2);
        const head = git('-C', world.bare(repository), 'rev-parse', branch).slice(0, 7);
        const answers = await answered();
        assert.deepEqual(answers.map((x) => x.in_reply_to_id).sort(), made.comments.map((x) => x.id).sort());
        for (const answer of answers)
            assert.match(answer.body, new RegExp(`Done in \`${head}\``));
    });
});
