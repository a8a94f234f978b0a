#pragma once
/* Why: what a training will need is said before anything is asked for, and one that does not fit is
 * refused with the figures and with what would fit instead.
 */

#include <stdint.h>

#include "app/train_options.h"
#include "base/err.h"
#include "engine/budget.h"

struct train_plan {
    struct model_config model;
    struct train_params params;
    struct trainer_options trainer;
    uint64_t n_params;
    struct budget budget;
};

/* o must be filled. ERR_ARG when the choices make no model. */
int train_plan_make(const struct train_options *o, struct train_plan *ret,
                    struct err *e) MUST_CHECK;

/* OK, or ERR_NOMEM with both figures and the largest size that would fit. available as in
 * budget_check.
 */
int train_plan_check(const struct train_options *o, const struct train_plan *p, uint64_t available,
                     struct err *e) MUST_CHECK;

/* "weights 41.2 MiB, ...: 207.2 MiB in all; 22.9 GiB available"; returns dst. */
char *train_plan_memory(const struct train_plan *p, uint64_t available, char *dst, size_t cap);

/* "5.40M weights: 256 wide, 6 layers, 8 heads, 4096 token ids"; returns dst. */
char *train_plan_model(const struct train_plan *p, char *dst, size_t cap);
