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

/* Tokens of one item's texts, and the memory for a row of nats. */
struct texts {
    struct buf context; /* separator and question */
    struct buf choice;  /* with what stands before it */
    struct buf joint;   /* bytes of the choice with the space */
    struct buf scratch; /* nats */
};

/* Length of the question without the spaces at its end, which are read with the choice. */
static size_t trimmed(const struct buf *q)
{
    size_t n = q->len;
    while (n > 0 && q->p[n - 1] == ' ')
        n--;
    return n;
}

static int encode_choice(const struct tokenizer *tk, const struct choices_item *c, uint32_t i,
                         struct texts *t, struct err *e)
{
    const struct buf *q = &c->question;
    size_t n = trimmed(q);
    buf_clear(&t->joint);
    buf_clear(&t->choice);
    buf_put(&t->joint, q->p + n, q->len - n);
    if (q->len == n && n > 0 && !is_space(q->p[n - 1]) && !is_space(c->choices[i].p[0]))
        buf_put_u8(&t->joint, ' ');
    buf_put(&t->joint, c->choices[i].p, c->choices[i].len);
    int rc = buf_ok(&t->joint, e);
    return rc ? rc : tokenizer_encode(tk, t->joint.p, t->joint.len, &t->choice, e);
}

/* -log p of the choice after the context, which x has read up to its last token. */
static int score_choice(struct infer *x, const float *params, struct texts *t, uint32_t last,
                        double *ret, struct err *e)
{
    const uint32_t *ids = (const uint32_t *)(const void *)t->choice.p;
    uint32_t n = (uint32_t)(t->choice.len / sizeof *ids);
    buf_clear(&t->scratch);
    double *nats = (double *)(void *)buf_grow(&t->scratch, n * sizeof(double));
    if (!nats) return buf_ok(&t->scratch, e);
    int rc = infer_score(x, params, &last, ids, 1, nats, e);
    if (!rc && n > 1) rc = infer_score(x, params, ids, ids + 1, n - 1, nats + 1, e);
    if (rc) return rc;
    *ret = 0;
    for (uint32_t i = 0; i < n; i++)
        *ret += nats[i];
    return OK;
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

/* The longest choice's tokens: the question's end gets what room they leave. */
static int longest(const struct tokenizer *tk, const struct choices_item *c, struct texts *t,
                   uint32_t *ret, struct err *e)
{
    *ret = 0;
    for (uint32_t i = 0; i < c->n_choices; i++) {
        int rc = encode_choice(tk, c, i, t, e);
        if (rc) return rc;
        uint32_t n = (uint32_t)(t->choice.len / sizeof(uint32_t));
        *ret = n > *ret ? n : *ret;
    }
    return OK;
}

static int run_item(struct infer *x, const float *params, const struct tokenizer *tk,
                    const struct choices_item *c, struct texts *t, struct choices_score *s,
                    struct err *e)
{
    static const uint32_t separator = TOKENIZER_EOT;
    uint32_t n_longest;
    infer_rewind(x, 0);
    buf_put(&t->context, &separator, sizeof separator);
    int rc = tokenizer_encode(tk, c->question.p, trimmed(&c->question), &t->context, e);
    if (!rc) rc = longest(tk, c, t, &n_longest, e);
    if (rc) return rc;
    if (n_longest > infer_room(x))
        return err_set(e, ERR_LIMIT, 0, "a choice of %u tokens, the model's context holds %u",
                       n_longest, infer_room(x));
    const uint32_t *ids = (const uint32_t *)(const void *)t->context.p;
    uint32_t n = (uint32_t)(t->context.len / sizeof *ids);
    uint32_t fits = infer_room(x) - n_longest + 1; /* the last token is never fed */
    if (n > fits) {
        s->is_cut = true;
        ids += n - fits;
        n = fits;
    }
    float *unused;
    if (n > 1) rc = infer_feed(x, params, ids, n - 1, &unused, e);
    for (uint32_t i = 0; i < c->n_choices && !rc; i++) {
        infer_rewind(x, n - 1);
        rc = encode_choice(tk, c, i, t, e);
        if (!rc) rc = score_choice(x, params, t, ids[n - 1], &s->nats[i], e);
    }
    return rc;
}

int choices_run(struct infer *x, const float *params, const struct tokenizer *tk,
                const struct choices_item *c, struct choices_score *ret, struct err *e)
{
    struct texts t = {0};
    struct choices_score s = {0};
    int rc = run_item(x, params, tk, c, &t, &s, e);
    buf_deinit(&t.context);
    buf_deinit(&t.choice);
    buf_deinit(&t.joint);
    buf_deinit(&t.scratch);
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
