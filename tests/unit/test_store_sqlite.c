#include "tests/unit/conform_books.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP], path[PATH_CAP];

static int set_up(void **state)
{
    (void)state;
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/books.db", dir), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void sqlite_is_a_back_end(void **state)
{
    (void)state;
    conform_books_run(&(struct conform_books){store_sqlite(), path});
    assert_string_equal(store_sqlite()->name, "sqlite");
}

static void a_file_that_is_no_database_is_refused_with_the_next_step(void **state)
{
    (void)state;
    static const char junk[8192] = "this is not a database";
    struct store_db *db = NULL;
    struct err e = {0};
    scratch_write(dir, "books.db", junk, sizeof junk);
    assert_int_equal(store_db_open(path, &db, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "damaged"));
    assert_true(e.hint[0]);
    assert_null(db);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct store_db *db = NULL;
    struct err e = {0};
    char below[PATH_CAP];
    assert_int_equal(path_format(below, "%s/no/books.db", dir), 0);
    assert_int_equal(store_db_open(below, &db, &e), ERR_IO);
    assert_true(e.what[0]);
}

/* Full sync and a write-ahead log are what "durable" rests on. */
static void it_syncs_at_each_commit(void **state)
{
    (void)state;
    struct store_db *db = NULL;
    struct err e = {0};
    assert_int_equal(store_db_open(path, &db, &e), OK);
    assert_int_equal(conform_books_ask(db, "PRAGMA synchronous"), 2);
    assert_int_equal(conform_books_ask(db, "PRAGMA foreign_keys"), 1);
    struct store_query q = store_db_query(db, "PRAGMA journal_mode");
    assert_int_equal(store_db_step(&q, &e), OK);
    assert_string_equal(store_db_text(&q, 0), "wal");
    store_db_done(&q);
    store_db_close(db);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sqlite_is_a_back_end),
        CASE(a_file_that_is_no_database_is_refused_with_the_next_step),
        CASE(a_folder_that_is_not_there_is_an_error),
        CASE(it_syncs_at_each_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
