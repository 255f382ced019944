// One API request from its bytes to its answer: faults, header rules, the description, who asks, what
// it does. Every request is noted; what GitHub would refuse or its documentation forbids is a violation.
import { createHash } from 'node:crypto';

import { authenticate, checkHeaders } from './access.mjs';
import { findLog } from './actions.mjs';
import { ApiError, invalid } from './errors.mjs';
import { faultAnswer } from './faults.mjs';
import { matchGit, serveGit } from './git.mjs';
import { runGraphql } from './graphql.mjs';
import { runOperation } from './operations.mjs';

const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
const RATE_LIMIT = 5000;
const SERVER_PREFIX = /^\/api\/v3\//; // of GitHub Enterprise Server, before every path
const GRAPHQL_PATHS = ['/graphql', '/api/graphql']; // the latter on a server of one's own
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function readBody(request) {
    const chunks = [];
    let size = 0;
    for await (const chunk of request) {
        size += chunk.length;
        if (size <= MAX_REQUEST_BYTES)
            chunks.push(chunk);
    }
    if (size > MAX_REQUEST_BYTES)
        throw new ApiError(413, { message: 'Payload too big' });
    return Buffer.concat(chunks);
}

function parseBody(bytes) {
    if (!bytes.length)
        return undefined;
    try {
        return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch {
        throw new ApiError(400, { message: 'Problems parsing JSON' });
    }
}

/// An answer to git that never arrives, although everything was carried out.
function lost(response) {
    return { setHeader() {}, writeHead() {}, write() {}, end: () => response.destroy() };
}

/// The answer's bytes and headers; what has not changed since the asker's ETag is not sent again.
function finish({ method, condition }, { status, body, headers = {} }) {
    const text = Buffer.from(JSON.stringify(body));
    const etag = `W/"${createHash('sha256').update(text).digest('hex')}"`;
    if (method === 'GET' && status === 200 && condition === etag)
        return { status: 304, text: '', headers: { ...headers, etag } };
    return {
        status, text,
        headers: {
            'content-type': 'application/json; charset=utf-8', 'content-length': text.length,
            ...(method === 'GET' && status === 200 ? { etag } : {}), ...headers,
        },
    };
}

export class Api {
    constructor(world, contract, faults, shapes) {
        Object.assign(this, { world, contract, faults, shapes });
        this.clear();
    }

    clear() {
        this.requests = [];
        this.violations = [];
        this.delayMs = 0;
        this.remaining = RATE_LIMIT;
    }

    violate(entry, reason) {
        const violation = { method: entry.method, url: entry.url, reason };
        this.violations.push(violation);
        console.error(`VIOLATION ${entry.method} ${entry.url} ${reason}`);
    }

    /// /repositories/ID/... is where renamed repositories redirect to.
    resolvePath(pathname) {
        const [, id, rest] = /^\/repositories\/(\d+)(\/.*)?$/.exec(pathname) ?? [];
        const repository = id && this.world.repositoryById(Number(id));
        return repository ? `/repos/${repository.full_name}${rest ?? ''}` : pathname;
    }

    async answer(entry, request, bytes) {
        const url = new URL(request.url, this.shapes.origin);
        const headerFaults = checkHeaders(request.headers, bytes.length > 0);
        headerFaults.forEach((reason) => this.violate(entry, reason));
        let body;
        try {
            body = parseBody(bytes);
        } catch (error) {
            this.violate(entry, 'the body is not JSON');
            throw error;
        }
        if (GRAPHQL_PATHS.includes(url.pathname))
            return this.answerGraphql(entry, request, body, headerFaults);
        const checked = this.contract.check({
            method: request.method.toLowerCase(), path: this.resolvePath(url.pathname.replace(SERVER_PREFIX, '/')),
            query: Object.fromEntries(url.searchParams), headers: request.headers, body,
        });
        entry.operation = checked.operation ?? null;
        checked.faults.forEach((reason) => this.violate(entry, reason));
        if (!checked.operation)
            throw new ApiError(404, { message: 'Not Found' });
        const reasons = [...headerFaults, ...checked.faults];
        if (reasons.length)
            throw invalid(reasons, 'Invalid request.');

        const actor = authenticate(this.world, request.headers);
        entry.actor = `${actor.kind} ${actor.login}`;
        entry.scopes = actor.scopes;
        return runOperation({
            violate: (reason) => this.violate(entry, reason),
            world: this.world, shapes: this.shapes, actor, operation: checked.operation, method: request.method,
            headers: request.headers,
            params: checked.params, query: checked.query, body, url: new URL(`${url.pathname}${url.search}`, this.shapes.origin),
        });
    }

    answerGraphql(entry, request, body, headerFaults) {
        entry.operation = 'graphql';
        if (headerFaults.length)
            throw invalid(headerFaults, 'Invalid request.');
        const actor = authenticate(this.world, request.headers);
        entry.actor = `${actor.kind} ${actor.login}`;
        return runGraphql({ world: this.world, actor, body, entry, violate: (reason) => this.violate(entry, reason) });
    }

    async answerOrError(entry, request, bytes) {
        try {
            return await this.answer(entry, request, bytes);
        } catch (error) {
            if (error instanceof ApiError)
                return error;
            console.error(error);
            return { status: 500, body: { message: `stand-in failed: ${error.message}` } };
        }
    }

    send(entry, response, answer, fault) {
        const { status, text, headers } = finish(entry, answer);
        entry.status = status;
        if (status !== 304)
            this.remaining = Math.max(this.remaining - 1, 0);
        response.writeHead(status, {
            'x-github-media-type': 'github.v3; format=json',
            'x-ratelimit-limit': String(RATE_LIMIT),
            'x-ratelimit-remaining': String(this.remaining),
            'x-ratelimit-used': String(RATE_LIMIT - this.remaining),
            'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 3600),
            'x-ratelimit-resource': 'core',
            ...(entry.scopes === undefined ? {} : { 'x-oauth-scopes': entry.scopes }),
            ...headers,
        });
        if (fault?.close !== 'half')
            return void response.end(text);
        response.write(text.subarray(0, text.length / 2), () => response.destroy());
    }

    note(request) {
        const entry = { method: request.method, url: request.url, at: Date.now(), operation: null, actor: null, status: null,
            condition: request.headers['if-none-match'] ?? null };
        this.requests.push(entry);
        return entry;
    }

    async handle(request, response) {
        const entry = this.note(request);
        const fault = this.faults.take(request.method, request.url);
        if (this.delayMs || fault?.delay_ms)
            await sleep(this.delayMs + (fault?.delay_ms ?? 0));

        const url = new URL(request.url, this.shapes.origin);
        const git = matchGit(url.pathname);
        if (git && (fault?.after || (!fault?.status && !fault?.hang && !fault?.close))) {
            entry.operation = `git/${git.service}`;
            response.on('finish', () => { entry.status = response.statusCode; });
            return serveGit(this.world, request, fault?.after ? lost(response) : response, url, git);
        }

        const log = findLog(this.world, request, (reason) => this.violate(entry, reason));
        if (log) {
            Object.assign(entry, { operation: 'log', status: 200 });
            return void response.writeHead(200, { 'content-type': 'text/plain' }).end(log);
        }
        const bytes = await readBody(request);
        entry.operation = fault ? 'fault' : null;
        const spoilt = fault && (faultAnswer(fault) || fault.hang || fault.close);
        const real = !spoilt || fault.after || fault.close === 'half'
            ? await this.answerOrError(entry, request, bytes) : null;
        if (fault?.hang)
            return undefined;
        if (fault?.close === 'before')
            return void response.destroy();
        return this.send(entry, response, (fault && faultAnswer(fault)) ?? real, fault);
    }
}
