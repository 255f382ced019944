/* What a server answers to a push, read strictly. Pure functions on bytes.
 * Format: gitprotocol-pack(5), "Report Status", inside side-band-64k of gitprotocol-common(5). */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/base/strbuf.h"

/* Did the server take `ref`? What it has to say for people is appended to `said`, cut where full.
 * Errors: ERR_REMOTE the answer is not one. */
MUST_CHECK int repo_report_parse(
    struct bytes answer, const char *ref, bool *ret_taken, struct strbuf *said, struct err *err);
