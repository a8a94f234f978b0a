#include "engine/matvec.h"

/* Clones as in kernels.c, and for the same reasons. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) &&             \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#    define CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#    define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

/* Four short rows are four streams that begin anew all the time; the processor's own prefetching
 * reaches 0.7 of the speed of memory on them, asking 8 KiB ahead 0.9 (Zen 5, two threads, 160 MB of
 * weights).
 */
enum { LANES = 16, ROWS = 4, PIECE_FLOATS = 32768, AHEAD = 2048 };

/* Sixteen floats wherever they lie. A compiler splits the type into what the instruction set has,
 * element by element, so the bits are the same everywhere.
 */
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));

/* The fixed tree: halves folded onto each other. */
INLINE float fold(const lanes *v)
{
    float s[LANES / 2];
    for (int i = 0; i < LANES / 2; i++)
        s[i] = (*v)[i] + (*v)[i + LANES / 2];
    for (int w = LANES / 4; w; w /= 2)
        for (int i = 0; i < w; i++)
            s[i] += s[i + w];
    return s[0];
}

/* ROWS sums at once: their additions do not wait for each other, and x is loaded once. */
INLINE void four_rows(float *y, const float *w, const float *x, uint32_t cols)
{
    const float *w1 = w + cols;
    const float *w2 = w1 + cols;
    const float *w3 = w2 + cols;
    lanes s0 = {0};
    lanes s1 = {0};
    lanes s2 = {0};
    lanes s3 = {0};
    uint32_t i = 0;
    for (; i + LANES <= cols; i += LANES) {
        const lanes v = *(const lanes *)(x + i);
        __builtin_prefetch(w + i + AHEAD);
        __builtin_prefetch(w1 + i + AHEAD);
        __builtin_prefetch(w2 + i + AHEAD);
        __builtin_prefetch(w3 + i + AHEAD);
        s0 += *(const lanes *)(w + i) * v;
        s1 += *(const lanes *)(w1 + i) * v;
        s2 += *(const lanes *)(w2 + i) * v;
        s3 += *(const lanes *)(w3 + i) * v;
    }
    lanes s[ROWS] = {s0, s1, s2, s3}; /* a copy: indexed, it would live in memory */
    for (int k = 0; k < ROWS; k++) {
        const float *row = w + (uint64_t)k * cols;
        for (uint32_t j = i; j < cols; j++)
            s[k][j - i] += row[j] * x[j];
        y[k] = fold(&s[k]);
    }
}

INLINE float one_row(const float *w, const float *x, uint32_t cols)
{
    lanes s0 = {0};
    uint32_t i = 0;
    for (; i + LANES <= cols; i += LANES)
        s0 += *(const lanes *)(w + i) * *(const lanes *)(x + i);
    lanes s = s0;
    for (uint32_t j = i; j < cols; j++)
        s[j - i] += w[j] * x[j];
    return fold(&s);
}

CLONES void matvec_rows(float *y, const float *w, const float *x, uint32_t rows, uint32_t cols,
                        bool add)
{
    uint32_t r = 0;
    for (; r + ROWS <= rows; r += ROWS) {
        float sum[ROWS];
        four_rows(sum, w + (uint64_t)r * cols, x, cols);
        for (int k = 0; k < ROWS; k++)
            y[r + (uint32_t)k] = add ? y[r + (uint32_t)k] + sum[k] : sum[k];
    }
    for (; r < rows; r++) {
        float sum = one_row(w + (uint64_t)r * cols, x, cols);
        y[r] = add ? y[r] + sum : sum;
    }
}

struct job {
    float *y;
    const float *w;
    const float *x;
    uint32_t rows, cols;
    uint32_t piece_rows;
    bool add;
};

static void run_piece(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t at = piece * j->piece_rows;
    uint32_t n = j->rows - at < j->piece_rows ? j->rows - at : j->piece_rows;
    matvec_rows(j->y + at, j->w + (uint64_t)at * j->cols, j->x, n, j->cols, j->add);
}

void matvec_run(struct pool *p, float *y, const float *w, const float *x, uint32_t rows,
                uint32_t cols, bool add)
{
    struct job j = {.y = y, .w = w, .x = x, .rows = rows, .cols = cols, .add = add};
    uint32_t fit = PIECE_FLOATS / (cols ? cols : 1);
    j.piece_rows = fit < ROWS ? ROWS : fit / ROWS * ROWS;
    pool_run(p, (rows + j.piece_rows - 1) / j.piece_rows, run_piece, &j);
}
