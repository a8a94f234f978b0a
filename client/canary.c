#include "client/canary.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

#define SEED 0x63616e617279 /* the same text on every computer */

/* ERR_CANCELLED when the gate was shut for long: no answer, and no reason for alarm. */
static int sing(struct trainer *t, uint32_t seq_len, uint32_t vocab_size, uint64_t *ret,
                struct err *e)
{
    struct trainer_eval_result r;
    struct rng rng;
    uint32_t *tokens = alloc_zero((size_t)seq_len + 1, sizeof *tokens);
    if (!tokens) return err_set(e, ERR_NOMEM, 0, "no memory to check this computer");
    rng_init(&rng, SEED, 0);
    for (uint32_t i = 0; i <= seq_len; i++)
        tokens[i] = rng_below(&rng, vocab_size);
    int rc = trainer_eval(t, tokens, 1, &r, e);
    free(tokens);
    if (rc == OK) memcpy(ret, &r.nats, sizeof *ret);
    return rc;
}

int canary_begin(struct canary *c, struct trainer *t, const struct hash *base, uint32_t seq_len,
                 uint32_t vocab_size, struct err *e)
{
    uint64_t bits = 0;
    if (c->is_set && hash_equal(&c->base, base)) return OK;
    c->is_set = false;
    int rc = sing(t, seq_len, vocab_size, &bits, e);
    if (rc == ERR_CANCELLED) return OK;
    if (rc != OK) return rc;
    c->base = *base;
    c->bits = bits;
    c->is_set = true;
    return OK;
}

static int dead(struct err *e)
{
    err_set(e, ERR_IO, 0,
            "this computer computed the same thing twice with different results; nothing is sent");
    err_hint(e, "undo overclocking and test its memory, then `potluck stop` and start again");
    return ERR_IO;
}

int canary_check(struct canary *c, struct trainer *t, const struct hash *base, uint32_t seq_len,
                 uint32_t vocab_size, struct err *e)
{
    uint64_t bits = 0;
    if (c->is_dead) return dead(e);
    if (!c->is_set || !hash_equal(&c->base, base)) return OK;
    int rc = sing(t, seq_len, vocab_size, &bits, e);
    if (rc == ERR_CANCELLED) return OK;
    if (rc != OK || bits == c->bits) return rc;
    c->is_dead = true;
    return dead(e);
}
