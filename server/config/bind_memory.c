/* The memory side of bind.h: filling in defaults, and releasing what a table's fields own. */
#include "server/base/str.h"
#include "server/config/bind.h"

static void *
field_at(void *target, size_t offset)
{
    return (char *)target + offset;
}

static int
default_texts(const struct bind_key *key, struct string_list *list, struct err *err)
{
    int r = 0;

    for (size_t i = 0; key->words && key->words[i] && !r; i++)
        r = string_list_add(list, key->words[i], err);
    return r;
}

static int
default_value(const struct bind_key *key, void *field, struct err *err)
{
    switch (key->type) {
    case BIND_TEXT:
    case BIND_WORD:
        return str_set(field, key->text, err);
    case BIND_INTEGER:
        *(int64_t *)field = key->integer.value;
        return 0;
    case BIND_REAL:
        *(double *)field = key->real.value;
        return 0;
    case BIND_TEXTS:
        return default_texts(key, field, err);
    case BIND_SECTION:
    case BIND_INLINE:
        return bind_defaults(key->section, field, err);
    case BIND_BOOL:
        *(bool *)field = key->yes;
        return 0;
    case BIND_SECTIONS:
        return 0;
    }
    return 0;
}

int
bind_defaults(const struct bind_section *section, void *target, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < section->count && !r; i++)
        r = default_value(&section->keys[i], field_at(target, section->keys[i].offset), err);
    return r;
}

static void
release_sections(const struct bind_key *key, void *target)
{
    void **items = field_at(target, key->offset);
    size_t *count = field_at(target, key->count_offset);

    for (size_t i = 0; i < *count; i++)
        bind_release(key->section, field_at(*items, i * key->section->size));
    free(*items);
    *items = NULL;
    *count = 0;
}

static void
release_text(char **slot)
{
    free(*slot);
    *slot = NULL;
}

void
bind_release(const struct bind_section *section, void *target)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct bind_key *key = &section->keys[i];
        void *field = field_at(target, key->offset);

        switch (key->type) {
        case BIND_TEXT:
        case BIND_WORD:
            release_text(field);
            break;
        case BIND_TEXTS:
            string_list_done(field);
            break;
        case BIND_SECTION:
        case BIND_INLINE:
            bind_release(key->section, field);
            break;
        case BIND_SECTIONS:
            release_sections(key, target);
            break;
        case BIND_INTEGER:
        case BIND_REAL:
        case BIND_BOOL:
            break;
        }
    }
}

int
string_list_add(struct string_list *list, const char *text, struct err *err)
{
    auto_free char *copy = str_dup(text);
    char **grown = copy ? reallocarray(list->items, list->count + 2, sizeof(*grown)) : NULL;

    if (!grown)
        return err_set(err, ERR_NOMEM, "out of memory");
    list->items = grown;
    list->items[list->count++] = TAKE(copy);
    list->items[list->count] = NULL;
    return 0;
}

void
string_list_done(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}
