#include "client/hours.h"

#include <string.h>

#include "base/buf.h"

#define DAY (24 * 60)

static const char *skip(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* 0..6, or -1; *p moves behind it. */
static int day_of(const char **p)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (int i = 0; i < 7; i++) {
        if (strncmp(*p, names[i], 3) != 0) continue;
        *p += 3;
        return i;
    }
    return -1;
}

/* "mon-fri+sun"; 0 when there are none, UINT8_MAX when they cannot be read. */
static uint8_t days_of(const char **p)
{
    unsigned days = 0;
    for (;;) {
        int from = day_of(p);
        if (from < 0) return days ? UINT8_MAX : 0;
        int to = from;
        if (**p == '-') {
            ++*p;
            to = day_of(p);
            if (to < 0) return UINT8_MAX;
        }
        for (int d = from;; d = (d + 1) % 7) {
            days |= 1u << d;
            if (d == to) break;
        }
        if (**p != '+') return (uint8_t)days;
        ++*p;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "08:00" to "24:00"; -1. */
static int time_of(const char **p)
{
    int h = 0;
    int n = 0;
    for (; n < 2 && is_digit(**p); n++)
        h = 10 * h + (*(*p)++ - '0');
    if (n == 0 || **p != ':' || !is_digit((*p)[1]) || !is_digit((*p)[2])) return -1;
    int m = 10 * ((*p)[1] - '0') + ((*p)[2] - '0');
    *p += 3;
    return h * 60 + m <= DAY && m < 60 ? h * 60 + m : -1;
}

static int unfit(struct err *e, const char *at)
{
    err_set(e, ERR_ARG, 0, "'%.40s' is no stretch of hours", at);
    err_hint(e, "write always, or for example: mon-fri 20:00-08:00, sat-sun 00:00-24:00");
    return ERR_ARG;
}

static bool stretch_of(const char **p, struct hours_stretch *ret)
{
    uint8_t days = days_of(p);
    if (days == UINT8_MAX) return false;
    *p = skip(*p);
    int from = time_of(p);
    if (from < 0 || from == DAY || **p != '-') return false;
    ++*p;
    int to = time_of(p);
    if (to < 0 || to == from) return false;
    ret->days = days ? days : 0x7f;
    ret->from = (uint16_t)from;
    ret->to = (uint16_t)(to < from ? to + DAY : to);
    return true;
}

int hours_parse(const char *text, struct hours *ret, struct err *e)
{
    struct hours h = {0};
    const char *p = skip(text);
    if (strcmp(p, "always") == 0) {
        *ret = h;
        return OK;
    }
    for (;;) {
        const char *at = p = skip(p);
        if (h.n == HOURS_MAX) return err_set(e, ERR_ARG, 0, "more than %d stretches", HOURS_MAX);
        if (!stretch_of(&p, &h.s[h.n])) return unfit(e, at);
        h.n++;
        p = skip(p);
        if (!*p) break;
        if (*p != ',') return unfit(e, at);
        p++;
    }
    *ret = h;
    return OK;
}

bool hours_hold(const struct hours *h, uint32_t minute)
{
    uint32_t day = minute / DAY % 7;
    uint32_t at = minute % DAY;
    for (uint32_t i = 0; i < h->n; i++) {
        const struct hours_stretch *s = &h->s[i];
        bool is_today = s->days >> day & 1;
        bool was_yesterday = s->days >> ((day + 6) % 7) & 1;
        if (is_today && at >= s->from && at < s->to) return true;
        if (was_yesterday && at + DAY < s->to) return true;
    }
    return h->n == 0;
}

uint32_t hours_until(const struct hours *h, uint32_t minute)
{
    uint32_t n = 0;
    while (n < HOURS_WEEK && !hours_hold(h, (minute + n) % HOURS_WEEK))
        n++;
    return n;
}
