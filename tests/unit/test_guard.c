#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/guard.h"
#include "net/limits.h"
#include "tests/check.h"

static struct guard *make(uint32_t conns_per_address)
{
    const struct guard_config c = {.conns_per_address = conns_per_address};
    struct guard *g = NULL;
    assert_int_equal(guard_create(&c, &g, NULL), OK);
    return g;
}

static struct guard_key v4(uint8_t last)
{
    return guard_key_v4((const uint8_t[]){203, 0, 113, last});
}

static struct guard_key v6(uint8_t net48, uint8_t net64, uint8_t last)
{
    const uint8_t a[16] = {0x20, 0x01, 0x0d, 0xb8, 0, net48, 0, net64, [15] = last};
    return guard_key_v6(a);
}

static struct guard_seat *enter(struct guard *g, struct guard_key k)
{
    struct guard_seat *s = NULL;
    assert_int_equal(guard_enter(g, &k, 1000, &s), GUARD_WELCOME);
    return s;
}

static void guard_address_has_so_many_connections(void **state)
{
    (void)state;
    struct guard *g = make(3);
    struct guard_seat *s[4];
    struct guard_key k = v4(1);
    for (int i = 0; i < 3; i++)
        s[i] = enter(g, k);
    assert_int_equal(guard_enter(g, &k, 1000, &s[3]), GUARD_ADDRESS);
    struct guard_seat *other = enter(g, v4(2));
    assert_ptr_not_equal(other, s[0]);
    guard_leave(s[0]);
    s[0] = enter(g, k);
    assert_ptr_equal(s[0], s[1]);
    for (int i = 0; i < 3; i++)
        guard_leave(s[i]);
    guard_leave(other);
    assert_int_equal(guard_connections(g), 0);
    guard_destroy(g);
}

static void guard_household_is_a_64_and_a_mapped_address_is_the_address(void **state)
{
    (void)state;
    struct guard_key a = v6(1, 1, 1), b = v6(1, 1, 9), c = v6(1, 2, 1);
    const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 203, 0, 113, 7};
    struct guard_key m = guard_key_v6(mapped), d = v4(7);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    assert_memory_equal(&m, &d, sizeof m);
}

static void guard_network_of_many_households_is_bounded(void **state)
{
    (void)state;
    struct guard *g = make(LIMIT_CONNECTIONS_PER_IP);
    struct guard_seat *s[LIMIT_CONNECTIONS_PER_NETWORK];
    struct guard_seat *none = NULL;
    for (size_t i = 0; i < LIMIT_CONNECTIONS_PER_NETWORK; i++)
        s[i] = enter(g, v6(1, (uint8_t)i, 1));
    struct guard_key same = v6(1, 1, 1), elsewhere = v6(2, 1, 1);
    assert_int_equal(guard_enter(g, &same, 1000, &none), GUARD_NETWORK);
    struct guard_seat *e = enter(g, elsewhere);
    for (size_t i = 0; i < LIMIT_CONNECTIONS_PER_NETWORK; i++)
        guard_leave(s[i]);
    guard_leave(e);
    guard_destroy(g);
}

static void guard_fast_comer_waits_and_is_welcome_later(void **state)
{
    (void)state;
    struct guard *g = make(LIMIT_CONNECTIONS_PER_IP);
    struct guard_key k = v4(1);
    struct guard_seat *s = NULL;
    for (int i = 0; i < LIMIT_GREETINGS_BURST; i++)
        guard_leave(enter(g, k));
    assert_int_equal(guard_enter(g, &k, 1000, &s), GUARD_RATE);
    assert_int_equal(guard_enter(g, &k, 1000 + 900 / LIMIT_GREETINGS_PER_S, &s), GUARD_RATE);
    assert_int_equal(guard_enter(g, &k, 1000 + 2000 / LIMIT_GREETINGS_PER_S, &s), GUARD_WELCOME);
    guard_leave(s);
    guard_destroy(g);
}

static void guard_server_is_full_at_its_cap(void **state)
{
    (void)state;
    struct guard *g = make(0);
    struct guard_seat **s = calloc(LIMIT_CONNECTIONS, sizeof(struct guard_seat *));
    struct guard_seat *none = NULL;
    struct guard_key k = v4(1), other = v4(2);
    for (int i = 0; i < LIMIT_CONNECTIONS; i++)
        s[i] = enter(g, k);
    assert_int_equal(guard_enter(g, &other, 1000, &none), GUARD_FULL);
    for (int i = 0; i < LIMIT_CONNECTIONS; i++)
        guard_leave(s[i]);
    free(s);
    guard_destroy(g);
}

/* Addresses that were here and left make room for new ones, whatever their number. */
static void guard_forgets_who_left(void **state)
{
    (void)state;
    struct guard *g = make(4);
    struct guard_seat *stays = enter(g, v6(0, 0, 1));
    for (uint32_t i = 0; i < 5 * LIMIT_CONNECTIONS; i++) {
        struct guard_key k = guard_key_v4((const uint8_t[]){10, 1, (uint8_t)(i >> 8), (uint8_t)i});
        struct guard_seat *s = NULL;
        assert_int_equal(guard_enter(g, &k, (int64_t)i, &s), GUARD_WELCOME);
        assert_ptr_not_equal(s, stays);
        guard_leave(s);
    }
    assert_int_equal(guard_connections(g), 1);
    guard_leave(stays);
    guard_destroy(g);
}

/* ---- bytes ---- */

struct wish {
    struct guard_claim c;
    int *n_placed;
    int at;
};

static void placed(struct guard_claim *c)
{
    struct wish *w = (struct wish *)(void *)c;
    w->at = ++*w->n_placed;
}

static void wish(struct wish *w, struct guard_seat *s, uint64_t n, int *n_placed)
{
    *w = (struct wish){
        .c = {.seat = s, .n = n, .placed = placed},
          .n_placed = n_placed
    };
    guard_claim(&w->c);
}

static void guard_places_in_the_order_of_asking(void **state)
{
    (void)state;
    int n = 0;
    struct wish w[3];
    struct guard *g = make(0);
    struct guard_seat *s = enter(g, v4(1));
    assert_true(guard_hold(s, LIMIT_PROMISED_BYTES - 10));
    wish(&w[0], s, 20, &n);
    wish(&w[1], s, 5, &n); /* would fit, but came later */
    wish(&w[2], s, 30, &n);
    assert_int_equal(n, 0);
    guard_release(s, 20);
    assert_int_equal(w[0].at, 1);
    assert_int_equal(w[1].at, 2);
    assert_int_equal(w[2].at, 0);
    guard_release(s, LIMIT_PROMISED_BYTES - 30);
    assert_int_equal(w[2].at, 3);
    assert_int_equal(guard_held(g), 55);
    guard_release(s, 55);
    guard_leave(s);
    guard_destroy(g);
}

static void guard_greedy_address_steps_aside(void **state)
{
    (void)state;
    int n = 0;
    struct wish w[2];
    struct guard *g = make(LIMIT_CONNECTIONS_PER_IP);
    struct guard_seat *greedy = enter(g, v4(1));
    struct guard_seat *other = enter(g, v4(2));
    assert_true(guard_hold(greedy, LIMIT_PROMISED_PER_ADDRESS));
    wish(&w[0], greedy, 1, &n);
    wish(&w[1], other, 1000, &n);
    assert_int_equal(w[1].at, 1);
    assert_int_equal(w[0].at, 0);
    assert_true(guard_hold(greedy, LIMIT_HELD_PER_ADDRESS - LIMIT_PROMISED_PER_ADDRESS));
    assert_false(guard_hold(greedy, 1));
    assert_true(guard_hold(other, 1));
    guard_claim_drop(&w[0].c);
    guard_claim_drop(&w[0].c);
    assert_int_equal(guard_waiting(g), 0);
    guard_release(greedy, LIMIT_HELD_PER_ADDRESS);
    guard_release(other, 1001);
    guard_leave(greedy);
    guard_leave(other);
    guard_destroy(g);
}

static void guard_claim_given_up_lets_the_next_one_in(void **state)
{
    (void)state;
    int n = 0;
    struct wish w[2];
    struct guard *g = make(0);
    struct guard_seat *s = enter(g, v4(1));
    assert_true(guard_hold(s, LIMIT_PROMISED_BYTES - 10));
    wish(&w[0], s, 20, &n);
    wish(&w[1], s, 10, &n);
    guard_claim_drop(&w[0].c);
    assert_int_equal(w[1].at, 1);
    guard_release(s, LIMIT_PROMISED_BYTES);
    guard_leave(s);
    guard_destroy(g);
}

static void guard_keeps_blocks_that_are_needed_and_returns_the_others(void **state)
{
    (void)state;
    struct guard *g = make(0);
    void *b[4];
    for (int i = 0; i < 4; i++) {
        b[i] = guard_block(g);
        assert_non_null(b[i]);
        assert_int_equal((uintptr_t)b[i] % 4096, 0);
        memset(b[i], i, GUARD_BLOCK_BYTES);
    }
    alloc_fail_nth(0);
    for (int i = 0; i < 4; i++)
        guard_block_return(g, b[i]);
    assert_ptr_equal(guard_block(g), b[3]); /* the newest is the warmest */
    assert_int_equal(alloc_count(), 0);
    guard_trim(g); /* none was spare all the time */
    guard_trim(g); /* three were: two go */
    guard_block_return(g, b[3]);
    for (int i = 0; i < 2; i++)
        b[i] = guard_block(g);
    assert_int_equal(alloc_count(), 0);
    b[2] = guard_block(g);
    assert_int_equal(alloc_count(), 1);
    alloc_fail_nth(1);
    assert_null(guard_block(g));
    alloc_fail_nth(0);
    for (int i = 0; i < 3; i++)
        guard_block_return(g, b[i]);
    guard_destroy(g); /* with all its blocks: the leak checker sees */
}

static void guard_outlives_its_owner_while_bytes_are_held(void **state)
{
    (void)state;
    struct guard *g = make(0);
    struct guard_seat *s = enter(g, v4(1));
    assert_true(guard_hold(s, 7));
    guard_leave(s);
    guard_destroy(g);
    guard_release(s, 7); /* frees it: the leak checker sees */
    guard_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(guard_address_has_so_many_connections),
        cmocka_unit_test(guard_household_is_a_64_and_a_mapped_address_is_the_address),
        cmocka_unit_test(guard_network_of_many_households_is_bounded),
        cmocka_unit_test(guard_fast_comer_waits_and_is_welcome_later),
        cmocka_unit_test(guard_server_is_full_at_its_cap),
        cmocka_unit_test(guard_forgets_who_left),
        cmocka_unit_test(guard_places_in_the_order_of_asking),
        cmocka_unit_test(guard_greedy_address_steps_aside),
        cmocka_unit_test(guard_claim_given_up_lets_the_next_one_in),
        cmocka_unit_test(guard_keeps_blocks_that_are_needed_and_returns_the_others),
        cmocka_unit_test(guard_outlives_its_owner_while_bytes_are_held),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
