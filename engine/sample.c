#include "engine/sample.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engine/kernels.h"

int sample_check(const struct sample_choice *c, struct err *e)
{
    if (c->temperature != 0 && !(c->temperature >= 0.01 && c->temperature <= 100))
        return err_set(e, ERR_ARG, 0, "temperature must be 0, or 0.01 to 100");
    if (!(c->top_p > 0 && c->top_p <= 1))
        return err_set(e, ERR_ARG, 0, "top-p must be above 0, at most 1");
    return OK;
}

uint32_t sample_greedy(const float *logits, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(logits[i])) return SAMPLE_NONE;
        if (logits[i] > logits[best]) best = i;
    }
    return best;
}

static bool likelier(struct sample_entry a, struct sample_entry b)
{
    return a.p != b.p ? a.p > b.p : a.id < b.id;
}

static int by_likelihood(const void *a, const void *b)
{
    const struct sample_entry *x = a;
    const struct sample_entry *y = b;
    return likelier(*x, *y) ? -1 : 1;
}

/* heap[0] is the unlikeliest of the heap; put x where it was. */
static void sift_down(struct sample_entry *heap, uint32_t n, struct sample_entry x)
{
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && likelier(heap[child], heap[child + 1])) child++;
        if (!likelier(x, heap[child])) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = x;
}

static void sift_up(struct sample_entry *heap, uint32_t i, struct sample_entry x)
{
    while (i > 0 && likelier(heap[(i - 1) / 2], x)) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = x;
}

/* The k likeliest, in no order. */
static uint32_t keep_top(const float *p, uint32_t n, uint32_t k, struct sample_entry *kept)
{
    for (uint32_t i = 0; i < n; i++) {
        struct sample_entry x = {p[i], i};
        if (i < k)
            sift_up(kept, i, x);
        else if (likelier(x, kept[0]))
            sift_down(kept, k, x);
    }
    return k;
}

/* Those at or above `least`, in order of id. */
static uint32_t keep_above(const float *p, uint32_t n, double least, struct sample_entry *kept)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if ((double)p[i] >= least) kept[n_kept++] = (struct sample_entry){p[i], i};
    return n_kept;
}

static double sum_of(const struct sample_entry *kept, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)kept[i].p;
    return sum;
}

/* How many of the sorted entries it takes to reach `enough`. */
static uint32_t prefix(const struct sample_entry *kept, uint32_t n, double enough)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)kept[i].p;
        if (sum >= enough) return i + 1;
    }
    return n;
}

/* p [n] sums to sum and is not normalised: only ratios count. */
static uint32_t draw(const struct sample_choice *c, const float *p, uint32_t n, double sum,
                     struct sample_entry *kept, struct rng *r)
{
    uint32_t n_kept;
    if (c->top_k && c->top_k < n) {
        n_kept = keep_top(p, n, c->top_k, kept);
        qsort(kept, n_kept, sizeof *kept, by_likelihood);
        sum = sum_of(kept, n_kept);
    } else {
        /* All below (1 - top_p) / n together are less than 1 - top_p, so the others hold the
         * prefix; sorting a few instead of the whole vocabulary. Half, to be safe from rounding.
         */
        n_kept = keep_above(p, n, 0.5 * sum * (1 - c->top_p) / n, kept);
        if (c->top_p < 1) qsort(kept, n_kept, sizeof *kept, by_likelihood);
    }
    if (c->top_p < 1) n_kept = prefix(kept, n_kept, c->top_p * sum);
    double at = rng_unit(r) * sum_of(kept, n_kept);
    uint32_t last = kept[0].id;
    for (uint32_t i = 0; i < n_kept; i++) {
        if (kept[i].p > 0) last = kept[i].id; /* rounding never ends on an impossible token */
        at -= (double)kept[i].p;
        if (at < 0) break;
    }
    return last;
}

uint32_t sample_pick(const struct sample_choice *c, float *logits, uint32_t n,
                     struct sample_entry *scratch, struct rng *r)
{
    uint32_t best = sample_greedy(logits, n);
    if (best == SAMPLE_NONE || !isfinite(logits[best])) return SAMPLE_NONE;
    if (c->temperature == 0) return best;
    float top = logits[best];
    float scale = (float)(1 / c->temperature);
    for (uint32_t i = 0; i < n; i++)
        logits[i] = (logits[i] - top) * scale; /* at most 0: nothing overflows */
    kernels_exp_shift(logits, 0, n);
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)logits[i];
    return draw(c, logits, n, sum, scratch, r);
}
