#include "app/train_data.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/dataset.h"
#include "base/alloc.h"
#include "base/file.h"

#define MAX_TOKENIZER (64u << 20)
#define VAL_NAME      "val.shard"

/* ---- what lies in the folder ---- */

struct names {
    char **p; /* owned, sorted */
    size_t n;
};

static void names_deinit(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->p[i]);
    free(l->p);
    *l = (struct names){0};
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

static int names_add(struct names *l, const char *name, struct err *e)
{
    if (l->n == TRAIN_MAX_SHARDS)
        return err_set(e, ERR_LIMIT, 0, "the folder holds more than %d shards", TRAIN_MAX_SHARDS);
    char **p = alloc_resize(l->p, l->n + 1, sizeof *p);
    if (p) l->p = p;
    char *copy = p ? alloc_dup(name) : NULL;
    if (!copy) return err_set(e, ERR_NOMEM, 0, "no memory for a list of shards");
    l->p[l->n++] = copy;
    return OK;
}

static bool is_shard(const char *name)
{
    size_t n = strlen(name);
    return n > 6 && strcmp(name + n - 6, ".shard") == 0;
}

/* All training shards by name, when no prepare.json says which. */
static int list_folder(const char *folder, struct names *ret, struct err *e)
{
    DIR *d = opendir(folder);
    if (!d) return file_error(e, errno, "open folder", folder);
    int rc = OK;
    struct dirent *f = NULL;
    while (rc == OK && (f = readdir(d))) /* NOLINT(concurrency-mt-unsafe): one thread */
        if (is_shard(f->d_name) && strcmp(f->d_name, VAL_NAME) != 0)
            rc = names_add(ret, f->d_name, e);
    closedir(d);
    if (rc == OK && ret->n) qsort(ret->p, ret->n, sizeof *ret->p, by_name);
    return rc;
}

static bool has_tokens(const char *folder)
{
    char path[PATH_CAP];
    struct names l = {0};
    bool is_there = path_format(path, "%s/tokenizer.json", folder) == 0 && file_exists(path);
    if (is_there && !dataset_exists_in(folder)) {
        is_there = list_folder(folder, &l, NULL) == OK && l.n > 0;
        names_deinit(&l);
    }
    return is_there;
}

bool train_data_find(const char *path, char ret[PATH_CAP])
{
    if (path_format(ret, "%s", path) == 0 && has_tokens(ret)) return true;
    return path_format(ret, "%s/data", path) == 0 && has_tokens(ret);
}

/* ---- opening ---- */

static int open_tokenizer(const char *folder, struct train_data *d, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/tokenizer.json", folder))
        return err_set(e, ERR_LIMIT, 0, "the path of the data folder is too long");
    int rc = file_read(path, MAX_TOKENIZER, &d->tokenizer_json, e);
    if (rc != OK) return rc;
    rc = tokenizer_from_json(d->tokenizer_json.p, d->tokenizer_json.len, &d->tokenizer, e);
    if (rc != OK) return err_wrap(e, "tokenizer.json");
    d->vocab_size = tokenizer_vocab_size(d->tokenizer);
    return OK;
}

/* Map one shard; it has to be made with this tokenizer. */
static int open_shard(const char *path, const struct train_data *d, const struct hash *tokenizer,
                      struct shardmap *ret, struct err *e)
{
    int rc = shardmap_open(path, ret, e);
    if (rc != OK) return rc;
    if (hash_equal(&ret->x.tokenizer, tokenizer) && ret->x.vocab_size <= d->vocab_size) return OK;
    err_set(e, ERR_PROTO, 0, "'%.100s' was made with another tokenizer", path);
    err_hint(e, "prepare the text again: shards and tokenizer.json belong together");
    return ERR_PROTO;
}

static int room_for(struct train_data *d, size_t n, struct err *e)
{
    if (n == 0) return err_set(e, ERR_PROTO, 0, "there is no training shard in the data folder");
    if (n > TRAIN_MAX_SHARDS)
        return err_set(e, ERR_LIMIT, 0, "more than %d shards", TRAIN_MAX_SHARDS);
    d->train = alloc_zero(n, sizeof *d->train);
    d->n_tokens = alloc_zero(n, sizeof *d->n_tokens);
    return d->train && d->n_tokens ? OK
                                   : err_set(e, ERR_NOMEM, 0, "no memory for a list of shards");
}

static int add_train(struct train_data *d, const char *path, const struct hash *tokenizer,
                     struct err *e)
{
    struct shardmap *s = &d->train[d->n_train];
    int rc = open_shard(path, d, tokenizer, s, e);
    d->n_train++; /* closed in any case */
    if (rc != OK) return rc;
    d->n_tokens[d->n_train - 1] = s->x.n_tokens;
    d->n_train_tokens += s->x.n_tokens;
    d->n_text_bytes += s->x.n_text_bytes;
    return OK;
}

/* With prepare.json: the shards it names, whose indexes have the hashes it gives. */
static int open_listed(const char *folder, struct train_data *d, const struct hash *tokenizer,
                       struct err *e)
{
    struct dataset list;
    int rc = dataset_open_in(folder, &list, e);
    if (rc != OK) return rc;
    d->has_text = list.has_text;
    d->text = list.text;
    rc = room_for(d, list.n_train, e);
    for (uint32_t i = 0; rc == OK && i < list.n_train; i++)
        rc = add_train(d, list.train[i].path, tokenizer, e);
    if (rc == OK) rc = open_shard(list.val.path, d, tokenizer, &d->val, e);
    d->has_val = rc == OK;
    dataset_close(&list);
    return rc;
}

static int open_found(const char *folder, struct train_data *d, const struct hash *tokenizer,
                      struct err *e)
{
    char path[PATH_CAP];
    struct names l = {0};
    int rc = list_folder(folder, &l, e);
    if (rc == OK) rc = room_for(d, l.n, e);
    for (size_t i = 0; rc == OK && i < l.n; i++) {
        if (path_format(path, "%s/%s", folder, l.p[i]))
            rc = err_set(e, ERR_LIMIT, 0, "the path of the data folder is too long");
        else
            rc = add_train(d, path, tokenizer, e);
    }
    names_deinit(&l);
    if (rc != OK || path_format(path, "%s/" VAL_NAME, folder) || !file_exists(path)) return rc;
    rc = open_shard(path, d, tokenizer, &d->val, e);
    d->has_val = rc == OK;
    return rc;
}

static int name_data(struct train_data *d, const struct hash *tokenizer, struct err *e)
{
    struct buf b = {0};
    buf_put(&b, tokenizer->b, HASH_BYTES);
    for (uint32_t i = 0; i < d->n_train; i++)
        buf_put(&b, d->train[i].index_hash.b, HASH_BYTES);
    int rc = buf_ok(&b, e);
    if (rc == OK) d->name = hash_of(b.p, b.len);
    buf_deinit(&b);
    return rc;
}

int train_data_open(const char *folder, struct train_data *ret, struct err *e)
{
    struct train_data d = {0};
    int rc = open_tokenizer(folder, &d, e);
    struct hash tokenizer = hash_of(d.tokenizer_json.p, d.tokenizer_json.len);
    if (rc == OK)
        rc = dataset_exists_in(folder) ? open_listed(folder, &d, &tokenizer, e)
                                       : open_found(folder, &d, &tokenizer, e);
    if (rc == OK) rc = name_data(&d, &tokenizer, e);
    if (rc != OK) {
        train_data_close(&d);
        return rc;
    }
    *ret = d;
    return OK;
}

void train_data_close(struct train_data *d)
{
    if (!d) return;
    for (uint32_t i = 0; d->train && i < d->n_train; i++)
        shardmap_close(&d->train[i]);
    shardmap_close(&d->val);
    free(d->train);
    free(d->n_tokens);
    tokenizer_destroy(d->tokenizer);
    buf_deinit(&d->tokenizer_json);
    *d = (struct train_data){0};
}

/* ---- reading ---- */

int train_data_batch(struct train_data *d, const struct train_walk *w, uint64_t i_step,
                     uint32_t batch_seqs, uint32_t *tokens, struct err *e)
{
    uint64_t width = (uint64_t)w->seq_len + 1;
    int rc = OK;
    for (uint32_t b = 0; rc == OK && b < batch_seqs; b++) {
        struct train_place p = train_walk_place(w, i_step * batch_seqs + b);
        rc = shardmap_read(&d->train[p.shard], p.at, width, tokens + b * width, e);
    }
    return rc;
}

int train_data_sample(struct train_data *d, uint32_t seq_len, uint32_t n_seqs,
                      struct train_sample *ret, struct err *e)
{
    uint64_t width = (uint64_t)seq_len + 1;
    uint64_t fit = d->has_val ? d->val.x.n_tokens / width : 0;
    struct train_sample s = {.n_seqs = fit < n_seqs ? (uint32_t)fit : n_seqs};
    *ret = (struct train_sample){0};
    if (s.n_seqs == 0) return OK;
    s.tokens = alloc_zero(s.n_seqs, size_mul((size_t)width, sizeof *s.tokens));
    if (!s.tokens) return err_set(e, ERR_NOMEM, 0, "no memory for the held-out texts");
    int rc = OK;
    for (uint64_t i = 0; rc == OK && i < s.n_seqs; i++) {
        uint32_t *at = s.tokens + i * width;
        rc = shardmap_read(&d->val, i * fit / s.n_seqs * width, width, at, e);
        for (uint64_t t = 1; rc == OK && t < width; t++)
            s.n_bytes += tokenizer_id_bytes(d->tokenizer, at[t]);
    }
    if (rc == OK)
        *ret = s;
    else
        train_sample_deinit(&s);
    return rc;
}

void train_sample_deinit(struct train_sample *s)
{
    free(s->tokens);
    *s = (struct train_sample){0};
}
