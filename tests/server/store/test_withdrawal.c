/* What was taken back stays so. */
#include "server/store/withdrawal.h"
#include "tests/server/store/fixture.h"

static int
note(struct fixture *f, int64_t happened_ms, const char *ref)
{
    struct err err;
    return withdrawal_note(f->db, "github:acme/api#42", happened_ms, ref, 5000, &err);
}

static int64_t
last(struct fixture *f, const char *origin)
{
    struct err err;
    int64_t ms = -1;

    CHECK_OK(withdrawal_last(f->db, origin, &ms, &err), err);
    return ms;
}

TEST(the_last_one_counts)
{
    struct fixture f;

    fixture_begin(&f);
    CHECK_INT(last(&f, "github:acme/api#42"), 0);
    CHECK_INT(note(&f, 2000, "comment:1"), 0);
    CHECK_INT(last(&f, "github:acme/api#42"), 2000);
    CHECK_INT(last(&f, "github:acme/api#4"), 0);
    CHECK_INT(note(&f, 3000, NULL), 0);
    CHECK_INT(note(&f, 2000, "comment:1"), ERR_CONFLICT); /* told again */
    CHECK_INT(last(&f, "github:acme/api#42"), 3000);
    fixture_done(&f);
}

TEST(two_in_one_second_are_told_apart_by_their_names)
{
    struct fixture f;

    fixture_begin(&f);
    CHECK_INT(note(&f, 2000, "comment:1"), 0);
    CHECK_INT(note(&f, 2000, "comment:1"), ERR_CONFLICT);
    CHECK_INT(note(&f, 2000, "comment:2"), 0);
    CHECK_INT(note(&f, 2000, NULL), 0); /* a label has none: it may be another one */
    CHECK_INT(note(&f, 2000, NULL), 0);
    fixture_done(&f);
}

TEST_MAIN()
