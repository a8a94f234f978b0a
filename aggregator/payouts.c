#include "aggregator/payouts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregator/describe.h"
#include "aggregator/publish_log.h"
#include "aggregator/serve.h"
#include "aggregator/spool.h"
#include "aggregator/store_payee.h"
#include "aggregator/store_record.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "record/merkle.h"
#include "record/settle.h"

#define DAY_MS INT64_C(86400000)

void payouts_deinit(struct payouts_report *r)
{
    buf_deinit(&r->file);
    buf_deinit(&r->csv);
}

int payouts_when(const char *text, struct payouts_when *ret, struct err *e)
{
    struct tm t = {0};
    char *end = NULL, back[16];
    const char *rest = strptime(text, "%Y-%m-%d", &t);
    if (rest && !*rest) {
        int64_t s = timegm(&t);
        if (strftime(back, sizeof back, "%Y-%m-%d", &t) && strcmp(back, text) == 0 && s >= 0) {
            *ret = (struct payouts_when){.is_set = true, .is_day = true, .day_ms = s * 1000};
            return OK;
        }
    }
    unsigned long long round = strtoull(text, &end, 10);
    bool is_number = *text >= '0' && *text <= '9' && !*end && round < UINT64_C(1) << 53;
    if (is_number) {
        *ret = (struct payouts_when){.is_set = true, .round = round};
        return OK;
    }
    err_set(e, ERR_ARG, 0, "'%.40s' is neither a round nor a day", text);
    err_hint(e, "a round is a number, a day is written 2026-11-27 and counts in UTC");
    return ERR_ARG;
}

/* ---- what the books have -------------------------------------------------------------------- */

struct round_at {
    uint64_t round;
    int64_t at_ms;
    uint64_t n_entries;
    struct hash root;
    struct hash sheet;
    uint64_t paid;
};

struct payout_at {
    uint64_t index;
    struct entry_payout m;
};

/* The newest address of a contributor on record. */
struct payee_at {
    uint64_t index;
    struct payee payee;
};

struct books {
    const struct rundesc *run;
    struct key key;
    struct spool spool;
    struct store *store;
    struct merkle_range range;
    struct buf rounds;  /* struct round_at, in their order */
    struct buf payouts; /* struct payout_at */
    struct buf payees;  /* struct payee_at, in the order of the record */
    struct buf pending; /* struct entry_address: to be put on record with a settlement */
};

static int read_entry(uint64_t index, const char *text, size_t n, void *ctx, struct err *e)
{
    struct books *b = ctx;
    struct entry m;
    struct hash leaf = merkle_leaf(text, n);
    int rc = entry_verify(text, n, &b->key.pub, &m, e);
    if (rc != OK) return err_wrap(e, "entry %" PRIu64, index);
    merkle_range_add(&b->range, &leaf);
    if (m.kind == ENTRY_ROUND)
        buf_put(&b->rounds,
                &(struct round_at){m.round.round, m.at_ms, index + 1, merkle_range_root(&b->range),
                                   m.round.sheet, m.round.paid},
                sizeof(struct round_at));
    if (m.kind == ENTRY_PAYOUT)
        buf_put(&b->payouts, &(struct payout_at){index, m.payout}, sizeof(struct payout_at));
    if (m.kind == ENTRY_ADDRESS)
        buf_put(&b->payees, &(struct payee_at){index, m.address.payee}, sizeof(struct payee_at));
    rc = buf_ok(&b->rounds, e);
    if (rc == OK) rc = buf_ok(&b->payees, e);
    return rc == OK ? buf_ok(&b->payouts, e) : rc;
}

/* One that the record does not have yet. */
static int read_payee(const char *text, size_t n, void *ctx, struct err *e)
{
    struct books *b = ctx;
    struct entry_address a = {0};
    const struct payee_at *had = (const void *)b->payees.p;
    int rc = payee_verify(text, n, NULL, &a.payee, e);
    if (rc != OK) return err_wrap(e, "an address in the books");
    for (size_t i = 0; i < b->payees.len / sizeof *had; i++)
        if (key_equal(&had[i].payee.contributor, &a.payee.contributor) &&
            had[i].payee.created_at_ms >= a.payee.created_at_ms)
            return OK;
    memcpy(a.text, text, n);
    buf_put(&b->pending, &a, sizeof a);
    return buf_ok(&b->pending, e);
}

static int read_books(struct books *b, struct err *e)
{
    b->range = (struct merkle_range){0};
    buf_clear(&b->rounds);
    buf_clear(&b->payouts);
    buf_clear(&b->payees);
    buf_clear(&b->pending);
    int rc = store_record_each(b->store, 0, read_entry, b, e);
    return rc == OK ? store_payee_each(b->store, read_payee, b, e) : rc;
}

static const struct round_at *rounds_of(const struct books *b, size_t *ret_n)
{
    *ret_n = b->rounds.len / sizeof(struct round_at);
    return (const void *)b->rounds.p;
}

/* ---- the period ----------------------------------------------------------------------------- */

static uint64_t first_unsettled(const struct books *b)
{
    const struct payout_at *p = (const void *)b->payouts.p;
    uint64_t first = 0;
    for (size_t i = 0; i < b->payouts.len / sizeof *p; i++)
        if (p[i].m.last_round >= first) first = p[i].m.last_round + 1;
    return first;
}

static bool is_within(const struct payouts_request *q, uint64_t first, const struct round_at *r)
{
    const struct payouts_when *from = &q->from, *to = &q->to;
    bool is_late_enough = !from->is_set  ? r->round >= first
                          : from->is_day ? r->at_ms >= from->day_ms
                                         : r->round >= from->round;
    bool is_early_enough = !to->is_set  ? true
                           : to->is_day ? r->at_ms < to->day_ms + DAY_MS
                                        : r->round <= to->round;
    return is_late_enough && is_early_enough;
}

static int find_period(const struct books *b, const struct payouts_request *q,
                       struct entry_payout *ret, struct err *e)
{
    size_t n = 0;
    const struct round_at *r = rounds_of(b, &n);
    uint64_t first = first_unsettled(b);
    bool has = false;
    if (q->to.is_set && !q->to.is_day && q->to.round >= n)
        return err_set(e, ERR_ARG, 0, "round %" PRIu64 " is not on record yet; %zu rounds are",
                       q->to.round, n);
    for (size_t i = 0; i < n; i++) {
        if (!is_within(q, first, &r[i])) continue;
        if (!has) ret->first_round = r[i].round;
        ret->last_round = r[i].round;
        has = true;
    }
    if (has) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "no round on record is left to settle in that period");
    err_hint(e, "%s",
             first ? "name a settled period with --from and --to to have its file again"
                   : "wait until a round is merged");
    return ERR_WRONG_STATE;
}

/* OK with *ret_same telling whether this very period was settled. */
static int check_settled(const struct books *b, const struct entry_payout *m,
                         const struct payout_at **ret_same, struct err *e)
{
    const struct payout_at *p = (const void *)b->payouts.p;
    *ret_same = NULL;
    for (size_t i = 0; i < b->payouts.len / sizeof *p; i++) {
        const struct entry_payout *had = &p[i].m;
        if (m->first_round > had->last_round || had->first_round > m->last_round) continue;
        if (m->first_round == had->first_round && m->last_round == had->last_round) {
            *ret_same = &p[i];
            return OK;
        }
        err_set(e, ERR_ARG, 0,
                "rounds %" PRIu64 " to %" PRIu64 " are settled already, by entry %" PRIu64
                " of the record",
                had->first_round, had->last_round, p[i].index);
        err_hint(e, "choose that very period, or one that leaves those rounds out");
        return ERR_ARG;
    }
    return OK;
}

/* ---- the file ------------------------------------------------------------------------------- */

static int add_round(const struct books *b, const struct round_at *at, struct settle *s,
                     struct err *e)
{
    struct buf text = {0};
    struct sheet sheet = {0};
    uint64_t before = s->paid;
    int rc = spool_read(&b->spool, SPOOL_SHEET, &at->sheet, SHEET_MAX_BYTES, &text, e);
    if (rc == OK) rc = sheet_decode(text.p, text.len, &sheet, e);
    if (rc == OK) rc = settle_add(s, &sheet, e);
    if (rc == OK && s->paid - before != at->paid)
        rc = err_set(e, ERR_PROTO, 0, "its sheet pays another sum than its entry");
    if (rc != OK) err_wrap(e, "round %" PRIu64, at->round);
    sheet_deinit(&sheet);
    buf_deinit(&text);
    return rc;
}

/* The addresses on record before entry `index`, and those that are put there with this settlement. */
static int add_payees(const struct books *b, uint64_t index, bool with_pending, struct settle *s,
                      struct err *e)
{
    const struct payee_at *p = (const void *)b->payees.p;
    const struct entry_address *a = (const void *)b->pending.p;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < b->payees.len / sizeof *p; i++)
        if (p[i].index < index) rc = settle_payee(s, &p[i].payee, e);
    for (size_t i = 0; rc == OK && with_pending && i < b->pending.len / sizeof *a; i++)
        rc = settle_payee(s, &a[i].payee, e);
    return rc;
}

static void count_addresses(struct settle *s, struct payouts_report *r)
{
    const struct settle_row *rows = settle_rows(s, &r->n_lines);
    r->n_addresses = 0;
    for (uint64_t i = 0; i < r->n_lines; i++)
        r->n_addresses += rows[i].payee != NULL;
}

/* same: the payout entry when this period was settled before; NULL. */
static int make_file(const struct books *b, const struct payout_at *same, struct payouts_report *r,
                     struct err *e)
{
    size_t n = 0;
    const struct round_at *at = rounds_of(b, &n);
    struct entry_payout *m = &r->entry;
    struct settle s = {.run = b->run, .first_round = m->first_round, .last_round = m->last_round};
    int rc = add_payees(b, same ? same->index : UINT64_MAX, !same, &s, e);
    for (size_t i = 0; rc == OK && i < n; i++) {
        if (at[i].round < m->first_round || at[i].round > m->last_round) continue;
        s.n_entries = at[i].n_entries;
        s.root = at[i].root;
        rc = add_round(b, &at[i], &s, e);
    }
    buf_clear(&r->file);
    buf_clear(&r->csv);
    if (rc == OK) rc = settle_encode(&s, &r->file, e);
    if (rc == OK) rc = settle_csv(&s, &r->csv, e);
    if (rc == OK) {
        count_addresses(&s, r);
        m->file = hash_of(r->file.p, r->file.len);
        m->file_bytes = r->file.len;
        m->paid = s.paid;
    }
    settle_deinit(&s);
    return rc;
}

/* The entries of a settlement: addresses that are new, then the payout. x [n + 1]. */
static int sign_entries(const struct books *b, uint64_t first, struct payouts_report *r,
                        struct store_entry *x, uint32_t n, struct err *e)
{
    const struct entry_address *a = (const void *)b->pending.p;
    struct entry m = {.run = b->run->id, .at_ms = clock_wall_ms()};
    int rc = OK;
    for (uint32_t i = 0; rc == OK && i <= n; i++) {
        m.kind = x[i].kind = i < n ? ENTRY_ADDRESS : ENTRY_PAYOUT;
        m.index = first + i;
        if (i < n)
            m.address = a[i];
        else
            m.payout = r->entry;
        rc = entry_sign(&m, &b->key, &x[i].text, e);
    }
    r->index = first + n;
    return rc;
}

static int append(const struct books *b, struct payouts_report *r, struct err *e)
{
    struct hash h;
    struct store_tail tail;
    uint32_t n = (uint32_t)(b->pending.len / sizeof(struct entry_address));
    struct store_entry *x = alloc_zero((size_t)n + 1, sizeof *x);
    if (!x) return err_set(e, ERR_NOMEM, 0, "no memory for %" PRIu32 " addresses", n);
    int rc = spool_put(&b->spool, SPOOL_PAYOUT, r->file.p, r->file.len, &h, e);
    if (rc == OK) rc = store_record_tail(b->store, &tail, e);
    if (rc == OK) rc = sign_entries(b, tail.n_entries, r, x, n, e);
    if (rc == OK) rc = store_record_append(b->store, tail.n_entries, x, n + 1, e);
    for (uint32_t i = 0; i <= n; i++)
        buf_deinit(&x[i].text);
    free(x);
    return rc;
}

static int settle(struct books *b, const struct payouts_request *q, struct payouts_report *r,
                  struct err *e)
{
    struct hash had;
    const struct payout_at *same = NULL;
    int rc = read_books(b, e);
    if (rc == OK) rc = find_period(b, q, &r->entry, e);
    if (rc == OK) rc = check_settled(b, &r->entry, &same, e);
    if (rc == OK) rc = make_file(b, same, r, e);
    if (rc != OK || !same) return rc == OK ? append(b, r, e) : rc;
    had = same->m.file;
    r->index = same->index;
    r->was_settled = true;
    if (!hash_equal(&had, &r->entry.file))
        return err_set(e, ERR_PROTO, 0, "entry %" PRIu64 " names another settlement of that period",
                       r->index);
    return spool_put(&b->spool, SPOOL_PAYOUT, r->file.p, r->file.len, &had, e);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int open_books(struct books *b, const char *home, struct err *e)
{
    char path[PATH_CAP], secret[PATH_CAP];
    if (path_format(path, "%s/aggregator.db", home) ||
        path_format(secret, "%s/keys/host.key", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    int rc = key_load_or_create(secret, &b->key, e);
    if (rc == OK && !key_equal(&b->key.pub, &b->run->host))
        rc = err_set(e, ERR_AUTH, 0, "'%s' is not the key that signed this run", secret);
    if (rc == OK) rc = spool_open(&b->spool, home, e);
    if (rc == OK) rc = store_open(path, &b->run->id, &b->store, e);
    return rc;
}

/* Nobody else writes the files of the record: we hold the lock of the home. */
static int write_log(const struct books *b, struct err *e)
{
    struct publish_log *log = NULL;
    int rc = publish_log_open(&b->spool, &b->run->id, &b->key, &log, e);
    if (rc == OK) rc = publish_log_write(log, b->store, e);
    publish_log_close(log);
    return rc;
}

int payouts_run(const struct payouts_request *q, struct payouts_report *ret, struct err *e)
{
    struct books *b = alloc_zero(1, sizeof *b);
    struct rundesc *d = alloc_zero(1, sizeof *d);
    *ret = (struct payouts_report){0};
    int rc = b && d ? OK : err_set(e, ERR_NOMEM, 0, "no memory for the books");
    if (rc == OK) rc = describe_read(q->home, d, NULL, e);
    if (rc == OK) {
        b->run = d;
        rc = open_books(b, q->home, e);
    }
    if (rc == OK) rc = settle(b, q, ret, e);
    /* The server may have put a round on record meanwhile. */
    for (int i = 0; rc == ERR_WRONG_STATE && ret->file.len && i < 3; i++)
        rc = settle(b, q, ret, e);
    if (rc == OK) {
        snprintf(ret->unit, sizeof ret->unit, "%s", d->reward_unit);
        ret->is_public = serve_lock(q->home, NULL) == OK;
        if (ret->is_public) rc = write_log(b, e);
    }
    if (b) {
        store_close(b->store);
        spool_close(&b->spool);
        key_wipe(&b->key);
        buf_deinit(&b->rounds);
        buf_deinit(&b->payouts);
        buf_deinit(&b->payees);
        buf_deinit(&b->pending);
    }
    free(b);
    free(d);
    return rc;
}
