#include "engine/rice.h"

#include <assert.h>

#include "base/bytes.h"

void rice_put(struct rice_sink *s, uint32_t v, unsigned n)
{
    assert(n <= 32 && s->len + 8 <= RICE_SINK_CAP);
    uint64_t mask = ((uint64_t)1 << n) - 1;
    s->acc |= (v & mask) << s->n_acc;
    s->n_acc += n;
    if (s->n_acc >= 32) {
        bytes_put_u32(s->bytes + s->len, (uint32_t)s->acc);
        s->len += 4;
        s->acc >>= 32;
        s->n_acc -= 32;
    }
}

void rice_pad(struct rice_sink *s)
{
    while (s->n_acc > 0) {
        s->bytes[s->len++] = (uint8_t)s->acc;
        s->acc >>= 8;
        s->n_acc = s->n_acc > 8 ? s->n_acc - 8 : 0;
    }
}

/* The next 57 bits or more; past the end they are zeros. */
static uint64_t peek(const struct rice_source *s)
{
    size_t i = (size_t)(s->at >> 3);
    unsigned shift = (unsigned)(s->at & 7);
    if (i < s->n && s->n - i >= 8) return bytes_u64(s->p + i) >> shift;
    uint64_t v = 0;
    for (unsigned b = 0; i + b < s->n && b < 8; b++)
        v |= (uint64_t)s->p[i + b] << (8 * b);
    return v >> shift;
}

static void skip(struct rice_source *s, unsigned n)
{
    if (s->bad || (uint64_t)s->n * 8 - s->at < n)
        s->bad = true;
    else
        s->at += n;
}

uint32_t rice_get(struct rice_source *s, unsigned n)
{
    assert(n <= 32);
    uint64_t v = peek(s) & (((uint64_t)1 << n) - 1);
    skip(s, n);
    return s->bad ? 0 : (uint32_t)v;
}

bool rice_at_end(const struct rice_source *s)
{
    return !s->bad && (uint64_t)s->n * 8 - s->at < 8 && peek(s) == 0;
}

unsigned rice_best(const uint16_t *pos, uint32_t n, uint64_t *ret_bits)
{
    assert(n >= 1 && n <= RICE_MAX_LEN);
    uint16_t gaps[RICE_MAX_LEN];
    gaps[0] = pos[0];
    for (uint32_t i = 1; i < n; i++)
        gaps[i] = (uint16_t)(pos[i] - pos[i - 1] - 1);
    /* One more bit of parameter costs n bits and saves the sum of ceil((gap >> k) / 2), which only
     * falls as k grows: costs are convex, and the first parameter that is not improved on is best.
     */
    uint64_t best_bits = UINT64_MAX;
    for (unsigned k = 0; k <= RICE_MAX_PARAM; k++) {
        uint32_t sum = 0;
        for (uint32_t i = 0; i < n; i++)
            sum += (uint32_t)gaps[i] >> k;
        uint64_t bits = sum + (uint64_t)n * (k + 1);
        if (bits >= best_bits) {
            *ret_bits = best_bits;
            return k - 1;
        }
        best_bits = bits;
    }
    *ret_bits = best_bits;
    return RICE_MAX_PARAM;
}

static void put_ones(struct rice_sink *s, uint32_t n)
{
    for (; n >= 31; n -= 31)
        rice_put(s, 0x7fffffffu, 31);
    rice_put(s, ((uint32_t)1 << n) - 1, n + 1); /* the closing zero comes with it */
}

uint64_t rice_put_positions(struct rice_sink *s, const uint16_t *pos, uint32_t n)
{
    uint64_t bits = 0;
    unsigned k = rice_best(pos, n, &bits);
    rice_put(s, k, 4);
    uint32_t next = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t gap = pos[i] - next;
        uint32_t q = gap >> k;
        if (q + 1 + k <= 32) {
            uint32_t low = gap & ((1u << k) - 1);
            rice_put(s, ((1u << q) - 1) | (q + 1 < 32 ? low << (q + 1) : 0), q + 1 + k);
        } else {
            put_ones(s, q);
            rice_put(s, gap, k);
        }
        next = (uint32_t)pos[i] + 1;
    }
    return bits + 4;
}

/* Ones before the next zero, or more than max when there are that many. */
static uint32_t get_ones(struct rice_source *s, uint32_t max)
{
    uint32_t n = 0;
    for (;;) {
        uint64_t zeros = ~peek(s);
        unsigned run = zeros ? (unsigned)__builtin_ctzll(zeros) : 64;
        if (run > 48) run = 48; /* peek promises 57 bits only */
        n += run;
        skip(s, run < 48 ? run + 1 : run);
        if (run < 48 || n > max || s->bad) return n;
    }
}

int rice_get_positions(struct rice_source *s, uint32_t n, uint32_t len, uint16_t *pos,
                       struct err *e)
{
    assert(n >= 1 && n <= len && len <= RICE_MAX_LEN);
    unsigned k = rice_get(s, 4);
    if (k > RICE_MAX_PARAM) return err_set(e, ERR_PROTO, 0, "position code has no such parameter");
    uint32_t next = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t gap = get_ones(s, len >> k) << k;
        gap |= rice_get(s, k);
        if (s->bad || gap >= len || next + gap >= len)
            return err_set(e, ERR_PROTO, 0, "position outside its chunk");
        pos[i] = (uint16_t)(next + gap);
        next += gap + 1;
    }
    uint64_t bits = 0;
    if (rice_best(pos, n, &bits) != k)
        return err_set(e, ERR_PROTO, 0, "positions are not in their shortest form");
    return OK;
}
