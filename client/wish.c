#include "client/wish.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S   86400
#define JUMP_MS 2000 /* less than that is no jump */

static int64_t unit_ms(const char *unit)
{
    static const struct {
        const char *word;
        int64_t ms;
    } units[] = {
        {"s",   1000    },
        {"m",   60000   },
        {"min", 60000   },
        {"h",   3600000 },
        {"d",   86400000},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].word, unit) == 0) return units[i].ms;
    return 0;
}

static int64_t until_time(long h, const char *rest, uint32_t second)
{
    char *end = NULL;
    long m = strtol(rest, &end, 10);
    if (strlen(rest) != 2 || *end || h > 23 || m < 0 || m > 59) return 0;
    int64_t left = (h * 60 + m) * 60 - (int64_t)second;
    return (left > 0 ? left : left + DAY_S) * 1000;
}

int wish_span(const char *text, uint32_t second, int64_t *ret_ms, struct err *e)
{
    char *end = NULL;
    int64_t ms = 0;
    if (*text >= '0' && *text <= '9') {
        long n = strtol(text, &end, 10);
        if (*end == ':')
            ms = until_time(n, end + 1, second);
        else if (n > 0 && n < 1000000)
            ms = n * unit_ms(end);
    }
    if (ms > 0 && ms <= WISH_MAX_SNOOZE_MS) {
        *ret_ms = ms;
        return OK;
    }
    err_set(e, ERR_ARG, 0, "'%.40s' is no time to pause for", text);
    err_hint(e, "say 30m, 2h, 1d (at most 30d), or until when: 08:00");
    return ERR_ARG;
}

void wish_begin(struct wish_snooze *s, int64_t ms, int64_t wall_ms, int64_t boot_ms)
{
    *s = (struct wish_snooze){.ms = ms, .until_ms = wall_ms + ms, .end_ms = boot_ms + ms};
}

void wish_restore(struct wish_snooze *s, int64_t wall_ms, int64_t boot_ms)
{
    if (!s->ms) return;
    int64_t left = s->until_ms - wall_ms;
    if (left > s->ms) left = s->ms;
    if (left < 0) left = 0;
    s->until_ms = wall_ms + left;
    s->end_ms = boot_ms + left;
}

bool wish_lasts(struct wish_snooze *s, int64_t wall_ms, int64_t boot_ms)
{
    if (!s->ms) return false;
    int64_t left = s->end_ms - boot_ms;
    if (left <= 0) {
        *s = (struct wish_snooze){0};
        return false;
    }
    int64_t off = wall_ms + left - s->until_ms;
    if (off > JUMP_MS || off < -JUMP_MS) s->until_ms = wall_ms + left;
    return true;
}

const char *wish_word(const struct wish_snooze *s, bool is_paused, bool is_finishing,
                      bool is_leaving)
{
    if (is_leaving) return "leave";
    if (is_paused) return "pause";
    if (s->ms) return "snooze";
    return is_finishing ? "finish" : "run";
}
