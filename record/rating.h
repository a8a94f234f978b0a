#pragma once
/* Why: raw losses of one round say little about the next, but who did better than whom does. A
 * rating keeps, for each key, what is believed of its usefulness (mu) and how sure that is (sigma),
 * and takes one ranking after the other.
 *
 * Plackett-Luce with n players of one each:
 *   c = sqrt(sum_i (sigma_i^2 + beta^2))
 *   p_iq = exp(mu_i / c) / sum_{rank_s >= rank_q} exp(mu_s / c)
 *   mu_i    += sigma_i^2 / c   * sum_{rank_q <= rank_i} ([i = q] - p_iq) / A_q
 *   sigma_i *= sqrt(max(1 - sigma_i^2 / c^2 * sigma_i / c * sum p_iq (1 - p_iq) / A_q, kappa))
 * A_q: how many share the rank of q. Before each ranking sigma^2 grows by tau^2: people change.
 * Source: Weng and Lin 2011, JMLR 12, algorithm 4, with the gamma = sigma / c of section 6.
 * Kept as whole millionths, computed in doubles with our own exp and IEEE's exact operations: the
 * same bits on every CPU.
 */

#include <stdint.h>

#define RATING_MU    25000000 /* millionths; of a new key */
#define RATING_SIGMA 8333333  /* 25 / 3 */
#define RATING_MAX   1024     /* players of one ranking */

struct rating {
    int64_t mu;    /* millionths */
    int64_t sigma; /* millionths, > 0 */
};

struct rating rating_new(void);

/* One ranking: value[i] is what player i reached, more is better, equal shares a rank. r [n] is
 * changed; fewer than two players say nothing. n <= RATING_MAX.
 */
void rating_rank(struct rating *r, const int64_t *value, uint32_t n);

/* mu - 3 sigma: what it is worth with great certainty. Millionths. */
int64_t rating_ordinal(const struct rating *r);
