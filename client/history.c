#include "client/history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/utf8.h"

#define MAGIC    0x484b4c50u /* PLKH */
#define VERSION  2           /* 1 ended before the marks */
#define SHORT_MS 1000

void history_init(struct history *h)
{
    series_init(&h->speed);
    series_init(&h->loss);
    series_init(&h->peers);
    h->n_val = 0;
    h->best_speed = (double)NAN;
    h->best_loss = (double)NAN;
    h->n_marks = 0;
    h->n_days = 0;
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

/* ---- marks ---------------------------------------------------------------------------------- */

static struct view_mark *newest(struct history *h)
{
    return h->n_marks ? &h->marks[h->n_marks - 1] : NULL;
}

static struct view_mark *open_mark(struct history *h)
{
    for (uint32_t i = 0; i < h->n_marks; i++)
        if (h->marks[i].is_open) return &h->marks[i];
    return NULL;
}

static struct view_mark *add_mark(struct history *h, const char *kind, const char *why,
                                  int64_t now_ms)
{
    if (h->n_marks == VIEW_MARKS) {
        memmove(h->marks, h->marks + 1, (VIEW_MARKS - 1) * sizeof *h->marks);
        h->n_marks--;
    }
    struct view_mark *m = &h->marks[h->n_marks++];
    *m = (struct view_mark){.at_ms = now_ms, .until_ms = VIEW_NONE};
    snprintf(m->kind, sizeof m->kind, "%s", kind);
    utf8_printable(why, m->why, sizeof m->why);
    return m;
}

void history_moment(struct history *h, const char *kind, const char *why, int64_t now_ms)
{
    const struct view_mark *last = newest(h);
    bool is_again = last && strcmp(last->kind, kind) == 0 && llabs(now_ms - last->at_ms) < SHORT_MS;
    if (!is_again) add_mark(h, kind, why, now_ms);
}

static void close_mark(struct history *h, struct view_mark *m, int64_t now_ms)
{
    m->is_open = false;
    m->until_ms = now_ms;
    if (now_ms - m->at_ms >= SHORT_MS) return;
    size_t after = (size_t)(h->marks + h->n_marks - (m + 1));
    memmove(m, m + 1, after * sizeof *m);
    h->n_marks--;
}

void history_still(struct history *h, const char *kind, const char *why, int64_t now_ms)
{
    struct view_mark *m = open_mark(h);
    bool is_still = kind && kind[0];
    if (m && is_still && strcmp(m->kind, kind) == 0) {
        m->until_ms = now_ms;
        return;
    }
    if (m) close_mark(h, m, now_ms);
    if (!is_still) return;
    m = add_mark(h, kind, why, now_ms);
    m->is_open = true;
    m->until_ms = now_ms;
}

void history_begin(struct history *h, int64_t now_ms)
{
    struct view_mark *m = open_mark(h);
    if (m) m->is_open = false; /* until_ms is when it was last seen */
    if (h->speed.newest_ms || h->n_days || h->n_marks)
        history_moment(h, "started", "the agent was started again", now_ms);
}

/* ---- days ----------------------------------------------------------------------------------- */

static int64_t day_of(int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    if (!localtime_r(&t, &tm)) return ms / 86400000;
    return (int64_t)tm.tm_year * 366 + tm.tm_yday;
}

void history_confirmed(struct history *h, int64_t confirmed, int64_t now_ms)
{
    struct history_day now = {now_ms, confirmed};
    if (h->n_days == 0) h->days[h->n_days++] = (struct history_day){0, confirmed};
    struct history_day *last = &h->days[h->n_days - 1];
    if (now_ms < last->at_ms) return; /* the clock was set back: wait for it */
    if (h->n_days > 1 && day_of(last->at_ms) == day_of(now_ms)) {
        *last = now;
        return;
    }
    if (h->n_days == HISTORY_DAYS) {
        memmove(h->days, h->days + 1, (HISTORY_DAYS - 1) * sizeof *h->days);
        h->n_days--;
    }
    h->days[h->n_days++] = now;
}

uint32_t history_days(const struct history *h, struct view_day ret[VIEW_DAYS])
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < h->n_days; i++)
        ret[n++] =
            (struct view_day){h->days[i].at_ms, h->days[i].confirmed - h->days[i - 1].confirmed};
    return n;
}

/* ---- the file ------------------------------------------------------------------------------- */

static void put_marks(const struct history *h, struct buf *out)
{
    buf_put_u32(out, h->n_marks);
    for (uint32_t i = 0; i < h->n_marks; i++) {
        const struct view_mark *m = &h->marks[i];
        buf_put_u64(out, (uint64_t)m->at_ms);
        buf_put_u64(out, (uint64_t)m->until_ms);
        buf_put_u8(out, m->is_open);
        buf_put(out, m->kind, sizeof m->kind);
        buf_put(out, m->why, sizeof m->why);
    }
    buf_put_u32(out, h->n_days);
    for (uint32_t i = 0; i < h->n_days; i++) {
        buf_put_u64(out, (uint64_t)h->days[i].at_ms);
        buf_put_u64(out, (uint64_t)h->days[i].confirmed);
    }
}

static void take_text(struct cursor *c, char *dst, size_t cap)
{
    char raw[sizeof((struct view_mark *)0)->why + 1] = "";
    const uint8_t *p = cursor_take(c, cap);
    if (p) memcpy(raw, p, cap);
    utf8_printable(raw, dst, cap);
}

static int take_marks(struct cursor *c, struct history *h, struct err *e)
{
    h->n_marks = cursor_u32(c);
    if (h->n_marks > VIEW_MARKS) return err_set(e, ERR_PROTO, 0, "the history file is damaged");
    for (uint32_t i = 0; i < h->n_marks; i++) {
        struct view_mark *m = &h->marks[i];
        m->at_ms = (int64_t)cursor_u64(c);
        m->until_ms = (int64_t)cursor_u64(c);
        m->is_open = cursor_u8(c) != 0;
        take_text(c, m->kind, sizeof m->kind);
        take_text(c, m->why, sizeof m->why);
    }
    h->n_days = cursor_u32(c);
    if (h->n_days > HISTORY_DAYS) return err_set(e, ERR_PROTO, 0, "the history file is damaged");
    for (uint32_t i = 0; i < h->n_days; i++) {
        h->days[i].at_ms = (int64_t)cursor_u64(c);
        h->days[i].confirmed = (int64_t)cursor_u64(c);
        bool is_wild = llabs(h->days[i].at_ms) > INT64_C(1) << 53 ||
                       llabs(h->days[i].confirmed) > INT64_C(1) << 61;
        if (is_wild) return err_set(e, ERR_PROTO, 0, "the history file is damaged");
    }
    return OK;
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
    put_marks(h, out);
    return rc == OK ? buf_ok(out, e) : rc;
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
    bool is_ours = cursor_u32(c) == MAGIC;
    uint32_t version = cursor_u32(c);
    if (!is_ours || version < 1 || version > VERSION)
        return err_set(e, ERR_VERSION, 0, "the history file is of another kind");
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
    if (rc == OK && version > 1) rc = take_marks(c, h, e);
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
