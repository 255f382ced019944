/* Repositories that have another name: what a platform said about it goes into the store, so that
 * what is done next, and later deliveries, find the tasks by the new one. */
#pragma once

#include "server/base/err.h"

struct app;
struct session;

/* Did the platform say in this session that `repository` moved?  Then its tasks move in the store.
 * *ret_name: the new name (the caller's, free()); NULL: it did not. */
MUST_CHECK int
moved_follow(struct session *session, const char *repository, char **ret_name, struct err *err);
