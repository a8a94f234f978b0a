#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/pretoken.h"
#include "engine/tokenizer_table.h"
#include "tests/check.h"

static struct tokenizer *train(const char *text, uint32_t vocab_size)
{
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_train(text, strlen(text), vocab_size, NULL, NULL, &t, NULL), OK);
    return t;
}

static void spells(const struct tokenizer *t, uint32_t id, const char *want)
{
    uint32_t n = 0;
    const uint8_t *p = tokenizer_bytes(t, id, &n);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(p, want, n);
}

static void the_most_frequent_pair_comes_first(void **state)
{
    (void)state;
    struct tokenizer *t = train("low low low lower lowest newest", 262);
    spells(t, 257, "lo");
    spells(t, 258, "low");
    spells(t, 259, " low"); /* four of the five; " l" would be the same pair */
    assert_int_equal(tokenizer_vocab_size(t), 262);
    tokenizer_destroy(t);
}

static void ties_go_to_the_lower_ids(void **state)
{
    (void)state;
    struct tokenizer *t = train("xy\nxy\nab\nab", 300);
    spells(t, 257, "ab");
    spells(t, 258, "xy");
    assert_int_equal(tokenizer_vocab_size(t), 259); /* nothing else occurs twice */
    tokenizer_destroy(t);
}

static void text_without_pairs_teaches_bytes_only(void **state)
{
    (void)state;
    struct tokenizer *t = train("", 300);
    assert_int_equal(tokenizer_vocab_size(t), 257);
    tokenizer_destroy(t);
    t = train("a b c", 300);
    assert_int_equal(tokenizer_vocab_size(t), 257);
    tokenizer_destroy(t);
}

/* The definition, slowly: count all pairs of all words anew for each merge. */
struct slow {
    uint32_t ids[600];
    uint32_t ends[600]; /* 1: a word ends behind this id */
    uint32_t n;
};

static uint32_t count_pair(const struct slow *s, uint32_t left, uint32_t right)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i + 1 < s->n; i++)
        count += !s->ends[i] && s->ids[i] == left && s->ids[i + 1] == right;
    return count;
}

static void merge_pair(struct slow *s, uint32_t left, uint32_t right, uint32_t id)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        bool is_pair = i + 1 < s->n && !s->ends[i] && s->ids[i] == left && s->ids[i + 1] == right;
        s->ids[n] = is_pair ? id : s->ids[i];
        i += is_pair;
        s->ends[n++] = s->ends[i];
    }
    s->n = n;
}

static void learning_agrees_with_the_definition(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 11, 0);
    for (int round = 0; round < 30; round++) {
        char text[500];
        struct slow s = {.n = sizeof text};
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = "aab bcd '\n"[rng_below(&r, 10)];
        for (size_t at = 0; at < sizeof text;) {
            size_t len = pretoken_next(PRETOKEN_GPT2, (const uint8_t *)text + at, sizeof text - at);
            s.ends[at + len - 1] = 1;
            for (; len > 0; len--, at++)
                s.ids[at] = (uint8_t)text[at] + 1u;
        }
        struct tokenizer *t = NULL;
        assert_int_equal(tokenizer_train(text, sizeof text, 290, NULL, NULL, &t, NULL), OK);
        for (uint32_t id = TOKENIZER_FIRST; id < tokenizer_vocab_size(t); id++) {
            uint32_t left = 0;
            uint32_t right = 0;
            uint32_t made = 0;
            tokenizer_merge_at(t, id - TOKENIZER_FIRST, &left, &right, &made);
            assert_int_equal(made, id);
            uint32_t count = count_pair(&s, left, right);
            assert_true(count >= 2);
            for (uint32_t i = 0; i + 1 < s.n; i++)
                if (!s.ends[i]) { /* whatever beats it must spell a token that exists */
                    uint32_t c = count_pair(&s, s.ids[i], s.ids[i + 1]);
                    bool wins = c > count ||
                                (c == count &&
                                 (s.ids[i] < left || (s.ids[i] == left && s.ids[i + 1] < right)));
                    if (!wins) continue;
                    uint32_t n_a = 0;
                    uint32_t n_b = 0;
                    char both[64];
                    const uint8_t *a = tokenizer_bytes(t, s.ids[i], &n_a);
                    const uint8_t *b = tokenizer_bytes(t, s.ids[i + 1], &n_b);
                    assert_true(n_a + n_b <= sizeof both);
                    memcpy(both, a, n_a);
                    memcpy(both + n_a, b, n_b);
                    assert_true(tokenizer_find(t, both, n_a + n_b) < id);
                }
            merge_pair(&s, left, right, id);
        }
        tokenizer_destroy(t);
    }
}

static void told(uint32_t n_ids, uint32_t vocab_size, void *ctx)
{
    assert_int_equal(vocab_size, 260);
    *(uint32_t *)ctx = n_ids;
}

static void progress_is_told(void **state)
{
    (void)state;
    const char *text = "banana bandana banana bandana";
    uint32_t last = 0;
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_train(text, strlen(text), 260, told, &last, &t, NULL), OK);
    assert_int_equal(last, 260);
    tokenizer_destroy(t);
}

static void long_runs_do_not_take_forever(void **state)
{
    (void)state;
    static char text[1u << 20];
    memset(text, '=', sizeof text);
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_train(text, sizeof text, 300, NULL, NULL, &t, NULL), OK);
    uint32_t n = 0;
    (void)tokenizer_bytes(t, tokenizer_vocab_size(t) - 1, &n);
    assert_true(n >= 128);
    tokenizer_destroy(t);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    const char *text = "low low low lower lowest newest newest widest";
    uint64_t n_failed = 0;
    for (uint64_t k = 1;; k++) {
        struct tokenizer *t = NULL;
        alloc_fail_nth(k);
        int rc = tokenizer_train(text, strlen(text), 270, NULL, NULL, &t, NULL);
        alloc_fail_nth(0);
        if (rc == OK) {
            tokenizer_destroy(t);
            break;
        }
        assert_int_equal(rc, ERR_NOMEM);
        assert_null(t);
        n_failed++;
    }
    assert_true(n_failed > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_frequent_pair_comes_first),
        cmocka_unit_test(ties_go_to_the_lower_ids),
        cmocka_unit_test(text_without_pairs_teaches_bytes_only),
        cmocka_unit_test(learning_agrees_with_the_definition),
        cmocka_unit_test(progress_is_told),
        cmocka_unit_test(long_runs_do_not_take_forever),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
