#include <math.h>
#include <string.h>

#include "engine/eval.h"
#include "tests/unit/tinymodel.h"

enum { N = 2 * TINY_CTX + 7 };

struct source {
    uint32_t tokens[N];
    uint64_t n_seen;
    uint64_t stop_after; /* windows; 0: never */
    uint64_t n_windows;
    int fails;
};

static int read_tokens(void *ctx, uint64_t at, uint32_t n, uint32_t *dst, struct err *e)
{
    struct source *s = ctx;
    if (s->fails) return err_set(e, ERR_AUTH, 0, "damaged");
    assert_true(at + n <= N);
    memcpy(dst, s->tokens + at, n * sizeof *dst);
    return OK;
}

static bool progress(void *ctx, uint64_t n_done)
{
    struct source *s = ctx;
    s->n_seen = n_done;
    return ++s->n_windows != s->stop_after;
}

static struct source make(struct eval_text *t)
{
    struct source s = {0};
    struct rng r;
    rng_init(&r, 3, 0);
    for (uint32_t i = 0; i < N; i++)
        s.tokens[i] = rng_below(&r, 10) ? 1 + rng_below(&r, 256) : TOKENIZER_EOT;
    *t = (struct eval_text){.n_tokens = N, .read = read_tokens, .progress = progress};
    return s;
}

static void eval_predicts_every_token_but_the_first_once(void **state)
{
    (void)state;
    struct tiny m = tiny_make();
    struct eval_text t;
    struct source s = make(&t);
    struct eval_sum sum = {0};
    t.ctx = &s;
    assert_int_equal(eval_run(m.x, m.params, &t, m.tk, &sum, NULL), OK);
    double want = 0;
    for (uint32_t at = 0; at + 1 < N; at += TINY_CTX) {
        uint32_t n = N - 1 - at < TINY_CTX ? N - 1 - at : TINY_CTX;
        want += tiny_nats(&m, s.tokens + at, n + 1, 0);
    }
    uint64_t n_bytes = 0;
    for (uint32_t i = 1; i < N; i++)
        n_bytes += s.tokens[i] != TOKENIZER_EOT;
    assert_true(fabs(sum.nats - want) < 1e-9 * want);
    assert_int_equal(sum.n_tokens, N - 1);
    assert_int_equal(sum.n_bytes, n_bytes);
    assert_int_equal(s.n_windows, 3);
    assert_int_equal(s.n_seen, N - 1);
    tiny_unmake(&m);
}

static void eval_adds_up_over_texts_and_without_a_tokenizer(void **state)
{
    (void)state;
    struct tiny m = tiny_make();
    struct eval_text t;
    struct source s = make(&t);
    struct eval_sum once = {0};
    struct eval_sum twice = {0};
    t.ctx = &s;
    assert_int_equal(eval_run(m.x, m.params, &t, NULL, &once, NULL), OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(eval_run(m.x, m.params, &t, NULL, &twice, NULL), OK);
    assert_int_equal(twice.n_tokens, 2 * once.n_tokens);
    assert_true(fabs(eval_loss(&twice) - eval_loss(&once)) < 1e-12);
    assert_true(isnan(eval_bits_per_byte(&once)));
    tiny_unmake(&m);
}

static void eval_stops_when_told_and_says_why_it_cannot(void **state)
{
    (void)state;
    struct tiny m = tiny_make();
    struct eval_text t;
    struct source s = make(&t);
    struct eval_sum sum = {0};
    struct err e = {0};
    t.ctx = &s;
    s.stop_after = 1;
    assert_int_equal(eval_run(m.x, m.params, &t, m.tk, &sum, &e), OK);
    assert_int_equal(sum.n_tokens, TINY_CTX);
    s.fails = 1;
    assert_int_equal(eval_run(m.x, m.params, &t, m.tk, &sum, &e), ERR_AUTH);
    s.fails = 0;
    s.n_windows = 0;
    s.tokens[50] = 260;
    assert_int_equal(eval_run(m.x, m.params, &t, m.tk, &sum, &e), OK); /* stopped before it */
    s.stop_after = 0;
    assert_int_equal(eval_run(m.x, m.params, &t, m.tk, &sum, &e), ERR_PROTO);
    t.n_tokens = 1;
    assert_int_equal(eval_run(m.x, m.params, &t, m.tk, &sum, &e), ERR_ARG);
    t.n_tokens = N;
    s.tokens[50] = 1;
    for (uint64_t nth = 1; nth <= 2; nth++) {
        alloc_fail_nth(nth);
        assert_int_equal(eval_run(m.x, m.params, &t, m.tk, &sum, &e), ERR_NOMEM);
    }
    alloc_fail_nth(0);
    tiny_unmake(&m);
}

static void eval_turns_sums_into_figures(void **state)
{
    (void)state;
    struct eval_sum s = {.nats = 200 * log(2), .n_tokens = 100, .n_bytes = 400};
    assert_true(fabs(eval_loss(&s) - 2 * log(2)) < 1e-12);
    assert_true(fabs(eval_perplexity(&s) - 4) < 1e-12);
    assert_true(fabs(eval_bits_per_byte(&s) - 0.5) < 1e-12);
    s = (struct eval_sum){0};
    assert_true(isnan(eval_loss(&s)) && isnan(eval_perplexity(&s)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eval_predicts_every_token_but_the_first_once),
        cmocka_unit_test(eval_adds_up_over_texts_and_without_a_tokenizer),
        cmocka_unit_test(eval_stops_when_told_and_says_why_it_cannot),
        cmocka_unit_test(eval_turns_sums_into_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
