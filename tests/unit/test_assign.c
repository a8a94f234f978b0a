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

static void one_epoch_visits_every_sequence_once_a_chunk_at_a_time(void **state)
{
    (void)state;
    for (uint32_t n_chunks = 1; n_chunks < 70; n_chunks = n_chunks * 2 + 1) {
        struct assign_space s = {n_chunks, 16384, 128};
        uint32_t per = assign_seqs_per_chunk(&s);
        assert_int_equal(per, 127);
        for (uint64_t epoch = 0; epoch < 2; epoch++) {
            uint8_t *seen = calloc(n_chunks, per);
            assert_non_null(seen);
            for (uint32_t i = 0; i < n_chunks * per; i++) {
                uint64_t at = epoch * n_chunks * per + i;
                struct assign_place p = assign_sequence(&s, &run, 5, &alice, at);
                struct assign_place first = assign_sequence(&s, &run, 5, &alice, at - at % per);
                assert_true(p.chunk < n_chunks && p.offset % 128 == 0);
                assert_true(p.offset + 129 <= 16384);
                assert_int_equal(p.chunk, first.chunk);
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
    assert_int_equal(p.chunk, 16);
    assert_int_equal(p.offset, 3328);
}

static void rounds_keys_and_epochs_walk_differently(void **state)
{
    (void)state;
    struct assign_space s = {1000, 16384, 128};
    uint32_t per = assign_seqs_per_chunk(&s);
    uint32_t same[3] = {0};
    for (uint64_t c = 0; c < 1000; c++) {
        uint32_t a = assign_sequence(&s, &run, 5, &alice, c * per).chunk;
        same[0] += a == assign_sequence(&s, &run, 6, &alice, c * per).chunk;
        same[1] += a == assign_sequence(&s, &run, 5, &bob, c * per).chunk;
        same[2] += a == assign_sequence(&s, &run, 5, &alice, (c + 1000) * per).chunk;
    }
    for (int i = 0; i < 3; i++)
        assert_true(same[i] < 10); /* one is expected by chance */
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
        cmocka_unit_test(one_epoch_visits_every_sequence_once_a_chunk_at_a_time),
        cmocka_unit_test(the_same_question_has_the_same_answer),
        cmocka_unit_test(rounds_keys_and_epochs_walk_differently),
        cmocka_unit_test(first_chunks_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
