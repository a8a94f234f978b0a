#include <math.h>

#include "aggregator/round_slot.h"
#include "tests/unit/roundrig.h"

static struct rig the_rig;
static struct msg_manifest m;

static int set_up(void **state)
{
    rig_start(&the_rig);
    rig_see(&the_rig, 1);
    rig_see(&the_rig, 2);
    *state = &the_rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *g = *state;
    round_deinit(&g->r);
    return 0;
}

static void a_slot_is_told_only_after_it_is_stored(void **state)
{
    struct rig *g = *state;
    struct msg_reserve r = rig_reserve(g, 1);
    rig_send_reserve(g, &r);
    assert_int_equal(g->out.n, 1);
    rig_end(g, ROUND_DO_STORE_SLOT, ROUND_OK);
    const struct round_action *a = rig_action(g, ROUND_DO_REPLY_SLOT);
    assert_int_equal(a->req, g->req);
    assert_int_equal(strlen(a->slot.id), MSG_ID_HEX - 1);
    assert_int_equal(a->slot.chunk_bytes, MSG_CHUNK_BYTES);
    assert_int_equal(a->slot.n_have, 0);
    assert_int_equal(a->slot.left_ms, RIG_ROUND_MS);
}

static void asking_twice_stores_once_and_answers_both(void **state)
{
    struct rig *g = *state;
    struct msg_reserve r = rig_reserve(g, 1);
    rig_send_reserve(g, &r);
    struct round_op op = rig_action(g, ROUND_DO_STORE_SLOT)->op;
    rig_send_reserve(g, &r);
    assert_int_equal(g->out.n, 0);
    rig_done(g, ROUND_DO_STORE_SLOT, &op, ROUND_OK);
    assert_int_equal(g->out.n, 2);
    assert_string_equal(g->out.a[0].slot.id, g->out.a[1].slot.id);
}

static void a_reservation_again_gives_the_same_slot_with_what_is_stored(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    struct msg_reserve r = rig_reserve(g, 1);
    rig_send_reserve(g, &r);
    const struct round_action *a = rig_action(g, ROUND_DO_REPLY_SLOT);
    assert_string_equal(a->slot.id, m.id);
    assert_int_equal(a->slot.n_have, 2);
    assert_int_equal(a->slot.have[0], 3);
}

static void a_larger_reservation_enlarges_the_slot(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    struct msg_reserve r = rig_reserve(g, 1);
    r.max_bytes = 3 * MSG_CHUNK_BYTES;
    rig_send_reserve(g, &r);
    assert_int_equal(rig_action(g, ROUND_DO_STORE_SLOT)->op.max_bytes, 3 * MSG_CHUNK_BYTES);
    rig_end(g, ROUND_DO_STORE_SLOT, ROUND_FULL);
    assert_int_equal(rig_status(g), 507);
    rig_send_reserve(g, &(struct msg_reserve){.run = r.run,
                                              .contributor = r.contributor,
                                              .round = 0,
                                              .base = r.base,
                                              .max_bytes = 10});
    assert_int_equal(rig_action(g, ROUND_DO_REPLY_SLOT)->slot.n_have, 2); /* nothing forgotten */
}

static void an_unfit_reservation_is_refused_with_its_reason(void **state)
{
    struct rig *g = *state;
    struct msg_reserve good = rig_reserve(g, 1), r = good;
    r.run = rig_hash(1);
    rig_send_reserve(g, &r);
    assert_int_equal(rig_status(g), 409);
    r = good;
    r.round = 1;
    rig_send_reserve(g, &r);
    assert_int_equal(rig_status(g), 409);
    r = good;
    r.base = rig_hash(1);
    rig_send_reserve(g, &r);
    assert_int_equal(rig_status(g), 409);
    r = good;
    r.max_bytes = g->r.cfg.max_bytes + 1;
    rig_send_reserve(g, &r);
    assert_int_equal(rig_status(g), 413);
    rig_step(
        g, &(struct round_event){
               .kind = ROUND_EV_RESERVE, .req = 9, .reserve = &good, .room_bytes = good.max_bytes});
    assert_int_equal(rig_status(g), 507);
}

static void a_full_run_refuses_newcomers(void **state)
{
    struct rig *g = *state;
    for (int i = 0; i < ROUND_MAX_SEATS; i++) {
        struct key_pub k = {
            {(uint8_t)i, (uint8_t)(i >> 8), 1}
        };
        rig_step(g, &(struct round_event){.kind = ROUND_EV_SEEN, .contributor = k});
    }
    struct msg_reserve r = rig_reserve(g, 77);
    rig_send_reserve(g, &r);
    assert_int_equal(rig_status(g), 503);
    g->now += 11 * 60 * 1000; /* somebody unseen for so long gives up the seat */
    rig_send_reserve(g, &r);
    assert_true(rig_has(g, ROUND_DO_STORE_SLOT));
}

static void a_chunk_is_answered_only_after_it_is_stored(void **state)
{
    struct rig *g = *state;
    struct msg_reserve r = rig_reserve(g, 1);
    rig_send_reserve(g, &r);
    rig_end(g, ROUND_DO_STORE_SLOT, ROUND_OK);
    char id[MSG_ID_HEX];
    memcpy(id, rig_action(g, ROUND_DO_REPLY_SLOT)->slot.id, MSG_ID_HEX);
    rig_send_chunk(g, id, 0, MSG_CHUNK_BYTES);
    assert_int_equal(g->out.n, 1);
    struct round_op op = rig_action(g, ROUND_DO_STORE_CHUNK)->op;
    rig_send_chunk(g, id, 0, MSG_CHUNK_BYTES); /* the same one meanwhile */
    assert_int_equal(rig_status(g), 503);
    rig_done(g, ROUND_DO_STORE_CHUNK, &op, ROUND_MISMATCH);
    assert_int_equal(rig_status(g), 422);
    rig_send_chunk(g, id, 0, MSG_CHUNK_BYTES);
    rig_end(g, ROUND_DO_STORE_CHUNK, ROUND_OK);
    assert_true(rig_has(g, ROUND_DO_REPLY_STORED));
}

static void open_slot(struct rig *g, char id[MSG_ID_HEX])
{
    struct msg_reserve r = rig_reserve(g, 1);
    rig_send_reserve(g, &r);
    rig_end(g, ROUND_DO_STORE_SLOT, ROUND_OK);
    memcpy(id, rig_action(g, ROUND_DO_REPLY_SLOT)->slot.id, MSG_ID_HEX);
}

static void ask_offset(struct rig *g, const char *id, uint32_t i)
{
    rig_step(
        g, &(struct round_event){.kind = ROUND_EV_OFFSET, .req = ++g->req, .id = id, .i_chunk = i});
}

/* Bytes [from, from + n) of chunk 0; nobody waits when req is 0. */
static void send_part(struct rig *g, const char *id, uint64_t req, uint64_t from, uint64_t n)
{
    rig_step(g, &(struct round_event){.kind = ROUND_EV_CHUNK,
                                      .req = req,
                                      .id = id,
                                      .offset = from,
                                      .n_bytes = n,
                                      .is_part = true});
}

static void end_part(struct rig *g, const struct round_op *op, enum round_outcome o,
                     uint64_t stored)
{
    rig_step(g, &(struct round_event){.kind = ROUND_EV_DONE,
                                      .work = ROUND_DO_STORE_CHUNK,
                                      .op = *op,
                                      .outcome = o,
                                      .n_stored = stored});
}

static void who_asks_during_a_write_hears_what_came_of_it(void **state)
{
    struct rig *g = *state;
    char id[MSG_ID_HEX];
    open_slot(g, id);
    send_part(g, id, 0, 0, 1000); /* cut off */
    struct round_op op = rig_action(g, ROUND_DO_STORE_CHUNK)->op;
    assert_true(op.is_part && op.req == 0);
    ask_offset(g, id, 0);
    assert_int_equal(g->out.n, 0); /* it waits */
    end_part(g, &op, ROUND_OK, 1000);
    op = rig_action(g, ROUND_DO_FIND_PART)->op;
    assert_int_equal(op.req, g->req);
    rig_step(g, &(struct round_event){.kind = ROUND_EV_DONE,
                                      .work = ROUND_DO_FIND_PART,
                                      .op = op,
                                      .outcome = ROUND_OK,
                                      .n_stored = 1000});
    const struct round_action *a = rig_action(g, ROUND_DO_REPLY_OFFSET);
    assert_int_equal(a->status, 204);
    assert_int_equal(a->n_stored, 1000);
    assert_false(a->is_complete);
}

static void a_complete_chunk_is_said_to_be_complete(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    ask_offset(g, m.id, 1);
    assert_true(rig_action(g, ROUND_DO_REPLY_OFFSET)->is_complete);
    ask_offset(g, "ffffffffffffffffffffffffffffffff", 0);
    assert_int_equal(rig_status(g), 404);
    send_part(g, m.id, 0, 0, 5); /* a late rest of an older connection changes nothing */
    assert_int_equal(g->out.n, 0);
}

static void a_part_that_does_not_fit_on_is_told_where_to_go_on(void **state)
{
    struct rig *g = *state;
    char id[MSG_ID_HEX];
    open_slot(g, id);
    send_part(g, id, ++g->req, 500, 100);
    struct round_op op = rig_action(g, ROUND_DO_STORE_CHUNK)->op;
    assert_int_equal(op.offset, 500);
    end_part(g, &op, ROUND_GAP, 300);
    const struct round_action *a = rig_action(g, ROUND_DO_REPLY_OFFSET);
    assert_int_equal(a->status, 409);
    assert_int_equal(a->n_stored, 300);
    send_part(g, id, ++g->req, MSG_CHUNK_BYTES - 5, 6); /* beyond the chunk */
    assert_int_equal(rig_status(g), 413);
    send_part(g, id, ++g->req, UINT64_MAX, 6);
    assert_int_equal(rig_status(g), 413);
}

static void too_many_who_ask_are_sent_away(void **state)
{
    struct rig *g = *state;
    char id[MSG_ID_HEX];
    open_slot(g, id);
    send_part(g, id, 0, 0, 10);
    for (int i = 0; i < ROUND_MAX_WAITERS; i++)
        ask_offset(g, id, 0);
    assert_int_equal(g->out.n, 0);
    ask_offset(g, id, 0);
    assert_int_equal(rig_status(g), 503);
}

static void a_chunk_that_the_disk_refused_is_not_acknowledged(void **state)
{
    struct rig *g = *state;
    struct msg_reserve r = rig_reserve(g, 1);
    rig_send_reserve(g, &r);
    rig_end(g, ROUND_DO_STORE_SLOT, ROUND_OK);
    char id[MSG_ID_HEX];
    memcpy(id, rig_action(g, ROUND_DO_REPLY_SLOT)->slot.id, MSG_ID_HEX);
    rig_send_chunk(g, id, 0, MSG_CHUNK_BYTES);
    rig_end(g, ROUND_DO_STORE_CHUNK, ROUND_FULL);
    assert_false(rig_has(g, ROUND_DO_REPLY_STORED));
    assert_int_equal(rig_status(g), 507);
    rig_send_chunk(g, id, 0, MSG_CHUNK_BYTES);
    rig_end(g, ROUND_DO_STORE_CHUNK, ROUND_FAILED);
    assert_false(rig_has(g, ROUND_DO_REPLY_STORED));
    assert_int_equal(rig_status(g), 503);
}

static void a_chunk_outside_the_reservation_is_refused(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    rig_send_chunk(g, m.id, 1, 11);
    assert_int_equal(rig_status(g), 413);
    rig_send_chunk(g, m.id, 2, 1);
    assert_int_equal(rig_status(g), 413);
    rig_send_chunk(g, m.id, MSG_MAX_CHUNKS, 1);
    assert_int_equal(rig_status(g), 413);
    rig_send_chunk(g, m.id, 0, 0);
    assert_int_equal(rig_status(g), 413);
    rig_send_chunk(g, "ffffffffffffffffffffffffffffffff", 0, 1);
    assert_int_equal(rig_status(g), 404);
}

static void a_manifest_is_judged_then_stored_then_answered(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    rig_send_manifest(g, &m);
    assert_int_equal(g->out.n, 1);
    rig_end(g, ROUND_DO_JUDGE, ROUND_OK);
    assert_int_equal(g->out.n, 1);
    assert_int_equal(rig_action(g, ROUND_DO_STORE_RECEIPT)->op.verdict, MSG_ACCEPTED);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    assert_int_equal(rig_action(g, ROUND_DO_REPLY_RECEIPT)->req, g->req);
    assert_int_equal(round_n_accepted(&g->r), 1);
}

static void a_manifest_again_gets_the_same_receipt_and_counts_once(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    rig_send_manifest(g, &m);
    struct round_op op = rig_action(g, ROUND_DO_JUDGE)->op;
    rig_send_manifest(g, &m);
    assert_int_equal(g->out.n, 0);
    rig_done(g, ROUND_DO_JUDGE, &op, ROUND_OK);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    assert_int_equal(g->out.n, 2); /* both requests */
    rig_send_manifest(g, &m);
    assert_int_equal(g->out.n, 1);
    assert_true(rig_has(g, ROUND_DO_REPLY_RECEIPT));
    rig_done(g, ROUND_DO_JUDGE, &op, ROUND_OK); /* a stray answer */
    assert_int_equal(g->out.n, 0);
    assert_int_equal(round_n_accepted(&g->r), 1);
}

static void a_missing_chunk_is_named(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    struct msg_reserve r = rig_reserve(g, 2);
    rig_send_reserve(g, &r);
    rig_end(g, ROUND_DO_STORE_SLOT, ROUND_OK);
    memcpy(m.id, rig_action(g, ROUND_DO_REPLY_SLOT)->slot.id, MSG_ID_HEX);
    m.contributor = rig_key(2);
    rig_send_manifest(g, &m);
    assert_int_equal(rig_status(g), 409);
    assert_non_null(strstr(rig_action(g, ROUND_DO_REPLY_ERROR)->detail, "chunk 0"));
}

static void an_upload_of_somebody_else_is_unknown(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    m.contributor = rig_key(2);
    rig_send_manifest(g, &m);
    assert_int_equal(rig_status(g), 404);
}

/* Change one thing, send, expect a verdict "rejected" that is stored with a reason. */
#define EXPECT_REJECTED(change)                                                                    \
    do {                                                                                           \
        rig_start(&the_rig);                                                                       \
        rig_see(g, 1);                                                                             \
        rig_see(g, 2);                                                                             \
        rig_upload(g, 1, &m);                                                                      \
        change;                                                                                    \
        rig_send_manifest(g, &m);                                                                  \
        assert_int_equal(rig_action(g, ROUND_DO_STORE_RECEIPT)->op.verdict, MSG_REJECTED);         \
        assert_true(rig_action(g, ROUND_DO_STORE_RECEIPT)->op.reason[0]);                          \
        rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);                                              \
        assert_true(rig_has(g, ROUND_DO_REPLY_RECEIPT));                                           \
        assert_int_equal(round_n_accepted(&g->r), 0);                                              \
        round_deinit(&g->r);                                                                       \
    } while (0)

static void claims_beyond_the_rules_are_rejected_with_a_receipt(void **state)
{
    struct rig *g = *state;
    round_deinit(&g->r);
    EXPECT_REJECTED(m.base = rig_hash(1));
    EXPECT_REJECTED(m.n_steps = 51);
    EXPECT_REJECTED(m.n_steps = 0);
    EXPECT_REJECTED(m.n_tokens = 0);
    EXPECT_REJECTED(m.n_tokens = 10 * RIG_TOKENS_A_STEP + 1);
    EXPECT_REJECTED(m.loss = (double)NAN);
    EXPECT_REJECTED(m.loss = -1);
}

static void the_payload_of_another_contributor_is_rejected(void **state)
{
    struct rig *g = *state;
    rig_contribute(g, 1);
    rig_upload(g, 2, &m);
    m.payload = rig_hash(1);
    rig_send_manifest(g, &m);
    assert_int_equal(rig_action(g, ROUND_DO_STORE_RECEIPT)->op.verdict, MSG_REJECTED);
}

static void a_wrong_cut_is_refused_without_a_verdict(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    m.n_chunks = 1;
    rig_send_manifest(g, &m);
    assert_int_equal(rig_status(g), 413);
    m.n_chunks = 2;
    m.n_bytes++;
    rig_send_manifest(g, &m);
    assert_int_equal(rig_status(g), 413);
    m.n_bytes--;
    rig_send_manifest(g, &m);
    assert_true(rig_has(g, ROUND_DO_JUDGE));
}

static void chunks_that_do_not_fit_the_manifest_have_to_be_sent_again(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    rig_send_manifest(g, &m);
    rig_end(g, ROUND_DO_JUDGE, ROUND_MISMATCH);
    assert_int_equal(rig_status(g), 422);
    struct msg_reserve r = rig_reserve(g, 1);
    rig_send_reserve(g, &r);
    assert_int_equal(rig_action(g, ROUND_DO_REPLY_SLOT)->slot.n_have, 0);
}

static void a_full_disk_moves_the_deadline_and_loses_nothing(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    rig_send_manifest(g, &m);
    struct round_op op = rig_action(g, ROUND_DO_JUDGE)->op;
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_CLOSING);
    rig_done(g, ROUND_DO_JUDGE, &op, ROUND_OK);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_FULL);
    assert_int_equal(rig_status(g), 507);
    assert_int_equal(g->r.state, ROUND_OPEN);
    assert_int_equal(g->r.deadline_ms, g->now + 30000);
    rig_send_manifest(g, &m); /* space is back */
    rig_end(g, ROUND_DO_JUDGE, ROUND_OK);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    assert_int_equal(round_n_accepted(&g->r), 1);
}

static void a_late_manifest_is_told_by_how_much_and_stored(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 2, &m);
    rig_contribute(g, 1);
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_MERGING);
    g->now += 40000;
    rig_send_manifest(g, &m);
    struct round_op find = rig_action(g, ROUND_DO_FIND_RECEIPT)->op;
    rig_done(g, ROUND_DO_FIND_RECEIPT, &find, ROUND_NONE);
    const struct round_action *a = rig_action(g, ROUND_DO_STORE_RECEIPT);
    assert_int_equal(a->op.verdict, MSG_LATE);
    assert_non_null(strstr(a->op.reason, "late by 40 s: the upload took"));
    assert_non_null(strstr(a->op.reason, "of 30 s; let nothing else upload"));
    assert_int_equal(a->op.n_passed, ROUND_CHECK_TIME);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    assert_int_equal(rig_action(g, ROUND_DO_REPLY_RECEIPT)->req, g->req);
    rig_send_manifest(g, &m);
    assert_true(rig_has(g, ROUND_DO_REPLY_RECEIPT));
}

static void who_began_late_is_told_so(void **state)
{
    struct rig *g = *state;
    rig_contribute(g, 1);
    g->now += RIG_ROUND_MS - 1000;
    rig_upload(g, 2, &m);
    rig_tick(g, 1000);
    g->now += 500;
    rig_send_manifest(g, &m);
    struct round_op find = rig_action(g, ROUND_DO_FIND_RECEIPT)->op;
    assert_int_equal(find.verdict, MSG_LATE);
    assert_non_null(strstr(find.reason, "late by "));
    assert_non_null(strstr(find.reason, "the upload began late"));
}

static void a_stranger_gets_no_receipt_for_a_round_that_is_over(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 2, &m);
    rig_contribute(g, 1);
    rig_tick(g, RIG_ROUND_MS);
    assert_int_equal(g->r.state, ROUND_MERGING);
    m.contributor = rig_key(77); /* a fresh key costs nothing */
    rig_send_manifest(g, &m);
    rig_end(g, ROUND_DO_FIND_RECEIPT, ROUND_NONE);
    assert_false(rig_has(g, ROUND_DO_STORE_RECEIPT));
    assert_int_equal(rig_status(g), 404);
    rig_send_manifest(g, &m); /* but a receipt that exists is always shown */
    rig_end(g, ROUND_DO_FIND_RECEIPT, ROUND_OK);
    assert_true(rig_has(g, ROUND_DO_REPLY_RECEIPT));
}

static void who_was_late_for_a_closing_round_is_not_awaited_when_it_opens_again(void **state)
{
    struct rig *g = *state;
    static struct msg_manifest late;
    rig_see(g, 1);
    rig_see(g, 2);
    rig_upload(g, 3, &late);
    rig_upload(g, 1, &m);
    rig_send_manifest(g, &m);
    struct round_op judge = rig_action(g, ROUND_DO_JUDGE)->op;
    rig_tick(g, 40000);
    rig_see(g, 2);
    rig_tick(g, RIG_ROUND_MS - 40000);
    assert_int_equal(g->r.state, ROUND_CLOSING);
    rig_send_manifest(g, &late);
    rig_end(g, ROUND_DO_FIND_RECEIPT, ROUND_NONE);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    const struct key_pub three = rig_key(3);
    assert_int_equal(round_seat(&g->r, &three)->phase, ROUND_SLOT_DONE);
    rig_done(g, ROUND_DO_JUDGE, &judge, ROUND_BAD);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
    assert_int_equal(g->r.state, ROUND_OPEN);
    rig_contribute(g, 2); /* the last who may still come */
    assert_int_equal(g->r.state, ROUND_MERGING);
}

static void a_manifest_for_the_future_is_refused(void **state)
{
    struct rig *g = *state;
    rig_upload(g, 1, &m);
    m.round = 1;
    rig_send_manifest(g, &m);
    assert_int_equal(rig_status(g), 409);
}

static void a_new_round_takes_a_new_slot(void **state)
{
    struct rig *g = *state;
    rig_contribute(g, 1);
    rig_contribute(g, 2);
    rig_end(g, ROUND_DO_MERGE, ROUND_OK);
    rig_end(g, ROUND_DO_PUBLISH, ROUND_OK);
    char old[MSG_ID_HEX];
    memcpy(old, g->r.seats[0].id, MSG_ID_HEX);
    rig_upload(g, 1, &m);
    assert_string_not_equal(old, m.id);
    rig_send_chunk(g, old, 0, 1);
    assert_int_equal(rig_status(g), 404);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_slot_is_told_only_after_it_is_stored),
        CASE(asking_twice_stores_once_and_answers_both),
        CASE(a_reservation_again_gives_the_same_slot_with_what_is_stored),
        CASE(a_larger_reservation_enlarges_the_slot),
        CASE(an_unfit_reservation_is_refused_with_its_reason),
        CASE(a_full_run_refuses_newcomers),
        CASE(a_chunk_is_answered_only_after_it_is_stored),
        CASE(who_asks_during_a_write_hears_what_came_of_it),
        CASE(a_complete_chunk_is_said_to_be_complete),
        CASE(a_part_that_does_not_fit_on_is_told_where_to_go_on),
        CASE(too_many_who_ask_are_sent_away),
        CASE(a_chunk_that_the_disk_refused_is_not_acknowledged),
        CASE(a_chunk_outside_the_reservation_is_refused),
        CASE(a_manifest_is_judged_then_stored_then_answered),
        CASE(a_manifest_again_gets_the_same_receipt_and_counts_once),
        CASE(a_missing_chunk_is_named),
        CASE(an_upload_of_somebody_else_is_unknown),
        CASE(claims_beyond_the_rules_are_rejected_with_a_receipt),
        CASE(the_payload_of_another_contributor_is_rejected),
        CASE(a_wrong_cut_is_refused_without_a_verdict),
        CASE(chunks_that_do_not_fit_the_manifest_have_to_be_sent_again),
        CASE(a_full_disk_moves_the_deadline_and_loses_nothing),
        CASE(a_late_manifest_is_told_by_how_much_and_stored),
        CASE(who_began_late_is_told_so),
        CASE(a_stranger_gets_no_receipt_for_a_round_that_is_over),
        CASE(who_was_late_for_a_closing_round_is_not_awaited_when_it_opens_again),
        CASE(a_manifest_for_the_future_is_refused),
        CASE(a_new_round_takes_a_new_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
