#pragma once
/* What every back end for the books must do (aggregator/store_driver.h). A test gives the driver and
 * an empty place. Statements are of the kinds that store*.c uses.
 */

#include <string.h>

#include "aggregator/store_db.h"
#include "tests/check.h"

struct conform_books {
    const struct store_driver *driver;
    const char *where;
};

static inline struct store_db *conform_books_open(const struct conform_books *c)
{
    struct store_db *db = NULL;
    struct err e = {0};
    if (store_db_open_with(c->driver, c->where, &db, &e) != OK) fail_msg("%s", e.what);
    return db;
}

static inline int64_t conform_books_ask(struct store_db *db, const char *sql)
{
    struct err e = {0};
    struct store_query q = store_db_query(db, sql);
    if (store_db_step(&q, &e) != OK) fail_msg("%s: %s", sql, e.what);
    int64_t v = store_db_i64(&q, 0);
    assert_int_equal(store_db_step(&q, &e), ERR_AGAIN);
    store_db_done(&q);
    return v;
}

static inline void conform_books_make(struct store_db *db)
{
    struct err e = {0};
    static const char schema[] =
        "CREATE TABLE people(key BLOB PRIMARY KEY CHECK(length(key)=3), name TEXT NOT NULL);"
        "CREATE TABLE lines(seq INTEGER PRIMARY KEY, person BLOB NOT NULL REFERENCES people(key),"
        " amount INTEGER NOT NULL CHECK(amount>=0), share REAL, body BLOB, note TEXT NOT NULL"
        " UNIQUE);"
        "CREATE TRIGGER lines_stay BEFORE DELETE ON lines"
        " BEGIN SELECT RAISE(ABORT, 'lines stay'); END;"
        "CREATE VIEW sums AS SELECT person, sum(amount) AS amount FROM lines GROUP BY person;";
    assert_int_equal(store_db_begin(db, &e), OK);
    assert_int_equal(store_db_end(db, store_db_exec(db, schema, &e), &e), OK);
    assert_int_equal(store_db_exec(db, "INSERT INTO people VALUES(x'010203','Ann')", &e), OK);
}

static inline int conform_books_add(struct store_db *db, uint64_t seq, int64_t amount, double share,
                                    const void *body, size_t n, const char *note, struct err *e)
{
    static const uint8_t person[3] = {1, 2, 3};
    struct store_query q = store_db_query(db, "INSERT INTO lines VALUES(?,?,?,?,?,?)");
    store_db_bind_u64(&q, seq);
    store_db_bind_bytes(&q, person, sizeof person);
    store_db_bind_i64(&q, amount);
    store_db_bind_real(&q, share);
    store_db_bind_bytes(&q, body, n);
    store_db_bind_text(&q, note);
    return store_db_run(&q, e);
}

static inline void conform_books_values(struct store_db *db)
{
    static const uint8_t body[5] = {0, 255, 0, '\'', 10};
    uint8_t back[5], wrong[4];
    struct err e = {0};
    assert_int_equal(conform_books_add(db, 1, INT64_MAX, 0.1, body, 5, "caf\xc3\xa9 'x'", &e), OK);
    struct store_query q = store_db_query(db, "SELECT * FROM lines WHERE note=?2 AND seq=?1");
    store_db_bind_u64(&q, 1);
    store_db_bind_chars(&q, "caf\xc3\xa9 'x' and more", 9);
    assert_int_equal(store_db_step(&q, &e), OK);
    assert_int_equal(store_db_u64(&q, 0), 1);
    assert_true(store_db_i64(&q, 2) == INT64_MAX);
    assert_true(store_db_real(&q, 3) == 0.1);
    assert_true(store_db_bytes(&q, 4, back, 5));
    assert_memory_equal(back, body, 5);
    assert_false(store_db_bytes(&q, 4, wrong, 4)); /* another length is not it */
    assert_string_equal(store_db_text(&q, 5), "caf\xc3\xa9 'x'");
    assert_int_equal(store_db_step(&q, &e), ERR_AGAIN);
    store_db_done(&q);
    store_db_done(&q); /* again is harmless */
    assert_int_equal(conform_books_add(db, 2, 0, -1e300, "", 0, "", &e), OK);
    q = store_db_query(db, "SELECT NULL, body, share FROM lines WHERE seq=2");
    assert_int_equal(store_db_step(&q, &e), OK);
    assert_string_equal(store_db_text(&q, 0), "");
    assert_int_equal(store_db_i64(&q, 0), 0);
    assert_true(store_db_real(&q, 2) == -1e300);
    store_db_done(&q);
}

/* Each of these is refused with words, alone and in a transaction, which then leaves nothing. */
static inline void conform_books_rules(struct store_db *db)
{
    static const char *const bad[] = {
        "INSERT INTO lines VALUES(1,x'010203',1,NULL,NULL,'again')",  /* primary key */
        "INSERT INTO lines VALUES(7,x'010203',1,NULL,NULL,'')",       /* unique */
        "INSERT INTO lines VALUES(7,x'010203',-1,NULL,NULL,'less')",  /* check */
        "INSERT INTO lines VALUES(7,x'090909',1,NULL,NULL,'nobody')", /* references */
        "INSERT INTO lines VALUES(7,x'010203',1,NULL,NULL,NULL)",     /* not null */
        "INSERT INTO people VALUES(x'01','short')",                   /* check */
        "DELETE FROM lines WHERE seq=1",                              /* trigger */
        "INSERT INTO nowhere VALUES(1)",
    };
    int64_t before = conform_books_ask(db, "SELECT count(*) FROM lines");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        if (store_db_exec(db, bad[i], &e) == OK) fail_msg("taken: %s", bad[i]);
        assert_true(e.what[0]);
        assert_int_equal(store_db_begin(db, &e), OK);
        assert_int_equal(conform_books_add(db, 90 + i, 1, 0, "x", 1, "good", &e), OK);
        assert_int_not_equal(store_db_end(db, store_db_exec(db, bad[i], &e), &e), OK);
        assert_int_equal(conform_books_ask(db, "SELECT count(*) FROM lines"), before);
    }
    struct err e = {0};
    struct store_query q = store_db_query(db, "SELECT nonsense FROM lines");
    store_db_bind_u64(&q, 1);
    assert_int_not_equal(store_db_step(&q, &e), OK);
    assert_true(e.what[0]);
    store_db_done(&q);
}

static inline void conform_books_sql(struct store_db *db)
{
    struct err e = {0};
    struct store_query q =
        store_db_query(db, "INSERT INTO people VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET name=?2"
                           " RETURNING length(name)");
    store_db_bind_bytes(&q, "\1\2\3", 3);
    store_db_bind_text(&q, "Annika");
    assert_int_equal(store_db_step(&q, &e), OK);
    assert_int_equal(store_db_u64(&q, 0), 6);
    assert_int_equal(store_db_step(&q, &e), ERR_AGAIN);
    store_db_done(&q);
    assert_int_equal(conform_books_ask(db, "SELECT count(*) FROM people"), 1);
    assert_int_equal(conform_books_ask(db, "SELECT coalesce(max(seq)+1,0) FROM lines"), 3);
    assert_int_equal(conform_books_ask(db, "SELECT count(*) FILTER (WHERE amount=0) FROM lines"),
                     1);
    assert_int_equal(
        conform_books_ask(db, "SELECT CASE WHEN EXISTS (SELECT 1 FROM lines WHERE seq=9) THEN 1"
                              " ELSE 0 END"),
        0);
    assert_int_equal(conform_books_ask(db, "SELECT seq FROM lines ORDER BY seq DESC LIMIT 1"), 2);
    assert_int_equal(conform_books_ask(db, "SELECT count(*) FROM sums s JOIN people p ON"
                                           " p.key=s.person"),
                     1);
}

static inline void conform_books_run(const struct conform_books *c)
{
    struct err e = {0};
    struct store_db *db = conform_books_open(c);
    conform_books_make(db);
    conform_books_values(db);
    conform_books_rules(db);
    conform_books_sql(db);
    /* A second connection sees what is committed, and nothing else. */
    struct store_db *other = conform_books_open(c);
    assert_int_equal(store_db_begin(db, &e), OK);
    assert_int_equal(conform_books_add(db, 3, 5, 0, "x", 1, "three", &e), OK);
    assert_int_equal(conform_books_ask(other, "SELECT count(*) FROM lines"), 2);
    assert_int_equal(store_db_end(db, OK, &e), OK);
    assert_int_equal(conform_books_ask(other, "SELECT count(*) FROM lines"), 3);
    store_db_close(other);
    /* A crash in the middle of a transaction: the connection goes, the transaction with it. */
    assert_int_equal(store_db_begin(db, &e), OK);
    assert_int_equal(conform_books_add(db, 4, 5, 0, "x", 1, "four", &e), OK);
    store_db_close(db);
    db = conform_books_open(c);
    assert_int_equal(conform_books_ask(db, "SELECT count(*) FROM lines"), 3);
    assert_int_equal(conform_books_ask(db, "SELECT seq FROM lines WHERE note='three'"), 3);
    store_db_close(db);
}
