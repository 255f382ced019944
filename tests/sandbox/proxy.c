/* See proxy.h. One process per connection keeps it simple. */
#include "tests/sandbox/proxy.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un
address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

static int
copy(int from, int to)
{
    char chunk[65536];
    const ssize_t n = read(from, chunk, sizeof(chunk));

    return n > 0 && write(to, chunk, (size_t)n) == n;
}

static _Noreturn void
forward(int client, const char *target)
{
    const struct sockaddr_un address = address_of(target);
    const int server = socket(AF_UNIX, SOCK_STREAM, 0);

    if (server < 0 || connect(server, (const struct sockaddr *)&address, sizeof(address)))
        _exit(1);
    for (;;) {
        struct pollfd set[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        if (poll(set, 2, -1) < 0)
            _exit(1);
        if (set[0].revents && !copy(client, server))
            _exit(0);
        if (set[1].revents && !copy(server, client))
            _exit(0);
    }
}

pid_t
proxy_start(const char *path, const char *target)
{
    const struct sockaddr_un address = address_of(path);
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof(address)) ||
        listen(listener, 16))
        abort();
    const pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGCHLD, SIG_IGN);
        for (;;) {
            const int client = accept(listener, NULL, NULL);
            if (client >= 0 && fork() == 0)
                forward(client, target);
            close(client);
        }
    }
    setpgid(pid, pid);
    close(listener);
    return pid;
}

void
proxy_stop(pid_t pid)
{
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
