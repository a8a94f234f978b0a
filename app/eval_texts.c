#include "app/eval_texts.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "aggregator/corpus.h"
#include "base/alloc.h"
#include "base/utf8.h"
#include "engine/shardmap.h"

enum { MAX_ROWS = 100000 };

/* What a text is read from: one of the two. */
struct source {
    struct shardmap *shard;
    const uint32_t *tokens;
    uint64_t n_tokens;
    uint64_t n_before; /* tokens of the row's earlier files */
    struct eval_rows *rows;
    const char *name;
    bool is_stopped;
};

static int read_tokens(void *ctx, uint64_t at, uint32_t n, uint32_t *dst, struct err *e)
{
    struct source *s = ctx;
    if (s->shard) return shardmap_read(s->shard, at, n, dst, e);
    memcpy(dst, s->tokens + at, n * sizeof *dst);
    return OK;
}

static bool progress(void *ctx, uint64_t n_done)
{
    struct source *s = ctx;
    s->is_stopped = s->rows->progress &&
                    !s->rows->progress(s->rows->ctx, s->name, s->n_before + n_done, s->n_tokens);
    return !s->is_stopped;
}

static int add_row(struct eval_rows *r, const char *name, bool is_shard, struct eval_row **ret,
                   struct err *e)
{
    if (r->n == MAX_ROWS) return err_set(e, ERR_LIMIT, 0, "more than %d shards", MAX_ROWS);
    if ((r->n & (r->n - 1)) == 0) { /* full at every power of two */
        struct eval_row *more = alloc_resize(r->rows, r->n ? 2 * (size_t)r->n : 1, sizeof *more);
        if (!more) return err_set(e, ERR_NOMEM, 0, "out of memory for the figures");
        r->rows = more;
    }
    struct eval_row *row = &r->rows[r->n];
    *row = (struct eval_row){.is_shard = is_shard};
    if (path_format(row->name, "%s", name) != 0)
        return err_set(e, ERR_LIMIT, 0, "the path '%.60s...' is too long", name);
    r->n++;
    *ret = row;
    return OK;
}

/* Figures of half a text mean nothing, but to somebody who has pressed Ctrl+C. */
static void drop_row(struct eval_rows *r, const struct eval_row *row, int rc)
{
    if (row && rc && (rc != ERR_CANCELLED || row->sum.n_tokens == 0)) r->n--;
}

static int evaluate(struct loaded *l, struct source *s, uint64_t n_tokens, struct eval_row *row,
                    struct err *e)
{
    uint64_t limit = s->rows->limit;
    uint64_t left = limit && limit > row->sum.n_tokens ? limit - row->sum.n_tokens : 0;
    if (limit && left == 0) return OK;
    struct eval_text t = {.n_tokens = limit && left + 1 < n_tokens ? left + 1 : n_tokens,
                          .read = read_tokens,
                          .progress = progress,
                          .ctx = s};
    int rc = eval_run(l->infer, l->params, &t, l->tokenizer, &row->sum, e);
    return rc ? rc : s->is_stopped ? ERR_CANCELLED : OK;
}

/* ---- shards ---- */

static int check_shard(const struct loaded *l, const struct shardmap *m, struct err *e)
{
    if (m->x.vocab_size > l->config->vocab_size)
        return err_set(e, ERR_AUTH, 0, "'%.80s' has a vocabulary of %u, the model %u", m->path,
                       m->x.vocab_size, l->config->vocab_size);
    if (!l->tokenizer || hash_equal(&m->x.tokenizer, &l->tokenizer_hash)) return OK;
    err_set(e, ERR_AUTH, 0, "'%.80s' was made with another tokenizer than this model's", m->path);
    err_hint(e, "evaluate on the text itself, or on shards of the model's own run");
    return ERR_AUTH;
}

static int run_shard(struct loaded *l, const char *path, struct eval_rows *r, struct err *e)
{
    struct shardmap m = {0};
    struct eval_row *row = NULL;
    int rc = shardmap_open(path, &m, e);
    if (rc) return rc;
    rc = check_shard(l, &m, e);
    if (!rc) rc = add_row(r, path, true, &row, e);
    if (!rc) {
        struct source s = {.shard = &m, .n_tokens = m.x.n_tokens, .rows = r, .name = path};
        rc = evaluate(l, &s, m.x.n_tokens, row, e);
        /* Without a tokenizer the header's average has to do. */
        if (!l->tokenizer)
            row->sum.n_bytes = (uint64_t)((double)m.x.n_text_bytes * (double)row->sum.n_tokens /
                                          (double)m.x.n_tokens);
    }
    shardmap_close(&m);
    drop_row(r, row, rc);
    return rc;
}

static bool is_shard_name(const char *name)
{
    size_t n = strlen(name);
    return n > 6 && strcmp(name + n - 6, ".shard") == 0;
}

static int only_shards(const struct dirent *d)
{
    return is_shard_name(d->d_name);
}

/* All shards of a folder in order of name; *ret_n 0: it holds none. */
static int run_folder(struct loaded *l, const char *path, struct eval_rows *r, int *ret_n,
                      struct err *e)
{
    struct dirent **list = NULL;
    int n = scandir(path, &list, only_shards, alphasort);
    int rc = OK;
    *ret_n = n < 0 ? 0 : n;
    for (int i = 0; i < n; i++) {
        char full[PATH_CAP];
        if (!rc && path_format(full, "%s/%s", path, list[i]->d_name) != 0)
            rc = err_set(e, ERR_LIMIT, 0, "the path '%.60s...' is too long", path);
        if (!rc) rc = run_shard(l, full, r, e);
        free(list[i]);
    }
    free(list);
    return rc;
}

/* ---- text ---- */

static void tell_skip(enum corpus_fault why, const char *path, const char *what, void *ctx)
{
    (void)why;
    (void)path;
    uint64_t *n = ctx;
    ++*n;
    fprintf(stderr, "potluck eval: skipped %s\n", what);
}

/* Tokens of one text, after the one that begins it, whose bytes are then let go. */
static int encode(const struct loaded *l, struct buf *text, struct buf *ids, struct err *e)
{
    buf_clear(ids);
    if (l->start != TOKENIZER_NONE) buf_put(ids, &l->start, sizeof l->start);
    int rc = tokenizer_encode(l->tokenizer, text->p, text->len, ids, e);
    buf_clear(text);
    return rc;
}

static int run_files(struct loaded *l, const struct corpus *c, struct source *s,
                     struct eval_row *row, struct err *e)
{
    struct buf text = {0};
    struct buf ids = {0};
    char what[512];
    int rc = OK;
    for (size_t i = 0; i < c->n_files && !rc; i++) {
        enum corpus_fault f = corpus_read(c, i, &text, what);
        if (f != CORPUS_FINE) {
            tell_skip(f, c->files[i].path, what, &row->n_skipped);
            continue;
        }
        rc = encode(l, &text, &ids, e);
        uint64_t n = ids.len / sizeof(uint32_t);
        if (rc || n < 2) continue;
        s->tokens = (const uint32_t *)(const void *)ids.p;
        s->n_tokens = s->n_before + n;
        rc = evaluate(l, s, n, row, e);
        s->n_before += n;
        row->n_files++;
    }
    buf_deinit(&text);
    buf_deinit(&ids);
    return rc;
}

static int run_text(struct loaded *l, const char *path, struct eval_rows *r, struct err *e)
{
    struct corpus c = {0};
    struct eval_row *row = NULL;
    if (!l->tokenizer) {
        err_set(e, ERR_NOTFOUND, 0, "this model has no tokenizer.json, which text needs");
        err_hint(e, "put the tokenizer.json it was trained with beside it");
        return ERR_NOTFOUND;
    }
    int rc = add_row(r, path, false, &row, e);
    if (!rc) rc = corpus_add(&c, path, tell_skip, &row->n_skipped, e);
    if (!rc) {
        struct source s = {.rows = r, .name = path};
        corpus_sort(&c);
        rc = run_files(l, &c, &s, row, e);
    }
    if (!rc && row->sum.n_tokens == 0) {
        rc = err_set(e, ERR_ARG, 0, "'%.100s' holds no usable text", path);
        err_hint(e, "name UTF-8 text files, a folder of them, or .shard files");
    }
    corpus_deinit(&c);
    drop_row(r, row, rc);
    return rc;
}

int eval_texts_run(struct loaded *l, const char *path, struct eval_rows *r, struct err *e)
{
    struct stat st;
    int n_shards = 0;
    int rc = OK;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) rc = run_folder(l, path, r, &n_shards, e);
    if (rc || n_shards) return rc;
    return is_shard_name(path) ? run_shard(l, path, r, e) : run_text(l, path, r, e);
}

void eval_texts_deinit(struct eval_rows *r)
{
    free(r->rows);
    r->rows = NULL;
    r->n = 0;
}
