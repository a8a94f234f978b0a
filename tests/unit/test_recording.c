#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/recording.h"
#include "base/file.h"
#include "tests/check.h"

static char path[64];
static struct view v;

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/potluck-recording-XXXXXX");
    int fd = mkstemp(path);
    if (fd >= 0) close(fd);
    return fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void keep(const char *text)
{
    assert_int_equal(file_replace(path, text, strlen(text), 0600, NULL), OK);
}

static void every_line_is_found_again(void **state)
{
    (void)state;
    struct buf b = {0};
    struct recording r;
    for (int i = 0; i < 600; i++) {
        view_init(&v);
        v.at_ms = 1700000000000 + i * 1000;
        v.round = (uint64_t)i;
        assert_int_equal(view_encode(&v, &b, NULL), OK);
        buf_put_str(&b, i % 3 ? "\n" : "\r\n\n"); /* other line ends, empty lines */
    }
    keep(buf_str(&b));
    assert_int_equal(recording_open(path, &r, NULL), OK);
    assert_int_equal(r.n, 600);
    for (size_t i = 0; i < r.n; i += 37) {
        assert_int_equal(recording_at_ms(&r, i), 1700000000000 + (int64_t)i * 1000);
        assert_int_equal(recording_view(&r, i, &v, NULL), OK);
        assert_int_equal(v.round, i);
    }
    recording_deinit(&r);
    buf_deinit(&b);
}

static void a_line_cut_short_is_an_error_of_that_line_alone(void **state)
{
    (void)state;
    struct recording r;
    struct err e = {0};
    keep("{\"view\":1,\"seq\":1,\"at_ms\":5}\n{\"view\":1,\"se");
    assert_int_equal(recording_open(path, &r, NULL), OK);
    assert_int_equal(r.n, 2);
    assert_int_equal(recording_view(&r, 0, &v, NULL), OK);
    assert_int_equal(v.at_ms, 5);
    assert_int_not_equal(recording_view(&r, 1, &v, &e), OK);
    assert_non_null(strstr(e.what, "view 2 of the recording"));
    assert_true(recording_at_ms(&r, 1) == VIEW_NONE);
    recording_deinit(&r);
}

static void nothing_is_no_recording(void **state)
{
    (void)state;
    struct recording r;
    struct err e = {0};
    keep("\n\n");
    assert_int_equal(recording_open(path, &r, &e), ERR_PROTO);
    assert_int_equal(recording_open("/nonexistent/x", &r, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.what, "/nonexistent/x"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_line_is_found_again),
        T(a_line_cut_short_is_an_error_of_that_line_alone),
        T(nothing_is_no_recording),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
