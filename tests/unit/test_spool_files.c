#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/unit/conform_blobs.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP];
static struct err e;

static int set_up(void **state)
{
    (void)state;
    scratch_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void files_are_a_back_end(void **state)
{
    (void)state;
    struct conform_blobs c = {.driver = spool_files()};
    memcpy(c.home, dir, sizeof dir);
    conform_blobs_run(&c);
}

static void a_name_is_a_file_below_the_home(void **state)
{
    (void)state;
    struct spool s;
    char path[PATH_CAP], text[8] = "";
    assert_int_equal(spool_open(&s, dir, &e), OK);
    assert_int_equal(s.driver->put(&s, "sheets/abc", "hello", 5, &e), OK);
    assert_int_equal(path_format(path, "%s/sheets/abc", dir), 0);
    assert_true(file_exists(path));
    int fd = s.driver->fd(&s, "sheets/abc");
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof text), 5);
    assert_string_equal(text, "hello");
    close(fd);
    assert_true(s.driver->room(&s) > 0);
    spool_close(&s);
}

/* So that it can be swept away together with the chunks of forgotten slots. */
static void what_a_crash_left_of_a_put_is_told(void **state)
{
    (void)state;
    struct spool s;
    char folder[PATH_CAP];
    assert_int_equal(spool_open(&s, dir, &e), OK);
    assert_int_equal(s.driver->put(&s, "spool/a.0", "x", 1, &e), OK);
    assert_int_equal(path_format(folder, "%s/spool", dir), 0);
    scratch_write(folder, "a.1.tmp", "half", 4);
    assert_int_equal(conform_blobs_n(&s, "spool"), 2);
    s.driver->drop(&s, "spool/a.1.tmp");
    assert_int_equal(conform_blobs_n(&s, "spool"), 1);
    spool_close(&s);
}

static void a_place_that_cannot_be_made_is_an_error(void **state)
{
    (void)state;
    struct spool s;
    char below[PATH_CAP];
    scratch_write(dir, "file", "x", 1);
    assert_int_equal(path_format(below, "%s/file/home", dir), 0);
    assert_int_equal(spool_open(&s, below, &e), ERR_IO);
    assert_true(e.what[0]);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(files_are_a_back_end),
        CASE(a_name_is_a_file_below_the_home),
        CASE(what_a_crash_left_of_a_put_is_told),
        CASE(a_place_that_cannot_be_made_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
