#include "base/rng.h"

#include <errno.h>
#include <sys/random.h>

#include "base/err.h"

static uint64_t splitmix(uint64_t *x)
{
    *x += 0x9e3779b97f4a7c15ULL;
    uint64_t z = *x;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void rng_init(struct rng *r, uint64_t seed, uint64_t stream)
{
    uint64_t x = seed;
    uint64_t y = stream ^ splitmix(&x);
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&y);
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t out = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    uint32_t floor = -n % n; /* 2^32 mod n: values below it would be drawn too often */
    for (;;) {
        uint64_t m = (rng_u64(r) >> 32) * n;
        if ((uint32_t)m >= floor) return (uint32_t)(m >> 32);
    }
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

float rng_normal(struct rng *r)
{
    int64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t v = rng_u64(r);
        sum += (int64_t)((v & 0xffff) + (v >> 16 & 0xffff) + (v >> 32 & 0xffff) + (v >> 48));
    }
    return (float)(sum - 6 * 65535) / 65536.0F; /* 12 uniforms: variance 1 */
}

void rng_secure(void *p, size_t n)
{
    uint8_t *b = p;
    while (n) {
        ssize_t got = getrandom(b, n, 0);
        if (got < 0 && errno == EINTR) continue;
        check(got > 0);
        b += got;
        n -= (size_t)got;
    }
}
