#include "aggregator/host.h"
#include "base/clock.h"
#include "engine/tokenizer.h"
#include "tests/unit/tinyrun.h"

static void ignore(const struct store_val *v, void *ctx)
{
    (void)v;
    (void)ctx;
}

static struct valid *make_valid(const struct rundesc *d)
{
    static const char text[] = "aab aab aab aab";
    struct valid_sample s;
    struct tokenizer *tk = NULL;
    struct valid *v = NULL;
    struct err e = {0};
    uint32_t tokens[100];
    for (uint32_t i = 0; i < 100; i++)
        tokens[i] = 1 + i % 2;
    assert_int_equal(tokenizer_train(text, sizeof text - 1, 257, NULL, NULL, &tk, &e), OK);
    assert_int_equal(valid_sample_take(tokens, 100, 16, 2, tk, &s, &e), OK);
    assert_int_equal(valid_create(d, &s, ignore, NULL, &v, &e), OK);
    tokenizer_destroy(tk);
    return v;
}

/* A merge found at the restart writes h->next in the pool from host_open on. */
static void the_start_leaves_the_merges_weights_alone(void **state)
{
    (void)state;
    static struct host h;
    uv_loop_t loop;
    struct err e = {0};
    struct round_actions out;
    uv_loop_init(&loop);
    h = (struct host){.loop = &loop, .looked_ms = clock_mono_ms()}; /* there are no books */
    uv_timer_init(&loop, &h.timer);
    tinyrun_make(&h.run, &h.table);
    h.base = calloc(h.table.n_params, sizeof *h.base);
    h.next = calloc(h.table.n_params, sizeof *h.next);
    h.publish = (struct publish){.run = &h.run, .table = &h.table};
    h.valid = make_valid(&h.run);
    struct round_config c = {.wait_for = 1,
                             .min_contributions = 1,
                             .n_rounds = 1,
                             .round_ms = 1000,
                             .max_bytes = 100,
                             .max_inner_steps = 1,
                             .tokens_per_step = 1};
    assert_int_equal(round_init(&h.round, &c, &e), OK);
    assert_int_equal(
        round_restore(&h.round, 1, &h.run.initial_model, &h.run.id, 1, NULL, 0, 0, &out, &e), OK);
    for (uint64_t i = 0; i < h.table.n_params; i++)
        h.next[i] = 5;
    host_start(&h);
    for (uint64_t i = 0; i < h.table.n_params; i++)
        assert_true(h.next[i] == 5);
    valid_destroy(h.valid);
    round_deinit(&h.round);
    model_table_deinit(&h.table);
    free(h.base);
    free(h.next);
    uv_close((uv_handle_t *)&h.timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_leaves_the_merges_weights_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
