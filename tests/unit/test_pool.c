#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/pool.h"
#include "tests/check.h"

enum { N = 500 };

struct work {
    struct pool *pool;
    atomic_int hits[N];
    atomic_uint n_done;
    atomic_uint worst_worker;
    uint32_t cancel_at; /* piece that cancels the pool; N: none */
    int rc;
};

static void piece_fn(void *ctx, uint32_t piece, uint32_t i_worker)
{
    struct work *w = ctx;
    atomic_fetch_add(&w->hits[piece], 1);
    if (i_worker > atomic_load(&w->worst_worker)) atomic_store(&w->worst_worker, i_worker);
    if (piece == w->cancel_at) pool_gate(w->pool, POOL_CANCEL);
    atomic_fetch_add(&w->n_done, 1);
}

static struct work *make(uint32_t n_threads)
{
    struct work *w = calloc(1, sizeof *w);
    w->cancel_at = N;
    assert_int_equal(pool_create(n_threads, &w->pool, NULL), OK);
    return w;
}

static void unmake(struct work *w)
{
    pool_destroy(w->pool);
    free(w);
}

static void pool_runs_every_piece_exactly_once(void **state)
{
    (void)state;
    for (uint32_t n_threads = 1; n_threads <= 4; n_threads++) {
        struct work *w = make(n_threads);
        for (int again = 1; again <= 20; again++) {
            assert_int_equal(pool_begin(w->pool), OK);
            pool_run(w->pool, N, piece_fn, w);
            for (int i = 0; i < N; i++)
                assert_int_equal(atomic_load(&w->hits[i]), again);
        }
        assert_true(atomic_load(&w->worst_worker) < n_threads);
        unmake(w);
    }
}

static void pool_refuses_unusable_thread_counts(void **state)
{
    (void)state;
    struct pool *p = NULL;
    struct err e = {0};
    assert_int_equal(pool_create(0, &p, &e), ERR_ARG);
    assert_int_equal(pool_create(POOL_MAX_THREADS + 1, &p, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "65"));
    assert_null(p);
}

static void pool_cancel_skips_the_rest_and_lasts_until_run(void **state)
{
    (void)state;
    struct work *w = make(2);
    w->cancel_at = 10;
    assert_int_equal(pool_begin(w->pool), OK);
    pool_run(w->pool, N, piece_fn, w);
    assert_true(pool_cancelled(w->pool));
    assert_true(atomic_load(&w->n_done) < N);
    unsigned n_done = atomic_load(&w->n_done);
    pool_run(w->pool, N, piece_fn, w);
    assert_int_equal(atomic_load(&w->n_done), n_done);
    assert_int_equal(pool_begin(w->pool), ERR_CANCELLED);
    pool_gate(w->pool, POOL_RUN);
    assert_int_equal(pool_begin(w->pool), OK);
    unmake(w);
}

static void pool_protected_work_ends_despite_cancel(void **state)
{
    (void)state;
    struct work *w = make(2);
    w->cancel_at = 10;
    assert_int_equal(pool_begin(w->pool), OK);
    pool_protect(w->pool, true);
    pool_run(w->pool, N, piece_fn, w);
    pool_protect(w->pool, false);
    assert_int_equal(atomic_load(&w->n_done), N);
    assert_int_equal(pool_begin(w->pool), ERR_CANCELLED);
    unmake(w);
}

/* ---- a paused pool uses no processor ---- */

static void slow_piece(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    struct work *w = ctx;
    volatile unsigned x = piece;
    for (int i = 0; i < 20000; i++)
        x = x * 3 + 1;
    atomic_fetch_add(&w->n_done, 1);
}

static void *own_pool(void *arg)
{
    struct work *w = arg;
    w->rc = pool_begin(w->pool);
    for (int i = 0; i < 40; i++)
        pool_run(w->pool, N, slow_piece, w);
    return NULL;
}

/* True when every thread of this process but the caller sleeps ('S' in its stat line). */
static int others_sleep(void)
{
    int all = 1;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    struct dirent *x = NULL;
    while ((x = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): nobody else reads d */
        char path[300];
        char line[256] = {0};
        if (x->d_name[0] == '.' || atoi(x->d_name) == gettid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", x->d_name);
        FILE *f = fopen(path, "r");
        if (!f) continue;
        size_t n = fread(line, 1, sizeof line - 1, f);
        fclose(f);
        const char *end = n ? strrchr(line, ')') : NULL;
        all &= end && end[2] == 'S';
    }
    closedir(d);
    return all;
}

static void wait_until_others_sleep(void)
{
    for (int in_a_row = 0; in_a_row < 50;) {
        in_a_row = others_sleep() ? in_a_row + 1 : 0;
        sched_yield();
    }
}

static long long cpu_ns(clockid_t clock)
{
    struct timespec t;
    assert_int_equal(clock_gettime(clock, &t), 0);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void pool_paused_uses_no_processor_and_then_goes_on(void **state)
{
    (void)state;
    struct work *w = make(3);
    pthread_t owner;
    clockid_t clock;
    assert_int_equal(pthread_create(&owner, NULL, own_pool, w), 0);
    assert_int_equal(pthread_getcpuclockid(owner, &clock), 0);
    while (atomic_load(&w->n_done) < 100)
        sched_yield();
    pool_gate(w->pool, POOL_PAUSE);
    wait_until_others_sleep();
    unsigned n_done = atomic_load(&w->n_done);
    long long used = cpu_ns(clock);
    long long own = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    while (cpu_ns(CLOCK_THREAD_CPUTIME_ID) - own < 5000000)
        assert_true(others_sleep());
    assert_true(n_done < 40 * N);
    assert_int_equal(atomic_load(&w->n_done), n_done);
    assert_int_equal(cpu_ns(clock), used);
    assert_true(pool_paused_ns(w->pool) > 0);
    pool_gate(w->pool, POOL_RUN);
    pthread_join(owner, NULL);
    assert_int_equal(w->rc, OK);
    assert_int_equal(atomic_load(&w->n_done), 40 * N);
    unmake(w);
}

static void pool_cancel_wakes_a_paused_pool(void **state)
{
    (void)state;
    struct work *w = make(3);
    pthread_t owner;
    assert_int_equal(pthread_create(&owner, NULL, own_pool, w), 0);
    while (atomic_load(&w->n_done) < 100)
        sched_yield();
    pool_gate(w->pool, POOL_PAUSE);
    wait_until_others_sleep();
    pool_gate(w->pool, POOL_CANCEL);
    pthread_join(owner, NULL);
    assert_true(pool_cancelled(w->pool));
    assert_true(atomic_load(&w->n_done) < 40 * N);
    unmake(w);
}

static void note_worker(void *ctx, uint32_t piece, uint32_t i_worker)
{
    atomic_uint *most = ctx;
    unsigned was = atomic_load(most);
    (void)piece;
    while (i_worker > was && !atomic_compare_exchange_weak(most, &was, i_worker))
        ;
    sched_yield();
}

static void pool_limit_is_kept_and_can_be_raised_again(void **state)
{
    (void)state;
    struct pool *p = NULL;
    atomic_uint most = 0;
    assert_int_equal(pool_create(4, &p, NULL), OK);
    pool_idle_priority(p, true);
    pool_idle_priority(p, false);
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t limit = i % 5; /* 0 counts as 1, 5 would be all */
        pool_limit(p, limit);
        atomic_store(&most, 0);
        pool_run(p, 40, note_worker, &most);
        assert_true(atomic_load(&most) < (limit ? limit : 1));
    }
    pool_limit(p, 1);
    pool_run(p, 40, note_worker, &most);
    pool_destroy(p); /* with its workers asleep above the limit */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_runs_every_piece_exactly_once),
        cmocka_unit_test(pool_refuses_unusable_thread_counts),
        cmocka_unit_test(pool_cancel_skips_the_rest_and_lasts_until_run),
        cmocka_unit_test(pool_protected_work_ends_despite_cancel),
        cmocka_unit_test(pool_paused_uses_no_processor_and_then_goes_on),
        cmocka_unit_test(pool_cancel_wakes_a_paused_pool),
        cmocka_unit_test(pool_limit_is_kept_and_can_be_raised_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
