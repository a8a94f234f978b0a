#include "app/loaded.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

static int read_tokenizer(struct loaded *l, bool is_needed, struct err *e)
{
    const struct buf *json = NULL;
    int rc = model_source_tokenizer(l->source, &json, e);
    if (rc == ERR_NOTFOUND && !is_needed) return OK;
    if (rc) return rc;
    l->tokenizer_hash = hash_of(json->p, json->len);
    return tokenizer_from_json(json->p, json->len, &l->tokenizer, e);
}

static uint32_t known_id(const struct loaded *l, int64_t id)
{
    return id >= 0 && id < l->config->vocab_size ? (uint32_t)id : TOKENIZER_NONE;
}

/* Where nothing is said to begin a text, what ended the text before does. */
static void find_ends(struct loaded *l)
{
    const struct hf_config_ids *ids = model_source_ids(l->source);
    l->end = known_id(l, ids->eos);
    l->start = known_id(l, ids->bos);
    if (l->start == TOKENIZER_NONE) l->start = l->end;
}

int loaded_open(const char *from, const char *home, bool needs_tokenizer, struct loaded *ret,
                struct err *e)
{
    struct loaded l = {0};
    int rc = model_source_open(from, home, &l.source, e);
    if (!rc) rc = read_tokenizer(&l, needs_tokenizer, e);
    if (rc) {
        loaded_close(&l);
        return rc;
    }
    l.config = model_source_config(l.source);
    find_ends(&l);
    *ret = l;
    return OK;
}

/* Linux promises memory that it does not have; ask what there is, as the trainer does. */
static int check_memory(size_t bytes, struct err *e)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0 || bytes <= size_mul((size_t)pages, (size_t)page)) return OK;
    err_set(e, ERR_NOMEM, 0, "this model needs %.1f MiB of memory, this computer has %.1f",
            (double)bytes / 0x1p20, (double)pages * (double)page / 0x1p20);
    err_hint(e, "choose a smaller model, or a shorter context");
    return ERR_NOMEM;
}

int loaded_begin(struct loaded *l, struct interrupt *i, uint32_t n_ctx, uint32_t n_threads,
                 struct err *e)
{
    const struct model_table *t = model_source_table(l->source);
    struct infer_shape s = infer_shape_for(l->config, n_ctx, n_threads);
    size_t weights = size_mul((size_t)t->n_params, sizeof(float));
    int rc = check_memory(size_add(weights, infer_bytes(l->config, &s)), e);
    if (rc) return rc;
    l->params = alloc_aligned((size_t)t->n_params, sizeof(float));
    if (!l->params)
        return err_set(e, ERR_NOMEM, 0, "the weights need %zu bytes of memory", weights);
    rc = model_source_load(l->source, l->params, e);
    if (!rc) rc = pool_create(n_threads, &l->pool, e);
    if (rc) return rc;
    l->interrupt = i;
    interrupt_pool(i, l->pool);
    return infer_create(l->config, t, l->pool, &s, &l->infer, e);
}

void loaded_close(struct loaded *l)
{
    if (!l) return;
    if (l->interrupt) interrupt_pool(l->interrupt, NULL);
    infer_destroy(l->infer);
    pool_destroy(l->pool);
    free(l->params);
    tokenizer_destroy(l->tokenizer);
    model_source_close(l->source);
    *l = (struct loaded){0};
}

uint32_t loaded_vocab(const struct loaded *l)
{
    uint32_t V = l->config->vocab_size;
    uint32_t n = l->tokenizer ? tokenizer_vocab_size(l->tokenizer) : V;
    return n < V ? n : V;
}
