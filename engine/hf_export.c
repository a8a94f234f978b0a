#include "engine/hf_export.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "engine/safetensors.h"
#include "engine/tokenizer.h"

#define WEIGHTS "model.safetensors"

static int put_file(const char *dir, const char *name, const struct buf *b, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/%s", dir, name))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", dir);
    return file_replace(path, b->p, b->len, 0644, e);
}

static int put_weights(const struct hf_export *x, const char *dir, struct err *e)
{
    char path[PATH_CAP];
    uint32_t n = x->table->n_tensors;
    if (path_format(path, "%s/" WEIGHTS, dir))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", dir);
    struct safetensors_item *items = alloc_zero(n, sizeof *items);
    if (!items) return err_set(e, ERR_NOMEM, 0, "out of memory for the list of tensors");
    for (uint32_t i = 0; i < n; i++) {
        const struct model_tensor *t = &x->table->tensors[i];
        items[i] = (struct safetensors_item){
            .name = t->name,
            .n_dims = strstr(t->name, "norm") ? 1 : 2,
            .dim = {t->rows, t->cols},
            .values = x->params + t->offset
        };
    }
    int rc = safetensors_write(path, x->type, items, n, e);
    free(items);
    return rc;
}

int hf_export_card(const struct hf_export *x, const char *dir, const char *file, const char *type,
                   struct err *e)
{
    struct buf b = {0};
    struct hash h = model_hash(x->table, x->params);
    int rc = model_card_write(x->card, x->config, x->table->n_params, &h, file, type, &b, e);
    if (!rc) rc = put_file(dir, "README.md", &b, e);
    buf_deinit(&b);
    return rc;
}

static int write_tokenizer_config(const struct hf_export *x, struct buf *out, struct err *e)
{
    struct tokenizer *t = NULL;
    /* One that only others can read stays without names. */
    if (tokenizer_from_json(x->tokenizer->p, x->tokenizer->len, &t, NULL) != OK) t = NULL;
    int rc = hf_config_write_tokenizer(x->config, &x->ids, t, out, e);
    tokenizer_destroy(t);
    return rc;
}

static int put_settings(const struct hf_export *x, const char *dir, struct err *e)
{
    struct buf b = {0};
    int rc = hf_config_write_generation(&x->ids, &b, e);
    if (!rc) rc = put_file(dir, "generation_config.json", &b, e);
    buf_clear(&b);
    if (!rc && !x->tokenizer_config) rc = write_tokenizer_config(x, &b, e);
    if (!rc)
        rc = put_file(dir, "tokenizer_config.json", x->tokenizer_config ? x->tokenizer_config : &b,
                      e);
    buf_clear(&b);
    if (!rc) rc = hf_config_write(x->config, &x->ids, x->type, &b, e);
    if (!rc) rc = put_file(dir, "config.json", &b, e);
    buf_deinit(&b);
    return rc;
}

int hf_export_write(const struct hf_export *x, const char *dir, struct err *e)
{
    int rc = put_weights(x, dir, e);
    if (!rc) rc = put_file(dir, "tokenizer.json", x->tokenizer, e);
    if (!rc) rc = hf_export_card(x, dir, WEIGHTS, dtype_name(x->type), e);
    return rc ? rc : put_settings(x, dir, e);
}
