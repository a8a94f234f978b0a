#include <stdlib.h>
#include <string.h>

#include "app/train_walk.h"
#include "tests/check.h"

static const uint64_t sizes[] = {1000, 10, 64, 333};

static void every_number_is_met_once(void **state)
{
    (void)state;
    const uint64_t ns[] = {1, 2, 3, 4, 5, 16, 17, 100, 1000, 4097};
    for (size_t k = 0; k < sizeof ns / sizeof *ns; k++) {
        uint8_t *seen = calloc(ns[k], 1);
        assert_non_null(seen);
        for (uint64_t i = 0; i < ns[k]; i++) {
            uint64_t to = train_walk_permute(77, ns[k], i);
            assert_true(to < ns[k]);
            assert_int_equal(seen[to]++, 0);
        }
        free(seen);
    }
    assert_true(train_walk_permute(1, UINT64_MAX, UINT64_MAX - 1) < UINT64_MAX);
}

static void an_order_differs_from_key_to_key_and_from_none(void **state)
{
    (void)state;
    int n_fixed = 0, n_same = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        n_fixed += train_walk_permute(5, 1000, i) == i;
        n_same += train_walk_permute(5, 1000, i) == train_walk_permute(6, 1000, i);
    }
    assert_true(n_fixed < 20 && n_same < 20); /* 1 each is expected */
}

static void a_pass_reads_each_window_once_inside_its_shard(void **state)
{
    (void)state;
    struct train_walk w;
    uint32_t n_starts[4][1000];
    memset(n_starts, 0, sizeof n_starts);
    assert_int_equal(train_walk_init(&w, 3, 16, sizes, 4, NULL), OK);
    assert_int_equal(w.n_windows, 61 + 0 + 3 + 19);
    for (uint64_t i = 0; i < w.n_windows; i++) {
        struct train_place p = train_walk_place(&w, i);
        assert_int_equal(p.pass, 0);
        assert_true(p.shard < 4 && p.at + 16 + 1 <= sizes[p.shard]);
        assert_int_equal(n_starts[p.shard][p.at]++, 0);
    }
    assert_int_equal(train_walk_place(&w, w.n_windows).pass, 1);
}

/* Another pass cuts the text elsewhere, in another order. */
static void passes_and_seeds_differ(void **state)
{
    (void)state;
    struct train_walk w, other;
    int n_same_pass = 0, n_same_seed = 0, n_same_cut = 0;
    assert_int_equal(train_walk_init(&w, 3, 16, sizes, 4, NULL), OK);
    assert_int_equal(train_walk_init(&other, 4, 16, sizes, 4, NULL), OK);
    for (uint64_t i = 0; i < 61; i++) {
        struct train_place a = train_walk_place(&w, i);
        struct train_place b = train_walk_place(&w, i + w.n_windows);
        struct train_place c = train_walk_place(&other, i);
        n_same_pass += a.at == b.at && a.shard == b.shard;
        n_same_seed += a.at == c.at && a.shard == c.shard;
    }
    for (uint64_t pass = 1; pass < 20; pass++)
        n_same_cut +=
            train_walk_place(&w, pass * w.n_windows).at % 16 == train_walk_place(&w, 0).at % 16;
    assert_true(n_same_pass < 10 && n_same_seed < 10 && n_same_cut < 10);
}

/* What a saved model goes on with must not change from version to version. */
static void the_walk_is_fixed(void **state)
{
    (void)state;
    struct train_walk w;
    uint64_t sum = 0;
    assert_int_equal(train_walk_init(&w, 42, 16, sizes, 4, NULL), OK);
    for (uint64_t i = 0; i < 500; i++) {
        struct train_place p = train_walk_place(&w, i);
        sum = sum * 31 + p.at * 4 + p.shard;
    }
    assert_true(sum == UINT64_C(0x0301fe954c0b96f0));
}

static void a_text_shorter_than_two_windows_is_refused(void **state)
{
    (void)state;
    struct train_walk w;
    struct err e = {0};
    assert_int_equal(train_walk_init(&w, 1, 600, sizes, 4, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "600"));
    assert_non_null(strstr(e.hint, "--seq"));
    assert_int_equal(train_walk_init(&w, 1, 500, sizes, 4, &e), OK);
    assert_int_equal(w.n_windows, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_met_once),
        cmocka_unit_test(an_order_differs_from_key_to_key_and_from_none),
        cmocka_unit_test(a_pass_reads_each_window_once_inside_its_shard),
        cmocka_unit_test(passes_and_seeds_differ),
        cmocka_unit_test(the_walk_is_fixed),
        cmocka_unit_test(a_text_shorter_than_two_windows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
