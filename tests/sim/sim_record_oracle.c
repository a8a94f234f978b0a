/* The oracle of sim_record: outside of the aggregator, it knows what was answered and what it saw. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/store_db.h"
#include "base/alloc.h"
#include "record/entry.h"
#include "record/note.h"
#include "record/sheet.h"
#include "record/tiles.h"
#include "tests/sim/sim_record.h"

static void read_head(struct world *w, struct note_head *ret)
{
    struct buf b = {0};
    int rc = publish_log_read(&w->spool, "checkpoint", &b, &w->e);
    *ret = (struct note_head){0};
    if (rc != ERR_NOTFOUND) {
        HOLDS(w, rc == OK, "the tree head cannot be read");
        MUST(w, note_verify(b.p, b.len, &w->run.id, &w->key.pub, ret, &w->e));
    }
    buf_deinit(&b);
}

static void see_row(struct world *w, const struct sheet *s, const struct sheet_row *r)
{
    struct buf b = {0};
    struct msg_receipt m;
    HOLDS(w, r->seq == w->seen.next_seq, "receipt %" PRIu64 " is on a sheet instead of %" PRIu64,
          r->seq, w->seen.next_seq);
    HOLDS(w, r->seq <= w->n_answers, "receipt %" PRIu64 " was never given", r->seq);
    struct answer *a = &w->answers[r->seq - 1];
    HOLDS(w,
          a->round == r->round && a->verdict == r->verdict &&
              key_equal(&a->contributor, &r->contributor) &&
              (a->verdict != MSG_ACCEPTED || hash_equal(&a->payload, &r->payload)),
          "receipt %" PRIu64 " was answered otherwise", r->seq);
    HOLDS(w, !a->is_on_sheet, "receipt %" PRIu64 " is on two sheets", r->seq);
    HOLDS(w, r->verdict != MSG_ACCEPTED || r->round == s->round, "a late one is merged");
    MUST(w, spool_read(&w->spool, SPOOL_RECEIPT, &r->receipt, 1 << 16, &b, &w->e));
    MUST(w, msg_receipt_verify(b.p, b.len, &w->key.pub, &m, &w->e));
    HOLDS(w, m.seq == r->seq && m.reward == r->reward, "a receipt is not as its row");
    buf_clear(&b);
    MUST(w, spool_read(&w->spool, SPOOL_MANIFEST, &r->manifest, 1 << 16, &b, &w->e));
    buf_deinit(&b);
    a->is_on_sheet = true;
    a->reward = r->reward;
    w->seen.next_seq++;
}

static uint64_t emission_of(const struct witness *v, uint64_t round)
{
    while (round && !v->emissions[round])
        round--;
    return v->emissions[round] ? v->emissions[round] : SIM_RECORD_EMISSION;
}

/* Only what was asked for, in its place, and to a model that was there. */
static void see_rollback(struct world *w, const struct entry_rollback *m)
{
    struct witness *v = &w->seen;
    HOLDS(w, m->next_round == v->next_round, "the run goes back before round %" PRIu64,
          m->next_round);
    HOLDS(w, m->to_round < m->next_round && hash_equal(&m->result, &v->bases[m->to_round]),
          "the run goes back to another model than round %" PRIu64 " began with", m->to_round);
    v->model = m->result;
    v->n_rollbacks++;
}

static void see_change(struct world *w, const struct entry_change *m)
{
    struct witness *v = &w->seen;
    HOLDS(w, m->from_round > v->next_round && m->from_round <= SIM_RECORD_ROUNDS + 1,
          "a round that has begun is changed");
    v->emissions[m->from_round] = (uint64_t)m->value[ENTRY_F_REWARD_PER_ROUND];
    v->n_changes++;
}

static void see_round(struct world *w, const struct entry_round *m)
{
    struct buf b = {0};
    struct sheet s = {0};
    uint64_t paid = 0;
    struct witness *v = &w->seen;
    struct hash commit = entry_commit(&w->run.id, m->round, &m->secret);
    HOLDS(w, m->round == v->next_round, "round %" PRIu64 " follows %" PRIu64, m->round,
          v->next_round);
    HOLDS(w, hash_equal(&m->base, &v->model), "the round's base is another model");
    HOLDS(w, hash_equal(&commit, &v->commit), "the secret is not the one committed to");
    HOLDS(w, m->first_seq == v->next_seq, "the sheet leaves out receipts");
    MUST(w, spool_read(&w->spool, SPOOL_SHEET, &m->sheet, SHEET_MAX_BYTES, &b, &w->e));
    MUST(w, sheet_decode(b.p, b.len, &s, &w->e));
    uint32_t n_merged = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        see_row(w, &s, &s.rows[i]);
        paid += s.rows[i].reward;
        n_merged += s.rows[i].weight > 0;
    }
    HOLDS(w, v->next_seq == m->last_seq + 1, "the sheet ends elsewhere");
    HOLDS(w,
          n_merged == m->n_merged && paid == m->paid &&
              paid == (n_merged ? emission_of(v, m->round) : 0),
          "the round pays %" PRIu64 " to %" PRIu32, paid, n_merged);
    v->bases[m->round] = m->base;
    v->paid += paid;
    v->model = m->result;
    v->commit = m->commit_next;
    v->next_round++;
    sheet_deinit(&s);
    buf_deinit(&b);
}

static void see_entry(struct world *w, const struct tiles_entry *x)
{
    struct entry m;
    struct witness *v = &w->seen;
    struct hash leaf = merkle_leaf(x->p, x->n);
    MUST(w, entry_verify(x->p, x->n, &w->key.pub, &m, &w->e));
    HOLDS(w, m.index == v->range.n, "entry %" PRIu64 " stands at %" PRIu64, m.index, v->range.n);
    HOLDS(w, !v->is_ended, "something follows the end");
    merkle_range_add(&v->range, &leaf);
    if (m.kind == ENTRY_OPEN) {
        v->model = m.open.initial;
        v->commit = m.open.commit_next;
    } else if (m.kind == ENTRY_ROUND) {
        see_round(w, &m.round);
    } else if (m.kind == ENTRY_CHANGE) {
        see_change(w, &m.change);
    } else if (m.kind == ENTRY_ROLLBACK) {
        see_rollback(w, &m.rollback);
    } else {
        HOLDS(w, m.kind == ENTRY_END, "an entry that nobody asked for");
        HOLDS(w,
              m.end.n_rounds == v->next_round && m.end.paid == v->paid &&
                  hash_equal(&m.end.result, &v->model),
              "the end is not what the rounds led to");
        v->is_ended = true;
    }
}

/* Read the tree head; what is new in it is read from the bundles and held against what was seen. */
void sim_record_look(struct world *w)
{
    struct note_head head;
    struct tiles_entry all[TILES_WIDTH];
    char path[TILES_PATH_CAP];
    read_head(w, &head);
    HOLDS(w, head.n_leaves >= w->seen.n_seen,
          "the tree head went back from %" PRIu64 " to %" PRIu64, w->seen.n_seen, head.n_leaves);
    w->seen.n_seen = head.n_leaves;
    while (w->seen.range.n < head.n_leaves) {
        struct buf b = {0};
        uint64_t i = w->seen.range.n;
        struct tiles_at at = tiles_holding(head.n_leaves, 0, i);
        at.is_entries = true;
        MUST(w, publish_log_read(&w->spool, tiles_path(&at, path), &b, &w->e));
        MUST(w, tiles_bundle_parse(b.p, b.len, at.width, all, &w->e));
        for (uint64_t k = i % TILES_WIDTH; k < at.width; k++)
            see_entry(w, &all[k]);
        buf_deinit(&b);
    }
    if (!head.n_leaves) return;
    struct hash root = merkle_range_root(&w->seen.range);
    HOLDS(w, hash_equal(&root, &head.root), "the log forks: another root over the same entries");
}

static int get_tile(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH],
                    struct err *e)
{
    const struct world *w = ctx;
    struct buf b = {0};
    char path[TILES_PATH_CAP];
    int rc = publish_log_read(&w->spool, tiles_path(at, path), &b, e);
    if (rc == OK) rc = tiles_hashes(b.p, b.len, at->width, ret, e);
    buf_deinit(&b);
    return rc;
}

static int64_t ask(struct world *w, struct store_db *db, const char *sql)
{
    struct store_query q = store_db_query(db, sql);
    MUST(w, store_db_step(&q, &w->e));
    int64_t v = store_db_i64(&q, 0);
    store_db_done(&q);
    return v;
}

/* The whole ledger, line by line, and the tree from its tiles. */
void sim_record_audit(struct world *w)
{
    char path[PATH_CAP];
    struct store_db *db = NULL;
    struct tiles_reader *r = alloc_zero(1, sizeof *r);
    struct hash root, want = merkle_range_root(&w->seen.range);
    check(r && path_format(path, "%s/aggregator.db", w->home) == 0);
    tiles_reader_init(r, w->seen.range.n, get_tile, w);
    MUST(w, merkle_root(w->seen.range.n, tiles_node, r, &root, &w->e));
    HOLDS(w, hash_equal(&root, &want), "the tiles give another root");
    free(r);
    MUST(w, store_db_open(path, &db, &w->e));
    struct store_query q =
        store_db_query(db, "SELECT receipt_seq, amount FROM postings ORDER BY receipt_seq");
    uint64_t n = 0;
    int rc = OK;
    while ((rc = store_db_step(&q, &w->e)) == OK) {
        uint64_t seq = store_db_u64(&q, 0);
        HOLDS(w, seq == ++n, "the ledger loses or doubles receipt %" PRIu64, n);
        const struct answer *a = &w->answers[seq - 1];
        HOLDS(w, a->is_on_sheet && store_db_u64(&q, 1) == a->reward,
              "receipt %" PRIu64 " is paid otherwise than its sheet says", seq);
    }
    store_db_done(&q);
    HOLDS(w, rc == ERR_AGAIN && n + 1 == w->seen.next_seq, "the ledger ends at %" PRIu64, n);
    HOLDS(w, ask(w, db, "SELECT sum(amount) FROM ledger") == 0, "the ledger does not sum to zero");
    HOLDS(w, ask(w, db, "SELECT count(*) FROM ledger") == (int64_t)(2 * n), "half a line");
    HOLDS(w,
          ask(w, db, "SELECT coalesce(-sum(amount),0) FROM ledger WHERE account='emission'") ==
              (int64_t)w->seen.paid,
          "the ledger pays another sum than the rounds");
    HOLDS(w, ask(w, db, "SELECT count(*)=max(seq) FROM receipts") == 1, "a gap in the receipts");
    HOLDS(w,
          ask(w, db,
              "SELECT count(*) FROM postings p JOIN receipts r ON r.seq=p.receipt_seq"
              " AND r.entry=p.entry AND r.reward=p.amount") == (int64_t)n,
          "a receipt on a sheet, late ones too, is not settled as the ledger says");
    store_db_close(db);
}
