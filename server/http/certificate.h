/* The self-signed pair of the first start, and looking at a pair before it is used. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

/* Read DIR/tls.crt and DIR/tls.key; make them when they are not there: ECDSA P-256 (a handshake
 * costs a third of RSA's), valid for 10 years, for this machine's host name, "localhost", 127.0.0.1
 * and ::1. A key without a certificate gets one. Owns: both texts are the caller's, free(). Errors:
 * ERR_IO; ERR_INVALID what is there is no pair. */
MUST_CHECK int certificate_load_or_make(const char *dir,
                                        char **ret_certificate_pem,
                                        char **ret_key_pem,
                                        struct err *err);

/* Read a pair from files of the operator's, without looking at it.
 * Owns: both texts are the caller's, free().   Errors: as fs_read_file(). */
MUST_CHECK int certificate_load(const char *certificate_path,
                                const char *key_path,
                                char **ret_certificate_pem,
                                char **ret_key_pem,
                                struct err *err);

/* Is it a certificate in PEM, and the key its private key?  An expired one passes: it is for
 * certificate_expires_ms() to tell.   Errors: ERR_INVALID. */
MUST_CHECK int certificate_check(const char *certificate_pem, const char *key_pem, struct err *err);

/* When the certificate ends to be valid, in Unix milliseconds.   Errors: ERR_INVALID. */
MUST_CHECK int
certificate_expires_ms(const char *certificate_pem, int64_t *ret_expires_ms, struct err *err);
