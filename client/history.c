#include "client/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

#define MAGIC   0x484b4c50u /* PLKH */
#define VERSION 1

void history_init(struct history *h)
{
    series_init(&h->speed);
    series_init(&h->loss);
    series_init(&h->peers);
    h->n_val = 0;
    h->best_speed = (double)NAN;
    h->best_loss = (double)NAN;
}

void history_val(struct history *h, uint64_t round, double nats)
{
    if (!isfinite(nats) || (h->n_val && round <= h->val_round[h->n_val - 1])) return;
    if (h->n_val == VIEW_SERIES) {
        memmove(h->val, h->val + 1, (VIEW_SERIES - 1) * sizeof *h->val);
        memmove(h->val_round, h->val_round + 1, (VIEW_SERIES - 1) * sizeof *h->val_round);
        h->n_val--;
    }
    h->val[h->n_val] = (float)nats;
    h->val_round[h->n_val++] = round;
}

static int put_series(const struct series *s, struct buf *out, struct err *e)
{
    size_t at = out->len;
    buf_put_u32(out, 0);
    int rc = series_save(s, out, e);
    if (rc == OK) rc = buf_ok(out, e);
    if (rc == OK) bytes_put_u32(out->p + at, (uint32_t)(out->len - at - 4));
    return rc;
}

int history_save(const struct history *h, struct buf *out, struct err *e)
{
    buf_put_u32(out, MAGIC);
    buf_put_u32(out, VERSION);
    buf_put_f32(out, (float)h->best_speed);
    buf_put_f32(out, (float)h->best_loss);
    buf_put_u32(out, h->n_val);
    for (uint32_t i = 0; i < h->n_val; i++) {
        buf_put_u64(out, h->val_round[i]);
        buf_put_f32(out, h->val[i]);
    }
    int rc = put_series(&h->speed, out, e);
    if (rc == OK) rc = put_series(&h->loss, out, e);
    if (rc == OK) rc = put_series(&h->peers, out, e);
    return rc;
}

static int take_series(struct cursor *c, struct series *ret, struct err *e)
{
    uint32_t n = cursor_u32(c);
    const uint8_t *p = cursor_take(c, n);
    if (!p) return err_set(e, ERR_PROTO, 0, "the history file is cut short");
    return series_load(p, n, ret, e);
}

static int take_all(struct cursor *c, struct history *h, struct err *e)
{
    bool fits = cursor_u32(c) == MAGIC && cursor_u32(c) == VERSION;
    if (!fits) return err_set(e, ERR_VERSION, 0, "the history file is of another kind");
    h->best_speed = (double)cursor_f32(c);
    h->best_loss = (double)cursor_f32(c);
    h->n_val = cursor_u32(c);
    if (h->n_val > VIEW_SERIES) return err_set(e, ERR_PROTO, 0, "the history file is damaged");
    for (uint32_t i = 0; i < h->n_val; i++) {
        h->val_round[i] = cursor_u64(c);
        h->val[i] = cursor_f32(c);
    }
    int rc = take_series(c, &h->speed, e);
    if (rc == OK) rc = take_series(c, &h->loss, e);
    if (rc == OK) rc = take_series(c, &h->peers, e);
    if (rc == OK && (c->bad || c->n > 0))
        rc = err_set(e, ERR_PROTO, 0, "the history file has a wrong length");
    return rc;
}

int history_load(const void *p, size_t n, struct history *ret, struct err *e)
{
    struct history *h = alloc_zero(1, sizeof *h); /* 360 KB: not for the stack */
    if (!h) return err_set(e, ERR_NOMEM, 0, "no memory for the history");
    history_init(h);
    struct cursor c = {p, n, false};
    int rc = take_all(&c, h, e);
    if (rc == OK) *ret = *h;
    free(h);
    return rc;
}
