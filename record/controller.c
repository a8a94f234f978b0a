#include "record/controller.h"

#include <math.h>

#define AHEAD_PART     3u  /* of a round may be steps ahead */
#define LONG_WAIT      0.5 /* of a round, once it has CONTROLLER_DRIFT steps */
#define FLOPS_A_WEIGHT 6.0
#define HOME_FLOPS     60e9
#define BITS_A_BYTE    8.0
#define BITS_A_MBIT    1e6

/* Beside its place, a value takes a sign, its part of a scale, and where most are sent often a
 * second level; in an update more, since sums of many have more sizes. Measured by packing
 * heavy-tailed noise.
 */
static double value_bits(double p)
{
    return 1.4 + 0.4 * p;
}

static double update_bits(double p)
{
    return 2.5 + 3.0 * p;
}

/* Bits that say for each of many places whether it is taken, when a share p of them is. */
static double mask_bits(double p)
{
    if (!(p > 0) || !(p < 1)) return 0;
    return -(p * log2(p) + (1 - p) * log2(1 - p));
}

/* Places of the model that at least one of n contributors sent, if all choose at random. */
static double union_of(double p, uint32_t n)
{
    return 1 - pow(1 - p, n);
}

#define FEEDBACK      0.95 /* decay of the error feedback, as in every run of ours */
#define LEAST_SENDERS 2.0

static double senders_for(double p, uint32_t n)
{
    double worth = (1 - pow(FEEDBACK, 1 / p)) / (1 - FEEDBACK);
    double m = n * p * worth;
    if (m < LEAST_SENDERS) return LEAST_SENDERS;
    return m < n ? m : n;
}

static uint64_t whole_bytes(double bits)
{
    return (uint64_t)ceil(bits / BITS_A_BYTE);
}

static double transfer_s(uint64_t n_bytes, double mbit)
{
    return (double)n_bytes * BITS_A_BYTE / (mbit * BITS_A_MBIT);
}

static double merge_core_s(uint64_t up_bytes, uint32_t n_contributors)
{
    return (double)up_bytes * n_contributors / CONTROLLER_MERGE_BYTES_PER_S;
}

static double settle_s(const struct controller_facts *f, uint64_t down_bytes)
{
    return (double)down_bytes / f->decode_bytes_per_s + (double)f->n_params * CONTROLLER_HASH_S;
}

double controller_host_core_s(const struct controller_facts *f, const struct controller_round *r)
{
    return merge_core_s(r->up_bytes, f->n_contributors) + settle_s(f, r->down_bytes);
}

struct controller_round controller_cost(const struct controller_facts *f, uint32_t inner_steps,
                                        uint32_t k)
{
    double n = (double)f->n_params;
    double p = (double)k / CONTROLLER_CHUNK;
    double all = union_of(p, f->n_contributors);
    struct controller_round r = {
        .inner_steps = inner_steps, .k = k, .min_senders = senders_for(p, f->n_contributors)};
    r.up_bytes = whole_bytes(n * (p * value_bits(p) + mask_bits(p)));
    r.down_bytes = whole_bytes(n * (all * update_bits(p) + mask_bits(all)));
    r.train_s = (double)inner_steps * (double)f->step_tokens / f->tok_per_s;
    r.up_s = transfer_s(r.up_bytes, f->up_mbit);
    r.down_s = transfer_s(r.down_bytes, f->down_mbit);
    r.decode_s = (double)r.down_bytes / f->decode_bytes_per_s;
    r.host_s =
        merge_core_s(r.up_bytes, f->n_contributors) / f->host_cores + settle_s(f, r.down_bytes);
    r.trips_s = CONTROLLER_TRIPS * f->rtt_ms / 1000;
    double step_s = r.train_s / inner_steps;
    double exchange_s = r.up_s + r.host_s + r.down_s + r.decode_s + r.trips_s;
    double ahead = ceil(exchange_s / step_s);
    double most =
        inner_steps / AHEAD_PART < f->most_ahead ? inner_steps / AHEAD_PART : f->most_ahead;
    r.ahead_steps = (uint32_t)(ahead < most ? ahead : most);
    r.hidden_s = fmin(exchange_s, r.ahead_steps * step_s);
    r.round_s = r.train_s + exchange_s - r.hidden_s;
    r.wait_frac = (exchange_s - r.hidden_s) / r.round_s;
    return r;
}

/* The fewest steps that are good enough with the sparsest form. */
static uint32_t fewest_steps(const struct controller_facts *f)
{
    uint32_t inner = 1;
    double frac = 1;
    for (; inner < CONTROLLER_MOST; inner++) {
        frac = controller_cost(f, inner, CONTROLLER_K_MIN).wait_frac;
        if (frac <= CONTROLLER_WAIT || (inner >= CONTROLLER_DRIFT && frac <= LONG_WAIT)) break;
    }
    return inner;
}

struct controller_round controller_choose(const struct controller_facts *f)
{
    uint32_t inner = fewest_steps(f);
    struct controller_round r = controller_cost(f, inner, CONTROLLER_K_MIN);
    for (uint32_t k = 2 * CONTROLLER_K_MIN; k <= CONTROLLER_K_MAX; k *= 2) {
        struct controller_round denser = controller_cost(f, inner, k);
        if (denser.wait_frac > r.wait_frac) break;
        r = denser;
    }
    return r;
}

double controller_home_speed(uint64_t n_params)
{
    return HOME_FLOPS / (FLOPS_A_WEIGHT * (double)n_params);
}
