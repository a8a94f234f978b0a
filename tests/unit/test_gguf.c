#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "engine/gguf.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

static struct buf file;

static void put_text(const char *s)
{
    buf_put_u64(&file, strlen(s));
    buf_put_str(&file, s);
}

static void put_key(const char *key, enum gguf_type type)
{
    put_text(key);
    buf_put_u32(&file, (uint32_t)type);
}

static void begin(uint64_t n_tensors, uint64_t n_settings)
{
    buf_clear(&file);
    buf_put_str(&file, "GGUF");
    buf_put_u32(&file, 3);
    buf_put_u64(&file, n_tensors);
    buf_put_u64(&file, n_settings);
}

static void put_tensor(const char *name, uint64_t cols, uint64_t rows, uint32_t type, uint64_t at)
{
    put_text(name);
    buf_put_u32(&file, rows ? 2 : 1);
    buf_put_u64(&file, cols);
    if (rows) buf_put_u64(&file, rows);
    buf_put_u32(&file, type);
    buf_put_u64(&file, at);
}

static void pad(void)
{
    while (file.len % 32)
        buf_put_u8(&file, 0);
}

/* One of each kind of setting, two tensors: f32 [3] at 0, q8_0 [2 x 32] at 32. */
static void make(void)
{
    begin(2, 6);
    put_key("general.architecture", GGUF_STRING);
    put_text("llama");
    put_key("n", GGUF_U32);
    buf_put_u32(&file, 77);
    put_key("x", GGUF_F32);
    buf_put_f32(&file, 0.5F);
    put_key("yes", GGUF_BOOL);
    buf_put_u8(&file, 1);
    put_key("words", GGUF_ARRAY);
    buf_put_u32(&file, GGUF_STRING);
    buf_put_u64(&file, 2);
    put_text("one");
    put_text("");
    put_key("numbers", GGUF_ARRAY);
    buf_put_u32(&file, GGUF_I16);
    buf_put_u64(&file, 3);
    buf_put(&file, "abcdef", 6);
    put_tensor("w", 32, 2, 8, 32);
    put_tensor("b", 3, 0, 0, 0);
    pad();
    for (int i = 0; i < 3; i++)
        buf_put_f32(&file, (float)i);
    pad();
    for (int i = 0; i < 2 * DTYPE_Q8_0_BYTES; i++)
        buf_put_u8(&file, (uint8_t)(i % 34 == 1 ? 0x3c : i % 34 ? 2 : 0));
    pad();
    assert_false(file.failed);
}

static int parse(struct err *e)
{
    struct gguf g = {0};
    int rc = gguf_parse(file.p, file.len, file.len, &g, e);
    gguf_deinit(&g);
    return rc;
}

static void gguf_parse_finds_settings_and_tensors(void **state)
{
    (void)state;
    struct gguf g = {0};
    uint64_t n = 0;
    double x = 0;
    struct gguf_text s = {0};
    make();
    assert_int_equal(gguf_parse(file.p, file.len, file.len, &g, NULL), OK);
    assert_true(gguf_whole(&g, "n", &n) && n == 77);
    assert_true(gguf_real(&g, "x", &x) && x == 0.5);
    assert_true(gguf_string(&g, "general.architecture", &s) && s.n == 5);
    assert_memory_equal(s.p, "llama", 5);
    assert_false(gguf_whole(&g, "x", &n) || gguf_real(&g, "n", &x) || gguf_string(&g, "n", &s));
    assert_false(gguf_whole(&g, "none", &n));
    const struct gguf_setting *words = gguf_find(&g, "words");
    size_t at = 0;
    assert_int_equal(words->n_items, 2);
    assert_true(gguf_next(words, &at, &s) && s.n == 3);
    assert_true(gguf_next(words, &at, &s) && s.n == 0);
    assert_false(gguf_next(words, &at, &s));
    const struct gguf_tensor *w = gguf_find_tensor(&g, "w");
    assert_int_equal(w->dim[0], 32);
    assert_int_equal(w->n_bytes, 68);
    assert_int_equal(w->at, g.data_at + 32);
    assert_null(gguf_find_tensor(&g, "v"));
    gguf_deinit(&g);
}

static void gguf_parse_takes_a_file_without_padding_at_its_end(void **state)
{
    (void)state;
    struct gguf g = {0};
    make();
    size_t end = file.len - 28; /* 68 bytes padded to 96 */
    assert_int_equal(gguf_parse(file.p, end, end, &g, NULL), OK);
    gguf_deinit(&g);
    assert_int_equal(gguf_parse(file.p, end - 1, end - 1, &g, NULL), ERR_PROTO);
    assert_int_equal(gguf_parse(file.p, end + 1, end + 1, &g, NULL), ERR_PROTO);
}

static void gguf_parse_refuses_every_truncation(void **state)
{
    (void)state;
    make();
    for (size_t n = 0; n < file.len - 28; n++) {
        struct gguf g = {0};
        struct err e = {0};
        assert_int_equal(gguf_parse(file.p, n, n, &g, &e), ERR_PROTO);
        assert_true(e.what[0] && e.hint[0]);
        assert_null(g.settings);
    }
}

/* Two tensors of f32 [8] at these offsets, and how much data there is. */
static int place(const char *name, uint64_t a, uint64_t b, size_t n_data, struct err *e)
{
    begin(2, 0);
    put_tensor("a", 8, 0, 0, a);
    put_tensor(name, 8, 0, 0, b);
    pad();
    for (size_t i = 0; i < n_data; i++)
        buf_put_u8(&file, 0);
    return parse(e);
}

static void gguf_parse_refuses_overlaps_holes_and_doubles(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(place("b", 0, 32, 64, &e), OK);
    assert_int_equal(place("b", 32, 0, 64, &e), OK);
    assert_int_equal(place("b", 0, 0, 64, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "overlap"));
    assert_int_equal(place("b", 0, 64, 96, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "hole"));
    assert_int_equal(place("b", 0, 33, 96, &e), ERR_PROTO);
    assert_int_equal(place("b", 0, 32, 96, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "after"));
    assert_int_equal(place("b", 0, 32, 63, &e), ERR_PROTO);
    assert_int_equal(place("b", 0, UINT64_MAX - 31, 64, &e), ERR_PROTO);
    assert_int_equal(place("a", 0, 32, 64, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "twice"));
}

static int tensor(uint64_t cols, uint64_t rows, uint32_t type, struct err *e)
{
    begin(1, 0);
    put_tensor("t", cols, rows, type, 0);
    pad();
    return parse(e);
}

static void gguf_parse_refuses_absurd_tensors(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(tensor(0, 0, 0, &e), ERR_PROTO);
    assert_int_equal(tensor(UINT64_C(1) << 40, UINT64_C(1) << 40, 0, &e), ERR_PROTO);
    assert_int_equal(tensor(UINT64_C(1) << 62, 0, 0, &e), ERR_PROTO);
    assert_int_equal(tensor(33, 2, 8, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "blocks"));
    assert_int_equal(tensor(32, 2, 2, &e), ERR_PROTO); /* q4_0 */
    assert_non_null(strstr(e.what, "type 2"));
    begin(1, 0);
    put_text("t");
    buf_put_u32(&file, 5);
    assert_int_equal(parse(&e), ERR_PROTO);
}

static void gguf_parse_refuses_absurd_settings(void **state)
{
    (void)state;
    struct err e = {0};
    static const struct {
        uint32_t type, item;
        uint64_t n;
    } bad[] = {
        {13,         0,           0         },
        {GGUF_ARRAY, GGUF_ARRAY,  1         },
        {GGUF_ARRAY, 99,          1         },
        {GGUF_ARRAY, GGUF_U8,     UINT64_MAX},
        {GGUF_ARRAY, GGUF_F64,    UINT64_MAX},
        {GGUF_ARRAY, GGUF_STRING, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin(0, 1);
        put_key("k", (enum gguf_type)bad[i].type);
        buf_put_u32(&file, bad[i].item);
        buf_put_u64(&file, bad[i].n);
        assert_int_equal(parse(&e), ERR_PROTO);
    }
    begin(0, 2);
    for (int i = 0; i < 2; i++) {
        put_key("k", GGUF_U8);
        buf_put_u8(&file, 1);
    }
    assert_int_equal(parse(&e), ERR_PROTO);
    assert_non_null(strstr(e.what, "twice"));
    begin(0, UINT64_MAX);
    assert_int_equal(parse(&e), ERR_LIMIT);
    begin(UINT64_MAX, 0);
    assert_int_equal(parse(&e), ERR_LIMIT);
    begin(0, 1);
    put_key("general.alignment", GGUF_U32);
    buf_put_u32(&file, 24);
    assert_int_equal(parse(&e), ERR_PROTO);
    make();
    bytes_put_u32(file.p + 4, 2);
    assert_int_equal(parse(&e), ERR_VERSION);
}

static void gguf_read_gives_the_values(void **state)
{
    (void)state;
    char dir[PATH_CAP], path[PATH_CAP];
    struct gguf_file f;
    struct err e = {0};
    float v[64];
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/m.gguf", dir), 0);
    make();
    scratch_write(dir, "m.gguf", file.p, file.len);
    assert_int_equal(gguf_open(&f, path, &e), OK);
    assert_int_equal(gguf_read(&f, gguf_find_tensor(&f.g, "b"), v, &e), OK);
    assert_true(v[0] == 0 && v[2] == 2);
    assert_int_equal(gguf_read(&f, gguf_find_tensor(&f.g, "w"), v, &e), OK);
    assert_true(v[0] == 2 && v[63] == 2); /* scale 1 */
    gguf_close(&f);
    for (uint64_t k = 1; k <= 3; k++) {
        alloc_fail_nth(k);
        assert_int_equal(gguf_open(&f, path, &e), ERR_NOMEM);
        alloc_fail_nth(0);
    }
    assert_int_equal(gguf_open(&f, dir, &e), ERR_PROTO);
    scratch_remove(dir);
    assert_int_equal(gguf_open(&f, path, &e), ERR_NOTFOUND);
}

static void gguf_refuse_knows_one_by_its_first_bytes(void **state)
{
    (void)state;
    char dir[PATH_CAP], path[PATH_CAP];
    struct err e = {0};
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/m.gguf", dir), 0);
    assert_int_equal(gguf_refuse(path, &e), OK);
    scratch_write(dir, "m.gguf", "", 0);
    assert_int_equal(gguf_refuse(path, &e), OK);
    scratch_write(dir, "m.gguf", "gGUFxxxx", 8);
    assert_int_equal(gguf_refuse(path, &e), OK);
    scratch_write(dir, "m.gguf", "GGUFxxxx", 8);
    assert_int_equal(gguf_refuse(path, &e), ERR_VERSION);
    assert_true(e.what[0] && strstr(e.hint, "config.json"));
    assert_int_equal(gguf_refuse(dir, &e), OK);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gguf_parse_finds_settings_and_tensors),
        cmocka_unit_test(gguf_parse_takes_a_file_without_padding_at_its_end),
        cmocka_unit_test(gguf_parse_refuses_every_truncation),
        cmocka_unit_test(gguf_parse_refuses_overlaps_holes_and_doubles),
        cmocka_unit_test(gguf_parse_refuses_absurd_tensors),
        cmocka_unit_test(gguf_parse_refuses_absurd_settings),
        cmocka_unit_test(gguf_read_gives_the_values),
        cmocka_unit_test(gguf_refuse_knows_one_by_its_first_bytes),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    buf_deinit(&file);
    return rc;
}
