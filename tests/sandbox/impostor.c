/* Processes in the runner's place that are no runners. Which one it is says the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char request[] = "GET /runner HTTP/1.1\r\nHost: door\r\nConnection: Upgrade\r\n"
                              "Upgrade: draftd-runner/1\r\n\r\n";

int
main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *const manner = getenv("MANNER");
    char answer[4096];
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (argc < 3 || !manner || strcmp(manner, "ends") == 0)
        return 1;
    if (strcmp(manner, "silent") == 0)
        sleep(1000);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[2]);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
        return 1;
    if (write(fd, request, sizeof(request) - 1) < 0 || read(fd, answer, sizeof(answer)) <= 0)
        return 1;
    if (strcmp(manner, "babbles") == 0 && write(fd, "nonsense nonsense nonsense", 26) < 0)
        return 1;
    sleep(1000);
    return 0;
}
