#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "record/score.h"
#include "tests/check.h"

static struct score_eval eval(uint8_t key, int64_t drawn, uint64_t n_tokens)
{
    struct score_eval v = {
        .is_measured = true, .own = drawn + 1000000, .drawn = drawn, .n_tokens = n_tokens};
    v.contributor.b[0] = key;
    return v;
}

static struct key_pub key(uint8_t k)
{
    struct key_pub p = {{k}};
    return p;
}

/* Four honest ones and whoever is fifth, for n rounds; the fifth one's standing. */
static struct score_standing after(int64_t drawn, uint32_t n)
{
    struct score_book b = {0};
    struct key_pub k = key(5);
    for (uint32_t i = 0; i < n; i++) {
        struct score_eval v[] = {eval(1, 9000000, 100), eval(2, 10000000, 100),
                                 eval(3, 11000000, 100), eval(4, 10000000, 100),
                                 eval(5, drawn, 100)};
        assert_int_equal(score_book_fold(&b, i + 1, v, 5, NULL), OK);
    }
    struct score_standing s = score_book_get(&b, &k);
    score_book_deinit(&b);
    return s;
}

static void usefulness_is_gain_over_what_two_fifths_reach(void **state)
{
    (void)state;
    struct score_eval v[] = {eval(1, 10000000, 100), eval(2, 8000000, 100), eval(3, -30000000, 100),
                             eval(4, 4000000, 100), eval(5, 12000000, 100)};
    int64_t u[5];
    assert_true(score_usefulness(v, 5, u)); /* the second of five is the yardstick */
    assert_int_equal(u[0], 1000000);
    assert_int_equal(u[1], 800000);
    assert_int_equal(u[2], -SCORE_CAP);
    assert_int_equal(u[3], 400000);
    assert_int_equal(u[4], 1200000);
}

static void fewer_tokens_are_expected_to_gain_less_and_more_no_more(void **state)
{
    (void)state;
    struct score_eval v[] = {eval(1, 10000000, 1000), eval(2, 100000, 100),
                             eval(3, 10000001, 9000)};
    int64_t u[3];
    assert_true(score_usefulness(v, 3, u)); /* the first is the yardstick */
    assert_int_equal(u[0], 1000000);
    assert_int_equal(u[1], 1000000);
    assert_int_equal(u[2], 1000000);
}

static void without_a_comparison_nobody_is_judged(void **state)
{
    (void)state;
    struct score_eval two[] = {eval(1, 10000000, 100), eval(2, -10000000, 100)};
    struct score_eval none[] = {eval(1, 1000, 100), eval(2, -1000, 100), eval(3, 0, 100)};
    int64_t u[3];
    assert_false(score_usefulness(two, 2, u));
    assert_false(score_usefulness(none, 3, u));
    assert_false(score_usefulness(NULL, 0, u));
}

static void a_new_key_is_on_probation_until_it_was_useful_once(void **state)
{
    (void)state;
    struct score_book b = {0};
    struct key_pub k = key(5);
    struct score_standing s = score_book_get(&b, &k);
    assert_int_equal(score_quality(&s, 7), SCORE_PROBATION);
    s = after(10000000, 1);
    assert_int_equal(score_quality(&s, 2), SCORE_ONE);
    assert_int_equal(s.n_scored, 1);
    score_book_deinit(&b);
}

static void harm_is_worth_nothing_at_once_and_remembered(void **state)
{
    (void)state;
    struct score_standing s = after(-10000000, 1);
    assert_int_equal(score_quality(&s, 2), 0);
    s = after(-10000000, 30);
    assert_int_equal(s.useful, -SCORE_ONE);
    assert_true(s.rating.mu < RATING_MU);
}

static void half_the_use_is_paid_in_part(void **state)
{
    (void)state;
    struct score_standing s = after(5000000, 9);
    assert_in_range(score_quality(&s, 10), 400000, 600000);
    assert_int_equal(score_weight(1000, 500000), 500);
    assert_int_equal(score_weight(UINT64_MAX, SCORE_ONE), UINT64_MAX);
    assert_int_equal(score_weight(1, 999999), 0);
}

static void a_slash_ends_and_is_told_in_words(void **state)
{
    (void)state;
    struct score_book b = {0};
    struct key_pub k = key(1);
    char why[160];
    struct score_eval v = eval(1, 0, 100);
    v.is_measured = false;
    v.code = SCORE_CODE_COPY;
    assert_int_equal(score_book_fold(&b, 10, &v, 1, NULL), OK);
    struct score_standing s = score_book_get(&b, &k);
    assert_int_equal(score_quality(&s, 10), 0);
    assert_int_equal(score_quality(&s, 9 + SCORE_SLASH), 0);
    assert_int_equal(score_quality(&s, 10 + SCORE_SLASH), SCORE_PROBATION);
    score_why(&s, 11, why, sizeof why);
    assert_string_equal(why, "quality 0 until round 30: copy");
    score_why(&s, 40, why, sizeof why);
    assert_string_equal(why, "quality 0.10 until first evaluated");
    score_book_deinit(&b);
}

static void the_second_slash_lasts_twice_as_long(void **state)
{
    (void)state;
    struct score_book b = {0};
    struct key_pub k = key(1);
    struct score_eval v = eval(1, 0, 100);
    v.is_measured = false;
    v.code = SCORE_CODE_LOUD;
    assert_int_equal(score_book_fold(&b, 10, &v, 1, NULL), OK);
    assert_int_equal(score_book_fold(&b, 15, &v, 1, NULL), OK); /* still slashed: begins anew */
    assert_int_equal(score_book_get(&b, &k).slashed_until, 15 + SCORE_SLASH);
    for (uint32_t n = 1; n < 40; n++) {
        uint64_t round = score_book_get(&b, &k).slashed_until;
        uint32_t times = n < SCORE_SLASH_MAX ? n : SCORE_SLASH_MAX;
        assert_int_equal(score_book_fold(&b, round, &v, 1, NULL), OK);
        assert_int_equal(score_book_get(&b, &k).slashed_until,
                         round + ((uint64_t)SCORE_SLASH << times));
    }
    score_book_deinit(&b);
}

static void noise_is_in_favour_of_the_key_within_bounds(void **state)
{
    (void)state;
    struct score_standing s = {.n_scored = 20, .useful = 450000, .own = SCORE_ONE};
    uint32_t sure = score_quality(&s, 1);
    s.spread = 400000; /* deviation 0.63, of the mean of six 0.26: more than is allowed for */
    assert_true(sure < 300000 && score_quality(&s, 1) == SCORE_ONE);
    s.useful = 0;
    s.spread = 2250000; /* now of use, now of harm */
    assert_int_equal(score_quality(&s, 1), 0);
}

/* Ten keys, 80 rounds; those above n_trained gain as often more on any text as on their own. */
static struct score_standing of_ten(uint32_t n_trained, uint8_t which)
{
    struct score_book b = {0};
    struct key_pub k = key(which);
    struct rng r;
    rng_init(&r, 5, 0);
    for (uint32_t i = 0; i < 80; i++) {
        struct score_eval v[10];
        for (uint8_t n = 0; n < 10; n++) {
            v[n] = eval((uint8_t)(n + 1), 10000000, 100);
            if (n >= n_trained) v[n].own = v[n].drawn + (rng_below(&r, 2) ? 50000 : -50000);
        }
        assert_int_equal(score_book_fold(&b, i + 1, v, 10, NULL), OK);
    }
    struct score_standing s = score_book_get(&b, &k);
    score_book_deinit(&b);
    return s;
}

static void what_others_learnt_is_not_paid(void **state)
{
    (void)state;
    struct score_standing s = of_ten(7, 9);
    assert_true(score_quality(&s, 81) < 300000);
    s = of_ten(7, 3);
    assert_int_equal(s.own, SCORE_ONE);
    assert_int_equal(score_quality(&s, 81), SCORE_ONE);
}

static void where_own_text_shows_with_nobody_nobody_is_blamed(void **state)
{
    (void)state;
    for (uint8_t k = 1; k <= 10; k++) {
        struct score_standing s = of_ten(0, k);
        assert_in_range(score_quality(&s, 81), 900000, SCORE_ONE);
    }
}

static void keys_come_in_any_order_of_rounds_and_are_found_again(void **state)
{
    (void)state;
    struct score_book b = {0};
    const uint8_t order[] = {200, 3, 90, 255, 1, 128};
    for (uint32_t i = 0; i < 6; i++) {
        struct score_eval v = eval(order[i], 5, 100);
        v.code = SCORE_CODE_LOUD;
        assert_int_equal(score_book_fold(&b, i + 1, &v, 1, NULL), OK);
    }
    assert_int_equal(score_book_n(&b), 6);
    for (size_t i = 1; i < 6; i++)
        assert_true(score_book_row(&b, i - 1)->key.b[0] < score_book_row(&b, i)->key.b[0]);
    for (uint32_t i = 0; i < 6; i++) {
        struct key_pub k = key(order[i]);
        assert_int_equal(score_book_get(&b, &k).slashed_until, i + 1 + SCORE_SLASH);
    }
    score_book_deinit(&b);
}

static void wrong_order_is_refused_and_lack_of_memory_changes_nothing(void **state)
{
    (void)state;
    struct score_book b = {0};
    struct err e = {0};
    struct score_eval v[] = {eval(2, 9000000, 1), eval(2, 9000000, 1), eval(3, 9000000, 1)};
    assert_int_equal(score_book_fold(&b, 1, v, 3, &e), ERR_PROTO);
    v[0].contributor.b[0] = 1;
    for (long nth = 1; nth < 20; nth++) {
        alloc_fail_nth(nth);
        int rc = score_book_fold(&b, 1, v, 3, &e);
        alloc_fail_nth(0);
        if (rc == OK) break;
        assert_int_equal(rc, ERR_NOMEM);
        assert_int_equal(score_book_n(&b), 0);
    }
    assert_int_equal(score_book_n(&b), 3);
    score_book_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usefulness_is_gain_over_what_two_fifths_reach),
        cmocka_unit_test(fewer_tokens_are_expected_to_gain_less_and_more_no_more),
        cmocka_unit_test(without_a_comparison_nobody_is_judged),
        cmocka_unit_test(a_new_key_is_on_probation_until_it_was_useful_once),
        cmocka_unit_test(harm_is_worth_nothing_at_once_and_remembered),
        cmocka_unit_test(half_the_use_is_paid_in_part),
        cmocka_unit_test(a_slash_ends_and_is_told_in_words),
        cmocka_unit_test(the_second_slash_lasts_twice_as_long),
        cmocka_unit_test(noise_is_in_favour_of_the_key_within_bounds),
        cmocka_unit_test(what_others_learnt_is_not_paid),
        cmocka_unit_test(where_own_text_shows_with_nobody_nobody_is_blamed),
        cmocka_unit_test(keys_come_in_any_order_of_rounds_and_are_found_again),
        cmocka_unit_test(wrong_order_is_refused_and_lack_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
