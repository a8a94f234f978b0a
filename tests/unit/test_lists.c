#include "base/file.h"
#include "client/lists.h"
#include "tests/unit/keycase.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP], path[PATH_CAP];
static struct home home;
static struct runlist got;
static struct lists_news news;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    e = (struct err){0};
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/runs.potluck", dir), 0);
    assert_int_equal(home_open(&home, dir, &e), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    home_close(&home);
    scratch_remove(dir);
    return 0;
}

static void write_list(uint8_t key, int64_t updated_at_ms)
{
    static struct runlist l;
    struct key k = test_key(key);
    struct buf b = {0};
    l = (struct runlist){.updated_at_ms = updated_at_ms};
    assert_int_equal(runlist_sign(&l, &k, &b, &e), OK);
    assert_int_equal(file_replace(path, b.p, b.len, 0644, &e), OK);
    buf_deinit(&b);
}

static int get(const struct key_pub *expect)
{
    e = (struct err){0};
    return lists_get(&home, path, expect, &got, &news, &e);
}

static void the_first_key_is_remembered_and_another_one_stops(void **state)
{
    (void)state;
    write_list(1, 100);
    assert_int_equal(get(NULL), OK);
    assert_true(news.is_first);
    assert_int_equal(get(NULL), OK);
    assert_false(news.is_first);
    write_list(2, 200);
    assert_int_equal(get(NULL), ERR_AUTH);
    assert_non_null(strstr(e.what, "before"));
    assert_true(e.hint[0]);
    assert_int_equal(get(NULL), ERR_AUTH); /* still */
    write_list(1, 300);
    assert_int_equal(get(NULL), OK);
    assert_false(news.is_first);
}

static void a_named_key_decides_and_is_remembered(void **state)
{
    (void)state;
    struct key one = test_key(1), two = test_key(2);
    write_list(1, 100);
    assert_int_equal(get(&two.pub), ERR_AUTH);
    assert_int_equal(get(&one.pub), OK);
    write_list(2, 200);
    assert_int_equal(get(NULL), ERR_AUTH);
    assert_int_equal(get(&two.pub), OK); /* the change was meant */
    assert_int_equal(get(NULL), OK);
    assert_false(news.is_first);
}

static void an_older_list_is_shown_as_such_and_not_remembered(void **state)
{
    (void)state;
    write_list(1, 500);
    assert_int_equal(get(NULL), OK);
    write_list(1, 400);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(get(NULL), OK);
        assert_true(news.is_older);
        assert_int_equal(news.seen_before, 500);
    }
}

static void a_damaged_memory_is_not_taken_for_none(void **state)
{
    (void)state;
    char lists[PATH_CAP], name[PATH_CAP];
    struct dirent *f = NULL;
    write_list(1, 100);
    assert_int_equal(get(NULL), OK);
    assert_int_equal(path_format(lists, "%s/lists", home.paths.data), 0);
    DIR *d = opendir(lists);
    assert_non_null(d);
    while ((f = readdir(d))) /* NOLINT(concurrency-mt-unsafe) */
        if (f->d_name[0] != '.') assert_int_equal(path_format(name, "%s/%s", lists, f->d_name), 0);
    (void)closedir(d);
    assert_int_equal(file_replace(name, "{", 1, 0600, &e), OK);
    assert_int_not_equal(get(NULL), OK);
    struct key one = test_key(1);
    assert_int_equal(get(&one.pub), OK);
    assert_int_equal(get(NULL), OK);
}

static void what_is_no_list_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(get(NULL), ERR_ARG); /* no such file */
    assert_int_equal(file_replace(path, "hello", 5, 0644, &e), OK);
    assert_int_equal(get(NULL), ERR_PROTO);
    assert_int_equal(lists_get(&home, dir, NULL, &got, &news, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "folder"));
    assert_int_equal(lists_get(&home, "http://x/y", NULL, &got, &news, &e), ERR_ARG);
    assert_int_equal(lists_get(&home, "potluck://x", NULL, &got, &news, &e), ERR_ARG);
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    struct lists_url u;
    assert_int_equal(lists_url_parse("https://runs.example/a/runs.potluck?x=1", &u, &e), OK);
    assert_string_equal(u.host, "runs.example");
    assert_int_equal(u.port, 443);
    assert_string_equal(u.path, "/a/runs.potluck?x=1");
    assert_int_equal(lists_url_parse("https://runs.example:8443", &u, &e), OK);
    assert_int_equal(u.port, 8443);
    assert_string_equal(u.path, "/");
    static const char *const bad[] = {"",
                                      "http://x/",
                                      "https://",
                                      "https:///x",
                                      "https://x:0/",
                                      "https://x:99999/",
                                      "https://x:1y/",
                                      "https://x?q",
                                      "https://a b/",
                                      "https://x/a b",
                                      "https://x/\x1b",
                                      "https://u@x/",
                                      "https://x/#f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (lists_url_parse(bad[i], &u, &e) != ERR_ARG) fail_msg("'%s' is taken", bad[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_key_is_remembered_and_another_one_stops),
        TEST(a_named_key_decides_and_is_remembered),
        TEST(an_older_list_is_shown_as_such_and_not_remembered),
        TEST(a_damaged_memory_is_not_taken_for_none),
        TEST(what_is_no_list_is_told_apart),
        TEST(addresses_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
