#include "view/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "view/view.h"

static char *missing(char dst[TEXT_CAP])
{
    snprintf(dst, TEXT_CAP, "-");
    return dst;
}

/* Three significant digits of 0 <= x < 1000. */
static int three_digits(double x, char *dst, size_t cap)
{
    int decimals = x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2;
    return snprintf(dst, cap, "%.*f", decimals, x);
}

char *text_number(double x, char dst[TEXT_CAP])
{
    static const char *const unit[] = {"", "k", "M", "G", "T", "P", "E"};
    if (!isfinite(x)) return missing(dst);
    double a = fabs(x);
    char digits[32];
    size_t i = 0;
    if (a > 0 && a < 0.995) {
        snprintf(digits, sizeof digits, a < 0.001 ? "%.2e" : "%.3g", a);
    } else {
        while (a >= 999.5 && i + 1 < sizeof unit / sizeof unit[0]) {
            a /= 1000;
            i++;
        }
        if (a == floor(a) && i == 0)
            snprintf(digits, sizeof digits, "%.0f", a);
        else
            three_digits(a, digits, sizeof digits);
    }
    snprintf(dst, TEXT_CAP, "%s%s%s", x < 0 ? "-" : "", digits, unit[i]);
    return dst;
}

char *text_fixed(double x, int decimals, char dst[TEXT_CAP])
{
    if (!isfinite(x)) return missing(dst);
    if (fabs(x) >= 1e6) return text_number(x, dst);
    snprintf(dst, TEXT_CAP, "%.*f", decimals, x);
    return dst;
}

static char *grouped(uint64_t n, const char *before, const char *after, char dst[TEXT_CAP])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    char out[40];
    int k = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = 0;
    snprintf(dst, TEXT_CAP, "%s%s%s", before, out, after);
    return dst;
}

static uint64_t magnitude(int64_t n)
{
    return n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
}

char *text_count(int64_t n, char dst[TEXT_CAP])
{
    if (n == VIEW_NONE) return missing(dst);
    return grouped(magnitude(n), n < 0 ? "-" : "", "", dst);
}

char *text_bytes(uint64_t n, char dst[TEXT_CAP])
{
    static const char *const unit[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (n < 1000) {
        snprintf(dst, TEXT_CAP, "%" PRIu64 " B", n);
        return dst;
    }
    double x = (double)n / 1000;
    size_t i = 0;
    while (x >= 999.5 && i + 1 < sizeof unit / sizeof unit[0]) {
        x /= 1000;
        i++;
    }
    char digits[32];
    three_digits(x, digits, sizeof digits);
    snprintf(dst, TEXT_CAP, "%s %s", digits, unit[i]);
    return dst;
}

char *text_duration(int64_t ms, char dst[TEXT_CAP])
{
    if (ms == VIEW_NONE) return missing(dst);
    if (ms < 0) ms = 0;
    int64_t s = ms / 1000;
    int64_t min = s / 60;
    int64_t h = min / 60;
    if (ms < 1000)
        snprintf(dst, TEXT_CAP, "%" PRId64 " ms", ms);
    else if (ms < 10000 && ms % 1000)
        snprintf(dst, TEXT_CAP, "%" PRId64 ".%" PRId64 " s", s, ms % 1000 / 100);
    else if (s < 120)
        snprintf(dst, TEXT_CAP, "%" PRId64 " s", s);
    else if (min < 120)
        snprintf(dst, TEXT_CAP, "%" PRId64 " min", min);
    else if (h < 10 && min % 60)
        snprintf(dst, TEXT_CAP, "%" PRId64 " h %" PRId64 " min", h, min % 60);
    else if (h < 48)
        snprintf(dst, TEXT_CAP, "%" PRId64 " h", h);
    else
        snprintf(dst, TEXT_CAP, "%" PRId64 " d", h / 24);
    return dst;
}

static char *credits(int64_t micro, const char *plus, char dst[TEXT_CAP])
{
    if (micro == VIEW_NONE) return missing(dst);
    uint64_t m = magnitude(micro);
    int decimals = m >= 1000000000 ? 1 : m >= 1000000 || m == 0 ? 2 : m >= 100000 ? 3 : 4;
    uint64_t unit = decimals == 1 ? 100000 : decimals == 2 ? 10000 : decimals == 3 ? 1000 : 100;
    uint64_t ticks = m / unit + (m % unit >= unit / 2); /* rounded to the last shown digit */
    uint64_t per_one = 1000000 / unit;
    char after[16];
    snprintf(after, sizeof after, ".%0*" PRIu64, decimals, ticks % per_one);
    return grouped(ticks / per_one, micro < 0 ? "-" : plus, after, dst);
}

char *text_credits(int64_t micro, char dst[TEXT_CAP])
{
    return credits(micro, "", dst);
}

char *text_credits_signed(int64_t micro, char dst[TEXT_CAP])
{
    return credits(micro, "+", dst);
}

char *text_percent(double frac, char dst[TEXT_CAP])
{
    if (!isfinite(frac)) return missing(dst);
    double p = frac * 100;
    if (p > 0 && p < 1)
        snprintf(dst, TEXT_CAP, "<1%%");
    else
        snprintf(dst, TEXT_CAP, "%.0f%%", p > 1e9 ? 1e9 : p < -1e9 ? -1e9 : p);
    return dst;
}

static int local(int64_t wall_ms, struct tm *ret)
{
    if (wall_ms == VIEW_NONE) return -1;
    time_t t = (time_t)(wall_ms / 1000);
    return localtime_r(&t, ret) ? 0 : -1;
}

char *text_clock(int64_t wall_ms, char dst[TEXT_CAP])
{
    struct tm tm;
    if (local(wall_ms, &tm)) return missing(dst);
    snprintf(dst, TEXT_CAP, "%02d:%02d", tm.tm_hour, tm.tm_min);
    return dst;
}

char *text_date(int64_t wall_ms, char dst[TEXT_CAP])
{
    static const char month[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;
    if (local(wall_ms, &tm) || tm.tm_mon < 0 || tm.tm_mon > 11) return missing(dst);
    snprintf(dst, TEXT_CAP, "%d %s %02d:%02d", tm.tm_mday, month[tm.tm_mon], tm.tm_hour, tm.tm_min);
    return dst;
}
