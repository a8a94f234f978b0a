#pragma once
/* Why: one friendly page about this computer: what its processor and memory can do, what our engine
 * makes of it, which models fit, and how long a round would take. What was not measured is marked
 * as estimated, with the measured rate it comes from.
 */

#include <stdbool.h>
#include <stdint.h>

#include "app/bench_engine.h"
#include "base/buf.h"
#include "base/err.h"

#define BENCH_PAGE_STEPS 30 /* training steps of the round that is spoken of */
#define BENCH_PAGE_SIZES 8
#define BENCH_PAGE_RUNS  2

/* One size of model. round_s is 0 when nothing is known. */
struct bench_page_size {
    const char *name;
    uint64_t n_params;
    uint64_t n_bytes; /* planned for training */
    bool is_fitting;
    /* The options of potluck agent with which it fits all the same, least loss first; NULL: none, or
     * it fits without. */
    const char *fits_with;
    uint64_t n_bytes_with; /* planned then */
    bool is_measured;
    double tok_per_s;
    double round_s;
};

struct bench_page_run {
    const char *name;
    struct bench_preset preset;
    enum bench_precision precision;
    double tok_per_s, gflops, of_peak, loss, cpu_share;
};

struct bench_page {
    char processor[128];
    char isas[128];
    uint32_t n_threads;
    uint64_t memory_bytes, free_bytes;
    double fp32_gflops, bf16_gflops; /* bf16: 0 when the processor has none */
    const char *fp32_isa, *bf16_isa;
    double triad_gb_per_s; /* 0: not measured */
    uint32_t n_runs;
    struct bench_page_run runs[BENCH_PAGE_RUNS];
    char run_fault[300]; /* why a run is missing; "" */
    uint32_t n_sizes;
    struct bench_page_size sizes[BENCH_PAGE_SIZES];
};

/* Measure; about 10 to 25 seconds. Only memory for itself can make it fail; what else goes wrong is
 * told in the page. home: of the cache of text. Before any thread.
 */
int bench_page_measure(uint32_t n_threads, const char *home, void (*say)(const char *line),
                       struct bench_page *ret, struct err *e) MUST_CHECK;

/* Fill sizes[] from runs[], free_bytes and n_threads; pure. */
void bench_page_plan(struct bench_page *p);

/* At most 80 columns. */
void bench_page_text(const struct bench_page *p, struct buf *out);
int bench_page_json(const struct bench_page *p, struct buf *out, struct err *e) MUST_CHECK;
