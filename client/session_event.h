#pragma once
/* Why: what a contributor's session is told and what it orders: the vocabulary between the pure
 * machine (client/session.h) and whoever carries its orders out, the agent or the simulator.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "record/msg.h"
#include "view/intent.h"

#define SESSION_MAX_ACTIONS 16
#define SESSION_NONE        (-1) /* no such time */

/* What became of the pending payload. */
enum session_fate {
    SESSION_FATE_NONE = 0,
    SESSION_FATE_UNSENT,
    SESSION_FATE_ACCEPTED,
    SESSION_FATE_REFUSED
};

/* The small durable note beside the trainer's state. It counts only for the payload it names. */
struct session_note {
    struct hash payload;
    enum session_fate fate;
    char id[MSG_ID_HEX]; /* upload id once a manifest may have been sent; "" before */
};

/* What happened. `tag` is the tag of the action that is answered (0 where there is none). */
enum session_event_kind {
    SESSION_EV_START = 1,   /* begin (or begin again after a restart, see session_restore) */
    SESSION_EV_TICK,        /* time passed; wanted at session_next_ms() */
    SESSION_EV_INTENT,      /* intent */
    SESSION_EV_ROUND,       /* round: answer to JOIN or POLL */
    SESSION_EV_SLOT,        /* slot: answer to RESERVE */
    SESSION_EV_CHUNK,       /* PUT_CHUNK was stored */
    SESSION_EV_RECEIPT,     /* receipt: answer to MANIFEST, signature checked, already stored */
    SESSION_EV_UPDATE,      /* update: FETCH_UPDATE is here, signature and bytes checked */
    SESSION_EV_CHECKPOINT,  /* FETCH_CHECKPOINT is here, bytes checked */
    SESSION_EV_PROGRESS,    /* a request of the transfer lane moves; about once a second */
    SESSION_EV_FAILED,      /* failed: any request */
    SESSION_EV_TRAINED,     /* phase: TRAIN has ended (is_halted: by HALT); its own, ahead or not */
    SESSION_EV_PACKED,      /* payload: PACK has ended, all of it durable */
    SESSION_EV_RETURNED,    /* RETURN or FOLD has ended, durable */
    SESSION_EV_APPLIED,     /* applied: APPLY or LOAD has ended */
    SESSION_EV_WORK_FAILED, /* failed.why: any order to the trainer */
    SESSION_EV_STOPPED,     /* STOP_WORK has ended: trainer at rest, state saved */
    SESSION_EV_RECORD,      /* CHECK_RECORD: the log goes on from what was remembered */
    SESSION_EV_HOLD,        /* is_held: something stands against training now, or no more */
    SESSION_EV_REWRITTEN,   /* failed.why: CHECK_RECORD found that it does not */
    SESSION_EVENT_COUNT,
};

/* An inner phase on the model of one round. */
struct session_phase {
    uint32_t n_steps;
    uint64_t n_tokens;
    double loss; /* mean, nats per token */
    double tok_per_s;
    bool is_halted; /* in an event: ended by HALT, not by its own limits */
};

struct session_payload {
    struct hash hash;
    uint64_t n_bytes;
    uint32_t n_chunks;     /* of MSG_CHUNK_BYTES */
    int64_t created_at_ms; /* wall clock, for the manifest: the same in every resend */
};

struct session_event {
    enum session_event_kind kind;
    uint32_t tag;
    enum intent_kind intent;
    bool is_held;
    const struct msg_round *round;     /* read during the call */
    const struct msg_slot *slot;       /* read during the call */
    const struct msg_receipt *receipt; /* read during the call */
    const struct msg_update *update;   /* read during the call */
    struct session_phase phase;
    struct session_payload payload;
    struct hash applied; /* model hash now held */
    struct {
        int code;               /* ERR_* when no answer came */
        int status;             /* HTTP status when one did, else 0 */
        int64_t retry_after_ms; /* 0: not said */
        const char *why;        /* one sentence, printable; read during the call */
    } failed;
};

enum session_do {
    /* requests, presence lane */
    SESSION_DO_JOIN = 1, /* POST /v1/join */
    SESSION_DO_POLL,     /* GET /v1/round?after=round&session=token; is_long: let it be held back */
    /* requests, transfer lane */
    SESSION_DO_FETCH_UPDATE,     /* /v1/updates/round/head, then /v1/updates/round */
    SESSION_DO_FETCH_CHECKPOINT, /* /v1/checkpoints/round; hash, n_bytes */
    SESSION_DO_RESERVE,          /* round, base (hash), n_bytes, created_at_ms */
    SESSION_DO_PUT_CHUNK,        /* id, i_chunk */
    SESSION_DO_MANIFEST,         /* id; of the pending payload */
    /* request, record lane */
    SESSION_DO_CHECK_RECORD, /* /v1/log/checkpoint and tiles; `round` rounds are merged */
    /* any lane */
    SESSION_DO_DROP, /* forget the request with this tag; no event shall follow */
    /* orders to the trainer */
    SESSION_DO_TRAIN,     /* round: go on with its inner phase until n_steps in all or until_ms. The
                             round after the one held: steps ahead, while that one is exchanged */
    SESSION_DO_HALT,      /* end TRAIN with this tag at once; the step under way does not count */
    SESSION_DO_GATE,      /* is_long: true = pause at once, false = run. No event follows */
    SESSION_DO_PACK,      /* pack the phase; make payload and state durable */
    SESSION_DO_FOLD,      /* pack and return at once: a phase that came too late keeps its worth */
    SESSION_DO_RETURN,    /* pending payload back into error feedback; make it durable */
    SESSION_DO_APPLY,     /* the update of `round` just fetched */
    SESSION_DO_LOAD,      /* the checkpoint of `round` just fetched */
    SESSION_DO_STOP_WORK, /* end everything under way in the trainer, save, then EV_STOPPED */
    /* others */
    SESSION_DO_NOTE, /* persist session->note, durable before the next action is begun */
    SESSION_DO_SAY,  /* text: worth telling the person; is_long: loudly (a warning) */
};

struct session_action {
    enum session_do what;
    uint32_t tag;
    uint32_t i_address; /* which aggregator of the run description, for requests */
    uint64_t round;
    struct hash hash;
    uint64_t n_bytes;
    uint32_t i_chunk;
    uint32_t n_steps;
    int64_t until_ms; /* session clock; SESSION_NONE: no limit but n_steps */
    int64_t created_at_ms;
    bool is_long;
    char id[MSG_ID_HEX];
    char text[MSG_REASON_CAP];
};

struct session_actions {
    uint32_t n;
    struct session_action a[SESSION_MAX_ACTIONS];
};
