/* The second half of settings_load(): what no table can check, and the secrets. */
#pragma once

#include "handlers/settings/settings.h"
#include "server/config/faults.h"
#include "server/config/tree.h"

/* Check across keys, load the secrets into `settings`, fill in what depends on this machine. `root`
 * is the tree that was bound; faults are told in `faults` and are no error. Errors: ERR_NOMEM,
 * ERR_INTERNAL. */
MUST_CHECK int settings_check(struct settings *settings,
                              const struct tree_node *root,
                              struct faults *faults,
                              struct err *err);
