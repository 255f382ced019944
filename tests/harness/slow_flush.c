/* For LD_PRELOAD: a disk whose flush costs $SLOW_FLUSH_MS milliseconds, and which flushes nothing
 * while the file $SLOW_FLUSH_WHILE is there. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void
pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

static void
wait_as_a_disk(void)
{
    const char *text = getenv("SLOW_FLUSH_MS");
    const char *obstacle = getenv("SLOW_FLUSH_WHILE");

    pause_ms(text ? strtol(text, NULL, 10) : 0);
    while (obstacle && access(obstacle, F_OK) == 0)
        pause_ms(10);
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
