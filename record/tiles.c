#include "record/tiles.h"

#include <stdio.h>
#include <string.h>

#define HEIGHT      8 /* levels of the tree that one tile spans: log2(TILES_WIDTH) */
#define INDEX_LIMIT (MERKLE_MAX_LEAVES >> HEIGHT)

/* --- names ------------------------------------------------------------------------------------ */

char *tiles_path(const struct tiles_at *at, char dst[TILES_PATH_CAP])
{
    size_t n = 0;
    uint64_t unit = 1;
    check(at->index < INDEX_LIMIT && at->level < TILES_LEVELS && at->width <= TILES_WIDTH);
    if (at->is_entries)
        n += (size_t)snprintf(dst, TILES_PATH_CAP, "tile/entries/");
    else
        n += (size_t)snprintf(dst, TILES_PATH_CAP, "tile/%u/", at->level);
    while (at->index / unit >= 1000)
        unit *= 1000;
    for (; unit > 1; unit /= 1000)
        n += (size_t)snprintf(dst + n, TILES_PATH_CAP - n, "x%03u/",
                              (unsigned)(at->index / unit % 1000));
    n += (size_t)snprintf(dst + n, TILES_PATH_CAP - n, "%03u", (unsigned)(at->index % 1000));
    if (at->width < TILES_WIDTH) snprintf(dst + n, TILES_PATH_CAP - n, ".p/%u", at->width);
    return dst;
}

/* Digits at *p; the value, or -1 when there are none or it reaches `limit`. */
static int64_t take_number(const char **p, uint64_t limit)
{
    uint64_t v = 0;
    const char *start = *p;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        v = v * 10 + (uint64_t)(**p - '0');
        if (v >= limit) return -1;
    }
    return *p == start ? -1 : (int64_t)v;
}

/* x001/x234/067 */
static int64_t take_index(const char **p)
{
    uint64_t v = 0;
    for (;;) {
        bool is_last = **p != 'x';
        *p += is_last ? 0 : 1;
        int64_t group = take_number(p, 1000);
        if (group < 0 || v > INDEX_LIMIT / 1000) return -1;
        v = v * 1000 + (uint64_t)group;
        if (is_last) return v < INDEX_LIMIT ? (int64_t)v : -1;
        if (*(*p)++ != '/') return -1;
    }
}

static const char *after(const char *p, const char *word)
{
    size_t n = strlen(word);
    return strncmp(p, word, n) == 0 ? p + n : NULL;
}

int tiles_parse(const char *path, size_t n, struct tiles_at *ret)
{
    char text[TILES_PATH_CAP];
    char again[TILES_PATH_CAP];
    struct tiles_at at = {.width = TILES_WIDTH};
    if (n == 0 || n >= sizeof text || memchr(path, 0, n)) return -1;
    memcpy(text, path, n);
    text[n] = 0;
    const char *p = after(text, "tile/entries/");
    at.is_entries = p != NULL;
    if (!p) {
        p = after(text, "tile/");
        int64_t level = p ? take_number(&p, TILES_LEVELS) : -1;
        if (level < 0 || *p++ != '/') return -1;
        at.level = (uint32_t)level;
    }
    int64_t index = take_index(&p);
    if (index < 0) return -1;
    at.index = (uint64_t)index;
    if (*p) {
        p = after(p, ".p/");
        int64_t width = p ? take_number(&p, TILES_WIDTH) : -1;
        if (width < 1) return -1;
        at.width = (uint32_t)width;
    }
    /* What was read loosely must be what would be written: leading zeros and tails end here. */
    if (strcmp(text, tiles_path(&at, again)) != 0) return -1;
    if (!tiles_is_within(&at, MERKLE_MAX_LEAVES - 1)) return -1;
    *ret = at;
    return 0;
}

bool tiles_same(const struct tiles_at *a, const struct tiles_at *b)
{
    return a->is_entries == b->is_entries && a->level == b->level && a->index == b->index &&
           a->width == b->width;
}

uint64_t tiles_count(uint64_t n, uint32_t level, uint32_t *ret_width)
{
    uint64_t n_hashes = n >> (HEIGHT * level);
    if (ret_width) *ret_width = (uint32_t)(n_hashes % TILES_WIDTH);
    return n_hashes / TILES_WIDTH;
}

bool tiles_is_within(const struct tiles_at *at, uint64_t n)
{
    if (at->level >= TILES_LEVELS || at->index >= INDEX_LIMIT) return false;
    return at->index * TILES_WIDTH + at->width <= n >> (HEIGHT * at->level);
}

struct tiles_at tiles_holding(uint64_t n, uint32_t level, uint64_t i)
{
    uint64_t n_hashes = n >> (HEIGHT * level);
    struct tiles_at at = {.level = level, .index = i / TILES_WIDTH, .width = TILES_WIDTH};
    check(i < n_hashes);
    if (at.index == n_hashes / TILES_WIDTH) at.width = (uint32_t)(n_hashes % TILES_WIDTH);
    return at;
}

/* --- hashes of one tile ----------------------------------------------------------------------- */

/* Root of the 2^height hashes at h. */
static struct hash fold(const struct hash *h, unsigned height)
{
    struct hash t[TILES_WIDTH];
    uint32_t n = 1U << height;
    memcpy(t, h, n * sizeof *t);
    for (; n > 1; n /= 2)
        for (uint32_t i = 0; i < n / 2; i++)
            t[i] = merkle_node(&t[2 * (size_t)i], &t[2 * (size_t)i + 1]);
    return t[0];
}

int tiles_hashes(const void *p, size_t n, uint32_t width, struct hash ret[TILES_WIDTH],
                 struct err *e)
{
    if (width < 1 || width > TILES_WIDTH || n != (size_t)width * HASH_BYTES)
        return err_set(e, ERR_PROTO, 0, "a tile of the log has %zu bytes instead of %zu", n,
                       (size_t)width * HASH_BYTES);
    memcpy(ret, p, n);
    return OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

int tiles_edge_add(struct tiles_edge *g, const struct hash *leaf, tiles_put_fn put, void *ctx,
                   struct err *e)
{
    struct hash h = *leaf;
    uint64_t i = g->n; /* which hash of its level */
    if (g->n >= MERKLE_MAX_LEAVES - 1)
        return err_set(e, ERR_LIMIT, 0, "a log cannot have more entries");
    for (uint32_t level = 0; level < TILES_LEVELS; level++) {
        /* Behind the edge until n says otherwise: an error leaves nothing to undo. */
        g->h[level][i % TILES_WIDTH] = h;
        if ((i + 1) % TILES_WIDTH != 0) break;
        struct tiles_at at = {.level = level, .index = i / TILES_WIDTH, .width = TILES_WIDTH};
        int rc = put(ctx, &at, g->h[level], sizeof g->h[level], e);
        if (rc) return rc;
        h = fold(g->h[level], HEIGHT);
        i /= TILES_WIDTH;
    }
    g->n++;
    return OK;
}

int tiles_edge_flush(const struct tiles_edge *g, tiles_put_fn put, void *ctx, struct err *e)
{
    for (uint32_t level = 0; level < TILES_LEVELS; level++) {
        struct tiles_at at = {.level = level};
        at.index = tiles_count(g->n, level, &at.width);
        if (!at.width) continue;
        int rc = put(ctx, &at, g->h[level], at.width * sizeof g->h[level][0], e);
        if (rc) return rc;
    }
    return OK;
}

struct hash tiles_edge_root(const struct tiles_edge *g)
{
    struct hash root = merkle_empty();
    bool has = false;
    for (uint32_t level = 0; level < TILES_LEVELS; level++) {
        uint32_t width = 0;
        tiles_count(g->n, level, &width);
        for (unsigned height = 0; height < HEIGHT; height++) {
            if (!(width >> height & 1)) continue;
            width -= 1U << height;
            struct hash h = fold(&g->h[level][width], height);
            root = has ? merkle_node(&h, &root) : h;
            has = true;
        }
    }
    return root;
}

int tiles_edge_load(uint64_t n, tiles_get_fn get, void *ctx, struct tiles_edge *ret, struct err *e)
{
    if (n >= MERKLE_MAX_LEAVES)
        return err_set(e, ERR_LIMIT, 0, "a log cannot have that many entries");
    memset(ret, 0, sizeof *ret);
    ret->n = n;
    for (uint32_t level = 0; level < TILES_LEVELS; level++) {
        struct tiles_at at = {.level = level};
        at.index = tiles_count(n, level, &at.width);
        if (!at.width) continue;
        int rc = get(ctx, &at, ret->h[level], e);
        if (rc) return rc;
    }
    return OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

void tiles_reader_init(struct tiles_reader *r, uint64_t n, tiles_get_fn get, void *ctx)
{
    r->n = n;
    r->get = get;
    r->ctx = ctx;
    r->n_kept = 0;
    r->i_next = 0;
}

static int find_tile(struct tiles_reader *r, const struct tiles_at *at, const struct hash **ret,
                     struct err *e)
{
    for (uint32_t i = 0; i < r->n_kept; i++) {
        if (!tiles_same(&r->kept[i], at)) continue;
        *ret = r->h[i];
        return OK;
    }
    uint32_t i = r->i_next;
    /* The place counts as empty while it is written: an error must not leave half a tile there. */
    r->kept[i].level = TILES_LEVELS;
    int rc = r->get(r->ctx, at, r->h[i], e);
    if (rc) return rc;
    r->kept[i] = *at;
    r->i_next = (i + 1) % TILES_READER_KEPT;
    if (r->n_kept <= i) r->n_kept = i + 1;
    *ret = r->h[i];
    return OK;
}

int tiles_node(void *reader, unsigned level, uint64_t index, struct hash *ret, struct err *e)
{
    struct tiles_reader *r = reader;
    const struct hash *h = NULL;
    if (r->n >= MERKLE_MAX_LEAVES || level >= MERKLE_LEVELS || index >= r->n >> level)
        return err_set(e, ERR_ARG, 0, "the log has no such node");
    unsigned height = level % HEIGHT;
    uint64_t first = index << height;
    struct tiles_at at = tiles_holding(r->n, level / HEIGHT, first);
    int rc = find_tile(r, &at, &h, e);
    if (!rc) *ret = fold(h + first % TILES_WIDTH, height);
    return rc;
}

/* A giver that only writes down what it is asked for: which nodes a proof is made of does not
 * depend on what they are.
 */
static int list_tile(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH],
                     struct err *e)
{
    struct tiles_list *list = ctx;
    (void)e;
    memset(ret, 0, TILES_WIDTH * sizeof *ret);
    for (uint32_t i = 0; i < list->n; i++)
        if (tiles_same(&list->at[i], at)) return OK;
    check(list->n < TILES_LIST_CAP);
    list->at[list->n++] = *at;
    return OK;
}

int tiles_for_inclusion(uint64_t i, uint64_t n, struct tiles_list *ret, struct err *e)
{
    struct tiles_reader r;
    struct merkle_proof p;
    ret->n = 0;
    tiles_reader_init(&r, n, list_tile, ret);
    return merkle_inclusion(i, n, tiles_node, &r, &p, e);
}

int tiles_for_consistency(uint64_t m, uint64_t n, struct tiles_list *ret, struct err *e)
{
    struct tiles_reader r;
    struct merkle_proof p;
    ret->n = 0;
    tiles_reader_init(&r, n, list_tile, ret);
    return merkle_consistency(m, n, tiles_node, &r, &p, e);
}

/* --- entry bundles ---------------------------------------------------------------------------- */

int tiles_bundle_add(struct buf *out, const void *entry, size_t n, struct err *e)
{
    if (n > TILES_MAX_ENTRY)
        return err_set(e, ERR_LIMIT, 0, "an entry of the log has %zu bytes; %u are possible", n,
                       TILES_MAX_ENTRY);
    buf_put_u8(out, (uint8_t)(n >> 8));
    buf_put_u8(out, (uint8_t)n);
    buf_put(out, entry, n);
    return buf_ok(out, e);
}

int tiles_bundle_parse(const void *p, size_t n, uint32_t width, struct tiles_entry ret[TILES_WIDTH],
                       struct err *e)
{
    const uint8_t *b = p;
    size_t at = 0;
    if (width < 1 || width > TILES_WIDTH)
        return err_set(e, ERR_ARG, 0, "a bundle has 1 to %d entries", TILES_WIDTH);
    for (uint32_t i = 0; i < width; i++) {
        size_t len = n - at < 2 ? SIZE_MAX : (size_t)b[at] << 8 | b[at + 1];
        if (len == SIZE_MAX || n - at - 2 < len)
            return err_set(e, ERR_PROTO, 0, "a bundle of the log ends within entry %u of %u", i + 1,
                           width);
        ret[i] = (struct tiles_entry){(const char *)b + at + 2, (uint32_t)len};
        at += 2 + len;
    }
    if (at != n)
        return err_set(e, ERR_PROTO, 0, "a bundle of the log has %zu bytes too many", n - at);
    return OK;
}
