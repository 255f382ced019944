// Git over smart HTTP beside the API, as on github.com: /OWNER/NAME[.git]/... is handed to git's own
// http-backend for repositories that have a git directory. User x-access-token (or anything) and a
// token as the password; contents read to fetch, contents write to push.
import { spawn } from 'node:child_process';

import { permissionOf, tokenActor } from './access.mjs';

const PATH = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/;

export function matchGit(pathname) {
    const match = PATH.exec(pathname);
    return match && !['repos', 'app', 'users'].includes(match[1])
        ? { fullName: `${match[1]}/${match[2]}`, service: match[3] } : null;
}

function refuse(response, status, text, headers = {}) {
    response.writeHead(status, { 'content-type': 'text/plain', ...headers });
    response.end(`${text}\n`);
}

function mayUse(world, repository, authorization, pushes) {
    const [, encoded] = /^Basic (\S+)$/i.exec(authorization ?? '') ?? [];
    if (!encoded)
        return false;
    const password = Buffer.from(encoded, 'base64').toString('utf8').split(/:(.*)/s)[1] ?? '';
    try {
        const actor = tokenActor(world, password);
        if (actor.kind === 'user')
            return (pushes ? ['write', 'maintain', 'admin'] : ['read', 'triage', 'write', 'maintain', 'admin'])
                .includes(permissionOf(repository, actor.login));
        return actor.repositories.includes(repository.id)
            && (pushes ? ['write'] : ['read', 'write']).includes(actor.permissions.contents);
    } catch {
        return false;
    }
}

/// Copy the head of http-backend's CGI answer into the response; returns what follows it.
function applyCgiHead(response, head) {
    let status = 200;
    for (const line of head.split('\r\n')) {
        const [, name, value] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
        if (name?.toLowerCase() === 'status')
            status = Number.parseInt(value, 10);
        else if (name)
            response.setHeader(name, value);
    }
    response.statusCode = status;
}

function runBackend(request, response, repository, service, url) {
    const child = spawn('git', ['http-backend'], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: {
            PATH: process.env.PATH, HOME: '/nonexistent', GIT_HTTP_EXPORT_ALL: '1', REMOTE_USER: 'token',
            GIT_CONFIG_COUNT: '2', GIT_CONFIG_KEY_0: 'http.receivepack', GIT_CONFIG_VALUE_0: 'true',
            GIT_CONFIG_KEY_1: 'safe.directory', GIT_CONFIG_VALUE_1: '*',
            GIT_PROJECT_ROOT: repository.git_dir, PATH_INFO: `/${service}`, REQUEST_METHOD: request.method,
            QUERY_STRING: url.search.slice(1), CONTENT_TYPE: request.headers['content-type'] ?? '',
            HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
            GIT_PROTOCOL: request.headers['git-protocol'] ?? '', REMOTE_ADDR: '127.0.0.1',
        },
    });
    let pending = Buffer.alloc(0);
    let inBody = false;
    child.stdout.on('data', (chunk) => {
        if (inBody)
            return void response.write(chunk);
        pending = Buffer.concat([pending, chunk]);
        const end = pending.indexOf('\r\n\r\n');
        if (end < 0)
            return;
        inBody = true;
        applyCgiHead(response, pending.subarray(0, end).toString('latin1'));
        response.write(pending.subarray(end + 4));
    });
    child.stdout.on('end', () => response.end());
    child.stdin.on('error', () => {}); // it may answer without reading everything
    request.pipe(child.stdin);
}

export function serveGit(world, request, response, url, { fullName, service }) {
    const repository = world.repository(fullName);
    const moved = !repository && world.renamed.get(fullName.toLowerCase());
    if (moved)
        return refuse(response, 301, 'Moved.', { location: `/${moved.full_name}.git/${url.pathname.match(PATH)[3]}${url.search}` });
    const pushes = service === 'git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack';
    if (!repository?.git_dir)
        return refuse(response, 404, 'Repository not found.');
    const token = Buffer.from((request.headers.authorization ?? '').split(' ')[1] ?? '', 'base64').toString();
    if (repository.git_needs_classic && /:ghs_\d+_/.test(token))
        return refuse(response, 404, 'Repository not found.');
    if (!mayUse(world, repository, request.headers.authorization, pushes))
        return refuse(response, 401, 'Invalid username or token.', { 'www-authenticate': 'Basic realm="GitHub"' });
    if (pushes && repository.archived)
        return refuse(response, 403, 'This repository was archived so it is read-only.');
    return runBackend(request, response, repository, service, url);
}
