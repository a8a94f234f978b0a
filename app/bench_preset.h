#pragma once
/* Why: the sizes that everybody measures with. S, M and L have names so that figures of different
 * days, engines and machines can stand in one table; the larger ones only answer "would it fit".
 * Pure: a table, and the list of matrix products that a training step consists of.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/model.h"
#include "engine/trainer.h"

struct bench_preset {
    const char *name;
    struct model_config model;
    struct train_params train;
};

/* demo, S, M, L (measured), then larger ones. i < bench_preset_count(); copies. */
size_t bench_preset_count(void);
struct bench_preset bench_preset_at(size_t i);

/* 0, or -1 when there is no preset of that name (exactly as written). */
int bench_preset_find(const char *name, struct bench_preset *ret);

/* One matrix product of a training step, C [m, n] with reduction k; kinds as in engine/gemm.h:
 * y = x W^T, dx = dy W, dW = dy^T x. flops: its share of a step's flops, per row and all layers.
 */
enum bench_product_kind { BENCH_NT, BENCH_NN, BENCH_TN };

struct bench_product {
    enum bench_product_kind kind;
    uint32_t m, n, k;
    double flops;
};

/* qkv, o, gate and up, down, head; three kinds of each. Attention is left out: no BLAS offers its
 * causal form, and its blocks are slower in every BLAS, so the yardstick would become easier.
 */
#define BENCH_PRODUCTS 15
#define BENCH_ROWS     1024u /* rows of activations in a product, or the whole batch if smaller */

void bench_preset_products(const struct bench_preset *p, struct bench_product ret[BENCH_PRODUCTS]);

/* The rate of all products one after the other, from the rate of each [BENCH_PRODUCTS]: total
 * flops over total time. 0 when one of them is not positive.
 */
double bench_preset_rate(const struct bench_product *list, const double *rates);

/* Median of x [n], n > 0; sorts x. The lower middle of an even number. */
double bench_preset_median(double *x, size_t n);
