#include "record/audit_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "record/settle.h"

/* What a settlement needs to know of a round. */
struct settled {
    uint64_t round;
    uint64_t n_entries; /* of the tree that ends with its entry */
    struct hash root;   /* zero: not known */
    struct hash sheet;
    uint64_t sheet_bytes;
};

struct run {
    const struct audit_request *q;
    struct audit_report *report;
    struct model_table table;
    struct audit_chain chain;
    struct audit_model model;
    struct audit_rounds rounds;
    struct audit_scores scores;
    uint64_t n_checked;
    struct hash root;   /* of the log up to the entry at hand */
    struct buf settled; /* struct settled, in the order of the log */
    struct buf counted; /* struct audit_counted */
};

static bool wants(const struct run *r, uint64_t round)
{
    return r->q->round == AUDIT_ALL_ROUNDS || r->q->round == round;
}

static bool goes_on(struct run *r, bool is_log, uint64_t done, uint64_t of)
{
    struct audit_stage s = {.is_log = is_log, .done = done, .of = of};
    return !r->q->progress || r->q->progress(r->q->ctx, &s);
}

/* ---- first pass: the log -------------------------------------------------------------------- */

static int read_entry(void *ctx, uint64_t index, const struct entry *m, struct err *e)
{
    struct run *r = ctx;
    if (m && m->kind == ENTRY_ROUND) {
        struct settled s = {m->round.round, index + 1, r->root, m->round.sheet,
                            m->round.sheet_bytes};
        buf_put(&r->settled, &s, sizeof s);
        int rc = buf_ok(&r->settled, e);
        if (rc != OK) return rc;
    }
    if (m) return audit_chain_take(&r->chain, m, &r->report->book, e);
    audit_chain_skip(&r->chain);
    return OK;
}

static bool tell_log(void *ctx, uint64_t done, uint64_t of)
{
    return goes_on(ctx, true, done, of);
}

/* ---- second pass: rounds -------------------------------------------------------------------- */

/* One sheet of the period; *ret_has turns false when it cannot be had. It is judged with its round. */
static int add_sheet(struct run *r, const struct settled *at, struct settle *s, bool *ret_has,
                     struct err *e)
{
    struct buf text = {0};
    struct sheet sheet = {0};
    struct err why = {0};
    int rc = at->sheet_bytes > SHEET_MAX_BYTES
                 ? ERR_LIMIT
                 : audit_blob(r->q->source, &at->sheet, (size_t)at->sheet_bytes, &text, &why);
    if (rc == OK) rc = sheet_decode(text.p, text.len, &sheet, &why);
    if (rc == OK) rc = settle_add(s, &sheet, &why);
    *ret_has &= rc == OK;
    bool is_theirs = rc == ERR_NOTFOUND || rc == ERR_AUTH || rc == ERR_PROTO || rc == ERR_LIMIT;
    if (rc != OK && !is_theirs && e) *e = why;
    sheet_deinit(&sheet);
    buf_deinit(&text);
    return is_theirs ? OK : rc;
}

/* The addresses that were on record before the entry at index. */
static int add_payees(const struct run *r, uint64_t index, struct settle *s, struct err *e)
{
    const struct audit_payee *p = (const void *)r->chain.payees.p;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < r->chain.payees.len / sizeof *p; i++)
        if (p[i].index < index) rc = settle_payee(s, &p[i].payee, e);
    return rc;
}

/* The settlement of a period as the record gives it; *ret_has false: the record cannot be read. */
static int settle_again(struct run *r, uint64_t index, const struct entry_payout *m,
                        struct buf *out, uint64_t *ret_paid, bool *ret_has, struct err *e)
{
    const struct settled *at = (const void *)r->settled.p;
    struct settle s = {
        .run = r->q->run, .first_round = m->first_round, .last_round = m->last_round};
    uint64_t n = 0;
    int rc = add_payees(r, index, &s, e);
    *ret_has = true;
    for (size_t i = 0; rc == OK && *ret_has && i < r->settled.len / sizeof *at; i++) {
        if (at[i].round < m->first_round || at[i].round > m->last_round) continue;
        n++;
        s.n_entries = at[i].n_entries;
        s.root = at[i].root;
        rc = add_sheet(r, &at[i], &s, ret_has, e);
    }
    *ret_has &= n == m->last_round - m->first_round + 1 && !hash_equal(&s.root, &(struct hash){0});
    if (rc == OK && *ret_has) rc = settle_encode(&s, out, e);
    *ret_paid = s.paid;
    settle_deinit(&s);
    return rc;
}

static int check_payout(struct run *r, uint64_t index, const struct entry_payout *m, struct err *e)
{
    struct buf file = {0}, again = {0};
    char name[80];
    bool has = false, has_again = false;
    uint64_t paid = 0;
    snprintf(name, sizeof name, "the settlement file of entry %" PRIu64, index);
    int rc = audit_want(r->q->source, &r->report->book,
                        &(struct audit_wanted){&m->file, SETTLE_MAX_BYTES, AUDIT_PAYOUT,
                                               AUDIT_NO_DATA, AUDIT_NO_ROUND, name},
                        &file, &has, e);
    if (rc == OK && has) rc = settle_again(r, index, m, &again, &paid, &has_again, e);
    bool is_same = has_again && file.len == m->file_bytes && paid == m->paid &&
                   file.len == again.len && again.p && memcmp(file.p, again.p, file.len) == 0;
    if (rc == OK && has && file.len != m->file_bytes)
        audit_found(&r->report->book, AUDIT_WRONG, AUDIT_PAYOUT, AUDIT_NO_ROUND,
                    "%s has another length than its entry says", name);
    else if (rc == OK && has && !has_again)
        audit_found(&r->report->book, AUDIT_NO_DATA, AUDIT_PAYOUT, AUDIT_NO_ROUND,
                    "%s cannot be made again: a round or a sheet of its period is missing", name);
    else if (rc == OK && has && !is_same)
        audit_found(&r->report->book, AUDIT_WRONG, AUDIT_PAYOUT, AUDIT_NO_ROUND,
                    "%s is not what the record says of rounds %" PRIu64 " to %" PRIu64, name,
                    m->first_round, m->last_round);
    else if (rc == OK && has)
        audit_ok(&r->report->book, AUDIT_PAYOUT);
    buf_deinit(&file);
    buf_deinit(&again);
    return rc;
}

static int show_weights(struct run *r, uint64_t round, struct err *e)
{
    bool has = false;
    if (!r->q->weights || !r->rounds.model) return OK;
    int rc = audit_model_at(&r->model, round, &has, e);
    return rc == OK && has ? r->q->weights(r->q->ctx, round, r->model.params, &r->report->book, e)
                           : rc;
}

static int check_round(struct run *r, uint64_t index, const struct entry_round *m, struct err *e)
{
    uint64_t of = r->q->round == AUDIT_ALL_ROUNDS ? r->chain.n_rounds : 1;
    if (!goes_on(r, false, r->n_checked, of)) return ERR_CANCELLED;
    int rc = show_weights(r, m->round, e);
    if (rc == OK) rc = audit_round(&r->rounds, index, m, e);
    if (rc == OK && r->q->weights && r->model.has && hash_equal(&r->model.base, &m->result) &&
        m->round + 1 == r->chain.n_rounds)
        rc = r->q->weights(r->q->ctx, m->round + 1, r->model.params, &r->report->book, e);
    r->n_checked++;
    return rc;
}

static int check_entry(void *ctx, uint64_t index, const struct entry *m, struct err *e)
{
    struct run *r = ctx;
    if (m && m->kind == ENTRY_ROUND && wants(r, m->round.round))
        return check_round(r, index, &m->round, e);
    if (m && m->kind == ENTRY_ROUND && m->round.round < r->q->round)
        return audit_scores_skip(&r->scores, r->q->source, &m->round, e);
    if (!m) r->scores.is_lost = true; /* an entry that cannot be read */
    if (m && m->kind == ENTRY_PAYOUT && r->q->round == AUDIT_ALL_ROUNDS)
        return check_payout(r, index, &m->payout, e);
    return OK;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum audit_verdict judge(const struct audit_book *b)
{
    if (audit_count(b, AUDIT_WRONG)) return AUDIT_FALSE;
    if (audit_count(b, AUDIT_NO_DATA)) return AUDIT_UNKNOWN;
    return audit_count(b, AUDIT_NOT_KEPT) ? AUDIT_TRUE_SO_FAR : AUDIT_TRUE;
}

static int begin(struct run *r, struct err *e)
{
    const struct audit_request *q = r->q;
    int rc = model_table_init(&r->table, &q->run->model, e);
    if (rc == OK && !q->without_model)
        rc = audit_model_init(&r->model, q->source, &r->chain, &r->table, e);
    r->rounds = (struct audit_rounds){.source = q->source,
                                      .chain = &r->chain,
                                      .table = &r->table,
                                      .key = &q->run->aggregators[0].key,
                                      .book = &r->report->book,
                                      .model = q->without_model ? NULL : &r->model,
                                      .done = &r->report->done,
                                      .counted = &r->counted,
                                      .scores = &r->scores};
    return rc;
}

static int walk(struct run *r, struct err *e)
{
    struct audit_report *report = r->report;
    struct audit_log l = {.source = r->q->source,
                          .run = r->q->run,
                          .book = &report->book,
                          .known = r->q->known,
                          .may_be_older = r->q->may_be_older,
                          .entry = read_entry,
                          .progress = tell_log,
                          .root = &r->root,
                          .ctx = r};
    int rc = audit_log_head(&l, &report->head, &report->has_head, e);
    if (rc != OK || !report->has_head) return rc;
    rc = audit_log_walk(&l, &report->head, e);
    if (rc != OK) return rc;
    report->n_rounds = r->chain.n_rounds;
    report->n_receipts = r->chain.n_receipts;
    report->retention = r->chain.retention;
    report->has_end = r->chain.has_end;
    bool is_there = r->q->round == AUDIT_ALL_ROUNDS || audit_chain_step(&r->chain, r->q->round);
    if (!is_there)
        return report->n_rounds
                   ? err_set(e, ERR_ARG, 0,
                             "round %" PRIu64 " is not on record; rounds 0 to %" PRIu64 " are",
                             r->q->round, report->n_rounds - 1)
                   : err_set(e, ERR_ARG, 0, "round %" PRIu64 " is not on record; none is yet",
                             r->q->round);
    l.book = NULL;
    l.root = NULL;
    l.entry = check_entry;
    l.progress = NULL;
    rc = audit_log_walk(&l, &report->head, e);
    if (rc == OK) audit_round_twice(&r->rounds);
    return rc;
}

int audit_run(const struct audit_request *q, struct audit_report *ret, struct err *e)
{
    struct run r = {.q = q, .report = ret};
    *ret = (struct audit_report){
        .book = {.fn = q->finding, .ctx = q->ctx}
    };
    audit_chain_init(&r.chain, q->run);
    int rc = begin(&r, e);
    if (rc == OK) rc = walk(&r, e);
    ret->verdict = judge(&ret->book);
    audit_model_deinit(&r.model);
    audit_scores_deinit(&r.scores);
    audit_chain_deinit(&r.chain);
    buf_deinit(&r.settled);
    buf_deinit(&r.counted);
    model_table_deinit(&r.table);
    return rc;
}
