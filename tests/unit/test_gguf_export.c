#include "base/file.h"
#include "engine/gguf.h"
#include "engine/gguf_export.h"
#include "engine/tokenizer.h"
#include "tests/unit/hf_case.h"

static char dir[PATH_CAP], path[PATH_CAP];
static struct buf tokenizer;

static int set_up(void **state)
{
    (void)state;
    struct tokenizer *t = NULL;
    static const char text[] = "a cat and a hat and a rat";
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/m.gguf", dir), 0);
    assert_int_equal(tokenizer_train(text, sizeof text - 1, 260, NULL, NULL, &t, NULL), OK);
    assert_int_equal(tokenizer_to_json(t, &tokenizer, NULL), OK);
    tokenizer_destroy(t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&tokenizer);
    scratch_remove(dir);
    return 0;
}

static struct gguf_export export_of(const struct hf_case *k, enum dtype type)
{
    return (struct gguf_export){
        .config = &k->config,
        .table = &k->table,
        .params = k->params,
        .type = type,
        .ids = {0, 0},
        .tokenizer = &tokenizer,
        .name = "soup",
        .description = ""
    };
}

/* What `type` makes of a row of ours, held against row r of the file's tensor. */
static void assert_row(const float *got, const float *ours, uint32_t cols, enum dtype type)
{
    uint8_t packed[2048];
    float want[512];
    assert_true(cols <= 512);
    dtype_pack(type, ours, cols, packed);
    dtype_unpack(type, packed, cols, want);
    assert_memory_equal(got, want, cols * sizeof *want);
}

static void assert_tensor(const struct gguf_file *f, const struct hf_case *k,
                          const struct model_tensor *t, enum dtype type)
{
    char name[GGUF_EXPORT_NAME];
    static float got[300 * 96];
    gguf_export_name(t->name, name);
    const struct gguf_tensor *x = gguf_find_tensor(&f->g, name);
    if (!x) fail_msg("%s is not there as %s", t->name, name);
    bool is_vector = t->cols == 1;
    bool is_turned = strstr(name, "attn_q.") || strstr(name, "attn_k.");
    uint32_t cols = is_vector ? t->rows : t->cols;
    assert_int_equal(x->dtype, is_vector ? DTYPE_F32 : type);
    assert_int_equal(x->n_dims, is_vector ? 1 : 2);
    assert_int_equal(x->dim[0], cols);
    assert_int_equal(gguf_read(f, x, got, NULL), OK);
    for (uint32_t r = 0; r < (is_vector ? 1 : t->rows); r++) {
        uint32_t ours = is_turned ? gguf_export_row(r, 16) : r;
        assert_row(got + (size_t)r * cols, k->params + t->offset + (size_t)ours * cols, cols,
                   x->dtype);
    }
}

static void gguf_export_written_is_read_back(void **state)
{
    (void)state;
    for (int is_tied = 0; is_tied < 2; is_tied++) {
        struct hf_case *k = hf_case_make(is_tied);
        for (int t = DTYPE_F32; t <= DTYPE_Q8_0; t++) {
            struct gguf_export x = export_of(k, (enum dtype)t);
            struct gguf_file f;
            assert_int_equal(gguf_export_write(&x, path, NULL), OK);
            assert_int_equal(gguf_open(&f, path, NULL), OK);
            assert_int_equal(f.g.n_tensors, k->table.n_tensors);
            for (uint32_t i = 0; i < k->table.n_tensors; i++)
                assert_tensor(&f, k, &k->table.tensors[i], (enum dtype)t);
            gguf_close(&f);
        }
        hf_case_free(k);
    }
}

static void gguf_export_tells_the_model_and_its_tokenizer(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint64_t value;
    } wholes[] = {
        {"general.file_type",             7  },
        {"general.alignment",             32 },
        {"llama.vocab_size",              300},
        {"llama.context_length",          32 },
        {"llama.embedding_length",        64 },
        {"llama.block_count",             2  },
        {"llama.feed_forward_length",     96 },
        {"llama.attention.head_count",    4  },
        {"llama.attention.head_count_kv", 2  },
        {"llama.rope.dimension_count",    16 },
        {"tokenizer.ggml.eos_token_id",   0  },
        {"tokenizer.ggml.bos_token_id",   0  },
    };
    struct hf_case *k = hf_case_make(true);
    struct gguf_export x = export_of(k, DTYPE_Q8_0);
    struct gguf_file f;
    struct gguf_text s = {0};
    double real = 0;
    assert_int_equal(gguf_export_write(&x, path, NULL), OK);
    assert_int_equal(gguf_open(&f, path, NULL), OK);
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        uint64_t n = UINT64_MAX;
        assert_true(gguf_whole(&f.g, wholes[i].key, &n));
        if (n != wholes[i].value) fail_msg("%s is %llu", wholes[i].key, (unsigned long long)n);
    }
    assert_true(gguf_real(&f.g, "llama.rope.freq_base", &real) && real == 10000);
    assert_true(gguf_string(&f.g, "general.name", &s) && s.n == 4);
    assert_null(gguf_find(&f.g, "general.description"));
    assert_true(gguf_string(&f.g, "tokenizer.ggml.pre", &s) && memcmp(s.p, "gpt-2", s.n) == 0);
    assert_int_equal(gguf_find(&f.g, "tokenizer.ggml.tokens")->n_items, 300);
    assert_int_equal(gguf_find(&f.g, "tokenizer.ggml.token_type")->n_items, 300);
    assert_int_equal(*gguf_find(&f.g, "tokenizer.ggml.add_bos_token")->p, 0);
    gguf_close(&f);
    hf_case_free(k);
}

static void gguf_export_turns_pairs_into_halves(void **state)
{
    (void)state;
    static const uint32_t want[] = {0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13};
    for (uint32_t r = 0; r < 12; r++)
        assert_int_equal(gguf_export_row(r, 8), want[r]);
}

static void gguf_export_stores_odd_rows_as_f16(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    model_table_deinit(&k->table);
    free(k->params);
    k->config.intermediate_size = 80; /* rows of down_proj: no whole blocks of 32 */
    assert_int_equal(model_table_init(&k->table, &k->config, NULL), OK);
    k->params = calloc(k->table.n_params, sizeof(float));
    struct gguf_export x = export_of(k, DTYPE_Q8_0);
    struct gguf_file f;
    assert_int_equal(gguf_export_write(&x, path, NULL), OK);
    assert_int_equal(gguf_open(&f, path, NULL), OK);
    assert_int_equal(gguf_find_tensor(&f.g, "blk.1.ffn_down.weight")->dtype, DTYPE_F16);
    assert_int_equal(gguf_find_tensor(&f.g, "blk.1.ffn_up.weight")->dtype, DTYPE_Q8_0);
    gguf_close(&f);
    hf_case_free(k);
}

static void gguf_export_that_fails_leaves_nothing(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    struct gguf_export x = export_of(k, DTYPE_F16);
    struct err e = {0};
    k->params[k->table.tensors[4].offset] = 1e9F;
    assert_int_equal(gguf_export_write(&x, path, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "v_proj"));
    struct buf none = {0};
    buf_put_str(&none, "{}");
    x.tokenizer = &none;
    assert_int_equal(gguf_export_write(&x, path, &e), ERR_ARG);
    assert_false(file_exists(path));
    buf_deinit(&none);
    hf_case_free(k);
}

static void gguf_export_survives_every_failing_allocation(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    struct gguf_export x = export_of(k, DTYPE_F32);
    bool is_done = false;
    for (uint64_t i = 1; i < 200 && !is_done; i++) {
        struct err e = {0};
        alloc_fail_nth(i);
        int rc = gguf_export_write(&x, path, &e);
        is_done = alloc_count() < i;
        alloc_fail_nth(0);
        assert_int_equal(rc, is_done ? OK : ERR_NOMEM);
    }
    assert_true(is_done);
    hf_case_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        CASE(gguf_export_written_is_read_back),
        CASE(gguf_export_tells_the_model_and_its_tokenizer),
        CASE(gguf_export_turns_pairs_into_halves),
        CASE(gguf_export_stores_odd_rows_as_f16),
        CASE(gguf_export_that_fails_leaves_nothing),
        CASE(gguf_export_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
