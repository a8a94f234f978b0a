#pragma once
/* Why: `potluck eval --choices FILE`: a file of questions (engine/choices.h has the form), scored
 * line by line. A line that cannot be used is told by its number and does not stop the others.
 */

#include <stdbool.h>
#include <stdint.h>

#include "app/loaded.h"
#include "engine/choices.h"

#define EVAL_CHOICES_FILE_MAX (256u << 20)

struct eval_choices {
    struct choices_tally tally;
    uint64_t n_lines;        /* that are not empty */
    uint64_t n_bad;          /* malformed, or too long for the model */
    uint64_t bad_lines[100]; /* the first of them, by number */
    bool is_interrupted;
    bool (*progress)(void *ctx, uint64_t n_done);
    void *ctx;
};

/* ERR_NOTFOUND, ERR_IO, ERR_LIMIT (file too long), ERR_ARG (no usable line at all). Interrupted:
 * OK, and it says so.
 */
int eval_choices_run(struct loaded *l, const char *path, struct eval_choices *r,
                     struct err *e) MUST_CHECK;
