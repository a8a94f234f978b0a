#include <string.h>

#include "engine/model_card.h"
#include "tests/check.h"

static const struct model_config config = {.vocab_size = 300,
                                           .hidden_size = 64,
                                           .num_hidden_layers = 2,
                                           .num_attention_heads = 4,
                                           .num_key_value_heads = 2,
                                           .intermediate_size = 96,
                                           .max_position_embeddings = 32,
                                           .tie_word_embeddings = true};

static const char *write_card(const struct model_card *c, struct buf *b)
{
    struct hash h = hash_of("x", 1);
    assert_int_equal(model_card_write(c, &config, 12345, &h, "model.safetensors", "bf16", b, NULL),
                     OK);
    return buf_str(b);
}

static uint32_t count(const char *text, const char *what)
{
    uint32_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

static void model_card_tells_what_is_known(void **state)
{
    (void)state;
    struct model_card c = {
        .name = "Soup",
        .note = "Public-domain text; weights CC0",
        .has_run = true,
        .has_round = true,
        .n_rounds = 8,
        .n_people = 3,
        .n_tokens = 353280,
        .n_losses = 2,
        .loss_round = {0,   8   },
        .loss = {7.5, 5.25}
    };
    struct buf b = {0};
    const char *text = write_card(&c, &b);
    static const char *const has[] = {"\n# Soup\n",
                                      "> Public-domain text; weights CC0\n",
                                      "| rounds merged | 8 |",
                                      "| contributors | 3 |",
                                      "| tokens trained on | 353280 |",
                                      "| 8 | - | 5.2500 | 190.57 |",
                                      "12345 parameters",
                                      "tied to the embedding",
                                      "weights as bf16"};
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        if (!strstr(text, has[i])) fail_msg("%s lacks: %s", text, has[i]);
    assert_int_equal(strncmp(text, "---\n", 4), 0);
    buf_deinit(&b);
}

static void model_card_leaves_out_what_is_not_known(void **state)
{
    (void)state;
    struct model_card c = {0};
    struct buf b = {0};
    const char *text = write_card(&c, &b);
    static const char *const lacks[] = {
        "rounds", "contributors", "tokens trained", "Loss", "| run |", "license", "> ", "steps"};
    for (size_t i = 0; i < sizeof lacks / sizeof *lacks; i++)
        if (strstr(text, lacks[i])) fail_msg("%s invents: %s", text, lacks[i]);
    assert_non_null(strstr(text, "Nothing is stated"));
    buf_deinit(&b);
}

static void model_card_makes_a_strangers_text_harmless(void **state)
{
    (void)state;
    struct model_card c = {.name = "a\n---\nb", .note = "<script> [x](y) \x1b[2J"};
    struct buf b = {0};
    const char *text = write_card(&c, &b);
    assert_non_null(strstr(text, "# a?---?b\n"));
    assert_non_null(strstr(text, "\\<script\\> \\[x\\]\\(y\\)"));
    assert_null(strchr(text, 0x1b));
    buf_deinit(&b);
}

static void model_card_shows_first_and_last_of_many_losses(void **state)
{
    (void)state;
    struct model_card c = {.n_losses = MODEL_CARD_LOSSES};
    for (uint32_t i = 0; i < MODEL_CARD_LOSSES; i++) {
        c.loss_round[i] = i;
        c.loss[i] = 1.5;
    }
    struct buf b = {0};
    const char *text = write_card(&c, &b);
    assert_int_equal(count(text, "| 1.5000 |"), 20);
    assert_non_null(strstr(text, "\n| 0 | - | 1.5"));
    assert_non_null(strstr(text, "\n| 299 | - | 1.5"));
    buf_deinit(&b);
}

static void model_card_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct model_card c = {.name = "a --> b",
                           .note = "\"CC0\" <!-- x -->",
                           .n_steps = 300,
                           .n_tokens = 614400,
                           .is_by_step = true};
    struct model_card got = {0};
    struct buf b = {0};
    model_card_add(&c, 0, 8.5, 3.7);
    model_card_add(&c, 300, 4.5, 2.1);
    const char *text = write_card(&c, &b);
    assert_non_null(strstr(text, "| step | bits a byte |"));
    assert_non_null(strstr(text, "| 300 | 2.1000 | 4.5000 |"));
    assert_int_equal(count(text, "-->"), 1); /* the note does not end the comment */
    assert_int_equal(model_card_read(b.p, b.len, &got, NULL), OK);
    assert_memory_equal(&got, &c, sizeof c);
    assert_int_equal(model_card_read(b.p, b.len - 6, &got, NULL), ERR_PROTO);
    assert_int_equal(model_card_read("# Soup", 6, &got, NULL), ERR_NOTFOUND);
    static const char bad[] = "<!-- potluck-card {\"by_step\":true,\"loss\":[[2,1,1],[1,1,1]]} -->";
    assert_int_equal(model_card_read(bad, sizeof bad - 1, &got, NULL), ERR_PROTO);
    assert_memory_equal(&got, &c, sizeof c);
    buf_deinit(&b);
}

static void model_card_keeps_first_and_last_of_more_losses_than_fit(void **state)
{
    (void)state;
    struct model_card c = {0};
    for (uint32_t i = 0; i < 1000; i++)
        model_card_add(&c, i, 1 + i, 0);
    assert_true(c.n_losses <= MODEL_CARD_LOSSES && c.n_losses > MODEL_CARD_LOSSES / 2);
    assert_int_equal(c.loss_round[0], 0);
    assert_int_equal(c.loss_round[c.n_losses - 1], 999);
    for (uint32_t i = 1; i < c.n_losses; i++) {
        assert_true(c.loss_round[i] > c.loss_round[i - 1]);
        assert_true(c.loss[i] == 1.0 + (double)c.loss_round[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_card_tells_what_is_known),
        cmocka_unit_test(model_card_leaves_out_what_is_not_known),
        cmocka_unit_test(model_card_makes_a_strangers_text_harmless),
        cmocka_unit_test(model_card_is_read_as_it_was_written),
        cmocka_unit_test(model_card_keeps_first_and_last_of_more_losses_than_fit),
        cmocka_unit_test(model_card_shows_first_and_last_of_many_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
