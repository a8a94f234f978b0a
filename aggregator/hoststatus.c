#include "aggregator/hoststatus.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "aggregator/describe.h"
#include "aggregator/round.h"
#include "aggregator/store_record.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"

#define UNKNOWN ((double)NAN)

uint64_t hoststatus_values(const struct model_table *t, const struct delta_params *p)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        uint64_t rest = t->tensors[i].n % p->chunk;
        if (t->tensors[i].cols == 1)
            n += t->tensors[i].n;
        else
            n += t->tensors[i].n / p->chunk * p->k + (p->k * rest + p->chunk - 1) / p->chunk;
    }
    return n;
}

static void put_val(const struct hoststatus *s, json_t *o)
{
    const struct store_val *a = &s->val_first, *b = &s->val_last;
    double bits = 1 / log(2);
    json_set_real(o, "val_loss_first", s->has_val ? a->nats / (double)a->n_tokens : UNKNOWN);
    json_set_real(o, "val_loss_last", s->has_val ? b->nats / (double)b->n_tokens : UNKNOWN);
    json_set_real(o, "val_bits_per_byte_first",
                  s->has_val ? a->nats * bits / (double)a->n_bytes : UNKNOWN);
    json_set_real(o, "val_bits_per_byte_last",
                  s->has_val ? b->nats * bits / (double)b->n_bytes : UNKNOWN);
    json_set_real(o, "unigram_bits_per_byte",
                  s->has_val ? b->unigram_bits / (double)b->n_bytes : UNKNOWN);
    json_set_u64(o, "val_round_first", s->has_val ? a->round : 0);
    json_set_u64(o, "val_round_last", s->has_val ? b->round : 0);
    json_set_bool(o, "has_val", s->has_val);
}

static void put_totals(const struct hoststatus *s, json_t *o)
{
    const struct store_totals *t = &s->totals;
    int64_t ms = t->last_at_ms - t->first_at_ms;
    double payload = t->n_accepted ? (double)t->payload_bytes / (double)t->n_accepted : UNKNOWN;
    json_set_u64(o, "rounds", t->n_rounds);
    json_set_u64(o, "contributors", t->n_contributors);
    json_set_u64(o, "accepted", t->n_accepted);
    json_set_u64(o, "late", t->n_late);
    json_set_u64(o, "rejected", t->n_rejected);
    json_set_u64(o, "tokens", t->n_tokens);
    json_set_real(o, "tokens_per_s",
                  t->first_at_ms && ms > 0 ? (double)t->n_tokens * 1000 / (double)ms : UNKNOWN);
    json_set_real(o, "payload_bytes_per_contribution", payload);
    json_set_real(o, "bits_per_value", payload * 8 / (double)s->values_per_contribution);
    json_set_i64(o, "ledger_micro_credits", t->ledger_sum);
    json_set_u64(o, "ledger_lines", t->n_ledger);
}

void hoststatus_course(struct hoststatus *s, const struct course *c)
{
    const struct entry_rollback *back = course_back(c, s->round);
    s->n_rounds = course_terms(c, s->round).n_rounds;
    s->n_changes = c->n_entries;
    s->has_back = back != NULL;
    if (back) s->back = *back;
}

static void put_course(const struct hoststatus *s, json_t *o)
{
    json_set_u64(o, "changes", s->n_changes);
    if (!s->has_back) {
        json_object_set_new(o, "rollback", json_null());
        return;
    }
    json_t *back = json_object();
    json_set_u64(back, "next_round", s->back.next_round);
    json_set_u64(back, "to_round", s->back.to_round);
    json_set_text(back, "reason", s->back.reason);
    json_object_set_new(o, "rollback", back);
}

int hoststatus_json(const struct hoststatus *s, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    json_set_text(o, "name", s->run->name);
    json_set_hash(o, "run", &s->run->id);
    json_set_text(o, "state", s->state);
    json_set_bool(o, "ending", s->is_ending);
    json_set_u64(o, "round", s->round);
    json_set_u64(o, "n_rounds", s->n_rounds);
    put_course(s, o);
    json_set_hash(o, "model_sha256", &s->model);
    json_set_u64(o, "params", s->n_params);
    json_set_u64(o, "peers", s->n_peers);
    json_set_real(o, "swarm_tok_per_s", s->swarm_tok_per_s);
    json_set_u64(o, "bytes_in", s->bytes_in);
    json_set_u64(o, "bytes_out", s->bytes_out);
    json_set_i64(o, "left_ms", s->left_ms);
    json_set_u64(o, "received", s->n_received);
    json_set_text(o, "reward_unit", s->run->reward_unit);
    put_totals(s, o);
    put_val(s, o);
    int rc = o ? json_write(o, out, e) : err_set(e, ERR_NOMEM, 0, "no memory for the status");
    json_decref(o);
    return rc;
}

/* After a rollback the model is another one than the last round made. */
static int read_course(struct store *st, struct hoststatus *s, struct err *e)
{
    struct course c;
    int rc = store_record_course_of(st, s->run, &s->run->host, &c, e);
    if (rc == OK) hoststatus_course(s, &c);
    if (rc == OK && s->has_back && s->back.next_round == s->round) s->model = s->back.result;
    course_deinit(&c);
    return rc;
}

static int read_store(struct store *st, struct hoststatus *s, struct err *e)
{
    struct msg_update last;
    struct store_tail tail = {0};
    int rc = store_view_totals(st, &s->totals, e);
    if (rc == OK) rc = store_record_tail(st, &tail, e);
    if (tail.is_ended) s->state = round_state_word(ROUND_ENDED);
    s->is_ending = tail.is_ending;
    if (rc == OK) rc = store_round_last(st, &last, e);
    if (rc == OK) {
        s->round = last.round + 1;
        s->model = last.result;
    }
    if (rc == OK || rc == ERR_NOTFOUND) rc = read_course(st, s, e);
    if (rc == OK || rc == ERR_NOTFOUND) rc = store_round_val(st, false, &s->val_first, e);
    if (rc == OK) rc = store_round_val(st, true, &s->val_last, e);
    s->has_val = rc == OK;
    return rc == ERR_NOTFOUND ? OK : rc;
}

int hoststatus_stored(const char *home, struct rundesc *run, struct hoststatus *ret, struct err *e)
{
    char path[PATH_CAP];
    struct store *st = NULL;
    struct model_table t = {0};
    int rc = describe_read(home, run, NULL, e);
    if (rc != OK) return rc;
    struct hoststatus s = {.run = run,
                           .state = "stopped",
                           .model = run->initial_model,
                           .swarm_tok_per_s = UNKNOWN,
                           .n_rounds = run->n_rounds,
                           .left_ms = -1};
    rc = model_table_init(&t, &run->model, e);
    if (rc != OK) return rc;
    s.n_params = t.n_params;
    s.values_per_contribution = hoststatus_values(&t, &run->train.delta);
    model_table_deinit(&t);
    if (path_format(path, "%s/aggregator.db", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    if (file_exists(path)) {
        rc = store_open(path, &run->id, &st, e);
        if (rc == OK) rc = read_store(st, &s, e);
        store_close(st);
    }
    if (rc == OK) *ret = s;
    return rc;
}

static double real(const json_t *o, const char *k)
{
    const json_t *v = json_object_get(o, k);
    return json_is_number(v) ? json_number_value(v) : UNKNOWN;
}

static const char *text(const json_t *o, const char *k, char *dst, size_t cap)
{
    const char *v = json_string_value(json_object_get(o, k));
    return utf8_printable(v ? v : "-", dst, cap);
}

static void put_number(struct buf *out, const char *label, double v, const char *unit, int digits)
{
    if (isnan(v))
        buf_printf(out, "%-14s -\n", label);
    else
        buf_printf(out, "%-14s %.*f%s%s\n", label, digits, v, *unit ? " " : "", unit);
}

static void put_state(struct buf *out, const json_t *o)
{
    char a[96];
    double round = real(o, "round");
    text(o, "state", a, sizeof a);
    if (strcmp(a, "ended") == 0)
        buf_printf(out, "%-14s the run is over, after %.0f rounds; its model is final\n", "state",
                   round);
    else
        buf_printf(out, "%-14s %s, round %.0f%s\n", "state", a, round,
                   json_is_true(json_object_get(o, "ending")) ? ", the last: then the run is over"
                                                              : "");
}

static void put_back(struct buf *out, const json_t *o)
{
    char a[MSG_REASON_CAP];
    const json_t *back = json_object_get(o, "rollback");
    if (!json_is_object(back)) return;
    buf_printf(out, "%-14s before round %.0f, to the model of round %.0f: %s\n", "went back",
               real(back, "next_round"), real(back, "to_round"), text(back, "reason", a, sizeof a));
}

int hoststatus_text(const void *json, size_t n, struct buf *out, struct err *e)
{
    char a[96], b[96];
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc != OK) return rc;
    buf_printf(out, "%-14s %s\n", "run", text(o, "name", a, sizeof a));
    put_state(out, o);
    put_back(out, o);
    buf_printf(out, "%-14s %s\n", "model", text(o, "model_sha256", b, sizeof b));
    put_number(out, "parameters", real(o, "params") / 1e6, "million", 2);
    put_number(out, "contributors", real(o, "peers"), "here now", 0);
    buf_printf(out, "%-14s %.0f accepted, %.0f late, %.0f rejected\n", "contributions",
               real(o, "accepted"), real(o, "late"), real(o, "rejected"));
    put_number(out, "rounds merged", real(o, "rounds"), "", 0);
    put_number(out, "tokens", real(o, "tokens"), "", 0);
    put_number(out, "speed", real(o, "tokens_per_s"), "tokens/s over the whole run", 0);
    put_number(out, "validation", real(o, "val_bits_per_byte_last"), "bits/byte now", 4);
    put_number(out, "untrained", real(o, "val_bits_per_byte_first"), "bits/byte", 4);
    put_number(out, "counting", real(o, "unigram_bits_per_byte"),
               "bits/byte (token frequencies alone)", 4);
    put_number(out, "payload", real(o, "payload_bytes_per_contribution") / 1e3, "kB a contribution",
               1);
    put_number(out, "packing", real(o, "bits_per_value"), "bits a value", 2);
    put_number(out, "received", real(o, "bytes_in") / 1e6, "MB since the start", 2);
    put_number(out, "sent", real(o, "bytes_out") / 1e6, "MB since the start", 2);
    buf_printf(out, "%-14s %.3f %s in %.0f lines\n", "paid out",
               real(o, "ledger_micro_credits") / 1e6, text(o, "reward_unit", a, sizeof a),
               real(o, "ledger_lines"));
    json_decref(o);
    return buf_ok(out, e);
}
