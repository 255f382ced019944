// What each call does. A handler gets { world, shapes, actor, repository, params, query, body, violate } and
// returns { status, body, headers? } or throws an ApiError. `access` says who may; none: the handler
// looks itself.
import { permissionOf, requireAccess } from './access.mjs';
import { ACTION_OPERATIONS } from './actions.mjs';
import { CHECK_OPERATIONS } from './checks.mjs';
import {
    checkLengths, findComment, findIssue, findPull, listReactions, metadata, paginate, people, react, readIssues, readPulls,
    writeIssues, writePulls,
} from './common.mjs';
import { ApiError, forbidden, invalid, notFound } from './errors.mjs';
import { HOOK_OPERATIONS } from './hooks.mjs';
import { LISTING_OPERATIONS } from './listings.mjs';
import { REVIEW_OPERATIONS } from './reviews.mjs';
import { branchCommit, hasNewCommits, merges } from './state.mjs';

// --- The App and its tokens

function getApp({ world, shapes, actor }) {
    if (actor.kind !== 'app')
        throw new ApiError(401, { message: 'A JSON web token could not be decoded' });
    return { status: 200, body: shapes.app(world.app) };
}

function getInstallation({ world, shapes, actor, repository }) {
    if (actor.kind !== 'app')
        throw new ApiError(401, { message: 'A JSON web token could not be decoded' });
    if (!repository.installed)
        throw notFound();
    return { status: 200, body: shapes.installation(world.app, repository, people(world)(repository.owner)) };
}

function narrowPermissions(app, asked) {
    if (!asked)
        return { ...app.permissions };
    const order = ['read', 'write', 'admin'];
    for (const [name, level] of Object.entries(asked))
        if (order.indexOf(app.permissions[name]) < order.indexOf(level))
            throw invalid([], 'The permissions requested are not granted to this installation.');
    return { metadata: 'read', ...asked };
}

/// The repositories that a token is asked for, by name or by id; without either, all.
function chooseRepositories(owned, { repositories, repository_ids }) {
    if (repository_ids)
        return repository_ids.map((id) => owned.find((r) => r.id === id));
    return (repositories ?? owned.map((repository) => repository.name))
        .map((name) => owned.find((r) => r.name.toLowerCase() === name.toLowerCase()));
}

function createInstallationToken({ world, shapes, actor, params, headers, body = {} }) {
    if (actor.kind !== 'app')
        throw new ApiError(401, { message: 'A JSON web token could not be decoded' });
    const owned = [...world.repositories.values()]
        .filter((r) => r.installed && people(world)(r.owner).id === Number(params.installation_id));
    if (!owned.length)
        throw notFound();
    if (world.app.suspended)
        throw forbidden('This installation has been suspended');
    const chosen = chooseRepositories(owned, body);
    if (chosen.includes(undefined))
        throw invalid([], 'There is at least one repository that does not exist or is not accessible to the parent installation.');
    const permissions = narrowPermissions(world.app, body.permissions);
    const { token, expires_at } = world.mintToken(chosen.map((repository) => repository.id), permissions,
        headers['x-github-stateless-s2s-token']);
    const repositories = chosen.map((r) => shapes.repository(r, people(world)(r.owner)));
    return { status: 201, body: { token, expires_at, permissions, repository_selection: 'selected', repositories } };
}

// --- People and repositories

function getSelf({ world, shapes, actor }) {
    if (actor.kind === 'installation')
        throw forbidden('Resource not accessible by integration');
    if (actor.kind === 'app')
        throw new ApiError(401, { message: 'A JSON web token is not accepted here' });
    return { status: 200, body: shapes.fullUser(people(world)(actor.login), 'users/get-authenticated') };
}

function getUser({ world, shapes, params }) {
    const person = world.person(params.username);
    if (!person)
        throw notFound();
    return { status: 200, body: shapes.fullUser(person, 'users/get-by-username') };
}

function getRepository({ world, shapes, repository }) {
    return { status: 200, body: shapes.repository(repository, people(world)(repository.owner)) };
}

function getPermission({ world, shapes, actor, repository, params }) {
    if (actor.kind === 'user' && ['none', 'read', 'triage'].includes(permissionOf(repository, actor.login)))
        throw forbidden('Must have push access to view collaborator permission.');
    const person = world.person(params.username);
    if (!person)
        throw notFound();
    const role = permissionOf(repository, person.login);
    const permission = { maintain: 'write', triage: 'read' }[role] ?? role;
    return { status: 200, body: { permission, role_name: role, user: shapes.user(person) } };
}

// --- Issues, comments, reactions

function getIssue(context) {
    const { world, shapes, repository } = context;
    return { status: 200, body: shapes.issue(repository, findIssue(context), people(world)) };
}

function listComments(context) {
    const { world, shapes, repository, query, url } = context;
    const issue = findIssue(context);
    const all = [...repository.comments.values()]
        .filter((comment) => comment.issue_number === issue.number)
        .filter((comment) => !query.since || comment.updated_at >= query.since);
    const { items, headers } = paginate(all, query, url);
    return { status: 200, headers, body: items.map((c) => shapes.comment(repository, c, people(world), world.app)) };
}

function createComment(context) {
    const { world, shapes, actor, repository, body } = context;
    const issue = findIssue(context);
    if (body.body.trim() === '')
        throw invalid([{ resource: 'IssueComment', code: 'missing_field', field: 'body' }]);
    checkLengths('IssueComment', body);
    const comment = world.addComment(repository, issue, actor.login, body.body, actor.app_id ?? null);
    return { status: 201, body: shapes.comment(repository, comment, people(world), world.app) };
}

function getComment(context) {
    const { world, shapes, repository } = context;
    return { status: 200, body: shapes.comment(repository, findComment(context), people(world), world.app) };
}

function updateComment(context) {
    const { world, shapes, actor, repository, body } = context;
    const comment = findComment(context);
    if (actor.kind === 'user' && comment.user !== actor.login && permissionOf(repository, actor.login) === 'read')
        throw forbidden('Must have admin rights to Repository.');
    checkLengths('IssueComment', body);
    world.editComment(comment, body.body);
    return { status: 200, body: shapes.comment(repository, comment, people(world), world.app) };
}

// --- Pull requests

function listPulls({ world, shapes, repository, query, url, violate }) {
    const state = query.state ?? 'open';
    const [, owner, branch] = /^([^:]+):(.+)$/s.exec(query.head ?? '') ?? [];
    if (query.head !== undefined && !owner)
        violate('head is not OWNER:BRANCH: GitHub would ignore it and list everything');
    const all = [...repository.pulls.values()]
        .filter((pull) => state === 'all' || pull.state === state)
        .filter((pull) => !query.base || pull.base === query.base)
        .filter((pull) => !owner || (owner.toLowerCase() === repository.owner.toLowerCase() && pull.head === branch));
    const ascending = (query.direction ?? (query.sort && query.sort !== 'created' ? 'asc' : 'desc')) === 'asc';
    all.sort((a, b) => (ascending ? a.number - b.number : b.number - a.number));
    const { items, headers } = paginate(all, query, url);
    return { status: 200, headers, body: items.map((p) => shapes.pull(repository, p, people(world), { simple: true })) };
}

function pullCommits(repository, { head, base }) {
    const errors = [];
    const commits = { head: branchCommit(repository, head), base: branchCommit(repository, base) };
    if (!commits.base)
        errors.push({ resource: 'PullRequest', field: 'base', code: 'invalid' });
    if (!commits.head)
        errors.push({ resource: 'PullRequest', field: 'head', code: 'invalid' });
    if (errors.length)
        throw invalid(errors);
    if (!hasNewCommits(repository, commits.base, commits.head))
        throw invalid([{ resource: 'PullRequest', code: 'custom', message: `No commits between ${base} and ${head}` }]);
    return commits;
}

function createPull({ world, shapes, actor, repository, body }) {
    const head = body.head.includes(':') ? body.head.split(/:(.*)/s)[1] : body.head;
    if (!body.title)
        throw invalid([{ resource: 'PullRequest', code: 'missing_field', field: 'title' }]);
    checkLengths('PullRequest', body);
    if (body.draft && !repository.drafts)
        throw invalid([], 'Draft pull requests are not supported in this repository.');
    const commits = pullCommits(repository, { head, base: body.base });
    const exists = [...repository.pulls.values()]
        .some((pull) => pull.state === 'open' && pull.head === head && pull.base === body.base);
    if (exists)
        throw invalid([{ resource: 'PullRequest', code: 'custom',
            message: `A pull request already exists for ${repository.owner}:${head}.` }]);
    const pull = world.addPull(repository, actor.login, { ...body, head }, commits);
    return { status: 201, body: shapes.pull(repository, pull, people(world)) };
}

/// An open pull request follows its branch; whether it can be merged is found out where there is git.
function refreshHead(repository, pull) {
    const head = pull.state === 'open' ? branchCommit(repository, pull.head) : null;
    if (!head)
        return pull;
    pull.head_sha = head;
    if (repository.git_dir && !pull.mergeable_set)
        pull.mergeable = merges(repository, pull.base, pull.head);
    return pull;
}

function getPull(context) {
    const { world, shapes, repository } = context;
    const pull = refreshHead(repository, findPull(context));
    return { status: 200, body: shapes.pull(repository, pull, people(world)) };
}

function updatePull(context) {
    const { world, shapes, repository, body } = context;
    const pull = refreshHead(repository, findPull(context));
    checkLengths('PullRequest', body);
    world.editPull(repository, pull, body);
    return { status: 200, body: shapes.pull(repository, pull, people(world)) };
}

const OPERATIONS = {
    'apps/get-authenticated': { run: getApp },
    'apps/get-repo-installation': { run: getInstallation },
    'apps/create-installation-access-token': { run: createInstallationToken },
    'users/get-authenticated': { run: getSelf },
    'users/get-by-username': { run: getUser },
    'repos/get': { access: metadata, run: getRepository },
    'repos/get-collaborator-permission-level': { access: metadata, run: getPermission },
    'issues/get': { access: readIssues, run: getIssue },
    'issues/list-comments': { access: readIssues, run: listComments },
    'issues/create-comment': { access: writeIssues, run: createComment },
    'issues/get-comment': { access: readIssues, run: getComment },
    'issues/update-comment': { access: writeIssues, run: updateComment },
    'reactions/create-for-issue': { access: writeIssues, run: (c) => react(c, findIssue(c)) },
    'reactions/create-for-issue-comment': { access: writeIssues, run: (c) => react(c, findComment(c)) },
    'reactions/list-for-issue': { access: readIssues, run: (c) => listReactions(c, findIssue(c)) },
    'reactions/list-for-issue-comment': { access: readIssues, run: (c) => listReactions(c, findComment(c)) },
    'pulls/list': { access: readPulls, run: listPulls },
    'pulls/create': { access: writePulls, run: createPull },
    'pulls/get': { access: readPulls, run: getPull },
    'pulls/update': { access: writePulls, run: updatePull },
    ...REVIEW_OPERATIONS,
    ...CHECK_OPERATIONS,
    ...ACTION_OPERATIONS,
    ...HOOK_OPERATIONS,
    ...LISTING_OPERATIONS,
};

/// A renamed repository answers with its permanent address.
function redirectRenamed(world, shapes, { method, params, url }) {
    const moved = params.owner && world.renamed.get(`${params.owner}/${params.repo}`.toLowerCase());
    if (!moved)
        return null;
    const [, prefix = '', rest] = /^(\/api\/v3)?\/repos\/[^/]+\/[^/]+(.*)$/.exec(url.pathname);
    const location = `${shapes.origin}${prefix}/repositories/${moved.id}${rest}${url.search}`;
    return {
        status: method === 'GET' ? 301 : 307,
        headers: { location },
        body: { message: method === 'GET' ? 'Moved Permanently' : 'Temporary Redirect', url: location },
    };
}

export function runOperation(context) {
    const { world, shapes, actor, operation, params } = context;
    const { access, run } = OPERATIONS[operation];
    const redirect = redirectRenamed(world, shapes, context);
    if (redirect)
        return redirect;
    if (params.owner) {
        context.repository = world.repository(`${params.owner}/${params.repo}`);
        if (!context.repository)
            throw notFound();
    }
    if (access)
        requireAccess(actor, context.repository, access);
    return run(context);
}
