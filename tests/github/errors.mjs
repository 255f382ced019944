// GitHub's error answers, thrown by whoever finds the fault and written by the server.

export class ApiError extends Error {
    constructor(status, body, headers = {}) {
        super(body.message);
        this.status = status;
        this.headers = headers;
        this.body = {
            documentation_url: 'https://docs.github.com/rest',
            status: String(status),
            ...body,
        };
    }
}

export const notFound = () => new ApiError(404, { message: 'Not Found' });
export const badCredentials = () => new ApiError(401, { message: 'Bad credentials' });

export function forbidden(message, neededPermissions) {
    const headers = neededPermissions ? { 'x-accepted-github-permissions': neededPermissions } : {};
    return new ApiError(403, { message }, headers);
}

/// 422 with GitHub's list of what is wrong: [{ resource, field, code, message }].
export function invalid(errors, message = 'Validation Failed') {
    return new ApiError(422, errors.length ? { message, errors } : { message });
}
