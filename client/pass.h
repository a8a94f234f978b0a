#pragma once
/* Why: what a contributor brings to a run's door beside its key: an invite code for a private run,
 * and the answer to the run's puzzle (record/puzzle.h), worked out once for each key in the
 * background. Both lie in the run's folder and are sent in the join alone.
 *
 *   DATA/runs/ID/invite    the code, 0600
 *   DATA/runs/ID/proof     {"nonce":N,"solved":true|false}: where the search stands
 *
 * Owner: pass_solve's task frees itself. Thread: main; the search runs in the libuv pool.
 */

#include <uv.h>

#include "base/err.h"
#include "base/key.h"
#include "record/msg.h"
#include "record/puzzle.h"

struct pass {
    char invite[MSG_INVITE_CAP]; /* "" = none */
    uint64_t proof;              /* 0 = none yet */
};

/* Keep a code. The run's folder must exist. */
int pass_keep_invite(const char *run_dir, const char *code, struct err *e) MUST_CHECK;

/* What lies in the folder; what cannot be read counts as not there. */
void pass_load(const char *run_dir, struct pass *ret);

/* Work out the proof: done(proof, ctx) from the loop, never from inside, unless it is cancelled
 * before. The search goes on where an earlier one was cancelled. ERR_NOMEM.
 */
struct pass_task;
typedef void (*pass_done_fn)(uint64_t proof, const struct err *e, void *ctx); /* proof 0: failed */
int pass_solve(uv_loop_t *loop, const char *run_dir, const struct puzzle *p, const struct hash *run,
               const struct key_pub *key, pass_done_fn done, void *ctx, struct pass_task **ret,
               struct err *e) MUST_CHECK;
void pass_cancel(
    struct pass_task *t); /* done will not be called; ends within one try; NULL: nothing */
