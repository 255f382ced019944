// What end-to-end tests share: one stand-in for GitHub, one `draftd serve` with real containers, TLS and git
// over HTTPS, and repositories made for the test at hand.
//
// Environment: DRAFTD_TEST_ENGINE (socket of a Docker-compatible engine that has the image draftd-test),
// DRAFTD (the program; its runner lies beside it as built). Optional: DRAFTD_TEST_LOGS (a directory where logs of draftd
// are kept, a file for each file of tests), DRAFTD_TEST_VERBOSE (they go to standard error).
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHmac, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const github_dir = join(here, '..', 'github');

export const engine = process.env.DRAFTD_TEST_ENGINE;
export const draftd = process.env.DRAFTD;
const logs = process.env.DRAFTD_TEST_LOGS;
export { assert, sleep };

if (!engine || !draftd)
    throw new Error('set DRAFTD_TEST_ENGINE to a socket, unix:///..., and DRAFTD to the program');

const SECRET = "It's a Secret to Everybody";

export function git(...args) {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/// Call `probe` until it answers something true, and answer that.
export async function until(what, probe, timeout_ms = 60000) {
    const deadline = Date.now() + timeout_ms;
    let last;
    while (Date.now() < deadline) {
        try {
            const found = await probe();
            if (found)
                return found;
            last = undefined;
        } catch (error) {
            last = error;
        }
        await sleep(50);
    }
    throw new Error(`waited in vain for ${what}${last ? `: ${last.stack}` : ''}`);
}

/// A child that prints one line of JSON when it is ready and ends with its standard input.
async function startStandIn(dir, ...more) {
    const child = spawn(process.execPath, [join(github_dir, 'server.mjs'), '--dir', dir, ...more],
        { stdio: ['pipe', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout }))
        return { child, ...JSON.parse(line) };
    throw new Error('the stand-in for GitHub did not start');
}

/// Those that run. A test that fails may leave one, which must not keep its file from ending. This hook runs before those
/// that files have of their own, which stop their worlds properly.
const worlds = new Set();
const PATIENCE_MS = 20000;

if (process.env.NODE_TEST_CONTEXT)
    after(() => {
        setTimeout(() => {
            for (const world of worlds) {
                world.child?.kill('SIGKILL');
                world.github.child.kill();
            }
        }, PATIENCE_MS).unref();
    });

export class World {
    /// options: app (bool), config (YAML lines appended), profiles ([{name, command, timeout_minutes}]),
    /// sandbox (more members), workers, permissions (of the App), scopes (of the machine user's token: a
    /// classic one), token_minutes,
    /// github (more lines of that section), address (where the stand-in is api.github.com and github.com; needs root),
    /// http (bool: without TLS), descriptors (as many as it may have)
    static async start(options = {}) {
        const world = new World();
        world.options = options;
        world.dir = mkdtempSync('/tmp/dt-');
        world.github = await startStandIn(world.dir, ...(options.address ? ['--as-github', options.address] : []));
        worlds.add(world);
        world.repositories = new Map();
        world.local = [];
        world.log = '';
        try {
            await world.prepare();
            if (options.serve !== false)
                await world.serve();
        } catch (error) {
            world.github.child.kill();
            throw error;
        }
        return world;
    }

    async prepare() {
        const { privateKey, publicKey } = generateKeyPairSync('rsa', {
            modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' },
            privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
        });
        this.whsec = randomBytes(32);
        const files = {
            'github.secret': SECRET, 'github.pem': privateKey, 'github.token': 'ghp_machineUserToken0123456789012345678901',
            'local.secret': `whsec_${this.whsec.toString('base64')}`,
        };
        for (const [name, contents] of Object.entries(files))
            writeFileSync(join(this.dir, name), contents, { mode: 0o600 });
        await this.control('POST', 'setup', {
            app: {
                id: 4711, slug: 'draftd', public_key: publicKey,
                permissions: this.options.permissions ?? { contents: 'write', pull_requests: 'write', issues: 'write',
                    metadata: 'read', checks: 'write', actions: 'read' },
                token_minutes: this.options.token_minutes ?? 60,
            },
            users: [{ login: 'ann' }, { login: 'eve' }, { login: 'draftd-bot' }],
            tokens: [{ token: files['github.token'], login: 'draftd-bot', scopes: this.options.scopes }],
        });
    }

    async control(method, path, body) {
        const answer = await fetch(`${this.github.control}/${path}`, {
            method, body: body && JSON.stringify(body), headers: { 'content-type': 'application/json' },
        });
        const text = await answer.text();
        assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
        return text ? JSON.parse(text) : undefined;
    }

    writeConfig() {
        const { options } = this;
        const who = options.app === false
            ? 'token_file: github.token\n  login: draftd-bot'
            : 'app: { id: 4711, private_key_file: github.pem }\n  login: draftd-bot';
        const profiles = options.profiles ?? [{ name: 'script', command: 'sh .agent.sh' }];
        const local = this.local.map(({ name, path }) => `{ name: ${name}, path: "${path}" }`);
        const sandbox = { engine, image: 'draftd-test', memory_mib: 512, disk_mib: 64, tmp_mib: 32, processes: 128,
            ...options.sandbox };
        writeFileSync(join(this.dir, 'draftd.yml'), [
            `listen: { address: 127.0.0.1, port: ${this.port ?? 0}, http: ${options.http ?? false} }`,
            `state_dir: ${this.dir}/state`,
            `workers: ${options.workers ?? 4}`,
            'github:',
            `  webhook_secret_file: github.secret`,
            `  ${who}`,
            ...(options.address ? [] : [`  api_url: ${this.github.api}`, `  git_url: ${this.github.api}`]),
            `  ca_file: ${this.github.ca}`,
            '  repositories: [ "acme/*" ]',
            ...(options.github ?? []).map((line) => `  ${line}`),
            ...(local.length ? [`local: { secret_file: local.secret, repositories: [ ${local.join(', ')} ] }`] : []),
            `sandbox: ${JSON.stringify(sandbox)}`,
            `agents: { default: ${profiles[0].name}, profiles: ${JSON.stringify(profiles)} }`,
            ...(options.config ?? []),
        ].join('\n'));
    }

    /// What draftd is started by: with a limit of its own; where it is to take the stand-in for GitHub, with names of hosts of its own.
    enclosure() {
        const { address, descriptors } = this.options;
        if (descriptors)
            return ['sh', '-ec', 'ulimit -n "$1"; shift; exec "$@"', 'sh', String(descriptors)];
        if (!address)
            return [];
        const hosts = join(this.dir, 'hosts');
        writeFileSync(hosts, `127.0.0.1 localhost\n${address} api.github.com github.com\n`);
        return ['unshare', '--mount', 'sh', '-ec', 'mount --bind "$1" /etc/hosts; shift; exec "$@"', 'sh', hosts];
    }

    /// Start `draftd serve` and wait until it works.
    async serve() {
        this.writeConfig();
        const [program, ...words] = [...this.enclosure(), draftd, 'serve', '--config', join(this.dir, 'draftd.yml')];
        const child = spawn(program, words, {
            stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...this.options.env },
        });
        this.child = child;
        this.exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
        child.stderr.setEncoding('utf8');
        child.stderr.on('data', (text) => {
            this.log += text;
            if (process.env.DRAFTD_TEST_VERBOSE)
                process.stderr.write(text);
            if (logs)
                appendFileSync(join(logs, `${basename(process.argv[1] ?? 'draftd', '.test.mjs')}-${process.pid}.log`), text);
        });
        const begin = this.log.length;
        const ended = this.exited.then((how) => {
            throw new Error(`draftd ended with ${JSON.stringify(how)}: ${this.log.slice(begin)}`);
        });
        const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
        await Promise.race([until('draftd to serve', () => hasEnded() || this.log.slice(begin).includes('event=serving')), ended]);
        if (hasEnded())
            await ended;
        ended.catch(() => {}); // from now on it may
        this.port = Number(/event=listening .*port=(\d+)/.exec(this.log.slice(begin))[1]);
    }

    /// Wait until the log says it: what draftd has written may not have been read here yet.
    logged(pattern) {
        return until(`the log to say ${pattern}`, () => pattern.test(this.log), 10000);
    }

    async kill(signal = 'SIGKILL') {
        this.child.kill(signal);
        return this.exited;
    }

    async restart() {
        await this.kill();
        await this.serve();
    }

    /// Stop everything; a request that GitHub would refuse fails the test that made it.
    async stop() {
        const ended = await this.kill('SIGTERM');
        const violations = await this.control('GET', 'violations');
        this.github.child.kill();
        rmSync(this.dir, { recursive: true, force: true });
        assert.deepEqual(violations, []);
        assert.deepEqual(ended, { code: 0, signal: null }, this.log);
    }

    /// A repository acme/NAME on the stand-in with these files on main.
    async repository(name, files, more = {}) {
        const full_name = `acme/${name}`;
        const path = this.makeBare(name, files);
        await this.control('POST', 'setup', {
            repositories: [{
                full_name, git_dir: path, collaborators: { ann: 'write', eve: 'read', 'draftd-bot': 'write' },
                issues: [{ number: 1, title: 'Mend it', body: 'Please mend it.', user: 'ann' }], ...more,
            }],
        });
        this.repositories.set(full_name, path);
        return full_name;
    }

    makeBare(name, files) {
        const work = join(this.dir, 'seed', name);
        const bare = join(this.dir, 'git', `${name}.git`);
        mkdirSync(work, { recursive: true });
        git('init', '-q', '-b', 'main', work);
        for (const [path, contents] of Object.entries(files)) {
            mkdirSync(dirname(join(work, path)), { recursive: true });
            writeFileSync(join(work, path), contents);
        }
        git('-C', work, 'add', '-A');
        git('-C', work, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.org', 'commit', '-q', '--allow-empty', '-m', 'Start');
        git('clone', '-q', '--bare', work, bare);
        git('-C', bare, 'config', 'http.receivepack', 'true');
        return bare;
    }

    bare(repository) {
        return this.repositories.get(repository);
    }

    branches(repository) {
        return git('-C', this.bare(repository), 'for-each-ref', '--format=%(refname:short)', 'refs/heads/draftd')
            .split('\n').filter(Boolean);
    }

    fileAt(repository, ref, path) {
        return git('-C', this.bare(repository), 'show', `${ref}:${path}`);
    }

    /// POST raw bytes to a route.
    post(path, body, headers = {}) {
        return new Promise((resolve, reject) => {
            const call = (this.options.http ? plainRequest : request)({
                host: '127.0.0.1', servername: 'localhost', port: this.port, path, method: 'POST', ...this.options.http ? {} :
                    { ca: readFileSync(join(this.dir, 'state', 'tls.crt')) },
                headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
            }, (answer) => {
                let text = '';
                answer.setEncoding('utf8').on('data', (piece) => { text += piece; })
                    .on('end', () => resolve({ status: answer.statusCode, body: text }));
            });
            call.on('error', reject);
            call.end(body);
        });
    }

    /// Deliver an event as GitHub does. options: those of payloads.mjs, and delivery, secret, raw.
    async deliver(event, action, options) {
        const { makePayload } = await import('../github/payloads.mjs');
        const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
        const payload = makePayload(event, action, { sender: 'ann', number: 1, title: 'Mend it', ...options });
        for (const part of [payload.issue, payload.comment, payload.pull_request])
            if (part)
                Object.assign(part, { updated_at: options.at ?? now, ...(part === payload.comment ? { created_at: options.at ?? now } : {}) });
        if (payload.review)
            payload.review.submitted_at = options.at ?? now;
        const body = options.raw ?? JSON.stringify(payload);
        const mac = createHmac('sha256', options.secret ?? SECRET).update(body).digest('hex');
        return this.post('/webhooks/github', body, {
            'x-github-event': event, 'x-github-delivery': options.delivery ?? randomUUID(),
            'x-hub-signature-256': options.signature ?? `sha256=${mac}`, ...options.headers,
        });
    }

    label(repository, options = {}) {
        return this.deliver('issues', 'labeled', { repository, label: 'draftd', labels: ['draftd'], ...options });
    }

    /// Deliver to the platform "local", signed after Standard Webhooks.
    deliverLocal(body, { id = randomUUID(), timestamp = Math.floor(Date.now() / 1000), key = this.whsec } = {}) {
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${text}`).digest('base64');
        return this.post('/webhooks/local', text,
            { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${mac}` });
    }

    state(repository) {
        return this.control('GET', `repos/${repository}`);
    }

    async issue(repository, number = 1) {
        return (await this.state(repository)).issues.find((issue) => issue.number === number);
    }

    /// The status comments of an issue: written by the bot.
    async statuses(repository, number = 1) {
        const issue = await this.issue(repository, number);
        return issue.comments.filter((comment) => /^draftd/.test(comment.user.login ?? comment.user));
    }

    async pulls(repository) {
        return (await this.state(repository)).pulls;
    }

    cli(...args) {
        return execFileSync(draftd, [args[0], '--config', join(this.dir, 'draftd.yml'), ...args.slice(1)], { encoding: 'utf8' });
    }

    tasks() {
        return JSON.parse(this.cli('list', '--json'));
    }

    task(repository) {
        return this.tasks().find((task) => task.repository === repository);
    }

    show(repository) {
        const task = this.task(repository);
        return task && JSON.parse(this.cli('show', '--json', String(task.id)));
    }

    /// Wait until the repository's newest task has ended and its thread was told.
    async ended(repository, timeout_ms = 90000) {
        const task = await until(`the task of ${repository} to end`, () => {
            const found = this.task(repository);
            return found && !['queued', 'running'].includes(found.state) && found;
        }, timeout_ms);
        if (this.repositories.has(repository))
            await until('the last word', () => {
                assert.doesNotMatch(this.cli('show', String(task.id)), /\nowed .*/);
                return true;
            }, 30000);
        return this.show(repository);
    }

    askEngine(method, path) {
        return new Promise((resolve, reject) => {
            plainRequest({ socketPath: engine.replace('unix://', ''), method, path: `/v1.40${path}` }, (answer) => {
                let text = '';
                answer.on('data', (piece) => { text += piece; }).on('end', () => resolve(text));
            }).on('error', reject).end();
        });
    }

    /// The containers of this world's draftd, as the engine tells.
    async containers() {
        const [, instance] = /event=serving .*instance="(\w+)"/.exec(this.log);
        const filters = encodeURIComponent(JSON.stringify({ label: [`draftd.instance=${instance}`] }));
        return JSON.parse(await this.askEngine('GET', `/containers/json?all=1&filters=${filters}`));
    }

    removeContainer(id) {
        return this.askEngine('DELETE', `/containers/${id}?force=1`);
    }

    exists(path) {
        return existsSync(join(this.dir, path));
    }
}

/// A repository's usual files: a check that passes when answer.txt says 42.
export function usual(agent, more = {}) {
    return {
        '.draftd.yml': 'checks:\n  - { name: test, run: "sh test.sh" }\n',
        'test.sh': 'grep -q 42 answer.txt || { echo "answer.txt does not say 42"; exit 1; }\n',
        'answer.txt': '42\n',
        '.agent.sh': agent,
        ...more,
    };
}
