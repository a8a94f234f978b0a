#include <stdio.h>
#include <string.h>

#include "client/about.h"
#include "tests/check.h"

static struct rundesc d;
static struct view_card card[VIEW_CARD];

static int setup(void **state)
{
    (void)state;
    memset(&d, 0, sizeof d);
    memset(card, 0, sizeof card);
    snprintf(d.name, sizeof d.name, "tiny");
    snprintf(d.note, sizeof d.note, "English text, CC BY-SA");
    d.model = (struct model_config){.vocab_size = 512,
                                    .hidden_size = 64,
                                    .intermediate_size = 128,
                                    .num_hidden_layers = 2,
                                    .num_attention_heads = 4,
                                    .num_key_value_heads = 2,
                                    .max_position_embeddings = 64,
                                    .rope_theta = 10000,
                                    .rms_norm_eps = 1e-5,
                                    .initializer_range = 0.02,
                                    .tie_word_embeddings = true};
    d.train.seq_len = 64;
    d.train.batch_seqs = 4;
    d.inner_ms = 30000;
    d.upload_ms = 20000;
    d.reward_per_round = 100 * 1000000;
    snprintf(d.reward_unit, sizeof d.reward_unit, "leaves");
    d.n_train_shards = 3;
    d.n_aggregators = 1;
    snprintf(d.aggregators[0].host, sizeof d.aggregators[0].host, "host.example");
    d.aggregators[0].port = 443;
    memset(d.host.b, 0xab, sizeof d.host.b);
    return 0;
}

static const char *text_of(uint32_t n, const char *title)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(card[i].title, title) == 0) return card[i].text;
    return "";
}

static void a_card_says_what_by_whom_for_what_and_at_which_cost(void **state)
{
    (void)state;
    uint32_t n = about_fill(&d, card);
    assert_true(n <= VIEW_CARD);
    assert_string_equal(text_of(n, "run"), "tiny");
    assert_non_null(strstr(text_of(n, "what"), "CC BY-SA"));
    assert_non_null(strstr(text_of(n, "model"), "in 2 layers of 64"));
    assert_non_null(strstr(text_of(n, "needs"), "at least "));
    assert_non_null(strstr(text_of(n, "rounds"), "30 s of training"));
    assert_non_null(strstr(text_of(n, "rewards"), "100.00 leaves"));
    assert_non_null(strstr(text_of(n, "address"), "host.example:443"));
    /* The whole fingerprint, or it is none. */
    assert_non_null(strstr(text_of(n, "by"),
                           "abab abab abab abab abab abab abab abab abab abab abab "
                           "abab abab abab abab abab"));
    assert_int_equal(strlen(text_of(n, "run id")), 64);
}

static void what_the_host_left_out_is_said_not_hidden(void **state)
{
    (void)state;
    d.note[0] = 0;
    d.is_from_checkpoint = true;
    d.puzzle.bits = 20;
    uint32_t n = about_fill(&d, card);
    assert_non_null(strstr(text_of(n, "what"), "no note"));
    assert_non_null(strstr(text_of(n, "needs"), "a download of"));
    assert_non_null(strstr(text_of(n, "entry"), "puzzle"));
}

static void how_it_stands_comes_second_and_an_end_is_said(void **state)
{
    (void)state;
    struct msg_round m = {.round = 31, .n_contributors = 4, .val_bits_per_byte = 2.17};
    uint32_t n = about_fill(&d, card);
    assert_int_equal(about_state(&m, NULL, card, n), n + 1);
    assert_string_equal(card[1].title, "now");
    assert_string_equal(card[1].text, "round 31, 4 taking part, held-out 2.170 bits/byte");
    assert_string_equal(card[2].title, "what");
    assert_string_equal(card[n].title, "run id");
    m.state = MSG_ROUND_ENDED;
    n = about_state(&m, NULL, card, about_fill(&d, card));
    assert_non_null(strstr(card[1].text, "HAS ENDED after 31 rounds"));
    struct err e = {0};
    err_set(&e, ERR_IO, 0, "nobody answers");
    n = about_state(NULL, &e, card, about_fill(&d, card));
    assert_non_null(strstr(card[1].text, "not known: nobody answers"));
    assert_true(n <= VIEW_CARD);
}

static void a_card_crosses_the_socket_unchanged(void **state)
{
    (void)state;
    struct buf out = {0};
    struct view_card back[VIEW_CARD];
    uint32_t n_back = 0;
    uint32_t n = about_fill(&d, card);
    assert_int_equal(view_card_encode(card, n, &out, NULL), OK);
    assert_int_equal(view_card_decode(out.p, out.len, back, &n_back, NULL), OK);
    assert_int_equal(n_back, n);
    for (uint32_t i = 0; i < n; i++)
        assert_string_equal(back[i].text, card[i].text);
    struct err e = {0};
    assert_int_equal(view_card_decode("{\"card\":3}", 10, back, &n_back, &e), ERR_PROTO);
    buf_deinit(&out);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(a_card_says_what_by_whom_for_what_and_at_which_cost),
        T(what_the_host_left_out_is_said_not_hidden),
        T(how_it_stands_comes_second_and_an_end_is_said),
        T(a_card_crosses_the_socket_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
