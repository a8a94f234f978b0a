#include "aggregator/store_view.h"

#include <stdio.h>
#include <string.h>

#include "aggregator/store_in.h"

/* How many of the last rounds a contributor's row shows; struct msg_peer has room for it. */
#define LAST_ROUNDS 10

static void credit_line(struct store_query *q, uint64_t emission, struct msg_credits *c)
{
    enum msg_verdict verdict = (enum msg_verdict)store_db_u64(q, 3);
    bool is_settled = store_db_u64(q, 6) != 0;
    uint64_t of = store_db_u64(q, 8);
    struct msg_credit line = {.receipt_seq = store_db_u64(q, 0),
                              .round = store_db_u64(q, 1),
                              .n_tokens = store_db_u64(q, 2),
                              .at_ms = store_db_i64(q, 5),
                              .is_settled = is_settled || verdict != MSG_ACCEPTED};
    snprintf(line.reason, sizeof line.reason, "%s", store_db_text(q, 4));
    if (is_settled)
        line.amount = store_db_i64(q, 7);
    else if (verdict == MSG_ACCEPTED && of > 0)
        line.amount = (int64_t)((double)emission * ((double)line.n_tokens / (double)of));
    if (!is_settled) c->pending += line.amount;
    if (c->n < MSG_MAX_PEERS) c->lines[c->n++] = line;
}

static int credit_lines(struct store_db *db, const struct key_pub *k, uint64_t emission,
                        uint64_t before, struct msg_credits *c, struct err *e)
{
    struct store_query q = store_db_query(
        db, "SELECT r.seq, r.round, r.n_tokens, r.verdict, coalesce(l.reason, r.reason),"
            " r.created_at, l.id IS NOT NULL, l.amount, CASE WHEN l.id IS NULL THEN (SELECT "
            "sum(n_tokens)"
            " FROM receipts t WHERE t.round=r.round AND t.verdict=1) END"
            " FROM receipts r LEFT JOIN postings l ON l.receipt_seq=r.seq"
            " WHERE r.contributor=? AND r.seq<? ORDER BY r.seq DESC LIMIT ?");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    store_db_bind_u64(&q, before < INT64_MAX ? before : INT64_MAX);
    store_db_bind_u64(&q, MSG_MAX_PEERS);
    int rc = OK;
    while ((rc = store_db_step(&q, e)) == OK)
        credit_line(&q, emission, c);
    store_db_done(&q);
    return rc == ERR_AGAIN ? OK : rc;
}

static int credit_totals(struct store_db *db, const struct key_pub *k, struct msg_credits *c,
                         struct err *e)
{
    struct store_query q =
        store_db_query(db, "SELECT coalesce(sum(reward),0),"
                           " count(*) FILTER (WHERE verdict=1), count(*) FILTER (WHERE verdict=2),"
                           " count(*) FILTER (WHERE verdict=3) FROM receipts WHERE contributor=?1");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    int rc = store_db_step(&q, e);
    if (rc == OK) {
        c->confirmed = store_db_i64(&q, 0);
        c->n_accepted = store_db_u64(&q, 1);
        c->n_late = store_db_u64(&q, 2);
        c->n_rejected = store_db_u64(&q, 3);
    }
    store_db_done(&q);
    return rc;
}

int store_view_credits(struct store *s, const struct key_pub *k, uint64_t emission, uint64_t before,
                       struct msg_credits *ret, struct err *e)
{
    memset(ret, 0, sizeof *ret);
    pthread_mutex_lock(&s->lock);
    int rc = credit_totals(s->db, k, ret, e);
    if (rc == OK) rc = credit_lines(s->db, k, emission, before, ret, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int peer_row(struct store_db *db, const struct key_pub *k, struct msg_peer *p, struct err *e)
{
    struct store_query q = store_db_query(
        db, "SELECT name, (SELECT coalesce(sum(n_tokens),0) FROM receipts WHERE contributor=?1"
            " AND verdict=1), (SELECT coalesce(max(round),0) FROM receipts WHERE contributor=?1"
            " AND verdict=1) FROM contributors WHERE key=?1");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    int rc = store_db_step(&q, e);
    if (rc == OK) {
        snprintf(p->name, sizeof p->name, "%s", store_db_text(&q, 0));
        p->n_tokens = store_db_u64(&q, 1);
        p->last_round = store_db_u64(&q, 2);
    }
    store_db_done(&q);
    return rc == ERR_AGAIN ? OK : rc;
}

static int peer_letters(struct store_db *db, const struct key_pub *k, uint64_t round,
                        struct msg_peer *p, struct err *e)
{
    uint64_t from = round > LAST_ROUNDS ? round - LAST_ROUNDS : 0;
    memset(p->last10, 0, sizeof p->last10);
    memset(p->last10, '.', (size_t)(round - from));
    struct store_query q = store_db_query(
        db, "SELECT round, verdict FROM receipts WHERE contributor=? AND round>=? AND round<?");
    store_db_bind_bytes(&q, k->b, KEY_BYTES);
    store_db_bind_u64(&q, from);
    store_db_bind_u64(&q, round);
    int rc = OK;
    while ((rc = store_db_step(&q, e)) == OK)
        p->last10[store_db_u64(&q, 0) - from] = "?#lx"[store_db_u64(&q, 1) & 3];
    store_db_done(&q);
    return rc == ERR_AGAIN ? OK : rc;
}

int store_view_peer(struct store *s, const struct key_pub *k, uint64_t round, struct msg_peer *ret,
                    struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = peer_row(s->db, k, ret, e);
    if (rc == OK) rc = peer_letters(s->db, k, round, ret, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_view_totals(struct store *s, struct store_totals *ret, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db, "SELECT (SELECT count(*) FROM rounds), (SELECT count(*) FROM contributors),"
               " count(*) FILTER (WHERE verdict=1), count(*) FILTER (WHERE verdict=2),"
               " count(*) FILTER (WHERE verdict=3),"
               " coalesce(sum(n_tokens) FILTER (WHERE verdict=1),0),"
               " coalesce(sum(n_bytes) FILTER (WHERE verdict=1),0),"
               " (SELECT coalesce(sum(amount),0) FROM postings), (SELECT count(*) FROM postings),"
               " (SELECT coalesce(min(joined_at),0) FROM contributors WHERE joined_at>0),"
               " (SELECT coalesce(max(published_at),0) FROM rounds) FROM receipts");
    int rc = store_db_step(&q, e);
    if (rc == OK)
        *ret = (struct store_totals){.n_rounds = store_db_u64(&q, 0),
                                     .n_contributors = store_db_u64(&q, 1),
                                     .n_accepted = store_db_u64(&q, 2),
                                     .n_late = store_db_u64(&q, 3),
                                     .n_rejected = store_db_u64(&q, 4),
                                     .n_tokens = store_db_u64(&q, 5),
                                     .payload_bytes = store_db_u64(&q, 6),
                                     .ledger_sum = store_db_i64(&q, 7),
                                     .n_ledger = store_db_u64(&q, 8),
                                     .first_at_ms = store_db_i64(&q, 9),
                                     .last_at_ms = store_db_i64(&q, 10)};
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc;
}
