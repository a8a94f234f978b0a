#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
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

static void encodes_to(const struct tokenizer *t, const char *text, const char *want)
{
    struct buf ids = {0};
    struct buf got = {0};
    assert_int_equal(tokenizer_encode(t, text, strlen(text), &ids, NULL), OK);
    for (size_t i = 0; i < ids.len; i += 4) {
        uint32_t id;
        memcpy(&id, ids.p + i, 4);
        if (i) buf_put_u8(&got, '|');
        assert_int_equal(tokenizer_decode(t, id, &got, NULL), OK);
    }
    assert_string_equal(buf_str(&got), want);
    buf_deinit(&ids);
    buf_deinit(&got);
}

static void earlier_merges_go_first_and_leftmost_of_equals(void **state)
{
    (void)state;
    const char *const pairs[] = {"b|c", "a|b", "bc|d", "a|a"};
    struct tokenizer *t = with_merges(pairs, 4);
    encodes_to(t, "abcd", "a|bcd");
    encodes_to(t, "abab", "ab|ab");
    encodes_to(t, "aaaaa", "aa|aa|a");
    encodes_to(t, "bcbcd", "bc|bcd");
    encodes_to(t, "xbcd bcd", "x|bcd| |bcd");
    tokenizer_destroy(t);
}

static void merges_do_not_cross_words(void **state)
{
    (void)state;
    const char *const pairs[] = {"b| ", "b|1", " |c"};
    struct tokenizer *t = with_merges(pairs, 3);
    encodes_to(t, "ab cb1", "a|b| c|b|1");
    tokenizer_destroy(t);
}

/* The definition: again and again, the leftmost pair of lowest rank. */
static size_t merge_slowly(const struct tokenizer *t, uint32_t *ids, size_t n)
{
    for (;;) {
        uint32_t best = TOKENIZER_NONE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            uint32_t rank = tokenizer_rank(t, ids[i], ids[i + 1]);
            if (rank < best) {
                best = rank;
                at = i;
            }
        }
        if (best == TOKENIZER_NONE) return n;
        ids[at] = TOKENIZER_FIRST + best;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

static void merging_agrees_with_the_definition(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (int round = 0; round < 200; round++) {
        struct tokenizer *t = NULL;
        assert_int_equal(tokenizer_create(TOKENIZER_FIRST + 40, &t, NULL), OK);
        uint32_t known[80] = {'a' + 1, 'b' + 1, 'c' + 1};
        for (uint32_t n = 3; n < 40; n++) { /* clashes of bytes are refused: fewer merges then */
            known[n] = tokenizer_vocab_size(t);
            if (tokenizer_merge(t, known[rng_below(&r, n)], known[rng_below(&r, n)], NULL))
                known[n] = known[rng_below(&r, n)];
        }
        char text[120];
        uint32_t want[120];
        for (int i = 0; i < 120; i++) {
            text[i] = (char)('a' + (int)rng_below(&r, 3));
            want[i] = (uint32_t)text[i] + 1;
        }
        struct buf ids = {0};
        assert_int_equal(tokenizer_encode(t, text, 120, &ids, NULL), OK);
        size_t n = merge_slowly(t, want, 120);
        assert_int_equal(ids.len, n * 4);
        assert_memory_equal(ids.p, want, n * 4);
        buf_deinit(&ids);
        tokenizer_destroy(t);
    }
}

static void any_bytes_come_back(void **state)
{
    (void)state;
    const char *const pairs[] = {"a|b", "\xc3|\xa9", " |a", "ab|c"};
    struct tokenizer *t = with_merges(pairs, 4);
    struct rng r;
    rng_init(&r, 3, 0);
    uint8_t text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] =
            rng_below(&r, 4) ? (uint8_t) "abc \xc3\xa9\n'"[rng_below(&r, 8)] : (uint8_t)rng_u64(&r);
    struct buf ids = {0};
    struct buf back = {0};
    assert_int_equal(tokenizer_encode(t, text, sizeof text, &ids, NULL), OK);
    for (size_t i = 0; i < ids.len; i += 4) {
        uint32_t id;
        memcpy(&id, ids.p + i, 4);
        assert_true(id != TOKENIZER_EOT);
        assert_int_equal(tokenizer_decode(t, id, &back, NULL), OK);
    }
    assert_int_equal(back.len, sizeof text);
    assert_memory_equal(back.p, text, sizeof text);
    buf_deinit(&ids);
    buf_deinit(&back);
    tokenizer_destroy(t);
}

static void text_cannot_spell_the_separator(void **state)
{
    (void)state;
    struct tokenizer *t = with_merges(NULL, 0);
    encodes_to(t, "<|end", "<|||e|n|d");
    tokenizer_destroy(t);
}

static void a_word_of_a_megabyte_is_no_trouble(void **state)
{
    (void)state;
    const char *const pairs[] = {"a|a", "aa|aa", "aaaa|aaaa"};
    struct tokenizer *t = with_merges(pairs, 3);
    size_t n = 1u << 20;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, 'a', n);
    struct buf ids = {0};
    assert_int_equal(tokenizer_encode(t, text, n, &ids, NULL), OK);
    assert_int_equal(ids.len, n / 8 * 4);
    free(text);
    buf_deinit(&ids);
    tokenizer_destroy(t);
}

/* What comes out does not depend on what went in before, nor on which of the two doors. */
static void an_encoder_remembers_words_not_texts(void **state)
{
    (void)state;
    const char *const pairs[] = {"a|b", "b|c", "ab|ab", " |ab", "c|c"};
    struct tokenizer *t = with_merges(pairs, 5);
    struct tokenizer_encoder *c = NULL;
    struct rng r;
    rng_init(&r, 2, 0);
    assert_int_equal(tokenizer_encoder_create(t, false, &c, NULL), OK);
    for (int round = 0; round < 300; round++) {
        char text[200];
        size_t n = rng_below(&r, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = "abc  xy\n"[rng_below(&r, 8)];
        struct buf once = {0};
        struct buf again = {0};
        assert_int_equal(tokenizer_encode(t, text, n, &once, NULL), OK);
        assert_int_equal(tokenizer_encoder_run(c, text, n, &again, NULL), OK);
        assert_int_equal(once.len, again.len);
        if (n) assert_memory_equal(once.p, again.p, once.len);
        buf_deinit(&once);
        buf_deinit(&again);
    }
    tokenizer_encoder_destroy(c);
    tokenizer_destroy(t);
}

/* Its memory grows with the number of new words; where it cannot, it only is slower. */
static void many_words_are_remembered_as_well_as_few(void **state)
{
    (void)state;
    const char *const pairs[] = {"0|0", " |0", "1|2"};
    struct tokenizer *t = with_merges(pairs, 3);
    for (int fails = 0; fails < 2; fails++) {
        struct tokenizer_encoder *c = NULL;
        struct buf text = {0};
        struct buf once = {0};
        struct buf ids = {0};
        for (int i = 0; i < 3000; i++)
            buf_printf(&text, " %04d", i % 1500);
        assert_int_equal(tokenizer_encoder_create(t, false, &c, NULL), OK);
        assert_int_equal(tokenizer_encoder_run(c, text.p, 4, &ids, NULL), OK);
        assert_non_null(buf_grow(&ids, 4 * text.len));
        buf_clear(&ids);
        if (fails) alloc_fail_nth(1); /* the first that growing asks for */
        assert_int_equal(tokenizer_encoder_run(c, text.p, text.len, &ids, NULL), OK);
        assert_true(fails == 0 || alloc_count() > 0);
        alloc_fail_nth(0);
        for (size_t at = 0; at < text.len; at += 5) {
            struct buf one = {0};
            assert_int_equal(tokenizer_encode(t, text.p + at, 5, &one, NULL), OK);
            buf_put(&once, one.p, one.len);
            buf_deinit(&one);
        }
        assert_int_equal(once.len, ids.len);
        assert_memory_equal(once.p, ids.p, ids.len);
        buf_deinit(&text);
        buf_deinit(&once);
        buf_deinit(&ids);
        tokenizer_encoder_destroy(c);
    }
    tokenizer_destroy(t);
}

/* Words of 30 bytes and words that are 8 ids are remembered, longer ones are not. */
static void words_at_the_edge_of_memory_come_twice(void **state)
{
    (void)state;
    const char *const pairs[] = {"a|a", "aa|aa"};
    struct tokenizer *t = with_merges(pairs, 2);
    for (size_t n = 1; n < 40; n++) {
        char text[90] = {0};
        memset(text, 'a', n);
        text[n] = ' ';
        memset(text + n + 1, 'a', n);
        struct buf ids = {0};
        assert_int_equal(tokenizer_encode(t, text, 2 * n + 1, &ids, NULL), OK);
        size_t one = n / 4 + n % 4 / 2 + n % 2;
        assert_int_equal(ids.len / 4, 2 * one + 1);
        buf_deinit(&ids);
    }
    tokenizer_destroy(t);
}

static void only_who_asks_gets_the_separator(void **state)
{
    (void)state;
    static const char text[] = "a<|endoftext|>b<|endoftext";
    struct tokenizer *t = with_merges(NULL, 0);
    struct tokenizer_encoder *c = NULL;
    struct buf ids = {0};
    assert_int_equal(tokenizer_encoder_create(t, true, &c, NULL), OK);
    assert_int_equal(tokenizer_encoder_run(c, text, sizeof text - 1, &ids, NULL), OK);
    const uint32_t *id = (const uint32_t *)(const void *)ids.p;
    assert_int_equal(ids.len / 4, 3 + strlen("<|endoftext"));
    assert_int_equal(id[0], 'a' + 1);
    assert_int_equal(id[1], TOKENIZER_EOT);
    assert_int_equal(id[2], 'b' + 1);
    buf_clear(&ids);
    assert_int_equal(tokenizer_encode(t, text, sizeof text - 1, &ids, NULL), OK);
    assert_int_equal(ids.len / 4, sizeof text - 1);
    buf_deinit(&ids);
    tokenizer_encoder_destroy(c);
    tokenizer_destroy(t);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    const char *const pairs[] = {"a|b"};
    struct tokenizer *t = with_merges(pairs, 1);
    struct buf ids = {0};
    for (uint64_t k = 1; k <= 5; k++) {
        alloc_fail_nth(k);
        assert_int_equal(tokenizer_encode(t, "ab ab", 5, &ids, NULL), ERR_NOMEM);
        alloc_fail_nth(0);
        buf_deinit(&ids);
    }
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(earlier_merges_go_first_and_leftmost_of_equals),
        cmocka_unit_test(merges_do_not_cross_words),
        cmocka_unit_test(merging_agrees_with_the_definition),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(text_cannot_spell_the_separator),
        cmocka_unit_test(a_word_of_a_megabyte_is_no_trouble),
        cmocka_unit_test(an_encoder_remembers_words_not_texts),
        cmocka_unit_test(many_words_are_remembered_as_well_as_few),
        cmocka_unit_test(words_at_the_edge_of_memory_come_twice),
        cmocka_unit_test(only_who_asks_gets_the_separator),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
