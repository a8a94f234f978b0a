#include <math.h>

#include "aggregator/publish.h"
#include "base/file.h"
#include "base/log.h"
#include "record/checkpoint.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tinyrun.h"

struct press {
    char dir[PATH_CAP];
    struct spool sp;
    struct store *st;
    struct rundesc d;
    struct model_table t;
    struct key key;
    struct publish p;
    float *base, *next;
    struct err e;
};

static struct press the_press;

static int set_up(void **state)
{
    struct press *x = &the_press;
    char path[PATH_CAP];
    memset(x, 0, sizeof *x);
    log_set_stderr(0);
    scratch_make(x->dir);
    assert_int_equal(path_format(path, "%s/a.db", x->dir), 0);
    tinyrun_make(&x->d, &x->t);
    key_generate(&x->key);
    assert_int_equal(spool_open(&x->sp, x->dir, &x->e), OK);
    assert_int_equal(store_open(path, &x->d.id, &x->st, &x->e), OK);
    x->p = (struct publish){&x->d, &x->t, &x->sp, x->st, &x->key};
    x->base = calloc(x->t.n_params, sizeof *x->base);
    x->next = calloc(x->t.n_params, sizeof *x->next);
    model_init_weights(&x->t, &x->d.model, x->d.init_seed, x->base);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct press *x = *state;
    store_close(x->st);
    model_table_deinit(&x->t);
    free(x->base);
    free(x->next);
    scratch_remove(x->dir);
    return 0;
}

static struct round_input input_of(struct press *x, uint8_t who, uint64_t round)
{
    struct buf b = {0};
    struct round_op op = {.round = round, .contributor = {{who}}, .verdict = MSG_ACCEPTED};
    struct round_input in = {.contributor = op.contributor, .reward = 1};
    enum msg_verdict v;
    tinyrun_payload(&x->d, &x->t, who + 100 * round, &b);
    op.claim = (struct round_claim){.n_bytes = b.len, .n_tokens = 32, .n_steps = 1, .loss = 3};
    assert_int_equal(spool_put(&x->sp, SPOOL_PAYLOAD, b.p, b.len, &op.claim.payload, &x->e), OK);
    assert_int_equal(
        store_receipt_put(x->st, &op, &x->d.id, &x->key, 1, &in.receipt_seq, &v, &x->e), OK);
    in.claim = op.claim;
    buf_deinit(&b);
    return in;
}

/* One round of two contributors; the base moves on. */
static struct msg_update make_round(struct press *x, uint64_t round)
{
    struct round_input in[2] = {input_of(x, 1, round), input_of(x, 2, round)};
    struct msg_update u = {.run = x->d.id, .round = round, .n_merged = 2, .n_tokens = 64};
    u.base = model_hash(&x->t, x->base);
    assert_int_equal(publish_merge(&x->p, in, 2, x->base, x->next, &u, &x->e), OK);
    assert_int_equal(publish_commit(&x->p, &u, in, 2, 5, &x->e), OK);
    float *old = x->base;
    x->base = x->next;
    x->next = old;
    return u;
}

static void merging_twice_gives_the_same_bits(void **state)
{
    struct press *x = *state;
    struct round_input in[2] = {input_of(x, 1, 0), input_of(x, 2, 0)};
    struct msg_update a = {0}, b = {0};
    assert_int_equal(publish_merge(&x->p, in, 2, x->base, x->next, &a, &x->e), OK);
    assert_int_equal(publish_merge(&x->p, in, 2, x->base, x->next, &b, &x->e), OK);
    assert_true(hash_equal(&a.update, &b.update) && hash_equal(&a.result, &b.result));
    assert_false(hash_equal(&a.result, &x->d.initial_model));
}

static void a_round_of_nobody_changes_nothing(void **state)
{
    struct press *x = *state;
    struct msg_update u = {.run = x->d.id, .train_loss = NAN};
    struct buf jws = {0};
    u.base = model_hash(&x->t, x->base);
    assert_int_equal(publish_merge(&x->p, NULL, 0, x->base, x->next, &u, &x->e), OK);
    assert_true(hash_equal(&u.result, &u.base));
    assert_int_equal(publish_commit(&x->p, &u, NULL, 0, 5, &x->e), OK);
    assert_int_equal(store_round_get(x->st, 0, &u, &jws, &x->e), OK);
    assert_int_equal(u.n_merged, 0);
    buf_deinit(&jws);
}

static void the_head_is_signed_by_the_host(void **state)
{
    struct press *x = *state;
    struct msg_update u = make_round(x, 0), got;
    struct buf head = {0};
    assert_int_equal(store_round_get(x->st, 0, &got, &head, &x->e), OK);
    assert_int_equal(msg_update_verify(head.p, head.len, &x->key.pub, &got, &x->e), OK);
    assert_true(hash_equal(&got.result, &u.result));
    buf_deinit(&head);
}

static void without_rounds_the_seed_gives_the_weights(void **state)
{
    struct press *x = *state;
    struct msg_update last;
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), ERR_NOTFOUND);
    assert_memory_equal(x->next, x->base, x->t.n_params * sizeof(float));
}

static void a_restart_rebuilds_the_weights_from_checkpoint_and_updates(void **state)
{
    struct press *x = *state;
    struct msg_update last;
    make_round(x, 0);
    assert_int_equal(publish_checkpoint(&x->p, 1, x->base, &x->e), OK);
    make_round(x, 1);
    struct msg_update u = make_round(x, 2);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), OK);
    assert_int_equal(last.round, 2);
    assert_true(hash_equal(&last.result, &u.result));
    assert_memory_equal(x->next, x->base, x->t.n_params * sizeof(float));
}

static void spoil(struct press *x, uint64_t round)
{
    struct store_checkpoint c[8];
    char path[PATH_CAP];
    uint32_t n = 0;
    assert_int_equal(store_round_checkpoints(x->st, c, 8, &n, &x->e), OK);
    for (uint32_t i = 0; i < n; i++) {
        if (c[i].round != round) continue;
        assert_int_equal(spool_path(&x->sp, SPOOL_CHECKPOINT, &c[i].file, path, &x->e), OK);
        assert_int_equal(file_replace(path, "broken", 6, 0600, &x->e), OK);
    }
}

static void a_damaged_checkpoint_is_passed_over_and_dropped(void **state)
{
    struct press *x = *state;
    struct msg_update last;
    struct store_checkpoint c[8];
    uint32_t n = 0;
    assert_int_equal(publish_checkpoint(&x->p, 0, x->base, &x->e), OK);
    make_round(x, 0);
    assert_int_equal(publish_checkpoint(&x->p, 1, x->base, &x->e), OK);
    spoil(x, 1);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), OK);
    assert_memory_equal(x->next, x->base, x->t.n_params * sizeof(float));
    assert_int_equal(store_round_checkpoints(x->st, c, 8, &n, &x->e), OK);
    assert_int_equal(n, 1);
    assert_int_equal(c[0].round, 0);
}

static void nothing_whole_is_one_clear_sentence(void **state)
{
    struct press *x = *state;
    struct msg_update last;
    struct msg_update u = make_round(x, 0);
    assert_int_equal(publish_checkpoint(&x->p, 1, x->base, &x->e), OK);
    spoil(x, 1);
    spool_drop(&x->sp, SPOOL_UPDATE, &u.update);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), ERR_AUTH);
    assert_non_null(strstr(x->e.what, "no checkpoint"));
    assert_true(x->e.hint[0]);
}

/* As init --from leaves it under the home. */
static void put_model(struct press *x, const float *params)
{
    char path[PATH_CAP];
    struct buf file = {0};
    assert_int_equal(path_format(path, "%s/model", x->dir), 0);
    assert_int_equal(file_mkdirs(path, &x->e), OK);
    assert_int_equal(checkpoint_write(0, &x->t, params, &file, &x->e), OK);
    scratch_write(path, "weights", file.p, file.len);
    buf_deinit(&file);
}

static void a_run_may_go_on_from_kept_weights(void **state)
{
    struct press *x = *state;
    struct msg_update last;
    for (uint64_t i = 0; i < x->t.n_params; i++)
        x->base[i] = (float)i / 1000; /* no seed makes these */
    x->d.is_from_checkpoint = true;
    x->d.initial_model = model_hash(&x->t, x->base);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), ERR_AUTH); /* not "no round" */
    assert_non_null(strstr(x->e.what, "gone"));
    put_model(x, x->next); /* zeros */
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), ERR_AUTH);
    assert_non_null(strstr(x->e.what, "began with"));
    put_model(x, x->base);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), ERR_NOTFOUND);
    assert_memory_equal(x->next, x->base, x->t.n_params * sizeof(float));
    make_round(x, 0);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), OK); /* by its update */
    assert_memory_equal(x->next, x->base, x->t.n_params * sizeof(float));
}

static void old_checkpoints_take_their_updates_with_them(void **state)
{
    struct press *x = *state;
    struct msg_update u[3];
    struct buf b = {0};
    assert_int_equal(publish_checkpoint(&x->p, 0, x->base, &x->e), OK);
    for (uint64_t r = 0; r < 3; r++) {
        u[r] = make_round(x, r);
        assert_int_equal(publish_checkpoint(&x->p, r + 1, x->base, &x->e), OK);
    }
    /* kept: 3 and 2; so the updates of rounds 0 and 1 are of no use any more */
    assert_int_equal(spool_read(&x->sp, SPOOL_UPDATE, &u[0].update, 1u << 20, &b, &x->e),
                     ERR_NOTFOUND);
    assert_int_equal(spool_read(&x->sp, SPOOL_UPDATE, &u[1].update, 1u << 20, &b, &x->e),
                     ERR_NOTFOUND);
    assert_int_equal(spool_read(&x->sp, SPOOL_UPDATE, &u[2].update, 1u << 20, &b, &x->e), OK);
    buf_deinit(&b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(merging_twice_gives_the_same_bits),
        CASE(a_round_of_nobody_changes_nothing),
        CASE(the_head_is_signed_by_the_host),
        CASE(without_rounds_the_seed_gives_the_weights),
        CASE(a_restart_rebuilds_the_weights_from_checkpoint_and_updates),
        CASE(a_damaged_checkpoint_is_passed_over_and_dropped),
        CASE(nothing_whole_is_one_clear_sentence),
        CASE(a_run_may_go_on_from_kept_weights),
        CASE(old_checkpoints_take_their_updates_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
