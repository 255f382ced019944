/* For LD_PRELOAD: a disk whose flush costs $SLOW_FLUSH_MS milliseconds. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void
wait_as_a_disk(void)
{
    const char *text = getenv("SLOW_FLUSH_MS");
    const long ms = text ? strtol(text, NULL, 10) : 0;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

int
fsync(int fd)
{
    wait_as_a_disk();
    return (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fildes)
{
    wait_as_a_disk();
    return (int)syscall(SYS_fdatasync, fildes);
}
