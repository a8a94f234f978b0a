#include <string.h>

#include "client/journal.h"
#include "tests/check.h"

static struct journal full(void)
{
    return (struct journal){
        .run = hash_of("run", 3),
        .model_round = 7,
        .n_steps = 12,
        .n_tokens = 4096,
        .loss_sum = 37.25,
        .busy_ns = 2000000000,
        .has_payload = true,
        .payload = {.hash = hash_of("p", 1),
                    .n_bytes = MSG_CHUNK_BYTES + 1,
                    .n_chunks = 2,
                    .created_at_ms = 1700000000000},
        .bits_per_value = 7.5,
        .last_bytes = 99,
        .total_tokens = 123456
    };
}

static void journal_comes_back_as_it_was(void **state)
{
    (void)state;
    struct journal a = full(), b = {0};
    struct buf out = {0};
    assert_int_equal(journal_encode(&a, &out, NULL), OK);
    assert_true(out.len < JOURNAL_CAP);
    assert_int_equal(journal_decode(out.p, out.len, &b, NULL), OK);
    assert_memory_equal(&a.run, &b.run, sizeof a.run);
    assert_int_equal(b.model_round, 7);
    assert_int_equal(b.n_steps, 12);
    assert_true(b.loss_sum == 37.25);
    assert_true(b.has_payload);
    assert_int_equal(b.payload.n_chunks, 2);
    assert_int_equal(b.payload.created_at_ms, 1700000000000);
    assert_memory_equal(&a.payload.hash, &b.payload.hash, sizeof a.payload.hash);
    assert_int_equal(b.total_tokens, 123456);
    buf_deinit(&out);
}

static void journal_decode_refuses_what_does_not_fit(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{}", "[1]", "{\"format\":2}", "{\"format\":1}"};
    struct journal j;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_not_equal(journal_decode(bad[i], strlen(bad[i]), &j, NULL), OK);
    struct err e = {0};
    assert_int_equal(journal_decode(bad[3], strlen(bad[3]), &j, &e), ERR_VERSION);
}

static void journal_decode_refuses_every_cut(void **state)
{
    (void)state;
    struct journal a = full(), b;
    struct buf out = {0};
    assert_int_equal(journal_encode(&a, &out, NULL), OK);
    for (size_t n = 0; n < out.len; n++)
        assert_int_not_equal(journal_decode(out.p, n, &b, NULL), OK);
    buf_deinit(&out);
}

static void journal_note_comes_back_as_it_was(void **state)
{
    (void)state;
    struct session_note a = {
        .payload = hash_of("p", 1), .fate = SESSION_FATE_ACCEPTED, .id = "00ff"};
    struct session_note b = {0};
    struct buf out = {0};
    assert_int_equal(journal_note_encode(&a, &out, NULL), OK);
    assert_int_equal(journal_note_decode(out.p, out.len, &b, NULL), OK);
    assert_memory_equal(&a.payload, &b.payload, sizeof a.payload);
    assert_int_equal(b.fate, SESSION_FATE_ACCEPTED);
    assert_string_equal(b.id, "00ff");
    buf_deinit(&out);
}

static void journal_note_refuses_an_id_that_could_steer_a_path(void **state)
{
    (void)state;
    struct session_note a = {.id = "../../v1/leave"}, b;
    struct buf out = {0};
    assert_int_equal(journal_note_encode(&a, &out, NULL), OK);
    assert_int_equal(journal_note_decode(out.p, out.len, &b, NULL), ERR_PROTO);
    buf_deinit(&out);
}

static void journal_wish_comes_back_as_it_was(void **state)
{
    (void)state;
    struct journal_wish a = {.is_paused = true}, b = {0};
    struct buf out = {0};
    assert_int_equal(journal_wish_encode(&a, &out, NULL), OK);
    assert_int_equal(journal_wish_decode(out.p, out.len, &b, NULL), OK);
    assert_true(b.is_paused);
    assert_false(b.is_finishing);
    buf_deinit(&out);
}

static void journal_phase_has_means(void **state)
{
    (void)state;
    struct journal j = full();
    struct session_phase p = journal_phase(&j);
    assert_true(p.loss == 37.25 / 12);
    assert_true(p.tok_per_s == 2048);
    struct journal none = {0};
    assert_true(journal_phase(&none).tok_per_s == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(journal_comes_back_as_it_was),
        cmocka_unit_test(journal_decode_refuses_what_does_not_fit),
        cmocka_unit_test(journal_decode_refuses_every_cut),
        cmocka_unit_test(journal_note_comes_back_as_it_was),
        cmocka_unit_test(journal_note_refuses_an_id_that_could_steer_a_path),
        cmocka_unit_test(journal_wish_comes_back_as_it_was),
        cmocka_unit_test(journal_phase_has_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
