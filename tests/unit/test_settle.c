#include <string.h>

#include "base/json.h"
#include "record/settle.h"
#include "tests/check.h"

static struct rundesc run = {.reward_unit = "credits"};
static struct err e;

/* A round of: who is paid what; 0 means refused. */
static void add(struct settle *s, uint64_t round, const uint64_t pay[3])
{
    struct sheet_row rows[3] = {0};
    struct sheet sheet = {.round = round, .n = 3, .rows = rows};
    for (uint8_t i = 0; i < 3; i++) {
        rows[i].contributor.b[0] = (uint8_t)(9 - i);
        rows[i].verdict = pay[i] ? MSG_ACCEPTED : MSG_REJECTED;
        rows[i].reward = pay[i];
    }
    assert_int_equal(settle_add(s, &sheet, &e), OK);
}

static void each_contributor_has_one_line_in_the_order_of_keys(void **state)
{
    (void)state;
    struct settle s = {.run = &run, .last_round = 1};
    uint64_t n = 0;
    add(&s, 0, (const uint64_t[3]){5, 7, 0});
    add(&s, 1, (const uint64_t[3]){4, 8, 0});
    const struct settle_row *r = settle_rows(&s, &n);
    assert_int_equal(n, 2);
    assert_int_equal(r[0].contributor.b[0], 8);
    assert_int_equal(r[0].amount, 15);
    assert_int_equal(r[1].amount, 9);
    assert_int_equal(r[1].n_receipts, 2);
    assert_int_equal(s.paid, 24);
    settle_deinit(&s);
}

static void rounds_in_any_order_give_the_same_bytes(void **state)
{
    (void)state;
    const uint64_t a[3] = {5, 7, 1}, b[3] = {4, 0, 3};
    struct settle x = {.run = &run, .last_round = 1}, y = x;
    struct buf one = {0}, two = {0}, again = {0};
    json_t *o = NULL;
    add(&x, 0, a);
    add(&x, 1, b);
    add(&y, 1, b);
    add(&y, 0, a);
    assert_int_equal(settle_encode(&x, &one, &e), OK);
    assert_int_equal(settle_encode(&y, &two, &e), OK);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.p, two.p, one.len);
    assert_int_equal(json_parse(one.p, one.len, &o, &e), OK);
    assert_int_equal(json_write(o, &again, &e), OK);
    assert_memory_equal(one.p, again.p, one.len); /* the canonical form */
    assert_int_equal(json_integer_value(json_object_get(o, "paid")), 20);
    assert_int_equal(json_array_size(json_object_get(o, "lines")), 3);
    json_decref(o);
    buf_deinit(&one);
    buf_deinit(&two);
    buf_deinit(&again);
    settle_deinit(&x);
    settle_deinit(&y);
}

static struct payee payee(uint8_t who, enum payee_kind kind, const char *address)
{
    struct payee p = {.kind = kind, .contributor.b = {who}};
    strcpy(p.address, address);
    return p;
}

/* The newest counts, one that was taken back is gone, one of a stranger makes no line. */
static void lines_say_to_whom(void **state)
{
    (void)state;
    struct settle s = {.run = &run};
    struct buf json = {0}, csv = {0};
    uint64_t n = 0;
    const struct payee all[] = {payee(9, PAYEE_TEXT, "old"), payee(8, PAYEE_TEXT, "b"),
                                payee(9, PAYEE_TEXT, "=1+\"1\""), payee(8, PAYEE_NONE, ""),
                                payee(1, PAYEE_TEXT, "stranger")};
    add(&s, 0, (const uint64_t[3]){5, 7, 0});
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_int_equal(settle_payee(&s, &all[i], &e), OK);
    const struct settle_row *r = settle_rows(&s, &n);
    assert_int_equal(n, 2);
    assert_null(r[0].payee);
    assert_string_equal(r[1].payee->address, "=1+\"1\"");
    assert_int_equal(settle_encode(&s, &json, &e), OK);
    assert_non_null(strstr(buf_str(&json), "{\"address\":\"=1+\\\"1\\\"\",\"amount\":5,"));
    assert_null(strstr(buf_str(&json), "old"));
    assert_null(strstr(buf_str(&json), "stranger"));
    assert_int_equal(settle_csv(&s, &csv, &e), OK);
    assert_non_null(strstr(buf_str(&csv), ",7,1,,\n"));
    assert_non_null(strstr(buf_str(&csv), ",5,1,text,\"'=1+\"\"1\"\"\"\n"));
    buf_deinit(&json);
    buf_deinit(&csv);
    settle_deinit(&s);
}

static void a_sum_beyond_counting_is_refused(void **state)
{
    (void)state;
    struct settle s = {.run = &run};
    struct sheet_row row = {.verdict = MSG_ACCEPTED, .reward = UINT64_C(1) << 52};
    struct sheet sheet = {.n = 1, .rows = &row};
    assert_int_equal(settle_add(&s, &sheet, &e), OK);
    assert_int_equal(settle_add(&s, &sheet, &e), ERR_LIMIT);
    settle_deinit(&s);
}

static void a_table_has_a_head_and_a_line_each(void **state)
{
    (void)state;
    struct settle s = {.run = &run};
    struct buf b = {0};
    add(&s, 0, (const uint64_t[3]){0, 0, 6});
    assert_int_equal(settle_csv(&s, &b, &e), OK);
    assert_non_null(strstr(buf_str(&b), "contributor,amount_micro,receipts,kind,address\n0700"));
    assert_non_null(strstr(buf_str(&b), ",6,1,,\n"));
    buf_deinit(&b);
    settle_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_contributor_has_one_line_in_the_order_of_keys),
        cmocka_unit_test(rounds_in_any_order_give_the_same_bytes),
        cmocka_unit_test(lines_say_to_whom),
        cmocka_unit_test(a_sum_beyond_counting_is_refused),
        cmocka_unit_test(a_table_has_a_head_and_a_line_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
