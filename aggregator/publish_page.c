#include "aggregator/publish_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char *const check_words[ROUND_CHECKS] = {
    [ROUND_CHECK_TIME] = "in-time",  [ROUND_CHECK_BASE] = "base", [ROUND_CHECK_STEPS] = "steps",
    [ROUND_CHECK_TOKENS] = "tokens", [ROUND_CHECK_LOSS] = "loss", [ROUND_CHECK_UNIQUE] = "unique",
    [ROUND_CHECK_FORM] = "form",     [ROUND_CHECK_NEW] = "new",
};
_Static_assert((int)ROUND_CHECKS <= SHEET_MAX_CHECKS, "a row of the sheet holds every check");

const char *publish_page_check(enum round_check c)
{
    return (unsigned)c < ROUND_CHECKS ? check_words[c] : "?";
}

void publish_page_deinit(struct publish_page *p)
{
    if (!p) return;
    store_record_rows_free(p->rows, p->n_rows);
    buf_deinit(&p->sheet);
    for (uint32_t i = 0; i < PUBLISH_PAGE_ENTRIES; i++)
        buf_deinit(&p->entries[i].text);
    *p = (struct publish_page){0};
}

/* ---- receipts ------------------------------------------------------------------------------- */

static const struct round_input *find_input(const struct publish_source *s, uint64_t seq)
{
    for (uint32_t i = 0; i < s->n_inputs; i++)
        if (s->inputs[i].receipt_seq == seq) return &s->inputs[i];
    return NULL;
}

static void explain(const struct publish_source *s, const struct round_input *in,
                    struct store_row *row)
{
    snprintf(row->why, sizeof row->why,
             "%" PRIu64 " of %" PRIu64 " tokens merged in round %" PRIu64, row->receipt.n_tokens,
             s->update->n_tokens, s->update->round);
    size_t n = strlen(row->why);
    if (s->is_scored) snprintf(row->why + n, sizeof row->why - n, "; %s", in->why);
}

/* The newest text of a receipt says what it paid and where that stands; in: NULL, it pays nothing. */
static int settle(const struct publish_source *s, const struct round_input *in,
                  struct store_row *row, struct err *e)
{
    struct msg_receipt *m = &row->receipt;
    m->run = s->run->id;
    m->is_settled = true;
    m->reward = in ? in->reward : 0;
    m->entry = s->tail.n_entries;
    if (in)
        explain(s, in, row);
    else
        snprintf(row->why, sizeof row->why, "%s", m->reason);
    buf_clear(&row->text);
    return msg_receipt_sign(m, s->key, &row->text, e);
}

static int settle_all(const struct publish_source *s, struct publish_page *p, struct err *e)
{
    uint32_t n_found = 0;
    int rc = OK;
    for (uint32_t i = 0; rc == OK && i < p->n_rows; i++) {
        struct store_row *row = &p->rows[i];
        const struct msg_receipt *m = &row->receipt;
        const struct round_input *in = find_input(s, m->seq);
        bool fits = in && m->round == s->update->round && m->verdict == MSG_ACCEPTED &&
                    key_equal(&m->contributor, &in->contributor);
        if (fits != (m->verdict == MSG_ACCEPTED) || (in && !fits))
            return err_set(e, ERR_WRONG_STATE, 0,
                           "receipt %" PRIu64 " and what is merged in round %" PRIu64
                           " do not fit together",
                           m->seq, s->update->round);
        if (fits) {
            n_found++;
            p->paid += in->reward;
        }
        rc = settle(s, fits ? in : NULL, row, e);
    }
    if (rc == OK && n_found != s->n_inputs)
        rc = err_set(e, ERR_WRONG_STATE, 0,
                     "round %" PRIu64 " merges %" PRIu32 " contributions, %" PRIu32
                     " of them have an accepted receipt",
                     s->update->round, s->n_inputs, n_found);
    return rc;
}

/* ---- sheet ---------------------------------------------------------------------------------- */

static void put_checks(const struct store_row *row, struct sheet_row *r)
{
    bool is_accepted = row->receipt.verdict == MSG_ACCEPTED;
    uint32_t n_passed = is_accepted ? ROUND_CHECKS : row->n_passed;
    r->n_checks = ROUND_CHECKS;
    for (uint32_t i = 0; i < ROUND_CHECKS; i++) {
        snprintf(r->checks[i].name, SHEET_NAME_CAP, "%s", check_words[i]);
        r->checks[i].outcome = i < n_passed    ? SHEET_PASSED
                               : i == n_passed ? SHEET_FAILED
                                               : SHEET_SKIPPED;
    }
}

static void put_row(const struct publish_source *s, const struct store_row *row,
                    struct sheet_row *r)
{
    const struct msg_receipt *m = &row->receipt;
    bool is_accepted = m->verdict == MSG_ACCEPTED;
    *r = (struct sheet_row){.seq = m->seq,
                            .round = m->round,
                            .contributor = m->contributor,
                            .manifest = row->manifest,
                            .receipt = hash_of(row->text.p, row->text.len),
                            .payload = m->payload,
                            .n_bytes = m->n_bytes,
                            .n_tokens = m->n_tokens,
                            .n_steps = row->n_steps,
                            .verdict = m->verdict,
                            .weight = is_accepted ? m->n_tokens : 0,
                            .reward = m->reward};
    const struct round_input *in = is_accepted && s->is_scored ? find_input(s, m->seq) : NULL;
    if (in) {
        r->weight = in->weight;
        r->score = in->score;
    }
    memcpy(r->reason, m->reason, sizeof r->reason);
    put_checks(row, r);
}

static int make_sheet(const struct publish_source *s, struct publish_page *p, struct err *e)
{
    struct sheet sheet = {.round = s->update->round, .n = p->n_rows};
    sheet.rows = alloc_zero(p->n_rows ? p->n_rows : 1, sizeof *sheet.rows);
    if (!sheet.rows) return err_set(e, ERR_NOMEM, 0, "no memory for a sheet");
    for (uint32_t i = 0; i < p->n_rows; i++)
        put_row(s, &p->rows[i], &sheet.rows[i]);
    int rc = OK;
    if (s->n_scores) sheet.scores = alloc_zero(s->n_scores, sizeof *sheet.scores);
    if (s->n_scores && !sheet.scores) rc = err_set(e, ERR_NOMEM, 0, "no memory for a sheet");
    if (sheet.scores) {
        memcpy(sheet.scores, s->scores, s->n_scores * sizeof *sheet.scores);
        sheet.n_scores = s->n_scores;
    }
    if (rc == OK) rc = sheet_encode(&sheet, &p->sheet, e);
    if (rc == OK) p->sheet_hash = hash_of(p->sheet.p, p->sheet.len);
    sheet_deinit(&sheet);
    return rc;
}

/* ---- entries -------------------------------------------------------------------------------- */

static int add_entry(const struct publish_source *s, struct publish_page *p, struct entry *m,
                     struct err *e)
{
    struct store_entry *x = &p->entries[p->n_entries];
    m->run = s->run->id;
    m->index = s->tail.n_entries + p->n_entries;
    m->at_ms = s->at_ms;
    x->kind = m->kind;
    int rc = entry_sign(m, s->key, &x->text, e);
    if (rc == OK) p->n_entries++;
    return rc;
}

static int add_round(const struct publish_source *s, struct publish_page *p, struct err *e)
{
    const struct msg_update *u = s->update;
    struct hash next = entry_secret(s->seed, &s->run->id, u->round + 1);
    struct entry m = {.kind = ENTRY_ROUND};
    m.round =
        (struct entry_round){.round = u->round,
                             .base = u->base,
                             .result = u->result,
                             .update = u->update,
                             .update_bytes = u->update_bytes,
                             .n_merged = u->n_merged,
                             .n_tokens = u->n_tokens,
                             .train_loss = u->train_loss,
                             .emission = s->terms.emission,
                             .paid = p->paid,
                             .secret = entry_secret(s->seed, &s->run->id, u->round),
                             .commit_next = entry_commit(&s->run->id, u->round + 1, &next),
                             .rule_merge = s->is_scored ? ENTRY_RULE_SCORED : ENTRY_RULE_MERGE,
                             .rule_reward = s->is_scored ? ENTRY_RULE_SCORED : ENTRY_RULE_REWARD,
                             .first_seq = s->tail.next_seq,
                             .last_seq = s->tail.next_seq + p->n_rows - 1,
                             .sheet = p->sheet_hash,
                             .sheet_bytes = p->sheet.len};
    return add_entry(s, p, &m, e);
}

static int add_rollback(const struct publish_source *s, struct publish_page *p, struct err *e)
{
    struct entry m = {.kind = ENTRY_ROLLBACK};
    m.rollback = *s->rollback;
    return add_entry(s, p, &m, e);
}

static int add_end(const struct publish_source *s, struct publish_page *p, struct err *e)
{
    struct entry m = {.kind = ENTRY_END};
    m.end = (struct entry_end){.n_rounds = s->update->round + 1,
                               .result = s->rollback ? s->rollback->result : s->update->result,
                               .paid = s->tail.paid + p->paid};
    return add_entry(s, p, &m, e);
}

int publish_page_end(const struct rundesc *run, const struct key *key,
                     const struct store_tail *tail, const struct hash *result, int64_t at_ms,
                     struct store_entry *ret, struct err *e)
{
    struct entry m = {.kind = ENTRY_END, .run = run->id, .index = tail->n_entries, .at_ms = at_ms};
    m.end = (struct entry_end){.n_rounds = tail->n_rounds, .result = *result, .paid = tail->paid};
    ret->kind = ENTRY_END;
    return entry_sign(&m, key, &ret->text, e);
}

int publish_page_make(const struct publish_source *s, struct publish_page *p, struct err *e)
{
    bool is_last = s->is_last || (s->n_rounds && s->update->round + 1 >= s->n_rounds);
    int rc = settle_all(s, p, e);
    if (rc == OK) rc = make_sheet(s, p, e);
    if (rc == OK) rc = add_round(s, p, e);
    if (rc == OK && s->rollback) rc = add_rollback(s, p, e);
    if (rc == OK && is_last) rc = add_end(s, p, e);
    return rc;
}

int publish_page_open(const struct rundesc *run, const struct key *key, const uint8_t seed[32],
                      int64_t at_ms, struct store_entry *ret, struct err *e)
{
    struct hash secret = entry_secret(seed, &run->id, 0);
    struct entry m = {.kind = ENTRY_OPEN, .run = run->id, .at_ms = at_ms};
    m.open = (struct entry_open){.initial = run->initial_model,
                                 .commit_next = entry_commit(&run->id, 0, &secret),
                                 .retention = run->retention};
    ret->kind = ENTRY_OPEN;
    return entry_sign(&m, key, &ret->text, e);
}
