#include "app/bench_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "engine/budget.h"
#include "view/text.h"

/* Half a minute for everything; the runs get what the other measurements leave. */
#define RUN_S_MS   4000
#define RUN_M_MS   9000
#define M_PATIENCE 12000 /* M is left out when the page has taken so long before it */

/* ---- the machine ---- */

/* The value after "name : " of the first line in file that begins with name. */
static bool line_of(const char *file, const char *name, char *dst, size_t cap)
{
    char line[512];
    bool is_found = false;
    FILE *f = fopen(file, "re");
    if (!f) return false;
    while (!is_found && fgets(line, sizeof line, f)) {
        if (strncmp(line, name, strlen(name)) != 0) continue;
        char *value = strchr(line, ':');
        if (!value) continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = 0;
        utf8_printable(value, dst, cap);
        is_found = true;
    }
    (void)fclose(f);
    return is_found;
}

static uint64_t memory_of(const char *name)
{
    char value[64];
    if (!line_of("/proc/meminfo", name, value, sizeof value)) return 0;
    return strtoull(value, NULL, 10) * 1024;
}

static void look_at_machine(struct bench_page *p)
{
    snprintf(p->processor, sizeof p->processor, "unknown");
    (void)line_of("/proc/cpuinfo", "model name", p->processor, sizeof p->processor);
    bench_peak_isas(p->isas, sizeof p->isas);
    p->memory_bytes = memory_of("MemTotal");
    p->free_bytes = memory_of("MemAvailable");
}

static void measure_machine(struct bench_page *p)
{
    struct pool *pool = NULL;
    if (pool_create(p->n_threads, &pool, NULL) != OK) return;
    p->fp32_gflops = bench_peak(pool, BENCH_FP32, &p->fp32_isa);
    p->bf16_gflops = bench_peak(pool, BENCH_BF16, &p->bf16_isa);
    size_t bytes = (size_t)128 << 20;
    while (bytes > p->free_bytes / 16 && bytes > 1u << 20)
        bytes /= 2;
    double triad = 0;
    if (bench_peak_triad(pool, bytes, &triad, NULL) == OK) p->triad_gb_per_s = triad;
    pool_destroy(pool);
}

/* ---- the engine ---- */

static uint64_t bytes_of(const struct bench_preset *p, uint32_t n_threads, struct budget *ret)
{
    struct trainer_options how = {.n_threads = n_threads, .precision = TRAINER_AUTO};
    budget_plan(&p->model, &p->train, &how, ret);
    return ret->total_bytes;
}

/* What saves memory, from the least to the most that it costs. */
static void find_saving(const struct bench_preset *p, uint32_t n_threads, uint64_t free_bytes,
                        struct bench_page_size *ret)
{
    static const struct {
        const char *options;
        enum packed_kind moments, feedback;
        bool recompute;
    } ways[] = {
        {"--recompute",                                PACKED_F32,  PACKED_F32,  true },
        {"--moments bf16",                             PACKED_BF16, PACKED_F32,  false},
        {"--moments 8bit",                             PACKED_Q8,   PACKED_F32,  false},
        {"--moments 8bit --recompute",                 PACKED_Q8,   PACKED_F32,  true },
        {"--moments 8bit --feedback bf16 --recompute", PACKED_Q8,   PACKED_BF16, true },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct trainer_options how = {.n_threads = n_threads,
                                      .precision = TRAINER_AUTO,
                                      .moments = ways[i].moments,
                                      .feedback = ways[i].feedback,
                                      .recompute = ways[i].recompute};
        struct budget plan;
        budget_plan(&p->model, &p->train, &how, &plan);
        if (plan.total_bytes > free_bytes) continue;
        ret->fits_with = ways[i].options;
        ret->n_bytes_with = plan.total_bytes;
        return;
    }
}

static void add_run(struct bench_page *p, const char *name, uint32_t most_ms, const char *home,
                    void (*say)(const char *line), struct bench_engine *r)
{
    struct bench_engine_options o = {.precision = TRAINER_AUTO,
                                     .n_threads = p->n_threads,
                                     .n_steps = 30,
                                     .most_ms = most_ms,
                                     .home = home,
                                     .without_blas = true,
                                     .seed = 1,
                                     .say = say};
    struct budget plan;
    struct err e = {0};
    char why[280];
    if (bench_preset_find(name, &o.preset) != 0) return;
    if (bytes_of(&o.preset, p->n_threads, &plan) > p->free_bytes) return;
    if (bench_engine_run(&o, r, &e) != OK) {
        snprintf(p->run_fault, sizeof p->run_fault, "%s: %s", name, err_line(&e, why, sizeof why));
        return;
    }
    struct bench_page_run *x = &p->runs[p->n_runs++];
    *x = (struct bench_page_run){.name = name,
                                 .preset = o.preset,
                                 .precision = r->precision,
                                 .tok_per_s = r->tok_per_s,
                                 .gflops = r->gflops,
                                 .of_peak = r->peak_gflops > 0 ? r->gflops / r->peak_gflops : 0,
                                 .cpu_share = r->cpu_share,
                                 .loss = r->losses[r->n_steps - 1]};
}

/* The measured run that a size is estimated from: its own, or the largest. */
static const struct bench_page_run *run_for(const struct bench_page *p, const char *name)
{
    const struct bench_page_run *best = NULL;
    for (uint32_t i = 0; i < p->n_runs; i++) {
        const struct bench_page_run *x = &p->runs[i];
        if (strcmp(x->name, name) == 0) return x;
        if (!best || x->gflops > best->gflops) best = x;
    }
    return best;
}

void bench_page_plan(struct bench_page *p)
{
    p->n_sizes = 0;
    for (size_t i = 0; i < bench_preset_count() && p->n_sizes < BENCH_PAGE_SIZES; i++) {
        struct bench_preset preset = bench_preset_at(i);
        struct bench_page_size *s = &p->sizes[p->n_sizes++];
        struct model_table table = {0};
        struct budget plan;
        *s = (struct bench_page_size){.name = preset.name};
        s->n_bytes = bytes_of(&preset, p->n_threads, &plan);
        s->is_fitting = s->n_bytes <= p->free_bytes;
        if (!s->is_fitting) find_saving(&preset, p->n_threads, p->free_bytes, s);
        if (model_table_init(&table, &preset.model, NULL) == OK) s->n_params = table.n_params;
        model_table_deinit(&table);
        const struct bench_page_run *run = run_for(p, preset.name);
        if (!run) continue;
        s->is_measured = strcmp(run->name, preset.name) == 0;
        s->tok_per_s =
            s->is_measured ? run->tok_per_s : run->gflops * 1e9 / (double)plan.flops_per_token;
        s->round_s = (double)BENCH_PAGE_STEPS * preset.train.seq_len * preset.train.batch_seqs /
                     s->tok_per_s;
    }
}

int bench_page_measure(uint32_t n_threads, const char *home, void (*say)(const char *line),
                       struct bench_page *ret, struct err *e)
{
    struct bench_page p = {.n_threads = n_threads, .fp32_isa = "none", .bf16_isa = "none"};
    struct bench_engine *r = alloc_zero(1, sizeof *r);
    if (!r) return err_set(e, ERR_NOMEM, 0, "no memory for the bench");
    int64_t began = clock_mono_ms();
    look_at_machine(&p);
    if (say) say("measuring processor and memory");
    measure_machine(&p);
    add_run(&p, "S", RUN_S_MS, home, say, r);
    if (clock_mono_ms() - began < M_PATIENCE) add_run(&p, "M", RUN_M_MS, home, say, r);
    bench_page_plan(&p);
    free(r);
    *ret = p;
    return OK;
}

/* ---- telling ---- */

static void put_size(const struct bench_page_size *s, struct buf *out)
{
    char bytes[TEXT_CAP];
    char params[TEXT_CAP];
    char speed[TEXT_CAP] = "-";
    char took[TEXT_CAP] = "-";
    if (s->round_s > 0) {
        snprintf(speed, sizeof speed, "%.0f", s->tok_per_s);
        text_duration((int64_t)(s->round_s * 1000), took);
    }
    snprintf(params, sizeof params, "%.1f million", (double)s->n_params / 1e6);
    text_bytes(s->n_bytes, bytes);
    buf_printf(out, "  %-5s %14s  %9s  ", s->name, params, bytes);
    if (!s->is_fitting) {
        buf_put_str(out, "no\n");
        if (s->fits_with)
            buf_printf(out, "        fits in %s with %s\n", text_bytes(s->n_bytes_with, bytes),
                       s->fits_with);
        return;
    }
    buf_printf(out, "%-4s %9s  %12s", "yes", speed, took);
    if (s->round_s > 0) buf_printf(out, "  %s", s->is_measured ? "measured" : "estimated");
    buf_put_str(out, "\n");
}

static void put_machine(const struct bench_page *p, struct buf *out)
{
    char all[TEXT_CAP];
    char avail[TEXT_CAP];
    text_bytes(p->memory_bytes, all);
    text_bytes(p->free_bytes, avail);
    buf_put_str(out, "This computer\n\n");
    buf_printf(out, "  processor     %.44s, %u thread%s used\n", p->processor, p->n_threads,
               p->n_threads == 1 ? "" : "s");
    buf_printf(out, "  instructions  %.62s\n", p->isas);
    buf_printf(out, "  fp32 peak     %.0f Gflop/s (%s)\n", p->fp32_gflops, p->fp32_isa);
    if (p->bf16_gflops > 0)
        buf_printf(out, "  bf16 peak     %.0f Gflop/s (%s)\n", p->bf16_gflops, p->bf16_isa);
    else
        buf_put_str(out, "  bf16 peak     -  (this processor has no bf16 instructions)\n");
    buf_printf(out, "  memory        %s, %s of it free now", all, avail);
    if (p->triad_gb_per_s > 0) buf_printf(out, "; %.1f GB/s (triad)", p->triad_gb_per_s);
    buf_put_str(out, "\n");
}

void bench_page_text(const struct bench_page *p, struct buf *out)
{
    put_machine(p, out);
    buf_put_str(out, "\nWhat potluck makes of it\n\n");
    for (uint32_t i = 0; i < p->n_runs; i++) {
        const struct bench_page_run *r = &p->runs[i];
        buf_printf(out, "  model %-6s  %.0f tokens/s in %s: %.0f Gflop/s, %.0f %% of that peak\n",
                   r->name, r->tok_per_s, bench_engine_precision_name(r->precision), r->gflops,
                   100 * r->of_peak);
        if (r->cpu_share < BENCH_ENGINE_QUIET)
            buf_printf(out,
                       "    (other programs had a part of the processor; we got %.0f %% of it)\n",
                       100 * r->cpu_share);
    }
    if (*p->run_fault) buf_printf(out, "  not measured: %.300s\n", p->run_fault);
    if (!p->n_runs && !*p->run_fault)
        buf_put_str(out, "  not measured: too little memory is free for the smallest model\n");
    buf_printf(out,
               "\nWhich models would fit, and how long a round of %d training steps would take\n\n"
               "  %-5s %14s  %9s  %-4s %9s  %12s\n",
               BENCH_PAGE_STEPS, "size", "parameters", "memory", "fits", "tokens/s", "a round");
    for (uint32_t i = 0; i < p->n_sizes; i++)
        put_size(&p->sizes[i], out);
    buf_put_str(out, "\n  \"estimated\" takes the Gflop/s measured above for the larger model.\n"
                     "  `potluck bench engine --help` measures a single size exactly.\n");
}

static json_t *run_json(const struct bench_page_run *r)
{
    json_t *o = json_object();
    json_set_text(o, "config", r->name);
    json_set_text(o, "precision", bench_engine_precision_name(r->precision));
    json_set_real(o, "tokens_per_s", r->tok_per_s);
    json_set_real(o, "gflops", r->gflops);
    json_set_real(o, "fraction_of_peak", r->of_peak);
    json_set_real(o, "loss", r->loss);
    json_set_real(o, "cpu_share", r->cpu_share);
    return o;
}

static json_t *size_json(const struct bench_page_size *s)
{
    json_t *o = json_object();
    json_set_text(o, "config", s->name);
    json_set_u64(o, "params", s->n_params);
    json_set_u64(o, "bytes", s->n_bytes);
    json_set_bool(o, "fits", s->is_fitting);
    if (s->fits_with) json_set_text(o, "fits_with", s->fits_with);
    if (s->fits_with) json_set_u64(o, "bytes_with", s->n_bytes_with);
    json_set_bool(o, "measured", s->is_measured);
    json_set_real(o, "tokens_per_s", s->round_s > 0 ? s->tok_per_s : (double)NAN);
    json_set_real(o, "round_s", s->round_s > 0 ? s->round_s : (double)NAN);
    return o;
}

int bench_page_json(const struct bench_page *p, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    json_t *runs = json_array();
    json_t *sizes = json_array();
    json_set_text(o, "processor", p->processor);
    json_set_text(o, "instructions", p->isas);
    json_set_u64(o, "threads", p->n_threads);
    json_set_u64(o, "memory_bytes", p->memory_bytes);
    json_set_u64(o, "free_bytes", p->free_bytes);
    json_set_real(o, "fp32_peak_gflops", p->fp32_gflops > 0 ? p->fp32_gflops : (double)NAN);
    json_set_text(o, "fp32_isa", p->fp32_isa);
    json_set_real(o, "bf16_peak_gflops", p->bf16_gflops > 0 ? p->bf16_gflops : (double)NAN);
    json_set_text(o, "bf16_isa", p->bf16_isa);
    json_set_real(o, "triad_gb_per_s", p->triad_gb_per_s > 0 ? p->triad_gb_per_s : (double)NAN);
    for (uint32_t i = 0; i < p->n_runs; i++)
        json_array_append_new(runs, run_json(&p->runs[i]));
    for (uint32_t i = 0; i < p->n_sizes; i++)
        json_array_append_new(sizes, size_json(&p->sizes[i]));
    json_object_set_new(o, "runs", runs);
    json_object_set_new(o, "sizes", sizes);
    json_set_u64(o, "round_steps", BENCH_PAGE_STEPS);
    if (*p->run_fault) json_set_text(o, "run_fault", p->run_fault);
    int rc = json_write(o, out, e);
    buf_put_str(out, "\n");
    json_decref(o);
    return rc == OK ? buf_ok(out, e) : rc;
}
