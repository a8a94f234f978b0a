#pragma once
/* Why: everything a person (or a script) can ask the agent to do. Names are the words of the
 * command line, the key help and the control protocol.
 */

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum intent_kind {
    INTENT_NONE = 0,
    INTENT_PAUSE, /* stop now, keep the seat */
    INTENT_RESUME,
    INTENT_FINISH,   /* complete this round, then pause */
    INTENT_LEAVE,    /* give up the run, keep the key */
    INTENT_STOP,     /* end the agent */
    INTENT_JOIN,     /* text: run description file's content or an invite link */
    INTENT_SNOOZE,   /* text: for how long ("30m", "2h") or until when ("08:00") */
    INTENT_RELEASE,  /* pause, and give the trainer's memory back */
    INTENT_OVERRIDE, /* go on in spite of the holds that stand now (those that allow it) */
    INTENT_COUNT,
};

struct intent {
    enum intent_kind kind;
    char text[1024]; /* argument of join, snooze; "" otherwise */
};

/* "pause" ... ; NULL outside the range. And back: INTENT_NONE when unknown. */
const char *intent_name(enum intent_kind kind);
enum intent_kind intent_from_name(const char *name);

/* The body of POST /v1/intent: {"intent":"join","text":"..."}; text only where it is not empty.
 * decode refuses unknown words and text that does not fit (ERR_PROTO with what is wrong).
 */
int intent_encode(const struct intent *it, struct buf *out, struct err *e) MUST_CHECK;
int intent_decode(const void *json, size_t n, struct intent *ret, struct err *e) MUST_CHECK;
