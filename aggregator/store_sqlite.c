#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aggregator/store_driver.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"

#define BUSY_MS     2000
#define BUSY_NAP_MS 10

struct conn {
    sqlite3 *h;
    char *path;
};

static int fail(const struct conn *db, int rc, struct err *e)
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
static int exec_patiently(const struct conn *db, const char *sql)
{
    const struct timespec nap = {.tv_nsec = BUSY_NAP_MS * 1000000L};
    int rc = SQLITE_BUSY;
    for (int ms = 0; rc == SQLITE_BUSY && ms <= BUSY_MS; ms += BUSY_NAP_MS) {
        if (ms) nanosleep(&nap, NULL);
        rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    }
    return rc;
}

/* A damaged file is found at the start, not in the middle of a round. */
static int check_file(const struct conn *db, struct err *e)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->h, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    const unsigned char *text = rc == SQLITE_ROW ? sqlite3_column_text(stmt, 0) : NULL;
    bool is_good = text && strcmp((const char *)text, "ok") == 0;
    sqlite3_finalize(stmt);
    if (rc != SQLITE_ROW) return fail(db, rc & 0xff, e);
    return is_good ? OK : fail(db, SQLITE_CORRUPT, e);
}

static int settle(const struct conn *db, struct err *e)
{
    static const char pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                  "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;";
    int rc = exec_patiently(db, pragmas);
    if (rc != SQLITE_OK) return fail(db, sqlite3_errcode(db->h), e);
    return check_file(db, e);
}

static void close_conn(void *conn)
{
    struct conn *db = conn;
    if (!db) return;
    sqlite3_close(db->h);
    free(db->path);
    free(db);
}

static int open_conn(const char *where, void **ret, struct err *e)
{
    struct conn *db = alloc_zero(1, sizeof *db);
    if (db) db->path = alloc_dup(where);
    if (!db || !db->path) {
        free(db);
        return err_set(e, ERR_NOMEM, 0, "no memory for the database");
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    int rc = sqlite3_open_v2(where, &db->h, flags, NULL);
    if (rc != SQLITE_OK) {
        rc = fail(db, rc, e);
    } else {
        sqlite3_busy_timeout(db->h, BUSY_MS);
        rc = settle(db, e);
    }
    if (rc != OK) {
        close_conn(db);
        return rc;
    }
    *ret = db;
    return OK;
}

static int exec(void *conn, const char *sql, struct err *e)
{
    const struct conn *db = conn;
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : fail(db, rc & 0xff, e);
}

static int begin(void *conn, struct err *e)
{
    return exec(conn, "BEGIN IMMEDIATE", e);
}

static int commit(void *conn, struct err *e)
{
    return exec(conn, "COMMIT", e);
}

/* Some failures have rolled back already; a second rollback would say so and change nothing. */
static void rollback(void *conn)
{
    const struct conn *db = conn;
    if (!sqlite3_get_autocommit(db->h)) sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
}

static void *prepare(void *conn, const char *sql)
{
    const struct conn *db = conn;
    sqlite3_stmt *stmt = NULL;
    return sqlite3_prepare_v2(db->h, sql, -1, &stmt, NULL) == SQLITE_OK ? stmt : NULL;
}

static bool bind_i64(void *stmt, int i, int64_t v)
{
    return sqlite3_bind_int64(stmt, i, v) == SQLITE_OK;
}

static bool bind_real(void *stmt, int i, double v)
{
    return sqlite3_bind_double(stmt, i, v) == SQLITE_OK;
}

static bool bind_text(void *stmt, int i, const void *p, size_t n)
{
    return sqlite3_bind_text64(stmt, i, n ? p : "", n, SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK;
}

static bool bind_bytes(void *stmt, int i, const void *p, size_t n)
{
    return sqlite3_bind_blob64(stmt, i, n ? p : "", n, SQLITE_TRANSIENT) == SQLITE_OK;
}

static int step(void *conn, void *stmt, struct err *e)
{
    const struct conn *db = conn;
    if (!stmt) {
        int rc = sqlite3_errcode(db->h);
        return fail(db, rc == SQLITE_OK ? SQLITE_MISUSE : rc & 0xff, e);
    }
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) return OK;
    if (rc == SQLITE_DONE) return ERR_AGAIN;
    return fail(db, rc & 0xff, e);
}

static int64_t i64(void *stmt, int col)
{
    return sqlite3_column_int64(stmt, col);
}

static double real(void *stmt, int col)
{
    return sqlite3_column_double(stmt, col);
}

static const char *text(void *stmt, int col)
{
    return (const char *)sqlite3_column_text(stmt, col);
}

static const void *bytes(void *stmt, int col, size_t *ret_n)
{
    const void *p = sqlite3_column_blob(stmt, col);
    *ret_n = (size_t)sqlite3_column_bytes(stmt, col);
    return p;
}

static void finish(void *stmt)
{
    sqlite3_finalize(stmt);
}

static int copy_pages(const struct conn *from, const struct conn *to, struct err *e)
{
    const struct timespec nap = {.tv_nsec = BUSY_NAP_MS * 1000000L};
    sqlite3_backup *b = sqlite3_backup_init(to->h, "main", from->h, "main");
    if (!b) return fail(to, sqlite3_errcode(to->h), e);
    int rc = SQLITE_BUSY;
    for (int ms = 0; (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) && ms <= BUSY_MS;
         ms += BUSY_NAP_MS) {
        if (ms) nanosleep(&nap, NULL);
        rc = sqlite3_backup_step(b, -1);
    }
    int end = sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE && end == SQLITE_OK) return OK;
    return fail(to, rc == SQLITE_DONE ? end : rc, e);
}

/* Beside it first: an interrupted copy is never taken for the books. */
int store_sqlite_copy(const char *from, const char *to, struct err *e)
{
    char tmp[PATH_CAP], dir[PATH_CAP];
    struct conn source = {0}, target = {.path = tmp};
    if (path_format(tmp, "%s.tmp", to) != 0 || path_dirname(dir, to) != 0)
        return err_set(e, ERR_LIMIT, 0, "the path of the database's copy is too long");
    (void)unlink(tmp);
    source.path = alloc_dup(from);
    if (!source.path) return err_set(e, ERR_NOMEM, 0, "no memory for the database");
    int got = sqlite3_open_v2(from, &source.h, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, NULL);
    int rc = got == SQLITE_OK ? OK : fail(&source, got, e);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    if (rc == OK) {
        sqlite3_busy_timeout(source.h, BUSY_MS);
        got = sqlite3_open_v2(tmp, &target.h, flags, NULL);
        rc = got == SQLITE_OK ? copy_pages(&source, &target, e) : fail(&target, got, e);
    }
    /* One file, without a log beside it; SQLite syncs it. */
    if (rc == OK && exec_patiently(&target, "PRAGMA journal_mode=DELETE") != SQLITE_OK)
        rc = fail(&target, sqlite3_errcode(target.h), e);
    if (rc == OK) rc = check_file(&target, e);
    sqlite3_close(target.h);
    sqlite3_close(source.h);
    free(source.path);
    if (rc == OK && rename(tmp, to) != 0) rc = file_error(e, errno, "cannot write", to);
    if (rc == OK) rc = file_sync_dir(dir, e);
    if (rc != OK) (void)unlink(tmp);
    return rc;
}

const struct store_driver *store_sqlite(void)
{
    static const struct store_driver driver = {.name = "sqlite",
                                               .open = open_conn,
                                               .close = close_conn,
                                               .exec = exec,
                                               .begin = begin,
                                               .commit = commit,
                                               .rollback = rollback,
                                               .prepare = prepare,
                                               .bind_i64 = bind_i64,
                                               .bind_real = bind_real,
                                               .bind_text = bind_text,
                                               .bind_bytes = bind_bytes,
                                               .step = step,
                                               .i64 = i64,
                                               .real = real,
                                               .text = text,
                                               .bytes = bytes,
                                               .finish = finish};
    return &driver;
}
