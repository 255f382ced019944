/* The command line: one function per command. Each takes what follows its name, prints, and returns
 * the exit status. */
#pragma once

/* Exit statuses of every command. */
enum {
    EXIT_DONE = 0,
    EXIT_WORK_FAILED = 1, /* checks red, nothing changed, the thing asked for could not be done */
    EXIT_USAGE = 2,       /* wrong usage or configuration */
    EXIT_MISSING = 3,     /* something needed is not there: engine, image, store, task */
};

int cli_serve(int argc, char **argv);  /* serve.c */
int cli_run(int argc, char **argv);    /* cli_run.c */
int cli_backup(int argc, char **argv); /* cli_backup.c */
int cli_list(int argc, char **argv);   /* cli_list.c */
int cli_show(int argc, char **argv);   /* cli_show.c */
int cli_logs(int argc, char **argv);   /* cli_logs.c */
int cli_cancel(int argc, char **argv); /* cli_change.c */
int cli_retry(int argc, char **argv);  /* cli_change.c */
int cli_replay(int argc, char **argv); /* cli_change.c */
