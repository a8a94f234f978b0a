#pragma once
/* Why: the one door between the aggregator and whatever keeps its books (the metadata half of its
 * storage; the big things are aggregator/spool_driver.h). All of store*.c speaks through it, by way
 * of store_db.h; SQLite is the embedded default (store_sqlite.c), a database server fits the same
 * table.
 *
 * What a back end promises, and tests/unit/conform_books.h holds it to:
 *   - statements in the subset of SQL that SQLite 3.40 and PostgreSQL 15 share as the store uses it
 *     (docs/decisions/0009-storage.md lists it); parameters are ?, ?1, ?2 ...
 *   - a transaction is all or nothing, for readers and through a crash; after COMMIT returned OK it
 *     is durable; transactions come one after the other (serializable);
 *   - what a UNIQUE, a CHECK, a REFERENCES or a trigger forbids is refused, with text, and after the
 *     ROLLBACK nothing of the transaction is left;
 *   - integers of 64 bits, doubles, text and bytes (zeros in them too) come back as they went in;
 *   - trouble is ERR_IO (sys ENOSPC when it is full), ERR_PROTO when the data are damaged,
 *     ERR_WRONG_STATE when another program holds them, ERR_NOMEM.
 * One connection is used by one thread at a time: the caller locks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store_driver {
    const char *name;
    int (*open)(const char *where, void **ret, struct err *e); /* made when it does not exist */
    void (*close)(void *conn);
    int (*exec)(void *conn, const char *sql, struct err *e); /* statements without results */
    int (*begin)(void *conn, struct err *e);                 /* to write: nobody else does */
    int (*commit)(void *conn, struct err *e);
    void (*rollback)(void *conn); /* the transaction under way, if one is; never fails */
    void *(*prepare)(void *conn, const char *sql); /* NULL: step (with NULL) tells why */
    /* Parameter i counts from 1; values are copied. False: it cannot take it. */
    bool (*bind_i64)(void *stmt, int i, int64_t v);
    bool (*bind_real)(void *stmt, int i, double v);
    bool (*bind_text)(void *stmt, int i, const void *p, size_t n);
    bool (*bind_bytes)(void *stmt, int i, const void *p, size_t n);
    int (*step)(void *conn, void *stmt, struct err *e); /* OK: a row; ERR_AGAIN: no more */
    /* Of the row; until the next step. Columns count from 0; null is 0 and NULL. */
    int64_t (*i64)(void *stmt, int col);
    double (*real)(void *stmt, int col);
    const char *(*text)(void *stmt, int col);
    const void *(*bytes)(void *stmt, int col, size_t *ret_n);
    void (*finish)(void *stmt); /* accepts NULL */
};

/* One file, write-ahead log, synced at each commit. */
const struct store_driver *store_sqlite(void);

/* The books at one moment, whoever writes them meanwhile, as a new file (an old one is replaced). The
 * copy is checked. ERR_PROTO when either is damaged.
 */
int store_sqlite_copy(const char *from, const char *to, struct err *e) MUST_CHECK;
