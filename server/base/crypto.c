/* See crypto.h. */
#include "server/base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

struct hmac_key {
    EVP_MAC_CTX *keyed; /* never updated, only duplicated */
};

struct hmac {
    EVP_MAC_CTX *context;
};

bool
crypto_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

int
crypto_random(void *ptr, size_t len, struct err *err)
{
    if (RAND_bytes(ptr, (int)len) != 1)
        return err_set(err, ERR_INTERNAL, "the system gave no random bytes");
    return 0;
}

int
crypto_sha256(struct bytes bytes, unsigned char ret_hash[SHA256_BYTES], struct err *err)
{
    if (EVP_Digest(bytes.ptr, bytes.len, ret_hash, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_INTERNAL, "SHA-256 failed");
    return 0;
}

int
crypto_sha256_hex(struct bytes bytes, char ret_hex[SHA256_HEX_BYTES], struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(SHA256_HEX_BYTES);
    unsigned char hash[SHA256_BYTES];
    const int r = crypto_sha256(bytes, hash, err);

    if (r)
        return r;
    hex_append(&text, bytes_of(hash, sizeof(hash)));
    if (!strbuf_ok(&text))
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(ret_hex, text.ptr, SHA256_HEX_BYTES);
    return 0;
}

int
hmac_key_new(struct bytes key, struct hmac_key **ret_key, struct err *err)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                 OSSL_PARAM_construct_end()};
    AUTO(hmac_key_free) struct hmac_key *made = calloc(1, sizeof(*made));
    EVP_MAC *mac;

    if (!made)
        return err_set(err, ERR_NOMEM, "out of memory");
    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (mac)
        made->keyed = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    if (!made->keyed ||
        EVP_MAC_init(made->keyed, (const unsigned char *)key.ptr, key.len, params) != 1)
        return err_set(err, ERR_INTERNAL, "HMAC-SHA256 is not available");
    *ret_key = TAKE(made);
    return 0;
}

void
hmac_key_free(struct hmac_key *key)
{
    if (!key)
        return;
    EVP_MAC_CTX_free(key->keyed);
    free(key);
}

int
hmac_new(const struct hmac_key *key, struct hmac **ret_hmac, struct err *err)
{
    AUTO(hmac_free) struct hmac *made = calloc(1, sizeof(*made));

    if (!made)
        return err_set(err, ERR_NOMEM, "out of memory");
    made->context = EVP_MAC_CTX_dup(key->keyed);
    if (!made->context)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_hmac = TAKE(made);
    return 0;
}

int
hmac_update(struct hmac *hmac, struct bytes bytes, struct err *err)
{
    if (EVP_MAC_update(hmac->context, (const unsigned char *)bytes.ptr, bytes.len) != 1)
        return err_set(err, ERR_INTERNAL, "HMAC-SHA256 failed");
    return 0;
}

int
hmac_finish(struct hmac *hmac, unsigned char ret_mac[SHA256_BYTES], struct err *err)
{
    size_t len;

    if (EVP_MAC_final(hmac->context, ret_mac, &len, SHA256_BYTES) != 1 || len != SHA256_BYTES)
        return err_set(err, ERR_INTERNAL, "HMAC-SHA256 failed");
    return 0;
}

void
hmac_free(struct hmac *hmac)
{
    if (!hmac)
        return;
    EVP_MAC_CTX_free(hmac->context);
    free(hmac);
}

static int
sign_rs256(EVP_PKEY *key, struct bytes message, struct strbuf *signature, struct err *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = (size_t)EVP_PKEY_get_size(key);
    auto_free unsigned char *raw = malloc(len);
    const bool signed_it =
        context && raw && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(context, raw, &len, (const unsigned char *)message.ptr, message.len) == 1;

    EVP_MD_CTX_free(context);
    if (!signed_it)
        return err_set(err, ERR_INTERNAL, "signing with the private key failed");
    base64url_append(signature, bytes_of(raw, len));
    return 0;
}

int
crypto_rs256_append(const struct secret *private_key_pem,
                    struct bytes message,
                    struct strbuf *signature,
                    struct err *err)
{
    const struct bytes pem = secret_reveal(private_key_pem);
    BIO *reader = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    char no_passphrase[] = ""; /* given, so that OpenSSL does not ask for one on the terminal */
    EVP_PKEY *key = reader ? PEM_read_bio_PrivateKey(reader, NULL, NULL, no_passphrase) : NULL;
    int r;

    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        r = err_set(err, ERR_INVALID, "the private key is not an RSA key in PEM form without passphrase");
    else
        r = sign_rs256(key, message, signature, err);
    EVP_PKEY_free(key);
    BIO_free(reader);
    return r;
}
