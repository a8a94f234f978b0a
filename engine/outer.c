#include "engine/outer.h"

void outer_accumulate(float beta, const float *base, const float *local, float *acc, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        float kept = beta * acc[i];
        float moved = base[i] - local[i];
        acc[i] = kept + moved;
    }
}

/* dst[i] += factor * value[i] for all that a checked payload carries. */
static int add_payload(const struct model_table *t, const struct delta_params *p,
                       enum delta_kind kind, const void *bytes, size_t n, float factor, float *dst,
                       struct err *e)
{
    struct delta_reader r;
    struct delta_chunk c;
    int rc = delta_check(t, p, kind, bytes, n, NULL, e);
    if (rc == OK) rc = delta_reader_init(&r, t, p, kind, bytes, n, e);
    while (rc == OK && (rc = delta_reader_next(&r, &c, e)) == OK) {
        float *chunk = dst + c.start;
        for (uint32_t i = 0; i < c.n; i++) {
            float step = factor * c.value[i];
            chunk[c.pos[i]] = chunk[c.pos[i]] + step;
        }
    }
    return rc == ERR_AGAIN ? OK : rc;
}

int outer_return(const struct model_table *t, const struct delta_params *p, const void *bytes,
                 size_t n, float *acc, struct err *e)
{
    return add_payload(t, p, DELTA_CONTRIBUTION, bytes, n, 1.0F, acc, e);
}

int outer_apply(const struct model_table *t, const struct delta_params *p, float outer_lr,
                const void *update, size_t n, float *base, struct err *e)
{
    /* base + (-lr) * u has the same bits as base - lr * u: negation is exact. */
    return add_payload(t, p, DELTA_UPDATE, update, n, -outer_lr, base, e);
}
