#include "app/planning.h"

#include <stdio.h>
#include <string.h>

#include "aggregator/describe.h"
#include "aggregator/plan.h"
#include "base/file.h"
#include "engine/budget.h"
#include "engine/hf_config.h"

#define N_CHECKPOINTS 2 /* kept for who joins: the newest, and the one before while it is fetched */

void planning_defaults(struct planning_words *w)
{
    *w = (struct planning_words){.host_cores = 1,
                                 .up_mbit = 20,
                                 .down_mbit = 100,
                                 .rtt_ms = 80,
                                 .decode_mb_per_s = CONTROLLER_DECODE_BYTES_PER_S / 1e6};
}

static bool was_said(const char *name, uint64_t given)
{
    size_t n = 0;
    const struct setup_option *o = setup_options(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(o[i].name, name) == 0) return given >> i & 1;
    return false;
}

static int count_params(const struct model_config *m, uint64_t *ret, struct err *e)
{
    struct model_table t = {0};
    int rc = model_config_check(m, e);
    if (rc == OK) rc = model_table_init(&t, m, e);
    if (rc != OK) return rc;
    *ret = t.n_params;
    model_table_deinit(&t);
    return OK;
}

static int gather(const struct planning_words *w, const struct setup *s, uint64_t given,
                  const struct model_config *m, struct plan_facts *ret, struct err *e)
{
    uint64_t n_params = 0;
    int rc = count_params(m, &n_params, e);
    if (rc != OK) return rc;
    *ret = (struct plan_facts){
        .c = {.n_params = n_params,
              .step_tokens = s->seq * s->batch,
              .n_contributors = w->n_peers,
              .tok_per_s = w->tok_per_s > 0 ? w->tok_per_s : controller_home_speed(n_params),
              .up_mbit = w->up_mbit,
              .down_mbit = w->down_mbit,
              .rtt_ms = w->rtt_ms,
              .host_cores = w->host_cores,
              .most_ahead = was_said("ahead-steps", given) ? (uint32_t)s->ahead_steps : UINT32_MAX,
              .decode_bytes_per_s = w->decode_mb_per_s * 1e6},
        .retention = s->retention,
        .n_checkpoints = N_CHECKPOINTS
    };
    return OK;
}

static uint64_t training_bytes(const struct model_config *m, const struct setup *s)
{
    struct train_params p = {.seq_len = (uint32_t)s->seq, .batch_seqs = (uint32_t)s->batch};
    struct trainer_options o = {.n_threads = 1, .precision = TRAINER_FP32};
    struct budget b;
    budget_plan(m, &p, &o, &b);
    return b.total_bytes;
}

static int read_config(const char *path, struct model_config *m, struct err *e)
{
    struct buf text = {0};
    int rc = file_read(path, HF_CONFIG_MAX, &text, e);
    if (rc == OK && (rc = hf_config_parse(text.p, text.len, m, NULL, e)) != OK)
        err_wrap(e, "'%s'", path);
    buf_deinit(&text);
    return rc;
}

int planning_run(const struct planning_words *w, const struct setup *s, uint64_t given,
                 uint32_t vocab, bool is_json, struct err *e)
{
    struct setup full = *s;
    struct model_config m;
    struct plan_facts f;
    struct plan p;
    struct buf out = {0};
    if (!w->n_peers) {
        err_set(e, ERR_ARG, 0, "how many contributors are expected?");
        err_hint(e, "say it with --peers N");
        return ERR_ARG;
    }
    if (!full.intermediate) full.intermediate = setup_intermediate(full.hidden);
    describe_model(&full, vocab, &m);
    int rc = w->config_path ? read_config(w->config_path, &m, e) : OK;
    if (rc == OK && full.seq > m.max_position_embeddings)
        rc = err_set(e, ERR_ARG, 0, "--seq %llu is more than the model reads, %u",
                     (unsigned long long)full.seq, m.max_position_embeddings);
    if (rc == OK) rc = gather(w, &full, given, &m, &f, e);
    if (rc != OK) return rc;
    f.inner_steps = was_said("inner-steps", given) ? (uint32_t)full.inner_steps : 0;
    f.k = was_said("k", given) ? (uint32_t)full.k : 0;
    f.contributor_bytes = training_bytes(&m, &full);
    plan_make(&f, &p);
    rc = is_json ? plan_json(&p, &out, e) : plan_text(&p, &out, e);
    if (rc == OK) printf("%s%s", buf_str(&out), is_json ? "\n" : "");
    buf_deinit(&out);
    return rc;
}

int planning_choose(const struct planning_words *w, const struct model_config *from, uint64_t given,
                    struct setup *s, struct err *e)
{
    struct model_config m;
    struct plan_facts f;
    struct setup full = *s;
    if (!w->n_peers) return OK;
    if (!full.intermediate) full.intermediate = setup_intermediate(full.hidden);
    if (from)
        m = *from;
    else
        describe_model(&full, DESCRIBE_VOCAB, &m);
    int rc = gather(w, &full, given, &m, &f, e);
    if (rc != OK) return rc;
    struct controller_round r = controller_choose(&f.c);
    bool is_timed = was_said("inner-seconds", given) && s->inner_seconds;
    if (!was_said("inner-steps", given) && !is_timed) {
        s->inner_steps = r.inner_steps;
        s->inner_seconds = 0;
        s->ahead_steps = r.ahead_steps;
    }
    if (!was_said("k", given) && s->chunk == CONTROLLER_CHUNK) s->k = r.k;
    if (!was_said("min-senders", given) && s->k == r.k) s->min_senders = r.min_senders;
    fprintf(stderr,
            "round    %u steps (%u ahead), then %u of every %u values are sent: %.3g s, %.0f%% of "
            "it waiting "
            "(%u contributors at %.3g tokens/s, %.3g Mbit/s up, %.3g down, %.3g ms away)\n",
            r.inner_steps, r.ahead_steps, r.k, CONTROLLER_CHUNK, r.round_s, 100 * r.wait_frac,
            f.c.n_contributors, f.c.tok_per_s, f.c.up_mbit, f.c.down_mbit, f.c.rtt_ms);
    if (s->k != r.k || s->inner_steps != r.inner_steps)
        fputs("         what you chose yourself stays\n", stderr);
    return OK;
}
