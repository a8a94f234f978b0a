#pragma once
/* Why: one table of subcommands drives parsing, help and the exit codes' description, so that they
 * cannot disagree. Pure: no output, no I/O.
 */

#include <stdbool.h>
#include <stdint.h>

#include "app/attach.h"
#include "base/buf.h"
#include "base/err.h"

enum cmdline_command {
    CMDLINE_SCREEN = 0, /* also without any word */
    CMDLINE_REPLAY,
    CMDLINE_AGENT,
    CMDLINE_ENGINE, /* a command of potluck-agent's own (app/engine_cmd.h); its words are its own */
    CMDLINE_JOIN,
    CMDLINE_LEAVE,
    CMDLINE_PAUSE,
    CMDLINE_RESUME,
    CMDLINE_FINISH,
    CMDLINE_STOP,
    CMDLINE_STATUS,
    CMDLINE_RUNS,
    CMDLINE_RECEIPTS,
    CMDLINE_REWARDS,
    CMDLINE_CONFIG,
    CMDLINE_KEY,
    CMDLINE_LOG,
    CMDLINE_EXPLAIN,
    CMDLINE_PAYOUT,
    CMDLINE_HELP,
    CMDLINE_VERSION,
};

/* Exit codes of `potluck`, also in its help. */
enum cmdline_exit {
    CMDLINE_EXIT_OK = 0,
    CMDLINE_EXIT_ERROR = 1,
    CMDLINE_EXIT_USAGE = 2,
    CMDLINE_EXIT_PAUSED = 3,
    CMDLINE_EXIT_WAITING = 4,
    CMDLINE_EXIT_NO_AGENT = 5,
    CMDLINE_EXIT_BLOCKED = 6,
};

struct cmdline {
    enum cmdline_command command;
    const char *home; /* --home; NULL: not given */
    const char
        *source; /* join, replay: FILE|LINK; runs: also URL; help: a command's name; config: list,
                          * get, set; or NULL */
    const char *detail;  /* payout set: ADDRESS; config get, set: KEY */
    const char *value;   /* config set: VALUE */
    const char *span;    /* pause: --for */
    const char *kind;    /* payout set: --kind */
    const char *name;    /* join: --name */
    const char *code;    /* join: --code */
    const char *key;     /* runs: --key */
    const char *threads; /* join, screen: --threads, for an agent that is started */
    bool is_json;
    bool what_is_sent; /* status: --what-is-sent */
    bool is_verify;    /* receipts: --verify */
    bool is_csv;       /* rewards: --csv */
    const char *since; /* log: --since */
    bool is_follow;    /* log: --follow */
    bool is_forecast;  /* rewards: --forecast */
    bool is_release;   /* pause: --release */
    bool is_anyway;    /* resume: --anyway */
    bool is_anew;      /* join: --anew */
    bool is_look;      /* join: --look */
    bool no_agent;     /* join, screen: start none */
    struct attach_options screen;
    int i_rest; /* agent, engine commands: the first argument that belongs to it */
};

/* ERR_ARG with a sentence; strings point into argv. */
int cmdline_parse(int argc, char **argv, struct cmdline *ret, struct err *e) MUST_CHECK;

/* Is this word a command that potluck-agent carries out itself? */
bool cmdline_is_engine(const char *word);

/* " --home DIR" as it has to be typed again, quoted where a shell needs it; "" without a home or
 * when it does not fit. Returns dst.
 */
char *cmdline_home_words(const char *home, char *dst, size_t cap);

/* Help for everything, or for one command (ERR_NOTFOUND when there is no such). */
int cmdline_help(const char *command, struct buf *out, struct err *e) MUST_CHECK;
