/* How fast does the engine train here, and what share of OpenBLAS' own sgemm rate is that?
 *
 *     potluck bench engine CONFIG [threads] [steps]        CONFIG: demo, S, M or L
 *
 * Prints one JSON object. sgemm is measured in the same run, all threads at once, on 1024 cubed
 * products: shares survive a busy neighbour better than absolute figures. Speeds are the best
 * step's; the median stands beside it. Flops are counted as in budget.h.
 */
#include "app/cmd_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "engine/budget.h"
#include "engine/trainer.h"

enum { MAX_STEPS = 1000 };

struct bench {
    const char *name;
    uint32_t D, L, F, H, K, V, T, B;
};

static const struct bench benches[] = {
    {"demo", 256, 6,  688,  8,  4,  2048,  128, 4},
    {"S",    256, 6,  688,  8,  4,  4096,  256, 8},
    {"M",    512, 8,  1376, 8,  4,  32768, 512, 4},
    {"L",    768, 12, 2048, 12, 12, 32768, 512, 4},
};

static int fail(const struct err *e)
{
    char line[400];
    fprintf(stderr, "potluck bench: %s\n", err_line(e, line, sizeof line));
    return 1;
}

static struct model_config model_of(const struct bench *b)
{
    return (struct model_config){.vocab_size = b->V,
                                 .hidden_size = b->D,
                                 .intermediate_size = b->F,
                                 .num_hidden_layers = b->L,
                                 .num_attention_heads = b->H,
                                 .num_key_value_heads = b->K,
                                 .max_position_embeddings = b->T,
                                 .rms_norm_eps = 1e-5,
                                 .rope_theta = 10000,
                                 .initializer_range = 0.02,
                                 .tie_word_embeddings = true};
}

static struct train_params params_of(const struct bench *b)
{
    return (struct train_params){
        .seq_len = b->T,
        .batch_seqs = b->B,
        .lr = 1e-3,
        .lr_min_frac = 0.1,
        .warmup_steps = 10,
        .total_steps = 10000,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 1,
        .ef_beta = 0.95,
        .outer_lr = 1,
        .delta = {.chunk = 4096, .k = 64}
    };
}

static int by_size(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return *x < *y ? -1 : *x > *y;
}

struct outcome {
    double tok_per_s[MAX_STEPS];
    double loss;
};

static int train(struct trainer *t, const struct bench *b, int n_steps, struct outcome *ret,
                 struct err *e)
{
    uint32_t n = b->B * (b->T + 1);
    uint32_t *tokens = alloc_zero(n, sizeof *tokens);
    if (!tokens) return err_set(e, ERR_NOMEM, 0, "out of memory for tokens");
    int rc = OK;
    for (int i = 0; i < n_steps && !rc; i++) {
        struct trainer_step_result r = {0};
        struct rng rng;
        rng_init(&rng, 1, (uint64_t)i);
        for (uint32_t k = 0; k < n; k++) /* small ids are frequent, as in text */
            tokens[k] = rng_below(&rng, 1 + rng_below(&rng, b->V));
        rc = trainer_step(t, tokens, (uint64_t)i, &r, e);
        ret->tok_per_s[i] = (double)r.n_tokens * 1e9 / (double)(r.busy_ns ? r.busy_ns : 1);
        ret->loss = r.loss;
    }
    free(tokens);
    qsort(ret->tok_per_s, (size_t)n_steps, sizeof(double), by_size);
    return rc;
}

int cmd_bench(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "engine") != 0) {
        fprintf(stderr, "usage: potluck bench engine demo|S|M|L [threads] [steps]\n");
        return 2;
    }
    argc--;
    argv++;
    const struct bench *b = NULL;
    for (size_t i = 0; argc > 1 && i < sizeof benches / sizeof *benches; i++)
        if (!strcmp(argv[1], benches[i].name)) b = &benches[i];
    int threads = argc > 2 ? atoi(argv[2]) : 2;
    int n_steps = argc > 3 ? atoi(argv[3]) : 10;
    if (!b || threads < 1 || n_steps < 1 || n_steps > MAX_STEPS) {
        fprintf(stderr, "usage: potluck bench engine demo|S|M|L [threads] [steps, at most %d]\n",
                MAX_STEPS);
        return 2;
    }
    struct err e = {0};
    struct trainer *t = NULL;
    struct model_config m = model_of(b);
    struct train_params p = params_of(b);
    static struct outcome o;
    struct trainer_options options = {.n_threads = (uint32_t)threads,
                                      .precision = argc > 4 ? TRAINER_BF16 : TRAINER_FP32};
    if (trainer_create(&m, &p, &options, &t, &e)) return fail(&e);
    trainer_init_weights(t, 1);
    if (train(t, b, n_steps, &o, &e)) return fail(&e);
    struct budget plan;
    budget_plan(&m, &p, &options, &plan);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double best = o.tok_per_s[n_steps - 1];
    double gflops = best * (double)plan.flops_per_token * 1e-9;
    printf("{\"config\":\"%s\",\"threads\":%d,\"steps\":%d,\"params\":%llu,"
           "\"tokens_per_s\":%.1f,\"tokens_per_s_median\":%.1f,\"gflops\":%.1f,"
           "\"rss_mb\":%.1f,\"budget_mb\":%.1f,"
           "\"loss\":%.6f,\"class\":\"%s\"}\n",
           b->name, threads, n_steps, (unsigned long long)trainer_table(t)->n_params, best,
           o.tok_per_s[n_steps / 2], gflops, (double)use.ru_maxrss / 1024,
           (double)plan.total_bytes / 1e6, o.loss, trainer_class(t));
    trainer_destroy(t);
    return 0;
}
