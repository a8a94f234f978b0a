#include <errno.h>

#include "aggregator/judge.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tinyrun.h"

#define ID "0123456789abcdef0123456789abcdef"

struct court {
    char dir[PATH_CAP];
    struct spool sp;
    struct store *st;
    struct rundesc d;
    struct model_table t;
    struct buf payload;
    struct msg_manifest m;
    char reason[MSG_REASON_CAP];
    enum round_check failed;
    struct err e;
};

static struct court the_court;

static int set_up(void **state)
{
    struct court *c = &the_court;
    char path[PATH_CAP];
    memset(c, 0, sizeof *c);
    scratch_make(c->dir);
    assert_int_equal(path_format(path, "%s/a.db", c->dir), 0);
    tinyrun_make(&c->d, &c->t);
    assert_int_equal(spool_open(&c->sp, c->dir, &c->e), OK);
    assert_int_equal(store_open(path, &c->d.id, &c->st, &c->e), OK);
    tinyrun_payload(&c->d, &c->t, 1, &c->payload);
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    struct court *c = *state;
    store_close(c->st);
    model_table_deinit(&c->t);
    buf_deinit(&c->payload);
    scratch_remove(c->dir);
    return 0;
}

static enum round_outcome judge(struct court *c)
{
    struct hash h = hash_of(c->payload.p, c->payload.len);
    memcpy(c->m.id, ID, MSG_ID_HEX);
    c->m.contributor.b[0] = 1;
    c->m.payload = h;
    c->m.chunks[0] = h;
    c->m.n_chunks = 1;
    c->m.n_bytes = c->payload.len;
    assert_int_equal(spool_chunk_put(&c->sp, ID, 0, c->payload.p, c->payload.len, &c->e), OK);
    return judge_upload(&c->sp, c->st, &c->t, &c->d.train.delta, &c->m, c->reason, &c->failed,
                        &c->e);
}

static void a_good_payload_is_durable_under_its_hash(void **state)
{
    struct court *c = *state;
    struct buf b = {0};
    assert_int_equal(judge(c), ROUND_OK);
    assert_int_equal(spool_read(&c->sp, SPOOL_PAYLOAD, &c->m.payload, c->payload.len, &b, &c->e),
                     OK);
    buf_deinit(&b);
}

static void a_payload_that_the_packer_cannot_have_written_is_bad(void **state)
{
    struct court *c = *state;
    c->payload.len--;
    assert_int_equal(judge(c), ROUND_BAD);
    assert_true(c->reason[0]);
    assert_int_equal(c->failed, ROUND_CHECK_FORM);
}

static void a_payload_of_zeros_is_bad(void **state)
{
    struct court *c = *state;
    float *v = calloc(c->t.n_params, sizeof *v);
    buf_clear(&c->payload);
    assert_int_equal(
        delta_pack(&c->t, &c->d.train.delta, DELTA_CONTRIBUTION, v, NULL, &c->payload, NULL, &c->e),
        OK);
    assert_int_equal(judge(c), ROUND_BAD);
    assert_non_null(strstr(c->reason, "nothing"));
    free(v);
}

static void a_payload_counted_before_is_bad(void **state)
{
    struct court *c = *state;
    struct key k;
    struct round_op op = {.round = 4, .contributor = {{2}}, .verdict = MSG_ACCEPTED};
    uint64_t seq = 0;
    enum msg_verdict v;
    key_generate(&k);
    op.claim.payload = hash_of(c->payload.p, c->payload.len);
    op.claim.n_bytes = op.claim.n_tokens = 1;
    assert_int_equal(store_receipt_put(c->st, &op, &c->d.id, &k, 1, &seq, &v, &c->e), OK);
    assert_int_equal(judge(c), ROUND_BAD);
    assert_non_null(strstr(c->reason, "round 4"));
    assert_int_equal(c->failed, ROUND_CHECK_NEW);
}

static void a_missing_or_different_chunk_is_a_mismatch(void **state)
{
    struct court *c = *state;
    assert_int_equal(judge(c), ROUND_OK);
    c->m.chunks[0].b[0] ^= 1;
    assert_int_equal(
        judge_upload(&c->sp, c->st, &c->t, &c->d.train.delta, &c->m, c->reason, &c->failed, &c->e),
        ROUND_MISMATCH);
    c->m.chunks[0].b[0] ^= 1;
    c->m.n_bytes++;
    assert_int_equal(
        judge_upload(&c->sp, c->st, &c->t, &c->d.train.delta, &c->m, c->reason, &c->failed, &c->e),
        ROUND_MISMATCH);
    spool_chunks_drop(&c->sp, ID, 1);
    assert_int_equal(
        judge_upload(&c->sp, c->st, &c->t, &c->d.train.delta, &c->m, c->reason, &c->failed, &c->e),
        ROUND_MISMATCH);
}

static void a_full_disk_is_told_apart_from_other_trouble(void **state)
{
    struct err full = {.code = ERR_IO, .sys = ENOSPC}, other = {.code = ERR_IO, .sys = EIO};
    (void)state;
    assert_int_equal(judge_trouble(&full), ROUND_FULL);
    assert_int_equal(judge_trouble(&other), ROUND_FAILED);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_good_payload_is_durable_under_its_hash),
        CASE(a_payload_that_the_packer_cannot_have_written_is_bad),
        CASE(a_payload_of_zeros_is_bad),
        CASE(a_payload_counted_before_is_bad),
        CASE(a_missing_or_different_chunk_is_a_mismatch),
        cmocka_unit_test(a_full_disk_is_told_apart_from_other_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
