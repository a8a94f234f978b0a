#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/model.h"
#include "tests/check.h"

static struct model_config small(void)
{
    return (struct model_config){.vocab_size = 300,
                                 .hidden_size = 32,
                                 .intermediate_size = 48,
                                 .num_hidden_layers = 2,
                                 .num_attention_heads = 4,
                                 .num_key_value_heads = 2,
                                 .max_position_embeddings = 64,
                                 .rms_norm_eps = 1e-5,
                                 .rope_theta = 10000,
                                 .initializer_range = 0.02,
                                 .tie_word_embeddings = true};
}

static void model_table_lists_hugging_face_names_in_order(void **state)
{
    (void)state;
    static const char *const want[] = {
        "model.embed_tokens.weight",
        "model.layers.0.input_layernorm.weight",
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.self_attn.k_proj.weight",
        "model.layers.0.self_attn.v_proj.weight",
        "model.layers.0.self_attn.o_proj.weight",
        "model.layers.0.post_attention_layernorm.weight",
        "model.layers.0.mlp.gate_proj.weight",
        "model.layers.0.mlp.up_proj.weight",
        "model.layers.0.mlp.down_proj.weight",
    };
    struct model_table t = {0};
    struct model_config c = small();
    c.tie_word_embeddings = false;
    assert_int_equal(model_table_init(&t, &c, NULL), OK);
    assert_int_equal(t.n_tensors, 21);
    for (int i = 0; i < 10; i++)
        assert_string_equal(t.tensors[i].name, want[i]);
    assert_string_equal(t.tensors[19].name, "model.norm.weight");
    assert_string_equal(t.tensors[20].name, "lm_head.weight");
    model_table_deinit(&t);
}

static void model_table_tensors_lie_side_by_side(void **state)
{
    (void)state;
    struct model_table t = {0};
    struct model_config c = small();
    assert_int_equal(model_table_init(&t, &c, NULL), OK);
    uint64_t at = 0;
    for (uint32_t i = 0; i < t.n_tensors; i++) {
        assert_int_equal(t.tensors[i].offset, at);
        assert_int_equal(t.tensors[i].n, (uint64_t)t.tensors[i].rows * t.tensors[i].cols);
        at += t.tensors[i].n;
    }
    assert_int_equal(at, t.n_params);
    assert_int_equal(at, 300 * 32 + 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32 + 64) + 32);
    model_table_deinit(&t);
}

static void refuse(struct model_config c, const char *word)
{
    struct err e = {0};
    assert_int_equal(model_config_check(&c, &e), ERR_ARG);
    assert_non_null(strstr(e.what, word));
}

static void model_config_check_names_the_field_and_its_rule(void **state)
{
    (void)state;
    struct model_config c = small();
    assert_int_equal(model_config_check(&c, NULL), OK);
    c.hidden_size = 30;
    refuse(c, "divisible");
    c = small();
    c.num_key_value_heads = 3;
    refuse(c, "num_key_value_heads");
    c = small();
    c.hidden_size = 36;
    refuse(c, "even");
    c = small();
    c.vocab_size = 0;
    refuse(c, "vocab_size");
    c = small();
    c.num_hidden_layers = 100000;
    refuse(c, "num_hidden_layers");
    c = small();
    c.num_attention_heads = 0;
    refuse(c, "num_attention_heads");
    c = small();
    c.rms_norm_eps = (double)NAN;
    refuse(c, "rms_norm_eps");
    c = small();
    c.rope_theta = 0;
    refuse(c, "rope_theta");
    c = small();
    c.initializer_range = -1;
    refuse(c, "initializer_range");
}

static double deviation(const struct model_table *t, uint32_t i, const float *p)
{
    double s = 0;
    for (uint64_t k = 0; k < t->tensors[i].n; k++)
        s += (double)p[t->tensors[i].offset + k] * (double)p[t->tensors[i].offset + k];
    return sqrt(s / (double)t->tensors[i].n);
}

static void model_init_weights_has_the_stated_spread(void **state)
{
    (void)state;
    struct model_table t = {0};
    struct model_config c = small();
    assert_int_equal(model_table_init(&t, &c, NULL), OK);
    float *p = alloc_aligned(t.n_params, sizeof(float));
    model_init_weights(&t, &c, 5, p);
    assert_true(fabs(deviation(&t, 0, p) - 0.02) < 0.001);
    assert_true(fabs(deviation(&t, 2, p) - 0.02) < 0.002);
    assert_true(fabs(deviation(&t, 5, p) - 0.01) < 0.001); /* o_proj: / sqrt(2 * 2) */
    assert_true(fabs(deviation(&t, 9, p) - 0.01) < 0.001); /* down_proj */
    assert_true(deviation(&t, 1, p) == 1);
    free(p);
    model_table_deinit(&t);
}

/* The hash of these weights on any machine; a change here breaks every run's first checkpoint. */
static void model_init_weights_gives_the_same_bits_everywhere(void **state)
{
    (void)state;
    struct model_table t = {0};
    struct model_config c = small();
    char hex[HASH_HEX];
    char other[HASH_HEX];
    assert_int_equal(model_table_init(&t, &c, NULL), OK);
    float *p = alloc_aligned(t.n_params, sizeof(float));
    model_init_weights(&t, &c, 5, p);
    struct hash h = model_hash(&t, p);
    assert_string_equal(hash_hex(&h, hex),
                        "ff2153a43af92d9b459cffe364ba97ca8156b9fb0fe47dc4a24d133ccf455b43");
    model_init_weights(&t, &c, 6, p);
    h = model_hash(&t, p);
    assert_string_not_equal(hash_hex(&h, other), hex);
    free(p);
    model_table_deinit(&t);
}

static void model_table_init_survives_no_memory(void **state)
{
    (void)state;
    struct model_table t = {0};
    struct model_config c = small();
    alloc_fail_nth(1);
    assert_int_equal(model_table_init(&t, &c, NULL), ERR_NOMEM);
    alloc_fail_nth(0);
    model_table_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_table_lists_hugging_face_names_in_order),
        cmocka_unit_test(model_table_tensors_lie_side_by_side),
        cmocka_unit_test(model_config_check_names_the_field_and_its_rule),
        cmocka_unit_test(model_init_weights_has_the_stated_spread),
        cmocka_unit_test(model_init_weights_gives_the_same_bits_everywhere),
        cmocka_unit_test(model_table_init_survives_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
