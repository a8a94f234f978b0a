#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/keep.h"
#include "base/buf.h"
#include "base/file.h"
#include "tests/check.h"
#include "tui/theme.h"

static char folder[64];
static char path[PATH_CAP];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/potluck-keep-XXXXXX");
    if (!mkdtemp(folder)) return 1;
    return path_format(path, "%s/screen.json", folder);
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void a_look_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int theme = 0; theme < THEME_COUNT; theme++)
        for (int graphs = -1; graphs <= GLYPHS_BRAILLE; graphs++) {
            struct tui_look was = {theme, graphs, graphs == 0};
            struct tui_look is = {0};
            assert_int_equal(keep_save(folder, &was, NULL), OK);
            assert_int_equal(keep_load(folder, &is, NULL), OK);
            assert_int_equal(is.theme, was.theme);
            assert_int_equal(is.graphs, was.graphs);
            assert_int_equal(is.is_calm, was.is_calm);
        }
}

static void what_cannot_be_read_leaves_the_look_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "[]", "{\"theme\":3,\"graphs\":\"ascii\"}"};
    struct tui_look look = {THEME_LIGHT, 1, true};
    assert_int_equal(keep_load(folder, &look, NULL), ERR_NOTFOUND);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(file_replace(path, bad[i], strlen(bad[i]), 0600, NULL), OK);
        assert_int_not_equal(keep_load(folder, &look, NULL), OK);
    }
    assert_true(look.theme == THEME_LIGHT && look.graphs == 1 && look.is_calm);
    static const char newer[] =
        "{\"theme\":\"plaid\",\"graphs\":\"sixel\",\"calm\":true,\"font\":3}";
    assert_int_equal(file_replace(path, newer, sizeof newer - 1, 0600, NULL), OK);
    assert_int_equal(keep_load(folder, &look, NULL), OK); /* of a newer version: the usual */
    assert_true(look.theme == THEME_DEFAULT && look.graphs == -1 && look.is_calm);
}

static void the_lines_shown_are_the_lines_written(void **state)
{
    (void)state;
    static struct view v;
    static struct tui t;
    struct buf b = {0};
    char file[PATH_CAP];
    view_init(&v);
    for (int i = 0; i < 4; i++) {
        v.log[i] = (struct view_log){.at_ms = 1700037927000 + i * 1000, .level = (uint8_t)i};
        snprintf(v.log[i].text, sizeof v.log[i].text, "line %d", i);
    }
    v.n_log = 4;
    t.level = 2;
    assert_int_equal(keep_path(folder, "log", "txt", 1700037927000, file, NULL), OK);
    assert_int_equal(keep_log(&v, &t, file, NULL), OK);
    assert_int_equal(file_read(file, 4096, &b, NULL), OK);
    assert_string_equal(buf_str(&b),
                        "2023-11-15 08:45:29  warn   line 2\n2023-11-15 08:45:30  error  line 3\n");
    assert_int_equal(unlink(file), 0);
    buf_deinit(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_look_comes_back_as_it_was),
        T(what_cannot_be_read_leaves_the_look_alone),
        T(the_lines_shown_are_the_lines_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
