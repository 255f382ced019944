/* Binding a file to structs by tables: every type, every fault with its exact words. */
#include "server/base/str.h"
#include "server/config/bind.h"
#include "server/limits.h"
#include "tests/harness/test.h"

struct pet {
    char *name;
    int64_t age;
    struct string_list foods;
};

struct house {
    char *colour;
    char *kind;
    int64_t rooms;
    double height;
    bool sold;
    struct string_list people;

    struct {
        bool present;
        int64_t trees;
    } garden;
    struct pet *pets;
    size_t pet_count;

    struct {
        char *street;
    } address;
};

static const char *
check_colour(const char *text)
{
    return str_equal(text, "plaid") ? "is no colour; write a real one" : NULL;
}

static const char *
check_person(const char *text)
{
    return strchr(text, ' ') ? "has a space; write one name" : NULL;
}

static const char *const kinds[] = {"hut", "tower", NULL};
static const char *const default_people[] = {"ann", "bob", NULL};

static const struct bind_key pet_keys[] = {
    {.name = "name",
     .type = BIND_TEXT,
     .required = true,
     .offset = offsetof(struct pet, name),
     .hint = "write the pet's name"},
    {.name = "age",
     .type = BIND_INTEGER,
     .offset = offsetof(struct pet, age),
     .integer = {.value = 1, .min = 0, .max = 40},
     .hint = "write its age"},
    {.name = "foods",
     .type = BIND_TEXTS,
     .offset = offsetof(struct pet, foods),
     .hint = "list them"},
};
static const struct bind_section pet_section = BIND_SECTION_INIT(struct pet, pet_keys);

static const struct bind_key garden_keys[] = {
    {.name = "trees",
     .type = BIND_INTEGER,
     .required = true,
     .offset = offsetof(struct house, garden.trees),
     .integer = {.value = 7, .min = -5, .max = 100},
     .hint = "count them"},
};
static const struct bind_section garden_section = BIND_SECTION_INIT(struct house, garden_keys);

static const struct bind_key address_keys[] = {
    {.name = "street",
     .type = BIND_TEXT,
     .offset = offsetof(struct house, address.street),
     .hint = "write the street"},
};
static const struct bind_section address_section = BIND_SECTION_INIT(struct house, address_keys);

static const struct bind_key house_keys[] = {
    {.name = "colour",
     .type = BIND_TEXT,
     .offset = offsetof(struct house, colour),
     .text = "white",
     .check = check_colour,
     .hint = "write a colour"},
    {.name = "kind",
     .type = BIND_WORD,
     .offset = offsetof(struct house, kind),
     .text = "hut",
     .words = kinds,
     .hint = "write its kind"},
    {.name = "rooms",
     .type = BIND_INTEGER,
     .offset = offsetof(struct house, rooms),
     .integer = {.value = 3, .min = 1, .max = 64},
     .hint = "write how many"},
    {.name = "height",
     .type = BIND_REAL,
     .offset = offsetof(struct house, height),
     .real = {.value = 2.5, .min = 0.5, .max = 100},
     .hint = "write metres"},
    {.name = "sold", .type = BIND_BOOL, .offset = offsetof(struct house, sold), .hint = "say it"},
    {.name = "people",
     .type = BIND_TEXTS,
     .offset = offsetof(struct house, people),
     .words = default_people,
     .check = check_person,
     .hint = "write a list of names"},
    {.name = "garden",
     .type = BIND_SECTION,
     .present_offset = offsetof(struct house, garden.present),
     .section = &garden_section,
     .hint = "write its keys"},
    {.name = "pets",
     .type = BIND_SECTIONS,
     .offset = offsetof(struct house, pets),
     .count_offset = offsetof(struct house, pet_count),
     .section = &pet_section,
     .hint = "write a list of pets"},
    {.type = BIND_INLINE, .section = &address_section},
};
static const struct bind_section house_section = BIND_SECTION_INIT(struct house, house_keys);

struct outcome {
    struct house house;
    struct strbuf report;
    int result;
};

static void
outcome_done(struct outcome *outcome)
{
    bind_release(&house_section, &outcome->house);
    strbuf_done(&outcome->report);
}

static void
bind(const char *text, struct outcome *outcome)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(tree_done) struct tree_node root = {0};
    struct err err = {0};

    outcome->report.max = 1024 * 1024;
    outcome->result = tree_parse(bytes_of_str(text), &faults, &root, &err);
    if (!outcome->result)
        outcome->result = bind_tree(&house_section, &root, &faults, &outcome->house, &err);
    if (faults_report(&faults, &outcome->report, &err))
        outcome->result = ERR_INVALID;
}

#define CHECK_REPORT(yaml, expected)                                                               \
    do {                                                                                           \
        AUTO_DONE(outcome_done) struct outcome outcome_ = {0};                                     \
        bind(yaml, &outcome_);                                                                     \
        CHECK_STR(strbuf_str(&outcome_.report), expected);                                         \
        CHECK_INT(outcome_.result, ERR_INVALID);                                                   \
    } while (0)

TEST(an_empty_file_gives_the_defaults)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    bind("", &o);
    CHECK_INT(o.result, 0);
    CHECK_STR(o.house.colour, "white");
    CHECK_STR(o.house.kind, "hut");
    CHECK_INT(o.house.rooms, 3);
    CHECK(o.house.height == 2.5);
    CHECK(!o.house.sold);
    CHECK_INT(o.house.people.count, 2);
    CHECK_STR(o.house.people.items[1], "bob");
    CHECK(!o.house.garden.present);
    CHECK_INT(o.house.garden.trees, 7);
    CHECK_INT(o.house.pet_count, 0);
    CHECK(!o.house.address.street);
}

TEST(every_type_is_bound)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    bind("colour: 'dark red'\n"
         "kind: tower\n"
         "rooms: 64\n"
         "height: 0.5\n"
         "sold: true\n"
         "people: [ carl ]\n"
         "garden: { trees: -5 }\n"
         "pets:\n"
         "  - name: rex\n"
         "  - { name: 007, age: 0, foods: [ 1, no ] }\n"
         "street: High Street\n",
         &o);
    CHECK_STR(strbuf_str(&o.report), "");
    CHECK_INT(o.result, 0);
    CHECK_STR(o.house.colour, "dark red");
    CHECK_STR(o.house.kind, "tower");
    CHECK_INT(o.house.rooms, 64);
    CHECK(o.house.height == 0.5);
    CHECK(o.house.sold);
    CHECK_INT(o.house.people.count, 1);
    CHECK_STR(o.house.people.items[0], "carl");
    CHECK(o.house.garden.present);
    CHECK_INT(o.house.garden.trees, -5);
    CHECK_INT(o.house.pet_count, 2);
    CHECK_STR(o.house.pets[0].name, "rex");
    CHECK_INT(o.house.pets[0].age, 1);
    CHECK_STR(o.house.pets[1].name, "007"); /* where text is wanted, everything is text */
    CHECK_INT(o.house.pets[1].age, 0);
    CHECK_STR(o.house.pets[1].foods.items[1], "no");
    CHECK_STR(o.house.address.street, "High Street");
}

TEST(an_empty_list_replaces_the_default)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    bind("people: []\npets: []\n", &o);
    CHECK_INT(o.result, 0);
    CHECK_INT(o.house.people.count, 0);
    CHECK_INT(o.house.pet_count, 0);
}

TEST(all_faults_are_told_at_once_by_line)
{
    CHECK_REPORT(
        "colur: red\n"
        "kind: castle\n"
        "rooms: 65\n"
        "height: tall\n"
        "sold: yes\n"
        "people: [ ann lee, bob, 'x y' ]\n"
        "garden: {}\n"
        "pets:\n"
        "  - age: 41\n"
        "  - name: [ rex ]\n"
        "  - max\n"
        "zzz: 1\n"
        "rooms: 2\n"
        "street: ''\n",
        "f.yml:1: colur: is not a known key; did you mean colour?\n"
        "f.yml:2: kind: \"castle\" is not one of hut, tower; write its kind\n"
        "f.yml:3: rooms: expected a whole number from 1 to 64, found \"65\"; write how many\n"
        "f.yml:4: height: expected a number from 0.5 to 100, found \"tall\"; write metres\n"
        "f.yml:5: sold: expected true or false, found \"yes\"; say it\n"
        "f.yml:6: people[0]: has a space; write one name\n"
        "f.yml:6: people[2]: has a space; write one name\n"
        "f.yml:7: garden.trees: is missing; count them\n"
        "f.yml:9: pets[0].name: is missing; write the pet's name\n"
        "f.yml:9: pets[0].age: expected a whole number from 0 to 40, found \"41\"; "
        "write its age\n"
        "f.yml:10: pets[1].name: expected text; write the pet's name\n"
        "f.yml:11: pets[2]: expected a section of keys; write a list of pets\n"
        "f.yml:12: zzz: is not a known key; remove it\n"
        "f.yml:13: rooms: is given already in line 3; remove one\n"
        "f.yml:14: street: is empty; write the street\n");
}

TEST(a_check_function_speaks_for_itself)
{
    CHECK_REPORT("colour: plaid\n", "f.yml:1: colour: is no colour; write a real one\n");
}

TEST(only_decimal_numbers_are_integers)
{
    static const char *const wrong[] = {"0x10", "010",  "1_0",
                                        "+5",   "5.0",  "1e1",
                                        "1:30",

                                        "--1",  "5 m",  "99999999999999999999",
                                        "0",    "true", "-0x1"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        auto_free char *text = str_printf("rooms: %s\n", wrong[i]);
        auto_free char *expected =
            str_printf("f.yml:1: rooms: expected a whole number from 1 to 64, "
                       "found \"%s\"; write how many\n",
                       wrong[i]);
        CHECK_REPORT(text, expected);
    }
    CHECK_REPORT("rooms: \"5\"\n", "f.yml:1: rooms: expected a whole number from 1 to 64, found "
                                   "text in quotes; write how many\n");
    CHECK_REPORT(
        "rooms: [5]\n",
        "f.yml:1: rooms: expected a whole number from 1 to 64, found a list; write how many\n");
    CHECK_REPORT("rooms: {a: 5}\n", "f.yml:1: rooms: expected a whole number from 1 to 64, found a "
                                    "section; write how many\n");
}

TEST(only_decimal_numbers_are_reals)
{
    static const char *const wrong[] = {".5", "5.", "1e1",   "nan",  ".inf",  "0x1",
                                        "-1", "+1", "1.2.3", "0.49", "100.1", "1.0000000000000000"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        auto_free char *text = str_printf("height: %s\n", wrong[i]);
        auto_free char *expected = str_printf("f.yml:1: height: expected a number from 0.5 to 100, "
                                              "found \"%s\"; write metres\n",
                                              wrong[i]);
        CHECK_REPORT(text, expected);
    }
}

TEST(only_true_and_false_are_booleans)
{
    static const char *const wrong[] = {"yes", "no", "on", "off", "True", "FALSE", "1", "y"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        auto_free char *text = str_printf("sold: %s\n", wrong[i]);
        auto_free char *expected =
            str_printf("f.yml:1: sold: expected true or false, found \"%s\"; say it\n", wrong[i]);
        CHECK_REPORT(text, expected);
    }
    CHECK_REPORT("sold: 'true'\n",
                 "f.yml:1: sold: expected true or false, found text in quotes; say it\n");
}

TEST(keys_without_value_are_told)
{
    CHECK_REPORT("colour:\ngarden:\npeople: ~\n", "f.yml:1: colour: has no value; write a colour\n"
                                                  "f.yml:2: garden: has no value; write its keys\n"
                                                  "f.yml:3: people: has no value; write a list of "
                                                  "names\n");
}

TEST(wrong_structure_is_told)
{
    CHECK_REPORT("colour: [ red ]\npeople: ann\ngarden: [ 1 ]\npets: { name: rex }\nkind: {}\n",
                 "f.yml:1: colour: expected text; write a colour\n"
                 "f.yml:2: people: expected a list; write a list of names\n"
                 "f.yml:3: garden: expected a section of keys; write its keys\n"
                 "f.yml:4: pets: expected a list; write a list of pets\n"
                 "f.yml:5: kind: expected text; write its kind\n");
    CHECK_REPORT("- a\n", "f.yml:1: file: expected keys with values; write \"key: value\" lines\n");
    CHECK_REPORT("only text\n",
                 "f.yml:1: file: expected keys with values; write \"key: value\" lines\n");
}

TEST(refused_yaml_is_told_once)
{
    CHECK_REPORT("colour: &c red\nrooms: *c\npets: [ !x { name: rex } ]\n",
                 "f.yml:1: &anchor: anchors are not read here; write the value where it is needed\n"
                 "f.yml:2: *alias: aliases are not read here; write the value itself\n"
                 "f.yml:3: !tag: tags are not read here; write the value without one\n");
}

/* PREFIX, then `count` times UNIT, then SUFFIX. */
static char *
repeat(const char *prefix, const char *unit, unsigned count, const char *suffix)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(1024 * 1024);
    char *made = NULL;

    strbuf_add_str(&text, prefix);
    for (unsigned i = 0; i < count; i++)
        strbuf_add_str(&text, unit);
    strbuf_add_str(&text, suffix);
    return strbuf_take(&text, &made, NULL) ? NULL : made;
}

TEST(lists_have_a_cap)
{
    AUTO_DONE(outcome_done) struct outcome most = {0};
    auto_free char *just = repeat("people: [", "a,", LIMIT_CONFIG_LIST, "]\n");
    auto_free char *over = repeat("people: [", "a,", LIMIT_CONFIG_LIST + 1, "]\n");
    auto_free char *pets = repeat("pets: [", "{name: a},", LIMIT_CONFIG_LIST + 1, "]\n");

    bind(just, &most);
    CHECK_INT(most.result, 0);
    CHECK_INT(most.house.people.count, LIMIT_CONFIG_LIST);
    CHECK_REPORT(over, "f.yml:1: people: has 257 items, more than 256; remove some\n");
    CHECK_REPORT(pets, "f.yml:1: pets: has 257 items, more than 256; remove some\n");
}

TEST(sections_have_a_cap)
{
    auto_free char *text = repeat("", "a: 1\n", LIMIT_CONFIG_LIST + 1, "");

    CHECK_REPORT(text, "f.yml:1: file: has too many keys; remove some\n");
}

TEST(a_flood_of_faults_is_cut)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};
    auto_free char *text = repeat("people: [", "a b,", LIMIT_CONFIG_LIST, "]\n");

    bind(text, &o);
    CHECK_INT(o.result, ERR_INVALID);
    CHECK_CONTAINS(strbuf_str(&o.report), "f.yml: and 192 more faults\n");
}

TEST(outside_text_in_a_message_is_short_and_harmless)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    bind("\"a\\nb\\u202e\": 1\n"
         "rooms: 1234567890123456789012345678901234567890X\n"
         "kind: \"\\e[31m\"\n",
         &o);
    CHECK_STR(strbuf_str(&o.report),
              "f.yml:1: a?b?: is not a known key; remove it\n"
              "f.yml:2: rooms: expected a whole number from 1 to 64, found "
              "\"1234567890123456789012345678901234567890\"; write how many\n"
              "f.yml:3: kind: \"?[31m\" is not one of hut, tower; write its kind\n");
}

TEST(release_is_safe_on_nothing_and_twice)
{
    struct house house = {0};
    struct err err = {0};

    bind_release(&house_section, &house);
    CHECK_OK(bind_defaults(&house_section, &house, &err), err);
    bind_release(&house_section, &house);
    CHECK(!house.colour && !house.people.items && house.people.count == 0);
    bind_release(&house_section, &house);
}

TEST(string_lists_grow)
{
    AUTO_DONE(string_list_done) struct string_list list = {0};
    struct err err = {0};

    for (int i = 0; i < 100; i++)
        CHECK_OK(string_list_add(&list, "x", &err), err);
    CHECK_INT(list.count, 100);
    CHECK_STR(list.items[99], "x");
}

TEST_MAIN()
