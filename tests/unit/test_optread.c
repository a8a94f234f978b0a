#include <string.h>

#include "app/optread.h"
#include "tests/check.h"

static const struct option longs[] = {
    {"tokens", required_argument, NULL, 1},
    {"top-k",  required_argument, NULL, 2},
    {"top-p",  required_argument, NULL, 3},
    {"json",   no_argument,       NULL, 4},
    {"seed",   required_argument, NULL, 5},
    {"seeds",  required_argument, NULL, 6},
    {NULL,     0,                 NULL, 0},
};

/* What is said about the first word that is wrong. */
static void slip(char *a, char *b, const char *what, const char *hint)
{
    char name[] = "potluck sample";
    char *argv[] = {name, a, b, NULL};
    struct err e = {0};
    int c;
    opterr = 0;
    optind = 0;
    do
        c = getopt_long(b ? 3 : 2, argv, ":", longs, NULL);
    while (c > 0 && c != '?' && c != ':');
    assert_true(c == '?' || c == ':');
    assert_int_equal(optread_fault(c, argv, longs, "potluck sample", &e), ERR_ARG);
    assert_string_equal(e.what, what);
    assert_non_null(strstr(e.hint, hint));
}

static void optread_names_the_option_and_what_was_meant(void **state)
{
    (void)state;
    char typo[] = "--tokesn=5", unknown[] = "--colour", bare[] = "--tokens", full[] = "--json=1";
    char two[] = "--top", exact[] = "--seed", json[] = "--json", letter[] = "-x", cut[] = "--to";
    slip(typo, NULL, "there is no option --tokesn", "did you mean --tokens?");
    slip(unknown, NULL, "there is no option --colour", "see potluck sample --help");
    slip(bare, NULL, "--tokens wants a value after it", "--help");
    slip(json, bare, "--tokens wants a value after it", "--help");
    slip(full, NULL, "--json takes no value", "--help");
    slip(two, NULL, "--top may be --top-k or --top-p", "--help");
    slip(cut, NULL, "--to may be --top-k or --top-p", "--help");
    slip(exact, NULL, "--seed wants a value after it", "--help");
    slip(json, letter, "there is no option -x", "--help");
}

static void optread_nearest_finds_slips_and_beginnings_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"status", "stop", "pause", "resume", "sample", NULL};
    assert_string_equal(optread_nearest("staus", names), "status");
    assert_string_equal(optread_nearest("satus", names), "status");
    assert_string_equal(optread_nearest("psuae", names) ? "found" : "none", "none");
    assert_string_equal(optread_nearest("resmue", names), "resume");
    assert_string_equal(optread_nearest("sampel", names), "sample");
    assert_string_equal(optread_nearest("pau", names), "pause");
    assert_null(optread_nearest("x", names));
    assert_null(optread_nearest("st", names));
    assert_null(optread_nearest("", names));
    assert_null(optread_nearest("dance", names));
    char endless[200];
    memset(endless, 's', sizeof endless - 1);
    endless[sizeof endless - 1] = 0;
    assert_null(optread_nearest(endless, names));
}

static void optread_numbers_are_whole_texts_within_bounds(void **state)
{
    (void)state;
    uint64_t v = 7;
    uint32_t w = 7;
    double x = 7;
    static const char *const bad[] = {"",   " 1", "+1", "-1",
                                      "1x", "0",  "11", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(optread_whole(bad[i], 1, 10, &v) || optread_whole32(bad[i], 1, 10, &w));
    assert_int_equal(v, 7);
    assert_true(optread_whole("10", 1, 10, &v) && v == 10);
    assert_true(optread_whole("18446744073709551615", 0, UINT64_MAX, &v) && v == UINT64_MAX);
    assert_true(optread_whole32("1", 1, 10, &w) && w == 1);
    assert_false(optread_real("", &x) || optread_real("1e", &x) || optread_real("nan", &x) ||
                 optread_real("1e999", &x));
    assert_true(optread_real("-0.5", &x) && x < 0);
    assert_int_equal(optread_cores(1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optread_names_the_option_and_what_was_meant),
        cmocka_unit_test(optread_nearest_finds_slips_and_beginnings_alone),
        cmocka_unit_test(optread_numbers_are_whole_texts_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
