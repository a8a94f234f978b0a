#include <string.h>

#include "aggregator/plan.h"
#include "base/json.h"
#include "tests/check.h"

static struct plan_facts facts(void)
{
    return (struct plan_facts){
        .c = {.n_params = 5000000,
              .step_tokens = 1024,
              .n_contributors = 8,
              .tok_per_s = 2000,
              .up_mbit = 20,
              .down_mbit = 100,
              .rtt_ms = 80,
              .most_ahead = UINT32_MAX,
              .host_cores = 2,
              .decode_bytes_per_s = CONTROLLER_DECODE_BYTES_PER_S},
        .retention = 1000,
        .n_checkpoints = 2,
        .contributor_bytes = 130000000
    };
}

static void the_controller_chooses_what_nobody_said(void **state)
{
    (void)state;
    struct plan p;
    struct plan_facts f = facts();
    struct controller_round r = controller_choose(&f.c);
    plan_make(&f, &p);
    assert_int_equal(p.round.inner_steps, r.inner_steps);
    assert_int_equal(p.round.k, r.k);
}

static void what_was_said_stays(void **state)
{
    (void)state;
    struct plan p;
    struct plan_facts f = facts();
    f.inner_steps = 17;
    f.k = 100;
    plan_make(&f, &p);
    assert_int_equal(p.round.inner_steps, 17);
    assert_int_equal(p.round.k, 100);
    assert_true(p.round.train_s > 8.703 && p.round.train_s < 8.705);
}

static void the_host_carries_what_all_of_them_send(void **state)
{
    (void)state;
    struct plan p;
    struct plan_facts f = facts();
    plan_make(&f, &p);
    assert_int_equal(p.in_bytes, 8 * p.round.up_bytes);
    assert_int_equal(p.out_bytes, 8 * p.round.down_bytes);
    assert_int_equal(p.round_disk_bytes, p.in_bytes + p.round.down_bytes);
    assert_int_equal(p.disk_bytes, 1000 * p.round_disk_bytes + 2 * 20000000);
    assert_int_equal(p.memory_bytes, 60000000 + p.round_disk_bytes);
    assert_true(p.tok_per_s < 16000 && p.tok_per_s > 16000 * (1 - CONTROLLER_WAIT) - 1);
}

static void the_page_and_the_object_say_the_same(void **state)
{
    (void)state;
    struct plan p;
    struct plan_facts f = facts();
    struct buf json = {0}, text = {0};
    struct err e = {0};
    char wanted[64];
    f.inner_steps = 17;
    f.k = 100;
    plan_make(&f, &p);
    assert_int_equal(plan_json(&p, &json, &e), OK);
    assert_int_equal(plan_text(&p, &text, &e), OK);
    assert_non_null(strstr(buf_str(&text), "17 steps ("));
    assert_non_null(strstr(buf_str(&text), "then 100 of every 4096"));
    assert_non_null(strstr(buf_str(&json), "\"inner_steps\":17"));
    snprintf(wanted, sizeof wanted, "\"up_bytes\":%llu", (unsigned long long)p.round.up_bytes);
    assert_non_null(strstr(buf_str(&json), wanted));
    buf_deinit(&json);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_controller_chooses_what_nobody_said),
        cmocka_unit_test(what_was_said_stays),
        cmocka_unit_test(the_host_carries_what_all_of_them_send),
        cmocka_unit_test(the_page_and_the_object_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
