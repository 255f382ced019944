/* Any objects as what a sandbox hands out: a pack that is taken in holds, above the base, only what
 * is fit to be checked out, and comparing it works. The input is a program that writes a pack, for
 * one found byte by byte would end at the first checksum: records of kind, length (two bytes) and
 * contents. In contents, ESCAPE and a number stand for the id of an object: those of the base, then
 * of the records so far; in hexadecimal in a commit. An input that begins with "PACK" is the pack. */
#include "integrations/git/repo_internal.h"
#include "integrations/git/repo_path.h"
#include "tests/fuzz/fuzz.h"
#include "tests/integrations/git/pack_fixture.h"

#include <string.h>

#define ESCAPE 0xfe
#define MOST_OBJECTS 64
#define BLOB_BYTES 4096

#define COMMIT_TAIL "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nchange\n"

enum kind { COMMIT, TREE, BLOB, OFFSET_DELTA, ID_DELTA, KINDS };

static struct {
    char dir[64];
    struct repo *mirror;
    git_repository *git;
    git_tree *tree; /* of the base */
    git_oid ids[3]; /* the base: commit, tree, file */
} base;

static struct {
    struct pack pack;
    git_oid ids[MOST_OBJECTS];
    size_t offsets[MOST_OBJECTS];
    size_t count; /* of the two above; the first are the base's, without an offset */
    git_oid tip;
} made = {.pack = PACK_INIT};

/* libgit2 1.5 loses some bytes of a pack with deltas that it cannot resolve. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
    return "leak:libgit2.so\n";
}

/* ---- the base ---- */

static void
remove_base(void)
{
    git_tree_free(base.tree);
    git_repository_free(base.git);
    repo_free(base.mirror);
    if (fs_remove_tree(base.dir, NULL))
        fprintf(stderr, "%s is left\n", base.dir);
}

/* a, dir/a, and a link that leaves the tree: the base may. */
static void
make_base(void)
{
    git_treebuilder *builder = NULL;
    git_signature *ada = NULL;
    git_oid dir;
    git_oid link;

    ALWAYS(!git_blob_create_from_buffer(&base.ids[2], base.git, "a\n", 2));
    ALWAYS(!git_blob_create_from_buffer(&link, base.git, "/etc", 4));
    ALWAYS(!git_treebuilder_new(&builder, base.git, NULL));
    ALWAYS(!git_treebuilder_insert(NULL, builder, "a", &base.ids[2], GIT_FILEMODE_BLOB));
    ALWAYS(!git_treebuilder_write(&dir, builder));
    ALWAYS(!git_treebuilder_insert(NULL, builder, "dir", &dir, GIT_FILEMODE_TREE));
    ALWAYS(!git_treebuilder_insert(NULL, builder, "out", &link, GIT_FILEMODE_LINK));
    ALWAYS(!git_treebuilder_write(&base.ids[1], builder));
    ALWAYS(!git_tree_lookup(&base.tree, base.git, &base.ids[1]));
    ALWAYS(!git_signature_new(&ada, "Ada", "ada@example.org", 1700000000, 0));
    ALWAYS(!git_commit_create(&base.ids[0], base.git, "refs/heads/main", ada, ada, NULL, "base",
                              base.tree, 0, NULL));
    git_signature_free(ada);
    git_treebuilder_free(builder);
}

static void
begin(void)
{
    const char *parent = getenv("TMPDIR");
    auto_free char *path = NULL;
    struct err err;

    if (base.mirror)
        return;
    snprintf(base.dir, sizeof(base.dir), "%s/draftd-fuzz-XXXXXX", parent ? parent : P_tmpdir);
    ALWAYS(mkdtemp(base.dir));
    atexit(remove_base);
    path = str_printf("%s/mirror.git", base.dir);
    ALWAYS(path && !repo_init(NULL, &err));
    ALWAYS(!repo_open_mirror(path, &base.mirror, &err));
    ALWAYS(!git_repository_open_bare(&base.git, path));
    make_base();
}

/* ---- the pack ---- */

static void
add_id(struct strbuf *contents, size_t number, bool hex)
{
    const git_oid *id = &made.ids[number % made.count];

    if (hex)
        strbuf_add_str(contents, git_oid_tostr_s(id));
    else
        strbuf_add(contents, id->id, sizeof(id->id));
}

static void
expand(struct bytes text, enum kind kind, struct strbuf *contents)
{
    for (size_t i = 0; i < text.len; i++) {
        const bool is_id = (unsigned char)text.ptr[i] == ESCAPE && i + 1 < text.len;
        if (is_id)
            add_id(contents, (unsigned char)text.ptr[++i], kind == COMMIT);
        else
            strbuf_add_char(contents, text.ptr[i]);
    }
    if (kind == COMMIT && text.len > 0 && text.ptr[text.len - 1] == '\n')
        strbuf_add_str(contents, COMMIT_TAIL);
}

/* gitformat-pack(5), "offset encoding". */
static size_t
encode_distance(size_t distance, char *end)
{
    char *at = end;

    *--at = (char)(distance & 0x7f);
    while (distance >>= 7)
        *--at = (char)(0x80 | (--distance & 0x7f));
    return (size_t)(end - at);
}

/* On the object that the first byte names. */
static void
add_delta(enum kind kind, struct bytes text)
{
    const size_t number = text.len > 0 ? (unsigned char)text.ptr[0] % made.count : 0;
    const struct bytes delta =
        text.len > 0 ? bytes_of(text.ptr + 1, text.len - 1) : bytes_of("", 0);
    char distance[16];
    char *end = distance + sizeof(distance);
    const size_t len = encode_distance(made.pack.bytes.len - made.offsets[number], end);

    if (kind == ID_DELTA)
        pack_add_raw(&made.pack, 7, delta.len,
                     bytes_of(made.ids[number].id, sizeof(made.ids[number].id)), delta);
    else
        pack_add_raw(&made.pack, 6, delta.len, bytes_of(end - len, len), delta);
}

static void
add_object(enum kind kind, struct bytes text)
{
    static const git_object_t types[] = {GIT_OBJECT_COMMIT, GIT_OBJECT_TREE, GIT_OBJECT_BLOB};
    AUTO_DONE(strbuf_done) struct strbuf contents = STRBUF_INIT(1U << 20);

    if (kind == OFFSET_DELTA || kind == ID_DELTA) {
        add_delta(kind, text);
        return;
    }
    expand(text, kind, &contents);
    made.offsets[made.count] = made.pack.bytes.len;
    const struct bytes whole = bytes_of(strbuf_str(&contents), contents.len);
    made.ids[made.count] = pack_add(&made.pack, types[kind], whole);
    if (kind == COMMIT)
        made.tip = made.ids[made.count];
    made.count++;
}

static void
write_pack(struct bytes program)
{
    memcpy(made.ids, base.ids, sizeof(base.ids));
    made.count = sizeof(base.ids) / sizeof(base.ids[0]);
    made.tip = base.ids[0];
    pack_begin(&made.pack);
    if (program.len >= 4 && memcmp(program.ptr, "PACK", 4) == 0) {
        strbuf_reset(&made.pack.bytes);
        strbuf_add_bytes(&made.pack.bytes, program);
        return;
    }
    while (program.len > 3 && made.count < MOST_OBJECTS) {
        const unsigned char *head = (const unsigned char *)program.ptr;
        const size_t said = (size_t)head[1] << 8 | head[2];
        const size_t len = said < program.len - 3 ? said : program.len - 3;
        add_object((enum kind)(head[0] % KINDS), bytes_of(program.ptr + 3, len));
        program = bytes_of(program.ptr + 3 + len, program.len - 3 - len);
    }
    pack_end(&made.pack);
}

/* ---- what was taken ---- */

static bool
is_of_base(const char *path, const git_tree_entry *entry)
{
    AUTO(git_tree_entry_free) git_tree_entry *old = NULL;

    return !git_tree_entry_bypath(&old, base.tree, path) &&
           git_oid_equal(git_tree_entry_id(old), git_tree_entry_id(entry));
}

static int
check_entry(const char *root, const git_tree_entry *entry, void *ctx)
{
    git_odb *odb = ctx;
    auto_free char *path = str_printf("%s%s", root, git_tree_entry_name(entry));
    const git_filemode_t mode = git_tree_entry_filemode_raw(entry);
    const char *rule;

    ALWAYS(path);
    if (is_of_base(path, entry))
        return 0;
    ALWAYS(repo_path_is_sane(bytes_of_str(path), &rule));
    ALWAYS(mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_BLOB ||
           mode == GIT_FILEMODE_BLOB_EXECUTABLE || mode == GIT_FILEMODE_LINK);
    ALWAYS(git_odb_exists(odb, git_tree_entry_id(entry)));
    return 0;
}

static void
check_taken(struct repo_import *import)
{
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};
    struct repo *view = repo_import_view(import);
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    git_odb *odb = NULL;
    struct err err;

    ALWAYS(!git_repository_odb(&odb, view->git));
    ALWAYS(!git_commit_lookup(&commit, view->git, &made.tip));
    ALWAYS(!git_commit_tree(&tree, commit));
    ALWAYS(git_graph_descendant_of(view->git, &made.tip, &base.ids[0]) == 1);
    ALWAYS(!git_tree_walk(tree, GIT_TREEWALK_PRE, check_entry, odb));
    char from[GIT_OID_HEXSZ + 1];
    git_oid_tostr(from, sizeof(from), &base.ids[0]);
    ALWAYS(!repo_diff(view, from, git_oid_tostr_s(&made.tip), NULL, &diff, &err));
    git_tree_free(tree);
    git_commit_free(commit);
    git_odb_free(odb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct repo_import_limits limits = {
        .max_commits = 5, .max_blob_bytes = BLOB_BYTES, .max_files = 20};
    AUTO(repo_import_free) struct repo_import *import = NULL;
    char from[GIT_OID_HEXSZ + 1];
    char tip[GIT_OID_HEXSZ + 1];
    struct err err;

    begin();
    write_pack(bytes_of(data, size));
    git_oid_tostr(from, sizeof(from), &base.ids[0]);
    git_oid_tostr(tip, sizeof(tip), &made.tip);
    auto_close int fd = pack_open(&made.pack);
    if (!repo_import_open(base.mirror, fd, from, tip, &limits, &import, &err))
        check_taken(import);
    return 0;
}
