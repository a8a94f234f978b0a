#include "engine/outer.h"

#define WAIT_EVERY (1u << 18) /* values walked: some milliseconds */

void outer_accumulate(float beta, const float *base, const float *local, float *acc, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        float kept = beta * acc[i];
        float moved = base[i] - local[i];
        acc[i] = kept + moved;
    }
}

/* One walk over a payload; dst[i] += factor * value[i] for all that it carries, or with dst NULL
 * only the check of its form.
 */
static int walk(const struct model_table *t, const struct delta_params *p, enum delta_kind kind,
                const void *bytes, size_t n, const struct outer_wait *wait, float factor,
                float *dst, struct err *e)
{
    struct delta_reader r;
    struct delta_chunk c;
    uint64_t n_since = 0;
    int rc = delta_reader_init(&r, t, p, kind, bytes, n, e);
    while (rc == OK && (rc = delta_reader_next(&r, &c, e)) == OK) {
        for (uint32_t i = 0; dst && i < c.n; i++) {
            float *at = dst + c.start + c.pos[i];
            float step = factor * c.value[i];
            *at = *at + step;
        }
        n_since += c.len;
        if (n_since < WAIT_EVERY) continue;
        n_since = 0;
        if (wait && wait->fn) wait->fn(wait->ctx);
    }
    return rc == ERR_AGAIN ? OK : rc;
}

/* All is checked before the first value changes. */
static int add_payload(const struct model_table *t, const struct delta_params *p,
                       enum delta_kind kind, const void *bytes, size_t n,
                       const struct outer_wait *wait, float factor, float *dst, struct err *e)
{
    int rc = walk(t, p, kind, bytes, n, wait, factor, NULL, e);
    return rc == OK ? walk(t, p, kind, bytes, n, wait, factor, dst, e) : rc;
}

int outer_return_waiting(const struct model_table *t, const struct delta_params *p,
                         const void *bytes, size_t n, const struct outer_wait *wait, float *acc,
                         struct err *e)
{
    return add_payload(t, p, DELTA_CONTRIBUTION, bytes, n, wait, 1.0F, acc, e);
}

int outer_return(const struct model_table *t, const struct delta_params *p, const void *bytes,
                 size_t n, float *acc, struct err *e)
{
    return outer_return_waiting(t, p, bytes, n, NULL, acc, e);
}

int outer_apply_waiting(const struct model_table *t, const struct delta_params *p, float outer_lr,
                        const void *update, size_t n, const struct outer_wait *wait, float *base,
                        struct err *e)
{
    /* base + (-lr) * u has the same bits as base - lr * u: negation is exact. */
    return add_payload(t, p, DELTA_UPDATE, update, n, wait, -outer_lr, base, e);
}

int outer_apply(const struct model_table *t, const struct delta_params *p, float outer_lr,
                const void *update, size_t n, float *base, struct err *e)
{
    return outer_apply_waiting(t, p, outer_lr, update, n, NULL, base, e);
}
