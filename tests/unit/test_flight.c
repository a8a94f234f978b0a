#include <stdlib.h>
#include <string.h>

#include "client/flight.h"
#include "tests/check.h"

#define HOUR INT64_C(3600000)
/* 2023-11-14 22:13:20 in UTC, which the tests' TZ says. */
#define NOW INT64_C(1700000000000)

static const char text[] = "23:50:00 info  the evening before the last\n"
                           "03:11:40 info  round 7: training\n"
                           "a line of another program\n"
                           "03:12:10 info  paused: on battery (84%); goes on with mains power\n"
                           "03:20:00 info  nothing stands against training any more\n"
                           "22:00:00 warn  late\n"
                           "22:13:00 info  goodbye\n";

static size_t pick(int64_t from, int64_t to, struct buf *out, char before[128])
{
    return flight_pick(text, strlen(text), NOW, from, to, out, before, 128);
}

static void lines_get_their_day_back(void **state)
{
    (void)state;
    struct buf out = {0};
    char before[128];
    assert_int_equal(pick(0, NOW + HOUR, &out, before), 6);
    assert_memory_equal(buf_str(&out), "2023-11-13 23:50:00", 19);
    assert_non_null(strstr(buf_str(&out), "\n2023-11-14 03:11:40 info  round 7"));
    assert_null(strstr(buf_str(&out), "another program"));
    assert_string_equal(before, "");
    buf_deinit(&out);
}

static void a_moment_shows_what_was_before_it(void **state)
{
    (void)state;
    struct buf out = {0};
    char before[128];
    int64_t at = 0;
    assert_int_equal(flight_moment("03:12", NOW, &at, NULL), OK);
    assert_int_equal(pick(at, at + 60000, &out, before), 1);
    assert_string_equal(
        buf_str(&out),
        "2023-11-14 03:12:10 info  paused: on battery (84%); goes on with mains power\n");
    assert_string_equal(before, "03:11:40 info  round 7: training");
    buf_deinit(&out);
}

static void a_file_kept_after_midnight_ends_the_day_before(void **state)
{
    (void)state;
    static const char late[] = "23:59:58 info  last words\n";
    struct buf out = {0};
    int64_t after_midnight = NOW + 2 * HOUR; /* 00:13 of the 15th */
    assert_int_equal(flight_pick(late, strlen(late), after_midnight, 0, INT64_MAX, &out, NULL, 0),
                     1);
    assert_memory_equal(buf_str(&out), "2023-11-14 23:59:58", 19);
    buf_deinit(&out);
}

static void moments_are_the_last_such_or_dated(void **state)
{
    (void)state;
    int64_t ms = 0;
    struct err e = {0};
    assert_int_equal(flight_moment("22:13", NOW, &ms, NULL), OK);
    assert_int_equal(ms, NOW - 20000);
    assert_int_equal(flight_moment("22:14", NOW, &ms, NULL), OK);
    assert_int_equal(ms, NOW - 20000 + 60000 - 24 * HOUR);
    assert_int_equal(flight_moment("2023-11-01 00:00", NOW, &ms, NULL), OK);
    assert_int_equal(ms, INT64_C(1698796800000));
    static const char *const bad[] = {"", "3", "24:00", "03:60", "night", "03:12x", "2023-11-01"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(flight_moment(bad[i], NOW, &ms, &e), ERR_ARG);
}

static void any_bytes_are_survived(void **state)
{
    (void)state;
    static const char odd[] = "\n\n\0\xff:::::::\n99:99:99 x\n12:34:5\n12:34:56";
    struct buf out = {0};
    assert_int_equal(flight_pick(odd, sizeof odd - 1, NOW, 0, INT64_MAX, &out, NULL, 0), 0);
    assert_int_equal(flight_pick("", 0, NOW, 0, INT64_MAX, &out, NULL, 0), 0);
    buf_deinit(&out);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_get_their_day_back),
        cmocka_unit_test(a_moment_shows_what_was_before_it),
        cmocka_unit_test(a_file_kept_after_midnight_ends_the_day_before),
        cmocka_unit_test(moments_are_the_last_such_or_dated),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
