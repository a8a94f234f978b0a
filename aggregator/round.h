#pragma once
/* Why: everything an aggregator decides about a round - who may send, what counts, when it closes,
 * what is answered and in which order things become durable - as a state machine without I/O.
 * The server performs its actions for real, the simulator virtually; neither adds a decision.
 *
 * The driver's whole duty:
 *   1. call round_step with each event and the monotonic time;
 *   2. perform the actions in the order given. Work (ROUND_DO_STORE_SLOT .. ROUND_DO_PUBLISH) may
 *      take its time and end in any order; when it ended, step a ROUND_EV_DONE with the same `op`;
 *   3. step a ROUND_EV_TICK at round_next_ms (earlier does no harm).
 * A reply names the driver's own `req` (never 0); the driver drops it when the peer has gone.
 *
 * States                                        leaves when
 *   WAITING     clock not running: too few came   cfg.wait_for contributors are active
 *   OPEN        contributions are taken           all are done, or the deadline (see below)
 *   CLOSING     no new manifest; work in flight   the last judged/stored piece of work ended
 *   MERGING     the pool computes the update      merged
 *   PUBLISHING  update, round and ledger on disk  published: next round, or ENDED
 *   ENDED       n_rounds, or the host's word      never
 *
 *              WAITING/OPEN        CLOSING            MERGING, PUBLISHING     ENDED
 *   SEEN       note; may open/close note              note                   note
 *   RESERVE    slot, or same slot  409 later          409 later              409 over
 *   CHUNK      store it            store it           store it               404
 *   OFFSET     look it up          look it up         look it up             404
 *   MANIFEST   judge, or the same  late, or the same  late, or the same      late, or the same
 *              receipt again       receipt again      receipt again          receipt again
 *   DONE(work) next step of that   + merge when it    + publish / next round (find, late receipt)
 *              slot; may close     was the last
 *   TICK       deadline, absences  retry              retry after a failure  -
 *   END        this is the last    same               this one or the next   -
 *
 * A slot:  NONE -> RESERVING -> OPEN -> JUDGING -> STORING -> DONE
 *                    (row durable)  ^------ resend, or the disk failed: back to OPEN
 *
 * A round ends before the deadline when min_contributions are accepted and everybody awaited has
 * a verdict; at it, when min_contributions have a verdict and something is accepted or nobody
 * awaited lacks one (an update of nothing changes and pays nothing). Else the clock starts again.
 * So refusals cannot hold it up. The last round of a run that its host ends closes at the deadline
 * whatever has come (WAITING: at once). That it is over, the record says: DONE(PUBLISH).is_over.
 *
 * Nothing acknowledged is lost. There are three acknowledgements. (a) A slot is told only after
 * DONE(STORE_SLOT, OK), a chunk only after DONE(STORE_CHUNK, OK): both mean "on disk", and
 * round_restore gives both back. (b) A receipt is replied only from slot state DONE, entered only
 * by DONE(STORE_RECEIPT, OK), that is after payload (the judge's duty) and receipt row are on disk;
 * round_restore enters DONE from such rows alone. The state changes nowhere else. (c) A new round
 * is announced only after DONE(PUBLISH, OK): update file, round row and ledger lines in one
 * transaction. A crash before it leaves the round open with its receipts, and merging again gives
 * the same bytes from the same inputs. So for any crash point, what was answered is a function of
 * what is durable. Counted at most once: a slot reaches DONE once per (contributor, round), the
 * store refuses a second receipt for the pair, and the merge takes one input per seat.
 */

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/round_event.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"
#include "record/msg.h"

#define ROUND_MAX_SEATS     1024  /* contributors known at a time */
#define ROUND_ACTIVE_MS     45000 /* without a poll for so long a contributor is not waited for */
#define ROUND_RETRY_MS      5000  /* after a failed merge or publication */
#define ROUND_MAX_WAITERS   4     /* requests waiting for the same answer */
#define ROUND_MAX_CHUNK_OPS 16    /* chunks of one slot being written at a time */

struct round_config {
    struct hash run;
    uint8_t secret[32];         /* makes slot ids unguessable; the same after a restart */
    uint32_t wait_for;          /* active contributors before round 0's clock starts; >= 1 */
    uint32_t min_contributions; /* >= 1; verdicts are enough at the deadline */
    uint64_t n_rounds;          /* 0: endless */
    bool is_ended;              /* the record is closed */
    uint64_t round_ms;          /* rundesc_round_ms */
    uint64_t inner_ms;          /* 0 when H decides */
    uint64_t upload_ms;
    uint32_t max_inner_steps;
    uint64_t tokens_per_step; /* batch_seqs * seq_len */
    uint64_t max_bytes;       /* delta_max_bytes of a contribution */
    uint64_t keep_free_bytes; /* room a reservation must leave on the disk */
    uint64_t reward_per_round;
};

enum round_state {
    ROUND_WAITING = 1,
    ROUND_OPEN,
    ROUND_CLOSING,
    ROUND_MERGING,
    ROUND_PUBLISHING,
    ROUND_ENDED,
};

enum round_phase {
    ROUND_SLOT_NONE,
    ROUND_SLOT_RESERVING,
    ROUND_SLOT_OPEN,
    ROUND_SLOT_JUDGING,
    ROUND_SLOT_STORING,
    ROUND_SLOT_DONE,
};

/* One contributor: whether it is here, and its one slot (of slot_round). */
struct round_seat {
    bool is_used;
    struct key_pub key;
    int64_t seen_ms;
    bool is_paused;
    bool is_gone;
    bool is_awaited; /* was here when the round opened, or has reserved in it */
    enum round_phase phase;
    uint64_t slot_round;
    bool is_stored, has_reserved_ms; /* the slot's row is durable; not after a restart */
    int64_t reserved_ms;             /* when the slot was asked for */
    char id[MSG_ID_HEX];
    uint64_t max_bytes;
    uint32_t n_have;
    uint8_t have[MSG_MAX_CHUNKS / 8];
    uint32_t n_chunk_ops;
    uint32_t writing[ROUND_MAX_CHUNK_OPS]; /* chunks being written, n_chunk_ops of them */
    uint32_t n_askers; /* who asks how much of a chunk is stored while it is being written */
    struct round_asker askers[ROUND_MAX_WAITERS];
    uint32_t n_waiters;
    uint64_t waiters[ROUND_MAX_WAITERS];
    struct round_claim claim; /* from JUDGING on */
    enum msg_verdict verdict; /* STORING: to be; DONE: is */
    uint64_t seq;             /* DONE */
};

/* One accepted contribution of the round being merged, in key order. */
struct round_input {
    struct key_pub contributor;
    struct round_claim claim;
    uint64_t receipt_seq;
    uint64_t reward; /* micro-credits; they sum up to the emission */
    /* Of a run that scores, filled by aggregator/scores.h: */
    uint64_t weight;
    int64_t score;
    char why[112]; /* this quality */
};

struct round {
    struct round_config cfg;
    enum round_state state;
    uint64_t round;
    bool is_ending; /* the host has asked: the open round is the last */
    struct hash base;
    struct hash update; /* that made base; zero for round 0 */
    uint64_t update_bytes;
    int64_t opened_ms, deadline_ms; /* of the clock; WAITING: not yet */
    int64_t closed_ms;              /* when closed_round closed; valid if has_closed */
    bool has_closed;
    uint64_t closed_round;
    int64_t retry_ms; /* MERGING, PUBLISHING: try again at; 0: work is under way */
    uint64_t attempt;
    struct msg_update merged; /* filled from MERGING on */
    uint32_t n_inputs;
    struct round_input *inputs; /* [ROUND_MAX_SEATS] */
    uint32_t n_seats;           /* used ones are among the first n_seats */
    struct round_seat *seats;   /* [ROUND_MAX_SEATS] */
};

/* Allocates; ERR_NOMEM, ERR_ARG when the configuration makes no sense. */
int round_init(struct round *r, const struct round_config *c, struct err *e) MUST_CHECK;
void round_deinit(struct round *r); /* accepts NULL and zeroed */

/* Start, or go on after a restart: `round` is the first that is not merged, base its weights,
 * update the one that made them. The clock starts anew, so that nobody is late because the host
 * was away. ERR_LIMIT when n exceeds ROUND_MAX_SEATS. out: first actions.
 */
int round_restore(struct round *r, uint64_t round, const struct hash *base,
                  const struct hash *update, uint64_t update_bytes, const struct round_stored *s,
                  uint32_t n, int64_t now_ms, struct round_actions *out, struct err *e) MUST_CHECK;

/* The whole machine. out is overwritten. Never fails, never blocks, never allocates. */
void round_step(struct round *r, const struct round_event *ev, int64_t now_ms,
                struct round_actions *out);

/* When a tick is due at the latest; INT64_MAX when nothing waits for time. */
int64_t round_next_ms(const struct round *r, int64_t now_ms);

/* What a poll is told; checkpoints, validation and speed are left to the caller. */
void round_describe(const struct round *r, int64_t now_ms, struct msg_round *ret);

/* From MERGING to the end of PUBLISHING: what is merged and paid, in key order. */
const struct round_input *round_inputs(const struct round *r, uint32_t *ret_n);
const struct msg_update *round_update(const struct round *r); /* from PUBLISHING on: all of it */

/* Contributors active now; accepted so far in the open round. */
uint32_t round_n_active(const struct round *r, int64_t now_ms);
uint32_t round_n_accepted(const struct round *r);
const struct round_seat *round_seat(const struct round *r, const struct key_pub *k);
const char *round_state_word(enum round_state s); /* "open"; never NULL */
