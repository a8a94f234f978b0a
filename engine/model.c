#include "engine/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

enum { PER_LAYER = 9 };

struct rule {
    const char *field;
    uint32_t value, lo, hi;
};

static int check_rule(const struct rule *r, struct err *e)
{
    if (r->value >= r->lo && r->value <= r->hi) return OK;
    return err_set(e, ERR_ARG, 0, "%s must be %u to %u, not %u", r->field, r->lo, r->hi, r->value);
}

static int check_reals(const struct model_config *c, struct err *e)
{
    if (!(c->rms_norm_eps > 0 && c->rms_norm_eps <= 0.1))
        return err_set(e, ERR_ARG, 0, "rms_norm_eps must be above 0 and at most 0.1");
    if (!(c->rope_theta >= 1 && c->rope_theta <= 1e9))
        return err_set(e, ERR_ARG, 0, "rope_theta must be 1 to 1e9");
    if (!(c->initializer_range > 0 && c->initializer_range <= 1))
        return err_set(e, ERR_ARG, 0, "initializer_range must be above 0 and at most 1");
    return OK;
}

int model_config_check(const struct model_config *c, struct err *e)
{
    const struct rule rules[] = {
        {"vocab_size",              c->vocab_size,              2, 1u << 20},
        {"hidden_size",             c->hidden_size,             2, 32768   },
        {"intermediate_size",       c->intermediate_size,       1, 131072  },
        {"num_hidden_layers",       c->num_hidden_layers,       1, 512     },
        {"num_attention_heads",     c->num_attention_heads,     1, 512     },
        {"num_key_value_heads",     c->num_key_value_heads,     1, 512     },
        {"max_position_embeddings", c->max_position_embeddings, 1, 65536   },
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (check_rule(&rules[i], e)) return ERR_ARG;
    if (c->hidden_size % c->num_attention_heads)
        return err_set(e, ERR_ARG, 0,
                       "hidden_size (%u) must be divisible by "
                       "num_attention_heads (%u)",
                       c->hidden_size, c->num_attention_heads);
    if (c->hidden_size / c->num_attention_heads % 2)
        return err_set(e, ERR_ARG, 0,
                       "the width of a head, hidden_size / num_attention_heads "
                       "(%u), must be even",
                       c->hidden_size / c->num_attention_heads);
    if (c->num_attention_heads % c->num_key_value_heads)
        return err_set(e, ERR_ARG, 0,
                       "num_attention_heads (%u) must be divisible by "
                       "num_key_value_heads (%u)",
                       c->num_attention_heads, c->num_key_value_heads);
    return check_reals(c, e);
}

static void add(struct model_table *t, const char *name, uint32_t rows, uint32_t cols)
{
    struct model_tensor *x = &t->tensors[t->n_tensors++];
    snprintf(x->name, sizeof x->name, "%s", name);
    x->rows = rows;
    x->cols = cols;
    x->offset = t->n_params;
    x->n = (uint64_t)rows * cols;
    t->n_params += x->n;
}

static void add_layer(struct model_table *t, const struct model_config *c, uint32_t i)
{
    uint32_t width = c->hidden_size / c->num_attention_heads;
    uint32_t D = c->hidden_size;
    uint32_t F = c->intermediate_size;
    const struct {
        const char *name;
        uint32_t rows, cols;
    } parts[PER_LAYER] = {
        {"input_layernorm",          D,                              1},
        {"self_attn.q_proj",         D,                              D},
        {"self_attn.k_proj",         c->num_key_value_heads * width, D},
        {"self_attn.v_proj",         c->num_key_value_heads * width, D},
        {"self_attn.o_proj",         D,                              D},
        {"post_attention_layernorm", D,                              1},
        {"mlp.gate_proj",            F,                              D},
        {"mlp.up_proj",              F,                              D},
        {"mlp.down_proj",            D,                              F},
    };
    for (int k = 0; k < PER_LAYER; k++) {
        char name[MODEL_NAME_CAP];
        snprintf(name, sizeof name, "model.layers.%u.%s.weight", i, parts[k].name);
        add(t, name, parts[k].rows, parts[k].cols);
    }
}

int model_table_init(struct model_table *t, const struct model_config *c, struct err *e)
{
    int rc = model_config_check(c, e);
    if (rc) return rc;
    *t = (struct model_table){0};
    t->tensors = alloc_zero(3 + (size_t)PER_LAYER * c->num_hidden_layers, sizeof *t->tensors);
    if (!t->tensors) return err_set(e, ERR_NOMEM, 0, "out of memory for the table of tensors");
    add(t, "model.embed_tokens.weight", c->vocab_size, c->hidden_size);
    for (uint32_t i = 0; i < c->num_hidden_layers; i++)
        add_layer(t, c, i);
    add(t, "model.norm.weight", c->hidden_size, 1);
    if (!c->tie_word_embeddings) add(t, "lm_head.weight", c->vocab_size, c->hidden_size);
    return OK;
}

void model_table_deinit(struct model_table *t)
{
    if (!t) return;
    free(t->tensors);
    *t = (struct model_table){0};
}

/* Projections back into the residual stream start smaller, so that the stream's variance does not
 * grow with depth (Radford et al. 2019).
 */
static bool is_residual(const char *name)
{
    return strstr(name, ".o_proj.") || strstr(name, ".down_proj.");
}

void model_init_weights(const struct model_table *t, const struct model_config *c, uint64_t seed,
                        float *params)
{
    for (uint32_t i = 0; i < t->n_tensors; i++) {
        const struct model_tensor *x = &t->tensors[i];
        float *w = params + x->offset;
        double dev = c->initializer_range;
        if (is_residual(x->name)) dev /= sqrt(2.0 * c->num_hidden_layers);
        float scale = (float)dev;
        struct rng r;
        rng_init(&r, seed, i);
        for (uint64_t k = 0; k < x->n; k++)
            w[k] = x->cols == 1 ? 1.0F : rng_normal(&r) * scale;
    }
}

/* Every machine we build for is little endian, so the block itself is the wire form. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights are hashed as they lie");

struct hash model_hash(const struct model_table *t, const float *params)
{
    return hash_of(params, t->n_params * sizeof(float));
}
