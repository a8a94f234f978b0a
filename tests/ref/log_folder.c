/* Writes a record as a host serves it, for tests/ref/check-log to be tried with:
 *
 *     log_folder OUT N [STORY]
 *
 * OUT/checkpoint, OUT/tile/..., OUT/key (hex), OUT/receipts.jws. Entries are signed but say nothing
 * but their place and the story; the key is always the same, so two stories are a forked history.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/jws.h"
#include "base/path.h"
#include "record/msg.h"
#include "record/note.h"
#include "record/tiles.h"

#define N_RECEIPTS 3

struct maker {
    const char *dir;
    struct key key;
    struct hash run;
    struct tiles_edge edge;
    struct buf bundle;
};

static int write_file(const struct maker *m, const char *name, const void *p, size_t n,
                      struct err *e)
{
    char path[PATH_CAP];
    char dir[PATH_CAP];
    if (path_format(path, "%s/%s", m->dir, name) || path_dirname(dir, path))
        return err_set(e, ERR_ARG, 0, "the path is too long");
    int rc = file_mkdirs(dir, e);
    return rc ? rc : file_replace(path, p, n, 0644, e);
}

static int put_tile(void *ctx, const struct tiles_at *at, const void *p, size_t n, struct err *e)
{
    char name[TILES_PATH_CAP];
    return write_file(ctx, tiles_path(at, name), p, n, e);
}

static int put_bundle(struct maker *m, uint32_t width, struct err *e)
{
    struct tiles_at at = {
        .is_entries = true, .index = (m->edge.n - 1) / TILES_WIDTH, .width = width};
    int rc = put_tile(m, &at, m->bundle.p, m->bundle.len, e);
    buf_clear(&m->bundle);
    return rc;
}

static int add_entry(struct maker *m, const char *story, struct err *e)
{
    struct buf text = {0};
    json_t *o = json_object();
    json_set_text(o, "kind", "change");
    json_set_hash(o, "run", &m->run);
    json_set_u64(o, "index", m->edge.n);
    json_set_u64(o, "at_ms", 1000 * m->edge.n);
    json_set_text(o, "reason", story);
    int rc = jws_sign(o, "potluck-entry+1", &m->key, &text, e);
    if (!rc) rc = tiles_bundle_add(&m->bundle, text.p, text.len, e);
    struct hash leaf = merkle_leaf(text.p, text.len);
    if (!rc) rc = tiles_edge_add(&m->edge, &leaf, put_tile, m, e);
    if (!rc && m->edge.n % TILES_WIDTH == 0) rc = put_bundle(m, TILES_WIDTH, e);
    json_decref(o);
    buf_deinit(&text);
    return rc;
}

static int write_log(struct maker *m, uint64_t n, const char *story, struct err *e)
{
    struct buf note = {0};
    int rc = OK;
    while (!rc && m->edge.n < n)
        rc = add_entry(m, m->edge.n == 1 ? story : "as agreed", e);
    if (!rc && n % TILES_WIDTH) rc = put_bundle(m, (uint32_t)(n % TILES_WIDTH), e);
    if (!rc) rc = tiles_edge_flush(&m->edge, put_tile, m, e);
    struct note_head head = {.run = m->run, .n_leaves = n, .root = tiles_edge_root(&m->edge)};
    if (!rc) rc = note_sign(&head, &m->key, &note, e);
    if (!rc) rc = write_file(m, "checkpoint", note.p, note.len, e);
    buf_deinit(&note);
    return rc;
}

static int write_receipts(const struct maker *m, struct err *e)
{
    struct buf b = {0};
    int rc = OK;
    for (uint64_t i = 1; !rc && i <= N_RECEIPTS; i++) {
        struct msg_receipt r = {.run = m->run,
                                .contributor = m->key.pub,
                                .seq = i,
                                .round = i - 1,
                                .payload = hash_of(&i, sizeof i),
                                .n_bytes = 1000 * i,
                                .n_tokens = 100 * i,
                                .verdict = i < N_RECEIPTS ? MSG_ACCEPTED : MSG_LATE,
                                .created_at_ms = (int64_t)(1000 * i)};
        if (i == N_RECEIPTS) snprintf(r.reason, sizeof r.reason, "late by 40 s");
        rc = msg_receipt_sign(&r, &m->key, &b, e);
        buf_put_u8(&b, '\n');
    }
    if (!rc) rc = write_file(m, "receipts.jws", b.p, b.len, e);
    buf_deinit(&b);
    return rc;
}

int main(int argc, char **argv)
{
    static const uint8_t seed[KEY_BYTES] = {7};
    struct err e = {0};
    char hex[KEY_HEX];
    struct maker *m = calloc(1, sizeof *m);
    if (argc < 3 || !m) {
        fprintf(stderr, "usage: log_folder OUT N [STORY]\n");
        free(m);
        return 2;
    }
    m->dir = argv[1];
    m->run = hash_of("a run", 5);
    int rc = key_from_seed(seed, &m->key, &e);
    if (!rc) rc = file_mkdirs(m->dir, &e);
    if (!rc) rc = write_log(m, strtoull(argv[2], NULL, 10), argc > 3 ? argv[3] : "as agreed", &e);
    if (!rc) rc = write_receipts(m, &e);
    if (!rc) rc = write_file(m, "key", key_hex(&m->key.pub, hex), KEY_HEX - 1, &e);
    if (rc) fprintf(stderr, "log_folder: %s\n", e.what);
    buf_deinit(&m->bundle);
    free(m);
    return rc ? 1 : 0;
}
