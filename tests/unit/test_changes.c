#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "client/changes.h"
#include "tests/unit/keycase.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP];
static struct rundesc run;
static struct key host;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    e = (struct err){0};
    host = test_key(7);
    run = (struct rundesc){
        .id = test_hash("run"),
        .inner_steps = 10,
        .max_inner_steps = 12,
        .upload_ms = 1000,
        .min_contributions = 1,
        .n_aggregators = 1,
        .train = {.lr = 1e-3, .outer_lr = 1}
    };
    run.aggregators[0].key = host.pub;
    scratch_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void put(struct buf *out, const struct key *k, uint64_t index, double reward)
{
    struct entry m = {.kind = ENTRY_CHANGE, .run = run.id, .index = index, .at_ms = 5};
    m.change.from_round = 3;
    m.change.has[ENTRY_F_REWARD_PER_ROUND] = true;
    m.change.value[ENTRY_F_REWARD_PER_ROUND] = reward;
    assert_int_equal(entry_sign(&m, k, out, &e), OK);
    buf_put_u8(out, '\n');
}

static void put_back(struct buf *out, uint64_t index)
{
    struct entry m = {.kind = ENTRY_ROLLBACK, .run = run.id, .index = index, .at_ms = 5};
    m.rollback = (struct entry_rollback){.next_round = 9, .to_round = 4, .reason = "it diverged"};
    assert_int_equal(entry_sign(&m, &host, out, &e), OK);
    buf_put_u8(out, '\n');
}

static void what_is_taken_is_there_again_after_a_restart(void **state)
{
    (void)state;
    struct changes c;
    struct buf list = {0};
    assert_int_equal(changes_open(&c, dir, &run, &e), OK);
    assert_int_equal(c.course.n_entries, 0);
    assert_int_equal(changes_take(&c, "", 0, &e), OK);
    put(&list, &host, 4, 500);
    assert_int_equal(changes_take(&c, list.p, list.len, &e), OK);
    put_back(&list, 9);
    assert_int_equal(changes_take(&c, list.p, list.len, &e), OK);
    changes_deinit(&c);
    assert_int_equal(changes_open(&c, dir, &run, &e), OK);
    assert_int_equal(c.course.n_entries, 2);
    assert_int_equal(course_terms(&c.course, 3).emission, 500);
    assert_string_equal(course_rollback(&c.course, 9)->reason, "it diverged");
    changes_deinit(&c);
    buf_deinit(&list);
}

static void what_was_signed_is_not_taken_back(void **state)
{
    (void)state;
    struct changes c;
    struct buf list = {0}, other = {0};
    assert_int_equal(changes_open(&c, dir, &run, &e), OK);
    put(&list, &host, 4, 500);
    put(&other, &host, 4, 600);
    assert_int_equal(changes_take(&c, list.p, list.len, &e), OK);
    assert_int_equal(changes_take(&c, "", 0, &e), ERR_AUTH);
    assert_int_equal(changes_take(&c, other.p, other.len, &e), ERR_AUTH);
    assert_int_equal(changes_take(&c, list.p, list.len, &e), OK); /* the same again */
    assert_int_equal(course_terms(&c.course, 3).emission, 500);
    changes_deinit(&c);
    buf_deinit(&list);
    buf_deinit(&other);
}

static void only_the_host_of_the_run_may_change_it(void **state)
{
    (void)state;
    struct changes c;
    struct key stranger = test_key(8);
    struct buf list = {0};
    assert_int_equal(changes_open(&c, dir, &run, &e), OK);
    put(&list, &stranger, 4, 500);
    assert_int_equal(changes_take(&c, list.p, list.len, &e), ERR_AUTH);
    buf_clear(&list);
    struct hash id = run.id;
    run.id = test_hash("another");
    put(&list, &host, 4, 500);
    run.id = id;
    assert_int_equal(changes_take(&c, list.p, list.len, &e), ERR_AUTH);
    buf_clear(&list);
    put(&list, &host, 4, 500);
    assert_int_equal(changes_take(&c, list.p, list.len - 1, &e), ERR_PROTO); /* half a line */
    put(&list, &host, 4, 500);
    assert_int_equal(changes_take(&c, list.p, list.len, &e), ERR_PROTO); /* twice the same place */
    assert_int_equal(c.course.n_entries, 0);
    changes_deinit(&c);
    buf_deinit(&list);
}

static void a_damaged_file_is_asked_for_anew(void **state)
{
    (void)state;
    struct changes c;
    struct buf list = {0};
    scratch_write(dir, "changes", "junk\n", 5);
    assert_int_equal(changes_open(&c, dir, &run, &e), OK);
    assert_int_equal(c.course.n_entries, 0);
    put(&list, &host, 4, 500);
    assert_int_equal(changes_take(&c, list.p, list.len, &e), OK);
    changes_deinit(&c);
    assert_int_equal(changes_open(&c, dir, &run, &e), OK);
    assert_int_equal(c.course.n_entries, 1);
    changes_deinit(&c);
    buf_deinit(&list);
}

static void running_out_of_memory_takes_nothing(void **state)
{
    (void)state;
    struct buf list = {0};
    put(&list, &host, 4, 500);
    put_back(&list, 9);
    for (uint64_t k = 1;; k++) {
        struct changes c;
        assert_int_equal(changes_open(&c, dir, &run, &e), OK);
        alloc_fail_nth(k);
        int rc = changes_take(&c, list.p, list.len, NULL);
        uint64_t n_asked = alloc_count();
        alloc_fail_nth(0);
        assert_int_equal(c.course.n_entries, rc == OK ? 2 : 0);
        changes_deinit(&c);
        if (n_asked < k) break;
    }
    buf_deinit(&list);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_taken_is_there_again_after_a_restart), CASE(what_was_signed_is_not_taken_back),
        CASE(only_the_host_of_the_run_may_change_it),       CASE(a_damaged_file_is_asked_for_anew),
        CASE(running_out_of_memory_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
