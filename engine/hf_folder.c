#include "engine/hf_folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"

#define ONE_FILE "model.safetensors"
#define INDEX    "model.safetensors.index.json"
#define HEAD     "lm_head.weight"

enum { MAX_INDEX = 16 << 20, NAME_MAX_BYTES = 120 };

/* ---- the index of shards ---- */

static bool is_shard_name(const char *s)
{
    static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    static const char end[] = ".safetensors";
    size_t n = strlen(s);
    return n >= sizeof end && n <= NAME_MAX_BYTES && s[0] != '.' && s[strspn(s, ok)] == 0 &&
           strcmp(s + n - (sizeof end - 1), end) == 0;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

static int list_shards(const json_t *map, const char **names, struct buf *ret, uint32_t *ret_n,
                       struct err *e)
{
    size_t n = 0;
    for (void *it = json_object_iter((json_t *)(uintptr_t)map); it;
         it = json_object_iter_next((json_t *)(uintptr_t)map, it)) {
        const char *s = json_string_value(json_object_iter_value(it));
        char safe[60];
        if (!s || !is_shard_name(s))
            return err_set(e, ERR_PROTO, 0, "'%s' is no name of a safetensors file in this folder",
                           utf8_printable(s ? s : "?", safe, sizeof safe));
        names[n++] = s;
    }
    qsort(names, n, sizeof *names, by_text);
    uint32_t n_shards = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && strcmp(names[i], names[i - 1]) == 0) continue;
        if (++n_shards > HF_FOLDER_MAX_SHARDS)
            return err_set(e, ERR_LIMIT, 0, "it names more than %d files", HF_FOLDER_MAX_SHARDS);
        buf_put(ret, names[i], strlen(names[i]) + 1);
    }
    *ret_n = n_shards;
    return buf_ok(ret, e);
}

static int read_index(const json_t *o, struct buf *ret, uint32_t *ret_n, struct err *e)
{
    const json_t *map = json_object_get(o, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0)
        return err_set(e, ERR_PROTO, 0, "it has no weight_map");
    if (json_object_size(map) > SAFETENSORS_MAX_TENSORS)
        return err_set(e, ERR_LIMIT, 0, "it names more than %d tensors", SAFETENSORS_MAX_TENSORS);
    const char **names = alloc_zero(json_object_size(map), sizeof *names);
    if (!names) return err_set(e, ERR_NOMEM, 0, "out of memory for the list of shards");
    int rc = list_shards(map, names, ret, ret_n, e);
    free(names);
    return rc;
}

int hf_folder_index(const void *json, size_t n, struct buf *ret, uint32_t *ret_n, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (!rc) rc = read_index(o, ret, ret_n, e);
    json_decref(o);
    if (rc) (void)err_wrap(e, INDEX);
    return rc;
}

/* ---- which tensor lies where ---- */

static bool is_vector(const struct model_tensor *t)
{
    return strstr(t->name, "norm") != NULL;
}

static int check_shape(const struct model_tensor *t, const struct safetensors_tensor *x,
                       struct err *e)
{
    bool fits = is_vector(t) ? x->n_dims == 1 && x->dim[0] == t->rows
                             : x->n_dims == 2 && x->dim[0] == t->rows && x->dim[1] == t->cols;
    if (fits) return OK;
    char has[64] = "";
    for (uint32_t i = 0; i < x->n_dims && i < 3; i++)
        snprintf(has + strlen(has), sizeof has - strlen(has), "%s%llu", i ? " x " : "",
                 (unsigned long long)x->dim[i]);
    err_set(e, ERR_PROTO, 0, "the tensor '%s' is %s; config.json makes it %u x %u", t->name, has,
            t->rows, t->cols);
    err_hint(e, "config.json and the weights do not belong together");
    return ERR_PROTO;
}

static int refuse_twice(const char *name, struct err *e)
{
    char safe[80];
    err_set(e, ERR_PROTO, 0, "the tensor '%s' is in two files",
            utf8_printable(name, safe, sizeof safe));
    err_hint(e, "files of two models may be mixed up; copy or download them again");
    return ERR_PROTO;
}

/* The one shard that holds it. ERR_NOTFOUND without text when none does. */
static int find_place(const struct hf_folder *f, const char *name, struct hf_folder_place *ret,
                      struct err *e)
{
    *ret = (struct hf_folder_place){0};
    for (uint32_t i = 0; i < f->n_shards; i++) {
        const struct safetensors_tensor *x = safetensors_find(&f->shards[i].s, name);
        if (!x) continue;
        if (ret->tensor) return refuse_twice(name, e);
        *ret = (struct hf_folder_place){.i_shard = i, .tensor = x};
    }
    return ret->tensor ? OK : ERR_NOTFOUND;
}

static bool is_passed_over(const struct hf_folder *f, const struct safetensors_tensor *x)
{
    static const char end[] = "rotary_emb.inv_freq";
    size_t n = strlen(x->name);
    if (n >= sizeof end && strcmp(x->name + n - (sizeof end - 1), end) == 0) return true;
    return x == f->head.tensor;
}

static bool is_placed(const struct hf_folder *f, const struct safetensors_tensor *x)
{
    for (uint32_t i = 0; i < f->table.n_tensors; i++)
        if (f->places[i].tensor == x) return true;
    return false;
}

static int refuse_extra(const struct hf_folder *f, const struct safetensors_tensor *x,
                        struct err *e)
{
    char safe[80];
    err_set(e, ERR_PROTO, 0, "the tensor '%s' has no place in a LLaMA of %u layers",
            utf8_printable(x->name, safe, sizeof safe), f->config.num_hidden_layers);
    err_hint(e, "potluck reads plain LLaMA models, without adapters, biases or experts");
    return ERR_PROTO;
}

static int check_extra(const struct hf_folder *f, struct err *e)
{
    uint64_t n_seen = 0;
    for (uint32_t i = 0; i < f->n_shards; i++)
        for (uint32_t k = 0; k < f->shards[i].s.n_tensors; k++)
            n_seen += !is_passed_over(f, &f->shards[i].s.tensors[k]);
    if (n_seen == f->table.n_tensors) return OK;
    for (uint32_t i = 0; i < f->n_shards; i++)
        for (uint32_t k = 0; k < f->shards[i].s.n_tensors; k++) {
            const struct safetensors_tensor *x = &f->shards[i].s.tensors[k];
            if (!is_passed_over(f, x) && !is_placed(f, x)) return refuse_extra(f, x, e);
        }
    return refuse_twice("?", e); /* cannot be: each tensor of the table has one place */
}

static int place_all(struct hf_folder *f, struct err *e)
{
    f->places = alloc_zero(f->table.n_tensors, sizeof *f->places);
    if (!f->places) return err_set(e, ERR_NOMEM, 0, "out of memory for the list of tensors");
    for (uint32_t i = 0; i < f->table.n_tensors; i++) {
        const struct model_tensor *t = &f->table.tensors[i];
        int rc = find_place(f, t->name, &f->places[i], e);
        if (rc == ERR_NOTFOUND) {
            err_set(e, ERR_PROTO, 0, "the tensor '%s' is missing", t->name);
            err_hint(e, "config.json and the weights do not belong together, or a file is missing");
            return ERR_PROTO;
        }
        if (!rc) rc = check_shape(t, f->places[i].tensor, e);
        if (rc) return rc;
    }
    if (f->config.tie_word_embeddings) {
        int rc = find_place(f, HEAD, &f->head, e);
        if (!rc) rc = check_shape(&f->table.tensors[0], f->head.tensor, e);
        if (rc && rc != ERR_NOTFOUND) return rc;
    }
    return check_extra(f, e);
}

/* ---- opening ---- */

static int path_of(char dst[PATH_CAP], const char *dir, const char *name, struct err *e)
{
    if (path_format(dst, "%s/%s", dir, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", dir);
}

static int read_config(struct hf_folder *f, const char *dir, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    int rc = path_of(path, dir, "config.json", e);
    if (!rc) rc = file_read(path, HF_CONFIG_MAX, &text, e);
    if (!rc) rc = hf_config_parse(text.p, text.len, &f->config, &f->ids, e);
    buf_deinit(&text);
    return rc ? rc : model_table_init(&f->table, &f->config, e);
}

static int no_weights(const char *dir, struct err *e)
{
    char path[PATH_CAP];
    err_set(e, ERR_NOTFOUND, 0, "there is neither " ONE_FILE " nor " INDEX);
    if (path_of(path, dir, "pytorch_model.bin", NULL) == OK && file_exists(path))
        err_hint(e, "potluck does not read pickled .bin files; convert them to safetensors");
    else
        err_hint(e, "give a folder that holds a Hugging Face model");
    return ERR_NOTFOUND;
}

/* The names of the files that hold the weights. */
static int find_shards(const char *dir, struct buf *names, uint32_t *ret_n, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    int rc = path_of(path, dir, ONE_FILE, e);
    if (rc) return rc;
    if (file_exists(path)) {
        buf_put(names, ONE_FILE, sizeof ONE_FILE);
        *ret_n = 1;
        return buf_ok(names, e);
    }
    rc = path_of(path, dir, INDEX, e);
    if (!rc && !file_exists(path)) return no_weights(dir, e);
    if (!rc) rc = file_read(path, MAX_INDEX, &text, e);
    if (!rc) rc = hf_folder_index(text.p, text.len, names, ret_n, e);
    buf_deinit(&text);
    return rc;
}

static int open_shards(struct hf_folder *f, const char *dir, const struct buf *names, uint32_t n,
                       struct err *e)
{
    char path[PATH_CAP];
    const char *name = (const char *)names->p;
    f->shards = alloc_zero(n, sizeof *f->shards);
    if (!f->shards) return err_set(e, ERR_NOMEM, 0, "out of memory for the list of shards");
    for (uint32_t i = 0; i < n; i++, name += strlen(name) + 1) {
        int rc = path_of(path, dir, name, e);
        if (!rc) rc = safetensors_open(&f->shards[i], path, e);
        if (rc) return rc;
        f->n_shards++;
    }
    return OK;
}

int hf_folder_open(struct hf_folder *f, const char *dir, struct err *e)
{
    struct buf names = {0};
    uint32_t n = 0;
    *f = (struct hf_folder){0};
    int rc = read_config(f, dir, e);
    if (!rc) rc = find_shards(dir, &names, &n, e);
    if (!rc) rc = open_shards(f, dir, &names, n, e);
    if (!rc) rc = place_all(f, e);
    buf_deinit(&names);
    if (rc) hf_folder_close(f);
    return rc;
}

void hf_folder_close(struct hf_folder *f)
{
    for (uint32_t i = 0; i < f->n_shards; i++)
        safetensors_close(&f->shards[i]);
    free(f->shards);
    free(f->places);
    model_table_deinit(&f->table);
    *f = (struct hf_folder){0};
}

/* ---- loading ---- */

/* A tied model's own head must say the same as the embedding: else nobody knows which one counts. */
static int check_head(const struct hf_folder *f, const float *params, uint8_t *io, struct err *e)
{
    const struct safetensors_tensor *x = f->head.tensor;
    const float *embed = params + f->table.tensors[0].offset;
    size_t step = SAFETENSORS_IO / 4;
    float *part = alloc_zero(step, sizeof *part);
    int rc = part ? OK : err_set(e, ERR_NOMEM, 0, "out of memory for reading a model");
    for (uint64_t i = 0; i < x->n && !rc; i += step) {
        uint64_t n = x->n - i < step ? x->n - i : step;
        rc = safetensors_read(&f->shards[f->head.i_shard], x, i, n, part, io, e);
        if (rc || memcmp(part, embed + i, n * sizeof *part) == 0) continue;
        rc = err_set(e, ERR_ARG, 0, "config.json ties the embeddings, but " HEAD " differs");
        err_hint(e, "if it is meant, set tie_word_embeddings to false in config.json");
    }
    free(part);
    return rc;
}

int hf_folder_load(const struct hf_folder *f, float *params, struct err *e)
{
    uint8_t *io = alloc_zero(SAFETENSORS_IO, 1);
    int rc = io ? OK : err_set(e, ERR_NOMEM, 0, "out of memory for reading a model");
    for (uint32_t i = 0; i < f->table.n_tensors && !rc; i++) {
        const struct model_tensor *t = &f->table.tensors[i];
        const struct hf_folder_place *p = &f->places[i];
        rc =
            safetensors_read(&f->shards[p->i_shard], p->tensor, 0, t->n, params + t->offset, io, e);
    }
    if (!rc && f->head.tensor) rc = check_head(f, params, io, e);
    free(io);
    return rc;
}
