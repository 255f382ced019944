/* The door's HTTP server, over libmicrohttpd with a thread of its own.
 *
 * Polling with poll() and few connections keeps clear of libmicrohttpd's epoll loop, which can
 * hang. The runner's connection leaves the server with its upgrade and belongs to the sandbox's
 * thread. */
#include "sandbox/door.h"

#include "sandbox/peer.h"
#include "sandbox/protocol.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CONNECTIONS_MAX 16U
#define CONNECTION_TIMEOUT_SECONDS 10U
#define CONNECTION_MEMORY_BYTES (16U * 1024)
#define BACKLOG 16
#define REFUSED_MAX 500 /* connections of no use, over a sandbox's life */

enum runner_state { RUNNER_NONE, RUNNER_UPGRADING, RUNNER_HERE };

struct door {
    char *directory;
    char *socket_path;
    struct MHD_Daemon *daemon;
    struct stop *came;  /* raised when the runner is here */
    struct stop *alarm; /* raised when the door is flooded */
    unsigned uid;       /* of the runner, as the container numbers it */
    atomic_int refused;

    pthread_mutex_t lock;
    enum runner_state state;                   /* under lock */
    bool spoke_early;                          /* under lock */
    int fd;                                    /* under lock; the runner's connection, or -1 */
    struct MHD_UpgradeResponseHandle *upgrade; /* under lock */
};

/* Answer with a JSON error. */
static enum MHD_Result
refuse(struct MHD_Connection *connection, unsigned status, const char *error)
{
    auto_free char *body = str_printf("{\"error\":\"%s\"}\n", error);

    if (!body)
        return MHD_NO;
    struct MHD_Response *const response =
        MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    const enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* The runner's connection is ours now. */
static void
upgraded(void *ctx,
         struct MHD_Connection *connection,
         void *request_ctx,
         const char *early,
         size_t early_len,
         MHD_socket fd,
         struct MHD_UpgradeResponseHandle *upgrade)
{
    struct door *const door = ctx;
    const int flags = fcntl(fd, F_GETFL);

    (void)connection;
    (void)request_ctx;
    (void)early;
    pthread_mutex_lock(&door->lock);
    door->state = RUNNER_HERE;
    door->fd = fd;
    door->upgrade = upgrade;
    /* our runner waits for the answer before its first word */
    door->spoke_early = early_len > 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    pthread_mutex_unlock(&door->lock);
    stop_raise(door->came);
}

static bool
asks_for_upgrade(struct MHD_Connection *connection)
{
    const char *const protocol =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_UPGRADE);

    return str_equal(protocol, PROTOCOL_NAME);
}

/* The first runner wins. */
static bool
claim(struct door *door)
{
    pthread_mutex_lock(&door->lock);
    const bool first = door->state == RUNNER_NONE;
    if (first)
        door->state = RUNNER_UPGRADING;
    pthread_mutex_unlock(&door->lock);
    return first;
}

static enum MHD_Result
answer_runner(struct door *door, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *const info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (!asks_for_upgrade(connection))
        return refuse(connection, MHD_HTTP_UPGRADE_REQUIRED, "upgrade_required");
    if (!info || peer_check_runner(info->connect_fd, door->uid, NULL))
        return refuse(connection, MHD_HTTP_FORBIDDEN, "not_the_runner");
    if (!claim(door))
        return refuse(connection, MHD_HTTP_CONFLICT, "runner_is_here");
    struct MHD_Response *const response = MHD_create_response_for_upgrade(upgraded, door);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, PROTOCOL_NAME);
    const enum MHD_Result result =
        MHD_queue_response(connection, MHD_HTTP_SWITCHING_PROTOCOLS, response);
    MHD_destroy_response(response);
    atomic_fetch_sub(&door->refused, 1);
    return result;
}

/* The router: what can be asked for at the door. Bodies are not waited for. */
static enum MHD_Result
answer(void *ctx, /* NOLINT(readability-function-size): libmicrohttpd's type */
       struct MHD_Connection *connection,
       const char *path,
       const char *method,
       const char *version,
       const char *body,
       size_t *body_len, /* NOLINT(readability-non-const-parameter) */
       void **request_ctx)
{
    (void)version;
    (void)body;
    (void)body_len;
    (void)request_ctx;
    if (!str_equal(path, PROTOCOL_PATH))
        return refuse(connection, MHD_HTTP_NOT_FOUND, "not_found");
    if (!str_equal(method, MHD_HTTP_METHOD_GET))
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed");
    return answer_runner(ctx, connection);
}

/* Every connection counts as refused until it turns out to be of use. */
static void
count_connection(void *ctx,
                 struct MHD_Connection *connection,
                 void **connection_ctx,
                 enum MHD_ConnectionNotificationCode code)
{
    struct door *const door = ctx;

    (void)connection;
    (void)connection_ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED && atomic_fetch_add(&door->refused, 1) == REFUSED_MAX)
        stop_raise(door->alarm);
}

/* A listening socket that everyone who reaches the directory may connect to. */
static int
listen_at(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t len = strlen(path);

    if (len >= sizeof(address.sun_path))
        return err_set(err, ERR_INVALID,
                       "%s is too long for a socket (%zu of %zu bytes): choose a shorter state_dir",
                       path, len, sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, len + 1);
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
        chmod(path, 0666) || listen(fd, BACKLOG))
        return err_set_errno(err, ERR_IO, errno, "listening at %s", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* The directories: the outer one is for nobody but us, so that the inner one and its socket can be
 * open to whatever user the container has. */
static int
make_directory(
    struct door *door, const char *doors_dir, int64_t run, const char *role, struct err *err)
{
    auto_free char *prefix = str_printf("%lld-%s-", (long long)run, role);

    if (!prefix)
        return err_set(err, ERR_NOMEM, "out of memory");
    int result = fs_make_dirs(doors_dir, 0700, err);
    if (result)
        return result;
    if (chmod(doors_dir, 0700))
        return err_set_errno(err, ERR_IO, errno, "%s", doors_dir);
    result = fs_make_temp_dir(doors_dir, prefix, &door->directory, err);
    if (result)
        return result;
    if (chmod(door->directory, 0711))
        return err_set_errno(err, ERR_IO, errno, "%s", door->directory);
    door->socket_path = str_printf("%s/" PROTOCOL_SOCKET, door->directory);
    return door->socket_path ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int
start_server(struct door *door, struct err *err)
{
    auto_close int fd = -1;

    const int result = listen_at(door->socket_path, &fd, err);
    if (result)
        return result;
    door->daemon =
        MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_UPGRADE, 0, NULL, NULL, answer,
                         door, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                         CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_SECONDS,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
                         MHD_OPTION_NOTIFY_CONNECTION, count_connection, door, MHD_OPTION_END);
    if (!door->daemon)
        return err_set(err, ERR_IO, "the server of %s does not start", door->socket_path);
    TAKE_FD(fd);
    return 0;
}

int
door_open(const char *doors_dir,
          int64_t run,
          const char *role,
          unsigned uid,
          struct door **ret_door,
          struct err *err)
{
    AUTO(door_close) struct door *door = calloc(1, sizeof(*door));

    if (!door)
        return err_set(err, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&door->lock, NULL);
    door->uid = uid;
    door->fd = -1;
    int result = stop_new(&door->came, err);
    if (!result)
        result = stop_new(&door->alarm, err);
    if (!result)
        result = make_directory(door, doors_dir, run, role, err);
    if (!result)
        result = start_server(door, err);
    if (result)
        return result;
    *ret_door = TAKE(door);
    return 0;
}

void
door_close(struct door *door)
{
    if (!door)
        return;
    pthread_mutex_lock(&door->lock);
    if (door->upgrade)
        MHD_upgrade_action(door->upgrade, MHD_UPGRADE_ACTION_CLOSE);
    pthread_mutex_unlock(&door->lock);
    if (door->daemon)
        MHD_stop_daemon(door->daemon);
    if (door->directory) {
        const int left_over = fs_remove_tree(door->directory, NULL);
        (void)left_over; /* found later by its name */
    }
    pthread_mutex_destroy(&door->lock);
    stop_free(door->came);
    stop_free(door->alarm);
    free(door->socket_path);
    free(door->directory);
    free(door);
}

const char *
door_directory(const struct door *door)
{
    return door->directory;
}

/* The runner's connection, once it is here. */
static int
take_runner(struct door *door, int *ret_fd, struct err *err)
{
    pthread_mutex_lock(&door->lock);
    const int fd = door->fd;
    const bool early = door->spoke_early;
    pthread_mutex_unlock(&door->lock);
    if (early)
        return err_set(err, ERR_REMOTE, "the sandbox's runner does not keep to the protocol");
    *ret_fd = fd;
    return 0;
}

int
door_wait(struct door *door,
          int64_t deadline_mono_ms,
          const struct stop *stop,
          int *ret_fd,
          struct err *err)
{
    for (;;) {
        struct pollfd set[] = {
            {.fd = stop_fd(door->came), .events = POLLIN},
            {.fd = stop_fd(door->alarm), .events = POLLIN},
            {.fd = stop_fd(stop), .events = POLLIN},
        };
        const int64_t left_ms = deadline_mono_ms - clock_mono_ms();
        if (left_ms <= 0)
            return err_set(err, ERR_TIMEOUT, "the sandbox's runner has not come up");
        if (poll(set, 3, (int)left_ms) < 0 && errno != EINTR)
            return err_set_errno(err, ERR_IO, errno, "waiting for the sandbox's runner");
        if (stop_raised(stop))
            return err_set(err, ERR_CANCELED, "canceled");
        if (stop_raised(door->came))
            return take_runner(door, ret_fd, err);
        if (stop_raised(door->alarm))
            return err_set(err, ERR_REMOTE, "the sandbox flooded its door");
    }
}

int
door_alarm_fd(const struct door *door)
{
    return stop_fd(door->alarm);
}

bool
door_flooded(const struct door *door)
{
    return stop_raised(door->alarm);
}

int64_t
door_run_of_name(const char *name)
{
    char *end;
    const long long run = strtoll(name, &end, 10);

    return end > name && *end == '-' && run >= 0 ? run : -1;
}
