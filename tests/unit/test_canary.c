#include <string.h>

#include "client/canary.h"
#include "tests/check.h"

#define T 16
#define V 32

static struct trainer *make(void)
{
    const struct model_config m = {.vocab_size = V,
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
    const struct train_params p = {
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
    const struct trainer_options o = {.n_threads = 2};
    struct trainer *t = NULL;
    assert_int_equal(trainer_create(&m, &p, &o, &t, NULL), OK);
    trainer_init_weights(t, 1);
    return t;
}

/* A cosmic ray: one bit of one weight. */
static void flip(struct trainer *t)
{
    uint32_t x;
    float *w = (float *)(uintptr_t)trainer_weights(t) + 5;
    memcpy(&x, w, sizeof x);
    x ^= 1u << 20;
    memcpy(w, &x, sizeof x);
}

static int check_it(struct canary *c, struct trainer *t, struct err *e)
{
    struct hash base = hash_of("base", 4);
    return canary_check(c, t, &base, T, V, e);
}

static int begin(struct canary *c, struct trainer *t)
{
    struct hash base = hash_of("base", 4);
    return canary_begin(c, t, &base, T, V, NULL);
}

static void a_sound_computer_sings_the_same_however_it_trained(void **state)
{
    (void)state;
    struct canary c = {0};
    struct trainer *t = make();
    struct trainer_step_result r;
    uint32_t tokens[2 * (T + 1)] = {1, 2, 3};
    assert_int_equal(check_it(&c, t, NULL), OK); /* nothing to hold it against */
    assert_int_equal(begin(&c, t), OK);
    assert_true(c.is_set);
    for (int i = 0; i < 3; i++)
        assert_int_equal(trainer_step(t, tokens, (uint64_t)i, &r, NULL), OK);
    assert_int_equal(begin(&c, t), OK);
    assert_int_equal(check_it(&c, t, NULL), OK);
    trainer_destroy(t);
}

static void one_flipped_bit_stops_all_that_leaves(void **state)
{
    (void)state;
    struct canary c = {0};
    struct trainer *t = make();
    struct err e = {0};
    assert_int_equal(begin(&c, t), OK);
    flip(t);
    assert_int_equal(check_it(&c, t, &e), ERR_IO);
    assert_non_null(strstr(e.what, "different results"));
    flip(t); /* it comes and goes: that is no reason to trust it again */
    assert_int_equal(check_it(&c, t, NULL), ERR_IO);
    trainer_destroy(t);
}

static void other_weights_are_another_song(void **state)
{
    (void)state;
    struct canary c = {0};
    struct trainer *t = make();
    struct hash next = hash_of("next", 4);
    assert_int_equal(begin(&c, t), OK);
    flip(t);
    assert_int_equal(canary_check(&c, t, &next, T, V, NULL), OK);
    assert_int_equal(canary_begin(&c, t, &next, T, V, NULL), OK);
    assert_int_equal(canary_check(&c, t, &next, T, V, NULL), OK);
    trainer_destroy(t);
}

static void a_shut_gate_is_no_alarm(void **state)
{
    (void)state;
    struct canary c = {0};
    struct trainer *t = make();
    trainer_gate(t, TRAINER_CANCEL);
    assert_int_equal(begin(&c, t), OK);
    assert_false(c.is_set);
    trainer_gate(t, TRAINER_RUN);
    assert_int_equal(begin(&c, t), OK);
    trainer_gate(t, TRAINER_CANCEL);
    assert_int_equal(check_it(&c, t, NULL), OK);
    assert_false(c.is_dead);
    trainer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_computer_sings_the_same_however_it_trained),
        cmocka_unit_test(one_flipped_bit_stops_all_that_leaves),
        cmocka_unit_test(other_weights_are_another_song),
        cmocka_unit_test(a_shut_gate_is_no_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
