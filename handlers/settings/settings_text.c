/* See settings_text.h. */
#include "handlers/settings/settings_text.h"

#include "server/base/bytes.h"
#include "server/base/str.h"
#include "server/limits.h"

#include <arpa/inet.h>
#include <sys/un.h>

#define LETTERS_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define MAX_NAME_BYTES 64
#define MAX_LABEL_CHARACTERS 50 /* GitHub's cap */
#define MAX_LOGIN_BYTES 64
#define MAX_IMAGE_BYTES 255
#define MAX_BRANCH_BYTES 200
#define MAX_GLOB_BYTES 512
#define MAX_URL_BYTES 1024

/* Only characters of `set`, at least one, at most `max`? */
static bool
consists_of(const char *text, const char *set, size_t max)
{
    const size_t len = strlen(text);
    return len > 0 && len <= max && strspn(text, set) == len;
}

static bool
has_controls(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    return false;
}

const char *
settings_text_name(const char *text)
{
    if (consists_of(text, LETTERS_DIGITS "-_.", MAX_NAME_BYTES))
        return NULL;
    return "is not a name; write at most 64 letters, digits, '-', '_' and '.'";
}

const char *
settings_text_check_name(const char *text)
{
    if (consists_of(text, LETTERS_DIGITS "-_. ", MAX_NAME_BYTES) && text[0] != ' ')
        return NULL;
    return "is not a name; write at most 64 letters, digits, '-', '_', '.' and spaces";
}

const char *
settings_text_command(const char *text)
{
    return strlen(text) <= LIMIT_COMMAND_BYTES
               ? NULL
               : "is longer than 16 KiB; put the command into a script and call that";
}

const char *
settings_text_image(const char *text)
{
    if (consists_of(text, LETTERS_DIGITS "-_.:/@+", MAX_IMAGE_BYTES) &&
        strchr(LETTERS_DIGITS, text[0]))
        return NULL;
    return "is not an image's name; write one like registry.example/team/image:tag";
}

const char *
settings_text_branch(const char *text)
{
    static const char wrong[] = "is not a branch's name; write one like main or release/2.x";
    const size_t len = strlen(text);

    if (len > MAX_BRANCH_BYTES || has_controls(text) || strpbrk(text, " ~^:?*[\\"))
        return wrong;
    if (strchr("-/.@", text[0]) || text[len - 1] == '/' || text[len - 1] == '.')
        return wrong;
    if (strstr(text, "..") || strstr(text, "//") || strstr(text, "/.") || strstr(text, "@{") ||
        strstr(text, ".lock/") || str_ends_with(text, ".lock"))
        return wrong;
    return NULL;
}

const char *
settings_text_glob(const char *text)
{
    if (strlen(text) <= MAX_GLOB_BYTES && text[0] != '/' && !has_controls(text))
        return NULL;
    return "is not a pattern of paths; write one like docs/** without a leading /";
}

const char *
settings_text_label(const char *text)
{
    if (utf8_count(text, strlen(text)) <= MAX_LABEL_CHARACTERS && !has_controls(text))
        return NULL;
    return "is not a label; write at most 50 characters in one line";
}

const char *
settings_text_login(const char *text)
{
    const size_t len = strlen(text);
    const size_t name_len = str_ends_with(text, "[bot]") ? len - strlen("[bot]") : len;

    if (name_len > 0 && name_len <= MAX_LOGIN_BYTES &&
        strspn(text, LETTERS_DIGITS "-_") == name_len)
        return NULL;
    return "is not a login; write the account's name, for an App its slug with [bot] behind it";
}

const char *
settings_text_mention(const char *text)
{
    if (consists_of(text, LETTERS_DIGITS "-_", MAX_NAME_BYTES))
        return NULL;
    return "is not a name to mention; write letters, digits, '-' and '_' without the @";
}

/* Two parts around one '/', of characters that are safe in paths and URLs. */
static bool
is_repository(const char *text, const char *set)
{
    const char *slash = strchr(text, '/');

    if (!slash || slash == text || strlen(text) > LIMIT_REPOSITORY_NAME_BYTES)
        return false;
    const size_t owner_len = (size_t)(slash - text);
    return strspn(text, set) == owner_len &&
           consists_of(slash + 1, set, LIMIT_REPOSITORY_NAME_BYTES) && !strchr(".-", text[0]) &&
           slash[1] != '-' && !str_equal(slash + 1, ".") && !str_equal(slash + 1, "..");
}

const char *
settings_text_repository(const char *text)
{
    return is_repository(text, LETTERS_DIGITS "-_.")
               ? NULL
               : "is not a repository's name; write owner/name";
}

const char *
settings_text_repositories(const char *text)
{
    return is_repository(text, LETTERS_DIGITS "-_.*")
               ? NULL
               : "names no repository; write owner/name, or owner/* for all of an owner";
}

const char *
settings_text_engine(const char *text)
{
    static const char scheme[] = "unix://";
    const size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    if (str_starts_with(text, scheme) && text[sizeof(scheme) - 1] == '/' &&
        strlen(text + sizeof(scheme) - 1) <= longest)
        return NULL;
    return "is not the address of a container engine; write one like "
           "unix:///run/podman/podman.sock";
}

/* `host` as it stands in a URL, an IPv6 address in brackets. */
static bool
is_loopback(struct bytes host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;

    if (bytes_equal_str(host, "localhost") || bytes_equal_str(host, "[::1]"))
        return true;
    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* The host of "HOST[:PORT][/PATH]"; empty when it is none. */
static struct bytes
host_of(const char *text)
{
    const bool literal = text[0] == '[';
    const size_t len = literal ? 1 + strspn(text + 1, "0123456789abcdefABCDEF:.") + 1
                               : strspn(text, LETTERS_DIGITS "-.");
    const char *rest = text + len;

    if (literal && text[len - 1] != ']')
        return bytes_of(text, 0);
    if (*rest == ':') {
        const size_t digits = strspn(rest + 1, "0123456789");
        rest += digits > 0 && digits <= 5 ? 1 + digits : 0;
    }
    return bytes_of(text, *rest == '\0' || *rest == '/' ? len : 0);
}

const char *
settings_text_url(const char *text)
{
    const bool secure = str_starts_with(text, "https://");
    const bool clear = str_starts_with(text, "http://");
    const struct bytes host = host_of(text + (secure ? 8 : clear ? 7 : 0));

    if ((!secure && !clear) || host.len == 0 || strlen(text) > MAX_URL_BYTES ||
        strspn(text, LETTERS_DIGITS "-._~%/:[]") != strlen(text))
        return "is not a URL; write https://HOST, with a path where there is one";
    if (clear && !is_loopback(host))
        return "would send credentials in the clear; write https://";
    return NULL;
}
