#include "aggregator/round_seat.h"
#include "tests/unit/roundrig.h"

static void a_seat_is_found_again_and_given_once(void **state)
{
    struct rig g;
    struct key_pub k = rig_key(5);
    (void)state;
    rig_start(&g);
    assert_null(round_seat_find(&g.r, &k));
    struct round_seat *s = round_seat_take(&g.r, &k, 10);
    assert_ptr_equal(round_seat_take(&g.r, &k, 20), s);
    assert_ptr_equal(round_seat_find(&g.r, &k), s);
    assert_int_equal(s->seen_ms, 20);
    round_deinit(&g.r);
}

static void a_seat_is_active_until_it_was_silent_for_too_long(void **state)
{
    struct round_seat s = {.is_used = true, .seen_ms = 1000};
    (void)state;
    assert_true(round_seat_is_active(&s, 1000 + ROUND_ACTIVE_MS));
    assert_false(round_seat_is_active(&s, 1001 + ROUND_ACTIVE_MS));
    s.is_paused = true;
    assert_false(round_seat_is_active(&s, 1000));
}

static void slot_ids_depend_on_round_contributor_and_secret(void **state)
{
    struct rig g;
    struct key_pub a = rig_key(1), b = rig_key(2);
    char first[MSG_ID_HEX], other[MSG_ID_HEX];
    (void)state;
    rig_start(&g);
    round_seat_make_id(&g.r, &a, first);
    round_seat_make_id(&g.r, &a, other);
    assert_string_equal(first, other);
    round_seat_make_id(&g.r, &b, other);
    assert_string_not_equal(first, other);
    g.r.round = 1;
    round_seat_make_id(&g.r, &a, other);
    assert_string_not_equal(first, other);
    g.r.round = 0;
    g.r.cfg.secret[31] = 1;
    round_seat_make_id(&g.r, &a, other);
    assert_string_not_equal(first, other);
    round_deinit(&g.r);
}

static void an_empty_id_belongs_to_nobody(void **state)
{
    struct rig g;
    (void)state;
    rig_start(&g);
    rig_see(&g, 1);
    assert_null(round_seat_by_id(&g.r, ""));
    round_deinit(&g.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seat_is_found_again_and_given_once),
        cmocka_unit_test(a_seat_is_active_until_it_was_silent_for_too_long),
        cmocka_unit_test(slot_ids_depend_on_round_contributor_and_secret),
        cmocka_unit_test(an_empty_id_belongs_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
