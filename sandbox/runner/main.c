/* draftd-runner: process 1 of a sandbox.
 *
 *   runner serve SOCKET WORKSPACE    take steps from the door at SOCKET until it closes
 *   runner put PATH                  standard input into a file
 *   runner get PATH MAX              at most MAX bytes of a file to standard output */
#include "sandbox/runner/files.h"
#include "sandbox/runner/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "put") == 0)
        return files_put(argv[2]);
    if (argc == 4 && strcmp(argv[1], "get") == 0)
        return files_get(argv[2], strtoull(argv[3], NULL, 10));
    dprintf(STDERR_FILENO,
            "usage: draftd-runner serve SOCKET WORKSPACE | put PATH | get PATH MAX\n");
    return 2;
}
