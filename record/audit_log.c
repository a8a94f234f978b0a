#include "record/audit_log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/tiles.h"

struct walk {
    const struct audit_log *l;
    const struct note_head *head;
    struct tiles_edge edge;
    struct hash tile[TILES_WIDTH]; /* level 0, beside the bundle at hand */
    struct tiles_entry entries[TILES_WIDTH];
    struct buf bundle;
    struct buf text;
    bool is_torn; /* an entry's place in the tree is not known */
};

int audit_log_head(const struct audit_log *l, struct note_head *ret, bool *ret_has, struct err *e)
{
    struct buf text = {0};
    struct err why = {0};
    *ret_has = false;
    int rc = l->source->log(l->source->ctx, "checkpoint", NOTE_MAX_BYTES, &text, &why);
    if (rc == ERR_NOTFOUND) {
        audit_found(l->book, AUDIT_NO_DATA, AUDIT_HEAD, AUDIT_NO_ROUND, "there is no tree head");
        rc = OK;
    } else if (rc == OK || rc == ERR_LIMIT) {
        if (rc == OK)
            rc = note_verify(text.p, text.len, &l->run->id, &l->run->aggregators[0].key, ret, &why);
        *ret_has = rc == OK;
        if (rc == ERR_NOMEM && e) *e = why;
        if (rc != OK && rc != ERR_NOMEM)
            audit_found(l->book, AUDIT_WRONG, AUDIT_HEAD, AUDIT_NO_ROUND,
                        "the tree head is not one that the host has signed: %s", why.what);
        if (rc != ERR_NOMEM) rc = OK;
    } else if (e) {
        *e = why;
    }
    buf_deinit(&text);
    return rc;
}

/* A tile or bundle into w->text; when a partial one is gone, the full one that replaced it. *ret_n
 * is how many hashes or entries came. ERR_NOTFOUND; else the source's trouble.
 */
static int fetch(struct walk *w, const struct tiles_at *at, uint32_t *ret_n, struct err *e)
{
    const struct audit_source *s = w->l->source;
    char path[TILES_PATH_CAP];
    size_t max = at->is_entries ? TILES_MAX_BUNDLE_BYTES : TILES_MAX_BYTES;
    buf_clear(&w->text);
    *ret_n = at->width;
    int rc = s->log(s->ctx, tiles_path(at, path), max, &w->text, e);
    if (rc == ERR_NOTFOUND && at->width < TILES_WIDTH) {
        struct tiles_at full = *at;
        full.width = TILES_WIDTH;
        buf_clear(&w->text);
        *ret_n = TILES_WIDTH;
        rc = s->log(s->ctx, tiles_path(&full, path), max, &w->text, e);
    }
    return rc;
}

/* Findings about tiles; in the second pass over a log there are none. */
static void tile_found(struct walk *w, enum audit_outcome o, const struct tiles_at *at,
                       const char *what)
{
    char path[TILES_PATH_CAP];
    if (!w->l->book) return;
    if (o == AUDIT_OK)
        audit_ok(w->l->book, AUDIT_TILE);
    else
        audit_found(w->l->book, o, AUDIT_TILE, AUDIT_NO_ROUND, "%s %s", tiles_path(at, path), what);
}

/* The hashes of a tile; *ret_has false when there are none that can be read. */
static int read_tile(struct walk *w, const struct tiles_at *at, struct hash ret[TILES_WIDTH],
                     bool *ret_has, struct err *e)
{
    uint32_t n = 0;
    int rc = fetch(w, at, &n, e);
    *ret_has = rc == OK && tiles_hashes(w->text.p, w->text.len, n, ret, NULL) == OK;
    if (rc == ERR_NOTFOUND) tile_found(w, AUDIT_NO_DATA, at, "is not there");
    if (rc == ERR_LIMIT || (rc == OK && !*ret_has))
        tile_found(w, AUDIT_WRONG, at, "is not a tile of this width");
    return rc == ERR_NOTFOUND || rc == ERR_LIMIT ? OK : rc;
}

/* The upper levels, as they follow from the entries, against what is published. */
static int compare_tile(void *ctx, const struct tiles_at *at, const void *p, size_t n,
                        struct err *e)
{
    struct walk *w = ctx;
    struct hash got[TILES_WIDTH];
    bool has = false;
    if (at->level == 0 || !w->l->book || w->is_torn) return OK;
    int rc = read_tile(w, at, got, &has, e);
    if (rc != OK || !has) return rc;
    bool is_same = memcmp(got, p, n) == 0;
    tile_found(w, is_same ? AUDIT_OK : AUDIT_WRONG, at, "does not follow from the entries");
    return OK;
}

static int read_bundle(struct walk *w, const struct tiles_at *at, bool *ret_has, struct err *e)
{
    uint32_t n = 0;
    char path[TILES_PATH_CAP];
    struct err why = {0};
    int rc = fetch(w, at, &n, e);
    *ret_has = rc == OK && tiles_bundle_parse(w->text.p, w->text.len, n, w->entries, &why) == OK;
    if (*ret_has) { /* entries point into it while tiles are read */
        struct buf spare = w->bundle;
        w->bundle = w->text;
        w->text = spare;
        return OK;
    }
    if (rc != OK && rc != ERR_NOTFOUND && rc != ERR_LIMIT) return rc;
    if (w->l->book)
        audit_found(w->l->book, rc == ERR_NOTFOUND ? AUDIT_NO_DATA : AUDIT_WRONG, AUDIT_ENTRY,
                    AUDIT_NO_ROUND, "entries %" PRIu64 " to %" PRIu64 ", %s, %s",
                    at->index * TILES_WIDTH, at->index * TILES_WIDTH + at->width - 1,
                    tiles_path(at, path),
                    rc == ERR_NOTFOUND ? "are not there" : "are not a bundle of entries");
    return OK;
}

static void check_known(struct walk *w)
{
    const struct note_head *known = w->l->known;
    if (!w->l->book || !known || w->is_torn || known->n_leaves != w->edge.n) return;
    struct hash root = tiles_edge_root(&w->edge);
    if (hash_equal(&root, &known->root)) return;
    audit_found(w->l->book, AUDIT_WRONG, AUDIT_HEAD, AUDIT_NO_ROUND,
                "the host has rewritten history: the first %" PRIu64
                " entries are not those of the tree head that this computer remembers",
                known->n_leaves);
}

/* One entry: read, judged, given on, and its leaf added to the tree. */
static int take(struct walk *w, uint32_t i, uint64_t index, bool has_bundle, bool has_tile,
                bool *ret_is_odd, struct err *e)
{
    struct entry m;
    struct err why = {0};
    struct hash leaf = w->tile[i];
    int good = ERR_NOTFOUND;
    if (has_bundle) {
        good = entry_verify(w->entries[i].p, w->entries[i].n, &w->l->run->aggregators[0].key, &m,
                            &why);
        if (good == ERR_NOMEM) return err_set(e, ERR_NOMEM, 0, "no memory to read an entry");
        if (good != OK && w->l->book)
            audit_found(w->l->book, AUDIT_WRONG, AUDIT_ENTRY, AUDIT_NO_ROUND,
                        "entry %" PRIu64 " is not one that the host has signed: %s", index,
                        why.what);
        if (good == OK || !has_tile) leaf = merkle_leaf(w->entries[i].p, w->entries[i].n);
        if (good == OK && has_tile && !hash_equal(&leaf, &w->tile[i])) *ret_is_odd = true;
    } else if (!has_tile) {
        w->is_torn = true;
    }
    bool grows = w->l->book && !w->is_torn;
    int rc = !grows ? OK : tiles_edge_add(&w->edge, &leaf, compare_tile, w, e);
    check_known(w);
    if (w->l->root) *w->l->root = grows ? tiles_edge_root(&w->edge) : (struct hash){0};
    if (rc == OK) rc = w->l->entry(w->l->ctx, index, good == OK ? &m : NULL, e);
    return rc;
}

static int take_bundle(struct walk *w, uint64_t first, struct err *e)
{
    struct tiles_at at = tiles_holding(w->head->n_leaves, 0, first);
    struct tiles_at bundle = at;
    bool has_bundle = false, has_tile = false, is_odd = false;
    bundle.is_entries = true;
    int rc = read_bundle(w, &bundle, &has_bundle, e);
    if (rc == OK && w->l->book) rc = read_tile(w, &at, w->tile, &has_tile, e);
    for (uint32_t i = 0; rc == OK && i < at.width; i++)
        rc = take(w, i, first + i, has_bundle, has_tile, &is_odd, e);
    if (rc == OK && has_tile)
        tile_found(w, is_odd ? AUDIT_WRONG : AUDIT_OK, &at, "does not follow from the entries");
    return rc;
}

static int check_root(struct walk *w, struct err *e)
{
    struct audit_book *b = w->l->book;
    if (w->is_torn) {
        audit_found(b, AUDIT_NO_DATA, AUDIT_HEAD, AUDIT_NO_ROUND,
                    "the root of the tree cannot be computed: entries are missing");
        return OK;
    }
    int rc = tiles_edge_flush(&w->edge, compare_tile, w, e);
    if (rc != OK) return rc;
    struct hash root = tiles_edge_root(&w->edge);
    if (hash_equal(&root, &w->head->root))
        audit_ok(b, AUDIT_HEAD);
    else
        audit_found(b, AUDIT_WRONG, AUDIT_HEAD, AUDIT_NO_ROUND,
                    "the tree head is not that of the entries: they make another root");
    return OK;
}

int audit_log_walk(const struct audit_log *l, const struct note_head *head, struct err *e)
{
    struct walk *w = alloc_zero(1, sizeof *w);
    if (!w) return err_set(e, ERR_NOMEM, 0, "no memory to read the record");
    int rc = OK;
    w->l = l;
    w->head = head;
    if (l->book && l->known && !l->may_be_older && head->n_leaves < l->known->n_leaves)
        audit_found(l->book, AUDIT_WRONG, AUDIT_HEAD, AUDIT_NO_ROUND,
                    "the host has rewritten history: %" PRIu64 " entries are left of the %" PRIu64
                    " that this computer remembers",
                    head->n_leaves, l->known->n_leaves);
    /* After a gap no root follows, whatever comes; and a head may claim entries without end. */
    for (uint64_t i = 0; rc == OK && !(l->book && w->is_torn) && i < head->n_leaves;
         i += TILES_WIDTH) {
        if (l->progress && !l->progress(l->ctx, i, head->n_leaves)) rc = ERR_CANCELLED;
        if (rc == OK) rc = take_bundle(w, i, e);
    }
    if (rc == OK && l->book) rc = check_root(w, e);
    buf_deinit(&w->bundle);
    buf_deinit(&w->text);
    free(w);
    return rc;
}
