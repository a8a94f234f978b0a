#include "net/cap.h"

static double burst(const struct cap *c)
{
    double b = c->bytes_per_s / 10;
    return b < 4.0 * CAP_LEAST ? 4.0 * CAP_LEAST : b;
}

static void fill(struct cap *c, int64_t now_ns)
{
    double most = burst(c);
    if (now_ns > c->at_ns) c->tokens += (double)(now_ns - c->at_ns) / 1e9 * c->bytes_per_s;
    c->at_ns = now_ns;
    if (c->tokens > most) c->tokens = most;
}

void cap_set(struct cap *c, double bytes_per_s, int64_t now_ns)
{
    *c = (struct cap){.bytes_per_s = bytes_per_s > 0 ? bytes_per_s : 0, .at_ns = now_ns};
}

size_t cap_take(struct cap *c, size_t n, int64_t now_ns)
{
    if (!(c->bytes_per_s > 0)) return n;
    fill(c, now_ns);
    double least = n < CAP_LEAST ? (double)n : CAP_LEAST;
    if (c->tokens < least) return 0;
    size_t may = (double)n < c->tokens ? n : (size_t)c->tokens;
    c->tokens -= (double)may;
    return may;
}

void cap_spend(struct cap *c, size_t n, int64_t now_ns)
{
    if (!(c->bytes_per_s > 0)) return;
    fill(c, now_ns);
    c->tokens -= (double)n;
}

int64_t cap_wait_ms(struct cap *c, int64_t now_ns)
{
    if (!(c->bytes_per_s > 0)) return 0;
    fill(c, now_ns);
    return c->tokens >= 0 ? 0 : (int64_t)(-c->tokens / c->bytes_per_s * 1e3) + 1;
}
