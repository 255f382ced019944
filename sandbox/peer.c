/* Credentials of a socket's peer, read with the kernel's help: SO_PEERCRED and /proc. */
#include "sandbox/peer.h"

#include "server/base/fs.h"
#include "server/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PROC_FILE_BYTES 16384U

/* Append /proc/PID/NAME.  Returns false when it cannot be read. */
static bool
read_proc(pid_t pid, const char *name, struct strbuf *buf)
{
    auto_free char *path = str_printf("/proc/%d/%s", (int)pid, name);

    return path && fs_read_file(path, buf, NULL) == 0;
}

/* Is the last number of the line "NSpid:" (the innermost namespace's) 1, and not the only one? */
static bool
is_first_process(const char *status)
{
    const char *line = strstr(status, "\nNSpid:");
    int numbers = 0;
    long last = 0;

    if (!line)
        return false;
    line += strlen("\nNSpid:");
    for (;;) {
        char *end;
        const long number = strtol(line, &end, 10);
        if (end == line)
            break;
        last = number;
        numbers++;
        line = end;
        if (*line == '\n')
            break;
    }
    return numbers >= 2 && last == 1;
}

/* The id on this machine of `uid` in the namespace that `map` (user_namespaces(7)) describes.
 * Returns false when it has none. */
static bool
map_id(const char *map, unsigned uid, unsigned *ret_id)
{
    while (*map) {
        char *end;
        const unsigned long inside = strtoul(map, &end, 10);
        const unsigned long outside = strtoul(end, &end, 10);
        const unsigned long count = strtoul(end, &end, 10);
        if (uid >= inside && uid - inside < count) {
            *ret_id = (unsigned)(outside + (uid - inside));
            return true;
        }
        if (*end != '\n')
            return false;
        map = end + 1;
    }
    return false;
}

int
peer_check_runner(int fd, unsigned uid, struct err *err)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    AUTO_DONE(strbuf_done) struct strbuf status = STRBUF_INIT(PROC_FILE_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf map = STRBUF_INIT(PROC_FILE_BYTES);
    unsigned expected;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return err_set(err, ERR_AUTH, "the peer has no credentials");
    if (peer.pid == 0 || !read_proc(peer.pid, "status", &status) ||
        !read_proc(peer.pid, "uid_map", &map))
        return 0;
    if (!is_first_process(strbuf_str(&status)))
        return err_set(err, ERR_AUTH, "the peer is not process 1 of a container");
    if (!map_id(strbuf_str(&map), uid, &expected) || peer.uid != expected)
        return err_set(err, ERR_AUTH, "the peer runs as another user");
    return 0;
}
