#include "aggregator/store_db.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct store_db {
    const struct store_driver *driver;
    void *conn;
};

int store_db_open_with(const struct store_driver *d, const char *where, struct store_db **ret,
                       struct err *e)
{
    struct store_db *db = alloc_zero(1, sizeof *db);
    if (!db) return err_set(e, ERR_NOMEM, 0, "no memory for the database");
    db->driver = d;
    int rc = d->open(where, &db->conn, e);
    if (rc != OK) {
        free(db);
        return rc;
    }
    *ret = db;
    return OK;
}

int store_db_open(const char *path, struct store_db **ret, struct err *e)
{
    return store_db_open_with(store_sqlite(), path, ret, e);
}

void store_db_close(struct store_db *db)
{
    if (!db) return;
    db->driver->close(db->conn);
    free(db);
}

int store_db_exec(struct store_db *db, const char *sql, struct err *e)
{
    return db->driver->exec(db->conn, sql, e);
}

int store_db_begin(struct store_db *db, struct err *e)
{
    return db->driver->begin(db->conn, e);
}

int store_db_end(struct store_db *db, int rc, struct err *e)
{
    if (rc == OK) rc = db->driver->commit(db->conn, e);
    if (rc != OK) db->driver->rollback(db->conn);
    return rc;
}

struct store_query store_db_query(struct store_db *db, const char *sql)
{
    struct store_query q = {.db = db, .stmt = db->driver->prepare(db->conn, sql)};
    q.is_bad = !q.stmt;
    return q;
}

static void bound(struct store_query *q, bool is_good)
{
    if (!is_good) q->is_bad = true;
}

void store_db_bind_u64(struct store_query *q, uint64_t v)
{
    store_db_bind_i64(q, (int64_t)v);
}

void store_db_bind_i64(struct store_query *q, int64_t v)
{
    if (!q->is_bad) bound(q, q->db->driver->bind_i64(q->stmt, ++q->i_bind, v));
}

void store_db_bind_real(struct store_query *q, double v)
{
    if (!q->is_bad) bound(q, q->db->driver->bind_real(q->stmt, ++q->i_bind, v));
}

void store_db_bind_text(struct store_query *q, const char *v)
{
    store_db_bind_chars(q, v, strlen(v));
}

void store_db_bind_chars(struct store_query *q, const void *p, size_t n)
{
    if (!q->is_bad) bound(q, q->db->driver->bind_text(q->stmt, ++q->i_bind, p, n));
}

void store_db_bind_bytes(struct store_query *q, const void *p, size_t n)
{
    if (!q->is_bad) bound(q, q->db->driver->bind_bytes(q->stmt, ++q->i_bind, p, n));
}

int store_db_step(struct store_query *q, struct err *e)
{
    return q->db->driver->step(q->db->conn, q->is_bad ? NULL : q->stmt, e);
}

uint64_t store_db_u64(struct store_query *q, int col)
{
    return (uint64_t)store_db_i64(q, col);
}

int64_t store_db_i64(struct store_query *q, int col)
{
    return q->is_bad ? 0 : q->db->driver->i64(q->stmt, col);
}

double store_db_real(struct store_query *q, int col)
{
    return q->is_bad ? 0 : q->db->driver->real(q->stmt, col);
}

const char *store_db_text(struct store_query *q, int col)
{
    const char *t = q->is_bad ? NULL : q->db->driver->text(q->stmt, col);
    return t ? t : "";
}

bool store_db_bytes(struct store_query *q, int col, void *dst, size_t n)
{
    size_t got = 0;
    memset(dst, 0, n);
    const void *p = q->is_bad ? NULL : q->db->driver->bytes(q->stmt, col, &got);
    if (!p || got != n) return false;
    memcpy(dst, p, n);
    return true;
}

void store_db_done(struct store_query *q)
{
    q->db->driver->finish(q->stmt);
    q->stmt = NULL;
    q->is_bad = true;
}

int store_db_run(struct store_query *q, struct err *e)
{
    int rc = store_db_step(q, e);
    store_db_done(q);
    return rc == ERR_AGAIN ? OK : rc;
}
