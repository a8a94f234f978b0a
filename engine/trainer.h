#pragma once
/* Why: the narrow door to the engine. A trainer owns the model, the optimizer, the error feedback
 * and the worker pool; the agent, the aggregator (evaluation) and `tests` drive it through these
 * calls and never see tensors. All memory is planned at creation; a step allocates nothing.
 *
 * Life of a round:
 *   trainer_step x H             local AdamW steps on the local weights
 *   trainer_pack                 a = beta * e + (base - local); payload = Q(TopK(a)); e = a - payload
 *   (sent; accepted or not)      not accepted: trainer_return_payload puts it back into e
 *   trainer_apply_update         base -= outer_lr * update; local = base
 * Where a run takes steps ahead, training does not wait for the update:
 *   trainer_ahead_begin          after trainer_pack: anchor = local
 *   trainer_step x L             on the next round's text
 *   trainer_apply_update         base -= outer_lr * update; local = base + (local - anchor)
 * Equations: SparseLoCo, arXiv 2508.15706; docs/MODEL.md says where we differ.
 *
 * Same inputs, same bits, for 1..N threads, on every processor, within one determinism class
 * (trainer_class).
 * Owner: trainer_create / trainer_destroy. Thread: all calls on one thread (the trainer thread),
 * but trainer_gate and trainer_limit, which any thread may call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "engine/delta.h"
#include "engine/model.h"
#include "engine/packed.h"

/* Everything about training that the run description fixes. */
struct train_params {
    uint32_t seq_len;    /* T: tokens predicted per sequence */
    uint32_t batch_seqs; /* B: sequences per inner step */
    double lr;           /* peak learning rate */
    double lr_min_frac;  /* cosine floor as a fraction of lr */
    uint64_t warmup_steps;
    uint64_t total_steps; /* length of the cosine, in inner steps */
    double beta1, beta2, eps, weight_decay;
    double clip_norm; /* global gradient norm */
    double ef_beta;   /* error feedback decay, 0.95 */
    double outer_lr;
    struct delta_params delta;
};

enum trainer_gate { TRAINER_RUN, TRAINER_PAUSE, TRAINER_CANCEL };

struct trainer_step_result {
    double loss; /* mean cross-entropy, nats per token */
    double grad_norm;
    double lr;
    uint64_t n_tokens; /* tokens predicted in this step */
    int64_t busy_ns;   /* time in the step, pauses not counted */
};

struct trainer_eval_result {
    double nats;       /* summed cross-entropy */
    uint64_t n_tokens; /* tokens predicted */
};

struct trainer;

/* Precision of activations and products. Weights, their gradients and the optimizer are fp32 in
 * either, and so are all sums.
 */
enum trainer_precision {
    TRAINER_FP32 = 0,
    TRAINER_BF16, /* everywhere the same bits; fast where the processor has AVX512-BF16 */
    TRAINER_AUTO, /* bf16 where it is fast, else fp32 */
};

/* What the machine's owner decides, beside what the run fixes. */
struct trainer_options {
    uint32_t n_threads; /* 1..64, the calling thread included */
    bool eval_only;     /* no optimizer state, no gradients (the aggregator's evaluator) */
    enum trainer_precision precision;
    /* Less memory for a little precision (docs/MODEL.md says how much of each): */
    enum packed_kind moments;  /* AdamW: PACKED_F32, PACKED_BF16 or PACKED_Q8 */
    enum packed_kind feedback; /* PACKED_F32 or PACKED_BF16 */
    /* ... or for some time: each layer's forward is done again in the backward, same bits. */
    bool recompute;
    bool ahead;   /* room for trainer_ahead_begin: 4 bytes a weight */
    bool is_solo; /* no exchange: no base weights and no error feedback beside the local weights */
};

/* TRAINER_AUTO decided for this processor; the others as they are. */
enum trainer_precision trainer_precision_here(enum trainer_precision p);

/* ERR_ARG, ERR_NOMEM (with the bytes needed in the text). */
int trainer_create(const struct model_config *m, const struct train_params *p,
                   const struct trainer_options *o, struct trainer **ret, struct err *e) MUST_CHECK;
void trainer_destroy(struct trainer *t); /* accepts NULL; joins the workers */

/* Any thread, returns at once. PAUSE: workers stop between tiles (at most 10 ms of work each) and
 * sleep until RUN or CANCEL; packing, applying, hashing and saving stand still between blocks of
 * about 1 MiB in the same way, and go on, undisturbed, at RUN or CANCEL. In a step or an evaluation
 * CANCEL: the running call returns ERR_CANCELLED soon, the model as if
 * that step had not begun; stays until the next RUN.
 */
void trainer_gate(struct trainer *t, enum trainer_gate gate);

/* Any thread, at once: at most so many of the threads; and what share they have of the processor when
 * others want it (engine/pool.h). Changes no bit of what is computed.
 */
void trainer_limit(struct trainer *t, uint32_t n_threads, bool is_idle_priority);

const struct model_table *trainer_table(const struct trainer *t);
const char *trainer_class(const struct trainer *t); /* determinism class, one string */

/* Weights. init: from a seed. load: n_params little-endian fp32 values (a checkpoint body); sets
 * base and local; steps ahead are folded first. trainer_weights: base weights, for publishing a checkpoint.
 */
void trainer_init_weights(struct trainer *t, uint64_t seed);
int trainer_load_weights(struct trainer *t, const void *bytes, size_t n, struct err *e) MUST_CHECK;
const float *trainer_weights(const struct trainer *t);
const float *trainer_local(const struct trainer *t); /* local weights; NULL when eval_only */
struct hash trainer_base_hash(const struct trainer *t);

/* One inner AdamW step on local weights. tokens [batch_seqs][seq_len + 1]; each < vocab_size
 * (ERR_PROTO otherwise). i_step: global inner step number, for the schedule.
 */
int trainer_step(struct trainer *t, const uint32_t *tokens, uint64_t i_step,
                 struct trainer_step_result *ret, struct err *e) MUST_CHECK;

/* Close the inner phase: appends the payload to out and moves the residual into the error
 * feedback. Local weights stay as they are until the update is applied.
 */
int trainer_pack(struct trainer *t, struct buf *out, struct delta_stats *stats,
                 struct err *e) MUST_CHECK;

/* A payload that was not accepted: add what it carried back into the error feedback. */
int trainer_return_payload(struct trainer *t, const void *bytes, size_t n,
                           struct err *e) MUST_CHECK;

/* From here on steps belong to the next round: what they change outlives the update. ERR_WRONG_STATE
 * without options.ahead. Begun twice: the first anchor stays.
 */
int trainer_ahead_begin(struct trainer *t, struct err *e) MUST_CHECK;
bool trainer_is_ahead(const struct trainer *t);
/* Steps taken ahead that cannot be landed: into the error feedback, as what they changed; nothing
 * of them is lost. local = base. Without steps ahead: nothing.
 */
void trainer_ahead_fold(struct trainer *t);
/* ... or, when they diverged: forgotten, local = anchor. */
void trainer_ahead_drop(struct trainer *t);

/* base -= outer_lr * update, exactly rounded in this order; local = base, or with steps ahead
 * base + (local - anchor). Checks the whole update before the first weight changes.
 */
int trainer_apply_update(struct trainer *t, const void *bytes, size_t n, struct err *e) MUST_CHECK;

/* Forget local steps since the last update, ahead or not: local = base. */
void trainer_reset_local(struct trainer *t);

/* Loss on base weights (solo: on local ones) of n_seqs sequences [n_seqs][seq_len + 1]. */
int trainer_eval(struct trainer *t, const uint32_t *tokens, uint32_t n_seqs,
                 struct trainer_eval_result *ret, struct err *e) MUST_CHECK;

/* Local state (base, local, AdamW moments, error feedback, and `note`, an opaque text of the
 * caller: round, step, data position) to one checked file, replaced atomically. A load after a
 * save continues with the same bits. ERR_PROTO / ERR_VERSION / ERR_AUTH (hash) leave t unchanged.
 */
int trainer_save(struct trainer *t, const char *path, const char *note, struct err *e) MUST_CHECK;
int trainer_load(struct trainer *t, const char *path, char *note, size_t note_cap,
                 struct err *e) MUST_CHECK;
