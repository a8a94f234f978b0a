#include "aggregator/store_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/store_in.h"
#include "base/alloc.h"
#include "record/merkle.h"

#define EMISSION "emission"

static int read_tail(struct store_db *db, struct store_tail *ret, struct err *e)
{
    struct store_query q = store_db_query(
        db, "SELECT (SELECT coalesce(max(idx)+1,0) FROM entries), coalesce(last_seq,0)+1,"
            " coalesce(round+1,0), coalesce(paid_in_all,0),"
            " EXISTS (SELECT 1 FROM entries WHERE kind=?),"
            " EXISTS (SELECT 1 FROM meta WHERE key='end_asked'),"
            " EXISTS (SELECT 1 FROM meta WHERE key='rollback_to')"
            " FROM (SELECT 1) LEFT JOIN rounds ON round=(SELECT max(round) FROM rounds)");
    store_db_bind_u64(&q, ENTRY_END);
    int rc = store_db_step(&q, e);
    if (rc == OK)
        *ret = (struct store_tail){.n_entries = store_db_u64(&q, 0),
                                   .next_seq = store_db_u64(&q, 1),
                                   .n_rounds = store_db_u64(&q, 2),
                                   .paid = store_db_u64(&q, 3),
                                   .is_ended = store_db_u64(&q, 4) != 0,
                                   .is_ending = !store_db_u64(&q, 4) && store_db_u64(&q, 5),
                                   .is_rolling = !store_db_u64(&q, 4) && store_db_u64(&q, 6)};
    store_db_done(&q);
    return rc;
}

int store_record_tail(struct store *s, struct store_tail *ret, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = read_tail(s->db, ret, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- receipts on no sheet ------------------------------------------------------------------- */

void store_record_rows_free(struct store_row *rows, uint32_t n)
{
    for (uint32_t i = 0; rows && i < n; i++)
        buf_deinit(&rows[i].text);
    free(rows);
}

static void read_row(struct store_query *q, struct store_row *r)
{
    struct msg_receipt *m = &r->receipt;
    m->seq = store_db_u64(q, 0);
    store_db_bytes(q, 1, m->contributor.b, KEY_BYTES);
    m->round = store_db_u64(q, 2);
    store_db_bytes(q, 3, m->payload.b, HASH_BYTES);
    m->n_bytes = store_db_u64(q, 4);
    m->n_tokens = store_db_u64(q, 5);
    r->n_steps = (uint32_t)store_db_u64(q, 6);
    m->verdict = (enum msg_verdict)store_db_u64(q, 7);
    snprintf(m->reason, sizeof m->reason, "%s", store_db_text(q, 8));
    m->created_at_ms = store_db_i64(q, 9);
    store_db_bytes(q, 10, r->manifest.b, HASH_BYTES);
    r->n_passed = (uint32_t)store_db_u64(q, 11);
    buf_put_str(&r->text, store_db_text(q, 12));
}

static int read_rows(struct store_db *db, uint64_t seq, struct store_row *rows, uint32_t cap,
                     uint32_t *ret_n, struct err *e)
{
    struct store_query q = store_db_query(
        db, "SELECT seq, contributor, round, payload, n_bytes, n_tokens, n_steps, verdict, reason,"
            " created_at, manifest, n_passed, jws FROM receipts WHERE seq>=? ORDER BY seq LIMIT ?");
    store_db_bind_u64(&q, seq);
    store_db_bind_u64(&q, cap);
    int rc = OK;
    uint32_t n = 0;
    while (n < cap && rc == OK && (rc = store_db_step(&q, e)) == OK) {
        read_row(&q, &rows[n]);
        if (rows[n].receipt.seq != seq + n)
            rc = err_set(e, ERR_PROTO, 0, "the database lacks receipt %" PRIu64, seq + n);
        else if (rows[n].text.failed)
            rc = ERR_NOMEM;
        n++;
    }
    store_db_done(&q);
    *ret_n = n;
    return rc == ERR_AGAIN ? OK : rc;
}

static int count_rows(struct store_db *db, uint64_t seq, uint64_t *ret, struct err *e)
{
    struct store_query q = store_db_query(db, "SELECT count(*) FROM receipts WHERE seq>=?");
    store_db_bind_u64(&q, seq);
    int rc = store_db_step(&q, e);
    if (rc == OK) *ret = store_db_u64(&q, 0);
    store_db_done(&q);
    return rc;
}

int store_record_rows(struct store *s, uint64_t seq, uint32_t max_n, struct store_row **ret,
                      uint32_t *ret_n, struct err *e)
{
    uint64_t cap = 0;
    uint32_t n = 0;
    struct store_row *rows = NULL;
    pthread_mutex_lock(&s->lock);
    int rc = count_rows(s->db, seq, &cap, e);
    if (cap > max_n) cap = max_n;
    if (rc == OK) rows = alloc_zero(cap ? (size_t)cap : 1, sizeof *rows);
    if (rc == OK && rows) rc = read_rows(s->db, seq, rows, (uint32_t)cap, &n, e);
    pthread_mutex_unlock(&s->lock);
    if (rc == ERR_NOMEM || (rc == OK && !rows))
        rc = err_set(e, ERR_NOMEM, 0, "no memory for %" PRIu64 " receipts", cap);
    if (rc != OK) {
        store_record_rows_free(rows, n);
        return rc;
    }
    *ret = rows;
    *ret_n = n;
    return OK;
}

/* ---- publication ---------------------------------------------------------------------------- */

static int drop_wish(struct store_db *db, struct err *e)
{
    return store_db_exec(db, "DELETE FROM meta WHERE key IN ('rollback_to','rollback_reason')", e);
}

static int insert_entry(struct store_db *db, uint64_t index, const struct store_entry *x,
                        struct err *e)
{
    struct store_tail t;
    int rc = read_tail(db, &t, e);
    if (rc != OK) return rc;
    if (t.n_entries != index)
        return err_set(e, ERR_WRONG_STATE, 0,
                       "the record has %" PRIu64 " entries, entry %" PRIu64 " cannot be next",
                       t.n_entries, index);
    if (t.is_ended && !entry_is_after_end(x->kind))
        return err_set(e, ERR_WRONG_STATE, 0, "the record is closed: the run is over");
    struct hash leaf = merkle_leaf(x->text.p, x->text.len);
    struct store_query q = store_db_query(db, "INSERT INTO entries VALUES(?,?,?,?)");
    store_db_bind_u64(&q, index);
    store_db_bind_u64(&q, (uint64_t)x->kind);
    store_db_bind_chars(&q, x->text.p, x->text.len);
    store_db_bind_bytes(&q, leaf.b, HASH_BYTES);
    rc = store_db_run(&q, e);
    return rc == OK && x->kind == ENTRY_ROLLBACK ? drop_wish(db, e) : rc;
}

static int find_round(struct store_db *db, const struct msg_update *u, bool *ret_is_same,
                      struct err *e)
{
    struct hash result, update;
    struct store_query q =
        store_db_query(db, "SELECT result, update_hash FROM rounds WHERE round=?");
    store_db_bind_u64(&q, u->round);
    int rc = store_db_step(&q, e);
    if (rc == OK) {
        bool is_whole = store_db_bytes(&q, 0, result.b, HASH_BYTES) &&
                        store_db_bytes(&q, 1, update.b, HASH_BYTES);
        *ret_is_same =
            is_whole && hash_equal(&result, &u->result) && hash_equal(&update, &u->update);
    }
    store_db_done(&q);
    return rc;
}

static int insert_round(struct store_db *db, const struct store_publication *p,
                        const struct store_tail *t, struct err *e)
{
    const struct msg_update *u = p->update;
    struct store_query q =
        store_db_query(db, "INSERT INTO rounds VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    store_db_bind_u64(&q, u->round);
    store_db_bind_bytes(&q, u->base.b, HASH_BYTES);
    store_db_bind_bytes(&q, u->result.b, HASH_BYTES);
    store_db_bind_bytes(&q, u->update.b, HASH_BYTES);
    store_db_bind_u64(&q, u->update_bytes);
    store_db_bind_u64(&q, u->n_merged);
    store_db_bind_u64(&q, u->n_tokens);
    store_db_bind_real(&q, u->train_loss);
    store_db_bind_i64(&q, p->at_ms);
    store_db_bind_text(&q, p->head);
    store_db_bind_u64(&q, p->first_index);
    store_db_bind_u64(&q, t->next_seq);
    store_db_bind_u64(&q, t->next_seq + p->n_rows - 1);
    store_db_bind_bytes(&q, p->sheet.b, HASH_BYTES);
    store_db_bind_u64(&q, t->paid + p->paid);
    return store_db_run(&q, e);
}

static int account(struct store_db *db, const char *name, uint64_t *ret, struct err *e)
{
    struct store_query q =
        store_db_query(db, "INSERT INTO accounts(name) VALUES(?1) ON CONFLICT(name) DO UPDATE SET"
                           " name=?1 RETURNING id");
    store_db_bind_text(&q, name);
    int rc = store_db_step(&q, e);
    if (rc == OK) *ret = store_db_u64(&q, 0);
    if (rc == OK) rc = store_db_step(&q, e); /* to its end: then it is done */
    store_db_done(&q);
    return rc == ERR_AGAIN ? OK : rc;
}

/* The settled text replaces the first one, once; an accepted receipt is of this very round. */
static int settle(struct store_db *db, const struct store_publication *p, const struct store_row *r,
                  struct err *e)
{
    struct store_query q =
        store_db_query(db, "UPDATE receipts SET jws=?, reward=?, entry=? WHERE seq=?"
                           " AND (round=? OR (verdict<>1 AND round<=?)) AND contributor=?"
                           " AND verdict=? AND entry IS NULL RETURNING seq");
    store_db_bind_chars(&q, r->text.p, r->text.len);
    store_db_bind_u64(&q, r->receipt.reward);
    store_db_bind_u64(&q, r->receipt.entry);
    store_db_bind_u64(&q, r->receipt.seq);
    store_db_bind_u64(&q, p->update->round);
    store_db_bind_u64(&q, p->update->round);
    store_db_bind_bytes(&q, r->receipt.contributor.b, KEY_BYTES);
    store_db_bind_u64(&q, (uint64_t)r->receipt.verdict);
    int rc = store_db_step(&q, e);
    if (rc == OK)
        rc = store_db_step(&q, e);
    else if (rc == ERR_AGAIN)
        rc =
            err_set(e, ERR_WRONG_STATE, 0, "no receipt %" PRIu64 " for round %" PRIu64 " to settle",
                    r->receipt.seq, p->update->round);
    store_db_done(&q);
    return rc == ERR_AGAIN ? OK : rc;
}

static int post(struct store_db *db, const struct store_publication *p, const struct store_row *r,
                uint64_t emission, struct err *e)
{
    char name[KEY_HEX + 16], hex[KEY_HEX];
    uint64_t to = 0;
    snprintf(name, sizeof name, "contributor/%s", key_hex(&r->receipt.contributor, hex));
    int rc = account(db, name, &to, e);
    if (rc != OK) return rc;
    struct store_query q =
        store_db_query(db, "INSERT INTO postings(entry, receipt_seq, from_account, to_account,"
                           " amount, reason, at) VALUES(?,?,?,?,?,?,?)");
    store_db_bind_u64(&q, p->first_index);
    store_db_bind_u64(&q, r->receipt.seq);
    store_db_bind_u64(&q, emission);
    store_db_bind_u64(&q, to);
    store_db_bind_u64(&q, r->receipt.reward);
    store_db_bind_text(&q, r->why);
    store_db_bind_i64(&q, p->at_ms);
    return store_db_run(&q, e);
}

/* What was written must be what the entry says, before it is committed. */
static int check_sum(struct store_db *db, const struct store_publication *p, struct err *e)
{
    struct store_query q =
        store_db_query(db, "SELECT coalesce(sum(amount),0), count(*) FROM postings WHERE entry=?");
    store_db_bind_u64(&q, p->first_index);
    int rc = store_db_step(&q, e);
    if (rc == OK && (store_db_u64(&q, 0) != p->paid || store_db_u64(&q, 1) != p->n_rows))
        rc = err_set(e, ERR_WRONG_STATE, 0,
                     "round %" PRIu64 " pays %" PRIu64 " for %" PRIu32
                     " receipts, but its ledger lines say otherwise",
                     p->update->round, p->paid, p->n_rows);
    store_db_done(&q);
    return rc;
}

static int write_rows(struct store_db *db, const struct store_publication *p, struct err *e)
{
    uint64_t emission = 0;
    int rc = account(db, EMISSION, &emission, e);
    for (uint32_t i = 0; rc == OK && i < p->n_rows; i++) {
        rc = settle(db, p, &p->rows[i], e);
        if (rc == OK) rc = post(db, p, &p->rows[i], emission, e);
    }
    return rc == OK ? check_sum(db, p, e) : rc;
}

static int publish(struct store_db *db, const struct store_publication *p, struct err *e)
{
    bool is_same = false;
    struct store_tail t;
    int rc = find_round(db, p->update, &is_same, e);
    if (rc == OK && is_same) return OK;
    if (rc == OK)
        return err_set(e, ERR_WRONG_STATE, 0, "round %" PRIu64 " is published with another update",
                       p->update->round);
    if (rc == ERR_AGAIN) rc = read_tail(db, &t, e);
    if (rc == OK && p->n_rows && p->rows[0].receipt.seq != t.next_seq)
        rc = err_set(e, ERR_WRONG_STATE, 0, "receipt %" PRIu64 " would be left out of the record",
                     t.next_seq);
    for (uint32_t i = 0; rc == OK && i < p->n_entries; i++)
        rc = insert_entry(db, p->first_index + i, &p->entries[i], e);
    if (rc == OK) rc = insert_round(db, p, &t, e);
    return rc == OK ? write_rows(db, p, e) : rc;
}

int store_record_publish(struct store *s, const struct store_publication *p, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = store_db_begin(s->db, e);
    if (rc == OK) rc = store_db_end(s->db, publish(s->db, p, e), e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_record_append(struct store *s, uint64_t index, const struct store_entry *entries,
                        uint32_t n, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = store_db_begin(s->db, e);
    bool is_begun = rc == OK;
    for (uint32_t i = 0; rc == OK && i < n; i++)
        rc = insert_entry(s->db, index + i, &entries[i], e);
    if (is_begun) rc = store_db_end(s->db, rc, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- reading -------------------------------------------------------------------------------- */

int store_record_course(struct store *s, store_entry_fn fn, void *ctx, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "SELECT idx, text FROM entries WHERE kind IN (?,?) ORDER BY idx");
    store_db_bind_u64(&q, ENTRY_CHANGE);
    store_db_bind_u64(&q, ENTRY_ROLLBACK);
    int rc = OK;
    while (rc == OK && (rc = store_db_step(&q, e)) == OK) {
        const char *text = store_db_text(&q, 1);
        rc = fn(store_db_u64(&q, 0), text, strlen(text), ctx, e);
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? OK : rc;
}

struct reading {
    const struct key_pub *signer;
    struct course *course;
};

static int take_course(uint64_t index, const char *text, size_t n, void *ctx, struct err *e)
{
    struct reading *r = ctx;
    struct entry m;
    int rc = entry_verify(text, n, r->signer, &m, e);
    if (rc == OK) rc = course_take(r->course, &m, e);
    return rc == OK ? OK : err_wrap(e, "entry %" PRIu64 " of the record", index);
}

int store_record_course_of(struct store *s, const struct rundesc *run, const struct key_pub *signer,
                           struct course *ret, struct err *e)
{
    struct reading r = {signer, ret};
    course_init(ret, run);
    return store_record_course(s, take_course, &r, e);
}

int store_record_each(struct store *s, uint64_t index, store_entry_fn fn, void *ctx, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "SELECT idx, text FROM entries WHERE idx>=? ORDER BY idx");
    store_db_bind_u64(&q, index);
    int rc = OK;
    for (; rc == OK && (rc = store_db_step(&q, e)) == OK; index++) {
        const char *text = store_db_text(&q, 1);
        if (store_db_u64(&q, 0) != index)
            rc = err_set(e, ERR_PROTO, 0, "the database lacks entry %" PRIu64 " of the record",
                         index);
        else
            rc = fn(index, text, strlen(text), ctx, e);
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? OK : rc;
}

int store_record_ask_end(struct store *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "INSERT INTO meta VALUES('end_asked',1) ON CONFLICT(key) DO NOTHING");
    int rc = store_db_run(&q, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int put_wish(struct store_db *db, uint64_t to_round, const char *reason, struct err *e)
{
    struct store_query q =
        store_db_query(db, "INSERT INTO meta VALUES('rollback_to',?1),('rollback_reason',?2)"
                           " ON CONFLICT(key) DO UPDATE SET value=excluded.value");
    store_db_bind_u64(&q, to_round);
    store_db_bind_text(&q, reason);
    return store_db_run(&q, e);
}

int store_record_ask_rollback(struct store *s, uint64_t to_round, const char *reason, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = put_wish(s->db, to_round, reason, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_record_rollback_asked(struct store *s, uint64_t *ret_to, char reason[MSG_REASON_CAP],
                                struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "SELECT a.value, b.value FROM meta a JOIN meta b"
                              " WHERE a.key='rollback_to' AND b.key='rollback_reason'");
    int rc = store_db_step(&q, e);
    if (rc == OK) {
        *ret_to = store_db_u64(&q, 0);
        snprintf(reason, MSG_REASON_CAP, "%s", store_db_text(&q, 1));
    }
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc == ERR_AGAIN ? ERR_NOTFOUND : rc;
}

int store_record_drop_rollback(struct store *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = drop_wish(s->db, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_record_forgotten(struct store *s, uint64_t *ret, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q = store_db_query(
        s->db, "SELECT coalesce((SELECT value FROM meta WHERE key='payloads_from'),0)");
    int rc = store_db_step(&q, e);
    if (rc == OK) *ret = store_db_u64(&q, 0);
    store_db_done(&q);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_record_forget(struct store *s, uint64_t before_round, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    struct store_query q =
        store_db_query(s->db, "INSERT INTO meta VALUES('payloads_from',?) ON CONFLICT(key)"
                              " DO UPDATE SET value=excluded.value");
    store_db_bind_u64(&q, before_round);
    int rc = store_db_run(&q, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}
