#include <stdlib.h>
#include <string.h>

#include "client/credits.h"
#include "tests/check.h"

/* A page of n lines from receipt `from` down. */
static struct msg_credits *page(uint64_t from, uint32_t n)
{
    struct msg_credits *p = calloc(1, sizeof *p);
    assert_non_null(p);
    *p = (struct msg_credits){.confirmed = 70, .pending = 5, .n_accepted = 9, .n_late = 1};
    for (uint32_t i = 0; i < n; i++)
        p->lines[p->n++] = (struct msg_credit){.receipt_seq = from - i, .amount = 2};
    return p;
}

static void credits_of_several_pages_become_one_list(void **state)
{
    (void)state;
    struct credits c = {0};
    bool more = false;
    uint64_t before = 0;
    struct msg_credits *p = page(1000, MSG_MAX_PEERS);
    assert_int_equal(credits_add(&c, p, &more, &before, NULL), OK);
    assert_true(more);
    assert_int_equal(before, 1000 - MSG_MAX_PEERS + 1);
    free(p);
    p = page(before - 1, 3);
    p->pending = 0;
    p->confirmed = 12345; /* the first page's totals count */
    assert_int_equal(credits_add(&c, p, &more, &before, NULL), OK);
    assert_false(more);
    assert_int_equal(credits_n(&c), MSG_MAX_PEERS + 3);
    assert_int_equal(credits_line(&c, MSG_MAX_PEERS)->receipt_seq, 1000 - MSG_MAX_PEERS);
    assert_null(credits_line(&c, MSG_MAX_PEERS + 3));
    assert_int_equal(c.confirmed, 70);
    assert_int_equal(c.pending, 5);
    assert_int_equal(c.n_late, 1);
    free(p);
    credits_deinit(&c);
}

static void credits_that_repeat_themselves_are_refused(void **state)
{
    (void)state;
    struct credits c = {0};
    bool more = false;
    uint64_t before = 0;
    struct msg_credits *p = page(10, 3);
    assert_int_equal(credits_add(&c, p, &more, &before, NULL), OK);
    assert_int_equal(credits_add(&c, p, &more, &before, NULL), ERR_PROTO); /* the same again */
    p->lines[0].receipt_seq = 7;
    p->lines[1].receipt_seq = 7;
    assert_int_equal(credits_add(&c, p, &more, &before, NULL), ERR_PROTO);
    assert_int_equal(credits_n(&c), 3);
    free(p);
    credits_deinit(&c);
}

static void no_credits_are_an_empty_list(void **state)
{
    (void)state;
    struct credits c = {0};
    bool more = true;
    uint64_t before = 1;
    struct msg_credits *p = page(0, 0);
    assert_int_equal(credits_add(&c, p, &more, &before, NULL), OK);
    assert_false(more);
    assert_int_equal(credits_n(&c), 0);
    assert_null(credits_line(&c, 0));
    free(p);
    credits_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credits_of_several_pages_become_one_list),
        cmocka_unit_test(credits_that_repeat_themselves_are_refused),
        cmocka_unit_test(no_credits_are_an_empty_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
