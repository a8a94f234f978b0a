#include "engine/sched.h"

#include "engine/kernels.h"

double sched_lr(const struct sched *s, uint64_t i_step)
{
    if (i_step < s->warmup_steps) return s->lr * (double)(i_step + 1) / (double)s->warmup_steps;
    if (i_step >= s->total_steps) return s->lr * s->min_frac;
    double frac = (double)(i_step - s->warmup_steps) / (double)(s->total_steps - s->warmup_steps);
    double wave = 0.5 + 0.5 * kernels_cos64(frac * 0x1.921fb54442d18p+1);
    return s->lr * (s->min_frac + (1 - s->min_frac) * wave);
}
