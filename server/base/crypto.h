/* The few cryptographic operations that the project needs, over OpenSSL, and the text encodings that
 * go with them. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/secret.h"
#include "server/base/strbuf.h"

#define SHA256_BYTES 32
#define SHA256_HEX_BYTES (2 * SHA256_BYTES + 1)

/* Compare without telling by the time taken where the first difference is. */
bool crypto_equal(const void *a, const void *b, size_t len);

/* Fill with unpredictable bytes.  Errors: ERR_INTERNAL no entropy. */
MUST_CHECK int crypto_random(void *ptr, size_t len, struct err *err);

/* SHA-256 of `bytes`.  Errors: ERR_INTERNAL. */
MUST_CHECK int crypto_sha256(struct bytes bytes, unsigned char ret_hash[SHA256_BYTES], struct err *err);

/* SHA-256 as 64 lower-case hexadecimal digits, terminated. */
MUST_CHECK int
crypto_sha256_hex(struct bytes bytes, char ret_hex[SHA256_HEX_BYTES], struct err *err);

/* An HMAC-SHA256 (RFC 2104) key made ready once, used by many messages and threads at the same time. */
struct hmac_key;
MUST_CHECK int hmac_key_new(struct bytes key, struct hmac_key **ret_key, struct err *err);
void hmac_key_free(struct hmac_key *key);
AUTO_DEFINE(struct hmac_key *, hmac_key_free)

/* One message in the making. */
struct hmac;
MUST_CHECK int hmac_new(const struct hmac_key *key, struct hmac **ret_hmac, struct err *err);
MUST_CHECK int hmac_update(struct hmac *hmac, struct bytes bytes, struct err *err);
MUST_CHECK int
hmac_finish(struct hmac *hmac, unsigned char ret_mac[SHA256_BYTES], struct err *err);
void hmac_free(struct hmac *hmac);
AUTO_DEFINE(struct hmac *, hmac_free)

/* RSASSA-PKCS1-v1_5 with SHA-256 ("RS256" of RFC 7518) by a PEM private key (PKCS#1 or PKCS#8);
 * appends the signature in base64url.
 * Errors: ERR_INVALID not an RSA key in PEM, or it has a passphrase; ERR_INTERNAL. */
MUST_CHECK int crypto_rs256_append(const struct secret *private_key_pem,
                                   struct bytes message,
                                   struct strbuf *signature,
                                   struct err *err);

/* Lower-case hexadecimal digits, appended. */
void hex_append(struct strbuf *buf, struct bytes bytes);

/* Decode exactly `len` bytes from 2 * len lower-case hexadecimal digits.
 * Errors: ERR_INVALID any other input. */
MUST_CHECK int hex_decode(struct bytes text, unsigned char *ret_bytes, size_t len, struct err *err);

/* Base64 with padding (RFC 4648, section 4), appended. */
void base64_append(struct strbuf *buf, struct bytes bytes);

/* Base64url without padding (RFC 4648, section 5), appended. */
void base64url_append(struct strbuf *buf, struct bytes bytes);

/* Decode base64 with padding, strictly; appended.  Errors: ERR_INVALID. */
MUST_CHECK int base64_decode(struct bytes text, struct strbuf *buf, struct err *err);
