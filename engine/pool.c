#include "engine/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"

/* A worker that finds no work looks again this often before it sleeps: within a step the next
 * parallel-for comes some microseconds later, and a futex round trip costs more than that. The
 * bound (some 60 us) keeps an idle pool at zero.
 */
enum { SPINS = 4000, ROUND_STEP = POOL_MAX_THREADS };

struct worker {
    struct pool *pool;
    uint32_t i;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a new parallel-for, or the end */
    pthread_cond_t more; /* the limit was raised, or the end */
    pthread_cond_t done; /* the last worker left the parallel-for */
    pthread_cond_t open; /* the gate moved away from PAUSE */
    uint32_t n_threads;
    uint32_t n_started;
    unsigned char *scratch; /* [n_threads][POOL_SCRATCH_BYTES] */
    pthread_t threads[POOL_MAX_THREADS];
    struct worker workers[POOL_MAX_THREADS];

    /* One parallel-for. fn, ctx and n change only while no worker is inside (n_inside == 0) and
     * are published by the release store of `round`.
     */
    pool_fn fn;
    void *ctx;
    uint32_t n;
    _Atomic uint32_t next;
    _Atomic uint64_t
        round; /* its number, and below it how many helpers take part: one word, so that
                             * a worker that was asleep never mixes the two */
    _Atomic uint32_t n_most; /* helpers that may take part; written under lock */
    _Atomic uint32_t n_inside;
    bool quit; /* under lock */

    _Atomic int gate;
    atomic_bool cancelled;
    atomic_bool protect;
    int64_t paused_at; /* under lock; 0 when the gate is open */
    int64_t paused_ns; /* under lock */
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

void pool_wait(struct pool *p)
{
    if (atomic_load_explicit(&p->gate, memory_order_acquire) != POOL_PAUSE) return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->gate) == POOL_PAUSE)
        pthread_cond_wait(&p->open, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

bool pool_go(struct pool *p)
{
    pool_wait(p);
    int gate = atomic_load_explicit(&p->gate, memory_order_acquire);
    if (gate == POOL_CANCEL && !atomic_load(&p->protect)) atomic_store(&p->cancelled, true);
    return !atomic_load_explicit(&p->cancelled, memory_order_relaxed);
}

static void take_pieces(struct pool *p, uint32_t i_worker)
{
    while (pool_go(p)) {
        uint32_t piece = atomic_fetch_add(&p->next, 1);
        if (piece >= p->n) return;
        p->fn(p->ctx, piece, i_worker);
    }
}

static bool takes_part(uint64_t round, uint32_t i_worker)
{
    return i_worker <= round % ROUND_STEP;
}

/* Wait until the round differs from `seen`; returns the new one, or `seen` at the end. A worker above
 * the limit sleeps where no new round wakes it; one that counts it cannot be missed, for a round and
 * the limit it was made with change under the lock.
 */
static uint64_t next_round(struct pool *p, uint64_t seen, uint32_t i_worker)
{
    for (int i = 0; i < SPINS && i_worker <= atomic_load_explicit(&p->n_most, memory_order_relaxed);
         i++) {
        uint64_t now = atomic_load_explicit(&p->round, memory_order_acquire);
        if (now != seen) return now;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    uint64_t now = atomic_load(&p->round);
    while (!p->quit && (now == seen || !takes_part(now, i_worker))) {
        bool is_over = i_worker > atomic_load(&p->n_most);
        pthread_cond_wait(is_over ? &p->more : &p->work, &p->lock);
        now = atomic_load(&p->round);
    }
    if (p->quit && !takes_part(now, i_worker)) now = seen;
    pthread_mutex_unlock(&p->lock);
    return now;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;
    uint64_t seen = 0;
    for (;;) {
        uint64_t now = next_round(p, seen, w->i);
        if (now == seen) return NULL;
        seen = now;
        if (!takes_part(now, w->i)) continue;
        take_pieces(p, w->i);
        if (atomic_fetch_sub(&p->n_inside, 1) == 1) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

void pool_run(struct pool *p, uint32_t n, pool_fn fn, void *ctx)
{
    if (n == 0) return;
    p->fn = fn;
    p->ctx = ctx;
    p->n = n;
    atomic_store(&p->next, 0);
    if (n == 1 || atomic_load(&p->n_most) == 0) {
        take_pieces(p, 0);
        return;
    }
    pthread_mutex_lock(&p->lock);
    uint32_t n_helpers = atomic_load(&p->n_most);
    atomic_store(&p->n_inside, n_helpers);
    uint64_t number = atomic_load(&p->round) / ROUND_STEP + 1;
    atomic_store_explicit(&p->round, number * ROUND_STEP + n_helpers, memory_order_release);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    take_pieces(p, 0);
    for (int i = 0; i < SPINS && atomic_load(&p->n_inside); i++)
        relax();
    if (atomic_load(&p->n_inside) == 0) return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->n_inside))
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void pool_limit(struct pool *p, uint32_t n_threads)
{
    uint32_t n = n_threads > 0 ? n_threads - 1 : 0;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->n_most, n < p->n_started ? n : p->n_started);
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
}

void pool_idle_priority(struct pool *p, bool on)
{
    struct sched_param none = {0};
    for (uint32_t i = 0; i < p->n_started; i++)
        (void)pthread_setschedparam(p->threads[i], on ? SCHED_IDLE : SCHED_OTHER, &none);
}

void pool_gate(struct pool *p, enum pool_gate gate)
{
    int64_t now = clock_mono_ns();
    pthread_mutex_lock(&p->lock);
    if (gate == POOL_PAUSE && !p->paused_at) p->paused_at = now;
    if (gate != POOL_PAUSE && p->paused_at) {
        p->paused_ns += now - p->paused_at;
        p->paused_at = 0;
    }
    atomic_store(&p->gate, (int)gate);
    if (gate != POOL_PAUSE) pthread_cond_broadcast(&p->open);
    pthread_mutex_unlock(&p->lock);
}

int64_t pool_paused_ns(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    int64_t ns = p->paused_ns + (p->paused_at ? clock_mono_ns() - p->paused_at : 0);
    pthread_mutex_unlock(&p->lock);
    return ns;
}

int pool_begin(struct pool *p)
{
    atomic_store(&p->cancelled, false);
    return pool_go(p) ? OK : ERR_CANCELLED;
}

bool pool_cancelled(const struct pool *p)
{
    return atomic_load(&p->cancelled);
}

void pool_protect(struct pool *p, bool on)
{
    atomic_store(&p->protect, on);
}

void *pool_scratch(const struct pool *p, uint32_t i_worker)
{
    return p->scratch + (size_t)i_worker * POOL_SCRATCH_BYTES;
}

uint32_t pool_threads(const struct pool *p)
{
    return p->n_threads;
}

int pool_create(uint32_t n_threads, struct pool **ret, struct err *e)
{
    if (n_threads < 1 || n_threads > POOL_MAX_THREADS) {
        err_set(e, ERR_ARG, 0, "the number of threads must be 1 to %d, not %u", POOL_MAX_THREADS,
                n_threads);
        err_hint(e, "one thread per processor core is a good choice");
        return ERR_ARG;
    }
    struct pool *p = alloc_zero(1, sizeof *p);
    if (p) p->scratch = alloc_aligned(n_threads, POOL_SCRATCH_BYTES);
    if (!p || !p->scratch) {
        free(p);
        return err_set(e, ERR_NOMEM, 0, "out of memory for the worker pool");
    }
    p->n_threads = n_threads;
    atomic_store(&p->n_most, n_threads - 1); /* before any worker looks at it */
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->more, NULL);
    pthread_cond_init(&p->done, NULL);
    pthread_cond_init(&p->open, NULL);
    while (p->n_started + 1 < n_threads) {
        uint32_t i = p->n_started;
        p->workers[i] = (struct worker){.pool = p, .i = i + 1};
        int sys = pthread_create(&p->threads[i], NULL, worker_main, &p->workers[i]);
        if (sys) {
            pool_destroy(p);
            err_set(e, ERR_NOMEM, sys, "cannot start worker thread %u of %u", i + 1, n_threads);
            err_hint(e, "use fewer threads, or raise the limit on processes (ulimit -u)");
            return ERR_NOMEM;
        }
        p->n_started++;
    }
    *ret = p;
    return OK;
}

void pool_destroy(struct pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->work);
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (uint32_t i = 0; i < p->n_started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->more);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->open);
    pthread_mutex_destroy(&p->lock);
    free(p->scratch);
    free(p);
}
