/* What hostile work would try from the inside of a sandbox: a static program that the tests put
 * there. Each verb prints one line that says how it went. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static const char door[] = "/draftd/door/socket";

static int
connect_to_door(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, door, sizeof(door));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
        printf("cannot connect: %d\n", errno);
        exit(1);
    }
    return fd;
}

/* Send a request and print the first line of the answer. */
static void
ask(const char *request, size_t len)
{
    char answer[4096];
    const int fd = connect_to_door();

    if (write(fd, request, len) < 0)
        printf("cannot write: %d\n", errno);
    const ssize_t n = read(fd, answer, sizeof(answer) - 1);
    answer[n > 0 ? n : 0] = 0;
    answer[strcspn(answer, "\r\n")] = 0;
    printf("%s\n", answer);
    close(fd);
}

static void
ask_text(const char *request)
{
    ask(request, strlen(request));
}

static void
garbage(void)
{
    static char noise[100000];

    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(i * 2654435761U >> 13);
    signal(SIGPIPE, SIG_IGN);
    ask(noise, sizeof(noise));
}

static void
flood(long count)
{
    signal(SIGPIPE, SIG_IGN);
    for (long i = 0; i < count; i++) {
        const int fd = connect_to_door();
        if (write(fd, "GET /x HTTP/1.1\r\n\r\n", 19) < 0)
            continue;
        close(fd);
    }
    printf("flooded\n");
}

/* Everything by which a process of the same user could take over process 1. */
static void
attack_runner(void)
{
    char byte;
    struct iovec local = {.iov_base = &byte, .iov_len = 1};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)0x400000, .iov_len = 1};

    printf("ptrace %s, ", ptrace(PTRACE_ATTACH, 1, NULL, NULL) ? "refused" : "ATTACHED");
    printf("memory %s, ", open("/proc/1/mem", O_RDWR) < 0 ? "refused" : "OPENED");
    printf("vm %s, ", process_vm_readv(1, &local, 1, &remote, 1, 0) < 0 ? "refused" : "READ");
    DIR *const files = opendir("/proc/1/fd");
    printf("files %s, ", files ? "OPENED" : "refused");
    if (files)
        closedir(files);
    kill(1, SIGKILL);
    kill(1, SIGSTOP);
    kill(1, SIGTERM);
    printf("signals sent\n");
}

int
main(int argc, char **argv)
{
    const char *const verb = argc > 1 ? argv[1] : "";

    if (strcmp(verb, "runner") == 0)
        ask_text("GET /runner HTTP/1.1\r\nHost: door\r\nConnection: Upgrade\r\n"
                 "Upgrade: draftd-runner/1\r\n\r\n");
    else if (strcmp(verb, "path") == 0)
        ask_text("GET /secrets HTTP/1.1\r\nHost: door\r\n\r\n");
    else if (strcmp(verb, "method") == 0)
        ask_text("POST /runner HTTP/1.1\r\nHost: door\r\nContent-Length: 4\r\n\r\nabcd");
    else if (strcmp(verb, "plain") == 0)
        ask_text("GET /runner HTTP/1.1\r\nHost: door\r\n\r\n");
    else if (strcmp(verb, "garbage") == 0)
        garbage();
    else if (strcmp(verb, "flood") == 0)
        flood(argc > 2 ? strtol(argv[2], NULL, 10) : 1);
    else if (strcmp(verb, "attack") == 0)
        attack_runner();
    return 0;
}
