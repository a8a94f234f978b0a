#include "aggregator/publish_log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/store_record.h"
#include "base/alloc.h"
#include "record/merkle.h"
#include "record/note.h"
#include "record/tiles.h"

#define HEAD "checkpoint"

struct publish_log {
    const struct spool *spool;
    struct hash run;
    const struct key *key;
    bool has_head;
    struct note_head head; /* on disk */
    struct tiles_edge edge;
    uint64_t n_bundled;
    struct buf bundle; /* entries since the last full one */
    publish_step_fn step;
    void *step_ctx;
};

/* ---- writing -------------------------------------------------------------------------------- */

static int write_file(struct publish_log *l, const char *name, const void *p, size_t n,
                      struct err *e)
{
    if (spool_record_has(l->spool, name, p, n)) return OK;
    int rc = l->step ? l->step(l->step_ctx, name, e) : OK;
    return rc == OK ? spool_record_put(l->spool, name, p, n, e) : rc;
}

static int put_tile(void *ctx, const struct tiles_at *at, const void *p, size_t n, struct err *e)
{
    char name[TILES_PATH_CAP];
    return write_file(ctx, tiles_path(at, name), p, n, e);
}

static int put_bundle(struct publish_log *l, uint32_t width, struct err *e)
{
    struct tiles_at at = {
        .is_entries = true, .index = (l->n_bundled - 1) / TILES_WIDTH, .width = width};
    return put_tile(l, &at, l->bundle.p, l->bundle.len, e);
}

static int add_to_bundle(struct publish_log *l, const char *text, size_t n, struct err *e)
{
    size_t before = l->bundle.len;
    int rc = tiles_bundle_add(&l->bundle, text, n, e);
    if (rc == OK) l->n_bundled++;
    if (rc == OK && l->n_bundled % TILES_WIDTH == 0) {
        rc = put_bundle(l, TILES_WIDTH, e);
        if (rc == OK) {
            buf_clear(&l->bundle);
        } else {
            l->bundle.len = before;
            l->n_bundled--;
        }
    }
    return rc;
}

static int contradiction(struct err *e)
{
    err_set(e, ERR_AUTH, 0,
            "the record that was published and the one in the database contradict each other");
    err_hint(e, "the database is an older copy: put back the newest; docs/OPERATING.md says how");
    return ERR_AUTH;
}

/* The table must begin with what the tree head on disk stands for, before any file is touched. */
struct prefix {
    uint64_t n;
    struct merkle_range range;
};

static int add_to_prefix(uint64_t index, const char *text, size_t n, void *ctx, struct err *e)
{
    struct prefix *x = ctx;
    (void)e;
    if (index >= x->n) return ERR_CANCELLED; /* seen enough */
    struct hash leaf = merkle_leaf(text, n);
    merkle_range_add(&x->range, &leaf);
    return OK;
}

static int check_prefix(const struct publish_log *l, struct store *s, struct err *e)
{
    struct prefix x = {.n = l->head.n_leaves};
    int rc = store_record_each(s, 0, add_to_prefix, &x, e);
    if (rc != OK && rc != ERR_CANCELLED) return rc;
    struct hash root = merkle_range_root(&x.range);
    return x.range.n == x.n && hash_equal(&root, &l->head.root) ? OK : contradiction(e);
}

/* One entry of the table. Tree and bundles may have stopped at different places. */
static int add_entry(uint64_t index, const char *text, size_t n, void *ctx, struct err *e)
{
    struct publish_log *l = ctx;
    int rc = OK;
    if (index == l->edge.n) {
        struct hash leaf = merkle_leaf(text, n);
        rc = tiles_edge_add(&l->edge, &leaf, put_tile, l, e);
    }
    if (rc == OK && index == l->n_bundled) rc = add_to_bundle(l, text, n, e);
    return rc;
}

/* Partial tiles that only the tree head before needed. Left behind they do no harm. */
static void drop_partials(struct publish_log *l, uint64_t old_n)
{
    char name[TILES_PATH_CAP];
    for (uint32_t i = 0; i <= TILES_LEVELS; i++) {
        struct tiles_at at = {.is_entries = i == TILES_LEVELS, .level = i == TILES_LEVELS ? 0 : i};
        uint32_t width = 0;
        at.index = tiles_count(old_n, at.level, &at.width);
        bool is_used = tiles_count(l->edge.n, at.level, &width) == at.index && width == at.width;
        if (at.width && !is_used) spool_record_drop(l->spool, tiles_path(&at, name));
    }
}

static int write_head(struct publish_log *l, struct err *e)
{
    struct note_head head = {.run = l->run, .n_leaves = l->edge.n};
    struct buf text = {0};
    uint64_t old_n = l->has_head ? l->head.n_leaves : 0;
    head.root = tiles_edge_root(&l->edge);
    int rc = note_sign(&head, l->key, &text, e);
    if (rc == OK) rc = write_file(l, HEAD, text.p, text.len, e);
    buf_deinit(&text);
    if (rc != OK) return rc;
    l->head = head;
    l->has_head = true;
    if (old_n != head.n_leaves) drop_partials(l, old_n);
    return OK;
}

int publish_log_write(struct publish_log *l, struct store *s, struct err *e)
{
    uint64_t from = l->edge.n < l->n_bundled ? l->edge.n : l->n_bundled;
    uint32_t width = 0;
    bool is_start = l->has_head && l->edge.n < l->head.n_leaves;
    int rc = is_start ? check_prefix(l, s, e) : OK;
    if (rc == OK) rc = store_record_each(s, from, add_entry, l, e);
    if (rc == OK && l->edge.n == 0) return OK;
    if (rc == OK) rc = tiles_edge_flush(&l->edge, put_tile, l, e);
    if (rc == OK) {
        (void)tiles_count(l->edge.n, 0, &width);
        if (width) rc = put_bundle(l, width, e);
    }
    if (rc == OK) rc = write_head(l, e);
    if (rc != OK) err_wrap(e, "writing the record");
    return rc;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int read_head(struct publish_log *l, struct err *e)
{
    struct buf text = {0};
    int rc = spool_record_read(l->spool, HEAD, NOTE_MAX_BYTES, &text, e);
    if (rc == OK) rc = note_verify(text.p, text.len, &l->run, &l->key->pub, &l->head, e);
    buf_deinit(&text);
    l->has_head = rc == OK;
    if (rc == ERR_NOTFOUND) return OK;
    if (rc != OK) err_wrap(e, "the tree head in record/checkpoint");
    return rc;
}

int publish_log_open(const struct spool *spool, const struct hash *run, const struct key *key,
                     struct publish_log **ret, struct err *e)
{
    struct publish_log *l = alloc_zero(1, sizeof *l);
    if (!l) return err_set(e, ERR_NOMEM, 0, "no memory for the record");
    l->spool = spool;
    l->run = *run;
    l->key = key;
    int rc = read_head(l, e);
    if (rc != OK) {
        publish_log_close(l);
        return rc;
    }
    *ret = l;
    return OK;
}

void publish_log_close(struct publish_log *l)
{
    if (!l) return;
    buf_deinit(&l->bundle);
    free(l);
}

void publish_log_on_step(struct publish_log *l, publish_step_fn fn, void *ctx)
{
    l->step = fn;
    l->step_ctx = ctx;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Entries of the tree head on disk, whoever signed it: it is ours. */
static int kept_leaves(const struct spool *spool, uint64_t *ret, struct err *e)
{
    struct buf text = {0};
    struct note *note = alloc_zero(1, sizeof *note);
    if (!note) return err_set(e, ERR_NOMEM, 0, "no memory to read the record");
    int rc = spool_record_read(spool, HEAD, NOTE_MAX_BYTES, &text, e);
    if (rc == OK) rc = note_parse(text.p, text.len, note, e);
    if (rc == OK) *ret = note->head.n_leaves;
    buf_deinit(&text);
    free(note);
    return rc;
}

/* out holds the wider tile from `start` on: leave its beginning. */
static int cut(const struct tiles_at *at, uint32_t kept_width, struct buf *out, size_t start,
               struct err *e)
{
    struct tiles_entry *entries = NULL;
    size_t n = (size_t)at->width * HASH_BYTES;
    if (at->is_entries) {
        entries = alloc_zero(TILES_WIDTH, sizeof *entries);
        if (!entries) return err_set(e, ERR_NOMEM, 0, "no memory to read the record");
        int rc = tiles_bundle_parse(out->p + start, out->len - start, kept_width, entries, e);
        const struct tiles_entry *last = &entries[at->width - 1];
        n = rc == OK ? (size_t)((const uint8_t *)last->p + last->n - (out->p + start)) : 0;
        free(entries);
        if (rc != OK) return rc;
    }
    if (out->len - start < n)
        return err_set(e, ERR_IO, 0, "a tile of the record is shorter than it should be");
    out->len = start + n;
    return OK;
}

static int read_tile(const struct spool *spool, const struct tiles_at *at, struct buf *out,
                     struct err *e)
{
    char name[TILES_PATH_CAP];
    uint64_t n = 0;
    int rc = kept_leaves(spool, &n, e);
    if (rc != OK) return rc;
    if (!tiles_is_within(at, n)) return ERR_NOTFOUND;
    struct tiles_at kept = tiles_holding(n, at->level, at->index * TILES_WIDTH);
    size_t start = out->len;
    kept.is_entries = at->is_entries;
    rc = spool_record_read(spool, tiles_path(&kept, name),
                           at->is_entries ? TILES_MAX_BUNDLE_BYTES : TILES_MAX_BYTES, out, e);
    if (rc == OK && kept.width != at->width) rc = cut(at, kept.width, out, start, e);
    if (rc != OK) out->len = start;
    return rc;
}

int publish_log_read(const struct spool *spool, const char *path, struct buf *out, struct err *e)
{
    struct tiles_at at;
    if (strcmp(path, HEAD) == 0) return spool_record_read(spool, HEAD, NOTE_MAX_BYTES, out, e);
    if (tiles_parse(path, strlen(path), &at) != 0) return ERR_NOTFOUND;
    int rc = read_tile(spool, &at, out, e);
    /* A publication between two looks takes the partial tile away; the next head has a wider one. */
    return rc == ERR_NOTFOUND ? read_tile(spool, &at, out, e) : rc;
}
