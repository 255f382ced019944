/* What the platform shows as asked for and no task knows, made a task: whatever was lost, and
 * however. Not twice, not against anybody's word, and not by more people than may ask otherwise. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct reconcile;
struct session;

/* Borrows: app.   Owns: *ret_reconcile is the caller's. */
MUST_CHECK int reconcile_new(struct app *app, struct reconcile **ret_reconcile, struct err *err);
void reconcile_free(struct reconcile *reconcile);
AUTO_DEFINE(struct reconcile *, reconcile_free)

/* Look through the open wishes of all repositories, and log what goes wrong. Returns after how many
 * milliseconds to look again.   Thread: the session's. */
int64_t reconcile_look(struct reconcile *reconcile, struct session *session);
