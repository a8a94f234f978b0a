#include "app/bench_text.h"
#include "tests/unit/scratch.h"

#define LINE  "Whoever brings bread may sit at the table and tell a story, says the host.\n"
#define LONG8 LINE LINE LINE LINE LINE LINE LINE LINE

static void bench_text_folder_takes_what_is_text_by_name_and_content(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct buf out = {0};
    scratch_make(dir);
    scratch_write(dir, "README", LONG8, sizeof LONG8 - 1);
    scratch_write(dir, "copyright", LONG8, sizeof LONG8 - 1);
    scratch_write(dir, "image.png", LONG8, sizeof LONG8 - 1);
    scratch_write(dir, "README.gz", LONG8, sizeof LONG8 - 1);
    scratch_write(dir, "short.txt", LINE, sizeof LINE - 1); /* too short to be worth it */
    scratch_write(dir, "binary.txt", LONG8, sizeof LONG8);  /* has a NUL */
    bench_text_folder(dir, 0, 1u << 20, &out);
    assert_int_equal(out.len, 2 * (sizeof LONG8 - 1));
    buf_clear(&out);
    scratch_write(dir, "cookies", LONG8, sizeof LONG8 - 1);
    bench_text_folder(dir, 1, 1u << 20, &out);
    assert_int_equal(out.len, 3 * (sizeof LONG8 - 1));
    buf_deinit(&out);
    scratch_remove(dir);
}

static void bench_text_folder_stops_at_the_most(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct buf out = {0};
    scratch_make(dir);
    scratch_write(dir, "a.txt", LONG8, sizeof LONG8 - 1);
    scratch_write(dir, "b.txt", LONG8, sizeof LONG8 - 1);
    bench_text_folder(dir, 0, 700, &out);
    assert_int_equal(out.len, 700);
    bench_text_folder(dir, 0, 700, &out);
    assert_int_equal(out.len, 700);
    buf_deinit(&out);
    scratch_remove(dir);
}

static void bench_text_folder_that_is_not_there_adds_nothing(void **state)
{
    (void)state;
    struct buf out = {0};
    bench_text_folder("/nowhere/at/all", 1, 1000, &out);
    assert_int_equal(out.len, 0);
    assert_false(out.failed);
    buf_deinit(&out);
}

/* This machine may have enough text or not; either answer must be whole. */
static void bench_text_gather_gives_enough_or_says_what_to_install(void **state)
{
    (void)state;
    struct buf out = {0};
    struct err e = {0};
    char from[128] = "";
    int rc = bench_text_gather(&out, from, sizeof from, &e);
    assert_true(out.len <= BENCH_TEXT_WANTED);
    if (rc == OK) {
        assert_true(out.len >= BENCH_TEXT_LEAST);
        assert_true(from[0] != 0);
    } else {
        assert_int_equal(rc, ERR_NOTFOUND);
        assert_non_null(strstr(e.hint, "apt install"));
    }
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_text_folder_takes_what_is_text_by_name_and_content),
        cmocka_unit_test(bench_text_folder_stops_at_the_most),
        cmocka_unit_test(bench_text_folder_that_is_not_there_adds_nothing),
        cmocka_unit_test(bench_text_gather_gives_enough_or_says_what_to_install),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
