/* See tree.h. Reads libyaml's events: its documents resolve aliases, which must not happen here. */
#include "server/config/tree.h"

#include "server/base/str.h"

#include <yaml.h>

#define MAX_DEPTH 16
#define MAX_NODES 65536

struct reader {
    yaml_parser_t parser;
    struct faults *faults;
    size_t nodes;
};

static void
free_items(struct tree_node *node)
{
    for (size_t i = 0; i < node->count; i++)
        tree_done(&node->items[i]);
    free(node->items);
}

void
tree_done(struct tree_node *root)
{
    free_items(root);
    free(root->key);
    free(root->text);
    *root = (struct tree_node){0};
}

static unsigned
line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

/* Told in the faults; the message is for a caller that shows only that. */
static int
refuse(struct err *err, const char *file)
{
    return err_set(err, ERR_INVALID, "%s cannot be read", file);
}

/* The characters that YAML 1.1 (section 5.1) allows in a file. */
static bool
allowed(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7E) || c == 0x85 ||
           (c >= 0xA0 && c <= 0xFFFD) || c >= 0x10000;
}

/* libyaml would find these too, but cannot tell the line. */
static int
check_characters(struct bytes contents, struct faults *faults, struct err *err)
{
    unsigned line = 1;

    for (size_t i = 0; i < contents.len;) {
        uint32_t c;
        const size_t size = utf8_decode(contents.ptr + i, contents.len - i, &c);
        if (c == 0xFFFD && size == 1) {
            faults_add(faults, line, "file", "is not UTF-8 text; save it in that encoding");
            return refuse(err, faults->file);
        }
        if (!allowed(c)) {
            faults_add(faults, line, "file", "has a control character (U+%04X); remove it",
                       (unsigned)c);
            return refuse(err, faults->file);
        }
        line += c == '\n';
        i += size;
    }
    return 0;
}

static int
next_event(struct reader *reader, yaml_event_t *ret_event, struct err *err)
{
    const yaml_parser_t *parser = &reader->parser;

    if (yaml_parser_parse(&reader->parser, ret_event))
        return 0;
    if (parser->error == YAML_MEMORY_ERROR)
        return err_set(err, ERR_NOMEM, "out of memory");
    faults_add(reader->faults, (unsigned)parser->problem_mark.line + 1, "syntax",
               "%s%s%s; correct the YAML there", parser->context ? parser->context : "",
               parser->context ? ": " : "", parser->problem ? parser->problem : "not YAML");
    return refuse(err, reader->faults->file);
}

/* Make room for one more item, in steps of doubling.  Errors: ERR_NOMEM. */
static int
add_item(struct tree_node *node, struct tree_node **ret_item, struct err *err)
{
    if ((node->count & (node->count - 1)) == 0) {
        const size_t capacity = node->count ? 2 * node->count : 1;
        struct tree_node *grown = reallocarray(node->items, capacity, sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_NOMEM, "out of memory");
        node->items = grown;
    }
    *ret_item = &node->items[node->count++];
    **ret_item = (struct tree_node){0};
    return 0;
}

/* What an event carries beside its value. Aliases are references; anchors and tags are named here.
 */
static bool
is_plain_yaml(struct reader *reader, const yaml_event_t *event)
{
    const bool scalar = event->type == YAML_SCALAR_EVENT;
    const bool list = event->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *anchor = scalar ? event->data.scalar.anchor
                                : list ? event->data.sequence_start.anchor
                                       : event->data.mapping_start.anchor;
    const yaml_char_t *tag = scalar ? event->data.scalar.tag
                             : list ? event->data.sequence_start.tag
                                    : event->data.mapping_start.tag;

    if (event->type == YAML_ALIAS_EVENT)
        faults_add(reader->faults, line_of(event), "*alias",
                   "aliases are not read here; write the value itself");
    else if (anchor)
        faults_add(reader->faults, line_of(event), "&anchor",
                   "anchors are not read here; write the value where it is needed");
    else if (tag)
        faults_add(reader->faults, line_of(event), "!tag",
                   "tags are not read here; write the value without one");
    else
        return true;
    return false;
}

/* A scalar's text as a C string; NULL when it has a NUL, which is told. */
static int
copy_text(struct reader *reader, const yaml_event_t *event, char **ret_text, struct err *err)
{
    const char *value = (const char *)event->data.scalar.value;

    if (strlen(value) != event->data.scalar.length) {
        faults_add(reader->faults, line_of(event), "text", "has a NUL character; remove it");
        return 0;
    }
    *ret_text = str_dup(value);
    return *ret_text ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int
read_scalar(struct reader *reader,
            const yaml_event_t *event,
            struct tree_node *node,
            struct err *err)
{
    const char *value = (const char *)event->data.scalar.value;

    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (node->plain && (!value[0] || str_equal(value, "~") || str_equal(value, "null"))) {
        node->kind = TREE_EMPTY;
        return 0;
    }
    const int r = copy_text(reader, event, &node->text, err);
    if (node->text)
        node->kind = TREE_TEXT;
    return r;
}

/* The rest of a list or map after its start; they nest through this one. */
static int read_node(struct reader *reader,
                     const yaml_event_t *event,
                     unsigned depth,
                     struct tree_node *node,
                     struct err *err);

static int
read_list(struct reader *reader, unsigned depth, struct tree_node *list, struct err *err)
{
    for (;;) {
        AUTO_DONE(yaml_event_delete) yaml_event_t event = {0};
        struct tree_node *item;
        int r = next_event(reader, &event, err);

        if (r || event.type == YAML_SEQUENCE_END_EVENT)
            return r;
        r = add_item(list, &item, err);
        if (!r)
            r = read_node(reader, &event, depth, item, err);
        if (r)
            return r;
    }
}

/* Can `event` be a key? An anchor or tag on it is told by whoever reads it as a value then. */
static bool
is_key(struct reader *reader, const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT) {
        faults_add(reader->faults, line_of(event), "key", "a key must be text; write a name");
        return false;
    }
    if (str_equal((const char *)event->data.scalar.value, "<<")) {
        faults_add(reader->faults, line_of(event), "<<",
                   "merge keys are not read here; write the values themselves");
        return false;
    }
    return !event->data.scalar.anchor && !event->data.scalar.tag;
}

/* One key and its value. A key that is refused takes its value with it. */
static int
read_entry(struct reader *reader,
           const yaml_event_t *key,
           unsigned depth,
           struct tree_node *map,
           struct err *err)
{
    AUTO_DONE(tree_done) struct tree_node refused_key = {0};
    AUTO_DONE(tree_done) struct tree_node refused_value = {0};
    AUTO_DONE(yaml_event_delete) yaml_event_t value = {0};
    auto_free char *name = NULL;
    struct tree_node *item = &refused_value;
    int r = is_key(reader, key) ? copy_text(reader, key, &name, err)
                                : read_node(reader, key, depth, &refused_key, err);

    if (!r && name)
        r = add_item(map, &item, err);
    if (!r)
        r = next_event(reader, &value, err);
    if (!r)
        r = read_node(reader, &value, depth, item, err);
    item->line = line_of(key);
    item->key = TAKE(name);
    return r;
}

static int
read_map(struct reader *reader, unsigned depth, struct tree_node *map, struct err *err)
{
    for (;;) {
        AUTO_DONE(yaml_event_delete) yaml_event_t key = {0};
        int r = next_event(reader, &key, err);

        if (r || key.type == YAML_MAPPING_END_EVENT)
            return r;
        r = read_entry(reader, &key, depth, map, err);
        if (r)
            return r;
    }
}

static int
read_node(struct reader *reader,
          const yaml_event_t *event,
          unsigned depth,
          struct tree_node *node,
          struct err *err)
{
    const bool plain = is_plain_yaml(reader, event);
    int r = 0;

    node->line = line_of(event);
    if (depth == MAX_DEPTH || ++reader->nodes > MAX_NODES) {
        faults_add(reader->faults, node->line, "file",
                   "is nested or filled beyond any use; make it simpler");
        return refuse(err, reader->faults->file);
    }
    if (event->type == YAML_SCALAR_EVENT) {
        r = read_scalar(reader, event, node, err);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        node->kind = TREE_LIST;
        r = read_list(reader, depth + 1, node, err);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        node->kind = TREE_MAP;
        r = read_map(reader, depth + 1, node, err);
    }
    if (!plain)
        node->kind = TREE_REFUSED;
    return r;
}

/* The events around the root: stream, document, root, end of document, end of stream. */
static int
read_stream(struct reader *reader, struct tree_node *root, struct err *err)
{
    unsigned documents = 0;

    for (;;) {
        AUTO_DONE(yaml_event_delete) yaml_event_t event = {0};
        int r = next_event(reader, &event, err);

        if (r || event.type == YAML_STREAM_END_EVENT)
            return r;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
            faults_add(reader->faults, line_of(&event), "---",
                       "begins a second document; keep one in the file");
            return refuse(err, reader->faults->file);
        }
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT ||
            event.type == YAML_DOCUMENT_END_EVENT)
            continue;
        r = read_node(reader, &event, 0, root, err);
        if (r)
            return r;
    }
}

int
tree_parse(struct bytes contents,
           struct faults *faults,
           struct tree_node *ret_root,
           struct err *err)
{
    AUTO_DONE(tree_done) struct tree_node root = {.kind = TREE_EMPTY, .line = 1};
    struct reader reader = {.faults = faults};
    int r = check_characters(contents, faults, err);

    if (r)
        return r;
    if (!yaml_parser_initialize(&reader.parser))
        return err_set(err, ERR_NOMEM, "out of memory");
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &reader.parser, (const unsigned char *)(contents.ptr ? contents.ptr : ""), contents.len);
    r = read_stream(&reader, &root, err);
    yaml_parser_delete(&reader.parser);
    if (r)
        return r;
    *ret_root = TAKE_STRUCT(root);
    return 0;
}

const struct tree_node *
tree_get(const struct tree_node *map, const char *key)
{
    if (map->kind != TREE_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (str_equal(map->items[i].key, key))
            return &map->items[i];
    return NULL;
}

/* One step along a path: "[2]", "name" or ".name" at *path, which is moved behind it. */
static const struct tree_node *
step_into(const struct tree_node *node, const char **path)
{
    const char *name = *path + (**path == '.');
    const size_t len = strcspn(name + (*name == '['), ".[]") + (*name == '[');

    *path = name + len + (name[len] == ']');
    if (*name == '[') {
        const size_t place = strtoul(name + 1, NULL, 10);
        return node->kind == TREE_LIST && place < node->count ? &node->items[place] : NULL;
    }
    for (size_t i = 0; node->kind == TREE_MAP && i < node->count; i++)
        if (bytes_equal_str(bytes_of(name, len), node->items[i].key))
            return &node->items[i];
    return NULL;
}

const struct tree_node *
tree_at(const struct tree_node *root, const char *path)
{
    while (root && *path)
        root = step_into(root, &path);
    return root;
}

unsigned
tree_line(const struct tree_node *root, const char *path)
{
    unsigned line = root->line;

    while (root && *path) {
        line = root->line;
        root = step_into(root, &path);
    }
    return root ? root->line : line;
}
