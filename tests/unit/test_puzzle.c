#include "record/puzzle.h"
#include "tests/check.h"

static const struct puzzle easy = {.memory_kib = 1024, .bits = 3};

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static bool a_few_times(void *ctx)
{
    return (*(int *)ctx)-- > 0;
}

static void what_is_solved_is_accepted_for_this_key_and_run_only(void **state)
{
    (void)state;
    struct hash run = hash_of("run", 3), other_run = hash_of("rum", 3);
    struct err e = {0};
    uint64_t n_taken_elsewhere = 0;
    for (uint8_t i = 0; i < 4; i++) {
        struct key_pub key =
                           {
                               {i}
        },
                       other = {{i, 1}};
        uint64_t nonce = 0;
        assert_int_equal(puzzle_solve(&easy, &run, &key, always, NULL, &nonce, &e), OK);
        assert_true(nonce > 0);
        assert_int_equal(puzzle_check(&easy, &run, &key, nonce, &e), OK);
        n_taken_elsewhere += puzzle_check(&easy, &run, &other, nonce, &e) == OK;
        n_taken_elsewhere += puzzle_check(&easy, &other_run, &key, nonce, &e) == OK;
    }
    assert_true(n_taken_elsewhere < 5); /* one in eight is luck; the hashes are fixed, so no dice */
}

static void the_first_solution_is_found_wherever_one_begins(void **state)
{
    (void)state;
    struct hash run = hash_of("run", 3);
    struct key_pub key = {{9}};
    struct err e = {0};
    uint64_t whole = 0, parts = 0;
    assert_int_equal(puzzle_solve(&easy, &run, &key, always, NULL, &whole, &e), OK);
    for (uint64_t n = 1; n < whole; n++)
        assert_int_equal(puzzle_check(&easy, &run, &key, n, &e), ERR_AUTH);
    int rc = ERR_CANCELLED;
    while (rc == ERR_CANCELLED) {
        int tries = 2;
        rc = puzzle_solve(&easy, &run, &key, a_few_times, &tries, &parts, &e);
    }
    assert_int_equal(rc, OK);
    assert_int_equal(parts, whole);
}

static void more_bits_ask_for_more(void **state)
{
    (void)state;
    struct hash run = hash_of("run", 3);
    struct key_pub key = {{9}};
    struct puzzle hard = {.memory_kib = 1024, .bits = PUZZLE_MAX_BITS};
    struct err e = {0};
    uint64_t nonce = 0;
    assert_int_equal(puzzle_solve(&easy, &run, &key, always, NULL, &nonce, &e), OK);
    assert_int_equal(puzzle_check(&hard, &run, &key, nonce, &e), ERR_AUTH);
}

static void unfit_puzzles_are_refused(void **state)
{
    (void)state;
    const struct puzzle fit[] = {
        {0,              0              },
        {1024,           1              },
        {PUZZLE_MAX_KIB, PUZZLE_MAX_BITS}
    };
    const struct puzzle unfit[] = {
        {512,                1                  },
        {1500,               1                  },
        {2 * PUZZLE_MAX_KIB, 1                  },
        {1024,               0                  },
        {0,                  1                  },
        {1024,               PUZZLE_MAX_BITS + 1}
    };
    struct hash run = hash_of("run", 3);
    struct key_pub key = {{9}};
    struct err e = {0};
    for (size_t i = 0; i < sizeof fit / sizeof *fit; i++)
        assert_true(puzzle_is_fit(&fit[i]));
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        assert_false(puzzle_is_fit(&unfit[i]));
        assert_int_equal(puzzle_check(&unfit[i], &run, &key, 1, &e), ERR_ARG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_solved_is_accepted_for_this_key_and_run_only),
        cmocka_unit_test(the_first_solution_is_found_wherever_one_begins),
        cmocka_unit_test(more_bits_ask_for_more),
        cmocka_unit_test(unfit_puzzles_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
