/* The operator's file, draftd.yml, as a whole: bound, checked and with its secrets loaded.
 *
 * Secrets come from files only; paths that are not absolute are looked for in
 * $CREDENTIALS_DIRECTORY, else beside the configuration file. */
#pragma once

#include "server/base/secret.h"
#include "server/settings.h"

#include <stddef.h>
#include <stdint.h>

struct bot_settings {
    char *name;  /* answers to @name; default "draftd" */
    char *label; /* the label that starts a task; default "draftd" */
};

struct github_settings {
    bool present;
    char *webhook_secret_file;
    char *webhook_secret_file_old; /* or NULL: none is being replaced */
    int64_t app_id; /* 0: machine user */
    char *app_private_key_file;
    char *token_file;
    char *login; /* NULL: asked from the API */
    char *api_url;
    char *git_url;
    char *webhook_url;      /* as the webhooks of repositories have it; or NULL */
    int64_t reconcile_days; /* 7: how old a wish may be that nobody heard; 0: none is looked for */
    char *ca_file;                   /* further trusted certificates; or NULL */
    struct string_list repositories; /* patterns, "acme/" followed by '*' */
    /* loaded */
    struct secret *webhook_secret;
    struct secret *webhook_secret_old; /* or NULL */
    struct secret *app_private_key;
    struct secret *token;
};

struct local_repository_settings {
    char *name;
    char *path;
};

struct local_settings {
    bool present;
    char *secret_file;
    char *secret_file_old; /* or NULL: none is being replaced */
    struct local_repository_settings *repositories;
    size_t repository_count;
    /* loaded: the decoded key of "whsec_..." (24 to 64 bytes) */
    struct secret *key;
    struct secret *key_old; /* or NULL */
};

struct sandbox_settings {
    char *engine; /* "unix:///run/podman/podman.sock"; default: the first of the usual sockets that
                     is there */
    char *image;
    int64_t memory_mib;      /* 4096 */
    double cpus;             /* 2 */
    int64_t processes;       /* 512 */
    int64_t disk_mib;        /* 2048: of the work tree */
    int64_t tmp_mib;         /* 512 */
    int64_t timeout_minutes; /* 60: of a whole sandbox */
    char *workspace; /* "auto", "memory", "disk"; auto: memory when disk_mib <= memory_mib / 2 */
    char *user_namespace; /* "auto": where the engine offers it; "off" */
};

struct agent_profile {
    char *name;
    char *command;
    int64_t timeout_minutes; /* 30: of one round */
};

struct agents_settings {
    char *default_profile; /* with one profile: that one's name; NULL without profiles */
    struct agent_profile *profiles;
    size_t profile_count;
};

/* Bounds of what a repository may ask for, and its defaults. */
struct run_settings {
    int64_t rounds;     /* 3 */
    int64_t max_rounds; /* 10 */
};

/* How long is kept what is no evidence. */
struct keep_settings {
    int64_t payloads_days; /* 30: of deliveries; messages that were sent */
    int64_t logs_days;     /* 180: what steps printed */
};

struct settings {
    char *file; /* where it was read from */
    struct server_settings server;
    struct bot_settings bot;
    struct github_settings github;
    struct local_settings local;
    struct sandbox_settings sandbox;
    struct agents_settings agents;
    struct run_settings runs;
    struct keep_settings keep;
    struct string_list warnings; /* "FILE:LINE: KEY: ...", for the log: nothing that stops us */
};

/* Read, bind, check and load the secrets. All faults are found at once: `faults` gets a line
 * "FILE:LINE: KEY: what is wrong; what to do" each.
 * Owns: *ret_settings is the caller's, settings_free().
 * Errors: ERR_INVALID there are faults; ERR_NOTFOUND no such file. */
MUST_CHECK int settings_load(const char *file,
                             struct strbuf *faults,
                             struct settings **ret_settings,
                             struct err *err);

/* What `serve` needs beyond a right file: a platform, an agent. Appends to `faults` as
 * settings_load() does. Errors: ERR_INVALID there are faults. */
MUST_CHECK int
settings_check_serve(const struct settings *settings, struct strbuf *faults, struct err *err);

/* The settings of a program without a file: all defaults, no platform. */
MUST_CHECK int settings_default(struct settings **ret_settings, struct err *err);

void settings_free(struct settings *settings);
AUTO_DEFINE(struct settings *, settings_free)

/* The profile of that name (NULL: the default one); NULL when there is none. Borrowed. */
const struct agent_profile *settings_agent(const struct settings *settings, const char *name);
