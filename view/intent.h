#pragma once
/* Why: everything a person (or a script) can ask the agent to do. Names are the words of the
 * command line, the key help and the control protocol.
 */

enum intent_kind {
    INTENT_NONE = 0,
    INTENT_PAUSE, /* stop now, keep the seat */
    INTENT_RESUME,
    INTENT_FINISH, /* complete this round, then pause */
    INTENT_LEAVE,  /* give up the run, keep the key */
    INTENT_STOP,   /* end the agent */
    INTENT_JOIN,   /* text: run description file's content or an invite link */
    INTENT_COUNT,
};

struct intent {
    enum intent_kind kind;
    char text[1024]; /* argument of join; "" otherwise */
};

/* "pause" ... ; NULL outside the range. And back: INTENT_NONE when unknown. */
const char *intent_name(enum intent_kind kind);
enum intent_kind intent_from_name(const char *name);
