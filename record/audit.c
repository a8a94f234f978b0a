#include "record/audit.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const items[AUDIT_ITEMS] = {
    [AUDIT_HEAD] = "tree head",    [AUDIT_TILE] = "tile",
    [AUDIT_ENTRY] = "entry",       [AUDIT_SECRET] = "secret",
    [AUDIT_SHEET] = "sheet",       [AUDIT_RECEIPT] = "receipt",
    [AUDIT_MANIFEST] = "manifest", [AUDIT_CONTRIBUTION] = "contribution",
    [AUDIT_UPDATE] = "update",     [AUDIT_MODEL] = "model",
    [AUDIT_REWARD] = "reward",     [AUDIT_LEDGER] = "ledger",
    [AUDIT_PAYOUT] = "payout",     [AUDIT_LOSS] = "loss",
};

static const char *const outcomes[AUDIT_OUTCOMES] = {
    [AUDIT_OK] = "ok",
    [AUDIT_NOT_KEPT] = "not kept",
    [AUDIT_NO_DATA] = "no data",
    [AUDIT_WRONG] = "wrong",
};

const char *audit_item_word(enum audit_item i)
{
    return i < AUDIT_ITEMS ? items[i] : "?";
}

const char *audit_outcome_word(enum audit_outcome o)
{
    return o < AUDIT_OUTCOMES ? outcomes[o] : "?";
}

void audit_ok(struct audit_book *b, enum audit_item item)
{
    b->n[item][AUDIT_OK]++;
}

void audit_found(struct audit_book *b, enum audit_outcome outcome, enum audit_item item,
                 uint64_t round, const char *fmt, ...)
{
    struct audit_finding f = {.item = item, .outcome = outcome, .round = round};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f.what, sizeof f.what, fmt, ap);
    va_end(ap);
    b->n[item][outcome]++;
    if (b->fn) b->fn(&f, b->ctx);
}

uint64_t audit_count(const struct audit_book *b, enum audit_outcome outcome)
{
    uint64_t n = 0;
    for (int i = 0; i < AUDIT_ITEMS; i++)
        n += b->n[i][outcome];
    return n;
}

int audit_blob(const struct audit_source *s, const struct hash *h, size_t max, struct buf *out,
               struct err *e)
{
    size_t before = out->len;
    int rc = s->blob(s->ctx, h, max, out, e);
    if (rc == OK) {
        struct hash got = hash_of(out->p + before, out->len - before);
        if (hash_equal(&got, h)) return OK;
        rc = err_set(e, ERR_AUTH, 0, "its bytes have another hash than the record names");
    } else if (rc == ERR_LIMIT) {
        rc = err_set(e, ERR_AUTH, 0, "it is longer than anything of its kind may be");
    }
    out->len = before;
    return rc;
}

int audit_want(const struct audit_source *s, struct audit_book *b, const struct audit_wanted *w,
               struct buf *out, bool *ret_has, struct err *e)
{
    struct err why = {0};
    int rc = audit_blob(s, w->h, w->max, out, &why);
    *ret_has = rc == OK;
    if (rc == ERR_NOTFOUND) {
        audit_found(b, w->gone, w->item, w->round, "%s is not %s", w->name,
                    w->gone == AUDIT_NOT_KEPT ? "kept any more" : "there, though it should be");
    } else if (rc == ERR_AUTH) {
        audit_found(b, AUDIT_WRONG, w->item, w->round, "%s is not what is on record: %s", w->name,
                    why.what);
    } else if (rc != OK) {
        if (e) *e = why;
        return rc;
    }
    return OK;
}
