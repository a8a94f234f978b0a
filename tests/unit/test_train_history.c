#include <math.h>

#include "app/train_history.h"
#include "base/file.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP], path[PATH_CAP];
static struct err e;

static int set_up(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    scratch_make(dir);
    return path_format(path, "%s/history.ndjson", dir);
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void add(uint64_t step)
{
    struct train_row r = {
        .p = {.step = step,
              .loss = 5.5,
              .val_loss = (double)NAN,
              .bits_per_byte = (double)NAN,
              .tok_per_s = 1000,
              .elapsed_ms = (int64_t)step * 250},
        .n_tokens = step * 64,
        .lr = 1e-3
    };
    assert_int_equal(train_history_add(path, &r, &e), OK);
}

static int n_lines(void)
{
    struct buf b = {0};
    int n = 0;
    assert_int_equal(file_read(path, 1 << 20, &b, &e), OK);
    for (size_t i = 0; i < b.len; i++)
        n += b.p[i] == '\n';
    buf_deinit(&b);
    return n;
}

static void rows_are_objects_with_null_for_the_unknown(void **state)
{
    (void)state;
    struct buf b = {0};
    json_t *o = NULL;
    add(10);
    assert_int_equal(file_read(path, 4096, &b, &e), OK);
    assert_int_equal(json_parse(b.p, b.len - 1, &o, &e), OK);
    assert_int_equal(json_integer_value(json_object_get(o, "step")), 10);
    assert_true(json_is_null(json_object_get(o, "val_loss")));
    assert_true(json_real_value(json_object_get(o, "train_s")) == 2.5);
    json_decref(o);
    buf_deinit(&b);
}

static void going_on_forgets_steps_that_were_not_saved(void **state)
{
    (void)state;
    int64_t ms = -1;
    for (uint64_t step = 0; step <= 50; step += 10)
        add(step);
    assert_int_equal(train_history_cut(path, 30, &ms, &e), OK);
    assert_int_equal(ms, 7500);
    assert_int_equal(n_lines(), 4);
    add(40);
    assert_int_equal(n_lines(), 5);
}

static void a_torn_line_is_dropped(void **state)
{
    (void)state;
    int64_t ms = -1;
    static const char text[] = "{\"step\":1,\"train_s\":1}\nrubbish\n{\"step\":2,\"train_s\":2}\n"
                               "{\"step\":3,\"trai";
    scratch_write(dir, "history.ndjson", text, sizeof text - 1);
    assert_int_equal(train_history_cut(path, 99, &ms, &e), OK);
    assert_int_equal(ms, 2000);
    assert_int_equal(n_lines(), 2);
}

static void no_file_is_no_history(void **state)
{
    (void)state;
    int64_t ms = -1;
    assert_int_equal(train_history_cut(path, 99, &ms, &e), OK);
    assert_int_equal(ms, 0);
    assert_false(file_exists(path));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rows_are_objects_with_null_for_the_unknown),
        CASE(going_on_forgets_steps_that_were_not_saved),
        CASE(a_torn_line_is_dropped),
        CASE(no_file_is_no_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
