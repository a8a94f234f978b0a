#include "app/verify_scores.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregator/dataset.h"
#include "aggregator/setup.h"
#include "aggregator/valid.h"
#include "app/run_facts.h"
#include "base/alloc.h"
#include "base/json.h"
#include "engine/tokenizer.h"
#include "engine/trainer.h"

#define MAX_STATUS (1u << 16)
#define SLICE_SEQS 4 /* evaluated at a time, as the host does */

struct verify_scores {
    const struct rundesc *run;
    struct valid_sample sample;
    struct trainer *trainer;
    uint64_t n_params;
    uint32_t n;
    struct verify_loss loss[2];
};

/* ---- what the host says --------------------------------------------------------------------- */

static int read_claims(struct verify_scores *s, const struct buf *status, struct err *e)
{
    json_t *o = NULL;
    struct json_reader r = {.e = e};
    int rc = json_parse(status->p, status->len, &o, e);
    if (rc != OK) return rc;
    if (json_bool(&r, o, "has_val")) {
        s->loss[0].round = json_u64(&r, o, "val_round_first", 0, INT64_MAX);
        s->loss[0].said = json_real_in(&r, o, "val_loss_first", 0, 1e6);
        s->loss[1].round = json_u64(&r, o, "val_round_last", 0, INT64_MAX);
        s->loss[1].said = json_real_in(&r, o, "val_loss_last", 0, 1e6);
        s->n = s->loss[0].round == s->loss[1].round ? 1 : 2;
    }
    json_decref(o);
    return json_bad(&r) ? ERR_PROTO : OK;
}

/* ---- the text ------------------------------------------------------------------------------- */

static int take_sample(struct verify_scores *s, const char *dir, struct err *e)
{
    struct dataset d = {0};
    struct setup choices;
    struct tokenizer *tk = NULL;
    uint32_t *tokens = NULL;
    int rc = setup_load(dir, &choices, e);
    if (rc == OK) rc = dataset_open(dir, &d, e);
    if (rc == OK) rc = dataset_check(&d, s->run, e);
    if (rc == OK) rc = tokenizer_from_json(d.tokenizer.p, d.tokenizer.len, &tk, e);
    if (rc == OK) rc = dataset_tokens(&d.val, &tokens, e);
    if (rc == OK)
        rc = valid_sample_take(tokens, d.val.x.n_tokens, s->run->train.seq_len,
                               (uint32_t)choices.val_seqs, tk, &s->sample, e);
    free(tokens);
    tokenizer_destroy(tk);
    dataset_close(&d);
    return rc;
}

static int open_dir(struct verify_scores *s, const char *dir, uint32_t n_threads, char *why,
                    size_t cap, struct err *e)
{
    struct buf status = {0};
    struct trainer_options o = {.n_threads = n_threads, .eval_only = true};
    struct err no = {0};
    if (run_facts_ask_home(dir, &status, &no) != OK || read_claims(s, &status, &no) != OK)
        snprintf(why, cap, "the host's figures cannot be read: %.100s", no.what);
    else if (!s->n)
        snprintf(why, cap, "the host has measured none yet");
    buf_deinit(&status);
    if (*why) return OK;
    int rc = take_sample(s, dir, e);
    if (rc == OK) rc = trainer_create(&s->run->model, &s->run->train, &o, &s->trainer, e);
    if (rc == OK) s->n_params = trainer_table(s->trainer)->n_params;
    return rc;
}

int verify_scores_open(struct record_from *f, uint32_t n_threads, struct verify_scores **ret,
                       char *why, size_t cap, struct err *e)
{
    const char *dir = record_from_dir(f);
    *ret = NULL;
    *why = 0;
    if (!dir) {
        snprintf(why, cap, "a host does not give out its held-out text; its folder has it");
        return OK;
    }
    struct verify_scores *s = alloc_zero(1, sizeof *s);
    if (!s) return err_set(e, ERR_NOMEM, 0, "no memory to evaluate the model");
    s->run = record_from_run(f);
    int rc = open_dir(s, dir, n_threads, why, cap, e);
    if (rc == OK && !*why)
        *ret = s;
    else
        verify_scores_close(s);
    return rc;
}

void verify_scores_close(struct verify_scores *s)
{
    if (!s) return;
    valid_sample_deinit(&s->sample);
    trainer_destroy(s->trainer);
    free(s);
}

/* ---- measuring ------------------------------------------------------------------------------ */

static int measure(struct verify_scores *s, const float *params, double *ret, struct err *e)
{
    const struct valid_sample *x = &s->sample;
    double nats = 0;
    int rc = trainer_load_weights(s->trainer, params, (size_t)s->n_params * sizeof *params, e);
    for (uint32_t i = 0; rc == OK && i < x->n_seqs; i += SLICE_SEQS) {
        struct trainer_eval_result r = {0};
        uint32_t n = x->n_seqs - i < SLICE_SEQS ? x->n_seqs - i : SLICE_SEQS;
        rc = trainer_eval(s->trainer, x->tokens + (size_t)i * (x->seq_len + 1), n, &r, e);
        nats += r.nats;
    }
    *ret = nats / (double)x->n_tokens;
    return rc;
}

int verify_scores_take(struct verify_scores *s, uint64_t round, const float *params,
                       struct audit_book *b, struct err *e)
{
    int rc = OK;
    for (uint32_t i = 0; rc == OK && i < s->n; i++) {
        struct verify_loss *l = &s->loss[i];
        if (l->round != round || l->is_done) continue;
        rc = measure(s, params, &l->found, e);
        l->is_done = rc == OK;
        if (rc == OK && fabs(l->found - l->said) <= VERIFY_TOLERANCE)
            audit_ok(b, AUDIT_LOSS);
        else if (rc == OK)
            audit_found(b, AUDIT_WRONG, AUDIT_LOSS, round,
                        "the held-out loss before round %" PRIu64 " is %.4f, the host says %.4f",
                        round, l->found, l->said);
    }
    return rc;
}

uint32_t verify_scores_losses(const struct verify_scores *s, struct verify_loss ret[2])
{
    for (uint32_t i = 0; s && i < s->n; i++)
        ret[i] = s->loss[i];
    return s ? s->n : 0;
}
