/* The yardstick of the receiving benchmark: the least that a receiver of signed webhooks must do.
 *
 * libmicrohttpd alone, one thread: it feeds the body to HMAC-SHA256, compares, answers 202 or 401,
 * and keeps nothing.   usage: reference SECRET      prints its port, serves until it is killed. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_BYTES 32
#define PREFIX "sha256="

struct server {
    EVP_MAC_CTX *key; /* initialised; copied for each request */
    struct MHD_Response *accepted;
    struct MHD_Response *refused;
};

static int
matches(const char *signature, const unsigned char mac[MAC_BYTES])
{
    char expected[2 * MAC_BYTES + 1];

    if (!signature || strlen(signature) != strlen(PREFIX) + 2 * MAC_BYTES)
        return 0;
    for (int i = 0; i < MAC_BYTES; i++)
        (void)snprintf(expected + 2 * i, 3, "%02x", mac[i]);
    return CRYPTO_memcmp(signature + strlen(PREFIX), expected, 2 * MAC_BYTES) == 0;
}

static enum MHD_Result
on_request(void *cls, /* NOLINT(readability-function-size): libmicrohttpd's type */
           struct MHD_Connection *connection,
           const char *path,
           const char *method,
           const char *version,
           const char *upload,
           size_t *upload_bytes,
           void **request_cls)
{
    const struct server *server = cls;
    unsigned char mac[MAC_BYTES];
    size_t mac_bytes = 0;

    (void)path;
    (void)method;
    (void)version;
    if (!*request_cls) {
        *request_cls = EVP_MAC_CTX_dup(server->key);
        return *request_cls ? MHD_YES : MHD_NO;
    }
    EVP_MAC_CTX *context = *request_cls;
    if (*upload_bytes > 0) {
        const size_t bytes = *upload_bytes;
        *upload_bytes = 0;
        return EVP_MAC_update(context, (const unsigned char *)upload, bytes) ? MHD_YES : MHD_NO;
    }
    if (!EVP_MAC_final(context, mac, &mac_bytes, sizeof(mac)))
        return MHD_NO;
    const char *signature =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Hub-Signature-256");
    if (matches(signature, mac))
        return MHD_queue_response(connection, MHD_HTTP_ACCEPTED, server->accepted);
    return MHD_queue_response(connection, MHD_HTTP_UNAUTHORIZED, server->refused);
}

static void
on_completed(void *cls,
             struct MHD_Connection *connection,
             void **request_cls,
             enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)connection;
    (void)code;
    EVP_MAC_CTX_free(*request_cls);
    *request_cls = NULL;
}

static struct MHD_Response *
make_response(const char *json)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(json), (void *)(size_t)json, MHD_RESPMEM_PERSISTENT);

    if (response)
        (void)MHD_add_response_header(response, "Content-Type", "application/json");
    return response;
}

static EVP_MAC_CTX *
make_key(const char *secret)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *key = EVP_MAC_CTX_new(algorithm);

    EVP_MAC_free(algorithm);
    if (key && EVP_MAC_init(key, (const unsigned char *)secret, strlen(secret), parameters))
        return key;
    return NULL;
}

int
main(int argc, char **argv)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct server server = {
        .key = argc == 2 ? make_key(argv[1]) : NULL,
        .accepted = make_response("{\"status\":\"accepted\"}\n"),
        .refused = make_response("{\"error\":\"unauthorized\",\"message\":\"wrong signature\"}\n"),
    };
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, &server, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, &server, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)48 * 1024, MHD_OPTION_CONNECTION_LIMIT, 2000U, MHD_OPTION_END);

    if (!server.key || !daemon) {
        (void)fputs("usage: reference SECRET\n", stderr);
        return 1;
    }
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    (void)fflush(stdout);

    struct pollfd events = {
        .fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
        .events = POLLIN,
    };
    for (;;) {
        MHD_UNSIGNED_LONG_LONG wanted_ms;
        const int busy = MHD_get_timeout(daemon, &wanted_ms) == MHD_YES && wanted_ms == 0;
        (void)poll(&events, 1, busy ? 0 : -1);
        (void)MHD_run(daemon);
    }
}
