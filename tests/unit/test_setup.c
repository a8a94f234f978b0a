#include "aggregator/setup.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/unit/scratch.h"

static struct setup s;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    setup_defaults(&s);
    assert_int_equal(setup_set(&s, "name", "soup", &e), OK);
    return 0;
}

static void the_defaults_are_a_usable_run(void **state)
{
    (void)state;
    assert_int_equal(setup_check(&s, &e), OK);
    assert_true(s.seed > 0 && s.max_inner_steps > 0 && s.intermediate == 688);
}

static void the_last_of_steps_and_seconds_decides(void **state)
{
    (void)state;
    assert_int_equal(setup_set(&s, "inner-steps", "15", &e), OK);
    assert_int_equal(s.inner_seconds, 0);
    assert_int_equal(setup_set(&s, "inner-seconds", "60", &e), OK);
    assert_int_equal(s.inner_steps, 0);
}

static void steps_ahead_are_fewer_than_a_rounds_steps(void **state)
{
    (void)state;
    assert_int_equal(setup_set(&s, "ahead-steps", "15", &e), OK);
    assert_int_equal(setup_check(&s, &e),
                     OK); /* time decides: the most steps are chosen, and many */
    assert_int_equal(setup_set(&s, "inner-steps", "15", &e), OK);
    assert_int_equal(setup_check(&s, &e), ERR_ARG);
    assert_int_equal(setup_set(&s, "ahead-steps", "14", &e), OK);
    assert_int_equal(setup_check(&s, &e), OK);
}

static void the_schedule_ends_with_the_last_round(void **state)
{
    (void)state;
    s.rounds = 50;
    assert_int_equal(setup_check(&s, &e), OK); /* 30 s, 4 steps a second */
    assert_int_equal(s.total_steps, 50 * 30 * 4);
    s.total_steps = 0;
    s.rounds = 0;
    assert_int_equal(setup_check(&s, &e), OK);
    assert_int_equal(s.total_steps, 10000000);
    s.total_steps = s.max_inner_steps = 0;
    s.rounds = 1000000000;
    s.inner_seconds = 20000;
    assert_int_equal(setup_check(&s, &e), OK);
    assert_int_equal(s.total_steps, 1000000000); /* can be read back */
    assert_int_equal(s.max_inner_steps, 1000000);
}

static void a_value_out_of_bounds_is_told_with_them(void **state)
{
    (void)state;
    assert_int_equal(setup_set(&s, "hidden", "7", &e), ERR_ARG);
    assert_non_null(strstr(e.what, "between 16 and 65536"));
    assert_int_equal(setup_set(&s, "hidden", "64x", &e), ERR_ARG);
    assert_int_equal(setup_set(&s, "hidden", "64.5", &e), ERR_ARG);
    assert_int_equal(setup_set(&s, "lr", "nan", &e), ERR_ARG);
    assert_int_equal(setup_set(&s, "nonsense", "1", &e), ERR_ARG);
    assert_int_equal(s.hidden, 256);
}

static void choices_that_do_not_fit_together_are_told(void **state)
{
    (void)state;
    s.heads = 7;
    assert_int_equal(setup_check(&s, &e), ERR_ARG);
    setup_defaults(&s);
    assert_int_equal(setup_check(&s, &e), ERR_ARG); /* no name */
    assert_non_null(strstr(e.hint, "--name"));
    strcpy(s.name, "x");
    strcpy(s.listen_addr, "0.0.0.0:7333");
    assert_int_equal(setup_check(&s, &e), ERR_ARG); /* nobody can connect to that */
    assert_non_null(strstr(e.hint, "--public"));
    s.k = 64;
    s.chunk = 32;
    strcpy(s.public_addr, "example.org:7333");
    assert_int_equal(setup_check(&s, &e), ERR_ARG);
}

static void addresses_are_taken_apart(void **state)
{
    char host[SETUP_HOST_CAP];
    uint16_t port = 0;
    (void)state;
    assert_int_equal(setup_split("[::1]:80", host, &port, &e), OK);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 80);
    assert_int_equal(setup_split("example.org:7333", host, &port, &e), OK);
    assert_string_equal(host, "example.org");
    static const char *const bad[] = {"", ":", "host", "host:", ":80", "host:x", "host:70000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(setup_split(bad[i], host, &port, &e), ERR_ARG);
}

static void choices_survive_being_written(void **state)
{
    char dir[PATH_CAP];
    struct setup got;
    (void)state;
    scratch_make(dir);
    assert_int_equal(setup_load(dir, &got, &e), ERR_NOTFOUND);
    s.lr = 0.00123;
    s.rounds = 12;
    assert_int_equal(setup_save(&s, dir, &e), OK);
    assert_int_equal(setup_load(dir, &got, &e), OK);
    assert_memory_equal(&got, &s, sizeof s);
    scratch_remove(dir);
}

/* A home that was made before --from existed. */
static void choices_of_an_older_version_are_read(void **state)
{
    char dir[PATH_CAP], path[PATH_CAP];
    struct setup got;
    struct buf b = {0};
    json_t *o = NULL;
    (void)state;
    scratch_make(dir);
    assert_int_equal(setup_save(&s, dir, &e), OK);
    assert_int_equal(path_format(path, "%s/aggregator.json", dir), 0);
    assert_int_equal(file_read(path, 65536, &b, &e), OK);
    assert_int_equal(json_parse(b.p, b.len, &o, &e), OK);
    assert_int_equal(json_object_del(o, "from"), 0);
    buf_clear(&b);
    assert_int_equal(json_write(o, &b, &e), OK);
    scratch_write(dir, "aggregator.json", b.p, b.len);
    assert_int_equal(setup_load(dir, &got, &e), OK);
    assert_memory_equal(&got, &s, sizeof s);
    json_decref(o);
    buf_deinit(&b);
    scratch_remove(dir);
}

static void a_home_gets_keys_and_a_port_once(void **state)
{
    char dir[PATH_CAP], host[SETUP_HOST_CAP];
    uint16_t port = 0;
    (void)state;
    scratch_make(dir);
    assert_int_equal(setup_set(&s, "listen", "127.0.0.1:0", &e), OK);
    assert_int_equal(setup_create(&s, NULL, dir, &e), OK);
    assert_int_equal(setup_split(s.listen_addr, host, &port, &e), OK);
    assert_int_not_equal(port, 0);
    scratch_write(dir, "run.potluck", "x", 1);
    assert_int_equal(setup_create(&s, NULL, dir, &e), ERR_WRONG_STATE);
    scratch_remove(dir);
}

static int create_with(const char *const args[][2], size_t n, const char *home)
{
    setup_defaults(&s);
    assert_int_equal(setup_set(&s, "name", "soup", &e), OK);
    for (size_t i = 0; i < n && args[i][0]; i++)
        assert_int_equal(setup_set(&s, args[i][0], args[i][1], &e), OK);
    return setup_create(&s, NULL, home, &e);
}

static void choices_that_no_run_can_have_are_refused_and_nothing_is_written(void **state)
{
    static const char *const bad[][2][2] = {
        {{"outer-lr", "50"}        },
        {{"hidden", "24"},           {"heads", "8"}}, /* heads of width 3 */
        {{"public", "x:0"}                         },
        {{"inner-steps", "20"}, {"max-inner-steps", "10"}},
        {{"batch", "65536"}, {"seq", "65536"}},
        {{"public", "a b:1"}        },
    };
    char dir[PATH_CAP], home[PATH_CAP];
    (void)state;
    scratch_make(dir);
    assert_int_equal(path_format(home, "%s/home", dir), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&e, 0, sizeof e);
        if (create_with(bad[i], 2, home) != ERR_ARG) fail_msg("case %zu is taken", i);
        assert_true(e.code == ERR_ARG && e.what[0]);
        assert_int_not_equal(access(home, F_OK), 0);
    }
    static const char *const long_phase[1][2] = {
        {"inner-seconds", "20000"}
    };
    assert_int_equal(create_with(long_phase, 1, home), OK);
    scratch_remove(dir);
}

static void a_second_init_changes_nothing(void **state)
{
    char dir[PATH_CAP];
    struct setup got;
    (void)state;
    scratch_make(dir);
    assert_int_equal(setup_create(&s, NULL, dir, &e), OK);
    assert_int_equal(setup_set(&s, "name", "stew", &e), OK);
    assert_int_equal(setup_create(&s, NULL, dir, &e), ERR_WRONG_STATE);
    assert_true(e.hint[0]);
    assert_int_equal(setup_load(dir, &got, &e), OK);
    assert_string_equal(got.name, "soup");
    scratch_remove(dir);
}

static void every_public_address_is_kept_in_order(void **state)
{
    char host[SETUP_HOST_CAP];
    uint16_t port = 0;
    (void)state;
    assert_int_equal(setup_address(&s, 0, host, &port, &e), OK);
    assert_int_equal(port, 7333);
    assert_int_equal(setup_set(&s, "public", "b.example:2", &e), OK);
    assert_int_equal(setup_set(&s, "public", "[::1]:1", &e), OK);
    assert_int_equal(setup_check(&s, &e), OK);
    assert_int_equal(setup_address(&s, 0, host, &port, &e), OK);
    assert_string_equal(host, "b.example");
    assert_int_equal(setup_address(&s, 1, host, &port, &e), OK);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 1);
    assert_int_equal(setup_address(&s, 2, host, &port, &e), ERR_NOTFOUND);
    assert_int_equal(setup_set(&s, "public", "a:1,b:2", &e), ERR_ARG);
    for (int i = 2; i < SETUP_MAX_PUBLIC; i++)
        assert_int_equal(setup_set(&s, "public", "c:3", &e), OK);
    assert_int_equal(setup_set(&s, "public", "d:4", &e), ERR_ARG);
}

#define CASE(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_defaults_are_a_usable_run),
        CASE(the_last_of_steps_and_seconds_decides),
        CASE(steps_ahead_are_fewer_than_a_rounds_steps),
        CASE(the_schedule_ends_with_the_last_round),
        CASE(a_value_out_of_bounds_is_told_with_them),
        CASE(choices_that_do_not_fit_together_are_told),
        CASE(addresses_are_taken_apart),
        CASE(choices_survive_being_written),
        CASE(choices_of_an_older_version_are_read),
        CASE(a_home_gets_keys_and_a_port_once),
        CASE(choices_that_no_run_can_have_are_refused_and_nothing_is_written),
        CASE(a_second_init_changes_nothing),
        CASE(every_public_address_is_kept_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
