#include "engine/budget.h"

#include <stdio.h>

#include "base/alloc.h"
#include "engine/model_pass.h"

static uint64_t count_params(const struct model_config *c)
{
    uint64_t D = c->hidden_size;
    uint64_t F = c->intermediate_size;
    uint64_t kv = D / c->num_attention_heads * c->num_key_value_heads;
    uint64_t layer = 2 * D * D + 2 * kv * D + 3 * F * D + 2 * D;
    uint64_t embed = D * c->vocab_size;
    return embed * (c->tie_word_embeddings ? 1 : 2) + layer * c->num_hidden_layers + D;
}

/* 6 flops a weight of every product, and attention's two products counted once for the causal
 * half: 6 * N_products + 6 * L * T * D.
 */
static uint64_t count_flops(const struct model_config *c, uint64_t n_params, uint32_t T)
{
    uint64_t D = c->hidden_size;
    uint64_t look_up = c->tie_word_embeddings ? 0 : D * c->vocab_size;
    uint64_t products = n_params - look_up - D * (1 + 2 * (uint64_t)c->num_hidden_layers);
    return 6 * products + 6 * (uint64_t)c->num_hidden_layers * T * D;
}

struct model_pass_shape budget_shape(const struct train_params *p, const struct trainer_options *o)
{
    bool is_bf16 = trainer_precision_here(o->precision) == TRAINER_BF16;
    struct model_pass_shape s = {.seq_len = p->seq_len,
                                 .type = is_bf16 ? MICRO_BF16 : MICRO_F32,
                                 .eval_only = o->eval_only,
                                 .recompute = o->recompute};
    s.n_seqs = model_pass_seqs(s.type, p->seq_len, p->batch_seqs);
    return s;
}

uint64_t budget_param_bytes(const struct budget *b)
{
    uint64_t sum = 0;
    for (int i = 0; i < BUDGET_ACTIVATIONS; i++)
        sum = size_add(sum, b->bytes[i]);
    return sum;
}

void budget_plan(const struct model_config *c, const struct train_params *p,
                 const struct trainer_options *o, struct budget *ret)
{
    uint64_t n = count_params(c);
    struct model_pass_shape shape = budget_shape(p, o);
    bool eval_only = o->eval_only;
    uint64_t block = n * sizeof(float);
    *ret = (struct budget){0};
    ret->bytes[BUDGET_WEIGHTS] = eval_only || o->is_solo ? block : 2 * block;
    if (!eval_only) {
        enum packed_kind v_kind = o->moments == PACKED_Q8 ? PACKED_U8 : o->moments;
        ret->bytes[BUDGET_GRADIENTS] = block;
        ret->bytes[BUDGET_MOMENTS] = size_add(packed_bytes(o->moments, n), packed_bytes(v_kind, n));
        ret->bytes[BUDGET_FEEDBACK] = o->is_solo ? 0 : packed_bytes(o->feedback, n);
        ret->bytes[BUDGET_ANCHOR] = o->ahead && !o->is_solo ? block : 0;
    }
    ret->bytes[BUDGET_ACTIVATIONS] =
        size_mul(model_pass_floats(c, &shape, o->n_threads), sizeof(float));
    ret->bytes[BUDGET_SCRATCH] = size_mul(o->n_threads, POOL_SCRATCH_BYTES);
    for (int i = 0; i < BUDGET_KINDS; i++)
        ret->total_bytes = size_add(ret->total_bytes, ret->bytes[i]);
    ret->flops_per_token = count_flops(c, n, p->seq_len);
}

static const char *const kind_names[BUDGET_KINDS] = {
    "weights", "gradients", "moments", "error feedback", "steps ahead", "activations", "scratch"};

char *budget_bytes(uint64_t n, char *dst, size_t cap)
{
    if (n >= (uint64_t)1 << 30)
        snprintf(dst, cap, "%.1f GiB", (double)n / 0x1p30);
    else
        snprintf(dst, cap, "%.1f MiB", (double)n / 0x1p20);
    return dst;
}

/* "weights 46.0 MiB, gradients 23.0 MiB, ..."; returns its length. */
static size_t put_kinds(const struct budget *b, char *dst, size_t cap)
{
    size_t at = 0;
    char size[32];
    dst[0] = 0;
    for (int i = 0; i < BUDGET_KINDS && at < cap; i++) {
        if (!b->bytes[i]) continue;
        int n = snprintf(dst + at, cap - at, "%s%s %s", at ? ", " : "", kind_names[i],
                         budget_bytes(b->bytes[i], size, sizeof size));
        at += (size_t)n;
    }
    return at;
}

char *budget_text(const struct budget *b, char *dst, size_t cap)
{
    char size[32];
    size_t at = put_kinds(b, dst, cap);
    if (at < cap)
        snprintf(dst + at, cap - at, ": %s in all",
                 budget_bytes(b->total_bytes, size, sizeof size));
    return dst;
}

/* For code, stacks, tokenizer and a breath of the system: what is available is an estimate. */
#define RESERVE_BYTES ((uint64_t)64 << 20)

int budget_check(const struct budget *b, uint64_t available_bytes, struct err *e)
{
    char needs[32], has[32], text[136];
    uint64_t total = size_add(b->total_bytes, RESERVE_BYTES);
    if (available_bytes == 0 || total <= available_bytes) return OK;
    (void)put_kinds(b, text, sizeof text);
    err_set(e, ERR_NOMEM, 0, "this model needs %s of memory, %s is available (%s)",
            budget_bytes(total, needs, sizeof needs),
            budget_bytes(available_bytes, has, sizeof has), text);
    err_hint(e, "close other programs, or choose a smaller model or fewer sequences per step");
    return ERR_NOMEM;
}
