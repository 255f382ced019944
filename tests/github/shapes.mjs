// Answers in GitHub's shape: the examples of its OpenAPI description, with our state laid over them.

export class Shapes {
    constructor(examples, origin) {
        this.examples = examples;
        this.origin = origin;
    }

    base(operation) {
        const example = this.examples[operation];
        return structuredClone(Array.isArray(example) ? example[0] : example);
    }

    user(person) {
        const { user } = this.base('issues/create-comment');
        const path = encodeURIComponent(person.login);
        return {
            ...user, login: person.login, id: person.id, type: person.type,
            url: `${this.origin}/users/${path}`, html_url: `https://github.com/${path}`,
        };
    }

    fullUser(person, operation) {
        return { ...this.base(operation), ...this.user(person), name: person.login };
    }

    app(app) {
        return {
            ...this.base('apps/get-authenticated'), id: app.id, slug: app.slug, name: app.slug,
            client_id: app.client_id ?? 'Iv1.ab1112223334445c', permissions: app.permissions,
            html_url: `https://github.com/apps/${app.slug}`,
        };
    }

    installation(app, repository, owner) {
        return {
            ...this.base('apps/get-repo-installation'), id: owner.id, account: this.user(owner), app_id: app.id,
            app_slug: app.slug, target_id: owner.id, target_type: owner.type, permissions: app.permissions,
            repository_selection: 'selected', suspended_by: null,
            suspended_at: app.suspended ? '2026-11-21T05:00:00Z' : null,
            access_tokens_url: `${this.origin}/app/installations/${owner.id}/access_tokens`,
        };
    }

    repository(repository, owner) {
        const url = `${this.origin}/repos/${repository.full_name}`;
        const { template_repository, parent, source, ...base } = this.base('repos/get');
        return {
            ...base, id: repository.id, name: repository.name, full_name: repository.full_name, url,
            owner: this.user(owner), private: repository.private, archived: repository.archived,
            visibility: repository.private ? 'private' : 'public', default_branch: repository.default_branch,
            html_url: `https://github.com/${repository.full_name}`,
            clone_url: `${this.origin}/${repository.full_name}.git`,
        };
    }

    issue(repository, issue, people) {
        const url = `${this.origin}/repos/${repository.full_name}/issues/${issue.number}`;
        const { pull_request, pinned_comment, ...base } = this.base('issues/get');
        const { labels: [label] } = this.base('issues/list-for-repo');
        const answer = {
            ...base, id: issue.id, number: issue.number, title: issue.title, body: issue.body,
            user: this.user(people(issue.user)), state: issue.state, url, comments_url: `${url}/comments`,
            labels: issue.labels.map((name) => ({ ...label, name })),
            assignees: issue.assignees.map((login) => this.user(people(login))), assignee: null,
            html_url: `https://github.com/${repository.full_name}/issues/${issue.number}`,
            created_at: issue.created_at, updated_at: issue.updated_at, closed_at: null, closed_by: null,
        };
        if (issue.is_pull)
            answer.pull_request = { url: `${this.origin}/repos/${repository.full_name}/pulls/${issue.number}` };
        return answer;
    }

    /// Of an assignment, "actor" is who was assigned: GitHub's oldest oddity.
    issueEvent({ event, by, label, assignee, created_at, id }, people) {
        const { label: _, performed_via_github_app, ...base } = this.base('issues/list-events');
        const person = (login) => this.user(people(login));
        return {
            ...base, id, event, created_at, actor: person(assignee ?? by), performed_via_github_app: null,
            ...(label ? { label: { name: label, color: 'ededed' } } : {}),
            ...(assignee ? { assignee: person(assignee), assigner: person(by) } : {}),
        };
    }

    comment(repository, comment, people, app) {
        const path = `repos/${repository.full_name}/issues`;
        const answer = {
            ...this.base('issues/create-comment'), id: comment.id, body: comment.body,
            user: this.user(people(comment.user)), created_at: comment.created_at, updated_at: comment.updated_at,
            url: `${this.origin}/${path}/comments/${comment.id}`,
            issue_url: `${this.origin}/${path}/${comment.issue_number}`,
            html_url: `https://github.com/${repository.full_name}/issues/${comment.issue_number}#issuecomment-${comment.id}`,
            performed_via_github_app: null,
        };
        if (comment.app_id !== null)
            answer.performed_via_github_app = app?.id === comment.app_id
                ? this.app(app) : { ...this.base('apps/get-authenticated'), id: comment.app_id };
        return answer;
    }

    reviewComment(repository, comment, people) {
        const { in_reply_to_id, ...base } = this.base('pulls/create-reply-for-review-comment');
        const pull = `${this.origin}/repos/${repository.full_name}/pulls`;
        return {
            ...base, id: comment.id, pull_request_review_id: comment.review_id, path: comment.path, line: comment.line,
            original_line: comment.line, start_line: null, original_start_line: null, diff_hunk: comment.diff_hunk,
            body: comment.body, user: this.user(people(comment.user)), subject_type: comment.subject_type,
            created_at: comment.created_at, updated_at: comment.updated_at,
            url: `${pull}/comments/${comment.id}`, pull_request_url: `${pull}/${comment.pull_number}`,
            html_url: `https://github.com/${repository.full_name}/pull/${comment.pull_number}#discussion_r${comment.id}`,
            ...(comment.in_reply_to_id ? { in_reply_to_id: comment.in_reply_to_id } : {}),
        };
    }

    checkRun(repository, check, app) {
        const url = `${this.origin}/repos/${repository.full_name}/check-runs/${check.id}`;
        const base = this.base('checks/create');
        return {
            ...base, id: check.id, name: check.name, head_sha: check.head_sha, external_id: check.external_id, url,
            html_url: `https://github.com/${repository.full_name}/runs/${check.id}`, details_url: check.details_url,
            status: check.status, conclusion: check.conclusion, started_at: check.started_at,
            completed_at: check.completed_at, check_suite: { id: check.suite_id }, pull_requests: [],
            output: { ...base.output, ...check.output, annotations_count: 0 },
            app: app?.id === check.app_id ? this.app(app) : { ...base.app, id: check.app_id, slug: check.app_slug ?? 'other' },
        };
    }

    job(repository, job) {
        const { jobs: [base] } = this.base('actions/list-jobs-for-workflow-run');
        return {
            ...base, id: job.id, run_id: job.run_id, name: job.name, status: 'completed', conclusion: job.conclusion,
            url: `${this.origin}/repos/${repository.full_name}/actions/jobs/${job.id}`,
            html_url: `https://github.com/${repository.full_name}/actions/runs/${job.run_id}/job/${job.id}`,
            steps: job.steps.map((step, i) => ({ ...base.steps[0], status: 'completed', ...step, number: i + 1 })),
        };
    }

    status(repository, status, people) {
        return {
            ...this.base('repos/create-commit-status'), id: status.id, state: status.state, context: status.context,
            description: status.description, target_url: status.target_url, creator: this.user(people(status.user)),
            created_at: status.created_at, updated_at: status.created_at,
            url: `${this.origin}/repos/${repository.full_name}/statuses/${status.sha}`,
        };
    }

    hook(repository, hook) {
        return {
            ...this.base('repos/list-webhooks'), id: hook.id, active: hook.active, events: hook.events,
            config: { content_type: 'json', insecure_ssl: '0', url: hook.url ?? '' },
            url: `${this.origin}/repos/${repository.full_name}/hooks/${hook.id}`,
        };
    }

    delivery({ payload, ...delivery }) {
        return { ...this.base('repos/list-webhook-deliveries'), throttled_at: null, ...delivery };
    }

    reaction(reaction, people) {
        return {
            ...this.base('reactions/create-for-issue'), id: reaction.id, content: reaction.content,
            user: this.user(people(reaction.user)), created_at: reaction.created_at,
        };
    }

    pull(repository, pull, people, { simple = false } = {}) {
        const url = `${this.origin}/repos/${repository.full_name}/pulls/${pull.number}`;
        const base = this.base(simple ? 'pulls/list' : 'pulls/get');
        const side = (at, ref, sha, id) => ({
            ...at, ref, sha, label: `${repository.owner}:${ref}`, user: this.user(people(repository.owner)),
            repo: id && { ...at.repo, id, name: repository.name, full_name: repository.full_name },
        });
        const closed = pull.state === 'closed' ? pull.updated_at : null;
        const answer = {
            ...base, id: pull.id, number: pull.number, title: pull.title, body: pull.body, state: pull.state,
            draft: pull.draft, user: this.user(people(pull.user)), url,
            html_url: `https://github.com/${repository.full_name}/pull/${pull.number}`,
            head: side(base.head, pull.head, pull.head_sha, pull.head_repository),
            base: side(base.base, pull.base, pull.base_sha, repository.id),
            created_at: pull.created_at, updated_at: pull.updated_at, closed_at: closed,
            merged_at: pull.merged ? closed : null, labels: [], assignees: [], assignee: null, milestone: null,
        };
        if (simple)
            return answer;
        const mergeable = pull.state === 'open' ? pull.mergeable : null;
        const mergeable_state = { true: 'clean', false: 'dirty', null: 'unknown' }[mergeable];
        return { ...answer, merged: pull.merged, merged_by: null, mergeable, mergeable_state };
    }
}
