#include <stdio.h>

#include "engine/hf_folder.h"
#include "tests/unit/hf_case.h"

static char dir[PATH_CAP];

static int make_dir(void **state)
{
    (void)state;
    scratch_make(dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void assert_loads(const struct hf_case *k, enum dtype type)
{
    struct hf_folder f;
    struct err e = {0};
    if (hf_folder_open(&f, dir, &e)) fail_msg("%s", e.what);
    assert_int_equal(f.table.n_params, k->table.n_params);
    assert_int_equal(f.config.tie_word_embeddings, k->config.tie_word_embeddings);
    float *got = calloc(f.table.n_params, sizeof(float));
    if (hf_folder_load(&f, got, &e)) fail_msg("%s", e.what);
    for (uint64_t i = 0; i < f.table.n_params; i++) {
        uint8_t packed[4];
        float want;
        dtype_pack(type, k->params + i, 1, packed);
        dtype_unpack(type, packed, 1, &want);
        assert_true(got[i] == want);
    }
    free(got);
    hf_folder_close(&f);
}

static void assert_refused(int code, const char *says)
{
    struct hf_folder f;
    struct err e = {0};
    int rc = hf_folder_open(&f, dir, &e);
    if (rc == OK) {
        float *got = calloc(f.table.n_params, sizeof(float));
        rc = hf_folder_load(&f, got, &e);
        free(got);
        hf_folder_close(&f);
    }
    if (rc != code || !strstr(e.what, says)) fail_msg("%d %s, wanted %s", rc, e.what, says);
    if (!e.hint[0]) fail_msg("no hint: %s", e.what);
}

static void hf_folder_reads_one_file_of_each_type(void **state)
{
    (void)state;
    for (int is_tied = 0; is_tied < 2; is_tied++) {
        struct hf_case *k = hf_case_make(is_tied);
        hf_case_config(k, dir);
        for (int t = DTYPE_F32; t <= DTYPE_BF16; t++) {
            hf_case_shard(k, dir, "model.safetensors", (enum dtype)t, 0, k->n_items);
            assert_loads(k, (enum dtype)t);
        }
        hf_case_free(k);
    }
}

/* Shards in an order of their own, with tensors turned around inside. */
static void write_shards(struct hf_case *k, const char *index)
{
    for (uint32_t i = 0; i < k->n_items / 2; i++) {
        struct safetensors_item x = k->items[i];
        k->items[i] = k->items[k->n_items - 1 - i];
        k->items[k->n_items - 1 - i] = x;
    }
    hf_case_config(k, dir);
    hf_case_shard(k, dir, "model-00001-of-00002.safetensors", DTYPE_F32, 0, 5);
    hf_case_shard(k, dir, "model-00002-of-00002.safetensors", DTYPE_F32, 5, k->n_items - 5);
    scratch_write(dir, "model.safetensors.index.json", index, strlen(index));
}

#define TWO                                                                                        \
    "{\"weight_map\":{\"a\":\"model-00002-of-00002.safetensors\",\"b\":"                           \
    "\"model-00001-of-00002.safetensors\",\"c\":\"model-00002-of-00002.safetensors\"}}"

static void hf_folder_reads_shards_in_any_order(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(false);
    write_shards(k, TWO);
    assert_loads(k, DTYPE_F32);
    hf_case_free(k);
}

static void hf_folder_refuses_a_missing_shard_and_a_tensor_in_two(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(false);
    write_shards(k, "{\"weight_map\":{\"b\":\"model-00001-of-00002.safetensors\"}}");
    assert_refused(ERR_PROTO, "is missing");
    write_shards(k, TWO);
    hf_case_shard(k, dir, "model-00001-of-00002.safetensors", DTYPE_F32, 0, 6);
    assert_refused(ERR_PROTO, "in two files");
    hf_case_free(k);
}

static void hf_folder_index_keeps_names_inside_the_folder(void **state)
{
    (void)state;
    static const char *const bad[] = {"../model.safetensors",
                                      "/etc/model.safetensors",
                                      "sub/model.safetensors",
                                      ".safetensors",
                                      "..safetensors",
                                      "model.bin",
                                      "",
                                      "a b.safetensors",
                                      "a\\\\b.safetensors",
                                      ".hidden.safetensors"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char json[200];
        struct err e = {0};
        struct buf names = {0};
        uint32_t n = 0;
        snprintf(json, sizeof json, "{\"weight_map\":{\"a\":\"%s\"}}", bad[i]);
        if (hf_folder_index(json, strlen(json), &names, &n, &e) != ERR_PROTO)
            fail_msg("taken: %s", bad[i]);
        buf_deinit(&names);
    }
    struct buf names = {0};
    uint32_t n = 0;
    assert_int_equal(hf_folder_index(TWO, strlen(TWO), &names, &n, NULL), OK);
    assert_int_equal(n, 2);
    assert_string_equal((char *)names.p, "model-00001-of-00002.safetensors");
    buf_deinit(&names);
    assert_int_equal(hf_folder_index("{\"weight_map\":{}}", 17, &names, &n, NULL), ERR_PROTO);
    assert_int_equal(hf_folder_index("{}", 2, &names, &n, NULL), ERR_PROTO);
    struct buf json = {0};
    buf_put_str(&json, "{\"weight_map\":{\"x\":\"x.safetensors\"");
    for (int i = 0; i < HF_FOLDER_MAX_SHARDS; i++)
        buf_printf(&json, ",\"t%d\":\"m%d.safetensors\"", i, i);
    buf_put_str(&json, "}}");
    assert_int_equal(hf_folder_index(json.p, json.len, &names, &n, NULL), ERR_LIMIT);
    buf_deinit(&names);
    buf_deinit(&json);
}

static void hf_folder_names_what_is_missing_extra_or_misshapen(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    hf_case_config(k, dir);
    hf_case_shard(k, dir, "model.safetensors", DTYPE_F32, 0, k->n_items - 1);
    assert_refused(ERR_PROTO, "'model.norm.weight' is missing");
    struct safetensors_item *x = &k->items[k->n_items];
    *x = k->items[2];
    x->name = "model.layers.0.self_attn.q_proj.bias";
    hf_case_shard(k, dir, "model.safetensors", DTYPE_F32, 0, k->n_items + 1);
    assert_refused(ERR_PROTO, "q_proj.bias' has no place");
    k->items[2].dim[0] = 32;
    hf_case_shard(k, dir, "model.safetensors", DTYPE_F32, 0, k->n_items);
    assert_refused(ERR_PROTO, "q_proj.weight' is 32 x 64");
    k->items[2].dim[0] = 64;
    k->items[1].n_dims = 2; /* a norm must be a vector */
    hf_case_shard(k, dir, "model.safetensors", DTYPE_F32, 0, k->n_items);
    assert_refused(ERR_PROTO, "input_layernorm.weight' is 64 x 1");
    hf_case_free(k);
}

static void hf_folder_passes_over_old_rotary_buffers(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    hf_case_config(k, dir);
    k->items[k->n_items] = (struct safetensors_item){
        "model.layers.0.self_attn.rotary_emb.inv_freq", 1, {8}, k->params};
    hf_case_shard(k, dir, "model.safetensors", DTYPE_F32, 0, k->n_items + 1);
    assert_loads(k, DTYPE_F32);
    hf_case_free(k);
}

static void hf_folder_takes_a_tied_head_only_when_it_is_the_embedding(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    hf_case_config(k, dir);
    k->items[k->n_items] = (struct safetensors_item){
        "lm_head.weight", 2, {300, 64},
          k->items[0].values
    };
    hf_case_shard(k, dir, "model.safetensors", DTYPE_BF16, 0, k->n_items + 1);
    assert_loads(k, DTYPE_BF16);
    float *other = calloc(300 * 64, sizeof(float));
    k->items[k->n_items].values = other;
    hf_case_shard(k, dir, "model.safetensors", DTYPE_F32, 0, k->n_items + 1);
    assert_refused(ERR_ARG, "lm_head.weight differs");
    free(other);
    hf_case_free(k);
}

static void hf_folder_says_what_a_folder_lacks(void **state)
{
    (void)state;
    struct hf_folder f;
    struct err e = {0};
    assert_int_equal(hf_folder_open(&f, "/nonexistent", &e), ERR_NOTFOUND);
    struct hf_case *k = hf_case_make(true);
    hf_case_config(k, dir);
    assert_refused(ERR_NOTFOUND, "neither");
    scratch_write(dir, "pytorch_model.bin", "x", 1);
    assert_int_equal(hf_folder_open(&f, dir, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "pickled"));
    scratch_write(dir, "model.safetensors", "x", 1);
    assert_refused(ERR_PROTO, "model.safetensors");
    hf_case_free(k);
}

static void hf_folder_survives_every_failing_allocation(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    hf_case_config(k, dir);
    hf_case_shard(k, dir, "model.safetensors", DTYPE_F32, 0, k->n_items);
    float *got = calloc(k->table.n_params, sizeof(float));
    bool is_done = false;
    for (uint64_t i = 1; i < 100 && !is_done; i++) {
        struct hf_folder f;
        struct err e = {0};
        alloc_fail_nth(i);
        int rc = hf_folder_open(&f, dir, &e);
        if (!rc) {
            rc = hf_folder_load(&f, got, &e);
            hf_folder_close(&f);
        }
        is_done = alloc_count() < i;
        alloc_fail_nth(0);
        assert_int_equal(rc, is_done ? OK : ERR_NOMEM);
    }
    assert_true(is_done);
    free(got);
    hf_case_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
        CASE(hf_folder_reads_one_file_of_each_type),
        CASE(hf_folder_reads_shards_in_any_order),
        CASE(hf_folder_refuses_a_missing_shard_and_a_tensor_in_two),
        CASE(hf_folder_index_keeps_names_inside_the_folder),
        CASE(hf_folder_names_what_is_missing_extra_or_misshapen),
        CASE(hf_folder_passes_over_old_rotary_buffers),
        CASE(hf_folder_takes_a_tied_head_only_when_it_is_the_embedding),
        CASE(hf_folder_says_what_a_folder_lacks),
        CASE(hf_folder_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
