#pragma once
/* Why: little-endian numbers at any alignment, and a reader that never runs past its end.
 * A `struct cursor` over foreign bytes turns every overrun into one sticky flag.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void bytes_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void bytes_put_u32(uint8_t *p, uint32_t v)
{
    bytes_put_u16(p, (uint16_t)v);
    bytes_put_u16(p + 2, (uint16_t)(v >> 16));
}

static inline void bytes_put_u64(uint8_t *p, uint64_t v)
{
    bytes_put_u32(p, (uint32_t)v);
    bytes_put_u32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t bytes_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)p[1] << 8);
}

static inline uint32_t bytes_u32(const uint8_t *p)
{
    return bytes_u16(p) | (uint32_t)bytes_u16(p + 2) << 16;
}

static inline uint64_t bytes_u64(const uint8_t *p)
{
    return bytes_u32(p) | (uint64_t)bytes_u32(p + 4) << 32;
}

/* Reads from [p, p + n); after the first overrun `bad` stays set and reads give zeros. */
struct cursor {
    const uint8_t *p;
    size_t n;
    bool bad;
};

static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
    if (c->bad || c->n < n) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    c->n -= n;
    return p;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 1);
    return p ? *p : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 2);
    return p ? bytes_u16(p) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 4);
    return p ? bytes_u32(p) : 0;
}

static inline uint64_t cursor_u64(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 8);
    return p ? bytes_u64(p) : 0;
}

static inline float cursor_f32(struct cursor *c)
{
    uint32_t bits = cursor_u32(c);
    float v = 0;
    memcpy(&v, &bits, 4);
    return v;
}
