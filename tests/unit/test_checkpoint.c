#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/checkpoint.h"
#include "tests/unit/tinyrun.h"

static struct rundesc d;
static struct model_table t;
static float *w;
static struct buf file;
static struct checkpoint c;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    memset(&file, 0, sizeof file);
    tinyrun_make(&d, &t);
    w = calloc(t.n_params, sizeof *w);
    model_init_weights(&t, &d.model, d.init_seed, w);
    return checkpoint_write(7, &t, w, &file, &e);
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&file);
    model_table_deinit(&t);
    free(w);
    return 0;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    assert_int_equal(file.len, CHECKPOINT_HEADER_BYTES + t.n_params * 4);
    assert_int_equal(checkpoint_parse(file.p, file.len, &c, &e), OK);
    assert_int_equal(c.round, 7);
    assert_int_equal(c.n_params, t.n_params);
    assert_true(hash_equal(&c.model, &d.initial_model));
    assert_memory_equal(c.weights, w, c.n_bytes);
}

static void a_single_changed_bit_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < file.len; i += i < 80 ? 1 : 997) {
        bool is_round = i >= 16 && i < 24; /* belongs to the books, which check it */
        file.p[i] ^= 0x10;
        assert_int_equal(checkpoint_parse(file.p, file.len, &c, &e) == OK, is_round);
        file.p[i] ^= 0x10;
    }
}

static void a_file_too_short_or_too_long_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < 80; n++)
        assert_int_not_equal(checkpoint_parse(file.p, n, &c, &e), OK);
    assert_int_equal(checkpoint_parse(file.p, file.len - 1, &c, &e), ERR_PROTO);
    buf_put_u8(&file, 0);
    assert_int_equal(checkpoint_parse(file.p, file.len, &c, &e), ERR_PROTO);
}

static void another_version_is_told_apart(void **state)
{
    (void)state;
    bytes_put_u32(file.p + 8, 2);
    assert_int_equal(checkpoint_parse(file.p, file.len, &c, &e), ERR_VERSION);
}

static void an_absurd_number_of_parameters_is_refused(void **state)
{
    (void)state;
    bytes_put_u64(file.p + 24, UINT64_MAX / 4 + 2);
    assert_int_equal(checkpoint_parse(file.p, file.len, &c, &e), ERR_PROTO);
    bytes_put_u64(file.p + 24, 0);
    assert_int_equal(checkpoint_parse(file.p, file.len, &c, &e), ERR_PROTO);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_written_is_read),
        CASE(a_single_changed_bit_is_noticed),
        CASE(a_file_too_short_or_too_long_is_refused),
        CASE(another_version_is_told_apart),
        CASE(an_absurd_number_of_parameters_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
