#include "app/bench_preset.h"

#include <stdlib.h>
#include <string.h>

struct row {
    const char *name;
    uint32_t D, L, F, H, K, V, T, B;
};

static const struct row rows[] = {
    {"demo", 256,  6,  688,  8,  4,  2048,  128,  4},
    {"S",    256,  6,  688,  8,  4,  4096,  256,  8},
    {"M",    512,  8,  1376, 8,  4,  32768, 512,  4},
    {"L",    768,  12, 2048, 12, 12, 32768, 512,  4},
    {"350M", 1024, 24, 2816, 16, 16, 32768, 1024, 4},
    {"1B",   2048, 22, 5632, 32, 4,  32768, 2048, 2},
    {"3B",   3072, 28, 8192, 24, 8,  32768, 2048, 2},
};

size_t bench_preset_count(void)
{
    return sizeof rows / sizeof *rows;
}

struct bench_preset bench_preset_at(size_t i)
{
    const struct row *r = &rows[i];
    return (struct bench_preset){
        .name = r->name,
        .model = {.vocab_size = r->V,
                  .hidden_size = r->D,
                  .intermediate_size = r->F,
                  .num_hidden_layers = r->L,
                  .num_attention_heads = r->H,
                  .num_key_value_heads = r->K,
                  .max_position_embeddings = r->T,
                  .rms_norm_eps = 1e-5,
                  .rope_theta = 10000,
                  .initializer_range = 0.02,
                  .tie_word_embeddings = true      },
        .train = { .seq_len = r->T,
                  .batch_seqs = r->B,
                  .lr = 1e-3,
                  .lr_min_frac = 0.1,
                  .warmup_steps = 100,
                  .total_steps = 10000,
                  .beta1 = 0.9,
                  .beta2 = 0.95,
                  .eps = 1e-8,
                  .weight_decay = 0.1,
                  .clip_norm = 1,
                  .ef_beta = 0.95,
                  .outer_lr = 1,
                  .delta = {.chunk = 4096, .k = 64}},
    };
}

int bench_preset_find(const char *name, struct bench_preset *ret)
{
    for (size_t i = 0; i < bench_preset_count(); i++) {
        if (strcmp(rows[i].name, name) != 0) continue;
        *ret = bench_preset_at(i);
        return 0;
    }
    return -1;
}

void bench_preset_products(const struct bench_preset *p, struct bench_product ret[BENCH_PRODUCTS])
{
    const struct model_config *c = &p->model;
    uint32_t D = c->hidden_size;
    uint32_t kv = D / c->num_attention_heads * c->num_key_value_heads;
    uint32_t R = p->train.seq_len * p->train.batch_seqs;
    if (R > BENCH_ROWS) R = BENCH_ROWS;
    const struct {
        uint32_t out, in, times;
    } w[] = {
        {D + 2 * kv,               D,                    c->num_hidden_layers},
        {D,                        D,                    c->num_hidden_layers},
        {2 * c->intermediate_size, D,                    c->num_hidden_layers},
        {D,                        c->intermediate_size, c->num_hidden_layers},
        {c->vocab_size,            D,                    1                   },
    };
    for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
        double flops = 2.0 * w[i].out * w[i].in * w[i].times;
        ret[3 * i] = (struct bench_product){BENCH_NT, R, w[i].out, w[i].in, flops};
        ret[3 * i + 1] = (struct bench_product){BENCH_NN, R, w[i].in, w[i].out, flops};
        ret[3 * i + 2] = (struct bench_product){BENCH_TN, w[i].out, w[i].in, R, flops};
    }
}

double bench_preset_rate(const struct bench_product *list, const double *rates)
{
    double flops = 0;
    double time = 0;
    for (int i = 0; i < BENCH_PRODUCTS; i++) {
        if (!(rates[i] > 0)) return 0;
        flops += list[i].flops;
        time += list[i].flops / rates[i];
    }
    return flops / time;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

double bench_preset_median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_size);
    return x[(n - 1) / 2];
}
