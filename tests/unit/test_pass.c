#include "base/file.h"
#include "client/pass.h"
#include "tests/unit/scratch.h"

#define CODE "00112233445566778899aabbccddeeff"

struct outcome {
    uint64_t proof;
    uint32_t n;
};

static char dir[PATH_CAP];
static const struct puzzle easy = {.memory_kib = 1024, .bits = 3};
static const struct puzzle hopeless = {.memory_kib = 1024, .bits = PUZZLE_MAX_BITS};

static int set_up(void **state)
{
    (void)state;
    scratch_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    char path[PATH_CAP];
    struct err e = {0};
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    assert_int_equal(file_replace(path, text, strlen(text), 0600, &e), OK);
}

static void a_code_is_kept_and_found(void **state)
{
    struct pass p = {.proof = 5};
    struct err e = {0};
    (void)state;
    pass_load(dir, &p);
    assert_string_equal(p.invite, "");
    assert_int_equal(p.proof, 0);
    assert_int_equal(pass_keep_invite(dir, CODE, &e), OK);
    pass_load(dir, &p);
    assert_string_equal(p.invite, CODE);
}

static void what_is_no_code_or_no_proof_counts_as_none(void **state)
{
    struct pass p;
    (void)state;
    static const char *const bad_codes[] = {"", "short", CODE "0",
                                            "00112233445566778899AABBCCDDEEFF"};
    static const char *const bad_proofs[] = {"",
                                             "7",
                                             "{}",
                                             "{\"nonce\":7,\"solved\":false}",
                                             "{\"nonce\":0,\"solved\":true}",
                                             "{\"nonce\":-7,\"solved\":true}"};
    for (size_t i = 0; i < sizeof bad_codes / sizeof *bad_codes; i++) {
        write_file("invite", bad_codes[i]);
        pass_load(dir, &p);
        assert_string_equal(p.invite, "");
    }
    for (size_t i = 0; i < sizeof bad_proofs / sizeof *bad_proofs; i++) {
        write_file("proof", bad_proofs[i]);
        pass_load(dir, &p);
        assert_int_equal(p.proof, 0);
    }
    write_file("proof", "{\"nonce\":7,\"solved\":true}");
    pass_load(dir, &p);
    assert_int_equal(p.proof, 7);
}

static void on_done(uint64_t proof, const struct err *e, void *ctx)
{
    struct outcome *o = ctx;
    (void)e;
    o->proof = proof;
    o->n++;
}

static void a_puzzle_is_solved_once_and_kept(void **state)
{
    struct hash run = hash_of("run", 3);
    struct key_pub key = {{7}};
    struct outcome o = {0};
    struct pass_task *t = NULL;
    struct pass p;
    struct err e = {0};
    uv_loop_t loop;
    (void)state;
    uv_loop_init(&loop);
    assert_int_equal(pass_solve(&loop, dir, &easy, &run, &key, on_done, &o, &t, &e), OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(o.n, 1);
    assert_int_equal(puzzle_check(&easy, &run, &key, o.proof, &e), OK);
    pass_load(dir, &p);
    assert_int_equal(p.proof, o.proof);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_cancelled_search_tells_nobody_and_remembers_where_it_was(void **state)
{
    struct hash run = hash_of("run", 3);
    struct key_pub key = {{7}};
    struct outcome o = {0};
    struct pass_task *t = NULL;
    struct pass p;
    struct err e = {0};
    struct buf b = {0};
    char path[PATH_CAP];
    uv_loop_t loop;
    (void)state;
    uv_loop_init(&loop);
    write_file("proof", "{\"nonce\":1000,\"solved\":false}");
    assert_int_equal(pass_solve(&loop, dir, &hopeless, &run, &key, on_done, &o, &t, &e), OK);
    pass_cancel(t);
    pass_cancel(NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(o.n, 0);
    pass_load(dir, &p);
    assert_int_equal(p.proof, 0);
    assert_int_equal(path_format(path, "%s/proof", dir), 0);
    assert_int_equal(file_read(path, 100, &b, &e), OK);
    assert_int_equal(strncmp(buf_str(&b), "{\"nonce\":10", 11), 0); /* not from the beginning */
    buf_deinit(&b);
    assert_int_equal(uv_loop_close(&loop), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_code_is_kept_and_found),
        TEST(what_is_no_code_or_no_proof_counts_as_none),
        TEST(a_puzzle_is_solved_once_and_kept),
        TEST(a_cancelled_search_tells_nobody_and_remembers_where_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
