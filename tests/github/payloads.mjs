// Webhook payloads of GitHub: the published examples with fields replaced, so that everything a receiver
// does not look at is there too.
import { requireTool } from './tools.mjs';

const examples = requireTool('@octokit/webhooks-examples');

/// Actions without a published example, by the one that has the same members.
const SAME_SHAPE = { 'issues closed': 'reopened' };

/// The first published example of an event's action.
function example(event, action) {
    const wanted = SAME_SHAPE[`${event} ${action}`] ?? action;
    const found = examples.find((e) => e.name === event)?.examples.find((x) => !wanted || x.action === wanted);
    if (!found)
        throw new Error(`no published example of ${event} ${action ?? ''}`);
    return action ? { ...structuredClone(found), action } : structuredClone(found);
}

function replaceUser(user, login, type = 'User') {
    return Object.assign(user, {
        login, type, html_url: `https://github.com/${login}`,
        url: `https://api.github.com/users/${encodeURIComponent(login)}`,
    });
}

/// An id of its own for each name, always the same (FNV-1a).
const idOf = (name) => [...name.toLowerCase()].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0, 0x811c9dc5);

function replaceRepository(repository, { repository: fullName, repositoryId, defaultBranch = 'main' }) {
    const [owner, name] = fullName.split('/');
    replaceUser(repository.owner, owner, 'Organization');
    return Object.assign(repository, {
        id: repositoryId ?? idOf(fullName), name, full_name: fullName, default_branch: defaultBranch, private: false, archived: false, fork: false,
        html_url: `https://github.com/${fullName}`, clone_url: `https://github.com/${fullName}.git`,
        url: `https://api.github.com/repos/${fullName}`,
    });
}

const label = (name) => ({
    id: 1362934389, node_id: 'MDU6TGFiZWwxMzYyOTM0Mzg5', name, color: 'd73a4a', default: false, description: '',
    url: `https://api.github.com/repos/o/r/labels/${encodeURIComponent(name)}`,
});

function replaceIssue(issue, options, template) {
    const { repository, number = 1, title = 'A title', body = null, author = 'ann', state = 'open' } = options;
    Object.assign(issue, {
        number, title, body, state, labels: (options.labels ?? []).map(label),
        assignees: (options.assignees ?? []).map((login) => replaceUser({ ...template }, login)),
        html_url: `https://github.com/${repository}/issues/${number}`,
        url: `https://api.github.com/repos/${repository}/issues/${number}`,
    });
    issue.assignee = issue.assignees[0] ?? null;
    issue.milestone = null;
    replaceUser(issue.user, author);
    if (options.pull)
        issue.pull_request = { url: `https://api.github.com/repos/${repository}/pulls/${number}` };
}

function replaceComment(comment, { repository, number = 1, comment: body, commentId = 99262140, sender = 'ann', senderType }) {
    Object.assign(comment, {
        id: commentId, body: body ?? 'A comment',
        html_url: `https://github.com/${repository}/issues/${number}#issuecomment-${commentId}`,
    });
    replaceUser(comment.user, sender, senderType);
}

function replacePull(pull, { repository, number = 1, merged = false, state, head, branch }) {
    Object.assign(pull, {
        number, html_url: `https://github.com/${repository}/pull/${number}`,
        url: `https://api.github.com/repos/${repository}/pulls/${number}`,
    });
    if ('merged' in pull)
        Object.assign(pull, { merged, merged_at: merged ? pull.updated_at : null });
    if (state)
        pull.state = state;
    if (branch)
        pull.head.ref = branch;
    if (head)
        pull.head.sha = head;
}

/// `options`: repository (needed), repositoryId (without: one by its name), number, title, body, author, state, labels, assignees, pull, label (the one
/// set or removed), assignee (the one set or removed), comment, commentId, sender, senderType,
/// defaultBranch, installation (id), merged, head, branch (of a pull request), on (further members of the
/// comment), review, check_suite, workflow_run (members of these).
export function makePayload(event, action, options) {
    const payload = example(event, action);
    const template = payload.sender;
    if (payload.repository)
        replaceRepository(payload.repository, options);
    if (payload.issue)
        replaceIssue(payload.issue, options, template);
    if (payload.comment)
        replaceComment(payload.comment, options);
    if (payload.pull_request)
        replacePull(payload.pull_request, options);
    for (const part of ['review', 'check_suite', 'workflow_run'])
        if (payload[part] && options[part])
            Object.assign(payload[part], options[part]);
    if (payload.review)
        replaceUser(payload.review.user, options.sender ?? 'ann', options.senderType);
    if (payload.comment && options.on)
        Object.assign(payload.comment, options.on);
    if (options.label !== undefined)
        payload.label = label(options.label);
    if (options.assignee !== undefined)
        payload.assignee = replaceUser({ ...template }, options.assignee);
    if (payload.sender)
        payload.sender = replaceUser({ ...template }, options.sender ?? 'ann', options.senderType);
    if (options.installation !== undefined)
        payload.installation = { id: options.installation, node_id: 'MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9uMQ==' };
    return payload;
}

/// Set a member by its dotted path, e.g. "issue.performed_via_github_app.id".
export function setMember(payload, path, value) {
    const names = path.split('.');
    const last = names.pop();
    const parent = names.reduce((at, name) => (at[name] ??= {}), payload);
    parent[last] = value;
}
