#pragma once
/* Why: the trainer's thread. It owns the model, the optimizer, the text cache and the state file,
 * takes one order at a time and tells what came of it. The main thread never waits for it: orders
 * and news go through mailboxes, numbers for the screen through one small struct under one mutex.
 *
 *   main thread                          trainer thread
 *   work_order ------- order ---------->  train, pack, fold, return, apply, load, stop
 *   work_feed -------- fetched text --->  checks and caches it (the tokenizer: client/speak)
 *   work_gate -------- at once -------->  stands still between tiles of a matrix product
 *   wake() <---------- news -----------   ready, done, failed, wants text
 *
 * What is durable when: PACK, FOLD and RETURN save before they are reported; between them the state
 * is saved every save_every_ms, when a pause lasts (work_park), and at STOP. A save is atomic, and
 * position and weights travel in one file: after kill -9 at most the last interval is trained
 * again, on the same text, with the same result.
 *
 * Owner: work_create / work_destroy (joins the thread). Thread: all calls on the main thread, but
 * wake, which is called on the trainer's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"
#include "client/chunks.h"
#include "client/journal.h"
#include "client/speak.h"
#include "client/work_state.h"
#include "engine/trainer.h"
#include "record/rundesc.h"

/* Pieces of text asked for at one time: the open chunks of this round and of the next, and some. */
#define WORK_MAX_WANTS 40

struct work;

struct work_config {
    const struct rundesc *run; /* outlives the work */
    struct key_pub contributor;
    const char *run_dir;   /* state file, payloads */
    const char *cache_dir; /* text */
    uint64_t quota_bytes;
    uint32_t n_threads;
    enum trainer_precision precision;
    enum packed_kind moments, feedback;
    struct work_choice chosen; /* which of these two; the others are as the state file has them */
    bool recompute;
    int64_t save_every_ms;
    void (*wake)(void *ctx); /* there is news: uv_async_send */
    void *ctx;
};

enum work_kind {
    WORK_OPEN = 0, /* not ordered: creating the trainer, taking up the saved state */
    WORK_TRAIN,
    WORK_PACK,
    WORK_FOLD,
    WORK_RETURN,
    WORK_APPLY, /* bytes: the update */
    WORK_LOAD,  /* bytes: the checkpoint */
    WORK_STOP,
};

struct work_order {
    enum work_kind kind;
    uint32_t tag;
    uint64_t round;
    uint32_t n_steps; /* TRAIN: of the phase in all, or of the steps ahead when round is the next */
    int64_t until_ms; /* TRAIN: clock_mono_ms */
    struct buf bytes; /* moved in */
};

enum work_news_kind { WORK_DONE = 1, WORK_FAILED, WORK_WANTS };

struct work_news {
    enum work_news_kind kind;
    enum work_kind order; /* WORK_OPEN done: ready; its journal is where to go on */
    uint32_t tag;
    struct journal journal; /* after the order */
    struct hash base;       /* model hash after OPEN, APPLY, LOAD */
    bool is_halted;
    bool is_ahead; /* TRAIN: of the next round */
    bool is_fresh; /* OPEN: nothing was restored */
    bool is_empty; /* OPEN: nor made: the first weights are those of a LOAD */
    struct err err;
    struct chunks_want want;
    char said[192]; /* OPEN: a sentence for the person, or "" */
};

/* For screens; copied whole. */
struct work_progress {
    struct journal journal;
    double loss;                         /* newest step; NaN before the first */
    double loss_best;                    /* least of this process; NaN before the first */
    double tok_per_s;                    /* of the newest steps; NaN before the first */
    uint64_t n_steps_ever;               /* in this process: has it moved? */
    int64_t saved_at_ms;                 /* clock_mono_ms; 0: never */
    int64_t ms_train, ms_pack, ms_apply; /* of the last round */
    bool is_waiting_for_text;
    bool is_released;     /* the trainer's memory was given back */
    char said[SPEAK_CAP]; /* by the model of said_round; "": nothing yet */
    uint64_t said_round;
    char engine[384];
};

int work_create(const struct work_config *c, struct work **ret, struct err *e) MUST_CHECK;
void work_destroy(struct work *w);

/* One order at a time: the caller waits for its news (the session keeps to that). */
void work_order(struct work *w, struct work_order *o);

/* End TRAIN now; the step under way does not count. */
void work_halt(struct work *w);

/* Pause or go on, at once, whatever is under way. */
void work_gate(struct work *w, bool is_paused);

/* A pause that lasts: give up the step under way, save, and sleep until the gate opens. */
void work_park(struct work *w);

/* While paused: save, and give all that training needs back to the system. It comes again, from disk,
 * with the first work after the pause. When it cannot be saved it is kept.
 */
void work_release(struct work *w);

/* Stand still for a moment, and go on: how a share of the time is kept. A pause stands above it. */
void work_rest(struct work *w, bool is_resting);

/* How many of the threads work (>= 1), and whether they take only what no other program wants. At
 * once.
 */
void work_limit(struct work *w, uint32_t n_threads, bool is_idle_priority);

/* Text that was wanted; bytes are moved. */
void work_feed(struct work *w, const struct chunks_want *want, struct buf *bytes);

bool work_take(struct work *w, struct work_news *ret);
void work_progress_copy(struct work *w, struct work_progress *ret);
