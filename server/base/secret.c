/* See secret.h. */
#include "server/base/secret.h"

#include "server/base/env.h"
#include "server/base/fs.h"
#include "server/base/strbuf.h"

#include <openssl/crypto.h>

#define MAX_SECRET_BYTES 65536

struct secret {
    size_t len;
    char bytes[]; /* terminated */
};

int
secret_new(struct bytes bytes, struct secret **ret_secret, struct err *err)
{
    struct secret *secret = malloc(sizeof(*secret) + bytes.len + 1);

    if (!secret)
        return err_set(err, ERR_NOMEM, "out of memory");
    secret->len = bytes.len;
    if (bytes.len > 0)
        memcpy(secret->bytes, bytes.ptr, bytes.len);
    secret->bytes[bytes.len] = '\0';
    *ret_secret = secret;
    return 0;
}

int
secret_copy(const struct secret *secret, struct secret **ret_secret, struct err *err)
{
    return secret_new(secret_reveal(secret), ret_secret, err);
}

void
secret_free(struct secret *secret)
{
    if (!secret)
        return;
    OPENSSL_cleanse(secret->bytes, secret->len);
    free(secret);
}

struct bytes
secret_reveal(const struct secret *secret)
{
    return bytes_of(secret->bytes, secret->len);
}

char *
secret_path(const char *file, const char *base_dir)
{
    const char *credentials = env_get("CREDENTIALS_DIRECTORY");

    if (file[0] == '/')
        return str_printf("%s", file);
    if (credentials)
        return str_printf("%s/%s", credentials, file);
    return str_printf("%s/%s", base_dir ? base_dir : ".", file);
}

int
secret_load(const char *file, const char *base_dir, struct secret **ret_secret, struct err *err)
{
    auto_free char *path = secret_path(file, base_dir);
    AUTO_DONE(strbuf_done) struct strbuf contents = STRBUF_INIT(MAX_SECRET_BYTES);

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = fs_read_file(path, &contents, err);
    if (r == ERR_LIMIT)
        return err_set(err, ERR_INVALID,
                       "%s is larger than %d bytes; write the secret alone into it", path,
                       MAX_SECRET_BYTES);
    if (r)
        return r;
    while (contents.len > 0 &&
           (contents.ptr[contents.len - 1] == '\n' || contents.ptr[contents.len - 1] == '\r'))
        strbuf_truncate(&contents, contents.len - 1);
    if (contents.len == 0)
        return err_set(err, ERR_INVALID, "%s is empty; write the secret into it", path);
    r = secret_new(bytes_of(contents.ptr, contents.len), ret_secret, err);
    OPENSSL_cleanse(contents.ptr, contents.len);
    return r;
}
