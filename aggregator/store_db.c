#include "aggregator/store_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"

#define BUSY_MS     2000
#define BUSY_NAP_MS 10

struct store_db {
    sqlite3 *h;
    char *path;
};

static int fail(struct store_db *db, int rc, struct err *e)
{
    int sys = db->h ? sqlite3_system_errno(db->h) : 0;
    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {
        err_set(e, ERR_PROTO, 0, "the database '%s' is damaged", db->path);
        err_hint(e, "restore it from a copy; docs/OPERATING.md, 'When something breaks', says how");
        return ERR_PROTO;
    }
    if (rc == SQLITE_FULL || (rc == SQLITE_IOERR && sys == ENOSPC)) {
        err_set(e, ERR_IO, ENOSPC, "cannot write to the database '%s'", db->path);
        err_hint(e, "free space on that disk; nothing is lost, work goes on by itself");
        return ERR_IO;
    }
    if (rc == SQLITE_NOMEM) return err_set(e, ERR_NOMEM, 0, "no memory for the database");
    if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
        err_set(e, ERR_WRONG_STATE, 0, "another program uses the database '%s'", db->path);
        err_hint(e, "stop the other aggregator that serves this home");
        return ERR_WRONG_STATE;
    }
    return err_set(e, ERR_IO, sys, "database '%s': %s", db->path,
                   db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(rc));
}

/* Switching a new file to WAL, or the last close of another program, may find it busy without the
 * busy handler being asked (SQLite, "Write-Ahead Logging"): try for as long as that would.
 */
static int exec_patiently(struct store_db *db, const char *sql)
{
    const struct timespec nap = {.tv_nsec = BUSY_NAP_MS * 1000000L};
    int rc = SQLITE_BUSY;
    for (int ms = 0; rc == SQLITE_BUSY && ms <= BUSY_MS; ms += BUSY_NAP_MS) {
        if (ms) nanosleep(&nap, NULL);
        rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    }
    return rc;
}

static int settle(struct store_db *db, struct err *e)
{
    static const char pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                  "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;";
    int rc = exec_patiently(db, pragmas);
    if (rc != SQLITE_OK) return fail(db, sqlite3_errcode(db->h), e);
    struct store_query q = store_db_query(db, "PRAGMA quick_check(1)");
    rc = store_db_step(&q, e);
    bool is_good = rc == OK && strcmp(store_db_text(&q, 0), "ok") == 0;
    store_db_done(&q);
    if (rc != OK) return rc;
    return is_good ? OK : fail(db, SQLITE_CORRUPT, e);
}

int store_db_open(const char *path, struct store_db **ret, struct err *e)
{
    struct store_db *db = alloc_zero(1, sizeof *db);
    if (db) db->path = alloc_dup(path);
    if (!db || !db->path) {
        free(db);
        return err_set(e, ERR_NOMEM, 0, "no memory for the database");
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    int rc = sqlite3_open_v2(path, &db->h, flags, NULL);
    if (rc != SQLITE_OK) {
        rc = fail(db, rc, e);
    } else {
        sqlite3_busy_timeout(db->h, BUSY_MS);
        rc = settle(db, e);
    }
    if (rc != OK) {
        store_db_close(db);
        return rc;
    }
    *ret = db;
    return OK;
}

void store_db_close(struct store_db *db)
{
    if (!db) return;
    sqlite3_close(db->h);
    free(db->path);
    free(db);
}

int store_db_exec(struct store_db *db, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : fail(db, rc & 0xff, e);
}

int store_db_begin(struct store_db *db, struct err *e)
{
    return store_db_exec(db, "BEGIN IMMEDIATE", e);
}

int store_db_end(struct store_db *db, int rc, struct err *e)
{
    if (rc == OK) rc = store_db_exec(db, "COMMIT", e);
    /* Some failures have rolled back already; a second rollback then says so and changes nothing.
     */
    if (rc != OK && !sqlite3_get_autocommit(db->h))
        sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

struct store_query store_db_query(struct store_db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    struct store_query q = {.db = db};
    q.is_bad = sqlite3_prepare_v2(db->h, sql, -1, &stmt, NULL) != SQLITE_OK;
    q.stmt = stmt;
    return q;
}

static void bound(struct store_query *q, int rc)
{
    if (rc != SQLITE_OK) q->is_bad = true;
}

void store_db_bind_u64(struct store_query *q, uint64_t v)
{
    store_db_bind_i64(q, (int64_t)v);
}

void store_db_bind_i64(struct store_query *q, int64_t v)
{
    if (!q->is_bad) bound(q, sqlite3_bind_int64(q->stmt, ++q->i_bind, v));
}

void store_db_bind_real(struct store_query *q, double v)
{
    if (!q->is_bad) bound(q, sqlite3_bind_double(q->stmt, ++q->i_bind, v));
}

void store_db_bind_text(struct store_query *q, const char *v)
{
    if (!q->is_bad) bound(q, sqlite3_bind_text(q->stmt, ++q->i_bind, v, -1, SQLITE_TRANSIENT));
}

void store_db_bind_chars(struct store_query *q, const void *p, size_t n)
{
    if (!q->is_bad)
        bound(q, sqlite3_bind_text64(q->stmt, ++q->i_bind, p, n, SQLITE_TRANSIENT, SQLITE_UTF8));
}

void store_db_bind_bytes(struct store_query *q, const void *p, size_t n)
{
    if (!q->is_bad) bound(q, sqlite3_bind_blob64(q->stmt, ++q->i_bind, p, n, SQLITE_TRANSIENT));
}

int store_db_step(struct store_query *q, struct err *e)
{
    if (q->is_bad) {
        int rc = sqlite3_errcode(q->db->h);
        return fail(q->db, rc == SQLITE_OK ? SQLITE_MISUSE : rc & 0xff, e);
    }
    int rc = sqlite3_step(q->stmt);
    if (rc == SQLITE_ROW) return OK;
    if (rc == SQLITE_DONE) return ERR_AGAIN;
    return fail(q->db, rc & 0xff, e);
}

uint64_t store_db_u64(struct store_query *q, int col)
{
    return (uint64_t)store_db_i64(q, col);
}

int64_t store_db_i64(struct store_query *q, int col)
{
    return q->is_bad ? 0 : sqlite3_column_int64(q->stmt, col);
}

double store_db_real(struct store_query *q, int col)
{
    return q->is_bad ? 0 : sqlite3_column_double(q->stmt, col);
}

const char *store_db_text(struct store_query *q, int col)
{
    const unsigned char *t = q->is_bad ? NULL : sqlite3_column_text(q->stmt, col);
    return t ? (const char *)t : "";
}

bool store_db_bytes(struct store_query *q, int col, void *dst, size_t n)
{
    memset(dst, 0, n);
    if (q->is_bad || (size_t)sqlite3_column_bytes(q->stmt, col) != n) return false;
    const void *p = sqlite3_column_blob(q->stmt, col);
    if (!p) return false;
    memcpy(dst, p, n);
    return true;
}

void store_db_done(struct store_query *q)
{
    sqlite3_finalize(q->stmt);
    q->stmt = NULL;
    q->is_bad = true;
}

int store_db_run(struct store_query *q, struct err *e)
{
    int rc = store_db_step(q, e);
    store_db_done(q);
    return rc == ERR_AGAIN ? OK : rc;
}
