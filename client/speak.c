#include "client/speak.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "base/utf8.h"
#include "base/utf8stream.h"
#include "engine/hf_config.h"
#include "engine/infer.h"
#include "engine/sample.h"
#include "engine/tokenizer.h"

enum { CONTEXT = 64, NS_A_WEIGHT = 1 }; /* a slow core reads 4 GB of weights a second */

static const struct sample_choice choice = {.temperature = 0.8, .top_p = 0.95};

struct speak {
    const struct rundesc *run;
    char path[PATH_CAP]; /* tokenizer.json */
    struct pool *pool;
    struct model_table table;
    struct tokenizer *tokenizer; /* NULL: not here */
    uint32_t start, end;         /* ids before and after a text */
    bool is_refused;
    struct infer *infer;          /* NULL until the first line */
    struct sample_entry *scratch; /* the same */
    int64_t cost_ns;              /* of the last line, or what the first may cost */
    int64_t trained_ns;           /* since the last line */
    int64_t said_ms;              /* clock_mono_ms; 0: never */
};

/* ---- the tokenizer ---- */

static int take_tokenizer(struct speak *s, const void *json, size_t n, struct err *e)
{
    struct hash got = hash_of(json, n);
    if (!hash_equal(&got, &s->run->tokenizer))
        return err_set(e, ERR_AUTH, 0, "this is not the tokenizer that the run is bound to");
    int rc = tokenizer_from_json(json, n, &s->tokenizer, e);
    if (rc) return rc;
    struct hf_config_ids ids = hf_config_ends(NULL, s->tokenizer);
    int64_t V = s->run->model.vocab_size;
    if (ids.eos < 0 || ids.eos >= V || ids.bos >= V) {
        tokenizer_destroy(s->tokenizer);
        s->tokenizer = NULL;
        return err_set(e, ERR_PROTO, 0, "the model does not know where a text ends");
    }
    s->start = (uint32_t)ids.bos;
    s->end = (uint32_t)ids.eos;
    return OK;
}

int speak_create(const struct rundesc *run, const char *dir, struct speak **ret, struct err *e)
{
    struct speak *s = alloc_zero(1, sizeof *s);
    if (!s) return err_set(e, ERR_NOMEM, 0, "out of memory for the model's voice");
    s->run = run;
    int rc = pool_create(1, &s->pool, e);
    if (!rc) rc = model_table_init(&s->table, &run->model, e);
    if (!rc && path_format(s->path, "%s/tokenizer.json", dir) != 0)
        rc = err_set(e, ERR_LIMIT, 0, "the home folder's path is too long");
    if (rc) {
        speak_destroy(s);
        return rc;
    }
    s->cost_ns = (int64_t)(s->table.n_params * SPEAK_TOKENS) * NS_A_WEIGHT;
    struct buf json = {0};
    if (file_read(s->path, (size_t)run->tokenizer_bytes, &json, NULL) == OK &&
        take_tokenizer(s, json.p, json.len, NULL) != OK)
        s->tokenizer = NULL; /* it will be fetched anew */
    buf_deinit(&json);
    *ret = s;
    return OK;
}

void speak_destroy(struct speak *s)
{
    if (!s) return;
    infer_destroy(s->infer);
    tokenizer_destroy(s->tokenizer);
    model_table_deinit(&s->table);
    pool_destroy(s->pool);
    free(s->scratch);
    free(s);
}

bool speak_wants_tokenizer(const struct speak *s)
{
    return !s->tokenizer && !s->is_refused;
}

int speak_tokenizer(struct speak *s, const void *json, size_t n, struct err *e)
{
    if (s->tokenizer) return OK;
    int rc = take_tokenizer(s, json, n, e);
    s->is_refused = rc != OK;
    if (rc) return rc;
    int kept = file_replace(s->path, json, n, 0600, NULL);
    (void)kept; /* when it could not be, it is fetched again next time */
    return OK;
}

/* ---- when ---- */

void speak_gate(struct speak *s, enum pool_gate gate)
{
    pool_gate(s->pool, gate);
}

void speak_trained(struct speak *s, int64_t busy_ns)
{
    s->trained_ns += busy_ns;
}

bool speak_is_due(const struct speak *s, int64_t now_ms)
{
    if (!s->tokenizer || s->trained_ns < SPEAK_SHARE * s->cost_ns) return false;
    return !s->said_ms || now_ms - s->said_ms >= SPEAK_EVERY_MS;
}

/* ---- what ---- */

static int make_room(struct speak *s, struct err *e)
{
    if (s->infer) return OK;
    struct infer_shape shape = infer_shape_for(&s->run->model, CONTEXT, 1);
    shape.n_rows = 1;
    if (!s->scratch) s->scratch = alloc_zero(s->run->model.vocab_size, sizeof *s->scratch);
    if (!s->scratch) return err_set(e, ERR_NOMEM, 0, "out of memory for the model's voice");
    return infer_create(&s->run->model, &s->table, s->pool, &shape, &s->infer, e);
}

/* Append what the model says to out, as it comes. */
static int write_line(struct speak *s, const float *params, uint64_t round, struct buf *out,
                      struct err *e)
{
    struct utf8stream stream = {.is_harmless = true};
    struct buf bytes = {0};
    struct rng r;
    uint32_t n_ids = tokenizer_vocab_size(s->tokenizer);
    uint32_t V = s->run->model.vocab_size;
    uint32_t id = s->start;
    int rc = OK;
    rng_init(&r, s->run->init_seed, round);
    infer_rewind(s->infer, 0);
    for (int i = 0; i < SPEAK_TOKENS && infer_room(s->infer); i++) {
        float *logits = NULL;
        rc = infer_feed(s->infer, params, &id, 1, &logits, e);
        if (rc) break;
        if (i == 0) logits[s->end] = -INFINITY; /* something, please */
        id = sample_pick(&choice, logits, V < n_ids ? V : n_ids, s->scratch, &r);
        if (id == SAMPLE_NONE) rc = err_set(e, ERR_PROTO, 0, "the weights are not numbers");
        if (rc || id == s->end) break;
        buf_clear(&bytes);
        rc = tokenizer_decode(s->tokenizer, id, &bytes, e);
        if (rc) break;
        utf8stream_put(&stream, bytes.p, bytes.len, out);
    }
    utf8stream_end(&stream, out);
    buf_deinit(&bytes);
    return rc ? rc : buf_ok(out, e);
}

/* White space as single spaces, none at the ends; cut at a character. */
static void tidy(struct buf *text, char dst[SPEAK_CAP])
{
    size_t n = 0;
    bool is_gap = false;
    for (size_t i = 0; i < text->len; i++) {
        uint8_t c = text->p[i];
        bool is_white = c == ' ' || c == '\n' || c == '\t';
        if (!is_white && is_gap && n) text->p[n++] = ' ';
        if (!is_white) text->p[n++] = c;
        is_gap = is_white;
    }
    text->len = n;
    utf8_printable(buf_str(text), dst, SPEAK_CAP);
}

int speak_say(struct speak *s, const float *params, uint64_t round, int64_t now_ms,
              char dst[SPEAK_CAP], struct err *e)
{
    struct buf text = {0};
    int64_t began = clock_mono_ns();
    int64_t paused = pool_paused_ns(s->pool);
    int rc = make_room(s, e);
    if (!rc) rc = write_line(s, params, round, &text, e);
    if (!rc) tidy(&text, dst);
    buf_deinit(&text);
    int64_t cost = clock_mono_ns() - began - (pool_paused_ns(s->pool) - paused);
    if (!rc || cost > s->cost_ns) s->cost_ns = cost;
    s->said_ms = now_ms > 0 ? now_ms : 1;
    s->trained_ns = 0;
    return rc;
}
