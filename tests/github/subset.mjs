// Cuts GitHub's OpenAPI description (13 MB) down to the calls that draftd makes, with the components
// that these refer to. Usage: node subset.mjs api.github.com.json OUTPUT
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const REPO = '/repos/{owner}/{repo}';

// A call that is not listed here does not exist for the stand-in.
const CALLS = {
    '/app': ['get'],
    '/app/installations/{installation_id}/access_tokens': ['post'],
    '/user': ['get'],
    '/users/{username}': ['get'],
    [REPO]: ['get'],
    [`${REPO}/installation`]: ['get'],
    [`${REPO}/collaborators/{username}/permission`]: ['get'],
    [`${REPO}/issues/{issue_number}`]: ['get'],
    [`${REPO}/issues/{issue_number}/events`]: ['get'],
    [`${REPO}/issues/{issue_number}/comments`]: ['get', 'post'],
    [`${REPO}/issues/{issue_number}/reactions`]: ['get', 'post'],
    [`${REPO}/issues/comments/{comment_id}`]: ['get', 'patch'],
    [`${REPO}/issues/comments/{comment_id}/reactions`]: ['get', 'post'],
    [`${REPO}/pulls`]: ['get', 'post'],
    [`${REPO}/pulls/{pull_number}`]: ['get', 'patch'],
    [`${REPO}/pulls/{pull_number}/comments`]: ['get'],
    [`${REPO}/pulls/{pull_number}/comments/{comment_id}/replies`]: ['post'],
    [`${REPO}/pulls/{pull_number}/reviews/{review_id}/comments`]: ['get'],
    [`${REPO}/pulls/comments/{comment_id}/reactions`]: ['post'],
    [`${REPO}/check-runs`]: ['post'],
    [`${REPO}/check-runs/{check_run_id}`]: ['patch'],
    [`${REPO}/check-suites/{check_suite_id}/check-runs`]: ['get'],
    [`${REPO}/commits/{ref}/check-runs`]: ['get'],
    [`${REPO}/statuses/{sha}`]: ['post'],
    [`${REPO}/actions/runs/{run_id}/jobs`]: ['get'],
    [`${REPO}/actions/jobs/{job_id}/logs`]: ['get'],
    [`${REPO}/hooks`]: ['get'],
    [`${REPO}/hooks/{hook_id}/deliveries`]: ['get'],
    [`${REPO}/hooks/{hook_id}/deliveries/{delivery_id}/attempts`]: ['post'],
    '/app/hook/deliveries': ['get'],
    '/app/hook/deliveries/{delivery_id}/attempts': ['post'],
    '/app/installations': ['get'],
    '/installation/repositories': ['get'],
    '/user/repos': ['get'],
    [`${REPO}/issues`]: ['get'],
};

function collectReferences(value, found) {
    if (value === null || typeof value !== 'object')
        return;
    if (typeof value.$ref === 'string')
        found.add(value.$ref);
    Object.values(value).forEach((member) => collectReferences(member, found));
}

function component(document, reference) {
    return reference.slice(2).split('/').reduce((at, name) => at[name], document);
}

function cut(document) {
    const paths = {};
    for (const [path, methods] of Object.entries(CALLS))
        paths[path] = Object.fromEntries(methods.map((method) => [method, document.paths[path][method]]));

    const components = {};
    const seen = new Set();
    const waiting = new Set();
    collectReferences(paths, waiting);
    for (const reference of waiting) { // grows while it is walked
        if (seen.has(reference))
            continue;
        seen.add(reference);
        const [, , kind, name] = reference.split('/');
        const value = component(document, reference);
        (components[kind] ??= {})[name] = value;
        collectReferences(value, waiting);
    }
    return { openapi: document.openapi, info: document.info, paths, components };
}

const [, , input, output] = process.argv;
const subset = cut(JSON.parse(readFileSync(input, 'utf8')));
writeFileSync(`${output}.new`, JSON.stringify(subset));
renameSync(`${output}.new`, output);
