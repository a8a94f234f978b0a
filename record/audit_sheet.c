#include "record/audit_sheet.h"

#include <inttypes.h>

/* Does it list what the entry says? */
static bool is_that_of(const struct sheet *s, size_t n_bytes, const struct entry_round *m)
{
    uint64_t n = m->last_seq + 1 - m->first_seq;
    return s->round == m->round && s->n == n && n_bytes == m->sheet_bytes &&
           (n == 0 || s->rows[0].seq == m->first_seq);
}

static void judge(struct audit_book *b, const struct entry_round *m, const struct buf *text,
                  struct sheet *sheet, int read, const struct err *why, enum audit_sheet *ret)
{
    struct hash got = hash_of(text->p, text->len);
    bool is_same = hash_equal(&got, &m->sheet);
    bool fits = read == OK && is_that_of(sheet, text->len, m);
    *ret = !fits ? AUDIT_SHEET_NONE : is_same ? AUDIT_SHEET_GOOD : AUDIT_SHEET_CHANGED;
    if (!is_same)
        audit_found(b, AUDIT_WRONG, AUDIT_SHEET, m->round,
                    "the sheet of round %" PRIu64 " is not what is on record: its bytes have "
                    "another hash than the record names",
                    m->round);
    else if (read != OK)
        audit_found(b, AUDIT_WRONG, AUDIT_SHEET, m->round,
                    "the sheet of round %" PRIu64 " cannot be read: %s", m->round, why->what);
    else if (!fits)
        audit_found(b, AUDIT_WRONG, AUDIT_SHEET, m->round,
                    "the sheet of round %" PRIu64 " lists other receipts than its entry says",
                    m->round);
    else
        audit_ok(b, AUDIT_SHEET);
}

int audit_sheet_read(const struct audit_source *s, struct audit_book *b,
                     const struct entry_round *m, struct sheet *ret, enum audit_sheet *ret_state,
                     struct err *e)
{
    struct buf text = {0};
    struct err why = {0};
    struct sheet sheet = {0};
    *ret = sheet;
    *ret_state = AUDIT_SHEET_NONE;
    int rc = s->blob(s->ctx, &m->sheet, SHEET_MAX_BYTES, &text, &why);
    if (rc == ERR_NOTFOUND) {
        audit_found(b, AUDIT_NO_DATA, AUDIT_SHEET, m->round,
                    "the sheet of round %" PRIu64 " is not there, though it should be", m->round);
        rc = OK;
    } else if (rc == ERR_LIMIT) {
        audit_found(b, AUDIT_WRONG, AUDIT_SHEET, m->round,
                    "the sheet of round %" PRIu64 " is longer than any may be", m->round);
        rc = OK;
    } else if (rc == OK) {
        int read = sheet_decode(text.p, text.len, &sheet, &why);
        if (read == ERR_NOMEM)
            rc = read;
        else
            judge(b, m, &text, &sheet, read, &why, ret_state);
    }
    if (rc != OK && e) *e = why;
    if (*ret_state == AUDIT_SHEET_NONE)
        sheet_deinit(&sheet);
    else
        *ret = sheet;
    buf_deinit(&text);
    return rc;
}
