#pragma once
/* Why: the one object behind `potluck-aggregator serve`. host.c drives the round machine: every
 * decision comes from aggregator/round.h, every action is performed here with files, database and
 * the libuv pool. api.c turns HTTP into events and answers; serve.c starts and ends it all.
 *
 *   request -> api -> host_step -> round_step -> actions -> pool work -> host_step ...
 *                                                        -> replies (host_reply_*)
 *
 * Thread: all of it on the loop thread, but what job.c runs in the pool.
 */

#include <uv.h>

#include "aggregator/admit.h"
#include "aggregator/dataset.h"
#include "aggregator/metrics.h"
#include "aggregator/publish.h"
#include "aggregator/registry.h"
#include "aggregator/round.h"
#include "aggregator/scores.h"
#include "aggregator/setup.h"
#include "aggregator/spool.h"
#include "aggregator/store.h"
#include "aggregator/valid.h"
#include "net/server.h"

#define HOST_POLL_MS 20000 /* a long poll is held back so long */

/* A request that waits for the round machine (req) or for the next round (is_poll). */
struct host_wait {
    struct host_wait *next;
    struct host *host;
    struct request *request;
    uint64_t req;
    bool is_poll;
    uint64_t after;
    int64_t until_ms;
};

struct host {
    uv_loop_t *loop;
    char home[PATH_CAP];
    struct setup setup;
    struct rundesc run;
    struct buf run_jws;
    struct key key;
    struct model_table table;
    struct dataset data;
    struct spool spool;
    struct store *store;
    struct publish publish;
    struct round round;
    struct registry registry;
    struct admit_gate gate; /* new keys of each address */
    uint32_t n_proofs;      /* answers to the entry puzzle being checked in the pool */
    struct server *server;
    struct metrics metrics;
    struct valid *valid;
    uv_timer_t timer;
    float *base; /* weights of the open round */
    float *next; /* written by a merge, becomes base when it is published */
    struct host_wait *waits;
    uint64_t last_req;
    uint32_t n_jobs;
    bool is_stopping;
    bool is_checkpointing;
    bool is_scoring;      /* contributions are being tried out (aggregator/scoring.h) */
    struct scores scores; /* zeroed: paid by tokens alone */
    struct store_checkpoint checkpoint; /* newest */
    uint64_t oldest_update;
    uv_mutex_t val_lock; /* guards the next three; written on the validation thread */
    bool has_val;
    struct store_val val_first, val_last;
    uint64_t values_per_contribution;
    struct buf peers; /* JSON, made anew when older than a second */
    int64_t peers_ms;
    int64_t started_ms;
    int64_t looked_ms;    /* when the books were looked at for what other commands left; 0: never */
    uint64_t n_entries;   /* of the record, when it was published after the end; 0: not yet */
    int64_t full_said_ms; /* when the host was last told that its disk is full; 0: never */
};

/* Load everything under home and restore the round. Errors are for the person who ran serve. */
int host_open(struct host *h, uv_loop_t *loop, const char *home, uint32_t wait_for,
              struct err *e) MUST_CHECK;
void host_start(struct host *h); /* first actions; the server is listening */
void host_close(struct host *h); /* after the loop has ended; accepts zeroed */

/* Feed the machine and perform what it says. step_with: the event carries a chunk or a manifest. */
struct job_input;
void host_step(struct host *h, const struct round_event *ev);
void host_step_with(struct host *h, const struct round_event *ev, const struct job_input *in);
void host_tick(struct host *h); /* time has passed */

/* Register a request that waits; returns its number for round_event.req. */
uint64_t host_wait_reply(struct host *h, struct request *r);
void host_wait_round(struct host *h, struct request *r, uint64_t after);
void host_drop_waits(struct host *h); /* at the end: forget them all */

/* What a poll is answered; session "" but for a join. */
int host_round_json(struct host *h, const char *session, struct buf *out, struct err *e) MUST_CHECK;

/* Make the store's newest checkpoint and oldest update known again. */
int host_note_checkpoint(struct host *h, struct err *e) MUST_CHECK;
