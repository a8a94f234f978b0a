#pragma once
/* Why: what holds in which round. A run begins with the terms of its signed description; entries of its
 * record change some of them from a round on, or take the model back to the base of an earlier round.
 * Host, contributor and auditor read the same entries here and come to the same terms.
 *
 * Pure. Owner: the caller; course_init / course_deinit. Thread: any one.
 */

#include "record/entry.h"
#include "record/rundesc.h"

#define COURSE_MAX_ENTRIES 4096 /* that anybody believes of one run */

/* Of one round. */
struct course_terms {
    uint32_t inner_steps; /* H; 0 when the time budget decides */
    uint32_t inner_ms;
    uint32_t max_inner_steps;
    uint32_t upload_ms;
    uint32_t min_contributions;
    uint64_t n_rounds; /* 0: until the host ends it */
    double merge_min_senders;
    double lr;
    double outer_lr;
    uint64_t emission;
    uint64_t
        first_step; /* number of the round's first inner step in the learning rate's schedule */
};

struct course {
    const struct rundesc *run; /* outlives it */
    struct buf changes;        /* struct entry_change, as they came */
    struct buf rollbacks;      /* struct entry_rollback */
    uint64_t n_entries;        /* changes and rollbacks taken */
    uint64_t last_index;       /* of the last one in the log */
};

void course_init(struct course *c, const struct rundesc *run);
void course_deinit(struct course *c); /* accepts NULL and zeroed */

/* The next entry of the record; kinds other than change and rollback are passed over. ERR_PROTO when
 * it is no later than the one before, or sets what no run may have; ERR_LIMIT; ERR_NOMEM.
 */
int course_take(struct course *c, const struct entry *m, struct err *e) MUST_CHECK;

/* Would these terms be ones that a run may have? ERR_ARG with a sentence. */
int course_check(const struct course *c, const struct entry_change *m, struct err *e) MUST_CHECK;

struct course_terms course_terms(const struct course *c, uint64_t round);

/* From opening to deadline: rundesc_round_ms under these terms. */
uint64_t course_round_ms(const struct course_terms *t);

/* Number of inner step i_step in the schedule: first_step + min(i_step, S - 1); see
 * rundesc_schedule_step.
 */
uint64_t course_schedule_step(const struct course_terms *t, uint64_t i_step);

/* The rollback before this round (its next_round is `round`), the last one if there are several; or
 * NULL. Valid until the next course_take.
 */
const struct entry_rollback *course_rollback(const struct course *c, uint64_t round);

/* The newest rollback up to and before this round; or NULL. As above. */
const struct entry_rollback *course_back(const struct course *c, uint64_t round);

/* "from round 9 on: outer_lr 0.7, upload_ms 60000 (many slow lines)": for people and logs. */
void course_words(const struct entry_change *m, struct buf *out);
