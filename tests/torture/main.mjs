// See run, which starts this.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Clock, Daemon, Disk, GuestEngine, PrivateEngine } from './faults.mjs';
import { KINDS, drawKills, drawLoad } from './schedule.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const REPOSITORIES = 6;

function fail(status, text) {
    console.error(`torture: ${text}`);
    process.exit(status);
}

function readOptions() {
    try {
        const { values } = parseArgs({ options: {
            seed: { type: 'string' }, kills: { type: 'string' }, engine: { type: 'string' }, draftd: { type: 'string' },
            settle: { type: 'string', default: '300' }, load: { type: 'string', default: '500' }, only: { type: 'string' },
            keep: { type: 'boolean' }, plan: { type: 'boolean' },
        } });
        for (const name of ['seed', 'kills', 'settle', 'load'])
            if (!/^\d+$/.test(values[name] ?? ''))
                fail(2, `--${name} needs a number; see --help`);
            else
                values[name] = Number(values[name]);
        values.only = values.only?.split(',') ?? Object.keys(KINDS);
        for (const kind of values.only)
            if (!KINDS[kind])
                fail(2, `there is no kind ${kind}; see --help`);
        return values;
    } catch (error) {
        return fail(2, `${error.message}; see --help`);
    }
}

const options = readOptions();
const began = Date.now();
const complaints = [];

function say(text) {
    console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} ${text}`);
}

function complain(text) {
    complaints.push(text);
    say(`WRONG ${text}`);
}

const kills = drawKills(options.seed, options.kills, options.only);
if (options.plan) {
    kills.forEach((kill) => console.log(JSON.stringify(kill)));
    process.exit(0);
}

// What the harness wants to know when it is imported.
process.env.DRAFTD = options.draftd ?? process.env.DRAFTD ?? join(root, 'build-tests', 'gcc', 'draftd');
if (!existsSync(process.env.DRAFTD))
    fail(3, `there is no ${process.env.DRAFTD}: tests/run builds it, or --draftd FILE names another`);
const engine = options.engine ? await GuestEngine.start(options.engine) : PrivateEngine.start();
process.env.DRAFTD_TEST_ENGINE = options.engine ?? engine.socket;
const { World, git, usual } = await import('../e2e/harness.mjs');
const { Load } = await import('./load.mjs');
const { compare, filesBelow, leftOver } = await import('./ledger.mjs');

/// What agents do: some are quick, some slow, some wrong first, one changes nothing, and one fails now and then.
const line = 'echo "$DRAFTD_TASK $(date +%s%N)" >>notes.txt\n';
const AGENTS = [
    line, `sleep 1; ${line}`, `sleep 3; ${line}`,
    `sleep 0.$(($(date +%N | cut -c1) + 0)); if [ "$DRAFTD_ROUND" = 1 ]; then echo no >answer.txt; else echo 42 >answer.txt; ${line} fi\n`,
    'sleep 0.5\n', `sleep 2; ${line} [ $(($(date +%s) % 3)) != 0 ]\n`,
];

async function prepare() {
    const world = await World.start({ serve: false, workers: 3, app: options.seed % 2 === 0, sandbox: { engine: engine.socket } });
    world.heads = (repository) => new Map(git('-C', world.bare(repository), 'for-each-ref', '--format=%(refname:short) %(objectname)', 'refs/heads/draftd')
        .split('\n').filter(Boolean).map((text) => text.split(' ')));
    const issues = 4 + Math.ceil(options.kills / 40);
    for (let i = 0; i < REPOSITORIES; i++)
        await world.repository(`t${i}`, usual(AGENTS[i]), {
            issues: Array.from({ length: issues }, (_, n) => ({ number: n + 1, title: `Mend ${n + 1}`, body: 'Please mend it.', user: 'ann' })),
        });
    return { world, issues };
}

const { world, issues } = await prepare();
const disk = Disk.mount(join(world.dir, 'state'));
const jumps = options.only.includes('clock_jump'); // else the program may be one that takes no LD_PRELOAD
const clock = jumps ? Clock.find(world.dir) : null;
if (!disk)
    say('not root, or nothing may be mounted here: the disk is never full');
if (jumps && !clock)
    say('libfaketime is not installed: the clock does not jump');
world.options.env = clock?.environment;

const daemon = new Daemon(world, complain);
let fullUntil = 0;
daemon.excused = () => Date.now() < fullUntil;
const counts = {};
const clears = new Set();

/// Hurt now; what mends it is carried out later, or at the end.
async function hurt(kill) {
    const last = async (mend) => {
        await sleep(kill.lasts_ms);
        await mend();
    };
    switch (kill.kind) {
    case 'draftd_kill': return daemon.end('SIGKILL', kill.pause_ms);
    case 'draftd_stop': return daemon.end('SIGTERM', kill.pause_ms);
    case 'engine_kill': return engine.kill(kill.pause_ms);
    case 'engine_freeze': return engine.freeze(kill.lasts_ms);
    case 'github_freeze':
        world.github.child.kill('SIGSTOP');
        return last(() => world.github.child.kill('SIGCONT'));
    case 'github_refuse': return world.control('POST', 'refuse', { ms: kill.lasts_ms });
    case 'github_fault': {
        const { path, skip, times, status, after, close, hang, delay_ms, rate_limit, reset_in, retry_after } = kill;
        return world.control('POST', 'faults', { path, skip, times, status, after, close, hang, delay_ms, rate_limit, reset_in, retry_after });
    }
    case 'disk_full':
        if (!disk)
            return undefined;
        fullUntil = Date.now() + kill.lasts_ms + 5000;
        disk.fill();
        return last(() => disk.free());
    case 'clock_jump':
        clock?.set(kill.jump_ms);
        return last(() => clock?.set(0));
    default: throw new Error(`no kind ${kill.kind}`);
    }
}

async function torment() {
    for (const { number, after_ms, ...kill } of kills) {
        await sleep(after_ms);
        say(`kill ${number}: ${JSON.stringify(kill)}`);
        counts[kill.kind] = (counts[kill.kind] ?? 0) + 1;
        const one = hurt(kill).catch((error) => complain(`kill ${number} could not be carried out: ${error.stack}`));
        clears.add(one);
        one.finally(() => clears.delete(one));
    }
    await Promise.all(clears);
    await world.control('DELETE', 'faults');
}

async function settle() {
    const deadline = Date.now() + options.settle * 1000;
    let left;
    let quiet = 0;
    for (let next = Date.now() + 20000; Date.now() < deadline; await sleep(500)) {
        left = leftOver(world.dir);
        quiet = left ? 0 : quiet + 1;
        if (quiet > 2)
            return;
        if (left && Date.now() > next) {
            next = Date.now() + 20000;
            say(`settling at ${Date.now()}: ${Object.entries(left).map(([name, list]) => `${list.length} ${name}`).join(', ')}; ` +
                `one of them: ${JSON.stringify(Object.values(left).find((list) => list.length)[0])}`);
        }
    }
    for (const [name, list] of Object.entries(left ?? {}))
        for (const item of list)
            complain(`still to be done after ${options.settle} s, ${name}: ${JSON.stringify(item)}`);
}

/// What an engine that was away could not remove at once goes with the next look for leftovers: draftd has one a minute.
async function leftContainers() {
    const deadline = Date.now() + 90000;
    let found;
    do {
        found = await world.containers();
    } while (found.length && Date.now() < deadline && await sleep(1000, true));
    return found;
}

async function main() {
    daemon.supervision = daemon.supervise();
    while (!world.log.includes('event=serving'))
        await sleep(50);
    const load = new Load(world, [...world.repositories.keys()], say);
    const loading = load.run(drawLoad(options.seed, REPOSITORIES, issues, options.load));
    await torment();
    await load.stop();
    await loading;
    say(`all is well again: ${load.sent.size} deliveries sent, ${load.accepted} accepted; settling`);
    await settle();
    const { found, store } = await compare(world, load);
    for (const difference of found)
        complain(difference);
    const containers = await leftContainers();
    if (containers.length)
        complain(`containers are left: ${containers.map((one) => `${one.Names} ${one.Status}`).join(', ')}`);
    await daemon.finish();
    for (const file of filesBelow(join(world.dir, 'state')))
        if (!/^(draftd\.db(-wal|-shm)?|tls\.(crt|key)|work\.lock|mirrors\/.*)$/.test(file) || /quarantine|tmp_|(refs|config|HEAD|packed-refs).*\.lock$/.test(file))
            complain(`a file is left: ${file}`);
    return { load, store };
}

function sumUp({ load, store }) {
    const ended = {};
    for (const task of store.tasks) {
        const name = ['queued', 'running', 'drafted', 'unchanged', 'held', 'failed', 'canceled'][task.state];
        ended[name] = (ended[name] ?? 0) + 1;
    }
    console.log(`\nkills: ${options.kills} (${Object.entries(counts).map(([kind, n]) => `${kind} ${n}`).join(', ')})`);
    console.log(`deliveries: ${load.sent.size} sent in ${[...load.sent.values()].reduce((sum, one) => sum + one.answers.length, 0)} requests, ${load.accepted} accepted; draftd was started ${daemon.starts} times`);
    console.log(`tasks: ${store.tasks.length} (${Object.entries(ended).map(([state, n]) => `${state} ${n}`).join(', ')}), ${store.runs.length} runs, ${store.messages.length} messages`);
    console.log(`time: ${Math.round((Date.now() - began) / 1000)} s`);
    console.log(complaints.length
        ? `WRONG with --seed ${options.seed} --kills ${options.kills}:\n${complaints.map((text) => `- ${text}`).join('\n')}`
        : `ledger and GitHub agree: seed ${options.seed}`);
}

let summary;
try {
    summary = await main();
    sumUp(summary);
} catch (error) {
    complain(`torture itself failed: ${error.stack}`);
    console.log(`WRONG with --seed ${options.seed} --kills ${options.kills}: ${error.message}`);
} finally {
    daemon.finished = true;
    world.child?.kill('SIGKILL');
    world.github.child.kill('SIGCONT');
    world.github.child.kill();
    const kept = options.keep || complaints.length;
    if (kept) {
        writeFileSync(join(world.dir, 'draftd.log'), world.log);
        console.log(`kept: ${world.dir}${disk ? ', of which state is a mount' : ''}`);
    } else {
        disk?.unmount();
        rmSync(world.dir, { recursive: true, force: true });
    }
    engine.finish();
}
process.exit(complaints.length ? 1 : 0);
