#include "engine/delta.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "engine/quant.h"

#define VERSION      2u
#define HEADER_BYTES 28u

static const char MAGIC[3][5] = {"", "PLD2", "PLU2"};

static bool params_ok(const struct delta_params *p)
{
    return p->chunk >= 64 && p->chunk <= DELTA_MAX_CHUNK && p->k >= 1 && p->k <= p->chunk;
}

static int params_check(const struct delta_params *p, struct err *e)
{
    if (params_ok(p)) return OK;
    err_set(e, ERR_ARG, 0, "chunk %u with k %u is not possible", p->chunk, p->k);
    err_hint(e, "choose a chunk of 64 to 4096 and k from 1 to chunk");
    return ERR_ARG;
}

static uint32_t chunk_len(const struct model_table *t, uint32_t i_tensor, uint64_t done,
                          uint32_t chunk)
{
    uint64_t left = t->tensors[i_tensor].n - done;
    return left < chunk ? (uint32_t)left : chunk;
}

/* How many of a contribution's n values are sent. */
static uint32_t n_sent(const struct delta_params *p, uint32_t n)
{
    return (uint32_t)(((uint64_t)p->k * n + p->chunk - 1) / p->chunk);
}

static bool is_whole(const struct model_tensor *t)
{
    return t->cols == 1;
}

/* Contexts learn from what does not suit them, so that even the worst values cost little more than
 * plain bits: two a place, one and a half times the plain ones for the rest.
 */
static uint64_t max_chunk_bits(const struct delta_params *p, enum delta_kind kind, bool whole,
                               uint32_t n)
{
    if (kind == DELTA_UPDATE) return 128 + 2 * (uint64_t)n + 12 * (uint64_t)n;
    if (whole) return 128 + 12 * (uint64_t)n;
    return 128 + 2 * (uint64_t)n + 4 * (uint64_t)n_sent(p, n);
}

size_t delta_max_bytes(const struct model_table *t, const struct delta_params *p,
                       enum delta_kind kind)
{
    if (!params_ok(p)) return 0;
    uint64_t bytes = HEADER_BYTES;
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        const struct model_tensor *x = &t->tensors[i];
        uint64_t full = x->n / p->chunk;
        uint32_t rest = (uint32_t)(x->n % p->chunk);
        uint64_t bits = full * max_chunk_bits(p, kind, is_whole(x), p->chunk);
        if (rest) bits += max_chunk_bits(p, kind, is_whole(x), rest);
        bytes += 4 + 8 + (bits + 7) / 8;
    }
    return (size_t)bytes;
}

/* ---- writing ---- */

static int writer_fail(struct delta_writer *w, int code)
{
    w->out->len = w->began;
    return code;
}

int delta_writer_init(struct delta_writer *w, const struct model_table *t,
                      const struct delta_params *p, enum delta_kind kind, struct buf *out,
                      struct err *e)
{
    if (params_check(p, e)) return ERR_ARG;
    memset(w, 0, sizeof *w);
    w->table = t;
    w->params = *p;
    w->kind = kind;
    w->out = out;
    w->began = out->len;
    w->most = delta_max_bytes(t, p, kind);
    /* Room for the worst case now, so that nothing can fail half way. */
    if (!buf_grow(out, w->most)) return buf_ok(out, e);
    out->len = w->began;
    buf_put(out, MAGIC[kind], 4);
    buf_put_u16(out, VERSION);
    buf_put_u16(out, (uint16_t)kind);
    buf_put_u32(out, p->chunk);
    buf_put_u32(out, p->k);
    buf_put_u32(out, t->n_tensors);
    buf_put_u64(out, t->n_params);
    places_init(&w->places);
    values_init(&w->values);
    return OK;
}

uint32_t delta_writer_left(const struct delta_writer *w)
{
    if (w->tensor >= w->table->n_tensors) return 0;
    return chunk_len(w->table, w->tensor, w->done, w->params.chunk);
}

static void put_places(struct delta_writer *w, uint32_t len, uint32_t n, const uint16_t *pos)
{
    double before = arith_bits(&w->coder);
    places_put(&w->places, &w->coder, w->done, len, n, pos);
    w->stats.index_bits += arith_bits(&w->coder) - before;
}

/* The n_put values that are written, of pos[n_put]: for an update those that are not zero. */
static uint32_t split_codes(bool with_zeros, const int8_t *codes, uint32_t n, uint16_t *pos,
                            uint8_t *size)
{
    uint32_t n_put = 0;
    for (uint32_t i = 0; i < n; i++) {
        pos[n_put] = (uint16_t)i;
        size[n_put] = (uint8_t)(codes[i] < 0 ? -codes[i] : codes[i]);
        n_put += with_zeros || codes[i] != 0;
    }
    return n_put;
}

static void put_eight(struct delta_writer *w, const float *values, uint32_t n, float *residual)
{
    bool is_update = w->kind == DELTA_UPDATE;
    int8_t codes[DELTA_MAX_CHUNK];
    uint16_t pos[DELTA_MAX_CHUNK + 1];
    uint8_t size[DELTA_MAX_CHUNK + 1];
    uint8_t negative[DELTA_MAX_CHUNK];
    uint32_t scale_code = quant_eight(values, n, codes);
    float scale = quant_scale(scale_code);
    if (!values_empty(&w->values, &w->coder, true, scale_code == 0)) {
        uint32_t n_put = split_codes(!is_update, codes, n, pos, size);
        (void)values_near(&w->values.scale, &w->coder, true, QUANT_SCALE_MAX, scale_code);
        if (is_update) (void)values_near(&w->values.count, &w->coder, true, n, n_put);
        if (n_put < n) put_places(w, n, n_put, pos);
        values_sizes(&w->values, &w->coder, true, n_put, size);
        w->stats.n_values += n_put;
        uint32_t n_signs = 0;
        for (uint32_t i = 0; i < n_put; i++) {
            if (size[i] == 0) continue;
            pos[n_signs] = pos[i];
            negative[n_signs++] = codes[pos[i]] < 0;
        }
        values_signs(&w->values, &w->coder, true, w->done, n_signs, pos, negative);
    }
    for (uint32_t i = 0; i < n && residual; i++)
        residual[i] = values[i] - scale * (float)codes[i];
}

static void put_levels(struct delta_writer *w, const float *values, uint32_t n, float *residual)
{
    uint32_t k = n_sent(&w->params, n);
    uint16_t pos[DELTA_MAX_CHUNK];
    float top[DELTA_MAX_CHUNK];
    uint8_t negative[DELTA_MAX_CHUNK];
    uint8_t high[DELTA_MAX_CHUNK];
    struct quant_levels q;
    quant_top(values, n, k, pos);
    for (uint32_t i = 0; i < k; i++)
        top[i] = values[pos[i]];
    quant_choose(top, k, n, &q, negative, high);
    if (residual && residual != values) memcpy(residual, values, n * sizeof *values);
    if (values_empty(&w->values, &w->coder, true, q.lo_code == 0)) return;
    (void)values_near(&w->values.scale, &w->coder, true, QUANT_SCALE_MAX, q.lo_code);
    (void)values_ratio(&w->values, &w->coder, true, q.ratio);
    if (k < n) put_places(w, n, k, pos);
    values_signs(&w->values, &w->coder, true, w->done, k, pos, negative);
    if (q.ratio) values_high(&w->values, &w->coder, true, q.ratio, k, high);
    for (uint32_t i = 0; i < k && residual; i++) {
        float sent = q.ratio && high[i] ? q.hi : q.lo;
        residual[pos[i]] = top[i] - (negative[i] ? -sent : sent);
    }
    w->stats.n_values += k;
}

static void begin_tensor(struct delta_writer *w)
{
    const struct model_tensor *t = &w->table->tensors[w->tensor];
    buf_put_u32(w->out, 0); /* the tensor's length, filled in behind it */
    w->body = w->out->len;
    size_t used = w->body - w->began; /* with the length, it may be more than all */
    arith_write(&w->coder, w->out->p + w->body, used < w->most ? w->most - used : 0);
    places_tensor(&w->places, t->cols);
    values_tensor(&w->values, t->cols);
}

static int end_tensor(struct delta_writer *w, struct err *e)
{
    arith_end(&w->coder);
    if (w->coder.bad || w->body - w->began > w->most) {
        err_set(e, ERR_LIMIT, 0, "the change of weights does not fit into %zu bytes", w->most);
        return writer_fail(w, ERR_LIMIT);
    }
    bytes_put_u32(w->out->p + w->body - 4, (uint32_t)w->coder.at);
    w->out->len = w->body + w->coder.at;
    w->tensor++;
    w->done = 0;
    return OK;
}

int delta_writer_chunk(struct delta_writer *w, const float *values, float *residual, struct err *e)
{
    uint32_t n = delta_writer_left(w);
    assert(n > 0);
    if (!quant_all_sane(values, n, w->kind == DELTA_UPDATE ? QUANT_UPDATE_MAX : QUANT_MAX)) {
        err_set(e, ERR_PROTO, 0, "tensor '%s' holds a value that is not a usable number",
                w->table->tensors[w->tensor].name);
        err_hint(e, "training has diverged; lower the learning rate");
        return writer_fail(w, ERR_PROTO);
    }
    if (w->done == 0) begin_tensor(w);
    double before = arith_bits(&w->coder) - w->stats.index_bits;
    if (w->kind == DELTA_UPDATE || is_whole(&w->table->tensors[w->tensor]))
        put_eight(w, values, n, residual);
    else
        put_levels(w, values, n, residual);
    w->stats.value_bits += arith_bits(&w->coder) - w->stats.index_bits - before;
    w->done += n;
    return w->done == w->table->tensors[w->tensor].n ? end_tensor(w, e) : OK;
}

int delta_writer_end(struct delta_writer *w, struct delta_stats *stats, struct err *e)
{
    check(delta_writer_left(w) == 0);
    if (buf_ok(w->out, e)) return writer_fail(w, ERR_NOMEM);
    w->stats.total_bits = 8 * (uint64_t)(w->out->len - w->began);
    if (stats) *stats = w->stats;
    return OK;
}

int delta_pack(const struct model_table *t, const struct delta_params *p, enum delta_kind kind,
               const float *values, float *residual, struct buf *out, struct delta_stats *stats,
               struct err *e)
{
    struct delta_writer w;
    /* All values first: after this no chunk can fail, and the residual is all or nothing. */
    if (!quant_all_sane(values, t->n_params, kind == DELTA_UPDATE ? QUANT_UPDATE_MAX : QUANT_MAX)) {
        err_set(e, ERR_PROTO, 0, "the change of weights holds a value that is not a usable number");
        err_hint(e, "training has diverged; lower the learning rate");
        return ERR_PROTO;
    }
    int rc = delta_writer_init(&w, t, p, kind, out, e);
    while (rc == OK && delta_writer_left(&w)) {
        uint64_t at = t->tensors[w.tensor].offset + w.done;
        rc = delta_writer_chunk(&w, values + at, residual ? residual + at : NULL, e);
    }
    return rc ? rc : delta_writer_end(&w, stats, e);
}

/* ---- reading ---- */

static int bad(const struct delta_reader *r, struct err *e, const char *what)
{
    if (r->tensor >= r->table->n_tensors) return err_set(e, ERR_PROTO, 0, "payload: %s", what);
    return err_set(e, ERR_PROTO, 0, "payload, tensor '%s': %s", r->table->tensors[r->tensor].name,
                   what);
}

int delta_reader_init(struct delta_reader *r, const struct model_table *t,
                      const struct delta_params *p, enum delta_kind kind, const void *bytes,
                      size_t n, struct err *e)
{
    if (params_check(p, e)) return ERR_ARG;
    memset(r, 0, sizeof *r);
    struct cursor c = {.p = bytes, .n = n};
    const uint8_t *magic = cursor_take(&c, 4);
    if (!magic || memcmp(magic, MAGIC[kind], 4) != 0)
        return err_set(e, ERR_PROTO, 0, "payload is not a potluck %s",
                       kind == DELTA_UPDATE ? "update" : "contribution");
    uint16_t version = cursor_u16(&c);
    if (!c.bad && version != VERSION)
        return err_set(e, ERR_VERSION, 0, "payload has version %u, this program reads %u", version,
                       VERSION);
    bool fits = cursor_u16(&c) == (uint16_t)kind;
    fits &= cursor_u32(&c) == p->chunk;
    fits &= cursor_u32(&c) == p->k;
    fits &= cursor_u32(&c) == t->n_tensors;
    fits &= cursor_u64(&c) == t->n_params;
    if (c.bad || !fits)
        return err_set(e, ERR_PROTO, 0, "payload was made for another model or other settings");
    r->table = t;
    r->params = *p;
    r->kind = kind;
    r->p = bytes;
    r->n = n;
    r->at = HEADER_BYTES;
    places_init(&r->places);
    values_init(&r->values);
    return OK;
}

static int open_tensor(struct delta_reader *r, struct err *e)
{
    if (r->n - r->at < 4) return bad(r, e, "it ends too early");
    uint32_t len = bytes_u32(r->p + r->at);
    r->at += 4;
    if (r->n - r->at < len) return bad(r, e, "it ends too early");
    arith_read(&r->coder, r->p + r->at, len);
    r->at += len;
    places_tensor(&r->places, r->table->tensors[r->tensor].cols);
    values_tensor(&r->values, r->table->tensors[r->tensor].cols);
    return OK;
}

static void all_positions(struct delta_chunk *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        c->pos[i] = (uint16_t)i;
}

static void get_places(struct delta_reader *r, struct delta_chunk *c)
{
    if (c->n == c->len)
        all_positions(c);
    else
        places_get(&r->places, &r->coder, r->done, c->len, c->n, c->pos);
}

static int get_eight(struct delta_reader *r, struct delta_chunk *c, struct err *e)
{
    bool is_update = r->kind == DELTA_UPDATE;
    uint8_t size[DELTA_MAX_CHUNK];
    uint16_t pos[DELTA_MAX_CHUNK];
    uint8_t negative[DELTA_MAX_CHUNK];
    if (values_empty(&r->values, &r->coder, false, false)) return OK;
    uint32_t code = values_near(&r->values.scale, &r->coder, false, QUANT_SCALE_MAX, 0);
    c->n = is_update ? values_near(&r->values.count, &r->coder, false, c->len, 0) : c->len;
    if (r->coder.bad || c->n == 0) return bad(r, e, "a scale or count that no packer writes");
    get_places(r, c);
    values_sizes(&r->values, &r->coder, false, c->n, size);
    float scale = quant_scale(code);
    uint32_t top = 0;
    uint32_t n_signs = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        top = size[i] > top ? size[i] : top;
        pos[n_signs] = c->pos[i];
        n_signs += size[i] != 0;
    }
    if (is_update && n_signs < c->n) return bad(r, e, "values that no packer writes");
    if (!quant_scale_ok(code, top, is_update ? QUANT_UPDATE_MAX : QUANT_MAX))
        return bad(r, e, "a scale out of range");
    values_signs(&r->values, &r->coder, false, r->done, n_signs, pos, negative);
    for (uint32_t i = 0, at = 0; i < c->n; i++) {
        bool is_negative = size[i] != 0 && negative[at];
        at += size[i] != 0;
        c->value[i] = scale * (float)(is_negative ? -(int)size[i] : (int)size[i]);
    }
    return OK;
}

static int get_levels(struct delta_reader *r, struct delta_chunk *c, struct err *e)
{
    struct quant_levels q;
    uint8_t negative[DELTA_MAX_CHUNK];
    uint8_t high[DELTA_MAX_CHUNK];
    if (values_empty(&r->values, &r->coder, false, false)) return OK;
    uint32_t code = values_near(&r->values.scale, &r->coder, false, QUANT_SCALE_MAX, 0);
    uint32_t ratio = values_ratio(&r->values, &r->coder, false, 0);
    if (r->coder.bad || !quant_levels_read(code, ratio, &q))
        return bad(r, e, "a scale out of range");
    c->n = n_sent(&r->params, c->len);
    get_places(r, c);
    values_signs(&r->values, &r->coder, false, r->done, c->n, c->pos, negative);
    uint32_t n_high = 0;
    if (ratio) values_high(&r->values, &r->coder, false, ratio, c->n, high);
    for (uint32_t i = 0; i < c->n; i++) {
        bool is_high = ratio && high[i];
        float v = is_high ? q.hi : q.lo;
        n_high += is_high;
        c->value[i] = negative[i] ? -v : v;
    }
    if (ratio && (n_high == 0 || n_high == c->n)) return bad(r, e, "levels that no packer writes");
    return OK;
}

int delta_reader_next(struct delta_reader *r, struct delta_chunk *ret, struct err *e)
{
    if (r->tensor >= r->table->n_tensors)
        return r->at == r->n ? ERR_AGAIN : bad(r, e, "bytes after its end");
    if (r->done == 0 && open_tensor(r, e)) return ERR_PROTO;
    const struct model_tensor *t = &r->table->tensors[r->tensor];
    ret->i_tensor = r->tensor;
    ret->start = t->offset + r->done;
    ret->len = chunk_len(r->table, r->tensor, r->done, r->params.chunk);
    ret->n = 0;
    bool is_eight = r->kind == DELTA_UPDATE || is_whole(t);
    if (is_eight ? get_eight(r, ret, e) : get_levels(r, ret, e)) return ERR_PROTO;
    if (r->coder.bad) return bad(r, e, "places that no packer writes");
    r->done += ret->len;
    if (r->done < t->n) return OK;
    if (!arith_at_end(&r->coder)) return bad(r, e, "a stream that no packer writes");
    r->tensor++;
    r->done = 0;
    return OK;
}

int delta_check(const struct model_table *t, const struct delta_params *p, enum delta_kind kind,
                const void *bytes, size_t n, double *norms, struct err *e)
{
    struct delta_reader r;
    struct delta_chunk c;
    int rc = delta_reader_init(&r, t, p, kind, bytes, n, e);
    for (uint32_t i = 0; norms && i < t->n_tensors; i++)
        norms[i] = 0;
    while (rc == OK && (rc = delta_reader_next(&r, &c, e)) == OK)
        for (uint32_t i = 0; norms && i < c.n; i++)
            norms[c.i_tensor] += (double)c.value[i] * (double)c.value[i];
    if (rc != ERR_AGAIN) return rc;
    for (uint32_t i = 0; norms && i < t->n_tensors; i++)
        norms[i] = sqrt(norms[i]);
    return OK;
}
