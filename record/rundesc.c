#include "record/rundesc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/jws.h"
#include "record/msg_json.h"

#define TYP_STEM        "potluck-run+"
#define TYP             "potluck-run+1"
#define LINK_SCHEME     "potluck://"
#define MAX_INDEX_BYTES (64ULL << 20)
#define MAX_PHASE_MS    (7U * 24 * 3600 * 1000)
#define MAX_STEPS       (1U << 24)
#define MAX_SENDERS     1024 /* inputs of one merge */
#define INIT_CHECKPOINT "checkpoint"
#define PUZZLE_KIND     "scrypt"

/* An unknown field in a description is refused, not skipped: it could be a rule, and a contributor
 * that does not follow a rule of the run would waste its work. Hence msg_json_only everywhere.
 */

static void put_model(json_t *top, const struct model_config *c)
{
    json_t *o = json_object();
    json_set_u64(o, "vocab_size", c->vocab_size);
    json_set_u64(o, "hidden_size", c->hidden_size);
    json_set_u64(o, "intermediate_size", c->intermediate_size);
    json_set_u64(o, "num_hidden_layers", c->num_hidden_layers);
    json_set_u64(o, "num_attention_heads", c->num_attention_heads);
    json_set_u64(o, "num_key_value_heads", c->num_key_value_heads);
    json_set_u64(o, "max_position_embeddings", c->max_position_embeddings);
    json_set_real(o, "rms_norm_eps", c->rms_norm_eps);
    json_set_real(o, "rope_theta", c->rope_theta);
    json_set_real(o, "initializer_range", c->initializer_range);
    json_set_bool(o, "tie_word_embeddings", c->tie_word_embeddings);
    json_object_set_new(top, "model", o);
}

static void get_model(struct json_reader *r, const json_t *top, struct model_config *c)
{
    const json_t *o = json_object_in(r, top, "model");
    c->vocab_size = json_u32(r, o, "vocab_size", 1, 1U << 20);
    c->hidden_size = json_u32(r, o, "hidden_size", 1, 1U << 16);
    c->intermediate_size = json_u32(r, o, "intermediate_size", 1, 1U << 18);
    c->num_hidden_layers = json_u32(r, o, "num_hidden_layers", 1, 512);
    c->num_attention_heads = json_u32(r, o, "num_attention_heads", 1, 512);
    c->num_key_value_heads = json_u32(r, o, "num_key_value_heads", 1, 512);
    c->max_position_embeddings = json_u32(r, o, "max_position_embeddings", 1, 1U << 17);
    c->rms_norm_eps = json_real_in(r, o, "rms_norm_eps", 1e-12, 0.1);
    c->rope_theta = json_real_in(r, o, "rope_theta", 1, 1e9);
    c->initializer_range = json_real_in(r, o, "initializer_range", 1e-6, 1);
    c->tie_word_embeddings = json_bool(r, o, "tie_word_embeddings");
    msg_json_only(r, o, "the model", 11);
}

static void put_train(json_t *top, const struct train_params *p)
{
    json_t *o = json_object();
    json_set_u64(o, "seq_len", p->seq_len);
    json_set_u64(o, "batch_seqs", p->batch_seqs);
    json_set_real(o, "lr", p->lr);
    json_set_real(o, "lr_min_frac", p->lr_min_frac);
    json_set_u64(o, "warmup_steps", p->warmup_steps);
    json_set_u64(o, "total_steps", p->total_steps);
    json_set_real(o, "beta1", p->beta1);
    json_set_real(o, "beta2", p->beta2);
    json_set_real(o, "eps", p->eps);
    json_set_real(o, "weight_decay", p->weight_decay);
    json_set_real(o, "clip_norm", p->clip_norm);
    json_set_real(o, "ef_beta", p->ef_beta);
    json_set_real(o, "outer_lr", p->outer_lr);
    json_set_u64(o, "chunk", p->delta.chunk);
    json_set_u64(o, "k", p->delta.k);
    json_object_set_new(top, "train", o);
}

static void get_train(struct json_reader *r, const json_t *top, struct train_params *p)
{
    const json_t *o = json_object_in(r, top, "train");
    p->seq_len = json_u32(r, o, "seq_len", 1, 1U << 17);
    p->batch_seqs = json_u32(r, o, "batch_seqs", 1, 1U << 16);
    p->lr = json_real_in(r, o, "lr", 1e-9, 10);
    p->lr_min_frac = json_real_in(r, o, "lr_min_frac", 0, 1);
    p->warmup_steps = msg_json_count(r, o, "warmup_steps", 0);
    p->total_steps = msg_json_count(r, o, "total_steps", 1);
    p->beta1 = json_real_in(r, o, "beta1", 0, 0.999999);
    p->beta2 = json_real_in(r, o, "beta2", 0, 0.999999);
    p->eps = json_real_in(r, o, "eps", 1e-20, 1);
    p->weight_decay = json_real_in(r, o, "weight_decay", 0, 10);
    p->clip_norm = json_real_in(r, o, "clip_norm", 1e-6, 1e6);
    p->ef_beta = json_real_in(r, o, "ef_beta", 0, 1);
    p->outer_lr = json_real_in(r, o, "outer_lr", 1e-6, 10);
    p->delta.chunk = json_u32(r, o, "chunk", 64, DELTA_MAX_CHUNK);
    p->delta.k = json_u32(r, o, "k", 1, DELTA_MAX_CHUNK);
    msg_json_only(r, o, "the training", 15);
    if (p->delta.k > p->delta.chunk) json_fail(r, "k is larger than the chunk it is taken from");
}

static void put_rounds(json_t *top, const struct rundesc *d)
{
    json_t *o = json_object();
    json_set_u64(o, "inner_steps", d->inner_steps);
    json_set_u64(o, "inner_ms", d->inner_ms);
    json_set_u64(o, "max_inner_steps", d->max_inner_steps);
    if (d->ahead_steps) json_set_u64(o, "ahead_steps", d->ahead_steps);
    json_set_u64(o, "upload_ms", d->upload_ms);
    json_set_u64(o, "min_contributions", d->min_contributions);
    json_set_u64(o, "n_rounds", d->n_rounds);
    json_set_real(o, "merge_min_senders", d->merge_min_senders);
    if (d->retention) json_set_u64(o, "retention", d->retention);
    json_object_set_new(top, "rounds", o);
}

static void get_rounds(struct json_reader *r, const json_t *top, struct rundesc *d)
{
    const json_t *o = json_object_in(r, top, "rounds");
    d->inner_steps = json_u32(r, o, "inner_steps", 0, MAX_STEPS);
    d->inner_ms = json_u32(r, o, "inner_ms", 0, MAX_PHASE_MS);
    d->max_inner_steps = json_u32(r, o, "max_inner_steps", 1, MAX_STEPS);
    bool takes_ahead = json_object_get(o, "ahead_steps") != NULL;
    if (takes_ahead) d->ahead_steps = json_u32(r, o, "ahead_steps", 1, MAX_STEPS);
    d->upload_ms = json_u32(r, o, "upload_ms", 1, MAX_PHASE_MS);
    d->min_contributions = json_u32(r, o, "min_contributions", 1, MAX_SENDERS);
    d->n_rounds = msg_json_count(r, o, "n_rounds", 0);
    d->merge_min_senders = json_real_in(r, o, "merge_min_senders", 0, MAX_SENDERS);
    bool is_limited = json_object_get(o, "retention") != NULL; /* left out: everything is kept */
    if (is_limited) d->retention = msg_json_count(r, o, "retention", 1);
    msg_json_only(r, o, "the rounds", 7 + (size_t)is_limited + (size_t)takes_ahead);
    if ((d->inner_steps == 0) == (d->inner_ms == 0))
        json_fail(r, "either inner_steps or inner_ms must be set, and the other be 0");
    if (d->inner_steps > d->max_inner_steps)
        json_fail(r, "inner_steps is larger than max_inner_steps");
    if (d->ahead_steps && d->ahead_steps >= (d->inner_steps ? d->inner_steps : d->max_inner_steps))
        json_fail(r, "ahead_steps must be fewer than a round's inner steps");
}

static json_t *index_object(const struct hash *h, uint64_t n_bytes)
{
    json_t *o = json_object();
    json_set_hash(o, "index", h);
    json_set_u64(o, "bytes", n_bytes);
    return o;
}

static void get_index(struct json_reader *r, const json_t *o, struct hash *h, uint64_t *n_bytes)
{
    json_hash(r, o, "index", h);
    *n_bytes = json_u64(r, o, "bytes", 1, MAX_INDEX_BYTES);
    msg_json_only(r, o, "a shard", 2);
}

static void put_data(json_t *top, const struct rundesc *d)
{
    json_t *o = json_object();
    json_t *list = json_array();
    json_set_hash(o, "tokenizer", &d->tokenizer);
    json_set_u64(o, "tokenizer_bytes", d->tokenizer_bytes);
    for (uint32_t i = 0; i < d->n_train_shards && i < RUNDESC_MAX_SHARDS; i++)
        json_array_append_new(list, index_object(&d->train_shards[i], d->train_index_bytes[i]));
    json_object_set_new(o, "train", list);
    json_object_set_new(o, "val", index_object(&d->val_shard, d->val_index_bytes));
    json_object_set_new(top, "data", o);
}

static void get_data(struct json_reader *r, const json_t *top, struct rundesc *d)
{
    const json_t *o = json_object_in(r, top, "data");
    json_hash(r, o, "tokenizer", &d->tokenizer);
    d->tokenizer_bytes = json_u64(r, o, "tokenizer_bytes", 1, MAX_INDEX_BYTES);
    const json_t *list = json_array_in(r, o, "train", RUNDESC_MAX_SHARDS);
    const json_t *val = json_object_in(r, o, "val");
    get_index(r, val, &d->val_shard, &d->val_index_bytes);
    msg_json_only(r, o, "the data", 4);
    if (json_bad(r)) return;
    size_t i = 0;
    const json_t *v = NULL;
    d->n_train_shards = (uint32_t)json_array_size(list);
    json_each (i, v, list)
        get_index(r, v, &d->train_shards[i], &d->train_index_bytes[i]);
    if (!d->n_train_shards) json_fail(r, "the list of training shards is empty");
}

static void put_aggregators(json_t *top, const struct rundesc *d)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < d->n_aggregators && i < RUNDESC_MAX_AGGREGATORS; i++) {
        const struct rundesc_aggregator *a = &d->aggregators[i];
        json_t *o = json_object();
        json_set_text(o, "host", a->host);
        json_set_u64(o, "port", a->port);
        json_set_key(o, "key", &a->key);
        json_set_hash(o, "tls_pin", &a->tls_pin);
        json_array_append_new(list, o);
    }
    json_object_set_new(top, "aggregators", list);
}

/* Letters, digits and the signs of names and addresses: safe in a link, a log and a resolver. */
static bool is_host(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%");
    return n > 0 && s[n] == 0;
}

static void get_aggregators(struct json_reader *r, const json_t *top, struct rundesc *d)
{
    const json_t *list = json_array_in(r, top, "aggregators", RUNDESC_MAX_AGGREGATORS);
    if (json_bad(r)) return;
    size_t i = 0;
    const json_t *o = NULL;
    d->n_aggregators = (uint32_t)json_array_size(list);
    json_each (i, o, list) {
        struct rundesc_aggregator *a = &d->aggregators[i];
        json_text(r, o, "host", a->host, sizeof a->host);
        a->port = (uint16_t)json_u32(r, o, "port", 1, UINT16_MAX);
        json_key(r, o, "key", &a->key);
        json_hash(r, o, "tls_pin", &a->tls_pin);
        msg_json_only(r, o, "an aggregator", 4);
        if (!is_host(a->host)) json_fail(r, "an aggregator's host is not a name or an address");
    }
    if (!d->n_aggregators) json_fail(r, "the list of aggregators is empty");
}

/* One of two members says where round 0's weights come from; both are one too many. */
static void put_init(json_t *top, const struct rundesc *d)
{
    if (d->is_from_checkpoint)
        json_set_text(top, "init", INIT_CHECKPOINT);
    else
        json_set_u64(top, "init_seed", d->init_seed);
}

static void get_init(struct json_reader *r, const json_t *top, struct rundesc *d)
{
    char how[16] = "";
    if (!json_object_get(top, "init")) {
        d->init_seed = msg_json_count(r, top, "init_seed", 0);
        return;
    }
    json_text(r, top, "init", how, sizeof how);
    d->is_from_checkpoint = strcmp(how, INIT_CHECKPOINT) == 0;
    if (!d->is_from_checkpoint) json_fail(r, "init is none that this program knows");
}

/* Left out where there is none, so that descriptions without a puzzle are what they always were. */
static void put_puzzle(json_t *top, const struct rundesc *d)
{
    if (!d->puzzle.bits) return;
    json_t *o = json_object();
    json_set_text(o, "kind", PUZZLE_KIND);
    json_set_u64(o, "memory_kib", d->puzzle.memory_kib);
    json_set_u64(o, "bits", d->puzzle.bits);
    json_object_set_new(top, "puzzle", o);
}

static size_t get_puzzle(struct json_reader *r, const json_t *top, struct rundesc *d)
{
    char kind[16] = "";
    if (!json_object_get(top, "puzzle")) return 0;
    const json_t *o = json_object_in(r, top, "puzzle");
    json_text(r, o, "kind", kind, sizeof kind);
    d->puzzle.memory_kib = json_u32(r, o, "memory_kib", PUZZLE_MIN_KIB, PUZZLE_MAX_KIB);
    d->puzzle.bits = json_u32(r, o, "bits", 1, PUZZLE_MAX_BITS);
    msg_json_only(r, o, "the puzzle", 3);
    if (strcmp(kind, PUZZLE_KIND) != 0 || !puzzle_is_fit(&d->puzzle))
        json_fail(r, "the entry puzzle is none that this program knows");
    return 1;
}

static json_t *put_all(const struct rundesc *d)
{
    json_t *o = json_object();
    json_set_u64(o, "version", RUNDESC_WIRE_VERSION);
    msg_json_set_text(o, "name", d->name);
    msg_json_set_text(o, "note", d->note);
    put_model(o, &d->model);
    json_set_hash(o, "initial_model", &d->initial_model);
    put_init(o, d);
    put_train(o, &d->train);
    put_rounds(o, d);
    put_data(o, d);
    msg_json_set_text(o, "reward_unit", d->reward_unit);
    json_set_u64(o, "reward_per_round", d->reward_per_round);
    put_puzzle(o, d);
    put_aggregators(o, d);
    return o;
}

static int refuse_version(uint64_t theirs, struct err *e)
{
    err_set(e, ERR_VERSION, 0, "this run speaks wire version %llu, this program speaks version %u",
            (unsigned long long)theirs, RUNDESC_WIRE_VERSION);
    err_hint(e, theirs > RUNDESC_WIRE_VERSION ? "install a newer potluck to take part in it"
                                              : "take part with the older potluck it was made for");
    return ERR_VERSION;
}

static int get_all(const json_t *o, struct rundesc *d, struct err *e)
{
    struct json_reader r = {.e = e};
    uint64_t version = msg_json_count(&r, o, "version", 0);
    if (!json_bad(&r) && version != RUNDESC_WIRE_VERSION) return refuse_version(version, e);
    msg_json_text(&r, o, "name", d->name, sizeof d->name);
    msg_json_text(&r, o, "note", d->note, sizeof d->note);
    get_model(&r, o, &d->model);
    json_hash(&r, o, "initial_model", &d->initial_model);
    get_init(&r, o, d);
    get_train(&r, o, &d->train);
    get_rounds(&r, o, d);
    get_data(&r, o, d);
    msg_json_text(&r, o, "reward_unit", d->reward_unit, sizeof d->reward_unit);
    d->reward_per_round = msg_json_count(&r, o, "reward_per_round", 0);
    size_t n_optional = get_puzzle(&r, o, d);
    get_aggregators(&r, o, d);
    msg_json_only(&r, o, "the run description", 12 + n_optional);
    if (d->train.seq_len > d->model.max_position_embeddings)
        json_fail(&r, "seq_len is longer than the model's max_position_embeddings");
    if (!d->name[0]) json_fail(&r, "the run has no name");
    if (!d->reward_unit[0]) json_fail(&r, "the reward unit has no name");
    int rc = json_bad(&r) ? ERR_PROTO : model_config_check(&d->model, e);
    if (!rc) return OK;
    err_wrap(e, "run description");
    return ERR_PROTO;
}

/* Version N in a header's typ "potluck-run+N"; 0 when the text is no run description at all. It
 * is read before the signature is checked, which is harmless: all that follows is a refusal.
 */
static uint64_t header_version(const char *jws, size_t n)
{
    const char *dot = memchr(jws, '.', n);
    struct buf b = {0};
    json_t *head = NULL;
    uint64_t version = 0;
    if (dot && !hex_b64url_decode(&b, jws, (size_t)(dot - jws)) && !b.failed && b.len &&
        !json_parse(b.p, b.len, &head, NULL)) {
        const char *typ = json_string_value(json_object_get(head, "typ"));
        if (typ && strncmp(typ, TYP_STEM, strlen(TYP_STEM)) == 0)
            version = strtoull(typ + strlen(TYP_STEM), NULL, 10);
    }
    json_decref(head);
    buf_deinit(&b);
    return version;
}

int rundesc_parse(const void *jws, size_t n, const struct key_pub *expect_host, struct rundesc *ret,
                  struct err *e)
{
    const char *text = jws;
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
        n--; /* an editor's last newline is not part of the description */
    if (n > RUNDESC_MAX_BYTES)
        return err_set(e, ERR_LIMIT, 0, "a run description has at most %u bytes, this one %zu",
                       RUNDESC_MAX_BYTES, n);
    uint64_t version = header_version(text, n);
    if (version && version != RUNDESC_WIRE_VERSION) return refuse_version(version, e);
    struct rundesc d = {0};
    json_t *o = NULL;
    int rc = jws_verify(text, n, TYP, expect_host, &o, &d.host, e);
    if (rc) {
        err_hint(e, "ask the host for the run description or the invite link again");
        return rc;
    }
    rc = get_all(o, &d, e);
    json_decref(o);
    if (rc) return rc;
    d.id = hash_of(text, n);
    *ret = d;
    return OK;
}

int rundesc_sign(struct rundesc *d, const struct key *host, struct buf *out, struct err *e)
{
    struct rundesc again = {0};
    size_t start = out->len;
    json_t *o = put_all(d);
    int rc = get_all(o, &again, e); /* what we would refuse to read is never signed */
    if (!rc) rc = jws_sign(o, TYP, host, out, e);
    json_decref(o);
    if (rc) return rc;
    if (out->len - start > RUNDESC_MAX_BYTES)
        return err_set(e, ERR_LIMIT, 0, "the run description is larger than %u bytes",
                       RUNDESC_MAX_BYTES);
    d->id = hash_of(out->p + start, out->len - start);
    d->host = host->pub;
    return OK;
}

static int bad_link(struct err *e, const char *why)
{
    err_set(e, ERR_ARG, 0, "this is not an invite link: %s", why);
    err_hint(e, "a link reads " LINK_SCHEME "HOST:PORT/#KEY.PIN or /#KEY.PIN.CODE; copy it whole");
    return ERR_ARG;
}

/* HOST:PORT or [IPv6]:PORT; the end of it, or NULL. */
static const char *parse_address(const char *p, struct rundesc_invite *v)
{
    bool in_brackets = *p == '[';
    if (in_brackets) p++;
    size_t n = strcspn(p, in_brackets ? "]" : ":/#");
    if (n >= sizeof v->host) return NULL;
    memcpy(v->host, p, n);
    v->host[n] = 0;
    p += n;
    if (in_brackets && *p == ']') p++;
    if (!is_host(v->host) || *p != ':' || p[1] < '1' || p[1] > '9') return NULL;
    char *end = NULL;
    unsigned long port = strtoul(p + 1, &end, 10);
    if (port > UINT16_MAX) return NULL;
    v->port = (uint16_t)port;
    return end;
}

bool rundesc_is_code(const char *text)
{
    return strlen(text) == RUNDESC_CODE_CAP - 1 &&
           strspn(text, "0123456789abcdef") == RUNDESC_CODE_CAP - 1;
}

int rundesc_invite_parse(const char *link, struct rundesc_invite *ret, struct err *e)
{
    struct rundesc_invite v = {0};
    char key[KEY_HEX] = "";
    char pin[HASH_HEX] = "";
    size_t n_scheme = strlen(LINK_SCHEME);
    if (strncmp(link, LINK_SCHEME, n_scheme) != 0)
        return bad_link(e, "it does not start with " LINK_SCHEME);
    const char *p = parse_address(link + n_scheme, &v);
    if (!p) return bad_link(e, "the address after " LINK_SCHEME " is not HOST:PORT");
    if (strncmp(p, "/#", 2) != 0) return bad_link(e, "the part after /# is missing");
    p += 2;
    size_t n = strcspn(p, " \t\r\n"), n_plain = 4 * HASH_BYTES + 1;
    bool has_code = n == n_plain + 1 + RUNDESC_CODE_CAP - 1 && p[n_plain] == '.';
    if ((n != n_plain && !has_code) || p[2 * HASH_BYTES] != '.')
        return bad_link(e, "the key and the pin after /# are not complete");
    if (has_code) memcpy(v.code, p + n_plain + 1, sizeof v.code - 1);
    if (has_code && !rundesc_is_code(v.code))
        return bad_link(e, "the invite code at its end is not lower-case hex");
    memcpy(key, p, 2 * HASH_BYTES);
    memcpy(pin, p + 2 * HASH_BYTES + 1, 2 * HASH_BYTES);
    if (key_from_hex(key, &v.key) || hash_from_hex(pin, &v.tls_pin))
        return bad_link(e, "the key and the pin after /# are not lower-case hex");
    *ret = v;
    return OK;
}

int rundesc_invite_format(const struct rundesc_invite *v, char *dst, size_t cap, struct err *e)
{
    char key[KEY_HEX];
    char pin[HASH_HEX];
    if (!is_host(v->host) || !v->port)
        return err_set(e, ERR_ARG, 0, "an invite link needs a host name or address and a port");
    bool is_v6 = strchr(v->host, ':') != NULL;
    int n = snprintf(dst, cap, LINK_SCHEME "%s%s%s:%u/#%s.%s%s%s", is_v6 ? "[" : "", v->host,
                     is_v6 ? "]" : "", v->port, key_hex(&v->key, key), hash_hex(&v->tls_pin, pin),
                     v->code[0] ? "." : "", v->code);
    if (n < 0 || (size_t)n >= cap)
        return err_set(e, ERR_LIMIT, 0, "the invite link does not fit in %zu bytes", cap);
    return OK;
}

uint64_t rundesc_round_ms(const struct rundesc *d)
{
    uint64_t inner_ms = d->inner_ms ? d->inner_ms : 4ULL * d->upload_ms;
    return inner_ms + d->upload_ms;
}

uint64_t rundesc_schedule_step(const struct rundesc *d, uint64_t round, uint64_t i_step)
{
    uint64_t n =
        d->inner_steps ? d->inner_steps : (uint64_t)d->inner_ms * RUNDESC_STEPS_PER_S / 1000;
    if (n == 0) n = 1;
    return round * n + (i_step < n ? i_step : n - 1);
}
