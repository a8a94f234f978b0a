#include "engine/delta.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "engine/quant.h"

#define VERSION      1u
#define HEADER_BYTES 28u
#define COUNT_BITS   12u /* values of an update's chunk, less one */

static const char MAGIC[3][5] = {"", "PLD1", "PLU1"};

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

static uint64_t max_chunk_bits(const struct delta_params *p, enum delta_kind kind, bool whole,
                               uint32_t n)
{
    if (kind == DELTA_UPDATE) return 32 + COUNT_BITS + 4 + (uint64_t)n + 8 * (uint64_t)n;
    if (whole) return 32 + 8 * (uint64_t)n;
    return 16 + 4 + 4 + (uint64_t)n + 2 * (uint64_t)n_sent(p, n);
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
        bytes += 4 + (bits + 7) / 8;
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
    /* Room for the worst case now, so that nothing can fail half way. */
    if (!buf_grow(out, delta_max_bytes(t, p, kind))) return buf_ok(out, e);
    out->len = w->began;
    buf_put(out, MAGIC[kind], 4);
    buf_put_u16(out, VERSION);
    buf_put_u16(out, (uint16_t)kind);
    buf_put_u32(out, p->chunk);
    buf_put_u32(out, p->k);
    buf_put_u32(out, t->n_tensors);
    buf_put_u64(out, t->n_params);
    return OK;
}

uint32_t delta_writer_left(const struct delta_writer *w)
{
    if (w->tensor >= w->table->n_tensors) return 0;
    return chunk_len(w->table, w->tensor, w->done, w->params.chunk);
}

/* Scale and codes of values[n]; for an update only those that are not zero, with positions. */
static void put_eight(struct delta_writer *w, const float *values, uint32_t n, float *residual)
{
    int8_t codes[DELTA_MAX_CHUNK];
    uint16_t pos[DELTA_MAX_CHUNK];
    float scale = quant_eight(values, n, codes);
    uint32_t bits = 0;
    memcpy(&bits, &scale, 4);
    rice_put(&w->sink, bits, 32);
    uint32_t n_put = n;
    if (w->kind == DELTA_UPDATE && bits) {
        n_put = 0;
        for (uint32_t i = 0; i < n; i++) {
            pos[n_put] = (uint16_t)i;
            n_put += codes[i] != 0;
        }
        rice_put(&w->sink, n_put - 1, COUNT_BITS);
        w->stats.index_bits += COUNT_BITS;
        if (n_put < n) w->stats.index_bits += rice_put_positions(&w->sink, pos, n_put);
    }
    for (uint32_t i = 0; i < n && bits; i++)
        if (w->kind != DELTA_UPDATE || codes[i]) rice_put(&w->sink, (uint8_t)codes[i], 8);
    for (uint32_t i = 0; i < n && residual; i++)
        residual[i] = values[i] - scale * (float)codes[i];
    w->stats.n_values += bits ? n_put : 0;
    w->stats.value_bits += bits ? 8 * (uint64_t)n_put : 0;
}

static void put_four(struct delta_writer *w, const float *values, uint32_t n, float *residual)
{
    uint32_t k = n_sent(&w->params, n);
    uint16_t pos[DELTA_MAX_CHUNK];
    float top[DELTA_MAX_CHUNK];
    uint8_t codes[DELTA_MAX_CHUNK];
    struct quant_levels q;
    quant_top(values, n, k, pos);
    for (uint32_t i = 0; i < k; i++)
        top[i] = values[pos[i]];
    quant_four(top, k, &q, codes);
    if (residual && residual != values) memcpy(residual, values, n * sizeof *values);
    rice_put(&w->sink, q.lo_bf16, 16);
    if (!q.lo_bf16) return;
    rice_put(&w->sink, q.ratio, 4);
    if (k < n) w->stats.index_bits += rice_put_positions(&w->sink, pos, k);
    uint32_t i_code = 0;
    for (; i_code + 8 <= k; i_code += 8) { /* eight at a time: half the cost of packing */
        uint32_t bits = 0;
        for (uint32_t j = 0; j < 8; j++)
            bits |= (uint32_t)codes[i_code + j] << (2 * j);
        rice_put(&w->sink, bits, 16);
    }
    for (; i_code < k; i_code++)
        rice_put(&w->sink, codes[i_code], 2);
    for (uint32_t i = 0; i < k && residual; i++)
        residual[pos[i]] = top[i] - quant_four_value(&q, codes[i]);
    w->stats.n_values += k;
    w->stats.value_bits += 2 * (uint64_t)k;
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
    if (w->done == 0) {
        buf_put_u32(w->out, 0); /* the tensor's length, filled in behind it */
        w->body = w->out->len;
    }
    if (w->kind == DELTA_UPDATE || is_whole(&w->table->tensors[w->tensor]))
        put_eight(w, values, n, residual);
    else
        put_four(w, values, n, residual);
    w->done += n;
    bool is_last = w->done == w->table->tensors[w->tensor].n;
    if (is_last) rice_pad(&w->sink);
    buf_put(w->out, w->sink.bytes, w->sink.len);
    w->sink.len = 0;
    if (buf_ok(w->out, e)) return writer_fail(w, ERR_NOMEM);
    if (is_last) {
        w->sink.n_acc = 0;
        bytes_put_u32(w->out->p + w->body - 4, (uint32_t)(w->out->len - w->body));
        w->tensor++;
        w->done = 0;
    }
    return OK;
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
    return OK;
}

static int open_tensor(struct delta_reader *r, struct err *e)
{
    if (r->n - r->at < 4) return bad(r, e, "it ends too early");
    uint32_t len = bytes_u32(r->p + r->at);
    r->at += 4;
    if (r->n - r->at < len) return bad(r, e, "it ends too early");
    r->src = (struct rice_source){.p = r->p + r->at, .n = len};
    r->at += len;
    return OK;
}

static void all_positions(struct delta_chunk *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        c->pos[i] = (uint16_t)i;
}

static int get_eight(struct delta_reader *r, struct delta_chunk *c, struct err *e)
{
    bool is_update = r->kind == DELTA_UPDATE;
    uint32_t bits = rice_get(&r->src, 32);
    float scale = 0;
    memcpy(&scale, &bits, 4);
    if (bits == 0) return OK;
    if (!quant_scale_ok(scale, is_update ? QUANT_UPDATE_MAX : QUANT_MAX))
        return bad(r, e, "a scale out of range");
    c->n = is_update ? rice_get(&r->src, COUNT_BITS) + 1 : c->len;
    if (c->n > c->len) return bad(r, e, "more values than places");
    if (c->n == c->len)
        all_positions(c);
    else if (rice_get_positions(&r->src, c->n, c->len, c->pos, e))
        return bad(r, e, "positions that no packer writes");
    int top = 0;
    bool has_zero = false;
    for (uint32_t i = 0; i < c->n; i++) {
        int code = (int8_t)rice_get(&r->src, 8);
        int size = code < 0 ? -code : code;
        top = size > top ? size : top;
        has_zero |= code == 0;
        c->value[i] = scale * (float)code;
    }
    if (top != 127 || (is_update && has_zero)) return bad(r, e, "codes that no packer writes");
    return OK;
}

static int get_four(struct delta_reader *r, struct delta_chunk *c, struct err *e)
{
    struct quant_levels q;
    uint16_t lo = (uint16_t)rice_get(&r->src, 16);
    if (lo == 0) return OK;
    if (!quant_levels_read(lo, (uint8_t)rice_get(&r->src, 4), &q))
        return bad(r, e, "a scale out of range");
    c->n = n_sent(&r->params, c->len);
    if (c->n == c->len)
        all_positions(c);
    else if (rice_get_positions(&r->src, c->n, c->len, c->pos, e))
        return bad(r, e, "positions that no packer writes");
    uint32_t n_hi = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t code = rice_get(&r->src, 2);
        n_hi += code & 1;
        c->value[i] = quant_four_value(&q, code);
    }
    if (n_hi == c->n || (n_hi == 0 && q.ratio != 0))
        return bad(r, e, "levels that no packer writes");
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
    if (is_eight ? get_eight(r, ret, e) : get_four(r, ret, e)) return ERR_PROTO;
    if (r->src.bad) return bad(r, e, "it ends too early");
    r->done += ret->len;
    if (r->done < t->n) return OK;
    if (!rice_at_end(&r->src)) return bad(r, e, "bits after its end");
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
