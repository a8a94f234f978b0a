#include "engine/choices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

/* ---- reading ---- */

void choices_deinit(struct choices_item *c)
{
    if (!c) return;
    buf_deinit(&c->question);
    for (uint32_t i = 0; i < CHOICES_MAX; i++)
        buf_deinit(&c->choices[i]);
    *c = (struct choices_item){0};
}

static void take_text(struct json_reader *r, const json_t *v, const char *name, struct buf *dst)
{
    if (!json_is_string(v)) {
        json_fail(r, "%s is not a text", name);
        return;
    }
    buf_put(dst, json_string_value(v), json_string_length(v));
}

static void take_item(struct json_reader *r, const json_t *o, struct choices_item *c)
{
    take_text(r, json_object_get(o, "question"), "\"question\"", &c->question);
    const json_t *list = json_array_in(r, o, "choices", CHOICES_MAX);
    c->n_choices = list ? (uint32_t)json_array_size(list) : 0;
    if (list && c->n_choices < 2) json_fail(r, "\"choices\" holds fewer than two");
    for (uint32_t i = 0; i < c->n_choices && !json_bad(r); i++) {
        take_text(r, json_array_get(list, i), "one of \"choices\"", &c->choices[i]);
        if (!json_bad(r) && c->choices[i].len == 0) json_fail(r, "choice %u is empty", i);
    }
    if (!json_bad(r)) c->answer = json_u32(r, o, "answer", 0, c->n_choices - 1);
}

static int out_of_memory(const struct choices_item *c, struct err *e)
{
    int rc = buf_ok(&c->question, e);
    for (uint32_t i = 0; i < c->n_choices && !rc; i++)
        rc = buf_ok(&c->choices[i], e);
    return rc;
}

int choices_parse(const void *line, size_t n, struct choices_item *ret, struct err *e)
{
    if (n > CHOICES_LINE_BYTES)
        return err_set(e, ERR_LIMIT, 0, "a line of %zu bytes, at most %u are read", n,
                       CHOICES_LINE_BYTES);
    json_t *o = NULL;
    int rc = json_parse(line, n, &o, e);
    if (rc) return rc;
    struct choices_item c = {0};
    struct json_reader r = {.e = e};
    if (json_is_object(o))
        take_item(&r, o, &c);
    else
        json_fail(&r, "the line is not a JSON object");
    json_decref(o);
    rc = json_bad(&r) ? ERR_PROTO : out_of_memory(&c, e);
    if (rc)
        choices_deinit(&c);
    else
        *ret = c;
    return rc;
}

/* ---- scoring ---- */

static bool is_space(uint8_t b)
{
    return b == ' ' || b == '\n' || b == '\t' || b == '\r';
}

/* One item while it is scored. Ids: of the question, and of each text (question and choice). */
struct texts {
    struct buf question;
    struct buf whole[CHOICES_MAX];
    struct buf bytes;
    struct buf nats;
};

static uint32_t count(const struct buf *ids)
{
    return (uint32_t)(ids->len / sizeof(uint32_t));
}

static const uint32_t *ids_of(const struct buf *ids)
{
    return (const uint32_t *)(const void *)ids->p;
}

/* Length of the question without the spaces at its end, which are read with the choice. */
static size_t trimmed(const struct buf *q)
{
    size_t n = q->len;
    while (n > 0 && q->p[n - 1] == ' ')
        n--;
    return n;
}

static int encode(const struct tokenizer *tk, uint32_t start, const void *p, size_t n,
                  struct buf *ids, struct err *e)
{
    if (start != TOKENIZER_NONE) buf_put(ids, &start, sizeof start);
    return tokenizer_encode(tk, p, n, ids, e);
}

static int encode_all(const struct tokenizer *tk, uint32_t start, const struct choices_item *c,
                      struct texts *t, struct err *e)
{
    const struct buf *q = &c->question;
    size_t n = trimmed(q);
    bool has_gap = n == 0 || n < q->len || is_space(q->p[n - 1]);
    int rc = encode(tk, start, q->p, n, &t->question, e);
    for (uint32_t i = 0; i < c->n_choices && !rc; i++) {
        buf_clear(&t->bytes);
        buf_put(&t->bytes, q->p, q->len);
        if (!has_gap && !is_space(c->choices[i].p[0])) buf_put_u8(&t->bytes, ' ');
        buf_put(&t->bytes, c->choices[i].p, c->choices[i].len);
        rc = buf_ok(&t->bytes, e);
        if (!rc) rc = encode(tk, start, t->bytes.p, t->bytes.len, &t->whole[i], e);
    }
    return rc;
}

/* Where a choice begins: after the ids that its text shares with the question alone. */
static uint32_t begins(const struct texts *t, uint32_t i)
{
    uint32_t n = count(&t->whole[i]) - 1; /* one at least is the choice's */
    uint32_t at = 0;
    while (at < n && at < count(&t->question) &&
           ids_of(&t->question)[at] == ids_of(&t->whole[i])[at])
        at++;
    return at;
}

/* How many ids must go at the front, so that the longest text fits the context. */
static int find_cut(const struct infer *x, const struct choices_item *c, const struct texts *t,
                    uint32_t *ret, struct err *e)
{
    uint32_t longest = 0;
    for (uint32_t i = 1; i < c->n_choices; i++)
        if (count(&t->whole[i]) > count(&t->whole[longest])) longest = i;
    uint32_t n = count(&t->whole[longest]);
    uint32_t most = infer_room(x) + 1; /* the last is never fed */
    *ret = n > most ? n - most : 0;
    for (uint32_t i = 0; i < c->n_choices; i++) {
        if (begins(t, i) == 0)
            return err_set(e, ERR_PROTO, 0, "nothing stands before choice %u", i);
        if (begins(t, i) <= *ret)
            return err_set(e, ERR_LIMIT, 0, "a choice of %u tokens; the model's context holds %u",
                           n - begins(t, longest), infer_room(x));
    }
    return OK;
}

/* -log p of choice i, whose text shares its ids up to `at` with what x has read. */
static int score_choice(struct infer *x, const float *params, struct texts *t, uint32_t i,
                        uint32_t cut, double *ret, struct err *e)
{
    uint32_t at = begins(t, i);
    const uint32_t *ids = ids_of(&t->whole[i]) + at;
    uint32_t n = count(&t->whole[i]) - at;
    buf_clear(&t->nats);
    double *nats = (double *)(void *)buf_grow(&t->nats, n * sizeof(double));
    if (!nats) return buf_ok(&t->nats, e);
    infer_rewind(x, at - 1 - cut);
    int rc = infer_score(x, params, ids - 1, ids, n, nats, e);
    *ret = 0;
    for (uint32_t k = 0; k < n && !rc; k++)
        *ret += nats[k];
    return rc;
}

static void find_best(const struct choices_item *c, struct choices_score *s)
{
    double raw = INFINITY;
    double normalised = INFINITY;
    for (uint32_t i = 0; i < c->n_choices; i++) {
        double per_byte = s->nats[i] / (double)c->choices[i].len;
        if (s->nats[i] < raw) {
            raw = s->nats[i];
            s->best_raw = i;
        }
        if (per_byte < normalised) {
            normalised = per_byte;
            s->best_normalised = i;
        }
    }
}

static int run_item(struct infer *x, const float *params, const struct tokenizer *tk,
                    uint32_t start, const struct choices_item *c, struct texts *t,
                    struct choices_score *s, struct err *e)
{
    uint32_t cut = 0;
    infer_rewind(x, 0);
    int rc = encode_all(tk, start, c, t, e);
    if (!rc) rc = find_cut(x, c, t, &cut, e);
    if (rc) return rc;
    float *unused;
    uint32_t n = count(&t->question) - cut; /* the last of them is fed with each choice */
    s->is_cut = cut > 0;
    if (n > 1) rc = infer_feed(x, params, ids_of(&t->question) + cut, n - 1, &unused, e);
    for (uint32_t i = 0; i < c->n_choices && !rc; i++)
        rc = score_choice(x, params, t, i, cut, &s->nats[i], e);
    return rc;
}

int choices_run(struct infer *x, const float *params, const struct tokenizer *tk, uint32_t start,
                const struct choices_item *c, struct choices_score *ret, struct err *e)
{
    struct texts t = {0};
    struct choices_score s = {0};
    int rc = run_item(x, params, tk, start, c, &t, &s, e);
    buf_deinit(&t.question);
    buf_deinit(&t.bytes);
    buf_deinit(&t.nats);
    for (uint32_t i = 0; i < CHOICES_MAX; i++)
        buf_deinit(&t.whole[i]);
    if (rc) return rc;
    find_best(c, &s);
    *ret = s;
    return OK;
}

void choices_count(struct choices_tally *t, const struct choices_item *c,
                   const struct choices_score *s)
{
    t->n++;
    t->n_right_raw += s->best_raw == c->answer;
    t->n_right_normalised += s->best_normalised == c->answer;
    t->n_cut += s->is_cut;
    t->chance += 1.0 / c->n_choices;
}

void choices_interval(uint64_t k, uint64_t n, double *ret_lo, double *ret_hi)
{
    static const double z = 1.959963984540054; /* 97.5 % of a normal distribution */
    if (n == 0) {
        *ret_lo = 0;
        *ret_hi = 1;
        return;
    }
    double N = (double)n;
    double p = (double)k / N;
    double middle = (p + z * z / (2 * N)) / (1 + z * z / N);
    double half = z / (1 + z * z / N) * sqrt(p * (1 - p) / N + z * z / (4 * N * N));
    *ret_lo = k == 0 ? 0 : middle - half;
    *ret_hi = k == n ? 1 : middle + half;
}
