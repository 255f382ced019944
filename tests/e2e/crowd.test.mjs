// Too many clients, slow ones and liars: deliveries are taken all the same, and what it costs is bounded.
import { after, before, describe, test } from 'node:test';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { join } from 'node:path';

import { World, assert, usual } from './harness.mjs';

const CROWD = 10000;
const AT_ONCE = 500;

const signed = `X-Hub-Signature-256: sha256=${'0'.repeat(64)}\r\nX-GitHub-Event: issues\r\nX-GitHub-Delivery: slow\r\n`;
const request = 'POST /webhooks/github HTTP/1.1\r\nHost: t\r\n';

/// What slow clients say at first, and then from time to time, without an end.
const requests = [
    ['', ''],
    [`${request}X-Slow: `, 'a'],
    [`${request}${signed}Content-Length: 26214400\r\n\r\n{`, ' '],
    [`${request}${signed}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
];
const handshakes = [['', ''], ['\x16\x03\x01\x02\x00\x01\x00', '\x01']];

/// Clients that come, from `address(i)`, say a little now and then, and wait. Those that draftd closes stay closed.
class Crowd {
    constructor(world, address, make = connect) {
        this.beginnings = world.options.http || make === connectTls ? requests : handshakes;
        Object.assign(this, { world, address, make, sockets: [], timer: setInterval(() => this.drip(), 250) });
    }

    async gather(count) {
        for (let done = 0; done < count; done += AT_ONCE)
            await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => this.add(done + i)));
    }

    add(i) {
        return new Promise((resolve) => {
            const socket = this.make({ host: '127.0.0.1', port: this.world.port, localAddress: this.address(i), rejectUnauthorized: false });
            const [first, more] = this.beginnings[i % this.beginnings.length];
            this.sockets.push({ socket, more });
            socket.on('error', resolve).on('close', resolve).resume()
                .on(this.make === connect ? 'connect' : 'secureConnect', () => { socket.write(first); resolve(); });
        });
    }

    drip() {
        this.sockets = this.sockets.filter(({ socket }) => !socket.destroyed && socket.writable);
        for (const { socket, more } of this.sockets)
            if (more && socket.writableLength < 1000)
                socket.write(more);
    }

    leave() {
        clearInterval(this.timer);
        for (const { socket } of this.sockets)
            socket.destroy();
    }
}

const one = () => '127.0.0.1';
const many = (i) => `127.${1 + (i >> 14)}.${(i >> 7) & 127}.${1 + (i & 127)}`;

/// A number of /proc/PID/status, in KiB.
const memory = (world, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${world.child.pid}/status`, 'utf8'))[1]);

const descriptors = (world) => readdirSync(`/proc/${world.child.pid}/fd`).length;

function metrics({ options, port }) {
    const text = execFileSync('curl', ['-sSk', `${options.http ? 'http' : 'https'}://localhost:${port}/metrics`], { encoding: 'utf8' });
    return Object.fromEntries(text.split('\n').filter((line) => /^draftd_\w+ \d/.test(line)).map((line) => line.split(' ')));
}

const stored = (world) => JSON.parse(world.cli('list', '--deliveries', '--json', '--limit', '100000')).length;

const lines = (world, event) => world.log.split('\n').filter((line) => line.includes(`event=${event} `)).length;

/// Bytes of everything below state_dir.
function diskBytes(world) {
    return readdirSync(join(world.dir, 'state'), { recursive: true }).reduce((sum, name) => {
        const stat = statSync(join(world.dir, 'state', name), { throwIfNoEntry: false });
        return sum + (stat?.isFile() ? stat.size : 0);
    }, 0);
}

/// What nobody asks for, delivered in earnest.
const deliver = (world, more = {}) => world.deliver('watch', 'started', { repository: 'acme/none', raw: '{"action":"started"}', ...more });

async function checkServed(world) {
    for (let i = 0; i < 5; i++)
        assert.equal((await deliver(world)).status, 202);
}

/// So many deliveries at once, none of them small.
async function checkServedAtOnce(world, count) {
    const raw = JSON.stringify({ action: 'started', pad: 'x'.repeat(30000) });
    const answers = await Promise.all(Array.from({ length: count }, () => deliver(world, { raw })));
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [202]);
}

const lies = ['sha256=' + '0'.repeat(64), 'sha256=' + 'Z'.repeat(64), 'sha256=', '', 'x'.repeat(5000), 'sha1=' + '0'.repeat(40),
    `sha256=${'0'.repeat(64)}, sha256=`];

/// So many deliveries that nobody signed: refused, and nothing is left of them.
async function checkRefused(world, count) {
    const raw = JSON.stringify({ action: 'started', pad: 'x'.repeat(2000) });
    const lie = (i) => deliver(world, { raw, signature: lies[i % lies.length] });
    await Promise.all(lies.map((_, i) => lie(i)));
    const before = { rows: stored(world), disk: diskBytes(world), memory: memory(world, 'VmRSS'), lines: lines(world, 'delivery_refused') };
    const begin = Date.now();
    for (let done = 0; done < count; done += 100) {
        const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => lie(i)));
        assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [401]);
    }
    assert.equal(stored(world), before.rows);
    assert.ok(diskBytes(world) - before.disk < 1024 * 1024, 'nothing is written');
    assert.ok(memory(world, 'VmRSS') - before.memory < 64 * 1024, `${memory(world, 'VmRSS') - before.memory} KiB more`);
    const allowed = 20 * (2 + Math.floor((Date.now() - begin) / 60000));
    assert.ok(lines(world, 'delivery_refused') - before.lines <= allowed, 'no line for each');
    assert.ok(Number(metrics(world).draftd_deliveries_refused_total) >= count);
}

/// Send a request that is refused by its head, and read only when 8 MiB of its body are on the way.
function sendThenRead(world, head) {
    return new Promise((resolve, reject) => {
        const make = world.options.http ? connect : connectTls;
        const socket = make({ host: '127.0.0.1', port: world.port, rejectUnauthorized: false });
        let said = '';
        socket.setEncoding('latin1').pause();
        socket.on('error', reject).on('data', (piece) => { said += piece; }).on('close', () => resolve(said));
        socket.write(`POST /webhooks/github HTTP/1.1\r\nHost: t\r\n${head}\r\n\r\n`);
        socket.write(Buffer.alloc(8 * 1024 * 1024), () => socket.resume());
    });
}

async function checkTold(world) {
    for (const head of ['Content-Length: 26214400', 'Content-Length: 26214400\r\nExpect: 100-continue']) {
        const said = await sendThenRead(world, head);
        assert.match(said, /^HTTP\/1\.1 401 /);
        assert.match(said, /\r\nConnection: close\r\n/i);
    }
}

describe('over TLS, with 1024 descriptors', () => {
    let world;
    before(async () => { world = await World.start({ descriptors: 1024, workers: 2 }); });
    after(() => world.stop());

    test('what is not signed leaves nothing', () => checkRefused(world, 300));
    test('10 000 slow clients of as many addresses keep no delivery out, and no work from its end', async (t) => {
        const repository = await world.repository('crowded', usual('echo "a line" >>notes.txt\n'));
        const before = memory(world, 'VmRSS');
        const crowd = new Crowd(world, many);
        t.after(() => crowd.leave());
        let most = 0;
        const timer = setInterval(() => { most = Math.max(most, descriptors(world)); }, 50);
        t.after(() => clearInterval(timer));
        await crowd.gather(CROWD);
        await checkServed(world);
        await world.label(repository);
        assert.equal((await world.ended(repository)).state, 'drafted');
        assert.ok(most > 300 && most < 900, `${most} descriptors`);
        assert.equal(lines(world, 'few_descriptors'), 1);
        assert.match(world.log, /level=warning event=few_descriptors limit=1024 wanted=\d+ connections=\d+\n/);
        assert.doesNotMatch(world.log, /[Tt]oo many open files/);
        assert.ok(memory(world, 'VmHWM') - before < 128 * 1024, `${memory(world, 'VmHWM') - before} KiB more`);
        assert.ok(Number(metrics(world).draftd_http_connections_pushed_out_total) > CROWD / 2);
    });
    test('nor do those who have shaken hands', async (t) => {
        const crowd = new Crowd(world, many, connectTls);
        t.after(() => crowd.leave());
        await crowd.gather(AT_ONCE * 2);
        await checkServedAtOnce(world, 64);
    });
    test('a refusal reaches who reads late', () => checkTold(world));
});

describe('behind a proxy that ends TLS', () => {
    let world;
    before(async () => { world = await World.start({ http: true }); });
    after(() => world.stop());

    test('what is not signed leaves nothing', () => checkRefused(world, 3000));
    test('10 000 slow clients at the one address keep no delivery out', async (t) => {
        const crowd = new Crowd(world, one);
        t.after(() => crowd.leave());
        await crowd.gather(CROWD);
        await checkServed(world);
        crowd.drip();
        assert.ok(crowd.sockets.length <= 1024, `${crowd.sockets.length} connections are open`);
        await checkServedAtOnce(world, 512);
        assert.ok(Number(metrics(world).draftd_http_connections_pushed_out_total) > CROWD / 2);
    });
    test('a refusal reaches who reads late', () => checkTold(world));
});
