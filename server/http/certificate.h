/* The self-signed pair of the first start. */
#pragma once

#include "server/base/err.h"

/* Read DIR/tls.crt and DIR/tls.key; make them when they are not there: ECDSA P-256 (a handshake costs a
 * third of RSA's), valid for 10 years, for this machine's host name, "localhost", 127.0.0.1 and ::1.
 * Owns: both texts are the caller's, free().   Errors: ERR_IO; ERR_INVALID what is there is no pair. */
MUST_CHECK int certificate_load_or_make(const char *dir,
                                        char **ret_certificate_pem,
                                        char **ret_key_pem,
                                        struct err *err);
