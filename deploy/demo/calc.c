/* calc: integer arithmetic on the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
    if (argc != 4 || strlen(argv[2]) != 1) {
        fprintf(stderr, "usage: calc A OPERATOR B\n");
        return 2;
    }
    const long a = strtol(argv[1], NULL, 10);
    const long b = strtol(argv[3], NULL, 10);

    switch (argv[2][0]) {
    case '+':
        printf("%ld\n", a + b);
        return 0;
    case '-':
        printf("%ld\n", a - b);
        return 0;
    case 'x':
        printf("%ld\n", a * b);
        return 0;
    case '/':
        printf("%ld\n", a / b);
        return 0;
    default:
        fprintf(stderr, "calc: there is no operator %s\n", argv[2]);
        return 2;
    }
}
