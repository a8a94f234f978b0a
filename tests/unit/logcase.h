#pragma once
/* A log in memory for tests: its entries are invented, its tiles are cut from their definition
 * (hash i of a tile is the root of 256^level leaves), its tree heads are signed.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/note.h"
#include "record/tiles.h"
#include "tests/check.h"

#define LOGCASE_MOST 1200

struct logcase {
    struct hash run;
    struct key key;
    uint64_t n;
    struct hash leaf[LOGCASE_MOST];
};

static inline void logcase_init(struct logcase *l)
{
    static const uint8_t seed[KEY_BYTES] = {5};
    memset(l, 0, sizeof *l);
    l->run = hash_of("run", 3);
    assert_int_equal(key_from_seed(seed, &l->key, NULL), OK);
}

/* Go on to n entries; what they say depends on their number and the story. */
static inline void logcase_grow(struct logcase *l, uint64_t n, const char *story)
{
    assert_in_range(n, 0, LOGCASE_MOST);
    for (; l->n < n; l->n++) {
        char text[64];
        int len = snprintf(text, sizeof text, "%s, entry %llu", story, (unsigned long long)l->n);
        l->leaf[l->n] = merkle_leaf(text, (size_t)len);
    }
}

static inline struct hash logcase_root(const struct logcase *l, uint64_t from, uint64_t n)
{
    struct merkle_range r = {0};
    for (uint64_t i = 0; i < n; i++)
        merkle_range_add(&r, &l->leaf[from + i]);
    return merkle_range_root(&r);
}

/* Append the note of the first n entries. */
static inline void logcase_note(const struct logcase *l, uint64_t n, struct buf *out)
{
    struct note_head h = {.run = l->run, .n_leaves = n, .root = logcase_root(l, 0, n)};
    assert_int_equal(note_sign(&h, &l->key, out, NULL), OK);
}

/* A tiles_get_fn; ctx is the log. */
static inline int logcase_tile(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH],
                               struct err *e)
{
    const struct logcase *l = ctx;
    if (at->is_entries || !tiles_is_within(at, l->n))
        return err_set(e, ERR_NOTFOUND, 0, "no such tile");
    for (uint32_t i = 0; i < at->width; i++) {
        uint64_t span = UINT64_C(1) << (8 * at->level);
        ret[i] = logcase_root(l, (at->index * TILES_WIDTH + i) * span, span);
    }
    return OK;
}
