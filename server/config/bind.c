/* See bind.h. Values are written only once they are found right, so that what a fault leaves behind
 * is always the default. */
#include "server/config/bind.h"

#include "server/base/str.h"
#include "server/config/suggest.h"
#include "server/limits.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_PATH_BYTES 512
#define MAX_REAL_DIGITS 15

/* Where in the file we are, from the inside out; on the stacks of the calls. */
struct place {
    const struct place *parent;
    const char *name; /* NULL: an item */
    size_t index;
};

/* What all steps of one binding share. */
struct binding {
    struct faults *faults;
    struct err *err;
};

static void *
field_at(void *target, size_t offset)
{
    return (char *)target + offset;
}

static void
add_path(struct strbuf *path, const struct place *place)
{
    if (!place)
        return;
    add_path(path, place->parent);
    if (!place->name)
        strbuf_addf(path, "[%zu]", place->index);
    else
        strbuf_addf(path, "%s%.64s", path->len > 0 ? "." : "", place->name);
}

/* Tell what is wrong at `place`, and the hint behind it unless `wrong` says itself what to do. */
static void
complain(struct binding *binding,
         const struct place *place,
         unsigned line,
         const char *wrong,
         const char *hint)
{
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(MAX_PATH_BYTES);

    add_path(&path, place);
    faults_add(binding->faults, line, path.len > 0 ? strbuf_str(&path) : "file", "%s%s%s", wrong,
               hint ? "; " : "", hint ? hint : "");
}

static int
set_text(struct binding *binding, const char *text, char **slot)
{
    return str_set(slot, text, binding->err);
}

/* A node that has to be text. */
static bool
is_text(struct binding *binding,
        const struct bind_key *key,
        const struct place *place,
        const struct tree_node *node)
{
    if (node->kind != TREE_TEXT)
        complain(binding, place, node->line, "expected text", key->hint);
    else if (!node->text[0])
        complain(binding, place, node->line, "is empty", key->hint);
    else
        return true;
    return false;
}

static bool
text_passes(struct binding *binding,
            const struct bind_key *key,
            const struct place *place,
            const struct tree_node *node)
{
    if (!is_text(binding, key, place, node))
        return false;
    const char *wrong = key->check ? key->check(node->text) : NULL;
    if (wrong)
        complain(binding, place, node->line, wrong, NULL);
    return !wrong;
}

static int
bind_text(struct binding *binding,
          const struct bind_key *key,
          const struct place *place,
          const struct tree_node *node,
          void *field)
{
    return text_passes(binding, key, place, node) ? set_text(binding, node->text, field) : 0;
}

static int
bind_word(struct binding *binding,
          const struct bind_key *key,
          const struct place *place,
          const struct tree_node *node,
          void *field)
{
    AUTO_DONE(strbuf_done) struct strbuf wrong = STRBUF_INIT(MAX_PATH_BYTES);

    if (!is_text(binding, key, place, node))
        return 0;
    for (size_t i = 0; key->words[i]; i++)
        if (str_equal(key->words[i], node->text))
            return set_text(binding, node->text, field);
    strbuf_addf(&wrong, "\"%.40s\" is not one of", node->text);
    for (size_t i = 0; key->words[i]; i++)
        strbuf_addf(&wrong, "%s %s", i > 0 ? "," : "", key->words[i]);
    complain(binding, place, node->line, strbuf_str(&wrong), key->hint);
    return 0;
}

/* Decimal digits only, as YAML 1.1 would read "010" as eight and "1_0" as ten. */
static bool
read_integer(const struct tree_node *node, int64_t *ret_value)
{
    if (node->kind != TREE_TEXT || !node->plain)
        return false;
    const char *digits = node->text + (node->text[0] == '-');
    if (digits[0] == '0' && digits[1])
        return false;
    return str_to_i64(node->text, ret_value, NULL) == 0;
}

/* What was found instead of a number, short enough for a message. */
static const char *
describe(const struct tree_node *node, char buf[64])
{
    if (node->kind != TREE_TEXT)
        return node->kind == TREE_LIST ? "a list" : "a section";
    (void)snprintf(buf, 64, node->plain ? "\"%.40s\"" : "text in quotes", node->text);
    return buf;
}

static void
refuse_number(struct binding *binding,
              const struct bind_key *key,
              const struct place *place,
              const struct tree_node *node,
              const char *expected)
{
    char found[64];
    char wrong[192];

    (void)snprintf(wrong, sizeof(wrong), "expected %s, found %s", expected, describe(node, found));
    complain(binding, place, node->line, wrong, key->hint);
}

static int
bind_integer(struct binding *binding,
             const struct bind_key *key,
             const struct place *place,
             const struct tree_node *node,
             void *field)
{
    char expected[96];
    int64_t value;

    if (read_integer(node, &value) && value >= key->integer.min && value <= key->integer.max) {
        *(int64_t *)field = value;
        return 0;
    }
    (void)snprintf(expected, sizeof(expected), "a whole number from %" PRId64 " to %" PRId64,
                   key->integer.min, key->integer.max);
    refuse_number(binding, key, place, node, expected);
    return 0;
}

static bool
read_real(const struct tree_node *node, double *ret_value)
{
    if (node->kind != TREE_TEXT || !node->plain)
        return false;

    const char *text = node->text;
    const size_t whole = strspn(text, "0123456789");
    const size_t point = whole > 0 && text[whole] == '.';
    const size_t part = point ? strspn(text + whole + 1, "0123456789") : 0;

    if (whole == 0 || point != (part > 0) || text[whole + point + part] ||
        whole + part > MAX_REAL_DIGITS)
        return false;
    *ret_value = strtod(text, NULL);
    return true;
}

static int
bind_real(struct binding *binding,
          const struct bind_key *key,
          const struct place *place,
          const struct tree_node *node,
          void *field)
{
    char expected[96];
    double value;

    if (read_real(node, &value) && value >= key->real.min && value <= key->real.max) {
        *(double *)field = value;
        return 0;
    }
    (void)snprintf(expected, sizeof(expected), "a number from %g to %g", key->real.min,
                   key->real.max);
    refuse_number(binding, key, place, node, expected);
    return 0;
}

static int
bind_bool(struct binding *binding,
          const struct bind_key *key,
          const struct place *place,
          const struct tree_node *node,
          void *field)
{
    char found[64];
    char wrong[128];
    const bool plain = node->kind == TREE_TEXT && node->plain;

    if (plain && (str_equal(node->text, "true") || str_equal(node->text, "false"))) {
        *(bool *)field = node->text[0] == 't';
        return 0;
    }
    (void)snprintf(wrong, sizeof(wrong), "expected true or false, found %s", describe(node, found));
    complain(binding, place, node->line, wrong, key->hint);
    return 0;
}

/* Is the node a list of a size that may be bound? */
static bool
is_list(struct binding *binding,
        const struct bind_key *key,
        const struct place *place,
        const struct tree_node *node)
{
    char wrong[96];

    if (node->kind != TREE_LIST) {
        complain(binding, place, node->line, "expected a list", key->hint);
        return false;
    }
    if (node->count <= LIMIT_CONFIG_LIST)
        return true;
    (void)snprintf(wrong, sizeof(wrong), "has %zu items, more than %u; remove some", node->count,
                   LIMIT_CONFIG_LIST);
    complain(binding, place, node->line, wrong, NULL);
    return false;
}

static int
bind_texts(struct binding *binding,
           const struct bind_key *key,
           const struct place *place,
           const struct tree_node *node,
           void *field)
{
    struct string_list *list = field;
    int r = 0;

    if (!is_list(binding, key, place, node))
        return 0;
    string_list_done(list); /* the default */
    for (size_t i = 0; i < node->count && !r; i++) {
        const struct place item = {.parent = place, .index = i};
        if (text_passes(binding, key, &item, &node->items[i]))
            r = string_list_add(list, node->items[i].text, binding->err);
    }
    return r;
}

static int bind_keys(struct binding *binding,
                     const struct bind_section *section,
                     const struct place *place,
                     const struct tree_node *map,
                     void *target);
static void check_entries(struct binding *binding,
                          const struct bind_section *section,
                          const struct place *place,
                          const struct tree_node *map);

/* Bind the keys that are known, then look at the entries that are there. */
static int
bind_map(struct binding *binding,
         const struct bind_section *section,
         const struct place *place,
         const struct tree_node *map,
         void *target)
{
    if (map->kind == TREE_MAP && map->count > LIMIT_CONFIG_LIST) {
        complain(binding, place, map->line, "has too many keys; remove some", NULL);
        return 0;
    }
    check_entries(binding, section, place, map);
    return bind_keys(binding, section, place, map, target);
}

static int
bind_section(struct binding *binding,
             const struct bind_key *key,
             const struct place *place,
             const struct tree_node *node,
             void *field)
{
    if (node->kind == TREE_MAP)
        return bind_map(binding, key->section, place, node, field);
    complain(binding, place, node->line, "expected a section of keys", key->hint);
    return 0;
}

static int
bind_sections(struct binding *binding,
              const struct bind_key *key,
              const struct place *place,
              const struct tree_node *node,
              void *target)
{
    void **items = field_at(target, key->offset);
    size_t *count = field_at(target, key->count_offset);
    int r = 0;

    if (!is_list(binding, key, place, node) || node->count == 0)
        return 0;
    *items = calloc(node->count, key->section->size);
    if (!*items)
        return err_set(binding->err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < node->count && !r; i++) {
        const struct place item = {.parent = place, .index = i};
        void *field = field_at(*items, i * key->section->size);
        (*count)++;
        r = bind_defaults(key->section, field, binding->err);
        if (!r && node->items[i].kind != TREE_REFUSED)
            r = bind_section(binding, key, &item, &node->items[i], field);
    }
    return r;
}

static int
bind_value(struct binding *binding,
           const struct bind_key *key,
           const struct place *place,
           const struct tree_node *node,
           void *target)
{
    void *field = field_at(target, key->offset);

    if (node->kind == TREE_REFUSED)
        return 0;
    if (node->kind == TREE_EMPTY) {
        complain(binding, place, node->line, "has no value", key->hint);
        return 0;
    }
    if (key->present_offset > 0)
        *(bool *)field_at(target, key->present_offset) = true;
    switch (key->type) {
    case BIND_TEXT:
        return bind_text(binding, key, place, node, field);
    case BIND_WORD:
        return bind_word(binding, key, place, node, field);
    case BIND_INTEGER:
        return bind_integer(binding, key, place, node, field);
    case BIND_REAL:
        return bind_real(binding, key, place, node, field);
    case BIND_BOOL:
        return bind_bool(binding, key, place, node, field);
    case BIND_TEXTS:
        return bind_texts(binding, key, place, node, field);
    case BIND_SECTION:
        return bind_section(binding, key, place, node, field);
    case BIND_SECTIONS:
        return bind_sections(binding, key, place, node, target);
    case BIND_INLINE:
        return 0; /* has no entry of its own */
    }
    return 0;
}

static int
bind_keys(struct binding *binding,
          const struct bind_section *section,
          const struct place *place,
          const struct tree_node *map,
          void *target)
{
    int r = 0;

    for (size_t i = 0; i < section->count && !r; i++) {
        const struct bind_key *key = &section->keys[i];
        const struct place here = {.parent = place, .name = key->name};

        if (key->type == BIND_INLINE) {
            r = bind_keys(binding, key->section, place, map, field_at(target, key->offset));
            continue;
        }
        const struct tree_node *node = tree_get(map, key->name);
        if (node)
            r = bind_value(binding, key, &here, node, target);
        else if (key->required)
            complain(binding, &here, map->line, "is missing", key->hint);
    }
    return r;
}

static bool
is_known(const struct bind_section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct bind_key *key = &section->keys[i];
        if (key->type == BIND_INLINE ? is_known(key->section, name) : str_equal(key->name, name))
            return true;
    }
    return false;
}

static void
suggest_keys(const struct bind_section *section, struct suggestion *suggestion)
{
    for (size_t i = 0; i < section->count; i++) {
        if (section->keys[i].type == BIND_INLINE)
            suggest_keys(section->keys[i].section, suggestion);
        else
            suggestion_offer(suggestion, section->keys[i].name);
    }
}

static void
complain_unknown(struct binding *binding,
                 const struct bind_section *section,
                 const struct place *place,
                 const struct tree_node *entry)
{
    AUTO_DONE(strbuf_done) struct strbuf wrong = STRBUF_INIT(MAX_PATH_BYTES);
    struct suggestion suggestion = {.wanted = entry->key};

    if (!faults_full(binding->faults))
        suggest_keys(section, &suggestion);
    strbuf_add_str(&wrong, "is not a known key; ");
    if (suggestion.best)
        strbuf_addf(&wrong, "did you mean %s?", suggestion.best);
    else
        strbuf_add_str(&wrong, "remove it");
    complain(binding, place, entry->line, strbuf_str(&wrong), NULL);
}

/* Refuse what is unknown and what is there twice. */
static void
check_entries(struct binding *binding,
              const struct bind_section *section,
              const struct place *place,
              const struct tree_node *map)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct tree_node *entry = &map->items[i];
        const struct place here = {.parent = place, .name = entry->key};
        const struct tree_node *first = tree_get(map, entry->key);
        char wrong[64];

        if (first != entry) {
            (void)snprintf(wrong, sizeof(wrong), "is given already in line %u; remove one",
                           first->line);
            complain(binding, &here, entry->line, wrong, NULL);
        } else if (!is_known(section, entry->key)) {
            complain_unknown(binding, section, &here, entry);
        }
    }
}

int
bind_tree(const struct bind_section *section,
          const struct tree_node *root,
          struct faults *faults,
          void *target,
          struct err *err)
{
    static const struct tree_node no_keys = {.kind = TREE_MAP, .line = 1};
    struct binding binding = {.faults = faults, .err = err};
    const int r = bind_defaults(section, target, err);

    if (r || root->kind == TREE_REFUSED)
        return r;
    if (root->kind == TREE_EMPTY)
        return bind_map(&binding, section, NULL, &no_keys, target);
    if (root->kind == TREE_MAP)
        return bind_map(&binding, section, NULL, root, target);
    complain(&binding, NULL, root->line, "expected keys with values", "write \"key: value\" lines");
    return 0;
}
