#include "app/paying.h"

#include <inttypes.h>
#include <stdio.h>

#include "aggregator/payouts.h"
#include "base/file.h"

static int write_out(const struct paying_words *w, const struct payouts_report *r, struct err *e)
{
    const struct buf *b = w->is_csv ? &r->csv : &r->file;
    if (w->out) return file_replace(w->out, b->p, b->len, 0644, e);
    bool is_whole = fwrite(b->p, 1, b->len, stdout) == b->len;
    if (!w->is_csv) is_whole &= putchar('\n') != EOF;
    return is_whole && fflush(stdout) == 0
               ? OK
               : err_set(e, ERR_IO, 0, "the settlement is on record, but cannot be written out");
}

static void say(const struct payouts_report *r)
{
    const struct entry_payout *m = &r->entry;
    char hex[HASH_HEX];
    fprintf(stderr,
            "rounds   %" PRIu64 " to %" PRIu64 "%s\n"
            "owed     %" PRIu64 ".%06" PRIu64 " %s to %" PRIu64 " contributors, %" PRIu64
            " of them with an address\n"
            "record   entry %" PRIu64 ", file %s%s\n"
            "note     this is what the record says; nothing was paid, and no value is promised\n",
            m->first_round, m->last_round, r->was_settled ? ", settled before: the same file" : "",
            m->paid / 1000000, m->paid % 1000000, r->unit, r->n_lines, r->n_addresses, r->index,
            hash_hex(&m->file, hex),
            r->is_public ? "" : "; public with the next round, or soon after the end");
}

int paying_run(const struct paying_words *w, struct err *e)
{
    struct payouts_request q = {.home = w->home};
    struct payouts_report r = {0};
    int rc = w->from ? payouts_when(w->from, &q.from, e) : OK;
    if (rc == OK && w->to) rc = payouts_when(w->to, &q.to, e);
    if (rc == OK) rc = payouts_run(&q, &r, e);
    if (rc == OK) rc = write_out(w, &r, e);
    if (rc == OK) say(&r);
    payouts_deinit(&r);
    return rc;
}
