// Failures on demand. A fault is { method?, path?, skip?, times?, after?, ... what happens }:
//   method, path   which requests; path is a regular expression on the path (with query). Default: all
//   skip, times    let so many pass first (0); then hit so many (1)
//   after          true: the request is carried out first, and then the answer is spoilt
//   delay_ms       wait before anything else; alone it only slows down
//   status, body, headers   answer this instead
//   rate_limit     "primary" | "secondary" with retry_after (s) or reset_in (s); status 403 unless given
//   hang           true: never answer
//   close          "before" (no answer at all) | "half" (in the middle of the body)

export class Faults {
    constructor() {
        this.list = [];
    }

    add(fault) {
        this.list.push({ skip: 0, times: 1, ...fault, path: fault.path ? new RegExp(fault.path) : null });
    }

    clear() {
        this.list = [];
    }

    /// The fault that this request runs into, or undefined.
    take(method, path) {
        for (const fault of this.list) {
            if (fault.times <= 0 || (fault.method && fault.method !== method) || (fault.path && !fault.path.test(path)))
                continue;
            if (fault.skip-- > 0)
                continue;
            fault.times--;
            return fault;
        }
        return undefined;
    }
}

/// The answer that a fault gives; null when it gives none of its own.
export function faultAnswer(fault) {
    if (fault.rate_limit === 'primary') {
        const reset = Math.floor(Date.now() / 1000) + (fault.reset_in ?? 60);
        return {
            status: fault.status ?? 403,
            headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) },
            body: { message: 'API rate limit exceeded for installation ID 1.', documentation_url: 'https://docs.github.com/rest' },
        };
    }
    if (fault.rate_limit === 'secondary')
        return {
            status: fault.status ?? 403,
            headers: fault.retry_after === undefined ? {} : { 'retry-after': String(fault.retry_after) },
            body: {
                message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
                documentation_url: 'https://docs.github.com/rest',
            },
        };
    if (fault.status)
        return { status: fault.status, headers: fault.headers ?? {}, body: fault.body ?? { message: `Fault ${fault.status}` } };
    return null;
}
