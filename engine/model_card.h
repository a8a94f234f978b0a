#pragma once
/* Why: a model that leaves potluck carries its history: a README.md that says what it is, who made
 * it and under which terms, with facts only. What is not known is left out, never guessed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "engine/model.h"

#define MODEL_CARD_LOSSES 300 /* validations that are kept */

struct model_card {
    char name[64];       /* of the run; "" = not known */
    char note[256];      /* the host's sentence: what is trained, licence; "" = none */
    bool has_run;        /* run is set */
    struct hash run;     /* id of the run: SHA-256 of its signed description */
    bool has_round;      /* n_rounds is known */
    uint64_t n_rounds;   /* merged into these weights */
    uint64_t n_steps;    /* of AdamW, of training alone; 0 = not known */
    uint64_t n_people;   /* who contributed, in all; 0 = not known */
    uint64_t n_tokens;   /* trained on by everybody; 0 = not known */
    uint64_t own_tokens; /* trained on by the contributor who exports; 0 = not known */
    bool is_by_step;     /* losses were measured after steps, not after rounds */
    uint32_t n_losses;   /* held-out loss by round (or step), ascending */
    uint64_t loss_round[MODEL_CARD_LOSSES];
    double loss[MODEL_CARD_LOSSES]; /* nats per token */
    double bits[MODEL_CARD_LOSSES]; /* bits per byte; 0 = not known */
};

/* Append a measurement; when there is no room, every second one goes, but the first and this. */
void model_card_add(struct model_card *c, uint64_t round, double loss, double bits);

/* What a card written here says of itself, in a comment at its end. Fills c, or leaves it alone:
 * ERR_NOTFOUND when there is no such comment, ERR_PROTO when it is damaged.
 */
int model_card_read(const void *text, size_t n, struct model_card *c, struct err *e) MUST_CHECK;

/* Append README.md. model: model_hash of the weights. type: of the weights' file ("bf16").
 * file: its name. ERR_NOMEM.
 */
int model_card_write(const struct model_card *c, const struct model_config *m, uint64_t n_params,
                     const struct hash *model, const char *file, const char *type, struct buf *out,
                     struct err *e) MUST_CHECK;
