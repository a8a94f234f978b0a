#include "engine/gguf_export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file_out.h"
#include "base/utf8.h"
#include "engine/gguf.h"
#include "engine/gguf_vocab.h"

enum { IO_BYTES = 1 << 20 };

/* ---- names and places ---- */

void gguf_export_name(const char *name, char dst[GGUF_EXPORT_NAME])
{
    static const struct {
        const char *ours, *theirs;
    } layer[] = {
        {"input_layernorm",          "attn_norm"  },
        {"self_attn.q_proj",         "attn_q"     },
        {"self_attn.k_proj",         "attn_k"     },
        {"self_attn.v_proj",         "attn_v"     },
        {"self_attn.o_proj",         "attn_output"},
        {"post_attention_layernorm", "ffn_norm"   },
        {"mlp.gate_proj",            "ffn_gate"   },
        {"mlp.up_proj",              "ffn_up"     },
        {"mlp.down_proj",            "ffn_down"   },
    };
    char part[MODEL_NAME_CAP];
    unsigned i = 0;
    const char *theirs = strcmp(name, "lm_head.weight") == 0      ? "output"
                         : strcmp(name, "model.norm.weight") == 0 ? "output_norm"
                                                                  : "token_embd";
    snprintf(dst, GGUF_EXPORT_NAME, "%s.weight", theirs);
    /* NOLINTNEXTLINE(cert-err34-c): names of our own table */
    if (sscanf(name, "model.layers.%u.%79[a-z_.]", &i, part) != 2) return;
    for (size_t k = 0; k < sizeof layer / sizeof *layer; k++) {
        size_t n = strlen(layer[k].ours);
        if (strncmp(part, layer[k].ours, n) == 0 && part[n] == '.')
            snprintf(dst, GGUF_EXPORT_NAME, "blk.%u.%s.weight", i, layer[k].theirs);
    }
}

static bool is_turned(const char *name)
{
    return strstr(name, ".q_proj.") || strstr(name, ".k_proj.");
}

uint32_t gguf_export_row(uint32_t r, uint32_t width)
{
    uint32_t in_head = r % width;
    return r - in_head + in_head % 2 * (width / 2) + in_head / 2;
}

static bool is_vector(const struct model_tensor *t)
{
    return strstr(t->name, "norm") != NULL;
}

static enum dtype type_of(const struct gguf_export *x, const struct model_tensor *t)
{
    if (is_vector(t)) return DTYPE_F32;
    return x->type == DTYPE_Q8_0 && t->cols % DTYPE_Q8_0_VALUES ? DTYPE_F16 : x->type;
}

static uint64_t padded(uint64_t n)
{
    return (n + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
}

/* ---- settings ---- */

struct settings {
    struct buf b;
    uint64_t n;
};

static void put_string(struct buf *b, const char *s)
{
    buf_put_u64(b, strlen(s));
    buf_put_str(b, s);
}

static void put_key(struct settings *s, const char *key, enum gguf_type type)
{
    put_string(&s->b, key);
    buf_put_u32(&s->b, (uint32_t)type);
    s->n++;
}

static void set_u32(struct settings *s, const char *key, uint32_t v)
{
    put_key(s, key, GGUF_U32);
    buf_put_u32(&s->b, v);
}

static void set_f32(struct settings *s, const char *key, double v)
{
    put_key(s, key, GGUF_F32);
    buf_put_f32(&s->b, (float)v);
}

static void set_text(struct settings *s, const char *key, const char *v)
{
    char safe[512];
    put_key(s, key, GGUF_STRING);
    put_string(&s->b, utf8_printable(v, safe, sizeof safe));
}

static void set_list(struct settings *s, const char *key, enum gguf_type item, uint64_t n,
                     const struct buf *items)
{
    put_key(s, key, GGUF_ARRAY);
    buf_put_u32(&s->b, (uint32_t)item);
    buf_put_u64(&s->b, n);
    buf_put(&s->b, items->p, items->len);
}

static void set_model(struct settings *s, const struct gguf_export *x)
{
    static const uint32_t file_types[] = {
        [DTYPE_F32] = 0, [DTYPE_F16] = 1, [DTYPE_Q8_0] = 7, [DTYPE_BF16] = 32};
    const struct model_config *c = x->config;
    set_text(s, "general.architecture", "llama");
    if (x->name[0]) set_text(s, "general.name", x->name);
    if (x->description[0]) set_text(s, "general.description", x->description);
    set_u32(s, "general.file_type", file_types[x->type]);
    set_u32(s, "general.quantization_version", 2);
    set_u32(s, "general.alignment", GGUF_ALIGNMENT);
    set_u32(s, "llama.vocab_size", c->vocab_size);
    set_u32(s, "llama.context_length", c->max_position_embeddings);
    set_u32(s, "llama.embedding_length", c->hidden_size);
    set_u32(s, "llama.block_count", c->num_hidden_layers);
    set_u32(s, "llama.feed_forward_length", c->intermediate_size);
    set_u32(s, "llama.attention.head_count", c->num_attention_heads);
    set_u32(s, "llama.attention.head_count_kv", c->num_key_value_heads);
    set_u32(s, "llama.rope.dimension_count", c->hidden_size / c->num_attention_heads);
    set_f32(s, "llama.rope.freq_base", c->rope_theta);
    set_f32(s, "llama.attention.layer_norm_rms_epsilon", c->rms_norm_eps);
}

static void set_tokenizer(struct settings *s, const struct gguf_export *x,
                          const struct gguf_vocab *v)
{
    set_text(s, "tokenizer.ggml.model", "gpt2");
    set_text(s, "tokenizer.ggml.pre", v->pre);
    set_list(s, "tokenizer.ggml.tokens", GGUF_STRING, v->n_tokens, &v->tokens);
    set_list(s, "tokenizer.ggml.token_type", GGUF_I32, v->n_tokens, &v->kinds);
    set_list(s, "tokenizer.ggml.merges", GGUF_STRING, v->n_merges, &v->merges);
    if (x->ids.bos >= 0) set_u32(s, "tokenizer.ggml.bos_token_id", (uint32_t)x->ids.bos);
    if (x->ids.eos >= 0) set_u32(s, "tokenizer.ggml.eos_token_id", (uint32_t)x->ids.eos);
    put_key(s, "tokenizer.ggml.add_bos_token", GGUF_BOOL);
    buf_put_u8(&s->b, v->adds_bos && x->ids.bos >= 0);
}

/* ---- the header ---- */

static void put_tensor(struct buf *b, const struct gguf_export *x, const struct model_tensor *t,
                       uint64_t at)
{
    char name[GGUF_EXPORT_NAME];
    gguf_export_name(t->name, name);
    put_string(b, name);
    buf_put_u32(b, is_vector(t) ? 1 : 2);
    if (!is_vector(t)) buf_put_u64(b, t->cols);
    buf_put_u64(b, t->rows);
    buf_put_u32(b, gguf_tensor_type(type_of(x, t)));
    buf_put_u64(b, at);
}

static int make_header(const struct gguf_export *x, struct buf *out, struct err *e)
{
    struct settings s = {0};
    struct gguf_vocab v = {0};
    int rc = gguf_vocab_read(x->tokenizer->p, x->tokenizer->len, x->config->vocab_size, &v, e);
    if (rc) return rc;
    set_model(&s, x);
    set_tokenizer(&s, x, &v);
    gguf_vocab_deinit(&v);
    buf_put(out, GGUF_MAGIC, 4);
    buf_put_u32(out, GGUF_VERSION);
    buf_put_u64(out, x->table->n_tensors);
    buf_put_u64(out, s.n);
    buf_put(out, s.b.p, s.b.len);
    uint64_t at = 0;
    for (uint32_t i = 0; i < x->table->n_tensors; i++) {
        const struct model_tensor *t = &x->table->tensors[i];
        put_tensor(out, x, t, at);
        at += padded(dtype_bytes(type_of(x, t), t->n));
    }
    while (!out->failed && out->len % GGUF_ALIGNMENT)
        buf_put_u8(out, 0);
    rc = buf_ok(&s.b, e);
    buf_deinit(&s.b);
    return rc ? rc : buf_ok(out, e);
}

/* ---- the weights ---- */

static int refuse_value(const struct model_tensor *t, float v, enum dtype type, struct err *e)
{
    err_set(e, ERR_ARG, 0, "a value of '%s', %g, does not fit into %s", t->name, (double)v,
            dtype_name(type));
    err_hint(e, "choose --type f32");
    return ERR_ARG;
}

/* Rows in the order they are stored in, as many at a time as io holds. */
static int write_tensor(const struct gguf_export *x, const struct model_tensor *t, uint8_t *io,
                        struct file_out *o, struct err *e)
{
    static const uint8_t zeros[GGUF_ALIGNMENT];
    enum dtype type = type_of(x, t);
    uint32_t width = x->config->hidden_size / x->config->num_attention_heads;
    const float *values = x->params + t->offset;
    uint32_t n_rows = is_vector(t) ? 1 : t->rows;
    uint32_t cols = is_vector(t) ? t->rows : t->cols;
    size_t row_bytes = (size_t)dtype_bytes(type, cols);
    size_t used = 0;
    for (uint32_t r = 0; r < n_rows; r++) {
        const float *row =
            values + (size_t)(is_turned(t->name) ? gguf_export_row(r, width) : r) * cols;
        size_t bad = dtype_first_unfit(type, row, cols);
        if (bad < cols) return refuse_value(t, row[bad], type, e);
        dtype_pack(type, row, cols, io + used);
        used += row_bytes;
        if (used + row_bytes <= IO_BYTES && r + 1 < n_rows) continue;
        int rc = file_out_put(o, io, used, e);
        if (rc) return rc;
        used = 0;
    }
    uint64_t n = dtype_bytes(type, t->n);
    return file_out_put(o, zeros, (size_t)(padded(n) - n), e);
}

int gguf_export_write(const struct gguf_export *x, const char *path, struct err *e)
{
    struct buf head = {0};
    struct file_out o = {.fd = -1};
    uint8_t *io = alloc_zero(IO_BYTES, 1);
    int rc = io ? make_header(x, &head, e)
                : err_set(e, ERR_NOMEM, 0, "out of memory for writing a model");
    if (!rc) rc = file_out_begin(&o, path, 0644, e);
    if (!rc) rc = file_out_put(&o, head.p, head.len, e);
    for (uint32_t i = 0; i < x->table->n_tensors && !rc; i++)
        rc = write_tensor(x, &x->table->tensors[i], io, &o, e);
    if (!rc) rc = file_out_commit(&o, e);
    file_out_abandon(&o);
    buf_deinit(&head);
    free(io);
    return rc;
}
