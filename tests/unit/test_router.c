#include <stdio.h>
#include <string.h>

#include "net/router.h"
#include "tests/check.h"

static const struct router_entry table[] = {
    {"GET",  "/v1/run"                     },
    {"POST", "/v1/contributions"           },
    {"PUT",  "/v1/contributions/*/chunks/*"},
    {"POST", "/v1/contributions/*/manifest"},
    {"GET",  "/v1/data/*/*/index"          },
    {"HEAD", "/v1/run"                     },
};
#define N (sizeof table / sizeof *table)

static int find(const char *method, const char *path)
{
    struct router_match m;
    return router_find(table, N, method, path, &m);
}

static void router_finds_plain_paths_by_method(void **state)
{
    (void)state;
    assert_int_equal(find("GET", "/v1/run"), 0);
    assert_int_equal(find("HEAD", "/v1/run"), 5);
    assert_int_equal(find("POST", "/v1/contributions"), 1);
}

static void router_captures_segments_in_order(void **state)
{
    (void)state;
    struct router_match m;
    int i = router_find(table, N, "PUT", "/v1/contributions/ab-12/chunks/7", &m);
    assert_int_equal(i, 2);
    assert_int_equal(m.n, 2);
    assert_string_equal(m.segment[0], "ab-12");
    assert_string_equal(m.segment[1], "7");
}

static void router_tells_unknown_path_from_unknown_method(void **state)
{
    (void)state;
    assert_int_equal(find("GET", "/v1/nothing"), ROUTER_NOT_FOUND);
    assert_int_equal(find("DELETE", "/v1/run"), ROUTER_NOT_METHOD);
    assert_int_equal(find("GET", "/v1/contributions/a/manifest"), ROUTER_NOT_METHOD);
}

static void router_refuses_anything_that_is_not_exactly_the_path(void **state)
{
    (void)state;
    const char *const bad[] = {"",         "/",         "/v1",       "/v1/run/", "//v1/run",
                               "/v1//run", "/v1/run/x", "v1/run",    "/V1/run",  "/v1/ru",
                               "/v1/runs", "/v1/r%75n", "/v1/./run", "*"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(find("GET", bad[i]), ROUTER_NOT_FOUND);
}

static void router_refuses_strange_segments(void **state)
{
    (void)state;
    const char *const bad[] = {
        "/v1/contributions//manifest",         "/v1/contributions/../manifest",
        "/v1/contributions/./manifest",        "/v1/contributions/a b/manifest",
        "/v1/contributions/a%2e/manifest",     "/v1/contributions/a/b/manifest",
        "/v1/contributions/\xc3\xa9/manifest", "/v1/contributions/*/manifest",
        "/v1/contributions/a\\b/manifest"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(find("POST", bad[i]), ROUTER_NOT_FOUND);
    assert_int_equal(find("POST", "/v1/contributions/..a/manifest"), 3);
}

static void router_segment_length_is_bounded(void **state)
{
    (void)state;
    char path[300] = "/v1/contributions/";
    size_t n = strlen(path);
    char segment[ROUTER_SEGMENT_BYTES + 2] = {0};
    memset(segment, 'a', ROUTER_SEGMENT_BYTES + 1);
    snprintf(path + n, sizeof path - n, "%s/manifest", segment + 1);
    struct router_match m;
    assert_int_equal(router_find(table, N, "POST", path, &m), 3);
    assert_int_equal(strlen(m.segment[0]), ROUTER_SEGMENT_BYTES);
    snprintf(path + n, sizeof path - n, "%s/manifest", segment);
    assert_int_equal(router_find(table, N, "POST", path, &m), ROUTER_NOT_FOUND);
}

static void router_takes_the_rest_of_a_path(void **state)
{
    (void)state;
    static const struct router_entry deep[] = {
        {"GET", "/v1/log/tile/**"}
    };
    static const char *const bad[] = {
        "/v1/log/tile/",       "/v1/log/tile",       "/v1/log/tile//0",
        "/v1/log/tile/0/",     "/v1/log/tile/../a",  "/v1/log/tile/0/..",
        "/v1/log/tile/0//001", "/v1/log/tile/0/%2e", "/v1/log/tilex/0"};
    struct router_match m;
    assert_int_equal(router_find(deep, 1, "GET", "/v1/log/tile/0/x001/234.p/7", &m), 0);
    assert_int_equal(m.n, 1);
    assert_string_equal(m.segment[0], "0/x001/234.p/7");
    assert_int_equal(router_find(deep, 1, "GET", "/v1/log/tile/a", &m), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(router_find(deep, 1, "GET", bad[i], &m), ROUTER_NOT_FOUND);
    char path[300] = "/v1/log/tile/";
    size_t n = strlen(path);
    memset(path + n, 'a', 2 * ROUTER_SEGMENT_BYTES);
    path[n + ROUTER_SEGMENT_BYTES / 2] = '/';
    assert_int_equal(router_find(deep, 1, "GET", path, &m), ROUTER_NOT_FOUND);
    path[n + ROUTER_SEGMENT_BYTES] = '\0';
    assert_int_equal(router_find(deep, 1, "GET", path, &m), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(router_finds_plain_paths_by_method),
        cmocka_unit_test(router_captures_segments_in_order),
        cmocka_unit_test(router_tells_unknown_path_from_unknown_method),
        cmocka_unit_test(router_refuses_anything_that_is_not_exactly_the_path),
        cmocka_unit_test(router_refuses_strange_segments),
        cmocka_unit_test(router_segment_length_is_bounded),
        cmocka_unit_test(router_takes_the_rest_of_a_path),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
