// What the calls have in common: finding what a path names, pages, lengths, reactions, and who may.
import { ApiError, invalid, notFound } from './errors.mjs';

const MAX_BODY = 65536;
const MAX_TITLE = 256;

export const people = (world) => (login) => world.person(login) ?? world.addPerson(login);

export function checkLengths(resource, { title, body }) {
    const errors = [];
    const over = (text, max) => typeof text === 'string' && [...text].length > max;
    if (over(title, MAX_TITLE))
        errors.push({ resource, code: 'custom', field: 'title', message: `title is too long (maximum is ${MAX_TITLE} characters)` });
    if (over(body, MAX_BODY))
        errors.push({ resource, code: 'custom', field: 'body', message: `body is too long (maximum is ${MAX_BODY} characters)` });
    if (errors.length)
        throw invalid(errors);
}

export function paginate(items, query, url) {
    const size = Math.min(Number(query.per_page ?? 30), 100);
    const page = Math.max(Number(query.page ?? 1), 1);
    const last = Math.max(Math.ceil(items.length / size), 1);
    const link = (number, rel) => {
        const target = new URL(url);
        target.searchParams.set('page', String(number));
        return `<${target}>; rel="${rel}"`;
    };
    const links = [];
    if (page > 1)
        links.push(link(page - 1, 'prev'));
    if (page < last)
        links.push(link(page + 1, 'next'), link(last, 'last'));
    if (page > 1)
        links.push(link(1, 'first'));
    return { items: items.slice((page - 1) * size, page * size), headers: links.length ? { link: links.join(', ') } : {} };
}

export function findIssue({ repository, params }) {
    const issue = repository.issues.get(Number(params.issue_number));
    if (!issue)
        throw notFound();
    if (issue.state === 'deleted')
        throw new ApiError(410, { message: 'This issue was deleted' });
    return issue;
}

export function findComment({ repository, params }) {
    const comment = repository.comments.get(Number(params.comment_id));
    if (!comment)
        throw notFound();
    return comment;
}

export function findPull({ repository, params }) {
    const pull = repository.pulls.get(Number(params.pull_number));
    if (!pull)
        throw notFound();
    return pull;
}

export function react(context, target) {
    const { world, shapes, actor, body } = context;
    const fresh = world.addReaction(target, actor.login, body.content);
    const reaction = target.reactions.find((r) => r.user === actor.login && r.content === body.content);
    return { status: fresh ? 201 : 200, body: shapes.reaction(reaction, people(world)) };
}

export function listReactions({ world, shapes, query, url }, target) {
    const { items, headers } = paginate(target.reactions, query, url);
    return { status: 200, headers, body: items.map((reaction) => shapes.reaction(reaction, people(world))) };
}

export const metadata = { permissions: { metadata: 'read' }, level: 'read', writes: false };
export const readIssues = { permissions: { issues: 'read', pull_requests: 'read' }, level: 'read', writes: false };
export const writeIssues = { permissions: { issues: 'write', pull_requests: 'write' }, level: 'read', writes: true };
export const readPulls = { permissions: { pull_requests: 'read' }, level: 'read', writes: false };
export const writePulls = { permissions: { pull_requests: 'write' }, level: 'write', writes: true };
