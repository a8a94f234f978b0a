#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "client/config.h"
#include "tests/check.h"

static struct config defaults(void)
{
    struct config c;
    config_init(&c);
    return c;
}

static int parse(struct config *c, const char *text, struct err *e)
{
    return config_parse(c, text, strlen(text), e);
}

static void every_default_is_a_value_of_its_own_setting(void **state)
{
    (void)state;
    struct config c = defaults();
    for (int i = 0; i < CONFIG_KEYS; i++) {
        assert_int_equal(c.v[i].source, CONFIG_DEFAULT);
        assert_string_equal(c.v[i].text, config_item((enum config_key)i)->standard);
        assert_int_equal(config_find(config_item((enum config_key)i)->name), i);
    }
    assert_string_equal(c.v[CONFIG_GEAR_IN_USE].text, "gentle");
}

static void a_file_sets_what_it_names_and_no_more(void **state)
{
    (void)state;
    struct config c = defaults();
    assert_int_equal(
        parse(&c,
              "version = 1\n\n  # a comment\ncores = 3 # here too\n\tgear_idle=full\r\n"
              "pause_while = steam, obs",
              NULL),
        OK);
    assert_int_equal(c.v[CONFIG_CORES].n, 3);
    assert_int_equal(c.v[CONFIG_CORES].source, CONFIG_FILE);
    assert_string_equal(c.v[CONFIG_GEAR_IDLE].text, "full");
    assert_string_equal(c.v[CONFIG_PAUSE_WHILE].text, "steam, obs");
    assert_int_equal(c.v[CONFIG_DUTY].source, CONFIG_DEFAULT);
    assert_false(c.is_old);
}

static void slips_name_the_line_and_what_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what, *hint;
    } t[] = {
        {"version = 1\ncoers = 2\n",     "line 2: there is no setting 'coers'",   "cores"         },
        {"version = 1\ncores = many\n",  "line 2: cores cannot be 'many'",        "0 to 64"       },
        {"version = 1\ncores = 65\n",    "line 2: cores cannot be '65'",          "0 to 64"       },
        {"version = 1\ncores = -1\n",    "line 2: cores cannot be '-1'",          "0 to 64"       },
        {"gear_idle = ful\n",            "line 1: gear_idle cannot be 'ful'",     "full"          },
        {"version = 1\nheat_limit_c=9",  "line 2: heat_limit_c cannot be '9'",    "40 to 110"     },
        {"version = 1\nhours = night\n", "line 2: 'night' is no stretch",         "always"        },
        {"cores = 1\ncores = 2\n",       "line 2: cores stands here a second",    "one of the"    },
        {"just words\n",                 "line 1:",                               "name = value"  },
        {"version = 1\nthreads = 2\n",   "line 2: there is no setting 'threads'", "config list"   },
        {"pause_while = /bin/sh\n",      "line 1: pause_while is no list",        "without a path"},
        {"pause_while = a,,b\n",         "line 1: pause_while is no list",        "without a path"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct config c = defaults();
        struct err e = {0};
        assert_int_equal(parse(&c, t[i].text, &e), ERR_PROTO);
        assert_non_null(strstr(e.what, t[i].what));
        assert_non_null(strstr(e.hint, t[i].hint));
        assert_int_equal(c.v[CONFIG_CORES].source, CONFIG_DEFAULT);
    }
}

static void a_newer_file_is_left_alone(void **state)
{
    (void)state;
    struct config c = defaults();
    struct err e = {0};
    assert_int_equal(parse(&c, "version = 2\n", &e), ERR_VERSION);
    assert_int_equal(parse(&c, "version = x\n", &e), ERR_PROTO);
}

static void an_old_file_is_taken_and_written_anew(void **state)
{
    (void)state;
    static const char old[] = "# mine\nthreads = 4\nsave = 60\n";
    struct config c = defaults();
    struct buf out = {0};
    assert_int_equal(parse(&c, old, NULL), OK);
    assert_true(c.is_old);
    assert_int_equal(c.v[CONFIG_CORES].n, 4);
    assert_int_equal(c.v[CONFIG_SAVE].n, 60);
    assert_int_equal(config_edit(old, sizeof old - 1, CONFIG_CORES, "2", &out, NULL), OK);
    assert_string_equal(buf_str(&out), "version = 1\n# mine\ncores = 2\nsave_every_s = 60\n");
    buf_deinit(&out);
}

static void an_edit_changes_one_line_and_keeps_the_rest(void **state)
{
    (void)state;
    static const char text[] = "version = 1\n# why\ncores = 2 # old\n#hours = always\nend_is_here";
    static const char fine[] = "version = 1\n# why\ncores = 2 # old\n#hours = always\n";
    struct buf out = {0};
    struct err e = {0};
    assert_int_equal(config_edit(text, sizeof text - 1, CONFIG_CORES, "3", &out, &e), ERR_PROTO);
    buf_clear(&out);
    assert_int_equal(config_edit(fine, sizeof fine - 1, CONFIG_HOURS, "22:00-06:00", &out, &e), OK);
    assert_string_equal(buf_str(&out),
                        "version = 1\n# why\ncores = 2 # old\nhours = 22:00-06:00\n");
    buf_clear(&out);
    assert_int_equal(config_edit(fine, sizeof fine - 1, CONFIG_CORES, NULL, &out, &e), OK);
    assert_string_equal(buf_str(&out), "version = 1\n# why\n#cores = 0\n#hours = always\n");
    buf_clear(&out);
    assert_int_equal(config_edit(fine, sizeof fine - 1, CONFIG_SAVE, "0", &out, &e), ERR_ARG);
    buf_deinit(&out);
}

static void the_documented_file_sets_nothing(void **state)
{
    (void)state;
    struct buf out = {0}, edited = {0};
    struct config c = defaults();
    config_template(&out);
    assert_int_equal(config_parse(&c, out.p, out.len, NULL), OK);
    for (int i = 0; i < CONFIG_KEYS; i++)
        assert_int_equal(c.v[i].source, CONFIG_DEFAULT);
    assert_int_equal(config_edit(NULL, 0, CONFIG_DUTY, "50", &edited, NULL), OK);
    assert_non_null(strstr(buf_str(&edited), "\nduty_percent = 50\n"));
    assert_null(strstr(buf_str(&edited), "#duty_percent"));
    buf_deinit(&out);
    buf_deinit(&edited);
}

static const char *look(const char *name, void *ctx)
{
    (void)ctx;
    if (strcmp(name, "POTLUCK_CORES") == 0) return "2";
    if (strcmp(name, "POTLUCK_GEAR_IDLE") == 0) return "full";
    return NULL;
}

static void the_stronger_source_wins(void **state)
{
    (void)state;
    struct config c = defaults();
    assert_int_equal(config_take(&c, CONFIG_CORES, "1", CONFIG_FLAG, NULL), OK);
    assert_int_equal(config_environment(&c, look, NULL, NULL), OK);
    assert_int_equal(parse(&c, "gear_idle = gentle\ncores = 5\nsave_every_s = 9\n", NULL), OK);
    assert_int_equal(c.v[CONFIG_CORES].n, 1);
    assert_string_equal(c.v[CONFIG_GEAR_IDLE].text, "full");
    assert_int_equal(c.v[CONFIG_GEAR_IDLE].source, CONFIG_ENVIRONMENT);
    assert_int_equal(c.v[CONFIG_SAVE].n, 9);
    struct err e = {0};
    assert_int_equal(config_take(&c, CONFIG_PAUSE_WHILE, "steam, a#b", CONFIG_FLAG, &e), ERR_ARG);
    assert_int_equal(config_take(&c, CONFIG_SAVE, "soon", CONFIG_FLAG, &e), ERR_ARG);
    assert_int_equal(c.v[CONFIG_SAVE].n, 9);
}

static void a_setting_is_kept_on_disk(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_config.XXXXXX", path[128], folder[64];
    assert_non_null(mkdtemp(dir));
    snprintf(folder, sizeof folder, "%s/a", dir);
    snprintf(path, sizeof path, "%s/potluck.conf", folder);
    struct config c;
    struct err e = {0};
    assert_int_equal(config_file_read(&c, path, &e), OK); /* none: defaults */
    assert_int_equal(config_file_set(path, CONFIG_CORES, "7", &e), OK);
    assert_int_equal(config_file_set(path, CONFIG_GEAR_IDLE, "off", &e), OK);
    assert_int_equal(config_file_read(&c, path, &e), OK);
    assert_int_equal(c.v[CONFIG_CORES].n, 7);
    assert_string_equal(c.v[CONFIG_GEAR_IDLE].text, "off");
    assert_int_equal(config_file_set(path, CONFIG_CORES, "x", &e), ERR_ARG);
    assert_int_equal(file_replace(path, "what", 4, 0600, &e), OK);
    assert_int_equal(config_file_set(path, CONFIG_CORES, "1", &e), ERR_PROTO);
    assert_int_equal(config_file_read(&c, path, &e), ERR_PROTO);
    assert_int_equal(c.v[CONFIG_CORES].n, 7);
    unlink(path);
    rmdir(folder);
    rmdir(dir);
}

static void a_list_says_where_each_value_comes_from(void **state)
{
    (void)state;
    struct config c = defaults();
    struct buf out = {0};
    assert_int_equal(config_take(&c, CONFIG_CORES, "2", CONFIG_FLAG, NULL), OK);
    config_text(&c, "/x/potluck.conf", &out);
    assert_non_null(strstr(buf_str(&out), "cores                 2 cores            flag"));
    assert_non_null(strstr(buf_str(&out), "duty_percent          as the gear says   default"));
    buf_clear(&out);
    assert_int_equal(config_json(&c, "/x", NULL, &out, NULL), OK);
    assert_non_null(strstr(buf_str(&out), "\"key\":\"cores\""));
    assert_non_null(strstr(buf_str(&out), "\"source\":\"flag\""));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_a_value_of_its_own_setting),
        cmocka_unit_test(a_file_sets_what_it_names_and_no_more),
        cmocka_unit_test(slips_name_the_line_and_what_was_meant),
        cmocka_unit_test(a_newer_file_is_left_alone),
        cmocka_unit_test(an_old_file_is_taken_and_written_anew),
        cmocka_unit_test(an_edit_changes_one_line_and_keeps_the_rest),
        cmocka_unit_test(the_documented_file_sets_nothing),
        cmocka_unit_test(the_stronger_source_wins),
        cmocka_unit_test(a_setting_is_kept_on_disk),
        cmocka_unit_test(a_list_says_where_each_value_comes_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
