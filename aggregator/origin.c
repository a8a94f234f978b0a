#include "aggregator/origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/gguf.h"
#include "engine/hf_folder.h"
#include "engine/tokenizer.h"
#include "net/limits.h"
#include "record/checkpoint.h"

#define MAX_TOKENIZER (64u << 20)
#define GENTLE_LR     3e-4 /* the usual peak for weights that are trained already */

static int join(char dst[PATH_CAP], const char *dir, const char *name, struct err *e)
{
    if (path_format(dst, "%s/%s", dir, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", dir);
}

/* ---- reading a folder ---- */

/* A contributor takes so many bytes in one answer (net/limits.h). */
static int check_size(const struct model_table *t, struct err *e)
{
    uint64_t most = (LIMIT_RESPONSE_BYTES - CHECKPOINT_HEADER_BYTES) / sizeof(float);
    if (t->n_params <= most) return OK;
    err_set(e, ERR_ARG, 0, "a model of %" PRIu64 " weights is too large to be handed out",
            t->n_params);
    err_hint(e, "contributors fetch at most %" PRIu64 " million weights", most / 1000000);
    return ERR_ARG;
}

static int read_weights(struct origin *o, const char *dir, struct err *e)
{
    struct hf_folder f;
    int rc = gguf_refuse(dir, e);
    if (rc == OK) rc = hf_folder_open(&f, dir, e);
    if (rc != OK) return rc;
    o->config = f.config;
    o->ids = f.ids;
    rc = model_table_init(&o->table, &o->config, e);
    if (rc == OK) rc = check_size(&o->table, e);
    if (rc == OK) {
        o->params = alloc_zero((size_t)o->table.n_params, sizeof *o->params);
        rc = o->params ? hf_folder_load(&f, o->params, e)
                       : err_set(e, ERR_NOMEM, 0, "no memory for a model of %" PRIu64 " weights",
                                 o->table.n_params);
    }
    hf_folder_close(&f);
    return rc;
}

/* prepare will need an end of documents: said here, not after the host has typed all choices. */
static int check_end(const struct origin *o, struct tokenizer *tk, struct err *e)
{
    int rc = OK;
    if (o->ids.eos >= 0) rc = tokenizer_set_ends(tk, tokenizer_bos(tk), (uint32_t)o->ids.eos, e);
    if (rc != OK) {
        err_hint(e, "eos_token_id in config.json has to name one");
        return err_wrap(e, "what ends a document");
    }
    if (tokenizer_eos(tk) != TOKENIZER_NONE) return OK;
    err_set(e, ERR_ARG, 0, "neither config.json nor tokenizer.json says what ends a document");
    err_hint(e, "set eos_token_id in config.json");
    return ERR_ARG;
}

static int read_tokenizer(struct origin *o, const char *dir, struct err *e)
{
    char path[PATH_CAP];
    struct tokenizer *tk = NULL;
    int rc = join(path, dir, "tokenizer.json", e);
    if (rc == OK) rc = file_read(path, MAX_TOKENIZER, &o->tokenizer, e);
    if (rc == ERR_NOTFOUND) {
        err_set(e, rc, 0, "there is no tokenizer.json in '%.120s'", dir);
        err_hint(e, "a tokenizer.model alone is not read; most models come with both");
    }
    if (rc != OK) return rc;
    rc = tokenizer_from_json(o->tokenizer.p, o->tokenizer.len, &tk, e);
    if (rc != OK) return err_wrap(e, "the model's tokenizer.json");
    uint32_t n = tokenizer_vocab_size(tk);
    if (n > o->config.vocab_size) {
        rc = err_set(e, ERR_ARG, 0, "tokenizer.json has %u token ids, the model only %u", n,
                     o->config.vocab_size);
        err_hint(e, "the files in '%.80s' do not belong together", dir);
    }
    if (rc == OK) rc = check_end(o, tk, e);
    tokenizer_destroy(tk);
    return rc;
}

int origin_open(struct origin *o, const char *dir, struct err *e)
{
    *o = (struct origin){0};
    int rc = read_weights(o, dir, e);
    if (rc == OK) rc = read_tokenizer(o, dir, e);
    if (rc != OK) origin_close(o);
    return rc;
}

void origin_close(struct origin *o)
{
    model_table_deinit(&o->table);
    free(o->params);
    buf_deinit(&o->tokenizer);
    *o = (struct origin){0};
}

/* ---- choices ---- */

static bool is_given(uint64_t given, const char *name)
{
    size_t n = 0;
    const struct setup_option *o = setup_options(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(o[i].name, name) == 0) return given >> i & 1;
    return false;
}

/* The model's value in place of a default; the same value may be said, another may not. */
static int take(uint64_t given, struct setup *s, const char *name, uint64_t chosen, uint32_t has,
                struct err *e)
{
    char text[16];
    if (is_given(given, name) && chosen != has) {
        err_set(e, ERR_ARG, 0, "--%s %" PRIu64 " contradicts the model, which has %" PRIu32, name,
                chosen, has);
        err_hint(e, "leave --%s out: --from says it", name);
        return ERR_ARG;
    }
    snprintf(text, sizeof text, "%" PRIu32, has);
    return setup_set(s, name, text, e);
}

int origin_fit(const struct origin *o, uint64_t given, struct setup *s, struct err *e)
{
    const struct model_config *c = &o->config;
    int rc = take(given, s, "hidden", s->hidden, c->hidden_size, e);
    if (rc == OK) rc = take(given, s, "layers", s->layers, c->num_hidden_layers, e);
    if (rc == OK) rc = take(given, s, "heads", s->heads, c->num_attention_heads, e);
    if (rc == OK) rc = take(given, s, "kv-heads", s->kv_heads, c->num_key_value_heads, e);
    if (rc == OK) rc = take(given, s, "intermediate", s->intermediate, c->intermediate_size, e);
    if (rc != OK) return rc;
    if (is_given(given, "seed"))
        return err_set(e, ERR_ARG, 0, "--seed makes new weights; --from brings its own");
    if (!is_given(given, "lr")) s->lr = GENTLE_LR;
    if (s->seq <= c->max_position_embeddings) return OK;
    if (is_given(given, "seq"))
        return err_set(e, ERR_ARG, 0, "--seq %" PRIu64 " is longer than the model reads: %" PRIu32,
                       s->seq, c->max_position_embeddings);
    s->seq = c->max_position_embeddings;
    return OK;
}

/* ---- the copy under HOME ---- */

static int store(const char *dir, const char *name, const struct buf *b, struct err *e)
{
    char path[PATH_CAP];
    int rc = buf_ok(b, e);
    if (rc == OK) rc = join(path, dir, name, e);
    return rc == OK ? file_replace(path, b->p, b->len, 0644, e) : rc;
}

int origin_store(const struct origin *o, const char *home, struct err *e)
{
    char dir[PATH_CAP];
    struct buf config = {0}, weights = {0};
    int rc = join(dir, home, "model", e);
    if (rc == OK) rc = file_mkdirs(dir, e);
    if (rc == OK) rc = checkpoint_write(0, &o->table, o->params, &weights, e);
    if (rc == OK) rc = store(dir, "weights", &weights, e);
    if (rc == OK) rc = store(dir, "tokenizer.json", &o->tokenizer, e);
    if (rc == OK) rc = hf_config_write(&o->config, &o->ids, DTYPE_F32, &config, e);
    if (rc == OK) rc = store(dir, "config.json", &config, e);
    buf_deinit(&config);
    buf_deinit(&weights);
    return rc == OK ? OK : err_wrap(e, "keeping the model");
}

int origin_kept(const char *home, struct origin_kept *ret, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    struct origin_kept k = {0};
    struct hf_config_ids ids;
    int rc = join(k.tokenizer_path, home, "model/tokenizer.json", e);
    if (rc == OK) rc = join(path, home, "model/config.json", e);
    if (rc == OK) rc = file_read(path, HF_CONFIG_MAX, &text, e);
    if (rc == OK) rc = hf_config_parse(text.p, text.len, &k.config, &ids, e);
    buf_deinit(&text);
    if (rc != OK) return err_wrap(e, "the model that this run goes on from");
    k.has_eos = ids.eos >= 0;
    k.eos = k.has_eos ? (uint32_t)ids.eos : 0;
    *ret = k;
    return OK;
}

int origin_weights(const char *home, const struct model_table *t, float *params,
                   struct hash *ret_model, struct err *e)
{
    char path[PATH_CAP];
    struct buf file = {0};
    struct checkpoint c = {0};
    size_t most = CHECKPOINT_HEADER_BYTES + (size_t)t->n_params * sizeof *params;
    int rc = join(path, home, "model/weights", e);
    if (rc == OK) rc = file_read(path, most, &file, e);
    if (rc == OK) rc = checkpoint_parse(file.p, file.len, &c, e);
    if (rc == OK && (c.round != 0 || c.n_params != t->n_params))
        rc = err_set(e, ERR_PROTO, 0, "'%s' holds another model", path);
    if (rc == OK) {
        if (params) memcpy(params, c.weights, c.n_bytes);
        *ret_model = c.model;
    } else {
        err_wrap(e, "the weights that this run goes on from");
    }
    buf_deinit(&file);
    return rc;
}
