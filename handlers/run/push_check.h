/* What the platform would refuse to take, found before it is pushed. */
#pragma once

#include "handlers/run/work.h"
#include "server/base/err.h"

/* Conclude the run if its change touches what draftd's credential may not touch there. */
MUST_CHECK int push_check(struct work *work, struct err *err);
