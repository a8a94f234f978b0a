#include "engine/packed.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/kernels_act.h"

/* A group of 8-bit codes: the largest magnitude, then the codes. */
enum { GROUP_BYTES = 4 + PACKED_GROUP };

size_t packed_bytes(enum packed_kind kind, uint64_t n)
{
    size_t groups = (size_t)((n + PACKED_GROUP - 1) / PACKED_GROUP);
    switch (kind) {
    case PACKED_F32: return size_mul((size_t)n, 4);
    case PACKED_BF16: return size_mul((size_t)n, 2);
    case PACKED_Q8:
    case PACKED_U8: return size_mul(groups, GROUP_BYTES);
    case PACKED_KINDS: break;
    }
    return SIZE_MAX;
}

static const char *const words[] = {
    [PACKED_F32] = "fp32", [PACKED_BF16] = "bf16", [PACKED_Q8] = "8bit"};

#define N_WORDS (sizeof words / sizeof *words)

const char *packed_word(enum packed_kind kind)
{
    return (size_t)kind < N_WORDS ? words[kind] : NULL;
}

int packed_of_word(const char *word, enum packed_kind *ret)
{
    for (size_t i = 0; i < N_WORDS; i++) {
        if (strcmp(word, words[i]) != 0) continue;
        *ret = (enum packed_kind)i;
        return 0;
    }
    return -1;
}

static uint8_t *group_at(const void *block, uint64_t at)
{
    return (uint8_t *)(uintptr_t)block + at / PACKED_GROUP * GROUP_BYTES;
}

static float largest(const float *x, uint32_t n)
{
    float top = 0;
    for (uint32_t i = 0; i < n; i++)
        top = fabsf(x[i]) > top ? fabsf(x[i]) : top;
    return top;
}

static void get_q8(const uint8_t *g, uint32_t n, float *dst)
{
    float top;
    memcpy(&top, g, 4);
    for (uint32_t i = 0; i < n; i++) {
        float c = (float)(int8_t)g[4 + i] * (1.0F / 127);
        dst[i] = top * (c * fabsf(c));
    }
}

static void put_q8(uint8_t *g, uint32_t n, const float *src)
{
    float top = largest(src, n);
    float inverse = top > 0 ? 1.0F / top : 0;
    memcpy(g, &top, 4);
    for (uint32_t i = 0; i < n; i++) {
        float c = sqrtf(fminf(fabsf(src[i]) * inverse, 1.0F)) * 127.0F + 0.5F;
        int code = (int)c;
        g[4 + i] = (uint8_t)(src[i] < 0 ? -code : code);
    }
}

static void get_u8(const uint8_t *g, uint32_t n, float *dst)
{
    float top;
    memcpy(&top, g, 4);
    for (uint32_t i = 0; i < n; i++) {
        float c = (float)g[4 + i] * (1.0F / 255);
        dst[i] = top * ((c * c) * (c * c));
    }
}

static void put_u8(uint8_t *g, uint32_t n, const float *src)
{
    float top = largest(src, n);
    float inverse = top > 0 ? 1.0F / top : 0;
    memcpy(g, &top, 4);
    for (uint32_t i = 0; i < n; i++) {
        float c = sqrtf(sqrtf(fminf(src[i] * inverse, 1.0F))) * 255.0F + 0.5F;
        int code = (int)c;
        g[4 + i] = (uint8_t)(code < 1 && src[i] > 0 ? 1 : code);
    }
}

void packed_get(enum packed_kind kind, const void *block, uint64_t at, uint32_t n, float *dst)
{
    switch (kind) {
    case PACKED_F32: memcpy(dst, (const float *)block + at, n * sizeof *dst); return;
    case PACKED_BF16:
        kernels_act_get(MICRO_BF16, dst, kernels_act_in(block, MICRO_BF16, (size_t)at), n);
        return;
    case PACKED_Q8: get_q8(group_at(block, at), n, dst); return;
    case PACKED_U8: get_u8(group_at(block, at), n, dst); return;
    case PACKED_KINDS: return;
    }
}

void packed_put(enum packed_kind kind, void *block, uint64_t at, uint32_t n, const float *src)
{
    switch (kind) {
    case PACKED_F32: memcpy((float *)block + at, src, n * sizeof *src); return;
    case PACKED_BF16:
        kernels_act_put(MICRO_BF16, kernels_act_at(block, MICRO_BF16, (size_t)at), src, n);
        return;
    case PACKED_Q8: put_q8(group_at(block, at), n, src); return;
    case PACKED_U8: put_u8(group_at(block, at), n, src); return;
    case PACKED_KINDS: return;
    }
}
