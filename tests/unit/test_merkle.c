#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "record/merkle.h"
#include "tests/check.h"

#define MOST 300

static struct hash leaves[MOST];

/* The tree as RFC 9162 section 2.1.1 defines it, word for word and slowly. */
static struct hash naive_root(uint32_t lo, uint32_t hi)
{
    if (hi == lo) return hash_of("", 0);
    if (hi - lo == 1) return leaves[lo];
    uint32_t k = 1;
    while (2 * k < hi - lo)
        k *= 2;
    struct hash l = naive_root(lo, lo + k);
    struct hash r = naive_root(lo + k, hi);
    uint8_t both[65] = {1};
    memcpy(both + 1, l.b, 32);
    memcpy(both + 33, r.b, 32);
    return hash_of(both, sizeof both);
}

static void naive_push(struct merkle_proof *p, uint32_t lo, uint32_t hi)
{
    p->h[p->n++] = naive_root(lo, hi);
}

/* PATH of section 2.1.3.1 */
static void naive_path(uint32_t m, uint32_t lo, uint32_t hi, struct merkle_proof *ret)
{
    uint32_t k = 1;
    if (hi - lo == 1) return;
    while (2 * k < hi - lo)
        k *= 2;
    if (m < k) {
        naive_path(m, lo, lo + k, ret);
        naive_push(ret, lo + k, hi);
    } else {
        naive_path(m - k, lo + k, hi, ret);
        naive_push(ret, lo, lo + k);
    }
}

/* SUBPROOF of section 2.1.4.1 */
static void naive_sub(uint32_t m, uint32_t lo, uint32_t hi, bool is_old, struct merkle_proof *ret)
{
    uint32_t k = 1;
    if (m == hi - lo) {
        if (!is_old) naive_push(ret, lo, hi);
        return;
    }
    while (2 * k < hi - lo)
        k *= 2;
    if (m <= k) {
        naive_sub(m, lo, lo + k, is_old, ret);
        naive_push(ret, lo + k, hi);
    } else {
        naive_sub(m - k, lo + k, hi, false, ret);
        naive_push(ret, lo, lo + k);
    }
}

/* Every complete node of MOST leaves; what is asked outside of `limit` leaves fails the test. */
struct nodes {
    uint32_t limit;
    struct hash h[10][MOST];
};

static struct nodes kept;

static int give(void *ctx, unsigned level, uint64_t index, struct hash *ret, struct err *e)
{
    struct nodes *k = ctx;
    (void)e;
    assert_in_range(level, 0, 9);
    assert_in_range((index + 1) << level, 1, k->limit);
    *ret = k->h[level][index];
    return OK;
}

static int set_up(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MOST; i++) {
        char text[32];
        int n = snprintf(text, sizeof text, "entry %u", i);
        leaves[i] = merkle_leaf(text, (size_t)n);
    }
    for (unsigned level = 0; level < 9; level++)
        for (uint32_t i = 0; (i + 1) << level <= MOST; i++)
            kept.h[level][i] = naive_root(i << level, (i + 1) << level);
    kept.limit = MOST;
    return 0;
}

static struct hash from_hex(const char *hex)
{
    struct hash h;
    assert_int_equal(hash_from_hex(hex, &h), 0);
    return h;
}

/* Eight entries whose roots every implementation of Certificate Transparency is tried with; the
 * proofs were computed apart, by a few lines of Python that follow the definitions.
 */
static const struct {
    const char *entry;
    size_t n;
    const char *root; /* of the entries up to this one */
} known[] = {
    {"",                 0,  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {"\0",               1,  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
    {"\x10",             1,  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    {"\x20\x21",         2,  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
    {"\x30\x31",         2,  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
    {"@ABC",             4,  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
    {"PQRSTUVW",         8,  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
    {"`abcdefghijklmno", 16, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};

static void roots_are_those_of_certificate_transparency(void **state)
{
    (void)state;
    struct merkle_range r = {0};
    struct hash root = merkle_range_root(&r);
    struct hash empty =
        from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(hash_equal(&root, &empty));
    empty = merkle_empty();
    assert_true(hash_equal(&root, &empty));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct hash leaf = merkle_leaf(known[i].entry, known[i].n);
        struct hash want = from_hex(known[i].root);
        merkle_range_add(&r, &leaf);
        root = merkle_range_root(&r);
        assert_true(hash_equal(&root, &want));
    }
}

static void known_proofs_are_accepted(void **state)
{
    (void)state;
    struct hash leaf = merkle_leaf("@ABC", 4);
    struct hash root8 = from_hex(known[7].root);
    struct hash root6 = from_hex(known[5].root);
    struct merkle_proof in = {
        3,
        {from_hex("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
          from_hex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
          from_hex("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")}
    };
    struct merkle_proof from6 = in;
    from6.h[0] = from_hex("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
    assert_int_equal(merkle_check_inclusion(&leaf, 5, 8, &in, &root8, NULL), OK);
    assert_int_equal(merkle_check_consistency(6, &root6, 8, &root8, &from6, NULL), OK);
    assert_int_equal(merkle_check_consistency(6, &root6, 8, &root8, &in, NULL), ERR_AUTH);
}

static void roots_of_all_sizes_equal_the_definition(void **state)
{
    (void)state;
    struct merkle_range r = {0};
    for (uint32_t n = 0; n <= MOST; n++) {
        struct hash want = naive_root(0, n);
        struct hash got = merkle_range_root(&r);
        assert_true(hash_equal(&got, &want));
        kept.limit = n;
        assert_int_equal(merkle_root(n, give, &kept, &got, NULL), OK);
        assert_true(hash_equal(&got, &want));
        if (n < MOST) merkle_range_add(&r, &leaves[n]);
    }
}

static void a_range_taken_up_again_goes_on_alike(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < MOST; n += 7) {
        struct merkle_range r;
        kept.limit = n;
        assert_int_equal(merkle_range_load(n, give, &kept, &r, NULL), OK);
        for (uint32_t i = n; i < MOST; i++)
            merkle_range_add(&r, &leaves[i]);
        struct hash want = naive_root(0, MOST);
        struct hash got = merkle_range_root(&r);
        assert_true(hash_equal(&got, &want));
    }
}

static void assert_proof_equal(const struct merkle_proof *a, const struct merkle_proof *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->h, b->h, a->n * sizeof a->h[0]);
}

static void inclusion_of_all_leaves_in_all_sizes_is_shown(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= MOST; n++) {
        struct hash root = naive_root(0, n);
        kept.limit = n;
        for (uint32_t i = 0; i < n; i += n < 70 ? 1 : 5) {
            struct merkle_proof want = {0};
            struct merkle_proof got;
            naive_path(i, 0, n, &want);
            assert_int_equal(merkle_inclusion(i, n, give, &kept, &got, NULL), OK);
            assert_proof_equal(&got, &want);
            assert_int_equal(merkle_check_inclusion(&leaves[i], i, n, &got, &root, NULL), OK);
        }
    }
}

static void consistency_of_all_sizes_is_shown(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= MOST; n++) {
        struct hash root = naive_root(0, n);
        kept.limit = n;
        for (uint32_t m = 1; m <= n; m += n < 70 ? 1 : 5) {
            struct merkle_proof want = {0};
            struct merkle_proof got;
            struct hash old = naive_root(0, m);
            naive_sub(m, 0, n, true, &want);
            assert_int_equal(merkle_consistency(m, n, give, &kept, &got, NULL), OK);
            assert_proof_equal(&got, &want);
            assert_int_equal(merkle_check_consistency(m, &old, n, &root, &got, NULL), OK);
        }
    }
}

/* Small sizes in full: each bit of each hash that takes part, and each other length. */
static void every_flipped_bit_of_an_inclusion_is_refused(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 3, 7, 8, 13};
    kept.limit = MOST;
    for (size_t s = 0; s < 5; s++) {
        uint32_t n = sizes[s];
        struct hash root = naive_root(0, n);
        for (uint32_t i = 0; i < n; i++) {
            struct merkle_proof p;
            assert_int_equal(merkle_inclusion(i, n, give, &kept, &p, NULL), OK);
            for (uint32_t bit = 0; bit < p.n * 256; bit++) {
                uint8_t *at = &p.h[bit / 256].b[bit / 8 % 32];
                *at = (uint8_t)(*at ^ 1u << bit % 8);
                assert_int_equal(merkle_check_inclusion(&leaves[i], i, n, &p, &root, NULL),
                                 ERR_AUTH);
                *at = (uint8_t)(*at ^ 1u << bit % 8);
            }
            p.n++;
            assert_int_equal(merkle_check_inclusion(&leaves[i], i, n, &p, &root, NULL), ERR_AUTH);
            p.n -= 2;
            assert_int_equal(merkle_check_inclusion(&leaves[i], i, n, &p, &root, NULL), ERR_AUTH);
        }
    }
}

static void refuse_flips(uint32_t m, uint32_t n)
{
    struct hash roots[2] = {naive_root(0, m), naive_root(0, n)};
    struct merkle_proof p;
    assert_int_equal(merkle_consistency(m, n, give, &kept, &p, NULL), OK);
    for (uint32_t bit = 0; bit < (p.n + 2) * 256; bit++) {
        struct hash *h = bit < p.n * 256 ? &p.h[bit / 256] : &roots[bit / 256 - p.n];
        uint8_t *at = &h->b[bit / 8 % 32];
        *at = (uint8_t)(*at ^ 1u << bit % 8);
        assert_int_equal(merkle_check_consistency(m, &roots[0], n, &roots[1], &p, NULL), ERR_AUTH);
        *at = (uint8_t)(*at ^ 1u << bit % 8);
    }
    p.n++;
    assert_int_equal(merkle_check_consistency(m, &roots[0], n, &roots[1], &p, NULL), ERR_AUTH);
    p.n -= 2;
    assert_int_equal(merkle_check_consistency(m, &roots[0], n, &roots[1], &p, NULL), ERR_AUTH);
}

static void every_flipped_bit_of_a_consistency_is_refused(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {3, 7, 8, 13};
    kept.limit = MOST;
    for (size_t s = 0; s < 4; s++)
        for (uint32_t m = 1; m < sizes[s]; m++)
            refuse_flips(m, sizes[s]);
}

static void a_proof_is_good_for_its_place_and_sizes_only(void **state)
{
    (void)state;
    struct merkle_proof p;
    struct hash root = naive_root(0, 13);
    struct hash old = naive_root(0, 6);
    kept.limit = MOST;
    assert_int_equal(merkle_inclusion(5, 13, give, &kept, &p, NULL), OK);
    for (uint64_t i = 0; i < 13; i++)
        if (i != 5)
            assert_int_equal(merkle_check_inclusion(&leaves[5], i, 13, &p, &root, NULL), ERR_AUTH);
    assert_int_equal(merkle_consistency(6, 13, give, &kept, &p, NULL), OK);
    for (uint64_t m = 0; m <= 13; m++)
        if (m != 6)
            assert_int_equal(merkle_check_consistency(m, &old, 13, &root, &p, NULL), ERR_AUTH);
}

static void the_empty_and_the_same_tree_need_no_proof(void **state)
{
    (void)state;
    struct merkle_proof p = {.n = 99};
    struct hash root = naive_root(0, 13);
    struct hash empty = merkle_empty();
    assert_int_equal(merkle_consistency(0, 13, give, &kept, &p, NULL), OK);
    assert_int_equal(p.n, 0);
    assert_int_equal(merkle_check_consistency(0, &empty, 13, &root, &p, NULL), OK);
    assert_int_equal(merkle_check_consistency(0, &root, 13, &root, &p, NULL), ERR_AUTH);
    assert_int_equal(merkle_check_consistency(13, &root, 13, &root, &p, NULL), OK);
    assert_int_equal(merkle_check_consistency(13, &empty, 13, &root, &p, NULL), ERR_AUTH);
    p.n = 1;
    assert_int_equal(merkle_check_consistency(13, &root, 13, &root, &p, NULL), ERR_AUTH);
}

static void sizes_out_of_bounds_are_refused(void **state)
{
    (void)state;
    struct merkle_proof p = {0};
    struct hash h = {0};
    assert_int_equal(merkle_root(MERKLE_MAX_LEAVES, give, &kept, &h, NULL), ERR_LIMIT);
    assert_int_equal(merkle_inclusion(0, UINT64_MAX, give, &kept, &p, NULL), ERR_LIMIT);
    assert_int_equal(merkle_inclusion(5, 5, give, &kept, &p, NULL), ERR_ARG);
    assert_int_equal(merkle_consistency(6, 5, give, &kept, &p, NULL), ERR_ARG);
    assert_int_equal(merkle_check_inclusion(&h, 0, 0, &p, &h, NULL), ERR_AUTH);
    assert_int_equal(merkle_check_inclusion(&h, 0, UINT64_MAX, &p, &h, NULL), ERR_AUTH);
    p.n = UINT32_MAX;
    assert_int_equal(merkle_check_inclusion(&h, 0, 9, &p, &h, NULL), ERR_AUTH);
    assert_int_equal(merkle_check_consistency(3, &h, UINT64_MAX, &h, &p, NULL), ERR_AUTH);
    assert_int_equal(merkle_check_consistency(3, &h, 9, &h, &p, NULL), ERR_AUTH);
}

/* Any node is a hash of its name: the proofs of a tree that nobody could hold in memory. */
static int invent(void *ctx, unsigned level, uint64_t index, struct hash *ret, struct err *e)
{
    uint64_t name[2] = {level, index};
    uint64_t *limit = ctx;
    (void)e;
    assert_true(level < MERKLE_LEVELS);
    assert_true((index + 1) << level <= *limit);
    *ret = hash_of(name, sizeof name);
    return OK;
}

static void the_largest_tree_fits_every_bound(void **state)
{
    (void)state;
    uint64_t n = MERKLE_MAX_LEAVES - 1;
    struct merkle_proof p;
    assert_int_equal(merkle_inclusion(n - 1, n, invent, &n, &p, NULL), OK);
    assert_in_range(p.n, 1, MERKLE_MAX_PROOF);
    assert_int_equal(merkle_inclusion(0, n, invent, &n, &p, NULL), OK);
    assert_in_range(p.n, 61, MERKLE_MAX_PROOF);
    assert_int_equal(merkle_consistency((n >> 1) - 1, n, invent, &n, &p, NULL), OK);
    assert_in_range(p.n, 1, MERKLE_MAX_PROOF);
}

static int not_yet(void *ctx, unsigned level, uint64_t index, struct hash *ret, struct err *e)
{
    int *n_left = ctx;
    if ((*n_left)-- > 0) return give(&kept, level, index, ret, e);
    return ERR_AGAIN;
}

static void what_the_giver_answers_comes_back(void **state)
{
    (void)state;
    struct merkle_proof p = {.n = 42};
    kept.limit = MOST;
    for (int n = 0; n < 6; n++) {
        int n_left = n;
        assert_int_equal(merkle_consistency(77, 300, not_yet, &n_left, &p, NULL), ERR_AGAIN);
        n_left = n;
        assert_int_equal(merkle_inclusion(77, 300, not_yet, &n_left, &p, NULL), ERR_AGAIN);
    }
    assert_int_equal(p.n, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_certificate_transparency),
        cmocka_unit_test(known_proofs_are_accepted),
        cmocka_unit_test(roots_of_all_sizes_equal_the_definition),
        cmocka_unit_test(a_range_taken_up_again_goes_on_alike),
        cmocka_unit_test(inclusion_of_all_leaves_in_all_sizes_is_shown),
        cmocka_unit_test(consistency_of_all_sizes_is_shown),
        cmocka_unit_test(every_flipped_bit_of_an_inclusion_is_refused),
        cmocka_unit_test(every_flipped_bit_of_a_consistency_is_refused),
        cmocka_unit_test(a_proof_is_good_for_its_place_and_sizes_only),
        cmocka_unit_test(the_empty_and_the_same_tree_need_no_proof),
        cmocka_unit_test(sizes_out_of_bounds_are_refused),
        cmocka_unit_test(the_largest_tree_fits_every_bound),
        cmocka_unit_test(what_the_giver_answers_comes_back),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
