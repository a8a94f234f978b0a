#pragma once
/* Why: the log as static files, laid out as C2SP tlog-tiles says, so that any HTTP cache can serve
 * it, any witness can read it, and proofs are computed by the reader. A tile is up to 256 hashes
 * side by side at every eighth level of the tree; an entry bundle is up to 256 entries.
 *
 *     tile/0/x001/x234/067        full: leaf hashes 1234067 * 256 and on, 8192 bytes
 *     tile/1/000.p/17             partial: 17 roots of full tiles of level 0
 *     tile/entries/000.p/17       entries, each after its length in two bytes, big endian
 *
 * A tile of fewer hashes is the beginning of the same tile with more: a server may cut `.p/W` from
 * whatever it keeps of at least W (tiles_is_within), and need not keep one file for each width.
 * Pure; files and sockets are the callbacks' affair. Any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "record/merkle.h"

#define TILES_WIDTH            256 /* hashes of a full tile, entries of a full bundle */
#define TILES_LEVELS           8   /* 2^62 leaves need no more */
#define TILES_MAX_BYTES        (TILES_WIDTH * HASH_BYTES)
#define TILES_PATH_CAP         64
#define TILES_MAX_ENTRY        65535u
#define TILES_MAX_BUNDLE_BYTES ((size_t)TILES_WIDTH * (TILES_MAX_ENTRY + 2))

/* One tile or bundle. */
struct tiles_at {
    bool is_entries; /* a bundle; level is 0 */
    uint32_t level;  /* 0 .. TILES_LEVELS - 1 */
    uint64_t index;
    uint32_t width; /* 1 .. TILES_WIDTH; less than that: partial */
};

/* "tile/..." into dst; returns dst. */
char *tiles_path(const struct tiles_at *at, char dst[TILES_PATH_CAP]);

bool tiles_same(const struct tiles_at *a, const struct tiles_at *b);

/* Read such a path (n bytes, from anybody). Only the one spelling that tiles_path would write is
 * taken, and only what lies within 2^62 leaves. 0, or -1 (ret untouched).
 */
int tiles_parse(const char *path, size_t n, struct tiles_at *ret);

/* Full tiles of a level in a tree of n leaves; ret_width (may be NULL) is the width of the partial
 * one after them, 0 when there is none. Bundles: level 0.
 */
uint64_t tiles_count(uint64_t n, uint32_t level, uint32_t *ret_width);

/* Is every hash (or entry) that `at` names in a tree of n leaves? Then it can be served. */
bool tiles_is_within(const struct tiles_at *at, uint64_t n);

/* The tile that holds hash number i of a level, as wide as a tree of n leaves has it. i must be
 * within the tree.
 */
struct tiles_at tiles_holding(uint64_t n, uint32_t level, uint64_t i);

/* --- writing ---------------------------------------------------------------------------------- */

/* Takes one tile: at->width hashes, n bytes at p, read during the call. Writing the same tile
 * again must do no harm.
 */
typedef int (*tiles_put_fn)(void *ctx, const struct tiles_at *at, const void *p, size_t n,
                            struct err *e);

/* The right edge of a growing tree: the tile under way of each level, 64 KiB in all. Zero is the
 * empty tree. Everything it ever writes is a pure function of the leaves.
 */
struct tiles_edge {
    uint64_t n; /* leaves */
    struct hash h[TILES_LEVELS][TILES_WIDTH];
};

/* One more leaf; tiles that it completes are given to put first. When put fails nothing has
 * changed, and the same leaf can be added again. ERR_LIMIT at 2^62 leaves.
 */
int tiles_edge_add(struct tiles_edge *g, const struct hash *leaf, tiles_put_fn put, void *ctx,
                   struct err *e) MUST_CHECK;

/* Give the partial tiles of the present size to put: after them a tree head may be published. */
int tiles_edge_flush(const struct tiles_edge *g, tiles_put_fn put, void *ctx,
                     struct err *e) MUST_CHECK;

struct hash tiles_edge_root(const struct tiles_edge *g);

/* --- reading ---------------------------------------------------------------------------------- */

/* Gives one tile: exactly at->width hashes. Other results than OK come back to the caller. */
typedef int (*tiles_get_fn)(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH],
                            struct err *e);

#define TILES_READER_KEPT 8

/* A tree of n leaves seen through its tiles, the last few of them kept. Nothing that it gives is
 * trusted: proofs made from it are checked by their reader. */
struct tiles_reader {
    uint64_t n;
    tiles_get_fn get;
    void *ctx;
    uint32_t n_kept;
    uint32_t i_next; /* who makes place */
    struct tiles_at kept[TILES_READER_KEPT];
    struct hash h[TILES_READER_KEPT][TILES_WIDTH];
};

void tiles_reader_init(struct tiles_reader *r, uint64_t n, tiles_get_fn get, void *ctx);

/* A merkle_node_fn; ctx is a struct tiles_reader. ERR_ARG outside of its tree. */
int tiles_node(void *reader, unsigned level, uint64_t index, struct hash *ret, struct err *e);

/* Go on where kept tiles of n leaves end. ret is unspecified after an error. */
int tiles_edge_load(uint64_t n, tiles_get_fn get, void *ctx, struct tiles_edge *ret,
                    struct err *e) MUST_CHECK;

#define TILES_LIST_CAP 32

struct tiles_list {
    uint32_t n;
    struct tiles_at at[TILES_LIST_CAP];
};

/* Which tiles of a tree of n leaves a proof will be made from, each once: to fetch them before it
 * is made. ERR_ARG as the proofs.
 */
int tiles_for_inclusion(uint64_t i, uint64_t n, struct tiles_list *ret, struct err *e) MUST_CHECK;
int tiles_for_consistency(uint64_t m, uint64_t n, struct tiles_list *ret, struct err *e) MUST_CHECK;

/* The hashes of a tile from its n bytes; ERR_PROTO unless they are exactly `width` of them. */
int tiles_hashes(const void *p, size_t n, uint32_t width, struct hash ret[TILES_WIDTH],
                 struct err *e) MUST_CHECK;

/* --- entry bundles ---------------------------------------------------------------------------- */

struct tiles_entry {
    const char *p; /* inside the bundle's bytes; not NUL-terminated */
    uint32_t n;
};

/* Append one entry. ERR_LIMIT above TILES_MAX_ENTRY bytes. */
int tiles_bundle_add(struct buf *out, const void *entry, size_t n, struct err *e) MUST_CHECK;

/* Find the entries of a bundle: exactly `width` (1 .. TILES_WIDTH), and nothing behind them;
 * otherwise ERR_PROTO. Nothing is copied.
 */
int tiles_bundle_parse(const void *p, size_t n, uint32_t width, struct tiles_entry ret[TILES_WIDTH],
                       struct err *e) MUST_CHECK;
