#include "aggregator/spool.h"
#include "tests/unit/conform_blobs.h"
#include "tests/unit/scratch.h"
#include "tests/unit/spool_memory.h"

#define ID "0123456789abcdef0123456789abcdef"

static char dir[PATH_CAP];
static struct spool sp;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    scratch_make(dir);
    return spool_open(&sp, dir, &e);
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

/* The whole of this file again, with a back end that has no files. */
static int set_up_memory(void **state)
{
    (void)state;
    scratch_make(dir);
    return spool_open_with(&sp, spool_memory(), "nowhere", &e);
}

static int tear_down_memory(void **state)
{
    spool_memory_wipe();
    return tear_down(state);
}

static void memory_is_a_back_end_too(void **state)
{
    (void)state;
    struct conform_blobs c = {.driver = spool_memory(), .home = "nowhere"};
    conform_blobs_run(&c);
}

static void a_part_is_kept_beside_its_chunk_and_goes_with_it(void **state)
{
    (void)state;
    struct buf b = {0};
    uint8_t have[1] = {0};
    assert_int_equal(spool_part_read(&sp, ID, 3, &b, &e), OK);
    assert_int_equal(b.len, 0);
    assert_int_equal(spool_part_put(&sp, ID, 3, "half", 4, &e), OK);
    spool_chunks_have(&sp, ID, 8, have);
    assert_int_equal(have[0], 0);
    assert_int_equal(spool_part_read(&sp, ID, 3, &b, &e), OK);
    assert_int_equal(b.len, 4);
    spool_part_drop(&sp, ID, 3);
    assert_int_equal(spool_part_put(&sp, ID, 2, "half", 4, &e), OK);
    spool_chunks_drop(&sp, ID, 8);
    buf_clear(&b);
    assert_int_equal(spool_part_read(&sp, ID, 2, &b, &e), OK);
    assert_int_equal(spool_part_read(&sp, ID, 3, &b, &e), OK);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

static void a_view_is_checked_and_outlives_its_file(void **state)
{
    (void)state;
    struct hash h, other = {0};
    struct spool_view v = {0};
    assert_int_equal(spool_put(&sp, SPOOL_PAYLOAD, "payload", 7, &h, &e), OK);
    assert_int_equal(spool_view(&sp, SPOOL_PAYLOAD, &h, 6, &v, &e), ERR_LIMIT);
    assert_int_equal(spool_view(&sp, SPOOL_PAYLOAD, &other, 99, &v, &e), ERR_NOTFOUND);
    assert_int_equal(spool_view(&sp, SPOOL_PAYLOAD, &h, 7, &v, &e), OK);
    spool_drop(&sp, SPOOL_PAYLOAD, &h);
    assert_int_equal(v.n, 7);
    assert_memory_equal(v.p, "payload", 7);
    spool_view_close(&v);
    spool_view_close(&v);
    char path[PATH_CAP], hex[HASH_HEX];
    assert_int_equal(spool_put(&sp, SPOOL_PAYLOAD, "payload", 7, &h, &e), OK);
    if (strcmp(sp.driver->name, "files") != 0) return;
    assert_int_equal(path_format(path, "%s/payloads/%s", dir, hash_hex(&h, hex)), 0);
    assert_int_equal(file_replace(path, "paylaod", 7, 0600, &e), OK);
    assert_int_equal(spool_view(&sp, SPOOL_PAYLOAD, &h, 7, &v, &e), ERR_AUTH);
}

static void a_record_file_is_replaced_and_compared(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_false(spool_record_has(&sp, "checkpoint", "one", 3));
    assert_int_equal(spool_record_put(&sp, "checkpoint", "one", 3, &e), OK);
    assert_true(spool_record_has(&sp, "checkpoint", "one", 3));
    assert_false(spool_record_has(&sp, "checkpoint", "on", 2));
    assert_false(spool_record_has(&sp, "checkpoint", "one more", 8));
    assert_int_equal(spool_record_put(&sp, "checkpoint", "two", 3, &e), OK);
    assert_int_equal(spool_record_read(&sp, "checkpoint", 99, &b, &e), OK);
    assert_string_equal(buf_str(&b), "two");
    spool_record_drop(&sp, "checkpoint");
    assert_int_equal(spool_record_read(&sp, "checkpoint", 99, &b, &e), ERR_NOTFOUND);
    buf_deinit(&b);
}

static void chunks_are_found_again_by_number(void **state)
{
    uint8_t have[2] = {0};
    struct buf b = {0};
    (void)state;
    assert_int_equal(spool_chunk_put(&sp, ID, 0, "one", 3, &e), OK);
    assert_int_equal(spool_chunk_put(&sp, ID, 9, "two", 3, &e), OK);
    spool_chunks_have(&sp, ID, 16, have);
    assert_int_equal(have[0], 1);
    assert_int_equal(have[1], 2);
    assert_int_equal(spool_chunk_read(&sp, ID, 0, &b, &e), OK);
    assert_int_equal(spool_chunk_read(&sp, ID, 9, &b, &e), OK);
    assert_string_equal(buf_str(&b), "onetwo");
    assert_int_equal(spool_chunk_read(&sp, ID, 1, &b, &e), ERR_NOTFOUND);
    buf_deinit(&b);
}

static bool never(const char *id, void *ctx)
{
    ++*(int *)ctx;
    assert_string_equal(id, ID);
    return false;
}

static void chunks_of_forgotten_slots_are_swept_away(void **state)
{
    uint8_t have[1] = {0};
    int n = 0;
    (void)state;
    assert_int_equal(spool_chunk_put(&sp, ID, 0, "one", 3, &e), OK);
    spool_chunks_sweep(&sp, never, &n);
    spool_chunks_have(&sp, ID, 8, have);
    assert_int_equal(n, 1);
    assert_int_equal(have[0], 0);
}

static void dropped_chunks_are_gone(void **state)
{
    uint8_t have[1] = {0};
    (void)state;
    assert_int_equal(spool_chunk_put(&sp, ID, 2, "x", 1, &e), OK);
    spool_chunks_drop(&sp, ID, 3);
    spool_chunks_have(&sp, ID, 8, have);
    assert_int_equal(have[0], 0);
}

static void a_file_is_named_by_its_hash_and_checked(void **state)
{
    struct hash h;
    struct buf b = {0};
    char path[PATH_CAP];
    (void)state;
    assert_int_equal(spool_put(&sp, SPOOL_UPDATE, "update", 6, &h, &e), OK);
    assert_int_equal(spool_read(&sp, SPOOL_UPDATE, &h, 6, &b, &e), OK);
    assert_string_equal(buf_str(&b), "update");
    assert_int_equal(spool_read(&sp, SPOOL_PAYLOAD, &h, 6, &b, &e), ERR_NOTFOUND);
    assert_int_equal(spool_path(&sp, SPOOL_UPDATE, &h, path, &e), OK);
    assert_int_equal(sp.driver->put(&sp, path + strlen(sp.home) + 1, "updatf", 6, &e), OK);
    assert_int_equal(spool_read(&sp, SPOOL_UPDATE, &h, 6, &b, &e), ERR_AUTH);
    assert_int_equal(b.len, 6); /* what was there before stays */
    spool_drop(&sp, SPOOL_UPDATE, &h);
    assert_int_equal(spool_read(&sp, SPOOL_UPDATE, &h, 6, &b, &e), ERR_NOTFOUND);
    buf_deinit(&b);
}

static void a_file_larger_than_expected_is_refused(void **state)
{
    struct hash h;
    struct buf b = {0};
    (void)state;
    assert_int_equal(spool_put(&sp, SPOOL_PAYLOAD, "0123456789", 10, &h, &e), OK);
    assert_int_equal(spool_read(&sp, SPOOL_PAYLOAD, &h, 9, &b, &e), ERR_LIMIT);
    buf_deinit(&b);
}

static void a_file_of_any_kind_is_found_by_its_hash(void **state)
{
    (void)state;
    struct hash h = hash_of("x", 1);
    enum spool_kind kind = SPOOL_PAYLOAD;
    assert_false(spool_find(&sp, &h, &kind));
    for (int k = 0; k < SPOOL_KINDS; k++) {
        char text[2] = {(char)('a' + k), 0};
        assert_int_equal(spool_put(&sp, (enum spool_kind)k, text, 1, &h, &e), OK);
        assert_true(spool_find(&sp, &h, &kind));
        assert_int_equal(kind, k);
    }
}

static void there_is_room(void **state)
{
    (void)state;
    if (sp.driver == spool_files()) assert_true(spool_room(&sp) > 0);
}

#define CASE(f)                                                                                    \
    cmocka_unit_test_setup_teardown(f, set_up, tear_down),                                         \
    {                                                                                              \
#        f " in memory", f, set_up_memory, tear_down_memory, NULL                                  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(chunks_are_found_again_by_number),
        CASE(chunks_of_forgotten_slots_are_swept_away),
        CASE(dropped_chunks_are_gone),
        CASE(a_view_is_checked_and_outlives_its_file),
        CASE(a_part_is_kept_beside_its_chunk_and_goes_with_it),
        CASE(a_file_is_named_by_its_hash_and_checked),
        CASE(a_file_larger_than_expected_is_refused),
        CASE(a_file_of_any_kind_is_found_by_its_hash),
        CASE(there_is_room),
        CASE(a_record_file_is_replaced_and_compared),
        cmocka_unit_test_setup_teardown(memory_is_a_back_end_too, set_up_memory, tear_down_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
