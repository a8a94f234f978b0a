#include "record/audit_scores.h"

void audit_scores_deinit(struct audit_scores *s)
{
    if (s) score_book_deinit(&s->book);
}

int audit_scores_take(struct audit_scores *s, const struct sheet *sheet, struct err *e)
{
    struct err why = {0};
    int rc = sheet ? score_book_fold(&s->book, sheet->round, sheet->scores, sheet->n_scores, &why)
                   : ERR_NOTFOUND;
    if (rc == ERR_NOMEM) {
        if (e) *e = why;
        return rc;
    }
    s->is_lost |= rc != OK;
    return OK;
}

int audit_scores_skip(struct audit_scores *s, const struct audit_source *from,
                      const struct entry_round *m, struct err *e)
{
    struct buf text = {0};
    struct sheet sheet = {0};
    struct err why = {0};
    if (m->rule_reward != ENTRY_RULE_SCORED || s->is_lost) return OK;
    int rc = audit_blob(from, &m->sheet, SHEET_MAX_BYTES, &text, &why);
    if (rc == OK) rc = sheet_decode(text.p, text.len, &sheet, &why);
    bool is_theirs = rc == ERR_NOTFOUND || rc == ERR_AUTH || rc == ERR_PROTO || rc == ERR_LIMIT;
    if (rc != OK && !is_theirs) {
        if (e) *e = why;
    } else {
        rc = audit_scores_take(s, rc == OK ? &sheet : NULL, e);
    }
    sheet_deinit(&sheet);
    buf_deinit(&text);
    return rc;
}
