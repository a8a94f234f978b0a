#include <stdio.h>

#include "client/logbook.h"
#include "tests/check.h"

static void logbook_keeps_the_newest_lines_oldest_first(void **state)
{
    (void)state;
    static struct logbook b;
    static struct view_log lines[VIEW_LOG];
    logbook_init(&b);
    for (int i = 0; i < VIEW_LOG + 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "line %d", i);
        logbook_add(&b, LOG_INFO, i, text);
    }
    assert_int_equal(logbook_copy(&b, lines), VIEW_LOG);
    assert_string_equal(lines[0].text, "line 5");
    assert_int_equal(lines[VIEW_LOG - 1].at_ms, VIEW_LOG + 4);
    logbook_deinit(&b);
}

static void logbook_hears_what_is_logged_and_makes_it_printable(void **state)
{
    (void)state;
    static struct logbook b;
    static struct view_log lines[VIEW_LOG];
    log_set_stderr(0);
    logbook_init(&b);
    log_warn("steer\x1b[2Jme");
    assert_int_equal(logbook_copy(&b, lines), 1);
    assert_int_equal(lines[0].level, LOG_WARN);
    assert_string_equal(lines[0].text, "steer?[2Jme");
    logbook_deinit(&b);
    log_warn("nobody listens");
    assert_int_equal(b.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logbook_keeps_the_newest_lines_oldest_first),
        cmocka_unit_test(logbook_hears_what_is_logged_and_makes_it_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
