/* Errors: codes, messages that are safe to log, context on the way up. */
#include "server/base/err.h"
#include "tests/harness/test.h"

#include <errno.h>

TEST(set_fills_in_and_returns_the_code)
{
    struct err err = {0};

    CHECK_INT(err_set(&err, ERR_INVALID, "%s is %d", "x", 7), ERR_INVALID);
    CHECK_INT(err.code, ERR_INVALID);
    CHECK_STR(err.msg, "x is 7");
}

TEST(nobody_has_to_listen)
{
    CHECK_INT(err_set(NULL, ERR_IO, "unheard"), ERR_IO);
    CHECK_INT(err_set_errno(NULL, ERR_IO, ENOENT, "unheard"), ERR_IO);
    CHECK_INT(err_wrap(NULL, "unheard"), ERR_INTERNAL);
}

TEST(errno_is_spelled_out)
{
    struct err err = {0};

    CHECK_INT(err_set_errno(&err, ERR_IO, ENOENT, "opening %s", "/x"), ERR_IO);
    CHECK_STR(err.msg, "opening /x: No such file or directory");
}

TEST(wrap_puts_context_before_and_keeps_the_code)
{
    struct err err = {0};

    err_set(&err, ERR_REMOTE, "the server said 500");
    CHECK_INT(err_wrap(&err, "asking %s", "github"), ERR_REMOTE);
    CHECK_INT(err_wrap(&err, "task 7"), ERR_REMOTE);
    CHECK_STR(err.msg, "task 7: asking github: the server said 500");
}

TEST(control_characters_are_replaced)
{
    struct err err = {0};

    err_set(&err, ERR_INVALID, "a\nb\r\x1b[0m\x7f!");
    CHECK_STR(err.msg, "a b  [0m !");
}

TEST(long_messages_are_cut_between_characters)
{
    /* a message of 510 bytes and then a character of each size across the end */
    static const char *const last[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

    for (size_t i = 0; i < 3; i++) {
        struct err err = {0};
        err_set(&err, ERR_INVALID, "%0510d%s%s", 0, last[i], "tail");
        CHECK_INT(strlen(err.msg), 510);
        CHECK(err.msg[509] == '0');
    }
    struct err whole = {0};
    err_set(&whole, ERR_INVALID, "%0509d%s", 0, "\xC3\xA9");
    CHECK_INT(strlen(whole.msg), ERR_MESSAGE_BYTES - 1);
    CHECK_STR(whole.msg + 509, "\xC3\xA9");
}

TEST(wrapping_a_long_message_keeps_its_beginning)
{
    struct err err = {0};

    err_set(&err, ERR_INVALID, "start %0600d", 0);
    err_wrap(&err, "context");
    CHECK(strncmp(err.msg, "context: start 000", 18) == 0);
    CHECK(strlen(err.msg) < ERR_MESSAGE_BYTES);
}

TEST(policy_of_every_code)
{
    static const struct {
        int code, status, retryable, may_pass;
        const char *name;
    } expected[] = {
        {ERR_NOMEM, 503, 0, 1, "no_memory"},
        {ERR_IO, 503, 0, 1, "io"},
        {ERR_INVALID, 400, 0, 0, "invalid"},
        {ERR_AUTH, 401, 0, 1, "unauthorized"},
        {ERR_NOTFOUND, 404, 0, 0, "not_found"},
        {ERR_CONFLICT, 409, 0, 0, "conflict"},
        {ERR_LIMIT, 413, 0, 1, "too_large"},
        {ERR_TIMEOUT, 504, 1, 1, "timeout"},
        {ERR_CANCELED, 503, 0, 1, "canceled"},
        {ERR_REMOTE, 502, 1, 1, "remote"},
        {ERR_UNAVAILABLE, 503, 1, 1, "unavailable"},
        {ERR_INTERNAL, 500, 0, 0, "internal"},
        {ERR_DENIED, 403, 0, 0, "denied"},
        {0, 500, 0, 0, "unknown"},
        {-99, 500, 0, 0, "unknown"},
    };

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        CHECK_INT(err_http_status(expected[i].code), expected[i].status);
        CHECK_INT(err_retryable(expected[i].code), expected[i].retryable);
        CHECK_INT(err_may_pass(expected[i].code), expected[i].may_pass);
        CHECK_STR(err_name(expected[i].code), expected[i].name);
    }
}

TEST_MAIN()
