#include "client/meter.h"

#include <time.h>

#include "base/json.h"

static uint32_t month_of(int64_t wall_ms)
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm t = {0};
    if (!gmtime_r(&s, &t)) return 0;
    return (uint32_t)(12 * (t.tm_year + 1900) + t.tm_mon);
}

void meter_add(struct meter *m, int64_t wall_ms, uint64_t in, uint64_t out)
{
    uint32_t month = month_of(wall_ms);
    if (month != m->month) *m = (struct meter){.month = month};
    m->in += in;
    m->out += out;
}

bool meter_is_spent(const struct meter *m, const struct link_limits *l, int64_t wall_ms)
{
    if (!(l->gb_month > 0) || m->month != month_of(wall_ms)) return false;
    return (double)m->in + (double)m->out >= l->gb_month * 1e9;
}

int64_t meter_left_ms(int64_t wall_ms)
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm t = {0};
    if (!gmtime_r(&s, &t)) return 0;
    struct tm next = {.tm_year = t.tm_year, .tm_mon = t.tm_mon + 1, .tm_mday = 1};
    int64_t at_ms = (int64_t)timegm(&next) * 1000;
    return at_ms > wall_ms ? at_ms - wall_ms : 0;
}

int meter_encode(const struct meter *m, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    json_set_u64(o, "month", m->month);
    json_set_u64(o, "in", m->in);
    json_set_u64(o, "out", m->out);
    int rc = o ? json_write(o, out, e) : err_set(e, ERR_NOMEM, 0, "no memory for the meter");
    json_decref(o);
    return rc;
}

int meter_decode(const void *p, size_t n, struct meter *ret, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(p, n, &o, e);
    if (rc != OK) return rc;
    struct json_reader r = {.e = e};
    struct meter m = {json_u32(&r, o, "month", 0, 12 * 10000), json_u64(&r, o, "in", 0, 1ull << 53),
                      json_u64(&r, o, "out", 0, 1ull << 53)};
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    *ret = m;
    return OK;
}
