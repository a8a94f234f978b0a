#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "engine/safetensors.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP];

static const char *in_dir(const char *name)
{
    static char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    return path;
}

/* A header before n_data bytes of data. */
static void make(const char *header, size_t n_data, struct buf *b)
{
    buf_clear(b);
    buf_put_u64(b, strlen(header));
    buf_put_str(b, header);
    for (size_t i = 0; i < n_data; i++)
        buf_put_u8(b, (uint8_t)i);
    assert_false(b->failed);
}

static int parse(const char *header, size_t n_data, struct err *e)
{
    struct buf b = {0};
    struct safetensors s = {0};
    make(header, n_data, &b);
    int rc = safetensors_parse(b.p, b.len, b.len, &s, e);
    safetensors_deinit(&s);
    buf_deinit(&b);
    return rc;
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"

static void safetensors_parse_finds_every_tensor(void **state)
{
    (void)state;
    struct buf b = {0};
    struct safetensors s = {0};
    make("{\"z\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[24,26]}," A
         ",\"__metadata__\":{\"format\":\"pt\"},\"m\":{\"dtype\":\"I64\",\"shape\":[0],"
         "\"data_offsets\":[26,26]}}   ",
         26, &b);
    assert_int_equal(safetensors_parse(b.p, b.len, b.len, &s, NULL), OK);
    assert_int_equal(s.n_tensors, 3);
    const struct safetensors_tensor *t = safetensors_find(&s, "a");
    assert_non_null(t);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dim[1], 3);
    assert_int_equal(t->n_bytes, 24);
    assert_int_equal(t->at, s.data_at);
    t = safetensors_find(&s, "z");
    assert_int_equal(t->n, 1);
    assert_int_equal(t->dtype, DTYPE_BF16);
    assert_int_equal(safetensors_find(&s, "m")->dtype, 0);
    assert_null(safetensors_find(&s, "b"));
    assert_null(safetensors_find(&s, "__metadata__"));
    safetensors_deinit(&s);
    buf_deinit(&b);
}

static void safetensors_parse_refuses_what_is_not_sound(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        const char *says;
    } bad[] = {
        {"[]",                                                                                   0,  "not an object" },
        {" {}",                                                                                  0,  "not an object" },
        {"{" A "}",                                                                              23, "outside"       },
        {"{" A "}",                                                                              25, "after the last"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,23]}}",                    23, "length"        },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,24]}}",                    24, "length"        },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[4,28]}}",                    28, "hole"          },
        {"{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[20,24]}}",              24, "overlaps"      },
        {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}",              24, "overlaps"      },
        {"{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[25,29]}}",              29, "hole"          },
        {"{" A "," A "}",                                                                        24, "duplicate"     },
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[6],\"data_offsets\":[0,24]}}",                    24, "type"          },
        {"{\"a\":{\"dtype\":5,\"shape\":[6],\"data_offsets\":[0,24]}}",                          24, "dtype"         },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-6],\"data_offsets\":[0,24]}}",                   24, "whole"         },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6.0],\"data_offsets\":[0,24]}}",                  24, "whole"         },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":6,\"data_offsets\":[0,24]}}",                      24, "shape"         },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}",      1,
         "shape"                                                                                                     },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         "memory"                                                                                                    },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}",   0,
         "memory"                                                                                                    },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[24,0]}}",                    24, "outside"       },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[-24,0]}}",                   24, "outside"       },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24,48]}}",                 24,
         "data_offsets"                                                                                              },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0]}}",                       24, "data_offsets"  },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24],\"x\":1}}",            24,
         "described"                                                                                                 },
        {"{\"\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}",                     24, "name"          },
        {"{\"a\":7}",                                                                            0,  "described"     },
        {"{\"__metadata__\":7}",                                                                 0,  "__metadata__"  },
        {"{\"__metadata__\":{\"a\":7}}",                                                         0,  "__metadata__"  },
        {"{" A,                                                                                  24, "JSON"          },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        if (parse(bad[i].header, bad[i].n_data, &e) != ERR_PROTO)
            fail_msg("taken: %s", bad[i].header);
        if (!strstr(e.what, bad[i].says)) fail_msg("%s: %s", bad[i].header, e.what);
    }
}

static void safetensors_parse_refuses_absurd_header_lengths(void **state)
{
    (void)state;
    struct err e = {0};
    uint64_t n = 0;
    uint8_t first[8];
    const uint64_t lengths[] = {0, 1, 93, 100, 1u << 30, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        bytes_put_u64(first, lengths[i]);
        assert_int_equal(safetensors_header_bytes(first, 100, &n, &e), ERR_PROTO);
    }
    bytes_put_u64(first, (uint64_t)SAFETENSORS_MAX_HEADER + 1);
    assert_int_equal(safetensors_header_bytes(first, UINT64_MAX, &n, &e), ERR_LIMIT);
    bytes_put_u64(first, 92);
    assert_int_equal(safetensors_header_bytes(first, 100, &n, &e), OK);
    assert_int_equal(n, 92);
    struct safetensors s = {0};
    assert_int_equal(safetensors_parse("1234567", 7, 7, &s, &e), ERR_PROTO);
    struct buf b = {0};
    make("{" A "}", 24, &b);
    assert_int_equal(safetensors_parse(b.p, 20, b.len, &s, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "cut short"));
    buf_deinit(&b);
}

static float values[300000];

static void fill(void)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        values[i] = sinf((float)i) * 3;
}

static const struct safetensors_item items[] = {
    {"weight", 2, {500, 600}, values      },
    {"norm",   1, {7},        values + 100},
    {"bias",   2, {1, 1},     values + 9  },
};

/* Values read back through `type`, compared with what the type makes of each. */
static void round_trip(enum dtype type)
{
    static float back[300000];
    static uint8_t io[SAFETENSORS_IO];
    struct safetensors_file f;
    assert_int_equal(safetensors_write(in_dir("m"), type, items, 3, NULL), OK);
    assert_int_equal(safetensors_open(&f, in_dir("m"), NULL), OK);
    assert_int_equal(f.s.n_tensors, 3);
    assert_int_equal(f.s.data_at % 64, 0);
    for (int i = 0; i < 3; i++) {
        const struct safetensors_tensor *t = safetensors_find(&f.s, items[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, type);
        assert_int_equal(t->n_dims, items[i].n_dims);
        assert_int_equal(safetensors_read(&f, t, 0, t->n, back, io, NULL), OK);
        for (uint64_t k = 0; k < t->n; k++) {
            uint8_t two[4];
            float want;
            dtype_pack(type, items[i].values + k, 1, two);
            dtype_unpack(type, two, 1, &want);
            assert_memory_equal(&back[k], &want, 4);
        }
    }
    const struct safetensors_tensor *t = safetensors_find(&f.s, "weight");
    assert_int_equal(safetensors_read(&f, t, 299990, 10, back + 1, io, NULL), OK);
    if (type == DTYPE_F32) assert_memory_equal(back + 1, values + 299990, 40);
    safetensors_close(&f);
}

static void safetensors_written_is_read_back_to_the_bit(void **state)
{
    (void)state;
    fill();
    round_trip(DTYPE_F32);
    round_trip(DTYPE_F16);
    round_trip(DTYPE_BF16);
}

static void safetensors_write_refuses_values_that_do_not_fit(void **state)
{
    (void)state;
    struct err e = {0};
    float v[2] = {1, 70000};
    const struct safetensors_item x = {"w", 1, {2}, v};
    assert_int_equal(safetensors_write(in_dir("n"), DTYPE_F16, &x, 1, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "'w'"));
    assert_false(file_exists(in_dir("n")));
    assert_false(file_exists(in_dir("n.tmp")));
    assert_int_equal(safetensors_write(in_dir("n"), DTYPE_BF16, &x, 1, &e), OK);
    v[0] = (float)NAN;
    assert_int_equal(safetensors_write(in_dir("n"), DTYPE_F32, &x, 1, &e), ERR_ARG);
}

static void safetensors_read_refuses_nan_and_types_it_cannot_read(void **state)
{
    (void)state;
    struct buf b = {0};
    struct err e = {0};
    struct safetensors_file f;
    float back[6];
    static uint8_t io[SAFETENSORS_IO];
    make("{" A ",\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[24,32]}}", 32, &b);
    bytes_put_u32(b.p + b.len - 32, 0x7fc00000u);
    scratch_write(dir, "bad", b.p, b.len);
    assert_int_equal(safetensors_open(&f, in_dir("bad"), &e), OK);
    const struct safetensors_tensor *t = safetensors_find(&f.s, "a");
    assert_int_equal(safetensors_read(&f, t, 0, t->n, back, io, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "'a'"));
    t = safetensors_find(&f.s, "i");
    assert_int_equal(safetensors_read(&f, t, 0, t->n, back, io, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "I64"));
    safetensors_close(&f);
    buf_deinit(&b);
}

static void safetensors_open_says_what_is_wrong_with_a_file(void **state)
{
    (void)state;
    struct err e = {0};
    struct safetensors_file f;
    assert_int_equal(safetensors_open(&f, in_dir("none"), &e), ERR_NOTFOUND);
    assert_int_equal(safetensors_open(&f, dir, &e), ERR_PROTO);
    scratch_write(dir, "empty", "", 0);
    assert_int_equal(safetensors_open(&f, in_dir("empty"), &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "empty: "));
    struct buf b = {0};
    make("{" A "}", 23, &b);
    scratch_write(dir, "short", b.p, b.len);
    assert_int_equal(safetensors_open(&f, in_dir("short"), &e), ERR_PROTO);
    safetensors_close(&f);
    buf_deinit(&b);
}

static void safetensors_survives_every_failing_allocation(void **state)
{
    (void)state;
    struct safetensors_file f;
    for (uint64_t k = 1; k < 40; k++) {
        struct err e = {0};
        alloc_fail_nth(k);
        int rc = safetensors_write(in_dir("f"), DTYPE_F32, items, 3, &e);
        if (!rc) rc = safetensors_open(&f, in_dir("f"), &e);
        bool reached = alloc_count() >= k;
        alloc_fail_nth(0);
        assert_int_equal(rc, reached ? ERR_NOMEM : OK);
        if (rc) continue;
        safetensors_close(&f);
        return;
    }
    fail_msg("never enough memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_parse_finds_every_tensor),
        cmocka_unit_test(safetensors_parse_refuses_what_is_not_sound),
        cmocka_unit_test(safetensors_parse_refuses_absurd_header_lengths),
        cmocka_unit_test(safetensors_written_is_read_back_to_the_bit),
        cmocka_unit_test(safetensors_write_refuses_values_that_do_not_fit),
        cmocka_unit_test(safetensors_read_refuses_nan_and_types_it_cannot_read),
        cmocka_unit_test(safetensors_open_says_what_is_wrong_with_a_file),
        cmocka_unit_test(safetensors_survives_every_failing_allocation),
    };
    scratch_make(dir);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(dir);
    return rc;
}
