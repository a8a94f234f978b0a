#include "client/credits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "client/sent.h"

#define MAX_PAGE     (512u << 10)
#define MAX_RECEIPTS (4u << 20) /* a thousand of them */
#define MAX_PAGES    100000     /* a host that never ends its story is not listened to for ever */

void credits_deinit(struct credits *c)
{
    if (!c) return;
    buf_deinit(&c->lines);
    *c = (struct credits){0};
}

size_t credits_n(const struct credits *c)
{
    return c->lines.len / sizeof(struct msg_credit);
}

const struct msg_credit *credits_line(const struct credits *c, size_t i)
{
    const struct msg_credit *lines = (const void *)c->lines.p;
    return i < credits_n(c) ? &lines[i] : NULL;
}

int credits_add(struct credits *c, const struct msg_credits *page, bool *ret_more,
                uint64_t *ret_before, struct err *e)
{
    size_t n = credits_n(c);
    const struct msg_credit *last = n ? credits_line(c, n - 1) : NULL;
    for (uint32_t i = 0; i < page->n; i++) {
        if (last && page->lines[i].receipt_seq >= last->receipt_seq)
            return err_set(e, ERR_PROTO, 0, "the host's lines are not in the order of receipts");
        last = &page->lines[i];
    }
    buf_put(&c->lines, page->lines, page->n * sizeof *page->lines);
    if (n == 0) { /* the totals are of all, whatever the page */
        c->confirmed = page->confirmed;
        c->n_accepted = page->n_accepted;
        c->n_late = page->n_late;
        c->n_rejected = page->n_rejected;
    }
    c->pending += page->pending;
    *ret_more = page->n == MSG_MAX_PEERS;
    *ret_before = page->n ? page->lines[page->n - 1].receipt_seq : 0;
    return buf_ok(&c->lines, e);
}

int credits_fetch(struct record_from *f, const struct key_pub *k, struct credits *ret,
                  struct err *e)
{
    struct credits c = {0};
    struct buf json = {0};
    char hex[KEY_HEX], path[160], number[24];
    bool more = true;
    uint64_t before = 0;
    struct msg_credits *page = alloc_zero(1, sizeof *page);
    int rc = page ? OK : err_set(e, ERR_NOMEM, 0, "no memory for the list of rewards");
    key_hex(k, hex);
    for (int i = 0; rc == OK && more; i++) {
        if (i == MAX_PAGES) rc = err_set(e, ERR_LIMIT, 0, "the host's list of rewards never ends");
        snprintf(number, sizeof number, "%" PRIu64, before);
        if (i == 0)
            SENT_PATH(SENT_CREDITS, path, sizeof path, hex);
        else
            SENT_PATH(SENT_CREDITS_PAGE, path, sizeof path, hex, number);
        buf_clear(&json);
        if (rc == OK) rc = record_from_ask(f, path, MAX_PAGE, &json, e);
        if (rc == OK) rc = msg_credits_decode(json.p, json.len, page, e);
        if (rc == OK) rc = credits_add(&c, page, &more, &before, e);
    }
    free(page);
    buf_deinit(&json);
    if (rc == OK)
        *ret = c;
    else
        credits_deinit(&c);
    return rc;
}

/* One page of signed lines; *ret_last is the number of its last, 0: it was empty. */
static int take_page(const struct buf *text, const struct rundesc *run, const struct key_pub *k,
                     struct buf *rows, uint64_t *ret_last, struct err *e)
{
    *ret_last = 0;
    for (size_t at = 0; at < text->len;) {
        const uint8_t *nl = memchr(text->p + at, '\n', text->len - at);
        size_t len = nl ? (size_t)(nl - (text->p + at)) : text->len - at;
        struct receipts_row row;
        int rc = receipts_check(text->p + at, len, run, k, &row.r, e);
        if (rc != OK) return rc;
        if (row.r.seq <= *ret_last)
            return err_set(e, ERR_PROTO, 0, "the host's receipts are not in order");
        row.text = hash_of(text->p + at, len);
        buf_put(rows, &row, sizeof row);
        *ret_last = row.r.seq;
        at += len + 1;
    }
    return buf_ok(rows, e);
}

int credits_receipts(struct record_from *f, const struct key_pub *k, struct receipts_row **ret,
                     size_t *ret_n, struct err *e)
{
    struct buf text = {0}, rows = {0};
    char hex[KEY_HEX], path[160], number[24];
    uint64_t after = 0, last = 1;
    int rc = OK;
    key_hex(k, hex);
    for (int i = 0; rc == OK && last; i++) {
        if (i == MAX_PAGES) rc = err_set(e, ERR_LIMIT, 0, "the host's list of receipts never ends");
        snprintf(number, sizeof number, "%" PRIu64, after);
        SENT_PATH(SENT_RECEIPTS, path, sizeof path, hex, number);
        buf_clear(&text);
        if (rc == OK) rc = record_from_ask(f, path, MAX_RECEIPTS, &text, e);
        if (rc == OK) rc = take_page(&text, record_from_run(f), k, &rows, &last, e);
        if (rc == OK && last && last <= after)
            rc = err_set(e, ERR_PROTO, 0, "the host's receipts are not in order");
        after = last;
    }
    buf_deinit(&text);
    if (rc != OK) {
        buf_deinit(&rows);
        return rc;
    }
    *ret = (struct receipts_row *)(void *)rows.p;
    *ret_n = rows.len / sizeof **ret;
    return OK;
}
