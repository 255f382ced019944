/* The heads of webhooks, whose signatures are checked against the body later, and what a local
 * request says. The request is the test's own: this program has no server. */
#include "tests/harness/test.h"

#include <inttypes.h>
#include <strings.h>

#include "handlers/intake/event.h"
#include "handlers/platform.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/http/http.h"
#include "server/store/delivery.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_HEADERS 3

/* The vector of the Standard Webhooks specification. */
#define KEY "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" /* base64 */
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define SECONDS 1614265330
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define OTHER_SIGNATURE "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define BODY "{\"test\": 2432232314}"

/* The vector of GitHub's documentation, "Validating webhook deliveries". */
#define HUB_KEY "It's a Secret to Everybody"
#define HUB_BODY "Hello, World!"
#define HUB_SIGNATURE "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

struct http_request {
    struct {
        const char *name;
        const char *value;
    } headers[MAX_HEADERS];
};

const char *
http_request_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < MAX_HEADERS; i++)
        if (request->headers[i].name && strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

/* The HMAC of the prefix and the body, as the receiver computes it. */
static bool
fits(const struct admission *admission, struct bytes key, const char *body)
{
    AUTO(hmac_key_free) struct hmac_key *hmac_key = NULL;
    AUTO(hmac_free) struct hmac *hmac = NULL;
    unsigned char mac[SHA256_BYTES];
    struct err err;
    bool found = false;

    CHECK_OK(hmac_key_new(key, &hmac_key, &err), err);
    CHECK_OK(hmac_new(hmac_key, &hmac, &err), err);
    CHECK_OK(hmac_update(hmac, bytes_of_str(admission->prefix), &err), err);
    CHECK_OK(hmac_update(hmac, bytes_of_str(body), &err), err);
    CHECK_OK(hmac_finish(hmac, mac, &err), err);
    for (size_t i = 0; i < admission->mac_count; i++)
        found |= crypto_equal(mac, admission->macs[i], sizeof(mac));
    return found;
}

/* ---- local: Standard Webhooks ---- */

static int
admit_local(const char *id,
            const char *timestamp,
            const char *signatures,
            int64_t now_ms,
            struct admission *ret_admission,
            struct err *err)
{
    const struct http_request request = {.headers = {{"Webhook-Id", id},
                                                     {"Webhook-Timestamp", timestamp},
                                                     {"Webhook-Signature", signatures}}};

    return platform_find("local")->admit(&request, now_ms, ret_admission, err);
}

static bool
vector_fits(const struct admission *admission)
{
    AUTO_DONE(strbuf_done) struct strbuf key = STRBUF_INIT(64);
    struct err err;

    CHECK_OK(base64_decode(bytes_of_str(KEY), &key, &err), err);
    return fits(admission, bytes_of(key.ptr, key.len), BODY);
}

TEST(the_vector_of_standard_webhooks_fits)
{
    struct admission admission;
    struct err err;

    CHECK_OK(admit_local(ID, "1614265330", SIGNATURE, SECONDS * MS_PER_SECOND, &admission, &err),
             err);
    CHECK_STR(admission.delivery_id, ID);
    CHECK_STR(admission.event, "task");
    CHECK_STR(admission.prefix, ID ".1614265330.");
    CHECK_INT(admission.mac_count, 1);
    CHECK(vector_fits(&admission));
    CHECK_OK(
        admit_local(ID "x", "1614265330", SIGNATURE, SECONDS * MS_PER_SECOND, &admission, &err),
        err);
    CHECK(!vector_fits(&admission));
    CHECK_OK(admit_local(ID, "1614265331", SIGNATURE, SECONDS * MS_PER_SECOND, &admission, &err),
             err);
    CHECK(!vector_fits(&admission));
}

TEST(any_signature_of_the_list_will_do)
{
    static const char *const lists[] = {
        OTHER_SIGNATURE " " SIGNATURE, SIGNATURE " " OTHER_SIGNATURE, "v2,abc " SIGNATURE,
        "v1a," KEY "=  " SIGNATURE " ", "v1, v1,! v1,AAAA " SIGNATURE};
    struct admission admission;
    struct err err;

    for (size_t i = 0; i < COUNT(lists); i++) {
        if (admit_local(ID, "1614265330", lists[i], SECONDS * MS_PER_SECOND, &admission, &err))
            TEST_FAIL("%s: %s", lists[i], err.msg);
        if (!vector_fits(&admission))
            TEST_FAIL("%s does not fit", lists[i]);
    }
    CHECK_OK(
        admit_local(ID, "1614265330", OTHER_SIGNATURE, SECONDS * MS_PER_SECOND, &admission, &err),
        err);
    CHECK(!vector_fits(&admission));
}

/* A list of any length costs no more than its first signatures. */
TEST(only_so_many_signatures_are_tried)
{
    AUTO_DONE(strbuf_done) struct strbuf list = STRBUF_INIT(10000);
    struct admission admission;
    struct err err;

    for (int i = 0; i < ADMISSION_MACS - 1; i++)
        strbuf_add_str(&list, OTHER_SIGNATURE " ");
    strbuf_add_str(&list, SIGNATURE);
    CHECK_OK(
        admit_local(ID, "1614265330", strbuf_str(&list), SECONDS * MS_PER_SECOND, &admission, &err),
        err);
    CHECK_INT(admission.mac_count, ADMISSION_MACS);
    CHECK(vector_fits(&admission));

    strbuf_reset(&list);
    for (int i = 0; i < 50; i++)
        strbuf_add_str(&list, OTHER_SIGNATURE " ");
    strbuf_add_str(&list, SIGNATURE);
    CHECK_OK(
        admit_local(ID, "1614265330", strbuf_str(&list), SECONDS * MS_PER_SECOND, &admission, &err),
        err);
    CHECK_INT(admission.mac_count, ADMISSION_MACS);
    CHECK(!vector_fits(&admission));
}

TEST(clocks_may_differ_by_five_minutes_either_way)
{
    struct admission admission;
    struct err err;

    for (int64_t skew = -302; skew <= 302; skew++) {
        const int64_t now_ms = (SECONDS + skew) * MS_PER_SECOND + 999;
        const int r = admit_local(ID, "1614265330", SIGNATURE, now_ms, &admission, &err);
        if (r != (skew < -300 || skew > 300 ? ERR_AUTH : 0))
            TEST_FAIL("%" PRId64 " s: %d", skew, r);
    }
    CHECK_INT(admit_local(ID, "1614265330", SIGNATURE, (SECONDS + 3600) * MS_PER_SECOND, &admission,
                          &err),
              ERR_AUTH);
    CHECK_STR(err.msg, "webhook-timestamp is 3600 s off; sign anew, and check both clocks");
    CHECK_INT(admit_local(ID, "1614265330", SIGNATURE, (SECONDS - 3600) * MS_PER_SECOND, &admission,
                          &err),
              ERR_AUTH);
    CHECK_STR(err.msg, "webhook-timestamp is -3600 s off; sign anew, and check both clocks");
}

static void
check_local_refused(
    const char *id, const char *timestamp, const char *signatures, int code, const char *says)
{
    struct admission admission;
    struct err err = {0};
    const int r = admit_local(id, timestamp, signatures, SECONDS * MS_PER_SECOND, &admission, &err);

    if (r != code)
        TEST_FAIL("%s %s %s: %d %s", id, timestamp, signatures, r, err.msg);
    CHECK_CONTAINS(err.msg, says);
}

TEST(local_heads_that_are_not_right_are_refused)
{
    static const char *const times[] = {"",
                                        " ",
                                        "now",
                                        "-1614265330",
                                        "1614265330.0",
                                        "1614265330x",
                                        "0x60379972",
                                        "18446744073709551616",
                                        "18446744073709551615",
                                        "9223372036854775807",
                                        "9223372036854776"};
    static const char *const lists[] = {"",
                                        " ",
                                        "v1",
                                        "v1,",
                                        ",",
                                        "v1,AAAA",
                                        "v2," KEY,
                                        "V1," KEY,
                                        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",
                                        "v1,g0hM9SsE_OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                                        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=AAAA"};

    check_local_refused(NULL, "1614265330", SIGNATURE, ERR_AUTH, "are needed");
    check_local_refused(ID, NULL, SIGNATURE, ERR_AUTH, "are needed");
    check_local_refused(ID, "1614265330", NULL, ERR_AUTH, "are needed");
    for (size_t i = 0; i < COUNT(times); i++)
        check_local_refused(ID, times[i], SIGNATURE, ERR_AUTH, "webhook-timestamp is");
    for (size_t i = 0; i < COUNT(lists); i++)
        check_local_refused(ID, "1614265330", lists[i], ERR_AUTH, "webhook-signature has no");
    auto_free char *padded = str_printf("%0200d", SECONDS);
    check_local_refused(ID, padded, SIGNATURE, ERR_AUTH, "webhook-timestamp is not a number");
}

/* The id becomes part of a task's origin, is logged, shown and compared. */
TEST(ids_are_short_and_visible)
{
    auto_free char *longest = str_printf("%0128d", 1);
    auto_free char *longer = str_printf("%0129d", 1);
    static const char *const bad[] = {"", "a b", "a\tb", "a\x7f", "\xff", "\xc3\xa4"};
    struct admission admission;
    struct err err;

    CHECK_OK(
        admit_local(longest, "1614265330", SIGNATURE, SECONDS * MS_PER_SECOND, &admission, &err),
        err);
    CHECK_STR(admission.delivery_id, longest);
    check_local_refused(longer, "1614265330", SIGNATURE, ERR_INVALID, "webhook-id");
    for (size_t i = 0; i < COUNT(bad); i++)
        check_local_refused(bad[i], "1614265330", SIGNATURE, ERR_INVALID, "webhook-id");
}

/* ---- local: what is asked ---- */

static int
read_local(const char *body, struct event **ret_event, struct err *err)
{
    static const struct settings settings;
    const struct delivery delivery = {.delivery_id = (char *)(uintptr_t) "msg_1"};

    return platform_find("local")->read(&settings, &delivery, bytes_of_str(body), ret_event, err);
}

TEST(a_local_request_says_where_and_what)
{
    AUTO(event_free) struct event *event = NULL;
    AUTO(event_free) struct event *least = NULL;
    struct err err;

    CHECK_OK(read_local("{\"repository\":\"demo/calc\",\"title\":\"Add up\",\"text\":\"Please\","
                        "\"requested_by\":\"ann\",\"other\":[1,2,{}]}",
                        &event, &err),
             err);
    CHECK_INT(event->kind, EVENT_START);
    CHECK_STR(event->trigger, "webhook");
    CHECK_STR(event->origin, "local:demo/calc#msg_1");
    CHECK_STR(event->order_key, event->origin);
    CHECK_STR(event->repository, "demo/calc");
    CHECK_STR(event->title, "Add up");
    CHECK_STR(event->text, "Please");
    CHECK_STR(event->actor, "ann");
    CHECK_INT(event->number, 0);
    CHECK_INT(event->happened_ms, 0);
    CHECK(!event->actor_is_bot && !event->url && !event->reaction_target);
    CHECK_OK(read_local("{\"repository\":\"demo/calc\",\"title\":\"T\",\"text\":7,"
                        "\"requested_by\":null}",
                        &least, &err),
             err);
    CHECK_STR(least->actor, "local");
    CHECK(!least->text);
}

TEST(local_requests_that_are_not_right_are_refused)
{
    static const struct {
        const char *body;
        const char *says;
    } cases[] = {
        {"", ""},
        {"[]", "\"repository\""},
        {"null", "\"repository\""},
        {"7", "\"repository\""},
        {"{}", "\"repository\" must be a string OWNER/NAME"},
        {"{\"repository\":7,\"title\":\"T\"}", "\"repository\""},
        {"{\"repository\":\"demo\",\"title\":\"T\"}", "\"repository\""},
        {"{\"repository\":\"../calc\",\"title\":\"T\"}", "\"repository\""},
        {"{\"repository\":\"demo/..\",\"title\":\"T\"}", "\"repository\""},
        {"{\"repository\":\"demo/calc/x\",\"title\":\"T\"}", "\"repository\""},
        {"{\"repository\":\"demo/calc\"}", "\"title\" must be a string of 1 to 1024 bytes"},
        {"{\"repository\":\"demo/calc\",\"title\":\"\"}", "\"title\""},
        {"{\"repository\":\"demo/calc\",\"title\":\" \\n\"}", "\"title\""},
        {"{\"repository\":\"demo/calc\",\"title\":[\"T\"]}", "\"title\""},
        {"{\"repository\":\"demo/calc\",\"title\":\"T\",\"title\":\"T\"}", ""},
        {"{\"repository\":\"demo/calc\",\"title\":\"\xff\"}", ""},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(event_free) struct event *event = NULL;
        struct err err = {0};
        if (read_local(cases[i].body, &event, &err) != ERR_INVALID)
            TEST_FAIL("%s was not refused: %s", cases[i].body, err.msg);
        CHECK_CONTAINS(err.msg, cases[i].says);
    }
}

TEST(a_local_title_has_an_end)
{
    for (int len = 1024; len <= 1025; len++) {
        AUTO(event_free) struct event *event = NULL;
        auto_free char *body =
            str_printf("{\"repository\":\"demo/calc\",\"title\":\"%0*d\"}", len, 7);
        struct err err;
        CHECK_INT(read_local(body, &event, &err), len == 1024 ? 0 : ERR_INVALID);
    }
}

/* ---- GitHub ---- */

static int
admit_hub(const char *signature,
          const char *delivery,
          const char *event,
          struct admission *ret_admission,
          struct err *err)
{
    const struct http_request request = {.headers = {{"X-Hub-Signature-256", signature},
                                                     {"X-GitHub-Delivery", delivery},
                                                     {"X-GitHub-Event", event}}};

    return platform_find("github")->admit(&request, 0, ret_admission, err);
}

TEST(the_vector_of_github_fits)
{
    struct admission admission;
    struct err err;

    CHECK_OK(admit_hub(HUB_SIGNATURE, "72d3162e-cc78-11e3-81ab-4c9367dc0958", "issue_comment",
                       &admission, &err),
             err);
    CHECK_STR(admission.delivery_id, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
    CHECK_STR(admission.event, "issue_comment");
    CHECK_STR(admission.prefix, "");
    CHECK_INT(admission.mac_count, 1);
    CHECK(fits(&admission, bytes_of_str(HUB_KEY), HUB_BODY));
    CHECK(!fits(&admission, bytes_of_str(HUB_KEY), HUB_BODY "!"));
    CHECK(!fits(&admission, bytes_of_str(HUB_KEY "!"), HUB_BODY));
}

static void
check_hub_refused(const char *signature, const char *delivery, const char *event, int code)
{
    struct admission admission;
    struct err err = {0};
    const int r = admit_hub(signature, delivery, event, &admission, &err);

    if (r != code)
        TEST_FAIL("%s %s %s: %d %s", signature, delivery, event, r, err.msg);
    CHECK(err.msg[0]);
}

TEST(heads_of_github_that_are_not_right_are_refused)
{
    static const char *const signatures[] = {
        NULL,
        "",
        "sha256",
        "sha256=",
        "sha1=757107ea0eb2509fc211221cce984b8a37570b6d",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e177",
        "sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1g",
        "sha384=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "SHA256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "sha256= 757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1",
    };
    static const char *const tokens[] = {NULL, "", " ", "a b", "a/b", "a\nb", "\xff", "a,b"};
    auto_free char *longest_id = str_printf("%0128d", 1);
    auto_free char *longer_id = str_printf("%0129d", 1);
    auto_free char *longest_event = str_printf("%064d", 1);
    auto_free char *longer_event = str_printf("%065d", 1);

    for (size_t i = 0; i < COUNT(signatures); i++)
        check_hub_refused(signatures[i], "d1", "issues", ERR_AUTH);
    for (size_t i = 0; i < COUNT(tokens); i++) {
        check_hub_refused(HUB_SIGNATURE, tokens[i], "issues", ERR_INVALID);
        check_hub_refused(HUB_SIGNATURE, "d1", tokens[i], ERR_INVALID);
    }
    check_hub_refused(HUB_SIGNATURE, longer_id, "issues", ERR_INVALID);
    check_hub_refused(HUB_SIGNATURE, "d1", longer_event, ERR_INVALID);

    struct admission admission;
    struct err err;
    CHECK_OK(admit_hub(HUB_SIGNATURE, longest_id, longest_event, &admission, &err), err);
    CHECK_STR(admission.delivery_id, longest_id);
    CHECK_STR(admission.event, longest_event);
}

TEST_MAIN()
