/* `draftd serve`: receives, works, or both, until SIGTERM. */
#include "handlers/app.h"
#include "handlers/health.h"
#include "handlers/intake/webhook.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/cli.h"
#include "server/cli_common.h"
#include "server/http/certificate.h"
#include "server/http/http.h"
#include "server/limits.h"
#include "server/process.h"
#include "server/store/store.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define MAX_ROUTES 16
#define EXPIRY_WARNING_DAYS 14

/* Descriptors. A connection may take its socket and the file of a large body; the rest of the
 * process is to have its own whatever comes in: store, timers and sockets that linger, and for each
 * worker git, the engine, and a sandbox's door with all that knock on it. */
#define DESCRIPTORS_A_CONNECTION 2
#define DESCRIPTORS_OF_OURS 192
#define DESCRIPTORS_A_WORKER 48
#define FEWEST_CONNECTIONS 64

static const char usage[] =
    "usage: draftd serve [--config FILE] [--role all|receive|work] [--check]\n"
    "\n"
    "Receive webhooks, run tasks, publish drafts, until SIGTERM, SIGINT or SIGHUP.\n"
    "\n"
    "  --config FILE  the configuration (default " CLI_CONFIG_FILE ")\n"
    "  --role ROLE    all (default); receive: only store what comes in; work: only work on what is "
    "stored\n"
    "  --check        validate the configuration and exit\n";

struct serve_options {
    struct cli cli;
    bool receives;
    bool works;
    bool check;
};

/* The server and what it borrows, which must outlast the store: that may answer a request when the
 * server is gone already. */
struct receiver {
    struct webhooks *webhooks;
    struct health *health;
    struct http_route routes[MAX_ROUTES];
    struct http_server *server;
};

static int
load_certificate(const struct settings *settings,
                 char **ret_certificate,
                 char **ret_key,
                 struct err *err)
{
    const struct listen_settings *listen = &settings->server.listen;

    if (listen->http)
        return 0;
    if (!listen->certificate)
        return certificate_load_or_make(settings->server.state_dir, ret_certificate, ret_key, err);
    return certificate_load(listen->certificate, listen->key, ret_certificate, ret_key, err);
}

/* Platforms refuse a certificate that has expired, and only their side shows it. */
static void
warn_of_expiry(const struct http_server *server)
{
    struct http_counters counters;

    http_server_counters(server, &counters);
    const int64_t left_ms = counters.certificate_expires_ms - clock_now_ms();
    if (left_ms < EXPIRY_WARNING_DAYS * MS_PER_DAY)
        log_warning("certificate_expires", kv_int("in_days", left_ms / MS_PER_DAY),
                    kv_bool("expired", left_ms < 0));
}

/* How many connections this process's limit of descriptors leaves room for. */
static unsigned
fit_connections(int64_t workers)
{
    const int64_t ours = DESCRIPTORS_OF_OURS + workers * DESCRIPTORS_A_WORKER;
    const int64_t wanted = ours + (int64_t)LIMIT_CONNECTIONS * DESCRIPTORS_A_CONNECTION;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= (rlim_t)wanted)
        return LIMIT_CONNECTIONS;
    const int64_t left = ((int64_t)files.rlim_cur - ours) / DESCRIPTORS_A_CONNECTION;
    const int64_t connections = left > FEWEST_CONNECTIONS ? left : FEWEST_CONNECTIONS;
    log_warning("few_descriptors", kv_int("limit", (int64_t)files.rlim_cur),
                kv_int("wanted", wanted), kv_int("connections", connections));
    return (unsigned)connections;
}

static int
start_receiver(struct receiver *receiver, struct app *app, bool works, struct err *err)
{
    const struct listen_settings *listen = &app->settings->server.listen;
    auto_free char *certificate = NULL;
    auto_free char *key = NULL;
    size_t count;
    int r = webhooks_new(app, &receiver->webhooks, err);

    if (!r)
        r = health_new(app, &receiver->health, err);
    if (!r)
        r = load_certificate(app->settings, &certificate, &key, err);
    if (r)
        return r;
    const struct http_route *routes = webhooks_routes(receiver->webhooks, &count);
    for (size_t i = 0; i < count; i++)
        receiver->routes[i] = routes[i];
    health_routes(receiver->health, &receiver->routes[count]);
    const struct http_options options = {
        .address = listen->address,
        .port = (uint16_t)listen->port,
        .certificate_pem = certificate,
        .key_pem = key,
        .spool_dir = app->scratch_dir,
        .routes = receiver->routes,
        .route_count = count + HEALTH_ROUTE_COUNT,
        .max_connections = fit_connections(works ? app->settings->server.workers : 0),
        .behind_proxy = listen->http,
    };
    r = http_server_start(&options, &receiver->server, err);
    if (r)
        return r;
    log_info("listening", kv_str("address", listen->address),
             kv_int("port", http_server_port(receiver->server)), kv_bool("tls", !listen->http));
    if (!listen->http)
        warn_of_expiry(receiver->server);
    return 0;
}

static void
stop_server(struct receiver *receiver)
{
    http_server_stop(TAKE(receiver->server), LIMIT_DRAIN_MS);
}

static void
receiver_done(struct receiver *receiver)
{
    webhooks_free(receiver->webhooks);
    health_free(receiver->health);
}

static void
tell_damage(void *ctx, const struct err *cause)
{
    (void)ctx;
    log_error("store_damaged", kv_str("error", cause->msg));
}

/* Deliveries are taken from the first moment on; what works on them comes up behind. */
static int
start_all(const struct serve_options *options,
          struct process *process,
          struct receiver *receiver,
          struct err *err)
{
    struct app *app = process_app(process);
    int r = 0;

    if (options->works)
        r = process_prepare(process, app->settings->server.workers, err);
    if (!r && options->receives)
        r = start_receiver(receiver, app, options->works, err);
    if (!r && options->works)
        r = process_recover(process, err);
    if (!r && options->works)
        r = process_start(process, err);
    if (!r && options->works)
        r = process_watch(process, err);
    if (!r) /* last: a start needs a store that takes writes */
        r = store_watch_damage(app->store, tell_damage, NULL, err);
    return r;
}

static int
serve(const struct serve_options *options, const struct settings *settings, const sigset_t *signals)
{
    AUTO(process_close) struct process *process = NULL;
    struct receiver receiver = {0};
    struct err error = {0};
    int number = 0;
    int r = process_open(&(struct process_options){.settings = settings, .works = options->works},
                         &process, &error);

    if (r)
        return cli_fail(&error);
    for (size_t i = 0; i < settings->warnings.count; i++)
        log_warning("configuration", kv_str("what", settings->warnings.items[i]));
    r = start_all(options, process, &receiver, &error);
    if (!r) {
        log_info("serving", kv_str("version", DRAFTD_VERSION),
                 kv_str("instance", process_app(process)->instance));
        (void)sigwait(signals, &number);
        log_info("stopping", kv_int("signal", number));
    }
    stop_server(&receiver);
    process_close(TAKE(process));
    receiver_done(&receiver);
    if (r)
        return cli_fail(&error);
    log_info("stopped");
    return EXIT_DONE;
}

static int
read_options(int argc, char **argv, struct serve_options *options)
{
    static const struct option known[] = {
        CLI_COMMON_OPTIONS,
        {.name = "role", .has_arg = required_argument, .val = 'r'},
        {.name = "check", .has_arg = no_argument, .val = 'k'},
        {0},
    };
    int option;

    options->receives = options->works = true;
    while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (option == 'k')
            options->check = true;
        else if (option == 'r' && str_equal(optarg, "receive"))
            options->works = false;
        else if (option == 'r' && str_equal(optarg, "work"))
            options->receives = false;
        else if (option == 'r' && !str_equal(optarg, "all"))
            return cli_misused("--role is all, receive or work, not '%s'", optarg);
        else if (option != 'r' && !cli_take_option(&options->cli, option))
            return cli_misused("serve does not know that option");
    }
    if (optind < argc)
        return cli_misused("serve takes no argument, found '%s'", argv[optind]);
    return EXIT_DONE;
}

static enum log_level
level_of(const char *name)
{
    return str_equal(name, "debug")     ? LOG_DEBUG
           : str_equal(name, "warning") ? LOG_WARNING
           : str_equal(name, "error")   ? LOG_ERROR
                                        : LOG_INFO;
}

int
cli_serve(int argc, char **argv)
{
    AUTO(settings_free) struct settings *settings = NULL;
    AUTO_DONE(strbuf_done) struct strbuf faults = STRBUF_INIT(LIMIT_CONFIG_BYTES);
    struct serve_options options = {0};
    struct err error = {0};
    sigset_t signals;
    int status = read_options(argc, argv, &options);

    if (status)
        return status < 0 ? EXIT_DONE : status;
    status = cli_load_settings(&options.cli, &settings);
    if (status)
        return status;
    if (settings_check_serve(settings, &faults, &error)) {
        (void)fputs(strbuf_str(&faults), stderr);
        return faults.len > 0 ? EXIT_USAGE : cli_fail(&error);
    }
    if (options.check) {
        for (size_t i = 0; i < settings->warnings.count; i++)
            (void)fprintf(stderr, "warning: %s\n", settings->warnings.items[i]);
        (void)printf("%s is valid\n", settings->file);
        return EXIT_DONE;
    }
    log_set_level(level_of(settings->server.log_level));
    process_block_signals(&signals);
    return serve(&options, settings, &signals);
}
