#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "view/view.h"

/* About 45 KB each: too large for a comfortable stack frame. */
static struct view a;
static struct view b;

static void fill(struct view *v)
{
    view_init(v);
    v->seq = 7;
    v->at_ms = 1700000000000;
    v->state = VIEW_RUNNING;
    snprintf(v->reason, sizeof v->reason, "round 7, \"step\" 12 of 30 \\ %s", "\xc3\xa9");
    v->tok_per_s = 412.25;
    v->credits_confirmed = 12345678;
    v->n_peers = 37;
    v->is_demo = true;
    v->speed.n = 3;
    v->speed.step_ms = 1000;
    v->speed.v[0] = 1.5F;
    v->speed.v[1] = NAN;
    v->speed.v[2] = 3.0F;
    v->n_peer_rows = 2;
    snprintf(v->peers[1].name, sizeof v->peers[1].name, "peer-7f3c");
    v->peers[0].tok_per_s = NAN;
    v->peers[0].seen_ms_ago = VIEW_NONE;
    v->n_credit_rows = 1;
    v->credits[0].amount = -5;
    v->credits[0].at_ms = 1699999999999;
    v->n_log = 1;
    v->log[0].level = 2;
    snprintf(v->log[0].text, sizeof v->log[0].text, "update late");
}

static void a_fresh_view_knows_nothing(void **state)
{
    (void)state;
    view_init(&a);
    assert_true(isnan(a.tok_per_s) && isnan(a.loss) && isnan(a.rtt_ms));
    assert_true(a.credits_confirmed == VIEW_NONE && a.ends_at_ms == VIEW_NONE);
    assert_int_equal(a.n_log, 0);
    assert_int_equal(a.state, VIEW_IDLE);
}

static void a_view_survives_the_socket_bit_by_bit(void **state)
{
    (void)state;
    struct buf one = {0};
    struct buf two = {0};
    struct err e = {0};
    fill(&a);
    assert_int_equal(view_encode(&a, &one, &e), OK);
    assert_null(memchr(one.p, '\n', one.len));
    assert_int_equal(view_decode(one.p, one.len, &b, &e), OK);
    assert_string_equal(b.reason, a.reason);
    assert_true(b.tok_per_s == a.tok_per_s && b.credits_confirmed == 12345678);
    assert_true(isnan(b.speed.v[1]) && b.speed.v[2] == 3.0F);
    assert_true(isnan(b.loss) && b.ends_at_ms == VIEW_NONE && isnan(b.peers[0].tok_per_s));
    assert_int_equal(b.state, VIEW_RUNNING);
    assert_int_equal(b.credits[0].amount, -5);
    assert_int_equal(view_encode(&b, &two, &e), OK);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.p, two.p, one.len);
    buf_deinit(&one);
    buf_deinit(&two);
}

static void every_state_has_its_own_word(void **state)
{
    (void)state;
    for (int i = 0; i < VIEW_STATE_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(view_state_word((enum view_state)i),
                                    view_state_word((enum view_state)k));
    assert_non_null(view_state_word((enum view_state)99));
}

static int decode(const char *text, struct err *e)
{
    memset(e, 0, sizeof *e);
    return view_decode(text, strlen(text), &b, e);
}

static void text_of_strangers_is_made_printable_and_cut(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(decode("{\"view\":1,\"name\":\"a\\u001b[31mb\\u202e\"}", &e), OK);
    assert_string_equal(b.name, "a?[31mb?");
    struct buf text = {0};
    buf_put_str(&text, "{\"view\":1,\"version\":\"");
    for (int i = 0; i < 100; i++)
        buf_put_str(&text, "\xc3\xa9");
    buf_put_str(&text, "\"}");
    assert_int_equal(decode(buf_str(&text), &e), OK);
    buf_deinit(&text);
    assert_int_equal(strlen(b.version), 14); /* whole characters only */
}

static void a_view_that_is_not_sound_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "7",
        "{}",
        "{\"view\":\"1\"}",
        "{\"view\":1,\"seq\":-1}",
        "{\"view\":1,\"seq\":1.5}",
        "{\"view\":1,\"at_ms\":9223372036854775807}",
        "{\"view\":1,\"state\":\"DANCING\"}",
        "{\"view\":1,\"is_demo\":1}",
        "{\"view\":1,\"loss\":\"3\"}",
        "{\"view\":1,\"loss\":1e300}",
        "{\"view\":1,\"speed\":[1,2]}",
        "{\"view\":1,\"speed\":{\"step_ms\":1,\"v\":[true]}}",
        "{\"view\":1,\"speed\":{\"v\":[1]}}",
        "{\"view\":1,\"peers\":{}}",
        "{\"view\":1,\"log\":[1]}",
        "{\"view\":1,\"log\":[{\"level\":9}]}",
    };
    struct err e;
    fill(&b);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(decode(bad[i], &e), ERR_PROTO);
        assert_true(e.what[0]);
    }
    assert_int_equal(b.seq, 7);
}

static void too_many_rows_or_samples_are_refused(void **state)
{
    (void)state;
    struct err e;
    struct buf t = {0};
    buf_put_str(&t, "{\"view\":1,\"peers\":[{}");
    for (int i = 0; i < VIEW_PEERS; i++)
        buf_put_str(&t, ",{}");
    buf_put_str(&t, "]}");
    assert_int_equal(decode(buf_str(&t), &e), ERR_PROTO);
    buf_clear(&t);
    buf_put_str(&t, "{\"view\":1,\"speed\":{\"step_ms\":1,\"v\":[0");
    for (int i = 0; i < VIEW_SERIES; i++)
        buf_put_str(&t, ",0");
    buf_put_str(&t, "]}}");
    assert_int_equal(decode(buf_str(&t), &e), ERR_PROTO);
    buf_deinit(&t);
}

static void a_neighbouring_version_is_understood_and_a_far_one_refused(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(decode("{\"view\":1,\"seq\":3,\"moon_phase\":0.5}", &e), OK);
    assert_int_equal(b.seq, 3);
    assert_true(isnan(b.loss));
    assert_int_equal(decode("{\"view\":2}", &e), ERR_VERSION);
    assert_true(e.hint[0]);
}

static void counts_beyond_the_arrays_are_not_followed_when_writing(void **state)
{
    (void)state;
    struct buf t = {0};
    fill(&a);
    a.n_log = 100000;
    a.speed.n = 100000;
    assert_int_equal(view_encode(&a, &t, NULL), OK);
    assert_int_equal(view_decode(t.p, t.len, &b, NULL), OK);
    assert_int_equal(b.n_log, VIEW_LOG);
    assert_int_equal(b.speed.n, VIEW_SERIES);
    buf_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_view_knows_nothing),
        cmocka_unit_test(a_view_survives_the_socket_bit_by_bit),
        cmocka_unit_test(every_state_has_its_own_word),
        cmocka_unit_test(text_of_strangers_is_made_printable_and_cut),
        cmocka_unit_test(a_view_that_is_not_sound_is_refused_and_changes_nothing),
        cmocka_unit_test(too_many_rows_or_samples_are_refused),
        cmocka_unit_test(a_neighbouring_version_is_understood_and_a_far_one_refused),
        cmocka_unit_test(counts_beyond_the_arrays_are_not_followed_when_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
