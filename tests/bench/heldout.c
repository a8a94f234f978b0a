#include "tests/bench/heldout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/tokenizer.h"

#define MAX_PIECE 65536u /* bytes; every 20th piece of the text is held out */

/* Copy every 20th piece of text to val, the rest to train; pieces end at a line. */
static void split(const struct buf *text, struct buf *train, struct buf *val)
{
    size_t at = 0;
    size_t piece = text->len / 40 < MAX_PIECE ? text->len / 40 + 1 : MAX_PIECE;
    for (uint32_t i = 0; at < text->len; i++) {
        size_t n = text->len - at < piece ? text->len - at : piece;
        while (at + n < text->len && text->p[at + n - 1] != '\n')
            n++;
        buf_put(i % 20 == 19 ? val : train, text->p + at, n);
        at += n;
    }
}

static uint32_t token_at(const struct buf *b, uint64_t i)
{
    uint32_t t;
    memcpy(&t, b->p + 4 * i, 4);
    return t;
}

/* Keep `want` sequences, evenly spread, and measure what they spell. */
static int choose_val(struct heldout *h, const struct tokenizer *t, const struct buf *all,
                      uint32_t seq, uint64_t want, struct err *e)
{
    uint64_t span = (uint64_t)seq + 1;
    uint64_t have = all->len / 4 / span;
    double *count = alloc_zero(h->vocab, sizeof *count);
    if (!count) return err_set(e, ERR_NOMEM, 0, "out of memory");
    double n = 0;
    if (want > have) want = have;
    for (uint64_t s = 0; s < want; s++) {
        uint64_t from = s * have / want * span;
        buf_put(&h->val, all->p + 4 * from, 4 * span);
        for (uint64_t i = 1; i < span; i++) {
            uint32_t id = token_at(all, from + i);
            h->val_bytes += tokenizer_id_bytes(t, id);
            count[id]++;
            n++;
        }
    }
    double bits = 0;
    for (uint32_t id = 0; id < h->vocab; id++)
        if (count[id] > 0) bits -= count[id] * log2(count[id] / n);
    h->unigram_bpb = bits / h->val_bytes;
    h->n_val = (uint32_t)want;
    free(count);
    return OK;
}

int heldout_load(const char *path, uint32_t vocab, uint32_t seq, uint32_t val_seqs,
                 uint64_t min_tokens, struct heldout *ret, struct err *e)
{
    struct buf text = {0};
    struct buf train = {0};
    struct buf val = {0};
    struct buf ids = {0};
    struct tokenizer *t = NULL;
    int rc = file_read(path, (size_t)1 << 30, &text, e);
    if (rc == OK) {
        split(&text, &train, &val);
        rc = tokenizer_train(train.p, train.len, vocab, NULL, NULL, &t, e);
    }
    if (rc == OK) {
        ret->vocab = tokenizer_vocab_size(t);
        rc = tokenizer_encode(t, train.p, train.len, &ret->tokens, e);
    }
    if (rc == OK) rc = tokenizer_encode(t, val.p, val.len, &ids, e);
    if (rc == OK) rc = choose_val(ret, t, &ids, seq, val_seqs, e);
    if (rc == OK && (ret->tokens.len / 4 < min_tokens || ret->n_val == 0))
        rc = err_set(e, ERR_ARG, 0, "'%s' is too short", path);
    tokenizer_destroy(t);
    buf_deinit(&text);
    buf_deinit(&train);
    buf_deinit(&val);
    buf_deinit(&ids);
    return rc;
}

void heldout_deinit(struct heldout *h)
{
    buf_deinit(&h->tokens);
    buf_deinit(&h->val);
}

double heldout_bits(const struct heldout *h, uint32_t seq, double nats)
{
    return nats * h->n_val * seq / h->val_bytes / log(2);
}
