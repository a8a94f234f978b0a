#include <stdio.h>
#include <string.h>

#include "net/proxy.h"
#include "tests/check.h"

/* name NUL value NUL ... NUL */
static const char *environment;

static char *get(const char *name)
{
    for (const char *p = environment; *p;) {
        const char *value = p + strlen(p) + 1;
        if (strcmp(p, name) == 0) return (char *)(uintptr_t)value;
        p = value + strlen(value) + 1;
    }
    return NULL;
}

static const char *chosen(const char *env, const char *host)
{
    static struct proxy p;
    static char text[600];
    struct err e = {0};
    environment = env;
    if (proxy_choose(host, 443, get, &p, &e) != OK) return e.what[0] && e.hint[0] ? "error" : "?";
    if (!*p.host) return "direct";
    snprintf(text, sizeof text, "%s %s%s%s", p.host, p.port, *p.login ? " " : "", p.login);
    return text;
}

static void without_variables_the_way_is_direct(void **state)
{
    (void)state;
    assert_string_equal(chosen("", "example.org"), "direct");
    assert_string_equal(chosen("https_proxy\0\0", "example.org"), "direct");
}

static void the_most_special_variable_counts(void **state)
{
    (void)state;
    const char *both = "all_proxy\0http://all:1\0HTTPS_PROXY\0http://big:2\0";
    assert_string_equal(chosen(both, "example.org"), "big 2");
    assert_string_equal(chosen("ALL_PROXY\0all:1\0", "example.org"), "all 1");
    assert_string_equal(chosen("https_proxy\0http://p\0", "example.org"), "p 1080");
    assert_string_equal(chosen("https_proxy\0http://[::1]:8080/\0", "example.org"), "::1 8080");
}

static void name_and_password_are_told_in_base64(void **state)
{
    (void)state;
    assert_string_equal(chosen("https_proxy\0http://Aladdin:open%20sesame@p:3\0", "example.org"),
                        "p 3 Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_string_equal(chosen("https_proxy\0http://a%zz@p:3\0", "example.org"), "error");
}

static void what_cannot_be_used_is_said(void **state)
{
    (void)state;
    const char *const bad[] = {
        "https_proxy\0socks5://p:1\0",    "https_proxy\0https://p:1\0",
        "https_proxy\0http://\0",         "https_proxy\0http://p:x\0",
        "https_proxy\0http://p:\0",       "https_proxy\0http://[::1\0",
        "https_proxy\0http://p:123456\0", "https_proxy\0http://a b:1\0",
        "https_proxy\0http://[::1]x\0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(chosen(bad[i], "example.org"), "error");
}

static void hosts_in_no_proxy_are_reached_directly(void **state)
{
    (void)state;
    const char *env = "https_proxy\0p:1\0no_proxy\0.example.org, 192.0.2.1:8080 [2001:db8::1]\0";
    assert_string_equal(chosen(env, "example.org"), "direct");
    assert_string_equal(chosen(env, "A.Example.ORG"), "direct");
    assert_string_equal(chosen(env, "badexample.org"), "p 1");
    assert_string_equal(chosen(env, "192.0.2.1"), "direct");
    assert_string_equal(chosen(env, "192.0.2.11"), "p 1");
    assert_string_equal(chosen(env, "2001:db8::1"), "direct");
    assert_string_equal(chosen("https_proxy\0p:1\0NO_PROXY\0*\0", "x.y"), "direct");
}

static void this_machine_needs_no_proxy(void **state)
{
    (void)state;
    const char *env = "https_proxy\0p:1\0";
    assert_string_equal(chosen(env, "localhost"), "direct");
    assert_string_equal(chosen(env, "127.0.0.7"), "direct");
    assert_string_equal(chosen(env, "::1"), "direct");
    assert_string_equal(chosen(env, "localhost.example"), "p 1");
}

static void a_question_names_the_host_twice(void **state)
{
    (void)state;
    struct buf b = {0};
    struct proxy p = {.login = "Basic eA=="};
    proxy_ask(&p, "example.org:443", &b);
    const char *begins = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n"
                         "Proxy-Authorization: Basic eA==\r\n";
    assert_memory_equal(b.p, begins, strlen(begins));
    assert_memory_equal(b.p + b.len - 4, "\r\n\r\n", 4);
    buf_deinit(&b);
}

static int answer(const char *text)
{
    struct err e = {0};
    int rc = proxy_answer(text, strlen(text), &e);
    if (rc != OK && rc != ERR_AGAIN) assert_true(e.what[0]);
    return rc;
}

static void an_answer_opens_the_way_or_says_why_not(void **state)
{
    (void)state;
    char endless[PROXY_ANSWER_MAX + 1];
    memset(endless, 'a', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_int_equal(answer("HTTP/1.1 200 Connection established\r\n\r\n"), OK);
    assert_int_equal(answer("HTTP/1.0 200 OK\r\nVia: x\r\n\r\n"), OK);
    assert_int_equal(answer("HTTP/1.1 200 OK\r\nVia"), ERR_AGAIN);
    assert_int_equal(answer(""), ERR_AGAIN);
    assert_int_equal(answer("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), ERR_AUTH);
    assert_int_equal(answer("HTTP/1.1 502 Bad Gateway\r\n\r\n"), ERR_IO);
    assert_int_equal(answer("HTTP/1.1 200 OK\r\n\r\nand more"), ERR_PROTO);
    assert_int_equal(answer("SSH-2.0-x\r\n\r\n"), ERR_PROTO);
    assert_int_equal(answer("HTTP/1.1 2\r\n\r\n"), ERR_PROTO);
    assert_int_equal(answer(endless), ERR_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_variables_the_way_is_direct),
        cmocka_unit_test(the_most_special_variable_counts),
        cmocka_unit_test(name_and_password_are_told_in_base64),
        cmocka_unit_test(what_cannot_be_used_is_said),
        cmocka_unit_test(hosts_in_no_proxy_are_reached_directly),
        cmocka_unit_test(this_machine_needs_no_proxy),
        cmocka_unit_test(a_question_names_the_host_twice),
        cmocka_unit_test(an_answer_opens_the_way_or_says_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
