#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/file_out.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP];

static const char *in_dir(const char *name)
{
    static char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    return path;
}

static void assert_holds(const char *name, const char *text)
{
    struct buf b = {0};
    assert_int_equal(file_read(in_dir(name), 1000, &b, NULL), OK);
    assert_string_equal(buf_str(&b), text);
    buf_deinit(&b);
}

static void file_out_becomes_the_file_at_commit_only(void **state)
{
    (void)state;
    struct file_out o;
    assert_int_equal(file_replace(in_dir("a"), "old", 3, 0600, NULL), OK);
    assert_int_equal(file_out_begin(&o, in_dir("a"), 0644, NULL), OK);
    assert_int_equal(file_out_put(&o, "new", 3, NULL), OK);
    assert_int_equal(file_out_put(&o, "er", 2, NULL), OK);
    assert_holds("a", "old");
    assert_int_equal(o.n_bytes, 5);
    assert_int_equal(file_out_commit(&o, NULL), OK);
    assert_holds("a", "newer");
    assert_false(file_exists(in_dir("a.tmp")));
    file_out_abandon(&o);
    assert_holds("a", "newer");
}

static void file_out_abandoned_leaves_the_old_file_and_no_litter(void **state)
{
    (void)state;
    struct file_out o;
    assert_int_equal(file_replace(in_dir("b"), "old", 3, 0600, NULL), OK);
    assert_int_equal(file_out_begin(&o, in_dir("b"), 0644, NULL), OK);
    assert_int_equal(file_out_put(&o, "new", 3, NULL), OK);
    file_out_abandon(&o);
    file_out_abandon(&o);
    assert_holds("b", "old");
    assert_false(file_exists(in_dir("b.tmp")));
}

static void file_out_that_cannot_be_renamed_is_removed(void **state)
{
    (void)state;
    struct file_out o;
    struct err e = {0};
    assert_int_equal(mkdir(in_dir("taken"), 0700), 0);
    assert_int_equal(file_out_begin(&o, in_dir("taken"), 0644, &e), OK);
    assert_int_equal(file_out_put(&o, "x", 1, &e), OK);
    assert_int_equal(file_out_commit(&o, &e), ERR_IO);
    assert_true(e.what[0]);
    assert_false(file_exists(in_dir("taken.tmp")));
}

static void file_out_says_when_the_disk_is_full(void **state)
{
    (void)state;
    if (!file_exists("/dev/full")) skip();
    struct file_out o;
    struct err e = {0};
    assert_int_equal(file_out_begin(&o, in_dir("c"), 0644, &e), OK);
    close(o.fd);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    o.fd = dup(fileno(full));
    fclose(full);
    assert_int_equal(file_out_put(&o, "x", 1, &e), ERR_IO);
    assert_int_equal(e.sys, ENOSPC);
    assert_non_null(strstr(e.hint, "full"));
    file_out_abandon(&o);
    assert_false(file_exists(in_dir("c.tmp")));
}

static void file_out_refuses_where_it_cannot_write(void **state)
{
    (void)state;
    struct file_out o;
    struct err e = {0};
    char path[PATH_CAP + 10];
    assert_int_equal(file_out_begin(&o, "/nonexistent/x", 0644, &e), ERR_IO);
    file_out_abandon(&o);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_int_equal(file_out_begin(&o, path, 0644, &e), ERR_LIMIT);
    file_out_abandon(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_out_becomes_the_file_at_commit_only),
        cmocka_unit_test(file_out_abandoned_leaves_the_old_file_and_no_litter),
        cmocka_unit_test(file_out_that_cannot_be_renamed_is_removed),
        cmocka_unit_test(file_out_says_when_the_disk_is_full),
        cmocka_unit_test(file_out_refuses_where_it_cannot_write),
    };
    scratch_make(dir);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(dir);
    return rc;
}
