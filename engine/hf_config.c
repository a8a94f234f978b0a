#include "engine/hf_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "engine/tokenizer.h"

/* ---- reading ---- */

static bool is_set(const json_t *o, const char *k)
{
    const json_t *v = json_object_get(o, k);
    return v && !json_is_null(v);
}

static const char *text_of(const json_t *v, char safe[48])
{
    const char *s = json_string_value(v);
    return utf8_printable(s ? s : "?", safe, 48);
}

static int refuse(struct err *e, const char *field, const char *value, const char *only)
{
    err_set(e, ERR_ARG, 0, "%s is %s; potluck computes %s", field, value, only);
    err_hint(e, "choose another model of the LLaMA family");
    return ERR_ARG;
}

static int check_kind(const json_t *o, struct err *e)
{
    char safe[48];
    const json_t *type = json_object_get(o, "model_type");
    const json_t *list = json_object_get(o, "architectures");
    const json_t *first = json_array_get(list, 0);
    if (!is_set(o, "model_type") && !is_set(o, "architectures")) {
        err_set(e, ERR_PROTO, 0, "it names neither model_type nor architectures");
        err_hint(e, "give a folder that holds a Hugging Face model");
        return ERR_PROTO;
    }
    if (is_set(o, "model_type") && strcmp(text_of(type, safe), "llama") != 0)
        return refuse(e, "model_type", safe, "llama only");
    if (!is_set(o, "architectures")) return OK;
    if (json_array_size(list) != 1 || strcmp(text_of(first, safe), "LlamaForCausalLM") != 0)
        return refuse(e, "architectures", text_of(first, safe), "LlamaForCausalLM only");
    return OK;
}

/* rope_scaling, or the newer rope_parameters, which holds rope_theta as well. */
static int check_rope(const json_t *o, const char *field, double *theta, struct err *e)
{
    char safe[48];
    const json_t *rope = json_object_get(o, field);
    if (!is_set(o, field)) return OK;
    if (!json_is_object(rope)) return refuse(e, field, "not an object", "plain rotary positions");
    const json_t *type = json_object_get(rope, is_set(rope, "rope_type") ? "rope_type" : "type");
    if (type && strcmp(text_of(type, safe), "default") != 0)
        return refuse(e, field, safe, "plain rotary positions only");
    if (!type && is_set(rope, "factor"))
        return refuse(e, field, "a factor", "plain rotary positions only");
    const json_t *part = json_object_get(rope, "partial_rotary_factor");
    if (part && json_number_value(part) != 1.0)
        return refuse(e, "partial_rotary_factor", "not 1", "whole heads turned");
    const json_t *t = json_object_get(rope, "rope_theta");
    if (!t || json_is_null(t)) return OK;
    if (!json_is_number(t)) return refuse(e, "rope_theta", "not a number", "with numbers");
    *theta = json_number_value(t);
    return OK;
}

/* Whatever changes the numbers and is not computed here. */
static int check_rest(const json_t *o, const struct model_config *c, struct err *e)
{
    char safe[48];
    static const char *const biases[] = {"attention_bias", "mlp_bias"};
    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++)
        if (is_set(o, biases[i]) && !json_is_false(json_object_get(o, biases[i])))
            return refuse(e, biases[i], "set", "without biases");
    if (is_set(o, "quantization_config"))
        return refuse(e, "quantization_config", "set", "with plain weights (f32, f16, bf16)");
    const json_t *act = json_object_get(o, "hidden_act");
    if (act && strcmp(text_of(act, safe), "silu") != 0)
        return refuse(e, "hidden_act", safe, "silu only");
    const json_t *part = json_object_get(o, "partial_rotary_factor");
    if (part && !json_is_null(part) && json_number_value(part) != 1.0)
        return refuse(e, "partial_rotary_factor", "not 1", "whole heads turned");
    uint32_t width = c->hidden_size / c->num_attention_heads;
    const json_t *head = json_object_get(o, "head_dim");
    if (is_set(o, "head_dim") && json_integer_value(head) != width) {
        snprintf(safe, sizeof safe, "%lld", (long long)json_integer_value(head));
        return refuse(e, "head_dim", safe, "hidden_size / num_attention_heads only");
    }
    return OK;
}

static uint32_t optional_u32(struct json_reader *r, const json_t *o, const char *k, uint32_t absent)
{
    return is_set(o, k) ? json_u32(r, o, k, 1, INT32_MAX) : absent;
}

static double optional_real(struct json_reader *r, const json_t *o, const char *k, double absent)
{
    return is_set(o, k) ? json_real_in(r, o, k, 0, 1e12) : absent;
}

/* The ids may be a number, a list of them (the first counts), or absent. */
static int64_t read_id(const json_t *o, const char *k, uint32_t vocab_size)
{
    const json_t *v = json_object_get(o, k);
    if (json_is_array(v)) v = json_array_get(v, 0);
    int64_t id = json_is_integer(v) ? json_integer_value(v) : -1;
    return id >= 0 && id < vocab_size ? id : -1;
}

static int read_numbers(const json_t *o, struct model_config *c, struct err *e)
{
    struct json_reader r = {.e = e};
    c->vocab_size = json_u32(&r, o, "vocab_size", 1, INT32_MAX);
    c->hidden_size = json_u32(&r, o, "hidden_size", 1, INT32_MAX);
    c->intermediate_size = json_u32(&r, o, "intermediate_size", 1, INT32_MAX);
    c->num_hidden_layers = json_u32(&r, o, "num_hidden_layers", 1, INT32_MAX);
    c->num_attention_heads = json_u32(&r, o, "num_attention_heads", 1, INT32_MAX);
    /* What LlamaConfig says when a file says nothing. */
    c->num_key_value_heads = optional_u32(&r, o, "num_key_value_heads", c->num_attention_heads);
    c->max_position_embeddings = optional_u32(&r, o, "max_position_embeddings", 2048);
    c->rms_norm_eps = optional_real(&r, o, "rms_norm_eps", 1e-6);
    c->rope_theta = optional_real(&r, o, "rope_theta", 10000);
    c->initializer_range = optional_real(&r, o, "initializer_range", 0.02);
    c->tie_word_embeddings =
        is_set(o, "tie_word_embeddings") && json_bool(&r, o, "tie_word_embeddings");
    if (c->max_position_embeddings > HF_CONFIG_MAX_POSITIONS)
        c->max_position_embeddings = HF_CONFIG_MAX_POSITIONS;
    return json_bad(&r) ? ERR_PROTO : OK;
}

static int read_config(const json_t *o, struct model_config *ret, struct hf_config_ids *ret_ids,
                       struct err *e)
{
    struct model_config c = {0};
    if (!json_is_object(o)) return err_set(e, ERR_PROTO, 0, "it is not an object");
    int rc = check_kind(o, e);
    if (!rc) rc = read_numbers(o, &c, e);
    if (!rc) rc = check_rope(o, "rope_parameters", &c.rope_theta, e);
    if (!rc) rc = check_rope(o, "rope_scaling", &c.rope_theta, e);
    if (!rc) rc = check_rest(o, &c, e);
    if (!rc) rc = model_config_check(&c, e);
    if (rc) return rc;
    *ret = c;
    if (ret_ids)
        *ret_ids = (struct hf_config_ids){.bos = read_id(o, "bos_token_id", c.vocab_size),
                                          .eos = read_id(o, "eos_token_id", c.vocab_size)};
    return OK;
}

int hf_config_parse(const void *json, size_t n, struct model_config *ret,
                    struct hf_config_ids *ret_ids, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (!rc) rc = read_config(o, ret, ret_ids, e);
    json_decref(o);
    if (rc) (void)err_wrap(e, "config.json");
    return rc;
}

/* ---- writing ---- */

/* Fewest digits that give the same number back: 0.02 and not 0.020000000000000001. */
static int digits_of(const json_t *o)
{
    int most = 1;
    for (void *it = json_object_iter((json_t *)(uintptr_t)o); it;
         it = json_object_iter_next((json_t *)(uintptr_t)o, it)) {
        const json_t *v = json_object_iter_value(it);
        char text[40];
        for (int k = most; json_is_real(v) && k <= 17; k++) {
            snprintf(text, sizeof text, "%.*g", k, json_real_value(v));
            most = k;
            if (strtod(text, NULL) == json_real_value(v)) break;
        }
    }
    return most;
}

static int append(const char *p, size_t n, void *out)
{
    struct buf *b = out;
    buf_put(b, p, n);
    return b->failed ? -1 : 0;
}

int hf_config_put(json_t *o, struct buf *out, struct err *e)
{
    size_t flags = JSON_INDENT(2) | JSON_SORT_KEYS;
    if (!o || json_dump_callback(o, append, out, flags | JSON_REAL_PRECISION(digits_of(o)))) {
        json_decref(o);
        return err_set(e, ERR_NOMEM, 0, "out of memory while writing JSON");
    }
    json_decref(o);
    buf_put_u8(out, '\n');
    return buf_ok(out, e);
}

static void put_ids(json_t *o, const struct hf_config_ids *ids)
{
    if (ids->bos >= 0) json_set_i64(o, "bos_token_id", ids->bos);
    if (ids->eos >= 0) json_set_i64(o, "eos_token_id", ids->eos);
}

int hf_config_write(const struct model_config *c, const struct hf_config_ids *ids, enum dtype type,
                    struct buf *out, struct err *e)
{
    static const char *const names[] = {
        [DTYPE_F32] = "float32", [DTYPE_F16] = "float16", [DTYPE_BF16] = "bfloat16"};
    json_t *o =
        json_pack("{s:[s], s:s, s:s, s:s, s:b, s:b, s:f, s:n, s:b, s:i}", "architectures",
                  "LlamaForCausalLM", "model_type", "llama", "hidden_act", "silu", "torch_dtype",
                  names[type], "attention_bias", 0, "mlp_bias", 0, "attention_dropout", 0.0,
                  "rope_scaling", "use_cache", 1, "pretraining_tp", 1);
    if (!o) return err_set(e, ERR_NOMEM, 0, "out of memory while writing JSON");
    json_set_u64(o, "vocab_size", c->vocab_size);
    json_set_u64(o, "hidden_size", c->hidden_size);
    json_set_u64(o, "intermediate_size", c->intermediate_size);
    json_set_u64(o, "num_hidden_layers", c->num_hidden_layers);
    json_set_u64(o, "num_attention_heads", c->num_attention_heads);
    json_set_u64(o, "num_key_value_heads", c->num_key_value_heads);
    json_set_u64(o, "head_dim", c->hidden_size / c->num_attention_heads);
    json_set_u64(o, "max_position_embeddings", c->max_position_embeddings);
    json_set_real(o, "rms_norm_eps", c->rms_norm_eps);
    json_set_real(o, "rope_theta", c->rope_theta);
    json_set_real(o, "initializer_range", c->initializer_range);
    json_set_bool(o, "tie_word_embeddings", c->tie_word_embeddings);
    put_ids(o, ids);
    return hf_config_put(o, out, e);
}

int hf_config_write_generation(const struct hf_config_ids *ids, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    put_ids(o, ids);
    return hf_config_put(o, out, e);
}

static void name_mark(json_t *o, const char *key, int64_t id, const struct tokenizer *t)
{
    struct buf name = {0};
    if (id < 0 || !t || id >= tokenizer_vocab_size(t)) return;
    tokenizer_spell(t, (uint32_t)id, &name);
    json_set_text(o, key, buf_str(&name));
    buf_deinit(&name);
}

int hf_config_write_tokenizer(const struct model_config *c, const struct hf_config_ids *ids,
                              const struct tokenizer *t, struct buf *out, struct err *e)
{
    json_t *o = json_pack("{s:s, s:b}", "tokenizer_class", "PreTrainedTokenizerFast",
                          "clean_up_tokenization_spaces", 0);
    if (t && tokenizer_is_byte_level(t)) json_set_bool(o, "add_prefix_space", false);
    name_mark(o, "bos_token", ids->bos, t);
    name_mark(o, "eos_token", ids->eos, t);
    json_set_u64(o, "model_max_length", c->max_position_embeddings);
    return hf_config_put(o, out, e);
}

/* ---- ends ---- */

static int64_t mark(uint32_t id)
{
    return id == TOKENIZER_NONE ? -1 : (int64_t)id;
}

struct hf_config_ids hf_config_ends(const struct hf_config_ids *said, const struct tokenizer *t)
{
    struct hf_config_ids r = said ? *said : (struct hf_config_ids){-1, -1};
    if (t && r.eos < 0) r.eos = mark(tokenizer_eos(t));
    if (t && r.bos < 0) r.bos = mark(tokenizer_bos(t));
    if (!said && r.bos < 0) r.bos = r.eos;
    return r;
}
