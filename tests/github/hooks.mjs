// The hooks of the App and of repositories, what they delivered, and delivering it again: really, when
// the hook has an address and the delivery a payload.
import { createHmac, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

import { permissionOf } from './access.mjs';
import { ApiError, notFound } from './errors.mjs';
import { paginate } from './common.mjs';

const ANSWER_MS = 10_000; // GitHub waits so long

/// Resolves to { status, status_code } as GitHub notes them.
export function sendDelivery(hook, delivery) {
    const text = JSON.stringify(delivery.payload);
    const headers = {
        'content-type': 'application/json', 'content-length': Buffer.byteLength(text), accept: '*/*',
        'user-agent': 'GitHub-Hookshot/044aadd', 'x-github-event': delivery.event, 'x-github-delivery': delivery.guid,
        'x-github-hook-id': String(hook.id),
        'x-github-hook-installation-target-type': hook.repository ? 'repository' : 'integration',
    };
    if (hook.secret)
        headers['x-hub-signature-256'] = `sha256=${createHmac('sha256', hook.secret).update(text).digest('hex')}`;
    return new Promise((resolve) => {
        const send = hook.url.startsWith('https:') ? httpsRequest : httpRequest;
        const request = send(hook.url, { method: 'POST', headers, timeout: ANSWER_MS, rejectUnauthorized: false });
        request.on('timeout', () => request.destroy(new Error('timed out')));
        request.on('error', (error) => resolve(error.message === 'timed out'
            ? { status: 'timed out', status_code: 504 } : { status: 'failed to connect to host', status_code: 502 }));
        request.on('response', (response) => {
            const ok = response.statusCode < 300;
            response.resume();
            resolve({ status: ok ? 'OK' : `Invalid HTTP Response: ${response.statusCode}`, status_code: response.statusCode });
        });
        request.end(text);
    });
}

/// A delivery of a test: noted as it says, or, with "send", sent to the hook's address first.
export async function makeDelivery(world, hook, { send = false, ...given }) {
    const delivery = { guid: randomUUID(), event: 'issues', action: null, payload: null, ...given };
    return world.addDelivery(hook, { ...delivery, ...(send ? await sendDelivery(hook, delivery) : {}) });
}

function listDeliveries({ world, shapes, query, url }, hook) {
    const all = hook.deliveries.toReversed();
    const below = query.cursor === undefined ? Infinity : Number(/^v1_(\d+)$/.exec(query.cursor)?.[1]);
    if (Number.isNaN(below))
        throw new ApiError(400, { message: 'Invalid cursor' });
    const older = all.filter((delivery) => delivery.id < below);
    const size = Math.min(Number(query.per_page ?? 30), 100);
    const page = older.slice(0, size);
    const next = new URL(url);
    next.searchParams.set('cursor', `v1_${page.at(-1)?.id}`);
    return {
        status: 200, body: page.map((delivery) => shapes.delivery(delivery)),
        headers: older.length > size ? { link: `<${next}>; rel="next"` } : {},
    };
}

function redeliver({ world, params }, hook) {
    const delivery = hook.deliveries.find((d) => d.id === Number(params.delivery_id));
    if (!delivery)
        throw notFound();
    const { payload, guid, event, action } = delivery;
    const fate = hook.fails ?? { send: Boolean(hook.url && payload) };
    void makeDelivery(world, hook, { payload, guid, event, action, redelivery: true, ...fate });
    return { status: 202, body: {} };
}

function appHook({ world, actor }) {
    if (actor.kind !== 'app')
        throw new ApiError(401, { message: 'A JSON web token could not be decoded' });
    const hook = world.hooks.find((h) => h.repository === null);
    if (!hook)
        throw notFound();
    return hook;
}

/// Hooks are for those who administer a repository.
function requireAdmin({ actor, repository }) {
    if (actor.kind !== 'user' || permissionOf(repository, actor.login) !== 'admin')
        throw notFound();
}

function repositoryHook(context) {
    const { world, repository, params } = context;
    requireAdmin(context);
    const hook = world.hooks.find((h) => h.repository === repository.full_name && h.id === Number(params.hook_id));
    if (!hook)
        throw notFound();
    return hook;
}

function listHooks(context) {
    const { world, shapes, repository, query, url } = context;
    requireAdmin(context);
    const all = world.hooks.filter((hook) => hook.repository === repository.full_name);
    const { items, headers } = paginate(all, query, url);
    return { status: 200, headers, body: items.map((hook) => shapes.hook(repository, hook)) };
}

export const HOOK_OPERATIONS = {
    'apps/list-webhook-deliveries': { run: (c) => listDeliveries(c, appHook(c)) },
    'apps/redeliver-webhook-delivery': { run: (c) => redeliver(c, appHook(c)) },
    'repos/list-webhooks': { run: listHooks },
    'repos/list-webhook-deliveries': { run: (c) => listDeliveries(c, repositoryHook(c)) },
    'repos/redeliver-webhook-delivery': { run: (c) => redeliver(c, repositoryHook(c)) },
};
