#include "base/rng.h"
#include "tests/unit/roundrig.h"

static int tear_down(void **state)
{
    struct rig *g = *state;
    round_deinit(&g->r);
    return 0;
}

static struct rig the_rig;

static int set_up(void **state)
{
    rig_start(&the_rig);
    *state = &the_rig;
    return 0;
}

static void open_for_two(struct rig *g)
{
    rig_see(g, 1);
    rig_see(g, 2);
}

/* Contributor 1's manifest is with the judge, contributor 2 is here. */
static struct round_op judging_the_first_of_two(struct rig *g)
{
    static struct msg_manifest m;
    open_for_two(g);
    rig_upload(g, 1, &m);
    rig_send_manifest(g, &m);
    return rig_action(g, ROUND_DO_JUDGE)->op;
}

static void the_clock_waits_for_enough_contributors(void **state)
{
    struct rig *g = *state;
    struct msg_round m;
    rig_see(g, 1);
    assert_int_equal(g->r.state, ROUND_WAITING);
    rig_tick(g, 10 * RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_WAITING);
    round_describe(&g->r, g->now, &m);
    assert_int_equal(m.state, MSG_ROUND_OPEN);
    assert_int_equal(m.left_ms, RIG_ROUND_MS);
    assert_int_equal(m.inner_left_ms, 30000);
    open_for_two(g);
    assert_int_equal(g->r.state, ROUND_OPEN);
    assert_true(rig_has(g, ROUND_DO_ANNOUNCE));
    round_describe(&g->r, g->now + 20000, &m);
    assert_int_equal(m.left_ms, 40000);
    assert_int_equal(m.inner_left_ms, 10000);
}

static void early_contributions_count_before_the_clock_runs(void **state)
{
    struct rig *g = *state;
    rig_see(g, 1);
    rig_contribute(g, 1);
    assert_int_equal(g->r.state, ROUND_WAITING);
    assert_int_equal(round_n_accepted(&g->r), 1);
    rig_see(g, 2);
    assert_int_equal(g->r.state, ROUND_OPEN);
    rig_contribute(g, 2);
    assert_int_equal(g->r.state, ROUND_MERGING);
}

static void a_round_closes_early_when_everybody_has_an_answer(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    assert_int_equal(g->r.state, ROUND_OPEN);
    rig_contribute(g, 2);
    assert_int_equal(g->r.state, ROUND_MERGING);
    assert_true(rig_has(g, ROUND_DO_MERGE));
    assert_true(rig_has(g, ROUND_DO_REPLY_RECEIPT)); /* the receipt first, then the merge */
}

static void a_round_does_not_wait_for_the_paused(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    rig_step(g, &(struct round_event){
                    .kind = ROUND_EV_SEEN, .contributor = rig_key(2), .is_paused = true});
    assert_int_equal(g->r.state, ROUND_MERGING);
}

static void a_round_does_not_wait_for_who_said_goodbye(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    rig_step(g, &(struct round_event){.kind = ROUND_EV_GONE, .contributor = rig_key(2)});
    assert_int_equal(g->r.state, ROUND_MERGING);
}

static void a_round_does_not_wait_for_the_silent(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    assert_int_equal(round_next_ms(&g->r, g->now), g->now + ROUND_ACTIVE_MS + 1);
    rig_tick(g, ROUND_ACTIVE_MS);
    assert_int_equal(g->r.state, ROUND_OPEN);
    rig_tick(g, 1);
    assert_int_equal(g->r.state, ROUND_MERGING);
}

static void a_round_does_not_wait_for_newcomers_who_have_not_reserved(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_see(g, 3);
    rig_contribute(g, 1);
    rig_contribute(g, 2);
    assert_int_equal(g->r.state, ROUND_MERGING);
}

static void a_round_waits_for_newcomers_who_have_reserved(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    struct msg_reserve m = rig_reserve(g, 3);
    rig_send_reserve(g, &m);
    rig_end(g, ROUND_DO_STORE_SLOT, ROUND_OK);
    rig_contribute(g, 1);
    rig_contribute(g, 2);
    assert_int_equal(g->r.state, ROUND_OPEN);
}

static void the_deadline_closes_with_what_is_there(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    rig_see(g, 2);
    rig_tick(g, 40000);
    rig_see(g, 2); /* still here, still working */
    rig_tick(g, RIG_ROUND_MS - 40000 - 1);
    assert_int_equal(g->r.state, ROUND_OPEN);
    rig_tick(g, 1);
    assert_int_equal(g->r.state, ROUND_MERGING);
}

static void the_deadline_waits_for_a_manifest_that_came_in_time(void **state)
{
    struct rig *g = *state;
    struct round_op op = judging_the_first_of_two(g);
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_CLOSING);
    rig_done(g, ROUND_DO_JUDGE, &op, ROUND_OK);
    assert_int_equal(g->r.state, ROUND_CLOSING);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    assert_int_equal(g->r.state, ROUND_MERGING);
    uint32_t n = 0;
    round_inputs(&g->r, &n);
    assert_int_equal(n, 1);
}

static void too_few_at_the_deadline_get_more_time_from_the_same_base(void **state)
{
    struct rig *g = *state;
    struct hash base = g->r.base;
    open_for_two(g);
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_OPEN);
    assert_int_equal(g->r.round, 0);
    assert_true(hash_equal(&g->r.base, &base));
    assert_int_equal(g->r.deadline_ms, g->now + RIG_ROUND_MS);
    assert_true(rig_has(g, ROUND_DO_ANNOUNCE));
}

static void a_closing_round_that_loses_its_last_hope_opens_again(void **state)
{
    struct rig *g = *state;
    struct round_op op = judging_the_first_of_two(g);
    rig_tick(g, 40000);
    rig_see(g, 2); /* may still come */
    rig_tick(g, RIG_ROUND_MS - 40000);
    rig_done(g, ROUND_DO_JUDGE, &op, ROUND_BAD);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    assert_int_equal(g->r.state, ROUND_OPEN);
    assert_int_equal(g->r.deadline_ms, g->now + RIG_ROUND_MS);
}

static void refuse(struct rig *g, uint8_t who)
{
    static struct msg_manifest m;
    rig_upload(g, who, &m);
    rig_send_manifest(g, &m);
    rig_end(g, ROUND_DO_JUDGE, ROUND_BAD);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
}

static void a_refused_contributor_does_not_hold_the_round_for_ever(void **state)
{
    struct rig *g = *state;
    uint32_t n = 0;
    g->r.cfg.min_contributions = 2;
    open_for_two(g);
    rig_contribute(g, 1);
    refuse(g, 2);
    assert_int_equal(g->r.state, ROUND_OPEN); /* a third might come until the deadline */
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_MERGING);
    round_inputs(&g->r, &n);
    assert_int_equal(n, 1);
}

static void fewer_verdicts_than_the_minimum_wait_for_more(void **state)
{
    struct rig *g = *state;
    g->r.cfg.min_contributions = 2;
    open_for_two(g);
    rig_contribute(g, 1);
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_OPEN);
}

static void a_round_of_refusals_alone_ends_and_pays_nobody(void **state)
{
    struct rig *g = *state;
    uint32_t n = 9;
    open_for_two(g);
    refuse(g, 1);
    rig_tick(g, 40000);
    rig_see(g, 1);
    rig_see(g, 2);
    rig_tick(g, RIG_ROUND_MS - 40000);
    assert_int_equal(g->r.state, ROUND_OPEN); /* the other one may still come */
    refuse(g, 2);
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_MERGING);
    round_inputs(&g->r, &n);
    assert_int_equal(n, 0);
    assert_int_equal(round_update(&g->r)->n_merged, 0);
    rig_end(g, ROUND_DO_MERGE, ROUND_OK);
    rig_end(g, ROUND_DO_PUBLISH, ROUND_OK);
    assert_int_equal(g->r.round, 1); /* who was refused gets another chance */
}

static void a_goodbye_closes_a_round_that_waited_for_nobody_else(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    assert_int_equal(g->r.state, ROUND_OPEN);
    rig_step(g, &(struct round_event){.kind = ROUND_EV_GONE, .contributor = rig_key(2)});
    assert_int_equal(g->r.state, ROUND_MERGING);
}

static void inputs_are_in_key_order_and_rewards_sum_up(void **state)
{
    struct rig *g = *state;
    uint32_t n = 0;
    rig_see(g, 9);
    rig_see(g, 4);
    rig_see(g, 7);
    rig_contribute(g, 9);
    rig_contribute(g, 7);
    rig_contribute(g, 4);
    const struct round_input *in = round_inputs(&g->r, &n);
    assert_int_equal(n, 3);
    assert_int_equal(in[0].contributor.b[0], 4);
    assert_int_equal(in[2].contributor.b[0], 9);
    assert_int_equal(in[0].reward + in[1].reward + in[2].reward, 1000);
    assert_int_equal(in[0].receipt_seq, 3);
}

static void merge_through_publish(struct rig *g)
{
    rig_end(g, ROUND_DO_MERGE, ROUND_OK);
    assert_int_equal(g->r.state, ROUND_PUBLISHING);
    rig_end(g, ROUND_DO_PUBLISH, ROUND_OK);
}

static void a_published_round_opens_the_next_from_its_result(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    rig_contribute(g, 2);
    struct round_op merge = rig_action(g, ROUND_DO_MERGE)->op;
    rig_done(g, ROUND_DO_MERGE, &merge, ROUND_OK);
    assert_false(rig_has(g, ROUND_DO_ANNOUNCE)); /* not yet durable */
    assert_int_equal(g->r.round, 0);
    rig_end(g, ROUND_DO_PUBLISH, ROUND_OK);
    assert_true(rig_has(g, ROUND_DO_ANNOUNCE));
    assert_int_equal(g->r.round, 1);
    assert_int_equal(g->r.state, ROUND_OPEN);
    struct hash want = rig_hash(101);
    assert_true(hash_equal(&g->r.base, &want));
    const struct msg_update *u = round_update(&g->r);
    assert_int_equal(u->n_tokens, 2000);
    assert_float_equal(u->train_loss, 2.5, 1e-12);
    assert_int_equal(round_n_accepted(&g->r), 0);
}

/* What the record changed holds for the next round, and where it goes back no update leads there. */
static void the_next_round_opens_by_the_terms_it_is_given(void **state)
{
    struct rig *g = *state;
    struct hash base = rig_hash(55), none = {0};
    struct round_terms terms = {.min_contributions = 2,
                                .n_rounds = 9,
                                .round_ms = 5000,
                                .inner_ms = 4000,
                                .upload_ms = 1000,
                                .max_inner_steps = 50,
                                .reward_per_round = 300};
    open_for_two(g);
    rig_contribute(g, 1);
    rig_contribute(g, 2);
    rig_end(g, ROUND_DO_MERGE, ROUND_OK);
    struct round_op op = rig_action(g, ROUND_DO_PUBLISH)->op;
    rig_step(g, &(struct round_event){.kind = ROUND_EV_DONE,
                                      .work = ROUND_DO_PUBLISH,
                                      .op = op,
                                      .outcome = ROUND_OK,
                                      .terms = &terms,
                                      .base = &base});
    assert_int_equal(g->r.round, 1);
    assert_true(hash_equal(&g->r.base, &base) && hash_equal(&g->r.update, &none));
    assert_int_equal(g->r.deadline_ms, g->now + 5000);
    struct msg_round m;
    round_describe(&g->r, g->now, &m);
    assert_int_equal(m.inner_left_ms, 4000);
    rig_contribute(g, 1); /* fewer than the new minimum */
    rig_tick(g, 6000);
    assert_int_equal(g->r.state, ROUND_OPEN);
    assert_int_equal(g->r.cfg.reward_per_round, 300);
}

static void the_run_ends_after_its_last_round(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    for (int i = 0; i < 3; i++) {
        rig_contribute(g, 1);
        rig_contribute(g, 2);
        merge_through_publish(g);
    }
    assert_int_equal(g->r.state, ROUND_ENDED);
    struct msg_round m;
    round_describe(&g->r, g->now, &m);
    assert_int_equal(m.state, MSG_ROUND_ENDED);
    assert_int_equal(round_next_ms(&g->r, g->now), INT64_MAX);
    struct msg_reserve reserve = rig_reserve(g, 1);
    rig_send_reserve(g, &reserve);
    assert_int_equal(rig_status(g), 409);
}

static void say_end(struct rig *g, bool is_now)
{
    rig_step(g, &(struct round_event){.kind = ROUND_EV_END, .is_now = is_now});
}

/* Merge and publication of the last round, after which the record is closed. */
static void merge_to_the_end(struct rig *g)
{
    rig_end(g, ROUND_DO_MERGE, ROUND_OK);
    struct round_op op = rig_action(g, ROUND_DO_PUBLISH)->op;
    rig_step(g, &(struct round_event){.kind = ROUND_EV_DONE,
                                      .work = ROUND_DO_PUBLISH,
                                      .op = op,
                                      .outcome = ROUND_OK,
                                      .is_over = true});
    assert_int_equal(g->r.state, ROUND_ENDED);
    assert_int_equal(round_next_ms(&g->r, g->now), INT64_MAX);
}

static void a_host_ends_the_run_with_the_open_round(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    say_end(g, false);
    assert_int_equal(g->r.state, ROUND_OPEN); /* the other one may still send */
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.n_inputs, 1);
    merge_to_the_end(g);
    assert_int_equal(g->r.round, 1);
    struct msg_reserve m = rig_reserve(g, 2);
    rig_send_reserve(g, &m);
    assert_int_equal(rig_status(g), 409);
}

static void the_last_round_closes_at_its_deadline_with_nothing(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    say_end(g, false);
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.n_inputs, 0);
    merge_to_the_end(g);
    say_end(g, true);
    assert_int_equal(g->out.n, 0);
}

static void the_end_waits_for_what_is_being_judged(void **state)
{
    struct rig *g = *state;
    struct round_op op = judging_the_first_of_two(g);
    say_end(g, true);
    assert_int_equal(g->r.state, ROUND_CLOSING);
    rig_done(g, ROUND_DO_JUDGE, &op, ROUND_OK);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    assert_int_equal(g->r.n_inputs, 1);
    merge_to_the_end(g);
}

static void a_run_that_has_not_begun_ends_at_once(void **state)
{
    struct rig *g = *state;
    assert_int_equal(g->r.state, ROUND_WAITING);
    say_end(g, false);
    merge_to_the_end(g);
}

/* The wish came too late for this publication: the next round is the last one. */
static void an_end_that_comes_during_the_merge_waits_for_the_record(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    rig_contribute(g, 2);
    struct round_op op = rig_action(g, ROUND_DO_MERGE)->op;
    say_end(g, false);
    rig_done(g, ROUND_DO_MERGE, &op, ROUND_OK);
    rig_end(g, ROUND_DO_PUBLISH, ROUND_OK); /* is_over is false */
    assert_int_equal(g->r.state, ROUND_OPEN);
    rig_tick(g, RIG_ROUND_MS);
    merge_to_the_end(g);
    assert_int_equal(g->r.round, 2);
}

static void a_restart_after_the_end_is_over(void **state)
{
    struct rig *g = *state;
    struct round_config c = rig_config();
    c.is_ended = true;
    round_deinit(&g->r);
    rig_start_with(g, &c);
    assert_int_equal(g->r.state, ROUND_ENDED);
}

static void a_failed_merge_is_tried_again_and_its_stale_answer_ignored(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    rig_contribute(g, 2);
    struct round_op first = rig_action(g, ROUND_DO_MERGE)->op;
    rig_done(g, ROUND_DO_MERGE, &first, ROUND_FULL);
    assert_int_equal(g->r.state, ROUND_MERGING);
    rig_tick(g, ROUND_RETRY_MS - 1);
    assert_false(rig_has(g, ROUND_DO_MERGE));
    rig_tick(g, 1);
    struct round_op second = rig_action(g, ROUND_DO_MERGE)->op;
    rig_done(g, ROUND_DO_MERGE, &first, ROUND_OK);
    assert_int_equal(g->r.state, ROUND_MERGING);
    rig_done(g, ROUND_DO_MERGE, &second, ROUND_OK);
    assert_int_equal(g->r.state, ROUND_PUBLISHING);
}

static void a_failed_publication_is_tried_again(void **state)
{
    struct rig *g = *state;
    open_for_two(g);
    rig_contribute(g, 1);
    rig_contribute(g, 2);
    rig_end(g, ROUND_DO_MERGE, ROUND_OK);
    rig_end(g, ROUND_DO_PUBLISH, ROUND_FULL);
    assert_int_equal(g->r.round, 0);
    assert_int_equal(round_next_ms(&g->r, g->now), g->now + ROUND_RETRY_MS);
    rig_tick(g, ROUND_RETRY_MS);
    rig_end(g, ROUND_DO_PUBLISH, ROUND_OK);
    assert_int_equal(g->r.round, 1);
}

static void restore(struct rig *g, uint64_t round, const struct round_stored *s, uint32_t n)
{
    struct round_config c = rig_config();
    struct err e = {0};
    struct hash base = rig_hash(100), none = {0};
    round_deinit(&g->r);
    assert_int_equal(round_init(&g->r, &c, &e), OK);
    assert_int_equal(round_restore(&g->r, round, &base, &none, 0, s, n, g->now, &g->out, &e), OK);
}

static void a_restart_keeps_slots_and_their_chunks(void **state)
{
    struct rig *g = *state;
    struct round_stored s = {.contributor = rig_key(1),
                             .has_slot = true,
                             .id = "0123456789abcdef0123456789abcdef",
                             .max_bytes = MSG_CHUNK_BYTES + 10,
                             .have = {1}};
    restore(g, 0, &s, 1);
    assert_int_equal(g->r.state, ROUND_OPEN);
    struct msg_reserve m = rig_reserve(g, 1);
    rig_send_reserve(g, &m);
    const struct round_action *a = rig_action(g, ROUND_DO_REPLY_SLOT);
    assert_string_equal(a->slot.id, s.id);
    assert_int_equal(a->slot.n_have, 1);
    rig_send_chunk(g, s.id, 1, 10);
    assert_true(rig_has(g, ROUND_DO_STORE_CHUNK));
}

static void a_restart_gives_the_same_receipt_without_judging_again(void **state)
{
    struct rig *g = *state;
    static struct msg_manifest m;
    struct round_stored s[2] = {
        {.contributor = rig_key(1),
         .has_slot = true,
         .id = "0123456789abcdef0123456789abcdef",
         .max_bytes = 10,
         .has_receipt = true,
         .verdict = MSG_ACCEPTED,
         .seq = 5,
         .claim = {.n_bytes = 10, .n_tokens = 100}},
        {.contributor = rig_key(2)}
    };
    restore(g, 0, s, 2);
    assert_int_equal(g->r.state, ROUND_OPEN); /* waits for the one who was here before */
    m = (struct msg_manifest){.run = g->r.cfg.run, .contributor = rig_key(1), .base = g->r.base};
    rig_send_manifest(g, &m);
    assert_true(rig_has(g, ROUND_DO_REPLY_RECEIPT));
    assert_false(rig_has(g, ROUND_DO_JUDGE));
    rig_contribute(g, 2);
    uint32_t n = 0;
    assert_int_equal(g->r.state, ROUND_MERGING);
    assert_int_equal(round_inputs(&g->r, &n)[0].receipt_seq, 5);
    assert_int_equal(n, 2);
}

static void a_restart_in_the_middle_of_a_merge_does_it_again(void **state)
{
    struct rig *g = *state;
    struct round_stored s = {
        .contributor = rig_key(1),
        .has_receipt = true,
        .verdict = MSG_ACCEPTED,
        .seq = 1,
        .claim = {.n_bytes = 10, .n_tokens = 100}
    };
    restore(g, 1, &s, 1);
    assert_int_equal(g->r.state, ROUND_MERGING);
    assert_true(rig_has(g, ROUND_DO_MERGE));
}

static void a_restart_after_the_last_round_is_over(void **state)
{
    struct rig *g = *state;
    restore(g, 3, NULL, 0);
    assert_int_equal(g->r.state, ROUND_ENDED);
}

static void a_configuration_without_room_is_refused(void **state)
{
    struct round r;
    struct err e = {0};
    struct round_config c = rig_config();
    (void)state;
    c.max_bytes = 0;
    assert_int_equal(round_init(&r, &c, &e), ERR_ARG);
    round_deinit(&r);
}

/* ---- anything in any order ------------------------------------------------------------------ */

#define PEERS   6
#define PENDING 64

/* What a driver with an honest disk has stored. */
struct disk {
    bool slot[PEERS], receipt[PEERS][4];
    uint32_t chunks[PEERS];
};

struct storm {
    struct rig g;
    struct rng rng;
    struct disk disk;
    uint32_t n_pending;
    struct round_action pending[PENDING];
    char ids[PEERS][MSG_ID_HEX];
    uint64_t n_published;
};

static void check_replies(struct storm *s)
{
    for (uint32_t i = 0; i < s->g.out.n; i++) {
        const struct round_action *a = &s->g.out.a[i];
        uint8_t who = a->op.contributor.b[0];
        if (a->kind == ROUND_DO_REPLY_RECEIPT) assert_true(s->disk.receipt[who][a->op.round]);
        if (a->kind == ROUND_DO_ANNOUNCE) assert_int_equal(s->g.r.round, s->n_published);
        if (a->kind >= ROUND_DO_REPLY_SLOT) continue;
        assert_true(s->n_pending < PENDING);
        s->pending[s->n_pending++] = *a;
    }
}

/* Some work ends: mostly well, and then it is on the disk first. */
static void end_some(struct storm *s)
{
    if (!s->n_pending) return;
    uint32_t i = rng_below(&s->rng, s->n_pending);
    struct round_action a = s->pending[i];
    s->pending[i] = s->pending[--s->n_pending];
    uint8_t who = a.op.contributor.b[0];
    enum round_outcome o = rng_below(&s->rng, 8) ? ROUND_OK : ROUND_FULL;
    if (a.kind == ROUND_DO_FIND_RECEIPT && o == ROUND_OK && !s->disk.receipt[who][a.op.round])
        o = ROUND_NONE;
    if (a.kind == ROUND_DO_STORE_RECEIPT && o == ROUND_OK) s->disk.receipt[who][a.op.round] = true;
    if (a.kind == ROUND_DO_PUBLISH && o == ROUND_OK) s->n_published = a.op.round + 1;
    rig_done(&s->g, a.kind, &a.op, o);
    check_replies(s);
}

static void say_something(struct storm *s)
{
    static struct msg_manifest m;
    struct rig *g = &s->g;
    uint8_t who = (uint8_t)rng_below(&s->rng, PEERS);
    struct msg_reserve reserve = rig_reserve(g, who);
    switch (rng_below(&s->rng, 5)) {
    case 0: rig_see(g, who); break;
    case 1: rig_send_reserve(g, &reserve); break;
    case 2: rig_send_chunk(g, s->ids[who], rng_below(&s->rng, 2), 10); break;
    case 3:
        m = (struct msg_manifest){.run = g->r.cfg.run,
                                  .contributor = rig_key(who),
                                  .round = g->r.round - (g->r.round && !rng_below(&s->rng, 4)),
                                  .base = g->r.base,
                                  .n_bytes = 10,
                                  .n_chunks = 1,
                                  .n_steps = 1,
                                  .n_tokens = 1,
                                  .payload = rig_hash(who),
                                  .loss = 1};
        memcpy(m.id, s->ids[who], MSG_ID_HEX);
        rig_send_manifest(g, &m);
        break;
    default: rig_tick(g, rng_below(&s->rng, 20000)); break;
    }
    check_replies(s);
    for (uint8_t i = 0; i < PEERS; i++) {
        struct key_pub k = rig_key(i);
        const struct round_seat *seat = round_seat(&g->r, &k);
        if (seat) memcpy(s->ids[i], seat->id, MSG_ID_HEX);
    }
}

static void in_any_order_nothing_is_said_before_it_is_stored(void **state)
{
    static struct storm s;
    (void)state;
    uint64_t n_ended = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        memset(&s, 0, sizeof s);
        rng_init(&s.rng, seed, 0);
        rig_start(&s.g);
        for (int i = 0; i < 2000 && s.g.r.state != ROUND_ENDED; i++) {
            if (rng_below(&s.rng, 2) && s.n_pending < PENDING - ROUND_MAX_ACTIONS)
                say_something(&s);
            else
                end_some(&s);
        }
        n_ended += s.g.r.state == ROUND_ENDED;
        round_deinit(&s.g.r);
    }
    assert_true(n_ended > 150); /* the storm must not stop the run either */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_clock_waits_for_enough_contributors),
        CASE(early_contributions_count_before_the_clock_runs),
        CASE(a_round_closes_early_when_everybody_has_an_answer),
        CASE(a_round_does_not_wait_for_the_paused),
        CASE(a_round_does_not_wait_for_who_said_goodbye),
        CASE(a_round_does_not_wait_for_the_silent),
        CASE(a_round_does_not_wait_for_newcomers_who_have_not_reserved),
        CASE(a_round_waits_for_newcomers_who_have_reserved),
        CASE(the_deadline_closes_with_what_is_there),
        CASE(the_deadline_waits_for_a_manifest_that_came_in_time),
        CASE(too_few_at_the_deadline_get_more_time_from_the_same_base),
        CASE(a_refused_contributor_does_not_hold_the_round_for_ever),
        CASE(fewer_verdicts_than_the_minimum_wait_for_more),
        CASE(a_round_of_refusals_alone_ends_and_pays_nobody),
        CASE(a_goodbye_closes_a_round_that_waited_for_nobody_else),
        CASE(a_closing_round_that_loses_its_last_hope_opens_again),
        CASE(inputs_are_in_key_order_and_rewards_sum_up),
        CASE(a_published_round_opens_the_next_from_its_result),
        CASE(the_next_round_opens_by_the_terms_it_is_given),
        CASE(the_run_ends_after_its_last_round),
        CASE(a_host_ends_the_run_with_the_open_round),
        CASE(the_last_round_closes_at_its_deadline_with_nothing),
        CASE(the_end_waits_for_what_is_being_judged),
        CASE(a_run_that_has_not_begun_ends_at_once),
        CASE(an_end_that_comes_during_the_merge_waits_for_the_record),
        CASE(a_restart_after_the_end_is_over),
        CASE(a_failed_merge_is_tried_again_and_its_stale_answer_ignored),
        CASE(a_failed_publication_is_tried_again),
        CASE(a_restart_keeps_slots_and_their_chunks),
        CASE(a_restart_gives_the_same_receipt_without_judging_again),
        CASE(a_restart_in_the_middle_of_a_merge_does_it_again),
        CASE(a_restart_after_the_last_round_is_over),
        cmocka_unit_test(a_configuration_without_room_is_refused),
        cmocka_unit_test(in_any_order_nothing_is_said_before_it_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
