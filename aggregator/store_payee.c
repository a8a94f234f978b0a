#include "aggregator/store_payee.h"

#include <string.h>

#include "aggregator/store_in.h"

static const char tables[] =
    "CREATE TABLE IF NOT EXISTS payees(key BLOB PRIMARY KEY CHECK(length(key)=32),"
    " at INTEGER NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;";

int store_payee_open(struct store_db *db, struct err *e)
{
    return store_db_exec(db, tables, e);
}

/* ERR_AGAIN: a newer one is known, or another of the same time. */
static int insert(struct store_db *db, const struct payee *m, const char *text, size_t n,
                  struct err *e)
{
    struct store_query q =
        store_db_query(db, "INSERT INTO payees VALUES(?1,?2,?3) ON CONFLICT(key) DO UPDATE SET"
                           " at=excluded.at, text=excluded.text"
                           " WHERE excluded.at>at OR excluded.text=text RETURNING at");
    store_db_bind_bytes(&q, m->contributor.b, KEY_BYTES);
    store_db_bind_i64(&q, m->created_at_ms);
    store_db_bind_chars(&q, text, n);
    int rc = store_db_step(&q, e);
    if (rc == OK && store_db_step(&q, e) != ERR_AGAIN)
        rc = ERR_IO; /* to its end: then it is done */
    store_db_done(&q);
    return rc;
}

int store_payee_put(struct store *s, const struct payee *m, const char *text, size_t n,
                    struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = insert(s->db, m, text, n, e);
    pthread_mutex_unlock(&s->lock);
    if (rc != ERR_AGAIN) return rc;
    err_set(e, ERR_WRONG_STATE, 0, "a later word of yours about your payout address is known here");
    err_hint(e, "set the address anew; check this computer's clock if that does not help");
    return ERR_WRONG_STATE;
}

int store_payee_each(struct store *s, store_payee_fn fn, void *ctx, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db,
        "SELECT text FROM payees p WHERE EXISTS"
        " (SELECT 1 FROM receipts r WHERE r.contributor=p.key AND r.verdict=1) ORDER BY key");
    int rc = OK;
    while (rc == OK && (rc = store_db_step(&q, e)) == OK) {
        const char *text = store_db_text(&q, 0);
        rc = fn(text, strlen(text), ctx, e);
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? OK : rc;
}
