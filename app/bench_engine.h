#pragma once
/* Why: how fast does the agent's own trainer train here, and what share is that of what the
 * machine can do and of what OpenBLAS reaches? Everything is measured in one run, the peaks before,
 * between and after the steps, because a shared machine does not stand still.
 *
 * Flops are counted as in engine/budget.h. Speeds without another word are medians over the steps;
 * the first step warms up and is left out when there are more. Peaks are the best seen.
 */

#include <stdbool.h>
#include <stdint.h>

#include "app/bench_blas.h"
#include "app/bench_peak.h"
#include "app/bench_preset.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/path.h"
#include "engine/trainer.h"

#define BENCH_ENGINE_STEPS 2000 /* most steps of a run */

struct bench_engine_options {
    struct bench_preset preset;
    enum trainer_precision precision;
    enum packed_kind moments, feedback; /* as in struct trainer_options, these and the next two */
    bool recompute;
    bool is_solo;
    uint32_t n_threads;
    uint32_t n_steps;    /* 1..BENCH_ENGINE_STEPS */
    uint32_t most_ms;    /* stop early after so long, but not before two steps; 0: never */
    const char *home;    /* of the cache, see base/path.h; may be NULL */
    const char *data;    /* folder of shards; NULL: bench_data_default */
    bool without_blas;   /* do not measure OpenBLAS */
    uint64_t seed;       /* of weights and data order */
    const char *weights; /* write the initial weights there: flat fp32, table order; may be NULL */
    const char *tokens;  /* write the tokens of all steps there: uint32, [steps][B][T + 1] */
    void (*say)(const char *line); /* what takes long; may be NULL */
};

struct bench_engine {
    struct bench_preset preset;
    enum bench_precision precision;
    uint32_t n_threads;
    uint32_t n_steps; /* done */
    uint64_t n_params;
    double tok_per_s, best_tok_per_s;
    double gflops, best_gflops;
    double cpu_share; /* processor time of the steps over threads x time: low on a busy machine */
    double peak_gflops;
    const char *peak_isa;
    bool has_blas;
    struct bench_blas blas;
    char blas_fault[300]; /* why there is none */
    uint64_t rss_bytes;   /* most memory this process ever held */
    uint64_t budget_bytes;
    struct trainer_options how;
    double bytes_per_param; /* planned, without activations and scratch */
    double losses[BENCH_ENGINE_STEPS];
    double speeds[BENCH_ENGINE_STEPS]; /* tokens/s of each step, the first included */
    char class[256];
    char from[PATH_CAP]; /* the text */
};

/* ret is large: not for the stack. ERR_ARG (data), ERR_NOMEM, ERR_IO. Call before any
 * thread exists.
 */
int bench_engine_run(const struct bench_engine_options *o, struct bench_engine *ret,
                     struct err *e) MUST_CHECK;

/* One JSON object and a newline. with_losses: loss and speed of every step, and the
 * configuration and schedule in full. */
int bench_engine_json(const struct bench_engine *r, bool with_losses, struct buf *out,
                      struct err *e) MUST_CHECK;

/* The same for people. */
void bench_engine_text(const struct bench_engine *r, struct buf *out);

/* Below this cpu_share somebody else had a good part of the processor. */
#define BENCH_ENGINE_QUIET 0.85

/* "fp32", "bf16" */
const char *bench_engine_precision_name(enum bench_precision p);

/* Highest resident memory of this process so far (VmHWM), 0 when unknown. Not ru_maxrss: that one
 * is inherited from whoever started the process.
 */
uint64_t bench_engine_rss(void);
