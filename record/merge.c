#include "record/merge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/outer.h"

/* Everything merge_run holds: O(R * tensors) norms and one chunk of sums. */
struct work {
    const struct model_table *table;
    const struct merge_input **in; /* [n], by key */
    uint32_t n;
    double *norms;   /* [n][n_tensors]; after clip(): the factor w * c */
    double *sort;    /* [n] */
    double *allowed; /* [n] of the loudest's norm, by tokens: 0..1 */
    struct delta_reader *readers;
    struct delta_chunk *chunk;
    double *num; /* [chunk] */
    double *den; /* [chunk] */
    float *mean; /* [chunk] */
    struct delta_writer *writer;
};

static void work_deinit(struct work *w)
{
    free(w->in);
    free(w->norms);
    free(w->sort);
    free(w->allowed);
    free(w->readers);
    free(w->chunk);
    free(w->num);
    free(w->den);
    free(w->mean);
    free(w->writer);
}

static int work_init(struct work *w, const struct model_table *t, uint32_t n, struct err *e)
{
    w->table = t;
    w->n = n;
    w->in = alloc_zero(n, sizeof *w->in);
    w->norms = alloc_zero(size_mul(n, t->n_tensors), sizeof *w->norms);
    w->sort = alloc_zero(n, sizeof *w->sort);
    w->allowed = alloc_zero(n, sizeof *w->allowed);
    w->readers = alloc_zero(n, sizeof *w->readers);
    w->chunk = alloc_zero(1, sizeof *w->chunk);
    w->num = alloc_zero(DELTA_MAX_CHUNK, sizeof *w->num);
    w->den = alloc_zero(DELTA_MAX_CHUNK, sizeof *w->den);
    w->mean = alloc_zero(DELTA_MAX_CHUNK, sizeof *w->mean);
    w->writer = alloc_zero(1, sizeof *w->writer);
    if (w->in && w->norms && w->sort && w->allowed && w->readers && w->chunk && w->num && w->den &&
        w->mean && w->writer)
        return OK;
    return err_set(e, ERR_NOMEM, 0, "not enough memory to merge %u contributions", n);
}

static int by_key(const void *a, const void *b)
{
    const struct merge_input *const *x = a;
    const struct merge_input *const *y = b;
    return memcmp((*x)->contributor.b, (*y)->contributor.b, KEY_BYTES);
}

static int sort_inputs(struct work *w, const struct merge_input *inputs, struct err *e)
{
    for (uint32_t i = 0; i < w->n; i++)
        w->in[i] = &inputs[i];
    qsort(w->in, w->n, sizeof *w->in, by_key);
    for (uint32_t i = 0; i < w->n; i++) {
        char hex[KEY_HEX];
        if (w->in[i]->n_tokens == 0)
            return err_set(e, ERR_PROTO, 0, "the contribution of %.12s counts no tokens",
                           key_hex(&w->in[i]->contributor, hex));
        if (i > 0 && key_equal(&w->in[i - 1]->contributor, &w->in[i]->contributor))
            return err_set(e, ERR_PROTO, 0, "two contributions of %.12s in one round",
                           key_hex(&w->in[i]->contributor, hex));
    }
    return OK;
}

static void name_input(const struct work *w, uint32_t i, struct err *e)
{
    char hex[KEY_HEX];
    (void)err_wrap(e, "contribution of %.12s", key_hex(&w->in[i]->contributor, hex));
}

static int measure(struct work *w, const struct delta_params *p, struct err *e)
{
    for (uint32_t i = 0; i < w->n; i++) {
        int rc = delta_check(w->table, p, DELTA_CONTRIBUTION, w->in[i]->payload, w->in[i]->n_bytes,
                             w->norms + (size_t)i * w->table->n_tensors, e);
        if (rc == OK)
            rc = delta_reader_init(&w->readers[i], w->table, p, DELTA_CONTRIBUTION,
                                   w->in[i]->payload, w->in[i]->n_bytes, e);
        if (rc) {
            name_input(w, i, e);
            return rc;
        }
    }
    return OK;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* More steps go further: who brings four times the tokens may be twice as loud. Exactly 1 for those
 * who bring the most, so for everybody where all bring the same.
 */
static void allow(struct work *w)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < w->n; i++)
        most = w->in[i]->n_tokens > most ? w->in[i]->n_tokens : most;
    for (uint32_t i = 0; i < w->n; i++)
        w->allowed[i] = sqrt((double)w->in[i]->n_tokens / (double)most);
}

/* Turn norms into factors: weight times what brings a loud tensor down to the median. */
static void clip(struct work *w)
{
    uint32_t n_tensors = w->table->n_tensors;
    allow(w);
    for (uint32_t t = 0; w->n && t < n_tensors; t++) {
        for (uint32_t i = 0; i < w->n; i++)
            w->sort[i] = w->norms[(size_t)i * n_tensors + t] / w->allowed[i];
        qsort(w->sort, w->n, sizeof *w->sort, by_size);
        double median = w->sort[(w->n - 1) / 2];
        for (uint32_t i = 0; i < w->n; i++) {
            double *x = &w->norms[(size_t)i * n_tensors + t];
            double most = median * w->allowed[i];
            double c = *x > most ? most / *x : 1.0;
            *x = (double)w->in[i]->n_tokens * c;
        }
    }
}

/* The next chunk of every input, averaged into mean[len]. */
static int average(struct work *w, double floor_weight, uint32_t len, struct err *e)
{
    memset(w->num, 0, len * sizeof *w->num);
    memset(w->den, 0, len * sizeof *w->den);
    for (uint32_t i = 0; i < w->n; i++) {
        struct delta_chunk *c = w->chunk;
        int rc = delta_reader_next(&w->readers[i], c, e);
        if (rc) {
            name_input(w, i, e);
            return rc;
        }
        double factor = w->norms[(size_t)i * w->table->n_tensors + c->i_tensor];
        double weight = (double)w->in[i]->n_tokens;
        for (uint32_t j = 0; j < c->n; j++) {
            w->num[c->pos[j]] += factor * (double)c->value[j];
            w->den[c->pos[j]] += weight;
        }
    }
    for (uint32_t j = 0; j < len; j++) {
        double den = w->den[j] > floor_weight ? w->den[j] : floor_weight;
        w->mean[j] = den > 0 ? (float)(w->num[j] / den) : 0.0F;
    }
    return OK;
}

int merge_run(const struct model_table *t, const struct delta_params *p, double min_senders,
              const struct merge_input *inputs, uint32_t n, struct buf *update, struct err *e)
{
    if (n > MERGE_MAX_INPUTS || !(min_senders >= 0))
        return err_set(e, ERR_ARG, 0, "cannot merge %u contributions", n);
    struct work w = {0};
    int rc = work_init(&w, t, n, e);
    if (rc == OK) rc = sort_inputs(&w, inputs, e);
    if (rc == OK) rc = measure(&w, p, e);
    if (rc == OK) rc = delta_writer_init(w.writer, t, p, DELTA_UPDATE, update, e);
    if (rc) goto done;
    clip(&w);
    double total = 0;
    for (uint32_t i = 0; i < n; i++)
        total += (double)w.in[i]->n_tokens;
    double senders = min_senders < (double)n ? min_senders : (double)n;
    double floor_weight = n ? senders * total / (double)n : 0;
    uint32_t len;
    while (rc == OK && (len = delta_writer_left(w.writer)) > 0) {
        rc = average(&w, floor_weight, len, e);
        if (rc == OK) rc = delta_writer_chunk(w.writer, w.mean, NULL, e);
    }
    if (rc == OK) rc = delta_writer_end(w.writer, NULL, e);
    if (rc) update->len = w.writer->began;
done:
    work_deinit(&w);
    return rc;
}

int merge_apply(const struct model_table *t, const struct delta_params *p, double outer_lr,
                const void *update, size_t n, float *base, struct err *e)
{
    return outer_apply(t, p, (float)outer_lr, update, n, base, e);
}
