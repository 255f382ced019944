// Holds every request against GitHub's published OpenAPI description. GitHub itself ignores members
// and query parameters that it does not know; here they are violations, since each is a misspelling.
import { readDescription, requireTool } from './tools.mjs';

const { OpenAPIBackend } = requireTool('openapi-backend');

/// A function that follows references of the document.
function resolver(document) {
    return (value) => {
        while (value?.$ref)
            value = value.$ref.slice(2).split('/').reduce((at, name) => at[name], document);
        return value;
    };
}

/// Refuse unknown members in the objects of request bodies.
function closeObjects(schema, resolve, seen) {
    const target = resolve(schema);
    if (!target || typeof target !== 'object' || seen.has(target))
        return;
    seen.add(target);
    if (target.properties && target.additionalProperties === undefined)
        target.additionalProperties = false;
    for (const member of Object.values(target.properties ?? {}))
        closeObjects(member, resolve, seen);
    for (const variant of [...(target.oneOf ?? []), ...(target.anyOf ?? [])])
        closeObjects(variant, resolve, seen);
    if (target.items)
        closeObjects(target.items, resolve, seen);
}

function closeRequestBodies(document) {
    const resolve = resolver(document);
    for (const methods of Object.values(document.paths))
        for (const operation of Object.values(methods))
            closeObjects(operation.requestBody?.content?.['application/json']?.schema, resolve, new Set());
}

/// The example answer of each operation: { "pulls/create": {...}, ... }.
function collectExamples(document) {
    const resolve = resolver(document);
    const examples = {};
    for (const methods of Object.values(document.paths)) {
        for (const operation of Object.values(methods)) {
            const [success] = Object.values(operation.responses);
            const [first] = Object.values(resolve(success).content?.['application/json'].examples ?? {});
            const example = resolve(resolve(first)?.value);
            // some lie one level deeper, beside notes about them
            examples[operation.operationId] = example?.['x-github-breaking-changes'] ? example.value : example;
        }
    }
    return examples;
}

export class Contract {
    static async load() {
        const document = readDescription();
        const contract = new Contract();
        contract.examples = collectExamples(document);
        closeRequestBodies(document);
        contract.api = new OpenAPIBackend({
            definition: document,
            quick: true,
            strict: false,
            coerceTypes: true,
            ajvOpts: { strict: false, validateFormats: false, logger: false, allErrors: true },
        });
        await contract.api.init();
        return contract;
    }

    /// Returns { operation, params, query, faults }; `operation` is undefined for an unknown call.
    check(request) {
        const operation = this.api.router.matchOperation(request);
        if (!operation)
            return { faults: [`GitHub has no such call, or it is not listed in subset.mjs`] };

        const { valid, errors, coerced } = this.api.validateRequest(request, operation);
        const faults = valid ? [] : errors.map((e) => `${e.instancePath || e.schemaPath} ${e.message} ${
            e.params?.additionalProperty ?? e.params?.allowedValues?.join('|') ?? ''}`.trim());
        const known = (operation.parameters ?? []).filter((p) => p.in === 'query').map((p) => p.name);
        for (const name of Object.keys(request.query))
            if (!known.includes(name))
                faults.push(`unknown query parameter ${name}`);
        if (request.body !== undefined && !operation.requestBody)
            faults.push('a body where none is taken');
        return { operation: operation.operationId, params: coerced.params, query: coerced.query, faults };
    }
}
