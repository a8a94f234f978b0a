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
    buf_deinit(&s->payees);
    *s = (struct settle){0};
}

int settle_add(struct settle *s, const struct sheet *sheet, struct err *e)
{
    for (uint32_t i = 0; i < sheet->n; i++) {
        const struct sheet_row *r = &sheet->rows[i];
        struct settle_row row = {r->contributor, r->reward, 1, NULL};
        if (r->verdict != MSG_ACCEPTED) continue;
        if (r->reward > MAX_COUNT - s->paid)
            return err_set(e, ERR_LIMIT, 0, "the rewards of a period exceed what can be counted");
        s->paid += r->reward;
        buf_put(&s->rows, &row, sizeof row);
    }
    return buf_ok(&s->rows, e);
}

static struct payee *payee_of(const struct settle *s, const struct key_pub *k)
{
    struct payee *p = (void *)s->payees.p;
    for (size_t i = 0; i < s->payees.len / sizeof *p; i++)
        if (key_equal(&p[i].contributor, k)) return &p[i];
    return NULL;
}

int settle_payee(struct settle *s, const struct payee *m, struct err *e)
{
    struct payee *had = payee_of(s, &m->contributor);
    if (had)
        *had = *m;
    else
        buf_put(&s->payees, m, sizeof *m);
    return buf_ok(&s->payees, e);
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
    for (uint64_t i = 0; i < n_out; i++) {
        const struct payee *p = payee_of(s, &r[i].contributor);
        r[i].payee = p && p->kind != PAYEE_NONE ? p : NULL;
    }
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
        if (r[i].payee) {
            json_set_text(o, "kind", payee_kind_word(r[i].payee->kind));
            json_set_text(o, "address", r[i].payee->address);
        }
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

/* RFC 4180, in quotes. */
static void put_address(struct buf *out, const struct payee *p)
{
    if (!p) {
        buf_put_str(out, ",");
        return;
    }
    buf_printf(out, "%s,%s", payee_kind_word(p->kind),
               strchr("=+-@", p->address[0]) ? "\"'" : "\"");
    for (const char *c = p->address; *c; c++) {
        if (*c == '"') buf_put_u8(out, '"');
        buf_put_u8(out, (uint8_t)*c);
    }
    buf_put_u8(out, '"');
}

int settle_csv(struct settle *s, struct buf *out, struct err *e)
{
    uint64_t n = 0;
    char hex[KEY_HEX];
    const struct settle_row *r = settle_rows(s, &n);
    buf_put_str(out, "contributor,amount_micro,receipts,kind,address\n");
    for (uint64_t i = 0; i < n; i++) {
        buf_printf(out, "%s,%" PRIu64 ",%" PRIu64 ",", key_hex(&r[i].contributor, hex), r[i].amount,
                   r[i].n_receipts);
        put_address(out, r[i].payee);
        buf_put_u8(out, '\n');
    }
    return buf_ok(out, e);
}
