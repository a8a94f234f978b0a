#include "record/merkle.h"

#include <stdbool.h>
#include <string.h>

struct hash merkle_leaf(const void *entry, size_t n)
{
    static const uint8_t prefix = 0;
    return hash_of_two(&prefix, 1, entry, n);
}

struct hash merkle_node(const struct hash *left, const struct hash *right)
{
    uint8_t b[1 + 2 * HASH_BYTES] = {1};
    memcpy(b + 1, left->b, HASH_BYTES);
    memcpy(b + 1 + HASH_BYTES, right->b, HASH_BYTES);
    return hash_of(b, sizeof b);
}

struct hash merkle_empty(void)
{
    return hash_of("", 0);
}

/* --- compact range ---------------------------------------------------------------------------- */

void merkle_range_add(struct merkle_range *r, const struct hash *leaf)
{
    check(r->n < MERKLE_MAX_LEAVES - 1);
    struct hash h = *leaf;
    unsigned level = 0;
    for (; r->n >> level & 1; level++)
        h = merkle_node(&r->h[level], &h);
    r->h[level] = h;
    r->n++;
}

struct hash merkle_range_root(const struct merkle_range *r)
{
    struct hash h = {0};
    bool has = false;
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        if (!(r->n >> level & 1)) continue;
        h = has ? merkle_node(&r->h[level], &h) : r->h[level];
        has = true;
    }
    return has ? h : merkle_empty();
}

static int check_size(uint64_t n, struct err *e)
{
    if (n < MERKLE_MAX_LEAVES) return OK;
    return err_set(e, ERR_LIMIT, 0, "a log cannot have that many entries");
}

int merkle_range_load(uint64_t n, merkle_node_fn node, void *ctx, struct merkle_range *ret,
                      struct err *e)
{
    int rc = check_size(n, e);
    *ret = (struct merkle_range){.n = n};
    for (unsigned level = 0; !rc && level < MERKLE_LEVELS; level++)
        if (n >> level & 1) rc = node(ctx, level, (n >> level) - 1, &ret->h[level], e);
    return rc;
}

int merkle_root(uint64_t n, merkle_node_fn node, void *ctx, struct hash *ret, struct err *e)
{
    struct merkle_range r;
    int rc = merkle_range_load(n, node, ctx, &r, e);
    if (!rc) *ret = merkle_range_root(&r);
    return rc;
}

/* --- making proofs ---------------------------------------------------------------------------- */

struct walk {
    merkle_node_fn node;
    void *ctx;
    struct merkle_proof proof; /* from the root's side; turned round at the end */
};

/* Add the root of the leaves [lo, hi) to the proof. lo is a multiple of the largest power of two
 * within hi - lo, as every subtree of the tree is, so the complete parts are named by its bits.
 */
static int add_subtree(struct walk *w, uint64_t lo, uint64_t hi, struct err *e)
{
    struct hash acc = {0};
    bool has = false;
    uint64_t size = hi - lo;
    check(w->proof.n < MERKLE_MAX_PROOF);
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        if (!(size >> level & 1)) continue;
        struct hash h;
        hi -= UINT64_C(1) << level;
        int rc = w->node(w->ctx, level, hi >> level, &h, e);
        if (rc) return rc;
        acc = has ? merkle_node(&h, &acc) : h;
        has = true;
    }
    w->proof.h[w->proof.n++] = acc;
    return OK;
}

/* The largest power of two below n; n >= 2. */
static uint64_t split(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

static void turn_round(const struct walk *w, struct merkle_proof *ret)
{
    ret->n = w->proof.n;
    for (uint32_t i = 0; i < ret->n; i++)
        ret->h[i] = w->proof.h[ret->n - 1 - i];
}

int merkle_inclusion(uint64_t i, uint64_t n, merkle_node_fn node, void *ctx,
                     struct merkle_proof *ret, struct err *e)
{
    struct walk w = {.node = node, .ctx = ctx};
    uint64_t lo = 0;
    uint64_t hi = n;
    int rc = check_size(n, e);
    if (!rc && i >= n) rc = err_set(e, ERR_ARG, 0, "the log has no entry of that number");
    while (!rc && hi - lo > 1) {
        uint64_t k = split(hi - lo);
        if (i < lo + k) {
            rc = add_subtree(&w, lo + k, hi, e);
            hi = lo + k;
        } else {
            rc = add_subtree(&w, lo, lo + k, e);
            lo += k;
        }
    }
    if (!rc) turn_round(&w, ret);
    return rc;
}

int merkle_consistency(uint64_t m, uint64_t n, merkle_node_fn node, void *ctx,
                       struct merkle_proof *ret, struct err *e)
{
    struct walk w = {.node = node, .ctx = ctx};
    uint64_t lo = 0;
    uint64_t hi = n;
    int rc = check_size(n, e);
    if (!rc && m > n) rc = err_set(e, ERR_ARG, 0, "the log has fewer entries than that");
    if (rc) return rc;
    while (!rc && m > 0 && m < hi) {
        uint64_t k = split(hi - lo);
        if (m <= lo + k) {
            rc = add_subtree(&w, lo + k, hi, e);
            hi = lo + k;
        } else {
            rc = add_subtree(&w, lo, lo + k, e);
            lo += k;
        }
    }
    /* With lo = 0 what is left is the old tree itself, whose root the reader knows. */
    if (!rc && lo > 0) rc = add_subtree(&w, lo, hi, e);
    if (!rc) turn_round(&w, ret);
    return rc;
}

/* --- checking proofs -------------------------------------------------------------------------- */

static int refuse(const char *what, struct err *e)
{
    return err_set(e, ERR_AUTH, 0, "%s", what);
}

/* Climb from node `f` of a level whose last node is `s`, past levels where f has no sibling. */
static void climb(uint64_t *f, uint64_t *s)
{
    while (!(*f & 1) && *f) {
        *f >>= 1;
        *s >>= 1;
    }
}

int merkle_check_inclusion(const struct hash *leaf, uint64_t i, uint64_t n,
                           const struct merkle_proof *proof, const struct hash *root, struct err *e)
{
    static const char bad[] = "the proof does not show that the entry is in the log";
    if (n >= MERKLE_MAX_LEAVES || i >= n || proof->n > MERKLE_MAX_PROOF) return refuse(bad, e);
    uint64_t f = i;
    uint64_t s = n - 1;
    struct hash r = *leaf;
    for (uint32_t j = 0; j < proof->n; j++) {
        if (s == 0) return refuse(bad, e);
        if (f & 1 || f == s) {
            r = merkle_node(&proof->h[j], &r);
            climb(&f, &s);
        } else {
            r = merkle_node(&r, &proof->h[j]);
        }
        f >>= 1;
        s >>= 1;
    }
    return s == 0 && hash_equal(&r, root) ? OK : refuse(bad, e);
}

int merkle_check_consistency(uint64_t m, const struct hash *old_root, uint64_t n,
                             const struct hash *new_root, const struct merkle_proof *proof,
                             struct err *e)
{
    static const char bad[] = "the newer log does not begin with the older one";
    if (n >= MERKLE_MAX_LEAVES || m > n || proof->n > MERKLE_MAX_PROOF) return refuse(bad, e);
    if (m == n || m == 0) {
        struct hash empty = merkle_empty();
        const struct hash *want = m == n ? new_root : &empty;
        return proof->n == 0 && hash_equal(old_root, want) ? OK : refuse(bad, e);
    }
    uint64_t f = m - 1;
    uint64_t s = n - 1;
    while (f & 1) {
        f >>= 1;
        s >>= 1;
    }
    /* The old tree is complete: its root is where both climbs begin, and not in the proof. */
    bool is_whole = (m & (m - 1)) == 0;
    if (!is_whole && proof->n == 0) return refuse(bad, e);
    struct hash old_r = is_whole ? *old_root : proof->h[0];
    struct hash new_r = old_r;
    for (uint32_t j = is_whole ? 0 : 1; j < proof->n; j++) {
        if (s == 0) return refuse(bad, e);
        if (f & 1 || f == s) {
            old_r = merkle_node(&proof->h[j], &old_r);
            new_r = merkle_node(&proof->h[j], &new_r);
            climb(&f, &s);
        } else {
            new_r = merkle_node(&new_r, &proof->h[j]);
        }
        f >>= 1;
        s >>= 1;
    }
    bool is_good = s == 0 && hash_equal(&old_r, old_root) && hash_equal(&new_r, new_root);
    return is_good ? OK : refuse(bad, e);
}
