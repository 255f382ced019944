/* The platform "github": issues and their comments in, one status comment and a draft pull request
 * out. */
#pragma once

#include "handlers/platform.h"

struct github_pacer;

extern const struct platform github_platform;

/* Read a verified delivery of GitHub (github_read.c): `event_name` is X-GitHub-Event.
 * Source of the fields: GitHub's documentation "Webhook events and payloads".
 * Owns: *ret_event is the caller's.   Errors: ERR_INVALID not what GitHub documents. */
MUST_CHECK int github_read_event(const struct settings *settings,
                                 const char *event_name,
                                 struct bytes body,
                                 struct event **ret_event,
                                 struct err *err);

/* The pacer that all clients of a process share; NULL where nothing is to be paced: a GitHub
 * Enterprise Server sets no limits of its own accord.
 * Owns: *ret_pacer is the caller's, github_pacer_free().   Errors: ERR_NOMEM. */
MUST_CHECK int github_new_pacer(const struct settings *settings,
                                struct github_pacer **ret_pacer,
                                struct err *err);
