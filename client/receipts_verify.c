#include "client/receipts_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/jws.h"
#include "record/audit_chain.h"
#include "record/audit_sheet.h"

struct work {
    const struct audit_source *source;
    const struct rundesc *run;
    struct audit_chain chain;
    struct audit_book *book;
    const struct receipts_row *rows;
    size_t n;
    struct receipts_verdict *ret;
    uint64_t end; /* receipts below this number are on sheets */
};

static void decide(struct receipts_verdict *v, enum receipts_state state, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void decide(struct receipts_verdict *v, enum receipts_state state, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    v->state = state;
    vsnprintf(v->what, sizeof v->what, fmt, ap);
    va_end(ap);
}

/* What the sheet says of this receipt, in words; NULL: the same. */
static const char *line_differs(const struct msg_receipt *r, const struct sheet_row *q)
{
    if (!key_equal(&r->contributor, &q->contributor)) return "the sheet gives it to somebody else";
    if (r->round != q->round) return "the sheet names another round";
    if (!hash_equal(&r->payload, &q->payload) || r->n_bytes != q->n_bytes)
        return "the sheet names another upload";
    if (r->n_tokens != q->n_tokens) return "the sheet counts other tokens";
    if (r->verdict != q->verdict || strcmp(r->reason, q->reason) != 0)
        return "the sheet has another verdict";
    if (r->is_settled && r->reward != q->reward) return "the sheet pays another reward";
    return NULL;
}

/* The settled text, which we may not have been given yet: by the hash on the sheet. */
static int check_settled(struct work *w, const struct receipts_row *row, const struct sheet_row *q,
                         struct receipts_verdict *v, struct err *e)
{
    struct buf text = {0};
    struct msg_receipt m;
    struct err why = {0};
    int rc = audit_blob(w->source, &q->receipt, JWS_MAX_BYTES, &text, &why);
    if (rc == ERR_NOTFOUND) {
        decide(v, RECEIPTS_UNKNOWN, "its settled text is not to be had");
        rc = OK;
    } else if (rc == OK || rc == ERR_AUTH) {
        if (rc == OK)
            rc = msg_receipt_verify(text.p, text.len, &w->run->aggregators[0].key, &m, &why);
        bool is_good = rc == OK && receipts_same(&m, &row->r) && m.is_settled &&
                       m.reward == q->reward && m.entry == v->entry;
        if (is_good)
            v->state = RECEIPTS_ON_RECORD;
        else
            decide(v, RECEIPTS_WRONG, "its settled text says something else");
        rc = rc == ERR_NOMEM ? rc : OK;
    }
    if (rc != OK && e) *e = why;
    buf_deinit(&text);
    return rc;
}

static int check_row(struct work *w, size_t i, const struct sheet *s, struct err *e)
{
    const struct receipts_row *row = &w->rows[i];
    struct receipts_verdict *v = &w->ret[i];
    const struct sheet_row *q = &s->rows[row->r.seq - s->rows[0].seq];
    const char *differs = line_differs(&row->r, q);
    v->reward = q->reward;
    if (differs)
        decide(v, RECEIPTS_WRONG, "%s", differs);
    else if (hash_equal(&row->text, &q->receipt) &&
             (!row->r.is_settled || row->r.entry == v->entry))
        v->state = RECEIPTS_ON_RECORD;
    else if (!row->r.is_settled)
        return check_settled(w, row, q, v, e);
    else
        decide(v, RECEIPTS_WRONG, "the sheet names another text under this number");
    return OK;
}

static int check_round(struct work *w, uint64_t index, const struct entry_round *m, struct err *e)
{
    struct sheet s = {0};
    enum audit_sheet state = AUDIT_SHEET_NONE;
    bool is_read = false;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < w->n; i++) {
        uint64_t seq = w->rows[i].r.seq;
        if (seq < m->first_seq || seq > m->last_seq) continue;
        if (!is_read) rc = audit_sheet_read(w->source, w->book, m, &s, &state, e);
        is_read = true;
        w->ret[i].entry = index;
        if (rc == OK && state == AUDIT_SHEET_GOOD)
            rc = check_row(w, i, &s, e);
        else if (rc == OK)
            decide(&w->ret[i], RECEIPTS_UNKNOWN, "the sheet of round %" PRIu64 " cannot be used",
                   m->round);
    }
    sheet_deinit(&s);
    return rc;
}

static int on_entry(void *ctx, uint64_t index, const struct entry *m, struct err *e)
{
    struct work *w = ctx;
    if (!m) {
        audit_chain_skip(&w->chain);
        return OK;
    }
    int rc = audit_chain_take(&w->chain, m, w->book, e);
    if (rc != OK || m->kind != ENTRY_ROUND) return rc;
    if (m->round.last_seq >= w->end) w->end = m->round.last_seq + 1;
    return check_round(w, index, &m->round, e);
}

/* Numbers that the record has passed and that are on no sheet have been left out. */
static void judge_rest(struct work *w, bool has_log)
{
    for (size_t i = 0; i < w->n; i++) {
        struct receipts_verdict *v = &w->ret[i];
        if (v->state != RECEIPTS_PENDING) continue;
        if (!has_log)
            decide(v, RECEIPTS_UNKNOWN, "there is no record to look at");
        else if (w->chain.has_lost && w->rows[i].r.seq < w->end)
            decide(v, RECEIPTS_UNKNOWN, "its place on the record cannot be read");
        else if (w->chain.has_end && w->rows[i].r.seq >= w->end && w->rows[i].r.verdict == MSG_LATE)
            v->state = RECEIPTS_AFTER_END;
        else if (w->rows[i].r.seq < w->end || w->chain.has_end)
            decide(v, RECEIPTS_WRONG, "it was left out of the record");
        else if (w->rows[i].r.is_settled)
            decide(v, RECEIPTS_WRONG, "it says it is settled, and is on no sheet");
    }
}

int receipts_verify(const struct audit_source *s, const struct rundesc *run,
                    const struct note_head *known, const struct receipts_row *rows, size_t n,
                    struct receipts_verdict *ret, struct audit_book *b, struct err *e)
{
    struct work w = {.source = s, .run = run, .book = b, .rows = rows, .n = n, .ret = ret};
    struct audit_log l = {
        .source = s, .run = run, .book = b, .known = known, .entry = on_entry, .ctx = &w};
    struct note_head head;
    bool has_log = false;
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct receipts_verdict){0};
    audit_chain_init(&w.chain, run);
    int rc = audit_log_head(&l, &head, &has_log, e);
    if (rc == OK && has_log) rc = audit_log_walk(&l, &head, e);
    if (rc == OK) judge_rest(&w, has_log);
    audit_chain_deinit(&w.chain);
    return rc;
}
