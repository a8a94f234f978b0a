#include <string.h>

#include "aggregator/scores.h"
#include "base/alloc.h"
#include "record/sheet.h"
#include "tests/check.h"

static struct score_eval eval(uint8_t key, int64_t drawn)
{
    struct score_eval v = {
        .is_measured = true, .own = drawn + 1000, .drawn = drawn, .n_tokens = 100};
    v.contributor.b[0] = key;
    return v;
}

/* Four contributions of 100 tokens each; key 4 does harm. */
static void inputs(struct round_input in[4])
{
    memset(in, 0, 4 * sizeof *in);
    for (uint8_t i = 0; i < 4; i++) {
        in[i].contributor.b[0] = (uint8_t)(i + 1);
        in[i].claim.n_tokens = 100;
    }
}

static const struct score_eval *found(void)
{
    static struct score_eval v[4];
    for (uint8_t i = 0; i < 4; i++)
        v[i] = eval((uint8_t)(i + 1), i == 3 ? -9000000 : 9000000);
    return v;
}

static void strangers_share_equally_and_harm_is_not_paid(void **state)
{
    (void)state;
    struct scores s;
    struct round_input in[4];
    assert_int_equal(scores_init(&s, NULL), OK);
    inputs(in);
    assert_int_equal(scores_weigh(&s, 0, 1000, in, 4, NULL), OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(in[i].weight, 10);
        assert_int_equal(in[i].reward, 250);
        assert_string_equal(in[i].why, "quality 0.10 until first evaluated");
    }
    scores_published(&s, 0);
    scores_found(&s, found(), 4);
    assert_int_equal(scores_weigh(&s, 1, 900, in, 4, NULL), OK);
    assert_int_equal(in[0].weight, 100);
    assert_int_equal(in[0].reward, 300);
    assert_int_equal(in[3].weight, 0);
    assert_int_equal(in[3].reward, 0);
    assert_int_equal(s.n_shown, 4);
    scores_deinit(&s);
}

static void a_merge_that_is_tried_again_gives_the_same(void **state)
{
    (void)state;
    struct scores s;
    struct round_input in[4], again[4];
    assert_int_equal(scores_init(&s, NULL), OK);
    inputs(in);
    inputs(again);
    assert_int_equal(scores_weigh(&s, 5, 1000, in, 4, NULL), OK);
    scores_found(&s, found(), 4); /* too late for this round */
    assert_int_equal(scores_weigh(&s, 5, 1000, again, 4, NULL), OK);
    assert_memory_equal(in, again, sizeof in);
    assert_int_equal(s.n_shown, 0);
    scores_published(&s, 5);
    assert_int_equal(scores_weigh(&s, 6, 1000, again, 4, NULL), OK);
    assert_int_equal(s.n_shown, 4);
    scores_deinit(&s);
}

static void the_sheets_on_record_give_the_same_book(void **state)
{
    (void)state;
    struct scores a, b;
    struct round_input in[4];
    assert_int_equal(scores_init(&a, NULL), OK);
    assert_int_equal(scores_init(&b, NULL), OK);
    inputs(in);
    for (uint64_t round = 0; round < 5; round++) {
        assert_int_equal(scores_weigh(&a, round, 1000, in, 4, NULL), OK);
        struct sheet sheet = {.round = round, .n_scores = a.n_shown, .scores = a.shown}, read = {0};
        struct buf text = {0};
        assert_int_equal(sheet_encode(&sheet, &text, NULL), OK);
        assert_int_equal(sheet_decode(text.p, text.len, &read, NULL), OK);
        assert_int_equal(scores_restore(&b, &read, NULL), OK);
        scores_published(&a, round);
        scores_found(&a, found(), 4);
        buf_deinit(&text);
        sheet_deinit(&read);
    }
    assert_int_equal(a.book.rows.len, 4 * sizeof(struct score_row));
    assert_int_equal(score_book_n(&b.book), 4);
    for (size_t i = 0; i < 4; i++) {
        struct score_standing x = score_book_row(&a.book, i)->s, y = score_book_row(&b.book, i)->s;
        assert_int_equal(x.useful, y.useful);
        assert_int_equal(x.rating.mu, y.rating.mu);
        assert_int_equal(x.n_scored, y.n_scored);
    }
    scores_deinit(&a);
    scores_deinit(&b);
}

static void what_waits_is_one_line_a_key_and_keeps_a_slash(void **state)
{
    (void)state;
    struct scores s;
    struct score_eval v = eval(7, 5);
    assert_int_equal(scores_init(&s, NULL), OK);
    v.code = SCORE_CODE_COPY;
    scores_found(&s, &v, 1);
    v = eval(7, 8);
    scores_found(&s, &v, 1);
    v = eval(3, 1);
    scores_found(&s, &v, 1);
    assert_int_equal(s.n_fresh, 2);
    assert_int_equal(s.fresh[0].contributor.b[0], 3);
    assert_int_equal(s.fresh[1].drawn, 8);
    assert_int_equal(s.fresh[1].code, SCORE_CODE_COPY);
    scores_deinit(&s);
}

static void lack_of_memory_loses_nothing(void **state)
{
    (void)state;
    struct scores s;
    struct round_input in[4];
    struct err e = {0};
    alloc_fail_nth(2);
    assert_int_equal(scores_init(&s, &e), ERR_NOMEM);
    alloc_fail_nth(0);
    assert_int_equal(scores_init(&s, NULL), OK);
    inputs(in);
    scores_found(&s, found(), 4);
    for (uint64_t nth = 1; nth < 20; nth++) {
        alloc_fail_nth(nth);
        int rc = scores_weigh(&s, 0, 900, in, 4, &e);
        alloc_fail_nth(0);
        if (rc == OK) break;
        assert_int_equal(rc, ERR_NOMEM);
        assert_int_equal(s.n_fresh + s.n_shown, 4);
    }
    assert_int_equal(in[0].reward, 300);
    scores_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_share_equally_and_harm_is_not_paid),
        cmocka_unit_test(a_merge_that_is_tried_again_gives_the_same),
        cmocka_unit_test(the_sheets_on_record_give_the_same_book),
        cmocka_unit_test(what_waits_is_one_line_a_key_and_keeps_a_slash),
        cmocka_unit_test(lack_of_memory_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
