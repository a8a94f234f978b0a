#pragma once
/* Why: the yardstick. OpenBLAS multiplies for most programs on a Debian machine, so its sgemm rate at
 * our own shapes says whether our products are good. The engine does not use it; a bench opens
 * whichever flavours are installed, tries the ways in which each can be called, and keeps the best.
 *
 * Every try is a process of its own: the core type is read once, while the library is being loaded;
 * the wrong one may crash; and its buffers must not count in the memory that is measured here.
 *
 *     pthread   our pool, one thread a call; or its own threads, one call at a time
 *     openmp    its own threads (called from foreign threads it is several times slower)
 *     serial    one thread only (it shares buffers between callers without a lock)
 */

#include <stdbool.h>
#include <stdint.h>

#include "app/bench_preset.h"
#include "base/err.h"

#define BENCH_BLAS_TRIES 12

/* One way to call it, and what came of it. */
struct bench_blas_try {
    char library[128]; /* path for dlopen */
    char asked[16];    /* OPENBLAS_CORETYPE; "" lets the library choose */
    bool is_own;       /* its own threads; else ours, one thread a call */
    uint32_t n_threads;
    char flavour[16]; /* as the library says, as all below; "" when the try failed */
    char core[32];
    char config[128];
    double gflops; /* best so far; 0 when the try failed */
    char fault[128];
};

struct bench_blas {
    struct bench_blas_try tries[BENCH_BLAS_TRIES];
    uint32_t n_tries;
    uint32_t best; /* index; valid when n_tries > 0 and tries[best].gflops > 0 */
};

/* Try everything that is installed at the products of p. ERR_NOTFOUND with the package to install
 * when there is no OpenBLAS, or none that computes right. Starts processes.
 */
int bench_blas_search(const struct bench_preset *p, uint32_t n_threads, struct bench_blas *ret,
                      struct err *e) MUST_CHECK;

/* Measure the best try again; its rate stays the higher one. */
void bench_blas_again(const struct bench_preset *p, struct bench_blas *b);

/* What such a process does: open t->library, check a few products, measure all of p, fill t. */
int bench_blas_measure(const struct bench_preset *p, struct bench_blas_try *t,
                       struct err *e) MUST_CHECK;

/* t as one JSON object with a newline, to stdout: what bench_blas_search reads. */
int bench_blas_print(const struct bench_blas_try *t, struct err *e) MUST_CHECK;
