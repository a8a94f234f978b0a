#include <math.h>
#include <pthread.h>

#include "aggregator/valid.h"
#include "engine/tokenizer.h"
#include "tests/unit/tinyrun.h"

#define N 400

static struct tokenizer *tk;
static uint32_t tokens[N];
static struct err e;

static int set_up(void **state)
{
    static const char text[] = "aab aab aab aab";
    (void)state;
    for (uint32_t i = 0; i < N; i++)
        tokens[i] = i % 4 == 3 ? 2 : 1; /* three of one id for one of another; a byte each */
    return tokenizer_train(text, sizeof text - 1, 257, NULL, NULL, &tk, &e);
}

static int tear_down(void **state)
{
    (void)state;
    tokenizer_destroy(tk);
    tk = NULL;
    return 0;
}

static void figures_are_of_exactly_the_predicted_tokens(void **state)
{
    struct valid_sample s;
    (void)state;
    assert_int_equal(valid_sample_take(tokens, N, 16, 5, tk, &s, &e), OK);
    assert_int_equal(s.n_seqs, 5);
    assert_int_equal(s.n_tokens, 80);
    assert_int_equal(s.n_bytes, 80);
    double h = 0;
    int n2 = 0;
    for (uint32_t i = 0; i < s.n_seqs; i++)
        for (uint32_t t = 1; t <= 16; t++)
            n2 += s.tokens[i * 17 + t] == 2;
    double p = n2 / 80.0;
    h = -80 * (p * log2(p) + (1 - p) * log2(1 - p));
    assert_float_equal(s.unigram_bits, h, 1e-9);
    valid_sample_deinit(&s);
}

static void a_short_shard_gives_fewer_sequences_that_do_not_overlap(void **state)
{
    struct valid_sample s;
    (void)state;
    assert_int_equal(valid_sample_take(tokens, 35, 16, 64, tk, &s, &e), OK);
    assert_int_equal(s.n_seqs, 2);
    valid_sample_deinit(&s);
    assert_int_equal(valid_sample_take(tokens, 16, 16, 64, tk, &s, &e), ERR_ARG);
    assert_true(e.hint[0]);
}

struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int n;
    struct store_val v[8];
};

static void take(const struct store_val *v, void *ctx)
{
    struct inbox *in = ctx;
    pthread_mutex_lock(&in->lock);
    if (in->n < 8) in->v[in->n++] = *v;
    pthread_cond_signal(&in->wake);
    pthread_mutex_unlock(&in->lock);
}

static void the_first_and_the_newest_weights_are_measured(void **state)
{
    struct inbox in = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    static struct rundesc d;
    struct model_table t;
    struct valid_sample s;
    struct valid *v = NULL;
    (void)state;
    tinyrun_make(&d, &t);
    float *w = calloc(t.n_params, sizeof *w);
    model_init_weights(&t, &d.model, 1, w);
    assert_int_equal(valid_sample_take(tokens, N, 16, 5, tk, &s, &e), OK);
    assert_int_equal(valid_create(&d, &s, take, &in, &v, &e), OK);
    for (uint64_t round = 0; round < 5; round++)
        valid_submit(v, round, w);
    pthread_mutex_lock(&in.lock);
    while (!in.n || in.v[in.n - 1].round != 4)
        pthread_cond_wait(&in.wake, &in.lock);
    pthread_mutex_unlock(&in.lock);
    valid_destroy(v);
    assert_int_equal(in.v[0].round, 0);
    /* Untrained, near the uniform distribution over 300 ids. */
    assert_float_equal(in.v[0].nats / 80, log(300), 0.3);
    free(w);
    model_table_deinit(&t);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(figures_are_of_exactly_the_predicted_tokens),
        CASE(a_short_shard_gives_fewer_sequences_that_do_not_overlap),
        CASE(the_first_and_the_newest_weights_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
