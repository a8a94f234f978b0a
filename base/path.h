#pragma once
/* Why: where things live. Every program takes --home DIR (or POTLUCK_HOME), which holds
 * everything; without it the XDG base folders are used (config for settings, data for keys and runs,
 * cache for what can be fetched again, state for logs, runtime for the control socket).
 */

#include "base/err.h"

#define PATH_CAP 1024

/* printf into a path; 0, or -1 when it does not fit. */
int path_format(char dst[PATH_CAP], const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The folder part of a path ("." when it has none); 0 or -1. */
int path_dirname(char dst[PATH_CAP], const char *path);

struct paths {
    char data[PATH_CAP];   /* identity, run folders */
    char cache[PATH_CAP];  /* token chunks, checkpoints */
    char state[PATH_CAP];  /* logs, history */
    char config[PATH_CAP]; /* the file potluck.conf, which need not be there */
    char socket[PATH_CAP]; /* control socket; at most 107 bytes long */
};

/* Fill the paths from home (may be NULL), POTLUCK_HOME, or XDG; creates the folders.
 * ERR_ARG when neither home nor HOME is set; ERR_IO when a folder cannot be made.
 */
int path_find(struct paths *ret, const char *home, struct err *e) MUST_CHECK;

/* The same for those who only look: creates nothing. */
int path_look(struct paths *ret, const char *home, struct err *e) MUST_CHECK;
