// What happens when: drawn from the seed before anything runs, so that a seed and a number of kills name one
// schedule. Nothing here looks at the world.

/// Numbers from 0 to below 1 (mulberry32).
export function randomFrom(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6D2B79F5) >>> 0;
        let mixed = state;
        mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
}

const between = (random, from, to) => Math.floor(from + random() * (to - from));
const one = (random, list) => list[Math.floor(random() * list.length)];

/// [[weight, value], ...]
function weighed(random, list) {
    let left = random() * list.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of list) {
        left -= weight;
        if (left < 0)
            return value;
    }
    return list.at(-1)[1];
}

export const KINDS = {
    draftd_kill: 30, draftd_stop: 8, engine_kill: 11, engine_freeze: 5, github_freeze: 7, github_refuse: 8,
    github_fault: 19, disk_full: 6, clock_jump: 6,
};

const PATHS = [
    [5, undefined], [3, '/issues/'], [3, '/comments'], [3, '/pulls'], [2, '/collaborators/'], [2, '/access_tokens'],
    [2, '/info/refs'], [2, '/git-upload-pack'], [3, '/git-receive-pack'], [1, '/check-runs'],
];
const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE;
const JUMPS = [2 * SECOND, -2 * SECOND, 90 * SECOND, -90 * SECOND, HOUR, -HOUR, 49 * HOUR, -49 * HOUR, 400 * 24 * HOUR];

function drawFault(random) {
    const what = weighed(random, [
        [4, { status: 500 }], [3, { status: 502, after: true }], [2, { status: 503 }],
        [3, { close: 'before' }], [4, { close: 'before', after: true }], [3, { close: 'half', after: true }],
        [2, { hang: true }], [3, { hang: true, after: true }], [2, { delay_ms: 3000 }],
        [2, { rate_limit: 'primary', reset_in: 2 }], [3, { rate_limit: 'secondary', retry_after: 2 }],
    ]);
    return { path: weighed(random, PATHS), skip: between(random, 0, 4), times: between(random, 1, 5), ...what };
}

/// How each kind goes about it. Always as many draws for each kill, whatever its kind.
function drawDetails(random, kind) {
    const fault = drawFault(random);
    const lasts_ms = between(random, 200, 4000);
    const jump_ms = one(random, JUMPS);
    const pause_ms = random() < 0.7 ? 0 : between(random, 0, 2000);
    switch (kind) {
    case 'github_fault': return fault;
    case 'clock_jump': return { jump_ms, lasts_ms: lasts_ms + 1000 };
    case 'draftd_kill': case 'draftd_stop': case 'engine_kill': return { pause_ms };
    default: return { lasts_ms };
    }
}

/// [{ after_ms, kind, ... }]: `after_ms` after the one before has begun.
export function drawKills(seed, count, kinds) {
    const random = randomFrom(seed * 2 + 1);
    const weights = kinds.map((kind) => [KINDS[kind], kind]);
    return Array.from({ length: count }, (_, number) => {
        const after_ms = Math.floor(Math.min(-Math.log(1 - random()) * 1500, 6000)) + 100;
        const kind = weighed(random, weights);
        return { number: number + 1, after_ms, kind, ...drawDetails(random, kind) };
    });
}

const WISHES = [
    [20, 'label'], [7, 'assign'], [14, 'mention'], [4, 'retry'], [4, 'status'], [2, 'help'], [6, 'unlabel'], [3, 'unassign'],
    [5, 'cancel'], [13, 'review'], [6, 'close'], [4, 'stranger'], [4, 'chatter'], [3, 'other_label'],
];

/// Deliveries without end: who wishes what where, and how the platform sends it. `again`: the same delivery so often
/// once more; `anew`: under another id as well; `late_ms`: after others that happened later.
export function* drawLoad(seed, repositories, issues, apart_ms) {
    const random = randomFrom(seed * 2 + 2);
    for (let number = 1; ; number++)
        yield {
            number,
            after_ms: Math.floor(-Math.log(1 - random()) * apart_ms),
            repository: between(random, 0, repositories), issue: between(random, 1, issues + 1),
            wish: weighed(random, WISHES),
            again: weighed(random, [[7, 0], [2, 1], [1, 3]]),
            anew: random() < 0.15,
            late_ms: random() < 0.25 ? between(random, 100, 3000) : 0,
            comments: between(random, 1, 4), merged: random() < 0.5, patient: random() < 0.85,
        };
}
