/* See certificate.h. Over OpenSSL; serving TLS is libmicrohttpd's and GnuTLS's. */
#include "server/http/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/crypto.h"
#include "server/base/fs.h"
#include "server/base/strbuf.h"

#define VALID_DAYS (10 * 365)
#define MAX_PEM_BYTES (256U * 1024)
#define SERIAL_BYTES 16
#define HOST_NAME_BYTES 256
#define COMMON_NAME_BYTES 64 /* the most that X.520 allows */

AUTO_DEFINE(BIO *, BIO_free_all)
AUTO_DEFINE(X509 *, X509_free)
AUTO_DEFINE(EVP_PKEY *, EVP_PKEY_free)
AUTO_DEFINE(X509_EXTENSION *, X509_EXTENSION_free)
AUTO_DEFINE(GENERAL_NAMES *, GENERAL_NAMES_free)
AUTO_DEFINE(BIGNUM *, BN_free)

/* A key with a pass phrase: never ask on the terminal. */
static int
no_pass_phrase(char *buffer, /* NOLINT(readability-non-const-parameter): OpenSSL's type */
               int size,
               int writing,
               void *data)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)data;
    return -1;
}

static int
parse_certificate(const char *pem, X509 **ret_certificate, struct err *err)
{
    AUTO(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem, -1);

    if (!bio)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_certificate = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
    if (!*ret_certificate)
        return err_set(err, ERR_INVALID, "the TLS certificate is not a certificate in PEM");
    return 0;
}

static int
parse_key(const char *pem, EVP_PKEY **ret_key, struct err *err)
{
    AUTO(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem, -1);

    if (!bio)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
    if (!*ret_key)
        return err_set(err, ERR_INVALID,
                       "the TLS key is not a private key in PEM without a pass phrase");
    return 0;
}

int
certificate_check(const char *certificate_pem, const char *key_pem, struct err *err)
{
    AUTO(X509_free) X509 *certificate = NULL;
    AUTO(EVP_PKEY_free) EVP_PKEY *key = NULL;

    int rc = parse_certificate(certificate_pem, &certificate, err);
    if (!rc)
        rc = parse_key(key_pem, &key, err);
    if (rc)
        return rc;
    if (X509_check_private_key(certificate, key) == 1)
        return 0;
    const bool expired = X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
    return err_set(err, ERR_INVALID, "the TLS key does not belong to the certificate%s",
                   expired ? ", which has expired as well" : "");
}

int
certificate_expires_ms(const char *certificate_pem, int64_t *ret_expires_ms, struct err *err)
{
    AUTO(X509_free) X509 *certificate = NULL;
    struct tm end;

    const int rc = parse_certificate(certificate_pem, &certificate, err);
    if (rc)
        return rc;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return err_set(err, ERR_INVALID, "the TLS certificate's end of validity cannot be read");
    *ret_expires_ms = (int64_t)timegm(&end) * MS_PER_SECOND;
    return 0;
}

static bool
add_name(GENERAL_NAMES *names, int type, const char *value)
{
    ASN1_STRING *text = NULL;

    if (type == GEN_IPADD) {
        text = a2i_IPADDRESS(value);
    } else {
        text = ASN1_IA5STRING_new();
        if (text && !ASN1_STRING_set(text, value, -1)) {
            ASN1_STRING_free(text);
            return false;
        }
    }
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (!text || !name) {
        ASN1_STRING_free(text);
        GENERAL_NAME_free(name);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, text);
    if (sk_GENERAL_NAME_push(names, name) <= 0) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

static bool
add_names(X509 *certificate, const char *host)
{
    AUTO(GENERAL_NAMES_free) GENERAL_NAMES *names = GENERAL_NAMES_new();

    return names && (!host[0] || add_name(names, GEN_DNS, host)) &&
           add_name(names, GEN_DNS, "localhost") && add_name(names, GEN_IPADD, "127.0.0.1") &&
           add_name(names, GEN_IPADD, "::1") &&
           X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
}

static bool
add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    AUTO(X509_EXTENSION_free)
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    return extension && X509_add_ext(certificate, extension, -1) == 1;
}

static bool
set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];

    if (crypto_random(bytes, sizeof(bytes), NULL))
        return false;
    bytes[0] &= 0x7F; /* it must be positive */
    AUTO(BN_free) BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    return number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
}

static bool
fill_in(X509 *certificate, EVP_PKEY *key)
{
    char host[HOST_NAME_BYTES] = "";
    X509_NAME *subject = X509_get_subject_name(certificate);

    if (gethostname(host, sizeof(host) - 1))
        host[0] = '\0';
    const char *common = host[0] && strlen(host) <= COMMON_NAME_BYTES ? host : "localhost";
    return X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate),
                           -(long)(MS_PER_HOUR / MS_PER_SECOND)) &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), VALID_DAYS, 0, NULL) &&
           X509_set_pubkey(certificate, key) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common,
                                      -1, -1, 0) &&
           X509_set_issuer_name(certificate, subject) && add_names(certificate, host) &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

static int
write_bio(const char *path, BIO *bio, mode_t mode, struct err *err)
{
    char *text = NULL;
    const long len = BIO_get_mem_data(bio, &text);

    return fs_write_file(path, bytes_of(text, (size_t)len), mode, err);
}

static int
make_key(const char *path, struct err *err)
{
    AUTO(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTO(BIO_free_all) BIO *bio = BIO_new(BIO_s_secmem());

    if (!key || !bio || !PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
        return err_set(err, ERR_INTERNAL, "making a TLS key failed");
    return write_bio(path, bio, 0600, err);
}

static int
make_certificate(const char *path, const char *key_pem, struct err *err)
{
    AUTO(EVP_PKEY_free) EVP_PKEY *key = NULL;
    AUTO(X509_free) X509 *certificate = X509_new();
    AUTO(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());

    const int rc = parse_key(key_pem, &key, err);
    if (rc)
        return rc;
    if (!certificate || !bio || !fill_in(certificate, key) || !PEM_write_bio_X509(bio, certificate))
        return err_set(err, ERR_INTERNAL, "making a TLS certificate failed");
    return write_bio(path, bio, 0644, err);
}

static int
read_pem(const char *path, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(MAX_PEM_BYTES);

    const int rc = fs_read_file(path, &text, err);
    return rc ? rc : strbuf_take(&text, ret_text, err);
}

int
certificate_load(const char *certificate_path,
                 const char *key_path,
                 char **ret_certificate_pem,
                 char **ret_key_pem,
                 struct err *err)
{
    auto_free char *certificate_pem = NULL;

    int rc = read_pem(certificate_path, &certificate_pem, err);
    if (!rc)
        rc = read_pem(key_path, ret_key_pem, err);
    if (!rc)
        *ret_certificate_pem = TAKE(certificate_pem);
    return rc;
}

/* The key is written first: a crash in between leaves a key, which gets its certificate next time.
 */
static int
make_missing(const char *certificate_path, const char *key_path, struct err *err)
{
    auto_free char *key_pem = NULL;

    if (!fs_exists(key_path)) {
        if (fs_exists(certificate_path))
            return err_set(err, ERR_INVALID,
                           "%s has no key: put it at %s, or remove the certificate",
                           certificate_path, key_path);
        const int rc = make_key(key_path, err);
        if (rc)
            return rc;
    }
    if (fs_exists(certificate_path))
        return 0;
    const int rc = read_pem(key_path, &key_pem, err);
    return rc ? rc : make_certificate(certificate_path, key_pem, err);
}

int
certificate_load_or_make(const char *dir,
                         char **ret_certificate_pem,
                         char **ret_key_pem,
                         struct err *err)
{
    auto_free char *certificate_path = str_printf("%s/tls.crt", dir);
    auto_free char *key_path = str_printf("%s/tls.key", dir);
    auto_free char *certificate_pem = NULL;
    auto_free char *key_pem = NULL;

    if (!certificate_path || !key_path)
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = make_missing(certificate_path, key_path, err);
    if (!rc)
        rc = certificate_load(certificate_path, key_path, &certificate_pem, &key_pem, err);
    if (!rc)
        rc = certificate_check(certificate_pem, key_pem, err);
    if (rc)
        return err_wrap(err, "TLS pair in %s", dir);
    *ret_certificate_pem = TAKE(certificate_pem);
    *ret_key_pem = TAKE(key_pem);
    return 0;
}
