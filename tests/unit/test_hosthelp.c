#include <stdio.h>
#include <string.h>

#include "app/hosthelp.h"
#include "tests/check.h"

static void hosthelp_has_a_page_with_an_example_for_each_command(void **state)
{
    (void)state;
    static const struct {
        const char *command, *has, *lacks;
    } pages[] = {
        {"init",     "--hidden", "--wait-for"},
        {"prepare",  "--vocab",  "--hidden"  },
        {"serve",    "--listen", "--vocab"   },
        {"status",   "--json",   "--hidden"  },
        {"init",     "--peers",  "--wait-for"},
        {"change",   "--reason", "--hidden"  },
        {"rollback", "--to",     "--from"    },
        {"backup",   "--json",   "--to"      },
        {"restore",  "--json",   "--to"      },
        {"ban",      "--json",   "--uses"    },
    };
    struct buf all = {0};
    hosthelp_write(NULL, &all);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct buf b = {0};
        char example[64];
        hosthelp_write(pages[i].command, &b);
        snprintf(example, sizeof example, "\n  potluck-aggregator %s --home", pages[i].command);
        assert_non_null(strstr(buf_str(&b), example));
        assert_non_null(strstr(buf_str(&b), "--home DIR"));
        assert_non_null(strstr(buf_str(&b), pages[i].has));
        assert_null(strstr(buf_str(&b), pages[i].lacks));
        assert_non_null(strstr(buf_str(&all), pages[i].command));
        buf_deinit(&b);
    }
    assert_non_null(strstr(buf_str(&all), "COMMAND --help"));
    struct buf other = {0};
    hosthelp_write("dance", &other);
    assert_string_equal(buf_str(&other), buf_str(&all));
    buf_deinit(&other);
    buf_deinit(&all);
}

static void hosthelp_refuses_what_would_do_nothing(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(hosthelp_check("serve", "hidden", &e), ERR_ARG);
    assert_string_equal(e.what, "--hidden belongs to init");
    assert_int_equal(hosthelp_check("init", "vocab", &e), ERR_ARG);
    assert_string_equal(e.what, "--vocab belongs to prepare");
    assert_non_null(strstr(e.hint, "prepare --help"));
    assert_int_equal(hosthelp_check("serve", "listen", NULL), OK);
    assert_int_equal(hosthelp_check("prepare", "home", NULL), OK);
    assert_int_equal(hosthelp_check("prepare", "of-tomorrow", NULL), OK);
    assert_int_equal(hosthelp_check("of-tomorrow", "hidden", NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosthelp_has_a_page_with_an_example_for_each_command),
        cmocka_unit_test(hosthelp_refuses_what_would_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
