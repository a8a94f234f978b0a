#pragma once
/* Why: the hash tree of the record's log (RFC 9162 section 2.1), so that one line of text, the
 * root, stands for every entry and its place, and a short proof ties any entry, or any older root,
 * to it. Pure: no file, no clock, no allocation.
 *
 * A node is named by (level, index): it is the root of the complete subtree over the leaves
 * [index << level, (index + 1) << level). Whoever keeps such nodes, in memory or as tiles
 * (record/tiles.h), gives them by a callback; what is no complete subtree is folded from them.
 *
 *     level 2        o               o   <- not complete with 7 leaves: folded from (1,2) and (0,6)
 *     level 1    o       o       o
 *     level 0  o   o   o   o   o   o   o
 *     index    0   1   2   3   4   5   6
 *
 * Sizes are below 2^62, so that no shift or sum overflows. Any thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define MERKLE_MAX_LEAVES (UINT64_C(1) << 62) /* exclusive */
#define MERKLE_LEVELS     62                  /* levels that a complete node can have */
#define MERKLE_MAX_PROOF  64                  /* hashes of any proof within that size */

struct hash merkle_leaf(const void *entry, size_t n); /* SHA-256(0x00 | entry) */
struct hash merkle_node(const struct hash *left, const struct hash *right); /* (0x01 | l | r) */
struct hash merkle_empty(void); /* root of no leaves: SHA-256 of nothing */

/* Gives one complete node; ret is written on OK only. Asked only for nodes within the tree. What
 * it returns otherwise ends the walk and comes back as it is (ERR_AGAIN: not here yet).
 */
typedef int (*merkle_node_fn)(void *ctx, unsigned level, uint64_t index, struct hash *ret,
                              struct err *e);

/* Leaves that come one after the other: all that must be kept to go on and to know the root.
 * Zero is the empty tree. h[l] counts when bit l of n is set.
 */
struct merkle_range {
    uint64_t n;
    struct hash h[MERKLE_LEVELS];
};

void merkle_range_add(struct merkle_range *r, const struct hash *leaf); /* n below the maximum */
struct hash merkle_range_root(const struct merkle_range *r);

/* The same range for the first n leaves of kept nodes, to go on after a restart. Errors: ERR_LIMIT
 * for n, and those of `node`. ret is unspecified after an error.
 */
int merkle_range_load(uint64_t n, merkle_node_fn node, void *ctx, struct merkle_range *ret,
                      struct err *e) MUST_CHECK;

/* Root of the first n leaves. Errors as above. */
int merkle_root(uint64_t n, merkle_node_fn node, void *ctx, struct hash *ret,
                struct err *e) MUST_CHECK;

/* In the order of RFC 9162: from the leaf's side to the root's. */
struct merkle_proof {
    uint32_t n;
    struct hash h[MERKLE_MAX_PROOF];
};

/* That leaf i is in the tree of the first n (section 2.1.3.1). ERR_ARG unless i < n. */
int merkle_inclusion(uint64_t i, uint64_t n, merkle_node_fn node, void *ctx,
                     struct merkle_proof *ret, struct err *e) MUST_CHECK;

/* That the tree of the first m is the beginning of that of the first n (section 2.1.4.1). Empty
 * when m is 0 or n. ERR_ARG unless m <= n.
 */
int merkle_consistency(uint64_t m, uint64_t n, merkle_node_fn node, void *ctx,
                       struct merkle_proof *ret, struct err *e) MUST_CHECK;

/* OK, or ERR_AUTH: the proof does not lead from `leaf` at place i to the root of n leaves, or has
 * another length than that takes (section 2.1.3.2). Sizes out of bounds are ERR_AUTH too.
 */
int merkle_check_inclusion(const struct hash *leaf, uint64_t i, uint64_t n,
                           const struct merkle_proof *proof, const struct hash *root,
                           struct err *e) MUST_CHECK;

/* OK, or ERR_AUTH: old_root of m leaves is not the beginning of new_root of n leaves, or the proof
 * does not show it (section 2.1.4.2). m = n wants equal roots and no proof; m = 0 wants the empty
 * tree's root and no proof.
 */
int merkle_check_consistency(uint64_t m, const struct hash *old_root, uint64_t n,
                             const struct hash *new_root, const struct merkle_proof *proof,
                             struct err *e) MUST_CHECK;
