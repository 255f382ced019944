// People at work: what they do happens on the stand-in first, then its delivery is sent, as GitHub does. What was
// sent and how it was answered is the account that the ledger is held against.
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { makePayload } from '../github/payloads.mjs';

const ANSWER_MS = 15000;
const BOT = 'draftd-bot';
const DIGITS = ['nought', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

const stamp = () => new Date().toISOString().replace(/\.\d+Z/, 'Z');

export class Load {
    constructor(world, names, say) {
        Object.assign(this, { world, names, say });
        this.secret = readFileSync(join(world.dir, 'github.secret'), 'utf8');
        this.sent = new Map();   // delivery id -> { step, event, words, accepted, answers }; words: what they are known by
        this.wishes = new Map(); // "repository#issue" -> how many different wishes for work
        this.ended = new Map();  // "repository!pull" -> { merged, delivery }
        this.pending = new Set();
        this.texts = 0;
        this.stopped = false;
    }

    /// Send what is drawn until stop().
    async run(steps) {
        for (const step of steps) {
            await sleep(step.after_ms);
            if (this.stopped)
                return;
            const one = this.act(step).catch((error) => {
                if (!this.stopped)
                    this.say(`load ${step.number}: ${error.message}`);
            });
            this.pending.add(one);
            one.finally(() => this.pending.delete(one));
        }
    }

    async stop() {
        this.stopped = true;
        await Promise.all(this.pending);
    }

    async act(step) {
        const repository = this.names[step.repository];
        const place = { repository, number: step.issue, title: `Mend ${step.issue}` };
        const made = await this.happen(step, place);
        this.say(`load ${step.number}: ${step.wish} ${repository}#${step.issue}` +
            `${made.length === 1 ? '' : `, ${made.length} deliveries`}${step.again ? `, ${step.again} times again` : ''}` +
            `${step.anew ? ', anew' : ''}${step.late_ms ? `, ${step.late_ms} ms late` : ''}`);
        await sleep(step.late_ms);
        await Promise.all(made.map((one) => this.deliver(step, one)));
    }

    wish(repository, number) {
        const key = `${repository}#${number}`;
        this.wishes.set(key, (this.wishes.get(key) ?? 0) + 1);
    }

    /// Do it on the stand-in; answers the deliveries, [{ event, body }].
    async happen({ wish, comments, merged }, place) {
        const { repository, number } = place;
        const issue = (action, more) => [this.make('issues', action, { ...place, ...more })];
        switch (wish) {
        case 'label':
            this.wish(repository, number);
            return issue('labeled', { label: 'draftd', labels: ['draftd'] });
        case 'assign':
            this.wish(repository, number);
            return issue('assigned', { assignee: BOT, assignees: [BOT] });
        case 'unlabel': return issue('unlabeled', { label: 'draftd' });
        case 'unassign': return issue('unassigned', { assignee: BOT });
        case 'other_label': return issue('labeled', { label: 'bug', labels: ['bug'] });
        case 'mention': return this.comment(place, `one more line, please: ${this.unlike()}`, 'ann', true);
        case 'retry':
            this.wish(repository, number);
            return this.comment(place, 'retry');
        case 'status': case 'help': case 'cancel': return this.comment(place, wish);
        case 'stranger': return this.comment(place, 'do as I say', 'eve');
        case 'chatter': return this.comment(place, '');
        case 'review': return this.review(place, comments);
        case 'close': return this.close(place, merged);
        default: throw new Error(`no wish ${wish}`);
        }
    }

    /// Words that nobody said before: who says the same again and again is taken for a program.
    unlike() {
        return [...String(this.texts++)].map((digit) => DIGITS[digit]).join(' ');
    }

    make(event, action, options) {
        const payload = makePayload(event, action, { sender: 'ann', ...options });
        const at = stamp();
        for (const part of [payload.issue, payload.comment, payload.pull_request])
            if (part)
                Object.assign(part, { updated_at: at, ...(part === payload.comment ? { created_at: at } : {}) });
        if (payload.review)
            payload.review.submitted_at = at;
        return { event, body: JSON.stringify(payload) };
    }

    async comment(place, words, user = 'ann', is_new = false) {
        const { repository, number } = place;
        const text = words ? `@draftd ${words}` : 'What a nice day.';
        const [made] = await this.world.control('POST', `repos/${repository}/issues/${number}/comments`, { user, body: text });
        if (is_new)
            this.wish(repository, number);
        const delivery = this.make('issue_comment', 'created', { ...place, sender: user, comment: text, commentId: made.id });
        return [is_new ? { ...delivery, words: `comment:${made.id}` } : delivery];
    }

    /// The open pull request for the issue, as people see it.
    async openPull({ repository, number }) {
        const { pulls } = await this.world.state(repository);
        return pulls.find((pull) => pull.state === 'open' && pull.head.startsWith(`draftd/${number}-`));
    }

    async review(place, count) {
        const pull = await this.openPull(place);
        if (!pull)
            return [];
        const { repository } = place;
        const text = `Some things are left: ${this.unlike()}.`;
        const made = await this.world.control('POST', `repos/${repository}/pulls/${pull.number}/reviews`, {
            user: 'ann', body: text, state: 'changes_requested',
            comments: Array.from({ length: count }, (_, i) => ({ path: 'notes.txt', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+x', body: `Point ${i}: ${this.unlike()}` })),
        });
        this.wish(repository, place.number);
        const lines = made.comments.map((comment) => {
            this.wish(repository, place.number); // one that comes late may need a run of its own
            return this.make('pull_request_review_comment', 'created', {
                repository, number: pull.number, comment: comment.body, commentId: comment.id,
                on: { path: comment.path, line: 1, original_line: 1, diff_hunk: comment.diff_hunk, pull_request_review_id: made.id },
            });
        });
        return [...lines, this.make('pull_request_review', 'submitted',
            { repository, number: pull.number, review: { id: made.id, body: text, state: 'changes_requested' } })];
    }

    async close(place, merged) {
        const pull = await this.openPull(place);
        if (!pull)
            return [];
        const { repository } = place;
        await this.world.control('PATCH', `repos/${repository}/pulls/${pull.number}`, { state: 'closed', merged });
        this.ended.set(`${repository}!${pull.number}`, { merged });
        return [this.make('pull_request', 'closed', { repository, number: pull.number, merged, state: 'closed' })];
    }

    async deliver(step, { event, body, words }) {
        const ids = [randomUUID(), ...(step.anew ? [randomUUID()] : [])];
        await Promise.all(ids.map(async (id) => {
            this.sent.set(id, { step: step.number, event, words, accepted: false, answers: [] });
            for (let more = step.again; more > 0; more--)
                this.send(id, event, body).catch(() => {});
            await this.insist(id, event, body, step.patient);
        }));
    }

    /// Until it is accepted; or once, as GitHub does where nobody asks for it again.
    async insist(id, event, body, patient) {
        for (;;) {
            const status = await this.send(id, event, body).catch(() => 0);
            if (status === 202 || status === 200 || !patient)
                return;
            await sleep(700);
        }
    }

    async send(id, event, body) {
        const entry = this.sent.get(id);
        const mac = createHmac('sha256', this.secret).update(body).digest('hex');
        const answer = await Promise.race([
            this.world.post('/webhooks/github', body, {
                'x-github-event': event, 'x-github-delivery': id, 'x-hub-signature-256': `sha256=${mac}`,
            }),
            sleep(ANSWER_MS).then(() => ({ status: 0 })),
        ]);
        entry.answers.push(answer.status);
        entry.accepted ||= answer.status === 202 || answer.status === 200;
        return answer.status;
    }

    get accepted() {
        return [...this.sent.values()].filter((entry) => entry.accepted).length;
    }
}
