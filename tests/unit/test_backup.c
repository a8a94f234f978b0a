#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aggregator/backup.h"
#include "aggregator/store_driver.h"
#include "base/file.h"
#include "base/path.h"
#include "tests/check.h"

/* What a whole run's backup is worth is tried by tests/e2e/backup; here is what is refused early. */

static char dir[64];

static void put(const char *name, const char *text)
{
    char path[PATH_CAP], parent[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    assert_int_equal(path_dirname(parent, path), 0);
    assert_int_equal(file_mkdirs(parent, NULL), OK);
    assert_int_equal(file_replace(path, text, strlen(text), 0600, NULL), OK);
}

static const char *in(char buf[PATH_CAP], const char *name)
{
    assert_int_equal(path_format(buf, "%s/%s", dir, name), 0);
    return buf;
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test_backup.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command); /* NOLINT(cert-env33-c, concurrency-mt-unsafe): a name of our own */
}

static void backup_of_no_home_makes_nothing(void **state)
{
    (void)state;
    struct backup_report r;
    struct err e = {0};
    char a[PATH_CAP], b[PATH_CAP];
    assert_int_not_equal(backup_take(in(a, "none"), in(b, "copy"), &r, &e), OK);
    assert_true(e.what[0]);
    assert_false(file_exists(b));
}

static void backup_restore_wants_the_note_that_comes_last(void **state)
{
    (void)state;
    struct backup_report r;
    struct err e = {0};
    char a[PATH_CAP], b[PATH_CAP];
    static const char *const notes[] = {
        "",
        "{}",
        "[1]",
        "{\"version\":2,\"run\":\"00\",\"taken_at_ms\":1}",
        "{\"version\":1,\"run\":\"zz\",\"taken_at_ms\":1}",
        "{\"version\":1,\"taken_at_ms\":1}",
    };
    put("copy/run.potluck", "x");
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        if (i) put("copy/backup.json", notes[i]);
        assert_int_equal(backup_restore(in(a, "copy"), in(b, "home"), &r, &e), ERR_NOTFOUND);
        assert_non_null(strstr(e.what, "not a whole backup"));
        assert_false(file_exists(b));
    }
}

static const char note[] = "{\"run\":\"000000000000000000000000000000000000000000000000000000000000"
                           "0000\",\"taken_at_ms\":7,\"version\":1}";

static void backup_restore_holds_files_against_their_names(void **state)
{
    (void)state;
    struct backup_report r;
    struct err e = {0};
    char a[PATH_CAP], b[PATH_CAP], name[PATH_CAP], hex[HASH_HEX];
    struct hash h = hash_of("soup", 4);
    put("copy/run.potluck", "x");
    put("copy/backup.json", note);
    put("copy/data/deep/text", "kept");
    put("copy/spool/slot", "left out");
    assert_int_equal(path_format(name, "copy/payloads/%s", hash_hex(&h, hex)), 0);
    put(name, "soup");
    assert_int_equal(backup_restore(in(a, "copy"), in(b, "home"), &r, &e), OK);
    assert_int_equal(r.n_files, 3);
    assert_int_equal(r.n_bytes, 9);
    assert_int_equal(r.taken_at_ms, 7);
    assert_false(file_exists(in(b, "home/spool")));
    assert_true(file_exists(in(b, "home/data/deep/text")));
    assert_int_equal(backup_restore(a, in(b, "home"), &r, &e), ERR_WRONG_STATE);
    put(name, "Soup");
    assert_int_equal(backup_restore(a, in(b, "second"), &r, &e), ERR_PROTO);
    assert_false(file_exists(in(b, "second/run.potluck")));
}

static void backup_of_books_is_one_file_and_checked(void **state)
{
    (void)state;
    const struct store_driver *d = store_sqlite();
    void *conn = NULL, *copy = NULL;
    struct err e = {0};
    char a[PATH_CAP], b[PATH_CAP];
    assert_int_equal(d->open(in(a, "books"), &conn, &e), OK);
    assert_int_equal(d->exec(conn, "CREATE TABLE t(a); INSERT INTO t VALUES(7)", &e), OK);
    /* The writer is still there: its log is not in the main file yet. */
    assert_int_equal(store_sqlite_copy(a, in(b, "copy"), &e), OK);
    d->close(conn);
    assert_false(file_exists(in(a, "copy-wal")));
    assert_int_equal(d->open(b, &copy, &e), OK);
    void *q = d->prepare(copy, "SELECT a FROM t");
    assert_int_equal(d->step(copy, q, &e), OK);
    assert_int_equal(d->i64(q, 0), 7);
    d->finish(q);
    d->close(copy);
    put("torn", "no database at all, though it is long enough to be looked at");
    assert_int_equal(store_sqlite_copy(in(a, "torn"), in(b, "third"), &e), ERR_PROTO);
    assert_false(file_exists(b));
    assert_int_not_equal(store_sqlite_copy(in(a, "missing"), b, &e), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(backup_of_no_home_makes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(backup_restore_wants_the_note_that_comes_last, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(backup_restore_holds_files_against_their_names, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(backup_of_books_is_one_file_and_checked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
