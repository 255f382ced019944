// A stand-in for GitHub on loopback, for tests: the REST calls that draftd makes, with state, over HTTPS;
// git over smart HTTP on the same port; and a control API over plain HTTP on another.
//
//   tests/github/install.sh                  once: fetches the tools, outside the repository
//   node tests/github/server.mjs --dir DIR   DIR gets the certificate authority (ca.pem) and server key
//       [--as-github ADDRESS]                listen there on port 443, and be https://api.github.com for whoever
//                                            takes ADDRESS for that host and for github.com; needs root
//
// When it is ready it prints one line on standard output and keeps running until its standard input
// closes (when that is a pipe) or a signal comes:
//
//   {"api":"https://127.0.0.1:PORT","control":"http://127.0.0.1:PORT/_control","ca":"DIR/ca.pem"}
//
// "api" serves as api_url and as git_url, "ca" as ca_file; "api" with /api/v3 behind it is the api_url of a
// GitHub Enterprise Server. Each request is held against GitHub's OpenAPI
// description and header rules first: a violation is answered with 422, printed on standard error as
// "VIOLATION METHOD URL reason", and listed by the control API. A test ends by asking for that list.
//
// Control calls (JSON in, JSON out):
//   POST   setup       {app?, users?, tokens?, repositories?}: added to what is there
//            app          {id, slug, public_key (PEM), client_id?, permissions?, token_minutes?, suspended?,
//                         token_format? "stateless" (long, default) | "classic"}
//            users        [{login, type?}]; whoever is named elsewhere exists as well
//            tokens       [{token, login, expires_at?, scopes?}]: of people, for machine-user mode; with scopes ("repo,
//                         workflow") it is a classic one, whose answers tell them, without a fine-grained one
//            repositories [{full_name, default_branch?, private?, archived?, drafts?: false when refused,
//                         installed?: false when the App is not, git_dir?: bare repository where branches
//                         are looked up and which is served to git (without: every branch exists),
//                         collaborators?: {login: "admin|maintain|write|triage|read|none"}, renamed_from?: [..],
//                         git_needs_classic?: git answers 404 to tokens of the stateless format,
//                         issues?: [{number?, title, body?, user?, labels?, assignees?, state?, updated_at?}]}]
//   POST   reset                             everything is forgotten
//   GET    state | repos/O/R                 all of it | one repository: issues with their reactions and
//                                            comments (each with its edit history), pulls with theirs
//   PATCH  app                               members as in setup, e.g. {"suspended": true}
//   POST   repos/O/R/rename                  {full_name}: renamed, or transferred to another owner
//   POST   repos/O/R/issues                  as in setup; answers the issue
//   PATCH  repos/O/R/issues/N                e.g. {"labels": ["draftd"], by?: login, at?: time}; state "deleted" answers 410
//   POST   repos/O/R/issues/N/comments       {user, body, app_id?, times?}: written by somebody
//   PATCH  repos/O/R/pulls/N                 e.g. {"state": "closed", "merged": true}; "mergeable": true, false or null (without: found
//                                            out where there is git_dir); "head_repository": another
//                                            id makes it come from a fork, null from one that is gone
//   POST   repos/O/R/pulls                   {user?, title?, body?, head?, base?, draft?, closes?: [issue]}: opened by
//                                            somebody; without "closes" the body is looked through for "Fixes #7"
//   POST   repos/O/R/pulls/N/reviews         {user, body?, state?, comments?: [{path, line?, diff_hunk?, body, in_reply_to_id?,
//                                            subject_type?}]}: answers the review with its comments
//   POST   repos/O/R/check-runs              {name, head_sha, app_id?, app_slug?, suite_id?, external_id?, status?, conclusion?,
//                                            output?}: of some App
//   POST   repos/O/R/jobs                    {run_id, name?, conclusion?, steps?: [{name, conclusion}], log?, log_encoding?:
//                                            "base64"}: of a workflow run
//   POST   hooks                             {repository?: "O/R" (without: the App's), url?, secret?}: answers the hook
//   PATCH  hooks/ID                          {fails?: {status, status_code, delivered_at?}}: so redeliveries end from now on,
//                                            without being sent; without it, they are sent again
//   POST   hooks/ID/deliveries               {event?, action?, payload?, guid?, status?, status_code?, delivered_at?}: noted
//                                            as delivered; with "send": true it is sent first, signed
//   GET, DELETE violations | requests        the lists; emptied.   GET counts: requests by call and status
//   POST, DELETE faults                      a failure to come (faults.mjs says which); none any more
//   POST   delay                             {ms}: every answer waits
//   POST   refuse                            {ms}: connections are cut, and for so long refused
//   POST   tokens/revoke                     {all?}: installation tokens (all: everyone's) are refused from now on
//
// Signed webhook deliveries come from deliver.mjs.
import { execFileSync } from 'node:child_process';
import { fstatSync, readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Api } from './api.mjs';
import { Contract } from './contract.mjs';
import { makeControl } from './control.mjs';
import { Faults } from './faults.mjs';
import { Shapes } from './shapes.mjs';
import { World } from './state.mjs';

const { values } = parseArgs({ options: { dir: { type: 'string' }, 'as-github': { type: 'string' } } });
if (!values.dir) {
    console.error('usage: node server.mjs --dir DIR [--as-github ADDRESS]');
    process.exit(2);
}
const dir = resolve(values.dir);
execFileSync(join(dirname(fileURLToPath(import.meta.url)), 'ca.sh'), [dir], { stdio: 'inherit' });

const listen = (server, port = 0, address = '127.0.0.1') => new Promise((done) => {
    server.listen(port, address, () => done(server.address().port));
});

const contract = await Contract.load();
const world = new World();
const faults = new Faults();
const shapes = new Shapes(contract.examples, 'https://127.0.0.1');
const api = new Api(world, contract, faults, shapes);

const https = createHttpsServer(
    { key: readFileSync(join(dir, 'server.key')), cert: readFileSync(join(dir, 'server.pem')) },
    (request, response) => {
        api.handle(request, response).catch((error) => {
            console.error(`${request.method} ${request.url}: ${error.message}`);
            response.destroy();
        });
    });
const place = values['as-github'] ? [443, values['as-github']] : [];
const apiPort = await listen(https, ...place);

/// Answers when connections are taken again.
async function refuse(ms) {
    https.close();
    https.closeAllConnections();
    await new Promise((done) => { setTimeout(done, ms); });
    if (!https.listening)
        await listen(https, apiPort, place[1]);
}

const control = createHttpServer(makeControl({ world, api, faults, refuse }));
control.keepAliveTimeout = 600000; // a test that is busy elsewhere must not find its connection gone
const controlPort = await listen(control);
shapes.origin = place.length ? 'https://api.github.com' : `https://127.0.0.1:${apiPort}`;
console.log(JSON.stringify({
    api: shapes.origin, control: `http://127.0.0.1:${controlPort}/_control`, ca: join(dir, 'ca.pem'),
}));

// Ends with whoever started it, even if that one was killed.
const input = fstatSync(0);
if (input.isFIFO() || input.isSocket())
    process.stdin.on('end', () => process.exit(0)).resume();
process.on('SIGTERM', () => process.exit(0));
