/* The platform "local": plain git repositories without a forge. Deliveries are signed after the
 * Standard Webhooks specification; drafts are kept in the store and shown by `draftd show`. */
#pragma once

#include "handlers/platform.h"

extern const struct platform local_platform;
