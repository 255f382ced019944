// Sends one signed webhook delivery as GitHub does and prints the status of the answer, then its body.
//
//   node deliver.mjs --url https://127.0.0.1:8443/webhooks/github --secret-file FILE (--ca FILE | --insecure)
//        --event issues --action labeled --repository acme/widget --number 7 --title T --body B
//        --label draftd --sender ann [--labels a,b] [--assignee LOGIN] [--assignees a,b] [--author LOGIN]
//        [--state closed] [--comment TEXT] [--comment-id N] [--pull] [--sender-type Bot] [--installation ID]
//        [--default-branch NAME] [--set PATH=JSON]... [--delivery GUID] [--payload FILE] [--bad-signature]
//        [--print]
//
// --label and --assignee also put the label or person on the issue unless the action removes it. --payload sends
// that file's bytes instead of making a payload. --print writes the payload to standard output and sends
// nothing. Exit status: 0 when the answer is 2xx, 1 otherwise, 3 no answer.
import { randomInt, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { parseArgs } from 'node:util';

import { makePayload, setMember } from './payloads.mjs';
import { importTool } from './tools.mjs';

const { sign } = await importTool('@octokit/webhooks-methods/dist-node/index.js');

const text = { type: 'string' };
const flag = { type: 'boolean', default: false };
const { values: args } = parseArgs({
    options: {
        url: text, 'secret-file': text, ca: text, insecure: flag, event: text, action: text, repository: text,
        number: text, title: text, body: text, author: text, state: text, label: text, labels: text, assignee: text,
        assignees: text, comment: text, 'comment-id': text, pull: flag, sender: text, 'sender-type': text,
        installation: text, 'default-branch': text, set: { type: 'string', multiple: true, default: [] },
        delivery: text, payload: text, 'bad-signature': flag, print: flag,
    },
});

const list = (joined) => (joined ? joined.split(',') : []);
const number = (digits) => (digits === undefined ? undefined : Number(digits));

function payloadText() {
    if (args.payload)
        return readFileSync(args.payload, 'utf8');
    const removes = /^un/.test(args.action ?? '');
    const withOne = (all, one) => (one && !removes && !all.includes(one) ? [...all, one] : all);
    const payload = makePayload(args.event, args.action, {
        repository: args.repository, number: number(args.number), title: args.title, body: args.body,
        author: args.author, state: args.state, pull: args.pull, label: args.label, assignee: args.assignee,
        labels: withOne(list(args.labels), args.label), assignees: withOne(list(args.assignees), args.assignee),
        comment: args.comment, commentId: number(args['comment-id']) ?? randomInt(1e9, 2e9), sender: args.sender,
        senderType: args['sender-type'], installation: number(args.installation),
        defaultBranch: args['default-branch'],
    });
    for (const setting of args.set) {
        const [path, value] = setting.split(/=(.*)/s);
        setMember(payload, path, JSON.parse(value));
    }
    return JSON.stringify(payload);
}

async function headersOf(body) {
    const secret = args['secret-file'] ? readFileSync(args['secret-file'], 'utf8').replace(/\r?\n$/, '') : null;
    const headers = {
        'content-type': 'application/json', 'content-length': Buffer.byteLength(body), accept: '*/*',
        'user-agent': 'GitHub-Hookshot/044aadd', 'x-github-event': args.event,
        'x-github-delivery': args.delivery ?? randomUUID(), 'x-github-hook-id': String(randomInt(1e8, 1e9)),
        'x-github-hook-installation-target-type': 'repository', 'x-github-hook-installation-target-id': '79929171',
    };
    if (secret)
        headers['x-hub-signature-256'] = await sign(args['bad-signature'] ? `${secret}x` : secret, body);
    return headers;
}

const body = payloadText();
if (args.print) {
    console.log(body);
    process.exit(0);
}
const send = args.url.startsWith('https:') ? httpsRequest : httpRequest;
const request = send(args.url, {
    method: 'POST', headers: await headersOf(body), timeout: 30_000, rejectUnauthorized: !args.insecure,
    ...(args.ca ? { ca: readFileSync(args.ca) } : {}),
});
request.on('timeout', () => request.destroy(new Error('no answer within 30 seconds')));
request.on('error', (error) => {
    console.error(error.message);
    process.exit(3);
});
request.on('response', async (response) => {
    const chunks = [];
    for await (const chunk of response)
        chunks.push(chunk);
    console.log(`${response.statusCode}\n${Buffer.concat(chunks).toString('utf8')}`);
    process.exitCode = response.statusCode >= 200 && response.statusCode < 300 ? 0 : 1;
});
request.end(body);
