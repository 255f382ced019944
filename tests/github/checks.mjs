// What is said about commits: check runs, which belong to Apps, and commit statuses.
import { ApiError, forbidden, invalid, notFound } from './errors.mjs';
import { paginate, people } from './common.mjs';
import { hasCommit } from './state.mjs';

function requireApp(actor) {
    if (actor.kind !== 'installation')
        throw forbidden('You must authenticate via a GitHub App.');
}

function requireCommit(repository, sha) {
    if (!/^[0-9a-f]{40}$/.test(sha) || !hasCommit(repository, sha))
        throw new ApiError(422, { message: `No commit found for SHA: ${sha}` });
}

function findCheck({ repository, params }) {
    const check = repository.checkRuns.get(Number(params.check_run_id));
    if (!check)
        throw notFound();
    return check;
}

function createCheck({ world, shapes, actor, repository, body, violate }) {
    requireApp(actor);
    requireCommit(repository, body.head_sha);
    if (body.status === 'completed' && !body.conclusion)
        violate('a completed check run without a conclusion');
    const check = world.addCheckRun(repository, { ...body, app_id: actor.app_id });
    return { status: 201, body: shapes.checkRun(repository, check, world.app) };
}

function updateCheck(context) {
    const { world, shapes, actor, repository, body } = context;
    requireApp(actor);
    const check = findCheck(context);
    if (check.app_id !== actor.app_id)
        throw forbidden('Invalid app_id `' + actor.app_id + '` - check run can only be modified by the GitHub App that created it.');
    world.editCheckRun(check, body);
    return { status: 200, body: shapes.checkRun(repository, check, world.app) };
}

/// Newest first; of each App and name the newest only, unless all are asked for.
function listChecks({ world, shapes, repository, query, url }, matches) {
    const all = [...repository.checkRuns.values()].filter(matches).reverse()
        .filter((check) => query.check_name === undefined || check.name === query.check_name)
        .filter((check) => query.status === undefined || check.status === query.status)
        .filter((check, i, list) => query.filter === 'all' ||
            list.findIndex((c) => c.app_id === check.app_id && c.name === check.name) === i);
    const { items, headers } = paginate(all, query, url);
    const check_runs = items.map((check) => shapes.checkRun(repository, check, world.app));
    return { status: 200, headers, body: { total_count: all.length, check_runs } };
}

function listChecksOfSuite(context) {
    const suite = Number(context.params.check_suite_id);
    if (![...context.repository.checkRuns.values()].some((check) => check.suite_id === suite))
        throw notFound();
    return listChecks(context, (check) => check.suite_id === suite);
}

function createStatus({ world, shapes, actor, repository, params, body }) {
    requireCommit(repository, params.sha);
    if ([...(body.description ?? '')].length > 140)
        throw invalid([{ resource: 'Status', code: 'custom', field: 'description',
            message: 'description is too long (maximum is 140 characters)' }]);
    const status = world.addStatus(repository, params.sha, actor.login, body);
    return { status: 201, body: shapes.status(repository, status, people(world)) };
}

const readChecks = { permissions: { checks: 'read' }, level: 'read', writes: false };
const writeChecks = { permissions: { checks: 'write' }, level: 'write', writes: true };
const writeStatuses = { permissions: { statuses: 'write' }, level: 'write', writes: true };

export const CHECK_OPERATIONS = {
    'checks/create': { access: writeChecks, run: createCheck },
    'checks/update': { access: writeChecks, run: updateCheck },
    'checks/list-for-ref': { access: readChecks, run: (c) => listChecks(c, (check) => check.head_sha === c.params.ref) },
    'checks/list-for-suite': { access: readChecks, run: listChecksOfSuite },
    'repos/create-commit-status': { access: writeStatuses, run: createStatus },
};
