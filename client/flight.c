#include "client/flight.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400
#define HMS   8 /* "03:06:24" */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Second of the day, or -1 when the line does not begin with a time. */
static int second_of(const char *p, size_t n)
{
    if (n < HMS + 1 || p[2] != ':' || p[5] != ':' || p[HMS] != ' ') return -1;
    for (size_t i = 0; i < HMS; i++)
        if (i % 3 != 2 && !is_digit(p[i])) return -1;
    int h = (p[0] - '0') * 10 + p[1] - '0';
    int m = (p[3] - '0') * 10 + p[4] - '0';
    int s = (p[6] - '0') * 10 + p[7] - '0';
    return h < 24 && m < 60 && s < 61 ? h * 3600 + m * 60 + s : -1;
}

static struct tm local(int64_t wall_ms)
{
    struct tm tm = {0};
    time_t t = (time_t)(wall_ms / 1000);
    (void)localtime_r(&t, &tm);
    return tm;
}

/* A second of that day in local time, whatever the clock did there. */
static int64_t at_day(struct tm day, int day_back, int second)
{
    day.tm_mday -= day_back;
    day.tm_hour = second / 3600;
    day.tm_min = second / 60 % 60;
    day.tm_sec = second % 60;
    day.tm_isdst = -1;
    return (int64_t)mktime(&day) * 1000;
}

struct pick {
    const char *at;
    size_t n;
    int64_t ms;
};

/* Where the line before `end` begins. */
static size_t line_start(const char *text, size_t end)
{
    while (end > 0 && text[end - 1] != '\n')
        end--;
    return end;
}

static void put_line(struct buf *out, const struct pick *l)
{
    struct tm tm = local(l->ms);
    char date[16];
    strftime(date, sizeof date, "%Y-%m-%d", &tm);
    buf_printf(out, "%s ", date);
    buf_put(out, l->at, l->n);
    buf_put_u8(out, '\n');
}

size_t flight_pick(const char *text, size_t n, int64_t last_ms, int64_t from_ms, int64_t to_ms,
                   struct buf *out, char *before, size_t before_cap)
{
    struct tm day = local(last_ms);
    int later = DAY_S, back = 0;
    size_t count = 0;
    if (before && before_cap) before[0] = 0;
    /* Towards the past: a time that is later than the one after it was on the day before. */
    int last = day.tm_hour * 3600 + day.tm_min * 60 + day.tm_sec;
    struct buf dates = {0};
    for (size_t end = n; end > 0;) {
        if (text[end - 1] == '\n') end--;
        size_t at = line_start(text, end);
        int s = second_of(text + at, end - at);
        struct pick l = {text + at, end - at, -1};
        end = at;
        if (s < 0) continue;
        /* The first may be written before midnight and kept after. */
        if (s > (later == DAY_S ? last : later) + 2) back++;
        later = s;
        l.ms = at_day(day, back, s);
        if (l.ms < from_ms) {
            if (before) snprintf(before, before_cap, "%.*s", (int)l.n, l.at);
            break;
        }
        if (l.ms >= to_ms) continue;
        count++;
        buf_put(&dates, &l, sizeof l);
    }
    const struct pick *all = (const struct pick *)(const void *)dates.p;
    for (size_t i = count; i > 0 && buf_ok(&dates, NULL) == OK; i--)
        put_line(out, &all[i - 1]);
    buf_deinit(&dates);
    return count;
}

int flight_moment(const char *text, int64_t now_ms, int64_t *ret_ms, struct err *e)
{
    int y = 0, mo = 0, d = 0, h = 0, m = 0;
    char rest = 0;
    struct tm tm = local(now_ms);
    bool is_full = sscanf(text, "%4d-%2d-%2d %2d:%2d%c", &y, &mo, &d, &h, &m, &rest) == 5;
    bool is_time = !is_full && sscanf(text, "%2d:%2d%c", &h, &m, &rest) == 2;
    if ((!is_full && !is_time) || h < 0 || h > 23 || m < 0 || m > 59) {
        err_set(e, ERR_ARG, 0, "'%.40s' is no time", text);
        err_hint(e, "write 03:12, or \"2026-11-27 03:12\"");
        return ERR_ARG;
    }
    if (is_full) {
        tm.tm_year = y - 1900;
        tm.tm_mon = mo - 1;
        tm.tm_mday = d;
    }
    int64_t ms = at_day(tm, 0, h * 3600 + m * 60);
    if (is_time && ms > now_ms) ms = at_day(tm, 1, h * 3600 + m * 60);
    *ret_ms = ms;
    return OK;
}
