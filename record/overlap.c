#include "record/overlap.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"

static uint64_t n_chunks(const struct model_table *t, const struct delta_params *p)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < t->n_tensors; i++)
        if (t->tensors[i].cols > 1) n += (t->tensors[i].n + p->chunk - 1) / p->chunk;
    return n;
}

/* Which of the two-dimensional chunks, ascending; at most OVERLAP_CHUNKS of n. Selection sampling
 * (Knuth, The Art of Computer Programming, vol. 2, 3.4.2, algorithm S).
 */
static uint32_t draw(const struct hash *seed, uint64_t n, uint64_t out[OVERLAP_CHUNKS])
{
    struct rng r;
    uint32_t got = 0;

    rng_init(&r, bytes_u64(seed->b), 0);
    for (uint64_t i = 0; i < n && got < OVERLAP_CHUNKS; i++) {
        uint64_t left = n - i < UINT32_MAX ? n - i : UINT32_MAX;
        if (rng_below(&r, (uint32_t)left) < OVERLAP_CHUNKS - got) out[got++] = i;
    }
    return got;
}

int overlap_take(const struct model_table *t, const struct delta_params *p, const struct hash *seed,
                 const void *payload, size_t n, struct overlap_sketch *ret, struct err *e)
{
    uint64_t want[OVERLAP_CHUNKS];
    uint32_t n_want = draw(seed, n_chunks(t, p), want), at = 0;
    uint64_t i_chunk = 0;
    struct delta_reader r;
    struct delta_chunk *c = alloc_zero(1, sizeof *c);
    if (!c) return err_set(e, ERR_NOMEM, 0, "no memory to compare contributions");
    memset(ret, 0, sizeof *ret);
    int rc = delta_reader_init(&r, t, p, DELTA_CONTRIBUTION, payload, n, e);
    while (rc == OK && at < n_want && (rc = delta_reader_next(&r, c, e)) == OK) {
        if (t->tensors[c->i_tensor].cols <= 1) continue;
        if (i_chunk++ != want[at]) continue;
        ret->n_values += c->n;
        for (uint32_t j = 0; j < c->n; j++) {
            uint64_t *row = c->value[j] < 0 ? ret->minus[at] : ret->plus[at];
            row[c->pos[j] / 64] |= 1ULL << (c->pos[j] % 64);
        }
        at++;
    }
    free(c);
    return rc == ERR_AGAIN ? OK : rc;
}

uint32_t overlap_millionths(const struct overlap_sketch *a, const struct overlap_sketch *b)
{
    const uint64_t *x = &a->plus[0][0], *y = &b->plus[0][0];
    const uint64_t *u = &a->minus[0][0], *v = &b->minus[0][0];
    uint64_t n_less = a->n_values < b->n_values ? a->n_values : b->n_values;
    uint64_t n_same = 0;
    for (uint32_t i = 0; i < OVERLAP_CHUNKS * (DELTA_MAX_CHUNK / 64); i++)
        n_same += (uint64_t)__builtin_popcountll(x[i] & y[i]) +
                  (uint64_t)__builtin_popcountll(u[i] & v[i]);
    return n_less ? (uint32_t)(n_same * 1000000 / n_less) : 0;
}
