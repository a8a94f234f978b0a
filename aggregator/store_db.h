#pragma once
/* Why: how store*.c speaks to its books, whatever keeps them (aggregator/store_driver.h): bind -
 * step - column with running indexes, and a statement that remembers that it went wrong, so that one
 * check at the end is enough. A committed transaction survives a power cut. The caller locks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregator/store_driver.h"
#include "base/err.h"

struct store_db;

/* Open or create. ERR_IO (sys ENOSPC on a full disk), ERR_PROTO when the file is damaged or is no
 * database: the hint says what to do.
 */
int store_db_open(const char *path, struct store_db **ret, struct err *e) MUST_CHECK;
/* With another back end than SQLite; `where` is for it to understand. */
int store_db_open_with(const struct store_driver *d, const char *where, struct store_db **ret,
                       struct err *e) MUST_CHECK;
void store_db_close(struct store_db *db); /* accepts NULL */

/* Run statements without results. */
int store_db_exec(struct store_db *db, const char *sql, struct err *e) MUST_CHECK;

/* BEGIN IMMEDIATE; then end: COMMIT when rc is OK, else (or when that fails) ROLLBACK. end returns
 * rc or the commit's failure.
 */
int store_db_begin(struct store_db *db, struct err *e) MUST_CHECK;
int store_db_end(struct store_db *db, int rc, struct err *e) MUST_CHECK;

/* One statement. After a failed prepare all calls but step do nothing, and step reports it. */
struct store_query {
    struct store_db *db;
    void *stmt;
    int i_bind;
    bool is_bad;
};

struct store_query store_db_query(struct store_db *db, const char *sql);
void store_db_bind_u64(struct store_query *q, uint64_t v);
void store_db_bind_i64(struct store_query *q, int64_t v);
void store_db_bind_real(struct store_query *q, double v);
void store_db_bind_text(struct store_query *q, const char *v);            /* copied */
void store_db_bind_chars(struct store_query *q, const void *p, size_t n); /* text; copied */
void store_db_bind_bytes(struct store_query *q, const void *p, size_t n); /* copied */

/* OK: a row; ERR_AGAIN: no more rows; else failed, with text. */
int store_db_step(struct store_query *q, struct err *e) MUST_CHECK;

/* Columns of the row. bytes: dst zeroed and false unless the column has exactly n bytes. */
uint64_t store_db_u64(struct store_query *q, int col);
int64_t store_db_i64(struct store_query *q, int col);
double store_db_real(struct store_query *q, int col);
const char *store_db_text(struct store_query *q, int col); /* "" for null; until the next step */
bool store_db_bytes(struct store_query *q, int col, void *dst, size_t n);

void store_db_done(struct store_query *q); /* free it; again is harmless */

/* For statements without rows: step once and finish. */
int store_db_run(struct store_query *q, struct err *e) MUST_CHECK;
