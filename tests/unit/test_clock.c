#include "base/clock.h"
#include "tests/check.h"

static void monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t last = clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_mono_ms() >= last / 1000000);
}

static void wall_clock_is_in_milliseconds_since_1970(void **state)
{
    (void)state;
    int64_t year_2020 = 1577836800000;
    assert_true(clock_wall_ms() > year_2020);
    assert_true(clock_wall_ms() < year_2020 * 10);
}

static void hms_prints_the_time_of_day(void **state)
{
    (void)state;
    char text[16];
    assert_string_equal(clock_hms(0, text), "00:00:00"); /* the tests run with TZ=UTC */
    assert_string_equal(clock_hms((14 * 3600 + 32 * 60 + 7) * 1000LL + 999, text), "14:32:07");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_clock_never_goes_back),
        cmocka_unit_test(wall_clock_is_in_milliseconds_since_1970),
        cmocka_unit_test(hms_prints_the_time_of_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
