#include <math.h>

#include "aggregator/publish.h"
#include "aggregator/store_record.h"
#include "base/file.h"
#include "base/log.h"
#include "record/checkpoint.h"
#include "record/entry.h"
#include "record/sheet.h"
#include "record/tiles.h"
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
    x->p = (struct publish){
        .run = &x->d, .table = &x->t, .spool = &x->sp, .store = x->st, .key = &x->key};
    assert_int_equal(publish_open(&x->p, 4, &x->e), OK);
    x->base = calloc(x->t.n_params, sizeof *x->base);
    x->next = calloc(x->t.n_params, sizeof *x->next);
    model_init_weights(&x->t, &x->d.model, x->d.init_seed, x->base);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct press *x = *state;
    publish_close(&x->p);
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

static bool is_kept(struct press *x, enum spool_kind kind, const struct hash *h)
{
    char path[PATH_CAP];
    assert_int_equal(spool_path(&x->sp, kind, h, path, &x->e), OK);
    return file_exists(path);
}

static void note_payload(const struct hash *h, void *ctx)
{
    struct hash *list = ctx, zero = {0};
    while (!hash_equal(list, &zero))
        list++;
    *list = *h;
}

/* Five rounds, and a checkpoint after each; what is kept of payloads and updates of each. */
static void keep(struct press *x, uint64_t retention, bool payloads[5], bool updates[5])
{
    struct msg_update u[5];
    x->d.retention = retention;
    for (uint64_t r = 0; r < 5; r++) {
        u[r] = make_round(x, r);
        assert_int_equal(publish_checkpoint(&x->p, r + 1, x->base, &x->e), OK);
    }
    for (uint64_t r = 0; r < 5; r++) {
        struct hash list[16] = {0};
        assert_int_equal(store_round_payloads(x->st, r, note_payload, list, &x->e), OK);
        payloads[r] = is_kept(x, SPOOL_PAYLOAD, &list[0]) && is_kept(x, SPOOL_PAYLOAD, &list[1]);
        bool is_any = is_kept(x, SPOOL_PAYLOAD, &list[0]) || is_kept(x, SPOOL_PAYLOAD, &list[1]);
        assert_int_equal(payloads[r], is_any);
        updates[r] = is_kept(x, SPOOL_UPDATE, &u[r].update);
    }
}

static void without_a_limit_every_payload_is_kept(void **state)
{
    bool payloads[5], updates[5];
    keep(*state, 0, payloads, updates);
    for (int r = 0; r < 5; r++)
        assert_true(payloads[r] && updates[r]);
}

static void payloads_are_kept_as_long_as_the_run_says(void **state)
{
    bool payloads[5], updates[5];
    keep(*state, 3, payloads, updates); /* of rounds 2, 3 and 4 */
    for (int r = 0; r < 5; r++) {
        assert_int_equal(payloads[r], r >= 2);
        assert_int_equal(updates[r], r >= 2);
    }
}

/* Checkpoints 5 and 4 are kept, so round 4 must be, although one round would be enough. */
static void what_leads_from_the_oldest_checkpoint_stays(void **state)
{
    struct press *x = *state;
    struct msg_update last;
    bool payloads[5], updates[5];
    keep(x, 1, payloads, updates);
    assert_true(updates[4] && payloads[4]);
    assert_false(updates[3]);
    make_round(x, 5);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), OK);
    assert_memory_equal(x->next, x->base, x->t.n_params * sizeof(float));
}

/* ---- the record --------------------------------------------------------------------------- */

static struct entry entry_at(struct press *x, uint64_t index)
{
    struct buf b = {0};
    struct tiles_entry all[TILES_WIDTH];
    struct entry m;
    char path[TILES_PATH_CAP];
    struct tiles_at at = {.is_entries = true, .width = (uint32_t)index + 1};
    assert_int_equal(publish_log_read(&x->sp, tiles_path(&at, path), &b, &x->e), OK);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, at.width, all, &x->e), OK);
    assert_int_equal(entry_verify(all[index].p, all[index].n, &x->key.pub, &m, &x->e), OK);
    assert_int_equal(m.index, index);
    buf_deinit(&b);
    return m;
}

static void a_round_is_on_the_record_with_its_sheet_and_receipts(void **state)
{
    struct press *x = *state;
    struct buf b = {0}, text = {0};
    struct sheet sheet = {0};
    struct msg_receipt receipt;
    struct msg_update u = make_round(x, 0);
    struct entry open = entry_at(x, 0), m = entry_at(x, 1);
    assert_int_equal(open.kind, ENTRY_OPEN);
    assert_true(hash_equal(&open.open.initial, &x->d.initial_model));
    assert_int_equal(m.kind, ENTRY_ROUND);
    assert_true(hash_equal(&m.round.update, &u.update) && hash_equal(&m.round.result, &u.result));
    struct hash commit = entry_commit(&x->d.id, 0, &m.round.secret);
    assert_true(hash_equal(&commit, &open.open.commit_next));
    assert_int_equal(spool_read(&x->sp, SPOOL_SHEET, &m.round.sheet, 1 << 20, &b, &x->e), OK);
    assert_int_equal(b.len, m.round.sheet_bytes);
    assert_int_equal(sheet_decode(b.p, b.len, &sheet, &x->e), OK);
    assert_int_equal(sheet.n, 2);
    uint64_t paid = 0;
    for (uint32_t i = 0; i < sheet.n; i++) {
        const struct sheet_row *r = &sheet.rows[i];
        buf_clear(&text);
        assert_int_equal(spool_read(&x->sp, SPOOL_RECEIPT, &r->receipt, 1 << 16, &text, &x->e), OK);
        assert_int_equal(msg_receipt_verify(text.p, text.len, &x->key.pub, &receipt, &x->e), OK);
        assert_true(receipt.is_settled && receipt.reward == r->reward && receipt.entry == 1);
        assert_int_equal(r->weight, 32);
        assert_int_equal(r->n_checks, ROUND_CHECKS);
        paid += r->reward;
        buf_clear(&text); /* and it is what the contributor is told from now on */
        assert_int_equal(store_receipt_get(x->st, &r->contributor, 0, &text, NULL, NULL, &x->e),
                         OK);
        struct hash newest = hash_of(text.p, text.len);
        assert_true(hash_equal(&newest, &r->receipt));
    }
    assert_int_equal(paid, m.round.paid);
    sheet_deinit(&sheet);
    buf_deinit(&b);
    buf_deinit(&text);
}

static void the_last_round_closes_the_record(void **state)
{
    struct press *x = *state;
    x->d.n_rounds = 2;
    make_round(x, 0);
    struct msg_update u = make_round(x, 1);
    struct entry m = entry_at(x, 3);
    assert_int_equal(m.kind, ENTRY_END);
    assert_int_equal(m.end.n_rounds, 2);
    assert_int_equal(m.end.paid, 4); /* two rounds of two contributors, one unit each */
    assert_true(hash_equal(&m.end.result, &u.result));
}

/* Rounds 0 to 3, then back to the base of round 1; the hash of that. */
static struct hash go_back(struct press *x)
{
    struct hash bases[4], got;
    for (uint64_t round = 0; round < 4; round++) {
        bases[round] = model_hash(&x->t, x->base);
        if (round == 3) assert_int_equal(store_record_ask_rollback(x->st, 1, "a slip", &x->e), OK);
        make_round(x, round);
    }
    assert_int_equal(publish_rolled(&x->p, 4, x->base, &got, &x->e), OK);
    assert_true(hash_equal(&got, &bases[1]));
    got = model_hash(&x->t, x->base);
    assert_true(hash_equal(&got, &bases[1]));
    return got;
}

static void the_run_goes_back_behind_the_round_that_closed(void **state)
{
    struct press *x = *state;
    struct store_tail tail;
    struct hash base = go_back(x), ignored;
    struct entry m = entry_at(x, 5);
    assert_int_equal(m.kind, ENTRY_ROLLBACK);
    assert_int_equal(m.rollback.next_round, 4);
    assert_int_equal(m.rollback.to_round, 1);
    assert_true(hash_equal(&m.rollback.result, &base));
    assert_string_equal(m.rollback.reason, "a slip");
    assert_int_equal(store_record_tail(x->st, &tail, &x->e), OK);
    assert_false(tail.is_rolling); /* once is enough */
    assert_int_equal(tail.n_entries, 6);
    assert_int_equal(publish_rolled(&x->p, 3, x->next, &ignored, &x->e), ERR_NOTFOUND);
    struct msg_update u = make_round(x, 4);
    assert_true(hash_equal(&u.base, &base));
    assert_int_equal(entry_at(x, 6).kind, ENTRY_ROUND);
}

/* Right behind the rollback, rounds later, and when its checkpoint is gone. */
static void a_restart_finds_the_way_back(void **state)
{
    struct press *x = *state;
    struct msg_update last;
    struct hash base = go_back(x), got, none = {0};
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), OK);
    got = model_hash(&x->t, x->next);
    assert_true(hash_equal(&got, &base) && hash_equal(&last.result, &base));
    assert_true(hash_equal(&last.update, &none) && last.round == 3);
    struct msg_update u = make_round(x, 4);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), OK);
    got = model_hash(&x->t, x->next);
    assert_true(hash_equal(&got, &u.result) && hash_equal(&last.result, &u.result));
    assert_int_equal(store_round_checkpoint_drop(x->st, 4, &x->e), OK);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), OK);
    got = model_hash(&x->t, x->next);
    assert_true(hash_equal(&got, &u.result));
    assert_int_equal(publish_weights(&x->p, 3, x->next, &x->e), OK); /* the way that was left */
    assert_int_equal(store_round_get(x->st, 2, &u, NULL, &x->e), OK);
    got = model_hash(&x->t, x->next);
    assert_true(hash_equal(&got, &u.result));
}

static void a_wish_that_cannot_be_is_dropped(void **state)
{
    struct press *x = *state;
    struct store_tail tail;
    make_round(x, 0);
    assert_int_equal(store_record_ask_rollback(x->st, 9, "a slip", &x->e), OK);
    make_round(x, 1);
    assert_int_equal(store_record_tail(x->st, &tail, &x->e), OK);
    assert_int_equal(tail.n_entries, 3);
    assert_false(tail.is_rolling);
}

/* The end of the run in the same round: its final model is the one gone back to. */
static void a_rollback_comes_before_the_end(void **state)
{
    struct press *x = *state;
    make_round(x, 0);
    assert_int_equal(store_record_ask_rollback(x->st, 0, "a slip", &x->e), OK);
    assert_int_equal(store_record_ask_end(x->st, &x->e), OK);
    make_round(x, 1);
    assert_int_equal(entry_at(x, 3).kind, ENTRY_ROLLBACK);
    struct entry m = entry_at(x, 4);
    assert_int_equal(m.kind, ENTRY_END);
    assert_true(hash_equal(&m.end.result, &x->d.initial_model));
}

/* On record before it holds, merged and paid by it, and replayed by it after a restart. */
static void a_change_holds_for_merge_reward_and_restart(void **state)
{
    struct press *x = *state;
    struct store_entry row = {.kind = ENTRY_CHANGE};
    struct msg_update last;
    struct hash got;
    struct entry m = {.kind = ENTRY_CHANGE, .run = x->d.id, .index = 2, .at_ms = 1};
    make_round(x, 0);
    m.change.from_round = 2;
    m.change.has[ENTRY_F_OUTER_LR] = m.change.has[ENTRY_F_REWARD_PER_ROUND] = true;
    m.change.value[ENTRY_F_OUTER_LR] = 0.25;
    m.change.value[ENTRY_F_REWARD_PER_ROUND] = 77;
    assert_int_equal(entry_sign(&m, &x->key, &row.text, &x->e), OK);
    assert_int_equal(store_record_append(x->st, 2, &row, 1, &x->e), OK);
    make_round(x, 1);
    struct msg_update u = make_round(x, 2);
    assert_int_equal(entry_at(x, 3).round.emission, 1000);
    assert_int_equal(entry_at(x, 4).round.emission, 77);
    assert_int_equal(publish_restore(&x->p, x->next, &last, &x->e), OK);
    got = model_hash(&x->t, x->next);
    assert_true(hash_equal(&got, &u.result));
    struct course c;
    assert_int_equal(publish_course(&x->p, &c, &x->e), OK);
    assert_true(course_terms(&c, 2).outer_lr == 0.25 && course_terms(&c, 1).emission == 1000);
    course_deinit(&c);
    buf_deinit(&row.text);
}

static void a_round_in_which_the_host_asks_is_the_last(void **state)
{
    struct press *x = *state;
    struct store_tail tail;
    make_round(x, 0);
    assert_int_equal(store_record_ask_end(x->st, &x->e), OK);
    assert_int_equal(store_record_ask_end(x->st, &x->e), OK); /* twice is once */
    struct msg_update u = make_round(x, 1);
    assert_int_equal(store_record_tail(x->st, &tail, &x->e), OK);
    assert_true(tail.is_ended && !tail.is_ending);
    struct entry m = entry_at(x, 3);
    assert_int_equal(m.kind, ENTRY_END);
    assert_int_equal(m.end.n_rounds, 2);
    assert_true(hash_equal(&m.end.result, &u.result));
}

static void a_run_ends_between_rounds_once(void **state)
{
    struct press *x = *state;
    struct store_tail tail;
    struct msg_update u = make_round(x, 0);
    assert_int_equal(publish_end(&x->p, &u.result, 9, &x->e), OK);
    assert_int_equal(publish_end(&x->p, &u.result, 10, &x->e), OK);
    assert_int_equal(store_record_tail(x->st, &tail, &x->e), OK);
    assert_int_equal(tail.n_entries, 3);
    struct entry m = entry_at(x, 2);
    assert_int_equal(m.kind, ENTRY_END);
    assert_int_equal(m.at_ms, 9);
    assert_int_equal(m.end.n_rounds, 1);
    assert_int_equal(m.end.paid, 2);
    assert_true(hash_equal(&m.end.result, &u.result));
}

static void a_run_does_not_end_between_rounds_with_receipts_left(void **state)
{
    struct press *x = *state;
    struct msg_update u = make_round(x, 0);
    input_of(x, 1, 1);
    assert_int_equal(publish_end(&x->p, &u.result, 9, &x->e), ERR_WRONG_STATE);
}

/* Stop before the named step, as often as it comes; the caller says from which one on. */
struct power {
    int n_left;
    char at[64];
};

static int cut(void *ctx, const char *what, struct err *e)
{
    struct power *w = ctx;
    snprintf(w->at, sizeof w->at, "%s", what);
    return w->n_left-- > 0 ? OK : err_set(e, ERR_IO, 0, "the power is gone");
}

static void a_cut_at_any_step_is_repaired_by_doing_it_again(void **state)
{
    struct press *x = *state;
    struct power w = {0};
    uint64_t round = 0;
    int n_steps = 0;
    make_round(x, round++);
    for (bool is_through = false; !is_through; n_steps++, round++) {
        struct round_input in[2] = {input_of(x, 1, round), input_of(x, 2, round)};
        struct msg_update u = {.run = x->d.id, .round = round, .n_merged = 2, .n_tokens = 64};
        u.base = model_hash(&x->t, x->base);
        assert_int_equal(publish_merge(&x->p, in, 2, x->base, x->next, &u, &x->e), OK);
        bool is_back = round % 3 == 2;
        if (is_back) assert_int_equal(store_record_ask_rollback(x->st, 1, "a slip", &x->e), OK);
        w.n_left = n_steps;
        publish_log_on_step(x->p.log, cut, &w);
        x->p.step = cut;
        x->p.step_ctx = &w;
        is_through = publish_commit(&x->p, &u, in, 2, 5, &x->e) == OK;
        publish_log_on_step(x->p.log, NULL, NULL);
        x->p.step = NULL;
        if (round % 2) { /* the machine tries again; or the power was gone */
            assert_int_equal(publish_commit(&x->p, &u, in, 2, 6, &x->e), OK);
        } else {
            publish_close(&x->p);
            assert_int_equal(publish_open(&x->p, 7, &x->e), OK);
            assert_int_equal(publish_commit(&x->p, &u, in, 2, 8, &x->e), OK);
        }
        uint64_t n_back = (round + 1) / 3; /* rollbacks so far */
        struct entry m = entry_at(x, round + 1 + n_back - is_back);
        assert_int_equal(m.round.round, round);
        assert_int_equal(m.round.last_seq, 2 * (round + 1));
        if (is_back) {
            struct hash got;
            m = entry_at(x, round + 1 + n_back);
            assert_int_equal(m.kind, ENTRY_ROLLBACK);
            assert_int_equal(publish_rolled(&x->p, round + 1, x->base, &got, &x->e), OK);
            assert_true(hash_equal(&got, &m.rollback.result));
            continue;
        }
        float *old = x->base;
        x->base = x->next;
        x->next = old;
    }
    assert_true(n_steps >= 7); /* two receipts, sheet, transaction, tile, bundle, head */
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
        CASE(without_a_limit_every_payload_is_kept),
        CASE(payloads_are_kept_as_long_as_the_run_says),
        CASE(what_leads_from_the_oldest_checkpoint_stays),
        CASE(a_round_is_on_the_record_with_its_sheet_and_receipts),
        CASE(the_last_round_closes_the_record),
        CASE(the_run_goes_back_behind_the_round_that_closed),
        CASE(a_restart_finds_the_way_back),
        CASE(a_wish_that_cannot_be_is_dropped),
        CASE(a_rollback_comes_before_the_end),
        CASE(a_change_holds_for_merge_reward_and_restart),
        CASE(a_round_in_which_the_host_asks_is_the_last),
        CASE(a_run_ends_between_rounds_once),
        CASE(a_run_does_not_end_between_rounds_with_receipts_left),
        CASE(a_cut_at_any_step_is_repaired_by_doing_it_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
