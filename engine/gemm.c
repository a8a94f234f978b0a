#include "engine/gemm.h"

#include <assert.h>

#include "base/alloc.h"

/* SLICE units of the reduction are done at a time: a panel of 384 x 48 units is 72 KiB and stays in
 * the second-level cache while the rows of A stream past it; half of that would stay in the first,
 * and then C comes and goes twice as often (6 % slower). ROWS_PACKED rows of A are packed at a time
 * where A does not lie as strips read it. At most ROWS x 48 x SLICE units lie between two looks at
 * the gate: 40 Mflop in floats.
 */
enum {
    SLICE = 384,
    ROWS = 1024,
    ROWS_PACKED = 256,
    ROWS_LEAST = 64, /* of a piece, when there are few */
    TOLD = 64,       /* rows that are handed out at a time */
    GROUP = 4,       /* panels of a piece at most */
    PANEL_UNITS = SLICE * MICRO_NR + MICRO_LANES,
    BLOCK_UNITS = (SLICE * MICRO_LANES + MICRO_LANES) * (ROWS_PACKED / MICRO_LANES),
    PARTIAL = ROWS * MICRO_NR,               /* where A is not packed */
    PARTIAL_PACKED = ROWS_PACKED * MICRO_NR, /* where it is */
};
_Static_assert(4 * (PANEL_UNITS + PARTIAL) <= GEMM_SCRATCH_BYTES, "scratch");
_Static_assert(4 * (PANEL_UNITS + BLOCK_UNITS + PARTIAL_PACKED) <= GEMM_SCRATCH_BYTES, "scratch");

static uint32_t div_up(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

static uint32_t at_most(uint32_t a, uint32_t cap)
{
    return a < cap ? a : cap;
}

/* How a job is cut: pieces of `rows` rows by `cols` columns. */
struct cut {
    const struct micro *micro;
    uint32_t rows, cols;
    uint32_t across;  /* pieces side by side */
    uint32_t panel;   /* columns of a panel */
    bool is_a_direct; /* strips read A where it lies */
};

struct batch {
    struct pool *pool;
    const struct gemm_job *jobs;
    struct cut cut[GEMM_MAX_JOBS];
    uint32_t first[GEMM_MAX_JOBS + 1];      /* piece number where each job starts */
    uint32_t first_pack[GEMM_MAX_JOBS + 1]; /* the same of the packing before it */
};

/* One piece at work. */
struct piece {
    const struct batch *batch;
    const struct gemm_job *j;
    const struct cut *cut;
    uint32_t row, n_rows, col, n_cols;
    uint32_t *panel; /* packed B */
    uint32_t *block; /* packed A */
    float *partial;  /* sums on their way to a bfloat16 C */
    uint32_t k0, k;  /* the slice, in elements */
    uint32_t i_slice;
    bool is_first, is_last;
};

static const void *element(const void *base, bool is_bf16, uint64_t i)
{
    return (const char *)base + i * (is_bf16 ? 2 : 4);
}

/* Units from one packed panel to the next: one cache line more than it takes, so that panels side
 * by side do not fall into the same sets of the cache.
 */
static size_t stride_of(const struct piece *x, uint32_t w)
{
    return (size_t)micro_units(x->j->type, x->k) * w + MICRO_LANES;
}

static void pack_a(const struct piece *x)
{
    const struct gemm_job *j = x->j;
    struct micro_source s = {.data = j->a,
                             .ld = j->lda,
                             .is_bf16 = j->type == MICRO_BF16,
                             .is_k_rows = j->kind == GEMM_TN};
    struct micro_panels to = {
        .dst = x->block, .w = MICRO_LANES, .stride = stride_of(x, MICRO_LANES)};
    x->cut->micro->pack(&s, x->k0, x->k, x->row, x->n_rows, &to);
}

static void pack_b(const struct piece *x, uint32_t col, uint32_t n, uint32_t *dst)
{
    const struct gemm_job *j = x->j;
    struct micro_source s = {.data = j->b,
                             .ld = j->ldb,
                             .is_bf16 = j->type == MICRO_BF16 && j->is_b_bf16,
                             .is_k_rows = j->kind != GEMM_NT};
    uint32_t panel = x->cut->panel;
    uint32_t rest = n % panel;
    struct micro_panels to = {.dst = dst, .w = panel, .stride = stride_of(x, panel)};
    if (n > rest) x->cut->micro->pack(&s, x->k0, x->k, col, n - rest, &to);
    if (!rest) return;
    to.dst = dst + n / panel * to.stride; /* the last one is as wide as it has to be */
    to.w = micro_width(rest);
    x->cut->micro->pack(&s, x->k0, x->k, col + n - rest, rest, &to);
}

/* All of B packed lies slice by slice, and within a slice panel by panel. */
static uint32_t *shared_panel(const struct piece *x, uint32_t i_panel)
{
    uint32_t panel = x->cut->panel;
    size_t n_panels = div_up(x->j->n, panel);
    size_t before = n_panels * (panel * (size_t)micro_units(x->j->type, x->k0) +
                                MICRO_LANES * (size_t)x->i_slice);
    return (uint32_t *)x->j->room + before + i_panel * stride_of(x, panel);
}

size_t gemm_room(enum micro_type type, uint32_t n, uint32_t k)
{
    size_t panel = gemm_panel(n);
    size_t units = micro_units(type, k);
    size_t each = size_add(size_mul(panel, units), MICRO_LANES * ((units + SLICE - 1) / SLICE));
    return size_mul(size_mul(4, each), (n + panel - 1) / panel);
}

/* Where row i of A begins, the first of a block. */
static void find_a(const struct piece *x, uint32_t i, struct micro_strip *s)
{
    const struct gemm_job *j = x->j;
    if (!x->cut->is_a_direct) {
        s->a_block = stride_of(x, MICRO_LANES);
        s->a = x->block + i / MICRO_LANES * s->a_block;
        s->a_row = 1;
        s->a_step = MICRO_LANES;
        return;
    }
    bool is_bf16 = j->type == MICRO_BF16;
    s->a = element(j->a, is_bf16, (uint64_t)(x->row + i) * j->lda + x->k0);
    s->a_row = is_bf16 ? j->lda / 2 : j->lda;
    s->a_block = MICRO_LANES * s->a_row;
    s->a_step = 1;
}

/* Sums that may not touch C yet, or never do, rest in `partial`. */
static void find_c(const struct piece *x, uint32_t i, uint32_t col, struct micro_strip *s)
{
    const struct gemm_job *j = x->j;
    uint64_t at = (uint64_t)(x->row + i) * j->ldc + col;
    float *rest = x->partial + (size_t)i * MICRO_NR;
    s->out_ld = s->in_ld = j->ldc;
    if (!j->is_c_bf16 && !j->done) {
        s->out = (float *)j->c + at;
        s->in = x->is_first && !j->add ? NULL : s->out;
        return;
    }
    s->in = x->is_first ? NULL : rest;
    s->in_ld = MICRO_NR;
    s->is_out_bf16 = x->is_last && !j->done;
    s->out = s->is_out_bf16 ? (void *)((uint16_t *)j->c + at) : rest;
    if (!s->is_out_bf16) s->out_ld = MICRO_NR;
}

/* The rows of a piece against the packed panel; some at a time where somebody waits for them. */
static void strips(const struct piece *x, const uint32_t *panel, uint32_t col, uint32_t n)
{
    struct micro_strip s = {.b = panel, .n = n, .k = micro_units(x->j->type, x->k)};
    bool is_told = x->j->done && x->is_last;
    uint32_t step = is_told ? TOLD : x->n_rows;
    for (uint32_t i = 0; i < x->n_rows; i += step) {
        s.m = at_most(x->n_rows - i, step);
        find_a(x, i, &s);
        find_c(x, i, col, &s);
        x->cut->micro->strip(&s);
        if (is_told) x->j->done(x->j->ctx, x->row + i, s.m, col, n, s.out, MICRO_NR);
    }
}

/* Slices of equal length, whole units. false: the last one is behind us. */
static bool next_slice(struct piece *x)
{
    const struct gemm_job *j = x->j;
    uint32_t per_unit = j->type == MICRO_BF16 ? 2 : 1;
    uint32_t units = micro_units(j->type, j->k);
    uint32_t most = div_up(units, div_up(units, SLICE)) * per_unit;
    x->i_slice = x->k ? x->i_slice + 1 : 0;
    x->k0 = x->k0 + x->k;
    if (x->k0 >= j->k) return false;
    x->k = at_most(j->k - x->k0, most);
    x->is_first = x->k0 == 0;
    x->is_last = x->k0 + x->k == j->k;
    return true;
}

/* Panel by panel, all of the reduction each. */
static void by_panels(struct piece *x)
{
    for (uint32_t col = x->col; col < x->col + x->n_cols; col += x->cut->panel) {
        uint32_t n = at_most(x->col + x->n_cols - col, x->cut->panel);
        x->k0 = x->k = 0;
        while (next_slice(x)) {
            if (!pool_go(x->batch->pool)) return;
            if (!x->cut->is_a_direct) pack_a(x);
            pack_b(x, col, n, x->panel);
            strips(x, x->panel, col, n);
        }
    }
}

/* Slice by slice, so that A is packed once for all panels, which lie packed already. */
static void by_slices(struct piece *x)
{
    uint32_t panel = x->cut->panel;
    while (next_slice(x)) {
        pack_a(x);
        for (uint32_t i = 0; i * panel < x->n_cols; i++) {
            if (!pool_go(x->batch->pool)) return;
            strips(x, shared_panel(x, i), i * panel, at_most(x->n_cols - i * panel, panel));
        }
    }
}

static uint32_t find_job(const uint32_t *first, uint32_t piece)
{
    uint32_t i = 0;
    while (piece >= first[i + 1])
        i++;
    return i;
}

/* Some panels of B, all of the reduction. */
static void pack_piece(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct batch *b = ctx;
    uint32_t i = find_job(b->first_pack, piece);
    struct piece x = {.batch = b, .j = &b->jobs[i], .cut = &b->cut[i]};
    uint32_t i_panel = (piece - b->first_pack[i]) * GROUP;
    uint32_t col = i_panel * x.cut->panel;
    while (next_slice(&x) && pool_go(b->pool))
        pack_b(&x, col, at_most(x.j->n - col, GROUP * x.cut->panel), shared_panel(&x, i_panel));
}

static void run_piece(void *ctx, uint32_t piece, uint32_t i_worker)
{
    const struct batch *b = ctx;
    uint32_t i = find_job(b->first, piece);
    const struct gemm_job *j = &b->jobs[i];
    const struct cut *cut = &b->cut[i];
    piece -= b->first[i];
    uint32_t *scratch = pool_scratch(b->pool, i_worker);
    struct piece x = {.batch = b,
                      .j = j,
                      .cut = cut,
                      .row = piece / cut->across * cut->rows,
                      .col = piece % cut->across * cut->cols,
                      .panel = scratch,
                      .block = scratch + PANEL_UNITS};
    x.partial = (float *)(void *)(x.block + (cut->is_a_direct ? 0 : BLOCK_UNITS));
    x.n_rows = at_most(j->m - x.row, cut->rows);
    x.n_cols = at_most(j->n - x.col, cut->cols);
    if (j->kind == GEMM_TN)
        by_slices(&x);
    else
        by_panels(&x);
}

/* 48; or 32 where that leaves no ragged last panel that would weigh. */
uint32_t gemm_panel(uint32_t n)
{
    return n < 1024 && n % 32 == 0 && n % MICRO_NR ? 32 : MICRO_NR;
}

/* All columns, and rows for an equal number of pieces on each thread. */
static void cut_rows(struct cut *c, const struct gemm_job *j, uint32_t n_threads, uint32_t want)
{
    uint32_t least = div_up(j->m, ROWS_PACKED);
    uint32_t most = div_up(j->m, ROWS_LEAST);
    uint32_t n = least > want ? least : at_most(want, most);
    n = div_up(n, n_threads) * n_threads;
    c->cols = j->n;
    c->rows = div_up(div_up(j->m, n), MICRO_LANES) * MICRO_LANES;
}

/* Enough pieces for every thread to have several, in the largest form that gives that many. */
static struct cut cut_of(const struct gemm_job *j, uint32_t n_threads)
{
    struct cut c = {.micro = micro_best(j->type), .panel = gemm_panel(j->n), .across = 1};
    bool is_whole = j->type != MICRO_BF16 || (j->lda % 2 == 0 && j->k % 2 == 0);
    uint32_t want = n_threads > 1 ? 4 * n_threads : 1;
    c.is_a_direct = j->kind != GEMM_TN && is_whole;
    if (j->kind == GEMM_TN) {
        cut_rows(&c, j, n_threads, want);
        return c;
    }
    c.rows = at_most(j->m, c.is_a_direct ? ROWS : ROWS_PACKED);
    uint32_t panels = div_up(j->n, c.panel);
    c.cols =
        c.panel * at_most(1 + panels / (8 * want), GROUP); /* neighbours fetch for each other */
    c.across = div_up(j->n, c.cols);
    while (div_up(j->m, c.rows) * c.across < want && c.rows > ROWS_LEAST)
        c.rows = div_up(c.rows, 2 * MICRO_LANES) * MICRO_LANES;
    return c;
}

void gemm_run(struct pool *p, const struct gemm_job *jobs, uint32_t n_jobs)
{
    struct batch b = {.pool = p, .jobs = jobs};
    check(n_jobs <= GEMM_MAX_JOBS);
    for (uint32_t i = 0; i < n_jobs; i++) {
        const struct gemm_job *j = &jobs[i];
        assert(!(j->is_c_bf16 && (j->add || j->kind == GEMM_TN)));
        assert(!j->done || j->kind == GEMM_NT);
        b.cut[i] = cut_of(j, pool_threads(p));
        b.first[i + 1] = b.first[i] + div_up(j->m, b.cut[i].rows) * b.cut[i].across;
        uint32_t packs = j->kind == GEMM_TN ? div_up(j->n, GROUP * b.cut[i].panel) : 0;
        b.first_pack[i + 1] = b.first_pack[i] + packs;
        assert(!packs || j->room);
    }
    if (b.first_pack[n_jobs]) pool_run(p, b.first_pack[n_jobs], pack_piece, &b);
    pool_run(p, b.first[n_jobs], run_piece, &b);
}
