#include <string.h>

#include "app/train_plan.h"
#include "tests/check.h"

static struct train_options sized(size_t i)
{
    struct train_options o = {.threads = 2};
    assert_non_null(train_options_size(i, &o));
    assert_int_equal(train_options_fill(&o, NULL), OK);
    return o;
}

static void a_plan_says_what_the_model_is_and_needs(void **state)
{
    (void)state;
    struct train_options o = sized(1);
    struct train_plan p;
    char text[400];
    assert_int_equal(train_plan_make(&o, &p, NULL), OK);
    assert_string_equal(train_plan_model(&p, text, sizeof text),
                        "5.40M weights: 256 wide, 6 layers, 8 heads, 4096 token ids");
    train_plan_memory(&p, 3ull << 30, text, sizeof text);
    assert_non_null(strstr(text, "weights 20.6 MiB"));
    assert_null(strstr(text, "feedback")); /* nobody to exchange with */
    assert_non_null(strstr(text, "3.0 GiB available"));
    train_plan_memory(&p, 0, text, sizeof text);
    assert_non_null(strstr(text, "unknown"));
}

static void what_does_not_fit_is_refused_with_a_size_that_does(void **state)
{
    (void)state;
    struct train_options o = sized(3);
    struct train_plan p;
    struct err e = {0};
    assert_int_equal(train_plan_make(&o, &p, &e), OK);
    assert_int_equal(train_plan_check(&o, &p, UINT64_C(64) << 30, &e), OK);
    assert_int_equal(train_plan_check(&o, &p, 400u << 20, &e), ERR_NOMEM);
    assert_non_null(strstr(e.what, "400.0 MiB is available"));
    assert_non_null(strstr(e.hint, "--size small"));
    assert_int_equal(train_plan_check(&o, &p, 1u << 20, &e), ERR_NOMEM);
    assert_null(strstr(e.hint, "--size"));
    assert_int_equal(train_plan_check(&o, &p, 1u << 20, NULL), ERR_NOMEM);
}

static void choices_that_make_no_model_are_refused(void **state)
{
    (void)state;
    struct train_options o = sized(0);
    struct train_plan p;
    struct err e = {0};
    o.hidden = 4 * 3; /* an odd width of a head cannot be turned */
    assert_int_equal(train_plan_make(&o, &p, &e), ERR_ARG);
    assert_non_null(e.what[0] ? e.what : NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_says_what_the_model_is_and_needs),
        cmocka_unit_test(what_does_not_fit_is_refused_with_a_size_that_does),
        cmocka_unit_test(choices_that_make_no_model_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
