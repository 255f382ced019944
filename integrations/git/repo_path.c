/* See repo_path.h. */
#include "integrations/git/repo_path.h"

#include <git2.h>
#include <git2/sys/path.h>
#include <stdint.h>

#include "server/base/str.h"

#define NAME_BYTES 255 /* Linux' NAME_MAX */

static bool
fail(const char **ret_rule, const char *rule)
{
    *ret_rule = rule;
    return false;
}

static char
lower(char c)
{
    if (c < 'A' || c > 'Z')
        return c;
    return (char)(c - 'A' + 'a');
}

static bool
starts_nocase(struct bytes text, const char *prefix)
{
    size_t i = 0;

    while (prefix[i] && i < text.len && lower(text.ptr[i]) == prefix[i])
        i++;
    return !prefix[i];
}

/* Windows drops dots and blanks at the end of a name, and takes what follows ':' for a stream's
 * name; "git~1" is the short name that ".git" gets as the first entry of its kind. */
static bool
is_dotgit_on_ntfs(struct bytes name)
{
    const bool match = starts_nocase(name, ".git");

    if (!match && !starts_nocase(name, "git~1"))
        return false;
    for (size_t i = match ? 4 : 5; i < name.len; i++) {
        if (name.ptr[i] == ':')
            return true;
        if (name.ptr[i] != '.' && name.ptr[i] != ' ')
            return false;
    }
    return true;
}

/* Code points that HFS+ leaves out when it compares names (Apple, Technical Note 1150). */
static bool
is_ignored_on_hfs(uint32_t c)
{
    return (c >= 0x200c && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x206a && c <= 0x206f) || c == 0xfeff;
}

static bool
is_dotgit_on_hfs(struct bytes name)
{
    static const char wanted[] = ".git";
    size_t matched = 0;

    for (size_t i = 0; i < name.len;) {
        uint32_t c;
        i += utf8_decode(name.ptr + i, name.len - i, &c);
        if (is_ignored_on_hfs(c))
            continue;
        if (c > 0x7f || matched == sizeof wanted - 1 || lower((char)c) != wanted[matched])
            return false;
        matched++;
    }
    return matched == sizeof wanted - 1;
}

static bool
is_dots_and_blanks(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] != '.' && name.ptr[i] != ' ')
            return false;
    }
    return true;
}

/* Cut the part before the first of `separators` off the front of *rest. */
static struct bytes
next_part(struct bytes *rest, const char *separators)
{
    size_t len = 0;

    while (len < rest->len && !strchr(separators, rest->ptr[len]))
        len++;
    const struct bytes part = bytes_of(rest->ptr, len);
    const size_t skip = len < rest->len ? len + 1 : len;
    *rest = bytes_of(rest->ptr + skip, rest->len - skip);
    return part;
}

static bool
has_control_character(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static bool
is_dotgit(struct bytes name)
{
    return is_dotgit_on_ntfs(name) || is_dotgit_on_hfs(name);
}

bool
repo_name_is_sane(struct bytes name, const char **ret_rule)
{
    struct bytes rest = name;

    if (name.len == 0)
        return fail(ret_rule, "a name is empty");
    if (name.len > NAME_BYTES)
        return fail(ret_rule, "a name is longer than 255 bytes");
    if (has_control_character(name))
        return fail(ret_rule, "a name holds a control character");
    if (memchr(name.ptr, '/', name.len))
        return fail(ret_rule, "a name holds '/'");
    if (is_dots_and_blanks(name))
        return fail(ret_rule, "a name is only dots and blanks");
    while (rest.len > 0) {
        const struct bytes part = next_part(&rest, "\\");
        if (part.len > 0 && is_dots_and_blanks(part))
            return fail(ret_rule, "a name leads upwards where '\\' separates");
        if (is_dotgit(part))
            return fail(ret_rule, "a name is '.git', or is taken for it by some file system");
    }
    return true;
}

bool
repo_path_is_sane(struct bytes path, const char **ret_rule)
{
    struct bytes rest = path;

    if (path.len == 0 || path.ptr[path.len - 1] == '/')
        return fail(ret_rule, "a name is empty");
    if (path.len > REPO_PATH_BYTES)
        return fail(ret_rule, "a path is longer than 4095 bytes");
    while (rest.len > 0) {
        if (!repo_name_is_sane(next_part(&rest, "/"), ret_rule))
            return false;
    }
    return true;
}

/* Names, "." and, before any name, at most `depth` times "..". */
static bool
stays_inside(struct bytes target, unsigned depth, const char **ret_rule)
{
    struct bytes rest = target;
    bool named = false;
    unsigned ups = 0;

    while (rest.len > 0) {
        const struct bytes part = next_part(&rest, "/\\");
        if (part.len == 0 || bytes_equal_str(part, "."))
            continue;
        if (is_dotgit(part))
            return fail(ret_rule, "a symbolic link leads into '.git'");
        if (is_dots_and_blanks(part) && (named || ++ups > depth))
            return fail(ret_rule, "a symbolic link leads out of the tree, or upwards after a name");
        named = named || !is_dots_and_blanks(part);
    }
    return true;
}

bool
repo_link_is_sane(struct bytes target, unsigned depth, const char **ret_rule)
{
    if (target.len == 0 || target.len > REPO_PATH_BYTES)
        return fail(ret_rule, "a symbolic link's target is empty or too long");
    if (has_control_character(target))
        return fail(ret_rule, "a symbolic link's target holds a control character");
    if (target.ptr[0] == '/' || target.ptr[0] == '\\' || (target.len > 1 && target.ptr[1] == ':'))
        return fail(ret_rule, "a symbolic link is absolute");
    return stays_inside(target, depth, ret_rule);
}

bool
repo_name_is_gitmodules(struct bytes name)
{
    return git_path_is_gitfile(name.ptr, name.len, GIT_PATH_GITFILE_GITMODULES,
                               GIT_PATH_FS_GENERIC) != 0;
}
