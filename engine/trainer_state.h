#pragma once
/* Why: the contributor's own state on disk, so that a restart continues with the same bits. One
 * file, replaced atomically: a header, the caller's note, six blocks of values, and a SHA-256 of
 * all that came before. Format (all little endian):
 *     "PLSTATE" 0x01, u32 header bytes, u32 version, u64 n_params, u64 optimizer steps,
 *     32 bytes: SHA-256 of the model's shape, u32 note bytes,
 *     6 x u8: how base, local, m, v, e, anchor are kept (packed.h), 255: not there; 2 zeros,
 *     note, pad to 64, the blocks, 32 bytes SHA-256
 * Version 2 had no anchor, version 1 no list of kinds either: all five were floats. Both are read.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "engine/model.h"
#include "engine/packed.h"

#define TRAINER_STATE_NOTE_MAX 4096

#define TRAINER_STATE_ABSENT 255

enum trainer_state_block {
    TRAINER_STATE_BASE,
    TRAINER_STATE_LOCAL,
    TRAINER_STATE_M,
    TRAINER_STATE_V,
    TRAINER_STATE_E,
    TRAINER_STATE_ANCHOR, /* local weights as they were packed, while steps are taken ahead */
    TRAINER_STATE_BLOCKS
};

struct trainer_state {
    void *block[TRAINER_STATE_BLOCKS]; /* n_params values each, borrowed; NULL: not there */
    enum packed_kind kind[TRAINER_STATE_BLOCKS];
    uint64_t n_params;
    uint64_t n_steps; /* AdamW steps so far: the t of its bias correction */
    struct hash shape;
    void (*wait)(void *ctx); /* may be NULL: called between blocks of a save; may sleep */
    void *wait_ctx;
};

/* A name for the model's shape: a state of another model is refused. */
struct hash trainer_state_shape(const struct model_config *c);

/* Durable, in blocks of 1 MiB with s->wait between them; on failure the old file is untouched. ERR_IO, ERR_LIMIT (note), ERR_NOMEM. */
int trainer_state_save(const struct trainer_state *s, const char *path, const char *note,
                       struct err *e) MUST_CHECK;

/* The whole file is checked first, then read into the blocks. ERR_NOTFOUND, ERR_PROTO (damaged or
 * another model), ERR_VERSION, ERR_AUTH (hash), ERR_LIMIT (note_cap) leave s as it was. An anchor
 * that the file does not have sets its block to NULL; one that s has no room for is ERR_PROTO
 * where the optimizer is read too. ERR_IO can
 * come from the second reading (a dying disk): then the blocks are a mixture, load something.
 */
int trainer_state_load(struct trainer_state *s, const char *path, char *note, size_t note_cap,
                       struct err *e) MUST_CHECK;

/* One block alone, into dst [n_params], of a file that is checked as a whole first: what an export
 * needs, in a fifth of the memory. shape: of the model that is expected. ret_steps: may be NULL.
 * Errors as above; dst is unspecified after one.
 */
int trainer_state_load_block(const char *path, const struct hash *shape, uint64_t n_params,
                             enum trainer_state_block block, float *dst, uint64_t *ret_steps,
                             char *note, size_t note_cap, struct err *e) MUST_CHECK;

/* How a file keeps AdamW's moments and the error feedback, by its header alone (nothing else is
 * checked). ERR_NOTFOUND, ERR_IO, ERR_NOMEM, ERR_VERSION; ERR_PROTO: damaged, or kept as no trainer
 * keeps them. Without an error feedback ret_feedback is PACKED_F32.
 */
int trainer_state_kinds(const char *path, enum packed_kind *ret_moments,
                        enum packed_kind *ret_feedback, struct err *e) MUST_CHECK;

/* The header alone, from the first n bytes of a file: what load does with foreign bytes before it
 * believes them. Fills ret_note (offset and length) and returns the header's length in bytes in
 * ret_head. total: size of the file.
 */
struct trainer_state_head {
    uint32_t head_bytes;
    uint32_t note_at;
    uint32_t note_bytes;
    uint64_t n_params;
    uint64_t n_steps;
    struct hash shape;
    uint8_t kind[TRAINER_STATE_BLOCKS]; /* enum packed_kind, or TRAINER_STATE_ABSENT */
};
int trainer_state_parse(const void *bytes, size_t n, uint64_t total, struct trainer_state_head *ret,
                        struct err *e) MUST_CHECK;
