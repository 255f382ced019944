/* Hashes, message codes and signatures against published vectors. */
#include "server/base/crypto.h"
#include "tests/harness/test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pthread.h>

TEST(equal_compares_all_bytes)
{
    CHECK(crypto_equal("abc", "abc", 3));
    CHECK(!crypto_equal("abc", "abd", 3));
    CHECK(!crypto_equal("xbc", "abc", 3));
    CHECK(crypto_equal("abc", "abd", 2));
    CHECK(crypto_equal("a", "b", 0));
}

TEST(random_bytes_differ)
{
    unsigned char one[32] = {0};
    unsigned char two[32] = {0};
    struct err err = {0};

    CHECK_OK(crypto_random(one, sizeof(one), &err), err);
    CHECK_OK(crypto_random(two, sizeof(two), &err), err);
    CHECK(memcmp(one, two, sizeof(one)) != 0);
}

TEST(sha256)
{
    char hex[SHA256_HEX_BYTES];
    struct err err = {0};

    /* FIPS 180-4 examples */
    CHECK_OK(crypto_sha256_hex(bytes_of_str("abc"), hex, &err), err);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_OK(crypto_sha256_hex(bytes_of(NULL, 0), hex, &err), err);
    CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* The HMAC of `message`, fed in pieces of `step` bytes, as hexadecimal digits into `hex`. */
static void
hmac_hex(struct bytes key, struct bytes message, size_t step, char hex[SHA256_HEX_BYTES])
{
    AUTO(hmac_key_free) struct hmac_key *keyed = NULL;
    AUTO(hmac_free) struct hmac *hmac = NULL;
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(SHA256_HEX_BYTES);
    unsigned char mac[SHA256_BYTES];
    struct err err = {0};

    CHECK_OK(hmac_key_new(key, &keyed, &err), err);
    CHECK_OK(hmac_new(keyed, &hmac, &err), err);
    for (size_t i = 0; i < message.len; i += step) {
        const size_t left = message.len - i;
        CHECK_OK(hmac_update(hmac, bytes_of(message.ptr + i, left < step ? left : step), &err),
                 err);
    }
    CHECK_OK(hmac_finish(hmac, mac, &err), err);
    hex_append(&text, bytes_of(mac, sizeof(mac)));
    memcpy(hex, strbuf_str(&text), SHA256_HEX_BYTES);
}

TEST(hmac_vectors_of_rfc_4231)
{
    char hex[SHA256_HEX_BYTES];
    char key[131];
    char data[50];

    memset(key, 0x0b, 20);
    hmac_hex(bytes_of(key, 20), bytes_of_str("Hi There"), 3, hex);
    CHECK_STR(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_hex(bytes_of_str("Jefe"), bytes_of_str("what do ya want for nothing?"), 100, hex);
    CHECK_STR(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, 131);
    memset(data, 0xdd, 50);
    hmac_hex(bytes_of(key, 20), bytes_of(data, 50), 1, hex);
    CHECK_STR(hex, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    hmac_hex(bytes_of(key, 131),
             bytes_of_str("Test Using Larger Than Block-Size Key - Hash Key First"), 7, hex);
    CHECK_STR(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(hmac_vector_of_github)
{
    char hex[SHA256_HEX_BYTES];

    hmac_hex(bytes_of_str("It's a Secret to Everybody"), bytes_of_str("Hello, World!"), 5, hex);
    CHECK_STR(hex, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

TEST(hmac_vector_of_standard_webhooks)
{
    static const char message[] = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
    AUTO_DONE(strbuf_done) struct strbuf key = STRBUF_INIT(64);
    AUTO_DONE(strbuf_done) struct strbuf expected = STRBUF_INIT(64);
    AUTO_DONE(strbuf_done) struct strbuf expected_hex = STRBUF_INIT(SHA256_HEX_BYTES);
    char hex[SHA256_HEX_BYTES];
    struct err err = {0};

    CHECK_OK(base64_decode(bytes_of_str("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &key, &err), err);
    CHECK_INT(key.len, 24);
    CHECK_OK(base64_decode(bytes_of_str("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), &expected,
                           &err),
             err);
    hex_append(&expected_hex, bytes_of(expected.ptr, expected.len));
    hmac_hex(bytes_of(key.ptr, key.len), bytes_of_str(message), 11, hex);
    CHECK_STR(hex, strbuf_str(&expected_hex));
}

TEST(an_empty_message_and_key)
{
    char hex[SHA256_HEX_BYTES];

    hmac_hex(bytes_of("", 0), bytes_of_str(""), 1, hex);
    CHECK_STR(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void *
sign_often(void *ctx)
{
    const struct hmac_key *key = ctx;
    uintptr_t wrong = 0;

    for (int i = 0; i < 200; i++) {
        AUTO(hmac_free) struct hmac *hmac = NULL;
        unsigned char mac[SHA256_BYTES] = {0};
        if (hmac_new(key, &hmac, NULL) || hmac_update(hmac, bytes_of_str("Hi There"), NULL) ||
            hmac_finish(hmac, mac, NULL))
            wrong++;
        wrong += mac[0] != 0xb0;
    }
    return (void *)wrong;
}

TEST(one_key_serves_many_threads)
{
    AUTO(hmac_key_free) struct hmac_key *key = NULL;
    pthread_t threads[4];
    struct err err = {0};
    char bytes[20];

    memset(bytes, 0x0b, sizeof(bytes));
    CHECK_OK(hmac_key_new(bytes_of(bytes, sizeof(bytes)), &key, &err), err);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, sign_often, key) == 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        CHECK(pthread_join(threads[i], &wrong) == 0);
        CHECK(!wrong);
    }
}

/* `key` in PEM, as `make_pem` writes it; encrypted when there is a passphrase. */
static struct secret *
private_pem(EVP_PKEY *key, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct secret *secret = NULL;
    char *text = NULL;

    CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL, passphrase,
                                        passphrase ? (int)strlen(passphrase) : 0, NULL, NULL) == 1);
    const long len = BIO_get_mem_data(bio, &text);
    CHECK(secret_new(bytes_of(text, (size_t)len), &secret, NULL) == 0);
    BIO_free(bio);
    return secret;
}

/* Base64url back to base64, for the decoder at hand. */
static void
to_base64(const char *text, struct strbuf *buf)
{
    for (; *text; text++)
        strbuf_add_char(buf, *text == '-' ? '+' : *text == '_' ? '/' : *text);
    while (buf->len % 4)
        strbuf_add_char(buf, '=');
}

TEST(rs256_is_verified_by_the_public_key)
{
    static const char message[] = "header.claims";
    EVP_PKEY *key = EVP_RSA_gen(2048);
    AUTO(secret_free) struct secret *pem = private_pem(key, NULL);
    AUTO_DONE(strbuf_done) struct strbuf signature = STRBUF_INIT(1000);
    AUTO_DONE(strbuf_done) struct strbuf padded = STRBUF_INIT(1000);
    AUTO_DONE(strbuf_done) struct strbuf raw = STRBUF_INIT(1000);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    struct err err = {0};

    CHECK_OK(crypto_rs256_append(pem, bytes_of_str(message), &signature, &err), err);
    CHECK(!strpbrk(strbuf_str(&signature), "+/="));
    to_base64(strbuf_str(&signature), &padded);
    CHECK_OK(base64_decode(bytes_of(padded.ptr, padded.len), &raw, &err), err);
    CHECK_INT(raw.len, 256);
    CHECK(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1);
    CHECK(EVP_DigestVerify(context, (const unsigned char *)raw.ptr, raw.len,
                           (const unsigned char *)message, strlen(message)) == 1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
}

TEST(keys_that_are_not_rsa_in_pem_are_refused)
{
    static const char expected[] =
        "the private key is not an RSA key in PEM form without passphrase";
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    AUTO(secret_free) struct secret *curve_pem = private_pem(curve, NULL);
    AUTO(secret_free) struct secret *locked_pem = private_pem(rsa, "passphrase");
    AUTO(secret_free) struct secret *text = NULL;
    AUTO_DONE(strbuf_done) struct strbuf signature = STRBUF_INIT(1000);
    struct err err = {0};

    CHECK_OK(secret_new(bytes_of_str("not a key"), &text, &err), err);
    CHECK_INT(crypto_rs256_append(curve_pem, bytes_of_str("m"), &signature, &err), ERR_INVALID);
    CHECK_INT(crypto_rs256_append(locked_pem, bytes_of_str("m"), &signature, &err), ERR_INVALID);
    CHECK_INT(crypto_rs256_append(text, bytes_of_str("m"), &signature, &err), ERR_INVALID);
    CHECK_STR(err.msg, expected);
    CHECK_INT(signature.len, 0);
    EVP_PKEY_free(curve);
    EVP_PKEY_free(rsa);
}

TEST_MAIN()
