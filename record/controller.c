#include "record/controller.h"

#include <math.h>

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
    double wait_s = r.up_s + r.host_s + r.down_s + r.decode_s + r.trips_s;
    r.round_s = r.train_s + wait_s;
    r.wait_frac = wait_s / r.round_s;
    return r;
}

/* Steps beside which this wait is at most `frac` of the round; within 1..most. */
static uint32_t steps_for(const struct controller_facts *f, double wait_s, double frac,
                          uint32_t most)
{
    double step_s = (double)f->step_tokens / f->tok_per_s;
    double steps = ceil(wait_s * (1 / frac - 1) / step_s);
    if (!(steps >= 1)) return 1;
    return steps < most ? (uint32_t)steps : most;
}

struct controller_round controller_choose(const struct controller_facts *f)
{
    struct controller_round r = controller_cost(f, 1, CONTROLLER_K_MIN);
    double wait_s = r.round_s - r.train_s;
    uint32_t inner = steps_for(f, wait_s, CONTROLLER_WAIT, CONTROLLER_DRIFT);
    if (inner == CONTROLLER_DRIFT) {
        uint32_t longer = steps_for(f, wait_s, 0.5, CONTROLLER_MOST);
        inner = longer > inner ? longer : inner;
    }
    r = controller_cost(f, inner, CONTROLLER_K_MIN);
    for (uint32_t k = 2 * CONTROLLER_K_MIN; k <= CONTROLLER_K_MAX; k *= 2) {
        struct controller_round denser = controller_cost(f, inner, k);
        if (denser.wait_frac > CONTROLLER_DENSE) break;
        r = denser;
    }
    return r;
}

double controller_home_speed(uint64_t n_params)
{
    return HOME_FLOPS / (FLOPS_A_WEIGHT * (double)n_params);
}
