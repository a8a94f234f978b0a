#include "record/audit_model.h"
#include "tests/unit/auditrig.h"

struct rig {
    struct auditrig *r;
    struct audit_chain c;
    struct audit_book b;
    struct audit_model m;
    struct hash base[12]; /* of each round */
};

static int on_entry(void *ctx, uint64_t index, const struct entry *m, struct err *e)
{
    struct rig *x = ctx;
    (void)index;
    assert_non_null(m);
    if (m->kind == ENTRY_ROUND) x->base[m->round.round] = m->round.base;
    return audit_chain_take(&x->c, m, &x->b, e);
}

/* Read the log again, as it is now, and begin with nothing. */
static void read_log(struct rig *x)
{
    struct note_head head;
    bool has = false;
    struct audit_log l = {
        .source = &x->r->source, .run = &x->r->run, .book = &x->b, .entry = on_entry, .ctx = x};
    audit_model_deinit(&x->m);
    audit_chain_deinit(&x->c);
    audit_chain_init(&x->c, &x->r->run);
    x->b = (struct audit_book){0};
    assert_int_equal(audit_log_head(&l, &head, &has, NULL), OK);
    assert_int_equal(audit_log_walk(&l, &head, NULL), OK);
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
    assert_int_equal(audit_model_init(&x->m, &x->r->source, &x->c, &x->r->t, NULL), OK);
}

static int setup(void **state)
{
    static struct rig x;
    x = (struct rig){.r = auditrig_begin(0)};
    for (int i = 0; i < 5; i++) {
        auditrig_round(x.r);
        if (i == 2) auditrig_checkpoint(x.r); /* of round 3 */
    }
    read_log(&x);
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    struct rig *x = *state;
    audit_model_deinit(&x->m);
    audit_chain_deinit(&x->c);
    auditrig_deinit(x->r);
    return 0;
}

static bool holds(struct rig *x, uint64_t round)
{
    bool has = false;
    assert_int_equal(audit_model_at(&x->m, round, &has, NULL), OK);
    if (!has) return false;
    struct hash got = model_hash(&x->r->t, x->m.params);
    assert_true(hash_equal(&got, &x->base[round]));
    return true;
}

static void lose_update(struct rig *x, uint64_t round)
{
    auditrig_lose(x->r, &audit_chain_step(&x->c, round)->update);
}

static void any_round_can_be_reached_in_any_order(void **state)
{
    static const uint64_t order[] = {4, 0, 2, 3, 1, 4};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        assert_true(holds(*state, order[i]));
    assert_false(holds(*state, 5)); /* not begun */
}

static void a_gap_is_passed_by_the_checkpoint_behind_it(void **state)
{
    struct rig *x = *state;
    lose_update(x, 1);
    assert_true(holds(x, 1));
    assert_false(holds(x, 2));
    assert_true(holds(x, 3));
    assert_true(holds(x, 4));
    assert_false(holds(x, 2));
    assert_true(holds(x, 0)); /* and back */
}

static void a_damaged_checkpoint_is_no_beginning(void **state)
{
    struct rig *x = *state;
    auditrig_flip(auditrig_find(x->r, "weights/3"));
    assert_true(holds(x, 4)); /* from the first weights then */
    read_log(x);
    lose_update(x, 0);
    assert_false(holds(x, 4));
    assert_true(holds(x, 0));
}

static void an_update_that_was_changed_leads_nowhere(void **state)
{
    struct rig *x = *state;
    auditrig_flip(auditrig_blob(x->r, &audit_chain_step(&x->c, 3)->update));
    assert_true(holds(x, 3));
    assert_false(holds(x, 4));
}

static void a_run_that_went_on_from_a_model_begins_with_its_checkpoint(void **state)
{
    struct rig *x = *state;
    struct buf b = {0};
    float *w = calloc(x->r->t.n_params, sizeof *w);
    assert_non_null(w);
    x->r->run.is_from_checkpoint = true;
    assert_false(holds(x, 0));
    model_init_weights(&x->r->t, &x->r->run.model, x->r->run.init_seed, w);
    assert_int_equal(checkpoint_write(0, &x->r->t, w, &b, NULL), OK);
    auditrig_put(x->r, "weights/0", b.p, b.len);
    read_log(x);
    assert_true(holds(x, 0));
    assert_true(holds(x, 2));
    buf_deinit(&b);
    free(w);
}

/* After a rollback the base is that of an earlier round, and so is the way to it. */
static void a_rollback_is_walked_around(void **state)
{
    struct rig *x = *state;
    struct entry m = {.kind = ENTRY_ROLLBACK};
    m.rollback = (struct entry_rollback){.next_round = 5, .to_round = 2, .result = x->base[2]};
    snprintf(m.rollback.reason, sizeof m.rollback.reason, "test");
    auditrig_append(x->r, &m);
    assert_true(holds(x, 2));
    memcpy(x->r->base, x->m.params, x->r->t.n_params * sizeof(float));
    auditrig_round(x->r); /* 5, from the base of 2 */
    auditrig_round(x->r); /* 6 */
    read_log(x);
    assert_true(holds(x, 6));
    assert_true(holds(x, 5));
    lose_update(x, 4); /* nothing of the abandoned branch is needed */
    read_log(x);
    assert_true(holds(x, 6));
    struct audit_report p = auditrig_audit(x->r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.book.n[AUDIT_MODEL][AUDIT_OK], 7);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(any_round_can_be_reached_in_any_order),
        CASE(a_gap_is_passed_by_the_checkpoint_behind_it),
        CASE(a_damaged_checkpoint_is_no_beginning),
        CASE(an_update_that_was_changed_leads_nowhere),
        CASE(a_run_that_went_on_from_a_model_begins_with_its_checkpoint),
        CASE(a_rollback_is_walked_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
