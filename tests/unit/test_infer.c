#include <math.h>
#include <string.h>

#include "engine/infer.h"
#include "engine/model_pass.h"
#include "tests/layer_case.h"

/* The whole forward pass is held against torch in test_reference.c through model_pass; here infer is
 * held against model_pass: TOLERANCE, of the summed nats, is what fp32 sums in another order cost.
 */
enum { T = 70 };
static const double TOLERANCE = 2e-6;

static struct model_config config_of(bool tied)
{
    return (struct model_config){.vocab_size = 90,
                                 .hidden_size = 24,
                                 .intermediate_size = 36,
                                 .num_hidden_layers = 3,
                                 .num_attention_heads = 4,
                                 .num_key_value_heads = 2,
                                 .max_position_embeddings = T,
                                 .rms_norm_eps = 1e-5,
                                 .rope_theta = 10000,
                                 .initializer_range = 0.3,
                                 .tie_word_embeddings = tied};
}

struct infer_case {
    struct model_config c;
    struct pool *pool;
    struct model_table table;
    struct infer *x;
    float *params;
    uint32_t tokens[T + 1];
};

static struct infer_case make(uint32_t n_threads, uint32_t n_rows, bool tied)
{
    struct infer_case k = {.c = config_of(tied), .pool = case_pool(n_threads)};
    assert_int_equal(model_table_init(&k.table, &k.c, NULL), OK);
    k.params = case_block(k.table.n_params, 2, 0, 0);
    model_init_weights(&k.table, &k.c, 1, k.params);
    struct rng r;
    rng_init(&r, 4, 0);
    for (uint32_t i = 0; i <= T; i++)
        k.tokens[i] = rng_below(&r, k.c.vocab_size);
    struct infer_shape s = {.n_ctx = T, .n_rows = n_rows, .n_threads = n_threads};
    assert_int_equal(infer_create(&k.c, &k.table, k.pool, &s, &k.x, NULL), OK);
    return k;
}

static void unmake(struct infer_case *k)
{
    infer_destroy(k->x);
    pool_destroy(k->pool);
    model_table_deinit(&k->table);
    free(k->params);
}

static double nats_of(const float *logits, uint32_t n, uint32_t target)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += exp((double)logits[i]);
    return log(sum) - (double)logits[target];
}

static double pass_loss(struct infer_case *k)
{
    struct model_pass *m = NULL;
    struct model_pass_shape shape = {.n_seqs = 1, .seq_len = T, .eval_only = true};
    float *block = case_block(model_pass_floats(&k->c, &shape, pool_threads(k->pool)), 9, 0, 1);
    assert_int_equal(model_pass_create(&k->c, &k->table, k->pool, &shape, block, &m, NULL), OK);
    assert_int_equal(pool_begin(k->pool), OK);
    double nats = model_pass_loss(m, k->params, k->tokens, 1);
    model_pass_destroy(m);
    free(block);
    return nats;
}

static double stepwise_loss(struct infer_case *k)
{
    double nats = 0;
    for (uint32_t i = 0; i < T; i++) {
        float *logits = NULL;
        assert_int_equal(infer_feed(k->x, k->params, &k->tokens[i], 1, &logits, NULL), OK);
        nats += nats_of(logits, k->c.vocab_size, k->tokens[i + 1]);
    }
    return nats;
}

static void infer_step_by_step_agrees_with_model_pass(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct infer_case k = make(2, 16, tied);
        double want = pass_loss(&k);
        double got = stepwise_loss(&k);
        assert_true(want > T); /* a text that costs something */
        if (!(fabs(got / want - 1) < TOLERANCE)) fail_msg("%.9g, model_pass %.9g", got, want);
        unmake(&k);
    }
}

static void infer_score_agrees_with_model_pass(void **state)
{
    (void)state;
    for (uint32_t rows = 1; rows <= T; rows = rows * 3 + 1) { /* 1, 4, 13, 40 */
        struct infer_case k = make(2, rows, true);
        double nats[T];
        double sum = 0;
        assert_int_equal(infer_score(k.x, k.params, k.tokens, k.tokens + 1, T, nats, NULL), OK);
        for (uint32_t i = 0; i < T; i++)
            sum += nats[i];
        assert_true(fabs(sum / pass_loss(&k) - 1) < TOLERANCE);
        assert_int_equal(infer_length(k.x), T);
        unmake(&k);
    }
}

static void infer_reads_at_once_what_it_reads_step_by_step(void **state)
{
    (void)state;
    struct infer_case once = make(2, 16, false);
    struct infer_case step = make(1, 16, false);
    float *a = NULL;
    float *b = NULL;
    assert_int_equal(infer_feed(once.x, once.params, once.tokens, T - 1, &a, NULL), OK);
    for (uint32_t i = 0; i + 1 < T; i++)
        assert_int_equal(infer_feed(step.x, step.params, &step.tokens[i], 1, &b, NULL), OK);
    for (uint32_t i = 0; i < 90; i++)
        assert_true(fabsf(a[i] - b[i]) < 2e-5F);
    /* And both go on alike: the caches agree. */
    assert_int_equal(infer_feed(once.x, once.params, &once.tokens[T - 1], 1, &a, NULL), OK);
    assert_int_equal(infer_feed(step.x, step.params, &step.tokens[T - 1], 1, &b, NULL), OK);
    for (uint32_t i = 0; i < 90; i++)
        assert_true(fabsf(a[i] - b[i]) < 2e-5F);
    unmake(&once);
    unmake(&step);
}

static void infer_gives_the_same_bits_on_one_and_three_threads(void **state)
{
    (void)state;
    struct infer_case one = make(1, 16, true);
    struct infer_case three = make(3, 16, true);
    for (int i = 0; i < 2; i++) { /* many tokens, then one */
        uint32_t n = i ? 1 : 40;
        float *a = NULL;
        float *b = NULL;
        assert_int_equal(infer_feed(one.x, one.params, one.tokens, n, &a, NULL), OK);
        assert_int_equal(infer_feed(three.x, three.params, one.tokens, n, &b, NULL), OK);
        assert_memory_equal(a, b, 90 * sizeof(float));
    }
    unmake(&one);
    unmake(&three);
}

static void infer_rewinds_to_the_same_bits(void **state)
{
    (void)state;
    struct infer_case k = make(2, 16, true);
    float first[90];
    float *logits = NULL;
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, 20, &logits, NULL), OK);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens + 20, 5, &logits, NULL), OK);
    memcpy(first, logits, sizeof first);
    infer_rewind(k.x, 20);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens + 40, 30, &logits, NULL), OK);
    infer_rewind(k.x, 20);
    assert_int_equal(infer_room(k.x), T - 20);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens + 20, 5, &logits, NULL), OK);
    assert_memory_equal(first, logits, sizeof first);
    unmake(&k);
}

static void infer_refuses_more_than_the_model_knows(void **state)
{
    (void)state;
    struct infer_case k = make(1, 16, true);
    struct err e = {0};
    float *logits = NULL;
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, T - 1, &logits, NULL), OK);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, 2, &logits, &e), ERR_LIMIT);
    assert_non_null(strstr(e.what, "the context holds 70"));
    assert_int_equal(infer_length(k.x), T - 1);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, 1, &logits, NULL), OK);
    assert_int_equal(infer_room(k.x), 0);
    struct infer *too_long = NULL;
    struct infer_shape s = {.n_ctx = T + 1, .n_rows = 1, .n_threads = 1};
    assert_int_equal(infer_create(&k.c, &k.table, k.pool, &s, &too_long, &e), ERR_ARG);
    s = (struct infer_shape){.n_ctx = T, .n_rows = T + 1, .n_threads = 1};
    assert_int_equal(infer_create(&k.c, &k.table, k.pool, &s, &too_long, &e), ERR_ARG);
    unmake(&k);
}

static void infer_refuses_foreign_tokens_and_stays_as_it_was(void **state)
{
    (void)state;
    struct infer_case k = make(1, 16, true);
    double nats[2];
    float *logits = NULL;
    uint32_t bad[2] = {1, 90};
    assert_int_equal(infer_feed(k.x, k.params, bad, 2, &logits, NULL), ERR_PROTO);
    assert_int_equal(infer_score(k.x, k.params, k.tokens, bad, 2, nats, NULL), ERR_PROTO);
    assert_int_equal(infer_length(k.x), 0);
    unmake(&k);
}

static void infer_cancelled_leaves_the_context_as_it_was(void **state)
{
    (void)state;
    struct infer_case k = make(2, 16, true);
    double nats[8];
    float *logits = NULL;
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, 8, &logits, NULL), OK);
    pool_gate(k.pool, POOL_CANCEL);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, 8, &logits, NULL), ERR_CANCELLED);
    assert_int_equal(infer_score(k.x, k.params, k.tokens, k.tokens, 8, nats, NULL), ERR_CANCELLED);
    assert_int_equal(infer_length(k.x), 8);
    pool_gate(k.pool, POOL_RUN);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, 8, &logits, NULL), OK);
    unmake(&k);
}

static void infer_allocates_nothing_while_it_works(void **state)
{
    (void)state;
    struct infer_case k = make(2, 16, true);
    double nats[30];
    float *logits = NULL;
    alloc_fail_nth(0);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, 30, &logits, NULL), OK);
    assert_int_equal(infer_feed(k.x, k.params, k.tokens, 1, &logits, NULL), OK);
    assert_int_equal(infer_score(k.x, k.params, k.tokens, k.tokens + 1, 30, nats, NULL), OK);
    assert_int_equal(alloc_count(), 0);
    unmake(&k);
}

static void infer_survives_a_failing_allocation(void **state)
{
    (void)state;
    struct infer_case k = make(1, 16, true);
    struct infer_shape s = infer_shape_for(&k.c, 0, 1);
    for (uint64_t nth = 1; nth <= 4; nth++) {
        struct infer *x = NULL;
        struct err e = {0};
        alloc_fail_nth(nth);
        assert_int_equal(infer_create(&k.c, &k.table, k.pool, &s, &x, &e), ERR_NOMEM);
        assert_null(x);
        assert_non_null(strstr(e.what, "bytes of memory"));
    }
    alloc_fail_nth(0);
    unmake(&k);
}

static void infer_bytes_tells_what_is_asked_for(void **state)
{
    (void)state;
    struct model_config c = config_of(true);
    struct infer_shape s = infer_shape_for(&c, 0, 1);
    assert_int_equal(s.n_ctx, T);
    assert_int_equal(s.n_rows, T);
    struct infer_shape small = infer_shape_for(&c, 10, 1);
    assert_int_equal(small.n_ctx, 10);
    assert_int_equal(infer_shape_for(&c, 1000, 1).n_ctx, T);
    assert_true(infer_bytes(&c, &small) < infer_bytes(&c, &s));
    /* At least the cache, and not much more than it and the rows. */
    size_t cache = (size_t)2 * 2 * 6 * 80 * 3 * 4;
    size_t rows = (size_t)T * (24 * 3 + 48 + 36 * 3 + 90 + 6) * 4;
    assert_in_range(infer_bytes(&c, &s), cache + rows, cache + rows + 4096);
    c.vocab_size = 1u << 20;
    c.hidden_size = UINT32_MAX;
    c.intermediate_size = UINT32_MAX;
    c.num_attention_heads = c.num_key_value_heads = 1;
    s.n_rows = UINT32_MAX;
    s.n_ctx = UINT32_MAX;
    assert_true(infer_bytes(&c, &s) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer_step_by_step_agrees_with_model_pass),
        cmocka_unit_test(infer_score_agrees_with_model_pass),
        cmocka_unit_test(infer_reads_at_once_what_it_reads_step_by_step),
        cmocka_unit_test(infer_gives_the_same_bits_on_one_and_three_threads),
        cmocka_unit_test(infer_rewinds_to_the_same_bits),
        cmocka_unit_test(infer_refuses_more_than_the_model_knows),
        cmocka_unit_test(infer_refuses_foreign_tokens_and_stays_as_it_was),
        cmocka_unit_test(infer_cancelled_leaves_the_context_as_it_was),
        cmocka_unit_test(infer_allocates_nothing_while_it_works),
        cmocka_unit_test(infer_survives_a_failing_allocation),
        cmocka_unit_test(infer_bytes_tells_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
