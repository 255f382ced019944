/* The first look at a pack: broken ones and those that unpack to more than anybody wants. */
#include "tests/integrations/git/repo_fixture.h"

#include "integrations/git/repo_scan.h"

static const struct repo_scan_limits limits = {
    .max_objects = 1000, .max_object_bytes = 1 << 20, .max_total_bytes = 4 << 20};

static struct pack pack = PACK_INIT;
static struct err err;

static int
scan(void)
{
    return repo_scan_pack(bytes_of(pack.bytes.ptr, pack.bytes.len), &limits, &err);
}

static int
scan_finished(void)
{
    pack_end(&pack);
    return scan();
}

static void
put_size(struct strbuf *buf, uint64_t size)
{
    for (; size > 0x7f; size >>= 7)
        strbuf_add_char(buf, (char)(size | 0x80));
    strbuf_add_char(buf, (char)size);
}

/* A delta by offset against the entry `distance` bytes before, which claims the two sizes. */
static void
add_delta(size_t distance, uint64_t base_size, uint64_t size)
{
    struct strbuf delta = STRBUF_INIT(256);
    char before[2];
    size_t n = 0;

    CHECK(distance < 128 + 16384);
    if (distance > 127)
        before[n++] = (char)(0x80 | ((distance >> 7) - 1));
    before[n++] = (char)(distance & 0x7f);
    put_size(&delta, base_size);
    put_size(&delta, size);
    strbuf_add(&delta, "\x90\x10", 2); /* copy 16 bytes from the start */
    pack_add_raw(&pack, 6, delta.len, bytes_of(before, n), bytes_of(delta.ptr, delta.len));
    strbuf_done(&delta);
}

TEST(a_sound_pack_passes)
{
    pack_begin(&pack);
    pack_add_text(&pack, "hello");
    const size_t base =
        pack_add_raw(&pack, 3, 16, bytes_of("", 0), bytes_of_str("0123456789abcdef"));
    add_delta(pack.bytes.len - base, 16, 16);
    pack_add_text(&pack, "");
    CHECK_OK(scan_finished(), err);
}

TEST(an_empty_pack_passes)
{
    pack_begin(&pack);
    CHECK_OK(scan_finished(), err);
}

TEST(what_is_no_pack_is_refused)
{
    CHECK_INT(repo_scan_pack(bytes_of("", 0), &limits, &err), ERR_INVALID);
    CHECK_INT(repo_scan_pack(bytes_of_str("PACK"), &limits, &err), ERR_INVALID);
    pack_begin(&pack);
    pack.bytes.ptr[7] = 3;
    CHECK_INT(scan_finished(), ERR_INVALID);
    pack_begin(&pack);
    pack.bytes.ptr[0] = 'Q';
    CHECK_INT(scan_finished(), ERR_INVALID);
}

TEST(a_pack_cut_anywhere_is_refused)
{
    pack_begin(&pack);
    pack_add_text(&pack, "hello");
    pack_add_raw(&pack, 7, 4, bytes_of("01234567890123456789", 20), bytes_of("\x01\x01\x01x", 4));
    pack_end(&pack);
    CHECK_OK(scan(), err);
    for (size_t len = 0; len < pack.bytes.len; len++) {
        /* A copy, so that reading beyond it is seen. */
        auto_free char *part = malloc(len + 1);
        CHECK(part);
        memcpy(part, pack.bytes.ptr, len);
        CHECK_INT(repo_scan_pack(bytes_of(part, len), &limits, &err), ERR_INVALID);
    }
}

TEST(every_changed_byte_is_survived)
{
    pack_begin(&pack);
    const size_t base =
        pack_add_raw(&pack, 3, 16, bytes_of("", 0), bytes_of_str("0123456789abcdef"));
    add_delta(pack.bytes.len - base, 16, 16);
    pack_end(&pack);
    for (size_t i = 0; i < pack.bytes.len - 20; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            auto_free char *copy = malloc(pack.bytes.len);
            CHECK(copy);
            memcpy(copy, pack.bytes.ptr, pack.bytes.len);
            copy[i] ^= (char)(1U << bit);
            (void)!repo_scan_pack(bytes_of(copy, pack.bytes.len), &limits, &err);
        }
    }
}

TEST(bytes_behind_the_last_object_are_refused)
{
    pack_begin(&pack);
    pack_add_text(&pack, "hello");
    strbuf_add_str(&pack.bytes, "garbage");
    CHECK_INT(scan_finished(), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "7 bytes follow");
}

TEST(an_object_of_another_size_than_declared_is_refused)
{
    pack_begin(&pack);
    pack_add_raw(&pack, 3, 4, bytes_of("", 0), bytes_of_str("hello"));
    CHECK_INT(scan_finished(), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "larger than it says");
    pack_begin(&pack);
    pack_add_raw(&pack, 3, 6, bytes_of("", 0), bytes_of_str("hello"));
    CHECK_INT(scan_finished(), ERR_INVALID);
}

TEST(too_many_objects_are_refused)
{
    pack_begin(&pack);
    pack.count = 1001;
    CHECK_INT(scan_finished(), ERR_LIMIT);
    pack_begin(&pack);
    pack.count = 999; /* claimed, with no room for them */
    CHECK_INT(scan_finished(), ERR_INVALID);
}

TEST(a_huge_object_is_refused)
{
    auto_free char *zeros = calloc(1, 2 << 20);

    pack_begin(&pack);
    pack_add_raw(&pack, 3, 2 << 20, bytes_of("", 0), bytes_of(zeros, 2 << 20));
    CHECK_INT(scan_finished(), ERR_LIMIT);
}

TEST(an_object_that_inflates_beyond_its_size_is_not_inflated_whole)
{
    auto_free char *zeros = calloc(1, 64 << 20);

    pack_begin(&pack);
    pack_add_raw(&pack, 3, 10, bytes_of("", 0), bytes_of(zeros, 64 << 20));
    CHECK_INT(scan_finished(), ERR_INVALID);
}

TEST(many_objects_that_are_huge_together_are_refused)
{
    auto_free char *zeros = calloc(1, 1 << 20);

    CHECK(zeros);
    pack_begin(&pack);
    for (int i = 0; i < 5; i++) {
        zeros[0] = (char)i;
        pack_add_raw(&pack, 3, 1 << 20, bytes_of("", 0), bytes_of(zeros, 1 << 20));
    }
    CHECK_INT(scan_finished(), ERR_LIMIT);
    CHECK_CONTAINS(err.msg, "unpacks to more");
}

TEST(a_delta_that_claims_too_much_is_refused)
{
    static const uint64_t sizes[] = {(1 << 20) + 1, 1ULL << 40, UINT64_MAX};

    for (size_t i = 0; i < 3; i++) {
        pack_begin(&pack);
        const size_t base =
            pack_add_raw(&pack, 3, 16, bytes_of("", 0), bytes_of_str("0123456789abcdef"));
        add_delta(pack.bytes.len - base, 16, sizes[i]);
        CHECK(scan_finished() != 0);
        pack_begin(&pack);
        pack_add_raw(&pack, 3, 16, bytes_of("", 0), bytes_of_str("0123456789abcdef"));
        add_delta(pack.bytes.len - base, sizes[i], 16);
        CHECK(scan_finished() != 0);
    }
}

TEST(a_delta_whose_base_is_no_object_is_refused)
{
    pack_begin(&pack);
    const size_t base =
        pack_add_raw(&pack, 3, 16, bytes_of("", 0), bytes_of_str("0123456789abcdef"));
    add_delta(pack.bytes.len - base - 1, 16, 16);
    CHECK_INT(scan_finished(), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "base");
    pack_begin(&pack);
    add_delta(5, 16, 16);
    CHECK_INT(scan_finished(), ERR_INVALID);
    pack_begin(&pack);
    add_delta(100, 16, 16);
    CHECK_INT(scan_finished(), ERR_INVALID);
}

TEST(a_delta_without_sizes_is_refused)
{
    pack_begin(&pack);
    pack_add_raw(&pack, 7, 0, bytes_of("01234567890123456789", 20), bytes_of("", 0));
    CHECK_INT(scan_finished(), ERR_INVALID);
    pack_begin(&pack);
    pack_add_raw(&pack, 7, 3, bytes_of("01234567890123456789", 20), bytes_of("\xff\xff\xff", 3));
    CHECK_INT(scan_finished(), ERR_INVALID);
}

TEST(unknown_types_are_refused)
{
    pack_begin(&pack);
    pack_add_raw(&pack, 0, 5, bytes_of("", 0), bytes_of_str("hello"));
    CHECK_INT(scan_finished(), ERR_INVALID);
    pack_begin(&pack);
    pack_add_raw(&pack, 5, 5, bytes_of("", 0), bytes_of_str("hello"));
    CHECK_INT(scan_finished(), ERR_INVALID);
}

TEST(a_scan_ends_when_it_is_asked_to)
{
    const struct repo_watch over = {.deadline_ms = 1};
    struct repo_scan_limits hurried = limits;

    pack_begin(&pack);
    pack_add_text(&pack, "text");
    pack_end(&pack);
    hurried.watch = &over;
    CHECK_INT(repo_scan_pack(bytes_of(pack.bytes.ptr, pack.bytes.len), &hurried, &err),
              ERR_TIMEOUT);
    CHECK_OK(scan(), err);
}

TEST_MAIN()
