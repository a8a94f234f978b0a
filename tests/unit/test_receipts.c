#include <string.h>

#include "base/file.h"
#include "client/receipts.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

struct rig {
    char dir[PATH_CAP], path[PATH_CAP];
    struct key host, us;
    struct rundesc run;
};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    scratch_make(r->dir);
    path_format(r->path, "%s/receipts.jws", r->dir);
    key_generate(&r->host);
    key_generate(&r->us);
    r->run.id = hash_of("run", 3);
    r->run.n_aggregators = 1;
    r->run.aggregators[0].key = r->host.pub;
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    scratch_remove(r->dir);
    free(r);
    return 0;
}

static void make(const struct rig *r, uint64_t round, uint64_t seq, enum msg_verdict verdict,
                 const struct key *signer, struct buf *out)
{
    struct msg_receipt m = {.run = r->run.id,
                            .contributor = r->us.pub,
                            .seq = seq,
                            .round = round,
                            .payload = hash_of("p", 1),
                            .n_bytes = 5,
                            .n_tokens = 7,
                            .verdict = verdict,
                            .created_at_ms = 1700000000000};
    if (verdict != MSG_ACCEPTED) strcpy(m.reason, "late by 4 s");
    buf_clear(out);
    assert_int_equal(msg_receipt_sign(&m, signer, out, NULL), OK);
}

static void receipts_check_takes_the_runs_aggregator_only(void **state)
{
    struct rig *r = *state;
    struct buf b = {0};
    struct msg_receipt m;
    struct key stranger;
    key_generate(&stranger);
    make(r, 1, 1, MSG_ACCEPTED, &r->host, &b);
    assert_int_equal(receipts_check(b.p, b.len, &r->run, &r->us.pub, &m, NULL), OK);
    assert_int_equal(receipts_check(b.p, b.len, &r->run, &stranger.pub, &m, NULL), ERR_AUTH);
    make(r, 1, 1, MSG_ACCEPTED, &stranger, &b);
    assert_int_equal(receipts_check(b.p, b.len, &r->run, &r->us.pub, &m, NULL), ERR_AUTH);
    r->run.id = hash_of("other", 5);
    make(r, 1, 1, MSG_ACCEPTED, &r->host, &b);
    r->run.id = hash_of("run", 3);
    assert_int_equal(receipts_check(b.p, b.len, &r->run, &r->us.pub, &m, NULL), ERR_AUTH);
    buf_deinit(&b);
}

static void receipts_read_counts_each_round_once(void **state)
{
    struct rig *r = *state;
    struct buf b = {0};
    struct receipts_count n;
    uint32_t n_bad;
    make(r, 1, 1, MSG_ACCEPTED, &r->host, &b);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK); /* asked for twice */
    make(r, 2, 5, MSG_LATE, &r->host, &b);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK);
    assert_int_equal(receipts_read(r->path, &r->run, &r->us.pub, &n, &n_bad, NULL), OK);
    assert_int_equal(n.n_accepted, 1);
    assert_int_equal(n.n_late, 1);
    assert_int_equal(n.n_rejected, 0);
    assert_int_equal(n_bad, 0);
    buf_deinit(&b);
}

static void receipts_survive_a_line_that_was_cut(void **state)
{
    struct rig *r = *state;
    struct buf b = {0};
    struct receipts_count n;
    uint32_t n_bad;
    make(r, 1, 1, MSG_ACCEPTED, &r->host, &b);
    scratch_write(r->dir, "receipts.jws", b.p, b.len / 2); /* the power went */
    make(r, 2, 2, MSG_ACCEPTED, &r->host, &b);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK);
    assert_int_equal(receipts_read(r->path, &r->run, &r->us.pub, &n, &n_bad, NULL), OK);
    assert_int_equal(n.n_accepted, 1);
    assert_int_equal(n_bad, 1);
    buf_deinit(&b);
}

static void receipts_load_gives_each_text_once_by_number(void **state)
{
    struct rig *r = *state;
    struct buf b = {0};
    struct receipts_row *rows = NULL;
    size_t n = 9;
    uint32_t n_bad = 9;
    make(r, 2, 5, MSG_LATE, &r->host, &b);
    struct hash late = hash_of(b.p, b.len);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK);
    assert_int_equal(receipts_append(r->path, "nonsense", 8, NULL), OK);
    make(r, 1, 1, MSG_ACCEPTED, &r->host, &b);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK);
    assert_int_equal(receipts_load(r->path, &r->run, &r->us.pub, &rows, &n, &n_bad, NULL), OK);
    assert_int_equal(n, 2);
    assert_int_equal(n_bad, 1);
    assert_int_equal(rows[0].r.seq, 1);
    assert_int_equal(rows[1].r.seq, 5);
    assert_true(hash_equal(&rows[1].text, &late));
    free(rows);
    buf_deinit(&b);
}

/* A host that answers one number twice has to explain both. */
static void receipts_load_keeps_two_texts_of_one_number(void **state)
{
    struct rig *r = *state;
    struct buf b = {0};
    struct receipts_row *rows = NULL;
    size_t n = 0;
    uint32_t n_bad = 0;
    make(r, 1, 1, MSG_ACCEPTED, &r->host, &b);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK);
    make(r, 1, 1, MSG_LATE, &r->host, &b);
    assert_int_equal(receipts_append(r->path, b.p, b.len, NULL), OK);
    assert_int_equal(receipts_load(r->path, &r->run, &r->us.pub, &rows, &n, &n_bad, NULL), OK);
    assert_int_equal(n, 2);
    free(rows);
    buf_deinit(&b);
}

static void receipts_newest_keeps_the_settled_text(void **state)
{
    (void)state;
    struct receipts_row rows[5] = {0};
    for (int i = 0; i < 5; i++)
        rows[i].r = (struct msg_receipt){.seq = i < 3 ? 1 : 2, .verdict = MSG_ACCEPTED};
    rows[1].r.is_settled = true;
    rows[1].r.reward = 9;
    rows[4].r.verdict = MSG_LATE; /* another answer under the same number */
    assert_int_equal(receipts_newest(rows, 5), 3);
    assert_int_equal(rows[0].r.reward, 9);
    assert_int_equal(rows[1].r.verdict, MSG_ACCEPTED);
    assert_int_equal(rows[2].r.verdict, MSG_LATE);
    rows[1] = rows[0]; /* settled twice, with different rewards: the host has to explain both */
    rows[1].r.reward = 8;
    assert_int_equal(receipts_newest(rows, 2), 2);
    assert_int_equal(receipts_newest(rows, 0), 0);
}

static void receipts_read_counts_nothing_without_a_file(void **state)
{
    struct rig *r = *state;
    struct receipts_count n;
    uint32_t n_bad;
    assert_int_equal(receipts_read(r->path, &r->run, &r->us.pub, &n, &n_bad, NULL), OK);
    assert_int_equal(n.n_accepted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(receipts_check_takes_the_runs_aggregator_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(receipts_read_counts_each_round_once, setup, teardown),
        cmocka_unit_test_setup_teardown(receipts_survive_a_line_that_was_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(receipts_load_gives_each_text_once_by_number, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(receipts_load_keeps_two_texts_of_one_number, setup,
                                        teardown),
        cmocka_unit_test(receipts_newest_keeps_the_settled_text),
        cmocka_unit_test_setup_teardown(receipts_read_counts_nothing_without_a_file, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
