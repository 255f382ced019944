// The ledger: what draftd's store says, held against what people sent and what GitHub has. Answers what differs, as
// sentences; an empty list is good.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RECEIVED = 0, DONE = 1, IGNORED = 2;
const DRAFTED = 2;
const OPEN = 1, MERGED = 2, CLOSED = 3;
const STATUS = 0, SENT = 1, FAILED = 2;
const UNWANTED = /^that was taken back since$|^task \d+ had 10 runs within an hour/;
const UNTIL_THE_END = { maxBuffer: 1 << 30, encoding: 'utf8' };

/// The last word by the task's state, which is the place in this list.
const WORDS = [
    null, null, null, /^\*\*(No change needed|Nothing was changed)\*\*/m, /^\*\*Held back\*\*/m, /^\*\*Failed\*\*: /m, /^\*\*Cancelled\*\*/m,
];
const DRAFT_WORDS = [/^\*\*Draft ready\*\*: /m, /^\*\*Draft ready\*\*: /m, /^\*\*Merged\*\*: /m, /^\*\*Closed\*\* without being merged: /m];
const STATE_NAMES = ['queued', 'running', 'drafted', 'unchanged', 'held', 'failed', 'canceled'];

export function readStore(dir, ...more) {
    const helper = join(dirname(fileURLToPath(import.meta.url)), 'store.py');
    return JSON.parse(execFileSync('python3', [helper, join(dir, 'state', 'draftd.db'), ...more], UNTIL_THE_END));
}

/// Does anything of this still want to be done?
export function leftOver(dir) {
    const left = readStore(dir, '--counts');
    return Object.values(left).some((list) => list.length) ? left : null;
}

const groupBy = (list, key) => list.reduce((map, item) => {
    const name = key(item);
    map.set(name, [...(map.get(name) ?? []), item]);
    return map;
}, new Map());

function checkDeliveries(store, load, differ) {
    const rows = groupBy(store.deliveries, (row) => row.delivery_id);
    for (const [id, { accepted, step }] of load.sent) {
        const found = rows.get(id) ?? [];
        if (accepted && found.length !== 1)
            differ(`delivery ${id} (load ${step}) was accepted and is ${found.length} times in the store`);
    }
    for (const row of store.deliveries) {
        const entry = load.sent.get(row.delivery_id);
        if (!entry)
            differ(`nobody sent delivery ${row.delivery_id}`);
        if (row.state !== DONE && row.state !== IGNORED)
            differ(`delivery ${row.delivery_id} is ${row.state === RECEIVED ? 'not handled' : 'taken for bad'}: ${row.reason}`);
        if (row.state === IGNORED && !row.reason)
            differ(`delivery ${row.delivery_id} was ignored without a reason`);
        if (row.state === IGNORED && /[Tt]ime-?out|timed out|out of time|HTTP|connect|certificate|disk|database/.test(row.reason))
            differ(`delivery ${row.delivery_id} (load ${entry?.step}) was ignored for a failure: ${row.reason}`);
    }
}

/// What people say is heard by a run, or there is a reason why not: it was taken back, or it was too much.
function checkHeard(store, load, differ) {
    const heard = new Set([...store.runs.map((run) => run.trigger_ref), ...store.remarks.map((remark) => remark.ref)]);
    const canceled = new Set(store.runs.filter((run) => run.cancel_requested).map((run) => run.task));
    const reasons = groupBy(store.deliveries, (row) => row.delivery_id);
    for (const [id, { words, accepted, step }] of load.sent) {
        if (!words || !accepted || heard.has(words))
            continue;
        const [{ reason }] = reasons.get(id) ?? [{}];
        const [, task] = /^task (\d+) ended after this happened$/.exec(reason ?? '') ?? [];
        if (!canceled.has(Number(task)) && !UNWANTED.test(reason ?? ''))
            differ(`what was said as ${words} (load ${step}) was heard by nobody: ${reason}`);
    }
}

const issueOf = (task) => `${task.repository}#${task.number}`;

function checkWords(task, runs, messages, comment, differ) {
    const name = `task ${task.id} (${issueOf(task)}, ${STATE_NAMES[task.state]})`;
    const body = comment.body;
    const wanted = task.state === DRAFTED ? DRAFT_WORDS[task.draft_state] : WORDS[task.state];
    if (!wanted?.test(body))
        differ(`${name}: its status comment says something else:\n${body}`);
    if (String(comment.id) !== task.status_ref)
        differ(`${name}: its status is comment ${comment.id}, the store knows ${task.status_ref}`);
    if (task.state === DRAFTED && !body.includes(`/pull/${task.draft_number}`))
        differ(`${name}: its status does not lead to pull request ${task.draft_number}:\n${body}`);
    const last = messages.filter((message) => message.kind === STATUS).at(-1);
    if (last && last.body.trim() !== body.trim())
        differ(`${name}: its status comment is not what was to be said last`);
    const verified = runs.at(-1)?.verdict === 1;
    if (task.state === DRAFTED && verified !== /\*\*Verified/i.test(body))
        differ(`${name}: the verdict is ${runs.at(-1)?.verdict}, its status says:\n${body}`);
}

function checkComments(task, context, differ) {
    const { messages, runs, repository, instance } = context;
    const marker = `<!-- draftd:task=${task.id} instance=${instance} `;
    const said = repository.issues.flatMap((issue) => issue.comments.map((comment) => ({ ...comment, at: issue.number })))
        .concat(repository.pulls.flatMap((pull) => pull.review_comments))
        .filter((comment) => comment.body.startsWith(marker));
    const statuses = said.filter((comment) => comment.body.startsWith(`${marker}-->`));
    if (statuses.length !== 1)
        differ(`task ${task.id} (${issueOf(task)}) has ${statuses.length} status comments`);
    else if (statuses[0].at !== task.number)
        differ(`task ${task.id} (${issueOf(task)}) has its status in ${statuses[0].at}`);
    else
        checkWords(task, runs, messages, statuses[0], differ);

    for (const [line, answers] of groupBy(said, (comment) => comment.body.split('\n')[0]))
        if (!line.startsWith(`${marker}-->`) && answers.length > 1)
            differ(`task ${task.id}: ${answers.length} comments for the one answer ${line}`);
    const owed = messages.filter((message) => message.kind === 2);
    const lines = new Set(said.map((comment) => comment.body.split('\n')[0]));
    for (const message of owed)
        if (message.state === SENT && !lines.has(message.body.split('\n')[0]))
            differ(`task ${task.id}: message ${message.id} was sent, GitHub does not have it: ${message.body.split('\n')[0]}`);
}

function checkDraft(task, { repository, branches, runs }, differ) {
    const name = `task ${task.id} (${issueOf(task)}, ${STATE_NAMES[task.state]})`;
    const mine = repository.pulls.filter((pull) => pull.head.startsWith(`draftd/${task.number}-`));
    const open = mine.filter((pull) => pull.state === 'open');
    const heads = [...branches.keys()].filter((branch) => branch.startsWith(`draftd/${task.number}-`));
    if (open.length > 1)
        differ(`${name} has ${open.length} open pull requests: ${open.map((pull) => `${pull.number} from ${pull.head}`).join(', ')}`);
    for (const [head, pulls] of groupBy(mine, (pull) => pull.head))
        if (pulls.length > 1)
            differ(`${name}: ${pulls.length} pull requests from ${head}: ${pulls.map((pull) => `${pull.number} ${pull.state}`).join(', ')}`);
    const withoutPull = heads.filter((head) => !mine.some((pull) => pull.head === head));
    if (withoutPull.length > 1 || (withoutPull.length && withoutPull[0] !== task.branch))
        differ(`${name} has branches without a pull request: ${withoutPull.join(', ')}; its own is ${task.branch}`);
    if (task.state !== DRAFTED)
        return;
    const pull = mine.find((one) => one.number === task.draft_number);
    if (!pull)
        return void differ(`${name}: there is no pull request ${task.draft_number}`);
    if (pull.head !== task.branch || !branches.has(task.branch))
        differ(`${name}: pull request ${pull.number} is from ${pull.head}, the branch is ${task.branch}`);
    const ended = { [OPEN]: false, [MERGED]: true, [CLOSED]: false }[task.draft_state];
    if (task.draft_state !== OPEN && (pull.state !== 'closed' || pull.merged !== ended))
        differ(`${name}: its draft is taken for ${task.draft_state}, pull request ${pull.number} is ${pull.state}`);
    const drafts = runs.filter((run) => run.outcome === 1);
    if (task.draft_state === OPEN && drafts.length && branches.get(task.branch) !== drafts.at(-1).head_commit)
        differ(`${name}: the branch is at ${branches.get(task.branch)}, the last draft at ${drafts.at(-1).head_commit}`);
}

/// A pull request whose end was told is not taken for open.
function checkEnds(store, load, differ) {
    for (const task of store.tasks) {
        const end = load.ended.get(`${task.repository}!${task.draft_number}`);
        if (end?.accepted && task.draft_state === OPEN)
            differ(`task ${task.id} (${issueOf(task)}): pull request ${task.draft_number} was closed, its end is not known`);
    }
}

function checkTasks(store, load, github, world, differ) {
    const runs = groupBy(store.runs, (run) => run.task);
    const messages = groupBy(store.messages, (message) => message.task);
    const [, instance] = /event=serving .*instance="(\w+)"/.exec(world.log);
    for (const repository of github.repositories) {
        const branches = world.heads(repository.full_name);
        const tasks = store.tasks.filter((task) => task.repository === repository.full_name);
        for (const task of tasks) {
            const context = { repository, branches, instance, runs: runs.get(task.id) ?? [], messages: messages.get(task.id) ?? [] };
            checkComments(task, context, differ);
            checkDraft(task, context, differ);
            const wishes = load.wishes.get(issueOf(task)) ?? 0;
            if (context.runs.length > wishes)
                differ(`task ${task.id} (${issueOf(task)}) had ${context.runs.length} runs for ${wishes} wishes`);
        }
        const known = new Set(tasks.map((task) => task.number));
        for (const branch of branches.keys())
            if (!known.has(Number(/^draftd\/(\d+)-/.exec(branch)?.[1])))
                differ(`nobody's branch in ${repository.full_name}: ${branch}`);
    }
}

function checkLeavings(store, differ) {
    for (const message of store.messages)
        if (message.state === FAILED)
            differ(`message ${message.id} of task ${message.task} was given up: ${message.reason}`);
    for (const run of store.runs)
        if (run.state !== 2)
            differ(`run ${run.id} of task ${run.task} is not ended`);
    for (const row of store.integrity)
        if (row !== 'ok')
            differ(`the store is damaged: ${row}`);
    for (const row of store.foreign_keys)
        differ(`the store is damaged: a reference to nothing: ${row.join(' ')}`);
}

/// Files below a directory, with their paths in it.
export function filesBelow(dir) {
    return readdirSync(dir, { withFileTypes: true, recursive: true }).filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(dir.length + 1));
}

/// Everything that differs. `load` knows what was sent; the world is at rest.
export async function compare(world, load) {
    const found = [];
    const differ = (text) => found.push(text);
    const store = readStore(world.dir);
    const github = await world.control('GET', 'state');
    checkDeliveries(store, load, differ);
    checkHeard(store, load, differ);
    checkEnds(store, load, differ);
    checkTasks(store, load, github, world, differ);
    checkLeavings(store, differ);
    for (const { method, url, reason } of await world.control('GET', 'violations'))
        differ(`GitHub would refuse ${method} ${url}: ${reason}`);
    return { found, store };
}
