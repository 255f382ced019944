/* A YAML file as a tree of nodes that know their lines: the plain part of YAML 1.1 that a
 * configuration needs. Anchors, aliases, merge keys, tags, keys that are no text and a second
 * document are faults, so a tree is no larger than its file and has no cycle. */
#pragma once

#include "server/base/bytes.h"
#include "server/config/faults.h"

enum tree_kind {
    TREE_REFUSED, /* a fault was told already; nothing more is to be said about it */
    TREE_EMPTY,   /* a key or file without a value */
    TREE_TEXT,
    TREE_LIST,
    TREE_MAP,
};

struct tree_node {
    enum tree_kind kind;
    unsigned line;
    char *key;               /* in a map: terminated, without NUL; else NULL */
    char *text;              /* TREE_TEXT: likewise */
    bool plain;              /* TREE_TEXT without quotes: may stand for a number or a truth value */
    struct tree_node *items; /* TREE_LIST, TREE_MAP */
    size_t count;
};

/* Read the whole file. Faults that leave a tree to look at are added to `faults` and are no error.
 * Owns: ret_root is the caller's, tree_done().
 * Errors: ERR_INVALID not YAML, told in `faults`; ERR_NOMEM. */
MUST_CHECK int tree_parse(struct bytes contents,
                          struct faults *faults,
                          struct tree_node *ret_root,
                          struct err *err);

void tree_done(struct tree_node *root);

/* The first entry of that name; NULL when there is none or `map` is no map. Borrowed. */
const struct tree_node *tree_get(const struct tree_node *map, const char *key);

/* The node at a path like "checks[2].name"; NULL when there is none. Borrowed. */
const struct tree_node *tree_at(const struct tree_node *root, const char *path);

/* The line of the node at `path`, or of the nearest one around it that is there. */
unsigned tree_line(const struct tree_node *root, const char *path);
