#include "record/rating.h"
#include "tests/check.h"

/* Expected values come from an independent statement of the algorithm in another language. */
static void close_to(int64_t got, double want)
{
    double d = (double)got / 1e6 - want;
    assert_true(d < 2e-6 && d > -2e-6);
}

static void winners_rise_and_everybody_is_better_known(void **state)
{
    (void)state;
    struct rating r[] = {rating_new(), rating_new(), rating_new()};
    const int64_t value[] = {3, 2, 1};
    rating_rank(r, value, 3);
    close_to(r[0].mu, 27.869048680749426);
    close_to(r[0].sigma, 8.205243377397993);
    close_to(r[1].mu, 25.717262170187357);
    close_to(r[2].mu, 21.413689149063217);
    close_to(r[2].sigma, 8.058224222802378);
}

static void those_who_share_a_rank_stay_equal(void **state)
{
    (void)state;
    struct rating r[] = {rating_new(), rating_new(), rating_new(), rating_new()};
    const int64_t value[] = {2, 2, 1, 0};
    rating_rank(r, value, 4);
    assert_int_equal(r[0].mu, r[1].mu);
    assert_int_equal(r[0].sigma, r[1].sigma);
    close_to(r[0].mu, 25.93175089083371);
    close_to(r[3].mu, 22.204747327498865);
    close_to(r[3].sigma, 8.16906309784121);
}

static void a_surprise_moves_the_uncertain_one_more(void **state)
{
    (void)state;
    struct rating r[] = {
        {30000000, 2000000},
        {20000000, 5000000}
    };
    const int64_t value[] = {0, 1};
    rating_rank(r, value, 2);
    close_to(r[0].mu, 29.60964576301695);
    close_to(r[0].sigma, 1.9990063780184517);
    close_to(r[1].mu, 22.436162231154185);
    close_to(r[1].sigma, 4.893323523399535);
}

static void one_player_alone_proves_nothing(void **state)
{
    (void)state;
    struct rating r = rating_new();
    const int64_t value = 5;
    rating_rank(&r, &value, 1);
    assert_int_equal(r.mu, RATING_MU);
    assert_int_equal(r.sigma, RATING_SIGMA);
    assert_int_equal(rating_ordinal(&r), 25000000 - 3 * 8333333);
}

static void a_thousand_rankings_order_the_players_and_stay_finite(void **state)
{
    (void)state;
    struct rating r[8];
    int64_t value[8];
    for (int i = 0; i < 8; i++) {
        r[i] = rating_new();
        value[i] = i;
    }
    for (int n = 0; n < 1000; n++)
        rating_rank(r, value, 8);
    for (int i = 1; i < 8; i++)
        assert_true(r[i].mu > r[i - 1].mu && r[i].sigma > 0 && r[i].sigma < RATING_SIGMA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(winners_rise_and_everybody_is_better_known),
        cmocka_unit_test(those_who_share_a_rank_stay_equal),
        cmocka_unit_test(a_surprise_moves_the_uncertain_one_more),
        cmocka_unit_test(one_player_alone_proves_nothing),
        cmocka_unit_test(a_thousand_rankings_order_the_players_and_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
