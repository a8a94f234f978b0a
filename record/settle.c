#include "record/settle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define MAX_COUNT ((UINT64_C(1) << 53) - 1) /* what every JSON reader keeps exact */

static const char note[] =
    "what the record of this run says was earned in these rounds; no payment, "
    "and no promise of a value";

void settle_deinit(struct settle *s)
{
    if (!s) return;
    buf_deinit(&s->rows);
    *s = (struct settle){0};
}

int settle_add(struct settle *s, const struct sheet *sheet, struct err *e)
{
    for (uint32_t i = 0; i < sheet->n; i++) {
        const struct sheet_row *r = &sheet->rows[i];
        struct settle_row row = {r->contributor, r->reward, 1};
        if (r->verdict != MSG_ACCEPTED) continue;
        if (r->reward > MAX_COUNT - s->paid)
            return err_set(e, ERR_LIMIT, 0, "the rewards of a period exceed what can be counted");
        s->paid += r->reward;
        buf_put(&s->rows, &row, sizeof row);
    }
    return buf_ok(&s->rows, e);
}

static int by_key(const void *a, const void *b)
{
    const struct settle_row *x = a, *y = b;
    return memcmp(x->contributor.b, y->contributor.b, KEY_BYTES);
}

const struct settle_row *settle_rows(struct settle *s, uint64_t *ret_n)
{
    struct settle_row *r = (void *)s->rows.p;
    uint64_t n = s->rows.len / sizeof *r, n_out = 0;
    if (n) qsort(r, (size_t)n, sizeof *r, by_key);
    for (uint64_t i = 0; i < n; i++) {
        if (n_out && key_equal(&r[n_out - 1].contributor, &r[i].contributor)) {
            r[n_out - 1].amount += r[i].amount;
            r[n_out - 1].n_receipts += r[i].n_receipts;
        } else {
            r[n_out++] = r[i];
        }
    }
    s->rows.len = (size_t)n_out * sizeof *r;
    *ret_n = n_out;
    return r;
}

static json_t *lines_of(struct settle *s)
{
    uint64_t n = 0;
    const struct settle_row *r = settle_rows(s, &n);
    json_t *lines = json_array();
    for (uint64_t i = 0; lines && i < n; i++) {
        json_t *o = json_object();
        json_set_key(o, "contributor", &r[i].contributor);
        json_set_u64(o, "amount", r[i].amount);
        json_set_u64(o, "n_receipts", r[i].n_receipts);
        if (json_array_append_new(lines, o) == 0) continue;
        json_decref(lines);
        return NULL;
    }
    return lines;
}

int settle_encode(struct settle *s, struct buf *out, struct err *e)
{
    size_t start = out->len;
    json_t *o = json_object(), *lines = lines_of(s);
    json_set_u64(o, "version", 1);
    json_set_hash(o, "run", &s->run->id);
    json_set_text(o, "unit", s->run->reward_unit);
    json_set_text(o, "amounts", "millionths of the unit");
    json_set_text(o, "note", note);
    json_set_u64(o, "first_round", s->first_round);
    json_set_u64(o, "last_round", s->last_round);
    json_set_u64(o, "n_entries", s->n_entries);
    json_set_hash(o, "root", &s->root);
    json_set_u64(o, "paid", s->paid);
    bool is_whole = o && lines && json_object_set_new(o, "lines", lines) == 0;
    int rc = is_whole ? json_write(o, out, e)
                      : err_set(e, ERR_NOMEM, 0, "no memory for a settlement file");
    json_decref(o);
    if (rc == OK && out->len - start > SETTLE_MAX_BYTES)
        rc = err_set(e, ERR_LIMIT, 0, "a settlement file of so many contributors is too long");
    return rc;
}

int settle_csv(struct settle *s, struct buf *out, struct err *e)
{
    uint64_t n = 0;
    char hex[KEY_HEX];
    const struct settle_row *r = settle_rows(s, &n);
    buf_put_str(out, "contributor,amount_micro,receipts\n");
    for (uint64_t i = 0; i < n; i++)
        buf_printf(out, "%s,%" PRIu64 ",%" PRIu64 "\n", key_hex(&r[i].contributor, hex),
                   r[i].amount, r[i].n_receipts);
    return buf_ok(out, e);
}
