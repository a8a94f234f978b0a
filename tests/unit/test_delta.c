#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "engine/delta.h"
#include "engine/quant.h"
#include "tests/check.h"

/* A table by hand: a matrix, a norm, a matrix that is no multiple of a chunk, a long norm. */
static struct model_tensor tensors[4] = {
    {.name = "a", .rows = 64,  .cols = 16, .offset = 0,    .n = 1024},
    {.name = "n", .rows = 16,  .cols = 1,  .offset = 1024, .n = 16  },
    {.name = "b", .rows = 10,  .cols = 33, .offset = 1040, .n = 330 },
    {.name = "m", .rows = 300, .cols = 1,  .offset = 1370, .n = 300 },
};
static const struct model_table table = {.n_tensors = 4, .n_params = 1670, .tensors = tensors};
#define N 1670

static void draw(uint64_t seed, float *v)
{
    struct rng r;
    rng_init(&r, seed, 0);
    for (int i = 0; i < N; i++)
        v[i] = rng_normal(&r) * 0.01F;
}

static void unpack(const struct delta_params *p, enum delta_kind kind, const struct buf *b,
                   float *seen, uint64_t *ret_n)
{
    struct delta_reader r;
    struct delta_chunk c;
    struct err e = {0};
    int rc = delta_reader_init(&r, &table, p, kind, b->p, b->len, &e);
    memset(seen, 0, N * sizeof *seen);
    *ret_n = 0;
    uint64_t walked = 0;
    while (rc == OK && (rc = delta_reader_next(&r, &c, &e)) == OK) {
        assert_int_equal(c.start, walked);
        walked += c.len;
        *ret_n += c.n;
        for (uint32_t i = 0; i < c.n; i++)
            seen[c.start + c.pos[i]] = c.value[i];
    }
    if (rc != ERR_AGAIN) fail_msg("%s", e.what);
    assert_int_equal(walked, N);
}

static void what_is_read_plus_the_residual_is_what_was_packed(void **state)
{
    (void)state;
    const struct delta_params all[] = {
        {64,   1   },
        {64,   64  },
        {256,  4   },
        {256,  255 },
        {100,  100 },
        {4096, 64  },
        {4096, 1024},
        {4096, 4096}
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (int kind = DELTA_CONTRIBUTION; kind <= DELTA_UPDATE; kind++) {
            float v[N];
            float residual[N];
            float seen[N];
            struct buf b = {0};
            struct delta_stats s = {0};
            uint64_t n = 0;
            draw(i, v);
            assert_int_equal(
                delta_pack(&table, &all[i], (enum delta_kind)kind, v, residual, &b, &s, NULL), OK);
            assert_true(b.len <= delta_max_bytes(&table, &all[i], (enum delta_kind)kind));
            assert_int_equal(s.total_bits, b.len * 8);
            unpack(&all[i], (enum delta_kind)kind, &b, seen, &n);
            assert_int_equal(n, s.n_values);
            for (int j = 0; j < N; j++)
                assert_true(residual[j] == v[j] - seen[j]);
            assert_int_equal(delta_pack(&table, &all[i], (enum delta_kind)kind, v, v, &b, &s, NULL),
                             OK);
            assert_memory_equal(v, residual, sizeof v); /* in place is the same */
            buf_deinit(&b);
        }
}

static void contributions_send_k_of_a_chunk_and_norms_whole(void **state)
{
    (void)state;
    const struct delta_params p = {256, 10};
    float v[N];
    float seen[N];
    struct buf b = {0};
    uint64_t n = 0;
    draw(9, v);
    assert_int_equal(delta_pack(&table, &p, DELTA_CONTRIBUTION, v, NULL, &b, NULL, NULL), OK);
    unpack(&p, DELTA_CONTRIBUTION, &b, seen, &n);
    /* a: 4 chunks; b: 256 and 74 values, ceil(10 * 74 / 256) = 3; n, m: all */
    assert_int_equal(n, 4 * 10 + 10 + 3 + 16 + 300);
    uint32_t n_norm = 0;
    for (int i = 1024; i < 1040; i++)
        n_norm += fabsf(seen[i] - v[i]) < 0.0003F;
    assert_int_equal(n_norm, 16);
    buf_deinit(&b);
}

static void updates_carry_only_what_changed(void **state)
{
    (void)state;
    const struct delta_params p = {256, 10};
    float v[N] = {0};
    float seen[N];
    struct buf b = {0};
    uint64_t n = 0;
    v[3] = 1.0F;
    v[200] = -0.5F;
    v[201] = 0.001F; /* below half a step of this chunk */
    v[1650] = 7.0F;
    assert_int_equal(delta_pack(&table, &p, DELTA_UPDATE, v, NULL, &b, NULL, NULL), OK);
    unpack(&p, DELTA_UPDATE, &b, seen, &n);
    assert_int_equal(n, 3);
    assert_true(fabsf(seen[3] - 1) < 0.005F && fabsf(seen[1650] - 7) < 0.03F);
    buf_deinit(&b);
}

static void dense_positions_cost_nothing(void **state)
{
    (void)state;
    const struct delta_params p = {4096, 4096};
    float v[N];
    struct buf b = {0};
    struct delta_stats s;
    draw(1, v);
    assert_int_equal(delta_pack(&table, &p, DELTA_CONTRIBUTION, v, NULL, &b, &s, NULL), OK);
    assert_true(s.index_bits == 0);
    assert_true(s.value_bits < 2.1 * (1024 + 330) + 9 * 316);
    buf_deinit(&b);
}

static void packing_appends_and_failure_leaves_all_as_it_was(void **state)
{
    (void)state;
    const struct delta_params p = {256, 10};
    float v[N];
    float residual[N];
    struct buf b = {0};
    struct err e = {0};
    draw(1, v);
    buf_put_str(&b, "before");
    for (int i = 0; i < N; i++)
        residual[i] = 5;
    const float bads[] = {NAN, INFINITY, -INFINITY, 0x1p61F};
    for (size_t i = 0; i < 4; i++) {
        v[N - 1] = bads[i];
        assert_int_equal(delta_pack(&table, &p, DELTA_CONTRIBUTION, v, residual, &b, NULL, &e),
                         ERR_PROTO);
        assert_int_equal(b.len, 6);
        assert_true(residual[0] == 5);
    }
    v[N - 1] = 1;
    assert_int_equal(delta_pack(&table, &p, DELTA_CONTRIBUTION, v, NULL, &b, NULL, &e), OK);
    assert_memory_equal(b.p, "beforePLD2", 10);
    assert_int_equal(delta_check(&table, &p, DELTA_CONTRIBUTION, b.p + 6, b.len - 6, NULL, &e), OK);
    buf_deinit(&b);
}

static void packing_survives_no_memory(void **state)
{
    (void)state;
    const struct delta_params p = {256, 10};
    float v[N];
    struct buf b = {0};
    draw(1, v);
    alloc_fail_nth(1);
    assert_int_equal(delta_pack(&table, &p, DELTA_UPDATE, v, NULL, &b, NULL, NULL), ERR_NOMEM);
    alloc_fail_nth(0);
    buf_deinit(&b);
}

/* Values made to be badly guessed: dense and sparse by turns, loud and quiet, signs at random. */
static void the_worst_values_stay_within_the_room(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct rng r;
        float v[N];
        struct buf b = {0};
        const struct delta_params p = {64u << seed % 7, 1 + (uint32_t)(seed * 5 % 64)};
        rng_init(&r, seed, 0);
        for (int i = 0; i < N; i++) {
            v[i] = ldexpf(rng_normal(&r), (int)rng_below(&r, 30));
            if (i / 64 * seed % 3 == 0 && rng_below(&r, 50)) v[i] = 0;
        }
        for (int kind = DELTA_CONTRIBUTION; kind <= DELTA_UPDATE; kind++) {
            buf_clear(&b);
            assert_int_equal(delta_pack(&table, &p, (enum delta_kind)kind, v, NULL, &b, NULL, NULL),
                             OK);
            assert_true(b.len <= delta_max_bytes(&table, &p, (enum delta_kind)kind));
        }
        buf_deinit(&b);
    }
}

/* Should a tensor ever take what was meant for those behind it, they are refused, not written. */
static void writing_ends_where_the_room_does(void **state)
{
    (void)state;
    const struct delta_params p = {256, 10};
    float v[N];
    struct buf all = {0};
    draw(6, v);
    assert_int_equal(delta_pack(&table, &p, DELTA_UPDATE, v, NULL, &all, NULL, NULL), OK);
    size_t first = 28 + 4 + bytes_u32(all.p + 28); /* header, and the first tensor */
    for (size_t most = first - 1; most < first + 6; most++) {
        struct buf b = {0};
        struct delta_writer w;
        int rc = delta_writer_init(&w, &table, &p, DELTA_UPDATE, &b, NULL);
        assert_int_equal(rc, OK);
        w.most = most;
        while (rc == OK && delta_writer_left(&w))
            rc = delta_writer_chunk(&w, v + tensors[w.tensor].offset + w.done, NULL, NULL);
        assert_int_equal(rc, ERR_LIMIT);
        assert_int_equal(b.len, 0);
        buf_deinit(&b);
    }
    buf_deinit(&all);
}

static void norms_are_of_what_the_reader_sees(void **state)
{
    (void)state;
    const struct delta_params p = {256, 10};
    float v[N] = {0};
    double norms[4];
    struct buf b = {0};
    v[0] = 0.5F;
    v[1040] = -0.25F;
    for (int i = 1; i < 10; i++)
        v[i] = v[1040 + i] = 0x1p-80F;
    assert_int_equal(delta_pack(&table, &p, DELTA_UPDATE, v, NULL, &b, NULL, NULL), OK);
    assert_int_equal(delta_check(&table, &p, DELTA_UPDATE, b.p, b.len, norms, NULL), OK);
    assert_true(fabs(norms[0] - 0.5) < 0.002 && fabs(norms[2] - 0.25) < 0.001);
    assert_true(norms[1] == 0 && norms[3] == 0);
    buf_deinit(&b);
}

static void every_cut_and_every_extra_byte_is_refused(void **state)
{
    (void)state;
    const struct delta_params p = {256, 10};
    float v[N];
    draw(3, v);
    for (int kind = DELTA_CONTRIBUTION; kind <= DELTA_UPDATE; kind++) {
        struct buf b = {0};
        assert_int_equal(delta_pack(&table, &p, (enum delta_kind)kind, v, NULL, &b, NULL, NULL),
                         OK);
        for (size_t n = 0; n < b.len; n++) {
            void *cut = malloc(n + 1); /* so that a sanitizer sees the end */
            assert_non_null(cut);
            memcpy(cut, b.p, n);
            assert_int_equal(delta_check(&table, &p, (enum delta_kind)kind, cut, n, NULL, NULL),
                             ERR_PROTO);
            free(cut);
        }
        buf_put_u8(&b, 0);
        assert_int_equal(delta_check(&table, &p, (enum delta_kind)kind, b.p, b.len, NULL, NULL),
                         ERR_PROTO);
        buf_deinit(&b);
    }
}

/* The strongest statement about the reader: whatever it accepts, the packer would have written.
 * Flip every bit; what is still accepted must come out the same when decoded and packed again.
 */
static void accepted_bytes_are_the_only_form_of_their_content(void **state)
{
    (void)state;
    const struct delta_params p = {256, 3};
    float v[N];
    float seen[N];
    uint64_t n = 0;
    draw(4, v);
    struct buf b = {0};
    struct buf c = {0};
    assert_int_equal(delta_pack(&table, &p, DELTA_UPDATE, v, NULL, &b, NULL, NULL), OK);
    uint32_t n_accepted = 0;
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (delta_check(&table, &p, DELTA_UPDATE, b.p, b.len, NULL, NULL) == OK) {
            n_accepted++;
            unpack(&p, DELTA_UPDATE, &b, seen, &n);
            buf_clear(&c);
            assert_int_equal(delta_pack(&table, &p, DELTA_UPDATE, seen, NULL, &c, NULL, NULL), OK);
            assert_int_equal(b.len, c.len);
            assert_memory_equal(b.p, c.p, b.len);
        }
        b.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_true(n_accepted > 0); /* the last bits of a stream may often be anything */
    buf_deinit(&b);
    buf_deinit(&c);
}

static void another_model_kind_or_setting_is_refused(void **state)
{
    (void)state;
    const struct delta_params p = {256, 10};
    const struct delta_params other = {256, 11};
    float v[N];
    struct buf b = {0};
    struct err e = {0};
    draw(3, v);
    assert_int_equal(delta_pack(&table, &p, DELTA_CONTRIBUTION, v, NULL, &b, NULL, NULL), OK);
    assert_int_equal(delta_check(&table, &p, DELTA_UPDATE, b.p, b.len, NULL, &e), ERR_PROTO);
    assert_int_equal(delta_check(&table, &other, DELTA_CONTRIBUTION, b.p, b.len, NULL, &e),
                     ERR_PROTO);
    b.p[4] = 1;
    assert_int_equal(delta_check(&table, &p, DELTA_CONTRIBUTION, b.p, b.len, NULL, &e),
                     ERR_VERSION);
    const struct delta_params odd[] = {
        {32,   4  },
        {8192, 4  },
        {256,  0  },
        {256,  257}
    };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(delta_pack(&table, &odd[i], DELTA_UPDATE, v, NULL, &b, NULL, &e), ERR_ARG);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_plus_the_residual_is_what_was_packed),
        cmocka_unit_test(contributions_send_k_of_a_chunk_and_norms_whole),
        cmocka_unit_test(updates_carry_only_what_changed),
        cmocka_unit_test(dense_positions_cost_nothing),
        cmocka_unit_test(packing_appends_and_failure_leaves_all_as_it_was),
        cmocka_unit_test(packing_survives_no_memory),
        cmocka_unit_test(the_worst_values_stay_within_the_room),
        cmocka_unit_test(writing_ends_where_the_room_does),
        cmocka_unit_test(norms_are_of_what_the_reader_sees),
        cmocka_unit_test(every_cut_and_every_extra_byte_is_refused),
        cmocka_unit_test(accepted_bytes_are_the_only_form_of_their_content),
        cmocka_unit_test(another_model_kind_or_setting_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
