/* Checks of single texts in both configuration files. Each answers NULL when the text is right,
 * else what is wrong and what to do: "is ...; write ...". */
#pragma once

const char *settings_text_name(const char *text);         /* an agent profile */
const char *settings_text_check_name(const char *text);   /* a check */
const char *settings_text_command(const char *text);      /* for a shell */
const char *settings_text_image(const char *text);        /* a container image's reference */
const char *settings_text_branch(const char *text);       /* rules: git-check-ref-format */
const char *settings_text_glob(const char *text);         /* of paths in a repository */
const char *settings_text_label(const char *text);        /* of an issue */
const char *settings_text_login(const char *text);        /* "octocat", "slug[bot]" */
const char *settings_text_mention(const char *text);      /* what follows the '@' */
const char *settings_text_repository(const char *text);   /* "owner/name" */
const char *settings_text_repositories(const char *text); /* likewise, with '*' in it */
const char *settings_text_engine(const char *text);       /* "unix:///run/podman/podman.sock" */

/* A base URL. Credentials travel to it, so http:// is for loopback hosts only. */
const char *settings_text_url(const char *text);
