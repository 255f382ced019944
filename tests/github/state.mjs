// What the stand-in's GitHub holds: the App, people, tokens, repositories with their issues, comments,
// reactions and pull requests. Plain records; who may do what is decided in access.mjs.
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';

export const now = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

const TOKEN_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function randomText(length) {
    return [...randomBytes(length)].map((byte) => TOKEN_LETTERS[byte % TOKEN_LETTERS.length]).join('');
}

/// The issues that a text says it closes.
function closedIssues(text) {
    return [...(text ?? '').matchAll(/\b(?:fix(?:e[sd])?|closes?d?|resolve[sd]?):? #(\d+)/gi)].map((match) => Number(match[1]));
}

export class World {
    constructor() {
        this.reset();
    }

    reset() {
        this.app = null;
        this.people = new Map();       // lower-case login -> { login, id, type }
        this.tokens = new Map();       // token -> { kind, login?, repositories?, permissions?, expires_at }
        this.repositories = new Map(); // lower-case full name -> repository
        this.renamed = new Map();      // lower-case old full name -> repository
        this.hooks = [];               // { id, repository: full name or null for the App's, url, secret, deliveries }
        this.lastId = 1000;
    }

    id() {
        return ++this.lastId;
    }

    /// Add to the state. Members as described at the top of server.mjs.
    setup({ app, users = [], tokens = [], repositories = [] }) {
        if (app)
            this.app = {
                id: 1, slug: 'draftd', token_minutes: 60, token_format: 'stateless', suspended: false,
                permissions: { contents: 'write', pull_requests: 'write', issues: 'write', metadata: 'read' },
                ...app,
            };
        users.forEach((user) => this.addPerson(user.login, user));
        tokens.forEach((token) => this.addUserToken(token));
        repositories.forEach((repository) => this.addRepository(repository));
    }

    addPerson(login, { id, type } = {}) {
        const known = this.people.get(login.toLowerCase());
        if (known)
            return Object.assign(known, { type: type ?? known.type });
        const person = { login, id: id ?? this.id(), type: type ?? (login.endsWith('[bot]') ? 'Bot' : 'User') };
        this.people.set(login.toLowerCase(), person);
        return person;
    }

    person(login) {
        return this.people.get(login.toLowerCase());
    }

    addUserToken({ token, login, expires_at = null, scopes }) {
        this.addPerson(login);
        this.tokens.set(token, { kind: 'user', login, expires_at, scopes });
    }

    /// `stateless`: what a request asks for, "enabled" or "disabled", whatever the App is set to.
    mintToken(repositories, permissions, stateless) {
        const { id, token_minutes, token_format } = this.app;
        const token = (stateless ? stateless === 'disabled' : token_format === 'classic')
            ? `ghs_${randomText(36)}`
            : `ghs_${id}_${randomText(36)}.${randomText(330)}.${randomText(140)}`;
        const expires_at = new Date(Date.now() + token_minutes * 60_000).toISOString().replace(/\.\d+Z$/, 'Z');
        this.tokens.set(token, { kind: 'installation', repositories, permissions, expires_at });
        return { token, expires_at };
    }

    addRepository(input) {
        const [owner, name] = input.full_name.split('/');
        this.addPerson(owner, { type: 'Organization' });
        const existing = this.repositories.get(input.full_name.toLowerCase());
        const repository = existing ?? {
            id: this.id(), owner, name, full_name: input.full_name, default_branch: 'main',
            private: false, archived: false, drafts: true, installed: true, git_dir: null,
            collaborators: {}, issues: new Map(), comments: new Map(), pulls: new Map(), lastNumber: 0,
            reviews: new Map(), reviewComments: new Map(), checkRuns: new Map(), statuses: [], jobs: new Map(),
        };
        const { issues = [], renamed_from = [], full_name, ...settings } = input;
        Object.assign(repository, settings);
        Object.keys(repository.collaborators).forEach((login) => this.addPerson(login));
        this.repositories.set(full_name.toLowerCase(), repository);
        renamed_from.forEach((old) => this.renamed.set(old.toLowerCase(), repository));
        issues.forEach((issue) => this.addIssue(repository, issue));
        return repository;
    }

    /// It keeps its id, and is redirected to from its old name.
    renameRepository(repository, full_name) {
        const [owner, name] = full_name.split('/');
        this.addPerson(owner, { type: 'Organization' });
        this.repositories.delete(repository.full_name.toLowerCase());
        this.renamed.set(repository.full_name.toLowerCase(), repository);
        Object.assign(repository, { owner, name, full_name });
        this.repositories.set(full_name.toLowerCase(), repository);
    }

    repository(fullName) {
        return this.repositories.get(fullName.toLowerCase());
    }

    repositoryById(id) {
        return [...this.repositories.values()].find((repository) => repository.id === id);
    }

    addIssue(repository, { number, title, body = '', user = 'ann', labels = [], assignees = [], state = 'open', updated_at }) {
        const issue = {
            id: this.id(), number: number ?? repository.lastNumber + 1, title, body, user, labels, assignees,
            state, is_pull: false, reactions: [], events: [], created_at: updated_at ?? now(), updated_at: updated_at ?? now(),
        };
        this.addPerson(user);
        repository.lastNumber = Math.max(repository.lastNumber, issue.number);
        repository.issues.set(issue.number, issue);
        this.noteChanges(issue, { labels: [], assignees: [] }, user, issue.created_at);
        return issue;
    }

    editIssue(issue, { by = issue.user, at = now(), ...changes }) {
        const before = { labels: issue.labels, assignees: issue.assignees };
        this.addPerson(by);
        Object.assign(issue, changes);
        this.noteChanges(issue, before, by, at);
        return issue;
    }

    /// What GitHub notes of labels and assignees that come and go.
    noteChanges(issue, before, by, created_at) {
        const note = (event, more) => issue.events.push({ id: this.id(), event, by, created_at, ...more });
        const added = (now_there, there) => now_there.filter((name) => !there.includes(name));
        added(issue.labels, before.labels).forEach((label) => note('labeled', { label }));
        added(before.labels, issue.labels).forEach((label) => note('unlabeled', { label }));
        added(issue.assignees, before.assignees).forEach((assignee) => note('assigned', { assignee }));
        added(before.assignees, issue.assignees).forEach((assignee) => note('unassigned', { assignee }));
    }

    addComment(repository, issue, login, body, appId = null) {
        const comment = {
            id: this.id(), issue_number: issue.number, user: login, app_id: appId, body, reactions: [],
            created_at: now(), updated_at: now(), history: [{ at: now(), body }],
        };
        this.addPerson(login);
        repository.comments.set(comment.id, comment);
        return comment;
    }

    editComment(comment, body) {
        comment.body = body;
        comment.updated_at = now();
        comment.history.push({ at: now(), body });
    }

    /// Returns true when it is new.
    addReaction(target, login, content) {
        if (target.reactions.some((r) => r.user === login && r.content === content))
            return false;
        target.reactions.push({ id: this.id(), user: login, content, created_at: now() });
        return true;
    }

    /// `closes`: numbers of issues; without it, those that the body says it fixes.
    addPull(repository, login, { title, body = null, head, base, draft, closes }, commits) {
        const issue = this.addIssue(repository, { title, body: body ?? '', user: login });
        issue.is_pull = true;
        const pull = {
            id: issue.id, number: issue.number, title, body, user: login, head, base, draft: Boolean(draft),
            head_sha: commits.head, base_sha: commits.base, head_repository: repository.id, state: 'open', merged: false,
            mergeable: true, mergeable_set: false, closes: closes ?? closedIssues(body),
            created_at: now(), updated_at: now(), history: [{ at: now(), title, body }],
        };
        repository.pulls.set(pull.number, pull);
        return pull;
    }

    editPull(repository, pull, changes) {
        Object.assign(pull, changes, { updated_at: now(), mergeable_set: pull.mergeable_set || 'mergeable' in changes });
        const issue = repository.issues.get(pull.number);
        Object.assign(issue, { title: pull.title, body: pull.body ?? '', state: pull.state });
        pull.history.push({ at: now(), title: pull.title, body: pull.body });
    }

    /// A review with its comments on code, as described at the top of server.mjs.
    addReview(repository, pull, { user, body = '', state = 'COMMENTED', comments = [] }) {
        const review = { id: this.id(), pull_number: pull.number, user, body, state, submitted_at: now() };
        this.addPerson(user);
        repository.reviews.set(review.id, review);
        const written = comments.map((comment) => this.addReviewComment(repository, review, comment));
        return { ...review, comments: written };
    }

    addReviewComment(repository, review, { path, line = null, diff_hunk = '', body, in_reply_to_id, subject_type = 'line' }) {
        const comment = {
            id: this.id(), review_id: review.id, pull_number: review.pull_number, user: review.user, path, line, diff_hunk,
            body, in_reply_to_id, subject_type, reactions: [], created_at: now(), updated_at: now(),
        };
        repository.reviewComments.set(comment.id, comment);
        return comment;
    }

    addCheckRun(repository, { name, head_sha, app_id, suite_id, ...rest }) {
        const check = {
            id: this.id(), name, head_sha, app_id, suite_id: suite_id ?? this.id(), external_id: '', status: 'queued',
            conclusion: null, details_url: null, output: { title: null, summary: null, text: null },
            started_at: now(), completed_at: null, history: [],
        };
        repository.checkRuns.set(check.id, check);
        this.editCheckRun(check, rest);
        return check;
    }

    editCheckRun(check, { output, ...rest }) {
        Object.assign(check, rest);
        Object.assign(check.output, output);
        if (check.conclusion)
            Object.assign(check, { status: 'completed', completed_at: now() });
        check.history.push({ at: now(), conclusion: check.conclusion, title: check.output.title });
    }

    addJob(repository, { run_id, name = 'build', conclusion = 'failure', steps = [], log = null, log_encoding }) {
        const job = { id: this.id(), run_id, name, conclusion, steps, log, log_encoding };
        repository.jobs.set(job.id, job);
        return job;
    }

    addStatus(repository, sha, login, { state, context = 'default', description = null, target_url = null }) {
        const status = { id: this.id(), sha, user: login, state, context, description, target_url, created_at: now() };
        repository.statuses.push(status);
        return status;
    }

    addHook({ repository = null, url = null, secret = null, events = ['*'], active = true }) {
        const hook = { id: this.id(), repository, url, secret, events, active, deliveries: [] };
        this.hooks.push(hook);
        return hook;
    }

    addDelivery(hook, { guid, event, action, payload, status = 'OK', status_code = 200, delivered_at, redelivery = false }) {
        const delivery = {
            id: this.id(), guid, event, action, payload, status, status_code, delivered_at: delivered_at ?? now(), redelivery,
            repository_id: payload?.repository?.id ?? null, installation_id: payload?.installation?.id ?? null,
        };
        hook.deliveries.push(delivery);
        return delivery;
    }

    /// Everything, as plain JSON, for a test to look at.
    snapshot() {
        const values = (map) => [...map.values()];
        return {
            app: this.app,
            hooks: this.hooks,
            tokens: [...this.tokens].map(([token, record]) => ({ token, ...record })),
            repositories: values(this.repositories).map((repository) => ({
                ...repository,
                issues: values(repository.issues).map((issue) => ({
                    ...issue,
                    comments: values(repository.comments).filter((c) => c.issue_number === issue.number),
                })),
                comments: undefined, // listed with their issues
                pulls: values(repository.pulls).map((pull) => ({
                    ...pull,
                    reviews: values(repository.reviews).filter((r) => r.pull_number === pull.number),
                    review_comments: values(repository.reviewComments).filter((c) => c.pull_number === pull.number),
                })),
                reviews: undefined,
                reviewComments: undefined,
                checkRuns: undefined,
                check_runs: values(repository.checkRuns),
                jobs: values(repository.jobs),
            })),
        };
    }
}

function git(repository, ...args) {
    try {
        return execFileSync('git', ['--git-dir', repository.git_dir, ...args],
            { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' }).trim();
    } catch {
        return null;
    }
}

/// The commit that a branch points at; null when there is no such branch. A repository without a
/// git directory has every branch.
export function branchCommit(repository, branch) {
    if (!repository.git_dir)
        return '6dcb09b5b57875f334f61aebed695e2e4193db5e';
    return git(repository, 'rev-parse', '--verify', '--quiet', `refs/heads/${branch}^{commit}`);
}

/// Does `head` have commits that `base` lacks?
export function hasNewCommits(repository, base, head) {
    return !repository.git_dir || git(repository, 'rev-list', '-n1', head, `^${base}`) !== '';
}

/// Can one branch be merged into another without conflicts?
export function merges(repository, base, head) {
    return git(repository, 'merge-tree', '--write-tree', `refs/heads/${base}`, `refs/heads/${head}`) !== null;
}

/// Is there such a commit?  Without a git directory there is every one.
export function hasCommit(repository, sha) {
    return !repository.git_dir || git(repository, 'cat-file', '-e', `${sha}^{commit}`) !== null;
}
