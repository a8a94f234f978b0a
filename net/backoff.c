#include "net/backoff.h"

#include "base/err.h"

void backoff_init(struct backoff *b, uint32_t base_ms, uint32_t cap_ms, uint64_t seed)
{
    check(base_ms > 0 && cap_ms >= base_ms);
    rng_init(&b->rng, seed, 0);
    b->base_ms = base_ms;
    b->cap_ms = cap_ms;
    b->n_failures = 0;
}

uint32_t backoff_next_ms(struct backoff *b, uint32_t retry_after_ms)
{
    uint64_t d = b->base_ms;
    for (uint32_t i = 0; i < b->n_failures && d < b->cap_ms; i++)
        d *= 2;
    if (d > b->cap_ms) d = b->cap_ms;
    if (b->n_failures < UINT32_MAX) b->n_failures++;
    uint32_t half = (uint32_t)(d / 2);
    uint32_t wait = half + rng_below(&b->rng, (uint32_t)(d - half) + 1);
    if (retry_after_ms <= wait) return wait;
    uint64_t most = (uint64_t)b->cap_ms * 10;
    return retry_after_ms < most ? retry_after_ms : most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

void backoff_progress(struct backoff *b)
{
    b->n_failures = 0;
}
