#include "client/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"

#define HOUR_MS    3600000
#define DAY        24 /* hours */
#define MISS       0.2
#define STEP       40000 /* millionths that one forecast moves the level by */
#define MISS_LEAST 0.02
#define MISS_MOST  0.8
#define HALF_LIFE  7.0 /* days until a day is drawn half as often */
#define MAX_TREND  0.1 /* of a day's earnings, a day */
#define MAX_AMOUNT (1LL << 52)
#define MAX_HOUR   (1LL << 40)

static const char *const words[FORECAST_KINDS] = {"today", "day", "week"};

const char *forecast_word(enum forecast_kind k)
{
    return (unsigned)k < FORECAST_KINDS ? words[k] : "?";
}

/* ---- history -------------------------------------------------------------------------------- */

static int64_t *at(struct forecast_book *b, int64_t hour)
{
    return &b->earned[hour % FORECAST_HOURS];
}

static bool has(const struct forecast_book *b, int64_t hour)
{
    return hour > b->hour - (int64_t)b->n && hour <= b->hour &&
           b->earned[hour % FORECAST_HOURS] >= 0;
}

/* Hours go by; what is earned in the new ones: nothing, or not known. */
static void go_to(struct forecast_book *b, int64_t hour, int64_t value)
{
    if (b->n == 0) {
        b->hour = hour;
        b->n = 1;
        *at(b, hour) = 0;
    }
    if (hour - b->hour > FORECAST_HOURS) {
        b->hour = hour - FORECAST_HOURS;
        b->n = 0;
    }
    while (b->hour < hour) {
        *at(b, ++b->hour) = value;
        if (b->n < FORECAST_HOURS) b->n++;
    }
}

void forecast_take(struct forecast_book *b, const struct msg_credit *lines, uint32_t n, bool is_all,
                   int64_t now_ms)
{
    uint32_t first = n; /* so many lines, the newest, are not in the book */
    while (first > 0 && lines[first - 1].receipt_seq <= b->last_seq)
        first--;
    bool is_gap = !is_all && first == n && n > 0 && b->n > 0;
    for (uint32_t i = first; i-- > 0;) {
        const struct msg_credit *c = &lines[i];
        int64_t hour = c->at_ms / HOUR_MS;
        if (!c->is_settled) break;
        if (hour < 1 || hour > MAX_HOUR || c->amount < 0 || c->amount > MAX_AMOUNT) continue;
        if (b->n == 0 || hour > b->hour) go_to(b, hour, is_gap ? -1 : 0);
        is_gap = false;
        if (hour > b->hour - (int64_t)b->n) {
            int64_t *x = at(b, hour);
            *x = *x < 0 ? c->amount : *x + c->amount;
        }
        b->last_seq = c->receipt_seq;
    }
    int64_t now = now_ms / HOUR_MS;
    if (b->n && now > b->hour && now <= MAX_HOUR) go_to(b, now, 0);
}

/* ---- paths ---------------------------------------------------------------------------------- */

/* Whole hours of the past, oldest first, with running sums. */
struct past {
    uint32_t n;
    double sum[FORECAST_HOURS + 1];
    bool is_known[FORECAST_HOURS];
    int64_t first; /* hour of index 0 */
};

/* The hour that is not over is no whole one. */
static void read_past(const struct forecast_book *b, struct past *p)
{
    p->n = b->n > 0 ? b->n - 1 : 0;
    p->first = b->hour - (int64_t)p->n;
    p->sum[0] = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        int64_t hour = p->first + i;
        p->is_known[i] = has(b, hour);
        p->sum[i + 1] = p->sum[i] + (p->is_known[i] ? (double)b->earned[hour % FORECAST_HOURS] : 0);
    }
}

/* What an hour of work brought in the 7 days that end `ago` days ago; 0: there was none. */
static double pay_of_week(const struct past *p, uint32_t ago)
{
    double sum = 0, n = 0;
    for (uint32_t k = ago * DAY; k < (ago + 7) * DAY && k < p->n; k++) {
        double x = p->sum[p->n - k] - p->sum[p->n - k - 1];
        sum += x;
        n += x > 0;
    }
    return 2 * n >= DAY ? sum / n : 0;
}

/* Logarithm a day. */
static double trend(const struct past *p)
{
    double now = pay_of_week(p, 0), before = pay_of_week(p, 7);
    if (now <= 0 || before <= 0) return 0;
    double x = log(now / before) / 7 / 2;
    return x > MAX_TREND ? MAX_TREND : x < -MAX_TREND ? -MAX_TREND : x;
}

/* Where a piece may begin: hours of the same time of day, as far as there are whole pieces. */
static uint32_t candidates(const struct past *p, int64_t hour, uint32_t len,
                           uint32_t ret[FORECAST_HOURS], double weight[FORECAST_HOURS])
{
    uint32_t n = 0;
    bool is_young = p->n < 3 * DAY; /* then any hour has to do */
    for (uint32_t i = 0; i + len <= p->n; i++) {
        bool is_whole = true;
        if (!is_young && (p->first + i - hour) % DAY != 0) continue;
        for (uint32_t k = 0; k < len; k++)
            is_whole &= p->is_known[i + k];
        if (!is_whole) continue;
        double age = (double)(p->n - i) / DAY;
        weight[n] = (n ? weight[n - 1] : 0) + exp2(-age / HALF_LIFE);
        ret[n++] = i;
    }
    return n;
}

static uint32_t pick(struct rng *r, const double *weight, uint32_t n)
{
    double x = rng_unit(r) * weight[n - 1];
    uint32_t lo = 0, hi = n - 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (weight[mid] > x)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* Add one piece to every path; false when the past has none. */
static bool add_piece(const struct past *p, int64_t hour, uint32_t len, double factor,
                      struct rng *r, double *path)
{
    uint32_t start[FORECAST_HOURS];
    double weight[FORECAST_HOURS];
    uint32_t n = candidates(p, hour, len, start, weight);
    if (n == 0) return false;
    for (uint32_t k = 0; k < FORECAST_PATHS; k++) {
        uint32_t i = start[pick(r, weight, n)];
        path[k] += (p->sum[i + len] - p->sum[i]) * factor;
    }
    return true;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, double q)
{
    double i = q * (FORECAST_PATHS - 1);
    uint32_t k = (uint32_t)i;
    double rest = i - k;
    return k + 1 < FORECAST_PATHS ? sorted[k] * (1 - rest) + sorted[k + 1] * rest : sorted[k];
}

/* The range at the level that the track record asks for; beyond what paths can say it is
 * stretched. */
static void put_range(const struct forecast_book *b, enum forecast_kind kind, double *path,
                      double so_far, struct forecast *f)
{
    double miss = MISS + (double)b->level[kind] / 1e6, stretch = 1;
    if (miss < MISS_LEAST) {
        stretch += (MISS_LEAST - miss) * 10;
        miss = MISS_LEAST;
    }
    if (miss > MISS_MOST) miss = MISS_MOST;
    qsort(path, FORECAST_PATHS, sizeof *path, by_size);
    double mid = quantile(path, 0.5);
    double lo = mid - (mid - quantile(path, miss / 2)) * stretch;
    double hi = mid + (quantile(path, 1 - miss / 2) - mid) * stretch;
    f->lo = (int64_t)(so_far + (lo > 0 ? lo : 0));
    f->mid = (int64_t)(so_far + mid);
    f->hi = (int64_t)ceil(so_far + hi);
}

static int64_t end_of(enum forecast_kind kind, const struct forecast_now *now)
{
    int64_t hour = now->now_ms / HOUR_MS;
    if (kind == FORECAST_DAY) return hour + DAY;
    if (kind == FORECAST_WEEK) return hour + 7 * DAY;
    int64_t midnight = (now->midnight_ms + HOUR_MS - 1) / HOUR_MS;
    return midnight > hour && midnight <= hour + DAY + 1 ? midnight : hour + 1;
}

/* A forecast is of whole hours, the present one included. */
static int64_t begin_of(enum forecast_kind kind, const struct forecast_now *now)
{
    int64_t hour = now->now_ms / HOUR_MS;
    return kind == FORECAST_TODAY ? end_of(kind, now) - DAY : hour;
}

struct forecast forecast_make(const struct forecast_book *b, enum forecast_kind kind,
                              const struct forecast_now *now)
{
    struct forecast f = {0};
    struct past p;
    struct rng r;
    double path[FORECAST_PATHS] = {0}, so_far = 0;
    int64_t hour = now->now_ms / HOUR_MS, end = end_of(kind, now);
    read_past(b, &p);
    if (p.n < 2 || hour != b->hour) return f;
    double slope = trend(&p), gear = now->gear > 0 ? now->gear : 1;
    rng_init(&r, (uint64_t)hour, (uint64_t)kind);
    for (int64_t h = begin_of(kind, now); h < hour; h++)
        if (has(b, h)) so_far += (double)b->earned[h % FORECAST_HOURS];
    int64_t from = hour;
    if (now->paused_until_ms > now->now_ms) from = now->paused_until_ms / HOUR_MS;
    for (int64_t h = from; h < end;) {
        uint32_t len = end - h < DAY ? (uint32_t)(end - h) : DAY;
        double days = (double)(h - hour) / DAY + 0.5;
        while (len > 1 && p.n < len)
            len /= 2;
        while (!add_piece(&p, h, len, gear * exp(slope * days), &r, path) && len > 1)
            len = (len + 1) / 2;
        h += len;
    }
    f.is_known = true;
    f.n_days = (p.n + DAY - 1) / DAY;
    put_range(b, kind, path, so_far, &f);
    return f;
}

/* ---- the track record ----------------------------------------------------------------------- */

void forecast_keep(struct forecast_book *b, enum forecast_kind kind, const struct forecast *f,
                   const struct forecast_now *now)
{
    struct forecast_kept k = {.kind = kind,
                              .from_hour = begin_of(kind, now),
                              .to_hour = end_of(kind, now),
                              .lo = f->lo,
                              .hi = f->hi};
    if (!f->is_known || b->n_kept == FORECAST_KEPT) return;
    for (uint32_t i = 0; i < b->n_kept; i++)
        if (b->kept[i].kind == kind && b->kept[i].to_hour > k.to_hour - DAY) return;
    b->kept[b->n_kept++] = k;
}

/* What came in these hours; -1: not all of it is known. */
static int64_t came(const struct forecast_book *b, const struct forecast_kept *k)
{
    int64_t sum = 0;
    for (int64_t h = k->from_hour; h < k->to_hour; h++) {
        bool is_before = h <= b->hour - (int64_t)b->n && b->n < FORECAST_HOURS; /* nothing yet */
        if (is_before) continue;
        if (!has(b, h)) return -1;
        sum += b->earned[h % FORECAST_HOURS];
    }
    return sum;
}

static void learn(struct forecast_book *b, enum forecast_kind kind, bool is_hit)
{
    int32_t step = is_hit ? (int32_t)(STEP * MISS) : -(int32_t)(STEP * (1 - MISS));
    b->level[kind] += step;
    if (b->level[kind] > 600000) b->level[kind] = 600000;
    if (b->level[kind] < -500000) b->level[kind] = -500000;
    b->n_of[kind]++;
    b->n_hit[kind] += is_hit;
}

uint32_t forecast_settle(struct forecast_book *b, int64_t now_ms)
{
    uint32_t n_left = 0, n_settled = 0;
    for (uint32_t i = 0; i < b->n_kept; i++) {
        struct forecast_kept k = b->kept[i];
        if (k.to_hour >= now_ms / HOUR_MS ||
            k.to_hour >= b->hour) { /* an hour for what is pending */
            b->kept[n_left++] = k;
            continue;
        }
        int64_t sum = came(b, &k);
        if (sum < 0) continue;
        learn(b, k.kind, sum >= k.lo && sum <= k.hi);
        n_settled++;
    }
    b->n_kept = n_left;
    return n_settled;
}

int64_t forecast_newcomer(double tok_per_s, double swarm_tok_per_s, uint64_t emission,
                          uint64_t round_ms)
{
    if (!(tok_per_s > 0) || round_ms == 0) return 0;
    double others = swarm_tok_per_s > 0 ? swarm_tok_per_s : 0;
    double share = tok_per_s / (tok_per_s + others);
    double x = (double)emission * share * HOUR_MS / (double)round_ms;
    return x < (double)MAX_AMOUNT ? (int64_t)x : MAX_AMOUNT;
}

/* ---- on disk -------------------------------------------------------------------------------- */

static void put_list(json_t *o, const char *name, const int64_t *x, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(x[i]));
    json_object_set_new(o, name, list);
}

int forecast_save(const struct forecast_book *b, struct buf *out, struct err *e)
{
    int64_t hours[FORECAST_HOURS], record[3 * FORECAST_KINDS], kept[5 * FORECAST_KEPT];
    json_t *o = json_object();
    for (uint32_t i = 0; i < b->n; i++)
        hours[i] = b->earned[(b->hour - (int64_t)b->n + 1 + i) % FORECAST_HOURS];
    for (uint32_t i = 0; i < FORECAST_KINDS; i++) {
        record[3 * i] = b->level[i];
        record[3 * i + 1] = b->n_hit[i];
        record[3 * i + 2] = b->n_of[i];
    }
    for (uint32_t i = 0; i < b->n_kept; i++) {
        const struct forecast_kept *k = &b->kept[i];
        const int64_t row[5] = {(int64_t)k->kind, k->from_hour, k->to_hour, k->lo, k->hi};
        memcpy(&kept[5 * (size_t)i], row, sizeof row);
    }
    json_set_u64(o, "version", 1);
    json_set_i64(o, "hour", b->hour);
    json_set_u64(o, "last_seq", b->last_seq);
    put_list(o, "earned", hours, b->n);
    put_list(o, "record", record, 3 * FORECAST_KINDS);
    put_list(o, "kept", kept, 5 * b->n_kept);
    int rc = o ? json_write(o, out, e) : err_set(e, ERR_NOMEM, 0, "no memory for forecasts");
    json_decref(o);
    return rc;
}

static uint32_t get_list(struct json_reader *r, const json_t *o, const char *name, int64_t lo,
                         int64_t hi, uint32_t cap, int64_t *ret)
{
    const json_t *list = json_array_in(r, o, name, cap), *v = NULL;
    size_t i = 0;
    if (json_bad(r)) return 0;
    json_each (i, v, list) {
        ret[i] = json_integer_value(v);
        if (!json_is_integer(v) || ret[i] < lo || ret[i] > hi)
            json_fail(r, "'%s' has a number that cannot be", name);
    }
    return (uint32_t)json_array_size(list);
}

static void get_kept(struct json_reader *r, const json_t *o, struct forecast_book *b)
{
    int64_t x[5 * FORECAST_KEPT] = {0};
    uint32_t n = get_list(r, o, "kept", 0, MAX_AMOUNT, 5 * FORECAST_KEPT, x);
    b->n_kept = n / 5;
    for (uint32_t i = 0; i < b->n_kept && !json_bad(r); i++) {
        const int64_t *k = &x[5 * (size_t)i];
        if (k[0] >= FORECAST_KINDS || k[2] > MAX_HOUR || k[1] > k[2] || k[2] - k[1] > 7 * DAY + 1)
            json_fail(r, "a kept forecast is of no time");
        b->kept[i] = (struct forecast_kept){(enum forecast_kind)k[0], k[1], k[2], k[3], k[4]};
    }
    if (n % 5) json_fail(r, "a kept forecast is cut short");
}

int forecast_load(const void *json, size_t n, struct forecast_book *ret, struct err *e)
{
    struct forecast_book b = {0};
    int64_t hours[FORECAST_HOURS] = {0}, record[3 * FORECAST_KINDS] = {0};
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc != OK) return rc;
    struct json_reader r = {.e = e};
    (void)json_u32(&r, o, "version", 1, 1);
    b.hour = json_i64(&r, o, "hour", 0, MAX_HOUR);
    b.last_seq = json_u64(&r, o, "last_seq", 0, INT64_MAX);
    b.n = get_list(&r, o, "earned", -1, MAX_AMOUNT, FORECAST_HOURS, hours);
    uint32_t n_record = get_list(&r, o, "record", -1000000, INT32_MAX, 3 * FORECAST_KINDS, record);
    if (!json_bad(&r) && (n_record != 3 * FORECAST_KINDS || (b.n && b.hour < FORECAST_HOURS)))
        json_fail(&r, "forecasts are cut short");
    get_kept(&r, o, &b);
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    for (uint32_t i = 0; i < b.n; i++)
        b.earned[(b.hour - (int64_t)b.n + 1 + i) % FORECAST_HOURS] = hours[i];
    for (uint32_t i = 0; i < FORECAST_KINDS; i++) {
        b.level[i] = (int32_t)(record[3 * i] > 600000 ? 600000 : record[3 * i]);
        b.n_hit[i] = (uint32_t)(record[3 * i + 1] < 0 ? 0 : record[3 * i + 1]);
        b.n_of[i] = (uint32_t)(record[3 * i + 2] < 0 ? 0 : record[3 * i + 2]);
    }
    *ret = b;
    return OK;
}
