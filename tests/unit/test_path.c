#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "tests/check.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_path.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char cmd[128];
    strcat(strcpy(cmd, "rm -rf "), dir);
    return system(cmd);
}

static void clear_env(void)
{
    static const char *const names[] = {"POTLUCK_HOME",   "HOME",           "XDG_DATA_HOME",
                                        "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static void format_refuses_what_does_not_fit(void **state)
{
    (void)state;
    char p[PATH_CAP];
    char longer[PATH_CAP + 1];
    memset(longer, 'x', PATH_CAP);
    longer[PATH_CAP] = 0;
    assert_int_equal(path_format(p, "%s/%d", "a", 1), 0);
    assert_string_equal(p, "a/1");
    assert_int_equal(path_format(p, "%s", longer), -1);
    assert_int_equal(path_format(p, "%s", longer + 1), 0);
}

static void dirname_of_plain_nested_and_root_paths(void **state)
{
    (void)state;
    char p[PATH_CAP];
    assert_int_equal(path_dirname(p, "file"), 0);
    assert_string_equal(p, ".");
    assert_int_equal(path_dirname(p, "/file"), 0);
    assert_string_equal(p, "/");
    assert_int_equal(path_dirname(p, "a/b/c"), 0);
    assert_string_equal(p, "a/b");
}

static void home_option_holds_everything_and_creates_it(void **state)
{
    (void)state;
    struct paths p;
    char home[PATH_CAP];
    clear_env();
    assert_int_equal(path_format(home, "%s/one", dir), 0);
    assert_int_equal(path_find(&p, home, NULL), OK);
    assert_string_equal(p.data, home);
    assert_true(file_exists(p.cache));
    assert_true(file_exists(p.state));
    assert_int_equal(strncmp(p.socket, home, strlen(home)), 0);
}

static void looking_finds_the_same_folders_and_creates_none(void **state)
{
    (void)state;
    struct paths looked;
    struct paths found;
    char home[PATH_CAP];
    clear_env();
    assert_int_equal(path_format(home, "%s/slip", dir), 0);
    assert_int_equal(path_look(&looked, home, NULL), OK);
    assert_false(file_exists(home));
    assert_int_equal(path_find(&found, home, NULL), OK);
    assert_string_equal(looked.socket, found.socket);
    assert_string_equal(looked.state, found.state);
}

static void home_option_beats_the_environment(void **state)
{
    (void)state;
    struct paths p;
    char home[PATH_CAP];
    char other[PATH_CAP];
    clear_env();
    assert_int_equal(path_format(home, "%s/two", dir), 0);
    assert_int_equal(path_format(other, "%s/env", dir), 0);
    setenv("POTLUCK_HOME", other, 1);
    assert_int_equal(path_find(&p, home, NULL), OK);
    assert_string_equal(p.data, home);
    assert_int_equal(path_find(&p, NULL, NULL), OK);
    assert_string_equal(p.data, other);
}

static void relative_home_becomes_absolute(void **state)
{
    (void)state;
    struct paths p;
    char cwd[PATH_CAP];
    clear_env();
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(path_find(&p, "rel", NULL), OK);
    assert_int_equal(chdir(cwd), 0);
    assert_int_equal(p.data[0], '/');
    assert_true(file_exists(p.data));
}

static void xdg_folders_are_used_without_a_home_option(void **state)
{
    (void)state;
    struct paths p;
    char want[PATH_CAP];
    clear_env();
    setenv("HOME", dir, 1);
    setenv("XDG_STATE_HOME", "relative/is/ignored", 1);
    assert_int_equal(path_find(&p, NULL, NULL), OK);
    assert_int_equal(path_format(want, "%s/.local/share/potluck", dir), 0);
    assert_string_equal(p.data, want);
    assert_int_equal(path_format(want, "%s/.local/state/potluck", dir), 0);
    assert_string_equal(p.state, want);
    setenv("XDG_RUNTIME_DIR", dir, 1);
    assert_int_equal(path_find(&p, NULL, NULL), OK);
    assert_int_equal(path_format(want, "%s/potluck.sock", dir), 0);
    assert_string_equal(p.socket, want);
}

static void no_home_at_all_is_one_clear_sentence(void **state)
{
    (void)state;
    struct paths p;
    struct err e = {0};
    clear_env();
    assert_int_equal(path_find(&p, NULL, &e), ERR_ARG);
    assert_non_null(strstr(e.hint, "--home"));
}

static void a_socket_path_beyond_the_kernels_limit_is_refused(void **state)
{
    (void)state;
    struct paths p;
    struct err e = {0};
    char home[PATH_CAP] = "";
    clear_env();
    strcpy(home, dir);
    strcat(home, "/");
    memset(home + strlen(home), 'n', 100);
    assert_int_equal(path_find(&p, home, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "too long"));
    assert_false(file_exists(home));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_refuses_what_does_not_fit),
        cmocka_unit_test(dirname_of_plain_nested_and_root_paths),
        cmocka_unit_test(home_option_holds_everything_and_creates_it),
        cmocka_unit_test(looking_finds_the_same_folders_and_creates_none),
        cmocka_unit_test(home_option_beats_the_environment),
        cmocka_unit_test(relative_home_becomes_absolute),
        cmocka_unit_test(xdg_folders_are_used_without_a_home_option),
        cmocka_unit_test(no_home_at_all_is_one_clear_sentence),
        cmocka_unit_test(a_socket_path_beyond_the_kernels_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
