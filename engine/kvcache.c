#include "engine/kvcache.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/kernels.h"
#include "engine/kernels_inline.h"

#define INLINE KERNELS_INLINE

enum { LANES = KERNELS_LANES, Q_ROWS = 16 };

static size_t padded(uint32_t n_ctx)
{
    return ((size_t)n_ctx + LANES - 1) / LANES * LANES;
}

static size_t head_floats(const struct kvcache_shape *s)
{
    return size_mul(padded(s->n_ctx), s->W);
}

size_t kvcache_floats(const struct kvcache_shape *s)
{
    return size_mul(size_mul(2, s->K), head_floats(s));
}

size_t kvcache_scratch(const struct kvcache_shape *s, uint32_t n_threads)
{
    return size_mul(padded(s->n_ctx), n_threads);
}

/* Where a head's keys and values begin. */
static size_t keys_at(const struct kvcache_shape *s, uint32_t kv)
{
    return kv * head_floats(s);
}

static size_t values_at(const struct kvcache_shape *s, uint32_t kv)
{
    return (s->K + kv) * head_floats(s);
}

void kvcache_put(const struct kvcache_shape *s, float *cache, uint32_t pos, const float *qkv,
                 uint32_t n)
{
    size_t stride = (size_t)(s->H + 2 * s->K) * s->W;
    for (uint32_t i = 0; i < n; i++) {
        const float *row = qkv + i * stride + (size_t)s->H * s->W;
        uint32_t t = pos + i;
        for (uint32_t kv = 0; kv < s->K; kv++) {
            float *key = cache + keys_at(s, kv) + (size_t)(t / LANES) * s->W * LANES + t % LANES;
            for (uint32_t w = 0; w < s->W; w++)
                key[(size_t)w * LANES] = row[kv * s->W + w];
            memcpy(cache + values_at(s, kv) + (size_t)t * s->W, row + (size_t)(s->K + kv) * s->W,
                   s->W * sizeof(float));
        }
    }
}

/* p [padded n] = scale * q k; what stands behind n in the last block is of no use to anybody. */
INLINE void scores(float *p, const float *keys, const float *q, uint32_t W, uint32_t n, float scale)
{
    size_t block = (size_t)W * LANES;
    uint32_t t = 0;
    for (; t + 4 * LANES <= n; t += 4 * LANES, keys += 4 * block) {
        kernels_lanes s[4] = {{0}};
        for (uint32_t w = 0; w < W; w++)
            for (uint32_t b = 0; b < 4; b++)
                s[b] += *(const kernels_lanes *)(keys + b * block + (size_t)w * LANES) * q[w];
        for (uint32_t b = 0; b < 4; b++)
            *(kernels_lanes *)(p + t + b * LANES) = s[b] * scale;
    }
    for (; t < n; t += LANES, keys += block) {
        kernels_lanes s = {0};
        for (uint32_t w = 0; w < W; w++)
            s += *(const kernels_lanes *)(keys + (size_t)w * LANES) * q[w];
        *(kernels_lanes *)(p + t) = s * scale;
    }
}

KERNELS_LOOP(scores,
             (float *p, const float *keys, const float *q, uint32_t W, uint32_t n, float scale),
             scores(p, keys, q, W, n, scale))

/* The sum of a row of scores: 16 interleaved ones, folded in one tree. */
INLINE float row_sum(const float *p, uint32_t n)
{
    kernels_lanes v = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v += *(const kernels_lanes *)(p + i);
    float s[LANES];
    memcpy(s, &v, sizeof s);
    for (uint32_t j = i; j < n; j++)
        s[j - i] += p[j];
    return kernels_fold(s);
}
KERNELS_SUM(float, row_sum, (const float *p, uint32_t n), row_sum(p, n))

/* out [W] = scale * sum of p[t] v[t], in order of t, for the columns [at, at + 16 * n_lanes). */
INLINE void mix_lanes(float *out, const float *v, const float *p, uint32_t W, uint32_t n,
                      float scale, uint32_t n_lanes)
{
    kernels_lanes s[4] = {{0}};
    for (uint32_t t = 0; t < n; t++, v += W)
        for (uint32_t b = 0; b < n_lanes; b++)
            s[b] += *(const kernels_lanes *)(v + (size_t)b * LANES) * p[t];
    for (uint32_t b = 0; b < n_lanes; b++)
        *(kernels_lanes *)(out + (size_t)b * LANES) = s[b] * scale;
}

INLINE void mix(float *out, const float *v, const float *p, uint32_t W, uint32_t n, float scale)
{
    uint32_t w = 0;
    for (; w + 4 * LANES <= W; w += 4 * LANES)
        mix_lanes(out + w, v + w, p, W, n, scale, 4);
    for (; w + 2 * LANES <= W; w += 2 * LANES)
        mix_lanes(out + w, v + w, p, W, n, scale, 2);
    for (; w + LANES <= W; w += LANES)
        mix_lanes(out + w, v + w, p, W, n, scale, 1);
    for (; w < W; w++) {
        float s = 0;
        for (uint32_t t = 0; t < n; t++)
            s += v[(size_t)t * W + w] * p[t];
        out[w] = s * scale;
    }
}
KERNELS_LOOP(mix, (float *out, const float *v, const float *p, uint32_t W, uint32_t n, float scale),
             mix(out, v, p, W, n, scale))

struct job {
    const struct kvcache_shape *s;
    const float *cache;
    const float *qkv;
    float *out;
    float *scratch;
    uint32_t pos, n;
    float scale;
};

/* Up to Q_ROWS rows of one head: its keys stay in the processor's cache meanwhile. */
static void attend_piece(void *ctx, uint32_t piece, uint32_t i_worker)
{
    const struct job *j = ctx;
    const struct kvcache_shape *s = j->s;
    uint32_t h = piece % s->H;
    uint32_t first = piece / s->H * Q_ROWS;
    uint32_t end = j->n - first < Q_ROWS ? j->n : first + Q_ROWS;
    uint32_t kv = h / (s->H / s->K);
    float *p = j->scratch + i_worker * padded(s->n_ctx);
    for (uint32_t i = first; i < end; i++) {
        const float *q = j->qkv + (size_t)i * (s->H + 2 * s->K) * s->W + (size_t)h * s->W;
        uint32_t seen = j->pos + i + 1;
        KERNELS_PICK(scores)(p, j->cache + keys_at(s, kv), q, s->W, seen, j->scale);
        kernels_exp_shift(p, kernels_max(p, seen), seen);
        KERNELS_PICK(mix)
        (j->out + ((size_t)i * s->H + h) * s->W, j->cache + values_at(s, kv), p, s->W, seen,
         1.0F / KERNELS_PICK(row_sum)(p, seen));
    }
}

void kvcache_attend(struct pool *p, const struct kvcache_shape *s, const float *cache, uint32_t pos,
                    const float *qkv, uint32_t n, float *out, float *scratch)
{
    struct job j = {.s = s,
                    .cache = cache,
                    .qkv = qkv,
                    .out = out,
                    .scratch = scratch,
                    .pos = pos,
                    .n = n,
                    .scale = 1.0F / sqrtf((float)s->W)};
    pool_run(p, s->H * ((n + Q_ROWS - 1) / Q_ROWS), attend_piece, &j);
}
