#include <math.h>

#include "aggregator/hoststatus.h"
#include "base/json.h"
#include "tests/unit/tinyrun.h"

static struct rundesc d;
static struct model_table t;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    tinyrun_make(&d, &t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    model_table_deinit(&t);
    return 0;
}

static struct hoststatus full(void)
{
    struct hoststatus s = {.run = &d, .state = "open", .round = 3, .n_peers = 2};
    struct store_val v = {.nats = 600, .n_tokens = 100, .n_bytes = 300, .unigram_bits = 900};
    s.swarm_tok_per_s = 10;
    s.values_per_contribution = 800;
    s.n_params = t.n_params;
    s.has_val = true;
    s.val_first = v;
    v.round = 3;
    v.nats = 300;
    s.val_last = v;
    s.totals.n_rounds = 3;
    s.totals.n_accepted = s.totals.n_ledger = 6;
    s.totals.n_tokens = s.totals.payload_bytes = 6000;
    s.totals.first_at_ms = 1000;
    s.totals.last_at_ms = 3000;
    return s;
}

static double member(const struct hoststatus *s, const char *name)
{
    struct buf b = {0};
    json_t *o = NULL;
    assert_int_equal(hoststatus_json(s, &b, &e), OK);
    assert_int_equal(json_parse(b.p, b.len, &o, &e), OK);
    const json_t *v = json_object_get(o, name);
    assert_non_null(v);
    double x = json_is_number(v) ? json_number_value(v) : (double)NAN;
    json_decref(o);
    buf_deinit(&b);
    return x;
}

static void a_run_that_went_back_says_so(void **state)
{
    (void)state;
    struct buf json = {0}, text = {0};
    struct hoststatus s = full();
    struct course c;
    struct entry m = {.kind = ENTRY_ROLLBACK, .index = 4};
    m.rollback = (struct entry_rollback){.next_round = 3, .to_round = 1, .reason = "it diverged"};
    course_init(&c, &d);
    hoststatus_course(&s, &c);
    assert_int_equal(hoststatus_json(&s, &json, &e), OK);
    assert_non_null(strstr(buf_str(&json), "\"rollback\":null"));
    assert_int_equal(course_take(&c, &m, &e), OK);
    hoststatus_course(&s, &c);
    buf_clear(&json);
    assert_int_equal(hoststatus_json(&s, &json, &e), OK);
    assert_int_equal(hoststatus_text(json.p, json.len, &text, &e), OK);
    assert_non_null(strstr(
        buf_str(&text), "went back      before round 3, to the model of round 1: it diverged\n"));
    course_deinit(&c);
    buf_deinit(&json);
    buf_deinit(&text);
}

static void figures_are_in_their_units(void **state)
{
    struct hoststatus s = full();
    (void)state;
    assert_float_equal(member(&s, "val_loss_first"), 6, 1e-12);
    assert_float_equal(member(&s, "val_bits_per_byte_last"), (float)(1 / log(2)), 1e-6f);
    assert_float_equal(member(&s, "unigram_bits_per_byte"), 3, 1e-12);
    assert_float_equal(member(&s, "tokens_per_s"), 3000, 1e-9);
    assert_float_equal(member(&s, "bits_per_value"), 10, 1e-12);
    assert_float_equal(member(&s, "payload_bytes_per_contribution"), 1000, 1e-12);
}

static void what_is_not_known_is_null(void **state)
{
    struct hoststatus s = full();
    (void)state;
    s.has_val = false;
    s.totals = (struct store_totals){0};
    assert_true(isnan(member(&s, "val_loss_first")));
    assert_true(isnan(member(&s, "tokens_per_s")));
    assert_true(isnan(member(&s, "bits_per_value")));
}

static void a_person_gets_lines(void **state)
{
    struct hoststatus s = full();
    struct buf json = {0}, text = {0};
    (void)state;
    assert_int_equal(hoststatus_json(&s, &json, &e), OK);
    assert_int_equal(hoststatus_text(json.p, json.len, &text, &e), OK);
    assert_non_null(strstr(buf_str(&text), "6 accepted, 0 late, 0 rejected"));
    assert_int_equal(hoststatus_text("{", 1, &text, &e), ERR_PROTO);
    buf_deinit(&json);
    buf_deinit(&text);
}

static void values_follow_the_packing_rule(void **state)
{
    uint64_t n = 0;
    (void)state;
    for (uint32_t i = 0; i < t.n_tensors; i++) {
        uint64_t size = t.tensors[i].n;
        for (uint64_t at = 0; at < size; at += 256) {
            uint64_t len = size - at < 256 ? size - at : 256;
            n += t.tensors[i].cols == 1 ? len : (16 * len + 255) / 256;
        }
    }
    assert_int_equal(hoststatus_values(&t, &d.train.delta), n);
}

static void put_text(const struct hoststatus *s, struct buf *out)
{
    struct buf json = {0};
    assert_int_equal(hoststatus_json(s, &json, &e), OK);
    assert_int_equal(hoststatus_text(json.p, json.len, out, &e), OK);
    buf_deinit(&json);
}

static void the_end_is_said_in_words(void **state)
{
    (void)state;
    struct hoststatus s = full();
    struct buf b = {0};
    put_text(&s, &b);
    assert_null(strstr(buf_str(&b), "over\n"));
    buf_clear(&b);
    s.is_ending = true;
    put_text(&s, &b);
    assert_non_null(strstr(buf_str(&b), "open, round 3, the last: then the run is over"));
    buf_clear(&b);
    s.state = "ended";
    put_text(&s, &b);
    assert_non_null(strstr(buf_str(&b), "the run is over, after 3 rounds; its model is final"));
    buf_deinit(&b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(figures_are_in_their_units), CASE(what_is_not_known_is_null),
        CASE(a_person_gets_lines),        CASE(values_follow_the_packing_rule),
        CASE(the_end_is_said_in_words),   CASE(a_run_that_went_back_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
