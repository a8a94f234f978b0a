#include "view/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

static const struct shape {
    int64_t step_ms;
    uint32_t cap;
    uint32_t first; /* where the ring begins in bucket[] */
} shapes[SERIES_RINGS] = {
    {1000,   600,  0        },
    {10000,  720,  600      },
    {300000, 8640, 600 + 720}
};

static const char magic[8] = "PLSERIE1";
static const struct series_bucket empty = {NAN, NAN, NAN};

void series_init(struct series *s)
{
    memset(s, 0, sizeof *s);
}

/* Bucket numbers are never negative (times before 1970 are moved there by push). */
static struct series_bucket *slot(struct series *s, int r, int64_t number)
{
    return &s->bucket[shapes[r].first + (uint64_t)number % shapes[r].cap];
}

static const struct series_bucket *bucket(const struct series *s, int r, int64_t number)
{
    const struct series_ring *g = &s->ring[r];
    if (number > g->newest || number <= g->newest - (int64_t)g->n || number < 0) return &empty;
    return &s->bucket[shapes[r].first + (uint64_t)number % shapes[r].cap];
}

/* Make `number` the newest bucket; the ones jumped over become gaps. */
static void advance(struct series *s, int r, int64_t number)
{
    struct series_ring *g = &s->ring[r];
    int64_t fresh = g->n ? number - g->newest : 1;
    if (fresh <= 0) return;
    if (fresh >= (int64_t)shapes[r].cap) {
        g->n = 0;
        fresh = 1;
    }
    for (int64_t i = number - fresh + 1; i <= number; i++)
        *slot(s, r, i) = empty;
    g->newest = number;
    g->n = g->n + (uint32_t)fresh < shapes[r].cap ? g->n + (uint32_t)fresh : shapes[r].cap;
    g->sum = 0;
    g->n_sum = 0;
}

void series_push(struct series *s, double value, int64_t t_ms)
{
    if (!isfinite(value) || t_ms < 0) return;
    int64_t t = t_ms + s->shift_ms;
    if (t < s->newest_ms) {
        s->shift_ms += s->newest_ms - t;
        t = s->newest_ms;
    }
    s->newest_ms = t;
    for (int r = 0; r < SERIES_RINGS; r++) {
        struct series_ring *g = &s->ring[r];
        float x = (float)value;
        advance(s, r, t / shapes[r].step_ms);
        struct series_bucket *b = slot(s, r, g->newest);
        g->sum += value;
        g->n_sum++;
        b->mean = (float)(g->sum / g->n_sum);
        if (!(b->min <= x)) b->min = x;
        if (!(b->max >= x)) b->max = x;
    }
}

/* The finest ring that is not finer than asked and reaches back far enough. */
static int ring_for(int64_t step_ms, int64_t span_ms)
{
    int r = 0;
    while (r < SERIES_RINGS - 1 &&
           (shapes[r + 1].step_ms <= step_ms || shapes[r].step_ms * shapes[r].cap < span_ms))
        r++;
    return r;
}

/* What fell into (from, to] on the series' clock. */
static struct series_bucket gather(const struct series *s, int r, int64_t from_ms, int64_t to_ms)
{
    struct series_bucket out = empty;
    double sum = 0;
    uint32_t n = 0;
    int64_t last = to_ms / shapes[r].step_ms;
    int64_t first = from_ms / shapes[r].step_ms + 1;
    int64_t oldest = s->ring[r].newest - (int64_t)s->ring[r].n + 1;
    if (last < first) first = last; /* a bucket wider than the question */
    if (first < oldest) first = oldest;
    if (last > s->ring[r].newest) last = s->ring[r].newest;
    for (int64_t i = first; i <= last; i++) {
        const struct series_bucket *b = bucket(s, r, i);
        if (isnan(b->mean)) continue;
        sum += (double)b->mean;
        n++;
        if (!(out.min <= b->min)) out.min = b->min;
        if (!(out.max >= b->max)) out.max = b->max;
    }
    if (n) out.mean = (float)(sum / n);
    return out;
}

void series_view(const struct series *s, int64_t now_ms, uint32_t step_ms, struct view_series *ret)
{
    int64_t step = step_ms ? step_ms : 1000;
    int64_t now = now_ms + s->shift_ms;
    int r = ring_for(step, step * VIEW_SERIES);
    int64_t last = now / step * step + step - 1; /* end of the step that holds now */
    memset(ret, 0, sizeof *ret);
    ret->step_ms = (uint32_t)step;
    for (int64_t i = VIEW_SERIES - 1; i >= 0; i--) {
        int64_t to = last - i * step;
        if (to < 0) continue;
        struct series_bucket b = gather(s, r, to - step, to);
        if (ret->n == 0 && isnan(b.mean)) continue;
        ret->v[ret->n++] = b.mean;
    }
    /* A step that has only just begun is no gap yet. */
    if (ret->n >= 2 && isnan(ret->v[ret->n - 1]) && !isnan(ret->v[ret->n - 2])) ret->n--;
}

struct series_bucket series_stats(const struct series *s, int64_t now_ms, int64_t span_ms)
{
    int64_t now = now_ms + s->shift_ms;
    return gather(s, ring_for(0, span_ms), now - span_ms, now);
}

/* magic, newest_ms, shift_ms, then for each ring: newest, n, sum, n_sum and n buckets, oldest
 * first. Little endian.
 */
int series_save(const struct series *s, struct buf *out, struct err *e)
{
    buf_put(out, magic, sizeof magic);
    buf_put_u64(out, (uint64_t)s->newest_ms);
    buf_put_u64(out, (uint64_t)s->shift_ms);
    for (int r = 0; r < SERIES_RINGS; r++) {
        const struct series_ring *g = &s->ring[r];
        buf_put_u64(out, (uint64_t)g->newest);
        buf_put_u32(out, g->n);
        buf_put_u32(out, g->n_sum);
        buf_put_f32(out, (float)g->sum);
        for (int64_t i = g->newest - (int64_t)g->n + 1; g->n && i <= g->newest; i++) {
            const struct series_bucket *b = bucket(s, r, i);
            buf_put_f32(out, b->min);
            buf_put_f32(out, b->mean);
            buf_put_f32(out, b->max);
        }
    }
    return buf_ok(out, e);
}

static int64_t take_time(struct cursor *c)
{
    int64_t t = (int64_t)cursor_u64(c);
    if (t < 0 || t > INT64_C(1) << 53) c->bad = true;
    return c->bad ? 0 : t;
}

static float take_value(struct cursor *c)
{
    float x = cursor_f32(c);
    if (isinf(x)) c->bad = true;
    return x;
}

static void take_ring(struct cursor *c, struct series *s, int r)
{
    struct series_ring *g = &s->ring[r];
    g->newest = take_time(c);
    uint32_t n = cursor_u32(c);
    g->n_sum = cursor_u32(c);
    g->sum = (double)take_value(c);
    if (n > shapes[r].cap || !isfinite(g->sum) || g->newest < (int64_t)n - 1) c->bad = true;
    if (c->bad) return;
    g->n = n;
    for (int64_t i = g->newest - (int64_t)n + 1; n && i <= g->newest; i++) {
        struct series_bucket *b = slot(s, r, i);
        b->min = take_value(c);
        b->mean = take_value(c);
        b->max = take_value(c);
    }
}

int series_load(const void *p, size_t n, struct series *ret, struct err *e)
{
    struct cursor c = {.p = p, .n = n};
    if (n < sizeof magic || memcmp(cursor_take(&c, sizeof magic), magic, sizeof magic - 1) != 0)
        return err_set(e, ERR_PROTO, 0, "this is no history file");
    if (((const char *)p)[7] != magic[7])
        return err_set(e, ERR_VERSION, 0, "the history file is of another version");
    struct series *s = alloc_zero(1, sizeof *s);
    if (!s) return err_set(e, ERR_NOMEM, 0, "out of memory while reading history");
    s->newest_ms = take_time(&c);
    s->shift_ms = take_time(&c);
    for (int r = 0; r < SERIES_RINGS; r++)
        take_ring(&c, s, r);
    if (c.n) c.bad = true;
    if (!c.bad) *ret = *s;
    free(s);
    return c.bad ? err_set(e, ERR_PROTO, 0, "the history file is damaged") : OK;
}
