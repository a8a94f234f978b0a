#include "record/msg.h"

#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/msg_json.h"

/* Every message has a pair x_put (struct to JSON) and x_get (JSON to struct). An encoder reads its
 * own output with x_get before it lets it go: what we would refuse from others is never sent, so
 * the bounds are written once.
 */

#define MAX_PAYLOAD ((uint64_t)MSG_MAX_CHUNKS * MSG_CHUNK_BYTES)
#define MAX_TOKENS  (1ULL << 48) /* of one contribution: a sum over 1024 still fits a count */
#define MAX_LOSS    1e6
#define MAX_SPEED   1e15

static const char *const verdict_words[] = {
    [MSG_ACCEPTED] = "accepted", [MSG_LATE] = "late", [MSG_REJECTED] = "rejected"};
static const char *const state_words[] = {
    [MSG_ROUND_OPEN] = "open", [MSG_ROUND_MERGING] = "merging", [MSG_ROUND_ENDED] = "ended"};

#define N_WORDS(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

static const char *word_of(const char *const *words, uint32_t n, unsigned i)
{
    return i < n && words[i] ? words[i] : "?"; /* the read-back refuses it */
}

const char *msg_verdict_word(enum msg_verdict v)
{
    return word_of(verdict_words, N_WORDS(verdict_words), v);
}

enum msg_verdict msg_verdict_get(struct json_reader *r, const json_t *o, const char *k)
{
    return (enum msg_verdict)msg_json_word(r, o, k, verdict_words, N_WORDS(verdict_words));
}

static int64_t get_ms(struct json_reader *r, const json_t *o, const char *k)
{
    return json_i64(r, o, k, 0, MSG_JSON_MAX_MS);
}

/* join */

static void join_put(json_t *o, const struct msg_join *m)
{
    json_set_hash(o, "run", &m->run);
    msg_json_set_text(o, "name", m->name);
    msg_json_set_text(o, "client", m->client);
    json_set_text(o, "invite", m->invite);
    json_set_u64(o, "proof", m->proof);
    json_set_i64(o, "created_at_ms", m->created_at_ms);
}

static void join_get(struct json_reader *r, const json_t *o, struct msg_join *m)
{
    json_hash(r, o, "run", &m->run);
    msg_json_text(r, o, "name", m->name, sizeof m->name);
    msg_json_text(r, o, "client", m->client, sizeof m->client);
    msg_json_id(r, o, "invite", m->invite, true);
    m->proof = msg_json_count(r, o, "proof", 0);
    m->created_at_ms = get_ms(r, o, "created_at_ms");
}

static void join_signer(struct msg_join *m, const struct key_pub *k)
{
    m->contributor = *k;
}

/* reserve */

static void reserve_put(json_t *o, const struct msg_reserve *m)
{
    json_set_hash(o, "run", &m->run);
    json_set_u64(o, "round", m->round);
    json_set_hash(o, "base", &m->base);
    json_set_u64(o, "max_bytes", m->max_bytes);
    json_set_i64(o, "created_at_ms", m->created_at_ms);
}

static void reserve_get(struct json_reader *r, const json_t *o, struct msg_reserve *m)
{
    json_hash(r, o, "run", &m->run);
    m->round = msg_json_count(r, o, "round", 0);
    json_hash(r, o, "base", &m->base);
    m->max_bytes = json_u64(r, o, "max_bytes", 1, MAX_PAYLOAD);
    m->created_at_ms = get_ms(r, o, "created_at_ms");
}

static void reserve_signer(struct msg_reserve *m, const struct key_pub *k)
{
    m->contributor = *k;
}

/* manifest */

static void manifest_put(json_t *o, const struct msg_manifest *m)
{
    json_set_hash(o, "run", &m->run);
    json_set_text(o, "id", m->id);
    json_set_u64(o, "round", m->round);
    json_set_hash(o, "base", &m->base);
    json_set_hash(o, "payload", &m->payload);
    json_set_u64(o, "n_bytes", m->n_bytes);
    json_t *list = json_array();
    for (uint32_t i = 0; i < m->n_chunks && i < MSG_MAX_CHUNKS; i++) {
        char hex[HASH_HEX];
        json_array_append_new(list, json_string(hash_hex(&m->chunks[i], hex)));
    }
    json_object_set_new(o, "chunks", list);
    json_set_u64(o, "n_tokens", m->n_tokens);
    json_set_u64(o, "n_steps", m->n_steps);
    json_set_real(o, "loss", m->loss);
    json_set_real(o, "tok_per_s", m->tok_per_s);
    msg_json_set_text(o, "engine", m->engine);
    json_set_i64(o, "created_at_ms", m->created_at_ms);
}

static void get_chunks(struct json_reader *r, const json_t *o, struct msg_manifest *m)
{
    const json_t *list = json_array_in(r, o, "chunks", MSG_MAX_CHUNKS);
    if (json_bad(r)) return;
    size_t i = 0;
    const json_t *v = NULL;
    m->n_chunks = (uint32_t)json_array_size(list);
    json_each (i, v, list) {
        const char *hex = json_string_value(v);
        if (!hex || hash_from_hex(hex, &m->chunks[i])) json_fail(r, "a chunk's hash is malformed");
    }
    /* Chunks hold at least one byte and at most MSG_CHUNK_BYTES; the slot's chunk size decides
     * between these and is checked by the round, which knows the slot. */
    if (m->n_chunks > m->n_bytes || m->n_bytes > (uint64_t)m->n_chunks * MSG_CHUNK_BYTES)
        json_fail(r, "%u chunks cannot hold %llu bytes", m->n_chunks,
                  (unsigned long long)m->n_bytes);
}

static void manifest_get(struct json_reader *r, const json_t *o, struct msg_manifest *m)
{
    json_hash(r, o, "run", &m->run);
    msg_json_id(r, o, "id", m->id, false);
    m->round = msg_json_count(r, o, "round", 0);
    json_hash(r, o, "base", &m->base);
    json_hash(r, o, "payload", &m->payload);
    m->n_bytes = json_u64(r, o, "n_bytes", 1, MAX_PAYLOAD);
    get_chunks(r, o, m);
    m->n_tokens = json_u64(r, o, "n_tokens", 1, MAX_TOKENS);
    m->n_steps = json_u32(r, o, "n_steps", 1, INT32_MAX);
    m->loss = msg_json_maybe(r, o, "loss", 0, MAX_LOSS);
    m->tok_per_s = msg_json_maybe(r, o, "tok_per_s", 0, MAX_SPEED);
    msg_json_text(r, o, "engine", m->engine, sizeof m->engine);
    m->created_at_ms = get_ms(r, o, "created_at_ms");
}

static void manifest_signer(struct msg_manifest *m, const struct key_pub *k)
{
    m->contributor = *k;
}

/* receipt */

static void receipt_put(json_t *o, const struct msg_receipt *m)
{
    json_set_hash(o, "run", &m->run);
    json_set_key(o, "contributor", &m->contributor);
    json_set_u64(o, "seq", m->seq);
    json_set_u64(o, "round", m->round);
    json_set_hash(o, "payload", &m->payload);
    json_set_u64(o, "n_bytes", m->n_bytes);
    json_set_u64(o, "n_tokens", m->n_tokens);
    json_set_text(o, "verdict", msg_verdict_word(m->verdict));
    msg_json_set_text(o, "reason", m->reason);
    json_set_i64(o, "created_at_ms", m->created_at_ms);
    json_object_set_new(o, "reward", json_null());
    json_object_set_new(o, "entry", json_null());
    if (!m->is_settled) return;
    json_set_u64(o, "reward", m->reward);
    json_set_u64(o, "entry", m->entry);
}

static void receipt_get(struct json_reader *r, const json_t *o, struct msg_receipt *m)
{
    json_hash(r, o, "run", &m->run);
    json_key(r, o, "contributor", &m->contributor);
    m->seq = msg_json_count(r, o, "seq", 1);
    m->round = msg_json_count(r, o, "round", 0);
    json_hash(r, o, "payload", &m->payload);
    m->n_bytes = json_u64(r, o, "n_bytes", 0, MAX_PAYLOAD);
    m->n_tokens = json_u64(r, o, "n_tokens", 0, MAX_TOKENS);
    m->verdict = msg_verdict_get(r, o, "verdict");
    msg_json_text(r, o, "reason", m->reason, sizeof m->reason);
    m->created_at_ms = get_ms(r, o, "created_at_ms");
    m->is_settled =
        !json_is_null(json_object_get(o, "reward")) || !json_is_null(json_object_get(o, "entry"));
    if (m->is_settled) {
        m->reward = msg_json_count(r, o, "reward", 0);
        m->entry = msg_json_count(r, o, "entry", 1);
    }
    bool is_accepted = m->verdict == MSG_ACCEPTED;
    if (is_accepted && (!m->n_bytes || !m->n_tokens))
        json_fail(r, "an accepted contribution cannot be empty");
    if (is_accepted != (m->reason[0] == 0))
        json_fail(r, "a receipt gives a reason exactly when it does not accept");
    if (m->reward && !is_accepted) json_fail(r, "only what was accepted is paid");
}

static void receipt_signer(struct msg_receipt *m, const struct key_pub *k)
{
    (void)m; /* the contributor is named inside; the signer is the aggregator */
    (void)k;
}

/* update */

static void update_put(json_t *o, const struct msg_update *m)
{
    json_set_hash(o, "run", &m->run);
    json_set_u64(o, "round", m->round);
    json_set_hash(o, "base", &m->base);
    json_set_hash(o, "result", &m->result);
    json_set_hash(o, "update", &m->update);
    json_set_u64(o, "update_bytes", m->update_bytes);
    json_set_u64(o, "n_merged", m->n_merged);
    json_set_u64(o, "n_tokens", m->n_tokens);
    json_set_real(o, "train_loss", m->train_loss);
}

static void update_get(struct json_reader *r, const json_t *o, struct msg_update *m)
{
    json_hash(r, o, "run", &m->run);
    m->round = msg_json_count(r, o, "round", 0);
    json_hash(r, o, "base", &m->base);
    json_hash(r, o, "result", &m->result);
    json_hash(r, o, "update", &m->update);
    m->update_bytes = msg_json_count(r, o, "update_bytes", 1);
    m->n_merged = json_u32(r, o, "n_merged", 0, INT32_MAX);
    m->n_tokens = msg_json_count(r, o, "n_tokens", 0);
    m->train_loss = msg_json_maybe(r, o, "train_loss", 0, MAX_LOSS);
}

static void update_signer(struct msg_update *m, const struct key_pub *k)
{
    (void)m;
    (void)k;
}

/* round */

static void round_put(json_t *o, const struct msg_round *m)
{
    json_set_u64(o, "round", m->round);
    json_set_text(o, "state", word_of(state_words, N_WORDS(state_words), m->state));
    json_set_hash(o, "base", &m->base);
    json_set_i64(o, "left_ms", m->left_ms);
    json_set_i64(o, "inner_left_ms", m->inner_left_ms);
    json_set_hash(o, "update", &m->update);
    json_set_u64(o, "update_bytes", m->update_bytes);
    json_set_u64(o, "checkpoint_round", m->checkpoint_round);
    json_set_hash(o, "checkpoint", &m->checkpoint);
    json_set_u64(o, "checkpoint_bytes", m->checkpoint_bytes);
    json_set_u64(o, "oldest_update_round", m->oldest_update_round);
    json_set_u64(o, "n_changes", m->n_changes);
    json_set_u64(o, "n_contributors", m->n_contributors);
    json_set_u64(o, "n_received", m->n_received);
    json_set_real(o, "val_loss", m->val_loss);
    json_set_real(o, "val_bits_per_byte", m->val_bits_per_byte);
    json_set_u64(o, "val_round", m->val_round);
    json_set_real(o, "swarm_tok_per_s", m->swarm_tok_per_s);
    json_set_text(o, "session", m->session);
}

static void round_get(struct json_reader *r, const json_t *o, struct msg_round *m)
{
    m->round = msg_json_count(r, o, "round", 0);
    m->state =
        (enum msg_round_state)msg_json_word(r, o, "state", state_words, N_WORDS(state_words));
    json_hash(r, o, "base", &m->base);
    m->left_ms = json_i64(r, o, "left_ms", -MSG_JSON_MAX_MS, MSG_JSON_MAX_MS);
    m->inner_left_ms = get_ms(r, o, "inner_left_ms");
    json_hash(r, o, "update", &m->update);
    m->update_bytes = msg_json_count(r, o, "update_bytes", 0);
    m->checkpoint_round = msg_json_count(r, o, "checkpoint_round", 0);
    json_hash(r, o, "checkpoint", &m->checkpoint);
    m->checkpoint_bytes = msg_json_count(r, o, "checkpoint_bytes", 0);
    m->oldest_update_round = msg_json_count(r, o, "oldest_update_round", 0);
    m->n_changes = msg_json_count(r, o, "n_changes", 0);
    m->n_contributors = json_u32(r, o, "n_contributors", 0, INT32_MAX);
    m->n_received = json_u32(r, o, "n_received", 0, INT32_MAX);
    m->val_loss = msg_json_maybe(r, o, "val_loss", 0, MAX_LOSS);
    m->val_bits_per_byte = msg_json_maybe(r, o, "val_bits_per_byte", 0, MAX_LOSS);
    m->val_round = msg_json_count(r, o, "val_round", 0);
    m->swarm_tok_per_s = msg_json_maybe(r, o, "swarm_tok_per_s", 0, MAX_SPEED);
    msg_json_id(r, o, "session", m->session, true);
    if (m->checkpoint_round > m->round) json_fail(r, "the checkpoint is newer than the round");
}

/* slot */

static void slot_put(json_t *o, const struct msg_slot *m)
{
    json_set_text(o, "id", m->id);
    json_set_u64(o, "chunk_bytes", m->chunk_bytes);
    json_set_i64(o, "left_ms", m->left_ms);
    json_t *list = json_array();
    for (uint32_t i = 0; i < MSG_MAX_CHUNKS; i++)
        if (m->have[i / 8] >> (i % 8) & 1) json_array_append_new(list, json_integer(i));
    json_object_set_new(o, "have", list);
}

static void slot_get(struct json_reader *r, const json_t *o, struct msg_slot *m)
{
    msg_json_id(r, o, "id", m->id, false);
    m->chunk_bytes = json_u32(r, o, "chunk_bytes", 1, MSG_CHUNK_BYTES);
    m->left_ms = json_i64(r, o, "left_ms", -MSG_JSON_MAX_MS, MSG_JSON_MAX_MS);
    const json_t *list = json_array_in(r, o, "have", MSG_MAX_CHUNKS);
    if (json_bad(r)) return;
    int64_t last = -1;
    size_t i = 0;
    const json_t *v = NULL;
    json_each (i, v, list) {
        int64_t x = json_integer_value(v);
        if (!json_is_integer(v) || x <= last || x >= MSG_MAX_CHUNKS) {
            json_fail(r, "the list of stored chunks is malformed");
            return;
        }
        m->have[x / 8] = (uint8_t)(m->have[x / 8] | 1U << (x % 8));
        m->n_have++;
        last = x;
    }
}

/* peers */

static void peers_put(json_t *o, const struct msg_peers *m)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < m->n && i < MSG_MAX_PEERS; i++) {
        const struct msg_peer *p = &m->peers[i];
        json_t *row = json_object();
        json_set_key(row, "key", &p->key);
        msg_json_set_text(row, "name", p->name);
        json_set_real(row, "tok_per_s", p->tok_per_s);
        json_set_u64(row, "n_tokens", p->n_tokens);
        json_set_u64(row, "last_round", p->last_round);
        json_set_i64(row, "seen_ms_ago", p->seen_ms_ago);
        msg_json_set_text(row, "state", p->state);
        json_set_text(row, "last10", p->last10);
        json_array_append_new(list, row);
    }
    json_object_set_new(o, "peers", list);
}

static void peer_get(struct json_reader *r, const json_t *o, struct msg_peer *p)
{
    json_key(r, o, "key", &p->key);
    msg_json_text(r, o, "name", p->name, sizeof p->name);
    p->tok_per_s = msg_json_maybe(r, o, "tok_per_s", 0, MAX_SPEED);
    p->n_tokens = msg_json_count(r, o, "n_tokens", 0);
    p->last_round = msg_json_count(r, o, "last_round", 0);
    p->seen_ms_ago = get_ms(r, o, "seen_ms_ago");
    msg_json_text(r, o, "state", p->state, sizeof p->state);
    json_text(r, o, "last10", p->last10, sizeof p->last10);
    if (p->last10[strspn(p->last10, "#lx.")])
        json_fail(r, "the field 'last10' holds a letter this program does not know");
}

static void peers_get(struct json_reader *r, const json_t *o, struct msg_peers *m)
{
    const json_t *list = json_array_in(r, o, "peers", MSG_MAX_PEERS);
    if (json_bad(r)) return;
    m->n = (uint32_t)json_array_size(list);
    size_t i = 0;
    const json_t *v = NULL;
    json_each (i, v, list)
        peer_get(r, v, &m->peers[i]);
}

/* credits */

static void credits_put(json_t *o, const struct msg_credits *m)
{
    json_set_i64(o, "confirmed", m->confirmed);
    json_set_i64(o, "pending", m->pending);
    json_set_u64(o, "n_accepted", m->n_accepted);
    json_set_u64(o, "n_late", m->n_late);
    json_set_u64(o, "n_rejected", m->n_rejected);
    json_t *list = json_array();
    for (uint32_t i = 0; i < m->n && i < MSG_MAX_PEERS; i++) {
        const struct msg_credit *c = &m->lines[i];
        json_t *row = json_object();
        json_set_u64(row, "round", c->round);
        json_set_u64(row, "receipt_seq", c->receipt_seq);
        json_set_u64(row, "n_tokens", c->n_tokens);
        json_set_i64(row, "amount", c->amount);
        json_set_bool(row, "is_settled", c->is_settled);
        msg_json_set_text(row, "reason", c->reason);
        json_set_i64(row, "at_ms", c->at_ms);
        json_array_append_new(list, row);
    }
    json_object_set_new(o, "lines", list);
}

static int64_t get_amount(struct json_reader *r, const json_t *o, const char *k)
{
    return json_i64(r, o, k, -MSG_JSON_MAX_COUNT, MSG_JSON_MAX_COUNT);
}

static void credit_get(struct json_reader *r, const json_t *o, struct msg_credit *c)
{
    c->round = msg_json_count(r, o, "round", 0);
    c->receipt_seq = msg_json_count(r, o, "receipt_seq", 1);
    c->n_tokens = msg_json_count(r, o, "n_tokens", 0);
    c->amount = get_amount(r, o, "amount");
    c->is_settled = json_bool(r, o, "is_settled");
    msg_json_text(r, o, "reason", c->reason, sizeof c->reason);
    c->at_ms = get_ms(r, o, "at_ms");
}

static void credits_get(struct json_reader *r, const json_t *o, struct msg_credits *m)
{
    m->confirmed = get_amount(r, o, "confirmed");
    m->pending = get_amount(r, o, "pending");
    m->n_accepted = msg_json_count(r, o, "n_accepted", 0);
    m->n_late = msg_json_count(r, o, "n_late", 0);
    m->n_rejected = msg_json_count(r, o, "n_rejected", 0);
    const json_t *list = json_array_in(r, o, "lines", MSG_MAX_PEERS);
    if (json_bad(r)) return;
    m->n = (uint32_t)json_array_size(list);
    size_t i = 0;
    const json_t *v = NULL;
    json_each (i, v, list)
        credit_get(r, v, &m->lines[i]);
}

/* One pair of exported functions for each message, from the static pair above. */

static int finish(const struct json_reader *r, const char *name, struct err *e)
{
    if (!json_bad(r)) return OK;
    err_wrap(e, "%s message", name);
    return ERR_PROTO;
}

static json_t *parse_object(const void *text, size_t n, const char *name, int *rc, struct err *e)
{
    json_t *o = NULL;
    *rc = json_parse(text, n, &o, e);
    if (*rc) err_wrap(e, "%s message", name);
    return o;
}

#define SELF_CHECK(x)                                                                              \
    static int x##_build(const struct msg_##x *m, json_t **ret, struct err *e)                     \
    {                                                                                              \
        struct msg_##x again = {0};                                                                \
        struct json_reader r = {.e = e};                                                           \
        json_t *o = json_object();                                                                 \
        if (!o) return err_set(e, ERR_NOMEM, 0, "out of memory while writing a message");          \
        x##_put(o, m);                                                                             \
        x##_get(&r, o, &again);                                                                    \
        int rc = finish(&r, #x, e);                                                                \
        if (rc)                                                                                    \
            json_decref(o);                                                                        \
        else                                                                                       \
            *ret = o;                                                                              \
        return rc;                                                                                 \
    }

#define SIGNED(x, typ)                                                                             \
    SELF_CHECK(x)                                                                                  \
    int msg_##x##_sign(const struct msg_##x *m, const struct key *k, struct buf *out,              \
                       struct err *e)                                                              \
    {                                                                                              \
        json_t *o = NULL;                                                                          \
        int rc = x##_build(m, &o, e);                                                              \
        if (!rc) rc = jws_sign(o, typ, k, out, e);                                                 \
        json_decref(o);                                                                            \
        return rc;                                                                                 \
    }                                                                                              \
    int msg_##x##_verify(const void *jws, size_t n, const struct key_pub *expect,                  \
                         struct msg_##x *ret, struct err *e)                                       \
    {                                                                                              \
        struct msg_##x m = {0};                                                                    \
        struct json_reader r = {.e = e};                                                           \
        struct key_pub signer = {0};                                                               \
        json_t *o = NULL;                                                                          \
        int rc = jws_verify(jws, n, typ, expect, &o, &signer, e);                                  \
        if (rc) return rc;                                                                         \
        x##_get(&r, o, &m);                                                                        \
        x##_signer(&m, &signer);                                                                   \
        json_decref(o);                                                                            \
        rc = finish(&r, #x, e);                                                                    \
        if (!rc) *ret = m;                                                                         \
        return rc;                                                                                 \
    }

#define PLAIN(x)                                                                                   \
    SELF_CHECK(x)                                                                                  \
    int msg_##x##_encode(const struct msg_##x *m, struct buf *out, struct err *e)                  \
    {                                                                                              \
        json_t *o = NULL;                                                                          \
        int rc = x##_build(m, &o, e);                                                              \
        if (!rc) rc = json_write(o, out, e);                                                       \
        json_decref(o);                                                                            \
        return rc;                                                                                 \
    }                                                                                              \
    int msg_##x##_decode(const void *json, size_t n, struct msg_##x *ret, struct err *e)           \
    {                                                                                              \
        struct msg_##x m = {0};                                                                    \
        struct json_reader r = {.e = e};                                                           \
        int rc = OK;                                                                               \
        json_t *o = parse_object(json, n, #x, &rc, e);                                             \
        if (rc) return rc;                                                                         \
        x##_get(&r, o, &m);                                                                        \
        json_decref(o);                                                                            \
        rc = finish(&r, #x, e);                                                                    \
        if (!rc) *ret = m;                                                                         \
        return rc;                                                                                 \
    }

SIGNED(join, "potluck-join+1")
SIGNED(reserve, "potluck-reserve+1")
SIGNED(manifest, "potluck-manifest+1")
SIGNED(receipt, "potluck-receipt+1")
SIGNED(update, "potluck-update+1")
PLAIN(round)
PLAIN(slot)
PLAIN(peers)
PLAIN(credits)
