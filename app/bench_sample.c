#include "app/bench_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/bench_engine.h"
#include "app/bench_peak.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/rng.h"
#include "engine/infer.h"

#define MB (1024.0 * 1024.0)

enum { PROMPTS = 3, PROMPT_PART = 256, READ_BYTES = 256 << 20 };

struct job {
    const struct bench_sample_options *o;
    struct model_table table;
    struct pool *pool;
    struct infer *infer;
    float *params;
    uint32_t *tokens; /* [n_prompt + n_tokens] */
    double *ns;       /* [n_tokens] of each step */
    struct hasher *hasher;
};

static int64_t cpu_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void close_job(struct job *j)
{
    infer_destroy(j->infer);
    pool_destroy(j->pool);
    model_table_deinit(&j->table);
    hasher_destroy(j->hasher);
    free(j->params);
    free(j->tokens);
    free(j->ns);
}

static int open_job(const struct bench_sample_options *o, struct job *j, struct bench_sample *r,
                    struct err *e)
{
    const struct model_config *c = &o->preset.model;
    uint32_t n = o->n_prompt + o->n_tokens;
    if (o->n_prompt < 1 || o->n_tokens < 1 || n < o->n_prompt || n > c->max_position_embeddings)
        return err_set(e, ERR_ARG, 0, "prompt and tokens must be 1 to %u together for this size",
                       c->max_position_embeddings);
    int rc = model_table_init(&j->table, c, e);
    if (rc == OK) rc = pool_create(o->n_threads, &j->pool, e);
    if (rc != OK) return rc;
    j->params = alloc_aligned(j->table.n_params, sizeof *j->params);
    j->tokens = alloc_zero(n, sizeof *j->tokens);
    j->ns = alloc_zero(o->n_tokens, sizeof *j->ns);
    j->hasher = hasher_create();
    if (!j->params || !j->tokens || !j->ns || !j->hasher)
        return err_set(e, ERR_NOMEM, 0, "no memory for a model of %.0f MB",
                       (double)j->table.n_params * sizeof(float) / MB);
    model_init_weights(&j->table, c, o->seed, j->params);
    struct rng g;
    rng_init(&g, o->seed, 1);
    for (uint32_t i = 0; i < n; i++)
        j->tokens[i] = rng_below(&g, c->vocab_size);
    struct infer_shape shape = infer_shape_for(c, n, o->n_threads);
    r->n_params = j->table.n_params;
    r->n_bytes = j->table.n_params * sizeof(float) + infer_bytes(c, &shape);
    return infer_create(c, &j->table, j->pool, &shape, &j->infer, e);
}

static void look_at_memory(struct job *j, struct bench_sample *r)
{
    double rate = 0;
    if (bench_peak_read(j->pool, READ_BYTES, &rate, NULL) == OK && rate > r->read_gb_per_s)
        r->read_gb_per_s = rate;
}

static void note(struct job *j, const float *logits)
{
    hasher_add(j->hasher, logits, j->o->preset.model.vocab_size * sizeof *logits);
}

/* In parts, as `potluck sample` reads. */
static int read_prompt(struct job *j, double *ret_ns, struct err *e)
{
    float *logits = NULL;
    uint32_t n = j->o->n_prompt;
    int rc = OK;
    infer_rewind(j->infer, 0);
    int64_t began = clock_mono_ns();
    for (uint32_t at = 0; at < n && rc == OK; at += PROMPT_PART) {
        uint32_t part = n - at < PROMPT_PART ? n - at : PROMPT_PART;
        rc = infer_feed(j->infer, j->params, j->tokens + at, part, &logits, e);
    }
    *ret_ns = (double)(clock_mono_ns() - began);
    if (rc == OK) note(j, logits);
    return rc;
}

static int write_tokens(struct job *j, struct err *e)
{
    int rc = OK;
    for (uint32_t i = 0; i < j->o->n_tokens && rc == OK; i++) {
        float *logits = NULL;
        int64_t began = clock_mono_ns();
        rc = infer_feed(j->infer, j->params, j->tokens + j->o->n_prompt + i, 1, &logits, e);
        j->ns[i] = (double)(clock_mono_ns() - began);
        if (rc == OK) note(j, logits);
    }
    return rc;
}

/* Sorted by the median: the least comes first. */
static void rates(double *ns, uint32_t n, double tokens, double *ret_median, double *ret_best)
{
    *ret_median = tokens * 1e9 / bench_preset_median(ns, n);
    *ret_best = tokens * 1e9 / ns[0];
}

/* An embedding that is not the head as well is looked up, not read. */
static double bytes_per_token(const struct bench_sample_options *o, uint64_t n_params)
{
    const struct model_config *c = &o->preset.model;
    double skipped = c->tie_word_embeddings ? 0 : (double)c->vocab_size * (double)c->hidden_size;
    double row = 2.0 * c->num_hidden_layers * c->num_key_value_heads * c->hidden_size /
                 c->num_attention_heads;
    double context = o->n_prompt + (o->n_tokens + 1) / 2.0;
    return ((double)n_params - skipped + row * context) * sizeof(float);
}

static int measure(struct job *j, struct bench_sample *r, struct err *e)
{
    double prompts[PROMPTS];
    int rc = read_prompt(j, &prompts[0], e); /* once for the page tables and the clock */
    look_at_memory(j, r);
    int64_t cpu = cpu_ns();
    int64_t wall = clock_mono_ns();
    for (int i = 0; i < PROMPTS && rc == OK; i++)
        rc = read_prompt(j, &prompts[i], e);
    if (rc == OK) rc = write_tokens(j, e);
    if (rc != OK) return rc;
    r->cpu_share = (double)(cpu_ns() - cpu) / (double)(clock_mono_ns() - wall) / j->o->n_threads;
    look_at_memory(j, r);
    rates(prompts, PROMPTS, j->o->n_prompt, &r->prompt_tok_per_s, &r->prompt_tok_per_s_best);
    rates(j->ns, j->o->n_tokens, 1, &r->tok_per_s, &r->tok_per_s_best);
    r->bytes_per_tok = bytes_per_token(j->o, r->n_params);
    struct hash h = hasher_end(j->hasher);
    hex_encode(h.b, HASH_BYTES, r->logits);
    return OK;
}

int bench_sample_run(const struct bench_sample_options *o, struct bench_sample *ret, struct err *e)
{
    struct bench_sample r = {.o = *o};
    struct job j = {.o = o};
    int rc = open_job(o, &j, &r, e);
    if (rc == OK) rc = measure(&j, &r, e);
    close_job(&j);
    if (rc == OK) *ret = r;
    return rc;
}

static double rate_of(const struct bench_sample *r)
{
    return r->tok_per_s * r->bytes_per_tok / 1e9;
}

int bench_sample_json(const struct bench_sample *r, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    json_set_text(o, "config", r->o.preset.name);
    json_set_u64(o, "threads", r->o.n_threads);
    json_set_u64(o, "params", r->n_params);
    json_set_u64(o, "prompt_tokens", r->o.n_prompt);
    json_set_real(o, "prompt_tokens_per_s", r->prompt_tok_per_s);
    json_set_real(o, "prompt_tokens_per_s_best", r->prompt_tok_per_s_best);
    json_set_u64(o, "tokens", r->o.n_tokens);
    json_set_real(o, "tokens_per_s", r->tok_per_s);
    json_set_real(o, "tokens_per_s_best", r->tok_per_s_best);
    json_set_real(o, "bytes_per_token", r->bytes_per_tok);
    json_set_real(o, "gb_per_s", rate_of(r));
    json_set_real(o, "read_gb_per_s", r->read_gb_per_s);
    json_set_real(o, "fraction_of_read", r->read_gb_per_s > 0 ? rate_of(r) / r->read_gb_per_s : 0);
    json_set_real(o, "memory_mb", (double)r->n_bytes / MB);
    json_set_real(o, "cpu_share", r->cpu_share);
    json_set_text(o, "logits_sha256", r->logits);
    int rc = json_write(o, out, e);
    buf_put_str(out, "\n");
    json_decref(o);
    return rc == OK ? buf_ok(out, e) : rc;
}

void bench_sample_text(const struct bench_sample *r, struct buf *out)
{
    buf_printf(out, "model      %s: %.1f million parameters, %.0f MB with working memory\n",
               r->o.preset.name, (double)r->n_params / 1e6, (double)r->n_bytes / MB);
    buf_printf(out, "reading    %.0f tokens/s, %u at once (best %.0f)\n", r->prompt_tok_per_s,
               r->o.n_prompt, r->prompt_tok_per_s_best);
    buf_printf(out, "writing    %.1f tokens/s with %u threads (best %.1f), %u tokens\n",
               r->tok_per_s, r->o.n_threads, r->tok_per_s_best, r->o.n_tokens);
    buf_printf(out, "           %.1f MB a token: %.1f GB/s; plain reading of memory %.1f GB/s\n",
               r->bytes_per_tok / 1e6, rate_of(r), r->read_gb_per_s);
    if (r->cpu_share < BENCH_ENGINE_QUIET)
        buf_printf(out,
                   "note       other programs had a part of the processor: we got %.0f %% of it\n",
                   100 * r->cpu_share);
}
