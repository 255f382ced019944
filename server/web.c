/* The HTTP client: one easy handle driven through a multi handle, which keeps connections and lets
 * a stop wake the wait. Redirects are followed here and not by curl, so that a credential is seen
 * to stay with its host. Curl's own error texts are shown for connections only: they name hosts. */
#include "server/web.h"

#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/web_answer.h"
#include "server/web_url.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000L
#define DEFAULT_TIMEOUT_MS (30 * MS_PER_SECOND)
#define POLL_SLICE_MS 1000
#define MAX_REDIRECTS 3
#define MAX_URL_BYTES 8192U
#define MAX_HEADER_BYTES (64U * 1024)
#define SYSTEM_CA_DIR "/etc/ssl/certs" /* where curl was built without a default */

struct web {
    CURLM *multi; /* owns the connections */
    CURL *easy;   /* reset for each request */
    char *user_agent;
    char *unix_socket;
    char *ca_file;
};

/* One request on its way: what is asked of whom, and what curl's callbacks gather. */
struct exchange {
    const struct web_request *request;
    const char *url;
    bool trusted; /* `url` is on the host that the caller named */
    int64_t left_ms;
    size_t body_sent;
    struct web_answer answer;
    bool head_complete;
    bool too_large;
    bool no_memory;
    char curl_text[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once =
    PTHREAD_ONCE_INIT; /* curl_global_init() is for once per process */

static void
init_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

int
web_new(const struct web_options *options, struct web **ret_web, struct err *err)
{
    AUTO(web_free) struct web *web = calloc(1, sizeof(*web));
    int result;

    if (!web)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)pthread_once(&curl_once, init_curl);
    result = str_set(&web->user_agent,
                     options->user_agent ? options->user_agent : "draftd/" DRAFTD_VERSION, err);
    if (result == 0)
        result = str_set(&web->unix_socket, options->unix_socket, err);
    if (result == 0)
        result = str_set(&web->ca_file, options->ca_file, err);
    if (result)
        return result;
    web->multi = curl_multi_init();
    web->easy = curl_easy_init();
    if (!web->multi || !web->easy)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_web = TAKE(web);
    return 0;
}

void
web_free(struct web *web)
{
    if (!web)
        return;
    if (web->easy)
        curl_easy_cleanup(web->easy);
    if (web->multi)
        (void)curl_multi_cleanup(web->multi);
    free(web->user_agent);
    free(web->unix_socket);
    free(web->ca_file);
    free(web);
}

/* The bytes of a request's headers, wiped: one of them is a credential. */
static void
wipe_headers(struct curl_slist **list)
{
    for (struct curl_slist *at = *list; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(*list);
}

static void
wipe_text(struct strbuf *buf)
{
    if (buf->ptr)
        explicit_bzero(buf->ptr, buf->capacity);
    strbuf_done(buf);
}

/* --- What curl calls while an answer arrives */

static size_t
receive_body(char *ptr, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    struct strbuf *const body = &exchange->answer.body;

    web_answer_add_body(&exchange->answer, exchange->request->keep_last_bytes,
                        bytes_of(ptr, size * count));
    if (strbuf_ok(body))
        return size * count;
    exchange->too_large = body->failed == ERR_LIMIT;
    exchange->no_memory = body->failed == ERR_NOMEM;
    return 0;
}

static size_t
receive_header(char *ptr, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    const size_t len = size * count;
    const char *const colon = memchr(ptr, ':', len);

    if (len >= 5 && memcmp(ptr, "HTTP/", 5) == 0) /* an interim answer came before this one */
        web_answer_clear_headers(&exchange->answer);
    exchange->head_complete =
        len <= 2; /* the empty line; curl takes a connection cut before it for success */
    if (!colon)
        return len;
    exchange->no_memory =
        !web_answer_add_header(&exchange->answer, bytes_of(ptr, (size_t)(colon - ptr)),
                               bytes_of(colon + 1, (size_t)(ptr + len - colon - 1)));
    return exchange->no_memory ? 0 : len;
}

/* --- Making a request */

static int
add_header(struct curl_slist **list, const char *line, struct err *err)
{
    if (strpbrk(line, "\r\n"))
        return err_set(err, ERR_INVALID, "a request header holds a line break");
    struct curl_slist *const longer = curl_slist_append(*list, line);
    if (!longer)
        return err_set(err, ERR_NOMEM, "out of memory");
    *list = longer;
    return 0;
}

static int
add_bearer(struct curl_slist **list, const struct secret *bearer, struct err *err)
{
    AUTO_DONE(wipe_text) struct strbuf line = STRBUF_INIT(MAX_HEADER_BYTES);

    strbuf_add_str(&line, "Authorization: Bearer ");
    strbuf_add_bytes(&line, secret_reveal(bearer));
    if (!strbuf_ok(&line))
        return err_set(err, line.failed, "the token is too long to be sent");
    return add_header(list, strbuf_str(&line), err);
}

static bool
is_credential(const char *header)
{
    return strncasecmp(header, "Authorization:", 14) == 0 || strncasecmp(header, "Cookie:", 7) == 0;
}

static int
build_headers(const struct exchange *exchange, struct curl_slist **list, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf type = STRBUF_INIT(MAX_HEADER_BYTES);
    const struct web_request *const request = exchange->request;
    int result = add_header(list, "Expect:", err); /* no pause before a large body */

    for (size_t i = 0; result == 0 && request->headers && request->headers[i]; i++) {
        if (exchange->trusted || !is_credential(request->headers[i]))
            result = add_header(list, request->headers[i], err);
    }
    if (result == 0 && request->bearer && exchange->trusted)
        result = add_bearer(list, request->bearer, err);
    if (result || !request->body.ptr)
        return result;
    strbuf_addf(&type, "Content-Type: %s",
                request->content_type ? request->content_type : "application/json");
    return add_header(list, strbuf_str(&type), err);
}

static bool
takes_body(const char *method)
{
    return str_equal(method, "POST") || str_equal(method, "PUT") || str_equal(method, "PATCH");
}

/* The body is handed over piece by piece, and cannot be rewound: where a kept connection ends
 * before any answer, curl would otherwise send a POST again that may have been carried out. */
static size_t
hand_over_body(char *buffer, size_t size, size_t count, void *context)
{
    struct exchange *const exchange = context;
    const struct bytes body = exchange->request->body;
    const size_t left = body.len - exchange->body_sent;
    const size_t piece = left < size * count ? left : size * count;

    if (piece > 0)
        memcpy(buffer, body.ptr + exchange->body_sent, piece);
    exchange->body_sent += piece;
    return piece;
}

static CURLcode
set_body(CURL *easy, struct exchange *exchange)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POST, 1L);

    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)exchange->request->body.len);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_READFUNCTION, hand_over_body);
    return code ? code : curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
}

static CURLcode
set_method(CURL *easy, struct exchange *exchange)
{
    const struct web_request *const request = exchange->request;
    CURLcode code = CURLE_OK;

    if (request->body.ptr || takes_body(request->method))
        code = set_body(easy, exchange);
    else if (str_equal(request->method, "HEAD"))
        code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return code ? code : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Where to connect, and whom to believe. */
static CURLcode
set_connection(const struct web *web, CURL *easy)
{
    const char *const system_dir = curl_version_info(CURLVERSION_NOW)->capath;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");

    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (code == CURLE_OK && web->unix_socket) {
        code = curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, web->unix_socket);
        if (code == CURLE_OK)
            code = curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
    }
    if (code == CURLE_OK && web->ca_file) {
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, web->ca_file);
        if (code == CURLE_OK)
            code = curl_easy_setopt(easy, CURLOPT_CAPATH, system_dir ? system_dir : SYSTEM_CA_DIR);
    }
    return code;
}

static CURLcode
set_limits(CURL *easy, const struct exchange *exchange)
{
    const struct {
        CURLoption option;
        long value;
    } settings[] = {
        {CURLOPT_NOSIGNAL, 1L},
        {CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS},
        {CURLOPT_TIMEOUT_MS, (long)exchange->left_ms},
        {CURLOPT_TCP_KEEPALIVE, 1L},
        {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L},
    };

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        const CURLcode code = curl_easy_setopt(easy, settings[i].option, settings[i].value);
        if (code)
            return code;
    }
    if (exchange->request->keep_last_bytes)
        return CURLE_OK; /* it may be of any length */
    return curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)exchange->answer.body.max);
}

static CURLcode
set_receivers(CURL *easy, struct exchange *exchange)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->curl_text);

    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive_body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, receive_header);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    return code;
}

static CURLcode
prepare(struct web *web, struct exchange *exchange)
{
    CURL *const easy = web->easy;

    curl_easy_reset(easy);
    CURLcode code = set_receivers(easy, exchange);
    if (code == CURLE_OK)
        code = set_connection(web, easy);
    if (code == CURLE_OK)
        code = set_limits(easy, exchange);
    if (code == CURLE_OK)
        code = set_method(easy, exchange);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_USERAGENT, web->user_agent);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_URL, exchange->url);
    return code;
}

/* --- Carrying it out */

/* Appends "GET api.example.com": what an error may say of a request. */
static void
describe(struct strbuf *buf, const struct web *web, const struct exchange *exchange)
{
    CURLU *const parts = curl_url();
    char *host = NULL;

    strbuf_addf(buf, "%s ", exchange->request->method);
    if (web->unix_socket)
        strbuf_add_str(buf, web->unix_socket);
    else if (parts && curl_url_set(parts, CURLUPART_URL, exchange->url, 0) == CURLUE_OK &&
             curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        strbuf_add_str(buf, host);
    else
        strbuf_add_str(buf, "(not a URL)");
    curl_free(host);
    curl_url_cleanup(parts);
}

static int
error_of_curl(CURLcode code)
{
    static const struct {
        CURLcode code;
        int error;
    } table[] = {
        {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
        {CURLE_OUT_OF_MEMORY, ERR_NOMEM},
        {CURLE_FILESIZE_EXCEEDED, ERR_LIMIT},
        {CURLE_URL_MALFORMAT, ERR_INVALID},
        {CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID},
        {CURLE_SSL_CACERT_BADFILE, ERR_INVALID},
        {CURLE_COULDNT_RESOLVE_HOST, ERR_UNAVAILABLE},
        {CURLE_COULDNT_RESOLVE_PROXY, ERR_UNAVAILABLE},
        {CURLE_COULDNT_CONNECT, ERR_UNAVAILABLE},
        {CURLE_SSL_CONNECT_ERROR, ERR_UNAVAILABLE},
        {CURLE_PEER_FAILED_VERIFICATION, ERR_UNAVAILABLE},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].code == code)
            return table[i].error;
    }
    return ERR_REMOTE;
}

static int
report(const struct web *web, const struct exchange *exchange, CURLcode code, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf what = STRBUF_INIT(MAX_URL_BYTES);
    const int error = exchange->too_large   ? ERR_LIMIT
                      : exchange->no_memory ? ERR_NOMEM
                                            : error_of_curl(code);
    const bool detailed = error == ERR_UNAVAILABLE && exchange->curl_text[0];

    describe(&what, web, exchange);
    if (error == ERR_LIMIT)
        return err_set(err, error, "%s: the answer is larger than %zu bytes", strbuf_str(&what),
                       exchange->answer.body.max);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(err, error, "%s: the server's certificate is not trusted (%s)",
                       strbuf_str(&what), exchange->curl_text);
    return err_set(err, error, "%s: %s", strbuf_str(&what),
                   detailed ? exchange->curl_text : curl_easy_strerror(code));
}

/* How the one transfer ended, or why it cannot go on. */
static CURLcode
outcome(const struct web *web, CURLMcode code)
{
    int waiting;

    if (code)
        return code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT;
    const CURLMsg *const message = curl_multi_info_read(web->multi, &waiting);
    return message ? message->data.result : CURLE_FAILED_INIT;
}

/* Runs the prepared handle to its end.  Returns false when asked to stop. */
static bool
drive(struct web *web, const struct stop *stop, CURLcode *ret_code)
{
    struct curl_waitfd wake = {.fd = stop_fd(stop), .events = CURL_WAIT_POLLIN};
    int running = 1;

    while (!stop_raised(stop)) {
        CURLMcode code = curl_multi_perform(web->multi, &running);
        if (code == CURLM_OK && running > 0)
            code = curl_multi_poll(web->multi, &wake, stop ? 1 : 0, POLL_SLICE_MS, NULL);
        if (code || running == 0) {
            *ret_code = outcome(web, code);
            return true;
        }
    }
    /* A name lookup that hangs must not hold up the stop: its thread ends by itself. */
    (void)curl_easy_setopt(web->easy, CURLOPT_QUICK_EXIT, 1L);
    return false;
}

static bool
was_sent(CURL *easy)
{
    long request_bytes = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    return request_bytes > 0;
}

static int
exchange_once(struct web *web, struct exchange *exchange, struct err *err)
{
    AUTO_DONE(wipe_headers) struct curl_slist *headers = NULL;
    CURLcode code = prepare(web, exchange);
    const int result = build_headers(exchange, &headers, err);

    if (result)
        return result;
    if (code == CURLE_OK)
        code = curl_easy_setopt(web->easy, CURLOPT_HTTPHEADER, headers);
    if (code)
        return report(web, exchange, code, err);
    if (curl_multi_add_handle(web->multi, web->easy) != CURLM_OK)
        return err_set(err, ERR_NOMEM, "out of memory");
    const bool finished = drive(web, exchange->request->stop, &code);
    (void)curl_easy_getinfo(web->easy, CURLINFO_RESPONSE_CODE, &exchange->answer.status);
    (void)curl_multi_remove_handle(web->multi, web->easy);
    if (!finished)
        return err_set(err, ERR_CANCELED, "%s: asked to stop", exchange->request->method);
    if (code == CURLE_OK && !exchange->head_complete)
        code = CURLE_RECV_ERROR;
    if (code == CURLE_UNSUPPORTED_PROTOCOL && was_sent(web->easy)) /* not the URL: what answers */
        code = CURLE_WEIRD_SERVER_REPLY;
    return code ? report(web, exchange, code, err) : 0;
}

/* --- Redirects */

static bool
is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The absolute URL that the answer redirects to, put in *url. */
static int
next_url(struct web *web, const struct web_request *request, char **url, struct err *err)
{
    const char *target = NULL;

    (void)curl_easy_getinfo(web->easy, CURLINFO_REDIRECT_URL, &target);
    if (!target)
        return err_set(err, ERR_REMOTE, "%s: a redirect that leads nowhere", request->method);
    if (str_starts_with(*url, "https:") && !str_starts_with(target, "https:"))
        return err_set(err, ERR_REMOTE, "%s: a redirect away from https", request->method);
    return str_set(url, target, err);
}

static void
exchange_done(struct exchange *exchange)
{
    web_answer_done(&exchange->answer);
}

/* The answer is the last one: it becomes the caller's. */
static void
hand_back(struct exchange *exchange, bool redirected, char **url, struct web_answer *ret_answer)
{
    web_answer_finish(&exchange->answer, exchange->request->keep_last_bytes);
    if (redirected)
        exchange->answer.redirected_to = TAKE(*url);
    *ret_answer = TAKE_STRUCT(exchange->answer);
}

/* How much of a body is held at a time. */
static size_t
body_limit(const struct web_request *request)
{
    if (request->keep_last_bytes)
        return 2 * request->keep_last_bytes;
    return request->max_answer_bytes ? request->max_answer_bytes : LIMIT_ANSWER_BYTES;
}

int
web_perform(struct web *web,
            const struct web_request *request,
            struct web_answer *ret_answer,
            struct err *err)
{
    const int64_t deadline =
        clock_mono_ms() + (request->timeout_ms > 0 ? request->timeout_ms : DEFAULT_TIMEOUT_MS);
    const bool follows = request->follow_redirects && str_equal(request->method, "GET");
    auto_free char *url = NULL;
    int result = str_set(&url, request->url, err);

    for (int redirects = 0; result == 0; redirects++) {
        const int64_t left_ms = deadline - clock_mono_ms();
        AUTO_DONE(exchange_done)
        struct exchange exchange = {
            .request = request,
            .url = url,
            .trusted = web_same_origin(url, request->url),
            .left_ms = left_ms > 1 ? left_ms : 1,
            .answer.body = STRBUF_INIT(body_limit(request)),
        };

        result = exchange_once(web, &exchange, err);
        if (result)
            break;
        if (!follows || !is_redirect(exchange.answer.status)) {
            hand_back(&exchange, redirects > 0, &url, ret_answer);
            return 0;
        }
        if (redirects == MAX_REDIRECTS)
            return err_set(err, ERR_REMOTE, "GET: more than %d redirects", MAX_REDIRECTS);
        result = next_url(web, request, &url, err);
    }
    return result;
}
