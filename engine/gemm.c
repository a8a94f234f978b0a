#include "engine/gemm.h"

#include <assert.h>
#include <string.h>

#include "engine/gemm_ref.h"

/* The largest tile, 256 x 512 over 384 of the reduction, is 100 Mflop: 10 ms on a core that reaches
 * 10 Gflop/s, and wide enough that OpenBLAS spends little on packing its operands (0.93 of its best
 * rate; 128 x 256 gets 0.8). Longer reductions go in equal slices with a look at the gate between
 * them. Small products are cut finer until MIN_TILES can share the work.
 */
enum { TILE_M = 256, TILE_N = 512, SLICE_K = 384, MIN_TILES = 4, MIN_SIDE = 128 };

#ifdef POTLUCK_OPENBLAS
#    include <cblas.h>
#    include <dlfcn.h>
#    include <pthread.h>
#    include <stdio.h>
#    include <stdlib.h>

/* OpenBLAS is opened at run time and not linked, for two reasons: a process that never trains (the
 * screen) must not pay for it, and it reads OPENBLAS_CORETYPE once, while it is being loaded. The
 * state below is written once under pthread_once and read-only afterwards.
 */
typedef void (*sgemm_fn)(CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint, blasint, blasint,
                         float, const float *, blasint, const float *, blasint, float, float *,
                         blasint);
static struct {
    pthread_once_t once;
    sgemm_fn sgemm;
    char library[256];
    struct err err;
} blas = {.once = PTHREAD_ONCE_INIT};

/* What OpenBLAS should take this processor for. Version 0.3.21 identifies processors by model
 * number and falls back to SSE3 code on any it has not heard of, four times slower than the
 * machine can; the instruction sets say better what runs. AMD's AVX-512 machines are faster with
 * the AVX2 kernels (3 to 5 %, measured on Zen 4).
 */
static const char *core_type(void)
{
#    if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512cd");
    if (avx512 && __builtin_cpu_is("intel")) return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#    endif
    return NULL;
}

/* A function pointer out of dlsym, the way POSIX says it must be done. */
static void find(void *lib, const char *name, void *fn)
{
    void *sym = dlsym(lib, name);
    memcpy(fn, &sym, sizeof sym);
}

/* Debian installs up to three flavours side by side and lets `update-alternatives` choose one; the
 * one we want is asked for by its own path first.
 */
static void *open_library(void)
{
    static const char *const places[] = {
        "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0",
        "/usr/lib/aarch64-linux-gnu/openblas-pthread/libopenblas.so.0",
        "libopenblas.so.0",
    };
    void *lib = NULL;
    for (size_t i = 0; !lib && i < sizeof places / sizeof *places; i++)
        lib = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    return lib;
}

/* Only the pthread flavour (1) will do. The serial one (0) shares its packing buffers between
 * callers without a lock: called from two threads, every second product came out wrong. The
 * OpenMP one (2) is several times slower when called from threads that are not its own.
 */
static int check_flavour(int parallel)
{
    if (parallel == 1) return OK;
    err_set(&blas.err, ERR_VERSION, 0, "OpenBLAS' %s flavour cannot be called from several threads",
            parallel ? "OpenMP" : "serial");
    err_hint(&blas.err, "install the pthread flavour: apt install libopenblas0-pthread");
    return ERR_VERSION;
}

static void open_once(void)
{
    const char *core = core_type();
    /* The person's own core type wins. One thread, else it starts some while loading. Changing the
     * environment is safe while no other thread reads it: gemm.h says when to call.
     */
    if (core) setenv("OPENBLAS_CORETYPE", core, 0); /* NOLINT(concurrency-mt-unsafe) */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);         /* NOLINT(concurrency-mt-unsafe) */
    void *lib = open_library();
    char *(*config)(void) = NULL;
    char *(*corename)(void) = NULL;
    int (*parallel)(void) = NULL;
    void (*set_threads)(int) = NULL;
    if (lib) {
        find(lib, "cblas_sgemm", &blas.sgemm);
        find(lib, "openblas_get_config", &config);
        find(lib, "openblas_get_corename", &corename);
        find(lib, "openblas_get_parallel", &parallel);
        find(lib, "openblas_set_num_threads", &set_threads);
    }
    if (!blas.sgemm || !config || !corename || !parallel || !set_threads) {
        err_set(&blas.err, ERR_NOTFOUND, 0, "the OpenBLAS library is missing or incomplete");
        err_hint(&blas.err, "install it: apt install libopenblas0-pthread");
        return;
    }
    if (check_flavour(parallel())) return;
    set_threads(1);
    snprintf(blas.library, sizeof blas.library, "%s / %s", config(), corename());
}

int gemm_init(struct err *e)
{
    pthread_once(&blas.once, open_once);
    if (blas.err.code && e) *e = blas.err;
    return blas.err.code;
}

const char *gemm_library(void)
{
    return blas.library;
}

void gemm_small(const struct gemm_job *j, float alpha)
{
    blas.sgemm(CblasRowMajor, j->kind == GEMM_TN ? CblasTrans : CblasNoTrans,
               j->kind == GEMM_NT ? CblasTrans : CblasNoTrans, (blasint)j->m, (blasint)j->n,
               (blasint)j->k, alpha, j->a, (blasint)j->lda, j->b, (blasint)j->ldb,
               j->add ? 1.0F : 0.0F, j->c, (blasint)j->ldc);
}
#else
int gemm_init(struct err *e)
{
    (void)e;
    return OK;
}

const char *gemm_library(void)
{
    return "reference";
}

void gemm_small(const struct gemm_job *j, float alpha)
{
    gemm_ref_small(j, alpha);
}
#endif

static uint32_t div_up(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

struct tiling {
    uint32_t m, n; /* one tile */
    uint32_t across, count;
};

/* A function of the shape alone: this is what makes the bits independent of the threads. */
static struct tiling tiling_of(const struct gemm_job *j)
{
    struct tiling t = {.m = TILE_M, .n = TILE_N};
    for (;;) {
        t.across = div_up(j->n, t.n);
        t.count = t.across * div_up(j->m, t.m);
        if (t.count >= MIN_TILES || (t.m == MIN_SIDE && t.n == MIN_SIDE)) return t;
        if (t.n > t.m || t.m == MIN_SIDE)
            t.n /= 2;
        else
            t.m /= 2;
    }
}

static uint32_t at_most(uint32_t a, uint32_t cap)
{
    return a < cap ? a : cap;
}

struct batch {
    struct pool *pool;
    const struct gemm_job *jobs;
    struct tiling tiling[GEMM_MAX_JOBS];
    uint32_t first[GEMM_MAX_JOBS + 1]; /* tile number where each job starts */
};

static void run_tile(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct batch *b = ctx;
    uint32_t i = 0;
    while (piece >= b->first[i + 1])
        i++;
    const struct gemm_job *j = &b->jobs[i];
    const struct tiling *cut = &b->tiling[i];
    piece -= b->first[i];
    uint32_t row = piece / cut->across * cut->m;
    uint32_t col = piece % cut->across * cut->n;
    uint32_t slice = div_up(j->k, div_up(j->k, SLICE_K));
    for (uint32_t k = 0; k < j->k; k += slice) {
        if (k && !pool_go(b->pool)) return;
        struct gemm_job t = *j;
        t.m = at_most(j->m - row, cut->m);
        t.n = at_most(j->n - col, cut->n);
        t.k = at_most(j->k - k, slice);
        t.add = j->add || k;
        t.a += j->kind == GEMM_TN ? (uint64_t)k * j->lda + row : (uint64_t)row * j->lda + k;
        t.b += j->kind == GEMM_NT ? (uint64_t)col * j->ldb + k : (uint64_t)k * j->ldb + col;
        t.c += (uint64_t)row * j->ldc + col;
        gemm_small(&t, 1.0F);
    }
}

void gemm_run(struct pool *p, const struct gemm_job *jobs, uint32_t n_jobs)
{
    struct batch b = {.pool = p, .jobs = jobs};
    check(n_jobs <= GEMM_MAX_JOBS);
    for (uint32_t i = 0; i < n_jobs; i++) {
        b.tiling[i] = tiling_of(&jobs[i]);
        b.first[i + 1] = b.first[i] + b.tiling[i].count;
    }
    pool_run(p, b.first[n_jobs], run_tile, &b);
}
