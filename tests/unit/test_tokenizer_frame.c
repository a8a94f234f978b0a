#include <string.h>

#include "engine/tokenizer_frame.h"
#include "tests/check.h"

#define META  "\"\u2581\""
#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true}"
#define BPE   "{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}"
#define SPACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":" META "}"
#define FRONT "{\"type\":\"Prepend\",\"prepend\":" META "}"
#define BACK  "{\"type\":\"Replace\",\"pattern\":{\"String\":" META "},\"content\":\" \"}"

/* The parts of a file; NULL: as a byte-level tokenizer has it. */
struct parts {
    const char *normalizer, *pre_tokenizer, *post_processor, *decoder, *model;
};

static json_t *frame_of(struct parts p)
{
    struct buf b = {0};
    json_t *o = NULL;
    buf_printf(&b,
               "{\"version\":\"1.0\",\"normalizer\":%s,\"pre_tokenizer\":%s,\"post_processor\":%s,"
               "\"decoder\":%s,\"model\":%s}",
               p.normalizer ? p.normalizer : "null", p.pre_tokenizer ? p.pre_tokenizer : BYTES,
               p.post_processor ? p.post_processor : "null",
               p.decoder ? p.decoder : "{\"type\":\"ByteLevel\"}", p.model ? p.model : BPE);
    assert_int_equal(json_parse(b.p, b.len, &o, NULL), OK);
    buf_deinit(&b);
    return o;
}

static void reads(struct parts p, struct tokenizer_frame *ret, json_t **ret_json)
{
    struct err e = {0};
    *ret_json = frame_of(p);
    if (tokenizer_frame_read(*ret_json, ret, &e)) fail_msg("%s", e.what);
}

/* Refused with a sentence that holds the word. */
static void refuses(struct parts p, const char *word)
{
    struct err e = {0};
    struct tokenizer_frame f = {0};
    json_t *o = frame_of(p);
    assert_int_equal(tokenizer_frame_read(o, &f, &e), ERR_PROTO);
    if (!strstr(e.what, word)) fail_msg("'%s' is not in: %s", word, e.what);
    assert_true(strlen(e.hint) > 0);
    json_decref(o);
}

static void each_family_has_its_style(void **state)
{
    (void)state;
    struct tokenizer_frame f;
    json_t *o = NULL;
    reads((struct parts){0}, &f, &o);
    assert_false(f.style.is_sentence || f.style.ignores_merges || f.is_normalized);
    assert_int_equal(f.style.rule, PRETOKEN_GPT2);
    json_decref(o);
    reads((struct parts){.pre_tokenizer =
                             "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\","
                             "\"individual_digits\":true}," BYTES "]}"},
          &f, &o);
    assert_int_equal(f.style.rule, PRETOKEN_DIGITS);
    json_decref(o);
    reads((struct parts){.pre_tokenizer = "null",
                         .normalizer =
                             "{\"type\":\"Sequence\",\"normalizers\":[" FRONT "," SPACE "]}",
                         .decoder = BACK,
                         .model = "{\"type\":\"BPE\",\"byte_fallback\":true}"},
          &f, &o);
    assert_true(f.style.is_sentence && f.is_normalized);
    assert_int_equal(f.style.prefix, TOKENIZER_PREFIX_ALWAYS);
    json_decref(o);
}

static void the_tokens_around_a_text_are_recorded(void **state)
{
    (void)state;
    struct tokenizer_frame f;
    json_t *o = NULL;
    reads((struct parts){.post_processor =
                             "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},"
                             "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
                             "{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":"
                             "{\"id\":\"</s>\"}}]}]}"},
          &f, &o);
    assert_string_equal(f.bos, "<s>");
    assert_string_equal(f.eos, "</s>");
    json_decref(o);
}

static void normalizers_that_are_not_done_here_are_refused(void **state)
{
    (void)state;
    refuses((struct parts){.normalizer = "{\"type\":\"NFC\"}"}, "NFC");
    refuses((struct parts){.normalizer = "{\"type\":\"Lowercase\"}"}, "normalizer 'Lowercase'");
    refuses((struct parts){.normalizer = SPACE}, "byte-level");
    refuses((struct parts){.normalizer = FRONT}, "without replacing");
    refuses((struct parts){.normalizer = "\"x\""}, "normalizer");
    refuses((struct parts){.normalizer = "{\"type\":\"Sequence\",\"normalizers\":[" FRONT "," FRONT
                                         "," SPACE "]}"},
            "Prepend");
    refuses((struct parts){.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" \"},"
                                         "\"content\":" META "}"},
            "Replace");
}

static void pre_tokenizers_that_are_not_done_here_are_refused(void **state)
{
    (void)state;
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"Whitespace\"}"}, "Whitespace");
    refuses((struct parts){.pre_tokenizer = "{}"}, "pre_tokenizer");
    refuses((struct parts){.pre_tokenizer = "null"}, "neither");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"},
            "add_prefix_space");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"ByteLevel\",\"use_regex\":false}"},
            "use_regex off without");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"ByteLevel\",\"new\":1}"}, "'new'");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"Digits\",\"individual_digits\":false}"},
            "individual_digits");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"Digits\",\"individual_digits\":true}"},
            "end with ByteLevel");
    refuses((struct parts){.pre_tokenizer =
                               "{\"type\":\"Sequence\",\"pretokenizers\":[" BYTES "," BYTES "]}"},
            "ByteLevel");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\\u0007"
                                            "+\"},\"behavior\":\"Isolated\",\"invert\":false}"},
            "a?+");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},"
                                            "\"behavior\":\"Removed\",\"invert\":false}"},
            "behavior");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"_\"}"},
            "replacement");
    refuses((struct parts){.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":" META
                                            ",\"prepend_scheme\":\"last\"}"},
            "'last'");
}

static void the_rest_is_refused_by_its_name(void **state)
{
    (void)state;
    refuses((struct parts){.decoder = "null"}, "decoder");
    refuses((struct parts){.decoder = "{\"type\":\"WordPiece\"}"}, "decoder 'WordPiece'");
    refuses((struct parts){.post_processor = "{\"type\":\"BertProcessing\"}"}, "BertProcessing");
    refuses((struct parts){.post_processor = "{\"type\":\"TemplateProcessing\"}"}, "single");
    refuses((struct parts){.post_processor = "{\"type\":\"TemplateProcessing\",\"single\":[]}"},
            "drops");
    refuses((struct parts){.post_processor =
                               "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
                               "{\"id\":\"a\"}},{\"SpecialToken\":{\"id\":\"b\"}}]}"},
            "more than one");
    refuses((struct parts){.model = "{\"type\":\"Unigram\"}"}, "BPE");
    refuses((struct parts){.model = "{\"type\":\"BPE\",\"dropout\":0.1}"}, "dropout");
    refuses((struct parts){.model = "{\"type\":\"BPE\",\"byte_fallback\":true}"}, "byte_fallback");
    refuses((struct parts){.model = "{\"type\":\"BPE\",\"continuing_subword_prefix\":\"##\"}"},
            "continuing_subword_prefix");
    refuses((struct parts){.model = "[]"}, "model");
    refuses((struct parts){.pre_tokenizer = "null", .normalizer = SPACE, .decoder = BACK},
            "byte_fallback");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_family_has_its_style),
        cmocka_unit_test(the_tokens_around_a_text_are_recorded),
        cmocka_unit_test(normalizers_that_are_not_done_here_are_refused),
        cmocka_unit_test(pre_tokenizers_that_are_not_done_here_are_refused),
        cmocka_unit_test(the_rest_is_refused_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
