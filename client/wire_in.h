#pragma once
/* Why: the wire's insides, seen by wire.c (requests and their answers), wire_round.c (rounds and their
 * terms), wire_up.c (the chunks of a contribution) and wire_log.c (the host's record) alone.
 */

#include "base/hash.h"
#include "base/path.h"
#include "client/changes.h"
#include "client/treehead.h"
#include "client/wire.h"
#include "client/work.h"
#include "net/backoff.h"
#include "net/link.h"

/* Text that the trainer waits for. */
struct text_want {
    bool is_used, is_asked;
    struct chunks_want want;
};

/* The contribution being sent, chunk by chunk; see wire_up.c. */
struct wire_upload {
    struct buf bytes;
    struct hash hash;
    char id[MSG_ID_HEX];                /* of the upload; "" before the first chunk */
    uint8_t tried[MSG_MAX_CHUNKS / 8];  /* a part of it may be there: ask before sending */
    uint8_t stored[MSG_MAX_CHUNKS / 8]; /* is there, whatever the session knows yet */
    uint32_t n_begun;                   /* uploads since the start of the program */
};

struct wire {
    struct wire_config config;
    struct pass pass;
    char run_dir[PATH_CAP], receipts_path[PATH_CAP];
    struct link *link;
    struct cap up_cap, down_cap; /* of all links */
    uint64_t i_link;             /* how many links there were */
    uint32_t i_address;
    uint64_t in_before, out_before; /* traffic of links closed since */
    struct call *calls;
    struct wire_upload up;
    struct buf fetched;
    uint64_t fetch_expected; /* in all; 0: nothing was begun */
    struct hash fetch_hash;  /* of all of it */
    size_t fetch_from;       /* bytes that were there already */
    uint64_t fetch_ns;       /* since when */
    double fetch_rate;       /* bytes a second of the last one; 0: not known */
    bool is_fetching;
    struct text_want wants[WORK_MAX_WANTS];
    struct backoff text_backoff;
    uv_timer_t retry;
    void (*parted_fn)(void *ctx); /* someone waits for the goodbye */
    void *parted_ctx;
    bool is_looking_peers, is_looking_credits;
    struct changes changes;
    struct treehead treehead;    /* what is remembered of the host's record */
    struct treehead_check check; /* of its newest tree head; one at a time */
    int n_open;                  /* handles and links still to close */
    bool is_closing;
    void (*closed_fn)(void *ctx);
    void *closed_ctx;
};

/* What a request is for. */
enum purpose {
    FOR_SESSION,
    FOR_BODY,
    FOR_CHANGES,
    FOR_CHUNK,
    FOR_TEXT,
    FOR_PEERS,
    FOR_CREDITS,
    FOR_GOODBYE
};

struct call {
    struct wire *wire;
    struct call *next;
    enum purpose purpose;
    uint32_t tag;
    uint64_t id;     /* of the link's request */
    uint64_t i_link; /* which link: each counts its requests anew */
    bool is_dropped;
    struct session_action action;
    struct msg_update head; /* FOR_BODY of an update */
    struct msg_round round; /* FOR_CHANGES: what came before */
    struct chunks_want want;
    uint32_t i_chunk;    /* FOR_CHUNK */
    uint32_t n_restarts; /* FOR_CHUNK: times that the offset was another one */
    bool is_asking;      /* FOR_CHUNK: for the offset */
    bool is_waiting;     /* of the session: for a FOR_CHUNK call, without a request of its own */
};

#define WIRE_NUMBER_CAP 24
void wire_part_closed(void *ctx); /* one handle or link of the wire is gone */
const char *wire_number(char dst[WIRE_NUMBER_CAP], uint64_t v);
struct call *wire_call_add(struct wire *w, enum purpose purpose);
void wire_call_start(struct wire *w, struct call *k, struct link_request *r);
void wire_call_end(struct call *k);
/* Tell the session: no answer, an answer that refuses, an err; or, from the loop, an err or (its code
 * OK) that a chunk is stored, after which the call has ended.
 */
void wire_call_failed(struct call *k, int code, int status, uint32_t retry_after_s,
                      const char *why);
void wire_call_refused(struct call *k, const struct link_reply *reply);
void wire_call_err(struct call *k, const struct err *e);
void wire_call_later(struct wire *w, struct call *k, const struct err *e);

/* wire_up.c: the session's call k asks for a chunk. On an error nothing was begun. */
int wire_up_begin(struct wire *w, struct call *k, const struct session *s,
                  struct err *e) MUST_CHECK;
void wire_up_done(struct call *k, const struct link_reply *reply); /* of a FOR_CHUNK call */
void wire_up_stop(struct wire *w);                                 /* cancel what is under way */
/* Reserved (again): what the answer does not have is not stored, whatever was said before. */
void wire_up_reserved(struct wire *w);
/* The packed contribution in memory, checked against its hash; and one piece of it. */
int wire_up_load(struct wire *w, const struct session *s, struct err *e) MUST_CHECK;
size_t wire_up_piece(const struct wire *w, uint32_t i, const uint8_t **ret);

/* Ask with this call; the answer comes where all answers come. */
void wire_call_get(struct wire *w, struct call *k, const char *path, size_t max);

/* wire_round.c: the answer to a join or poll, told to the session once all changes that it counts are
 * here. ERR_AGAIN: the call goes on for them.
 */
int wire_round_answer(struct call *k, const struct link_reply *reply, struct err *e) MUST_CHECK;
int wire_round_changes(struct call *k, const struct link_reply *reply, struct err *e) MUST_CHECK;

/* wire_log.c: what an answer to SESSION_DO_CHECK_RECORD means, told to the session. ERR_AGAIN: the
 * call goes on for a tile. Other errors: to be told as a failure.
 */
void wire_log_begin(struct wire *w);
int wire_log_answer(struct call *k, const struct link_reply *reply, struct err *e) MUST_CHECK;
/* Is this answer one that the log's check wants to see although it is no 2xx? */
bool wire_log_wants(const struct call *k, const struct link_reply *reply);
