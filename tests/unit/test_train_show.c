#include <math.h>
#include <string.h>

#include "app/train_show.h"
#include "tests/check.h"

static struct train_progress some(void)
{
    return (struct train_progress){.step = 120,
                                   .steps = 1000,
                                   .loss = 5.21449,
                                   .val_loss = 5.33,
                                   .bits_per_byte = 2.9111,
                                   .tok_per_s = 4871,
                                   .elapsed_ms = 38000,
                                   .left_ms = 240000};
}

static void a_line_says_all_where_there_is_room(void **state)
{
    (void)state;
    char text[200];
    struct train_progress p = some();
    assert_string_equal(train_progress_text(&p, 160, text, sizeof text),
                        "step 120/1000  loss 5.214  4.87k tok/s  4 min left  "
                        "held-out 2.911 bits/byte  38 s so far");
}

static void a_narrow_line_leaves_out_from_the_end(void **state)
{
    (void)state;
    char text[200];
    struct train_progress p = some();
    for (int width = 0; width < 160; width++) {
        train_progress_text(&p, width, text, sizeof text);
        assert_true(strlen(text) <= (size_t)width);
    }
    assert_string_equal(train_progress_text(&p, 51, text, sizeof text),
                        "step 120/1000  loss 5.214  4.87k tok/s  4 min left");
    assert_string_equal(train_progress_text(&p, 160, text, 30), "step 120/1000  loss 5.214");
}

static void what_is_not_known_is_not_said(void **state)
{
    (void)state;
    char text[200];
    struct train_progress p = some();
    p.loss = p.val_loss = p.tok_per_s = (double)NAN;
    p.left_ms = -1;
    assert_string_equal(train_progress_text(&p, 160, text, sizeof text),
                        "step 120/1000  loss -  - tok/s  38 s so far");
    json_t *o = train_progress_json("progress", &p);
    assert_true(json_is_null(json_object_get(o, "val_loss")));
    assert_true(json_is_null(json_object_get(o, "left_s")));
    assert_int_equal(json_integer_value(json_object_get(o, "step")), 120);
    json_decref(o);
}

static void the_time_left_follows_the_speed_so_far(void **state)
{
    (void)state;
    assert_int_equal(train_left_ms(0, 500, 10), -1);
    assert_int_equal(train_left_ms(10, 500, 0), 0);
    assert_int_equal(train_left_ms(10, 5000, 90), 45000);
    assert_true(train_left_ms(1, INT64_MAX / 1024, 1000) > 0);
}

static void a_mean_forgets_and_is_not_biased_at_first(void **state)
{
    (void)state;
    struct train_mean m = {0};
    assert_true(isnan(train_mean_value(&m)));
    train_mean_add(&m, 8);
    assert_true(fabs(train_mean_value(&m) - 8) < 1e-12);
    train_mean_add(&m, 6);
    assert_true(train_mean_value(&m) > 6.9 && train_mean_value(&m) < 7);
    for (int i = 0; i < 200; i++)
        train_mean_add(&m, 2);
    assert_true(fabs(train_mean_value(&m) - 2) < 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_all_where_there_is_room),
        cmocka_unit_test(a_narrow_line_leaves_out_from_the_end),
        cmocka_unit_test(what_is_not_known_is_not_said),
        cmocka_unit_test(the_time_left_follows_the_speed_so_far),
        cmocka_unit_test(a_mean_forgets_and_is_not_biased_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
