#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/tokenizer_added.h"
#include "tests/check.h"

static void put(struct tokenizer_added *a, const char *name, uint32_t id, bool is_special)
{
    assert_int_equal(tokenizer_added_put(a, name, strlen(name), id, is_special, NULL), OK);
}

static void finds(const struct tokenizer_added *a, const char *text, bool with_specials, size_t at,
                  size_t len, uint32_t id)
{
    size_t got_at = 99;
    uint32_t got_id = 99;
    size_t n = strlen(text);
    size_t got = tokenizer_added_find(a, (const uint8_t *)text, n, with_specials, &got_at, &got_id);
    assert_int_equal(got, len);
    if (!len) return;
    assert_int_equal(got_at, at);
    assert_int_equal(got_id, id);
}

static void the_leftmost_and_then_the_longest_is_found(void **state)
{
    (void)state;
    struct tokenizer_added a = {0};
    put(&a, "<s>", 1, false);
    put(&a, "  ", 2, false);
    put(&a, "    ", 3, false);
    put(&a, "<s><s>x", 4, false);
    put(&a, "\xff", 5, false);
    tokenizer_added_sort(&a);
    finds(&a, "ab<s>", false, 2, 3, 1);
    finds(&a, "     ", false, 0, 4, 3);
    finds(&a, "   <s>", false, 0, 2, 2);
    finds(&a, "<s><s>y", false, 0, 3, 1);
    finds(&a, "<s><s>x", false, 0, 7, 4);
    finds(&a, "<<<<s", false, 0, 0, 0);
    finds(&a, "\xfe\xff", false, 1, 1, 5);
    finds(&a, "", false, 0, 0, 0);
    tokenizer_added_deinit(&a);
    finds(&a, "<s>", true, 0, 0, 0); /* an empty set */
}

static void special_ones_are_passed_over_unless_wanted(void **state)
{
    (void)state;
    struct tokenizer_added a = {0};
    put(&a, "<a>", 1, true);
    put(&a, "<a", 2, false);
    put(&a, "q", 3, true);
    tokenizer_added_sort(&a);
    finds(&a, "q<a>", true, 0, 1, 3);
    finds(&a, "q<a>", false, 1, 2, 2);
    finds(&a, "<a>", true, 0, 3, 1);
    tokenizer_added_deinit(&a);
}

static void of_equal_names_the_lowest_id_stays(void **state)
{
    (void)state;
    struct tokenizer_added a = {0};
    put(&a, "x", 7, false);
    put(&a, "x", 3, false);
    put(&a, "y", 4, false);
    tokenizer_added_sort(&a);
    assert_int_equal(a.n_items, 2);
    finds(&a, "x", false, 0, 1, 3);
    tokenizer_added_deinit(&a);
}

/* The definition: at each place all names are tried, the longest first. */
static void finding_agrees_with_the_definition(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (int round = 0; round < 500; round++) {
        struct tokenizer_added a = {0};
        char names[12][6] = {{0}};
        char text[40] = {0};
        for (uint32_t i = 0; i < 12; i++) {
            for (size_t j = 0; j <= rng_below(&r, 5); j++)
                names[i][j] = (char)('a' + (int)rng_below(&r, 2));
            put(&a, names[i], i, false);
        }
        tokenizer_added_sort(&a);
        for (size_t i = 0; i < sizeof text - 1; i++)
            text[i] = (char)('a' + (int)rng_below(&r, 3));
        size_t at = 0, len = 0;
        uint32_t id = 0;
        for (; !len && text[at]; at++)
            for (uint32_t i = 0; i < 12; i++) {
                size_t n = strlen(names[i]);
                if (strncmp(text + at, names[i], n) != 0 || n <= len) continue;
                len = n;
                id = i;
            }
        finds(&a, text, false, at - 1, len, id);
        tokenizer_added_deinit(&a);
    }
}

static void names_have_a_size(void **state)
{
    (void)state;
    struct tokenizer_added a = {0};
    char name[TOKENIZER_ADDED_MAX + 1];
    memset(name, 'a', sizeof name);
    assert_int_equal(tokenizer_added_put(&a, name, 0, 0, false, NULL), ERR_LIMIT);
    assert_int_equal(tokenizer_added_put(&a, name, sizeof name, 0, false, NULL), ERR_LIMIT);
    for (uint64_t k = 1; k <= 2; k++) {
        alloc_fail_nth(k);
        assert_int_equal(tokenizer_added_put(&a, name, 9, 0, false, NULL), ERR_NOMEM);
        alloc_fail_nth(0);
        tokenizer_added_deinit(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_leftmost_and_then_the_longest_is_found),
        cmocka_unit_test(special_ones_are_passed_over_unless_wanted),
        cmocka_unit_test(of_equal_names_the_lowest_id_stays),
        cmocka_unit_test(finding_agrees_with_the_definition),
        cmocka_unit_test(names_have_a_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
