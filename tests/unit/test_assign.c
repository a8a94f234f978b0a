#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "record/assign.h"
#include "tests/check.h"

static const struct hash run = {
    {1, 2, 3}
};
static const struct key_pub alice = {
    {4, 5, 6}
};
static const struct key_pub bob = {
    {4, 5, 7}
};

static void sequences_fit_their_chunk_with_the_token_after(void **state)
{
    (void)state;
    struct assign_space s = {.n_chunks = 3, .chunk_tokens = 1000, .seq_len = 100};
    assert_int_equal(assign_seqs_per_chunk(&s), 9); /* a tenth would lack its 101st token */
    s.chunk_tokens = 1001;
    assert_int_equal(assign_seqs_per_chunk(&s), 10);
    s.seq_len = 1001;
    assert_int_equal(assign_seqs_per_chunk(&s), 0);
}

/* Count the different chunks since the window began. */
static void window_seen(uint32_t *n, uint32_t *chunks, uint32_t chunk, bool begins)
{
    if (begins) *n = 0;
    for (uint32_t i = 0; i < *n; i++)
        if (chunks[i] == chunk) return;
    if (*n <= ASSIGN_WINDOW) chunks[(*n)++] = chunk;
}

static void one_epoch_visits_every_sequence_once_a_window_at_a_time(void **state)
{
    (void)state;
    for (uint32_t n_chunks = 1; n_chunks < 70; n_chunks = n_chunks * 2 + 1) {
        struct assign_space s = {n_chunks, 16384, 128};
        uint32_t per = assign_seqs_per_chunk(&s);
        assert_int_equal(per, 127);
        for (uint64_t epoch = 0; epoch < 2; epoch++) {
            uint8_t *seen = calloc(n_chunks, per);
            uint32_t chunks[ASSIGN_WINDOW + 1];
            uint32_t n_seen = 0;
            assert_non_null(seen);
            for (uint32_t i = 0; i < n_chunks * per; i++) {
                uint64_t at = epoch * n_chunks * per + i;
                struct assign_place p = assign_sequence(&s, &run, 5, &alice, at);
                assert_true(p.chunk < n_chunks && p.offset % 128 == 0);
                assert_true(p.offset + 129 <= 16384);
                window_seen(&n_seen, chunks, p.chunk, i % (per * ASSIGN_WINDOW) == 0);
                assert_true(n_seen <= ASSIGN_WINDOW);
                assert_int_equal(seen[p.chunk * per + p.offset / 128]++, 0);
            }
            free(seen);
        }
    }
}

static void the_same_question_has_the_same_answer(void **state)
{
    (void)state;
    struct assign_space s = {1000, 16384, 128};
    struct assign_place p = assign_sequence(&s, &run, 5, &alice, 1);
    struct assign_place q = assign_sequence(&s, &run, 5, &alice, 1);
    assert_true(p.chunk == q.chunk && p.offset == q.offset);
    /* Part of the protocol: these figures may never change within wire version 1. */
    assert_int_equal(p.chunk, 182);
    assert_int_equal(p.offset, 13440);
}

static void rounds_keys_and_epochs_walk_differently(void **state)
{
    (void)state;
    struct assign_space s = {1000, 16384, 128};
    uint64_t per_epoch = 1000 * (uint64_t)assign_seqs_per_chunk(&s);
    uint32_t same[3] = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        uint32_t a = assign_sequence(&s, &run, 5, &alice, i * 61).chunk;
        same[0] += a == assign_sequence(&s, &run, 6, &alice, i * 61).chunk;
        same[1] += a == assign_sequence(&s, &run, 5, &bob, i * 61).chunk;
        same[2] += a == assign_sequence(&s, &run, 5, &alice, i * 61 + per_epoch).chunk;
    }
    for (int i = 0; i < 3; i++)
        assert_true(same[i] < 20); /* one is expected by chance */
}

static void a_short_round_sees_many_chunks(void **state)
{
    (void)state;
    struct assign_space s = {1000, 16384, 128};
    uint32_t chunks[ASSIGN_WINDOW + 1];
    uint32_t n_seen = 0;
    for (uint32_t i = 0; i < 120; i++)
        window_seen(&n_seen, chunks, assign_sequence(&s, &run, 5, &alice, i).chunk, i == 0);
    assert_int_equal(n_seen, ASSIGN_WINDOW);
}

static void first_chunks_are_spread_evenly(void **state)
{
    (void)state;
    struct assign_space s = {10, 16384, 128};
    uint32_t count[10] = {0};
    for (uint64_t round = 0; round < 10000; round++)
        count[assign_sequence(&s, &run, round, &alice, 0).chunk]++;
    for (int i = 0; i < 10; i++)
        assert_true(count[i] > 850 && count[i] < 1150); /* five standard deviations */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_fit_their_chunk_with_the_token_after),
        cmocka_unit_test(one_epoch_visits_every_sequence_once_a_window_at_a_time),
        cmocka_unit_test(the_same_question_has_the_same_answer),
        cmocka_unit_test(rounds_keys_and_epochs_walk_differently),
        cmocka_unit_test(a_short_round_sees_many_chunks),
        cmocka_unit_test(first_chunks_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
