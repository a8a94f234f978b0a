#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "tests/check.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_file.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char cmd[128];
    strcat(strcpy(cmd, "rm -rf "), dir);
    return system(cmd);
}

static const char *in_dir(const char *name)
{
    static char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    return path;
}

static void replace_then_read_gives_the_same_bytes(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(file_replace(in_dir("a"), "one\0two", 7, 0600, NULL), OK);
    assert_int_equal(file_replace(in_dir("a"), "new", 3, 0600, NULL), OK);
    assert_int_equal(file_read(in_dir("a"), 3, &b, NULL), OK);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.p, "new", 3);
    assert_false(file_exists(in_dir("a.tmp")));
    buf_deinit(&b);
}

/* On a page and beside it, whole pages and a tail, less than a page: the same bytes come back. */
static void large_files_are_written_whole_wherever_they_lie(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4095, 4096, 12289, 1 << 20};
    uint8_t *block = alloc_paged((1 << 20) + 64);
    assert_non_null(block);
    for (size_t i = 0; i < (1 << 20) + 64; i++)
        block[i] = (uint8_t)(i * i >> 7);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        const uint8_t *p = block + (i % 2) * 8;
        struct buf b = {0};
        assert_int_equal(file_replace_large(in_dir("l"), p, sizes[i / 2], 0600, NULL, NULL), OK);
        assert_int_equal(file_read(in_dir("l"), 2 << 20, &b, NULL), OK);
        assert_int_equal(b.len, sizes[i / 2]);
        assert_memory_equal(b.len ? b.p : p, p, b.len);
        buf_deinit(&b);
    }
    free(block);
}

struct writer {
    pthread_t thread;
    struct file_group *g;
    int i;
    int n_fine;
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    char path[PATH_CAP];
    for (int k = 0; k < 20; k++) {
        snprintf(path, sizeof path, "%s/g%d.%d", dir, w->i, k);
        w->n_fine += file_replace_large(path, &k, sizeof k, 0600, w->g, NULL) == OK;
    }
    return NULL;
}

static void threads_share_the_sync_of_a_folder(void **state)
{
    (void)state;
    struct file_group g = {0};
    struct writer w[6];
    for (int i = 0; i < 6; i++) {
        w[i] = (struct writer){.g = &g, .i = i};
        assert_int_equal(pthread_create(&w[i].thread, NULL, write_many, &w[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].n_fine, 20);
    }
    assert_in_range(g.n_begun, 20, 120);
    assert_int_equal(g.n_ended, g.n_begun);
    assert_false(g.is_running);
    assert_int_equal(file_replace_large("/nowhere/x", "x", 1, 0600, &g, NULL), ERR_IO);
}

static void replace_gives_the_mode_asked_for(void **state)
{
    (void)state;
    struct stat st = {0};
    assert_int_equal(file_replace(in_dir("secret"), "k", 1, 0600, NULL), OK);
    assert_int_equal(stat(in_dir("secret"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void failed_replace_keeps_the_old_file_and_leaves_no_litter(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(file_mkdirs(in_dir("taken/inside"), NULL), OK);
    assert_int_equal(file_replace(in_dir("taken"), "x", 1, 0600, &e), ERR_IO);
    assert_non_null(strstr(e.what, "cannot replace"));
    assert_true(file_exists(in_dir("taken/inside")));
    assert_false(file_exists(in_dir("taken.tmp")));
}

static void full_disk_is_told_with_a_hint(void **state)
{
    (void)state;
    struct err e = {0};
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, "x", 1, "/dev/full", &e), ERR_IO);
    assert_int_equal(e.sys, ENOSPC);
    assert_non_null(strstr(e.hint, "free some space"));
    close(fd);
}

static void a_long_path_does_not_push_out_the_reason(void **state)
{
    (void)state;
    struct err e = {0};
    char path[300];
    memset(path, 'd', sizeof path);
    strcpy(path + 290, "/file.tmp");
    assert_int_equal(file_error(&e, ENOSPC, "write", path), ERR_IO);
    assert_non_null(strstr(e.what, "/file.tmp': No space left on device"));
}

static void reading_a_missing_file_says_so(void **state)
{
    (void)state;
    struct buf b = {0};
    struct err e = {0};
    assert_int_equal(file_read(in_dir("nowhere"), 10, &b, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.what, "nowhere"));
    buf_deinit(&b);
}

static void reading_stops_at_the_cap(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(file_replace(in_dir("four"), "1234", 4, 0600, NULL), OK);
    assert_int_equal(file_read(in_dir("four"), 3, &b, NULL), ERR_LIMIT);
    buf_deinit(&b);
    assert_int_equal(file_read("/dev/zero", 1000, &b, NULL), ERR_LIMIT);
    buf_deinit(&b);
}

static void reading_without_memory_fails_cleanly(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(file_replace(in_dir("some"), "1234", 4, 0600, NULL), OK);
    alloc_fail_nth(1);
    int rc = file_read(in_dir("some"), 10, &b, NULL);
    alloc_fail_nth(0);
    assert_int_equal(rc, ERR_NOMEM);
    buf_deinit(&b);
}

static void read_at_gives_the_bytes_asked_for_or_says_that_they_are_not_there(void **state)
{
    (void)state;
    struct err e = {0};
    char got[8] = "";
    int fd = -1;
    uint64_t n = 0;
    assert_int_equal(file_replace(in_dir("ten"), "0123456789", 10, 0600, NULL), OK);
    assert_int_equal(file_open(in_dir("ten"), &fd, &n, &e), OK);
    assert_int_equal(n, 10);
    assert_int_equal(file_read_at(fd, got, 4, 6, "ten", &e), OK);
    assert_memory_equal(got, "6789", 4);
    assert_int_equal(file_read_at(fd, got, 4, 7, "ten", &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "'ten' ends too early"));
    assert_int_equal(file_read_at(fd, got, 0, 10, "ten", NULL), OK);
    close(fd);
    assert_int_equal(file_read_at(-1, got, 1, 0, "ten", &e), ERR_IO);
}

static void open_takes_plain_files_only_and_waits_for_nobody(void **state)
{
    (void)state;
    struct err e = {0};
    int fd = -1;
    assert_int_equal(file_open(in_dir("nobody"), &fd, NULL, &e), ERR_NOTFOUND);
    assert_int_equal(file_open(in_dir("."), &fd, NULL, &e), ERR_PROTO);
    assert_true(e.what[0] && e.hint[0]);
    assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
    assert_int_equal(file_open(in_dir("pipe"), &fd, NULL, &e), ERR_PROTO);
    assert_int_equal(fd, -1);
}

static void mkdirs_makes_parents_and_refuses_a_file_in_the_way(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(file_mkdirs(in_dir("p/q/r"), NULL), OK);
    assert_int_equal(file_mkdirs(in_dir("p/q/r"), NULL), OK);
    assert_int_equal(file_sync_dir(in_dir("p/q"), NULL), OK);
    assert_int_equal(file_replace(in_dir("plain"), "", 0, 0600, NULL), OK);
    assert_int_equal(file_mkdirs(in_dir("plain"), &e), ERR_IO);
    assert_non_null(strstr(e.what, "not a folder"));
    assert_int_equal(file_mkdirs(in_dir("plain/below"), NULL), ERR_IO);
}

static void a_path_that_is_too_long_is_refused_not_cut(void **state)
{
    (void)state;
    char longer[PATH_CAP + 8];
    memset(longer, 'd', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(file_replace(longer, "", 0, 0600, NULL), ERR_LIMIT);
    assert_int_equal(file_mkdirs(longer, NULL), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace_then_read_gives_the_same_bytes),
        cmocka_unit_test(large_files_are_written_whole_wherever_they_lie),
        cmocka_unit_test(threads_share_the_sync_of_a_folder),
        cmocka_unit_test(replace_gives_the_mode_asked_for),
        cmocka_unit_test(failed_replace_keeps_the_old_file_and_leaves_no_litter),
        cmocka_unit_test(full_disk_is_told_with_a_hint),
        cmocka_unit_test(a_long_path_does_not_push_out_the_reason),
        cmocka_unit_test(reading_a_missing_file_says_so),
        cmocka_unit_test(reading_stops_at_the_cap),
        cmocka_unit_test(reading_without_memory_fails_cleanly),
        cmocka_unit_test(read_at_gives_the_bytes_asked_for_or_says_that_they_are_not_there),
        cmocka_unit_test(open_takes_plain_files_only_and_waits_for_nobody),
        cmocka_unit_test(mkdirs_makes_parents_and_refuses_a_file_in_the_way),
        cmocka_unit_test(a_path_that_is_too_long_is_refused_not_cut),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
