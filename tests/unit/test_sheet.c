#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "record/sheet.h"
#include "tests/check.h"

static struct hash test_hash(const char *text)
{
    return hash_of(text, strlen(text));
}

static struct sheet_row row(uint64_t seq)
{
    struct sheet_row r = {
        .seq = seq,
        .round = 7,
        .manifest = test_hash("manifest"),
        .receipt = test_hash("receipt"),
        .payload = test_hash("payload"),
        .n_bytes = 1000,
        .n_tokens = 4096,
        .n_steps = 30,
        .verdict = MSG_ACCEPTED,
        .n_checks = 2,
        .checks = {{"form", SHEET_PASSED}, {"steps", SHEET_SKIPPED}},
        .score = -12,
        .weight = 4096,
        .reward = 250000
    };
    memset(r.contributor.b, (int)seq, sizeof r.contributor.b);
    return r;
}

static struct sheet_row late(uint64_t seq)
{
    struct sheet_row r = row(seq);
    r.round = 6;
    r.verdict = MSG_LATE;
    strcpy(r.reason, "late by 40 s");
    r.n_checks = 0;
    memset(r.checks, 0, sizeof r.checks);
    r.weight = r.reward = 0;
    return r;
}

static void a_sheet_survives_the_wire(void **state)
{
    (void)state;
    struct sheet_row rows[3] = {row(5), late(6), row(7)};
    struct sheet s = {.round = 7, .n = 3, .rows = rows};
    struct sheet back = {0};
    struct buf a = {0};
    struct buf b = {0};
    assert_int_equal(sheet_encode(&s, &a, NULL), OK);
    assert_int_equal(sheet_decode(a.p, a.len, &back, NULL), OK);
    assert_int_equal(back.round, 7);
    assert_int_equal(back.n, 3);
    assert_memory_equal(back.rows, rows, sizeof rows);
    assert_int_equal(sheet_encode(&back, &b, NULL), OK);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    sheet_deinit(&back);
    buf_deinit(&a);
    buf_deinit(&b);
}

static void a_round_of_nobody_has_an_empty_sheet(void **state)
{
    (void)state;
    struct sheet s = {.round = 3};
    struct sheet back = {0};
    struct buf a = {0};
    assert_int_equal(sheet_encode(&s, &a, NULL), OK);
    assert_string_equal(buf_str(&a), "{\"round\":3,\"rows\":[]}");
    assert_int_equal(sheet_decode(a.p, a.len, &back, NULL), OK);
    assert_int_equal(back.n, 0);
    sheet_deinit(&back);
    buf_deinit(&a);
}

static void refuse(const struct sheet_row *rows, uint32_t n)
{
    struct sheet_row copy[2];
    struct sheet s = {.round = 7, .n = n, .rows = copy};
    struct buf a = {0};
    struct err e = {0};
    memcpy(copy, rows, n * sizeof *rows);
    assert_int_equal(sheet_encode(&s, &a, &e), ERR_PROTO);
    assert_true(e.what[0] != 0);
    assert_int_equal(a.len, 0);
    buf_deinit(&a);
}

static void a_gap_or_a_double_number_is_refused(void **state)
{
    (void)state;
    struct sheet_row gap[2] = {row(5), row(7)};
    struct sheet_row twice[2] = {row(5), row(5)};
    struct sheet_row zero = row(0);
    refuse(gap, 2);
    refuse(twice, 2);
    refuse(&zero, 1);
}

static void what_is_not_accepted_is_not_paid(void **state)
{
    (void)state;
    struct sheet_row r = late(5);
    r.reward = 1;
    refuse(&r, 1);
    r = late(5);
    r.weight = 1;
    refuse(&r, 1);
    r = late(5);
    r.reason[0] = 0;
    refuse(&r, 1);
    r = row(5);
    strcpy(r.reason, "but why");
    refuse(&r, 1);
    r = row(5);
    strcpy(r.checks[0].name, "Form\n");
    refuse(&r, 1);
    r = row(5);
    r.checks[1].outcome = 0;
    refuse(&r, 1);
    r = row(5);
    r.verdict = 0;
    refuse(&r, 1);
}

static void every_changed_byte_is_refused_or_read_as_such(void **state)
{
    (void)state;
    struct sheet_row rows[2] = {row(5), late(6)};
    struct sheet s = {.round = 7, .n = 2, .rows = rows};
    struct buf a = {0};
    assert_int_equal(sheet_encode(&s, &a, NULL), OK);
    for (size_t i = 0; i < a.len; i++) {
        struct sheet back = {0};
        struct buf again = {0};
        struct err e = {0};
        a.p[i] ^= 1;
        if (sheet_decode(a.p, a.len, &back, &e) == OK) {
            assert_int_equal(sheet_encode(&back, &again, NULL), OK);
            assert_memory_equal(again.p, a.p, a.len);
        } else {
            assert_true(e.what[0] != 0);
            assert_null(back.rows);
        }
        sheet_deinit(&back);
        buf_deinit(&again);
        a.p[i] ^= 1;
        assert_int_not_equal(sheet_decode(a.p, i, &back, NULL), OK);
    }
    buf_deinit(&a);
}

static void another_spelling_is_refused(void **state)
{
    (void)state;
    struct sheet back = {0};
    static const char *const bad[] = {"{\"round\":3, \"rows\":[]}",
                                      "{\"rows\":[],\"round\":3}",
                                      "{\"round\":3,\"rows\":[]}\n",
                                      "{\"round\":3,\"rows\":[],\"x\":1}",
                                      "{\"round\":3}",
                                      "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sheet_decode(bad[i], strlen(bad[i]), &back, NULL), ERR_PROTO);
    assert_null(back.rows);
}

static void a_failing_allocation_is_survived(void **state)
{
    (void)state;
    struct sheet_row rows[2] = {row(5), late(6)};
    struct sheet s = {.round = 7, .n = 2, .rows = rows};
    struct buf a = {0};
    assert_int_equal(sheet_encode(&s, &a, NULL), OK);
    for (uint64_t k = 1;; k++) {
        struct sheet back = {0};
        alloc_fail_nth(k);
        int rc = sheet_decode(a.p, a.len, &back, NULL);
        bool was_reached = alloc_count() >= k;
        alloc_fail_nth(0);
        sheet_deinit(&back);
        if (!was_reached) {
            assert_int_equal(rc, OK);
            break;
        }
        assert_int_not_equal(rc, OK);
    }
    buf_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sheet_survives_the_wire),
        cmocka_unit_test(a_round_of_nobody_has_an_empty_sheet),
        cmocka_unit_test(a_gap_or_a_double_number_is_refused),
        cmocka_unit_test(what_is_not_accepted_is_not_paid),
        cmocka_unit_test(every_changed_byte_is_refused_or_read_as_such),
        cmocka_unit_test(another_spelling_is_refused),
        cmocka_unit_test(a_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
