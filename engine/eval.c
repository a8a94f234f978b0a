#include "engine/eval.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

struct window {
    uint32_t *tokens; /* [n_ctx + 1] */
    double *nats;     /* [n_ctx] */
    uint32_t n_ctx;
};

static int one_window(struct infer *x, const float *params, const struct eval_text *t,
                      const struct tokenizer *tk, const struct window *w, uint64_t at, uint32_t n,
                      struct eval_sum *sum, struct err *e)
{
    infer_rewind(x, 0);
    int rc = t->read(t->ctx, at, n + 1, w->tokens, e);
    if (!rc) rc = infer_score(x, params, w->tokens, w->tokens + 1, n, w->nats, e);
    if (rc) return rc;
    for (uint32_t i = 0; i < n; i++) {
        sum->nats += w->nats[i];
        /* A model may have more ids than its tokenizer spells; those spell nothing. */
        if (tk && w->tokens[i + 1] < tokenizer_vocab_size(tk))
            sum->n_bytes += tokenizer_id_bytes(tk, w->tokens[i + 1]);
    }
    sum->n_tokens += n;
    return OK;
}

int eval_run(struct infer *x, const float *params, const struct eval_text *t,
             const struct tokenizer *tk, struct eval_sum *sum, struct err *e)
{
    if (t->n_tokens < 2) {
        err_set(e, ERR_ARG, 0, "a text of %u token has nothing to predict", (unsigned)t->n_tokens);
        err_hint(e, "give a longer text");
        return ERR_ARG;
    }
    infer_rewind(x, 0);
    struct window w = {.n_ctx = infer_room(x)};
    w.tokens = alloc_zero((size_t)w.n_ctx + 1, sizeof *w.tokens);
    w.nats = alloc_zero(w.n_ctx, sizeof *w.nats);
    int rc = w.tokens && w.nats ? OK : err_set(e, ERR_NOMEM, 0, "out of memory for a window");
    for (uint64_t at = 0; !rc && at + 1 < t->n_tokens;) {
        uint64_t left = t->n_tokens - 1 - at;
        uint32_t n = left < w.n_ctx ? (uint32_t)left : w.n_ctx;
        rc = one_window(x, params, t, tk, &w, at, n, sum, e);
        at += n;
        if (!rc && t->progress && !t->progress(t->ctx, at)) break;
    }
    free(w.tokens);
    free(w.nats);
    return rc;
}

double eval_loss(const struct eval_sum *s)
{
    return s->n_tokens ? s->nats / (double)s->n_tokens : (double)NAN;
}

double eval_perplexity(const struct eval_sum *s)
{
    return exp(eval_loss(s));
}

double eval_bits_per_byte(const struct eval_sum *s)
{
    return s->n_bytes ? s->nats / log(2) / (double)s->n_bytes : (double)NAN;
}
