#pragma once
/* Why: what a contributor must remember to go on after a crash, in three small JSON texts.
 *   journal  travels inside the trainer's state file (trainer_save's note), so that weights and
 *            position can never disagree: which round, how far, what is pending
 *   note     what became of the pending payload (client/session.h); its own file, replaced durably
 *   wish     what the person asked for: pause, snooze, finish
 * Decoders check every bound: a disk is a stranger too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "client/session.h"

#define JOURNAL_CAP 1024 /* longest text of a journal, with its NUL */

struct journal {
    struct hash run;
    uint64_t model_round; /* the base weights are those of this round's start */
    uint32_t n_steps;     /* of its inner phase, done so far; also the data position */
    uint64_t n_tokens;
    double loss_sum; /* of n_steps losses */
    int64_t busy_ns;
    bool is_round_done;
    bool has_payload;
    struct session_payload payload;
    double bits_per_value; /* of the last payload; 0: none yet */
    uint64_t last_bytes;   /* of the last payload */
    uint64_t total_tokens; /* trained on in this run */
    /* Of the next round's phase, taken while this round's contribution is on its way. */
    uint32_t ahead_steps;
    uint64_t ahead_tokens;
    double ahead_loss_sum;
    int64_t ahead_busy_ns;
};

struct journal_wish {
    bool is_paused;
    bool is_finishing;
    int64_t snooze_ms, snooze_until_ms; /* client/wish.h; 0: none */
};

int journal_encode(const struct journal *j, struct buf *out, struct err *e) MUST_CHECK;
int journal_decode(const void *json, size_t n, struct journal *ret, struct err *e) MUST_CHECK;

int journal_note_encode(const struct session_note *v, struct buf *out, struct err *e) MUST_CHECK;
int journal_note_decode(const void *json, size_t n, struct session_note *ret,
                        struct err *e) MUST_CHECK;

int journal_wish_encode(const struct journal_wish *v, struct buf *out, struct err *e) MUST_CHECK;
int journal_wish_decode(const void *json, size_t n, struct journal_wish *ret,
                        struct err *e) MUST_CHECK;

/* The phases as the session knows them: of the round held, and what was taken ahead of the next. */
struct session_phase journal_phase(const struct journal *j);
struct session_phase journal_ahead(const struct journal *j);
