#include "net/cap.h"
#include "tests/check.h"

#define MS 1000000LL

static void without_a_cap_everything_goes_at_once(void **state)
{
    (void)state;
    struct cap c = {0};
    assert_int_equal(cap_take(&c, 1 << 30, 5), 1 << 30);
    cap_spend(&c, 1 << 30, 5);
    assert_int_equal(cap_wait_ms(&c, 5), 0);
    cap_set(&c, -1, 0);
    assert_int_equal(cap_take(&c, 77, 5), 77);
}

/* Ten seconds of asking every 3 ms for as much as there is. */
static void a_cap_holds_on_average(void **state)
{
    (void)state;
    struct cap c = {0};
    cap_set(&c, 1e6, 0);
    uint64_t n = 0;
    for (int64_t t = 0; t < 10000; t += 3)
        n += cap_take(&c, 1 << 20, t * MS);
    assert_true(n > 9900000 && n < 10200000);
}

static void no_piece_is_tiny(void **state)
{
    (void)state;
    struct cap c = {0};
    cap_set(&c, 1e4, 0);
    for (int64_t t = 0; t < 2000; t++) {
        size_t n = cap_take(&c, 1 << 20, t * MS);
        assert_true(n == 0 || n >= CAP_LEAST);
    }
    assert_int_equal(cap_take(&c, 100, 3000 * MS), 100); /* but what is small may go */
}

static void what_came_is_paid_afterwards(void **state)
{
    (void)state;
    struct cap c = {0};
    cap_set(&c, 1e6, 0);
    cap_spend(&c, 500000, 0);
    int64_t wait = cap_wait_ms(&c, 0);
    assert_true(wait > 490 && wait < 510);
    assert_int_equal(cap_wait_ms(&c, (wait + 1) * MS), 0);
    cap_set(&c, 2e6, 600 * MS); /* a new cap forgets the debt */
    assert_int_equal(cap_wait_ms(&c, 600 * MS), 0);
}

static void rest_is_not_saved_up(void **state)
{
    (void)state;
    struct cap c = {0};
    cap_set(&c, 1e6, 0);
    assert_true(cap_take(&c, 1 << 30, 3600000 * MS) <= 100000);
    assert_int_equal(cap_take(&c, 1 << 20, 1), 0); /* a clock that goes back gives nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_cap_everything_goes_at_once),
        cmocka_unit_test(a_cap_holds_on_average),
        cmocka_unit_test(no_piece_is_tiny),
        cmocka_unit_test(what_came_is_paid_afterwards),
        cmocka_unit_test(rest_is_not_saved_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
