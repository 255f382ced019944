/* put and get: the two other things that the runner's executable can do. What stands in the way of
 * a file is removed, and a pipe that is to be read is opened without blocking. */
#include "sandbox/runner/files.h"

#include "sandbox/protocol.h"
#include "server/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536U

static int
fail(const char *path)
{
    dprintf(STDERR_FILENO, "%s: errno %d\n", path, errno);
    return errno == ENOENT ? PROTOCOL_NOT_FOUND : 1;
}

/* Copy until the end, or until `max` bytes went over.  Returns 0, or -1 with `errno` set. */
static int
copy(int from, int to, unsigned long long max)
{
    static char chunk[CHUNK_BYTES];

    while (max > 0) {
        const ssize_t n = read(from, chunk, max < CHUNK_BYTES ? (size_t)max : CHUNK_BYTES);
        if (n <= 0)
            return (int)n;
        for (ssize_t done = 0; done < n;) {
            const ssize_t put = write(to, chunk + done, (size_t)(n - done));
            if (put < 0)
                return -1;
            done += put;
        }
        max -= (unsigned long long)n;
    }
    return 0;
}

static void
make_parents(const char *path)
{
    auto_free char *copy_of = strdup(path);

    if (!copy_of)
        return;
    for (char *slash = strchr(copy_of + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        /* a failure shows when the file is opened */
        mkdir(copy_of, 0755);
        *slash = '/';
    }
}

int
files_put(const char *path)
{
    make_parents(path);
    if (unlink(path) && errno == EISDIR)
        (void)rmdir(path); /* a failure shows when the file is opened */
    auto_close const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || copy(STDIN_FILENO, fd, ~0ULL))
        return fail(path);
    return 0;
}

int
files_get(const char *path, unsigned long long max)
{
    auto_close const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || copy(fd, STDOUT_FILENO, max))
        return fail(path);
    return 0;
}
