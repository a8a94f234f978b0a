#include "record/audit_round.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jws.h"
#include "record/clip.h"
#include "record/merge.h"
#include "record/reward.h"

#define NAME_CAP 96

/* One round being checked. */
struct job {
    const struct audit_rounds *a;
    uint64_t index; /* of the entry */
    const struct entry_round *m;
    struct course_terms rules;
    struct sheet sheet;
    uint32_t n_merged;
    const struct sheet_row **merged; /* [n_merged], in the order of their keys */
    double *losses;                  /* [n_merged]; NaN: not claimed */
    bool is_changed;                 /* the sheet is not the one on record */
    bool has_losses;                 /* every manifest was there */
    struct buf *payloads;            /* [n_merged] */
    struct buf update;               /* as recomputed */
    bool has_update;                 /* update holds what the record names */
    bool is_scored;                  /* by ENTRY_RULE_SCORED */
};

static void wrong(struct job *j, enum audit_item item, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void wrong(struct job *j, enum audit_item item, const char *fmt, ...)
{
    char what[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    audit_found(j->a->book, AUDIT_WRONG, item, j->m->round, "%s", what);
}

/* ---- what stands behind a line -------------------------------------------------------------- */

static bool receipt_agrees(const struct job *j, const struct sheet_row *r,
                           const struct msg_receipt *m)
{
    /* Older versions left what was refused unsettled for good. */
    bool is_open = r->verdict != MSG_ACCEPTED && !m->is_settled;
    return hash_equal(&m->run, &j->a->chain->run->id) &&
           key_equal(&m->contributor, &r->contributor) && m->seq == r->seq &&
           m->round == r->round && hash_equal(&m->payload, &r->payload) &&
           m->n_bytes == r->n_bytes && m->n_tokens == r->n_tokens && m->verdict == r->verdict &&
           strcmp(m->reason, r->reason) == 0 &&
           (is_open || (m->is_settled && m->reward == r->reward && m->entry == j->index));
}

static int check_receipt(struct job *j, const struct sheet_row *r, struct err *e)
{
    struct buf text = {0};
    struct msg_receipt m;
    struct err why = {0};
    char name[NAME_CAP];
    bool has = false;
    snprintf(name, sizeof name, "receipt %" PRIu64, r->seq);
    int rc = audit_want(j->a->source, j->a->book,
                        &(struct audit_wanted){&r->receipt, JWS_MAX_BYTES, AUDIT_RECEIPT,
                                               AUDIT_NO_DATA, j->m->round, name},
                        &text, &has, e);
    if (rc == OK && has) {
        rc = msg_receipt_verify(text.p, text.len, j->a->key, &m, &why);
        if (rc == ERR_NOMEM && e) *e = why;
        if (rc == OK && receipt_agrees(j, r, &m))
            audit_ok(j->a->book, AUDIT_RECEIPT);
        else if (rc == OK)
            wrong(j, AUDIT_RECEIPT, "%s says something else than its line on the sheet", name);
        else if (rc != ERR_NOMEM)
            wrong(j, AUDIT_RECEIPT, "%s is not one that the host has signed: %.100s", name,
                  why.what);
        if (rc != ERR_NOMEM) rc = OK;
    }
    buf_deinit(&text);
    return rc;
}

/* What only the contributor can have said; an accepted one must also be within the rules. */
static const char *manifest_disagrees(const struct job *j, const struct sheet_row *r,
                                      const struct msg_manifest *m)
{
    const struct rundesc *run = j->a->chain->run;
    uint64_t per_step = (uint64_t)run->train.batch_seqs * run->train.seq_len;
    if (!hash_equal(&m->run, &run->id) || m->round != r->round ||
        !hash_equal(&m->payload, &r->payload) || m->n_bytes != r->n_bytes ||
        m->n_tokens != r->n_tokens || m->n_steps != r->n_steps)
        return "says something else than its line on the sheet";
    if (r->verdict != MSG_ACCEPTED) return NULL;
    if (!hash_equal(&m->base, &j->m->base))
        return "was accepted though it began with another model";
    if (m->n_steps > j->rules.max_inner_steps || m->n_tokens > m->n_steps * per_step)
        return "was accepted though it counts more than the run allows";
    return NULL;
}

static int check_manifest(struct job *j, const struct sheet_row *r, double *loss, struct err *e)
{
    static const struct hash none = {0};
    struct buf text = {0};
    struct err why = {0};
    char name[NAME_CAP];
    bool has = false;
    struct msg_manifest *m = NULL;
    snprintf(name, sizeof name, "the manifest of receipt %" PRIu64, r->seq);
    if (hash_equal(&r->manifest, &none)) {
        if (r->verdict == MSG_ACCEPTED)
            wrong(j, AUDIT_MANIFEST, "receipt %" PRIu64 " was accepted without a manifest", r->seq);
        return OK;
    }
    int rc = audit_want(j->a->source, j->a->book,
                        &(struct audit_wanted){&r->manifest, JWS_MAX_BYTES, AUDIT_MANIFEST,
                                               AUDIT_NO_DATA, j->m->round, name},
                        &text, &has, e);
    if (rc == OK && has && !(m = alloc_zero(1, sizeof *m)))
        rc = err_set(e, ERR_NOMEM, 0, "no memory to read a manifest");
    if (rc == OK && has) {
        rc = msg_manifest_verify(text.p, text.len, &r->contributor, m, &why);
        const char *what = rc == OK ? manifest_disagrees(j, r, m) : why.what;
        if (rc == ERR_NOMEM && e) *e = why;
        if (rc == OK) *loss = m->loss;
        if (!what)
            audit_ok(j->a->book, AUDIT_MANIFEST);
        else if (rc == OK)
            wrong(j, AUDIT_MANIFEST, "%s %s", name, what);
        else if (rc != ERR_NOMEM)
            wrong(j, AUDIT_MANIFEST, "%s is not one that its contributor has signed: %.80s", name,
                  what);
        if (rc != ERR_NOMEM) rc = OK;
    }
    if (!has) j->has_losses = false;
    free(m);
    buf_deinit(&text);
    return rc;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static bool is_merged(const struct job *j, const struct sheet_row *r)
{
    return r->verdict == MSG_ACCEPTED && r->round == j->m->round;
}

/* A verdict must be what the checks beside it say. */
static void check_checks(struct job *j, const struct sheet_row *r)
{
    uint32_t n_failed = 0;
    for (uint32_t i = 0; i < r->n_checks; i++)
        n_failed += r->checks[i].outcome == SHEET_FAILED;
    if (r->verdict == MSG_ACCEPTED && n_failed)
        wrong(j, AUDIT_SHEET, "receipt %" PRIu64 " was accepted though a check failed", r->seq);
    if (r->verdict != MSG_ACCEPTED && r->n_checks && !n_failed)
        wrong(j, AUDIT_SHEET, "receipt %" PRIu64 " was refused though no check failed", r->seq);
}

/* What a line weighs and scores: by its tokens alone, or by what is known of its key. */
static void check_weight(struct job *j, const struct sheet_row *r)
{
    uint64_t weight = r->n_tokens;
    int64_t score = 0;
    if (j->is_scored) {
        struct score_standing s = score_book_get(&j->a->scores->book, &r->contributor);
        weight = score_weight(r->n_tokens, score_quality(&s, j->m->round));
        score = s.useful;
    }
    if (!is_merged(j, r)) weight = 0, score = 0;
    if (r->weight != weight)
        wrong(j, AUDIT_SHEET,
              "receipt %" PRIu64 " weighs %" PRIu64 " in the merge, by its tokens%s %" PRIu64,
              r->seq, r->weight, j->is_scored ? " and quality" : "", weight);
    if (r->score != score && j->is_scored)
        wrong(j, AUDIT_SHEET,
              "receipt %" PRIu64 " has score %" PRId64 ", the evaluations on record give %" PRId64,
              r->seq, r->score, score);
    else if (r->score != score)
        wrong(j, AUDIT_SHEET, "receipt %" PRIu64 " has a score under a rule that does not score",
              r->seq);
}

static void check_line(struct job *j, const struct sheet_row *r)
{
    check_checks(j, r);
    if (r->round > j->m->round || (r->verdict == MSG_ACCEPTED && r->round != j->m->round))
        wrong(j, AUDIT_SHEET, "receipt %" PRIu64 " is of round %" PRIu64 ", not of this one",
              r->seq, r->round);
    if (!j->is_scored || !j->a->scores->is_lost) check_weight(j, r);
}

static int by_key(const void *a, const void *b)
{
    const struct sheet_row *const *x = a;
    const struct sheet_row *const *y = b;
    return memcmp((*x)->contributor.b, (*y)->contributor.b, KEY_BYTES);
}

static int collect(struct job *j, struct err *e)
{
    for (uint32_t i = 0; i < j->sheet.n; i++)
        j->n_merged += is_merged(j, &j->sheet.rows[i]);
    j->merged = alloc_zero(j->n_merged, sizeof *j->merged);
    j->losses = alloc_zero(j->n_merged, sizeof *j->losses);
    j->payloads = alloc_zero(j->n_merged, sizeof *j->payloads);
    if (j->n_merged && (!j->merged || !j->losses || !j->payloads))
        return err_set(e, ERR_NOMEM, 0, "no memory for %" PRIu32 " contributions", j->n_merged);
    uint32_t n = 0;
    for (uint32_t i = 0; i < j->sheet.n; i++)
        if (is_merged(j, &j->sheet.rows[i])) j->merged[n++] = &j->sheet.rows[i];
    if (n) qsort(j->merged, n, sizeof *j->merged, by_key);
    return OK;
}

/* Announce the receipts and manifests of the next lines. */
static int announce_lines(struct job *j, uint32_t first, struct err *e)
{
    static const struct hash none = {0};
    const struct audit_source *s = j->a->source;
    struct hash soon[AUDIT_SOON];
    uint32_t n = 0;
    if (!s->soon) return OK;
    for (uint32_t i = first; i < j->sheet.n && i < first + AUDIT_SOON / 2; i++) {
        soon[n++] = j->sheet.rows[i].receipt;
        if (!hash_equal(&j->sheet.rows[i].manifest, &none)) soon[n++] = j->sheet.rows[i].manifest;
    }
    return s->soon(s->ctx, soon, n, JWS_MAX_BYTES, e);
}

static int announce_payloads(struct job *j, uint32_t first, size_t max, struct err *e)
{
    const struct audit_source *s = j->a->source;
    struct hash soon[AUDIT_SOON];
    uint32_t n = 0;
    if (!s->soon) return OK;
    for (uint32_t i = first; i < j->n_merged && n < AUDIT_SOON; i++)
        soon[n++] = j->merged[i]->payload;
    return s->soon(s->ctx, soon, n, max, e);
}

static int note_counted(const struct job *j, const struct sheet_row *r, struct err *e)
{
    struct buf *b = j->a->counted;
    if (!b || r->verdict != MSG_ACCEPTED) return OK;
    buf_put(b, &(struct audit_counted){r->payload, j->m->round, r->seq},
            sizeof(struct audit_counted));
    return buf_ok(b, e);
}

static int by_payload(const void *a, const void *b)
{
    const struct audit_counted *x = a, *y = b;
    int order = memcmp(x->payload.b, y->payload.b, HASH_BYTES);
    return order ? order : (x->seq > y->seq) - (x->seq < y->seq);
}

void audit_round_twice(const struct audit_rounds *a)
{
    struct audit_counted *c = (void *)a->counted->p;
    size_t n = a->counted->len / sizeof *c;
    if (n) qsort(c, n, sizeof *c, by_payload);
    for (size_t i = 1; i < n; i++) {
        if (!hash_equal(&c[i].payload, &c[i - 1].payload)) continue;
        audit_found(a->book, AUDIT_WRONG, AUDIT_CONTRIBUTION, c[i].round,
                    "the contribution of receipt %" PRIu64 " in round %" PRIu64
                    " was counted before, by receipt %" PRIu64 " in round %" PRIu64,
                    c[i].seq, c[i].round, c[i - 1].seq, c[i - 1].round);
    }
}

static int check_lines(struct job *j, struct err *e)
{
    struct audit_done *done = j->a->done;
    j->has_losses = true;
    for (uint32_t i = 0; i < j->sheet.n; i++) {
        const struct sheet_row *r = &j->sheet.rows[i];
        double loss = NAN;
        check_line(j, r);
        int rc = i % (AUDIT_SOON / 2) == 0 ? announce_lines(j, i, e) : OK;
        if (rc == OK) rc = note_counted(j, r, e);
        if (rc == OK) rc = check_receipt(j, r, e);
        if (rc == OK) rc = check_manifest(j, r, &loss, e);
        if (rc != OK) return rc;
        for (uint32_t k = 0; k < j->n_merged; k++)
            if (j->merged[k] == r) j->losses[k] = loss;
        done->n_contributions++;
        done->n_refused += r->verdict != MSG_ACCEPTED;
        done->n_merged += is_merged(j, r);
        done->n_rewards += r->reward > 0;
    }
    return OK;
}

/* ---- money ---------------------------------------------------------------------------------- */

static int check_rewards(struct job *j, struct err *e)
{
    uint64_t sum = 0, tokens = 0;
    double loss = 0;
    struct reward_share *s = alloc_zero(j->n_merged, sizeof *s);
    if (j->n_merged && !s) return err_set(e, ERR_NOMEM, 0, "no memory for the rewards of a round");
    for (uint32_t i = 0; i < j->n_merged; i++) {
        uint64_t n_tokens = j->merged[i]->n_tokens;
        s[i] = (struct reward_share){.contributor = j->merged[i]->contributor,
                                     .n_tokens = j->is_scored ? j->merged[i]->weight : n_tokens};
        tokens += n_tokens;
        loss += j->losses[i] * (double)n_tokens;
    }
    reward_split(j->rules.emission, s, j->n_merged);
    for (uint32_t i = 0; i < j->n_merged; i++) {
        if (s[i].amount == j->merged[i]->reward)
            audit_ok(j->a->book, AUDIT_REWARD);
        else
            wrong(j, AUDIT_REWARD,
                  "the reward line of receipt %" PRIu64 " pays %" PRIu64
                  " millionths, the rule gives %" PRIu64,
                  j->merged[i]->seq, j->merged[i]->reward, s[i].amount);
    }
    free(s);
    bool is_conserved = true;
    for (uint32_t i = 0; i < j->sheet.n; i++) {
        const struct sheet_row *r = &j->sheet.rows[i];
        is_conserved = is_conserved && sum <= UINT64_MAX - r->reward;
        sum += r->reward;
        if (r->reward && !is_merged(j, r))
            wrong(j, AUDIT_REWARD, "the reward line of receipt %" PRIu64 " pays for nothing merged",
                  r->seq);
    }
    if (is_conserved && sum == j->m->paid)
        audit_ok(j->a->book, AUDIT_LEDGER);
    else
        wrong(j, AUDIT_LEDGER, "the rewards of round %" PRIu64 " do not add up to what it paid",
              j->m->round);
    j->a->done->paid += j->m->paid;
    if (j->m->n_merged != j->n_merged || j->m->n_tokens != tokens)
        wrong(j, AUDIT_ENTRY, "the entry of round %" PRIu64 " counts other tokens than its sheet",
              j->m->round);
    double mean = tokens ? loss / (double)tokens : (double)NAN;
    bool is_same = isnan(mean) ? isnan(j->m->train_loss) : mean == j->m->train_loss;
    if (j->has_losses && !j->is_changed && !is_same)
        wrong(j, AUDIT_ENTRY, "the training loss of round %" PRIu64 " is not the contributors'",
              j->m->round);
    return OK;
}

/* ---- merge ---------------------------------------------------------------------------------- */

static enum audit_outcome gone(const struct job *j)
{
    return audit_chain_is_old(j->a->chain, j->m->round) ? AUDIT_NOT_KEPT : AUDIT_NO_DATA;
}

/* All contributions, each of its hash, length and form. *ret_all: every one is there and good. */
static int read_payloads(struct job *j, bool *ret_all, struct err *e)
{
    const struct audit_rounds *a = j->a;
    const struct delta_params *p = &a->chain->run->train.delta;
    size_t max = delta_max_bytes(a->table, p, DELTA_CONTRIBUTION);
    *ret_all = true;
    for (uint32_t i = 0; i < j->n_merged; i++) {
        const struct sheet_row *r = j->merged[i];
        struct buf *b = &j->payloads[i];
        struct err why = {0};
        char name[NAME_CAP];
        bool has = false;
        snprintf(name, sizeof name, "the contribution of receipt %" PRIu64, r->seq);
        int rc = i % AUDIT_SOON == 0 ? announce_payloads(j, i, max, e) : OK;
        if (rc != OK) return rc;
        rc = audit_want(a->source, a->book,
                        &(struct audit_wanted){&r->payload, max, AUDIT_CONTRIBUTION, gone(j),
                                               j->m->round, name},
                        b, &has, e);
        if (rc != OK) return rc;
        if (!has) {
            *ret_all = false;
        } else if (b->len != r->n_bytes) {
            wrong(j, AUDIT_CONTRIBUTION, "%s has another length than its receipt says", name);
        } else if (delta_check(a->table, p, DELTA_CONTRIBUTION, b->p, b->len, NULL, &why) != OK) {
            wrong(j, AUDIT_CONTRIBUTION, "%s should not have been accepted: %.80s", name, why.what);
            *ret_all = false;
        } else {
            audit_ok(a->book, AUDIT_CONTRIBUTION);
        }
    }
    return OK;
}

static int recompute(struct job *j, struct err *e)
{
    const struct audit_rounds *a = j->a;
    struct err why = {0};
    struct merge_input *in = alloc_zero(j->n_merged, sizeof *in);
    uint64_t *weight = alloc_zero(j->n_merged, sizeof *weight);
    uint32_t n = 0;
    if (j->n_merged && (!in || !weight)) {
        free(in);
        free(weight);
        return err_set(e, ERR_NOMEM, 0, "no memory to merge");
    }
    for (uint32_t i = 0; i < j->n_merged; i++)
        weight[i] = j->is_scored ? j->merged[i]->weight : j->merged[i]->n_tokens;
    if (j->is_scored) clip_weights(weight, j->n_merged);
    for (uint32_t i = 0; i < j->n_merged; i++)
        if (weight[i] || !j->is_scored)
            in[n++] = (struct merge_input){.contributor = j->merged[i]->contributor,
                                           .payload = j->payloads[i].p,
                                           .n_bytes = j->payloads[i].len,
                                           .n_tokens = weight[i]};
    int rc = merge_run(a->table, &a->chain->run->train.delta, j->rules.merge_min_senders, in, n,
                       &j->update, &why);
    free(weight);
    free(in);
    if (rc == ERR_NOMEM) {
        if (e) *e = why;
        return rc;
    }
    struct hash got = hash_of(j->update.p, j->update.len);
    j->has_update = rc == OK && hash_equal(&got, &j->m->update);
    if (rc != OK)
        wrong(j, AUDIT_UPDATE, "the contributions of round %" PRIu64 " cannot be merged: %.90s",
              j->m->round, why.what);
    else if (!j->has_update)
        wrong(j, AUDIT_UPDATE,
              "the update of round %" PRIu64 " is not what its contributions merge to",
              j->m->round);
    else
        a->done->n_recomputed++;
    return OK;
}

/* The update that everybody was given, which may be there when the contributions are gone. */
static int read_update(struct job *j, struct err *e)
{
    const struct audit_rounds *a = j->a;
    const struct delta_params *p = &a->chain->run->train.delta;
    size_t max = delta_max_bytes(a->table, p, DELTA_UPDATE);
    struct buf file = {0};
    struct err why = {0};
    char name[NAME_CAP];
    bool has = false, was_recomputed = j->has_update;
    snprintf(name, sizeof name, "the update of round %" PRIu64, j->m->round);
    int rc = audit_want(
        a->source, a->book,
        &(struct audit_wanted){&j->m->update, max, AUDIT_UPDATE, gone(j), j->m->round, name}, &file,
        &has, e);
    if (rc == OK && has) {
        bool is_whole = file.len == j->m->update_bytes &&
                        delta_check(a->table, p, DELTA_UPDATE, file.p, file.len, NULL, &why) == OK;
        if (!is_whole)
            wrong(j, AUDIT_UPDATE, "%s is no update of the length on record", name);
        else if (was_recomputed)
            audit_ok(a->book, AUDIT_UPDATE);
        if (is_whole && !was_recomputed) {
            struct buf spare = j->update;
            j->update = file;
            file = spare;
            j->has_update = true;
        }
    }
    a->done->n_rounds += j->has_update;
    buf_deinit(&file);
    return rc;
}

static int check_model(struct job *j, struct err *e)
{
    const struct audit_rounds *a = j->a;
    struct hash result;
    struct err why = {0};
    bool has = false;
    int rc = audit_model_at(a->model, j->m->round, &has, e);
    if (rc != OK) return rc;
    if (!has || !j->has_update) {
        /* The way to a base may begin long ago, with what nobody promised to keep. */
        bool is_promised = has ? gone(j) == AUDIT_NO_DATA : !audit_chain_is_old(a->chain, 0);
        audit_found(a->book, is_promised ? AUDIT_NO_DATA : AUDIT_NOT_KEPT, AUDIT_MODEL, j->m->round,
                    "the model of round %" PRIu64 " cannot be computed: %s", j->m->round,
                    has ? "its update is missing" : "no kept weights and updates lead to its base");
        return OK;
    }
    rc = audit_model_apply(a->model, j->m->round, j->update.p, j->update.len, &result, &why);
    if (rc == OK && hash_equal(&result, &j->m->result)) {
        audit_ok(a->book, AUDIT_MODEL);
        return OK;
    }
    wrong(j, AUDIT_MODEL, "base and update of round %" PRIu64 " do not give the model on record",
          j->m->round);
    return OK;
}

static int check_merge(struct job *j, bool has_sheet, struct err *e)
{
    bool has_all = false;
    bool is_known_rule =
        j->m->rule_merge == ENTRY_RULE_MERGE || j->m->rule_merge == ENTRY_RULE_SCORED;
    int rc = OK;
    if (!is_known_rule)
        audit_found(j->a->book, AUDIT_NO_DATA, AUDIT_UPDATE, j->m->round,
                    "round %" PRIu64 " was merged by rule %" PRIu32
                    ", which this version does not know",
                    j->m->round, j->m->rule_merge);
    if (has_sheet) rc = read_payloads(j, &has_all, e);
    if (rc == OK && has_all && is_known_rule) rc = recompute(j, e);
    if (rc == OK) rc = read_update(j, e);
    if (rc == OK && !has_all && j->has_update)
        audit_found(j->a->book, gone(j), AUDIT_UPDATE, j->m->round,
                    "the update of round %" PRIu64 " cannot be recomputed without %s", j->m->round,
                    has_sheet ? "all of its contributions" : "its sheet");
    if (rc == OK) rc = check_model(j, e);
    return rc;
}

static int check_sheet(struct job *j, struct err *e)
{
    const struct entry_round *m = j->m;
    int rc = collect(j, e);
    if (rc == OK && j->is_scored)
        rc = audit_scores_take(j->a->scores, j->is_changed ? NULL : &j->sheet, e);
    if (rc == OK && j->is_scored && j->a->scores->is_lost)
        audit_found(j->a->book, AUDIT_NO_DATA, AUDIT_REWARD, m->round,
                    "the weights of round %" PRIu64 " cannot be recomputed: a sheet is missing",
                    m->round);
    if (rc == OK) rc = check_lines(j, e);
    bool is_known = m->rule_reward == ENTRY_RULE_REWARD || j->is_scored;
    if (rc == OK && is_known) rc = check_rewards(j, e);
    if (rc == OK && !is_known)
        audit_found(j->a->book, AUDIT_NO_DATA, AUDIT_REWARD, m->round,
                    "round %" PRIu64 " pays by rule %" PRIu32 ", which this version does not know",
                    m->round, m->rule_reward);
    return rc;
}

int audit_round(const struct audit_rounds *a, uint64_t index, const struct entry_round *m,
                struct err *e)
{
    struct job j = {.a = a, .index = index, .m = m};
    enum audit_sheet state;
    j.rules = course_terms(&a->chain->course, m->round);
    j.is_scored =
        a->scores && m->rule_reward == ENTRY_RULE_SCORED && m->rule_merge == ENTRY_RULE_SCORED;
    int rc = audit_sheet_read(a->source, a->book, m, &j.sheet, &state, e);
    j.is_changed = state == AUDIT_SHEET_CHANGED;
    /* A changed sheet says itself what was changed in it, held against what is signed. */
    if (rc == OK && state != AUDIT_SHEET_NONE) rc = check_sheet(&j, e);
    if (rc == OK && state == AUDIT_SHEET_NONE && j.is_scored)
        rc = audit_scores_take(a->scores, NULL, e);
    if (rc == OK && a->model) rc = check_merge(&j, state == AUDIT_SHEET_GOOD, e);
    for (uint32_t i = 0; j.payloads && i < j.n_merged; i++)
        buf_deinit(&j.payloads[i]);
    free(j.payloads);
    free(j.losses);
    free(j.merged);
    buf_deinit(&j.update);
    sheet_deinit(&j.sheet);
    return rc;
}
