/* Settings declared as tables: which keys a section has, of what type, within what bounds, and
 * where in a struct each value goes. One walk over a table checks a file against it and fills the
 * struct; another releases what was filled in. */
#pragma once

#include "server/config/faults.h"
#include "server/config/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct string_list {
    char **items; /* ended by NULL; NULL when there are none */
    size_t count;
};

enum bind_type {
    BIND_TEXT,     /* char *, never empty; NULL when not given and without default */
    BIND_WORD,     /* char *, one of `words` */
    BIND_INTEGER,  /* int64_t */
    BIND_REAL,     /* double */
    BIND_BOOL,     /* bool */
    BIND_TEXTS,    /* struct string_list */
    BIND_SECTION,  /* the struct at `offset` itself */
    BIND_SECTIONS, /* pointer to an array of structs, and a size_t at `count_offset` */
    BIND_INLINE,   /* as BIND_SECTION, but its keys stand among those around it; has no name */
};

struct bind_section;

struct bind_key {
    const char *name;
    enum bind_type type;
    bool required;
    size_t offset;         /* of the value in the section's struct */
    size_t count_offset;   /* BIND_SECTIONS: of its size_t */
    size_t present_offset; /* BIND_SECTION: of a bool that tells if it is there; 0: none */

    struct {
        int64_t value, min, max; /* BIND_INTEGER: default and bounds */
    } integer;

    struct {
        double value, min, max; /* BIND_REAL: likewise */
    } real;

    bool yes;                 /* default of BIND_BOOL */
    const char *text;         /* default of BIND_TEXT and BIND_WORD */
    const char *const *words; /* ends with NULL; BIND_WORD: the choice; BIND_TEXTS: the default */
    const struct bind_section *section;
    /* What is wrong with a text, or with each of BIND_TEXTS ("is ...; write ..."); NULL: nothing.
     */
    const char *(*check)(const char *text);
    const char *hint; /* what to write, in one line: "write the port to listen on" */
};

struct bind_section {
    const struct bind_key *keys;
    size_t count;
    size_t size; /* of the struct */
};

/* A section out of its table and the type that it fills in. */
#define BIND_SECTION_INIT(type, table)                                                             \
    {                                                                                              \
        .keys = (table), .count = sizeof(table) / sizeof((table)[0]), .size = sizeof(type)         \
    }

/* Fill in the defaults.
 * Owns: what `target` (zeroed before) points to is released by bind_release(), also after an error.
 * Errors: ERR_NOMEM. */
MUST_CHECK int bind_defaults(const struct bind_section *section, void *target, struct err *err);

/* Bind the tree over the defaults. What is wrong is told in `faults` and is no error; its value is
 * left at the default. An empty tree is as if all keys were absent.
 * Owns: as bind_defaults().   Errors: ERR_NOMEM. */
MUST_CHECK int bind_tree(const struct bind_section *section,
                         const struct tree_node *root,
                         struct faults *faults,
                         void *target,
                         struct err *err);

/* Release everything that the table's fields own, and zero them. The struct itself is the caller's.
 */
void bind_release(const struct bind_section *section, void *target);

/* Append a copy.  Errors: ERR_NOMEM. */
MUST_CHECK int string_list_add(struct string_list *list, const char *text, struct err *err);
void string_list_done(struct string_list *list);
