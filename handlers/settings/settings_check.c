/* See settings_check.h. Whether a key is given is asked of the tree: a value that was refused is
 * told already, and must not be told once more as missing. */
#include "handlers/settings/settings_check.h"

#include "server/base/crypto.h"
#include "server/base/env.h"
#include "server/base/fs.h"
#include "server/base/str.h"

#include <sys/stat.h>

#define KEY_BYTES_MIN 24 /* Standard Webhooks: the decoded key of a "whsec_" secret */
#define KEY_BYTES_MAX 64

struct checking {
    struct settings *settings;
    const struct tree_node *root;
    struct faults *faults;
    const char *base_dir; /* of the file, for names in it that are not absolute */
    struct err *err;
};

static bool
given(const struct checking *checking, const char *key)
{
    return tree_at(checking->root, key) != NULL;
}

static void
complain(const struct checking *checking, const char *key, const char *wrong)
{
    faults_add(checking->faults, tree_line(checking->root, key), key, "%s", wrong);
}

/* A list is required by the table; that it has items is checked here. */
static void
complain_if_empty(const struct checking *checking, const char *key)
{
    const struct tree_node *list = tree_at(checking->root, key);

    if (list && list->kind == TREE_LIST && list->count == 0)
        complain(checking, key, "is empty; write the repositories to serve");
}

/* complain() about one key of one item: LIST[INDEX].NAME. */
static void
complain_item(const struct checking *checking,
              const char *list,
              size_t index,
              const char *name,
              const char *wrong)
{
    auto_free char *key = str_printf("%s[%zu].%s", list, index, name);

    if (key)
        complain(checking, key, wrong);
    else
        checking->faults->more++;
}

/* `what` may be NULL: out of memory. */
static int
warn(const struct checking *checking, const char *key, const char *what)
{
    auto_free char *line = what ? str_printf("%s:%u: %s: %s", checking->settings->file,
                                             tree_line(checking->root, key), key, what)
                                : NULL;

    if (!line)
        return err_set(checking->err, ERR_NOMEM, "out of memory");
    return string_list_add(&checking->settings->warnings, line, checking->err);
}

static int
warn_if_exposed(const struct checking *checking, const char *key, const char *file)
{
    auto_free char *path = secret_path(file, checking->base_dir);
    struct stat facts;

    if (!path)
        return err_set(checking->err, ERR_NOMEM, "out of memory");
    if (stat(path, &facts) < 0 || !(facts.st_mode & (S_IROTH | S_IWOTH)))
        return 0;
    auto_free char *what =
        str_printf("every user of this machine can use %s; run: chmod o= %s", path, path);
    return warn(checking, key, what);
}

/* Load the secret whose file `key` names; *slot stays NULL when that is not given or not readable.
 */
static int
load(const struct checking *checking, const char *key, const char *file, struct secret **slot)
{
    struct err fault;

    if (!file)
        return 0;
    const int r = secret_load(file, checking->base_dir, slot, &fault);
    if (r == ERR_NOMEM)
        return err_set(checking->err, ERR_NOMEM, "out of memory");
    if (r) {
        faults_add(checking->faults, tree_line(checking->root, key), key, "%s%s", fault.msg,
                   r == ERR_INVALID ? "" : "; write the secret into a file that we can read");
        return 0;
    }
    return warn_if_exposed(checking, key, file);
}

/* A replacement that is none: whoever knows the old secret can still sign. */
static int
warn_if_same(const struct checking *checking,
             const char *key,
             const struct secret *secret,
             const struct secret *old)
{
    const struct bytes a = secret ? secret_reveal(secret) : bytes_of(NULL, 0);
    const struct bytes b = old ? secret_reveal(old) : bytes_of(NULL, 0);

    if (a.len == 0 || a.len != b.len || !crypto_equal(a.ptr, b.ptr, a.len))
        return 0;
    return warn(checking, key, "is the same secret as the new one; remove this key");
}

/* A token becomes part of a header. */
static void
check_token(const struct checking *checking, const struct secret *token)
{
    const struct bytes text = token ? secret_reveal(token) : bytes_of(NULL, 0);

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] > 0x20 && text.ptr[i] < 0x7F)
            continue;
        complain(checking, "github.token_file",
                 "names a file with more than a token in it; write the token alone into it");
        return;
    }
}

static void
check_private_key(const struct checking *checking, const struct secret *key)
{
    AUTO_DONE(strbuf_done) struct strbuf ignored = STRBUF_INIT(4096);
    const char *name = "github.app.private_key_file";
    struct err fault;

    if (key && crypto_rs256_append(key, bytes_of_str("draftd"), &ignored, &fault))
        faults_add(checking->faults, tree_line(checking->root, name), name,
                   "%s; take the file that GitHub made for the App", fault.msg);
}

static void
check_credentials(const struct checking *checking)
{
    const bool app = given(checking, "github.app");
    const bool token = given(checking, "github.token_file");

    if (app && token)
        complain(checking, "github.token_file",
                 "is given beside app; keep one of the two: an App or a machine user");
    if (!app && !token)
        complain(checking, "github.token_file",
                 "is missing, and so is app; give one of the two: a machine user or an App");
}

static void
strip_slashes(char *url)
{
    size_t len = url ? strlen(url) : 0;

    while (len > 0 && url[len - 1] == '/')
        url[--len] = '\0';
}

/* Files that are no secrets, too, may be named from the configuration's directory. */
static int
resolve(const struct checking *checking, const char *key, char **slot)
{
    auto_free char *path = *slot ? secret_path(*slot, checking->base_dir) : NULL;

    if (!*slot)
        return 0;
    if (!path)
        return err_set(checking->err, ERR_NOMEM, "out of memory");
    if (!fs_exists(path))
        complain(checking, key, "names a file that is not there; write where it is");
    return str_set(slot, path, checking->err);
}

static int
check_github(const struct checking *checking)
{
    struct github_settings *github = &checking->settings->github;
    int r;

    if (!github->present)
        return 0;
    check_credentials(checking);
    complain_if_empty(checking, "github.repositories");
    strip_slashes(github->api_url);
    strip_slashes(github->git_url);
    r = resolve(checking, "github.ca_file", &github->ca_file);
    if (!r)
        r = load(checking, "github.webhook_secret_file", github->webhook_secret_file,
                 &github->webhook_secret);
    if (!r)
        r = load(checking, "github.webhook_secret_file_old", github->webhook_secret_file_old,
                 &github->webhook_secret_old);
    if (!r)
        r = warn_if_same(checking, "github.webhook_secret_file_old", github->webhook_secret,
                         github->webhook_secret_old);
    if (!r)
        r = load(checking, "github.token_file", github->token_file, &github->token);
    if (!r)
        r = load(checking, "github.app.private_key_file", github->app_private_key_file,
                 &github->app_private_key);
    if (r)
        return r;
    check_token(checking, github->token);
    check_private_key(checking, github->app_private_key);
    return 0;
}

/* As git tells one: bare, or with a work tree. */
static bool
holds_repository(const char *path)
{
    auto_free char *bare = str_printf("%s/HEAD", path);
    auto_free char *worked_in = str_printf("%s/.git", path);

    return (bare && fs_exists(bare)) || (worked_in && fs_exists(worked_in));
}

static void
check_local_repository(const struct checking *checking, size_t index)
{
    static const char list[] = "local.repositories";
    const struct local_repository_settings *all = checking->settings->local.repositories;
    const struct local_repository_settings *repository = &all[index];
    struct stat facts;

    for (size_t i = 0; i < index; i++) {
        if (!repository->name || !str_equal(all[i].name, repository->name))
            continue;
        complain_item(checking, list, index, "name", "is given already; write each name once");
        break;
    }
    if (!repository->path)
        return;
    if (repository->path[0] != '/')
        complain_item(checking, list, index, "path", "is not an absolute path; begin it with /");
    else if (stat(repository->path, &facts) < 0 || !S_ISDIR(facts.st_mode))
        complain_item(checking, list, index, "path",
                      "is not a directory; write where the git repository is");
    else if (!holds_repository(repository->path))
        complain_item(checking, list, index, "path",
                      "holds no git repository; write where it is, or make one there with git init "
                      "--bare");
}

/* "whsec_" and the key in base64, of the length that Standard Webhooks asks for. */
static int
decode_key(const struct checking *checking,
           const char *name,
           const struct secret *text,
           struct secret **ret_key)
{
    static const char prefix[] = "whsec_";
    AUTO_DONE(strbuf_done) struct strbuf key = STRBUF_INIT(KEY_BYTES_MAX);
    const struct bytes all = secret_reveal(text);
    const size_t skip = sizeof(prefix) - 1;
    int r = 0;

    if (!str_starts_with(all.ptr, prefix) ||
        base64_decode(bytes_of(all.ptr + skip, all.len - skip), &key, NULL) ||
        key.len < KEY_BYTES_MIN)
        complain(checking, name,
                 "names a file without a webhook secret; write whsec_ and 24 to 64 random bytes in "
                 "base64 into it");
    else
        r = secret_new(bytes_of(key.ptr, key.len), ret_key, checking->err);
    if (key.ptr)
        explicit_bzero(key.ptr, key.len);
    return r;
}

/* As load(), of a file whose text is decoded. */
static int
load_key(const struct checking *checking, const char *name, const char *file, struct secret **slot)
{
    AUTO(secret_free) struct secret *text = NULL;
    const int r = load(checking, name, file, &text);

    return r || !text ? r : decode_key(checking, name, text, slot);
}

static int
check_local(const struct checking *checking)
{
    struct local_settings *local = &checking->settings->local;

    if (!local->present)
        return 0;
    complain_if_empty(checking, "local.repositories");
    for (size_t i = 0; i < local->repository_count; i++)
        check_local_repository(checking, i);
    int r = load_key(checking, "local.secret_file", local->secret_file, &local->key);
    if (!r)
        r = load_key(checking, "local.secret_file_old", local->secret_file_old, &local->key_old);
    return r ? r : warn_if_same(checking, "local.secret_file_old", local->key, local->key_old);
}

static int
check_agents(const struct checking *checking)
{
    struct agents_settings *agents = &checking->settings->agents;

    for (size_t i = 0; i < agents->profile_count; i++)
        for (size_t k = 0; k < i; k++)
            if (agents->profiles[i].name &&
                str_equal(agents->profiles[i].name, agents->profiles[k].name))
                complain_item(checking, "agents.profiles", i, "name",
                              "is given already; write each name once");
    if (given(checking, "agents.default")) {
        if (agents->default_profile && !settings_agent(checking->settings, NULL))
            complain(checking, "agents.default",
                     "names no profile; write the name of one of agents.profiles");
        return 0;
    }
    if (agents->profile_count > 1)
        complain(checking, "agents.default",
                 "is missing; write which of the profiles is used where nothing else is said");
    if (agents->profile_count != 1)
        return 0;
    return str_set(&agents->default_profile, agents->profiles[0].name, checking->err);
}

/* The first of the usual sockets that is there; Podman's for root when there is none. */
static int
find_engine(struct sandbox_settings *sandbox, struct err *err)
{
    const char *runtime_dir = env_get("XDG_RUNTIME_DIR");
    const char *dirs[] = {"/run/podman", "/run", "/var/run", runtime_dir, runtime_dir};
    static const char *const sockets[] = {"podman.sock", "docker.sock", "docker.sock",
                                          "podman/podman.sock", "docker.sock"};

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        auto_free char *path = dirs[i] ? str_printf("%s/%s", dirs[i], sockets[i]) : NULL;
        auto_free char *address = path ? str_printf("unix://%s", path) : NULL;
        if (address && fs_exists(path))
            return str_set(&sandbox->engine, address, err);
    }
    return str_set(&sandbox->engine, "unix:///run/podman/podman.sock", err);
}

static int
check_sandbox(const struct checking *checking)
{
    struct settings *settings = checking->settings;

    if (settings->runs.rounds > settings->runs.max_rounds)
        complain(checking, "runs.rounds", "is more than runs.max_rounds; lower it, or raise that");
    return settings->sandbox.engine ? 0 : find_engine(&settings->sandbox, checking->err);
}

/* The directory that `file` is in.  NULL: out of memory. */
static char *
directory_of(const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL;

    if (!slash)
        return str_dup(".");
    return strndup(file, slash == file ? 1 : (size_t)(slash - file));
}

int
settings_check(struct settings *settings,
               const struct tree_node *root,
               struct faults *faults,
               struct err *err)
{
    auto_free char *base_dir = directory_of(settings->file);
    const struct checking checking = {
        .settings = settings, .root = root, .faults = faults, .base_dir = base_dir, .err = err};
    int r;

    if (!base_dir)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = server_settings_finish(&settings->server, root, base_dir, faults, err);
    if (!r)
        r = check_github(&checking);
    if (!r)
        r = check_local(&checking);
    if (!r)
        r = check_agents(&checking);
    return r ? r : check_sandbox(&checking);
}
