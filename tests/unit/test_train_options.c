#include <string.h>

#include "app/train_options.h"
#include "tests/check.h"

static struct train_options o;
static struct err e;

#define MAX_WORDS 24

/* Parse words between spaces. */
static int parse(const char *line)
{
    static char text[512], name[] = "train";
    char *argv[MAX_WORDS + 1] = {name};
    char *rest = NULL;
    int argc = 1;
    memset(&e, 0, sizeof e);
    snprintf(text, sizeof text, "%s", line);
    for (char *w = strtok_r(text, " ", &rest); w && argc < MAX_WORDS;
         w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    return train_options_parse(argc, argv, &o, &e);
}

static void take(const char *line)
{
    assert_int_equal(parse(line), OK);
    assert_int_equal(train_options_fill(&o, &e), OK);
}

static void nothing_chosen_is_a_small_model(void **state)
{
    (void)state;
    take("--data text");
    assert_int_equal(o.n_data, 1);
    assert_string_equal(o.out, "potluck-model");
    assert_int_equal(o.hidden, 256);
    assert_int_equal(o.seq, 256);
    assert_int_equal(o.max_positions, 256);
    assert_int_equal(o.steps, 1000);
    assert_int_equal(o.warmup, 100);
    assert_int_equal(o.nice, 19);
    assert_true(o.threads >= 1);
}

static void a_size_is_a_set_of_choices_that_others_change(void **state)
{
    (void)state;
    take("--layers 3 --size tiny a b --lr=0.01");
    assert_int_equal(o.n_data, 2);
    assert_int_equal(o.hidden, 128);
    assert_int_equal(o.layers, 3);
    assert_true(o.lr == 0.01);
    take("--hidden 96 --heads 4 a");
    assert_int_equal(o.intermediate, 256);
    assert_int_equal(o.kv_heads, 4);
}

static void each_size_makes_a_model(void **state)
{
    (void)state;
    struct train_options s = {.seed = 1};
    struct model_config m;
    size_t n = 0;
    while (train_options_size(n, &s)) {
        assert_int_equal(train_options_fill(&s, &e), OK);
        train_options_model(&s, &m);
        assert_int_equal(model_config_check(&m, &e), OK);
        s = (struct train_options){.seed = 1};
        n++;
    }
    assert_int_equal(n, 4);
}

static void length_may_be_said_in_tokens_or_hours(void **state)
{
    (void)state;
    take("--tokens 1M --batch 8 --seq 128 a");
    assert_int_equal(o.steps, 977);
    assert_false(train_options_must_measure(&o));
    take("--hours 1.5 a");
    assert_true(train_options_must_measure(&o));
    assert_int_equal(o.steps, 0);
    take("--steps 2k a");
    assert_int_equal(o.steps, 2000);
    assert_int_equal(parse("--steps 5 --hours 1 a"), ERR_ARG);
    assert_non_null(strstr(e.what, "only one"));
}

static void slips_are_answered_with_the_word_and_the_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } slips[] = {
        {"--layers zero a",      "--layers 'zero' is not between 1 and 512"},
        {"--layers 0 a",         "between 1 and 512"                       },
        {"--layers 2.5 a",       "whole number"                            },
        {"--lr nan a",           "--lr 'nan'"                              },
        {"--steps 1T a",         "--steps '1T'"                            },
        {"--tired 1 a",          "--tired"                                 },
        {"--max-positions 16 a", "--max-positions"                         },
        {"a --steps",            "--steps"                                 },
        {"--size huge a",        "tiny, small, medium and large"           },
        {"--hours 0 a",          "--hours"                                 },
        {"--duty 0 a",           "--duty"                                  },
        {"--threads 65 a",       "between 1 and 64"                        },
    };
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        assert_int_equal(parse(slips[i].line), ERR_ARG);
        if (!strstr(e.what, slips[i].says)) fail_msg("%s: %s", slips[i].line, e.what);
    }
    assert_int_equal(parse("--hidden 100 --heads 8 a"), OK);
    assert_int_equal(train_options_fill(&o, &e), ERR_ARG);
    assert_int_equal(parse("--batch 65536 --seq 65536 a"), OK);
    assert_int_equal(train_options_fill(&o, &e), ERR_ARG);
}

static json_t *saved_by(const char *line)
{
    take(line);
    o.model_vocab = 300;
    json_t *j = train_options_json(&o);
    assert_non_null(j);
    return j;
}

static void going_on_needs_no_option(void **state)
{
    (void)state;
    struct hash before, after;
    json_t *j = saved_by("--size tiny --lr 0.002 --steps 50 a");
    assert_int_equal(train_options_hash(&o, &before, &e), OK);
    assert_int_equal(parse("--threads 1"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    assert_int_equal(train_options_fill(&o, &e), OK);
    assert_int_equal(o.hidden, 128);
    assert_int_equal(o.steps, 50);
    assert_int_equal(o.warmup, 5);
    assert_int_equal(o.model_vocab, 300);
    assert_int_equal(train_options_hash(&o, &after, &e), OK);
    assert_true(hash_equal(&before, &after));
    json_decref(j);
}

static void the_same_command_goes_on_and_another_model_is_refused(void **state)
{
    (void)state;
    json_t *j = saved_by("--size tiny --steps 50 a");
    assert_int_equal(parse("--size tiny --steps 50 a"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    assert_int_equal(parse("--size small a"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "--hidden 256"));
    assert_non_null(strstr(e.hint, "--out"));
    assert_int_equal(parse("--lr 0.1 a"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), ERR_ARG);
    json_decref(j);
}

static void the_length_may_change(void **state)
{
    (void)state;
    struct hash before, after;
    json_t *j = saved_by("--size tiny --steps 50 a");
    assert_int_equal(train_options_hash(&o, &before, &e), OK);
    assert_int_equal(parse("--steps 80"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    assert_int_equal(train_options_fill(&o, &e), OK);
    assert_int_equal(o.steps, 80);
    assert_int_equal(o.warmup, 5);
    assert_int_equal(train_options_hash(&o, &after, &e), OK);
    assert_true(hash_equal(&before, &after));
    json_decref(j);
}

/* 8 hours, stopped after 2 and called again with the same words, are not 10. */
static void the_same_hours_again_keep_the_measured_end(void **state)
{
    (void)state;
    take("--size tiny --hours 8 a");
    o.model_vocab = 300;
    o.steps = 4711;
    json_t *j = train_options_json(&o);
    assert_int_equal(parse("--size tiny --hours 8 a"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    assert_int_equal(train_options_fill(&o, &e), OK);
    assert_false(train_options_must_measure(&o));
    assert_int_equal(o.steps, 4711);
    assert_true(o.hours == 8);
    assert_int_equal(parse("--size tiny --hours 9 a"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    assert_int_equal(train_options_fill(&o, &e), OK);
    assert_true(train_options_must_measure(&o));
    json_decref(j);
}

/* It is decided when training begins, and another computer may decide anew. */
static void a_precision_is_a_word_that_may_change(void **state)
{
    (void)state;
    struct hash before, after;
    struct trainer_options t;
    take("--size tiny a");
    assert_true(o.precision == TRAINER_FP32 || o.precision == TRAINER_BF16);
    json_t *j = saved_by("--size tiny --precision bf16 a");
    assert_string_equal(json_string_value(json_object_get(j, "precision")), "bf16");
    assert_int_equal(train_options_hash(&o, &before, &e), OK);
    assert_int_equal(parse("--threads 3"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    train_options_trainer(&o, &t);
    assert_int_equal(t.precision, TRAINER_BF16);
    assert_int_equal(t.n_threads, 3);
    assert_int_equal(parse("--precision fp32"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    assert_int_equal(train_options_fill(&o, &e), OK);
    assert_int_equal(o.precision, TRAINER_FP32);
    assert_int_equal(train_options_hash(&o, &after, &e), OK);
    assert_true(hash_equal(&before, &after));
    json_set_text(j, "precision", "int3");
    assert_int_equal(parse(""), OK);
    assert_int_equal(train_options_resume(&o, j, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "precision"));
    assert_int_equal(parse("--precision half a"), ERR_ARG);
    json_decref(j);
}

/* A folder of before there was the word has none, and its state is named by the same hash. */
static void moments_are_fixed_and_their_first_choice_is_not_written(void **state)
{
    (void)state;
    struct hash before, after;
    struct trainer_options t;
    json_t *j = saved_by("--size tiny a");
    assert_null(json_object_get(j, "moments"));
    assert_int_equal(train_options_hash(&o, &before, &e), OK);
    assert_int_equal(parse("--moments fp32 a"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    assert_int_equal(parse("--moments 8bit a"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "--moments 8bit does not fit: this model has fp32"));
    json_decref(j);
    j = saved_by("--size tiny --moments 8bit a");
    assert_string_equal(json_string_value(json_object_get(j, "moments")), "8bit");
    assert_int_equal(train_options_hash(&o, &after, &e), OK);
    assert_false(hash_equal(&before, &after));
    assert_int_equal(parse(""), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    train_options_trainer(&o, &t);
    assert_int_equal(t.moments, PACKED_Q8);
    assert_true(t.is_solo);
    json_set_text(j, "moments", "4bit");
    assert_int_equal(parse(""), OK);
    assert_int_equal(train_options_resume(&o, j, &e), ERR_PROTO);
    json_decref(j);
}

static void recomputing_is_this_computers_own_matter(void **state)
{
    (void)state;
    struct hash before, after;
    struct trainer_options t;
    json_t *j = saved_by("--size tiny --recompute a");
    assert_null(json_object_get(j, "recompute"));
    assert_int_equal(train_options_hash(&o, &before, &e), OK);
    train_options_trainer(&o, &t);
    assert_true(t.recompute);
    assert_int_equal(parse("a"), OK);
    assert_int_equal(train_options_resume(&o, j, &e), OK);
    assert_int_equal(train_options_hash(&o, &after, &e), OK);
    assert_true(hash_equal(&before, &after));
    train_options_trainer(&o, &t);
    assert_false(t.recompute);
    json_decref(j);
}

static void a_train_json_that_was_damaged_is_refused(void **state)
{
    (void)state;
    json_t *j = saved_by("--size tiny a");
    json_set_u64(j, "layers", 100000);
    assert_int_equal(parse(""), OK);
    assert_int_equal(train_options_resume(&o, j, &e), ERR_PROTO);
    json_object_del(j, "layers");
    assert_int_equal(train_options_resume(&o, j, &e), ERR_PROTO);
    json_decref(j);
}

static const struct model_config found = {
    .vocab_size = 49152,
    .hidden_size = 576,
    .intermediate_size = 1536,
    .num_hidden_layers = 30,
    .num_attention_heads = 9,
    .num_key_value_heads = 3,
    .max_position_embeddings = 2048,
    .rms_norm_eps = 1e-5,
    .rope_theta = 100000,
    .tie_word_embeddings = true,
};

static void a_model_to_start_from_decides_the_shape(void **state)
{
    (void)state;
    struct model_config m;
    assert_int_equal(parse("--init m a"), OK);
    assert_int_equal(train_options_adopt(&o, &found, &e), OK);
    assert_int_equal(train_options_fill(&o, &e), OK);
    train_options_model(&o, &m);
    assert_int_equal(m.vocab_size, 49152);
    assert_int_equal(m.max_position_embeddings, 2048);
    assert_true(m.rope_theta == 100000);
    assert_int_equal(o.seq, 512);
    assert_true(o.lr == 1e-4);
    assert_int_equal(parse("--init m --layers 12 a"), OK);
    assert_int_equal(train_options_adopt(&o, &found, &e), ERR_ARG);
    assert_int_equal(parse("--init m --seq 4096 a"), OK);
    assert_int_equal(train_options_adopt(&o, &found, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "2048"));
}

static void help_names_every_option(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(train_options_help(&b, &e), OK);
    const char *text = buf_str(&b);
    static const char *const words[] = {"--data", "--steps",    "--dry-run",     "--duty",
                                        "medium", "Exit codes", "--weight-decay"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(text, words[i]));
    assert_null(strstr(text, "max-positions"));
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_chosen_is_a_small_model),
        cmocka_unit_test(a_size_is_a_set_of_choices_that_others_change),
        cmocka_unit_test(each_size_makes_a_model),
        cmocka_unit_test(length_may_be_said_in_tokens_or_hours),
        cmocka_unit_test(slips_are_answered_with_the_word_and_the_bounds),
        cmocka_unit_test(going_on_needs_no_option),
        cmocka_unit_test(the_same_command_goes_on_and_another_model_is_refused),
        cmocka_unit_test(the_length_may_change),
        cmocka_unit_test(the_same_hours_again_keep_the_measured_end),
        cmocka_unit_test(a_precision_is_a_word_that_may_change),
        cmocka_unit_test(moments_are_fixed_and_their_first_choice_is_not_written),
        cmocka_unit_test(recomputing_is_this_computers_own_matter),
        cmocka_unit_test(a_train_json_that_was_damaged_is_refused),
        cmocka_unit_test(a_model_to_start_from_decides_the_shape),
        cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
