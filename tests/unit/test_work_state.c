#include <dirent.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "client/work_state.h"
#include "engine/outer.h"
#include "record/checkpoint.h"
#include "record/merge.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

#define T 16
#define B 2

static struct trainer_options how = {.n_threads = 1};
static struct work_choice chosen;

/* A contributor with a very small model and its own folder. */
struct rig {
    char dir[PATH_CAP], state[PATH_CAP];
    struct rundesc run;
    struct work_state s;
    char said[192];
};

static int open_state(struct rig *r)
{
    r->s = (struct work_state){0};
    return work_state_open(&r->s, &r->run, r->dir, &how, chosen, r->said, sizeof r->said, NULL);
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    scratch_make(r->dir);
    path_format(r->state, "%s/state", r->dir);
    r->run.id = hash_of("run", 3);
    r->run.model = (struct model_config){.vocab_size = 32,
                                         .hidden_size = 16,
                                         .intermediate_size = 32,
                                         .num_hidden_layers = 1,
                                         .num_attention_heads = 2,
                                         .num_key_value_heads = 2,
                                         .max_position_embeddings = T,
                                         .rms_norm_eps = 1e-5,
                                         .rope_theta = 10000,
                                         .initializer_range = 0.02,
                                         .tie_word_embeddings = true};
    r->run.train = (struct train_params){
        .seq_len = T,
        .batch_seqs = B,
        .lr = 1e-2,
        .lr_min_frac = 0.1,
        .warmup_steps = 1,
        .total_steps = 100,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 1,
        .ef_beta = 0.95,
        .outer_lr = 0.7,
        .delta = {.chunk = 64, .k = 8}
    };
    r->run.inner_steps = 3;
    assert_int_equal(open_state(r), OK);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    work_state_close(&r->s);
    scratch_remove(r->dir);
    free(r);
    return 0;
}

static void train(struct rig *r, uint32_t n)
{
    uint32_t tokens[B * (T + 1)];
    struct journal *j = &r->s.journal;
    for (uint32_t k = 0; k < n; k++) {
        struct trainer_step_result x;
        for (uint32_t i = 0; i < B * (T + 1); i++)
            tokens[i] = (i * 7 + j->n_steps * 3) % 32;
        uint64_t i_step = work_state_schedule(&r->run, j->model_round, j->n_steps);
        assert_int_equal(trainer_step(r->s.trainer, tokens, i_step, &x, NULL), OK);
        j->n_steps++;
        j->n_tokens += x.n_tokens;
    }
}

static void read_payload(struct rig *r, struct buf *out)
{
    char path[PATH_CAP];
    assert_int_equal(work_state_payload(r->dir, &r->s.journal.payload.hash, path), 0);
    assert_int_equal(file_read(path, 1 << 20, out, NULL), OK);
}

static int n_payload_files(const struct rig *r)
{
    int n = 0;
    DIR *d = opendir(r->dir);
    const struct dirent *it;
    while (d && (it = readdir(d)))
        n += strncmp(it->d_name, "payload-", 8) == 0;
    if (d) closedir(d);
    return n;
}

static void reopen(struct rig *r)
{
    work_state_close(&r->s);
    assert_int_equal(open_state(r), OK);
}

static void work_state_begins_from_the_runs_seed(void **state)
{
    struct rig *r = *state;
    assert_true(r->s.is_fresh);
    assert_int_equal(r->s.journal.model_round, 0);
    struct hash h = trainer_base_hash(r->s.trainer);
    assert_true(hash_equal(&h, &r->s.base));
}

static void work_state_sends_the_same_bytes_after_a_restart(void **state)
{
    struct rig *r = *state;
    struct buf before = {0}, after = {0};
    train(r, 3);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    read_payload(r, &before);
    reopen(r);
    assert_false(r->s.is_fresh);
    assert_true(r->s.journal.has_payload);
    assert_int_equal(r->s.journal.n_steps, 3);
    read_payload(r, &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.p, after.p, before.len);
    buf_deinit(&before);
    buf_deinit(&after);
}

static void work_state_goes_on_with_the_same_bits(void **state)
{
    struct rig *r = *state;
    struct buf a = {0}, b = {0};
    train(r, 1);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    train(r, 2); /* never saved: kill -9 */
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    read_payload(r, &a);
    work_state_close(&r->s);
    unlink(r->state);
    assert_int_equal(open_state(r), OK); /* as it was before, then the same again */
    train(r, 1);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    reopen(r);
    train(r, 2);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    read_payload(r, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    buf_deinit(&a);
    buf_deinit(&b);
}

static void work_state_packs_a_phase_once(void **state)
{
    struct rig *r = *state;
    train(r, 3);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    struct hash first = r->s.journal.payload.hash;
    assert_int_equal(work_state_pack(&r->s, NULL), OK); /* asked again after a failure */
    assert_true(hash_equal(&first, &r->s.journal.payload.hash));
    assert_int_equal(n_payload_files(r), 1);
}

static void work_state_returns_a_payload_once(void **state)
{
    struct rig *r = *state;
    train(r, 3);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    assert_int_equal(work_state_return(&r->s, NULL), OK);
    assert_false(r->s.journal.has_payload);
    assert_true(r->s.journal.is_round_done);
    assert_int_equal(r->s.journal.n_steps, 0);
    assert_int_equal(n_payload_files(r), 0);
    struct buf once = {0}, twice = {0};
    assert_int_equal(trainer_pack(r->s.trainer, &once, NULL, NULL), OK);
    reopen(r);
    assert_int_equal(work_state_return(&r->s, NULL), OK); /* nothing is pending: nothing happens */
    assert_int_equal(trainer_pack(r->s.trainer, &twice, NULL, NULL), OK);
    assert_int_equal(once.len, twice.len);
    assert_memory_equal(once.p, twice.p, once.len);
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void work_state_applies_an_update_as_everybody_does(void **state)
{
    struct rig *r = *state;
    struct model_table t;
    struct buf payload = {0}, update = {0};
    assert_int_equal(model_table_init(&t, &r->run.model, NULL), OK);
    float *base = malloc(t.n_params * sizeof *base);
    assert_non_null(base);
    memcpy(base, trainer_weights(r->s.trainer), t.n_params * sizeof *base);
    train(r, 3);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    read_payload(r, &payload);
    struct merge_input in = {.payload = payload.p, .n_bytes = payload.len, .n_tokens = 5};
    assert_int_equal(merge_run(&t, &r->run.train.delta, 1, &in, 1, &update, NULL), OK);
    assert_int_equal(merge_apply(&t, &r->run.train.delta, 0.7, update.p, update.len, base, NULL),
                     OK);
    assert_int_equal(work_state_apply(&r->s, update.p, update.len, NULL), OK);
    struct hash theirs = model_hash(&t, base);
    assert_true(hash_equal(&theirs, &r->s.base));
    assert_int_equal(r->s.journal.model_round, 1);
    assert_int_equal(r->s.journal.n_steps, 0);
    assert_false(r->s.journal.has_payload);
    free(base);
    buf_deinit(&payload);
    buf_deinit(&update);
    model_table_deinit(&t);
}

/* Three steps, packed; then one ahead of the next round. */
static void to_ahead(struct rig *r)
{
    r->run.ahead_steps = 1;
    reopen(r);
    train(r, 3);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    assert_true(trainer_is_ahead(r->s.trainer));
    struct journal *j = &r->s.journal;
    uint32_t was = j->n_steps;
    uint64_t tokens = j->n_tokens;
    train(r, 1);
    j->ahead_steps = 1;
    j->ahead_tokens = j->n_tokens - tokens;
    j->n_steps = was;
    j->n_tokens = tokens;
}

static uint64_t n_params(const struct rig *r)
{
    return trainer_table(r->s.trainer)->n_params;
}

static void work_state_lands_steps_ahead_on_the_update(void **state)
{
    struct rig *r = *state;
    struct buf payload = {0}, update = {0};
    to_ahead(r);
    uint64_t n = n_params(r);
    float *local = calloc(n, sizeof *local);
    float *anchor = calloc(n, sizeof *anchor);
    memcpy(local, trainer_local(r->s.trainer), n * sizeof *local);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    reopen(r); /* the anchor comes back with the rest */
    assert_int_equal(r->s.journal.ahead_steps, 1);
    assert_memory_equal(local, trainer_local(r->s.trainer), n * sizeof *local);
    trainer_ahead_drop(r->s.trainer);
    memcpy(anchor, trainer_local(r->s.trainer), n * sizeof *anchor);
    assert_memory_not_equal(local, anchor, n * sizeof *local);
    reopen(r);
    read_payload(r, &payload);
    struct merge_input in = {.payload = payload.p, .n_bytes = payload.len, .n_tokens = 1};
    assert_int_equal(
        merge_run(trainer_table(r->s.trainer), &r->run.train.delta, 1, &in, 1, &update, NULL), OK);
    assert_int_equal(work_state_apply(&r->s, update.p, update.len, NULL), OK);
    assert_false(trainer_is_ahead(r->s.trainer));
    assert_int_equal(r->s.journal.model_round, 1);
    assert_int_equal(r->s.journal.n_steps, 1);
    assert_int_equal(r->s.journal.n_tokens, B * T);
    assert_int_equal(r->s.journal.ahead_steps, 0);
    const float *base = trainer_weights(r->s.trainer);
    for (uint64_t i = 0; i < n; i++) {
        float want = base[i] + (local[i] - anchor[i]);
        assert_true(trainer_local(r->s.trainer)[i] == want);
    }
    free(local);
    free(anchor);
    buf_deinit(&payload);
    buf_deinit(&update);
}

/* A payload that comes back brings the steps ahead with it: packed again, both are there. */
static void work_state_folds_steps_ahead_of_a_returned_payload(void **state)
{
    struct rig *r = *state;
    struct buf all = {0}, again = {0};
    r->run.train.ef_beta = 1;
    r->run.train.delta.k = r->run.train.delta.chunk;
    to_ahead(r);
    uint64_t n = n_params(r);
    float *moved = calloc(n, sizeof *moved);
    float *sent = calloc(n, sizeof *sent);
    const float *base = trainer_weights(r->s.trainer);
    for (uint64_t i = 0; i < n; i++)
        moved[i] = base[i] - trainer_local(r->s.trainer)[i];
    assert_int_equal(delta_pack(trainer_table(r->s.trainer), &r->run.train.delta,
                                DELTA_CONTRIBUTION, moved, NULL, &all, NULL, NULL),
                     OK);
    assert_int_equal(work_state_return(&r->s, NULL), OK);
    assert_false(trainer_is_ahead(r->s.trainer));
    assert_memory_equal(trainer_local(r->s.trainer), base, n * sizeof *base);
    assert_int_equal(r->s.journal.ahead_steps, 0);
    assert_int_equal(trainer_pack(r->s.trainer, &again, NULL, NULL), OK);
    /* Sums in another order: the same to the last bits, so packed into nearly the same bytes. */
    assert_true(again.len > all.len * 9 / 10 && again.len < all.len * 11 / 10);
    assert_int_equal(outer_return(trainer_table(r->s.trainer), &r->run.train.delta, again.p,
                                  again.len, sent, NULL),
                     OK);
    double dot = 0, a = 0, b = 0;
    for (uint64_t i = 0; i < n; i++) {
        dot += (double)sent[i] * (double)moved[i];
        a += (double)sent[i] * (double)sent[i];
        b += (double)moved[i] * (double)moved[i];
    }
    assert_true(dot > 0.9 * sqrt(a * b));
    free(moved);
    free(sent);
    buf_deinit(&all);
    buf_deinit(&again);
}

static void work_state_refuses_a_foreign_checkpoint_and_keeps_its_model(void **state)
{
    struct rig *r = *state;
    struct buf file = {0};
    struct hash before = r->s.base;
    assert_int_equal(checkpoint_write(4, trainer_table(r->s.trainer), trainer_weights(r->s.trainer),
                                      &file, NULL),
                     OK);
    assert_int_equal(work_state_load(&r->s, 5, file.p, file.len, NULL), ERR_PROTO);
    file.p[file.len - 1] ^= 1;
    assert_int_equal(work_state_load(&r->s, 4, file.p, file.len, NULL), ERR_AUTH);
    assert_int_equal(r->s.journal.model_round, 0);
    assert_true(hash_equal(&before, &r->s.base));
    file.p[file.len - 1] ^= 1;
    assert_int_equal(work_state_load(&r->s, 4, file.p, file.len, NULL), OK);
    assert_int_equal(r->s.journal.model_round, 4);
    buf_deinit(&file);
}

/* Weights of our own under a run description that names them. */
static void describe_model(struct rig *r, struct buf *file)
{
    trainer_init_weights(r->s.trainer, 99);
    r->run.initial_model = trainer_base_hash(r->s.trainer);
    assert_int_equal(
        checkpoint_write(0, trainer_table(r->s.trainer), trainer_weights(r->s.trainer), file, NULL),
        OK);
    r->run.is_from_checkpoint = true;
}

static void work_state_waits_for_the_weights_of_a_model_to_go_on_from(void **state)
{
    struct rig *r = *state;
    struct buf file = {0};
    describe_model(r, &file);
    reopen(r);
    assert_true(r->s.is_fresh && r->s.is_empty);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    assert_false(file_exists(r->state)); /* it would look like a model */
    assert_int_equal(work_state_load(&r->s, 0, file.p, file.len, NULL), OK);
    assert_false(r->s.is_empty);
    assert_true(hash_equal(&r->s.base, &r->run.initial_model));
    train(r, 2);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    reopen(r);
    assert_false(r->s.is_empty || r->s.is_fresh);
    assert_true(hash_equal(&r->s.base, &r->run.initial_model));
    assert_int_equal(r->s.journal.n_steps, 2);
    buf_deinit(&file);
}

static void work_state_refuses_first_weights_that_the_run_does_not_name(void **state)
{
    struct rig *r = *state;
    struct buf file = {0};
    struct err e = {0};
    describe_model(r, &file);
    r->run.initial_model = hash_of("another", 7);
    reopen(r);
    assert_int_equal(work_state_load(&r->s, 0, file.p, file.len, &e), ERR_AUTH);
    assert_non_null(strstr(e.what, "run description"));
    assert_true(r->s.is_empty);
    buf_deinit(&file);
}

static void work_state_moves_a_damaged_file_aside(void **state)
{
    struct rig *r = *state;
    struct buf b = {0};
    train(r, 2);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    assert_int_equal(file_read(r->state, 1 << 24, &b, NULL), OK);
    b.p[b.len / 2] ^= 1;
    assert_int_equal(file_replace(r->state, b.p, b.len, 0600, NULL), OK);
    reopen(r);
    assert_true(r->s.is_fresh);
    assert_int_equal(r->s.journal.n_steps, 0);
    assert_non_null(strstr(r->said, "state.damaged-"));
    assert_false(file_exists(r->state));
    buf_deinit(&b);
}

static void damage(struct rig *r, size_t at)
{
    struct buf b = {0};
    assert_int_equal(file_read(r->state, 1 << 24, &b, NULL), OK);
    b.p[at] ^= 2;
    assert_int_equal(file_replace(r->state, b.p, b.len, 0600, NULL), OK);
    buf_deinit(&b);
}

static int count_copies(const struct rig *r)
{
    int n = 0;
    DIR *d = opendir(r->dir);
    const struct dirent *it;
    while (d && (it = readdir(d)))
        n += strncmp(it->d_name, "state.damaged", 13) == 0;
    if (d) closedir(d);
    return n;
}

static void work_state_gives_up_a_phase_that_diverged(void **state)
{
    struct rig *r = *state;
    train(r, 3);
    work_state_give_up(&r->s);
    size_t n = trainer_table(r->s.trainer)->n_params * sizeof(float);
    assert_memory_equal(trainer_local(r->s.trainer), trainer_weights(r->s.trainer), n);
    assert_int_equal(r->s.journal.n_steps, 0);
    assert_true(r->s.journal.is_round_done);
    assert_false(r->s.journal.has_payload);
}

static void work_state_keeps_one_damaged_copy_and_says_so(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(work_state_save(&r->s, NULL), OK);
        damage(r, 200);
        reopen(r);
        assert_int_equal(count_copies(r), 1);
        assert_int_equal(strstr(r->said, "was replaced") != NULL, i > 0);
    }
}

static void work_state_leaves_a_newer_programs_file_alone(void **state)
{
    struct rig *r = *state;
    struct err e = {0};
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    damage(r, 13); /* the version's second byte */
    work_state_close(&r->s);
    r->s = (struct work_state){0};
    int rc = work_state_open(&r->s, &r->run, r->dir, &how, chosen, r->said, sizeof r->said, &e);
    assert_int_equal(rc, ERR_VERSION);
    assert_true(e.what[0] && e.hint[0]);
    assert_true(file_exists(r->state));
    assert_int_equal(count_copies(r), 0);
}

static void work_state_says_when_a_payload_was_lost(void **state)
{
    struct rig *r = *state;
    char path[PATH_CAP];
    train(r, 3);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    work_state_payload(r->dir, &r->s.journal.payload.hash, path);
    unlink(path);
    reopen(r);
    assert_false(r->s.journal.has_payload);
    assert_true(r->s.journal.is_round_done);
    assert_non_null(strstr(r->said, "cannot be sent again"));
}

/* The precision is the machine's own matter: weights and state files are the same kind in either. */
static void work_state_trains_in_the_precision_of_its_owner(void **state)
{
    struct rig *r = *state;
    assert_non_null(strstr(trainer_class(r->s.trainer), "fp32"));
    train(r, 2);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    how.precision = TRAINER_BF16;
    reopen(r);
    how.precision = TRAINER_FP32;
    assert_non_null(strstr(trainer_class(r->s.trainer), "bf16"));
    assert_false(r->s.is_fresh);
    train(r, 3);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
}

/* A state of other kinds is no use to this trainer, but to the next one that is as it was. */
static void work_state_puts_a_state_kept_otherwise_aside_and_whole(void **state)
{
    struct rig *r = *state;
    char aside[PATH_CAP];
    train(r, 3);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    how.moments = PACKED_Q8;
    how.feedback = PACKED_BF16;
    chosen = (struct work_choice){true, true};
    reopen(r);
    assert_true(r->s.is_fresh);
    assert_non_null(strstr(r->said, "other memory options"));
    assert_non_null(strstr(r->said, "state.damaged-last"));
    assert_non_null(strstr(r->said, "starts from the run's weights"));
    train(r, 3);
    assert_int_equal(work_state_pack(&r->s, NULL), OK);
    reopen(r); /* and as it is now, it goes on */
    assert_false(r->s.is_fresh);
    assert_true(r->s.journal.has_payload);
    how.moments = how.feedback = PACKED_F32;
    assert_int_equal(path_format(aside, "%s.damaged-last", r->state), 0);
    assert_int_equal(rename(aside, r->state), 0);
    reopen(r);
    chosen = (struct work_choice){false, false};
    assert_false(r->s.is_fresh);
    assert_int_equal(r->s.journal.n_steps, 3);
}

static void work_state_goes_on_as_it_was_kept_when_nobody_chose(void **state)
{
    struct rig *r = *state;
    struct buf asked = {0}, found = {0};
    how.moments = PACKED_BF16;
    how.feedback = PACKED_BF16;
    for (int i = 0; i < 2; i++) { /* the options again, then without them: the same bits */
        work_state_close(&r->s);
        unlink(r->state);
        how.moments = how.feedback = PACKED_BF16;
        assert_int_equal(open_state(r), OK);
        train(r, 2);
        assert_int_equal(work_state_save(&r->s, NULL), OK);
        if (i == 1) how.moments = how.feedback = PACKED_F32;
        reopen(r);
        assert_false(r->s.is_fresh);
        assert_string_equal(r->said, "");
        assert_non_null(strstr(trainer_class(r->s.trainer), "moments bf16 / feedback bf16"));
        train(r, 1);
        assert_int_equal(work_state_pack(&r->s, NULL), OK);
        read_payload(r, i ? &found : &asked);
    }
    assert_int_equal(asked.len, found.len);
    assert_memory_equal(asked.p, found.p, asked.len);
    buf_deinit(&asked);
    buf_deinit(&found);
}

static void work_state_takes_the_kind_that_was_not_chosen_from_the_file(void **state)
{
    struct rig *r = *state;
    how.feedback = PACKED_BF16;
    work_state_close(&r->s);
    assert_int_equal(open_state(r), OK);
    train(r, 1);
    assert_int_equal(work_state_save(&r->s, NULL), OK);
    how.feedback = PACKED_F32;
    chosen.moments = true; /* fp32, as it is */
    reopen(r);
    assert_false(r->s.is_fresh);
    assert_non_null(strstr(trainer_class(r->s.trainer), "feedback bf16"));
    how.moments = PACKED_BF16; /* now another one */
    reopen(r);
    how.moments = PACKED_F32;
    chosen.moments = false;
    assert_true(r->s.is_fresh);
    assert_non_null(strstr(trainer_class(r->s.trainer), "moments bf16 / feedback bf16"));
}

static void work_state_schedule_counts_by_rounds(void **state)
{
    (void)state;
    static struct rundesc d = {.inner_steps = 30, .max_inner_steps = 30};
    assert_int_equal(work_state_schedule(&d, 2, 5), 65);
    d.inner_steps = 0;
    d.inner_ms = 25000;
    d.max_inner_steps = 2500; /* what may be claimed has nothing to do with the learning rate */
    assert_int_equal(work_state_schedule(&d, 2, 5), 205);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(work_state_begins_from_the_runs_seed, setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_sends_the_same_bytes_after_a_restart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(work_state_goes_on_with_the_same_bits, setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_packs_a_phase_once, setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_returns_a_payload_once, setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_applies_an_update_as_everybody_does, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(work_state_lands_steps_ahead_on_the_update, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(work_state_folds_steps_ahead_of_a_returned_payload, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(work_state_refuses_a_foreign_checkpoint_and_keeps_its_model,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_waits_for_the_weights_of_a_model_to_go_on_from,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_refuses_first_weights_that_the_run_does_not_name,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_moves_a_damaged_file_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_gives_up_a_phase_that_diverged, setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_keeps_one_damaged_copy_and_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(work_state_leaves_a_newer_programs_file_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(work_state_says_when_a_payload_was_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_trains_in_the_precision_of_its_owner, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(work_state_puts_a_state_kept_otherwise_aside_and_whole,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(work_state_goes_on_as_it_was_kept_when_nobody_chose, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(work_state_takes_the_kind_that_was_not_chosen_from_the_file,
                                        setup, teardown),
        cmocka_unit_test(work_state_schedule_counts_by_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
