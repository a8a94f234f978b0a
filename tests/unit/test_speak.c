#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "base/utf8.h"
#include "client/speak.h"
#include "engine/tokenizer.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tinyrun.h"

static const int64_t LONG_NS = INT64_C(3600000000000);

struct case_ {
    struct rundesc run;
    struct model_table table;
    struct buf json;
    float *params;
    struct speak *s;
    char dir[PATH_CAP];
};

/* In place: speak keeps a pointer to the run. */
static void make(struct case_ *k)
{
    *k = (struct case_){0};
    struct tokenizer *tk = NULL;
    tinyrun_make(&k->run, &k->table);
    assert_int_equal(
        tokenizer_train("a pot of tea and a pot of soup", 30, 270, NULL, NULL, &tk, NULL), OK);
    assert_int_equal(tokenizer_to_json(tk, &k->json, NULL), OK);
    tokenizer_destroy(tk);
    k->run.tokenizer = hash_of(k->json.p, k->json.len);
    k->run.tokenizer_bytes = k->json.len;
    k->params = calloc(k->table.n_params, sizeof(float));
    model_init_weights(&k->table, &k->run.model, 7, k->params);
    scratch_make(k->dir);
    assert_int_equal(speak_create(&k->run, k->dir, &k->s, NULL), OK);
}

static void unmake(struct case_ *k)
{
    speak_destroy(k->s);
    model_table_deinit(&k->table);
    buf_deinit(&k->json);
    free(k->params);
    scratch_remove(k->dir);
}

static void speak_wants_the_runs_tokenizer_and_keeps_it(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    assert_true(speak_wants_tokenizer(k.s));
    assert_int_equal(speak_tokenizer(k.s, k.json.p, k.json.len, NULL), OK);
    assert_false(speak_wants_tokenizer(k.s));
    struct speak *again = NULL; /* the next start finds it */
    assert_int_equal(speak_create(&k.run, k.dir, &again, NULL), OK);
    assert_false(speak_wants_tokenizer(again));
    speak_destroy(again);
    unmake(&k);
}

static void speak_refuses_another_tokenizer_and_asks_no_more(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    struct err e = {0};
    assert_int_equal(speak_tokenizer(k.s, "{}", 2, &e), ERR_AUTH);
    assert_false(speak_wants_tokenizer(k.s));
    speak_trained(k.s, LONG_NS);
    assert_false(speak_is_due(k.s, 1000000));
    char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/tokenizer.json", k.dir), 0);
    assert_false(file_exists(path));
    unmake(&k);
}

/* A run that goes on from a model of others: its marks are others, and may lie outside. */
static void speak_begins_and_ends_as_the_runs_tokenizer_does(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    static const char path[] = "tests/fuzz/corpus/tokenizer_json/sentence.json";
    static const char outside[] = "tests/fuzz/corpus/tokenizer_json/llama3.json";
    char line[SPEAK_CAP];
    struct err e = {0};
    buf_clear(&k.json);
    assert_int_equal(file_read(path, 1 << 20, &k.json, NULL), OK);
    k.run.tokenizer = hash_of(k.json.p, k.json.len);
    assert_int_equal(speak_tokenizer(k.s, k.json.p, k.json.len, NULL), OK);
    assert_int_equal(speak_say(k.s, k.params, 5, 1000, line, NULL), OK);
    struct speak *s = NULL;
    struct rundesc small = k.run;
    small.model.vocab_size = 260; /* <|end_of_text|> is 262 */
    buf_clear(&k.json);
    assert_int_equal(file_read(outside, 1 << 20, &k.json, NULL), OK);
    small.tokenizer = hash_of(k.json.p, k.json.len);
    assert_int_equal(speak_create(&small, "/nonexistent", &s, NULL), OK);
    assert_int_equal(speak_tokenizer(s, k.json.p, k.json.len, &e), ERR_PROTO);
    assert_false(speak_wants_tokenizer(s));
    speak_destroy(s);
    unmake(&k);
}

static void speak_fetches_a_damaged_copy_anew(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    char path[PATH_CAP];
    struct speak *again = NULL;
    assert_int_equal(path_format(path, "%s/tokenizer.json", k.dir), 0);
    assert_int_equal(file_replace(path, "junk", 4, 0600, NULL), OK);
    assert_int_equal(speak_create(&k.run, k.dir, &again, NULL), OK);
    assert_true(speak_wants_tokenizer(again));
    assert_int_equal(speak_tokenizer(again, k.json.p, k.json.len, NULL), OK);
    speak_destroy(again);
    assert_int_equal(speak_create(&k.run, k.dir, &again, NULL), OK);
    assert_false(speak_wants_tokenizer(again));
    speak_destroy(again);
    unmake(&k);
}

static void speak_says_a_printable_line_that_the_round_decides(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    char a[SPEAK_CAP];
    char b[SPEAK_CAP];
    assert_int_equal(speak_tokenizer(k.s, k.json.p, k.json.len, NULL), OK);
    assert_int_equal(speak_say(k.s, k.params, 5, 1000, a, NULL), OK);
    assert_int_equal(speak_say(k.s, k.params, 5, 2000, b, NULL), OK);
    assert_string_equal(a, b);
    assert_true(strlen(a) > 0);
    int n_different = 0;
    for (uint64_t round = 6; round < 60; round++) {
        char safe[SPEAK_CAP];
        assert_int_equal(speak_say(k.s, k.params, round, 3000, b, NULL), OK);
        n_different += strcmp(a, b) != 0;
        assert_string_equal(b, utf8_printable(b, safe, sizeof safe));
        assert_true(b[0] != ' ' && !strstr(b, "  ") && !strchr(b, '\n'));
    }
    assert_true(n_different > 50);
    unmake(&k);
}

static void speak_is_seldom_and_costs_a_hundredth_at_most(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    char line[SPEAK_CAP];
    speak_trained(k.s, LONG_NS);
    assert_false(speak_is_due(k.s, 1000)); /* no tokenizer */
    assert_int_equal(speak_tokenizer(k.s, k.json.p, k.json.len, NULL), OK);
    assert_true(speak_is_due(k.s, 1000));
    int64_t began = clock_mono_ns();
    assert_int_equal(speak_say(k.s, k.params, 1, 1000, line, NULL), OK);
    int64_t most = clock_mono_ns() - began;
    assert_false(speak_is_due(k.s, 1000 + SPEAK_EVERY_MS)); /* nothing trained since */
    speak_trained(k.s, SPEAK_SHARE * most);
    assert_false(speak_is_due(k.s, 999 + SPEAK_EVERY_MS));
    assert_true(speak_is_due(k.s, 1000 + SPEAK_EVERY_MS));
    unmake(&k);
}

static void speak_waits_before_the_first_line_as_well(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    assert_int_equal(speak_tokenizer(k.s, k.json.p, k.json.len, NULL), OK);
    assert_false(speak_is_due(k.s, 1000));
    speak_trained(k.s, (int64_t)k.table.n_params * SPEAK_TOKENS * SPEAK_SHARE - 1);
    assert_false(speak_is_due(k.s, 1000));
    speak_trained(k.s, 1);
    assert_true(speak_is_due(k.s, 1000));
    unmake(&k);
}

static void speak_cancelled_or_broken_says_so(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    char line[SPEAK_CAP] = "before";
    struct err e = {0};
    assert_int_equal(speak_tokenizer(k.s, k.json.p, k.json.len, NULL), OK);
    speak_gate(k.s, POOL_CANCEL);
    assert_int_equal(speak_say(k.s, k.params, 1, 1000, line, &e), ERR_CANCELLED);
    assert_string_equal(line, "before");
    speak_gate(k.s, POOL_RUN);
    for (uint64_t i = 0; i < k.table.n_params; i++)
        k.params[i] = NAN;
    assert_int_equal(speak_say(k.s, k.params, 1, 1000, line, &e), ERR_PROTO);
    assert_string_equal(line, "before");
    unmake(&k);
}

static void speak_survives_failing_allocations(void **state)
{
    (void)state;
    struct case_ k;
    make(&k);
    char line[SPEAK_CAP];
    struct speak *s = NULL;
    int rc = ERR_NOMEM;
    for (uint64_t nth = 1; rc != OK; nth++) {
        alloc_fail_nth(nth);
        rc = speak_create(&k.run, k.dir, &s, NULL);
        assert_true(nth < 50);
    }
    speak_destroy(s);
    alloc_fail_nth(0);
    assert_int_equal(speak_tokenizer(k.s, k.json.p, k.json.len, NULL), OK);
    rc = ERR_NOMEM;
    for (uint64_t nth = 1; rc != OK; nth++) {
        alloc_fail_nth(nth);
        rc = speak_say(k.s, k.params, 1, 1000, line, NULL);
        assert_true(rc == OK || rc == ERR_NOMEM);
        assert_true(nth < 50);
    }
    alloc_fail_nth(0);
    unmake(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speak_wants_the_runs_tokenizer_and_keeps_it),
        cmocka_unit_test(speak_refuses_another_tokenizer_and_asks_no_more),
        cmocka_unit_test(speak_begins_and_ends_as_the_runs_tokenizer_does),
        cmocka_unit_test(speak_fetches_a_damaged_copy_anew),
        cmocka_unit_test(speak_says_a_printable_line_that_the_round_decides),
        cmocka_unit_test(speak_is_seldom_and_costs_a_hundredth_at_most),
        cmocka_unit_test(speak_waits_before_the_first_line_as_well),
        cmocka_unit_test(speak_cancelled_or_broken_says_so),
        cmocka_unit_test(speak_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
