#include "app/bench_engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/bench_data.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/budget.h"
#include "engine/memfree.h"
#include "engine/trainer.h"

#define MB 1e6

const char *bench_engine_precision_name(enum bench_precision p)
{
    return p == BENCH_BF16 ? "bf16" : "fp32";
}

uint64_t bench_engine_rss(void)
{
    unsigned long long kib = 0;
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");
    if (!f) return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1) break;
    (void)fclose(f);
    return kib * 1024;
}

/* ---- one run ---- */

struct run {
    const struct bench_engine_options *o;
    struct bench_engine *r;
    struct bench_data data;
    struct pool *pool; /* for the peaks */
    struct trainer *trainer;
    uint32_t *tokens; /* [B][T + 1] */
    FILE *dump;
    double cpu_ns, wall_ns; /* of all steps */
    double sorted[BENCH_ENGINE_STEPS];
};

static void say(const struct run *x, const char *line)
{
    if (x->o->say) x->o->say(line);
}

static struct trainer_options how_of(const struct run *x)
{
    const struct bench_engine_options *o = x->o;
    return (struct trainer_options){.n_threads = o->n_threads,
                                    .precision = o->precision,
                                    .moments = o->moments,
                                    .feedback = o->feedback,
                                    .recompute = o->recompute,
                                    .is_solo = o->is_solo};
}

static void measure_peak(struct run *x)
{
    const char *isa = NULL;
    double peak = bench_peak(x->pool, x->r->precision, &isa);
    if (peak <= x->r->peak_gflops) return;
    x->r->peak_gflops = peak;
    x->r->peak_isa = isa;
}

static void measure_blas(struct run *x, bool is_first)
{
    struct bench_engine *r = x->r;
    if (x->o->without_blas) return;
    if (!is_first) {
        if (r->has_blas) bench_blas_again(&r->preset, &r->blas);
        return;
    }
    struct err e = {0};
    say(x, "trying the ways to call OpenBLAS");
    r->has_blas = bench_blas_search(&r->preset, x->o->n_threads, &r->blas, &e) == OK;
    if (!r->has_blas) err_line(&e, r->blas_fault, sizeof r->blas_fault);
}

static int open_all(struct run *x, struct err *e)
{
    const struct bench_engine_options *o = x->o;
    const struct train_params *t = &o->preset.train;
    uint32_t vocab = o->preset.model.vocab_size;
    int rc = o->data ? bench_data_open(o->data, vocab, t->seq_len, &x->data, e)
                     : bench_data_default(o->home, vocab, t->seq_len, o->say, &x->data, e);
    if (rc != OK) return rc;
    snprintf(x->r->from, sizeof x->r->from, "%s", x->data.from);
    x->tokens = alloc_zero((size_t)t->batch_seqs * (t->seq_len + 1), sizeof *x->tokens);
    if (!x->tokens) return err_set(e, ERR_NOMEM, 0, "no memory for a batch of tokens");
    if (o->tokens) {
        x->dump = fopen(o->tokens, "wbe");
        if (!x->dump) return err_set(e, ERR_IO, 0, "cannot write '%s'", o->tokens);
    }
    return pool_create(o->n_threads, &x->pool, e);
}

static int create(struct run *x, struct err *e)
{
    const struct bench_preset *p = &x->o->preset;
    struct trainer_options how = how_of(x);
    struct budget plan;
    int rc = trainer_create(&p->model, &p->train, &how, &x->trainer, e);
    if (rc != OK) return rc;
    budget_plan(&p->model, &p->train, &how, &plan);
    x->r->budget_bytes = plan.total_bytes;
    x->r->how = how;
    x->r->n_params = trainer_table(x->trainer)->n_params;
    x->r->bytes_per_param = (double)budget_param_bytes(&plan) / (double)x->r->n_params;
    snprintf(x->r->class, sizeof x->r->class, "%s", trainer_class(x->trainer));
    trainer_init_weights(x->trainer, x->o->seed);
    if (!x->o->weights) return OK;
    return file_replace(x->o->weights, trainer_weights(x->trainer),
                        (size_t)x->r->n_params * sizeof(float), 0644, e);
}

/* Processor time of all threads of this process. */
static double cpu_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int one_step(struct run *x, struct err *e)
{
    const struct train_params *p = &x->o->preset.train;
    struct trainer_step_result s = {0};
    uint32_t i = x->r->n_steps;
    size_t n = (size_t)p->batch_seqs * (p->seq_len + 1);
    int rc = bench_data_batch(&x->data, x->o->seed, (uint64_t)i * p->batch_seqs, p->batch_seqs,
                              x->tokens, e);
    if (rc == OK && x->dump && fwrite(x->tokens, sizeof *x->tokens, n, x->dump) != n)
        rc = err_set(e, ERR_IO, 0, "cannot write '%s'", x->o->tokens);
    double before = cpu_ns();
    int64_t began = clock_mono_ns();
    if (rc == OK) rc = trainer_step(x->trainer, x->tokens, i, &s, e);
    if (rc != OK) return rc;
    x->cpu_ns += cpu_ns() - before;
    x->wall_ns += (double)(clock_mono_ns() - began);
    x->r->speeds[i] = (double)s.n_tokens * 1e9 / (double)(s.busy_ns > 0 ? s.busy_ns : 1);
    x->r->losses[i] = s.loss;
    x->r->n_steps++;
    return OK;
}

/* Peaks and the yardstick in front, halfway and behind. */
static int train(struct run *x, struct err *e)
{
    uint32_t n = x->o->n_steps;
    int64_t end = x->o->most_ms ? clock_mono_ms() + x->o->most_ms : INT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (i == n / 2 && n > 3) {
            measure_peak(x);
            measure_blas(x, false);
        }
        int rc = one_step(x, e);
        if (rc != OK) return rc;
        if (i && clock_mono_ms() > end) break;
    }
    return OK;
}

static void conclude(struct run *x)
{
    struct bench_engine *r = x->r;
    struct trainer_options how = how_of(x);
    struct budget plan;
    budget_plan(&r->preset.model, &r->preset.train, &how, &plan);
    double flops = (double)plan.flops_per_token * 1e-9;
    uint32_t first = r->n_steps > 1 ? 1 : 0;
    uint32_t n = r->n_steps - first;
    memcpy(x->sorted, r->speeds + first, n * sizeof *x->sorted);
    r->tok_per_s = bench_preset_median(x->sorted, n);
    r->best_tok_per_s = x->sorted[n - 1];
    r->cpu_share = x->cpu_ns / (x->wall_ns * r->n_threads);
    r->gflops = r->tok_per_s * flops;
    r->best_gflops = r->best_tok_per_s * flops;
}

int bench_engine_run(const struct bench_engine_options *o, struct bench_engine *ret, struct err *e)
{
    *ret =
        (struct bench_engine){.preset = o->preset, .n_threads = o->n_threads, .peak_isa = "none"};
    struct run *x = alloc_zero(1, sizeof *x);
    if (!x) return err_set(e, ERR_NOMEM, 0, "no memory for the bench");
    x->o = o;
    x->r = ret;
    bool is_bf16 = trainer_precision_here(o->precision) == TRAINER_BF16;
    ret->precision = is_bf16 ? BENCH_BF16 : BENCH_FP32;
    struct trainer_options how = how_of(x);
    struct budget plan;
    budget_plan(&o->preset.model, &o->preset.train, &how, &plan);
    int rc =
        budget_check(&plan, memfree_bytes(), e); /* before minutes go into measuring OpenBLAS */
    if (rc == OK) rc = open_all(x, e);
    if (rc == OK) {
        measure_peak(x);
        measure_blas(x, true);
        rc = create(x, e);
    }
    if (rc == OK) {
        say(x, "training");
        rc = train(x, e);
    }
    if (rc == OK) {
        ret->rss_bytes = bench_engine_rss();
        measure_peak(x);
        measure_blas(x, false);
        conclude(x);
    }
    if (x->dump && fclose(x->dump) != 0 && rc == OK)
        rc = err_set(e, ERR_IO, 0, "cannot write '%s'", o->tokens);
    trainer_destroy(x->trainer);
    pool_destroy(x->pool);
    bench_data_close(&x->data);
    free(x->tokens);
    free(x);
    return rc;
}

/* ---- telling ---- */

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : (double)NAN;
}

static json_t *model_json(const struct model_config *c)
{
    json_t *o = json_object();
    json_set_u64(o, "vocab_size", c->vocab_size);
    json_set_u64(o, "hidden_size", c->hidden_size);
    json_set_u64(o, "intermediate_size", c->intermediate_size);
    json_set_u64(o, "num_hidden_layers", c->num_hidden_layers);
    json_set_u64(o, "num_attention_heads", c->num_attention_heads);
    json_set_u64(o, "num_key_value_heads", c->num_key_value_heads);
    json_set_real(o, "rms_norm_eps", c->rms_norm_eps);
    json_set_real(o, "rope_theta", c->rope_theta);
    return o;
}

static json_t *train_json(const struct train_params *p)
{
    json_t *o = json_object();
    json_set_u64(o, "seq_len", p->seq_len);
    json_set_u64(o, "batch_seqs", p->batch_seqs);
    json_set_real(o, "lr", p->lr);
    json_set_real(o, "lr_min_frac", p->lr_min_frac);
    json_set_u64(o, "warmup_steps", p->warmup_steps);
    json_set_u64(o, "total_steps", p->total_steps);
    json_set_real(o, "beta1", p->beta1);
    json_set_real(o, "beta2", p->beta2);
    json_set_real(o, "eps", p->eps);
    json_set_real(o, "weight_decay", p->weight_decay);
    json_set_real(o, "clip_norm", p->clip_norm);
    return o;
}

static json_t *reals_json(const double *x, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_real(x[i]));
    return list;
}

static json_t *tries_json(const struct bench_blas *b)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < b->n_tries; i++) {
        const struct bench_blas_try *t = &b->tries[i];
        json_t *o = json_object();
        json_set_text(o, "library", t->library);
        json_set_text(o, "asked", t->asked);
        json_set_text(o, "flavour", t->flavour);
        json_set_text(o, "core", t->core);
        json_set_bool(o, "own_threads", t->is_own);
        json_set_u64(o, "threads", t->n_threads);
        json_set_real(o, "gflops", t->gflops);
        if (*t->fault) json_set_text(o, "fault", t->fault);
        json_array_append_new(list, o);
    }
    return list;
}

static void put_blas(json_t *o, const struct bench_engine *r)
{
    const struct bench_blas_try *t = &r->blas.tries[r->blas.best];
    json_set_real(o, "sgemm_gflops", r->has_blas ? t->gflops : (double)NAN);
    json_set_real(o, "fraction_of_sgemm", r->has_blas ? share(r->gflops, t->gflops) : (double)NAN);
    json_set_real(o, "fraction_of_sgemm_best",
                  r->has_blas ? share(r->best_gflops, t->gflops) : (double)NAN);
    if (r->has_blas) {
        json_set_text(o, "sgemm_flavour", t->flavour);
        json_set_text(o, "sgemm_core", t->core);
        json_set_bool(o, "sgemm_own_threads", t->is_own);
        json_object_set_new(o, "sgemm_tries", tries_json(&r->blas));
    } else if (*r->blas_fault) {
        json_set_text(o, "sgemm_fault", r->blas_fault);
    }
}

static void put_memory(json_t *o, const struct bench_engine *r)
{
    json_set_text(o, "moments", packed_word(r->how.moments));
    json_set_text(o, "feedback", packed_word(r->how.feedback));
    json_set_bool(o, "recompute", r->how.recompute);
    json_set_bool(o, "solo", r->how.is_solo);
    json_set_real(o, "rss_mb", (double)r->rss_bytes / MB);
    json_set_real(o, "budget_mb", (double)r->budget_bytes / MB);
    json_set_real(o, "bytes_per_param", r->bytes_per_param);
}

int bench_engine_json(const struct bench_engine *r, bool with_losses, struct buf *out,
                      struct err *e)
{
    json_t *o = json_object();
    json_set_text(o, "config", r->preset.name);
    json_set_text(o, "precision", bench_engine_precision_name(r->precision));
    json_set_u64(o, "threads", r->n_threads);
    json_set_u64(o, "steps", r->n_steps);
    json_set_u64(o, "params", r->n_params);
    json_set_u64(o, "tokens_per_step",
                 (uint64_t)r->preset.train.seq_len * r->preset.train.batch_seqs);
    json_set_real(o, "tokens_per_s", r->tok_per_s);
    json_set_real(o, "tokens_per_s_best", r->best_tok_per_s);
    json_set_real(o, "gflops", r->gflops);
    json_set_real(o, "gflops_best", r->best_gflops);
    json_set_real(o, "peak_gflops", r->peak_gflops);
    json_set_text(o, "peak_isa", r->peak_isa);
    json_set_real(o, "fraction_of_peak", share(r->gflops, r->peak_gflops));
    json_set_real(o, "fraction_of_peak_best", share(r->best_gflops, r->peak_gflops));
    put_blas(o, r);
    json_set_real(o, "cpu_share", r->cpu_share);
    put_memory(o, r);
    json_set_real(o, "loss", r->losses[r->n_steps - 1]);
    json_set_text(o, "class", r->class);
    json_set_text(o, "text", r->from);
    if (with_losses) {
        json_object_set_new(o, "losses", reals_json(r->losses, r->n_steps));
        json_object_set_new(o, "speeds", reals_json(r->speeds, r->n_steps));
        json_object_set_new(o, "model", model_json(&r->preset.model));
        json_object_set_new(o, "train", train_json(&r->preset.train));
    }
    int rc = json_write(o, out, e);
    buf_put_str(out, "\n");
    json_decref(o);
    return rc == OK ? buf_ok(out, e) : rc;
}

void bench_engine_text(const struct bench_engine *r, struct buf *out)
{
    const struct bench_blas_try *t = &r->blas.tries[r->blas.best];
    buf_printf(out, "model      %s: %.1f million parameters, %u x %u tokens a step\n",
               r->preset.name, (double)r->n_params / 1e6, r->preset.train.batch_seqs,
               r->preset.train.seq_len);
    buf_printf(out, "text       %s\n", r->from);
    buf_printf(out, "speed      %.0f tokens/s with %u threads in %s (best step %.0f), loss %.3f\n",
               r->tok_per_s, r->n_threads, bench_engine_precision_name(r->precision),
               r->best_tok_per_s, r->losses[r->n_steps - 1]);
    buf_printf(out, "           %.1f Gflop/s: %.1f %% of the peak of %.1f (%s)\n", r->gflops,
               100 * share(r->gflops, r->peak_gflops), r->peak_gflops, r->peak_isa);
    if (r->has_blas)
        buf_printf(out,
                   "OpenBLAS   %.1f Gflop/s at the same shapes (%s, %s, %s): we reach %.1f %%\n",
                   t->gflops, t->flavour, t->core, t->is_own ? "its own threads" : "our threads",
                   100 * share(r->gflops, t->gflops));
    else if (*r->blas_fault)
        buf_printf(out, "OpenBLAS   %s\n", r->blas_fault);
    buf_printf(out,
               "memory     %.1f MB at most; %.1f MB of it were planned: %.1f bytes a parameter,\n"
               "           and the activations\n",
               (double)r->rss_bytes / MB, (double)r->budget_bytes / MB, r->bytes_per_param);
    buf_printf(out, "class      %s\n", r->class);
    if (r->cpu_share < BENCH_ENGINE_QUIET)
        buf_printf(out,
                   "note       other programs had a part of the processor: we got %.0f %% of it\n",
                   100 * r->cpu_share);
}
