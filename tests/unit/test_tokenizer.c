#include <string.h>

#include "base/alloc.h"
#include "engine/tokenizer_table.h"
#include "tests/check.h"

static struct tokenizer *with_merges(const char *const *pairs, uint32_t n)
{
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_create(TOKENIZER_FIRST + n, &t, NULL), OK);
    for (uint32_t i = 0; i < n; i++) {
        const char *gap = strchr(pairs[i], '|');
        uint32_t left = tokenizer_find(t, pairs[i], (size_t)(gap - pairs[i]));
        uint32_t right = tokenizer_find(t, gap + 1, strlen(gap + 1));
        assert_int_equal(tokenizer_merge(t, left, right, NULL), OK);
    }
    return t;
}

static void bytes_have_the_ids_after_the_separator(void **state)
{
    (void)state;
    struct tokenizer *t = with_merges(NULL, 0);
    assert_int_equal(tokenizer_vocab_size(t), 257);
    assert_int_equal(tokenizer_id_bytes(t, TOKENIZER_EOT), 0);
    for (unsigned b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        assert_int_equal(tokenizer_find(t, &byte, 1), 1 + b);
        assert_int_equal(tokenizer_id_bytes(t, 1 + b), 1);
    }
    tokenizer_destroy(t);
}

static void impossible_merges_are_refused(void **state)
{
    (void)state;
    const char *const pairs[] = {"a|b", "b|c", "ab|c"};
    struct tokenizer *t = with_merges(pairs, 2);
    struct err e = {0};
    uint32_t ab = tokenizer_find(t, "ab", 2);
    assert_int_equal(tokenizer_merge(t, ab, 'c' + 1, &e), ERR_PROTO); /* no id left */
    tokenizer_destroy(t);
    assert_int_equal(tokenizer_create(300, &t, NULL), OK);
    assert_int_equal(tokenizer_merge(t, TOKENIZER_EOT, 5, &e), ERR_PROTO);
    assert_int_equal(tokenizer_merge(t, 5, 257, &e), ERR_PROTO);
    assert_int_equal(tokenizer_merge(t, 'a' + 1, 'b' + 1, &e), OK);
    assert_int_equal(tokenizer_merge(t, 'b' + 1, 'c' + 1, &e), OK);
    assert_int_equal(tokenizer_merge(t, 257, 'c' + 1, &e), OK);
    assert_int_equal(tokenizer_merge(t, 'a' + 1, 258, &e), ERR_PROTO); /* abc exists */
    assert_int_equal(tokenizer_vocab_size(t), 260);
    tokenizer_destroy(t);
    struct tokenizer *none = NULL;
    assert_int_equal(tokenizer_create(256, &none, &e), ERR_ARG);
    assert_int_equal(tokenizer_create(TOKENIZER_MAX_VOCAB + 1, &none, &e), ERR_ARG);
}

static void ids_and_merges_are_told_to_others(void **state)
{
    (void)state;
    const char *const pairs[] = {"a|b", " |ab"};
    struct tokenizer *t = with_merges(pairs, 2);
    uint32_t left = 0, right = 0, id = 0;
    assert_int_equal(tokenizer_n_merges(t), 2);
    tokenizer_merge_at(t, 1, &left, &right, &id);
    assert_int_equal(left, ' ' + 1);
    assert_int_equal(right, TOKENIZER_FIRST);
    assert_int_equal(id, TOKENIZER_FIRST + 1);
    assert_int_equal(tokenizer_id_bytes(t, id), 3);
    assert_int_equal(tokenizer_id_kind(t, id), TOKENIZER_TEXT);
    assert_int_equal(tokenizer_id_kind(t, TOKENIZER_EOT), TOKENIZER_SPECIAL);
    assert_true(tokenizer_is_byte_level(t));
    assert_int_equal(tokenizer_pretoken_rule(t), PRETOKEN_GPT2);
    assert_int_equal(tokenizer_lost_bytes(t), 0);
    assert_false(tokenizer_adds_space(t));
    assert_int_equal(tokenizer_decode(t, 999, NULL, NULL), ERR_PROTO);
    tokenizer_destroy(t);
}

static void the_ends_are_special_tokens(void **state)
{
    (void)state;
    struct tokenizer *t = with_merges(NULL, 0);
    struct err e = {0};
    assert_int_equal(tokenizer_eos(t), TOKENIZER_EOT);
    assert_int_equal(tokenizer_bos(t), TOKENIZER_NONE);
    assert_false(tokenizer_adds_bos(t) || tokenizer_adds_eos(t));
    assert_int_equal(tokenizer_set_ends(t, TOKENIZER_NONE, 5, &e), ERR_ARG);
    assert_int_equal(tokenizer_set_ends(t, 257, TOKENIZER_NONE, &e), ERR_ARG);
    assert_int_equal(tokenizer_eos(t), TOKENIZER_EOT);
    assert_int_equal(tokenizer_set_ends(t, TOKENIZER_EOT, TOKENIZER_NONE, &e), OK);
    assert_int_equal(tokenizer_eos(t), TOKENIZER_NONE);
    assert_int_equal(tokenizer_bos(t), TOKENIZER_EOT);
    tokenizer_destroy(t);
}

/* An added token may also be made by merges, but never hides what is ordinary text. */
static void an_ordinary_piece_is_found_before_an_added_one(void **state)
{
    (void)state;
    const struct tokenizer_style style = {.rule = PRETOKEN_GPT2};
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_table_create(&style, 5, 0, &t, NULL), OK);
    assert_int_equal(tokenizer_add(t, "def", 3, TOKENIZER_ADDED, NULL), OK);
    assert_int_equal(tokenizer_add(t, "  ", 2, TOKENIZER_ADDED, NULL), OK);
    assert_int_equal(tokenizer_find(t, "def", 3), 0);
    assert_int_equal(tokenizer_find(t, "  ", 2), TOKENIZER_NONE);
    assert_int_equal(tokenizer_add(t, "def", 3, TOKENIZER_TEXT, NULL), OK);
    assert_int_equal(tokenizer_add(t, "def", 3, TOKENIZER_ADDED, NULL), OK);
    assert_int_equal(tokenizer_find(t, "def", 3), 2);
    assert_int_equal(tokenizer_add(t, "def", 3, TOKENIZER_TEXT, NULL), ERR_PROTO);
    assert_int_equal(tokenizer_add(t, "<s>", 3, TOKENIZER_SPECIAL, NULL), OK);
    assert_int_equal(tokenizer_find(t, "<s>", 3), TOKENIZER_NONE);
    assert_int_equal(tokenizer_add(t, "x", 1, TOKENIZER_TEXT, NULL), ERR_PROTO); /* no room */
    assert_int_equal(tokenizer_lost_bytes(t), 256);
    tokenizer_destroy(t);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 8; k++) {
        struct tokenizer *none = NULL;
        alloc_fail_nth(k);
        assert_int_equal(tokenizer_create(300, &none, NULL), ERR_NOMEM);
        alloc_fail_nth(0);
        assert_null(none);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_the_ids_after_the_separator),
        cmocka_unit_test(impossible_merges_are_refused),
        cmocka_unit_test(ids_and_merges_are_told_to_others),
        cmocka_unit_test(the_ends_are_special_tokens),
        cmocka_unit_test(an_ordinary_piece_is_found_before_an_added_one),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
