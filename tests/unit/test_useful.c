#include <string.h>

#include "record/useful.h"
#include "tests/check.h"

/* A model of a few thousand weights; four contributors train for real, the fifth does what a case
 * says. */
#define PEERS 5
#define SEQ   8
#define STEPS 6

static const struct model_config model = {.vocab_size = 32,
                                          .hidden_size = 16,
                                          .intermediate_size = 32,
                                          .num_hidden_layers = 1,
                                          .num_attention_heads = 2,
                                          .num_key_value_heads = 2,
                                          .max_position_embeddings = SEQ,
                                          .rms_norm_eps = 1e-5,
                                          .rope_theta = 10000,
                                          .initializer_range = 0.02,
                                          .tie_word_embeddings = true};
static const struct train_params train = {
    .seq_len = SEQ,
    .batch_seqs = 4,
    .lr = 5e-3,
    .lr_min_frac = 1,
    .total_steps = 100,
    .beta1 = 0.9,
    .beta2 = 0.95,
    .eps = 1e-8,
    .clip_norm = 1,
    .ef_beta = 0.95,
    .outer_lr = 1,
    .delta = {64, 16}
};
static const struct assign_space space = {.n_chunks = 64, .chunk_tokens = 90, .seq_len = SEQ};

struct rig {
    struct trainer *t;
    float *base;
    struct buf payload[PEERS];
    struct useful_contribution in[PEERS];
    struct score_book book;
    uint32_t n_allowed;
    struct score_eval evals[PEERS];
    uint32_t n_evals;
};

/* Text with a rule: each token follows from the one before. */
static int tokens(void *ctx, struct assign_place at, uint32_t *dst, struct err *e)
{
    (void)ctx;
    (void)e;
    uint32_t x = (at.chunk * 7 + at.offset) % 32;
    for (int i = 0; i <= SEQ; i++) {
        dst[i] = x;
        x = (x * 5 + 3) % 32;
    }
    return OK;
}

static int payload(void *ctx, uint32_t i, struct buf *out, struct err *e)
{
    struct rig *r = ctx;
    buf_put(out, r->payload[i].p, r->payload[i].len);
    return buf_ok(out, e);
}

static bool goes_on(void *ctx)
{
    struct rig *r = ctx;
    return r->n_allowed-- > 0;
}

static void train_one(struct rig *r, uint32_t i)
{
    uint32_t step[4 * (SEQ + 1)];
    struct trainer_step_result s;
    for (uint32_t n = 0; n < STEPS; n++) {
        for (uint32_t b = 0; b < 4; b++)
            assert_int_equal(tokens(NULL,
                                    assign_sequence(&space, &(struct hash){{0}}, 0,
                                                    &r->in[i].contributor, n * 4 + b),
                                    step + b * (SEQ + 1), NULL),
                             OK);
        assert_int_equal(trainer_step(r->t, step, n, &s, NULL), OK);
    }
    assert_int_equal(trainer_pack(r->t, &r->payload[i], NULL, NULL), OK);
    assert_int_equal(trainer_load_weights(r->t, r->base,
                                          (size_t)trainer_table(r->t)->n_params * sizeof(float),
                                          NULL),
                     OK);
}

static void set(struct rig *r)
{
    *r = (struct rig){.n_allowed = PEERS};
    assert_int_equal(
        trainer_create(&model, &train, &(struct trainer_options){.n_threads = 1}, &r->t, NULL), OK);
    trainer_init_weights(r->t, 1);
    size_t n = (size_t)trainer_table(r->t)->n_params * sizeof(float);
    r->base = test_malloc(n);
    memcpy(r->base, trainer_weights(r->t), n);
    for (uint32_t i = 0; i < PEERS; i++) {
        r->in[i] = (struct useful_contribution){
            .order = i, .n_tokens = STEPS * 4 * SEQ, .n_seqs = STEPS * 4};
        r->in[i].contributor.b[0] = (uint8_t)(i + 1);
        train_one(r, i);
    }
}

/* Replace a payload by factor times the one of `from`. */
static void replace(struct rig *r, uint32_t i, uint32_t from, float factor)
{
    const struct model_table *t = trainer_table(r->t);
    float *v = test_calloc((size_t)t->n_params, sizeof *v);
    struct delta_reader d;
    static struct delta_chunk c;
    assert_int_equal(delta_reader_init(&d, t, &train.delta, DELTA_CONTRIBUTION, r->payload[from].p,
                                       r->payload[from].len, NULL),
                     OK);
    while (delta_reader_next(&d, &c, NULL) == OK)
        for (uint32_t k = 0; k < c.n; k++)
            v[c.start + c.pos[k]] = factor * c.value[k];
    buf_clear(&r->payload[i]);
    assert_int_equal(
        delta_pack(t, &train.delta, DELTA_CONTRIBUTION, v, NULL, &r->payload[i], NULL, NULL), OK);
    test_free(v);
}

static void run(struct rig *r)
{
    for (uint32_t i = 0; i < PEERS; i++)
        r->in[i].payload = hash_of(r->payload[i].p, r->payload[i].len);
    struct useful_job j = {.trainer = r->t,
                           .base = r->base,
                           .outer_lr = 1,
                           .delta = train.delta,
                           .space = space,
                           .n_seqs = 8,
                           .book = &r->book,
                           .n = PEERS,
                           .in = r->in,
                           .payload = payload,
                           .tokens = tokens,
                           .goes_on = goes_on,
                           .ctx = r};
    assert_int_equal(useful_run(&j, r->evals, &r->n_evals, NULL), OK);
}

static void end(struct rig *r)
{
    for (uint32_t i = 0; i < PEERS; i++)
        buf_deinit(&r->payload[i]);
    score_book_deinit(&r->book);
    trainer_destroy(r->t);
    test_free(r->base);
}

static void honest_work_lowers_the_loss_and_is_no_copy(void **state)
{
    (void)state;
    struct rig r;
    set(&r);
    run(&r);
    assert_int_equal(r.n_evals, PEERS);
    for (uint32_t i = 0; i < PEERS; i++) {
        assert_int_equal(r.evals[i].contributor.b[0], i + 1);
        assert_true(r.evals[i].is_measured && r.evals[i].drawn > 0);
        assert_int_equal(r.evals[i].code, SCORE_CODE_NONE);
    }
    end(&r);
}

static void a_turned_sign_raises_it(void **state)
{
    (void)state;
    struct rig r;
    set(&r);
    replace(&r, 4, 4, -1);
    run(&r);
    assert_true(r.evals[4].drawn < 0);
    assert_true(r.evals[3].drawn > 0);
    end(&r);
}

static void the_later_of_two_that_are_alike_is_the_copy(void **state)
{
    (void)state;
    struct rig r;
    set(&r);
    replace(&r, 1, 3, 1.01F);
    r.in[3].order = 0;
    r.in[1].order = 9;
    run(&r);
    assert_int_equal(r.evals[1].code, SCORE_CODE_COPY);
    assert_int_equal(r.evals[3].code, SCORE_CODE_NONE);
    end(&r);
}

static void a_hundred_times_the_norm_is_loud(void **state)
{
    (void)state;
    struct rig r;
    set(&r);
    replace(&r, 2, 2, 100);
    run(&r);
    assert_int_equal(r.evals[2].code, SCORE_CODE_LOUD);
    assert_int_equal(r.evals[1].code, SCORE_CODE_NONE);
    end(&r);
}

static void the_budget_ends_it_and_strangers_come_first(void **state)
{
    (void)state;
    struct rig r;
    struct score_eval known[PEERS];
    set(&r);
    run(&r);
    memcpy(known, r.evals, sizeof known);
    assert_int_equal(score_book_fold(&r.book, 1, known, 4, NULL), OK); /* all but the fifth */
    r.n_allowed = 1;
    run(&r);
    assert_int_equal(r.n_evals, 1);
    assert_int_equal(r.evals[0].contributor.b[0], 5);
    end(&r);
}

static void the_seed_needs_the_secret_and_every_payload_in_any_order(void **state)
{
    (void)state;
    struct useful_contribution a[2] = {{.payload = {{1}}}, {.payload = {{2}}}};
    struct useful_contribution b[2] = {{.payload = {{2}}}, {.payload = {{1}}}};
    struct hash s = {{7}}, other = {{8}};
    struct hash x = useful_seed(&s, a, 2), y = useful_seed(&s, b, 2);
    assert_true(hash_equal(&x, &y));
    y = useful_seed(&other, a, 2);
    assert_false(hash_equal(&x, &y));
    y = useful_seed(&s, a, 1);
    assert_false(hash_equal(&x, &y));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_work_lowers_the_loss_and_is_no_copy),
        cmocka_unit_test(a_turned_sign_raises_it),
        cmocka_unit_test(the_later_of_two_that_are_alike_is_the_copy),
        cmocka_unit_test(a_hundred_times_the_norm_is_loud),
        cmocka_unit_test(the_budget_ends_it_and_strangers_come_first),
        cmocka_unit_test(the_seed_needs_the_secret_and_every_payload_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
