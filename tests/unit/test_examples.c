#include <stdio.h>
#include <string.h>

#include "app/cmdline.h"
#include "app/examples.h"
#include "tests/check.h"

/* A line is taken apart at spaces, which the examples allow: quotes only hold what has none. */
static void check_line(const char *command, const char *line, size_t len)
{
    char copy[160], *argv[16];
    struct cmdline c;
    struct err e = {0};
    int argc = 0;
    snprintf(copy, sizeof copy, "%.*s", (int)len, line);
    copy[strcspn(copy, "|>")] = 0; /* what the shell does with the answer */
    for (char *save = NULL, *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    argv[argc] = NULL;
    assert_string_equal(argv[0], "potluck");
    if (cmdline_parse(argc, argv, &c, &e) != OK) fail_msg("%s: %s", command, e.what);
}

static void examples_are_lines_that_the_program_takes(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "screen", "join",  "runs", "status", "receipts", "rewards", "payout", "pause", "resume",
        "finish", "leave", "stop", "config", "replay",   "help",    "key",    "log",   "explain"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *at = examples_of(commands[i]);
        assert_non_null(at);
        for (; *at; at = strchr(at, '\n') + 1) {
            assert_memory_equal(at, "  potluck", 9);
            check_line(commands[i], at, strcspn(at, "\n"));
        }
    }
    assert_null(examples_of("dance"));
}

static void examples_stand_in_the_help(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(cmdline_help("join", &b, NULL), OK);
    assert_non_null(strstr(buf_str(&b), "\nExamples:\n  potluck join "));
    buf_clear(&b);
    assert_int_equal(cmdline_help("stop", &b, NULL), OK);
    assert_non_null(strstr(buf_str(&b), "\nExample:\n  potluck stop\n"));
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_are_lines_that_the_program_takes),
        cmocka_unit_test(examples_stand_in_the_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
