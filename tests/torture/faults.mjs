// The things that break: each can be hurt in some ways, and mended whatever was done to it.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const tests = join(dirname(fileURLToPath(import.meta.url)), '..');
const STOP_MS = 30000; // SIGTERM to the end: requests in flight have 10 s
const STATE_MIB = 128;

/// draftd under a supervisor that starts it again whenever it ends, as systemd does.
export class Daemon {
    constructor(world, complain) {
        Object.assign(this, { world, complain, finished: false, expected: null, excused: () => false, pause_ms: 0, starts: 0 });
    }

    async supervise() {
        while (!this.finished) {
            this.starts++;
            this.begin = this.world.log.length;
            await this.world.serve().catch(() => {}); // how it ended is told below
            this.judge(await this.world.exited);
            await sleep(this.pause_ms);
        }
    }

    /// Its own end is wrong, but for one that says what it cannot do without: the disk.
    judge({ code, signal }) {
        const { expected } = this;
        this.expected = null;
        const early = this.world.log.length === this.begin; // it had not yet asked to be told of signals
        if (expected === 'SIGKILL' || (expected === 'SIGTERM' && (code === 0 || (signal === 'SIGTERM' && early))))
            return;
        if (signal || expected || !this.excused()) {
            const tail = this.world.log.split('\n').slice(-12).join('\n');
            this.complain(`draftd ended with ${signal ?? `status ${code}`}${expected ? ` at ${expected}` : ' by itself'}:\n${tail}`);
        }
        this.pause_ms = 500;
    }

    end(signal, pause_ms) {
        this.pause_ms = pause_ms;
        this.expected = this.expected === 'SIGKILL' ? 'SIGKILL' : signal;
        const { child } = this.world;
        child.kill(signal);
        if (signal === 'SIGTERM')
            setTimeout(() => {
                if (child.exitCode === null && child.signalCode === null) {
                    this.complain(`draftd did not end within ${STOP_MS} ms of SIGTERM`);
                    this.end('SIGKILL', 0);
                }
            }, STOP_MS).unref();
    }

    async finish() {
        this.finished = true;
        this.end('SIGTERM', 0);
        await this.supervision;
    }
}

/// The processes that name a directory in their command line, and what they have started.
function processesOf(dir) {
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
        try {
            const parent = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))[1]);
            return [{ pid: Number(pid), parent, command: readFileSync(`/proc/${pid}/cmdline`, 'latin1') }];
        } catch {
            return []; // it ended
        }
    });
    const found = new Set(all.filter(({ command }) => command.includes(`${dir}/`)).map(({ pid }) => pid));
    for (let before = -1; before !== found.size;) {
        before = found.size;
        all.filter(({ parent }) => found.has(parent)).forEach(({ pid }) => found.add(pid));
    }
    found.delete(process.pid);
    return [...found];
}

/// A podman service of our own.
export class PrivateEngine {
    static start() {
        const engine = new PrivateEngine();
        engine.dir = mkdtempSync('/tmp/tt-');
        try {
            engine.socket = engine.script('start', 'podman', engine.dir);
            execFileSync('sh', [join(tests, 'env', 'image.sh'), engine.socket], { stdio: ['ignore', 'inherit', 'inherit'] });
        } catch (error) {
            engine.finish();
            throw error;
        }
        engine.turn = Promise.resolve();
        return engine;
    }

    script(...words) {
        return execFileSync('sh', [join(tests, 'env', 'engines.sh'), ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
    }

    get pid() {
        return Number(readFileSync(join(this.dir, 'podman.pid'), 'utf8'));
    }

    /// One thing at a time: it cannot be killed while it is being started.
    kill(pause_ms) {
        this.turn = this.turn.then(async () => {
            process.kill(this.pid, 'SIGKILL');
            await sleep(pause_ms + 50);
            this.script('start', 'podman', this.dir);
        });
        return this.turn;
    }

    freeze(lasts_ms) {
        this.turn = this.turn.then(async () => {
            process.kill(this.pid, 'SIGSTOP');
            await sleep(lasts_ms);
            process.kill(this.pid, 'SIGCONT');
        });
        return this.turn;
    }

    finish() {
        this.script('stop', this.dir);
        for (const pid of processesOf(this.dir)) // of containers that a killed service knows nothing of
            try {
                process.kill(pid, 'SIGKILL');
            } catch {
                // it has ended by itself
            }
        rmSync(this.dir, { recursive: true, force: true });
    }
}

/// Somebody else's engine: only the way to it breaks.
export class GuestEngine {
    static async start(socket) {
        const engine = new GuestEngine();
        engine.behind = socket.replace('unix://', '');
        engine.path = join(mkdtempSync('/tmp/tt-'), 'gate.sock');
        engine.socket = `unix://${engine.path}`;
        engine.sockets = new Set();
        engine.frozen = false;
        engine.turn = Promise.resolve();
        await engine.open();
        return engine;
    }

    open() {
        rmSync(this.path, { force: true });
        this.server = createServer((socket) => {
            this.sockets.add(socket);
            socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
            if (this.frozen)
                return;
            const other = connect(this.behind);
            other.on('error', () => socket.destroy()).on('close', () => socket.destroy());
            socket.on('close', () => other.destroy());
            socket.pipe(other).pipe(socket);
        });
        return new Promise((resolve) => { this.server.listen(this.path, resolve); });
    }

    shut() {
        this.server.close();
        this.sockets.forEach((socket) => socket.destroy());
        rmSync(this.path, { force: true });
    }

    kill(pause_ms) {
        this.turn = this.turn.then(async () => {
            this.shut();
            await sleep(pause_ms + 500);
            await this.open();
        });
        return this.turn;
    }

    freeze(lasts_ms) {
        this.turn = this.turn.then(async () => {
            this.frozen = true;
            await sleep(lasts_ms);
            this.frozen = false;
            this.sockets.forEach((socket) => socket.destroy());
        });
        return this.turn;
    }

    finish() {
        this.shut();
        rmSync(dirname(this.path), { recursive: true, force: true });
    }
}

/// The state directory as a small file system of its own.
export class Disk {
    static mount(dir) {
        if (process.getuid() !== 0)
            return null;
        mkdirSync(dir, { mode: 0o700 });
        try {
            execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${STATE_MIB}m,mode=700`, 'tmpfs', dir], { stdio: ['ignore', 'ignore', 'pipe'] });
        } catch {
            return null; // root of a container that may not
        }
        return Object.assign(new Disk(), { dir, filler: join(dir, 'filler'), fills: 0 });
    }

    /// To the last block.
    fill() {
        const file = openSync(this.filler, 'a', 0o600);
        this.fills++;
        try {
            for (const size of [1 << 20, 1 << 12])
                try {
                    for (const block = Buffer.alloc(size); writeSync(file, block) > 0;);
                } catch (error) {
                    if (error.code !== 'ENOSPC')
                        throw error;
                }
        } finally {
            closeSync(file);
        }
    }

    free() {
        if (--this.fills <= 0)
            rmSync(this.filler, { force: true });
    }

    unmount() {
        execFileSync('umount', ['-l', this.dir]);
    }
}

function findFaketime() {
    try {
        return execFileSync('dpkg', ['-L', 'libfaketime'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
            .split('\n').find((name) => name.endsWith('/libfaketimeMT.so.1'));
    } catch {
        return undefined;
    }
}

/// draftd's wall clock.
export class Clock {
    static find(dir) {
        const library = findFaketime();
        if (!library)
            return null;
        const clock = Object.assign(new Clock(), { file: join(dir, 'clock'), library });
        clock.set(0);
        return clock;
    }

    get environment() {
        return {
            LD_PRELOAD: this.library, FAKETIME_TIMESTAMP_FILE: this.file, FAKETIME_CACHE_DURATION: '1',
            FAKETIME_DONT_FAKE_MONOTONIC: '1',
        };
    }

    set(offset_ms) {
        const offset = offset_ms / 1000;
        writeFileSync(`${this.file}.new`, `${offset < 0 ? '' : '+'}${offset}\n`);
        renameSync(`${this.file}.new`, this.file);
    }
}
