#include <string.h>

#include "record/course.h"
#include "tests/check.h"

static struct rundesc run;
static struct course c;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    run = (struct rundesc){
        .inner_steps = 10,
        .max_inner_steps = 12,
        .upload_ms = 1000,
        .min_contributions = 1,
        .n_rounds = 50,
        .merge_min_senders = 2,
        .reward_per_round = 1000,
        .train = {.lr = 1e-3, .outer_lr = 1}
    };
    course_init(&c, &run);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    course_deinit(&c);
    return 0;
}

static struct entry change(uint64_t from, enum entry_field f, double v)
{
    static uint64_t index = 0;
    struct entry m = {.kind = ENTRY_CHANGE, .index = ++index};
    m.change.from_round = from;
    m.change.has[f] = true;
    m.change.value[f] = v;
    return m;
}

static void take(const struct entry *m)
{
    if (course_take(&c, m, &e) != OK) fail_msg("%s", e.what);
}

static void without_changes_it_is_the_description(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 200; round += 37) {
        struct course_terms t = course_terms(&c, round);
        assert_int_equal(t.inner_steps, 10);
        assert_int_equal(t.emission, 1000);
        assert_int_equal(t.n_rounds, 50);
        assert_true(t.lr == 1e-3 && t.outer_lr == 1);
        assert_int_equal(course_round_ms(&t), rundesc_round_ms(&run));
        for (uint64_t i = 0; i < 14; i++)
            assert_int_equal(course_schedule_step(&t, i), rundesc_schedule_step(&run, round, i));
    }
    assert_null(course_rollback(&c, 0));
}

static void a_change_holds_from_its_round_until_the_next(void **state)
{
    (void)state;
    struct entry a = change(5, ENTRY_F_REWARD_PER_ROUND, 700);
    struct entry b = change(9, ENTRY_F_REWARD_PER_ROUND, 300);
    struct entry d = change(7, ENTRY_F_LR, 5e-4);
    take(&a);
    take(&b);
    take(&d);
    assert_int_equal(course_terms(&c, 4).emission, 1000);
    assert_int_equal(course_terms(&c, 5).emission, 700);
    assert_int_equal(course_terms(&c, 8).emission, 700);
    assert_int_equal(course_terms(&c, 9).emission, 300);
    assert_true(course_terms(&c, 6).lr == 1e-3);
    assert_true(course_terms(&c, 100).lr == 5e-4);
    assert_int_equal(c.n_entries, 3);
}

/* Longer rounds neither leave out nor repeat a stretch of the learning rate's curve. */
static void the_schedule_goes_on_where_it_was(void **state)
{
    (void)state;
    struct entry a = change(3, ENTRY_F_INNER_STEPS, 4);
    struct entry b = change(5, ENTRY_F_INNER_STEPS, 12);
    take(&a);
    take(&b);
    uint64_t next = 0;
    for (uint64_t round = 0; round < 9; round++) {
        struct course_terms t = course_terms(&c, round);
        assert_int_equal(t.first_step, next);
        assert_int_equal(course_schedule_step(&t, 1000), next + t.inner_steps - 1);
        next += t.inner_steps;
    }
    assert_int_equal(next, 3 * 10 + 2 * 4 + 4 * 12);
}

static void steps_may_give_way_to_time(void **state)
{
    (void)state;
    struct entry m = change(2, ENTRY_F_INNER_MS, 60000);
    assert_int_equal(course_check(&c, &m.change, &e), ERR_ARG); /* both would be set */
    m.change.has[ENTRY_F_INNER_STEPS] = true;
    take(&m);
    struct course_terms t = course_terms(&c, 2);
    assert_int_equal(course_round_ms(&t), 61000);
    assert_int_equal(t.first_step, 20);
    assert_int_equal(course_terms(&c, 3).first_step, 20 + 240);
}

static void what_no_run_may_have_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum entry_field f;
        double v;
    } odd[] = {
        {ENTRY_F_INNER_STEPS,       13     }, /* above max_inner_steps */
        {ENTRY_F_MAX_INNER_STEPS,   9      },
        {ENTRY_F_MAX_INNER_STEPS,   1 << 25},
        {ENTRY_F_UPLOAD_MS,         0      },
        {ENTRY_F_UPLOAD_MS,         4e9    },
        {ENTRY_F_MIN_CONTRIBUTIONS, 0      },
        {ENTRY_F_MERGE_MIN_SENDERS, 5000   },
        {ENTRY_F_OUTER_LR,          0      },
        {ENTRY_F_LR,                11     },
        {ENTRY_F_N_ROUNDS,          5      }, /* over before it begins */
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct entry m = change(5, odd[i].f, odd[i].v);
        e = (struct err){0};
        assert_int_equal(course_take(&c, &m, &e), ERR_PROTO);
        assert_true(e.what[0]);
        assert_int_equal(course_check(&c, &m.change, &e), ERR_ARG);
    }
    run.ahead_steps = 4;
    struct entry few = change(5, ENTRY_F_INNER_STEPS, 4);
    assert_int_equal(course_check(&c, &few.change, &e), ERR_ARG);
    assert_int_equal(c.n_entries, 0);
    struct entry later = change(20, ENTRY_F_INNER_STEPS, 12),
                 less = change(8, ENTRY_F_MAX_INNER_STEPS, 11);
    take(&later);
    assert_int_equal(course_check(&c, &less.change, &e), ERR_ARG); /* the two would meet at 20 */
    assert_int_equal(course_take(&c, &later, &e), ERR_PROTO);      /* the same entry twice */
}

static void a_rollback_belongs_to_one_round(void **state)
{
    (void)state;
    struct entry m = {.kind = ENTRY_ROLLBACK, .index = 100};
    struct entry other = {.kind = ENTRY_ROUND, .index = 101};
    m.rollback = (struct entry_rollback){.next_round = 9, .to_round = 5};
    take(&m);
    take(&other);
    assert_int_equal(c.n_entries, 1);
    assert_int_equal(course_rollback(&c, 9)->to_round, 5);
    assert_null(course_rollback(&c, 8));
    assert_null(course_rollback(&c, 10));
    m.index = 102;
    m.rollback.to_round = 3; /* thought better of it */
    take(&m);
    assert_int_equal(course_rollback(&c, 9)->to_round, 3);
    assert_int_equal(course_back(&c, 30)->to_round, 3);
    assert_null(course_back(&c, 8));
}

static void it_is_said_in_words(void **state)
{
    (void)state;
    struct buf b = {0};
    struct entry m = change(9, ENTRY_F_OUTER_LR, 0.7);
    m.change.has[ENTRY_F_UPLOAD_MS] = true;
    m.change.value[ENTRY_F_UPLOAD_MS] = 60000;
    strcpy(m.change.reason, "many slow lines");
    course_words(&m.change, &b);
    assert_string_equal(buf_str(&b),
                        "from round 9 on: outer_lr 0.7, upload_ms 60000 (many slow lines)");
    buf_deinit(&b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_changes_it_is_the_description),
        CASE(a_change_holds_from_its_round_until_the_next),
        CASE(the_schedule_goes_on_where_it_was),
        CASE(steps_may_give_way_to_time),
        CASE(what_no_run_may_have_is_refused),
        CASE(a_rollback_belongs_to_one_round),
        CASE(it_is_said_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
