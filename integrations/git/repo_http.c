/* See repo_http.h. One libgit2 "stream" is one HTTP exchange: a GET of info/refs, or a POST whose
 * body is collected in an unnamed file as libgit2 writes it and sent when libgit2 first reads the
 * answer. */
#include "integrations/git/repo_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"

#define DEFAULT_TIMEOUT_MS (60 * MS_PER_SECOND)
#define POLL_STEP_MS 1000
#define MAX_PENDING_BYTES                                                                          \
    ((size_t)64 * 1024 * 1024)   /* received and not yet read; libcurl hands over far less */
#define MAX_COMPLAINT_BYTES 300U /* of an error answer's text */
#define MAX_REDIRECTS 3L

/* Set once by repo_http_init(), before threads. */
static char *trusted_file;

struct repo_wire {
    const struct repo_remote *remote;
    const char *scratch; /* directory for requests before they are sent */
    CURLM *multi;
    char *base; /* the remote's URL without a slash at its end; follows a redirect */
    struct err err;
};

static int64_t
patience_ms(const struct repo_wire *wire)
{
    return wire->remote->timeout_ms > 0 ? wire->remote->timeout_ms : DEFAULT_TIMEOUT_MS;
}

struct service {
    const char *name;
    bool advertise; /* GET of the refs; else POST */
};

struct stream {
    git_smart_subtransport_stream parent;
    struct repo_wire *wire;
    struct service service;
    CURL *easy;
    struct curl_slist *headers;
    char *url;
    int body;         /* the request's, unnamed file; -1: none yet */
    curl_off_t sent;  /* of the body */
    struct strbuf in; /* the answer, from `used` on not yet read */
    size_t used;
    bool started;
    bool finished;
    int64_t progress_ms; /* when anything last moved */
    curl_off_t moved;    /* bytes in both directions by then */
};

struct subtransport {
    git_smart_subtransport parent;
    struct repo_wire *wire;
};

int
repo_http_init(const char *ca_file, struct err *err)
{
    if (ca_file && access(ca_file, R_OK))
        return err_set_errno(err, ERR_INVALID, errno, "certificates %s", ca_file);
    return str_set(&trusted_file, ca_file, err);
}

/* Keep the first failure and tell libgit2, which hands -1 through. */
static int
fail(struct repo_wire *wire)
{
    git_error_set_str(GIT_ERROR_HTTP, wire->err.msg);
    return -1;
}

static size_t
on_body(char *ptr, size_t size, size_t count, void *ctx)
{
    struct stream *stream = ctx;

    strbuf_add(&stream->in, ptr, size * count);
    return strbuf_ok(&stream->in) ? size * count : 0;
}

static size_t
on_send(char *ptr, size_t size, size_t count, void *ctx)
{
    struct stream *stream = ctx;
    const ssize_t n = pread(stream->body, ptr, size * count, stream->sent);

    if (n < 0)
        return CURL_READFUNC_ABORT;
    stream->sent += n;
    return (size_t)n;
}

static int
on_rewind(void *ctx, curl_off_t offset, int origin)
{
    struct stream *stream = ctx;

    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    stream->sent = offset;
    return CURL_SEEKFUNC_OK;
}

static int
on_progress(void *ctx, curl_off_t dl_total, curl_off_t dl, curl_off_t ul_total, curl_off_t ul)
{
    struct stream *stream = ctx;

    (void)dl_total;
    (void)ul_total;
    if (dl + ul != stream->moved) {
        stream->moved = dl + ul;
        stream->progress_ms = clock_mono_ms();
    }
    return 0;
}

static bool
add_header(struct stream *stream, const char *text)
{
    struct curl_slist *list = curl_slist_append(stream->headers, text);

    if (list)
        stream->headers = list;
    return list != NULL;
}

static int
set_credentials(const struct stream *stream)
{
    const struct repo_remote *remote = stream->wire->remote;
    CURL *easy = stream->easy;

    if (!remote->user || !remote->password)
        return 0;
    /* Sent at once, to this host only: libcurl drops them when a redirect leads to another. */
    return curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) ||
           curl_easy_setopt(easy, CURLOPT_USERNAME, remote->user) ||
           curl_easy_setopt(easy, CURLOPT_PASSWORD, secret_reveal(remote->password).ptr);
}

static int
set_body(struct stream *stream)
{
    const off_t size = stream->body >= 0 ? lseek(stream->body, 0, SEEK_END) : 0;
    auto_free char *type =
        str_printf("Content-Type: application/x-%s-request", stream->service.name);
    auto_free char *accept = str_printf("Accept: application/x-%s-result", stream->service.name);
    CURL *easy = stream->easy;

    return size < 0 || !type || !accept || !add_header(stream, type) ||
           !add_header(stream, accept) || !add_header(stream, "Expect:") ||
           curl_easy_setopt(easy, CURLOPT_POST, 1L) ||
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size) ||
           curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send) ||
           curl_easy_setopt(easy, CURLOPT_READDATA, stream) ||
           curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind) ||
           curl_easy_setopt(easy, CURLOPT_SEEKDATA, stream) ||
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, stream->headers);
}

static int
set_options(struct stream *stream)
{
    const int64_t timeout_ms = patience_ms(stream->wire);
    CURL *easy = stream->easy;

    /* Some servers answer git clients only. */
    return curl_easy_setopt(easy, CURLOPT_USERAGENT, "git/2.0 (draftd " DRAFTD_VERSION ")") ||
           curl_easy_setopt(easy, CURLOPT_URL, stream->url) ||
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") ||
           curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https") ||
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, stream->service.advertise ? 1L : 0L) ||
           curl_easy_setopt(easy, CURLOPT_MAXREDIRS, MAX_REDIRECTS) ||
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) ||
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms) ||
           curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) ||
           curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress) ||
           curl_easy_setopt(easy, CURLOPT_XFERINFODATA, stream) ||
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) ||
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream) ||
           (trusted_file && curl_easy_setopt(easy, CURLOPT_CAINFO, trusted_file));
}

/* The beginning of an error answer's text, which is the server's explanation; or "". */
static struct bytes
complaint(const struct stream *stream)
{
    const char *type = NULL;

    curl_easy_getinfo(stream->easy, CURLINFO_CONTENT_TYPE, &type);
    if (!type || !str_starts_with(type, "text/plain") || stream->in.len == 0)
        return bytes_of("", 0);
    return bytes_of(stream->in.ptr, utf8_cut(stream->in.ptr, stream->in.len, MAX_COMPLAINT_BYTES));
}

/* What an HTTP status other than 200 means. */
static int
judge_status(struct stream *stream, long status)
{
    struct err *err = &stream->wire->err;
    const char *url = stream->wire->base;
    const struct bytes said = complaint(stream);
    const int len = (int)said.len;

    if (status == 401)
        return err_set(err, ERR_AUTH, "%s refuses the credentials (HTTP 401) %.*s", url, len,
                       said.ptr);
    if (status == 403)
        return err_set(err, ERR_DENIED, "%s denies it to these credentials (HTTP 403) %.*s", url,
                       len, said.ptr);
    if (status == 404 || status == 410)
        return err_set(err, ERR_NOTFOUND,
                       "%s does not exist, or is hidden from these credentials (HTTP %ld)", url,
                       status);
    if (status >= 300 && status < 400)
        return err_set(err, ERR_REMOTE, "%s redirects (HTTP %ld): configure its new URL", url,
                       status);
    return err_set(err, ERR_REMOTE, "%s answered HTTP %ld %.*s", url, status, len, said.ptr);
}

/* A redirect of the first request moves the later ones too. */
static int
follow_redirect(struct stream *stream)
{
    struct repo_wire *wire = stream->wire;
    const char *url = NULL;
    const char *suffix = strstr(stream->url, "/info/refs?");

    if (curl_easy_getinfo(stream->easy, CURLINFO_EFFECTIVE_URL, &url) || !url || !suffix ||
        !str_ends_with(url, suffix))
        return err_set(&wire->err, ERR_REMOTE,
                       "%s redirects to something that is not a git repository", wire->base);
    auto_free char *base = strndup(url, strlen(url) - strlen(suffix));
    if (!base)
        return err_set(&wire->err, ERR_NOMEM, "out of memory");
    return str_set(&wire->base, base, &wire->err);
}

/* A page of a proxy or of a login form must not be taken for git's answer. */
static int
judge_type(struct stream *stream)
{
    auto_free char *expected = str_printf("application/x-%s-%s", stream->service.name,
                                          stream->service.advertise ? "advertisement" : "result");
    const char *type = NULL;

    curl_easy_getinfo(stream->easy, CURLINFO_CONTENT_TYPE, &type);
    if (!str_equal(type, expected))
        return err_set(&stream->wire->err, ERR_REMOTE, "%s does not answer as a git server (%s)",
                       stream->wire->base, type ? type : "no content type");
    return 0;
}

static int
judge_result(const struct stream *stream, CURLcode result)
{
    struct err *err = &stream->wire->err;
    const char *url = stream->wire->base;
    const char *reason = curl_easy_strerror(result);

    if (!strbuf_ok(&stream->in))
        return err_set(err, stream->in.failed, "%s answers more than fits", url);
    if (result == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "%s does not answer in time", url);
    if (result == CURLE_OUT_OF_MEMORY)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE)
        return err_set(err, ERR_UNAVAILABLE,
                       "%s: its certificate is not trusted (%s); add its authority's as ca_file",
                       url, reason);
    if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL)
        return err_set(err, ERR_INVALID, "%s: %s", url, reason);
    if (result == CURLE_TOO_MANY_REDIRECTS)
        return err_set(err, ERR_REMOTE, "%s redirects too often", url);
    return err_set(err, ERR_UNAVAILABLE, "no connection to %s: %s", url, reason);
}

/* The exchange is over. */
static int
finish(struct stream *stream, CURLcode result)
{
    long status = 0;

    stream->finished = true;
    if (result)
        return judge_result(stream, result);
    curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return judge_status(stream, status);
    const int r = judge_type(stream);
    return r || !stream->service.advertise ? r : follow_redirect(stream);
}

/* May what was received so far be handed to libgit2? Not before it is known to be git's. */
static int
begin_answer(struct stream *stream, bool *ret_ready)
{
    long status = 0;

    curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
    *ret_ready = stream->in.len > stream->used && status == 200 && !stream->service.advertise;
    return *ret_ready ? judge_type(stream) : 0;
}

static int
check_patience(const struct stream *stream)
{
    const struct repo_remote *remote = stream->wire->remote;
    const int64_t timeout_ms = patience_ms(stream->wire);
    struct err *err = &stream->wire->err;

    if (stop_raised(remote->stop))
        return err_set(err, ERR_CANCELED, "asked to stop");
    if (clock_mono_ms() - stream->progress_ms > timeout_ms)
        return err_set(err, ERR_TIMEOUT, "%s: nothing moved for %jd ms", stream->wire->base,
                       (intmax_t)timeout_ms);
    return 0;
}

/* Let libcurl work until there is something to read, or the exchange is over. */
static int
pump(struct stream *stream)
{
    struct repo_wire *wire = stream->wire;
    const int64_t patience = patience_ms(wire);
    const int step_ms = (int)(patience < POLL_STEP_MS ? patience : POLL_STEP_MS);
    const int stop = stop_fd(wire->remote->stop);
    struct curl_waitfd waker = {.fd = stop, .events = CURL_WAIT_POLLIN};

    while (!stream->finished) {
        int running;
        int left;
        bool ready;
        if (curl_multi_perform(wire->multi, &running))
            return err_set(&wire->err, ERR_INTERNAL, "libcurl failed");
        const CURLMsg *message = curl_multi_info_read(wire->multi, &left);
        if (message && message->msg == CURLMSG_DONE)
            return finish(stream, message->data.result);
        int r = begin_answer(stream, &ready);
        if (r || ready)
            return r;
        r = check_patience(stream);
        if (r)
            return r;
        curl_multi_poll(wire->multi, &waker, stop >= 0 ? 1 : 0, step_ms, NULL);
    }
    return 0;
}

static int
start(struct stream *stream)
{
    struct repo_wire *wire = stream->wire;

    stream->started = true;
    stream->progress_ms = clock_mono_ms();
    stream->url = str_printf(stream->service.advertise ? "%s/info/refs?service=%s" : "%s/%s",
                             wire->base, stream->service.name);
    stream->easy = curl_easy_init();
    if (!stream->url || !stream->easy)
        return err_set(&wire->err, ERR_NOMEM, "out of memory");
    if (set_options(stream) || set_credentials(stream) ||
        (!stream->service.advertise && set_body(stream)))
        return err_set(&wire->err, ERR_INTERNAL, "libcurl does not take the options");
    if (curl_multi_add_handle(wire->multi, stream->easy))
        return err_set(&wire->err, ERR_NOMEM, "out of memory");
    return 0;
}

static int
stream_read(git_smart_subtransport_stream *parent, char *buffer, size_t size, size_t *ret_len)
{
    struct stream *stream = (struct stream *)parent;

    if (!stream->started && start(stream))
        return fail(stream->wire);
    if (stream->used == stream->in.len) {
        stream->used = 0;
        strbuf_reset(&stream->in);
        if (pump(stream))
            return fail(stream->wire);
    }
    const size_t left = stream->in.len - stream->used;
    *ret_len = left < size ? left : size;
    if (*ret_len > 0)
        memcpy(buffer, stream->in.ptr + stream->used, *ret_len);
    stream->used += *ret_len;
    return 0;
}

/* A file without a name in `dir`; not every file system can make one at once. */
static int
open_unnamed(const char *dir)
{
    auto_free char *path = str_printf("%s/requestXXXXXX", dir);
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && path) {
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    return fd;
}

static int
stream_write(git_smart_subtransport_stream *parent, const char *buffer, size_t len)
{
    struct stream *stream = (struct stream *)parent;

    if (stream->body < 0)
        stream->body = open_unnamed(stream->wire->scratch);
    if (stream->body < 0) {
        err_set_errno(&stream->wire->err, ERR_IO, errno, "making a file in %s",
                      stream->wire->scratch);
        return fail(stream->wire);
    }
    return fs_write_all(stream->body, bytes_of(buffer, len), &stream->wire->err)
               ? fail(stream->wire)
               : 0;
}

static void
stream_free(git_smart_subtransport_stream *parent)
{
    struct stream *stream = (struct stream *)parent;

    if (stream->easy) {
        curl_multi_remove_handle(stream->wire->multi, stream->easy);
        curl_easy_cleanup(stream->easy);
    }
    if (stream->body >= 0)
        close(stream->body);
    curl_slist_free_all(stream->headers);
    strbuf_done(&stream->in);
    free(stream->url);
    free(stream);
}

static struct service
service_of(git_smart_service_t action)
{
    switch (action) {
    case GIT_SERVICE_UPLOADPACK_LS:
        return (struct service){"git-upload-pack", true};
    case GIT_SERVICE_UPLOADPACK:
        return (struct service){"git-upload-pack", false};
    case GIT_SERVICE_RECEIVEPACK_LS:
        return (struct service){"git-receive-pack", true};
    case GIT_SERVICE_RECEIVEPACK:
        return (struct service){"git-receive-pack", false};
    }
    return (struct service){"", true};
}

int
repo_wire_exchange(struct repo_wire *wire,
                   git_smart_service_t action,
                   git_smart_subtransport_stream **ret_stream)
{
    struct stream *stream = calloc(1, sizeof *stream);

    if (!stream) {
        err_set(&wire->err, ERR_NOMEM, "out of memory");
        return fail(wire);
    }
    stream->parent.read = stream_read;
    stream->parent.write = stream_write;
    stream->parent.free = stream_free;
    stream->wire = wire;
    stream->service = service_of(action);
    stream->body = -1;
    stream->in.max = MAX_PENDING_BYTES;
    *ret_stream = (git_smart_subtransport_stream *)stream; /* its first member */
    return 0;
}

static int
subtransport_action(git_smart_subtransport_stream **ret_stream,
                    git_smart_subtransport *parent,
                    const char *url,
                    git_smart_service_t action)
{
    const struct subtransport *transport = (const struct subtransport *)parent;
    const int r = repo_wire_exchange(transport->wire, action, ret_stream);

    (void)url; /* the wire knows it, and where it was redirected to */
    if (!r)
        (*ret_stream)->subtransport = parent;
    return r;
}

static int
subtransport_close(git_smart_subtransport *parent)
{
    (void)parent; /* each stream is an exchange of its own */
    return 0;
}

static void
subtransport_free(git_smart_subtransport *parent)
{
    free(parent);
}

static int
subtransport_new(git_smart_subtransport **ret_transport, git_transport *owner, void *wire)
{
    struct subtransport *transport = calloc(1, sizeof *transport);

    (void)owner;
    if (!transport) {
        git_error_set_oom();
        return -1;
    }
    transport->parent.action = subtransport_action;
    transport->parent.close = subtransport_close;
    transport->parent.free = subtransport_free;
    transport->wire = wire;
    *ret_transport = (git_smart_subtransport *)transport; /* its first member */
    return 0;
}

int
repo_wire_transport(struct repo_wire *wire, git_remote *owner, git_transport **ret)
{
    git_smart_subtransport_definition definition = {
        .callback = subtransport_new, .rpc = 1, .param = wire};

    return git_transport_smart(ret, owner, &definition);
}

int
repo_wire_new(const struct repo_remote *remote,
              const char *scratch,
              struct repo_wire **ret_wire,
              struct err *err)
{
    AUTO(repo_wire_free) struct repo_wire *wire = NULL;
    const char *host = remote->url + strlen("https://");
    size_t len = strlen(remote->url);

    if (!str_starts_with(remote->url, "https://") || !*host)
        return err_set(err, ERR_INVALID, "a git URL begins with https://, or is an absolute path");
    if (memchr(host, '@', strcspn(host, "/")))
        return err_set(err, ERR_INVALID, "a git URL must not hold a user or password");
    while (len > 0 && remote->url[len - 1] == '/')
        len--;
    wire = calloc(1, sizeof *wire);
    if (!wire)
        return err_set(err, ERR_NOMEM, "out of memory");
    wire->remote = remote;
    wire->scratch = scratch;
    wire->base = strndup(remote->url, len);
    wire->multi = curl_multi_init();
    if (!wire->base || !wire->multi)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_wire = TAKE(wire);
    return 0;
}

void
repo_wire_free(struct repo_wire *wire)
{
    if (!wire)
        return;
    if (wire->multi)
        curl_multi_cleanup(wire->multi);
    free(wire->base);
    free(wire);
}

const struct err *
repo_wire_error(const struct repo_wire *wire)
{
    return &wire->err;
}
