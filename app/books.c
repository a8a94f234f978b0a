#include "app/books.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmdline.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/utf8.h"
#include "view/text.h"

/* ---- one list ------------------------------------------------------------------------------- */

static int by_seq(const void *a, const void *b)
{
    const struct books_receipt *x = a;
    const struct books_receipt *y = b;
    if (x->row.r.seq != y->row.r.seq) return x->row.r.seq < y->row.r.seq ? -1 : 1;
    return memcmp(x->row.text.b, y->row.text.b, HASH_BYTES);
}

/* The same answer: the settled text stays, and where it was found is added up. */
static bool absorb(struct books_receipt *last, const struct books_receipt *it)
{
    const struct msg_receipt *a = &last->row.r, *b = &it->row.r;
    if (!receipts_same(a, b)) return false;
    if (a->is_settled && b->is_settled && !hash_equal(&last->row.text, &it->row.text)) return false;
    if (b->is_settled) last->row = it->row;
    last->is_ours = last->is_ours || it->is_ours;
    return true;
}

int books_merge(const struct receipts_row *ours, size_t n_ours, const struct receipts_row *host,
                size_t n_host, struct books_receipt **ret, uint32_t *ret_n, struct err *e)
{
    size_t n = n_ours + n_host, kept = 0;
    struct books_receipt *all = alloc_zero(n, sizeof *all);
    if (!all || n > UINT32_MAX) {
        free(all);
        return err_set(e, ERR_NOMEM, 0, "no memory for %zu receipts", n);
    }
    for (size_t i = 0; i < n; i++) {
        all[i].row = i < n_ours ? ours[i] : host[i - n_ours];
        all[i].is_ours = i < n_ours;
    }
    qsort(all, n, sizeof *all, by_seq);
    for (size_t i = 0; i < n; i++) {
        if (kept && absorb(&all[kept - 1], &all[i])) continue;
        if (kept && all[kept - 1].row.r.seq == all[i].row.r.seq)
            all[kept - 1].is_double = all[i].is_double = true;
        all[kept++] = all[i];
    }
    *ret = all;
    *ret_n = (uint32_t)kept;
    return OK;
}

/* ---- receipts ------------------------------------------------------------------------------- */

struct tally {
    uint32_t n_verdict[MSG_REJECTED + 1];
    uint32_t n_on_record, n_pending, n_after, n_unknown, n_wrong;
    uint32_t n_unsettled; /* accepted, and the reward is not known here */
    uint64_t reward;
    const struct books_receipt *first_wrong, *first_unknown;
};

static bool is_wrong(const struct books_receipt *r)
{
    return r->is_double || r->verdict.state == RECEIPTS_WRONG;
}

static struct tally count(const struct books_receipts *b)
{
    struct tally t = {0};
    for (uint32_t i = 0; i < b->n; i++) {
        const struct books_receipt *r = &b->rows[i];
        t.n_verdict[r->row.r.verdict]++;
        t.reward += r->row.r.reward;
        t.n_unsettled += r->row.r.verdict == MSG_ACCEPTED && !r->row.r.is_settled;
        t.n_wrong += is_wrong(r);
        if (is_wrong(r) && !t.first_wrong) t.first_wrong = r;
        if (is_wrong(r)) continue;
        t.n_on_record += r->verdict.state == RECEIPTS_ON_RECORD;
        t.n_pending += r->verdict.state == RECEIPTS_PENDING;
        t.n_after += r->verdict.state == RECEIPTS_AFTER_END;
        t.n_unknown += r->verdict.state == RECEIPTS_UNKNOWN;
        if (r->verdict.state == RECEIPTS_UNKNOWN && !t.first_unknown) t.first_unknown = r;
    }
    return t;
}

static const char *what_of(const struct books_receipt *r)
{
    return r->is_double ? "the host has given two answers under this number" : r->verdict.what;
}

static const char *state_word(const struct books_receipts *b, const struct books_receipt *r)
{
    if (r->is_double) return "no";
    if (!b->is_verified) return "-";
    switch (r->verdict.state) {
    case RECEIPTS_PENDING: return "pending";
    case RECEIPTS_ON_RECORD: return "yes";
    case RECEIPTS_AFTER_END: return "after the end";
    case RECEIPTS_UNKNOWN: return "unknown";
    case RECEIPTS_WRONG: break;
    }
    return "no";
}

int books_exit(const struct books_receipts *b)
{
    struct tally t = count(b);
    if (t.n_wrong || b->n_wrong) return CMDLINE_EXIT_ERROR;
    if (b->is_verified && t.n_unknown) return CMDLINE_EXIT_WAITING;
    return CMDLINE_EXIT_OK;
}

static void put_wrong(const struct books_receipts *b, const struct tally *t, struct buf *out)
{
    char what[sizeof b->record_what];
    if (t->first_wrong)
        buf_printf(out,
                   "%" PRIu32 " of your %" PRIu32 " receipts %s not on record as you were told, "
                   "the first is receipt %" PRIu64 ": %s.",
                   t->n_wrong, b->n, t->n_wrong == 1 ? "is" : "are", t->first_wrong->row.r.seq,
                   what_of(t->first_wrong));
    else
        buf_printf(out, "The record itself does not hold: %s.",
                   utf8_printable(b->record_what, what, sizeof what));
}

void books_sentence(const struct books_receipts *b, struct buf *out)
{
    struct tally t = count(b);
    char a[TEXT_CAP], unit[sizeof b->run->reward_unit];
    utf8_printable(b->run->reward_unit, unit, sizeof unit);
    if (!b->n) {
        buf_put_str(out, "No contribution of this computer has been answered yet.");
    } else if (t.n_wrong || b->n_wrong) {
        put_wrong(b, &t, out);
    } else if (!b->is_verified) {
        buf_printf(out, "%" PRIu32 " of %" PRIu32 " contributions were accepted, ",
                   t.n_verdict[MSG_ACCEPTED], b->n);
        if (t.n_unsettled && t.n_unsettled == t.n_verdict[MSG_ACCEPTED])
            buf_put_str(out, "what they earned is not known here yet.");
        else
            buf_printf(out, "%s %s so far.", text_credits((int64_t)t.reward, a), unit);
    } else if (t.n_unknown) {
        buf_printf(out,
                   "%" PRIu32 " of your %" PRIu32 " receipts could not be looked up, the first is "
                   "receipt %" PRIu64 ": %s.",
                   t.n_unknown, b->n, t.first_unknown->row.r.seq, t.first_unknown->verdict.what);
    } else {
        buf_printf(out,
                   "%s: %" PRIu32 " of your %" PRIu32
                   " contributions were accepted, and the %" PRIu32
                   " receipts that are on record say what you were told",
                   t.n_verdict[MSG_ACCEPTED] ? "Your work counted" : "None of your work counted",
                   t.n_verdict[MSG_ACCEPTED], b->n, t.n_on_record);
        if (t.n_pending)
            buf_printf(out, ", %" PRIu32 " wait%s for %s round to end", t.n_pending,
                       t.n_pending == 1 ? "s" : "", t.n_pending == 1 ? "its" : "their");
        if (t.n_after) buf_printf(out, ", %" PRIu32 " came after the end of the run", t.n_after);
        buf_printf(out, "; %s %s.", text_credits((int64_t)t.reward, a), unit);
    }
}

static void put_receipt(const struct books_receipts *b, const struct books_receipt *r,
                        struct buf *out)
{
    const struct msg_receipt *m = &r->row.r;
    char bytes[TEXT_CAP], tokens[TEXT_CAP], credits[TEXT_CAP], hex[HASH_HEX], reason[200];
    hash_hex(&m->payload, hex);
    buf_printf(out, "%8" PRIu64 " %6" PRIu64 " %9s  %.12s %10s  %-8s %9s  %s", m->seq, m->round,
               text_bytes(m->n_bytes, bytes), hex, text_count((int64_t)m->n_tokens, tokens),
               msg_verdict_word(m->verdict),
               m->is_settled ? text_credits((int64_t)m->reward, credits) : "-", state_word(b, r));
    utf8_printable(m->reason, reason, sizeof reason);
    if (*reason) buf_printf(out, "  %s", reason);
    if (*what_of(r)) buf_printf(out, "%s%s", *reason ? "; " : "  ", what_of(r));
    buf_put_u8(out, '\n');
}

void books_receipts_text(const struct books_receipts *b, struct buf *out)
{
    if (b->n)
        buf_printf(out, "%8s %6s %9s  %-12s %10s  %-8s %9s  %s  %s\n", "receipt", "round", "bytes",
                   "upload", "tokens", "status", "reward", "record", "reason");
    for (uint32_t i = 0; i < b->n; i++)
        put_receipt(b, &b->rows[i], out);
    if (b->n_bad)
        buf_printf(out, "%" PRIu32 " line%s of this home's file %s no receipt of this run\n",
                   b->n_bad, b->n_bad == 1 ? "" : "s", b->n_bad == 1 ? "is" : "are");
    if (b->no_host[0])
        buf_printf(out, "the host could not be asked (%s): rewards are those known here\n",
                   b->no_host);
    books_sentence(b, out);
    buf_put_u8(out, '\n');
}

static json_t *receipt_json(const struct books_receipts *b, const struct books_receipt *r)
{
    const struct msg_receipt *m = &r->row.r;
    json_t *o = json_object();
    json_set_u64(o, "seq", m->seq);
    json_set_u64(o, "round", m->round);
    json_set_u64(o, "bytes", m->n_bytes);
    json_set_hash(o, "payload", &m->payload);
    json_set_u64(o, "tokens", m->n_tokens);
    json_set_text(o, "status", msg_verdict_word(m->verdict));
    json_set_text(o, "reason", m->reason);
    if (m->is_settled) {
        json_set_u64(o, "reward_micro", m->reward);
        json_set_u64(o, "entry", m->entry);
    } else {
        json_object_set_new(o, "reward_micro", json_null());
        json_object_set_new(o, "entry", json_null());
    }
    json_set_i64(o, "at_ms", m->created_at_ms);
    json_set_hash(o, "receipt", &r->row.text);
    json_set_bool(o, "kept_here", r->is_ours);
    json_set_text(o, "on_record", state_word(b, r));
    json_set_text(o, "what", what_of(r));
    return o;
}

int books_receipts_json(const struct books_receipts *b, struct buf *out, struct err *e)
{
    struct tally t = count(b);
    struct buf sentence = {0};
    json_t *o = json_object();
    json_t *list = json_array();
    for (uint32_t i = 0; i < b->n; i++)
        json_array_append_new(list, receipt_json(b, &b->rows[i]));
    books_sentence(b, &sentence);
    json_set_hash(o, "run", &b->run->id);
    json_set_key(o, "key", b->key);
    json_object_set_new(o, "receipts", list);
    json_set_u64(o, "accepted", t.n_verdict[MSG_ACCEPTED]);
    json_set_u64(o, "late", t.n_verdict[MSG_LATE]);
    json_set_u64(o, "rejected", t.n_verdict[MSG_REJECTED]);
    json_set_u64(o, "reward_micro", t.reward);
    json_set_u64(o, "bad_lines", b->n_bad);
    json_set_text(o, "host_error", b->no_host);
    json_set_bool(o, "verified", b->is_verified);
    if (b->is_verified) {
        json_set_u64(o, "on_record", t.n_on_record);
        json_set_u64(o, "pending", t.n_pending);
        json_set_u64(o, "after_end", t.n_after);
        json_set_u64(o, "unknown", t.n_unknown);
        json_set_u64(o, "wrong", t.n_wrong);
        json_set_u64(o, "record_wrong", b->n_wrong);
    }
    json_set_text(o, "sentence", buf_str(&sentence));
    int rc = buf_ok(&sentence, e);
    if (rc == OK) rc = json_write(o, out, e);
    json_decref(o);
    buf_deinit(&sentence);
    return rc;
}

/* ---- rewards -------------------------------------------------------------------------------- */

static const char *credit_word(const struct msg_credit *l)
{
    return l->is_settled ? "confirmed" : "pending";
}

void books_rewards_text(const struct credits *c, const struct rundesc *run, struct buf *out)
{
    char a[TEXT_CAP], p[TEXT_CAP], reason[200], unit[sizeof run->reward_unit];
    if (credits_n(c))
        buf_printf(out, "%8s %6s %12s  %-9s  %s\n", "receipt", "round", "reward", "state",
                   "reason");
    for (size_t i = credits_n(c); i-- > 0;) { /* the newest where the eye is */
        const struct msg_credit *l = credits_line(c, i);
        buf_printf(out, "%8" PRIu64 " %6" PRIu64 " %12s  %-9s  %s\n", l->receipt_seq, l->round,
                   text_credits_signed(l->amount, a), credit_word(l),
                   utf8_printable(l->reason, reason, sizeof reason));
    }
    buf_printf(out,
               "%s %s confirmed, %s pending; %" PRIu64 " accepted, %" PRIu64 " late, %" PRIu64
               " rejected\n",
               text_credits(c->confirmed, a), utf8_printable(run->reward_unit, unit, sizeof unit),
               text_credits(c->pending, p), c->n_accepted, c->n_late, c->n_rejected);
    buf_put_str(out, "The unit is the host's own; it promises no value.\n");
}

int books_rewards_json(const struct credits *c, const struct rundesc *run, const struct key_pub *k,
                       struct buf *out, struct err *e)
{
    json_t *o = json_object();
    json_t *list = json_array();
    for (size_t i = 0; i < credits_n(c); i++) {
        const struct msg_credit *l = credits_line(c, i);
        json_t *row = json_object();
        json_set_u64(row, "receipt", l->receipt_seq);
        json_set_u64(row, "round", l->round);
        json_set_u64(row, "tokens", l->n_tokens);
        json_set_i64(row, "amount_micro", l->amount);
        json_set_text(row, "state", credit_word(l));
        json_set_text(row, "reason", l->reason);
        json_set_i64(row, "at_ms", l->at_ms);
        json_array_append_new(list, row);
    }
    json_set_hash(o, "run", &run->id);
    json_set_key(o, "key", k);
    json_set_text(o, "unit", run->reward_unit);
    json_set_i64(o, "confirmed_micro", c->confirmed);
    json_set_i64(o, "pending_micro", c->pending);
    json_set_u64(o, "accepted", c->n_accepted);
    json_set_u64(o, "late", c->n_late);
    json_set_u64(o, "rejected", c->n_rejected);
    json_object_set_new(o, "lines", list);
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}

/* A field in quotes; text that a table program would compute gets an apostrophe in front. */
static void put_field(struct buf *out, const char *text)
{
    char clean[200];
    utf8_printable(text, clean, sizeof clean);
    buf_put_str(out, *clean && strchr("=+-@", *clean) ? "\"'" : "\"");
    for (const char *p = clean; *p; p++) {
        if (*p == '"') buf_put_u8(out, '"');
        buf_put_u8(out, (uint8_t)*p);
    }
    buf_put_u8(out, '"');
}

void books_rewards_csv(const struct credits *c, struct buf *out)
{
    buf_put_str(out, "receipt,round,tokens,amount_micro,state,at_ms,reason\r\n");
    for (size_t i = credits_n(c); i-- > 0;) {
        const struct msg_credit *l = credits_line(c, i);
        buf_printf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%s,%" PRId64 ",",
                   l->receipt_seq, l->round, l->n_tokens, l->amount, credit_word(l), l->at_ms);
        put_field(out, l->reason);
        buf_put_str(out, "\r\n");
    }
}

/* ---- forecasts ------------------------------------------------------------------------------ */

static const char *const spans[FORECAST_KINDS] = {
    [FORECAST_TODAY] = "today", [FORECAST_DAY] = "next 24 hours", [FORECAST_WEEK] = "next 7 days"};

void books_forecast_text(const struct forecast_book *b, const struct forecast *f,
                         const struct rundesc *run, struct buf *out)
{
    char lo[TEXT_CAP], hi[TEXT_CAP], mid[TEXT_CAP], unit[sizeof run->reward_unit];
    uint32_t n_of = 0, n_hit = 0;
    utf8_printable(run->reward_unit, unit, sizeof unit);
    for (int k = 0; k < FORECAST_KINDS; k++) {
        n_of += b->n_of[k];
        n_hit += b->n_hit[k];
        if (f[k].is_known)
            buf_printf(out, "%-14s %s to %s %s, most likely about %s\n", spans[k],
                       text_credits(f[k].lo, lo), text_credits(f[k].hi, hi), unit,
                       text_credits(f[k].mid, mid));
    }
    if (!f[FORECAST_DAY].is_known)
        buf_put_str(out,
                    "There is too little history: a forecast needs two whole hours in the run.\n");
    else
        buf_printf(out,
                   "From %" PRIu32 " %s of your own history; four of five ranges should hold.\n",
                   f[FORECAST_DAY].n_days, f[FORECAST_DAY].n_days == 1 ? "day" : "days");
    if (n_of)
        buf_printf(out, "So far %" PRIu32 " of %" PRIu32 " forecasts held.\n", n_hit, n_of);
    else
        buf_put_str(out, "No forecast has come to its end yet.\n");
}

int books_forecast_json(const struct forecast_book *b, const struct forecast *f,
                        const struct rundesc *run, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    json_set_hash(o, "run", &run->id);
    json_set_text(o, "unit", run->reward_unit);
    json_set_real(o, "interval", 0.8);
    for (int k = 0; k < FORECAST_KINDS; k++) {
        json_t *row = json_object();
        json_set_bool(row, "is_known", f[k].is_known);
        if (f[k].is_known) {
            json_set_i64(row, "low_micro", f[k].lo);
            json_set_i64(row, "middle_micro", f[k].mid);
            json_set_i64(row, "high_micro", f[k].hi);
        }
        json_set_u64(row, "held", b->n_hit[k]);
        json_set_u64(row, "of", b->n_of[k]);
        json_object_set_new(o, forecast_word((enum forecast_kind)k), row);
    }
    json_set_u64(o, "days_of_history", f[FORECAST_DAY].n_days);
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}
