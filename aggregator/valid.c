#include "aggregator/valid.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/tokenizer.h"
#include "engine/trainer.h"

#define LOWEST_PRIORITY 19
#define SLICE_SEQS      4 /* evaluated between two looks at the stop flag */

/* Weights waiting to be evaluated. Two: the one that came first, and the newest. */
struct waiting {
    bool is_used;
    uint64_t round;
    float *params;
};

struct valid {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct waiting first, newest;
    bool is_stopping;
    struct trainer *trainer;
    struct valid_sample sample;
    uint64_t n_params;
    float *current; /* of the validation thread */
    valid_done_fn done;
    void *ctx;
};

/* Sum over tokens of -log2 of the share that their id has in the sample. */
static int unigram(const struct valid_sample *s, uint32_t vocab, double *ret, struct err *e)
{
    uint64_t *count = alloc_zero(vocab, sizeof *count);
    if (!count) return err_set(e, ERR_NOMEM, 0, "no memory to count tokens");
    for (uint64_t i = 0; i < s->n_seqs; i++)
        for (uint32_t t = 1; t <= s->seq_len; t++)
            count[s->tokens[i * (s->seq_len + 1) + t]]++;
    *ret = 0;
    for (uint32_t v = 0; v < vocab; v++)
        if (count[v]) *ret -= (double)count[v] * log2((double)count[v] / (double)s->n_tokens);
    free(count);
    return OK;
}

int valid_sample_take(const uint32_t *tokens, uint64_t n_tokens, uint32_t seq_len, uint32_t n_seqs,
                      const struct tokenizer *tk, struct valid_sample *ret, struct err *e)
{
    uint64_t width = (uint64_t)seq_len + 1;
    uint64_t fit = n_tokens / width;
    if (fit == 0 || n_seqs == 0) {
        err_set(e, ERR_ARG, 0, "the validation text has %llu tokens, one sequence needs %llu",
                (unsigned long long)n_tokens, (unsigned long long)width);
        err_hint(e, "give prepare more text or a larger --val-frac, or init a smaller --seq");
        return ERR_ARG;
    }
    struct valid_sample s = {.n_seqs = fit < n_seqs ? (uint32_t)fit : n_seqs, .seq_len = seq_len};
    s.tokens = alloc_zero(s.n_seqs, size_mul((size_t)width, sizeof *s.tokens));
    if (!s.tokens) return err_set(e, ERR_NOMEM, 0, "no memory for the validation sample");
    for (uint64_t i = 0; i < s.n_seqs; i++) {
        uint64_t start = i * fit / s.n_seqs * width;
        memcpy(s.tokens + i * width, tokens + start, (size_t)width * sizeof *tokens);
        for (uint64_t t = 1; t < width; t++)
            s.n_bytes += tokenizer_id_bytes(tk, tokens[start + t]);
    }
    s.n_tokens = (uint64_t)s.n_seqs * seq_len;
    int rc = unigram(&s, tokenizer_vocab_size(tk), &s.unigram_bits, e);
    if (rc != OK) {
        valid_sample_deinit(&s);
        return rc;
    }
    *ret = s;
    return OK;
}

void valid_sample_deinit(struct valid_sample *s)
{
    if (!s) return;
    free(s->tokens);
    *s = (struct valid_sample){0};
}

static bool is_stopping(struct valid *v)
{
    pthread_mutex_lock(&v->lock);
    bool stop = v->is_stopping;
    pthread_mutex_unlock(&v->lock);
    return stop;
}

/* Wait for weights; false when it is time to end. */
static bool take(struct valid *v, uint64_t *ret_round)
{
    pthread_mutex_lock(&v->lock);
    while (!v->is_stopping && !v->first.is_used)
        pthread_cond_wait(&v->wake, &v->lock);
    bool goes_on = !v->is_stopping;
    if (goes_on) {
        float *spare = v->current;
        *ret_round = v->first.round;
        v->current = v->first.params;
        v->first = v->newest;
        v->newest = (struct waiting){.params = spare};
    }
    pthread_mutex_unlock(&v->lock);
    return goes_on;
}

static void evaluate(struct valid *v, uint64_t round)
{
    struct err e = {0};
    const struct valid_sample *s = &v->sample;
    struct store_val val = {.round = round,
                            .n_tokens = s->n_tokens,
                            .n_bytes = s->n_bytes,
                            .unigram_bits = s->unigram_bits};
    int rc = trainer_load_weights(v->trainer, v->current, (size_t)v->n_params * 4, &e);
    for (uint32_t i = 0; rc == OK && i < s->n_seqs; i += SLICE_SEQS) {
        struct trainer_eval_result r = {0};
        uint32_t n = s->n_seqs - i < SLICE_SEQS ? s->n_seqs - i : SLICE_SEQS;
        if (is_stopping(v)) return;
        rc = trainer_eval(v->trainer, s->tokens + (size_t)i * (s->seq_len + 1), n, &r, &e);
        val.nats += r.nats;
    }
    if (rc == ERR_CANCELLED) return;
    if (rc == OK)
        v->done(&val, v->ctx);
    else
        log_err(LOG_WARN, &e, "validation failed");
}

static void *run(void *arg)
{
    struct valid *v = arg;
    uint64_t round = 0;
    /* On Linux this is the calling thread's priority alone (setpriority(2), NOTES). */
    if (setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY) != 0)
        log_debug("validation runs at normal priority");
    while (take(v, &round))
        evaluate(v, round);
    return NULL;
}

static int make_room(struct valid *v, const struct rundesc *d, struct err *e)
{
    int rc = trainer_create(&d->model, &d->train,
                            &(struct trainer_options){.n_threads = 1, .eval_only = true},
                            &v->trainer, e);
    if (rc != OK) return rc;
    v->n_params = trainer_table(v->trainer)->n_params;
    v->first.params = alloc_zero(v->n_params, sizeof(float));
    v->newest.params = alloc_zero(v->n_params, sizeof(float));
    v->current = alloc_zero(v->n_params, sizeof(float));
    if (v->first.params && v->newest.params && v->current) return OK;
    return err_set(e, ERR_NOMEM, 0, "no memory for validation");
}

static void free_all(struct valid *v)
{
    trainer_destroy(v->trainer);
    free(v->first.params);
    free(v->newest.params);
    free(v->current);
    valid_sample_deinit(&v->sample);
    pthread_cond_destroy(&v->wake);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

int valid_create(const struct rundesc *d, struct valid_sample *sample, valid_done_fn done,
                 void *ctx, struct valid **ret, struct err *e)
{
    struct valid *v = alloc_zero(1, sizeof *v);
    if (!v) return err_set(e, ERR_NOMEM, 0, "no memory for validation");
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->wake, NULL);
    v->done = done;
    v->ctx = ctx;
    int rc = make_room(v, d, e);
    if (rc == OK && pthread_create(&v->thread, NULL, run, v) != 0)
        rc = err_set(e, ERR_IO, 0, "cannot start the validation thread");
    if (rc != OK) {
        free_all(v);
        return rc;
    }
    pthread_mutex_lock(&v->lock);
    v->sample = *sample; /* the thread reads it only after a submit */
    *sample = (struct valid_sample){0};
    pthread_mutex_unlock(&v->lock);
    *ret = v;
    return OK;
}

void valid_submit(struct valid *v, uint64_t round, const float *params)
{
    pthread_mutex_lock(&v->lock);
    struct waiting *w = v->first.is_used ? &v->newest : &v->first;
    w->is_used = true;
    w->round = round;
    memcpy(w->params, params, (size_t)v->n_params * sizeof *params);
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
}

void valid_destroy(struct valid *v)
{
    if (!v) return;
    pthread_mutex_lock(&v->lock);
    v->is_stopping = true;
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
    trainer_gate(v->trainer, TRAINER_CANCEL);
    pthread_join(v->thread, NULL);
    free_all(v);
}
