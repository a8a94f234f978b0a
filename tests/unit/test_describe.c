#include "aggregator/describe.h"
#include "aggregator/prepare.h"
#include "tests/unit/textfolder.h"

static char dir[PATH_CAP], text[PATH_CAP];
static struct rundesc d, again;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    scratch_make(dir);
    assert_int_equal(path_format(text, "%s/text", dir), 0);
    assert_int_equal(mkdir(text, 0700), 0);
    textfolder_fill(text, "a.txt", 200000, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void prepare(void)
{
    const char *paths[1] = {text};
    struct prepare_report r;
    struct prepare_options o = {
        .home = dir, .paths = paths, .n_paths = 1, .vocab_size = 300, .val_frac = 0.1};
    assert_int_equal(prepare_run(&o, &r, &e), OK);
}

static void choose(void)
{
    struct setup s;
    setup_defaults(&s);
    assert_int_equal(setup_set(&s, "name", "soup", &e), OK);
    assert_int_equal(setup_set(&s, "hidden", "32", &e), OK);
    assert_int_equal(setup_set(&s, "layers", "1", &e), OK);
    assert_int_equal(setup_set(&s, "listen", "127.0.0.1:7333", &e), OK);
    assert_int_equal(setup_create(&s, NULL, dir, &e), OK);
}

static void whichever_comes_second_makes_the_run(void **state)
{
    (void)state;
    choose();
    assert_int_equal(describe_home(dir, &d, &e), ERR_AGAIN);
    prepare();
    assert_int_equal(describe_home(dir, &d, &e), OK);
    assert_string_equal(d.name, "soup");
    assert_int_equal(d.aggregators[0].port, 7333);
}

static void the_description_lists_every_address_in_order(void **state)
{
    struct setup s;
    (void)state;
    setup_defaults(&s);
    assert_int_equal(setup_set(&s, "name", "soup", &e), OK);
    assert_int_equal(setup_set(&s, "hidden", "32", &e), OK);
    assert_int_equal(setup_set(&s, "layers", "1", &e), OK);
    assert_int_equal(setup_set(&s, "public", "b.example:2", &e), OK);
    assert_int_equal(setup_set(&s, "public", "a.example:1", &e), OK);
    assert_int_equal(setup_create(&s, NULL, dir, &e), OK);
    prepare();
    assert_int_equal(describe_home(dir, &d, &e), OK);
    assert_int_equal(d.n_aggregators, 2);
    assert_string_equal(d.aggregators[0].host, "b.example");
    assert_string_equal(d.aggregators[1].host, "a.example");
    assert_int_equal(d.aggregators[1].port, 1);
    assert_true(key_equal(&d.aggregators[0].key, &d.aggregators[1].key));
    assert_true(hash_equal(&d.aggregators[0].tls_pin, &d.aggregators[1].tls_pin));
}

static void once_written_it_does_not_change(void **state)
{
    struct buf jws = {0};
    char link[512];
    (void)state;
    prepare();
    assert_int_equal(describe_home(dir, &d, &e), ERR_AGAIN);
    choose();
    assert_int_equal(describe_home(dir, &d, &e), OK);
    assert_int_equal(describe_home(dir, &again, &e), OK);
    assert_true(hash_equal(&d.id, &again.id));
    assert_int_equal(describe_read(dir, &again, &jws, &e), OK);
    struct hash id = hash_of(jws.p, jws.len);
    assert_true(hash_equal(&d.id, &id)); /* what is served is what is signed */
    assert_int_equal(describe_invite(&d, "", link, sizeof link, &e), OK);
    assert_memory_equal(link, "potluck://127.0.0.1:7333/#", 26);
    buf_deinit(&jws);
}

static void what_is_missing_is_told_in_order(void **state)
{
    (void)state;
    assert_int_equal(describe_read(dir, &d, NULL, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "init"));
    choose();
    assert_int_equal(describe_read(dir, &d, NULL, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "prepare"));
}

static void a_changed_description_is_refused(void **state)
{
    (void)state;
    choose();
    scratch_write(dir, "run.potluck", "abc.def.ghi", 11);
    assert_int_not_equal(describe_read(dir, &d, NULL, &e), OK);
    assert_non_null(strstr(e.what, "run.potluck"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(whichever_comes_second_makes_the_run),
        CASE(the_description_lists_every_address_in_order),
        CASE(once_written_it_does_not_change),
        CASE(what_is_missing_is_told_in_order),
        CASE(a_changed_description_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
