#include "app/bench_peak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

/* A loop of n turns on the calling thread. Register names are written out: a compiler left to
 * choose keeps some sums in memory, and the peak comes out at half.
 */
typedef void (*loop_fn)(uint64_t n);

struct loop {
    const char *name;
    enum bench_precision precision;
    bool (*is_here)(void);
    loop_fn run;
    double flops; /* of one turn */
};

#if defined(__x86_64__)
#    define EACH_24(op)                                                                            \
        op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13)    \
            op(14) op(15) op(16) op(17) op(18) op(19) op(20) op(21) op(22) op(23)
#    define EACH_12(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#    define LOW_CLOBBERS                                                                           \
        "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",   \
            "xmm11", "xmm14", "xmm15"
#    define HIGH_CLOBBERS                                                                          \
        "xmm12", "xmm13", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",  \
            "xmm30", "xmm31"

/* 24 sums of 16 floats: enough for two units of a latency of up to 12. */
__attribute__((target("avx512f"))) static void fma_512(uint64_t n)
{
    const float x = 1e-3F;
#    define ZERO(i) "vpxord %%zmm" #    i ", %%zmm" #    i ", %%zmm" #    i "\n\t"
#    define FMA(i)  "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #    i "\n\t"
    __asm__ volatile("vbroadcastss %1, %%zmm30\n\t"
                     "vmovaps %%zmm30, %%zmm31\n\t" EACH_24(ZERO) "1:\n\t" EACH_24(FMA) "dec %0\n\t"
                                                                                        "jnz 1b\n\t"
                                                                                        "vzeroupper"
                     : "+r"(n)
                     : "m"(x)
                     : "cc", LOW_CLOBBERS, HIGH_CLOBBERS);
#    undef FMA
}

/* Each lane takes two products of bf16 pairs: 4 flops. The pairs are 1.0, 1.0 (0x3f80). */
__attribute__((target("avx512f,avx512bf16"))) static void dot_512(uint64_t n)
{
    const uint32_t pair = 0x3a833a83; /* about 1e-3, twice */
#    define DOT(i) "vdpbf16ps %%zmm30, %%zmm31, %%zmm" #    i "\n\t"
    __asm__ volatile("vpbroadcastd %1, %%zmm30\n\t"
                     "vmovaps %%zmm30, %%zmm31\n\t" EACH_24(ZERO) "1:\n\t" EACH_24(DOT) "dec %0\n\t"
                                                                                        "jnz 1b\n\t"
                                                                                        "vzeroupper"
                     : "+r"(n)
                     : "m"(pair)
                     : "cc", LOW_CLOBBERS, HIGH_CLOBBERS);
#    undef DOT
#    undef ZERO
}

__attribute__((target("avx2,fma"))) static void fma_256(uint64_t n)
{
    const float x = 1e-3F;
#    define ZERO(i) "vxorps %%ymm" #    i ", %%ymm" #    i ", %%ymm" #    i "\n\t"
#    define FMA(i)  "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #    i "\n\t"
    __asm__ volatile("vbroadcastss %1, %%ymm14\n\t"
                     "vmovaps %%ymm14, %%ymm15\n\t" EACH_12(ZERO) "1:\n\t" EACH_12(FMA) "dec %0\n\t"
                                                                                        "jnz 1b\n\t"
                                                                                        "vzeroupper"
                     : "+r"(n)
                     : "m"(x)
                     : "cc", LOW_CLOBBERS);
#    undef FMA
#    undef ZERO
}

static bool has_fma_512(void)
{
    return __builtin_cpu_supports("avx512f");
}

static bool has_dot_512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
}

static bool has_fma_256(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

/* For every other processor: 12 sums of 4 floats, multiplied and added. What a compiler makes of
 * it is a lower bound of the machine's peak, and is named as what it is.
 */
typedef float four __attribute__((vector_size(16)));

typedef float wide __attribute__((vector_size(64)));

static void plain_c(uint64_t n)
{
    four a[12];
    four x = {1e-3F, 1e-3F, 1e-3F, 1e-3F};
    for (int i = 0; i < 12; i++)
        a[i] = x;
    __asm__ volatile("" : "+m"(x));
    for (uint64_t k = 0; k < n; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            a[i] = a[i] * x + x;
    }
    for (int i = 0; i < 12; i++)
        __asm__ volatile("" ::"m"(a[i]));
}

static bool always(void)
{
    return true;
}

static const struct loop loops[] = {
#if defined(__x86_64__)
    {"512-bit FMA",       BENCH_FP32, has_fma_512, fma_512, 24 * 16 * 2},
    {"256-bit FMA",       BENCH_FP32, has_fma_256, fma_256, 12 * 8 * 2 },
    {"512-bit VDPBF16PS", BENCH_BF16, has_dot_512, dot_512, 24 * 16 * 4},
#endif
    {"plain C",           BENCH_FP32, always,      plain_c, 12 * 4 * 2 },
};

struct turns {
    loop_fn run;
    uint64_t n;
};

static void one_share(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)piece;
    (void)i_worker;
    const struct turns *t = ctx;
    t->run(t->n);
}

/* Short measurements, the best of several: a neighbour's slice ruins one of them, not all. */
static double rate(struct pool *p, const struct loop *l)
{
    enum { PARTS = 8, PART_NS = 8000000 };
    struct turns t = {.run = l->run, .n = 20000};
    uint32_t n = pool_threads(p);
    double best = 0;
    for (int i = 0; i < PARTS; i++) {
        int64_t began = clock_mono_ns();
        pool_run(p, n, one_share, &t);
        double ns = (double)(clock_mono_ns() - began);
        double r = l->flops * (double)t.n * n / ns;
        if (i && r > best) best = r; /* the first only finds the length */
        if (i == 0) t.n = (uint64_t)((double)t.n * PART_NS / ns) + 1;
    }
    return best;
}

double bench_peak(struct pool *p, enum bench_precision precision, const char **ret_isa)
{
    double best = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        if (loops[i].precision != precision || !loops[i].is_here()) continue;
        double r = rate(p, &loops[i]);
        if (r <= best) continue;
        best = r;
        if (ret_isa) *ret_isa = loops[i].name;
    }
    return best;
}

struct triad {
    float *a;
    const float *b, *c;
    size_t n;
    uint32_t pieces;
};

static void triad_share(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct triad *t = ctx;
    size_t from = t->n / t->pieces * piece;
    size_t to = piece + 1 == t->pieces ? t->n : from + t->n / t->pieces;
    float *restrict a = t->a;
    const float *restrict b = t->b;
    const float *restrict c = t->c;
    for (size_t i = from; i < to; i++)
        a[i] = b[i] + 0.5F * c[i];
}

int bench_peak_triad(struct pool *p, size_t bytes, double *ret_gb_per_s, struct err *e)
{
    size_t n = bytes / sizeof(float);
    float *a = alloc_aligned(n, sizeof *a);
    float *b = alloc_aligned(n, sizeof *b);
    float *c = alloc_aligned(n, sizeof *c);
    int rc = a && b && c ? OK : err_set(e, ERR_NOMEM, 0, "no memory to measure its speed");
    if (rc == OK) {
        struct triad t = {.a = a, .b = b, .c = c, .n = n, .pieces = pool_threads(p)};
        double best = 0;
        for (int i = 0; i < 6; i++) {
            int64_t began = clock_mono_ns();
            pool_run(p, t.pieces, triad_share, &t);
            double r = 3.0 * (double)(n * sizeof *a) / (double)(clock_mono_ns() - began);
            if (i && r > best) best = r;
        }
        *ret_gb_per_s = best;
    }
    free(a);
    free(b);
    free(c);
    return rc;
}

struct reading {
    const float *a;
    size_t n;
    uint32_t pieces;
};

/* AddressSanitizer of GCC 12 keeps locals where vectors of 64 bytes are not aligned. */
#define ON_STACK no_sanitize("address")

/* Lines of 64 bytes, asked for 8 KiB ahead as matvec.c does. */
static inline __attribute__((always_inline, ON_STACK)) void read_lines(const wide *a, size_t n)
{
    enum { SUMS = 2, AHEAD = 128 }; /* more would not stay in SSE registers */
    wide s[SUMS] = {{0}};
    for (size_t i = 0; i < n; i += SUMS) {
        for (size_t k = 0; k < SUMS; k++) {
            __builtin_prefetch(a + i + k + AHEAD);
            s[k] += a[i + k];
        }
    }
    for (int k = 0; k < SUMS; k++)
        __asm__ volatile("" ::"m"(s[k]));
}

__attribute__((ON_STACK)) static void read_plain(const wide *a, size_t n)
{
    read_lines(a, n);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"), ON_STACK)) static void read_512(const wide *a, size_t n)
{
    read_lines(a, n);
}
#endif

/* Pieces of 128 KiB. */
static void read_share(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct reading *r = ctx;
    size_t n = r->n / r->pieces / 32 * 2;
    const wide *a = (const wide *)(const void *)r->a + n * piece;
#if defined(__x86_64__)
    if (has_fma_512()) {
        read_512(a, n);
        return;
    }
#endif
    read_plain(a, n);
}

int bench_peak_read(struct pool *p, size_t bytes, double *ret_gb_per_s, struct err *e)
{
    size_t n = bytes / sizeof(float);
    float *a = alloc_aligned(n, sizeof *a);
    if (!a) return err_set(e, ERR_NOMEM, 0, "no memory to measure its speed");
    struct reading r = {.a = a, .n = n, .pieces = (uint32_t)(n / 32768) + 1};
    double best = 0;
    for (int i = 0; i < 6; i++) {
        int64_t began = clock_mono_ns();
        pool_run(p, r.pieces, read_share, &r);
        double rate = (double)bytes / (double)(clock_mono_ns() - began);
        if (i && rate > best) best = rate;
    }
    *ret_gb_per_s = best;
    free(a);
    return OK;
}

char *bench_peak_isas(char *dst, size_t cap)
{
    size_t at = 0;
    snprintf(dst, cap, "none that this program knows");
#if defined(__x86_64__)
    __builtin_cpu_init();
    const struct {
        const char *name;
        int is_here;
    } isas[] = {
        {"SSE2",         __builtin_cpu_supports("sse2")      },
        {"AVX2",         __builtin_cpu_supports("avx2")      },
        {"FMA",          __builtin_cpu_supports("fma")       },
        {"AVX-512",      __builtin_cpu_supports("avx512f")   },
        {"AVX-512 BF16", __builtin_cpu_supports("avx512bf16")},
    };
    for (size_t i = 0; i < sizeof isas / sizeof *isas && at < cap; i++)
        if (isas[i].is_here)
            at += (size_t)snprintf(dst + at, cap - at, "%s%s", at ? ", " : "", isas[i].name);
#elif defined(__aarch64__)
    snprintf(dst, cap, "NEON");
    (void)at;
#else
    (void)at;
#endif
    return dst;
}
