#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "engine/hf_config.h"
#include "engine/tokenizer.h"
#include "tests/check.h"

/* A small config.json with one member replaced or added ("" = as it is). */
static int parse_with(const char *name, const char *value, struct model_config *c,
                      struct hf_config_ids *ids, struct err *e)
{
    static const char *const base[][2] = {
        {"architectures",           "[\"LlamaForCausalLM\"]"},
        {"model_type",              "\"llama\""             },
        {"vocab_size",              "300"                   },
        {"hidden_size",             "32"                    },
        {"intermediate_size",       "64"                    },
        {"num_hidden_layers",       "2"                     },
        {"num_attention_heads",     "4"                     },
        {"num_key_value_heads",     "2"                     },
        {"max_position_embeddings", "128"                   },
        {"rms_norm_eps",            "1e-05"                 },
        {"rope_theta",              "10000.0"               },
        {"tie_word_embeddings",     "true"                  },
        {"torch_dtype",             "\"bfloat16\""          },
    };
    struct buf b = {0};
    bool is_done = !*name;
    buf_put_str(&b, "{");
    for (size_t i = 0; i < sizeof base / sizeof *base; i++) {
        bool is_it = strcmp(base[i][0], name) == 0;
        is_done |= is_it;
        if (is_it && !*value) continue; /* left out */
        buf_printf(&b, "\"%s\":%s,", base[i][0], is_it ? value : base[i][1]);
    }
    if (!is_done) buf_printf(&b, "\"%s\":%s,", name, value);
    buf_put_str(&b, "\"use_cache\":true}");
    int rc = hf_config_parse(b.p, b.len, c, ids, e);
    buf_deinit(&b);
    return rc;
}

static void hf_config_parse_reads_every_field(void **state)
{
    (void)state;
    struct model_config c = {0};
    struct hf_config_ids ids = {0};
    assert_int_equal(parse_with("", "", &c, &ids, NULL), OK);
    assert_int_equal(c.vocab_size, 300);
    assert_int_equal(c.hidden_size, 32);
    assert_int_equal(c.intermediate_size, 64);
    assert_int_equal(c.num_hidden_layers, 2);
    assert_int_equal(c.num_attention_heads, 4);
    assert_int_equal(c.num_key_value_heads, 2);
    assert_int_equal(c.max_position_embeddings, 128);
    assert_true(c.rms_norm_eps == 1e-5 && c.rope_theta == 10000);
    assert_true(c.initializer_range == 0.02);
    assert_true(c.tie_word_embeddings);
    assert_int_equal(ids.bos, -1);
    assert_int_equal(ids.eos, -1);
}

static void hf_config_parse_knows_what_is_meant_by_absence(void **state)
{
    (void)state;
    struct model_config c = {0};
    assert_int_equal(parse_with("num_key_value_heads", "", &c, NULL, NULL), OK);
    assert_int_equal(c.num_key_value_heads, 4);
    assert_int_equal(parse_with("tie_word_embeddings", "", &c, NULL, NULL), OK);
    assert_false(c.tie_word_embeddings);
    assert_int_equal(parse_with("rms_norm_eps", "", &c, NULL, NULL), OK);
    assert_true(c.rms_norm_eps == 1e-6);
    assert_int_equal(parse_with("architectures", "", &c, NULL, NULL), OK);
    assert_int_equal(parse_with("max_position_embeddings", "200000", &c, NULL, NULL), OK);
    assert_int_equal(c.max_position_embeddings, HF_CONFIG_MAX_POSITIONS);
}

static void hf_config_parse_takes_plain_rotary_positions_in_each_spelling(void **state)
{
    (void)state;
    struct model_config c = {0};
    static const char *const same[][2] = {
        {"rope_scaling",    "null"                                                  },
        {"rope_scaling",    "{\"type\":\"default\"}"                                },
        {"rope_parameters", "{\"rope_type\":\"default\",\"rope_theta\":10000}"      },
        {"rope_parameters", "{\"rope_theta\":10000.0,\"partial_rotary_factor\":1.0}"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(parse_with(same[i][0], same[i][1], &c, NULL, NULL), OK);
        assert_true(c.rope_theta == 10000);
    }
    assert_int_equal(parse_with("rope_parameters",
                                "{\"rope_type\":\"default\",\"rope_theta\":500000.0}", &c, NULL,
                                NULL),
                     OK);
    assert_true(c.rope_theta == 500000);
}

static void hf_config_parse_reads_ids_of_both_forms(void **state)
{
    (void)state;
    struct model_config c = {0};
    struct hf_config_ids ids = {0};
    assert_int_equal(parse_with("eos_token_id", "[7,8]", &c, &ids, NULL), OK);
    assert_int_equal(ids.eos, 7);
    assert_int_equal(parse_with("bos_token_id", "1", &c, &ids, NULL), OK);
    assert_int_equal(ids.bos, 1);
    assert_int_equal(parse_with("bos_token_id", "300", &c, &ids, NULL), OK);
    assert_int_equal(ids.bos, -1);
}

static void hf_config_parse_refuses_what_is_not_computed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *says;
    } bad[] = {
        {"model_type",            "\"mistral\"",                             "mistral"      },
        {"architectures",         "[\"LlamaModel\"]",                        "LlamaModel"   },
        {"architectures",         "[]",                                      "architectures"},
        {"hidden_act",            "\"gelu\"",                                "gelu"         },
        {"attention_bias",        "true",                                    "bias"         },
        {"mlp_bias",              "true",                                    "mlp_bias"     },
        {"head_dim",              "16",                                      "head_dim"     },
        {"head_dim",              "\"x\"",                                   "head_dim"     },
        {"quantization_config",   "{\"bits\":4}",                            "quantization" },
        {"partial_rotary_factor", "0.5",                                     "rotary"       },
        {"rope_scaling",          "{\"rope_type\":\"llama3\",\"factor\":8}", "llama3"       },
        {"rope_scaling",          "{\"type\":\"linear\",\"factor\":2}",      "linear"       },
        {"rope_scaling",          "{\"type\":\"dynamic\",\"factor\":2}",     "dynamic"      },
        {"rope_scaling",          "{\"rope_type\":\"yarn\",\"factor\":2}",   "yarn"         },
        {"rope_scaling",          "{\"factor\":2}",                          "factor"       },
        {"rope_scaling",          "\"yarn\"",                                "rope_scaling" },
        {"rope_parameters",       "{\"rope_type\":\"longrope\"}",            "longrope"     },
        {"rope_parameters",       "{\"rope_theta\":\"x\"}",                  "rope_theta"   },
        {"rope_theta",            "0.5",                                     "rope_theta"   },
        {"num_attention_heads",   "5",                                       "divisible"    },
        {"num_key_value_heads",   "3",                                       "divisible"    },
        {"vocab_size",            "2000000",                                 "vocab_size"   },
        {"rms_norm_eps",          "0",                                       "rms_norm_eps" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        struct model_config c = {0};
        if (parse_with(bad[i].name, bad[i].value, &c, NULL, &e) != ERR_ARG)
            fail_msg("%s %s was taken: %s", bad[i].name, bad[i].value, e.what);
        if (!strstr(e.what, bad[i].says)) fail_msg("%s: %s", bad[i].value, e.what);
        assert_int_equal(c.vocab_size, 0);
    }
}

static void hf_config_parse_refuses_what_is_no_config(void **state)
{
    (void)state;
    struct err e = {0};
    struct model_config c = {0};
    assert_int_equal(hf_config_parse("{", 1, &c, NULL, &e), ERR_PROTO);
    assert_int_equal(hf_config_parse("[]", 2, &c, NULL, &e), ERR_PROTO);
    assert_int_equal(hf_config_parse("{}", 2, &c, NULL, &e), ERR_PROTO);
    assert_true(e.hint[0]);
    assert_int_equal(parse_with("hidden_size", "", &c, NULL, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "hidden_size"));
    assert_int_equal(parse_with("hidden_size", "-1", &c, NULL, &e), ERR_PROTO);
    assert_int_equal(parse_with("hidden_size", "1e3", &c, NULL, &e), ERR_PROTO);
    assert_int_equal(parse_with("tie_word_embeddings", "1", &c, NULL, &e), ERR_PROTO);
}

static void hf_config_written_is_read_back(void **state)
{
    (void)state;
    struct model_config c = {.vocab_size = 2048,
                             .hidden_size = 256,
                             .intermediate_size = 688,
                             .num_hidden_layers = 6,
                             .num_attention_heads = 8,
                             .num_key_value_heads = 4,
                             .max_position_embeddings = 128,
                             .rms_norm_eps = 1e-5,
                             .rope_theta = 12345.678,
                             .initializer_range = 0.02,
                             .tie_word_embeddings = false};
    struct model_config back;
    struct hf_config_ids ids;
    struct buf b = {0};
    memset(&back, 0, sizeof back);
    assert_int_equal(hf_config_write(&c, &(struct hf_config_ids){0, 5}, DTYPE_BF16, &b, NULL), OK);
    assert_non_null(strstr(buf_str(&b), "\"torch_dtype\": \"bfloat16\""));
    assert_non_null(strstr(buf_str(&b), "\"initializer_range\": 0.02,"));
    assert_int_equal(hf_config_parse(b.p, b.len, &back, &ids, NULL), OK);
    assert_true(back.rope_theta == c.rope_theta && back.rms_norm_eps == c.rms_norm_eps);
    assert_int_equal(back.intermediate_size, 688);
    assert_false(back.tie_word_embeddings);
    assert_int_equal(ids.bos, 0);
    assert_int_equal(ids.eos, 5);
    buf_deinit(&b);
}

static void assert_ends(struct hf_config_ids got, int64_t bos, int64_t eos)
{
    assert_int_equal(got.bos, bos);
    assert_int_equal(got.eos, eos);
}

static void hf_config_ends_are_what_config_says_else_the_tokenizers_marks(void **state)
{
    (void)state;
    static const char path[] = "tests/fuzz/corpus/tokenizer_json/sentence.json";
    struct hf_config_ids none = {-1, -1};
    struct buf json = {0};
    struct tokenizer *own = NULL, *llama = NULL;
    assert_int_equal(tokenizer_train("ab", 2, 257, NULL, NULL, &own, NULL), OK);
    assert_int_equal(file_read(path, 1 << 20, &json, NULL), OK);
    assert_int_equal(tokenizer_from_json(json.p, json.len, &llama, NULL), OK);
    assert_ends(hf_config_ends(&(struct hf_config_ids){7, 8}, llama), 7, 8);
    assert_ends(hf_config_ends(&(struct hf_config_ids){-1, 8}, llama), 1, 8);
    assert_ends(hf_config_ends(&none, llama), 1, 2);
    assert_ends(hf_config_ends(NULL, llama), 1, 2);
    assert_ends(hf_config_ends(NULL, own), 0, 0);
    assert_ends(hf_config_ends(&none, own), -1, 0); /* its config.json says that none begins */
    assert_ends(hf_config_ends(&none, NULL), -1, -1);
    assert_ends(hf_config_ends(NULL, NULL), -1, -1);
    tokenizer_destroy(own);
    tokenizer_destroy(llama);
    buf_deinit(&json);
}

static void hf_config_settings_are_json_with_the_separator(void **state)
{
    (void)state;
    struct buf b = {0};
    struct model_config c = {.max_position_embeddings = 128};
    json_t *o = NULL;
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_train("ab", 2, 257, NULL, NULL, &t, NULL), OK);
    assert_int_equal(hf_config_write_tokenizer(&c, &(struct hf_config_ids){-1, 0}, t, &b, NULL),
                     OK);
    assert_int_equal(json_parse(b.p, b.len, &o, NULL), OK);
    assert_string_equal(json_string_value(json_object_get(o, "eos_token")), "<|endoftext|>");
    assert_null(json_object_get(o, "bos_token"));
    assert_int_equal(json_integer_value(json_object_get(o, "model_max_length")), 128);
    json_decref(o);
    buf_clear(&b);
    tokenizer_destroy(t);
    assert_int_equal(hf_config_write_generation(&(struct hf_config_ids){-1, 0}, &b, NULL), OK);
    assert_int_equal(json_parse(b.p, b.len, &o, NULL), OK);
    assert_null(json_object_get(o, "bos_token_id"));
    assert_non_null(json_object_get(o, "eos_token_id"));
    json_decref(o);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hf_config_parse_reads_every_field),
        cmocka_unit_test(hf_config_parse_knows_what_is_meant_by_absence),
        cmocka_unit_test(hf_config_parse_takes_plain_rotary_positions_in_each_spelling),
        cmocka_unit_test(hf_config_parse_reads_ids_of_both_forms),
        cmocka_unit_test(hf_config_parse_refuses_what_is_not_computed),
        cmocka_unit_test(hf_config_parse_refuses_what_is_no_config),
        cmocka_unit_test(hf_config_written_is_read_back),
        cmocka_unit_test(hf_config_ends_are_what_config_says_else_the_tokenizers_marks),
        cmocka_unit_test(hf_config_settings_are_json_with_the_separator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
