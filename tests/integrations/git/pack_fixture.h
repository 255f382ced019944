/* Packs written by hand, whose every byte a test decides. */
#pragma once

#include <git2.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "server/base/fs.h"
#include "server/base/strbuf.h"

#define UNUSED __attribute__((unused))

/* A pack in the making. */
struct pack {
    struct strbuf bytes;
    unsigned count;
};

#define PACK_INIT                                                                                  \
    {                                                                                              \
        .bytes = STRBUF_INIT(300U << 20)                                                           \
    }

UNUSED static void
pack_begin(struct pack *pack)
{
    strbuf_reset(&pack->bytes);
    strbuf_add(&pack->bytes, "PACK\0\0\0\2\0\0\0\0", 12);
    pack->count = 0;
}

/* One entry: `type` as in the format, `size` as declared, what precedes the data, and the data.
 * Returns its offset. */
UNUSED static size_t
pack_add_raw(struct pack *pack, unsigned type, size_t size, struct bytes before, struct bytes data)
{
    const size_t offset = pack->bytes.len;
    uLongf len = compressBound(data.len);
    auto_free Bytef *packed = malloc(len);
    unsigned char byte = (unsigned char)(type << 4 | (size & 15));

    for (size >>= 4; size; size >>= 7) {
        strbuf_add_char(&pack->bytes, (char)(byte | 0x80));
        byte = size & 0x7f;
    }
    strbuf_add_char(&pack->bytes, (char)byte);
    strbuf_add_bytes(&pack->bytes, before);
    if (!packed || compress2(packed, &len, (const Bytef *)data.ptr, data.len, 1) != Z_OK)
        abort();
    strbuf_add(&pack->bytes, packed, len);
    pack->count++;
    return offset;
}

/* An ordinary object; its id. */
UNUSED static git_oid
pack_add(struct pack *pack, git_object_t type, struct bytes data)
{
    git_oid id;

    if (git_odb_hash(&id, data.len ? data.ptr : "", data.len, type))
        abort();
    pack_add_raw(pack, (unsigned)type, data.len, bytes_of("", 0), data);
    return id;
}

UNUSED static git_oid
pack_add_text(struct pack *pack, const char *text)
{
    return pack_add(pack, GIT_OBJECT_BLOB, bytes_of_str(text));
}

UNUSED static void
tree_add(struct strbuf *tree, const char *mode, const char *name, git_oid id)
{
    strbuf_addf(tree, "%s %s", mode, name);
    strbuf_add_char(tree, '\0');
    strbuf_add(tree, id.id, sizeof id.id);
}

/* A tree of one entry. */
UNUSED static git_oid
pack_add_tree(struct pack *pack, const char *mode, const char *name, git_oid id)
{
    struct strbuf tree = STRBUF_INIT(4096);

    tree_add(&tree, mode, name, id);
    const git_oid made = pack_add(pack, GIT_OBJECT_TREE, bytes_of(tree.ptr, tree.len));
    strbuf_done(&tree);
    return made;
}

UNUSED static git_oid
id_of(const char *hex)
{
    git_oid id;

    if (git_oid_fromstr(&id, hex))
        abort();
    return id;
}

/* A commit; parents in hexadecimal, "" or NULL: none. */
UNUSED static git_oid
pack_add_commit(struct pack *pack, git_oid tree, const char *parent, const char *other)
{
    struct strbuf text = STRBUF_INIT(4096);

    strbuf_addf(&text, "tree %s\n", git_oid_tostr_s(&tree));
    if (parent && *parent)
        strbuf_addf(&text, "parent %s\n", parent);
    if (other && *other)
        strbuf_addf(&text, "parent %s\n", other);
    strbuf_add_str(&text, "author Ada <ada@example.org> 1700000001 +0000\n"
                          "committer Ada <ada@example.org> 1700000001 +0000\n\nchange\n");
    const git_oid made = pack_add(pack, GIT_OBJECT_COMMIT, bytes_of(text.ptr, text.len));
    strbuf_done(&text);
    return made;
}

/* Write the count and the checksum. */
UNUSED static void
pack_end(struct pack *pack)
{
    unsigned char hash[20];

    for (int i = 0; i < 4; i++)
        pack->bytes.ptr[8 + i] = (char)(pack->count >> (24 - 8 * i));
    if (EVP_Digest(pack->bytes.ptr, pack->bytes.len, hash, NULL, EVP_sha1(), NULL) != 1)
        abort();
    strbuf_add(&pack->bytes, hash, sizeof hash);
}

/* The pack as an unnamed open file. */
UNUSED static int
pack_open(const struct pack *pack)
{
    FILE *file = tmpfile();
    const int fd = file ? dup(fileno(file)) : -1;

    if (file)
        fclose(file);
    if (fd < 0 || fs_write_all(fd, bytes_of(pack->bytes.ptr, pack->bytes.len), NULL))
        abort();
    return fd;
}
