#include "record/puzzle.h"

#include <string.h>

#include "base/bytes.h"

#define DOMAIN   "potluck-door+1"
#define N_DOMAIN (sizeof DOMAIN - 1)

bool puzzle_is_fit(const struct puzzle *p)
{
    if (p->bits == 0) return p->memory_kib == 0;
    bool is_power = (p->memory_kib & (p->memory_kib - 1)) == 0;
    return is_power && p->memory_kib >= PUZZLE_MIN_KIB && p->memory_kib <= PUZZLE_MAX_KIB &&
           p->bits <= PUZZLE_MAX_BITS;
}

static uint32_t zero_bits(const struct hash *h)
{
    uint32_t n = 0;
    while (n < 8 * HASH_BYTES && !(h->b[n / 8] >> (7 - n % 8) & 1))
        n++;
    return n;
}

int puzzle_check(const struct puzzle *p, const struct hash *run, const struct key_pub *key,
                 uint64_t nonce, struct err *e)
{
    uint8_t text[N_DOMAIN + HASH_BYTES + KEY_BYTES + 8];
    struct hash h;
    if (!puzzle_is_fit(p) || p->bits == 0)
        return err_set(e, ERR_ARG, 0, "the run's entry puzzle is none that this program knows");
    memcpy(text, DOMAIN, N_DOMAIN);
    memcpy(text + N_DOMAIN, run->b, HASH_BYTES);
    memcpy(text + N_DOMAIN + HASH_BYTES, key->b, KEY_BYTES);
    bytes_put_u64(text + N_DOMAIN + HASH_BYTES + KEY_BYTES, nonce);
    int rc = hash_scrypt(text, sizeof text, DOMAIN, N_DOMAIN, p->memory_kib, &h, e);
    if (rc != OK) return rc;
    if (zero_bits(&h) >= p->bits) return OK;
    return err_set(e, ERR_AUTH, 0, "the entry puzzle is not solved by this answer");
}

int puzzle_solve(const struct puzzle *p, const struct hash *run, const struct key_pub *key,
                 bool (*is_wanted)(void *ctx), void *ctx, uint64_t *nonce, struct err *e)
{
    if (*nonce == 0) *nonce = 1;
    for (;; (*nonce)++) {
        if (!is_wanted(ctx)) return err_set(e, ERR_CANCELLED, 0, "the entry puzzle was laid aside");
        int rc = puzzle_check(p, run, key, *nonce, e);
        if (rc != ERR_AUTH) return rc;
    }
}
