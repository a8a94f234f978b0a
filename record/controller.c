#include "record/controller.h"

#include <math.h>

#define VALUE_BITS     2.25 /* two bits and a value's share of its chunk's scale */
#define UPDATE_BITS    8.0
#define FLOPS_A_WEIGHT 6.0
#define HOME_FLOPS     60e9
#define BITS_A_BYTE    8.0
#define BITS_A_MBIT    1e6

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

static uint64_t whole_bytes(double bits)
{
    return (uint64_t)ceil(bits / BITS_A_BYTE);
}

static double transfer_s(uint64_t n_bytes, double mbit)
{
    return (double)n_bytes * BITS_A_BYTE / (mbit * BITS_A_MBIT);
}

double controller_host_core_s(uint64_t n_params, uint64_t up_bytes, uint32_t n_contributors)
{
    double merge_s = (double)up_bytes * n_contributors / CONTROLLER_MERGE_BYTES_PER_S;
    return merge_s + (double)n_params * CONTROLLER_APPLY_S;
}

struct controller_round controller_cost(const struct controller_facts *f, uint32_t inner_steps,
                                        uint32_t k)
{
    double n = (double)f->n_params;
    double p = (double)k / CONTROLLER_CHUNK;
    double all = union_of(p, f->n_contributors);
    struct controller_round r = {.inner_steps = inner_steps, .k = k};
    r.up_bytes = whole_bytes(n * (p * VALUE_BITS + mask_bits(p)));
    r.down_bytes = whole_bytes(n * (all * UPDATE_BITS + mask_bits(all)));
    r.train_s = (double)inner_steps * (double)f->step_tokens / f->tok_per_s;
    r.up_s = transfer_s(r.up_bytes, f->up_mbit);
    r.down_s = transfer_s(r.down_bytes, f->down_mbit);
    r.host_s = controller_host_core_s(f->n_params, r.up_bytes, f->n_contributors) / f->host_cores;
    r.trips_s = CONTROLLER_TRIPS * f->rtt_ms / 1000;
    double wait_s = r.up_s + r.down_s + r.host_s + r.trips_s;
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
        if (denser.wait_frac > CONTROLLER_WAIT) break;
        r = denser;
    }
    return r;
}

double controller_home_speed(uint64_t n_params)
{
    return HOME_FLOPS / (FLOPS_A_WEIGHT * (double)n_params);
}
