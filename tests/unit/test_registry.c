#include <math.h>
#include <string.h>

#include "aggregator/registry.h"
#include "tests/check.h"

static struct registry g;

static int set_up(void **state)
{
    (void)state;
    memset(&g, 0, sizeof g);
    return 0;
}

static void a_session_is_found_until_the_next_join(void **state)
{
    struct key_pub k = {{1}};
    char session[MSG_ID_HEX];
    (void)state;
    memcpy(session, registry_join(&g, &k, "Ada", 5)->session, MSG_ID_HEX);
    assert_non_null(registry_find(&g, session));
    assert_null(registry_find(&g, "0"));
    assert_null(registry_find(&g, NULL));
    registry_join(&g, &k, "Ada", 6);
    assert_null(registry_find(&g, session));
    assert_int_equal(g.n, 1);
}

static void a_goodbye_ends_the_session_and_keeps_the_row(void **state)
{
    struct key_pub k = {{1}};
    char session[MSG_ID_HEX];
    (void)state;
    struct registry_row *r = registry_join(&g, &k, "Ada", 5);
    memcpy(session, r->session, MSG_ID_HEX);
    registry_leave(r);
    assert_null(registry_find(&g, session));
    assert_null(registry_find(&g, ""));
    assert_false(registry_is_here(r, 5));
    assert_string_equal(registry_of(&g, &k)->name, "Ada");
    registry_join(&g, &k, "Ada", 6);
    assert_int_equal(g.n, 1);
    assert_true(registry_is_here(registry_of(&g, &k), 6));
}

static void polls_tell_state_and_speed(void **state)
{
    struct key_pub k = {{1}};
    struct registry_row *r = registry_join(&g, &k, "", 5);
    (void)state;
    registry_note(r, "paused", "12.5", 9);
    assert_int_equal(r->state, REGISTRY_PAUSED);
    assert_float_equal(r->tok_per_s, 12.5, 0);
    registry_note(r, "dancing", "nonsense", 10);
    assert_int_equal(r->state, REGISTRY_PAUSED);
    assert_float_equal(r->tok_per_s, 12.5, 0);
    registry_note(r, "training", "-1", 10);
    registry_note(r, "training", "inf", 10);
    registry_note(r, "training", "nan", 10);
    assert_float_equal(r->tok_per_s, 12.5, 0);
}

static void speed_is_of_those_who_are_here_and_training(void **state)
{
    struct key_pub a = {{1}}, b = {{2}}, c = {{3}};
    (void)state;
    assert_true(isnan(registry_speed(&g, 0)));
    registry_note(registry_join(&g, &a, "", 0), "training", "10", 0);
    registry_note(registry_join(&g, &b, "", 0), "paused", "100", 90000);
    registry_note(registry_join(&g, &c, "", 0), "training", "5", 90000);
    assert_float_equal(registry_speed(&g, 10), 15, 0);
    assert_float_equal(registry_speed(&g, 90000), 5, 0);
    assert_int_equal(registry_n_here(&g, 90000), 2);
}

static void the_longest_unseen_makes_room(void **state)
{
    struct key_pub first = {
        {0, 0, 9}
    };
    (void)state;
    registry_join(&g, &first, "", 0);
    for (int i = 1; i <= REGISTRY_MAX; i++) {
        struct key_pub k = {
            {(uint8_t)i, (uint8_t)(i >> 8)}
        };
        registry_join(&g, &k, "", i);
    }
    assert_int_equal(g.n, REGISTRY_MAX);
    assert_null(registry_of(&g, &first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_session_is_found_until_the_next_join, set_up),
        cmocka_unit_test_setup(a_goodbye_ends_the_session_and_keeps_the_row, set_up),
        cmocka_unit_test_setup(polls_tell_state_and_speed, set_up),
        cmocka_unit_test_setup(speed_is_of_those_who_are_here_and_training, set_up),
        cmocka_unit_test_setup(the_longest_unseen_makes_room, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
