#pragma once
/* Why: some tokens are found in a text before anything else happens to it, by their names alone:
 * special ones such as "<|endoftext|>", and pieces that were added to a finished vocabulary. The
 * leftmost is taken, and of those that begin there the longest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TOKENIZER_ADDED_MAX 256u /* bytes of a name */

struct tokenizer_added_item {
    size_t at; /* of its name in `names` */
    uint32_t n;
    uint32_t id;
    bool is_special;
};

/* Zero is an empty set. */
struct tokenizer_added {
    struct tokenizer_added_item *items; /* by name, once sorted */
    uint32_t n_items;
    uint32_t cap;
    bool has_text; /* one that is not special */
    struct buf names;
    uint32_t first[257]; /* items whose name begins with byte b: [first[b], first[b + 1]) */
};

/* Add a name of 1 to TOKENIZER_ADDED_MAX bytes. ERR_LIMIT, ERR_NOMEM. */
int tokenizer_added_put(struct tokenizer_added *a, const void *name, size_t n, uint32_t id,
                        bool is_special, struct err *e) MUST_CHECK;

/* After the last put, before the first find. Of equal names the lowest id stays. */
void tokenizer_added_sort(struct tokenizer_added *a);

/* The first name in p[n]: its length, with its place and id, or 0. Special ones are passed over
 * unless wanted. Cost: n times the logarithm of the set, and at most TOKENIZER_ADDED_MAX of that.
 */
size_t tokenizer_added_find(const struct tokenizer_added *a, const uint8_t *p, size_t n,
                            bool with_specials, size_t *ret_at, uint32_t *ret_id);

void tokenizer_added_deinit(struct tokenizer_added *a);
