#pragma once
/* Why: `potluck-aggregator change` and `rollback`: how a run that is under way takes another course. Both
 * are signed entries of its record. A change names the round from which on it holds, which must not
 * have begun; it is put on record at once, and the server and all contributors learn of it with the next
 * round. A rollback happens when the open round closes: what that round earns is paid, then the model goes
 * back. Nothing that is on record is undone by either.
 */

#include "record/course.h"

struct steer_request {
    const char *home;
    bool has_from;
    uint64_t from_round;      /* of a change */
    const char *const *words; /* "NAME=VALUE" */
    int n_words;
    const char *reason;
};

struct steer_report {
    struct entry_change change;
    uint64_t index;  /* of the entry */
    bool is_public;  /* the tree head covers it */
    uint64_t n_open; /* number of the open round */
    bool is_ended;
};

/* "reward=5", "lr=1e-3", ...: the names and units of init's choices. ERR_ARG with a sentence. */
int steer_word(const char *word, struct entry_change *m, struct err *e) MUST_CHECK;

/* Put a change on record. ERR_ARG, ERR_WRONG_STATE with a sentence when it cannot be. */
int steer_change(const struct steer_request *q, struct steer_report *ret, struct err *e) MUST_CHECK;

/* What the record says so far, one line each, appended; and the terms of the open round. */
int steer_list(const char *home, struct buf *out, struct err *e) MUST_CHECK;

/* Ask for a rollback with the close of the open round; the newest wish counts. ERR_ARG: there is no such
 * round, or its model cannot be made any more.
 */
int steer_rollback(const char *home, uint64_t to_round, const char *reason,
                   struct steer_report *ret, struct err *e) MUST_CHECK;
