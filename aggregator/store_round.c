#include "aggregator/store_round.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aggregator/store_in.h"

static const char row_columns[] = "SELECT round, base, result, update_hash, update_bytes, n_merged,"
                                  " n_tokens, train_loss, head FROM rounds ";

static void read_row(struct store_query *q, struct msg_update *m)
{
    *m = (struct msg_update){.round = store_db_u64(q, 0)};
    store_db_bytes(q, 1, m->base.b, HASH_BYTES);
    store_db_bytes(q, 2, m->result.b, HASH_BYTES);
    store_db_bytes(q, 3, m->update.b, HASH_BYTES);
    m->update_bytes = store_db_u64(q, 4);
    m->n_merged = (uint32_t)store_db_u64(q, 5);
    m->n_tokens = store_db_u64(q, 6);
    m->train_loss = store_db_real(q, 7);
}

static int find_round(struct store_db *db, uint64_t round, struct msg_update *ret, struct buf *head,
                      struct err *e)
{
    char sql[256];
    snprintf(sql, sizeof sql, "%s WHERE round=?", row_columns);
    struct store_query q = store_db_query(db, sql);
    store_db_bind_u64(&q, round);
    int rc = store_db_step(&q, e);
    if (rc == OK) {
        read_row(&q, ret);
        if (head) buf_put_str(head, store_db_text(&q, 8));
    }
    store_db_done(&q);
    return rc == ERR_AGAIN ? ERR_NOTFOUND : rc;
}

int store_round_last(struct store *s, struct msg_update *ret, struct err *e)
{
    char sql[256];
    snprintf(sql, sizeof sql, "%s ORDER BY round DESC LIMIT 1", row_columns);
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(s->db, sql);
    int rc = store_db_step(&q, e);
    if (rc == OK) read_row(&q, ret);
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? ERR_NOTFOUND : rc;
}

int store_round_get(struct store *s, uint64_t round, struct msg_update *ret, struct buf *head,
                    struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = find_round(s->db, round, ret, head, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_round_checkpoint_put(struct store *s, const struct store_checkpoint *c, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "INSERT INTO checkpoints VALUES(?,?,?) ON CONFLICT(round) DO UPDATE"
                              " SET file=excluded.file, n_bytes=excluded.n_bytes");
    store_db_bind_u64(&q, c->round);
    store_db_bind_bytes(&q, c->file.b, HASH_BYTES);
    store_db_bind_u64(&q, c->n_bytes);
    int rc = store_db_run(&q, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_round_checkpoint_drop(struct store *s, uint64_t round, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(s->db, "DELETE FROM checkpoints WHERE round=?");
    store_db_bind_u64(&q, round);
    int rc = store_db_run(&q, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_round_checkpoints(struct store *s, struct store_checkpoint *ret, uint32_t cap,
                            uint32_t *ret_n, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db, "SELECT round, file, n_bytes FROM checkpoints ORDER BY round DESC LIMIT ?");
    store_db_bind_u64(&q, cap);
    uint32_t n = 0;
    int rc = OK;
    while (n < cap && (rc = store_db_step(&q, e)) == OK) {
        ret[n].round = store_db_u64(&q, 0);
        store_db_bytes(&q, 1, ret[n].file.b, HASH_BYTES);
        ret[n].n_bytes = store_db_u64(&q, 2);
        n++;
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    *ret_n = n;
    return rc == ERR_AGAIN ? OK : rc;
}

int store_round_val_put(struct store *s, const struct store_val *v, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db, "INSERT INTO validation VALUES(?,?,?,?,?) ON CONFLICT(round) DO UPDATE"
               " SET nats=excluded.nats, n_tokens=excluded.n_tokens,"
               " n_bytes=excluded.n_bytes, unigram_bits=excluded.unigram_bits");
    store_db_bind_u64(&q, v->round);
    store_db_bind_real(&q, v->nats);
    store_db_bind_u64(&q, v->n_tokens);
    store_db_bind_u64(&q, v->n_bytes);
    store_db_bind_real(&q, v->unigram_bits);
    int rc = store_db_run(&q, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_round_val(struct store *s, bool is_newest, struct store_val *ret, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, is_newest ? "SELECT * FROM validation ORDER BY round DESC LIMIT 1"
                                        : "SELECT * FROM validation ORDER BY round LIMIT 1");
    int rc = store_db_step(&q, e);
    if (rc == OK)
        *ret = (struct store_val){.round = store_db_u64(&q, 0),
                                  .nats = store_db_real(&q, 1),
                                  .n_tokens = store_db_u64(&q, 2),
                                  .n_bytes = store_db_u64(&q, 3),
                                  .unigram_bits = store_db_real(&q, 4)};
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? ERR_NOTFOUND : rc;
}

int store_round_payloads(struct store *s, uint64_t round, store_round_file_fn fn, void *ctx,
                         struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "SELECT payload FROM receipts WHERE round=? AND verdict=1");
    store_db_bind_u64(&q, round);
    int rc = OK;
    while ((rc = store_db_step(&q, e)) == OK) {
        struct hash h;
        if (store_db_bytes(&q, 0, h.b, HASH_BYTES)) fn(&h, ctx);
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? OK : rc;
}
