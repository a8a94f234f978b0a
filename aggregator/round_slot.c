#include "aggregator/round_slot.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/round_reply.h"
#include "aggregator/round_seat.h"

bool round_slot_takes(const struct round *r)
{
    return r->state == ROUND_WAITING || r->state == ROUND_OPEN;
}

/* The host's own trouble never makes a contributor late: the deadline moves away from it. */
static void note_trouble(struct round *r, int64_t now_ms)
{
    if (r->state == ROUND_CLOSING) r->state = ROUND_OPEN;
    int64_t earliest = now_ms + (int64_t)r->cfg.upload_ms;
    if (r->state == ROUND_OPEN && r->deadline_ms < earliest) r->deadline_ms = earliest;
}

/* ---- reservations --------------------------------------------------------------------------- */

int64_t round_slot_left_ms(const struct round *r, int64_t now_ms)
{
    if (r->state == ROUND_WAITING) return (int64_t)r->cfg.round_ms;
    if (r->state != ROUND_OPEN || now_ms >= r->deadline_ms) return 0;
    return r->deadline_ms - now_ms;
}

static void reply_slot(const struct round *r, const struct round_seat *s, uint64_t req,
                       int64_t now_ms, struct round_actions *out)
{
    if (!req) return;
    struct round_action *a = round_reply_add(out, ROUND_DO_REPLY_SLOT);
    a->req = req;
    memcpy(a->slot.id, s->id, sizeof s->id);
    a->slot.chunk_bytes = MSG_CHUNK_BYTES;
    a->slot.left_ms = round_slot_left_ms(r, now_ms);
    a->slot.n_have = s->n_have;
    memcpy(a->slot.have, s->have, sizeof s->have);
}

static bool wait_for_answer(struct round_seat *s, uint64_t req, struct round_actions *out)
{
    for (uint32_t i = 0; i < s->n_waiters; i++)
        if (s->waiters[i] == req) return true;
    if (s->n_waiters == ROUND_MAX_WAITERS) {
        round_reply_refuse(out, req, 503, "wait for the answer to the first one",
                           "the same request is already being answered several times");
        return false;
    }
    s->waiters[s->n_waiters++] = req;
    return true;
}

/* Ask for the slot's row; the answer wakes the waiters. */
static void store_slot(struct round *r, struct round_seat *s, uint64_t req,
                       struct round_actions *out)
{
    s->phase = ROUND_SLOT_RESERVING;
    wait_for_answer(s, req, out);
    struct round_action *a = round_reply_add(out, ROUND_DO_STORE_SLOT);
    a->op.round = r->round;
    a->op.contributor = s->key;
    a->op.max_bytes = s->max_bytes;
    a->op.req = req;
    memcpy(a->op.id, s->id, sizeof s->id);
}

/* Why a new reservation cannot be taken; true when it was refused. */
static bool refuse_reserve(const struct round *r, const struct round_event *ev,
                           struct round_actions *out)
{
    const struct msg_reserve *m = ev->reserve;
    const char *again = "ask for the current round, fetch its weights, and train from there";
    if (r->state == ROUND_ENDED)
        round_reply_refuse(out, ev->req, 409, "the final model is at the newest checkpoint",
                           "the run is over after %" PRIu64 " rounds", r->round);
    else if (m->round != r->round)
        round_reply_refuse(out, ev->req, 409, again,
                           "round %" PRIu64 " is not open, round %" PRIu64 " is", m->round,
                           r->round);
    else if (!round_slot_takes(r))
        round_reply_refuse(out, ev->req, 409, "wait for the next round",
                           "round %" PRIu64 " is closed and being merged", r->round);
    else if (!hash_equal(&m->base, &r->base))
        round_reply_refuse(
            out, ev->req, 409, again,
            "your contribution starts from other weights than round %" PRIu64 " does", r->round);
    else if (m->max_bytes == 0 || m->max_bytes > r->cfg.max_bytes)
        round_reply_refuse(
            out, ev->req, 413, "pack with this run's chunk and k, nothing larger is possible",
            "%" PRIu64 " bytes reserved, but a contribution has between 1 and %" PRIu64 " bytes",
            m->max_bytes, r->cfg.max_bytes);
    else if (ev->room_bytes < r->cfg.keep_free_bytes + 2 * m->max_bytes)
        round_reply_storage(out, ev->req, ROUND_FULL);
    else
        return false;
    return true;
}

void round_slot_reserve(struct round *r, const struct round_event *ev, int64_t now_ms,
                        struct round_actions *out)
{
    const struct msg_reserve *m = ev->reserve;
    if (!hash_equal(&m->run, &r->cfg.run)) {
        round_reply_refuse(out, ev->req, 409, "join with this aggregator's invite link",
                           "the reservation is for another run");
        return;
    }
    struct round_seat *s = round_seat_find(r, &m->contributor);
    bool is_same = s && m->round == r->round && round_seat_has(s, r->round);
    if (is_same) s->seen_ms = now_ms;
    if (is_same && s->phase == ROUND_SLOT_RESERVING) {
        wait_for_answer(s, ev->req, out);
        return;
    }
    if (is_same && (s->phase != ROUND_SLOT_OPEN || m->max_bytes <= s->max_bytes)) {
        reply_slot(r, s, ev->req, now_ms, out);
        return;
    }
    if (refuse_reserve(r, ev, out)) return;
    s = round_seat_take(r, &m->contributor, now_ms);
    if (!s) {
        round_reply_refuse(out, ev->req, 503, "try again in ten minutes",
                           "the run is full: %d contributors", ROUND_MAX_SEATS);
        return;
    }
    if (!is_same) {
        struct round_seat fresh = {
            .is_used = true, .key = s->key, .seen_ms = s->seen_ms, .is_paused = s->is_paused};
        for (uint32_t i = 0; i < s->n_waiters; i++)
            round_reply_refuse(out, s->waiters[i], 409, "ask for the current round",
                               "that round is over");
        for (uint32_t i = 0; i < s->n_askers; i++)
            round_reply_refuse(out, s->askers[i].req, 404, "reserve again in the current round",
                               "unknown upload");
        *s = fresh;
        s->slot_round = r->round;
        round_seat_make_id(r, &s->key, s->id);
        s->has_reserved_ms = true;
        s->reserved_ms = now_ms;
    }
    s->is_awaited = true;
    s->max_bytes = m->max_bytes;
    store_slot(r, s, ev->req, out);
}

void round_slot_reserved(struct round *r, const struct round_event *ev, int64_t now_ms,
                         struct round_actions *out)
{
    struct round_seat *s = round_seat_by_id(r, ev->op.id);
    if (!s || s->phase != ROUND_SLOT_RESERVING) return; /* replaced meanwhile; already answered */
    uint32_t n = s->n_waiters;
    s->n_waiters = 0;
    if (ev->outcome == ROUND_OK) {
        s->phase = ROUND_SLOT_OPEN;
        s->is_stored = true;
        for (uint32_t i = 0; i < n; i++)
            reply_slot(r, s, s->waiters[i], now_ms, out);
        return;
    }
    s->phase = s->is_stored ? ROUND_SLOT_OPEN : ROUND_SLOT_NONE;
    note_trouble(r, now_ms);
    for (uint32_t i = 0; i < n; i++)
        round_reply_storage(out, s->waiters[i], ev->outcome);
}

/* ---- chunks --------------------------------------------------------------------------------- */

/* One write at a time for each chunk: two would meet in the same file. */
static bool is_writing(const struct round_seat *s, uint32_t i_chunk)
{
    for (uint32_t i = 0; i < s->n_chunk_ops; i++)
        if (s->writing[i] == i_chunk) return true;
    return false;
}

static void end_writing(struct round_seat *s, uint32_t i_chunk)
{
    for (uint32_t i = 0; i < s->n_chunk_ops; i++) {
        if (s->writing[i] != i_chunk) continue;
        s->writing[i] = s->writing[--s->n_chunk_ops];
        return;
    }
}

/* The upload that a chunk belongs to; NULL: refused. */
static struct round_seat *find_upload(struct round *r, const struct round_event *ev, int64_t now_ms,
                                      struct round_actions *out)
{
    struct round_seat *s = round_seat_by_id(r, ev->id);
    if (!s || r->state == ROUND_ENDED || s->slot_round != r->round ||
        s->phase == ROUND_SLOT_RESERVING) {
        round_reply_refuse(out, ev->req, 404, "reserve again in the current round",
                           "unknown upload");
        return NULL;
    }
    s->seen_ms = now_ms;
    return s;
}

static void reply_offset(struct round_actions *out, uint64_t req, int status, uint64_t n_stored,
                         bool is_complete)
{
    if (!req) return;
    struct round_action *a = round_reply_add(out, ROUND_DO_REPLY_OFFSET);
    a->req = req;
    a->status = status;
    a->n_stored = n_stored;
    a->is_complete = is_complete;
}

void round_slot_chunk(struct round *r, const struct round_event *ev, int64_t now_ms,
                      struct round_actions *out)
{
    struct round_seat *s = find_upload(r, ev, now_ms, out);
    if (!s) return;
    if (s->phase != ROUND_SLOT_OPEN) { /* its manifest is in: the payload is complete */
        if (round_seat_has_chunk(s, ev->i_chunk) && ev->req)
            round_reply_add(out, ROUND_DO_REPLY_STORED)->req = ev->req;
        else
            round_reply_refuse(out, ev->req, 409,
                               "ask for the receipt by sending the manifest again",
                               "this upload is complete and takes no more chunks");
        return;
    }
    if (!ev->req && round_seat_has_chunk(s, ev->i_chunk)) return; /* it came another way */
    uint64_t start = (uint64_t)ev->i_chunk * MSG_CHUNK_BYTES;
    if (ev->i_chunk >= MSG_MAX_CHUNKS || ev->n_bytes == 0 || ev->n_bytes > MSG_CHUNK_BYTES ||
        ev->offset > MSG_CHUNK_BYTES - ev->n_bytes ||
        start + ev->offset + ev->n_bytes > s->max_bytes) {
        round_reply_refuse(out, ev->req, 413, "cut the payload as the slot says",
                           "chunk %" PRIu32 " with %" PRIu64 " bytes does not fit the %" PRIu64
                           " bytes reserved",
                           ev->i_chunk, ev->offset + ev->n_bytes, s->max_bytes);
        return;
    }
    if (s->n_chunk_ops == ROUND_MAX_CHUNK_OPS || is_writing(s, ev->i_chunk)) {
        round_reply_refuse(out, ev->req, 503, "send it again in a moment",
                           "chunk %" PRIu32 " or too many others are still being written",
                           ev->i_chunk);
        return;
    }
    s->writing[s->n_chunk_ops++] = ev->i_chunk;
    struct round_action *a = round_reply_add(out, ROUND_DO_STORE_CHUNK);
    a->op.round = r->round;
    a->op.contributor = s->key;
    a->op.i_chunk = ev->i_chunk;
    a->op.offset = ev->offset;
    a->op.is_part = ev->is_part;
    a->op.req = ev->req;
    memcpy(a->op.id, s->id, sizeof s->id);
}

static void chunk_stored(struct round_seat *s, const struct round_event *ev,
                         struct round_actions *out)
{
    uint32_t i = ev->op.i_chunk;
    if (ev->op.is_part) {
        reply_offset(out, ev->op.req, 204, ev->n_stored, false);
        return;
    }
    s->n_have += !round_seat_has_chunk(s, i);
    s->have[i / 8] = (uint8_t)(s->have[i / 8] | 1u << (i % 8));
    if (ev->op.req) round_reply_add(out, ROUND_DO_REPLY_STORED)->req = ev->op.req;
}

static void look_for_part(const struct round_seat *s, uint64_t req, uint32_t i_chunk,
                          struct round_actions *out)
{
    struct round_action *a = round_reply_add(out, ROUND_DO_FIND_PART);
    a->op.contributor = s->key;
    a->op.round = s->slot_round;
    a->op.i_chunk = i_chunk;
    a->op.req = req;
    memcpy(a->op.id, s->id, sizeof s->id);
}

static void answer_offset(const struct round_seat *s, uint64_t req, uint32_t i_chunk,
                          struct round_actions *out)
{
    if (round_seat_has_chunk(s, i_chunk))
        reply_offset(out, req, 204, 0, true);
    else
        look_for_part(s, req, i_chunk, out);
}

/* Those who asked while it was being written. */
static void answer_askers(struct round_seat *s, uint32_t i_chunk, struct round_actions *out)
{
    uint32_t n_left = 0;
    for (uint32_t i = 0; i < s->n_askers; i++) {
        if (s->askers[i].i_chunk == i_chunk)
            answer_offset(s, s->askers[i].req, i_chunk, out);
        else
            s->askers[n_left++] = s->askers[i];
    }
    s->n_askers = n_left;
}

void round_slot_chunk_done(struct round *r, const struct round_event *ev, int64_t now_ms,
                           struct round_actions *out)
{
    struct round_seat *s = round_seat_by_id(r, ev->op.id);
    uint32_t i = ev->op.i_chunk;
    if (s) end_writing(s, i);
    if (ev->outcome == ROUND_OK && s && i < MSG_MAX_CHUNKS) {
        chunk_stored(s, ev, out);
    } else if (ev->outcome == ROUND_OK) {
        round_reply_refuse(out, ev->op.req, 404, "reserve again in the current round",
                           "unknown upload");
    } else if (ev->outcome == ROUND_GAP) {
        reply_offset(out, ev->op.req, 409, ev->n_stored, false);
    } else if (ev->outcome == ROUND_MISMATCH) {
        round_reply_refuse(out, ev->op.req, 422, "send the chunk again",
                           "chunk %" PRIu32 " does not have the announced hash", i);
    } else {
        note_trouble(r, now_ms);
        round_reply_storage(out, ev->op.req, ev->outcome);
    }
    if (s) answer_askers(s, i, out);
}

void round_slot_offset(struct round *r, const struct round_event *ev, int64_t now_ms,
                       struct round_actions *out)
{
    struct round_seat *s = find_upload(r, ev, now_ms, out);
    if (!s) return;
    if (ev->i_chunk >= MSG_MAX_CHUNKS) {
        round_reply_refuse(out, ev->req, 404, "cut the payload as the slot says",
                           "there is no such chunk");
    } else if (!is_writing(s, ev->i_chunk)) {
        answer_offset(s, ev->req, ev->i_chunk, out);
    } else if (s->n_askers == ROUND_MAX_WAITERS) {
        round_reply_refuse(out, ev->req, 503, "wait for the answer to the first one",
                           "the same question is already being answered several times");
    } else {
        s->askers[s->n_askers++] = (struct round_asker){ev->req, ev->i_chunk};
    }
}

void round_slot_offset_found(const struct round_event *ev, struct round_actions *out)
{
    if (ev->outcome == ROUND_OK)
        reply_offset(out, ev->op.req, 204, ev->n_stored, false);
    else
        round_reply_storage(out, ev->op.req, ev->outcome);
}

/* ---- manifests and receipts ----------------------------------------------------------------- */

static struct round_claim claim_of(const struct round_event *ev)
{
    const struct msg_manifest *m = ev->manifest;
    return (struct round_claim){.payload = m->payload,
                                .n_bytes = m->n_bytes,
                                .n_tokens = m->n_tokens,
                                .n_steps = m->n_steps,
                                .loss = m->loss,
                                .tok_per_s = m->tok_per_s,
                                .manifest = ev->manifest_hash};
}

static void put_time(char dst[32], int64_t ms)
{
    if (ms < 1000)
        snprintf(dst, 32, "%" PRId64 " ms", ms);
    else if (ms < 120000)
        snprintf(dst, 32, "%" PRId64 " s", ms / 1000);
    else
        snprintf(dst, 32, "%" PRId64 " min", ms / 60000);
}

/* How late, why as far as it can be seen from here, and what to do. s: the seat that reserved. */
static void late_words(const struct round *r, const struct round_seat *s, uint64_t round,
                       int64_t now_ms, char *dst, size_t cap)
{
    char by[32], took[32], of[32];
    if (!r->has_closed || r->closed_round != round || now_ms < r->closed_ms) {
        snprintf(dst, cap,
                 "late: round %" PRIu64 " is over; what you computed stays in your error feedback",
                 round);
        return;
    }
    put_time(by, now_ms - r->closed_ms);
    put_time(took, now_ms - s->reserved_ms);
    put_time(of, (int64_t)r->cfg.upload_ms);
    if (!s->has_reserved_ms)
        snprintf(dst, cap,
                 "late by %.12s: round %" PRIu64
                 " was closed; what you computed stays in your error "
                 "feedback",
                 by, round);
    else if (now_ms - s->reserved_ms > (int64_t)r->cfg.upload_ms)
        snprintf(
            dst, cap,
            "late by %.12s: the upload took %.12s of %.12s; let nothing else upload meanwhile; "
            "the work stays in your error feedback",
            by, took, of);
    else
        snprintf(dst, cap,
                 "late by %.12s: the upload began late, it took %.12s of %.12s; give training more "
                 "threads; the work stays in your error feedback",
                 by, took, of);
}

/* It comes too late for a slot: maybe the store has the receipt, else this is late. Only who had
 * reserved can be late; strangers may not fill the books with receipts for long-gone rounds.
 */
static void look_up(const struct round *r, const struct round_event *ev,
                    const struct round_seat *reserved, int64_t now_ms, struct round_actions *out)
{
    struct round_action *a = round_reply_add(out, ROUND_DO_FIND_RECEIPT);
    a->op.round = ev->manifest->round;
    a->op.contributor = ev->manifest->contributor;
    a->op.req = ev->req;
    a->op.claim = claim_of(ev);
    if (!reserved) return; /* no verdict: round_slot_found refuses when there is no receipt */
    a->op.verdict = MSG_LATE;
    a->op.n_passed = ROUND_CHECK_TIME;
    late_words(r, reserved, ev->manifest->round, now_ms, a->op.reason, sizeof a->op.reason);
}

/* n_passed: the check that failed, or ROUND_CHECKS. */
static void store_receipt(const struct round *r, struct round_seat *s, uint32_t n_passed,
                          const char *reason, struct round_actions *out)
{
    s->phase = ROUND_SLOT_STORING;
    s->verdict = n_passed == ROUND_CHECKS ? MSG_ACCEPTED : MSG_REJECTED;
    struct round_action *a = round_reply_add(out, ROUND_DO_STORE_RECEIPT);
    a->op.round = r->round;
    a->op.contributor = s->key;
    a->op.claim = s->claim;
    a->op.verdict = s->verdict;
    a->op.n_passed = n_passed;
    memcpy(a->op.id, s->id, sizeof s->id);
    snprintf(a->op.reason, sizeof a->op.reason, "%s", reason);
}

static bool is_duplicate(const struct round *r, const struct round_seat *mine)
{
    for (uint32_t i = 0; i < r->n_seats; i++) {
        const struct round_seat *s = &r->seats[i];
        bool counts = round_seat_is_accepted(r, s) ||
                      (round_seat_has(s, r->round) && round_seat_in_flight(s));
        if (s != mine && counts && hash_equal(&s->claim.payload, &mine->claim.payload)) return true;
    }
    return false;
}

/* What is wrong with a complete, well-formed manifest: the check that fails, with words; those that
 * need the payload are left to the judge (ROUND_CHECK_FORM).
 */
static enum round_check find_fault(const struct round *r, const struct round_seat *s,
                                   const struct msg_manifest *m, char dst[MSG_REASON_CAP])
{
    uint64_t most = (uint64_t)r->cfg.max_inner_steps * r->cfg.tokens_per_step;
    *dst = '\0';
    if (!hash_equal(&m->base, &r->base)) {
        snprintf(dst, MSG_REASON_CAP,
                 "it starts from other weights than round %" PRIu64 ": fetch the newest update",
                 r->round);
        return ROUND_CHECK_BASE;
    }
    if (m->n_steps == 0 || m->n_steps > r->cfg.max_inner_steps) {
        snprintf(dst, MSG_REASON_CAP, "it claims %" PRIu32 " steps; this run allows 1 to %" PRIu32,
                 m->n_steps, r->cfg.max_inner_steps);
        return ROUND_CHECK_STEPS;
    }
    if (m->n_tokens == 0 || m->n_tokens > most ||
        m->n_tokens > (uint64_t)m->n_steps * r->cfg.tokens_per_step) {
        snprintf(dst, MSG_REASON_CAP,
                 "it claims %" PRIu64 " tokens; %" PRIu32 " steps of this run train on at most "
                 "%" PRIu64,
                 m->n_tokens, m->n_steps, (uint64_t)m->n_steps * r->cfg.tokens_per_step);
        return ROUND_CHECK_TOKENS;
    }
    if (!isfinite(m->loss) || m->loss < 0) {
        snprintf(dst, MSG_REASON_CAP, "its training loss is not a number: training went astray");
        return ROUND_CHECK_LOSS;
    }
    if (is_duplicate(r, s)) {
        snprintf(dst, MSG_REASON_CAP, "another contributor sent the same payload in this round");
        return ROUND_CHECK_UNIQUE;
    }
    return ROUND_CHECK_FORM;
}

/* Form of the upload; true when refused without a verdict, to be corrected and sent again. */
static bool refuse_manifest(const struct round_seat *s, const struct round_event *ev,
                            struct round_actions *out)
{
    const struct msg_manifest *m = ev->manifest;
    uint64_t n = (m->n_bytes + MSG_CHUNK_BYTES - 1) / MSG_CHUNK_BYTES;
    if (strcmp(m->id, s->id) != 0 || s->phase == ROUND_SLOT_RESERVING) {
        round_reply_refuse(out, ev->req, 404, "reserve again in the current round",
                           "unknown upload");
        return true;
    }
    if (m->n_bytes == 0 || m->n_bytes > s->max_bytes || m->n_chunks != n || n > MSG_MAX_CHUNKS) {
        round_reply_refuse(out, ev->req, 413, "cut the payload as the slot says",
                           "%" PRIu64 " bytes in %" PRIu32 " chunks do not fit the %" PRIu64
                           " bytes reserved",
                           m->n_bytes, m->n_chunks, s->max_bytes);
        return true;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (round_seat_has_chunk(s, i)) continue;
        round_reply_refuse(out, ev->req, 409, "send it, then the manifest again",
                           "chunk %" PRIu32 " has not arrived", i);
        return true;
    }
    return false;
}

static void examine(struct round *r, struct round_seat *s, const struct round_event *ev,
                    struct round_actions *out)
{
    if (refuse_manifest(s, ev, out)) return;
    char fault[MSG_REASON_CAP];
    s->claim = claim_of(ev);
    enum round_check failed = find_fault(r, s, ev->manifest, fault);
    wait_for_answer(s, ev->req, out);
    if (failed != ROUND_CHECK_FORM) {
        store_receipt(r, s, failed, fault, out);
        return;
    }
    s->phase = ROUND_SLOT_JUDGING;
    struct round_action *a = round_reply_add(out, ROUND_DO_JUDGE);
    a->op.round = r->round;
    a->op.contributor = s->key;
    a->op.claim = s->claim;
    a->op.req = ev->req;
    memcpy(a->op.id, s->id, sizeof s->id);
}

void round_slot_manifest(struct round *r, const struct round_event *ev, int64_t now_ms,
                         struct round_actions *out)
{
    const struct msg_manifest *m = ev->manifest;
    if (!hash_equal(&m->run, &r->cfg.run) || m->round > r->round) {
        round_reply_refuse(out, ev->req, 409, "ask for the current round",
                           "the manifest is for another run, or for a round that has not begun");
        return;
    }
    struct round_seat *s = round_seat_find(r, &m->contributor);
    bool is_ours = s && round_seat_has(s, m->round);
    if (s) s->seen_ms = now_ms;
    if (is_ours && s->phase == ROUND_SLOT_DONE)
        round_reply_receipt(out, ev->req, &s->key, m->round);
    else if (is_ours && round_seat_in_flight(s))
        wait_for_answer(s, ev->req, out);
    else if (m->round < r->round || !round_slot_takes(r))
        look_up(r, ev, is_ours ? s : NULL, now_ms, out);
    else if (is_ours)
        examine(r, s, ev, out);
    else
        round_reply_refuse(out, ev->req, 404, "reserve first", "unknown upload");
}

void round_slot_judged(struct round *r, const struct round_event *ev, int64_t now_ms,
                       struct round_actions *out)
{
    struct round_seat *s = round_seat_by_id(r, ev->op.id);
    if (!s || s->phase != ROUND_SLOT_JUDGING) return;
    if (ev->outcome == ROUND_OK || ev->outcome == ROUND_BAD) {
        bool is_good = ev->outcome == ROUND_OK;
        store_receipt(r, s, is_good ? ROUND_CHECKS : ev->n_passed, is_good ? "" : ev->reason, out);
        return;
    }
    uint32_t n = s->n_waiters;
    s->n_waiters = 0;
    s->phase = ROUND_SLOT_OPEN;
    if (ev->outcome != ROUND_MISMATCH) note_trouble(r, now_ms);
    for (uint32_t i = 0; i < n; i++) {
        if (ev->outcome == ROUND_MISMATCH)
            round_reply_refuse(out, s->waiters[i], 422,
                               "reserve again and send every chunk, then the manifest",
                               "the chunks that arrived are not those the manifest names");
        else
            round_reply_storage(out, s->waiters[i], ev->outcome);
    }
    if (ev->outcome == ROUND_MISMATCH) {
        s->n_have = 0;
        memset(s->have, 0, sizeof s->have);
    }
}

/* The verdict about a slot that had not sent its manifest when the round closed: it has no more to
 * say in this round, should it open again.
 */
static void settle_late(const struct round *r, const struct round_event *ev)
{
    struct round_seat *s = round_seat_find(r, &ev->op.contributor);
    if (!s || !round_seat_has(s, ev->op.round) || s->phase != ROUND_SLOT_OPEN) return;
    if (ev->verdict == MSG_ACCEPTED) return; /* by its own manifest, sent again, with its claim */
    s->phase = ROUND_SLOT_DONE;
    s->claim = ev->op.claim;
    s->verdict = ev->verdict;
    s->seq = ev->seq;
}

/* A late receipt has no slot; its request waits in the op itself. */
static void done_late_receipt(const struct round *r, const struct round_event *ev,
                              struct round_actions *out)
{
    if (ev->outcome == ROUND_OK) {
        settle_late(r, ev);
        round_reply_receipt(out, ev->op.req, &ev->op.contributor, ev->op.round);
    } else {
        round_reply_storage(out, ev->op.req, ev->outcome);
    }
}

void round_slot_receipted(struct round *r, const struct round_event *ev, int64_t now_ms,
                          struct round_actions *out)
{
    if (!ev->op.id[0]) {
        done_late_receipt(r, ev, out);
        return;
    }
    struct round_seat *s = round_seat_by_id(r, ev->op.id);
    if (!s || s->phase != ROUND_SLOT_STORING) return;
    uint32_t n = s->n_waiters;
    s->n_waiters = 0;
    if (ev->outcome == ROUND_OK) {
        s->phase = ROUND_SLOT_DONE;
        s->verdict = ev->verdict;
        s->seq = ev->seq;
    } else {
        s->phase = ROUND_SLOT_OPEN;
        note_trouble(r, now_ms);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (ev->outcome == ROUND_OK)
            round_reply_receipt(out, s->waiters[i], &s->key, s->slot_round);
        else
            round_reply_storage(out, s->waiters[i], ev->outcome);
    }
}

void round_slot_found(const struct round *r, const struct round_event *ev,
                      struct round_actions *out)
{
    if (ev->outcome == ROUND_OK) {
        settle_late(r, ev);
        round_reply_receipt(out, ev->op.req, &ev->op.contributor, ev->op.round);
    } else if (ev->outcome == ROUND_NONE && ev->op.verdict != MSG_LATE) {
        round_reply_refuse(out, ev->op.req, 404, "ask for the current round, and reserve in it",
                           "round %" PRIu64 " is closed, and nothing was reserved in it by you",
                           ev->op.round);
    } else if (ev->outcome == ROUND_NONE) {
        struct round_action *a = round_reply_add(out, ROUND_DO_STORE_RECEIPT);
        a->op = ev->op;
    } else {
        round_reply_storage(out, ev->op.req, ev->outcome);
    }
}
