#include "record/rating.h"

#include <math.h>
#include <stdbool.h>

#include "base/err.h"
#include "engine/kernels.h"

#define ONE   1e6
#define BETA  (25.0 / 6)   /* skill that makes a win likely */
#define TAU   (25.0 / 300) /* what may change between two rankings */
#define KAPPA 1e-4         /* sigma never shrinks to nothing at once */

struct rating rating_new(void)
{
    return (struct rating){RATING_MU, RATING_SIGMA};
}

int64_t rating_ordinal(const struct rating *r)
{
    return r->mu - 3 * r->sigma;
}

/* Whole millionths, halves away from zero; the operations are exact or correctly rounded. */
static int64_t whole(double x)
{
    return (int64_t)(x < 0 ? ceil(x * ONE - 0.5) : floor(x * ONE + 0.5));
}

void rating_rank(struct rating *r, const int64_t *value, uint32_t n)
{
    double e[RATING_MAX], variance[RATING_MAX], sum[RATING_MAX], omega, delta;
    double c2 = 0;
    check(n <= RATING_MAX);
    if (n < 2) return;
    for (uint32_t i = 0; i < n; i++) {
        double sigma = (double)r[i].sigma / ONE;
        variance[i] = sigma * sigma + TAU * TAU;
        c2 += variance[i] + BETA * BETA;
    }
    double c = sqrt(c2);
    for (uint32_t i = 0; i < n; i++)
        e[i] = kernels_exp64((double)r[i].mu / ONE / c);
    for (uint32_t q = 0; q < n; q++) {
        sum[q] = 0;
        for (uint32_t s = 0; s < n; s++)
            if (value[s] <= value[q]) sum[q] += e[s];
    }
    for (uint32_t i = 0; i < n; i++) {
        omega = delta = 0;
        for (uint32_t q = 0; q < n; q++) {
            if (value[q] < value[i]) continue;
            uint32_t n_same = 0;
            for (uint32_t s = 0; s < n; s++)
                n_same += value[s] == value[q];
            double p = e[i] / sum[q];
            omega += ((q == i ? 1.0 : 0.0) - p) / n_same;
            delta += p * (1 - p) / n_same;
        }
        double sigma = sqrt(variance[i]);
        double keep = 1 - variance[i] / c2 * (sigma / c) * delta;
        r[i].mu += whole(variance[i] / c * omega);
        r[i].sigma = whole(sigma * sqrt(keep > KAPPA ? keep : KAPPA));
        if (r[i].sigma < 1) r[i].sigma = 1;
    }
}
