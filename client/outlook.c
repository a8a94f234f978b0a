#include "client/outlook.h"

#include <math.h>

#include "base/clock.h"
#include "base/file.h"

#define HOUR_MS  3600000
#define MAX_FILE 65536

int outlook_load(const char *path, struct outlook *ret, struct err *e)
{
    struct buf file = {0};
    *ret = (struct outlook){0};
    int rc = file_read(path, MAX_FILE, &file, e);
    if (rc == OK) rc = forecast_load(file.p, file.len, &ret->book, e);
    buf_deinit(&file);
    return rc == ERR_NOTFOUND ? OK : rc;
}

/* How long rounds take, from the lines of those we took part in without a break of more than an
 * hour. */
static void note_rounds(struct outlook *o, const struct msg_credits *page)
{
    uint32_t i = 0;
    while (i + 1 < page->n && page->lines[i].at_ms - page->lines[i + 1].at_ms < HOUR_MS)
        i++;
    const struct msg_credit *a = &page->lines[0], *b = &page->lines[i];
    if (i > 0 && a->round > b->round && a->at_ms > b->at_ms)
        o->round_ms = (uint64_t)(a->at_ms - b->at_ms) / (a->round - b->round);
}

void outlook_credits(struct outlook *o, const struct msg_credits *page, int64_t now_ms,
                     int64_t paused_until_ms)
{
    struct forecast_now now = {.now_ms = now_ms,
                               .midnight_ms = clock_midnight_ms(now_ms),
                               .paused_until_ms = paused_until_ms,
                               .gear = 1};
    forecast_take(&o->book, page->lines, page->n, page->n < MSG_MAX_PEERS, now_ms);
    forecast_settle(&o->book, now_ms);
    for (int k = 0; k < FORECAST_KINDS; k++) {
        o->to_come[k] = forecast_make(&o->book, (enum forecast_kind)k, &now);
        forecast_keep(&o->book, (enum forecast_kind)k, &o->to_come[k], &now);
    }
    note_rounds(o, page);
}

static void put(const struct forecast *f, int64_t *lo, int64_t *hi)
{
    if (!f->is_known) return;
    *lo = f->lo;
    *hi = f->hi;
}

void outlook_fill(const struct outlook *o, const struct rundesc *run, struct view *v)
{
    put(&o->to_come[FORECAST_TODAY], &v->today_lo, &v->today_hi);
    put(&o->to_come[FORECAST_DAY], &v->day_lo, &v->day_hi);
    put(&o->to_come[FORECAST_WEEK], &v->week_lo, &v->week_hi);
    v->n_forecasts = v->n_forecasts_held = 0;
    for (int k = 0; k < FORECAST_KINDS; k++) {
        v->n_forecasts += o->book.n_of[k];
        v->n_forecasts_held += o->book.n_hit[k];
    }
    double mine = v->tok_per_s_avg, all = v->swarm_tok_per_s;
    if (isfinite(mine) && mine > 0 && isfinite(all) && o->round_ms)
        v->credits_per_hour = forecast_newcomer(mine, all > mine ? all - mine : 0,
                                                run->reward_per_round, o->round_ms);
}
