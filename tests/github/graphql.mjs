// GitHub's GraphQL API: queries are held against its published schema, and answered from the state.
// The schema is read when the first query comes: most tests ask none.
import { permissionOf, requireAccess } from './access.mjs';
import { ApiError, invalid } from './errors.mjs';
import { people, readIssues } from './common.mjs';
import { readSchema, requireTool } from './tools.mjs';

let schema = null;

function loadSchema(graphql) {
    schema ??= graphql.buildSchema(readSchema(), { assumeValidSDL: true });
    return schema;
}

/// Named as GitHub names it: an App without "[bot]".
function author({ world }, login) {
    const person = people(world)(login);
    return { __typename: person.type === 'Bot' ? 'Bot' : 'User', login: login.replace(/\[bot\]$/, '') };
}

function pullNode(context, repository, pull) {
    return {
        number: pull.number, url: `https://github.com/${repository.full_name}/pull/${pull.number}`, isDraft: pull.draft, body: pull.body ?? '',
        state: pull.merged ? 'MERGED' : pull.state.toUpperCase(), author: author(context, pull.user),
    };
}

function linkedPulls(context, repository, issue, { first, includeClosedPrs }) {
    const nodes = [...repository.pulls.values()]
        .filter((pull) => pull.closes.includes(issue.number) && (includeClosedPrs || pull.state === 'open'))
        .map((pull) => pullNode(context, repository, pull));
    return { totalCount: nodes.length, nodes: nodes.slice(0, first) };
}

/// An error in the list of the answer, of a type that GitHub uses.
function typedError(graphql, type, message) {
    return new graphql.GraphQLError(message, { extensions: { type } });
}

function findRepository(graphql, context, { owner, name }) {
    const { world, actor } = context;
    const repository = world.repository(`${owner}/${name}`) ?? world.renamed.get(`${owner}/${name}`.toLowerCase());
    const hidden = () => typedError(graphql, 'NOT_FOUND', `Could not resolve to a Repository with the name '${owner}/${name}'.`);
    if (!repository || (actor.kind === 'user' && permissionOf(repository, actor.login) === 'none'))
        throw hidden();
    try {
        requireAccess(actor, repository, readIssues);
    } catch (error) {
        throw error.status === 403 ? typedError(graphql, 'FORBIDDEN', error.message) : hidden();
    }
    return {
        issue({ number }) {
            const issue = repository.issues.get(number);
            if (!issue || issue.is_pull)
                throw typedError(graphql, 'NOT_FOUND', `Could not resolve to an Issue with the number of ${number}.`);
            return {
                number, title: issue.title,
                closedByPullRequestsReferences: (args) => linkedPulls(context, repository, issue, args),
            };
        },
    };
}

/// The type stands beside the message, not below "extensions".
function plainError({ message, path, extensions: { type } = {} }) {
    return { ...(type ? { type } : {}), ...(path ? { path } : {}), message };
}

export async function runGraphql(context) {
    const { actor, body, entry, violate } = context;
    const graphql = requireTool('graphql');
    if (typeof body?.query !== 'string')
        throw new ApiError(400, { message: 'A query attribute must be specified and must be a string.' });
    if (actor.kind === 'app')
        throw invalid([], 'A JSON web token is not accepted here');
    const { query, variables = {}, ...unknown } = body;
    Object.keys(unknown).forEach((name) => violate(`unknown member ${name}`));
    let document;
    try {
        document = graphql.parse(query);
    } catch (error) {
        violate(error.message);
        return { status: 200, body: { errors: [{ message: error.message }] } };
    }
    entry.operation = `graphql/${document.definitions[0].name?.value}`;
    const faults = graphql.validate(loadSchema(graphql), document);
    faults.forEach((fault) => violate(fault.message));
    if (faults.length)
        return { status: 200, body: { errors: faults.map(plainError) } };
    const { data, errors } = await graphql.execute({
        schema, document, variableValues: variables,
        rootValue: { repository: (args) => findRepository(graphql, context, args) },
    });
    (errors ?? []).filter((error) => !error.extensions?.type).forEach((error) => violate(error.message));
    return { status: 200, body: errors ? { data, errors: errors.map(plainError) } : { data } };
}
