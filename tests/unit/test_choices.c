#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/choices.h"
#include "tests/unit/tinymodel.h"

static int parse(const char *line, struct choices_item *c, struct err *e)
{
    return choices_parse(line, strlen(line), c, e);
}

static void choices_reads_a_line(void **state)
{
    (void)state;
    struct choices_item c = {0};
    assert_int_equal(parse("{\"question\":\"a \\u00e9\",\"choices\":[\"x\",\"yz\",\"w\"],"
                           "\"answer\":2,\"source\":{\"any\":[1]}}",
                           &c, NULL),
                     OK);
    assert_string_equal(buf_str(&c.question), "a \xC3\xA9");
    assert_int_equal(c.n_choices, 3);
    assert_string_equal(buf_str(&c.choices[1]), "yz");
    assert_int_equal(c.answer, 2);
    choices_deinit(&c);
}

static void choices_says_what_is_wrong_with_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"",                                                                ""                 },
        {"[1]",                                                             "not a JSON object"},
        {"{\"choices\":[\"a\",\"b\"],\"answer\":0}",                        "question"         },
        {"{\"question\":7,\"choices\":[\"a\",\"b\"],\"answer\":0}",         "question"         },
        {"{\"question\":\"q\",\"answer\":0}",                               "choices"          },
        {"{\"question\":\"q\",\"choices\":\"ab\",\"answer\":0}",            "choices"          },
        {"{\"question\":\"q\",\"choices\":[\"a\"],\"answer\":0}",           "fewer than two"   },
        {"{\"question\":\"q\",\"choices\":[\"a\",\"\"],\"answer\":0}",      "choice 1 is empty"},
        {"{\"question\":\"q\",\"choices\":[\"a\",3],\"answer\":0}",         "choices"          },
        {"{\"question\":\"q\",\"choices\":[\"a\",\"b\"]}",                  "answer"           },
        {"{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":2}",     "answer"           },
        {"{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":-1}",    "answer"           },
        {"{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":\"a\"}", "answer"           },
        {"{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":0} x",   ""                 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct choices_item c = {0};
        struct err e = {0};
        assert_int_equal(parse(cases[i].line, &c, &e), ERR_PROTO);
        if (!strstr(e.what, cases[i].said)) fail_msg("%s: %s", cases[i].line, e.what);
        assert_null(c.question.p);
    }
}

static void choices_bounds_what_it_reads(void **state)
{
    (void)state;
    struct choices_item c = {0};
    struct buf many = {0};
    buf_put_str(&many, "{\"question\":\"q\",\"answer\":0,\"choices\":[\"a\"");
    for (uint32_t i = 0; i < CHOICES_MAX; i++)
        buf_put_str(&many, ",\"b\"");
    buf_put_str(&many, "]}");
    assert_int_equal(choices_parse(many.p, many.len, &c, NULL), ERR_PROTO);
    uint8_t *big = calloc(1, CHOICES_LINE_BYTES + 1);
    assert_int_equal(choices_parse(big, CHOICES_LINE_BYTES + 1, &c, NULL), ERR_LIMIT);
    free(big);
    buf_deinit(&many);
}

static void choices_survives_failing_allocations(void **state)
{
    (void)state;
    static const char line[] = "{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":1}";
    int rc = ERR_NOMEM;
    for (uint64_t nth = 1; rc != OK; nth++) {
        struct choices_item c = {0};
        alloc_fail_nth(nth);
        rc = choices_parse(line, sizeof line - 1, &c, NULL);
        alloc_fail_nth(0);
        choices_deinit(&c);
        assert_true(nth < 100);
    }
}

static uint32_t bytes_to_ids(const char *text, uint32_t *ids)
{
    uint32_t n = 0;
    ids[n++] = TOKENIZER_EOT;
    for (; *text; text++)
        ids[n++] = (uint8_t)*text + 1u;
    return n;
}

/* Each choice's nats are those of the whole text, from the choice (with its space) on. */
static void check_item(struct tiny *m, const char *line, const char *joint[], const char *q)
{
    struct choices_item c = {0};
    struct choices_score s;
    uint32_t ids[64];
    assert_int_equal(parse(line, &c, NULL), OK);
    assert_int_equal(choices_run(m->x, m->params, m->tk, TOKENIZER_EOT, &c, &s, NULL), OK);
    double best = INFINITY;
    double best_per_byte = INFINITY;
    uint32_t raw = 99;
    uint32_t normalised = 99;
    for (uint32_t i = 0; i < c.n_choices; i++) {
        uint32_t n = bytes_to_ids(joint[i], ids);
        double want = tiny_nats(m, ids, n, (uint32_t)strlen(q));
        assert_true(fabs(s.nats[i] - want) < 1e-4);
        if (want < best) {
            best = want;
            raw = i;
        }
        double per_byte = want / (double)c.choices[i].len;
        if (per_byte < best_per_byte) {
            best_per_byte = per_byte;
            normalised = i;
        }
    }
    assert_int_equal(s.best_raw, raw);
    assert_int_equal(s.best_normalised, normalised);
    assert_false(s.is_cut);
    choices_deinit(&c);
}

static void choices_scores_what_follows_the_question(void **state)
{
    (void)state;
    struct tiny m = tiny_make();
    check_item(&m,
               "{\"question\":\"one two\",\"choices\":[\"x\",\"long one\",\"abc\"],\"answer\":0}",
               (const char *[]){"one two x", "one two long one", "one two abc"}, "one two");
    check_item(&m, "{\"question\":\"one two \",\"choices\":[\"x\",\"yy\"],\"answer\":0}",
               (const char *[]){"one two x", "one two yy"}, "one two");
    check_item(&m, "{\"question\":\"one:\\n\",\"choices\":[\"x\",\"yy\"],\"answer\":0}",
               (const char *[]){"one:\nx", "one:\nyy"}, "one:\n");
    check_item(&m, "{\"question\":\"\",\"choices\":[\"x\",\"yy\"],\"answer\":0}",
               (const char *[]){"x", "yy"}, "");
    check_item(&m, "{\"question\":\"q\",\"choices\":[\" x\",\"\\nyy\"],\"answer\":0}",
               (const char *[]){"q x", "q\nyy"}, "q");
    tiny_unmake(&m);
}

static void choices_uses_the_end_of_a_long_question(void **state)
{
    (void)state;
    struct tiny m = tiny_make();
    struct choices_item c = {0};
    struct choices_score s;
    uint32_t ids[100];
    char line[300];
    char q[81];
    memset(q, 'q', 80);
    q[80] = 0;
    q[79] = 'z';
    snprintf(line, sizeof line, "{\"question\":\"%s\",\"choices\":[\"abc\",\"d\"],\"answer\":0}",
             q);
    assert_int_equal(parse(line, &c, NULL), OK);
    assert_int_equal(choices_run(m.x, m.params, m.tk, TOKENIZER_EOT, &c, &s, NULL), OK);
    assert_true(s.is_cut);
    snprintf(line, sizeof line, "%s abc", q);
    uint32_t n = bytes_to_ids(line, ids);
    assert_int_equal(n, 85);
    double want = tiny_nats(&m, ids + n - 1 - TINY_CTX, TINY_CTX + 1, TINY_CTX - 4);
    assert_true(fabs(s.nats[0] - want) < 1e-4);
    choices_deinit(&c);
    memset(q, 'c', 45);
    q[45] = 0;
    snprintf(line, sizeof line, "{\"question\":\"\",\"choices\":[\"a\",\"%s\"],\"answer\":0}", q);
    assert_int_equal(parse(line, &c, NULL), OK);
    struct err e = {0};
    assert_int_equal(choices_run(m.x, m.params, m.tk, TOKENIZER_EOT, &c, &s, &e), ERR_LIMIT);
    assert_non_null(strstr(e.what, "45 tokens"));
    choices_deinit(&c);
    /* Without a first token, nothing can be said of a choice after an empty question. */
    assert_int_equal(parse("{\"question\":\"\",\"choices\":[\"a\",\"b\"],\"answer\":0}", &c, NULL),
                     OK);
    assert_int_equal(choices_run(m.x, m.params, m.tk, TOKENIZER_NONE, &c, &s, &e), ERR_PROTO);
    choices_deinit(&c);
    tiny_unmake(&m);
}

static void choices_counts_and_knows_its_uncertainty(void **state)
{
    (void)state;
    struct choices_tally t = {0};
    struct choices_item c = {.n_choices = 4, .answer = 2};
    struct choices_score s = {.best_raw = 2, .best_normalised = 1, .is_cut = true};
    choices_count(&t, &c, &s);
    c.n_choices = 2;
    s.best_normalised = 2;
    s.is_cut = false;
    choices_count(&t, &c, &s);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.n_right_raw, 2);
    assert_int_equal(t.n_right_normalised, 1);
    assert_int_equal(t.n_cut, 1);
    assert_true(fabs(t.chance - 0.75) < 1e-12);
    double lo;
    double hi;
    choices_interval(5, 10, &lo, &hi); /* as in Newcombe 1998 and any statistics program */
    assert_true(fabs(lo - 0.2366) < 1e-4 && fabs(hi - 0.7634) < 1e-4);
    choices_interval(0, 10, &lo, &hi);
    assert_true(lo == 0 && fabs(hi - 0.2775) < 1e-4);
    choices_interval(10, 10, &lo, &hi);
    assert_true(fabs(lo - 0.7225) < 1e-4 && hi == 1);
    choices_interval(0, 0, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_reads_a_line),
        cmocka_unit_test(choices_says_what_is_wrong_with_a_line),
        cmocka_unit_test(choices_bounds_what_it_reads),
        cmocka_unit_test(choices_survives_failing_allocations),
        cmocka_unit_test(choices_scores_what_follows_the_question),
        cmocka_unit_test(choices_uses_the_end_of_a_long_question),
        cmocka_unit_test(choices_counts_and_knows_its_uncertainty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
