/* The trainer's thread: what a pause that gives the memory back must not change. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "client/work.h"
#include "engine/data.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

#define T           16
#define VOCAB       32
#define N_CHUNKS    4
#define INDEX_BYTES (72 + 32 * N_CHUNKS)

struct rig {
    char dir[PATH_CAP], run_dir[PATH_CAP], cache[PATH_CAP];
    struct rundesc run;
    struct buf shard;
    struct work *work;
    pthread_mutex_t lock;
    pthread_cond_t told;
    int n_told;
};

static void wake(void *ctx)
{
    struct rig *r = ctx;
    pthread_mutex_lock(&r->lock);
    r->n_told++;
    pthread_cond_signal(&r->told);
    pthread_mutex_unlock(&r->lock);
}

static void feed(struct rig *r, const struct chunks_want *w)
{
    struct buf b = {0};
    size_t from = w->is_index ? 0 : INDEX_BYTES + (size_t)w->chunk * 2 * DATA_CHUNK_TOKENS;
    if (w->is_tokenizer) return;
    buf_put(&b, r->shard.p + from, w->is_index ? INDEX_BYTES : w->n_bytes);
    work_feed(r->work, w, &b);
}

/* News of an order; the text that is wanted meanwhile is given. */
static struct work_news wait_for(struct rig *r, enum work_kind kind)
{
    for (;;) {
        struct work_news n;
        pthread_mutex_lock(&r->lock);
        while (r->n_told == 0)
            pthread_cond_wait(&r->told, &r->lock);
        r->n_told--;
        pthread_mutex_unlock(&r->lock);
        if (!work_take(r->work, &n)) continue;
        if (n.kind != WORK_WANTS) {
            assert_int_equal(n.order, kind);
            return n;
        }
        feed(r, &n.want);
    }
}

static struct work_news order(struct rig *r, enum work_kind kind)
{
    struct work_order o = {.kind = kind, .tag = 1};
    work_order(r->work, &o);
    return wait_for(r, kind);
}

static void open_work(struct rig *r, const char *name)
{
    assert_int_equal(path_format(r->run_dir, "%s/%s", r->dir, name), 0);
    assert_int_equal(path_format(r->cache, "%s/text", r->dir), 0);
    assert_int_equal(file_mkdirs(r->run_dir, NULL), OK);
    struct work_config c = {.run = &r->run,
                            .run_dir = r->run_dir,
                            .cache_dir = r->cache,
                            .quota_bytes = 1 << 24,
                            .n_threads = 1,
                            .save_every_ms = 1000000,
                            .wake = wake,
                            .ctx = r};
    assert_int_equal(work_create(&c, &r->work, NULL), OK);
    assert_int_equal(wait_for(r, WORK_OPEN).kind, WORK_DONE);
}

static void close_work(struct rig *r)
{
    work_destroy(r->work);
    r->work = NULL;
    r->n_told = 0;
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    char path[PATH_CAP];
    uint64_t n = (uint64_t)N_CHUNKS * DATA_CHUNK_TOKENS;
    uint32_t *tokens = malloc(n * sizeof *tokens);
    struct hash tokenizer = hash_of("t", 1);
    assert_true(r && tokens);
    scratch_make(r->dir);
    path_format(path, "%s/shard", r->dir);
    for (uint64_t i = 0; i < n; i++)
        tokens[i] = (uint32_t)(i * 7 + i / 5) % VOCAB;
    assert_int_equal(
        data_shard_write(path, tokens, n, 3 * n, VOCAB, &tokenizer, &r->run.train_shards[0], NULL),
        OK);
    free(tokens);
    assert_int_equal(file_read(path, 1 << 24, &r->shard, NULL), OK);
    r->run.id = hash_of("run", 3);
    r->run.n_train_shards = 1;
    r->run.train_index_bytes[0] = INDEX_BYTES;
    r->run.model = (struct model_config){.vocab_size = VOCAB,
                                         .hidden_size = 16,
                                         .intermediate_size = 32,
                                         .num_hidden_layers = 1,
                                         .num_attention_heads = 2,
                                         .num_key_value_heads = 2,
                                         .max_position_embeddings = T,
                                         .rms_norm_eps = 1e-5,
                                         .rope_theta = 10000,
                                         .initializer_range = 0.02,
                                         .tie_word_embeddings = true};
    r->run.train = (struct train_params){
        .seq_len = T,
        .batch_seqs = 2,
        .lr = 1e-2,
        .lr_min_frac = 0.1,
        .warmup_steps = 1,
        .total_steps = 100,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 1,
        .ef_beta = 0.95,
        .outer_lr = 0.7,
        .delta = {.chunk = 64, .k = 8}
    };
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->told, NULL);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    work_destroy(r->work);
    pthread_cond_destroy(&r->told);
    pthread_mutex_destroy(&r->lock);
    buf_deinit(&r->shard);
    scratch_remove(r->dir);
    free(r);
    return 0;
}

/* Paused, and all memory given back. */
static void put_away(struct rig *r)
{
    struct work_progress p;
    work_gate(r->work, true);
    work_release(r->work);
    do {
        usleep(1000);
        work_progress_copy(r->work, &p);
    } while (!p.is_released);
}

/* Five steps by changed rates. Those of the run itself are ten times as large. */
static void order_steps(struct rig *r)
{
    struct work_order o = {.kind = WORK_TRAIN, .tag = 1, .n_steps = 5, .until_ms = INT64_MAX};
    o.terms = (struct course_terms){.inner_steps = 5, .lr = 1e-3, .outer_lr = 0.7};
    work_order(r->work, &o);
}

static void work_takes_the_rounds_rates_after_its_memory_came_back(void **state)
{
    struct rig *r = *state;
    double loss[2];
    for (int i = 0; i < 2; i++) {
        open_work(r, i ? "b" : "a");
        if (i) work_gate(r->work, true);
        order_steps(r);
        if (i) { /* its first step gives way; text comes meanwhile */
            struct work_progress p = {0};
            work_release(r->work);
            while (!p.is_released) {
                struct work_news n;
                while (work_take(r->work, &n))
                    if (n.kind == WORK_WANTS) feed(r, &n.want);
                usleep(1000);
                work_progress_copy(r->work, &p);
            }
            work_gate(r->work, false);
        }
        struct work_news n = wait_for(r, WORK_TRAIN);
        assert_int_equal(n.kind, WORK_DONE);
        assert_int_equal(n.journal.n_steps, 5);
        loss[i] = n.journal.loss_sum;
        close_work(r);
    }
    assert_true(loss[0] == loss[1]);
}

static void work_refuses_another_model_than_was_put_away_until_it_is_started_anew(void **state)
{
    struct rig *r = *state;
    char path[PATH_CAP];
    open_work(r, "a");
    order_steps(r);
    struct journal was = wait_for(r, WORK_TRAIN).journal;
    put_away(r);
    assert_int_equal(path_format(path, "%s/state", r->run_dir), 0);
    assert_int_equal(unlink(path), 0);
    work_gate(r->work, false);
    for (int i = 0; i < 2; i++) {
        struct work_news n = order(r, WORK_PACK);
        assert_int_equal(n.kind, WORK_FAILED);
        assert_int_equal(n.err.code, ERR_AUTH);
        assert_int_equal(n.journal.n_steps, was.n_steps);
        assert_false(n.journal.has_payload);
        assert_false(file_exists(path));
    }
    assert_int_equal(order(r, WORK_STOP).kind, WORK_DONE);
}

/* An order that comes while the state is saved for a release which a resume has called off. */
static void work_hears_what_is_said_while_it_saves(void **state)
{
    struct rig *r = *state;
    open_work(r, "a");
    for (int i = 0; i < 60; i++) {
        work_gate(r->work, true);
        work_release(r->work);
        usleep((useconds_t)(i % 20) * 50); /* of every moment, some */
        work_gate(r->work, false);
        assert_int_equal(order(r, WORK_FOLD).kind, WORK_DONE);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(work_takes_the_rounds_rates_after_its_memory_came_back),
        CASE(work_refuses_another_model_than_was_put_away_until_it_is_started_anew),
        CASE(work_hears_what_is_said_while_it_saves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
