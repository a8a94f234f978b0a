#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/runlist.h"
#include "tests/unit/keycase.h"
#include "tests/unit/tinyrun.h"

static struct runlist l, back;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    memset(&l, 0, sizeof l);
    memset(&back, 0, sizeof back);
    e = (struct err){0};
    return 0;
}

static struct rundesc a_run(uint8_t id, const char *name)
{
    struct rundesc d;
    struct model_table t;
    tinyrun_make(&d, &t);
    model_table_deinit(&t);
    memset(&d.id, id, sizeof d.id);
    snprintf(d.name, sizeof d.name, "%s", name);
    snprintf(d.note, sizeof d.note, "a note");
    snprintf(d.reward_unit, sizeof d.reward_unit, "credits");
    d.n_aggregators = 1;
    snprintf(d.aggregators[0].host, sizeof d.aggregators[0].host, "run.example");
    d.aggregators[0].port = 7333;
    return d;
}

static void a_list_survives_the_trip_through_text(void **state)
{
    (void)state;
    struct key k = test_key(1);
    struct buf b = {0};
    struct rundesc x = a_run(1, "Soup"), y = a_run(2, "Bread");
    assert_int_equal(runlist_put(&l, &x, 100, &e), OK);
    assert_int_equal(runlist_put(&l, &y, 200, &e), OK);
    l.updated_at_ms = 200;
    assert_int_equal(runlist_sign(&l, &k, &b, &e), OK);
    buf_put_str(&b, "\n");
    assert_int_equal(runlist_parse(b.p, b.len, &k.pub, &back, &e), OK);
    assert_memory_equal(&l, &back, sizeof l);
    assert_int_equal(back.n, 2);
    assert_string_equal(back.runs[0].name, "Soup");
    assert_true(back.runs[0].n_params > 0);
    struct rundesc_invite v;
    assert_int_equal(rundesc_invite_parse(back.runs[1].link, &v, &e), OK);
    assert_string_equal(v.host, "run.example");
    buf_deinit(&b);
}

static void another_signer_or_a_changed_byte_is_refused(void **state)
{
    (void)state;
    struct key k = test_key(1), other = test_key(2);
    struct buf b = {0};
    struct rundesc x = a_run(1, "Soup");
    assert_int_equal(runlist_put(&l, &x, 100, &e), OK);
    assert_int_equal(runlist_sign(&l, &k, &b, &e), OK);
    assert_int_equal(runlist_parse(b.p, b.len, &other.pub, &back, &e), ERR_AUTH);
    for (size_t i = 0; i < b.len; i += 7) {
        uint8_t was = b.p[i];
        b.p[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(runlist_parse(b.p, b.len, NULL, &back, &e), OK);
        b.p[i] = was;
    }
    assert_int_equal(back.n, 0); /* untouched on failure */
    buf_deinit(&b);
}

static void putting_again_renews_and_keeps_the_date(void **state)
{
    (void)state;
    struct rundesc x = a_run(1, "Soup");
    assert_int_equal(runlist_put(&l, &x, 100, &e), OK);
    snprintf(x.note, sizeof x.note, "another note");
    assert_int_equal(runlist_put(&l, &x, 900, &e), OK);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.runs[0].note, "another note");
    assert_int_equal(l.runs[0].since_ms, 100);
}

static void a_run_is_removed_by_name_or_id(void **state)
{
    (void)state;
    struct rundesc x = a_run(0x11, "Soup"), y = a_run(0x22, "Bread"), z = a_run(0x33, "Tea");
    assert_int_equal(runlist_put(&l, &x, 1, &e), OK);
    assert_int_equal(runlist_put(&l, &y, 2, &e), OK);
    assert_int_equal(runlist_put(&l, &z, 3, &e), OK);
    assert_int_equal(runlist_remove(&l, "1111"), 0); /* too short for an id */
    assert_int_equal(runlist_remove(&l, "11111111"), 1);
    assert_int_equal(runlist_remove(&l, "Tea"), 1);
    assert_int_equal(runlist_remove(&l, "Tea"), 0);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.runs[0].name, "Bread");
}

static void a_full_list_says_so(void **state)
{
    (void)state;
    struct rundesc x = a_run(1, "Soup");
    for (uint32_t i = 0; i < RUNLIST_MAX; i++) {
        memcpy(&x.id, &i, sizeof i);
        assert_int_equal(runlist_put(&l, &x, 1, &e), OK);
    }
    memset(&x.id, 0xff, sizeof x.id);
    assert_int_equal(runlist_put(&l, &x, 1, &e), ERR_LIMIT);
}

static int parse_with(const char *member, json_t *value)
{
    struct key k = test_key(1);
    struct buf b = {0};
    json_t *o = json_object(), *run = json_object(), *list = json_array();
    struct hash h = hash_of("x", 1);
    char hex[HASH_HEX], link[256];
    hash_hex(&h, hex);
    snprintf(link, sizeof link, "potluck://x:1/#%s.%s", hex, hex);
    json_set_u64(o, "version", 1);
    json_set_i64(o, "updated_at_ms", 5);
    json_set_hash(run, "run", &h);
    json_set_text(run, "name", "n\x1b[31m");
    json_set_text(run, "note", "");
    json_set_text(run, "link", link);
    json_set_u64(run, "params", 5);
    json_set_text(run, "reward_unit", "credits");
    json_set_i64(run, "since_ms", 5);
    if (member) json_object_set_new(json_object_get(run, member) ? run : o, member, value);
    json_array_append_new(list, run);
    json_object_set_new(o, "runs", list);
    assert_int_equal(jws_sign(o, "potluck-runs+1", &k, &b, NULL), OK);
    int rc = runlist_parse(b.p, b.len, NULL, &back, &e);
    json_decref(o);
    buf_deinit(&b);
    return rc;
}

static void what_no_list_can_say_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_with(NULL, NULL), OK);
    assert_string_equal(back.runs[0].name, "n?[31m"); /* no list steers a terminal */
    assert_int_equal(parse_with("version", json_integer(2)), ERR_VERSION);
    assert_int_equal(parse_with("link", json_string("https://x/")), ERR_PROTO);
    assert_int_equal(parse_with("link", json_string("")), ERR_PROTO);
    assert_int_equal(parse_with("params", json_integer(0)), ERR_PROTO);
    assert_int_equal(parse_with("params", json_string("5")), ERR_PROTO);
    assert_int_equal(parse_with("since_ms", json_integer(-1)), ERR_PROTO);
    assert_int_equal(parse_with("run", json_string("ab")), ERR_PROTO);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_survives_the_trip_through_text),
        TEST(another_signer_or_a_changed_byte_is_refused),
        TEST(putting_again_renews_and_keeps_the_date),
        TEST(a_run_is_removed_by_name_or_id),
        TEST(a_full_list_says_so),
        TEST(what_no_list_can_say_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
