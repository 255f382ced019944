/* See settings.h: the tables of the operator's file, and reading it. */
#include "handlers/settings/settings.h"

#include "handlers/settings/settings_check.h"
#include "handlers/settings/settings_text.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/limits.h"

#define MINUTES_OF_A_DAY 1440
#define MAX_KEPT_DAYS 36500

static const struct bind_key bot_keys[] = {
    {.name = "name",
     .type = BIND_TEXT,
     .offset = offsetof(struct bot_settings, name),
     .text = "draftd",
     .check = settings_text_mention,
     .hint = "write the name that draftd answers to"},
    {.name = "label",
     .type = BIND_TEXT,
     .offset = offsetof(struct bot_settings, label),
     .text = "draftd",
     .check = settings_text_label,
     .hint = "write the label that starts a task"},
};

/* Its fields are those of the section around it. */
static const struct bind_key app_keys[] = {
    {.name = "id",
     .type = BIND_INTEGER,
     .required = true,
     .offset = offsetof(struct github_settings, app_id),
     .integer = {.min = 1, .max = INT64_MAX},
     .hint = "write the App's id, as its settings page shows it"},
    {.name = "private_key_file",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct github_settings, app_private_key_file),
     .hint = "write the file of the App's private key in PEM form"},
};

static const struct bind_section app_section = BIND_SECTION_INIT(struct github_settings, app_keys);

static const struct bind_key github_keys[] = {
    {.name = "webhook_secret_file",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct github_settings, webhook_secret_file),
     .hint = "write the file of the webhook's secret"},
    {.name = "webhook_secret_file_old",
     .type = BIND_TEXT,
     .offset = offsetof(struct github_settings, webhook_secret_file_old),
     .hint = "write the file of the secret that is being replaced"},
    {.name = "app",
     .type = BIND_SECTION,
     .section = &app_section,
     .hint = "write id and private_key_file of the App below it"},
    {.name = "token_file",
     .type = BIND_TEXT,
     .offset = offsetof(struct github_settings, token_file),
     .hint = "write the file of the machine user's token"},
    {.name = "login",
     .type = BIND_TEXT,
     .offset = offsetof(struct github_settings, login),
     .check = settings_text_login,
     .hint = "write the login of draftd's own account"},
    {.name = "api_url",
     .type = BIND_TEXT,
     .offset = offsetof(struct github_settings, api_url),
     .text = "https://api.github.com",
     .check = settings_text_url,
     .hint = "write the URL of the REST API"},
    {.name = "git_url",
     .type = BIND_TEXT,
     .offset = offsetof(struct github_settings, git_url),
     .text = "https://github.com",
     .check = settings_text_url,
     .hint = "write the URL that repositories are fetched from"},
    {.name = "webhook_url",
     .type = BIND_TEXT,
     .offset = offsetof(struct github_settings, webhook_url),
     .hint = "write the payload URL of the webhooks, as it stands there"},
    {.name = "reconcile_days",
     .type = BIND_INTEGER,
     .offset = offsetof(struct github_settings, reconcile_days),
     .integer = {.value = 7, .min = 0, .max = 365},
     .hint = "write how many days old a label or assignment may be that nobody heard of; 0: look "
             "for none"},
    {.name = "ca_file",
     .type = BIND_TEXT,
     .offset = offsetof(struct github_settings, ca_file),
     .hint = "write the file of further certificates to trust"},
    {.name = "repositories",
     .type = BIND_TEXTS,
     .required = true,
     .offset = offsetof(struct github_settings, repositories),
     .check = settings_text_repositories,
     .hint = "write a list of owner/name, or owner/* for all of an owner"},
};

static const struct bind_key local_repository_keys[] = {
    {.name = "name",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct local_repository_settings, name),
     .check = settings_text_repository,
     .hint = "write owner/name, by which webhooks name it"},
    {.name = "path",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct local_repository_settings, path),
     .hint = "write the directory of the git repository"},
};

static const struct bind_section local_repository_section =
    BIND_SECTION_INIT(struct local_repository_settings, local_repository_keys);

static const struct bind_key local_keys[] = {
    {.name = "secret_file",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct local_settings, secret_file),
     .hint = "write the file of the webhook's secret"},
    {.name = "secret_file_old",
     .type = BIND_TEXT,
     .offset = offsetof(struct local_settings, secret_file_old),
     .hint = "write the file of the secret that is being replaced"},
    {.name = "repositories",
     .type = BIND_SECTIONS,
     .required = true,
     .offset = offsetof(struct local_settings, repositories),
     .count_offset = offsetof(struct local_settings, repository_count),
     .section = &local_repository_section,
     .hint = "write a list of { name: owner/name, path: /where/it/is }"},
};

static const char *const workspaces[] = {"auto", "memory", "disk", NULL};
static const char *const user_namespaces[] = {"auto", "off", NULL};

static const struct bind_key sandbox_keys[] = {
    {.name = "engine",
     .type = BIND_TEXT,
     .offset = offsetof(struct sandbox_settings, engine),
     .check = settings_text_engine,
     .hint = "write the address of the container engine"},
    {.name = "image",
     .type = BIND_TEXT,
     .offset = offsetof(struct sandbox_settings, image),
     .text = "draftd-work",
     .check = settings_text_image,
     .hint = "write the image that work is done in"},
    {.name = "memory_mib",
     .type = BIND_INTEGER,
     .offset = offsetof(struct sandbox_settings, memory_mib),
     .integer = {.value = 4096, .min = 64, .max = 1 << 24},
     .hint = "write the memory of a sandbox in MiB"},
    {.name = "cpus",
     .type = BIND_REAL,
     .offset = offsetof(struct sandbox_settings, cpus),
     .real = {.value = 2, .min = 0.1, .max = 1024},
     .hint = "write how many CPUs a sandbox may use"},
    {.name = "processes",
     .type = BIND_INTEGER,
     .offset = offsetof(struct sandbox_settings, processes),
     .integer = {.value = 512, .min = 16, .max = 1 << 20},
     .hint = "write how many processes a sandbox may have"},
    {.name = "disk_mib",
     .type = BIND_INTEGER,
     .offset = offsetof(struct sandbox_settings, disk_mib),
     .integer = {.value = 2048, .min = 16, .max = 1 << 24},
     .hint = "write how large the work tree may grow in MiB"},
    {.name = "tmp_mib",
     .type = BIND_INTEGER,
     .offset = offsetof(struct sandbox_settings, tmp_mib),
     .integer = {.value = 512, .min = 16, .max = 1 << 24},
     .hint = "write how large /tmp may grow in MiB"},
    {.name = "timeout_minutes",
     .type = BIND_INTEGER,
     .offset = offsetof(struct sandbox_settings, timeout_minutes),
     .integer = {.value = 180, .min = 1, .max = MINUTES_OF_A_DAY},
     .hint = "write how long a sandbox may live"},
    {.name = "workspace",
     .type = BIND_WORD,
     .offset = offsetof(struct sandbox_settings, workspace),
     .text = "auto",
     .words = workspaces,
     .hint = "write where the work tree is kept"},
    {.name = "user_namespace",
     .type = BIND_WORD,
     .offset = offsetof(struct sandbox_settings, user_namespace),
     .text = "auto",
     .words = user_namespaces,
     .hint = "auto maps users where the engine can"},
};

static const struct bind_key profile_keys[] = {
    {.name = "name",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct agent_profile, name),
     .check = settings_text_name,
     .hint = "write a name for the profile"},
    {.name = "command",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct agent_profile, command),
     .check = settings_text_command,
     .hint = "write the command that runs the agent"},
    {.name = "timeout_minutes",
     .type = BIND_INTEGER,
     .offset = offsetof(struct agent_profile, timeout_minutes),
     .integer = {.value = 30, .min = 1, .max = MINUTES_OF_A_DAY},
     .hint = "write how long one round may take"},
};

static const struct bind_section profile_section =
    BIND_SECTION_INIT(struct agent_profile, profile_keys);

static const struct bind_key agents_keys[] = {
    {.name = "default",
     .type = BIND_TEXT,
     .offset = offsetof(struct agents_settings, default_profile),
     .hint = "write the name of a profile"},
    {.name = "profiles",
     .type = BIND_SECTIONS,
     .required = true,
     .offset = offsetof(struct agents_settings, profiles),
     .count_offset = offsetof(struct agents_settings, profile_count),
     .section = &profile_section,
     .hint = "write a list of { name: NAME, command: \"COMMAND\" }"},
};

static const struct bind_key run_keys[] = {
    {.name = "rounds",
     .type = BIND_INTEGER,
     .offset = offsetof(struct run_settings, rounds),
     .integer = {.value = 3, .min = 1, .max = 100},
     .hint = "write how often the agent may try"},
    {.name = "max_rounds",
     .type = BIND_INTEGER,
     .offset = offsetof(struct run_settings, max_rounds),
     .integer = {.value = 10, .min = 1, .max = 100},
     .hint = "write how many rounds a repository may ask for"},
};

static const struct bind_key keep_keys[] = {
    {.name = "payloads_days",
     .type = BIND_INTEGER,
     .offset = offsetof(struct keep_settings, payloads_days),
     .integer = {.value = 30, .min = 1, .max = MAX_KEPT_DAYS},
     .hint = "write for how many days payloads of deliveries are kept"},
    {.name = "logs_days",
     .type = BIND_INTEGER,
     .offset = offsetof(struct keep_settings, logs_days),
     .integer = {.value = 180, .min = 1, .max = MAX_KEPT_DAYS},
     .hint = "write for how many days the output of steps is kept"},
};

static const struct bind_section bot_section = BIND_SECTION_INIT(struct bot_settings, bot_keys);
static const struct bind_section github_section =
    BIND_SECTION_INIT(struct github_settings, github_keys);
static const struct bind_section local_section =
    BIND_SECTION_INIT(struct local_settings, local_keys);
static const struct bind_section sandbox_section =
    BIND_SECTION_INIT(struct sandbox_settings, sandbox_keys);
static const struct bind_section agents_section =
    BIND_SECTION_INIT(struct agents_settings, agents_keys);
static const struct bind_section run_section = BIND_SECTION_INIT(struct run_settings, run_keys);
static const struct bind_section keep_section = BIND_SECTION_INIT(struct keep_settings, keep_keys);

static const struct bind_key top_keys[] = {
    {.type = BIND_INLINE,
     .offset = offsetof(struct settings, server),
     .section = &server_settings_section},
    {.name = "bot",
     .type = BIND_SECTION,
     .offset = offsetof(struct settings, bot),
     .section = &bot_section,
     .hint = "write name and label below it"},
    {.name = "github",
     .type = BIND_SECTION,
     .offset = offsetof(struct settings, github),
     .present_offset = offsetof(struct settings, github.present),
     .section = &github_section,
     .hint = "write its keys below it, or remove it"},
    {.name = "local",
     .type = BIND_SECTION,
     .offset = offsetof(struct settings, local),
     .present_offset = offsetof(struct settings, local.present),
     .section = &local_section,
     .hint = "write its keys below it, or remove it"},
    {.name = "sandbox",
     .type = BIND_SECTION,
     .offset = offsetof(struct settings, sandbox),
     .section = &sandbox_section,
     .hint = "write its keys below it, or remove it"},
    {.name = "agents",
     .type = BIND_SECTION,
     .offset = offsetof(struct settings, agents),
     .section = &agents_section,
     .hint = "write its profiles below it"},
    {.name = "runs",
     .type = BIND_SECTION,
     .offset = offsetof(struct settings, runs),
     .section = &run_section,
     .hint = "write its keys below it, or remove it"},
    {.name = "keep",
     .type = BIND_SECTION,
     .offset = offsetof(struct settings, keep),
     .section = &keep_section,
     .hint = "write payloads_days and logs_days below it, or remove it"},
};

static const struct bind_section top_section = BIND_SECTION_INIT(struct settings, top_keys);

static int
settings_new(const char *file, struct settings **ret_settings, struct err *err)
{
    AUTO(settings_free) struct settings *settings = calloc(1, sizeof(*settings));

    if (!settings)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = str_set(&settings->file, file, err);
    if (r)
        return r;
    *ret_settings = TAKE(settings);
    return 0;
}

/* Read the file into a tree.  Errors: ERR_INVALID told in `faults`; ERR_NOTFOUND,
 * ERR_NOMEM. */
static int
read_tree(const char *file, struct faults *faults, struct tree_node *ret_root, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf contents = STRBUF_INIT(LIMIT_CONFIG_BYTES);
    struct err fault = {0};
    const int r = fs_read_file(file, &contents, &fault);

    if (r == ERR_IO) {
        faults_add(faults, 1, "file", "%s; name a file that can be read", fault.msg);
        return ERR_INVALID;
    }
    if (r == ERR_LIMIT) {
        faults_add(faults, 1, "file", "is larger than 1 MiB; make it smaller");
        return ERR_INVALID;
    }
    if (!r)
        return tree_parse(bytes_of(contents.ptr, contents.len), faults, ret_root, err);
    *err = fault;
    return r;
}

int
settings_load(const char *file,
              struct strbuf *faults,
              struct settings **ret_settings,
              struct err *err)
{
    AUTO_DONE(faults_done) struct faults found = {.file = file};
    AUTO_DONE(tree_done) struct tree_node root = {0};
    AUTO(settings_free) struct settings *settings = NULL;
    int r = settings_new(file, &settings, err);

    if (!r)
        r = read_tree(file, &found, &root, err);
    if (!r)
        r = bind_tree(&top_section, &root, &found, settings, err);
    if (!r)
        r = settings_check(settings, &root, &found, err);
    if (!r || r == ERR_INVALID)
        r = faults_report(&found, faults, err);
    if (r)
        return r;
    *ret_settings = TAKE(settings);
    return 0;
}

int
settings_default(struct settings **ret_settings, struct err *err)
{
    static const struct tree_node nothing = {.kind = TREE_EMPTY, .line = 1};
    AUTO_DONE(faults_done) struct faults found = {.file = "draftd"};
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(ERR_MESSAGE_BYTES);
    AUTO(settings_free) struct settings *settings = NULL;
    int r = settings_new(NULL, &settings, err);

    if (!r)
        r = bind_defaults(&top_section, settings, err);
    if (!r)
        r = settings_check(settings, &nothing, &found, err);
    if (r)
        return r;
    if (faults_report(&found, &text, NULL))
        return err_set(err, ERR_INVALID, "%s", strbuf_str(&text));
    *ret_settings = TAKE(settings);
    return 0;
}

int
settings_check_serve(const struct settings *settings, struct strbuf *faults, struct err *err)
{
    AUTO_DONE(faults_done)
    struct faults found = {.file = settings->file ? settings->file : "draftd"};

    if (!settings->github.present && !settings->local.present)
        faults_add(&found, 1, "github", "is missing, and so is local; configure at least one");
    if (settings->agents.profile_count == 0)
        faults_add(&found, 1, "agents", "is missing; write a profile with a name and a command");
    return faults_report(&found, faults, err);
}

void
settings_free(struct settings *settings)
{
    if (!settings)
        return;
    bind_release(&top_section, settings);
    secret_free(settings->github.webhook_secret);
    secret_free(settings->github.webhook_secret_old);
    secret_free(settings->github.app_private_key);
    secret_free(settings->github.token);
    secret_free(settings->local.key);
    secret_free(settings->local.key_old);
    string_list_done(&settings->warnings);
    free(settings->file);
    free(settings);
}

const struct agent_profile *
settings_agent(const struct settings *settings, const char *name)
{
    const struct agents_settings *agents = &settings->agents;
    const char *wanted = name ? name : agents->default_profile;

    for (size_t i = 0; wanted && i < agents->profile_count; i++)
        if (str_equal(agents->profiles[i].name, wanted))
            return &agents->profiles[i];
    return NULL;
}
