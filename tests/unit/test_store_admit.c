#include <pthread.h>
#include <string.h>

#include "aggregator/store_admit.h"
#include "tests/unit/scratch.h"

#define CODE "00112233445566778899aabbccddeeff"

static char dir[PATH_CAP], path[PATH_CAP];
static struct store *s;
static struct err e;

static int set_up(void **state)
{
    struct hash run = hash_of("run", 3);
    (void)state;
    e = (struct err){0};
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/a.db", dir), 0);
    assert_int_equal(store_open(path, &run, &s, &e), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(s);
    scratch_remove(dir);
    return 0;
}

static void reopen(void)
{
    struct hash run = hash_of("run", 3);
    store_close(s);
    assert_int_equal(store_open(path, &run, &s, &e), OK);
}

static enum admit_how how_of(const struct key_pub *k)
{
    enum admit_how how = ADMIT_REMOVED;
    assert_int_equal(store_admit_how(s, k, &how, &e), OK);
    return how;
}

static struct admit_invite invite_of(const struct hash *code)
{
    struct admit_invite v = {0};
    assert_int_equal(store_admit_invite(s, code, &v, &e), OK);
    return v;
}

static struct hash add(const char *code, uint64_t max_uses, int64_t expires_ms)
{
    struct hash h = store_admit_hash(code);
    struct admit_invite v = {.max_uses = max_uses, .expires_ms = expires_ms};
    assert_int_equal(store_admit_add_invite(s, &h, &v, "for Ada", 5, &e), OK);
    return h;
}

static void a_run_is_public_until_it_is_said_otherwise(void **state)
{
    bool is_private = true;
    (void)state;
    assert_int_equal(store_admit_mode(s, &is_private, &e), OK);
    assert_false(is_private);
    assert_int_equal(store_admit_set_mode(s, true, &e), OK);
    reopen();
    assert_int_equal(store_admit_mode(s, &is_private, &e), OK);
    assert_true(is_private);
}

static void the_code_itself_is_nowhere_in_the_files(void **state)
{
    char name[PATH_CAP];
    static char bytes[1 << 20];
    (void)state;
    add(CODE, 1, 0);
    static const char *const tails[] = {"", "-wal"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(path_format(name, "%s%s", path, tails[i]), 0);
        FILE *f = fopen(name, "rb");
        assert_non_null(f);
        size_t n = fread(bytes, 1, sizeof bytes, f);
        (void)fclose(f);
        assert_true(n > 0);
        assert_null(memmem(bytes, n, CODE, strlen(CODE)));
    }
}

static void a_use_is_counted_once_for_each_key(void **state)
{
    struct key_pub a = {{1}}, b = {{2}}, c = {{3}};
    (void)state;
    struct hash code = add(CODE, 2, 0);
    assert_int_equal(how_of(&a), ADMIT_STRANGER);
    assert_int_equal(store_admit_take(s, &a, &code, 10, &e), OK);
    assert_int_equal(store_admit_take(s, &a, &code, 11, &e), OK); /* the answer was lost */
    reopen();
    assert_int_equal(store_admit_take(s, &a, &code, 12, &e), OK);
    assert_int_equal(invite_of(&code).n_uses, 1);
    assert_int_equal(how_of(&a), ADMIT_INVITED);
    assert_int_equal(store_admit_take(s, &b, &code, 13, &e), OK);
    assert_int_equal(store_admit_take(s, &c, &code, 14, &e), ERR_WRONG_STATE);
    assert_int_equal(how_of(&c), ADMIT_STRANGER);
    assert_int_equal(invite_of(&code).n_uses, 2);
}

static void an_end_counts_and_a_withdrawal_too(void **state)
{
    struct key_pub a = {{1}}, b = {{2}};
    uint32_t n = 9;
    (void)state;
    struct hash code = add(CODE, 0, 100);
    assert_int_equal(store_admit_take(s, &a, &code, 100, &e), ERR_WRONG_STATE);
    assert_int_equal(store_admit_take(s, &a, &code, 99, &e), OK);
    char hex[HASH_HEX];
    hash_hex(&code, hex);
    hex[8] = '\0';
    assert_int_equal(store_admit_revoke(s, hex, &n, &e), OK);
    assert_int_equal(n, 1);
    assert_int_equal(store_admit_revoke(s, "", &n, &e), OK);
    assert_int_equal(n, 0);
    assert_int_equal(store_admit_revoke(s, "%", &n, &e), ERR_ARG);
    assert_int_equal(store_admit_take(s, &b, &code, 50, &e), ERR_WRONG_STATE);
    assert_int_equal(how_of(&a), ADMIT_INVITED); /* who is in stays in */
    struct hash other = store_admit_hash("ffff");
    struct admit_invite v;
    assert_int_equal(store_admit_invite(s, &other, &v, &e), ERR_NOTFOUND);
}

static void a_removed_key_is_not_brought_back(void **state)
{
    struct key_pub a = {{1}};
    (void)state;
    struct hash code = add(CODE, 0, 0);
    assert_int_equal(store_admit_set_how(s, &a, ADMIT_REMOVED, 1, &e), OK);
    assert_int_equal(store_admit_take(s, &a, &code, 2, &e), ERR_WRONG_STATE);
    assert_int_equal(store_admit_take(s, &a, NULL, 2, &e), ERR_WRONG_STATE);
    assert_int_equal(how_of(&a), ADMIT_REMOVED);
    assert_int_equal(invite_of(&code).n_uses, 0);
    assert_int_equal(store_admit_set_how(s, &a, ADMIT_LISTED, 3, &e), OK);
    assert_int_equal(store_admit_take(s, &a, &code, 4, &e), OK);
    assert_int_equal(how_of(&a), ADMIT_LISTED);
    assert_int_equal(invite_of(&code).n_uses, 0);
}

static void who_joined_publicly_spends_a_code_later(void **state)
{
    struct key_pub a = {{1}};
    (void)state;
    struct hash code = add(CODE, 1, 0);
    assert_int_equal(store_admit_take(s, &a, NULL, 2, &e), OK);
    assert_int_equal(how_of(&a), ADMIT_PUBLIC);
    assert_int_equal(store_admit_take(s, &a, &code, 3, &e), OK);
    assert_int_equal(how_of(&a), ADMIT_INVITED);
    assert_int_equal(invite_of(&code).n_uses, 1);
}

static void contributors_of_older_databases_are_members(void **state)
{
    struct key_pub a = {{1}};
    (void)state;
    assert_int_equal(store_join(s, &a, "Ada", "potluck/0.0.9", 7, &e), OK);
    assert_int_equal(how_of(&a), ADMIT_STRANGER);
    reopen();
    assert_int_equal(how_of(&a), ADMIT_PUBLIC);
}

struct rush {
    struct key_pub key;
    struct hash code;
    int rc;
};

static void *push(void *arg)
{
    struct rush *r = arg;
    struct hash run = hash_of("run", 3);
    struct store *mine = NULL; /* a connection of its own, as `serve` and a command line have */
    struct err err = {0};
    r->rc = store_open(path, &run, &mine, &err);
    if (r->rc == OK) r->rc = store_admit_take(mine, &r->key, &r->code, 5, &err);
    store_close(mine);
    return NULL;
}

static void the_last_use_goes_to_one(void **state)
{
    enum { N = 8 };
    struct rush r[N];
    pthread_t threads[N];
    uint32_t n_in = 0;
    (void)state;
    struct hash code = add(CODE, 3, 0);
    for (int i = 0; i < N; i++) {
        r[i] = (struct rush){.key = {{(uint8_t)i}}, .code = code};
        assert_int_equal(pthread_create(&threads[i], NULL, push, &r[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_true(r[i].rc == OK || r[i].rc == ERR_WRONG_STATE);
        n_in += r[i].rc == OK;
    }
    assert_int_equal(n_in, 3);
    assert_int_equal(invite_of(&code).n_uses, 3);
}

static void note_member(const struct key_pub *k, enum admit_how how, const char *name,
                        int64_t at_ms, void *ctx)
{
    uint32_t *n = ctx;
    assert_int_equal(k->b[0], *n + 1);
    assert_int_equal(how, *n ? ADMIT_LISTED : ADMIT_PUBLIC);
    assert_string_equal(name, *n ? "" : "Ada");
    assert_int_equal(at_ms, *n + 7);
    ++*n;
}

static void note_invite(const struct hash *code, const struct admit_invite *v, const char *note,
                        int64_t at_ms, void *ctx)
{
    struct hash want = store_admit_hash(CODE);
    assert_true(hash_equal(code, &want));
    assert_int_equal(v->max_uses, 3);
    assert_string_equal(note, "for Ada");
    assert_int_equal(at_ms, 5);
    ++*(uint32_t *)ctx;
}

static void lists_tell_everybody_and_every_invite(void **state)
{
    struct key_pub a = {{1}}, b = {{2}};
    uint32_t n = 0;
    (void)state;
    add(CODE, 3, 0);
    assert_int_equal(store_admit_take(s, &a, NULL, 7, &e), OK);
    assert_int_equal(store_join(s, &a, "Ada", "potluck/0.1.0", 7, &e), OK);
    assert_int_equal(store_admit_set_how(s, &b, ADMIT_LISTED, 8, &e), OK);
    assert_int_equal(store_admit_members(s, note_member, &n, &e), OK);
    assert_int_equal(n, 2);
    n = 0;
    assert_int_equal(store_admit_invites(s, note_invite, &n, &e), OK);
    assert_int_equal(n, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_is_public_until_it_is_said_otherwise),
        TEST(the_code_itself_is_nowhere_in_the_files),
        TEST(a_use_is_counted_once_for_each_key),
        TEST(an_end_counts_and_a_withdrawal_too),
        TEST(a_removed_key_is_not_brought_back),
        TEST(who_joined_publicly_spends_a_code_later),
        TEST(contributors_of_older_databases_are_members),
        TEST(the_last_use_goes_to_one),
        TEST(lists_tell_everybody_and_every_invite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
