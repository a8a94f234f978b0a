#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "tests/check.h"

static char dir[64];
static char last[256];
static int n_lines;

static void remember(enum log_level level, long long wall_ms, const char *text, void *ctx)
{
    (void)level;
    (void)wall_ms;
    (void)ctx;
    n_lines++;
    snprintf(last, sizeof last, "%s", text);
}

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_log.XXXXXX");
    log_set_stderr(0);
    log_set_sink(remember, NULL);
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char cmd[128];
    log_close();
    log_set_sink(NULL, NULL);
    strcat(strcpy(cmd, "rm -rf "), dir);
    return system(cmd);
}

static const char *in_dir(const char *name)
{
    static char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    return path;
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    n_lines = 0;
    log_set_level(LOG_WARN);
    log_info("quiet");
    log_warn("loud");
    log_set_level(LOG_INFO);
    assert_int_equal(n_lines, 1);
    assert_string_equal(last, "loud");
}

static void text_is_made_harmless(void **state)
{
    (void)state;
    log_info("a\x1b[2J\nb");
    assert_string_equal(last, "a?[2J?b");
}

static void errors_name_the_deed_and_the_remedy(void **state)
{
    (void)state;
    struct err e = {0};
    err_set(&e, ERR_IO, ENOSPC, "cannot write");
    log_err(LOG_ERROR, &e, "saving");
    assert_string_equal(last, "saving: cannot write: No space left on device");
    err_hint(&e, "free some space");
    log_err(LOG_ERROR, &e, "saving");
    assert_non_null(strstr(last, "to fix: free some space"));
}

static void file_gets_the_line_and_is_rotated_at_its_size(void **state)
{
    (void)state;
    struct buf b = {0};
    struct stat st = {0};
    assert_int_equal(log_open(in_dir("log"), 400, NULL), OK);
    log_info("first line");
    assert_int_equal(file_read(in_dir("log"), 1000, &b, NULL), OK);
    assert_non_null(strstr(buf_str(&b), " info  first line\n"));
    for (int i = 0; i < 40; i++)
        log_info("line %d, long enough to fill the file soon", i);
    assert_true(file_exists(in_dir("log.1")));
    assert_int_equal(stat(in_dir("log"), &st), 0);
    assert_true(st.st_size < 500);
    log_close();
    buf_deinit(&b);
}

static void a_log_that_cannot_be_opened_is_an_error(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(log_open(in_dir("no/such/folder"), 400, &e), ERR_IO);
    assert_non_null(strstr(e.what, "cannot open log"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_below_the_level_are_dropped),
        cmocka_unit_test(text_is_made_harmless),
        cmocka_unit_test(errors_name_the_deed_and_the_remedy),
        cmocka_unit_test(file_gets_the_line_and_is_rotated_at_its_size),
        cmocka_unit_test(a_log_that_cannot_be_opened_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
