// Finds what install.sh put outside the repository.
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const cache = join(process.env.DRAFTD_TEST_CACHE ?? join(homedir(), '.cache', 'draftd-tests'), 'npm');
if (!existsSync(join(cache, '.github-tools'))) {
    console.error(`${cache} is not filled: run tests/github/install.sh first`);
    process.exit(3);
}

/// A CommonJS package of the cache.
export const requireTool = createRequire(join(cache, 'package.json'));

/// An ECMAScript module of the cache, by its file below node_modules.
export function importTool(file) {
    return import(pathToFileURL(join(cache, 'node_modules', file)));
}

export function readDescription() {
    return JSON.parse(readFileSync(join(cache, 'github-openapi.json'), 'utf8'));
}

/// GitHub's GraphQL schema, as text.
export function readSchema() {
    return readFileSync(join(cache, 'node_modules/@octokit/graphql-schema/schema.graphql'), 'utf8');
}
