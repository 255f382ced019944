/* See repo_object.h. */
#include "integrations/git/repo_object.h"

#include <string.h>

#include "integrations/git/repo_path.h"

#define TIME_DIGITS 12 /* up to the year 33658: git's dates overflow far beyond */

void
repo_tree_done(struct repo_tree *tree)
{
    free(tree->entries);
    tree->entries = NULL;
    tree->count = 0;
}

/* As text, since "0100644" and "40000 " would be the same number. */
static bool
parse_mode(struct bytes text, enum repo_mode *ret_mode)
{
    static const struct {
        const char *text;
        enum repo_mode mode;
    } modes[] = {
        {"40000", REPO_MODE_TREE},        {"100644", REPO_MODE_FILE},
        {"100755", REPO_MODE_EXECUTABLE}, {"120000", REPO_MODE_LINK},
        {"160000", REPO_MODE_SUBMODULE},
    };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (bytes_equal_str(text, modes[i].text)) {
            *ret_mode = modes[i].mode;
            return true;
        }
    }
    return false;
}

/* One entry: mode in octal, blank, name, NUL, 20 bytes of object id. */
static int
next_entry(struct bytes *rest, struct repo_entry *ret_entry, struct err *err)
{
    const char *blank = memchr(rest->ptr, ' ', rest->len);
    const char *end = blank ? memchr(blank, '\0', (size_t)(rest->ptr + rest->len - blank)) : NULL;
    const char *rule;

    if (!end || (size_t)(rest->ptr + rest->len - end) < 1 + GIT_OID_RAWSZ)
        return err_set(err, ERR_INVALID, "a tree object is cut short");
    ret_entry->name = bytes_of(blank + 1, (size_t)(end - blank - 1));
    if (!repo_name_is_sane(ret_entry->name, &rule))
        return err_set(err, ERR_INVALID, "'%.*s': %s", (int)(end - blank - 1), blank + 1, rule);
    if (!parse_mode(bytes_of(rest->ptr, (size_t)(blank - rest->ptr)), &ret_entry->mode))
        return err_set(err, ERR_INVALID, "'%s': its mode '%.*s' is not an ordinary one", blank + 1,
                       (int)(blank - rest->ptr > 12 ? 12 : blank - rest->ptr), rest->ptr);
    memcpy(ret_entry->id.id, end + 1, GIT_OID_RAWSZ);
    const char *next = end + 1 + GIT_OID_RAWSZ;
    *rest = bytes_of(next, (size_t)(rest->ptr + rest->len - next));
    return 0;
}

/* Git sorts a directory as if its name ended in '/'. */
static int
compare_entries(const struct repo_entry *a, const struct repo_entry *b)
{
    const size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
    const int order = memcmp(a->name.ptr, b->name.ptr, len);
    const int end_a = a->mode == REPO_MODE_TREE ? '/' : '\0';
    const int end_b = b->mode == REPO_MODE_TREE ? '/' : '\0';

    if (order)
        return order;
    return (a->name.len > len ? (unsigned char)a->name.ptr[len] : end_a) -
           (b->name.len > len ? (unsigned char)b->name.ptr[len] : end_b);
}

static int
compare_names(const void *a, const void *b)
{
    const struct bytes *left = a;
    const struct bytes *right = b;

    return strcmp(left->ptr, right->ptr);
}

/* A file and a directory of one name need not be neighbours in git's order. */
static int
check_duplicates(const struct repo_tree *tree, struct err *err)
{
    auto_free struct bytes *sorted = calloc(tree->count + 1, sizeof *sorted);

    if (!sorted)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < tree->count; i++)
        sorted[i] = tree->entries[i].name;
    qsort(sorted, tree->count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < tree->count; i++) {
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            return err_set(err, ERR_INVALID, "'%s': a directory holds this name twice",
                           sorted[i].ptr);
    }
    return 0;
}

static int
append_entry(struct repo_tree *tree, size_t *capacity, const struct repo_entry *entry)
{
    if (tree->count == *capacity) {
        const size_t grown = *capacity ? 2 * *capacity : 32;
        struct repo_entry *entries = reallocarray(tree->entries, grown, sizeof *entries);
        if (!entries)
            return ERR_NOMEM;
        tree->entries = entries;
        *capacity = grown;
    }
    tree->entries[tree->count++] = *entry;
    return 0;
}

int
repo_tree_parse(struct bytes raw, struct repo_tree *ret_tree, struct err *err)
{
    AUTO_DONE(repo_tree_done) struct repo_tree tree = {0};
    size_t capacity = 0;
    int r;

    for (struct bytes rest = raw; rest.len > 0;) {
        struct repo_entry entry;
        r = next_entry(&rest, &entry, err);
        if (r)
            return r;
        if (append_entry(&tree, &capacity, &entry))
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    r = check_duplicates(&tree, err);
    if (r)
        return r;
    for (size_t i = 1; i < tree.count; i++) {
        if (compare_entries(&tree.entries[i - 1], &tree.entries[i]) >= 0)
            return err_set(err, ERR_INVALID, "'%s': the entries of a tree are not in order",
                           tree.entries[i].name.ptr);
    }
    *ret_tree = TAKE_STRUCT(tree);
    return 0;
}

/* Cut "`key` VALUE\n" off the front. */
static bool
take_header(struct bytes *rest, const char *key, struct bytes *ret_value)
{
    const size_t key_len = strlen(key);
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    const size_t len = end ? (size_t)(end - rest->ptr) : 0;

    if (!end || len <= key_len || memcmp(rest->ptr, key, key_len) != 0 || rest->ptr[key_len] != ' ')
        return false;
    *ret_value = bytes_of(rest->ptr + key_len + 1, len - key_len - 1);
    *rest = bytes_of(end + 1, rest->len - len - 1);
    return true;
}

static bool
take_id(struct bytes *rest, const char *key, git_oid *ret_id)
{
    struct bytes value;

    if (!take_header(rest, key, &value) || value.len != GIT_OID_HEXSZ)
        return false;
    return strspn(value.ptr, "0123456789abcdef") == GIT_OID_HEXSZ &&
           git_oid_fromstrn(ret_id, value.ptr, value.len) == 0;
}

static size_t
digits(struct bytes text, size_t from)
{
    size_t n = 0;

    while (from + n < text.len && text.ptr[from + n] >= '0' && text.ptr[from + n] <= '9')
        n++;
    return n;
}

/* "Name <mail> SECONDS +ZONE" */
static bool
ident_is_sane(struct bytes ident)
{
    const char *open = memchr(ident.ptr, '<', ident.len);
    const size_t at = open ? (size_t)(open - ident.ptr) : ident.len;
    const char *close = open ? memchr(open, '>', ident.len - at) : NULL;

    if (!close || at == 0 || ident.ptr[at - 1] != ' ' || memchr(ident.ptr, '>', at) ||
        memchr(open + 1, '<', (size_t)(close - open - 1)))
        return false;
    const struct bytes tail = bytes_of(close + 1, ident.len - (size_t)(close + 1 - ident.ptr));
    const size_t seconds = digits(tail, 1);
    if (tail.len < 1 || tail.ptr[0] != ' ' || seconds == 0 || seconds > TIME_DIGITS ||
        (tail.ptr[1] == '0' && seconds > 1))
        return false;
    const size_t zone = 1 + seconds;
    return tail.len == zone + 6 && tail.ptr[zone] == ' ' &&
           (tail.ptr[zone + 1] == '+' || tail.ptr[zone + 1] == '-') && digits(tail, zone + 2) == 4;
}

static void
skip_line(struct bytes *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    const size_t len = end ? (size_t)(end - rest->ptr) + 1 : rest->len;

    *rest = bytes_of(rest->ptr + len, rest->len - len);
}

/* What may stand between the committer and the message. People do not see headers, so there is no
 * room for others. A signature goes on over lines that begin with a blank. */
static bool
tail_is_known(struct bytes rest)
{
    bool encoded = false;
    bool is_signed = false;
    struct bytes value;

    while (rest.len > 0 && rest.ptr[0] != '\n') {
        if (!encoded && take_header(&rest, "encoding", &value)) {
            encoded = true;
        } else if (!is_signed && take_header(&rest, "gpgsig", &value)) {
            is_signed = true;
            while (rest.len > 0 && rest.ptr[0] == ' ')
                skip_line(&rest);
        } else {
            return false;
        }
    }
    return true;
}

int
repo_commit_parse(struct bytes raw, struct repo_commit_head *ret_commit, struct err *err)
{
    struct repo_commit_head commit = {0};
    struct bytes rest = raw;
    struct bytes ident;

    if (raw.len == 0 || memchr(raw.ptr, '\0', raw.len))
        return err_set(err, ERR_INVALID, "it is empty or holds a NUL byte");
    if (!take_id(&rest, "tree", &commit.tree))
        return err_set(err, ERR_INVALID, "it does not begin with its tree");
    while (rest.len > 7 && memcmp(rest.ptr, "parent ", 7) == 0) {
        if (commit.parent_count == REPO_COMMIT_PARENTS)
            return err_set(err, ERR_INVALID, "it has more than %u parents", REPO_COMMIT_PARENTS);
        if (!take_id(&rest, "parent", &commit.parents[commit.parent_count++]))
            return err_set(err, ERR_INVALID, "a parent is not an object id");
    }
    if (!take_header(&rest, "author", &ident) || !ident_is_sane(ident))
        return err_set(err, ERR_INVALID, "its author is not as git writes it");
    if (!take_header(&rest, "committer", &ident) || !ident_is_sane(ident))
        return err_set(err, ERR_INVALID, "its committer is not as git writes it");
    if (!tail_is_known(rest))
        return err_set(err, ERR_INVALID, "it has a header that is not expected here");
    *ret_commit = commit;
    return 0;
}
