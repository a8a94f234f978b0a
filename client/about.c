#include "client/about.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "view/text.h"

/* Kept for each weight at full precision: the base, the local one, its gradient, two moments, the error
 * feedback (engine/budget.h has all of it, and the engine behind it).
 */
#define VALUES_A_WEIGHT 6

struct rows {
    struct view_card *card;
    uint32_t n;
};

static void PRINTF_LIKE(3, 4) add(struct rows *r, const char *title, const char *fmt, ...)
{
    va_list ap;
    if (r->n == VIEW_CARD) return;
    struct view_card *c = &r->card[r->n++];
    snprintf(c->title, sizeof c->title, "%s", title);
    va_start(ap, fmt);
    vsnprintf(c->text, sizeof c->text, fmt, ap);
    va_end(ap);
}

/* "7f3c 2a91 ...": 64 digits in groups are compared more easily over a telephone. */
static void fingerprint(const struct key_pub *k, char *dst, size_t cap)
{
    char hex[KEY_HEX];
    size_t n = 0;
    key_hex(k, hex);
    for (size_t i = 0; hex[i] && n + 2 < cap; i++) {
        if (i && i % 4 == 0) dst[n++] = ' ';
        dst[n++] = hex[i];
    }
    dst[n] = 0;
}

static void add_model(struct rows *r, const struct rundesc *d)
{
    char a[TEXT_CAP], b[TEXT_CAP], c[TEXT_CAP];
    struct model_table t;
    if (model_table_init(&t, &d->model, NULL) != OK) return;
    add(r, "model", "%s parameters in %u layers of %u, %s tokens, a context of %u; it begins %s",
        text_number((double)t.n_params, a), d->model.num_hidden_layers, d->model.hidden_size,
        text_count(d->model.vocab_size, b), d->train.seq_len,
        d->is_from_checkpoint ? "with weights of the host" : "from nothing");
    add(r, "needs", "at least %s of memory%s%s; the text comes piece by piece while training",
        text_bytes(t.n_params * VALUES_A_WEIGHT * 4, a),
        d->is_from_checkpoint ? ", a download of " : "",
        d->is_from_checkpoint ? text_bytes(t.n_params * 4, c) : "");
    model_table_deinit(&t);
}

static void add_rules(struct rows *r, const struct rundesc *d)
{
    char a[TEXT_CAP], b[TEXT_CAP], c[TEXT_CAP];
    char much[96];
    if (d->inner_steps)
        snprintf(much, sizeof much, "%u training steps", d->inner_steps);
    else
        snprintf(much, sizeof much, "%s of training", text_duration(d->inner_ms, a));
    add(r, "rounds", "%s: %s, then at most %s to send what was learned",
        d->n_rounds ? text_count((int64_t)d->n_rounds, b) : "no fixed number", much,
        text_duration(d->upload_ms, c));
    text_credits((int64_t)d->reward_per_round, a);
    add(r, "rewards",
        "each round shares %s %s among those whose work was accepted, by what it was "
        "worth. No value is promised.",
        a, d->reward_unit[0] ? d->reward_unit : "credits");
    if (d->puzzle.bits)
        add(r, "entry", "a new key solves a puzzle first, so that nobody comes a thousand times");
}

static void add_host(struct rows *r, const struct rundesc *d)
{
    char key[2 * KEY_HEX];
    fingerprint(&d->host, key, sizeof key);
    add(r, "by", "whoever holds the key %s", key);
    const struct rundesc_aggregator *g = &d->aggregators[0];
    if (d->n_aggregators > 1)
        add(r, "address", "%s:%u and %u more; nobody else is contacted", g->host, g->port,
            d->n_aggregators - 1);
    else if (d->n_aggregators)
        add(r, "address", "%s:%u; nobody else is contacted", g->host, g->port);
}

uint32_t about_fill(const struct rundesc *d, struct view_card ret[VIEW_CARD])
{
    struct rows r = {.card = ret};
    char hex[HASH_HEX];
    hash_hex(&d->id, hex);
    add(&r, "run", "%s", d->name);
    add(&r, "what", "%s",
        d->note[0] ? d->note : "its host wrote no note: neither what it is for nor a licence");
    add_model(&r, d);
    add_rules(&r, d);
    add(&r, "text", "%u part%s of training text, each named by its hash in the description",
        d->n_train_shards, d->n_train_shards == 1 ? "" : "s");
    add_host(&r, d);
    add(&r, "run id", "%s", hex);
    return r.n;
}

uint32_t about_state(const struct msg_round *m, const struct err *why_not,
                     struct view_card ret[VIEW_CARD], uint32_t n)
{
    struct rows r = {.card = ret, .n = n};
    char a[TEXT_CAP], b[TEXT_CAP], c[TEXT_CAP], why[256];
    if (!m)
        add(&r, "now", "not known: %s", err_line(why_not, why, sizeof why));
    else if (m->state == MSG_ROUND_ENDED)
        add(&r, "now",
            "IT HAS ENDED after %s rounds: there is nothing left to train; its final model "
            "can still be fetched",
            text_count((int64_t)m->round, a));
    else
        add(&r, "now", "round %s, %s taking part, held-out %s bits/byte",
            text_count((int64_t)m->round, a), text_count(m->n_contributors, b),
            text_fixed(m->val_bits_per_byte, 3, c));
    /* It is what a person wants to know second. */
    if (r.n > n && n > 1) {
        struct view_card now = ret[n];
        memmove(ret + 2, ret + 1, (n - 1) * sizeof *ret);
        ret[1] = now;
    }
    return r.n;
}
