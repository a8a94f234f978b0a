#include "app/train_plan.h"

#include <stdio.h>

#include "view/text.h"

int train_plan_make(const struct train_options *o, struct train_plan *ret, struct err *e)
{
    struct model_table t = {0};
    struct train_plan p = {.n_params = 0};
    train_options_model(o, &p.model);
    train_options_params(o, &p.params);
    train_options_trainer(o, &p.trainer);
    int rc = model_config_check(&p.model, e);
    if (rc == OK) rc = model_table_init(&t, &p.model, e);
    if (rc != OK) return rc;
    p.n_params = t.n_params;
    model_table_deinit(&t);
    budget_plan(&p.model, &p.params, &p.trainer, &p.budget);
    *ret = p;
    return OK;
}

/* The largest size whose plan fits; NULL when not even the smallest does. */
static const char *size_that_fits(const struct train_options *o, uint64_t available,
                                  struct budget *ret)
{
    struct train_options s = {.threads = o->threads,
                              .precision = o->precision,
                              .moments = o->moments,
                              .recompute = o->recompute,
                              .steps = 1};
    struct train_plan p;
    const char *best = NULL;
    const char *name = NULL;
    for (size_t i = 0; (name = train_options_size(i, &s)); i++) {
        s.max_positions = 0;
        if (train_options_fill(&s, NULL) != OK || train_plan_make(&s, &p, NULL) != OK) continue;
        if (budget_check(&p.budget, available, NULL) != OK) continue;
        best = name;
        *ret = p.budget;
    }
    return best;
}

int train_plan_check(const struct train_options *o, const struct train_plan *p, uint64_t available,
                     struct err *e)
{
    char size[32];
    struct budget other;
    int rc = budget_check(&p->budget, available, e);
    if (rc == OK || !e) return rc;
    const char *name = o->init ? NULL : size_that_fits(o, available, &other);
    if (name && other.total_bytes < p->budget.total_bytes)
        err_hint(e, "close other programs, or choose --size %s, which needs %s", name,
                 budget_bytes(other.total_bytes, size, sizeof size));
    else
        err_hint(e, "close other programs, or choose a smaller model or a smaller --batch");
    return rc;
}

char *train_plan_memory(const struct train_plan *p, uint64_t available, char *dst, size_t cap)
{
    char text[200], has[32];
    snprintf(dst, cap, "%s; %s available", budget_text(&p->budget, text, sizeof text),
             available ? budget_bytes(available, has, sizeof has) : "unknown how much is");
    return dst;
}

char *train_plan_model(const struct train_plan *p, char *dst, size_t cap)
{
    char n[TEXT_CAP];
    snprintf(dst, cap, "%s weights: %u wide, %u layers, %u heads, %u token ids",
             text_number((double)p->n_params, n), p->model.hidden_size, p->model.num_hidden_layers,
             p->model.num_attention_heads, p->model.vocab_size);
    return dst;
}
