// Looking around: a repository's issues, the App's installations, and the repositories of each.
import { ApiError, forbidden } from './errors.mjs';
import { findIssue, paginate, people, readIssues } from './common.mjs';

function listIssues(context) {
    const { world, shapes, repository, query, url } = context;
    const labels = query.labels ? query.labels.split(',').map((label) => label.toLowerCase()) : [];
    const state = query.state ?? 'open';
    const all = [...repository.issues.values()]
        .filter((issue) => state === 'all' || issue.state === state)
        .filter((issue) => labels.every((label) => issue.labels.some((has) => has.toLowerCase() === label)))
        .filter((issue) => !query.assignee || issue.assignees.some((has) => has.toLowerCase() === query.assignee.toLowerCase()))
        .filter((issue) => !query.since || Date.parse(issue.updated_at) >= Date.parse(query.since));
    all.sort((a, b) => (query.direction === 'asc' ? a.number - b.number : b.number - a.number));
    const { items, headers } = paginate(all, query, url);
    return { status: 200, headers, body: items.map((issue) => shapes.issue(repository, issue, people(world))) };
}

/// Oldest first, as GitHub has them.
function listEvents(context) {
    const { world, shapes, query, url } = context;
    const { items, headers } = paginate(findIssue(context).events, query, url);
    return { status: 200, headers, body: items.map((event) => shapes.issueEvent(event, people(world))) };
}

function listInstallations({ world, shapes, actor, query, url }) {
    if (actor.kind !== 'app')
        throw new ApiError(401, { message: 'A JSON web token could not be decoded' });
    const installed = [...world.repositories.values()].filter((repository) => repository.installed);
    const firsts = installed.filter((r, i) => installed.findIndex((other) => other.owner === r.owner) === i);
    const { items, headers } = paginate(firsts, query, url);
    const body = items.map((repository) => shapes.installation(world.app, repository, people(world)(repository.owner)));
    return { status: 200, headers, body };
}

function listOfInstallation({ world, shapes, actor, query, url }) {
    if (actor.kind !== 'installation')
        throw forbidden('You must authenticate with an installation access token in order to list repositories for an installation.');
    const all = actor.repositories.map((id) => world.repositoryById(id));
    const { items, headers } = paginate(all, query, url);
    const repositories = items.map((repository) => shapes.repository(repository, people(world)(repository.owner)));
    return { status: 200, headers, body: { total_count: all.length, repositories } };
}

function listOfUser({ world, shapes, actor, query, url }) {
    if (actor.kind !== 'user')
        throw forbidden('Resource not accessible by integration');
    const all = [...world.repositories.values()].filter((repository) => actor.login in repository.collaborators);
    const { items, headers } = paginate(all, query, url);
    return { status: 200, headers, body: items.map((r) => shapes.repository(r, people(world)(r.owner))) };
}

export const LISTING_OPERATIONS = {
    'issues/list-for-repo': { access: readIssues, run: listIssues },
    'issues/list-events': { access: readIssues, run: listEvents },
    'apps/list-installations': { run: listInstallations },
    'apps/list-repos-accessible-to-installation': { run: listOfInstallation },
    'repos/list-for-authenticated-user': { run: listOfUser },
};
