/* See settings.h. */
#include "server/settings.h"

#include "server/base/env.h"
#include "server/base/fs.h"
#include "server/base/secret.h"
#include "server/base/str.h"
#include "server/http/certificate.h"

#include <arpa/inet.h>

static const char *
check_address(const char *text)
{
    unsigned char ignored[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, ignored) == 1 || inet_pton(AF_INET6, text, ignored) == 1)
        return NULL;
    return "is not a numeric address; write one like 0.0.0.0, 127.0.0.1 or ::";
}

static const char *
check_absolute(const char *text)
{
    return text[0] == '/' ? NULL : "is not an absolute path; begin it with /";
}

static const char *
check_store(const char *text)
{
    if (str_equal(text, "sqlite"))
        return NULL;
    if (str_starts_with(text, "postgresql://") || str_starts_with(text, "postgres://"))
        return "PostgreSQL is not supported yet by this build; write sqlite";
    return "is no store that is known; write sqlite";
}

static const struct bind_key listen_keys[] = {
    {.name = "address",
     .type = BIND_TEXT,
     .offset = offsetof(struct listen_settings, address),
     .text = "0.0.0.0",
     .check = check_address,
     .hint = "write the numeric address to listen on"},
    {.name = "port",
     .type = BIND_INTEGER,
     .offset = offsetof(struct listen_settings, port),
     .integer = {.value = 8443, .min = 0, .max = 65535},
     .hint = "write the port to listen on, 0 for any free one"},
    {.name = "certificate",
     .type = BIND_TEXT,
     .offset = offsetof(struct listen_settings, certificate),
     .hint = "write the file of the certificate in PEM form"},
    {.name = "key",
     .type = BIND_TEXT,
     .offset = offsetof(struct listen_settings, key),
     .hint = "write the file of the certificate's private key in PEM form"},
    {.name = "http",
     .type = BIND_BOOL,
     .offset = offsetof(struct listen_settings, http),
     .hint = "true serves plain HTTP, for use behind a TLS proxy"},
};

static const struct bind_section listen_section =
    BIND_SECTION_INIT(struct listen_settings, listen_keys);

static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

static const struct bind_key server_keys[] = {
    {.name = "listen",
     .type = BIND_SECTION,
     .offset = offsetof(struct server_settings, listen),
     .section = &listen_section,
     .hint = "write address and port below it"},
    {.name = "state_dir",
     .type = BIND_TEXT,
     .offset = offsetof(struct server_settings, state_dir),
     .check = check_absolute,
     .hint = "write the directory for what draftd keeps"},
    {.name = "store",
     .type = BIND_TEXT,
     .offset = offsetof(struct server_settings, store),
     .text = "sqlite",
     .check = check_store,
     .hint = "write sqlite"},
    {.name = "workers",
     .type = BIND_INTEGER,
     .offset = offsetof(struct server_settings, workers),
     .integer = {.value = 4, .min = 1, .max = 64},
     .hint = "write how many runs may go on at the same time"},
    {.name = "log_level",
     .type = BIND_WORD,
     .offset = offsetof(struct server_settings, log_level),
     .text = "info",
     .words = log_levels,
     .hint = "write the least important level to log"},
};

const struct bind_section server_settings_section =
    BIND_SECTION_INIT(struct server_settings, server_keys);

/* Where state goes when the file does not say.  NULL: out of memory, or there is no home. */
static char *
default_state_dir(void)
{
    const char *given = env_get("STATE_DIRECTORY"); /* systemd; several are joined by colons */
    const char *home = env_get("HOME");

    if (given)
        return strndup(given, strcspn(given, ":"));
    if (geteuid() == 0)
        return str_dup("/var/lib/draftd");
    return home ? str_printf("%s/.local/state/draftd", home) : NULL;
}

/* Make the name of a file of the `listen` section absolute; it has to be there. */
static int
resolve(char **slot,
        const char *key,
        const struct tree_node *root,
        const char *base_dir,
        struct faults *faults,
        struct err *err)
{
    auto_free char *path = *slot ? secret_path(*slot, base_dir) : NULL;

    if (!*slot)
        return 0;
    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!fs_exists(path))
        faults_add(faults, tree_line(root, key), key, "there is no file %s; write where it is",
                   path);
    return str_set(slot, path, err);
}

static void
check_listen(const struct tree_node *root,
             const struct listen_settings *listen,
             struct faults *faults)
{
    const bool certificate = tree_at(root, "listen.certificate") != NULL;
    const bool key = tree_at(root, "listen.key") != NULL;
    const unsigned line = tree_line(root, "listen");

    if (certificate && !key)
        faults_add(faults, line, "listen.key", "is missing beside certificate; give both or none");
    if (key && !certificate)
        faults_add(faults, line, "listen.certificate", "is missing beside key; give both or none");
    if (listen->http && (certificate || key))
        faults_add(faults, tree_line(root, "listen.http"), "listen.http",
                   "contradicts certificate and key; remove them, or this");
}

/* Both files are there: do they make a pair? */
static int
check_pair(const struct tree_node *root,
           const struct listen_settings *listen,
           struct faults *faults,
           struct err *err)
{
    auto_free char *certificate = NULL;
    auto_free char *key = NULL;
    struct err fault;

    if (listen->http || !listen->certificate || !listen->key || !fs_exists(listen->certificate) ||
        !fs_exists(listen->key))
        return 0;
    int r = certificate_load(listen->certificate, listen->key, &certificate, &key, &fault);
    if (!r)
        r = certificate_check(certificate, key, &fault);
    if (r == ERR_NOMEM)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (r)
        faults_add(faults, tree_line(root, "listen"), "listen",
                   "%s; write the PEM files of one pair", fault.msg);
    return 0;
}

int
server_settings_finish(struct server_settings *settings,
                       const struct tree_node *root,
                       const char *base_dir,
                       struct faults *faults,
                       struct err *err)
{
    struct listen_settings *listen = &settings->listen;
    int r;

    check_listen(root, listen, faults);
    r = resolve(&listen->certificate, "listen.certificate", root, base_dir, faults, err);
    if (!r)
        r = resolve(&listen->key, "listen.key", root, base_dir, faults, err);
    if (!r)
        r = check_pair(root, listen, faults, err);
    if (r || settings->state_dir || tree_at(root, "state_dir"))
        return r;
    settings->state_dir = default_state_dir();
    if (!settings->state_dir)
        faults_add(faults, 1, "state_dir", "is missing, and $HOME is not set; write a directory");
    return 0;
}
