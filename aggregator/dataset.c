#include "aggregator/dataset.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#define MAX_LIST      (4u << 20)
#define MAX_TOKENIZER (64u << 20)

static int in_folder(char dst[PATH_CAP], const char *folder, const char *name, struct err *e)
{
    if (path_format(dst, "%s/%s", folder, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the data folder is too long");
}

static int home_folder(char dst[PATH_CAP], const char *home, struct err *e)
{
    if (path_format(dst, "%s/data", home) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
}

bool dataset_exists_in(const char *folder)
{
    char path[PATH_CAP];
    return in_folder(path, folder, "prepare.json", NULL) == OK && file_exists(path);
}

bool dataset_exists(const char *home)
{
    char folder[PATH_CAP];
    return home_folder(folder, home, NULL) == OK && dataset_exists_in(folder);
}

/* Append n bytes of a file from an offset. */
static int read_part(const char *path, uint64_t offset, size_t n, struct buf *out, struct err *e)
{
    int fd = -1;
    int rc = file_open(path, &fd, NULL, e);
    if (rc != OK) return rc;
    uint8_t *p = buf_grow(out, n);
    rc = p ? file_read_at(fd, p, n, offset, path, e) : buf_ok(out, e);
    close(fd);
    return rc;
}

static int open_shard(const char *folder, const json_t *o, struct dataset_shard *s, struct err *e)
{
    struct json_reader r = {.e = e};
    char name[64];
    json_text(&r, o, "file", name, sizeof name);
    json_hash(&r, o, "index", &s->hash);
    uint64_t n = json_u64(&r, o, "index_bytes", 1, MAX_LIST * 16);
    if (json_bad(&r)) return ERR_PROTO;
    if (strchr(name, '/')) return err_set(e, ERR_PROTO, 0, "'%s' is not a shard's name", name);
    int rc = in_folder(s->path, folder, name, e);
    if (rc == OK) rc = read_part(s->path, 0, (size_t)n, &s->index, e);
    if (rc != OK) return rc;
    struct hash got = hash_of(s->index.p, s->index.len);
    if (!hash_equal(&got, &s->hash))
        return err_set(e, ERR_AUTH, 0, "'%s' is damaged: its index has another hash", s->path);
    return data_index_parse(s->index.p, s->index.len, &s->x, e);
}

static int open_train(const char *folder, const json_t *list, struct dataset *d, struct err *e)
{
    size_t i = 0;
    json_t *v = NULL;
    d->train = alloc_zero(json_array_size(list), sizeof *d->train);
    if (!d->train) return err_set(e, ERR_NOMEM, 0, "no memory for the list of shards");
    json_each (i, v, list) {
        d->n_train++;
        int rc = open_shard(folder, v, &d->train[i], e);
        if (rc != OK) return rc;
    }
    return OK;
}

static int read_list(const char *folder, json_t **ret, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    int rc = in_folder(path, folder, "prepare.json", e);
    if (rc == OK) rc = file_read(path, MAX_LIST, &text, e);
    if (rc == ERR_NOTFOUND) {
        err_set(e, ERR_NOTFOUND, 0, "no text has been prepared in '%s'", folder);
        err_hint(e, "run: potluck-aggregator prepare --home DIR TEXT_FOLDER");
    }
    if (rc == OK) rc = json_parse(text.p, text.len, ret, e);
    buf_deinit(&text);
    return rc;
}

static int open_all(const char *folder, const json_t *list, struct dataset *d, struct err *e)
{
    struct json_reader r = {.e = e};
    char path[PATH_CAP];
    json_hash(&r, list, "tokenizer", &d->tokenizer_hash);
    d->vocab_size = json_u32(&r, list, "vocab_size", 1, 1u << 24);
    const json_t *train = json_array_in(&r, list, "train", RUNDESC_MAX_SHARDS);
    const json_t *val = json_object_in(&r, list, "val");
    d->has_text = json_object_get(list, "text") != NULL;
    if (d->has_text) json_hash(&r, list, "text", &d->text);
    if (json_bad(&r)) return ERR_PROTO;
    int rc = in_folder(path, folder, "tokenizer.json", e);
    if (rc == OK) rc = file_read(path, MAX_TOKENIZER, &d->tokenizer, e);
    if (rc != OK) return rc;
    struct hash got = hash_of(d->tokenizer.p, d->tokenizer.len);
    if (!hash_equal(&got, &d->tokenizer_hash))
        return err_set(e, ERR_AUTH, 0, "'%s' was changed after prepare", path);
    rc = open_train(folder, train, d, e);
    return rc == OK ? open_shard(folder, val, &d->val, e) : rc;
}

int dataset_open_in(const char *folder, struct dataset *ret, struct err *e)
{
    struct dataset d = {0};
    json_t *list = NULL;
    int rc = read_list(folder, &list, e);
    if (rc == ERR_NOTFOUND) return rc;
    if (rc == OK) rc = open_all(folder, list, &d, e);
    json_decref(list);
    if (rc != OK) {
        dataset_close(&d);
        if (e && !e->hint[0]) err_hint(e, "run prepare again in a new home");
        return err_wrap(e, "prepared data");
    }
    *ret = d;
    return OK;
}

int dataset_open(const char *home, struct dataset *ret, struct err *e)
{
    char folder[PATH_CAP];
    int rc = home_folder(folder, home, e);
    return rc == OK ? dataset_open_in(folder, ret, e) : rc;
}

static void close_shard(struct dataset_shard *s)
{
    buf_deinit(&s->index);
    data_index_deinit(&s->x);
}

void dataset_close(struct dataset *d)
{
    if (!d) return;
    for (uint32_t i = 0; d->train && i < d->n_train; i++)
        close_shard(&d->train[i]);
    free(d->train);
    close_shard(&d->val);
    buf_deinit(&d->tokenizer);
    *d = (struct dataset){0};
}

void dataset_describe(const struct dataset *d, struct rundesc *r)
{
    r->tokenizer = d->tokenizer_hash;
    r->tokenizer_bytes = d->tokenizer.len;
    r->n_train_shards = d->n_train;
    for (uint32_t i = 0; i < d->n_train; i++) {
        r->train_shards[i] = d->train[i].hash;
        r->train_index_bytes[i] = d->train[i].index.len;
    }
    r->val_shard = d->val.hash;
    r->val_index_bytes = d->val.index.len;
}

int dataset_check(const struct dataset *d, const struct rundesc *r, struct err *e)
{
    bool is_same = hash_equal(&r->tokenizer, &d->tokenizer_hash) &&
                   hash_equal(&r->val_shard, &d->val.hash) && r->n_train_shards == d->n_train;
    for (uint32_t i = 0; is_same && i < d->n_train; i++)
        is_same = hash_equal(&r->train_shards[i], &d->train[i].hash);
    if (is_same) return OK;
    err_set(e, ERR_AUTH, 0, "the data folder is not the one this run was described with");
    err_hint(e, "put back the data folder of this run; other text needs a new --home");
    return ERR_AUTH;
}

int dataset_chunk(const struct dataset_shard *s, uint32_t i, struct buf *out, struct err *e)
{
    buf_clear(out);
    if (i >= s->x.n_chunks)
        return err_set(e, ERR_NOTFOUND, 0, "the shard has %" PRIu32 " chunks", s->x.n_chunks);
    int rc = read_part(s->path, data_chunk_offset(&s->x, i), data_chunk_bytes(&s->x, i), out, e);
    if (rc != OK) return rc;
    struct hash got = hash_of(out->p, out->len);
    if (hash_equal(&got, &s->x.chunk_hashes[i])) return OK;
    return err_set(e, ERR_AUTH, 0, "'%s' is damaged: chunk %" PRIu32 " has another hash", s->path,
                   i);
}

int dataset_tokens(const struct dataset_shard *s, uint32_t **ret, struct err *e)
{
    struct buf chunk = {0};
    uint32_t *tokens = alloc_zero((size_t)s->x.n_tokens, sizeof *tokens);
    if (!tokens) return err_set(e, ERR_NOMEM, 0, "no memory for %" PRIu64 " tokens", s->x.n_tokens);
    int rc = OK;
    uint32_t *at = tokens;
    for (uint32_t i = 0; rc == OK && i < s->x.n_chunks; i++) {
        rc = dataset_chunk(s, i, &chunk, e);
        if (rc == OK) rc = data_chunk_decode(&s->x, i, chunk.p, chunk.len, at, e);
        at += data_chunk_tokens(&s->x, i);
    }
    buf_deinit(&chunk);
    if (rc == OK)
        *ret = tokens;
    else
        free(tokens);
    return rc;
}
