#include <string.h>

#include "app/cmdline.h"
#include "tests/check.h"

#define PARSE(c, e, ...) parse((char *[]){(char[]){"potluck"}, __VA_ARGS__, NULL}, c, e)
#define A(text)                                                                                    \
    (char[])                                                                                       \
    {                                                                                              \
        text                                                                                       \
    }

static int parse(char **argv, struct cmdline *c, struct err *e)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    return cmdline_parse(argc, argv, c, e);
}

static void cmdline_without_words_is_the_screen(void **state)
{
    (void)state;
    struct cmdline c;
    char *argv[] = {A("potluck"), NULL};
    assert_int_equal(cmdline_parse(1, argv, &c, NULL), OK);
    assert_int_equal(c.command, CMDLINE_SCREEN);
    assert_null(c.home);
}

static void cmdline_takes_home_before_and_after_the_command(void **state)
{
    (void)state;
    struct cmdline c;
    assert_int_equal(PARSE(&c, NULL, A("--home"), A("/h"), A("status"), A("--json")), OK);
    assert_int_equal(c.command, CMDLINE_STATUS);
    assert_string_equal(c.home, "/h");
    assert_true(c.is_json);
    assert_int_equal(PARSE(&c, NULL, A("pause"), A("--home=/x")), OK);
    assert_string_equal(c.home, "/x");
}

static void cmdline_join_wants_something_to_join(void **state)
{
    (void)state;
    struct cmdline c;
    struct err e = {0};
    assert_int_equal(PARSE(&c, &e, A("join")), ERR_ARG);
    assert_non_null(strstr(e.what, "FILE|LINK"));
    assert_int_equal(PARSE(&c, NULL, A("join"), A("run.potluck"), A("--name"), A("ana")), OK);
    assert_string_equal(c.source, "run.potluck");
    assert_string_equal(c.name, "ana");
    assert_int_equal(PARSE(&c, NULL, A("join"), A("a"), A("b")), ERR_ARG);
}

static void cmdline_payout_takes_a_word_and_an_address(void **state)
{
    (void)state;
    struct cmdline c;
    assert_int_equal(PARSE(&c, NULL, A("payout"), A("set"), A("5G"), A("--kind"), A("text")), OK);
    assert_int_equal(c.command, CMDLINE_PAYOUT);
    assert_string_equal(c.source, "set");
    assert_string_equal(c.detail, "5G");
    assert_string_equal(c.kind, "text");
    assert_int_equal(PARSE(&c, NULL, A("payout")), OK);
    assert_null(c.source);
    assert_int_equal(PARSE(&c, NULL, A("payout"), A("set"), A("a"), A("b")), ERR_ARG);
    assert_int_equal(PARSE(&c, NULL, A("rewards"), A("--kind"), A("text")), ERR_ARG);
}

static void cmdline_knows_receipts_and_rewards(void **state)
{
    (void)state;
    struct cmdline c;
    assert_int_equal(PARSE(&c, NULL, A("receipts"), A("--verify"), A("--json")), OK);
    assert_int_equal(c.command, CMDLINE_RECEIPTS);
    assert_true(c.is_verify && c.is_json);
    assert_int_equal(PARSE(&c, NULL, A("rewards"), A("--csv")), OK);
    assert_int_equal(c.command, CMDLINE_REWARDS);
    assert_true(c.is_csv);
    assert_int_equal(PARSE(&c, NULL, A("rewards"), A("--verify")), ERR_ARG);
    assert_int_equal(PARSE(&c, NULL, A("status"), A("--csv")), ERR_ARG);
}

static void cmdline_trusts_anew_only_where_one_joins(void **state)
{
    (void)state;
    struct cmdline c;
    assert_int_equal(PARSE(&c, NULL, A("join"), A("run.potluck")), OK);
    assert_false(c.is_anew);
    assert_int_equal(PARSE(&c, NULL, A("join"), A("--anew"), A("run.potluck")), OK);
    assert_true(c.is_anew);
    assert_int_equal(PARSE(&c, NULL, A("status"), A("--anew")), ERR_ARG);
    assert_int_equal(PARSE(&c, NULL, A("screen"), A("--anew")), ERR_ARG);
}

static void cmdline_leaves_the_rest_to_the_agent(void **state)
{
    (void)state;
    struct cmdline c;
    assert_int_equal(PARSE(&c, NULL, A("agent"), A("--threads"), A("3")), OK);
    assert_int_equal(c.command, CMDLINE_AGENT);
    assert_int_equal(c.i_rest, 2);
}

static void cmdline_leaves_the_rest_to_an_engine_command(void **state)
{
    (void)state;
    struct cmdline c;
    assert_int_equal(PARSE(&c, NULL, A("--home"), A("/h"), A("bench"), A("engine"), A("--unknown")),
                     OK);
    assert_int_equal(c.command, CMDLINE_ENGINE);
    assert_int_equal(c.i_rest, 4);
    assert_string_equal(c.home, "/h");
    assert_true(cmdline_is_engine("bench"));
    assert_false(cmdline_is_engine("agent"));
}

static void cmdline_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    struct cmdline c;
    struct err e = {0};
    assert_int_equal(PARSE(&c, &e, A("bogus")), ERR_ARG);
    assert_string_equal(e.what, "there is no command 'bogus'");
    assert_int_equal(PARSE(&c, &e, A("staus")), ERR_ARG);
    assert_non_null(strstr(e.hint, "did you mean `status`?"));
    assert_int_equal(PARSE(&c, &e, A("status"), A("--jsno=1")), ERR_ARG);
    assert_string_equal(e.what, "there is no option '--jsno'");
    assert_non_null(strstr(e.hint, "did you mean `--json`?"));
    assert_int_equal(PARSE(&c, &e, A("pause"), A("--dumb")), ERR_ARG); /* --dump is not pause's */
    assert_null(strstr(e.hint, "--dump"));
    assert_int_equal(PARSE(&c, &e, A("--bogus")), ERR_ARG);
    assert_int_equal(PARSE(&c, &e, A("pause"), A("--dump"), A("80x24")), ERR_ARG);
    assert_int_equal(PARSE(&c, &e, A("status"), A("--home")), ERR_ARG);
    assert_int_equal(PARSE(&c, &e, A("status"), A("--json=1")), ERR_ARG);
    assert_int_equal(PARSE(&c, &e, A("screen"), A("--frozen-time"), A("soon")), ERR_ARG);
}

static void cmdline_help_names_every_command_and_exit_code(void **state)
{
    (void)state;
    static const char *const words[] = {"screen", "join",  "status", "pause", "resume",
                                        "finish", "leave", "stop",   "agent", "help"};
    struct buf b = {0};
    assert_int_equal(cmdline_help(NULL, &b, NULL), OK);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_non_null(strstr(buf_str(&b), words[i]));
        struct buf one = {0};
        assert_int_equal(cmdline_help(words[i], &one, NULL), OK);
        assert_non_null(strstr(buf_str(&one), "--home"));
        assert_null(strstr(buf_str(&one), "[options] [options]"));
        buf_deinit(&one);
    }
    assert_non_null(strstr(buf_str(&b), "5  no agent runs"));
    assert_int_equal(cmdline_help("bogus", &b, NULL), ERR_NOTFOUND);
    buf_deinit(&b);
}

static void cmdline_help_is_one_page_of_a_terminal_eighty_wide(void **state)
{
    (void)state;
    struct buf b = {0};
    size_t n_lines = 0;
    assert_int_equal(cmdline_help(NULL, &b, NULL), OK);
    for (const char *at = buf_str(&b); *at; at += strcspn(at, "\n") + 1, n_lines++)
        if (strcspn(at, "\n") > 80) fail_msg("too wide: %.100s", at);
    assert_in_range(n_lines, 40, 55);
    assert_non_null(strstr(buf_str(&b), "\nThis computer\n  config ... "));
    buf_clear(&b);
    assert_int_equal(cmdline_help("config", &b, NULL), OK);
    assert_non_null(strstr(buf_str(&b), "potluck config list|get KEY|set KEY VALUE [options]"));
    buf_deinit(&b);
}

static void cmdline_asks_for_help_and_version_anywhere(void **state)
{
    (void)state;
    struct cmdline c;
    assert_int_equal(PARSE(&c, NULL, A("join"), A("--help")), OK);
    assert_int_equal(c.command, CMDLINE_HELP);
    assert_string_equal(c.source, "join");
    assert_int_equal(PARSE(&c, NULL, A("--version")), OK);
    assert_int_equal(c.command, CMDLINE_VERSION);
}

static void cmdline_says_the_home_as_it_has_to_be_typed(void **state)
{
    (void)state;
    char words[40];
    assert_string_equal(cmdline_home_words("a", words, sizeof words), " --home a");
    assert_string_equal(cmdline_home_words("my home", words, sizeof words), " --home 'my home'");
    assert_string_equal(cmdline_home_words(NULL, words, sizeof words), "");
    assert_string_equal(cmdline_home_words("o'clock", words, sizeof words), "");
    assert_string_equal(
        cmdline_home_words("/a/path/that/is/longer/than/there/is/room/for", words, sizeof words),
        "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cmdline_without_words_is_the_screen),
        cmocka_unit_test(cmdline_takes_home_before_and_after_the_command),
        cmocka_unit_test(cmdline_join_wants_something_to_join),
        cmocka_unit_test(cmdline_payout_takes_a_word_and_an_address),
        cmocka_unit_test(cmdline_knows_receipts_and_rewards),
        cmocka_unit_test(cmdline_trusts_anew_only_where_one_joins),
        cmocka_unit_test(cmdline_leaves_the_rest_to_the_agent),
        cmocka_unit_test(cmdline_leaves_the_rest_to_an_engine_command),
        cmocka_unit_test(cmdline_refuses_what_it_does_not_know),
        cmocka_unit_test(cmdline_help_names_every_command_and_exit_code),
        cmocka_unit_test(cmdline_help_is_one_page_of_a_terminal_eighty_wide),
        cmocka_unit_test(cmdline_says_the_home_as_it_has_to_be_typed),
        cmocka_unit_test(cmdline_asks_for_help_and_version_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
