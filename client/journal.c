#include "client/journal.h"

#include <string.h>

#include "base/json.h"
#include "client/wish.h"

#define FORMAT    1
#define MAX_WHOLE (UINT64_C(1) << 53)
#define MAX_STEPS (1u << 24)

static int finish(json_t *o, struct buf *out, struct err *e)
{
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}

static json_t *begin(void)
{
    json_t *o = json_object();
    json_set_u64(o, "format", FORMAT);
    return o;
}

/* Parse and check the format; the caller owns *ret. */
static int open_text(const void *json, size_t n, json_t **ret, struct err *e)
{
    int rc = json_parse(json, n, ret, e);
    if (rc != OK) return rc;
    struct json_reader r = {.e = e};
    if (json_u64(&r, *ret, "format", 0, MAX_WHOLE) == FORMAT && !json_bad(&r)) return OK;
    json_decref(*ret);
    *ret = NULL;
    if (json_bad(&r)) return ERR_PROTO;
    return err_set(e, ERR_VERSION, 0, "written by another version of this program");
}

int journal_encode(const struct journal *j, struct buf *out, struct err *e)
{
    json_t *o = begin();
    json_set_hash(o, "run", &j->run);
    json_set_u64(o, "model_round", j->model_round);
    json_set_u64(o, "n_steps", j->n_steps);
    json_set_u64(o, "n_tokens", j->n_tokens);
    json_set_real(o, "loss_sum", j->loss_sum);
    json_set_i64(o, "busy_ns", j->busy_ns);
    json_set_bool(o, "is_round_done", j->is_round_done);
    json_set_bool(o, "has_payload", j->has_payload);
    json_set_hash(o, "payload", &j->payload.hash);
    json_set_u64(o, "payload_bytes", j->payload.n_bytes);
    json_set_i64(o, "payload_created_at_ms", j->payload.created_at_ms);
    json_set_real(o, "bits_per_value", j->bits_per_value);
    json_set_u64(o, "last_bytes", j->last_bytes);
    json_set_u64(o, "total_tokens", j->total_tokens);
    if (j->ahead_steps) {
        json_set_u64(o, "ahead_steps", j->ahead_steps);
        json_set_u64(o, "ahead_tokens", j->ahead_tokens);
        json_set_real(o, "ahead_loss_sum", j->ahead_loss_sum);
        json_set_i64(o, "ahead_busy_ns", j->ahead_busy_ns);
    }
    return finish(o, out, e);
}

int journal_decode(const void *json, size_t n, struct journal *ret, struct err *e)
{
    json_t *o = NULL;
    int rc = open_text(json, n, &o, e);
    if (rc != OK) return rc;
    struct json_reader r = {.e = e};
    struct journal j = {0};
    json_hash(&r, o, "run", &j.run);
    j.model_round = json_u64(&r, o, "model_round", 0, MAX_WHOLE);
    j.n_steps = json_u32(&r, o, "n_steps", 0, MAX_STEPS);
    j.n_tokens = json_u64(&r, o, "n_tokens", 0, MAX_WHOLE);
    j.loss_sum = json_real_in(&r, o, "loss_sum", 0, 1e12);
    j.busy_ns = json_i64(&r, o, "busy_ns", 0, INT64_MAX);
    j.is_round_done = json_bool(&r, o, "is_round_done");
    j.has_payload = json_bool(&r, o, "has_payload");
    json_hash(&r, o, "payload", &j.payload.hash);
    uint64_t most = (uint64_t)MSG_MAX_CHUNKS * MSG_CHUNK_BYTES;
    j.payload.n_bytes = json_u64(&r, o, "payload_bytes", 0, most);
    j.payload.created_at_ms = json_i64(&r, o, "payload_created_at_ms", 0, (int64_t)MAX_WHOLE);
    j.bits_per_value = json_real_in(&r, o, "bits_per_value", 0, 1e6);
    j.last_bytes = json_u64(&r, o, "last_bytes", 0, MAX_WHOLE);
    j.total_tokens = json_u64(&r, o, "total_tokens", 0, MAX_WHOLE);
    if (json_object_get(o, "ahead_steps")) {
        j.ahead_steps = json_u32(&r, o, "ahead_steps", 1, MAX_STEPS);
        j.ahead_tokens = json_u64(&r, o, "ahead_tokens", 0, MAX_WHOLE);
        j.ahead_loss_sum = json_real_in(&r, o, "ahead_loss_sum", 0, 1e12);
        j.ahead_busy_ns = json_i64(&r, o, "ahead_busy_ns", 0, INT64_MAX);
    }
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    j.payload.n_chunks = (uint32_t)((j.payload.n_bytes + MSG_CHUNK_BYTES - 1) / MSG_CHUNK_BYTES);
    *ret = j;
    return OK;
}

int journal_note_encode(const struct session_note *v, struct buf *out, struct err *e)
{
    json_t *o = begin();
    json_set_hash(o, "payload", &v->payload);
    json_set_u64(o, "fate", (uint64_t)v->fate);
    json_set_text(o, "id", v->id);
    return finish(o, out, e);
}

int journal_note_decode(const void *json, size_t n, struct session_note *ret, struct err *e)
{
    json_t *o = NULL;
    int rc = open_text(json, n, &o, e);
    if (rc != OK) return rc;
    struct json_reader r = {.e = e};
    struct session_note v = {0};
    json_hash(&r, o, "payload", &v.payload);
    v.fate = (enum session_fate)json_u32(&r, o, "fate", SESSION_FATE_NONE, SESSION_FATE_REFUSED);
    json_text(&r, o, "id", v.id, sizeof v.id);
    if (strspn(v.id, "0123456789abcdef") != strlen(v.id)) json_fail(&r, "id is not hex digits");
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    *ret = v;
    return OK;
}

int journal_wish_encode(const struct journal_wish *v, struct buf *out, struct err *e)
{
    json_t *o = begin();
    json_set_bool(o, "is_paused", v->is_paused);
    json_set_bool(o, "is_finishing", v->is_finishing);
    if (v->snooze_ms) json_set_i64(o, "snooze_ms", v->snooze_ms);
    if (v->snooze_ms) json_set_i64(o, "snooze_until_ms", v->snooze_until_ms);
    return finish(o, out, e);
}

int journal_wish_decode(const void *json, size_t n, struct journal_wish *ret, struct err *e)
{
    json_t *o = NULL;
    int rc = open_text(json, n, &o, e);
    if (rc != OK) return rc;
    struct json_reader r = {.e = e};
    struct journal_wish v = {.is_paused = json_bool(&r, o, "is_paused"),
                             .is_finishing = json_bool(&r, o, "is_finishing")};
    if (json_object_get(o, "snooze_ms")) {
        v.snooze_ms = json_i64(&r, o, "snooze_ms", 1, WISH_MAX_SNOOZE_MS);
        v.snooze_until_ms = json_i64(&r, o, "snooze_until_ms", 0, (int64_t)MAX_WHOLE);
    }
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    *ret = v;
    return OK;
}

static struct session_phase phase_of(uint32_t n_steps, uint64_t n_tokens, double loss_sum,
                                     int64_t busy_ns)
{
    struct session_phase p = {.n_steps = n_steps, .n_tokens = n_tokens};
    if (n_steps) p.loss = loss_sum / n_steps;
    if (busy_ns > 0) p.tok_per_s = (double)n_tokens * 1e9 / (double)busy_ns;
    return p;
}

struct session_phase journal_phase(const struct journal *j)
{
    return phase_of(j->n_steps, j->n_tokens, j->loss_sum, j->busy_ns);
}

struct session_phase journal_ahead(const struct journal *j)
{
    return phase_of(j->ahead_steps, j->ahead_tokens, j->ahead_loss_sum, j->ahead_busy_ns);
}
