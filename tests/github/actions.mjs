// Jobs of GitHub Actions and their logs, which another host hands out, to whoever has the address.
import { notFound } from './errors.mjs';
import { paginate } from './common.mjs';

const LOG_PATH = /^\/_logs\/(\d+)$/;

function listJobs({ shapes, repository, params, query, url }) {
    const all = [...repository.jobs.values()].filter((job) => job.run_id === Number(params.run_id));
    if (!all.length)
        throw notFound();
    const { items, headers } = paginate(all, query, url);
    return { status: 200, headers, body: { total_count: all.length, jobs: items.map((job) => shapes.job(repository, job)) } };
}

function redirectToLog({ shapes, repository, params }) {
    const job = repository.jobs.get(Number(params.job_id));
    if (!job || job.log === null)
        throw notFound();
    const location = `${shapes.origin.replace('127.0.0.1', 'localhost')}/_logs/${job.id}`;
    return { status: 302, headers: { location }, body: {} };
}

/// The other host. Returns the log's bytes; undefined when it is not asked for one.
export function findLog(world, request, violate) {
    const [, id] = LOG_PATH.exec(request.url) ?? [];
    if (!id)
        return undefined;
    if (request.headers.authorization)
        violate('a credential is sent to the host of the logs');
    if (!request.headers.host.startsWith('localhost:'))
        violate('the log is not asked from the host that has it');
    const job = [...world.repositories.values()].map((r) => r.jobs.get(Number(id))).find(Boolean);
    return Buffer.from(job.log, job.log_encoding ?? 'utf8');
}

const readActions = { permissions: { actions: 'read' }, level: 'read', writes: false };

export const ACTION_OPERATIONS = {
    'actions/list-jobs-for-workflow-run': { access: readActions, run: listJobs },
    'actions/download-job-logs-for-workflow-run': { access: readActions, run: redirectToLog },
};
