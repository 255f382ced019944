// Who is asking, and may they? Header rules, App JSON web tokens, installation tokens narrowed to
// repositories and permissions, and people's tokens with their permission on a repository.
import { createVerify } from 'node:crypto';

import { ApiError, badCredentials, forbidden, notFound } from './errors.mjs';

const LEVELS = ['none', 'read', 'triage', 'write', 'maintain', 'admin'];
const API_VERSION = '2022-11-28';

/// Throws what GitHub would answer; returns what GitHub would let pass but documents otherwise.
export function checkHeaders(headers, hasBody) {
    if (!headers['user-agent'])
        throw forbidden('Request forbidden by administrative rules. Please make sure your request has a User-Agent header.');
    const version = headers['x-github-api-version'];
    if (version !== undefined && version !== API_VERSION)
        throw new ApiError(400, { message: `${version} is not a supported version` });

    const faults = [];
    if (version === undefined)
        faults.push('X-GitHub-Api-Version is not sent');
    if (headers.accept !== 'application/vnd.github+json')
        faults.push(`Accept is ${headers.accept}, not application/vnd.github+json`);
    if (!headers.authorization)
        faults.push('Authorization is not sent');
    if (hasBody && !/^application\/json(;|$)/.test(headers['content-type'] ?? ''))
        faults.push(`Content-Type is ${headers['content-type']}, not application/json`);
    return faults;
}

function decodePart(part) {
    if (!/^[A-Za-z0-9_-]+$/.test(part))
        throw new Error('not base64url without padding');
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
}

const jwtError = (message) => new ApiError(401, { message });

/// The rules of GitHub's page on App authentication.
function checkJwt(world, token) {
    const [head, claims, signature, extra] = token.split('.');
    let header, payload;
    try {
        header = decodePart(head);
        payload = decodePart(claims);
    } catch {
        throw jwtError('A JSON web token could not be decoded');
    }
    const { app } = world;
    if (!app || extra !== undefined || header.alg !== 'RS256')
        throw jwtError('A JSON web token could not be decoded');
    if (String(payload.iss) !== String(app.id) && payload.iss !== app.client_id)
        throw jwtError("'Issuer' claim ('iss') must be an Integer");
    const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`);
    if (!verify.verify(app.public_key, signature, 'base64url'))
        throw jwtError('A JSON web token could not be decoded');

    const seconds = Date.now() / 1000;
    if (!Number.isInteger(payload.exp) || payload.exp <= seconds)
        throw jwtError("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires");
    if (payload.exp > seconds + 600)
        throw jwtError("'Expiration time' claim ('exp') is too far in the future");
    if (!Number.isInteger(payload.iat) || payload.iat > seconds)
        throw jwtError("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued");
    return { kind: 'app', login: `${app.slug}[bot]` };
}

/// Who holds this token?  { kind: 'app' | 'installation' | 'user', login, repositories?, permissions? }
export function tokenActor(world, token) {
    if (token.startsWith('ey'))
        return checkJwt(world, token);
    const record = world.tokens.get(token);
    if (!record || (record.expires_at && Date.parse(record.expires_at) <= Date.now()))
        throw badCredentials();
    if (record.kind === 'user')
        return { ...record };
    if (world.app.suspended)
        throw forbidden('This installation has been suspended');
    return { ...record, login: `${world.app.slug}[bot]`, app_id: world.app.id };
}

export function authenticate(world, headers) {
    const match = /^(?:Bearer|token) (\S+)$/i.exec(headers.authorization ?? '');
    if (!match)
        throw new ApiError(401, { message: 'Requires authentication' });
    return tokenActor(world, match[1]);
}

/// A person's permission on a repository: admin, maintain, write, triage, read or none.
export function permissionOf(repository, login) {
    const found = Object.entries(repository.collaborators)
        .find(([name]) => name.toLowerCase() === login.toLowerCase());
    return found?.[1] ?? (repository.private ? 'none' : 'read');
}

const atLeast = (have, need) => LEVELS.indexOf(have) >= LEVELS.indexOf(need);

function requireInstallation(actor, repository, permissions, writes) {
    const listed = actor.repositories.includes(repository.id);
    if (!listed && (repository.private || !writes)) {
        if (repository.private)
            throw notFound();
        return;
    }
    const enough = Object.entries(permissions)
        .some(([name, level]) => atLeast(actor.permissions[name] ?? 'none', level));
    if (listed && enough)
        return;
    throw forbidden('Resource not accessible by integration',
        Object.entries(permissions).map(([name, level]) => `${name}=${level}`).join('; '));
}

/// `permissions`: any one of these is enough for an installation, { issues: 'write' }; `level`: what
/// a person needs on the repository.
export function requireAccess(actor, repository, { permissions, level, writes }) {
    if (actor.kind === 'app')
        throw new ApiError(401, { message: 'A JSON web token is not accepted here: use an installation access token' });
    if (actor.kind === 'installation')
        requireInstallation(actor, repository, permissions, writes);
    else if (!atLeast(permissionOf(repository, actor.login), 'read'))
        throw notFound();
    else if (!atLeast(permissionOf(repository, actor.login), level))
        throw forbidden('Resource not accessible by personal access token');
    if (writes && repository.archived)
        throw forbidden('Repository was archived so is read-only.');
}
