#include "record/entry.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/jws.h"
#include "record/msg_json.h"

/* As in msg.c: a pair x_put and x_get for each kind, and the writer reads its own output before it
 * lets it go, so the bounds are written once.
 */

#define TYP          "potluck-entry+1"
#define MAX_LOSS     1e6
#define MAX_REAL     1e9
#define TEXT(s)      (s), sizeof(s) - 1
#define N_COMMON     4 /* kind, run, index, at_ms */
#define N_WORDS(a)   ((uint32_t)(sizeof(a) / sizeof *(a)))
#define IS_REAL(f)   ((f) == ENTRY_F_MERGE_MIN_SENDERS || (f) == ENTRY_F_OUTER_LR)
#define MAX_DURATION UINT32_MAX

static const char *const kind_words[] = {
    [ENTRY_OPEN] = "open",         [ENTRY_ROUND] = "round", [ENTRY_CHANGE] = "change",
    [ENTRY_ROLLBACK] = "rollback", [ENTRY_END] = "end",     [ENTRY_PAYOUT] = "payout",
    [ENTRY_ADDRESS] = "address"};

static const char *const field_words[ENTRY_FIELDS] = {
    [ENTRY_F_INNER_MS] = "inner_ms",
    [ENTRY_F_INNER_STEPS] = "inner_steps",
    [ENTRY_F_MAX_INNER_STEPS] = "max_inner_steps",
    [ENTRY_F_MERGE_MIN_SENDERS] = "merge_min_senders",
    [ENTRY_F_MIN_CONTRIBUTIONS] = "min_contributions",
    [ENTRY_F_N_ROUNDS] = "n_rounds",
    [ENTRY_F_OUTER_LR] = "outer_lr",
    [ENTRY_F_REWARD_PER_ROUND] = "reward_per_round",
    [ENTRY_F_UPLOAD_MS] = "upload_ms"};

bool entry_is_after_end(enum entry_kind k)
{
    return k == ENTRY_PAYOUT || k == ENTRY_ADDRESS;
}

const char *entry_kind_word(enum entry_kind k)
{
    unsigned i = (unsigned)k;
    return i < N_WORDS(kind_words) && kind_words[i] ? kind_words[i] : "?";
}

const char *entry_field_word(enum entry_field f)
{
    unsigned i = (unsigned)f;
    return i < ENTRY_FIELDS ? field_words[i] : "?";
}

/* open */

static void open_put(json_t *o, const struct entry_open *m)
{
    json_set_hash(o, "initial", &m->initial);
    json_set_hash(o, "commit_next", &m->commit_next);
    json_set_u64(o, "retention", m->retention);
}

static void open_get(struct json_reader *r, const json_t *o, struct entry_open *m)
{
    json_hash(r, o, "initial", &m->initial);
    json_hash(r, o, "commit_next", &m->commit_next);
    m->retention = msg_json_count(r, o, "retention", 0);
    msg_json_only(r, o, "an open entry", N_COMMON + 3);
}

/* round */

static void round_put(json_t *o, const struct entry_round *m)
{
    json_set_u64(o, "round", m->round);
    json_set_hash(o, "base", &m->base);
    json_set_hash(o, "result", &m->result);
    json_set_hash(o, "update", &m->update);
    json_set_u64(o, "update_bytes", m->update_bytes);
    json_set_u64(o, "n_merged", m->n_merged);
    json_set_u64(o, "n_tokens", m->n_tokens);
    json_set_real(o, "train_loss", m->train_loss);
    json_set_u64(o, "emission", m->emission);
    json_set_u64(o, "paid", m->paid);
    json_set_hash(o, "carry", &m->carry);
    json_set_hash(o, "secret", &m->secret);
    json_set_hash(o, "commit_next", &m->commit_next);
    json_set_u64(o, "rule_merge", m->rule_merge);
    json_set_u64(o, "rule_reward", m->rule_reward);
    json_set_u64(o, "first_seq", m->first_seq);
    json_set_u64(o, "last_seq", m->last_seq);
    json_set_hash(o, "sheet", &m->sheet);
    json_set_u64(o, "sheet_bytes", m->sheet_bytes);
}

static void round_get(struct json_reader *r, const json_t *o, struct entry_round *m)
{
    m->round = msg_json_count(r, o, "round", 0);
    json_hash(r, o, "base", &m->base);
    json_hash(r, o, "result", &m->result);
    json_hash(r, o, "update", &m->update);
    m->update_bytes = msg_json_count(r, o, "update_bytes", 1);
    m->n_merged = json_u32(r, o, "n_merged", 0, INT32_MAX);
    m->n_tokens = msg_json_count(r, o, "n_tokens", 0);
    m->train_loss = msg_json_maybe(r, o, "train_loss", 0, MAX_LOSS);
    m->emission = msg_json_count(r, o, "emission", 0);
    m->paid = msg_json_count(r, o, "paid", 0);
    json_hash(r, o, "carry", &m->carry);
    json_hash(r, o, "secret", &m->secret);
    json_hash(r, o, "commit_next", &m->commit_next);
    m->rule_merge = json_u32(r, o, "rule_merge", 1, INT32_MAX);
    m->rule_reward = json_u32(r, o, "rule_reward", 1, INT32_MAX);
    m->first_seq = msg_json_count(r, o, "first_seq", 1);
    m->last_seq = msg_json_count(r, o, "last_seq", 0);
    json_hash(r, o, "sheet", &m->sheet);
    m->sheet_bytes = msg_json_count(r, o, "sheet_bytes", 1);
    msg_json_only(r, o, "a round's entry", N_COMMON + 19);
    if (json_bad(r)) return;
    if (m->paid > m->emission) json_fail(r, "a round cannot pay more than its emission");
    if (m->last_seq + 1 < m->first_seq)
        json_fail(r, "the receipts covered end before they begin");
    else if (m->last_seq + 1 - m->first_seq < m->n_merged)
        json_fail(r, "a round cannot merge more contributions than it has receipts");
}

/* change */

static void change_put(json_t *o, const struct entry_change *m)
{
    json_t *fields = json_object();
    json_set_u64(o, "from_round", m->from_round);
    for (unsigned f = 0; f < ENTRY_FIELDS; f++) {
        double v = m->value[f];
        if (!m->has[f]) continue;
        if (IS_REAL(f) || !(v >= 0 && v <= (double)MSG_JSON_MAX_COUNT && v == (double)(uint64_t)v))
            json_set_real(fields, field_words[f], v); /* the read-back refuses it for a count */
        else
            json_set_u64(fields, field_words[f], (uint64_t)v);
    }
    json_object_set_new(o, "fields", fields);
    msg_json_set_text(o, "reason", m->reason);
}

static void field_get(struct json_reader *r, const json_t *fields, unsigned f,
                      struct entry_change *m)
{
    const char *k = field_words[f];
    uint64_t most = f == ENTRY_F_N_ROUNDS || f == ENTRY_F_REWARD_PER_ROUND
                        ? (uint64_t)MSG_JSON_MAX_COUNT
                        : MAX_DURATION;
    m->has[f] = json_object_get(fields, k) != NULL;
    if (!m->has[f]) return;
    m->value[f] = IS_REAL(f) ? json_real_in(r, fields, k, 0, MAX_REAL)
                             : (double)json_u64(r, fields, k, 0, most);
}

static void change_get(struct json_reader *r, const json_t *o, struct entry_change *m)
{
    size_t n = 0;
    m->from_round = msg_json_count(r, o, "from_round", 0);
    const json_t *fields = json_object_in(r, o, "fields");
    if (json_bad(r)) return;
    for (unsigned f = 0; f < ENTRY_FIELDS; f++) {
        field_get(r, fields, f, m);
        n += m->has[f];
    }
    msg_json_text(r, o, "reason", m->reason, sizeof m->reason);
    msg_json_only(r, fields, "the list of changed fields", n);
    msg_json_only(r, o, "a change", N_COMMON + 3);
    if (!json_bad(r) && !n) json_fail(r, "a change must change something");
}

/* rollback */

static void rollback_put(json_t *o, const struct entry_rollback *m)
{
    json_set_u64(o, "next_round", m->next_round);
    json_set_u64(o, "to_round", m->to_round);
    json_set_hash(o, "result", &m->result);
    msg_json_set_text(o, "reason", m->reason);
}

static void rollback_get(struct json_reader *r, const json_t *o, struct entry_rollback *m)
{
    m->next_round = msg_json_count(r, o, "next_round", 1);
    m->to_round = msg_json_count(r, o, "to_round", 0);
    json_hash(r, o, "result", &m->result);
    msg_json_text(r, o, "reason", m->reason, sizeof m->reason);
    msg_json_only(r, o, "a rollback", N_COMMON + 4);
    if (!json_bad(r) && m->to_round >= m->next_round)
        json_fail(r, "a rollback must go to an earlier round");
}

/* end */

static void end_put(json_t *o, const struct entry_end *m)
{
    json_set_u64(o, "n_rounds", m->n_rounds);
    json_set_hash(o, "result", &m->result);
    json_set_u64(o, "paid", m->paid);
}

static void end_get(struct json_reader *r, const json_t *o, struct entry_end *m)
{
    m->n_rounds = msg_json_count(r, o, "n_rounds", 0);
    json_hash(r, o, "result", &m->result);
    m->paid = msg_json_count(r, o, "paid", 0);
    msg_json_only(r, o, "an end entry", N_COMMON + 3);
}

/* payout */

static void payout_put(json_t *o, const struct entry_payout *m)
{
    json_set_hash(o, "file", &m->file);
    json_set_u64(o, "file_bytes", m->file_bytes);
    json_set_u64(o, "first_round", m->first_round);
    json_set_u64(o, "last_round", m->last_round);
    json_set_u64(o, "paid", m->paid);
}

static void payout_get(struct json_reader *r, const json_t *o, struct entry_payout *m)
{
    json_hash(r, o, "file", &m->file);
    m->file_bytes = msg_json_count(r, o, "file_bytes", 1);
    m->first_round = msg_json_count(r, o, "first_round", 0);
    m->last_round = msg_json_count(r, o, "last_round", 0);
    m->paid = msg_json_count(r, o, "paid", 0);
    msg_json_only(r, o, "a payout", N_COMMON + 5);
    if (!json_bad(r) && m->last_round < m->first_round)
        json_fail(r, "the period of a payout ends before it begins");
}

/* address */

static void address_put(json_t *o, const struct entry_address *m)
{
    json_set_text(o, "payee", m->text);
}

static void address_get(struct json_reader *r, const json_t *o, const struct hash *run,
                        struct entry_address *m)
{
    struct err why = {0};
    json_text(r, o, "payee", m->text, sizeof m->text);
    msg_json_only(r, o, "an address entry", N_COMMON + 1);
    if (json_bad(r)) return;
    if (payee_verify(m->text, strlen(m->text), NULL, &m->payee, &why) != OK)
        json_fail(r, "its address is not what a contributor has signed: %.120s", why.what);
    else if (!hash_equal(&m->payee.run, run))
        json_fail(r, "its address was signed for another run");
}

/* All kinds. */

static void put(json_t *o, const struct entry *m)
{
    json_set_text(o, "kind", entry_kind_word(m->kind));
    json_set_hash(o, "run", &m->run);
    json_set_u64(o, "index", m->index);
    json_set_i64(o, "at_ms", m->at_ms);
    switch (m->kind) {
    case ENTRY_OPEN: open_put(o, &m->open); break;
    case ENTRY_ROUND: round_put(o, &m->round); break;
    case ENTRY_CHANGE: change_put(o, &m->change); break;
    case ENTRY_ROLLBACK: rollback_put(o, &m->rollback); break;
    case ENTRY_END: end_put(o, &m->end); break;
    case ENTRY_PAYOUT: payout_put(o, &m->payout); break;
    case ENTRY_ADDRESS: address_put(o, &m->address); break;
    }
}

static void get(struct json_reader *r, const json_t *o, struct entry *m)
{
    m->kind = (enum entry_kind)msg_json_word(r, o, "kind", kind_words, N_WORDS(kind_words));
    json_hash(r, o, "run", &m->run);
    m->index = msg_json_count(r, o, "index", 0);
    m->at_ms = json_i64(r, o, "at_ms", 0, MSG_JSON_MAX_MS);
    if (json_bad(r)) return;
    switch (m->kind) {
    case ENTRY_OPEN: open_get(r, o, &m->open); break;
    case ENTRY_ROUND: round_get(r, o, &m->round); break;
    case ENTRY_CHANGE: change_get(r, o, &m->change); break;
    case ENTRY_ROLLBACK: rollback_get(r, o, &m->rollback); break;
    case ENTRY_END: end_get(r, o, &m->end); break;
    case ENTRY_PAYOUT: payout_get(r, o, &m->payout); break;
    case ENTRY_ADDRESS: address_get(r, o, &m->run, &m->address); break;
    }
    if (!json_bad(r) && (m->kind == ENTRY_OPEN) != (m->index == 0))
        json_fail(r, "a record opens with entry 0, and with no other");
}

static int finish(const struct json_reader *r, struct err *e)
{
    if (!json_bad(r)) return OK;
    err_wrap(e, "entry of the record");
    return ERR_PROTO;
}

static int build(const struct entry *m, json_t **ret, struct err *e)
{
    struct entry again = {0};
    struct json_reader r = {.e = e};
    json_t *o = json_object();
    if (!o) return err_set(e, ERR_NOMEM, 0, "out of memory while writing an entry");
    put(o, m);
    get(&r, o, &again);
    int rc = finish(&r, e);
    if (rc)
        json_decref(o);
    else
        *ret = o;
    return rc;
}

int entry_sign(const struct entry *m, const struct key *k, struct buf *out, struct err *e)
{
    json_t *o = NULL;
    size_t start = out->len;
    int rc = build(m, &o, e);
    if (rc == OK) rc = jws_sign(o, TYP, k, out, e);
    if (rc == OK && out->len - start > ENTRY_MAX_BYTES)
        rc = err_set(e, ERR_LIMIT, 0, "an entry of the record is too long");
    json_decref(o);
    if (rc != OK && out->len > start) out->len = start;
    return rc;
}

/* The payload must be what we would write for m. */
static int check_spelling(const char *jws, size_t n, const struct entry *m, struct err *e)
{
    struct buf json = {0};
    struct buf part = {0};
    json_t *o = NULL;
    const char *from = memchr(jws, '.', n); /* jws_verify found both dots */
    from++;
    const char *to = memchr(from, '.', n - (size_t)(from - jws));
    int rc = build(m, &o, e);
    if (rc == OK) rc = json_write(o, &json, e);
    if (rc == OK) {
        hex_b64url_encode(&part, json.p, json.len);
        rc = buf_ok(&part, e);
    }
    if (rc == OK && (part.len != (size_t)(to - from) || memcmp(part.p, from, part.len) != 0))
        rc = err_set(e, ERR_PROTO, 0, "an entry of the record is not in its canonical form");
    json_decref(o);
    buf_deinit(&json);
    buf_deinit(&part);
    return rc;
}

int entry_verify(const void *jws, size_t n, const struct key_pub *expect, struct entry *ret,
                 struct err *e)
{
    struct entry m = {0};
    struct json_reader r = {.e = e};
    json_t *o = NULL;
    if (n > ENTRY_MAX_BYTES) return err_set(e, ERR_LIMIT, 0, "an entry of the record is too long");
    int rc = jws_verify(jws, n, TYP, expect, &o, NULL, e);
    if (rc != OK) return rc;
    get(&r, o, &m);
    json_decref(o);
    rc = finish(&r, e);
    if (rc == OK) rc = check_spelling(jws, n, &m, e);
    if (rc == OK) *ret = m;
    return rc;
}

/* Secrets: text, run, number, and one more thing, in a row. */
static struct hash hash_row(const char *text, size_t n_text, const void *first, size_t n_first,
                            const struct hash *run, uint64_t round, const struct hash *last)
{
    uint8_t row[192];
    size_t n = 0;
    check(n_text + n_first + 2 * HASH_BYTES + 8 <= sizeof row);
    memcpy(row, text, n_text);
    n += n_text;
    if (first) memcpy(row + n, first, n_first);
    n += n_first;
    memcpy(row + n, run->b, HASH_BYTES);
    n += HASH_BYTES;
    for (int i = 0; i < 8; i++)
        row[n++] = (uint8_t)(round >> (8 * i));
    if (last) {
        memcpy(row + n, last->b, HASH_BYTES);
        n += HASH_BYTES;
    }
    return hash_of(row, n);
}

struct hash entry_secret(const uint8_t seed[32], const struct hash *run, uint64_t round)
{
    return hash_row(TEXT("potluck-round-secret+1"), seed, 32, run, round, NULL);
}

struct hash entry_commit(const struct hash *run, uint64_t round, const struct hash *secret)
{
    return hash_row(TEXT("potluck-secret+1"), NULL, 0, run, round, secret);
}
