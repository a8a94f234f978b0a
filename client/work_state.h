#pragma once
/* Why: the durable half of the trainer's thread: the trainer with its journal, the state file and
 * the payload files, and the five operations that change a round's books. Each leaves memory and
 * disk telling one story, whatever moment the power goes.
 *
 * Order of writes: a payload file is durable before the state that names it; it is removed only
 * after a state that does not name it is durable. So a state on disk always has its payload.
 *
 * Owner: caller's memory. Thread: the trainer's. Blocks on the disk.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "client/journal.h"
#include "engine/trainer.h"
#include "record/rundesc.h"

/* Which memory options somebody has chosen; the others are as the state file has them. */
struct work_choice {
    bool moments, feedback;
};

struct work_state {
    const struct rundesc *run;
    char dir[PATH_CAP];
    struct trainer *trainer;
    struct journal journal;
    struct hash base; /* model hash of the base weights */
    bool is_fresh;    /* nothing was restored */
    bool is_empty;    /* no weights yet, they come with work_state_load; nothing is saved before */
    int64_t saved_at_ms; /* clock_mono_ms */
};

/* Create the trainer as `how` says and take up the state file, or begin from the run's seed, or
 * empty where the run begins with a checkpoint. Where nobody has chosen how moments or feedback are
 * kept (chosen), a state file decides before `how`. A state file that is damaged, or kept otherwise
 * than was chosen, is moved aside (state.damaged-last, over an older one), never deleted, and `said`
 * tells so. Any other failure (memory, permission, a newer version) is an error and leaves the file
 * alone.
 */
int work_state_open(struct work_state *s, const struct rundesc *run, const char *dir,
                    const struct trainer_options *how, struct work_choice chosen, char *said,
                    size_t said_cap, struct err *e) MUST_CHECK;
void work_state_close(struct work_state *s); /* accepts zeroed */

int work_state_save(struct work_state *s, struct err *e) MUST_CHECK;

/* Inner phase -> payload file, error feedback; saved. Doing it again after a failed save writes
 * the same payload once more. Where the run takes steps ahead, they may begin.
 */
int work_state_pack(struct work_state *s, struct err *e) MUST_CHECK;
/* Inner phase into the error feedback, unsent; saved. */
int work_state_fold(struct work_state *s, struct err *e) MUST_CHECK;
/* Pending payload back into the error feedback, and what was learned ahead with it; saved. */
int work_state_return(struct work_state *s, struct err *e) MUST_CHECK;
/* The update of the round held: base moves on by one round, and steps ahead become the first ones of
 * its phase. Not saved: it can be had again.
 */
int work_state_apply(struct work_state *s, const void *bytes, size_t n, struct err *e) MUST_CHECK;
/* A checkpoint: base becomes the model of `round`. ERR_AUTH when round 0's is not the one that the
 * run description names.
 */
int work_state_load(struct work_state *s, uint64_t round, const void *bytes, size_t n,
                    struct err *e) MUST_CHECK;

/* Number of an inner step in the learning rate's schedule: the same for every contributor. */
uint64_t work_state_schedule(const struct rundesc *run, uint64_t round, uint32_t i_step);

/* Training diverged: back to the base, this round is over. The moments stay: they are bounded by the
 * clipped norm, and the step that diverged never touched them. Not saved.
 */
void work_state_give_up(struct work_state *s);

/* The same for steps ahead: they are forgotten, the round's contribution is as it was. Not saved. */
void work_state_give_up_ahead(struct work_state *s);

/* Where the payload of this hash lies under the run's folder. 0, or -1 when too long. */
int work_state_payload(const char *dir, const struct hash *payload, char dst[PATH_CAP]);
