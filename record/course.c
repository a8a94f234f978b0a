#include "record/course.h"

#include <inttypes.h>
#include <string.h>

void course_init(struct course *c, const struct rundesc *run)
{
    *c = (struct course){.run = run};
}

void course_deinit(struct course *c)
{
    if (!c) return;
    buf_deinit(&c->changes);
    buf_deinit(&c->rollbacks);
    *c = (struct course){0};
}

static const struct entry_change *changes_of(const struct course *c, size_t *ret_n)
{
    *ret_n = c->changes.len / sizeof(struct entry_change);
    return (const void *)c->changes.p;
}

static const struct entry_rollback *rollbacks_of(const struct course *c, size_t *ret_n)
{
    *ret_n = c->rollbacks.len / sizeof(struct entry_rollback);
    return (const void *)c->rollbacks.p;
}

/* ---- terms ---------------------------------------------------------------------------------- */

static struct course_terms described(const struct rundesc *d)
{
    return (struct course_terms){.inner_steps = d->inner_steps,
                                 .inner_ms = d->inner_ms,
                                 .max_inner_steps = d->max_inner_steps,
                                 .upload_ms = d->upload_ms,
                                 .min_contributions = d->min_contributions,
                                 .n_rounds = d->n_rounds,
                                 .merge_min_senders = d->merge_min_senders,
                                 .lr = d->train.lr,
                                 .outer_lr = d->train.outer_lr,
                                 .emission = d->reward_per_round};
}

static void set(struct course_terms *t, const struct entry_change *m)
{
    const double *v = m->value;
    const bool *has = m->has;
    if (has[ENTRY_F_INNER_STEPS]) t->inner_steps = (uint32_t)v[ENTRY_F_INNER_STEPS];
    if (has[ENTRY_F_INNER_MS]) t->inner_ms = (uint32_t)v[ENTRY_F_INNER_MS];
    if (has[ENTRY_F_MAX_INNER_STEPS]) t->max_inner_steps = (uint32_t)v[ENTRY_F_MAX_INNER_STEPS];
    if (has[ENTRY_F_UPLOAD_MS]) t->upload_ms = (uint32_t)v[ENTRY_F_UPLOAD_MS];
    if (has[ENTRY_F_MIN_CONTRIBUTIONS])
        t->min_contributions = (uint32_t)v[ENTRY_F_MIN_CONTRIBUTIONS];
    if (has[ENTRY_F_N_ROUNDS]) t->n_rounds = (uint64_t)v[ENTRY_F_N_ROUNDS];
    if (has[ENTRY_F_MERGE_MIN_SENDERS]) t->merge_min_senders = v[ENTRY_F_MERGE_MIN_SENDERS];
    if (has[ENTRY_F_LR]) t->lr = v[ENTRY_F_LR];
    if (has[ENTRY_F_OUTER_LR]) t->outer_lr = v[ENTRY_F_OUTER_LR];
    if (has[ENTRY_F_REWARD_PER_ROUND]) t->emission = (uint64_t)v[ENTRY_F_REWARD_PER_ROUND];
}

static uint64_t steps_of(const struct course_terms *t)
{
    uint64_t by_time = (uint64_t)t->inner_ms * RUNDESC_STEPS_PER_S / 1000;
    return t->inner_steps ? t->inner_steps : by_time ? by_time : 1;
}

static struct course_terms terms_by(const struct course *c, uint64_t round)
{
    struct course_terms t = described(c->run);
    size_t n = 0;
    const struct entry_change *m = changes_of(c, &n);
    for (size_t i = 0; i < n; i++)
        if (m[i].from_round <= round) set(&t, &m[i]);
    return t;
}

/* The first round after `round` in which a change begins to hold; UINT64_MAX: none. */
static uint64_t next_change(const struct course *c, uint64_t round)
{
    size_t n = 0;
    uint64_t next = UINT64_MAX;
    const struct entry_change *m = changes_of(c, &n);
    for (size_t i = 0; i < n; i++)
        if (m[i].from_round > round && m[i].from_round < next) next = m[i].from_round;
    return next;
}

/* The schedule goes on where the round before ended, however long rounds were. */
struct course_terms course_terms(const struct course *c, uint64_t round)
{
    struct course_terms t = terms_by(c, 0);
    uint64_t step = 0, at = 0;
    for (uint64_t next = next_change(c, 0); next <= round; next = next_change(c, next)) {
        step += (next - at) * steps_of(&t);
        at = next;
        t = terms_by(c, next);
    }
    t.first_step = step + (round - at) * steps_of(&t);
    return t;
}

uint64_t course_round_ms(const struct course_terms *t)
{
    return (uint64_t)(t->inner_ms ? t->inner_ms : 4 * (uint64_t)t->upload_ms) + t->upload_ms;
}

uint64_t course_schedule_step(const struct course_terms *t, uint64_t i_step)
{
    uint64_t n = steps_of(t);
    return t->first_step + (i_step < n - 1 ? i_step : n - 1);
}

/* ---- taking --------------------------------------------------------------------------------- */

static int bad(struct err *e, const char *what)
{
    err_set(e, ERR_ARG, 0, "%s", what);
    err_hint(e, "the bounds are those of a run description: docs/PROTOCOL.md");
    return ERR_ARG;
}

static bool is_within(double x, double lo, double hi)
{
    return x >= lo && x <= hi;
}

static int check_terms(const struct rundesc *d, const struct course_terms *t, uint64_t round,
                       struct err *e)
{
    uint32_t steps = t->inner_steps ? t->inner_steps : t->max_inner_steps;
    if ((t->inner_steps == 0) == (t->inner_ms == 0))
        return bad(e, "either inner_steps or inner_ms must be set, and the other be 0");
    if (t->inner_steps > t->max_inner_steps)
        return bad(e, "inner_steps would be larger than max_inner_steps");
    if (d->ahead_steps && d->ahead_steps >= steps)
        return bad(e, "a round would have no more steps than are taken ahead of it");
    if (!t->max_inner_steps || t->max_inner_steps > RUNDESC_MAX_STEPS)
        return bad(e, "max_inner_steps would be beyond its bounds");
    if (t->inner_ms > RUNDESC_MAX_PHASE_MS || !t->upload_ms || t->upload_ms > RUNDESC_MAX_PHASE_MS)
        return bad(e, "a phase of the round would be beyond its bounds");
    if (!t->min_contributions || t->min_contributions > RUNDESC_MAX_SENDERS)
        return bad(e, "min_contributions would be beyond its bounds");
    if (!is_within(t->merge_min_senders, 0, RUNDESC_MAX_SENDERS))
        return bad(e, "merge_min_senders would be beyond its bounds");
    if (!is_within(t->outer_lr, 1e-6, 10) || !is_within(t->lr, 1e-9, 10))
        return bad(e, "a learning rate would be beyond its bounds");
    if (t->n_rounds && t->n_rounds <= round)
        return bad(e, "the run would be over before the change begins; use `end` for that");
    return OK;
}

int course_check(const struct course *c, const struct entry_change *m, struct err *e)
{
    /* Also where it meets a change that begins later and is on record already. */
    for (uint64_t at = m->from_round; at != UINT64_MAX; at = next_change(c, at)) {
        struct course_terms t = terms_by(c, at);
        set(&t, m);
        int rc = check_terms(c->run, &t, at, e);
        if (rc != OK) return rc;
    }
    return OK;
}
int course_take(struct course *c, const struct entry *m, struct err *e)
{
    if (m->kind != ENTRY_CHANGE && m->kind != ENTRY_ROLLBACK) return OK;
    if (c->n_entries && m->index <= c->last_index)
        return err_set(e, ERR_PROTO, 0, "entry %" PRIu64 " of the record comes twice", m->index);
    if (c->n_entries >= COURSE_MAX_ENTRIES)
        return err_set(e, ERR_LIMIT, 0, "the record changes the run too often");
    if (m->kind == ENTRY_CHANGE && course_check(c, &m->change, e) != OK) {
        err_wrap(e, "entry %" PRIu64 " of the record", m->index);
        return ERR_PROTO;
    }
    if (m->kind == ENTRY_CHANGE)
        buf_put(&c->changes, &m->change, sizeof m->change);
    else
        buf_put(&c->rollbacks, &m->rollback, sizeof m->rollback);
    int rc = buf_ok(&c->changes, e);
    if (rc == OK) rc = buf_ok(&c->rollbacks, e);
    if (rc != OK) return rc;
    c->n_entries++;
    c->last_index = m->index;
    return OK;
}

/* ---- looking -------------------------------------------------------------------------------- */

const struct entry_rollback *course_rollback(const struct course *c, uint64_t round)
{
    size_t n = 0;
    const struct entry_rollback *m = rollbacks_of(c, &n);
    while (n-- > 0)
        if (m[n].next_round == round) return &m[n];
    return NULL;
}

const struct entry_rollback *course_back(const struct course *c, uint64_t round)
{
    size_t n = 0;
    const struct entry_rollback *m = rollbacks_of(c, &n);
    while (n-- > 0)
        if (m[n].next_round <= round) return &m[n];
    return NULL;
}

void course_words(const struct entry_change *m, struct buf *out)
{
    const char *between = ": ";
    buf_printf(out, "from round %" PRIu64 " on", m->from_round);
    for (unsigned f = 0; f < ENTRY_FIELDS; f++) {
        if (!m->has[f]) continue;
        buf_printf(out, "%s%s %.10g", between, entry_field_word((enum entry_field)f), m->value[f]);
        between = ", ";
    }
    if (m->reason[0]) buf_printf(out, " (%s)", m->reason);
}
