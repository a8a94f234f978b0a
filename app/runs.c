#include "app/runs.h"

#include <stdio.h>
#include <time.h>

#include "base/json.h"

static void day(int64_t ms, char dst[16])
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    dst[0] = '-';
    dst[1] = '\0';
    if (ms && gmtime_r(&t, &tm)) strftime(dst, 16, "%Y-%m-%d", &tm);
}

static void size_of(uint64_t n, char dst[16])
{
    double v = (double)n;
    const char *unit = v >= 1e9 ? "B" : v >= 1e6 ? "M" : "k";
    snprintf(dst, 16, "%.3g%s", v / (v >= 1e9 ? 1e9 : v >= 1e6 ? 1e6 : 1e3), unit);
}

void runs_text(const struct runlist *l, const struct lists_news *news, const char *home_words,
               struct buf *out)
{
    char a[16], b[16], hex[KEY_HEX];
    day(l->updated_at_ms, a);
    buf_printf(out, "%u run%s, listed on %s, signed by %.16s%s\n", l->n, l->n == 1 ? "" : "s", a,
               key_hex(&l->key, hex), news->is_first ? " (first seen now; remembered)" : "");
    if (news->is_older) {
        day(news->seen_before, b);
        buf_printf(out, "note: a newer list (%s) was seen here before; this one is out of date\n",
                   b);
    }
    for (uint32_t i = 0; i < l->n; i++) {
        const struct runlist_run *r = &l->runs[i];
        size_of(r->n_params, a);
        day(r->since_ms, b);
        buf_printf(out, "\n%s\n  %s weights, pays in %s, listed since %s\n", r->name, a,
                   r->reward_unit, b);
        if (r->note[0]) buf_printf(out, "  %s\n", r->note);
        buf_printf(out, "  potluck join%s '%s'\n", home_words, r->link);
    }
}

int runs_json(const struct runlist *l, const struct lists_news *news, struct buf *out,
              struct err *e)
{
    json_t *o = json_object(), *list = json_array();
    json_set_key(o, "key", &l->key);
    json_set_i64(o, "updated_at_ms", l->updated_at_ms);
    json_set_bool(o, "is_first", news->is_first);
    json_set_bool(o, "is_older", news->is_older);
    for (uint32_t i = 0; i < l->n; i++) {
        const struct runlist_run *r = &l->runs[i];
        json_t *x = json_object();
        json_set_hash(x, "run", &r->run);
        json_set_text(x, "name", r->name);
        json_set_text(x, "note", r->note);
        json_set_text(x, "link", r->link);
        json_set_u64(x, "params", r->n_params);
        json_set_text(x, "reward_unit", r->reward_unit);
        json_set_i64(x, "since_ms", r->since_ms);
        json_array_append_new(list, x);
    }
    json_object_set_new(o, "runs", list);
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}
