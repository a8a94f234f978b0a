#include "record/audit_chain.h"

#include <inttypes.h>
#include <string.h>

void audit_chain_init(struct audit_chain *c, const struct rundesc *run)
{
    *c = (struct audit_chain){.run = run, .retention = ENTRY_RETAIN_ALL, .next_seq = 1};
    c->base = run->initial_model;
}

void audit_chain_deinit(struct audit_chain *c)
{
    if (!c) return;
    buf_deinit(&c->steps);
    buf_deinit(&c->changes);
    buf_deinit(&c->payouts);
    buf_deinit(&c->payees);
    *c = (struct audit_chain){0};
}

const struct audit_step *audit_chain_step(const struct audit_chain *c, uint64_t round)
{
    const struct audit_step *s = (const void *)c->steps.p;
    return round < c->steps.len / sizeof *s ? &s[round] : NULL;
}

struct audit_rules audit_chain_rules(const struct audit_chain *c, uint64_t round)
{
    struct audit_rules r = {.outer_lr = c->run->train.outer_lr,
                            .merge_min_senders = c->run->merge_min_senders,
                            .emission = c->run->reward_per_round,
                            .max_inner_steps = c->run->max_inner_steps};
    const struct entry_change *m = (const void *)c->changes.p;
    for (size_t i = 0; i < c->changes.len / sizeof *m; i++) {
        if (m[i].from_round > round) continue;
        if (m[i].has[ENTRY_F_OUTER_LR]) r.outer_lr = m[i].value[ENTRY_F_OUTER_LR];
        if (m[i].has[ENTRY_F_MERGE_MIN_SENDERS])
            r.merge_min_senders = m[i].value[ENTRY_F_MERGE_MIN_SENDERS];
        if (m[i].has[ENTRY_F_REWARD_PER_ROUND])
            r.emission = (uint64_t)m[i].value[ENTRY_F_REWARD_PER_ROUND];
        if (m[i].has[ENTRY_F_MAX_INNER_STEPS])
            r.max_inner_steps = (uint32_t)m[i].value[ENTRY_F_MAX_INNER_STEPS];
    }
    return r;
}

bool audit_chain_is_old(const struct audit_chain *c, uint64_t round)
{
    return c->retention != ENTRY_RETAIN_ALL && round < c->n_rounds &&
           c->n_rounds - round > c->retention;
}

/* ---- one entry after the other -------------------------------------------------------------- */

/* The first thing that is wrong with an entry, or NULL; the sentence goes on behind its name. */
static const char *open_is_wrong(struct audit_chain *c, const struct entry_open *m)
{
    if (c->has_open || c->n_entries != 0) return "opens the run a second time";
    if (!hash_equal(&m->initial, &c->run->initial_model))
        return "begins with another model than the run description names";
    if (m->retention != (c->run->retention ? c->run->retention : ENTRY_RETAIN_ALL))
        return "keeps payloads for another time than the run description promises";
    return NULL;
}

static const char *round_is_wrong(const struct audit_chain *c, const struct entry_round *m)
{
    bool is_loose = c->is_resuming; /* what came before could not be read */
    if (!is_loose && m->round != c->n_rounds) return "leaves out a round or repeats one";
    if (m->round < c->n_rounds) return "repeats a round";
    if (!is_loose && !hash_equal(&m->base, &c->base))
        return "does not begin with the model that the round before it made";
    if (!is_loose && m->first_seq != c->next_seq)
        return "leaves out receipts or lists some a second time";
    if (m->first_seq < c->next_seq) return "lists receipts a second time";
    if (m->last_seq + 1 < m->first_seq) return "counts its receipts backwards";
    if (m->emission != audit_chain_rules(c, m->round).emission)
        return "offers another reward than the run's rule says";
    bool may_pay_nothing = m->rule_reward == ENTRY_RULE_SCORED; /* when nobody's work is of use */
    if (m->paid != (m->n_tokens ? m->emission : 0) && !(may_pay_nothing && m->paid == 0))
        return "does not pay out exactly what the round offers";
    return NULL;
}

static const char *change_is_wrong(const struct audit_chain *c, const struct entry_change *m)
{
    if (!c->is_resuming && m->from_round < c->n_rounds) return "changes rounds that are over";
    return NULL;
}

static const char *rollback_is_wrong(const struct audit_chain *c, const struct entry_rollback *m)
{
    const struct audit_step *to = audit_chain_step(c, m->to_round);
    if (c->is_resuming) return NULL;
    if (m->next_round != c->n_rounds) return "names another round than the one that comes next";
    if (!to) return "goes back to a round that is not on record";
    if (to->is_known && !hash_equal(&to->base, &m->result))
        return "goes back to another model than that round began with";
    return NULL;
}

static const char *end_is_wrong(const struct audit_chain *c, const struct entry_end *m)
{
    if (c->is_resuming) return NULL;
    if (m->n_rounds != c->n_rounds) return "counts other rounds than are on record";
    if (!hash_equal(&m->result, &c->base)) return "names another model than the last round made";
    if (!c->has_lost && m->paid != c->paid) return "sums up other rewards than are on record";
    return NULL;
}

static const char *payout_is_wrong(const struct audit_chain *c, const struct entry_payout *m)
{
    const struct entry_payout *had = (const void *)c->payouts.p;
    if (m->first_round > m->last_round) return "settles no round";
    for (size_t i = 0; i < c->payouts.len / sizeof *had; i++)
        if (m->first_round <= had[i].last_round && had[i].first_round <= m->last_round)
            return "settles rounds that another one has settled";
    if (!c->is_resuming && m->last_round >= c->n_rounds) return "settles rounds that are not over";
    return NULL;
}

static const char *address_is_wrong(const struct audit_chain *c, const struct payee *m)
{
    const struct audit_payee *had = (const void *)c->payees.p;
    for (size_t i = 0; i < c->payees.len / sizeof *had; i++)
        if (key_equal(&had[i].payee.contributor, &m->contributor) &&
            m->created_at_ms <= had[i].payee.created_at_ms)
            return "brings back an address that is older than one on record";
    return NULL;
}

static int take_round(struct audit_chain *c, const struct entry_round *m, struct err *e)
{
    struct audit_step s = {.is_known = true, .base = m->base, .update = m->update};
    bool is_next = m->round == c->n_rounds && !c->is_resuming;
    s.base_of = is_next ? c->base_of : m->round;
    /* A number far beyond what the lost entries can have held would only cost memory. */
    uint64_t lost = m->round > c->n_rounds ? m->round - c->n_rounds : 0;
    for (uint64_t i = 0; i < lost && i <= c->n_entries; i++)
        buf_put(&c->steps, &(struct audit_step){0}, sizeof s);
    if (m->round == c->steps.len / sizeof s) buf_put(&c->steps, &s, sizeof s);
    c->n_rounds = m->round + 1;
    c->base = m->result;
    c->base_of = m->round + 1;
    c->commit = m->commit_next;
    c->n_receipts += m->last_seq + 1 - m->first_seq;
    c->next_seq = m->last_seq + 1;
    c->paid += m->paid;
    c->is_resuming = false;
    return buf_ok(&c->steps, e);
}

static void check_secret(const struct audit_chain *c, const struct entry_round *m,
                         struct audit_book *b)
{
    struct hash commit = entry_commit(&c->run->id, m->round, &m->secret);
    if (c->is_resuming)
        audit_found(b, AUDIT_NO_DATA, AUDIT_SECRET, m->round,
                    "the commitment to the secret of round %" PRIu64 " cannot be read", m->round);
    else if (hash_equal(&commit, &c->commit))
        audit_ok(b, AUDIT_SECRET);
    else
        audit_found(b, AUDIT_WRONG, AUDIT_SECRET, m->round,
                    "the secret of round %" PRIu64 " is not the one that the host had committed to",
                    m->round);
}

static const char *kind_is_wrong(struct audit_chain *c, const struct entry *m)
{
    switch (m->kind) {
    case ENTRY_OPEN: return open_is_wrong(c, &m->open);
    case ENTRY_ROUND: return round_is_wrong(c, &m->round);
    case ENTRY_CHANGE: return change_is_wrong(c, &m->change);
    case ENTRY_ROLLBACK: return rollback_is_wrong(c, &m->rollback);
    case ENTRY_END: return end_is_wrong(c, &m->end);
    case ENTRY_PAYOUT: return payout_is_wrong(c, &m->payout);
    case ENTRY_ADDRESS: return address_is_wrong(c, &m->address.payee);
    }
    return "is of no kind";
}

static int apply(struct audit_chain *c, const struct entry *m, struct err *e)
{
    const struct audit_step *to;
    switch (m->kind) {
    case ENTRY_OPEN:
        c->has_open = true;
        c->commit = m->open.commit_next;
        c->retention = m->open.retention;
        break;
    case ENTRY_ROUND: return take_round(c, &m->round, e);
    case ENTRY_CHANGE: buf_put(&c->changes, &m->change, sizeof m->change); break;
    case ENTRY_ROLLBACK:
        to = audit_chain_step(c, m->rollback.to_round);
        c->base = m->rollback.result;
        c->base_of = to && to->is_known ? to->base_of : m->rollback.to_round;
        break;
    case ENTRY_END: c->has_end = true; break;
    case ENTRY_PAYOUT: buf_put(&c->payouts, &m->payout, sizeof m->payout); break;
    case ENTRY_ADDRESS:
        buf_put(&c->payees, &(struct audit_payee){m->index, m->address.payee},
                sizeof(struct audit_payee));
        break;
    }
    int rc = buf_ok(&c->payouts, e);
    if (rc == OK) rc = buf_ok(&c->payees, e);
    return rc == OK ? buf_ok(&c->changes, e) : rc;
}

int audit_chain_take(struct audit_chain *c, const struct entry *m, struct audit_book *b,
                     struct err *e)
{
    uint64_t round = m->kind == ENTRY_ROUND ? m->round.round : AUDIT_NO_ROUND;
    const char *wrong = NULL;
    if (!hash_equal(&m->run, &c->run->id))
        wrong = "is of another run";
    else if (m->index != c->n_entries)
        wrong = "has another place than its number says";
    else if (c->n_entries == 0 && m->kind != ENTRY_OPEN)
        wrong = "does not open the run";
    else if (c->has_end && !entry_is_after_end(m->kind))
        wrong = "comes after the end of the run";
    else
        wrong = kind_is_wrong(c, m);
    if (wrong)
        audit_found(b, AUDIT_WRONG, AUDIT_ENTRY, round, "entry %" PRIu64 " (%s) %s", c->n_entries,
                    entry_kind_word(m->kind), wrong);
    else
        audit_ok(b, AUDIT_ENTRY);
    if (m->kind == ENTRY_ROUND && !wrong) check_secret(c, &m->round, b);
    /* The log goes on from what it says: the next entry is judged by this one, right or wrong. */
    bool can_go_on = !wrong || (m->kind == ENTRY_ROUND && m->round.round >= c->n_rounds &&
                                m->round.last_seq + 1 >= m->round.first_seq);
    int rc = can_go_on ? apply(c, m, e) : OK;
    c->n_entries++;
    return rc;
}

void audit_chain_skip(struct audit_chain *c)
{
    c->n_entries++;
    c->is_resuming = true;
    c->has_lost = true;
}
