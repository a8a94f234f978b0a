#include "aggregator/setup.h"
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

static void a_home_gets_keys_and_a_port_once(void **state)
{
    char dir[PATH_CAP], host[SETUP_HOST_CAP];
    uint16_t port = 0;
    (void)state;
    scratch_make(dir);
    assert_int_equal(setup_set(&s, "listen", "127.0.0.1:0", &e), OK);
    assert_int_equal(setup_create(&s, dir, &e), OK);
    assert_int_equal(setup_split(s.listen_addr, host, &port, &e), OK);
    assert_int_not_equal(port, 0);
    scratch_write(dir, "run.potluck", "x", 1);
    assert_int_equal(setup_create(&s, dir, &e), ERR_WRONG_STATE);
    scratch_remove(dir);
}

#define CASE(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_defaults_are_a_usable_run),
        CASE(the_last_of_steps_and_seconds_decides),
        CASE(the_schedule_ends_with_the_last_round),
        CASE(a_value_out_of_bounds_is_told_with_them),
        CASE(choices_that_do_not_fit_together_are_told),
        CASE(addresses_are_taken_apart),
        CASE(choices_survive_being_written),
        CASE(a_home_gets_keys_and_a_port_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
