/* potluck train: the words to options, the outcome to an exit code. */
#include "app/cmd_train.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "app/train_options.h"
#include "app/train_run.h"

enum { EXIT_DONE = 0, EXIT_ERROR = 1, EXIT_USAGE = 2 };

static int fail(struct err *e, int code)
{
    char line[400];
    if (e->sys == ENOSPC || e->sys == EDQUOT)
        err_hint(e, "the disk is full: free some space, or choose another folder with --out");
    if (code == EXIT_USAGE && !e->hint[0]) err_hint(e, "see potluck train --help");
    fprintf(stderr, "potluck train: %s\n", err_line(e, line, sizeof line));
    return code;
}

static int help(void)
{
    struct buf b = {0};
    struct err e = {0};
    int rc = train_options_help(&b, &e);
    if (rc == OK) fputs(buf_str(&b), stdout);
    buf_deinit(&b);
    return rc == OK ? EXIT_DONE : fail(&e, EXIT_ERROR);
}

int cmd_train(int argc, char **argv)
{
    struct err e = {0};
    struct train_options o;
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that went away ends no training */
    if (train_options_parse(argc, argv, &o, &e) != OK) return fail(&e, EXIT_USAGE);
    if (o.is_help) return help();
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = train_run(&o, &e);
    if (rc == OK) return EXIT_DONE;
    return fail(&e, rc == ERR_ARG ? EXIT_USAGE : EXIT_ERROR);
}
