#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "engine/trainer_state.h"
#include "tests/check.h"

enum { N = 50 };

struct state_case {
    char dir[100];
    char path[150];
    float values[TRAINER_STATE_BLOCKS][N];
    struct trainer_state s;
};

static struct state_case *make(float first)
{
    struct state_case *k = calloc(1, sizeof *k);
    const struct model_config c = {.vocab_size = 5, .hidden_size = 6};
    snprintf(k->dir, sizeof k->dir, "/tmp/potluck-state-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    snprintf(k->path, sizeof k->path, "%s/state", k->dir);
    k->s = (struct trainer_state){.n_params = N, .n_steps = 77, .shape = trainer_state_shape(&c)};
    for (int b = 0; b < TRAINER_STATE_BLOCKS; b++) {
        for (int i = 0; i < N; i++)
            k->values[b][i] = first + (float)(b * N + i);
        k->s.block[b] = k->values[b];
    }
    return k;
}

static void unmake(struct state_case *k)
{
    unlink(k->path);
    rmdir(k->dir);
    free(k);
}

/* Put these bytes there, without the syncs of file_replace: hundreds of them would be slow. */
static void put(const struct state_case *k, const void *bytes, size_t n)
{
    FILE *f = fopen(k->path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void save(struct state_case *k)
{
    struct err e = {0};
    if (trainer_state_save(&k->s, k->path, "hello", &e)) fail_msg("%s", e.what);
}

/* Load into fresh values; they must be untouched when it fails. */
static int load(struct state_case *k, struct err *e)
{
    char note[10] = "before";
    struct state_case *into = make(1000);
    float kept[TRAINER_STATE_BLOCKS][N];
    memcpy(kept, into->values, sizeof kept);
    into->s.n_steps = 1;
    int rc = trainer_state_load(&into->s, k->path, note, sizeof note, e);
    assert_string_equal(note, rc ? "before" : "hello");
    assert_int_equal(into->s.n_steps, rc ? 1 : 77);
    size_t n_blocks =
        into->s.block[TRAINER_STATE_ANCHOR] ? TRAINER_STATE_BLOCKS : TRAINER_STATE_ANCHOR;
    assert_memory_equal(into->values, rc ? kept : k->values, n_blocks * sizeof *kept);
    unmake(into);
    return rc;
}

static void trainer_state_comes_back_as_it_was_saved(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct err e = {0};
    save(k);
    assert_int_equal(load(k, &e), OK);
    struct stat st;
    assert_int_equal(stat(k->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    unmake(k);
}

static void trainer_state_load_refuses_every_flipped_byte(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct buf file = {0};
    save(k);
    assert_int_equal(file_read(k->path, 1 << 20, &file, NULL), OK);
    for (size_t i = 0; i < file.len; i += i < 200 ? 1 : 37) {
        struct err e = {0};
        file.p[i] ^= 1;
        put(k, file.p, file.len);
        int rc = load(k, &e);
        assert_true(rc == ERR_PROTO || rc == ERR_AUTH || rc == ERR_VERSION);
        assert_true(e.what[0] && e.hint[0]);
        file.p[i] ^= 1;
    }
    buf_deinit(&file);
    unmake(k);
}

static void trainer_state_load_refuses_every_truncation(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct buf file = {0};
    save(k);
    assert_int_equal(file_read(k->path, 1 << 20, &file, NULL), OK);
    for (size_t n = 0; n < file.len; n += 29) {
        struct err e = {0};
        put(k, file.p, n);
        assert_int_equal(load(k, &e), ERR_PROTO);
    }
    buf_deinit(&file);
    unmake(k);
}

static void trainer_state_load_refuses_another_version_and_another_model(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct buf file = {0};
    struct err e = {0};
    save(k);
    assert_int_equal(file_read(k->path, 1 << 20, &file, NULL), OK);
    bytes_put_u32(file.p + 12, 4);
    put(k, file.p, file.len);
    assert_int_equal(load(k, &e), ERR_VERSION);
    assert_non_null(strstr(e.what, "version 4"));
    k->s.shape.b[0] ^= 1;
    save(k);
    assert_int_equal(load(k, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "another model"));
    buf_deinit(&file);
    unmake(k);
}

/* A state without steps ahead is read where there is room for them, and says so; one with them is
 * refused where there is none.
 */
static void trainer_state_knows_whether_steps_were_taken_ahead(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct state_case *other = make(1000);
    struct err e = {0};
    char note[10];
    save(k);
    other->s.block[TRAINER_STATE_ANCHOR] = NULL;
    assert_int_equal(trainer_state_load(&other->s, k->path, note, sizeof note, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "ahead"));
    assert_true(other->values[0][0] == 1000);
    k->s.block[TRAINER_STATE_ANCHOR] = NULL;
    save(k);
    other->s.block[TRAINER_STATE_ANCHOR] = other->values[TRAINER_STATE_ANCHOR];
    assert_int_equal(trainer_state_load(&other->s, k->path, note, sizeof note, &e), OK);
    assert_null(other->s.block[TRAINER_STATE_ANCHOR]);
    unmake(k);
    unmake(other);
}

/* Version 2 had a list of five kinds. */
static void trainer_state_reads_the_second_version(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct buf file = {0};
    struct err e = {0};
    k->s.block[TRAINER_STATE_ANCHOR] = NULL;
    save(k);
    assert_int_equal(file_read(k->path, 1 << 20, &file, NULL), OK);
    bytes_put_u32(file.p + 12, 2);
    file.p[73] = 0;
    struct hash sum = hash_of(file.p, file.len - HASH_BYTES);
    memcpy(file.p + file.len - HASH_BYTES, sum.b, HASH_BYTES);
    put(k, file.p, file.len);
    if (load(k, &e)) fail_msg("%s", e.what);
    buf_deinit(&file);
    unmake(k);
}

/* Version 1 had no list of kinds; its files are still good. */
static void trainer_state_reads_the_first_version(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct buf file = {0}, old = {0};
    struct err e = {0};
    k->s.block[TRAINER_STATE_ANCHOR] = NULL;
    save(k);
    assert_int_equal(file_read(k->path, 1 << 20, &file, NULL), OK);
    uint32_t head = (uint32_t)(file.p[8] | file.p[9] << 8);
    buf_put(&old, file.p, 68);
    buf_put(&old, file.p + 76, head - 76);
    while (old.len < (68 + 5 + 63) / 64 * 64)
        buf_put_u8(&old, 0);
    old.len = (68 + 5 + 63) / 64 * 64;
    bytes_put_u32(old.p + 8, (uint32_t)old.len);
    bytes_put_u32(old.p + 12, 1);
    buf_put(&old, file.p + head, file.len - head - HASH_BYTES);
    struct hash sum = hash_of(old.p, old.len);
    buf_put(&old, sum.b, HASH_BYTES);
    put(k, old.p, old.len);
    if (load(k, &e)) fail_msg("%s", e.what);
    buf_deinit(&file);
    buf_deinit(&old);
    unmake(k);
}

static void trainer_state_refuses_other_memory_options_and_reads_around_them(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct err e = {0};
    k->s.block[TRAINER_STATE_BASE] = NULL; /* not there at all */
    k->s.kind[TRAINER_STATE_M] = PACKED_BF16;
    save(k);
    k->s.block[TRAINER_STATE_BASE] = k->values[TRAINER_STATE_BASE];
    assert_int_equal(load(k, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "memory options"));
    unmake(k);
}

static void trainer_state_tells_how_it_is_kept(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct err e = {0};
    enum packed_kind m = PACKED_F32, f = PACKED_F32;
    k->s.kind[TRAINER_STATE_M] = PACKED_Q8;
    k->s.kind[TRAINER_STATE_V] = PACKED_U8;
    k->s.kind[TRAINER_STATE_E] = PACKED_BF16;
    assert_int_equal(trainer_state_kinds(k->path, &m, &f, &e), ERR_NOTFOUND);
    save(k);
    assert_int_equal(trainer_state_kinds(k->path, &m, &f, &e), OK);
    assert_int_equal(m, PACKED_Q8);
    assert_int_equal(f, PACKED_BF16);
    k->s.block[TRAINER_STATE_E] = NULL; /* somebody who trains alone */
    save(k);
    assert_int_equal(trainer_state_kinds(k->path, &m, &f, &e), OK);
    assert_int_equal(f, PACKED_F32);
    k->s.kind[TRAINER_STATE_V] = PACKED_BF16; /* fits in a file, but no trainer does that */
    save(k);
    assert_int_equal(trainer_state_kinds(k->path, &m, &f, &e), ERR_PROTO);
    put(k, "PLSTATE", 7);
    assert_int_equal(trainer_state_kinds(k->path, &m, &f, &e), ERR_PROTO);
    assert_int_equal(m, PACKED_Q8);
    unmake(k);
}

static void trainer_state_missing_file_is_not_found(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct err e = {0};
    assert_int_equal(load(k, &e), ERR_NOTFOUND);
    unmake(k);
}

static void trainer_state_save_that_fails_keeps_the_old_file(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct err e = {0};
    char long_note[TRAINER_STATE_NOTE_MAX + 2];
    memset(long_note, 'x', sizeof long_note - 1);
    long_note[sizeof long_note - 1] = 0;
    save(k);
    assert_int_equal(trainer_state_save(&k->s, k->path, long_note, &e), ERR_LIMIT);
    assert_int_equal(trainer_state_save(&k->s, "/nonexistent/x", "", &e), ERR_IO);
    alloc_fail_nth(1);
    int rc = trainer_state_save(&k->s, k->path, "other", &e);
    alloc_fail_nth(0);
    assert_true(rc == OK || rc == ERR_NOMEM);
    if (rc) assert_int_equal(load(k, &e), OK);
    char tmp[200];
    snprintf(tmp, sizeof tmp, "%s.tmp", k->path);
    assert_false(file_exists(tmp));
    unmake(k);
}

static void trainer_state_save_does_not_write_through_a_link(void **state)
{
    (void)state;
    if (!file_exists("/dev/full")) skip();
    struct state_case *k = make(0);
    struct err e = {0};
    char tmp[200];
    save(k);
    snprintf(tmp, sizeof tmp, "%s.tmp", k->path);
    assert_int_equal(symlink("/dev/full", tmp), 0);
    assert_int_equal(trainer_state_save(&k->s, k->path, "x", &e), ERR_IO);
    assert_true(e.what[0]);
    assert_int_equal(load(k, &e), OK);
    unlink(tmp);
    unmake(k);
}

static void trainer_state_shape_tells_models_apart(void **state)
{
    (void)state;
    struct model_config c = {.vocab_size = 5, .hidden_size = 6};
    struct hash a = trainer_state_shape(&c);
    c.num_key_value_heads = 1;
    struct hash b = trainer_state_shape(&c);
    assert_false(hash_equal(&a, &b));
}

static void trainer_state_gives_one_block_alone(void **state)
{
    (void)state;
    struct state_case *k = make(0);
    struct err e = {0};
    char note[10];
    float got[N];
    uint64_t n_steps = 0;
    save(k);
    for (int b = 0; b < TRAINER_STATE_BLOCKS; b++) {
        assert_int_equal(trainer_state_load_block(k->path, &k->s.shape, N,
                                                  (enum trainer_state_block)b, got, &n_steps, note,
                                                  sizeof note, &e),
                         OK);
        assert_memory_equal(got, k->values[b], sizeof got);
        assert_int_equal(n_steps, 77);
        assert_string_equal(note, "hello");
    }
    struct hash other = {{1}};
    assert_int_equal(trainer_state_load_block(k->path, &other, N, TRAINER_STATE_BASE, got, NULL,
                                              note, sizeof note, &e),
                     ERR_PROTO);
    unmake(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trainer_state_comes_back_as_it_was_saved),
        cmocka_unit_test(trainer_state_load_refuses_every_flipped_byte),
        cmocka_unit_test(trainer_state_load_refuses_every_truncation),
        cmocka_unit_test(trainer_state_load_refuses_another_version_and_another_model),
        cmocka_unit_test(trainer_state_knows_whether_steps_were_taken_ahead),
        cmocka_unit_test(trainer_state_reads_the_second_version),
        cmocka_unit_test(trainer_state_reads_the_first_version),
        cmocka_unit_test(trainer_state_refuses_other_memory_options_and_reads_around_them),
        cmocka_unit_test(trainer_state_tells_how_it_is_kept),
        cmocka_unit_test(trainer_state_missing_file_is_not_found),
        cmocka_unit_test(trainer_state_save_that_fails_keeps_the_old_file),
        cmocka_unit_test(trainer_state_save_does_not_write_through_a_link),
        cmocka_unit_test(trainer_state_shape_tells_models_apart),
        cmocka_unit_test(trainer_state_gives_one_block_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
