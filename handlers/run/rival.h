/* Does somebody else work on the same already? Then the thread is told, and nothing is done twice;
 * unless it is asked for all the same. */
#pragma once

#include "handlers/run/work.h"
#include "server/base/err.h"

/* Look for open work of somebody else, and conclude the run where there is some. Not where the run
 * goes on with a draft of our own, nor where it was asked for as "retry", or in words of its own
 * after the thread had been told. What cannot be found out keeps no run waiting for long. */
MUST_CHECK int rival_check(struct work *work, struct err *err);
