#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "record/merge.h"
#include "tests/check.h"

static struct model_tensor tensors[2] = {
    {.name = "a", .rows = 16, .cols = 16, .offset = 0,   .n = 256},
    {.name = "n", .rows = 8,  .cols = 1,  .offset = 256, .n = 8  },
};
static const struct model_table table = {.n_tensors = 2, .n_params = 264, .tensors = tensors};
static const struct delta_params params = {64, 4};
#define N 264
#define R 5

struct round {
    struct buf payload[R];
    struct merge_input in[R];
};

static void add(struct round *x, uint32_t i, const float *v, uint64_t n_tokens)
{
    assert_int_equal(
        delta_pack(&table, &params, DELTA_CONTRIBUTION, v, NULL, &x->payload[i], NULL, NULL), OK);
    x->in[i].payload = x->payload[i].p;
    x->in[i].n_bytes = x->payload[i].len;
    x->in[i].n_tokens = n_tokens;
    memset(x->in[i].contributor.b, (int)(7 * i % 5 + 1), KEY_BYTES);
}

static void draw(uint64_t seed, float scale, float *v)
{
    struct rng r;
    rng_init(&r, seed, 0);
    for (int i = 0; i < N; i++)
        v[i] = rng_normal(&r) * scale;
}

static void round_deinit(struct round *x)
{
    for (int i = 0; i < R; i++)
        buf_deinit(&x->payload[i]);
}

static void seen_values(enum delta_kind kind, const void *p, size_t n, float *v)
{
    struct delta_reader r;
    struct delta_chunk c;
    memset(v, 0, N * sizeof *v);
    assert_int_equal(delta_reader_init(&r, &table, &params, kind, p, n, NULL), OK);
    while (delta_reader_next(&r, &c, NULL) == OK)
        for (uint32_t i = 0; i < c.n; i++)
            v[c.start + c.pos[i]] = c.value[i];
}

static void one_contribution_alone_comes_back_whole(void **state)
{
    (void)state;
    struct round x = {0};
    struct buf u = {0};
    float v[N];
    float sent[N];
    float got[N];
    draw(1, 0.1F, v);
    add(&x, 0, v, 100);
    seen_values(DELTA_CONTRIBUTION, x.payload[0].p, x.payload[0].len, sent);
    assert_int_equal(merge_run(&table, &params, 2, x.in, 1, &u, NULL), OK);
    seen_values(DELTA_UPDATE, u.p, u.len, got);
    for (int i = 0; i < N; i++)
        assert_true(fabsf(sent[i] - got[i]) <= 0.004F * 5);
    buf_deinit(&u);
    round_deinit(&x);
}

/* The formula of the header, written down a second time with whole arrays. */
static void oracle(const struct round *x, uint32_t n, double m, float *u)
{
    static const int order[R] = {0, 3, 1, 4, 2}; /* keys 7 i mod 5 + 1 ascending */
    float v[R][N];
    double c[R][2];
    double far[R]; /* a_r */
    double total = 0;
    double most = 0;
    for (uint32_t r = 0; r < n; r++) {
        seen_values(DELTA_CONTRIBUTION, x->payload[r].p, x->payload[r].len, v[r]);
        total += (double)x->in[r].n_tokens;
        most = fmax(most, (double)x->in[r].n_tokens);
    }
    for (uint32_t r = 0; r < n; r++)
        far[r] = sqrt((double)x->in[r].n_tokens / most);
    for (int t = 0; t < 2; t++) {
        double norm[R];
        double sorted[R];
        for (uint32_t r = 0; r < n; r++) {
            double sum = 0;
            for (uint64_t i = 0; i < tensors[t].n; i++) {
                double a = (double)v[r][tensors[t].offset + i];
                sum += a * a;
            }
            norm[r] = sqrt(sum);
            sorted[r] = norm[r] / far[r];
            for (uint32_t j = r; j > 0 && sorted[j - 1] > sorted[j]; j--) {
                double swap = sorted[j];
                sorted[j] = sorted[j - 1];
                sorted[j - 1] = swap;
            }
        }
        for (uint32_t r = 0; r < n; r++)
            c[r][t] = fmin(1, sorted[(n - 1) / 2] * far[r] / norm[r]);
    }
    for (int i = 0; i < N; i++) {
        double num = 0;
        double den = 0;
        for (uint32_t o = 0; o < R; o++) {
            int r = order[o];
            if (r >= (int)n) continue;
            if (i < 256 && v[r][i] == 0.0F) continue; /* norms are sent whole, zeros too */
            double w = (double)x->in[r].n_tokens;
            num += w * c[r][i >= 256] * (double)v[r][i];
            den += w;
        }
        u[i] = (float)(num / fmax(den, m * total / n));
    }
}

static void merging_follows_the_formula(void **state)
{
    (void)state;
    struct round x = {0};
    struct buf u = {0};
    struct buf want = {0};
    float v[N];
    for (uint32_t r = 0; r < R; r++) {
        draw(10 + r, r == 2 ? 40.0F : 0.1F * (float)(r + 1), v); /* one of them shouts */
        add(&x, r, v, 1000 + 500 * r);
    }
    assert_int_equal(merge_run(&table, &params, 2, x.in, R, &u, NULL), OK);
    oracle(&x, R, 2, v);
    assert_int_equal(delta_pack(&table, &params, DELTA_UPDATE, v, NULL, &want, NULL, NULL), OK);
    assert_int_equal(u.len, want.len);
    assert_memory_equal(u.p, want.p, u.len);
    for (int i = 0; i < N; i++)
        assert_true(fabsf(v[i]) < 2);
    buf_deinit(&u);
    buf_deinit(&want);
    round_deinit(&x);
}

/* Three of four contributors are slow; the fourth went twice as far with four times the tokens. */
static float moved_by_the_fast_one(float scale)
{
    struct round x = {0};
    struct buf u = {0};
    float v[N] = {0};
    float got[N];
    for (uint32_t r = 0; r < 4; r++) {
        memset(v, 0, sizeof v);
        for (uint32_t i = 0; i < params.k; i++) /* each in a chunk of its own */
            v[params.chunk * r + i] = r == 3 ? scale : 1.0F;
        add(&x, r, v, r == 3 ? 4000 : 1000);
    }
    assert_int_equal(merge_run(&table, &params, 1, x.in, 4, &u, NULL), OK);
    seen_values(DELTA_UPDATE, u.p, u.len, got);
    buf_deinit(&u);
    round_deinit(&x);
    return got[params.chunk * 3];
}

static void more_tokens_may_go_further(void **state)
{
    (void)state;
    float twice = moved_by_the_fast_one(2);
    float shouting = moved_by_the_fast_one(64);
    assert_true(fabsf(twice - 2) < 0.05F);
    assert_true(fabsf(shouting - 2) < 0.05F);
}

static void the_order_of_arrival_does_not_matter(void **state)
{
    (void)state;
    struct round x = {0};
    struct buf u = {0};
    struct buf u2 = {0};
    float v[N];
    for (uint32_t r = 0; r < R; r++) {
        draw(20 + r, 0.1F, v);
        add(&x, r, v, 1000 + 37 * r);
    }
    assert_int_equal(merge_run(&table, &params, 2, x.in, R, &u, NULL), OK);
    for (uint32_t r = 0; r < R / 2; r++) {
        struct merge_input swap = x.in[r];
        x.in[r] = x.in[R - 1 - r];
        x.in[R - 1 - r] = swap;
    }
    assert_int_equal(merge_run(&table, &params, 2, x.in, R, &u2, NULL), OK);
    assert_int_equal(u.len, u2.len);
    assert_memory_equal(u.p, u2.p, u.len);
    buf_deinit(&u);
    buf_deinit(&u2);
    round_deinit(&x);
}

/* (big - big) + small is small, (big + small) - big is nothing: the order shows in the bits. */
static void contributions_are_added_in_the_order_of_their_keys(void **state)
{
    (void)state;
    struct round x = {0};
    struct buf u = {0};
    float big[N] = {0};
    float small[N] = {0};
    float minus[N] = {0};
    float got[N];
    for (int i = 0; i < 4; i++) {
        big[i] = 0x1p40F;
        small[i] = 0x1p-20F;
        minus[i] = -0x1p40F;
    }
    add(&x, 0, big, 100);
    add(&x, 1, small, 100);
    add(&x, 2, minus, 100);
    memset(x.in[1].contributor.b, 3, KEY_BYTES);
    memset(x.in[2].contributor.b, 2, KEY_BYTES);
    assert_int_equal(merge_run(&table, &params, 1, x.in, 3, &u, NULL), OK);
    seen_values(DELTA_UPDATE, u.p, u.len, got);
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(got[i] - 0x1p-20F / 3) < 0x1p-26F);
    buf_deinit(&u);
    round_deinit(&x);
}

static void a_lone_sender_is_diluted_by_min_senders(void **state)
{
    (void)state;
    struct round x = {0};
    struct buf u = {0};
    float v[N] = {0};
    float got[N];
    for (uint32_t r = 0; r < 4; r++) {
        memset(v, 0, sizeof v);
        for (uint32_t i = 0; i < 4; i++)
            v[64 * r + i] = 0.5F; /* each sends its own chunk only */
        add(&x, r, v, 100);
    }
    assert_int_equal(merge_run(&table, &params, 2, x.in, 4, &u, NULL), OK);
    seen_values(DELTA_UPDATE, u.p, u.len, got);
    for (int i = 0; i < 256; i++)
        assert_true(fabsf(got[i] - (i % 64 < 4 ? 0.25F : 0)) < 0.001F);
    buf_deinit(&u);
    round_deinit(&x);
}

static void nothing_from_anybody_is_an_empty_update(void **state)
{
    (void)state;
    struct round x = {0};
    struct buf u = {0};
    float v[N] = {0};
    float got[N];
    add(&x, 0, v, 5);
    add(&x, 1, v, 5);
    assert_int_equal(merge_run(&table, &params, 0, x.in, 2, &u, NULL), OK);
    seen_values(DELTA_UPDATE, u.p, u.len, got);
    for (int i = 0; i < N; i++)
        assert_true(got[i] == 0);
    buf_deinit(&u);
    round_deinit(&x);
}

static void bad_inputs_are_named_and_leave_nothing_behind(void **state)
{
    (void)state;
    struct round x = {0};
    struct buf u = {0};
    struct err e = {0};
    float v[N];
    draw(1, 0.1F, v);
    add(&x, 0, v, 5);
    add(&x, 1, v, 5);
    x.in[1].n_bytes--;
    assert_int_equal(merge_run(&table, &params, 2, x.in, 2, &u, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "030303030303"));
    x.in[1].n_bytes++;
    x.in[1].contributor = x.in[0].contributor;
    assert_int_equal(merge_run(&table, &params, 2, x.in, 2, &u, &e), ERR_PROTO);
    x.in[1].n_tokens = 0;
    assert_int_equal(merge_run(&table, &params, 2, x.in, 2, &u, &e), ERR_PROTO);
    assert_int_equal(merge_run(&table, &params, 2, x.in, MERGE_MAX_INPUTS + 1, &u, &e), ERR_ARG);
    assert_int_equal(u.len, 0);
    buf_deinit(&u);
    round_deinit(&x);
}

static void the_largest_values_a_peer_may_send_still_merge(void **state)
{
    (void)state;
    struct round x = {0};
    struct buf u = {0};
    float v[N];
    for (int i = 0; i < N; i++)
        v[i] = i % 64 ? 0x1p60F : 0x1p55F;
    for (uint32_t r = 0; r < 3; r++)
        add(&x, r, v, r + 1);
    assert_int_equal(merge_run(&table, &params, 2, x.in, 3, &u, NULL), OK);
    float base[N] = {0};
    assert_int_equal(merge_apply(&table, &params, 0.5, u.p, u.len, base, NULL), OK);
    for (int i = 0; i < N; i++)
        assert_true(isfinite(base[i]));
    buf_deinit(&u);
    round_deinit(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_contribution_alone_comes_back_whole),
        cmocka_unit_test(merging_follows_the_formula),
        cmocka_unit_test(more_tokens_may_go_further),
        cmocka_unit_test(the_order_of_arrival_does_not_matter),
        cmocka_unit_test(contributions_are_added_in_the_order_of_their_keys),
        cmocka_unit_test(a_lone_sender_is_diluted_by_min_senders),
        cmocka_unit_test(nothing_from_anybody_is_an_empty_update),
        cmocka_unit_test(bad_inputs_are_named_and_leave_nothing_behind),
        cmocka_unit_test(the_largest_values_a_peer_may_send_still_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
