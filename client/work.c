#include "client/work.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "client/work_state.h"

#define N_NEWS      64
#define N_ORDERS    2 /* STOP may come behind an order that has not begun */
#define N_FED       WORK_MAX_WANTS
#define AHEAD       (4 * ASSIGN_WINDOW) /* sequences: meets nearly every chunk of a window */
#define AHEAD_EVERY 8                   /* steps */

struct fed {
    struct chunks_want want;
    struct buf bytes;
};

struct work {
    struct work_config config;
    char run_dir[PATH_CAP], cache_dir[PATH_CAP];
    pthread_t thread;
    bool has_thread;

    /* The trainer thread's own. */
    struct work_state state;
    struct chunks *chunks;
    struct speak *speak;                      /* may be NULL: the model then says nothing */
    uint32_t *tokens;                         /* [batch_seqs][seq_len + 1] */
    struct chunks_want asked[WORK_MAX_WANTS]; /* fetches under way */
    uint32_t n_asked;
    bool is_new_phase; /* nothing was prefetched for it yet */

    /* Shared, under lock. */
    pthread_mutex_t lock;
    pthread_cond_t more;
    bool must_end, is_halted, is_paused, is_parking, is_resting, is_releasing;
    uint32_t n_limit; /* threads; 0: none was set */
    bool is_idle_priority;
    struct work_order orders[N_ORDERS];
    uint32_t n_orders;
    struct work_news news[N_NEWS];
    uint32_t i_news, n_news;
    struct fed fed[N_FED];
    uint32_t n_fed;
    struct work_progress progress;
    struct trainer *gated; /* NULL until the trainer exists */
};

/* --- talking to the main thread ---------------------------------------------------------------- */

static void tell(struct work *w, const struct work_news *n)
{
    pthread_mutex_lock(&w->lock);
    check(w->n_news < N_NEWS);
    w->news[(w->i_news + w->n_news++) % N_NEWS] = *n;
    pthread_mutex_unlock(&w->lock);
    w->config.wake(w->config.ctx);
}

static void publish(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->progress.journal = w->state.journal;
    w->progress.saved_at_ms = w->state.saved_at_ms;
    pthread_mutex_unlock(&w->lock);
}

/* Must TRAIN end before its own limits? */
static bool is_stopped(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    bool yes = w->is_halted || w->must_end;
    pthread_mutex_unlock(&w->lock);
    return yes;
}

/* The gate follows from several wishes; called with the lock held. */
static void set_gate(struct work *w)
{
    if (!w->gated) return;
    bool cancel =
        w->is_halted || w->must_end || (w->is_paused && (w->is_parking || w->is_releasing));
    bool pause = w->is_paused || w->is_resting;
    trainer_gate(w->gated, cancel ? TRAINER_CANCEL : pause ? TRAINER_PAUSE : TRAINER_RUN);
    if (w->speak) speak_gate(w->speak, cancel ? POOL_CANCEL : pause ? POOL_PAUSE : POOL_RUN);
}

/* Called with the lock held. This thread computes as well, so it is treated as the workers are. */
static void set_limit(struct work *w)
{
    struct sched_param none = {0};
    if (!w->n_limit) return;
    (void)pthread_setschedparam(w->thread, w->is_idle_priority ? SCHED_IDLE : SCHED_OTHER, &none);
    if (w->gated) trainer_limit(w->gated, w->n_limit, w->is_idle_priority);
}

/* --- text --------------------------------------------------------------------------------------- */

static bool same_want(const struct chunks_want *a, const struct chunks_want *b)
{
    return a->is_index == b->is_index && a->shard == b->shard && a->chunk == b->chunk;
}

static void want(struct work *w, const struct chunks_want *want)
{
    for (uint32_t i = 0; i < w->n_asked; i++)
        if (same_want(&w->asked[i], want)) return;
    if (w->n_asked == WORK_MAX_WANTS) return;
    w->asked[w->n_asked++] = *want;
    struct work_news n = {.kind = WORK_WANTS, .want = *want};
    tell(w, &n);
}

static int take_fed(struct work *w, const struct fed *f, struct err *e)
{
    if (!f->want.is_tokenizer) return chunks_take(w->chunks, &f->want, f->bytes.p, f->bytes.len, e);
    return w->speak ? speak_tokenizer(w->speak, f->bytes.p, f->bytes.len, e) : OK;
}

/* Take in what was fetched; returns whether there was anything. */
static bool digest(struct work *w)
{
    struct fed fed[N_FED];
    pthread_mutex_lock(&w->lock);
    uint32_t n = w->n_fed;
    memcpy(fed, w->fed, n * sizeof *fed);
    w->n_fed = 0;
    pthread_mutex_unlock(&w->lock);
    for (uint32_t i = 0; i < n; i++) {
        struct err e = {0};
        for (uint32_t k = 0; k < w->n_asked; k++)
            if (same_want(&w->asked[k], &fed[i].want)) w->asked[k--] = w->asked[--w->n_asked];
        if (take_fed(w, &fed[i], &e) != OK)
            log_err(LOG_WARN, &e, "text from the aggregator was refused");
        buf_deinit(&fed[i].bytes);
    }
    return n > 0;
}

/* Wait for fed text. False when TRAIN must end. */
static bool wait_for_text(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->progress.is_waiting_for_text = true;
    while (w->n_fed == 0 && !w->is_halted && !w->must_end)
        pthread_cond_wait(&w->more, &w->lock);
    w->progress.is_waiting_for_text = false;
    bool go_on = !w->is_halted && !w->must_end;
    pthread_mutex_unlock(&w->lock);
    digest(w);
    return go_on;
}

static int ready_text(struct work *w, struct assign_space *space, struct err *e)
{
    struct chunks_want missing;
    int rc;
    while ((rc = chunks_ready(w->chunks, &missing, e)) == ERR_AGAIN) {
        want(w, &missing);
        if (!wait_for_text(w)) return ERR_CANCELLED;
    }
    return rc != OK ? rc : chunks_space(w->chunks, w->config.run->train.seq_len, space, e);
}

static int gather_one(struct work *w, const struct assign_space *space, uint64_t round, uint64_t i,
                      uint32_t *dst, struct err *e)
{
    struct assign_place at =
        assign_sequence(space, &w->config.run->id, round, &w->config.contributor, i);
    const uint32_t *tokens = NULL;
    struct chunks_want missing;
    int rc;
    while ((rc = chunks_get(w->chunks, at.chunk, &tokens, &missing, e)) == ERR_AGAIN) {
        want(w, &missing);
        if (!wait_for_text(w)) return ERR_CANCELLED;
    }
    if (rc == OK) memcpy(dst, tokens + at.offset, (space->seq_len + 1) * sizeof *dst);
    return rc;
}

/* Have the text that comes next asked for while this step is computed: the walk's next sequences,
 * and the first ones of the next round.
 */
static void prefetch(struct work *w, const struct assign_space *space, uint64_t round, uint64_t i)
{
    const struct hash *run = &w->config.run->id;
    struct chunks_want missing;
    for (uint64_t k = 0; k < 2 * (uint64_t)AHEAD; k++) {
        bool is_next = k >= AHEAD;
        struct assign_place at =
            assign_sequence(space, run, is_next ? round + 1 : round, &w->config.contributor,
                            is_next ? k - AHEAD : i + k);
        if (!chunks_has(w->chunks, at.chunk, &missing)) want(w, &missing);
    }
}

/* The phase that TRAIN works on: of the round held, or ahead of the next. */
struct walk {
    uint64_t round;
    uint32_t *n_steps;
    uint64_t *n_tokens;
    double *loss_sum;
    int64_t *busy_ns;
};

static struct walk walk_of(struct journal *j, bool is_ahead)
{
    if (is_ahead)
        return (struct walk){j->model_round + 1, &j->ahead_steps, &j->ahead_tokens,
                             &j->ahead_loss_sum, &j->ahead_busy_ns};
    return (struct walk){j->model_round, &j->n_steps, &j->n_tokens, &j->loss_sum, &j->busy_ns};
}

static int gather(struct work *w, const struct assign_space *space, const struct walk *at,
                  struct err *e)
{
    const struct train_params *p = &w->config.run->train;
    uint64_t first = (uint64_t)*at->n_steps * p->batch_seqs;
    digest(w);
    if (w->is_new_phase || *at->n_steps % AHEAD_EVERY == 0) prefetch(w, space, at->round, first);
    w->is_new_phase = false;
    for (uint32_t b = 0; b < p->batch_seqs; b++) {
        uint32_t *dst = w->tokens + (size_t)b * (p->seq_len + 1);
        int rc = gather_one(w, space, at->round, first + b, dst, e);
        if (rc != OK) return rc;
    }
    return OK;
}

/* --- the model's voice -------------------------------------------------------------------------- */

/* Its tokenizer is nobody's hurry: asked for while steps are computed. */
static void ask_tokenizer(struct work *w)
{
    if (!w->speak || !speak_wants_tokenizer(w->speak)) return;
    struct chunks_want t = {.is_tokenizer = true,
                            .shard = UINT32_MAX,
                            .n_bytes = (size_t)w->config.run->tokenizer_bytes};
    want(w, &t);
}

/* After an update, when it is time: let the new model write a line. */
static void speak_now(struct work *w)
{
    char said[SPEAK_CAP];
    struct err e = {0};
    uint64_t round = w->state.journal.model_round;
    if (!w->speak || !speak_is_due(w->speak, clock_mono_ms())) return;
    int rc =
        speak_say(w->speak, trainer_weights(w->state.trainer), round, clock_mono_ms(), said, &e);
    if (rc != OK && rc != ERR_CANCELLED) log_err(LOG_WARN, &e, "the model could not speak");
    if (rc != OK || !said[0]) return;
    pthread_mutex_lock(&w->lock);
    memcpy(w->progress.said, said, sizeof said);
    w->progress.said_round = round;
    pthread_mutex_unlock(&w->lock);
}

/* --- training ----------------------------------------------------------------------------------- */

static void count_step(struct work *w, const struct walk *at, const struct trainer_step_result *r)
{
    struct journal *j = &w->state.journal;
    ++*at->n_steps;
    *at->n_tokens += r->n_tokens;
    j->total_tokens += r->n_tokens;
    *at->loss_sum += r->loss;
    *at->busy_ns += r->busy_ns;
    double now = r->busy_ns > 0 ? (double)r->n_tokens * 1e9 / (double)r->busy_ns : (double)NAN;
    pthread_mutex_lock(&w->lock);
    struct work_progress *p = &w->progress;
    p->journal = *j;
    p->loss = r->loss;
    if (!(p->loss_best <= r->loss)) p->loss_best = r->loss;
    p->tok_per_s = isnan(p->tok_per_s) ? now : 0.8 * p->tok_per_s + 0.2 * now;
    p->ms_train = *at->busy_ns / 1000000;
    p->n_steps_ever++;
    pthread_mutex_unlock(&w->lock);
}

/* Without a voice the agent trains all the same. */
static void open_voice(struct work *w)
{
    struct err e = {0};
    struct speak *s = NULL;
    if (speak_create(w->config.run, w->run_dir, &s, &e) != OK)
        log_err(LOG_WARN, &e, "the model will say nothing");
    pthread_mutex_lock(&w->lock);
    w->speak = s;
    pthread_mutex_unlock(&w->lock);
}

static void show_trainer(struct work *w, struct trainer *t)
{
    pthread_mutex_lock(&w->lock);
    w->gated = t;
    w->progress.is_released = !t;
    if (t) snprintf(w->progress.engine, sizeof w->progress.engine, "%s", trainer_class(t));
    set_limit(w);
    set_gate(w);
    pthread_mutex_unlock(&w->lock);
}

static int open_state(struct work *w, char *said, size_t said_cap, struct err *e)
{
    const struct work_config *c = &w->config;
    const struct trainer_options how = {.n_threads = c->n_threads,
                                        .precision = c->precision,
                                        .moments = c->moments,
                                        .feedback = c->feedback,
                                        .recompute = c->recompute};
    int rc = work_state_open(&w->state, c->run, w->run_dir, &how, c->chosen, said, said_cap, e);
    if (rc != OK) return rc;
    open_voice(w);
    show_trainer(w, w->state.trainer);
    return OK;
}

/* All that training needs goes back to the system; the state is on disk. */
static void give_back(struct work *w)
{
    struct speak *s = w->speak;
    show_trainer(w, NULL);
    pthread_mutex_lock(&w->lock);
    w->speak = NULL;
    pthread_mutex_unlock(&w->lock);
    speak_destroy(s);
    work_state_close(&w->state);
    malloc_trim(0);
    log_info("the trainer's memory was given back");
}

/* And comes again: the same model at the same place, or an error that changes nothing: neither is
 * another model worked on, nor is it saved over what may still be there.
 */
static int take_back(struct work *w, struct err *e)
{
    char said[192];
    struct journal was = w->state.journal;
    struct hash base = w->state.base;
    if (w->state.trainer) return OK;
    int rc = open_state(w, said, sizeof said, e);
    if (rc != OK) {
        work_state_close(&w->state);
        return rc;
    }
    const struct journal *j = &w->state.journal;
    if (j->model_round == was.model_round && j->n_steps == was.n_steps &&
        j->ahead_steps == was.ahead_steps && hash_equal(&w->state.base, &base))
        return OK;
    give_back(w);
    w->state.journal = was;
    w->state.base = base;
    err_set(e, ERR_AUTH, 0, "the saved state is not the one that was put away: %.90s", said);
    err_hint(e, "`potluck stop`, then start again: it goes on from the run's newest model");
    return ERR_AUTH;
}

/* Wait, with the lock held, while paused; memory that is asked back meanwhile is given. can_give: the
 * state on disk is this one.
 */
static void wait_at_gate(struct work *w, bool can_give)
{
    if (can_give && w->is_paused && w->is_releasing && w->state.trainer) {
        pthread_mutex_unlock(&w->lock);
        give_back(w);
        pthread_mutex_lock(&w->lock);
        return;
    }
    pthread_cond_wait(&w->more, &w->lock);
}

static bool save_here(struct work *w)
{
    struct err e = {0};
    int rc = work_state_save(&w->state, &e);
    if (rc != OK) log_err(LOG_WARN, &e, "saving while paused");
    publish(w);
    return rc == OK;
}

/* The step was cancelled. A pause that lasts: save, then sleep until the gate opens. */
static int rest(struct work *w, struct err *e)
{
    if (is_stopped(w)) return ERR_CANCELLED;
    bool is_saved = save_here(w);
    pthread_mutex_lock(&w->lock);
    while (w->is_paused && !w->is_halted && !w->must_end)
        wait_at_gate(w, is_saved);
    bool go_on = !w->is_halted && !w->must_end;
    pthread_mutex_unlock(&w->lock);
    return go_on ? take_back(w, e) : ERR_CANCELLED;
}

static void save_at_interval(struct work *w)
{
    if (clock_mono_ms() - w->state.saved_at_ms < w->config.save_every_ms) return;
    struct err e = {0};
    if (work_state_save(&w->state, &e) != OK) {
        log_err(LOG_WARN, &e, "saving the local state");
        w->state.saved_at_ms = clock_mono_ms(); /* not again at every step */
    }
    publish(w);
}

static bool is_ahead(const struct work *w, const struct work_order *o)
{
    return w->state.trainer && o->kind == WORK_TRAIN &&
           o->round == w->state.journal.model_round + 1 && trainer_is_ahead(w->state.trainer);
}

static void diverged(struct work *w, bool ahead)
{
    if (ahead)
        work_state_give_up_ahead(&w->state);
    else
        work_state_give_up(&w->state);
}

static int train(struct work *w, const struct work_order *o, struct err *e)
{
    struct journal *j = &w->state.journal;
    bool ahead = is_ahead(w, o);
    if (o->round != j->model_round && !ahead)
        return err_set(e, ERR_WRONG_STATE, 0, "asked to train a round that is not held");
    if (!ahead) j->is_round_done = false;
    w->is_new_phase = true;
    struct walk at = walk_of(j, ahead);
    struct assign_space space;
    int rc = ready_text(w, &space, e);
    if (rc == OK && !ahead) rc = work_state_watch(&w->state, e);
    while (rc == OK && *at.n_steps < o->n_steps) {
        if (*at.n_steps > 0 && clock_mono_ms() >= o->until_ms) break;
        if (is_stopped(w)) return ERR_CANCELLED;
        rc = gather(w, &space, &at, e);
        if (rc != OK) break;
        struct trainer_step_result r;
        /* Before each step: the trainer may be another one since a pause (take_back). */
        trainer_set_rates(w->state.trainer, o->terms.lr, o->terms.outer_lr);
        uint64_t i_step = course_schedule_step(&o->terms, *at.n_steps);
        rc = trainer_step(w->state.trainer, w->tokens, i_step, &r, e);
        if (rc == ERR_CANCELLED) {
            rc = rest(w, e);
            continue;
        }
        if (rc == ERR_LIMIT) diverged(w, ahead);
        if (rc != OK) break;
        count_step(w, &at, &r);
        if (w->speak) speak_trained(w->speak, r.busy_ns);
        ask_tokenizer(w);
        save_at_interval(w);
    }
    return rc;
}

/* --- orders ------------------------------------------------------------------------------------- */

static int carry_out(struct work *w, struct work_order *o, struct err *e)
{
    int64_t t0 = clock_mono_ms();
    int rc = OK;
    switch (o->kind) {
    case WORK_TRAIN: rc = train(w, o, e); break;
    case WORK_PACK: rc = work_state_pack(&w->state, e); break;
    case WORK_FOLD: rc = work_state_fold(&w->state, e); break;
    case WORK_RETURN: rc = work_state_return(&w->state, e); break;
    case WORK_APPLY:
        trainer_set_rates(w->state.trainer, o->terms.lr, o->terms.outer_lr);
        rc = work_state_apply(&w->state, o->bytes.p, o->bytes.len, e);
        break;
    case WORK_LOAD:
        rc = work_state_load(&w->state, o->round, o->bytes.p, o->bytes.len, e);
        if (rc == OK && o->is_anew) trainer_forget(w->state.trainer);
        break;
    case WORK_STOP: rc = work_state_save(&w->state, e); break;
    case WORK_OPEN: break;
    }
    int64_t ms = clock_mono_ms() - t0;
    pthread_mutex_lock(&w->lock);
    if (o->kind == WORK_PACK) w->progress.ms_pack = ms;
    if (o->kind == WORK_APPLY) w->progress.ms_apply = ms;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static void answer(struct work *w, struct work_order *o)
{
    struct work_news n = {.kind = WORK_DONE, .order = o->kind, .tag = o->tag};
    bool is_put_away = o->kind == WORK_STOP && !w->state.trainer; /* and saved before that */
    int rc = is_put_away ? OK : take_back(w, &n.err);
    n.is_ahead = is_ahead(w, o);
    if (rc == OK && !is_put_away) rc = carry_out(w, o, &n.err);
    n.is_halted = rc == ERR_CANCELLED;
    if (rc != OK && rc != ERR_CANCELLED) n.kind = WORK_FAILED;
    n.journal = w->state.journal;
    n.base = w->state.base;
    buf_deinit(&o->bytes);
    publish(w);
    tell(w, &n);
    if (o->kind == WORK_APPLY && rc == OK) speak_now(w); /* nobody waits for it */
}

/* A thread of a guest: the disk, too, is for others first. */
static void be_modest(void)
{
    enum { WHO_THREAD = 1, BEST_EFFORT_LAST = (2 << 13) | 7 };
    (void)syscall(SYS_ioprio_set, WHO_THREAD, 0, BEST_EFFORT_LAST);
}

static bool open_all(struct work *w)
{
    const struct work_config *c = &w->config;
    struct work_news n = {.kind = WORK_DONE, .order = WORK_OPEN};
    size_t n_tokens = size_mul(c->run->train.batch_seqs, (size_t)c->run->train.seq_len + 1);
    be_modest();
    w->tokens = alloc_zero(n_tokens, sizeof *w->tokens);
    int rc = w->tokens ? OK : err_set(&n.err, ERR_NOMEM, 0, "no memory for a batch of text");
    if (rc == OK) rc = chunks_create(w->cache_dir, c->run, c->quota_bytes, &w->chunks, &n.err);
    if (rc == OK) rc = open_state(w, n.said, sizeof n.said, &n.err);
    if (rc == OK) {
        n.journal = w->state.journal;
        n.base = w->state.base;
        n.is_fresh = w->state.is_fresh;
        n.is_empty = w->state.is_empty;
        publish(w);
    } else {
        n.kind = WORK_FAILED;
    }
    tell(w, &n);
    return rc == OK;
}

/* Nothing is ordered, the lock is held: sleep, or give memory back first. */
static void idle(struct work *w, bool is_open)
{
    bool wants = is_open && w->is_paused && w->is_releasing && w->state.trainer;
    bool is_saved = false;
    if (wants) {
        w->is_releasing = false; /* once: a disk that fails is not asked again and again */
        pthread_mutex_unlock(&w->lock);
        is_saved = save_here(w);
        pthread_mutex_lock(&w->lock);
        w->is_releasing = is_saved && w->is_paused;
        if (!w->is_releasing) return; /* what was said meanwhile woke nobody: look first */
    }
    wait_at_gate(w, is_saved);
}

static void *run(void *ctx)
{
    struct work *w = ctx;
    bool is_open = open_all(w);
    pthread_mutex_lock(&w->lock);
    while (!w->must_end) {
        if (w->n_fed && is_open) {
            pthread_mutex_unlock(&w->lock);
            digest(w);
            pthread_mutex_lock(&w->lock);
            continue;
        }
        if (w->n_orders == 0 || !is_open) {
            idle(w, is_open);
            continue;
        }
        struct work_order o = w->orders[0];
        w->orders[0] = w->orders[--w->n_orders];
        pthread_mutex_unlock(&w->lock);
        answer(w, &o);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* --- the main thread's side --------------------------------------------------------------------- */

int work_create(const struct work_config *c, struct work **ret, struct err *e)
{
    struct work *w = alloc_zero(1, sizeof *w);
    if (!w) return err_set(e, ERR_NOMEM, 0, "no memory for the trainer");
    w->config = *c;
    w->progress.loss = (double)NAN;
    w->progress.loss_best = (double)NAN;
    w->progress.tok_per_s = (double)NAN;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    int rc = OK;
    if (path_format(w->run_dir, "%s", c->run_dir) || path_format(w->cache_dir, "%s", c->cache_dir))
        rc = err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    int sys = rc == OK ? pthread_create(&w->thread, NULL, run, w) : 0;
    if (sys) rc = err_set(e, ERR_IO, sys, "cannot start the trainer's thread");
    w->has_thread = rc == OK;
    if (rc != OK) {
        work_destroy(w);
        return rc;
    }
    *ret = w;
    return OK;
}

void work_destroy(struct work *w)
{
    if (!w) return;
    if (w->has_thread) {
        pthread_mutex_lock(&w->lock);
        w->must_end = true;
        w->is_idle_priority = false;
        set_limit(w);
        set_gate(w);
        pthread_cond_broadcast(&w->more);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    for (uint32_t i = 0; i < w->n_orders; i++)
        buf_deinit(&w->orders[i].bytes);
    for (uint32_t i = 0; i < w->n_fed; i++)
        buf_deinit(&w->fed[i].bytes);
    chunks_destroy(w->chunks);
    speak_destroy(w->speak);
    work_state_close(&w->state);
    free(w->tokens);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void work_order(struct work *w, struct work_order *o)
{
    pthread_mutex_lock(&w->lock);
    check(w->n_orders < N_ORDERS);
    w->orders[w->n_orders++] = *o;
    o->bytes = (struct buf){0};
    w->is_halted = o->kind == WORK_STOP;                   /* whatever still runs ends first */
    if (o->kind == WORK_STOP) w->is_idle_priority = false; /* somebody waits for the last save */
    if (o->kind == WORK_STOP) set_limit(w);
    set_gate(w);
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
}

void work_halt(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_halted = true;
    set_gate(w);
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
}

void work_gate(struct work *w, bool is_paused)
{
    pthread_mutex_lock(&w->lock);
    w->is_paused = is_paused;
    w->is_parking = false;
    w->is_releasing = w->is_releasing && is_paused;
    set_gate(w);
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
}

void work_park(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_parking = true;
    set_gate(w);
    pthread_mutex_unlock(&w->lock);
}

void work_release(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_releasing = w->is_paused;
    set_gate(w);
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
}

void work_rest(struct work *w, bool is_resting)
{
    pthread_mutex_lock(&w->lock);
    w->is_resting = is_resting;
    set_gate(w);
    pthread_mutex_unlock(&w->lock);
}

void work_limit(struct work *w, uint32_t n_threads, bool is_idle_priority)
{
    pthread_mutex_lock(&w->lock);
    w->n_limit = n_threads;
    w->is_idle_priority = is_idle_priority;
    set_limit(w);
    pthread_mutex_unlock(&w->lock);
}

void work_feed(struct work *w, const struct chunks_want *want_, struct buf *bytes)
{
    pthread_mutex_lock(&w->lock);
    check(w->n_fed < N_FED); /* never more than are asked for */
    w->fed[w->n_fed++] = (struct fed){*want_, *bytes};
    *bytes = (struct buf){0};
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
}

bool work_take(struct work *w, struct work_news *ret)
{
    pthread_mutex_lock(&w->lock);
    bool has = w->n_news > 0;
    if (has) {
        *ret = w->news[w->i_news];
        w->i_news = (w->i_news + 1) % N_NEWS;
        w->n_news--;
    }
    pthread_mutex_unlock(&w->lock);
    return has;
}

void work_progress_copy(struct work *w, struct work_progress *ret)
{
    pthread_mutex_lock(&w->lock);
    *ret = w->progress;
    pthread_mutex_unlock(&w->lock);
}
