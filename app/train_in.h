#pragma once
/* Why: what the files of `potluck train` share while it runs; nobody else includes this. begin sets
 * it up, run trains, both end through train_end.
 */

#include "app/model_source.h"
#include "app/train_data.h"
#include "app/train_options.h"
#include "app/train_out.h"
#include "app/train_plan.h"
#include "app/train_show.h"
#include "app/train_stop.h"
#include "app/train_walk.h"

struct train {
    struct train_options o;
    struct train_out out;
    struct train_show show;
    struct train_plan plan;
    struct model_source *source; /* --init of a new model, else NULL */
    float *first_weights;        /* its weights until a trainer has them */
    struct train_data data;
    struct train_walk walk;
    struct train_sample val;
    struct trainer *trainer;
    struct train_stop *stop;
    struct train_note note; /* step: steps taken so far */
    uint32_t *tokens;       /* [batch][seq + 1], owned */
    bool is_begun;          /* goes on from a state */
    bool is_done;           /* there is nothing to do: a dry run, or it was at its end */
    int64_t before_ms;      /* trained in earlier calls */
};

/* From options to a trainer that stands at its first or next step; says what it does. On failure
 * the caller ends with train_end all the same.
 */
int train_begin(struct train *t, struct err *e) MUST_CHECK;

/* Steps until the end, a signal or an error; saves. */
int train_steps(struct train *t, struct err *e) MUST_CHECK;

void train_end(struct train *t);

/* One trainer for the plan, standing where training stands: from the state when is_begun (note is
 * read), from the seed or --init otherwise.
 */
int train_make_trainer(struct train *t, struct err *e) MUST_CHECK;

/* ERR_LIMIT when a weight is not finite: such a model is neither measured nor saved. */
int train_check_weights(const struct train *t, struct err *e) MUST_CHECK;

/* Save the state: the newest weights, their moments, and the note. */
int train_save(struct train *t, struct err *e) MUST_CHECK;
