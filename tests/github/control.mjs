// The control API of the stand-in, JSON over plain HTTP on loopback: what a test sets up and reads back.
// The calls are listed at the top of server.mjs.
import { makeDelivery } from './hooks.mjs';

async function readJson(request) {
    const chunks = [];
    for await (const chunk of request)
        chunks.push(chunk);
    return chunks.length ? JSON.parse(Buffer.concat(chunks).toString('utf8')) : {};
}

class Missing extends Error {}

function found(value, what) {
    if (value === undefined)
        throw new Missing(`no such ${what}`);
    return value;
}

function pickRepository(world, owner, name) {
    return found(world.repository(`${owner}/${name}`), 'repository');
}

function createIssue({ world }, [owner, name], body) {
    return world.addIssue(pickRepository(world, owner, name), body);
}

function editIssue({ world }, [owner, name, number], body) {
    const issue = found(pickRepository(world, owner, name).issues.get(Number(number)), 'issue');
    return world.editIssue(issue, body);
}

/// `times` of the same text may be asked for, to fill pages.
function createComments({ world }, [owner, name, number], { user, body, app_id = null, times = 1 }) {
    const repository = pickRepository(world, owner, name);
    const issue = found(repository.issues.get(Number(number)), 'issue');
    return Array.from({ length: times }, () => world.addComment(repository, issue, user, body, app_id));
}

function editPull({ world }, [owner, name, number], body) {
    const repository = pickRepository(world, owner, name);
    const pull = found(repository.pulls.get(Number(number)), 'pull request');
    world.editPull(repository, pull, body);
    return pull;
}

/// Opened by somebody; its commits are made up.
function createPull({ world }, [owner, name], { user = 'ann', head = 'topic', base = 'main', ...rest }) {
    const repository = pickRepository(world, owner, name);
    const commits = { head: '6dcb09b5b57875f334f61aebed695e2e4193db5e', base: '9c48853fa3dc5c1c3d6f1f1cd1f2743e72652840' };
    return world.addPull(repository, user, { title: 'A title', ...rest, head, base }, commits);
}

function createReview({ world }, [owner, name, number], body) {
    const repository = pickRepository(world, owner, name);
    return world.addReview(repository, found(repository.pulls.get(Number(number)), 'pull request'), body);
}

function createCheckRun({ world }, [owner, name], body) {
    return world.addCheckRun(pickRepository(world, owner, name), { app_id: 1, ...body });
}

function createJob({ world }, [owner, name], body) {
    return world.addJob(pickRepository(world, owner, name), body);
}

const pickHook = (world, id) => found(world.hooks.find((hook) => hook.id === Number(id)), 'hook');

function editHook({ world }, [id], { fails = null }) {
    return Object.assign(pickHook(world, id), { fails });
}

function createDelivery({ world }, [id], body) {
    return makeDelivery(world, pickHook(world, id), body);
}

function editApp({ world }, _, body) {
    return Object.assign(world.app, body);
}

function renameRepository({ world }, [owner, name], { full_name }) {
    world.renameRepository(pickRepository(world, owner, name), full_name);
    return {};
}

function readRepository({ world }, [owner, name]) {
    const { full_name } = pickRepository(world, owner, name);
    return world.snapshot().repositories.find((repository) => repository.full_name === full_name);
}

/// Tokens of installations end now; all tokens when `all` is set.
function revokeTokens({ world }, _, { all = false }) {
    for (const [token, record] of world.tokens)
        if (all || record.kind === 'installation')
            world.tokens.delete(token);
    return {};
}

function countRequests({ api }) {
    const counts = {};
    for (const { method, operation, status } of api.requests) {
        const key = operation ?? method;
        counts[key] ??= { total: 0 };
        counts[key].total++;
        counts[key][status] = (counts[key][status] ?? 0) + 1;
    }
    return counts;
}

function reset({ world, api, faults }) {
    world.reset();
    faults.clear();
    api.clear();
    return {};
}

const SEGMENT = '([^/]+)';
const ROUTES = [
    ['POST', 'setup', ({ world }, _, body) => (world.setup(body), {})],
    ['POST', 'reset', reset],
    ['GET', 'state', ({ world }) => world.snapshot()],
    ['GET', 'violations', ({ api }) => api.violations],
    ['DELETE', 'violations', ({ api }) => ((api.violations.length = 0), {})],
    ['GET', 'requests', ({ api }) => api.requests],
    ['DELETE', 'requests', ({ api }) => ((api.requests.length = 0), {})],
    ['GET', 'counts', countRequests],
    ['POST', 'faults', ({ faults }, _, body) => (faults.add(body), {})],
    ['DELETE', 'faults', ({ faults }) => (faults.clear(), {})],
    ['POST', 'delay', ({ api }, _, { ms }) => ((api.delayMs = ms), {})],
    ['POST', 'refuse', async ({ refuse }, _, { ms }) => (await refuse(ms), {})],
    ['POST', 'tokens/revoke', revokeTokens],
    ['GET', `repos/${SEGMENT}/${SEGMENT}`, readRepository],
    ['PATCH', 'app', editApp],
    ['POST', `repos/${SEGMENT}/${SEGMENT}/rename`, renameRepository],
    ['POST', `repos/${SEGMENT}/${SEGMENT}/issues`, createIssue],
    ['PATCH', `repos/${SEGMENT}/${SEGMENT}/issues/${SEGMENT}`, editIssue],
    ['POST', `repos/${SEGMENT}/${SEGMENT}/issues/${SEGMENT}/comments`, createComments],
    ['PATCH', `repos/${SEGMENT}/${SEGMENT}/pulls/${SEGMENT}`, editPull],
    ['POST', `repos/${SEGMENT}/${SEGMENT}/pulls`, createPull],
    ['POST', `repos/${SEGMENT}/${SEGMENT}/pulls/${SEGMENT}/reviews`, createReview],
    ['POST', `repos/${SEGMENT}/${SEGMENT}/check-runs`, createCheckRun],
    ['POST', `repos/${SEGMENT}/${SEGMENT}/jobs`, createJob],
    ['POST', 'hooks', ({ world }, _, body) => world.addHook(body)],
    ['PATCH', `hooks/${SEGMENT}`, editHook],
    ['POST', `hooks/${SEGMENT}/deliveries`, createDelivery],
].map(([method, path, run]) => ({ method, pattern: new RegExp(`^/_control/${path}$`), run }));

export function makeControl(parts) {
    const send = (response, status, body) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(`${JSON.stringify(body, null, 1)}\n`);
    };
    return async (request, response) => {
        try {
            const { pathname } = new URL(request.url, 'http://localhost');
            const route = ROUTES.find((r) => r.method === request.method && r.pattern.test(pathname));
            if (!route)
                return send(response, 404, { error: `no control call ${request.method} ${pathname}` });
            const names = route.pattern.exec(pathname).slice(1).map(decodeURIComponent);
            return send(response, 200, await route.run(parts, names, await readJson(request)) ?? {});
        } catch (error) {
            return send(response, error instanceof Missing ? 404 : 400, { error: error.message });
        }
    };
}
