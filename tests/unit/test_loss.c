#include <math.h>

#include "tests/layer_case.h"

enum { R = 300, D = 11, V = 107 }; /* two chunks of rows, three panels of columns */

struct loss_case {
    struct pool *pool;
    struct layers_dims s;
    float *h, *head;
    void *scratch;
    uint32_t targets[R];
};

static struct loss_case make(void)
{
    struct loss_case k = {
        .pool = case_pool(2), .s = {.B = 1, .T = R, .R = R, .D = D, .V = V}
    };
    k.h = case_block((uint64_t)R * D, 1, 0, 1);
    k.head = case_block((uint64_t)V * D, 2, 0, 0.5F);
    k.scratch = alloc_aligned(loss_scratch(&k.s, false), 1);
    struct rng r;
    rng_init(&r, 5, 0);
    for (int i = 0; i < R; i++)
        k.targets[i] = rng_below(&r, V);
    return k;
}

static void unmake(struct loss_case *k)
{
    pool_destroy(k->pool);
    free(k->h);
    free(k->head);
    free(k->scratch);
}

static double loss(void *ctx)
{
    struct loss_case *k = ctx;
    return loss_run(k->pool, &k->s, k->h, k->head, k->targets, 0, false, NULL, NULL, k->scratch);
}

static double plain(const struct loss_case *k)
{
    double nats = 0;
    for (int r = 0; r < R; r++) {
        double sum = 0;
        double target = 0;
        for (uint32_t v = 0; v < V; v++) {
            double x = case_sum(k->h + r * D, k->head + v * D, D);
            sum += exp(x);
            if (v == k->targets[r]) target = x;
        }
        nats += log(sum) - target;
    }
    return nats;
}

static void loss_is_the_summed_cross_entropy(void **state)
{
    (void)state;
    struct loss_case k = make();
    assert_true(fabs(loss(&k) / plain(&k) - 1) < 1e-6);
    unmake(&k);
}

static void loss_gradients_match_differences(void **state)
{
    (void)state;
    struct loss_case k = make();
    float *d_h = case_block((uint64_t)R * D, 8, 0, 1);
    float *d_head = case_block((uint64_t)V * D, 9, 0, 1); /* written over */
    double nats = loss_run(k.pool, &k.s, k.h, k.head, k.targets, 1, true, d_h, d_head, k.scratch);
    double again = loss(&k);
    assert_memory_equal(&nats, &again, sizeof nats);
    case_gradient("h", loss, &k, k.h, d_h, (uint64_t)R * D);
    case_gradient("head", loss, &k, k.head, d_head, (uint64_t)V * D);
    free(d_h);
    free(d_head);
    unmake(&k);
}

static void loss_stays_finite_for_huge_logits(void **state)
{
    (void)state;
    struct loss_case k = make();
    for (int i = 0; i < R * D; i++)
        k.h[i] *= 1e4F;
    double nats = loss(&k);
    assert_true(isfinite(nats) && nats > 0);
    unmake(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_is_the_summed_cross_entropy),
        cmocka_unit_test(loss_gradients_match_differences),
        cmocka_unit_test(loss_stays_finite_for_huge_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
