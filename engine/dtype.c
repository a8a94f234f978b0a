#include "engine/dtype.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

static const char *const names[] = {
    [DTYPE_F32] = "f32", [DTYPE_F16] = "f16", [DTYPE_BF16] = "bf16", [DTYPE_Q8_0] = "q8_0"};

const char *dtype_name(enum dtype t)
{
    return names[t];
}

enum dtype dtype_find(const char *name)
{
    for (int t = DTYPE_F32; t <= DTYPE_Q8_0; t++)
        if (strcmp(names[t], name) == 0) return (enum dtype)t;
    return (enum dtype)0;
}

uint64_t dtype_bytes(enum dtype t, uint64_t n)
{
    if (t == DTYPE_Q8_0) return n / DTYPE_Q8_0_VALUES * DTYPE_Q8_0_BYTES;
    return n * (t == DTYPE_F32 ? 4 : 2);
}

float dtype_max(enum dtype t)
{
    switch (t) {
    case DTYPE_F16: return 65519.996F;         /* below the midpoint to 65536 */
    case DTYPE_BF16: return 0x1.fefffep127F;   /* below the midpoint to 2^128 */
    case DTYPE_Q8_0: return 65504.0F * 127.0F; /* its scale is an f16 */
    case DTYPE_F32: break;
    }
    return 0x1.fffffep127F;
}

static uint32_t bits_of(float v)
{
    uint32_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

static float of_bits(uint32_t b)
{
    float v;
    memcpy(&v, &b, sizeof v);
    return v;
}

uint16_t dtype_to_bf16(float v)
{
    uint32_t b = bits_of(v);
    if ((b & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(b >> 16 | 0x40); /* quiet NaN */
    return (uint16_t)((b + 0x7fffu + (b >> 16 & 1)) >> 16);
}

float dtype_from_bf16(uint16_t b)
{
    return of_bits((uint32_t)b << 16);
}

/* v / 2^s rounded to nearest, ties to even; s < 32. */
static uint32_t shift_even(uint32_t v, uint32_t s)
{
    uint32_t q = v >> s;
    uint32_t rest = v & ((1u << s) - 1);
    uint32_t half = 1u << (s - 1);
    return q + (rest > half || (rest == half && (q & 1)));
}

uint16_t dtype_to_f16(float v)
{
    uint32_t b = bits_of(v);
    uint32_t sign = b >> 16 & 0x8000u;
    uint32_t mag = b & 0x7fffffffu;
    if (mag > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (mag >> 13 & 0x1ffu));
    if (mag >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and up: infinity */
    if (mag >= 0x38800000u) /* normal: the exponent's bias goes from 127 to 15 */
        return (uint16_t)(sign | shift_even(mag - 0x38000000u, 13));
    if (mag < 0x33000000u) return (uint16_t)sign; /* below half of the least, 2^-25 */
    uint32_t exponent = mag >> 23;                /* 102..112; the value counts in 2^-24 */
    uint32_t fraction = (mag & 0x7fffffu) | 0x800000u;
    return (uint16_t)(sign | shift_even(fraction, 126 - exponent));
}

float dtype_from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = h >> 10 & 0x1fu;
    uint32_t fraction = h & 0x3ffu;
    if (exponent == 31) return of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent) return of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float v = (float)fraction * 0x1p-24F;
    return sign ? -v : v;
}

static void pack_q8_0(const float *src, uint8_t *dst)
{
    float most = 0;
    for (int i = 0; i < DTYPE_Q8_0_VALUES; i++)
        most = fabsf(src[i]) > most ? fabsf(src[i]) : most;
    float d = most / 127.0F;
    float inverse = d != 0 ? 1.0F / d : 0;
    if (!isfinite(inverse)) d = inverse = 0; /* so tiny that the scale would be zero as well */
    bytes_put_u16(dst, dtype_to_f16(d));
    for (int i = 0; i < DTYPE_Q8_0_VALUES; i++)
        dst[2 + i] = (uint8_t)(int8_t)roundf(src[i] * inverse);
}

static void unpack_q8_0(const uint8_t *src, float *dst)
{
    float d = dtype_from_f16(bytes_u16(src));
    for (int i = 0; i < DTYPE_Q8_0_VALUES; i++)
        dst[i] = d * (float)(int8_t)src[2 + i];
}

void dtype_pack(enum dtype t, const float *src, size_t n, uint8_t *dst)
{
    switch (t) {
    case DTYPE_F32:
        for (size_t i = 0; i < n; i++)
            bytes_put_u32(dst + 4 * i, bits_of(src[i]));
        break;
    case DTYPE_F16:
        for (size_t i = 0; i < n; i++)
            bytes_put_u16(dst + 2 * i, dtype_to_f16(src[i]));
        break;
    case DTYPE_BF16:
        for (size_t i = 0; i < n; i++)
            bytes_put_u16(dst + 2 * i, dtype_to_bf16(src[i]));
        break;
    case DTYPE_Q8_0:
        check(n % DTYPE_Q8_0_VALUES == 0);
        for (size_t i = 0; i < n / DTYPE_Q8_0_VALUES; i++)
            pack_q8_0(src + i * DTYPE_Q8_0_VALUES, dst + i * DTYPE_Q8_0_BYTES);
        break;
    }
}

void dtype_unpack(enum dtype t, const uint8_t *src, size_t n, float *dst)
{
    switch (t) {
    case DTYPE_F32:
        for (size_t i = 0; i < n; i++)
            dst[i] = of_bits(bytes_u32(src + 4 * i));
        break;
    case DTYPE_F16:
        for (size_t i = 0; i < n; i++)
            dst[i] = dtype_from_f16(bytes_u16(src + 2 * i));
        break;
    case DTYPE_BF16:
        for (size_t i = 0; i < n; i++)
            dst[i] = dtype_from_bf16(bytes_u16(src + 2 * i));
        break;
    case DTYPE_Q8_0:
        check(n % DTYPE_Q8_0_VALUES == 0);
        for (size_t i = 0; i < n / DTYPE_Q8_0_VALUES; i++)
            unpack_q8_0(src + i * DTYPE_Q8_0_BYTES, dst + i * DTYPE_Q8_0_VALUES);
        break;
    }
}

size_t dtype_first_bad(const float *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((bits_of(p[i]) & 0x7f800000u) == 0x7f800000u) return i;
    return n;
}

size_t dtype_first_unfit(enum dtype t, const float *p, size_t n)
{
    float most = dtype_max(t);
    for (size_t i = 0; i < n; i++)
        if (!(p[i] >= -most && p[i] <= most)) return i;
    return n;
}
