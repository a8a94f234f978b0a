#include <stdio.h>
#include <string.h>

#include "aggregator/admit.h"
#include "tests/check.h"

static struct admit_gate gate;

static struct admit_facts invited(void)
{
    return (struct admit_facts){.is_private = true,
                                .has_code = true,
                                .is_code_ours = true,
                                .invite = {.max_uses = 2},
                                .now_ms = 1000};
}

static void a_public_run_asks_for_a_key_and_nothing_else(void **state)
{
    (void)state;
    struct admit_facts f = {0};
    assert_int_equal(admit_decide(&f), ADMIT_NEW);
    f.how = ADMIT_PUBLIC;
    assert_int_equal(admit_decide(&f), ADMIT_IN);
    f.has_code = true; /* a code is neither needed nor spent */
    f.how = ADMIT_STRANGER;
    assert_int_equal(admit_decide(&f), ADMIT_NEW);
    assert_false(admit_spends_code(&f));
}

static void a_private_run_wants_a_good_code_once(void **state)
{
    (void)state;
    struct admit_facts f = invited();
    assert_int_equal(admit_decide(&f), ADMIT_NEW);
    assert_true(admit_spends_code(&f));
    f.how = ADMIT_INVITED; /* afterwards the code may expire, be used up or be withdrawn */
    f.invite =
        (struct admit_invite){.max_uses = 1, .n_uses = 1, .expires_ms = 1, .is_revoked = true};
    assert_int_equal(admit_decide(&f), ADMIT_IN);
    assert_false(admit_spends_code(&f));
    f.has_code = false;
    assert_int_equal(admit_decide(&f), ADMIT_IN);
}

static void each_bad_code_has_its_own_answer(void **state)
{
    (void)state;
    struct admit_facts f = invited();
    f.has_code = false;
    assert_int_equal(admit_decide(&f), ADMIT_NO_CODE);
    f = invited();
    f.is_code_ours = false;
    assert_int_equal(admit_decide(&f), ADMIT_BAD_CODE);
    f = invited();
    f.invite.n_uses = 1;
    assert_int_equal(admit_decide(&f), ADMIT_NEW);
    f.invite.n_uses = 2;
    assert_int_equal(admit_decide(&f), ADMIT_USED_CODE);
    f.invite.max_uses = 0; /* any number */
    assert_int_equal(admit_decide(&f), ADMIT_NEW);
    f.invite.expires_ms = 1001;
    assert_int_equal(admit_decide(&f), ADMIT_NEW);
    f.invite.expires_ms = 1000;
    assert_int_equal(admit_decide(&f), ADMIT_OLD_CODE);
    f.invite.is_revoked = true;
    assert_int_equal(admit_decide(&f), ADMIT_REVOKED_CODE);
}

static void the_list_counts_in_both_directions(void **state)
{
    (void)state;
    struct admit_facts f = {.is_private = true, .how = ADMIT_LISTED};
    assert_int_equal(admit_decide(&f), ADMIT_IN);
    f = invited();
    f.how = ADMIT_REMOVED; /* no code brings it back */
    assert_int_equal(admit_decide(&f), ADMIT_TAKEN_OFF);
    f.is_private = false;
    assert_int_equal(admit_decide(&f), ADMIT_TAKEN_OFF);
    f = (struct admit_facts){.is_private = true,
                             .how = ADMIT_PUBLIC}; /* the run was made private */
    assert_int_equal(admit_decide(&f), ADMIT_NO_CODE);
}

static void a_puzzle_is_for_new_keys(void **state)
{
    (void)state;
    struct admit_facts f = {.needs_proof = true};
    assert_int_equal(admit_decide(&f), ADMIT_NO_PROOF);
    f.has_proof = true;
    assert_int_equal(admit_decide(&f), ADMIT_NEW);
    f.has_proof = false;
    f.how = ADMIT_PUBLIC;
    assert_int_equal(admit_decide(&f), ADMIT_IN);
    f = invited();
    f.needs_proof = true;
    assert_int_equal(admit_decide(&f), ADMIT_NO_PROOF);
    assert_false(admit_spends_code(&f));
    f.has_code = false; /* what cannot help is not asked for */
    assert_int_equal(admit_decide(&f), ADMIT_NO_CODE);
}

static void every_refusal_says_what_to_do(void **state)
{
    (void)state;
    assert_null(admit_problem(ADMIT_IN));
    assert_null(admit_problem(ADMIT_NEW));
    for (int a = ADMIT_NO_CODE; a < ADMIT_ANSWERS; a++) {
        const struct admit_problem *p = admit_problem((enum admit_answer)a);
        assert_non_null(p);
        assert_true(p->status == 403 || p->status == 429 || p->status == 503);
        assert_int_equal(strncmp(p->type, "potluck:problem/", 16), 0);
        assert_true(p->detail[0] && p->hint[0]);
        assert_true(strlen(p->detail) + strlen(p->hint) < 150); /* one line on a screen */
    }
}

static uint32_t passes(const char *address, int64_t now_ms)
{
    uint32_t n = 0;
    int64_t wait = 0;
    while (n < 10000 && admit_gate_pass(&gate, address, now_ms, &wait))
        n++;
    assert_true(wait > 0 && wait <= 3600 * 1000 / ADMIT_NEW_PER_HOUR + 1);
    return n;
}

static void one_address_brings_so_many_keys_and_then_waits(void **state)
{
    (void)state;
    int64_t token = 3600 * 1000 / ADMIT_NEW_PER_HOUR;
    memset(&gate, 0, sizeof gate);
    assert_int_equal(passes("192.0.2.1", 0), ADMIT_NEW_BURST);
    assert_int_equal(passes("192.0.2.1", token - 1), 0);
    assert_int_equal(passes("192.0.2.1", token), 1);
    assert_int_equal(passes("::ffff:192.0.2.1", token), 0); /* the same machine */
    assert_int_equal(passes("192.0.2.2", token), ADMIT_NEW_BURST);
    assert_int_equal(passes("192.0.2.1", token * 100000), ADMIT_NEW_BURST); /* never more */
    assert_int_equal(passes("192.0.2.1", 5), 0); /* a clock that runs back gives nothing */
}

static void an_ipv6_site_is_one_address(void **state)
{
    (void)state;
    memset(&gate, 0, sizeof gate);
    assert_int_equal(passes("2001:db8:1:1::1", 0), ADMIT_NEW_BURST);
    assert_int_equal(passes("2001:db8:1:ffff::9", 0), 0);
    assert_int_equal(passes("2001:db8:2::1", 0), ADMIT_NEW_BURST);
    assert_int_equal(passes("unix", 0), ADMIT_NEW_BURST);
    assert_int_equal(passes("no address", 0), 0);
}

static void many_addresses_only_push_out_the_longest_unseen(void **state)
{
    (void)state;
    char text[32];
    int64_t wait = 0;
    memset(&gate, 0, sizeof gate);
    for (uint32_t i = 0; i < 20u * ADMIT_PLACES; i++) {
        snprintf(text, sizeof text, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        assert_true(admit_gate_pass(&gate, text, i, &wait));
    }
    assert_int_equal(passes(text, 20 * ADMIT_PLACES), ADMIT_NEW_BURST - 1); /* the last is known */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_public_run_asks_for_a_key_and_nothing_else),
        cmocka_unit_test(a_private_run_wants_a_good_code_once),
        cmocka_unit_test(each_bad_code_has_its_own_answer),
        cmocka_unit_test(the_list_counts_in_both_directions),
        cmocka_unit_test(a_puzzle_is_for_new_keys),
        cmocka_unit_test(every_refusal_says_what_to_do),
        cmocka_unit_test(one_address_brings_so_many_keys_and_then_waits),
        cmocka_unit_test(an_ipv6_site_is_one_address),
        cmocka_unit_test(many_addresses_only_push_out_the_longest_unseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
