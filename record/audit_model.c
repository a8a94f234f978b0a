#include "record/audit_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/checkpoint.h"
#include "record/merge.h"

int audit_model_init(struct audit_model *m, const struct audit_source *s,
                     const struct audit_chain *c, const struct model_table *t, struct err *e)
{
    *m = (struct audit_model){.source = s, .chain = c, .table = t};
    m->params = t->n_params <= SIZE_MAX / sizeof(float)
                    ? alloc_zero((size_t)t->n_params, sizeof *m->params)
                    : NULL;
    if (m->params) return OK;
    err_set(e, ERR_NOMEM, 0, "the model does not fit into memory");
    err_hint(e, "free memory, or verify on a larger machine");
    return ERR_NOMEM;
}

void audit_model_deinit(struct audit_model *m)
{
    if (!m) return;
    free(m->params);
    buf_deinit(&m->update);
    buf_deinit(&m->gaps);
    *m = (struct audit_model){0};
}

/* ---- where to begin ------------------------------------------------------------------------- */

static int list_rounds(struct audit_model *m, struct err *e)
{
    if (m->has_rounds) return OK;
    m->has_rounds = true;
    if (!m->source->rounds) return OK;
    int rc = m->source->rounds(m->source->ctx, m->rounds, AUDIT_MAX_CHECKPOINTS, &m->n_rounds, e);
    return rc == ERR_NOTFOUND ? OK : rc;
}

static bool can_begin(const struct audit_model *m, uint64_t round)
{
    if (round == 0) return !m->has_no_first;
    for (uint32_t i = 0; i < m->n_rounds; i++)
        if (m->rounds[i] == round) return true;
    return false;
}

/* The checkpoint of a round, if it is one and holds what is on record. */
static int read_checkpoint(struct audit_model *m, uint64_t round, const struct hash *base,
                           struct err *e)
{
    struct buf file = {0};
    struct checkpoint c;
    size_t max = CHECKPOINT_HEADER_BYTES + (size_t)m->table->n_params * sizeof(float);
    int rc = m->source->weights ? m->source->weights(m->source->ctx, round, max, &file, e)
                                : ERR_NOTFOUND;
    m->has = false;
    if (rc == OK && checkpoint_parse(file.p, file.len, &c, NULL) == OK &&
        c.n_params == m->table->n_params && hash_equal(&c.model, base)) {
        memcpy(m->params, c.weights, c.n_bytes); /* little endian, as every CPU we build for */
        m->has = true;
    }
    buf_deinit(&file);
    return rc == ERR_NOTFOUND || rc == ERR_LIMIT ? OK : rc;
}

static int begin(struct audit_model *m, uint64_t round, const struct hash *base, struct err *e)
{
    const struct rundesc *run = m->chain->run;
    if (m->has && hash_equal(&m->base, base)) return OK;
    int rc = OK;
    m->has = false;
    if (round == 0 && !run->is_from_checkpoint) {
        model_init_weights(m->table, &run->model, run->init_seed, m->params);
        struct hash got = model_hash(m->table, m->params);
        m->has = hash_equal(&got, base);
    } else {
        rc = read_checkpoint(m, round, base, e);
    }
    m->base = *base;
    return rc;
}

/* ---- the way from there --------------------------------------------------------------------- */

int audit_model_apply(struct audit_model *m, uint64_t round, const void *update, size_t n,
                      struct hash *ret_result, struct err *e)
{
    const struct rundesc *run = m->chain->run;
    double outer_lr = course_terms(&m->chain->course, round).outer_lr;
    int rc = merge_apply(m->table, &run->train.delta, outer_lr, update, n, m->params, e);
    m->has = rc == OK;
    if (rc != OK) return rc;
    m->base = model_hash(m->table, m->params);
    *ret_result = m->base;
    return OK;
}

/* One round on, by the update on record. m->has is false afterwards when it did not work. */
static int walk_on(struct audit_model *m, uint64_t round, struct err *e)
{
    const struct audit_step *s = audit_chain_step(m->chain, round);
    size_t max = delta_max_bytes(m->table, &m->chain->run->train.delta, DELTA_UPDATE);
    struct hash result;
    struct err why = {0};
    buf_clear(&m->update);
    int rc = audit_blob(m->source, &s->update, max, &m->update, &why);
    if (rc == OK) rc = audit_model_apply(m, round, m->update.p, m->update.len, &result, &why);
    if (rc == OK) return OK;
    m->has = false;
    if (rc == ERR_NOTFOUND || rc == ERR_AUTH || rc == ERR_PROTO) return OK;
    if (e) *e = why;
    return rc;
}

static bool is_gap(const struct audit_model *m, uint64_t round)
{
    const uint64_t *gaps = (const void *)m->gaps.p;
    for (size_t i = 0; i < m->gaps.len / sizeof *gaps; i++)
        if (gaps[i] == round) return true;
    return false;
}

/* The rounds to walk from some beginning to `round`, last first; false: there is no way. Going back
 * from a base: the round before made it, unless it is the base of an earlier round again.
 */
static bool way_back(struct audit_model *m, uint64_t round, struct buf *way, uint64_t *ret_start)
{
    uint64_t at = round;
    for (;;) {
        const struct audit_step *s = audit_chain_step(m->chain, at);
        if (!s || !s->is_known) return false;
        at = s->base_of;
        s = audit_chain_step(m->chain, at);
        if (!s || !s->is_known) return false;
        bool is_held = m->has && hash_equal(&m->base, &s->base);
        if (is_held || can_begin(m, at)) {
            *ret_start = at;
            return !way->failed;
        }
        if (at == 0 || is_gap(m, at - 1)) return false;
        at--;
        buf_put(way, &at, sizeof at);
    }
}

/* A beginning that was none is not tried again. */
static void forget_start(struct audit_model *m, uint64_t round)
{
    uint32_t kept = 0;
    if (round == 0) m->has_no_first = true;
    for (uint32_t i = 0; i < m->n_rounds; i++)
        if (m->rounds[i] != round) m->rounds[kept++] = m->rounds[i];
    m->n_rounds = kept;
}

static int try_from(struct audit_model *m, uint64_t start, const struct buf *way, struct err *e)
{
    const uint64_t *rounds = (const void *)way->p;
    int rc = begin(m, start, &audit_chain_step(m->chain, start)->base, e);
    if (rc == OK && !m->has) forget_start(m, start);
    for (size_t i = way->len / sizeof *rounds; rc == OK && m->has && i-- > 0;) {
        rc = walk_on(m, rounds[i], e);
        const struct audit_step *next = audit_chain_step(m->chain, rounds[i] + 1);
        if (m->has && (!next || !hash_equal(&m->base, &next->base))) m->has = false;
        if (!m->has) buf_put(&m->gaps, &rounds[i], sizeof *rounds);
    }
    return rc;
}

int audit_model_at(struct audit_model *m, uint64_t round, bool *ret_has, struct err *e)
{
    const struct audit_step *s = audit_chain_step(m->chain, round);
    struct buf way = {0};
    uint64_t start = 0;
    int rc = list_rounds(m, e);
    *ret_has = false;
    /* Each turn leads there, or strikes out one beginning or one update. */
    while (rc == OK && s && s->is_known && !*ret_has) {
        buf_clear(&way);
        if (!way_back(m, round, &way, &start)) break;
        rc = try_from(m, start, &way, e);
        *ret_has = rc == OK && m->has;
        if (m->gaps.failed) break;
    }
    if (rc == OK && (way.failed || m->gaps.failed))
        rc = err_set(e, ERR_NOMEM, 0, "no memory for the way to a model");
    buf_deinit(&way);
    return rc;
}
