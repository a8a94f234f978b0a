#include "record/sheet.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "record/msg_json.h"

#define N_FIELDS 15 /* of a row */

static const char *const outcome_words[] = {
    [SHEET_PASSED] = "passed", [SHEET_FAILED] = "failed", [SHEET_SKIPPED] = "skipped"};

const char *sheet_outcome_word(enum sheet_outcome o)
{
    unsigned i = (unsigned)o;
    return i <= SHEET_SKIPPED && outcome_words[i] ? outcome_words[i] : "?";
}

void sheet_deinit(struct sheet *s)
{
    if (!s) return;
    free(s->rows);
    free(s->scores);
    *s = (struct sheet){0};
}

static void put_row(json_t *list, const struct sheet_row *m)
{
    json_t *o = json_object();
    json_t *checks = json_array();
    json_set_u64(o, "seq", m->seq);
    json_set_u64(o, "round", m->round);
    json_set_key(o, "contributor", &m->contributor);
    json_set_hash(o, "manifest", &m->manifest);
    json_set_hash(o, "receipt", &m->receipt);
    json_set_hash(o, "payload", &m->payload);
    json_set_u64(o, "n_bytes", m->n_bytes);
    json_set_u64(o, "n_tokens", m->n_tokens);
    json_set_u64(o, "n_steps", m->n_steps);
    json_set_text(o, "verdict", msg_verdict_word(m->verdict));
    msg_json_set_text(o, "reason", m->reason);
    for (uint32_t i = 0; i < m->n_checks && i < SHEET_MAX_CHECKS; i++) {
        json_t *pair = json_array();
        json_array_append_new(pair, json_string(m->checks[i].name));
        json_array_append_new(pair, json_string(sheet_outcome_word(m->checks[i].outcome)));
        json_array_append_new(checks, pair);
    }
    json_object_set_new(o, "checks", checks);
    json_set_i64(o, "score", m->score);
    json_set_u64(o, "weight", m->weight);
    json_set_u64(o, "reward", m->reward);
    json_array_append_new(list, o);
}

static void put_score(json_t *list, const struct score_eval *m)
{
    json_t *o = json_object();
    json_set_key(o, "contributor", &m->contributor);
    json_set_u64(o, "round", m->round);
    json_set_text(o, "code", score_code_word(m->code));
    json_set_u64(o, "n_tokens", m->n_tokens);
    if (m->is_measured) json_set_i64(o, "own", m->own);
    if (m->is_measured) json_set_i64(o, "drawn", m->drawn);
    json_array_append_new(list, o);
}

static bool is_word(const char *s)
{
    size_t n = strlen(s);
    return n && n < SHEET_NAME_CAP && strspn(s, "abcdefghijklmnopqrstuvwxyz-") == n;
}

static void get_check(struct json_reader *r, const json_t *pair, struct sheet_check *m)
{
    const char *name = json_string_value(json_array_get(pair, 0));
    const char *word = json_string_value(json_array_get(pair, 1));
    if (json_array_size(pair) != 2 || !name || !word || !is_word(name)) {
        json_fail(r, "a check must be a pair of a word and its outcome");
        return;
    }
    memcpy(m->name, name, strlen(name) + 1);
    for (unsigned i = SHEET_PASSED; i <= SHEET_SKIPPED; i++)
        if (strcmp(word, outcome_words[i]) == 0) m->outcome = (enum sheet_outcome)i;
    if (!m->outcome) json_fail(r, "the outcome of a check is a word this program does not know");
}

static void get_checks(struct json_reader *r, const json_t *o, struct sheet_row *m)
{
    const json_t *list = json_array_in(r, o, "checks", SHEET_MAX_CHECKS);
    if (json_bad(r)) return;
    size_t i = 0;
    const json_t *v = NULL;
    m->n_checks = (uint32_t)json_array_size(list);
    json_each (i, v, list)
        get_check(r, v, &m->checks[i]);
}

static void get_row(struct json_reader *r, const json_t *o, struct sheet_row *m)
{
    m->seq = msg_json_count(r, o, "seq", 1);
    m->round = msg_json_count(r, o, "round", 0);
    json_key(r, o, "contributor", &m->contributor);
    json_hash(r, o, "manifest", &m->manifest);
    json_hash(r, o, "receipt", &m->receipt);
    json_hash(r, o, "payload", &m->payload);
    m->n_bytes = msg_json_count(r, o, "n_bytes", 0);
    m->n_tokens = msg_json_count(r, o, "n_tokens", 0);
    m->n_steps = json_u32(r, o, "n_steps", 0, INT32_MAX);
    m->verdict = msg_verdict_get(r, o, "verdict");
    msg_json_text(r, o, "reason", m->reason, sizeof m->reason);
    get_checks(r, o, m);
    m->score = json_i64(r, o, "score", -MSG_JSON_MAX_COUNT, MSG_JSON_MAX_COUNT);
    m->weight = msg_json_count(r, o, "weight", 0);
    m->reward = msg_json_count(r, o, "reward", 0);
    msg_json_only(r, o, "a row of the sheet", N_FIELDS);
    if (json_bad(r)) return;
    bool is_accepted = m->verdict == MSG_ACCEPTED;
    if (is_accepted != (m->reason[0] == 0))
        json_fail(r, "a row gives a reason exactly when it does not accept");
    if (!is_accepted && (m->weight || m->reward))
        json_fail(r, "what is not accepted is neither merged nor paid");
}

static void get_score(struct json_reader *r, const json_t *o, struct score_eval *m)
{
    char code[SHEET_NAME_CAP];
    json_key(r, o, "contributor", &m->contributor);
    m->round = msg_json_count(r, o, "round", 0);
    msg_json_text(r, o, "code", code, sizeof code);
    m->n_tokens = msg_json_count(r, o, "n_tokens", 0);
    m->is_measured = !json_bad(r) && json_object_get(o, "own");
    if (m->is_measured) m->own = json_i64(r, o, "own", -MSG_JSON_MAX_COUNT, MSG_JSON_MAX_COUNT);
    if (m->is_measured) m->drawn = json_i64(r, o, "drawn", -MSG_JSON_MAX_COUNT, MSG_JSON_MAX_COUNT);
    msg_json_only(r, o, "an evaluation", m->is_measured ? 6 : 4);
    if (json_bad(r)) return;
    m->code = score_code_of(code);
    if (m->code == SCORE_CODES) json_fail(r, "the code of an evaluation is an unknown word");
    if (m->code == SCORE_CODE_NONE && !m->is_measured) json_fail(r, "an evaluation says nothing");
}

/* Absent, or at least one, ascending by key. */
static int get_scores(struct json_reader *r, const json_t *o, struct sheet *ret, struct err *e)
{
    size_t i = 0;
    const json_t *v = NULL;
    if (json_bad(r) || !json_object_get(o, "scores")) return OK;
    const json_t *list = json_array_in(r, o, "scores", SCORE_CODE_MAX_EVALS);
    if (!json_bad(r) && json_array_size(list) == 0) json_fail(r, "no evaluation is no list");
    if (json_bad(r)) return OK;
    ret->scores = alloc_zero(json_array_size(list), sizeof *ret->scores);
    if (!ret->scores) return err_set(e, ERR_NOMEM, 0, "no memory to read a sheet");
    ret->n_scores = (uint32_t)json_array_size(list);
    json_each (i, v, list) {
        get_score(r, v, &ret->scores[i]);
        if (i && !json_bad(r) &&
            memcmp(ret->scores[i - 1].contributor.b, ret->scores[i].contributor.b, KEY_BYTES) >= 0)
            json_fail(r, "evaluations are not in the order of their keys");
    }
    return OK;
}

static void check_order(struct json_reader *r, const struct sheet *s)
{
    for (uint32_t i = 1; i < s->n && !json_bad(r); i++)
        if (s->rows[i].seq != s->rows[i - 1].seq + 1)
            json_fail(r, "receipt %" PRIu64 " does not follow receipt %" PRIu64, s->rows[i].seq,
                      s->rows[i - 1].seq);
}

/* Fills ret, which is the caller's even on failure. */
static int get(const json_t *o, struct sheet *ret, struct err *e)
{
    struct json_reader r = {.e = e};
    size_t i = 0;
    const json_t *v = NULL;
    ret->round = msg_json_count(&r, o, "round", 0);
    const json_t *list = json_array_in(&r, o, "rows", SHEET_MAX_ROWS);
    msg_json_only(&r, o, "the sheet", json_object_get(o, "scores") ? 3 : 2);
    int rc = get_scores(&r, o, ret, e);
    if (rc != OK) return rc;
    if (!json_bad(&r)) {
        size_t n = json_array_size(list);
        ret->rows = alloc_zero(n ? n : 1, sizeof *ret->rows);
        if (!ret->rows) return err_set(e, ERR_NOMEM, 0, "no memory to read a sheet");
        ret->n = (uint32_t)n;
        json_each (i, v, list)
            get_row(&r, v, &ret->rows[i]);
        check_order(&r, ret);
    }
    if (!json_bad(&r)) return OK;
    err_wrap(e, "sheet of a round");
    return ERR_PROTO;
}

int sheet_encode(const struct sheet *s, struct buf *out, struct err *e)
{
    struct sheet again = {0};
    size_t start = out->len;
    if (s->n > SHEET_MAX_ROWS)
        return err_set(e, ERR_LIMIT, 0, "a sheet cannot hold %" PRIu32 " rows", s->n);
    json_t *o = json_object();
    json_t *list = json_array();
    json_set_u64(o, "round", s->round);
    for (uint32_t i = 0; i < s->n; i++)
        put_row(list, &s->rows[i]);
    json_object_set_new(o, "rows", list);
    if (s->n_scores) {
        json_t *scores = json_array();
        for (uint32_t i = 0; i < s->n_scores; i++)
            put_score(scores, &s->scores[i]);
        json_object_set_new(o, "scores", scores);
    }
    int rc = o ? get(o, &again, e) : err_set(e, ERR_NOMEM, 0, "no memory to write a sheet");
    if (rc == OK && (again.n != s->n || again.n_scores != s->n_scores))
        rc = err_set(e, ERR_NOMEM, 0, "no memory to write a sheet"); /* an append failed */
    if (rc == OK) rc = json_write(o, out, e);
    if (rc == OK && out->len - start > SHEET_MAX_BYTES)
        rc = err_set(e, ERR_LIMIT, 0, "a sheet is too long");
    if (rc != OK && out->len > start) out->len = start;
    json_decref(o);
    sheet_deinit(&again);
    return rc;
}

int sheet_decode(const void *json, size_t n, struct sheet *ret, struct err *e)
{
    struct sheet s = {0};
    struct buf again = {0};
    json_t *o = NULL;
    if (n > SHEET_MAX_BYTES) return err_set(e, ERR_LIMIT, 0, "the sheet is too long");
    int rc = json_parse(json, n, &o, e);
    if (rc == OK) rc = get(o, &s, e);
    json_decref(o);
    if (rc == OK) rc = sheet_encode(&s, &again, e);
    if (rc == OK && (again.len != n || memcmp(again.p, json, n) != 0))
        rc = err_set(e, ERR_PROTO, 0, "the sheet is not in its canonical form");
    buf_deinit(&again);
    if (rc == OK)
        *ret = s;
    else
        sheet_deinit(&s);
    return rc;
}
