// Reviews of pull requests: their comments on code, in threads.
import { checkLengths, findPull, paginate, people, react, readPulls } from './common.mjs';
import { invalid, notFound } from './errors.mjs';

function findReviewComment({ repository, params }) {
    const comment = repository.reviewComments.get(Number(params.comment_id));
    if (!comment)
        throw notFound();
    return comment;
}

function commentsOf(repository, pull) {
    return [...repository.reviewComments.values()].filter((comment) => comment.pull_number === pull.number);
}

function listReviewComments(context) {
    const { world, shapes, repository, query, url } = context;
    const { items, headers } = paginate(commentsOf(repository, findPull(context)), query, url);
    return { status: 200, headers, body: items.map((c) => shapes.reviewComment(repository, c, people(world))) };
}

/// As GitHub does it: without the lines that all other calls tell.
function listCommentsOfReview(context) {
    const { world, shapes, repository, params, query, url } = context;
    const pull = findPull(context);
    const id = Number(params.review_id);
    if (repository.reviews.get(id)?.pull_number !== pull.number)
        throw notFound();
    const { items, headers } = paginate(commentsOf(repository, pull).filter((c) => c.review_id === id), query, url);
    const body = items.map((comment) => {
        const { line, original_line, start_line, original_start_line, side, start_side, ...rest } =
            shapes.reviewComment(repository, comment, people(world));
        return rest;
    });
    return { status: 200, headers, body };
}

function createReply(context) {
    const { world, shapes, actor, repository, body, violate } = context;
    const pull = findPull(context);
    const top = findReviewComment(context);
    if (top.pull_number !== pull.number)
        throw notFound();
    if (top.in_reply_to_id) {
        violate('a reply to a reply: GitHub takes the comment that began the thread only');
        throw notFound();
    }
    if (body.body.trim() === '')
        throw invalid([{ resource: 'PullRequestReviewComment', code: 'missing_field', field: 'body' }]);
    checkLengths('PullRequestReviewComment', body);
    const { comments: [comment] } = world.addReview(repository, pull, {
        user: actor.login, comments: [{ ...top, id: undefined, body: body.body, in_reply_to_id: top.id }],
    });
    return { status: 201, body: shapes.reviewComment(repository, comment, people(world)) };
}

const answerOnCode = { permissions: { pull_requests: 'write' }, level: 'read', writes: true };

export const REVIEW_OPERATIONS = {
    'pulls/list-review-comments': { access: readPulls, run: listReviewComments },
    'pulls/list-comments-for-review': { access: readPulls, run: listCommentsOfReview },
    'pulls/create-reply-for-review-comment': { access: answerOnCode, run: createReply },
    'reactions/create-for-pull-request-review-comment':
        { access: answerOnCode, run: (c) => react(c, findReviewComment(c)) },
};
