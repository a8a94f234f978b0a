#pragma once
/* Why: everything a contributor decides, as one pure state machine. It is told what happened
 * (struct session_event) and what time it is, and answers with what to do (struct session_actions);
 * it never touches a socket, a file, a clock or the trainer. The agent performs the actions with
 * libuv, the simulator with a virtual network, disk and clock, and both link this very object.
 *
 * Facts, not history, decide. Three things are known at any time: which model is held (model_round
 * and base), what the newest answer of the aggregator says (round), and what became of the work on
 * that model (phase and pending). session.c's decide() looks at these and picks the state; every
 * event only changes facts and then calls decide(). So a restart, a pause, a lost answer or a
 * missed round all come back into the same path.
 *
 *   state       what goes on                              left by                        time-out
 *   IDLE        no order to work yet                      START                          none
 *   JOINING     join sent                                 ROUND                          30 s: again
 *   FETCHING    head and bytes of an update, or a         UPDATE, CHECKPOINT             10 min, and 60 s
 *                                                                                      still: again
 *               checkpoint, under way
 *   TRAINING    inner steps; polls go on beside, and the   TRAINED; newer ROUND: halt     phase end: halt
 *               exchange too while they are taken ahead
 *   PACKING     pack (or fold) the inner phase            PACKED, RETURNED               5 min: says so
 *   EXCHANGING  reserve, chunks, manifest, one at a time  RECEIPT; refusal               60 s still: again
 *   RETURNING   payload goes back to error feedback       RETURNED                       5 min: says so
 *   WAITING     polls until the next round opens          newer ROUND                    45 s: poll again
 *   APPLYING    update or checkpoint into the model       APPLIED                        5 min: says so
 *   PAUSED      nothing but polls; trainer gated          INTENT resume, HOLD over       none
 *   RETRYING    network failed, or shut out by the host   TICK                           retry_at
 *   DISTRUST    the host has rewritten its record:        INTENT leave, stop             none
 *               nothing is sent, taken or trained
 *   ENDED       the run is over, final model held; polls  INTENT leave, stop             none
 *   LEAVING     trainer stops and saves                   STOPPED                        10 s: gone
 *   GONE        nothing; the caller drops the session     -                              none
 *
 * Any state goes to PAUSED, LEAVING by an intent; events that do not fit are ignored (their tag is
 * not the one waited for), so duplicated and reordered answers do no harm.
 *
 * Rules that tests and the simulator hold it to:
 *   - A payload is sent only after PACKED, and PACKED comes only when payload and error feedback are
 *     durable: a restart sends the same bytes.
 *   - Actions are carried out in order. SESSION_DO_NOTE must be durable before the next one: it
 *     remembers the upload's id (before the manifest) and the verdict (before it is acted upon).
 *   - A payload not accepted goes back into the error feedback exactly once. Whether it was accepted
 *     is asked of the aggregator (same manifest, same receipt), never guessed.
 *   - After each update the model's hash is compared with the signed one. A difference is said
 *     loudly, and the model is replaced by a checkpoint.
 *   - Steps ahead begin once the payload is packed; the update is applied after exactly ahead_steps
 *     of them, never earlier. Transfers go on meanwhile; an order to the trainer cuts them short.
 *   - At most one request of each lane (presence, transfer, record) and one order to the trainer.
 *   - The host's record is checked at the start and after each update, beside everything else; a host
 *     that has rewritten its history is left alone for good. One that does not show it is spoken of
 *     once and asked more and more seldom, at last every ten minutes.
 *
 * Owner: caller's memory, no allocation. Thread: any one. Times: ms, one monotonic clock. */

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/rng.h"
#include "client/session_event.h"
#include "record/msg.h"
#include "view/intent.h"

/* An unfinished inner phase older than this many rounds is dropped, not folded in. */
#define SESSION_STALE_ROUNDS 4

enum session_state {
    SESSION_IDLE = 0,
    SESSION_JOINING,
    SESSION_FETCHING,
    SESSION_TRAINING,
    SESSION_PACKING,
    SESSION_EXCHANGING,
    SESSION_RETURNING,
    SESSION_WAITING,
    SESSION_APPLYING,
    SESSION_PAUSED,
    SESSION_RETRYING,
    SESSION_DISTRUST,
    SESSION_ENDED,
    SESSION_LEAVING,
    SESSION_GONE,
    SESSION_STATE_COUNT,
};

/* What the run description and the machine say; the record may change the first three (terms). */
struct session_config {
    struct hash run;
    uint32_t inner_steps; /* H; 0: the time budget decides */
    uint32_t max_inner_steps;
    uint32_t ahead_steps; /* of the next round, before the update of this one lands; 0: none */
    uint32_t upload_ms;
    uint32_t n_addresses; /* >= 1 */
    uint64_t seed;        /* of the retry jitter */
};

struct session_lane { /* a request or order under way */
    uint32_t tag;     /* 0: none */
    enum session_do what;
    int64_t deadline_ms;
};

/* Everything may be read at any time (screens do); only session.c writes. */
struct session {
    struct session_config config;
    enum session_state state;
    int64_t since_ms; /* when the state was entered */

    /* facts: model */
    uint64_t model_round;
    struct hash base;
    bool is_agreed;       /* base equals what the aggregator signed for that round */
    bool is_base_wrong;   /* hash differed, or is_empty: a checkpoint must replace the model */
    bool is_empty;        /* there is none yet: the run begins with a checkpoint */
    uint32_t n_refetched; /* checkpoints loaded in a row without agreement */
    struct session_phase phase;
    struct session_phase ahead; /* of the next round, once this one's is packed */
    bool is_phase_done;         /* ready to pack */
    bool is_round_done;         /* refused and returned: wait for the next round */
    bool is_judged;             /* the refusal is final for this round */
    bool has_diverged;          /* training of this round met a number that is none */

    /* facts: pending payload of model_round */
    enum session_fate fate;
    struct session_payload payload;
    struct session_note note;
    uint8_t have[MSG_MAX_CHUNKS / 8];
    uint32_t i_chunk;      /* being sent */
    bool is_slot_live;     /* the id is of this aggregator and this process */
    uint32_t n_slot_tries; /* reservations made for this payload */

    /* facts: aggregator */
    bool is_joined, has_round, has_back;
    bool is_shut_out;            /* 403: the host does not let this key in */
    uint32_t n_refusals;         /* of presence, in a row */
    struct msg_round round;      /* newest answer */
    int64_t round_at_ms;         /* when it came */
    struct session_terms terms;  /* of that round */
    uint64_t back_next, back_to; /* the host went back: back_next began with back_to's model */
    char back_reason[MSG_REASON_CAP];
    char token[MSG_ID_HEX];
    uint32_t i_address;
    uint32_t n_failures; /* in a row, any lane */
    uint32_t n_address_failures;
    uint32_t n_work_failures;         /* in a row: disk, memory, text */
    int64_t poll_at_ms;               /* next poll not before */
    int64_t retry_at_ms;              /* transfers not before; SESSION_NONE */
    char why[MSG_REASON_CAP];         /* the last failure, in words */
    bool is_update_gone, is_way_said; /* 404: go by checkpoint; the person knows by which way */
    struct msg_update update;         /* head of the update being applied */
    uint64_t fetched_round;
    bool has_fetched_update, has_fetched_checkpoint;

    /* facts: the host's record */
    bool is_record_due;         /* there may be something new in it */
    bool is_rewritten;          /* why says how, and where the evidence is */
    uint32_t n_record_failures; /* in a row */
    int64_t record_at_ms;       /* next question not before */

    /* wishes; and a hold (client/holds.h), which stops the same and changes no wish */
    bool is_paused, is_finishing, is_held;
    enum intent_kind ending; /* INTENT_LEAVE or INTENT_STOP; else NONE */

    /* under way */
    struct session_lane presence, transfer, record, work;
    int64_t train_until_ms;
    bool is_halting, is_gated;
    uint32_t next_tag;
    struct rng rng;

    /* counts, for screens */
    uint64_t n_accepted, n_late, n_rejected;
};

/* A session that holds the model of round 0 (base = rundesc.initial_model). */
void session_init(struct session *s, const struct session_config *c, const struct hash *base);
/* Take up what was saved; before SESSION_EV_START. */
void session_restore(struct session *s, const struct session_saved *v);
/* The step. out is cleared first. Never fails; an event that does not fit changes nothing. */
void session_step(struct session *s, const struct session_event *ev, int64_t now_ms,
                  struct session_actions *out);

bool session_stands(const struct session *s);     /* still, by wish or by a hold */
int64_t session_next_ms(const struct session *s); /* when the next TICK is wanted; SESSION_NONE */

/* "training" ...: the word for logs and for the `state` of a poll; never NULL. */
const char *session_state_name(enum session_state s);
/* One of "training", "uploading", "waiting", "paused": what the aggregator is told. */
const char *session_wire_state(const struct session *s);
