#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/tiles.h"
#include "tests/check.h"

#define MOST 1100 /* more than four full tiles; 70000 once, for a second level that is full */

/* --- a folder of tiles, in memory ------------------------------------------------------------- */

struct shelf {
    uint32_t n;
    bool is_broken; /* put fails */
    uint32_t n_got;
    struct {
        struct tiles_at at;
        struct hash h[TILES_WIDTH];
    } tile[400];
};

static struct shelf shelf;

static int put(void *ctx, const struct tiles_at *at, const void *p, size_t n, struct err *e)
{
    struct shelf *s = ctx;
    uint32_t i = 0;
    if (s->is_broken) return err_set(e, ERR_IO, 0, "disk full");
    assert_int_equal(n, at->width * HASH_BYTES);
    while (i < s->n && !tiles_same(&s->tile[i].at, at))
        i++;
    assert_in_range(i, 0, 399);
    s->tile[i].at = *at;
    memcpy(s->tile[i].h, p, n);
    if (i == s->n) s->n++;
    return OK;
}

static int get(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH], struct err *e)
{
    struct shelf *s = ctx;
    s->n_got++;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!tiles_same(&s->tile[i].at, at)) continue;
        return tiles_hashes(s->tile[i].h, at->width * sizeof(struct hash), at->width, ret, e);
    }
    return err_set(e, ERR_NOTFOUND, 0, "no such tile");
}

static struct hash leaf_of(uint64_t i)
{
    char text[32];
    int n = snprintf(text, sizeof text, "entry %llu", (unsigned long long)i);
    return merkle_leaf(text, (size_t)n);
}

/* --- paths ------------------------------------------------------------------------------------ */

static void paths_are_spelled_as_the_format_says(void **state)
{
    (void)state;
    static const struct {
        struct tiles_at at;
        const char *path;
    } cases[] = {
        {{false, 0, 1234067, 256},      "tile/0/x001/x234/067"                         },
        {{false, 0, 0, 256},            "tile/0/000"                                   },
        {{false, 1, 0, 17},             "tile/1/000.p/17"                              },
        {{true, 0, 0, 17},              "tile/entries/000.p/17"                        },
        {{true, 0, 999, 256},           "tile/entries/999"                             },
        {{true, 0, 1000, 255},          "tile/entries/x001/000.p/255"                  },
        {{false, 2, 1000000, 1},        "tile/2/x001/x000/000.p/1"                     },
        {{false, 7, 0, 1},              "tile/7/000.p/1"                               },
        {{true, 0, (1LL << 54) - 1, 1}, "tile/entries/x018/x014/x398/x509/x481/983.p/1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[TILES_PATH_CAP];
        struct tiles_at at = {0};
        assert_string_equal(tiles_path(&cases[i].at, path), cases[i].path);
        assert_int_equal(tiles_parse(path, strlen(path), &at), 0);
        assert_int_equal(at.is_entries, cases[i].at.is_entries);
        assert_int_equal(at.level, cases[i].at.level);
        assert_int_equal(at.index, cases[i].at.index);
        assert_int_equal(at.width, cases[i].at.width);
    }
}

static void any_other_spelling_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/8/000",
        "tile/63/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/x1/001",
        "tile/0/001/001",
        "tile/0/000/",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/99999999999999999999",
        "tile/0/000.p/1/",
        "tile/0/000.p/1 ",
        "tile/0/../000",
        "tile/0/000?x",
        "/tile/0/000",
        "Tile/0/000",
        "tile/entries/",
        "tile/entries/0/000",
        "tile/entry/000",
        "tile/0/x018/x014/x398/x509/x481/984",
        "tile/entries/x018/x014/x398/x509/x481/983",
        "tile/7/x001/000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/x999/999",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tiles_at at = {.width = 77};
        if (tiles_parse(bad[i], strlen(bad[i]), &at) == 0) fail_msg("taken: %s", bad[i]);
        assert_int_equal(at.width, 77);
    }
    struct tiles_at at;
    assert_int_equal(tiles_parse("tile/0/000\0", 11, &at), -1);
    assert_int_equal(tiles_parse("tile/0/0001", 10, &at), 0); /* n counts, not a NUL */
}

static void the_example_of_seventy_thousand_has_its_tiles(void **state)
{
    (void)state;
    uint32_t w = 0;
    assert_int_equal(tiles_count(70000, 0, &w), 273);
    assert_int_equal(w, 112);
    assert_int_equal(tiles_count(70000, 1, &w), 1);
    assert_int_equal(w, 17);
    assert_int_equal(tiles_count(70000, 2, &w), 0);
    assert_int_equal(w, 1);
    assert_int_equal(tiles_count(70000, 3, &w), 0);
    assert_int_equal(w, 0);
    assert_int_equal(tiles_count(256, 1, &w), 0);
    assert_int_equal(w, 1);
}

static void a_narrower_cut_of_a_tile_is_within_the_tree(void **state)
{
    (void)state;
    struct tiles_at at = {.index = 273, .width = 112};
    assert_true(tiles_is_within(&at, 70000));
    at.width = 1;
    assert_true(tiles_is_within(&at, 70000));
    at.width = 113;
    assert_false(tiles_is_within(&at, 70000));
    at = (struct tiles_at){.index = 274, .width = 1};
    assert_false(tiles_is_within(&at, 70000));
    at = (struct tiles_at){.level = 9, .width = 1};
    assert_false(tiles_is_within(&at, UINT64_MAX));
    at = (struct tiles_at){.index = UINT64_MAX, .width = 1};
    assert_false(tiles_is_within(&at, UINT64_MAX));
}

/* --- writing and reading ---------------------------------------------------------------------- */

/* Tiles are cut as the tree grows; from them alone come the root of every size, and proofs. */
static void every_size_is_read_back_from_its_tiles(void **state)
{
    (void)state;
    struct tiles_edge *g = calloc(1, sizeof *g);
    struct tiles_reader *r = calloc(1, sizeof *r);
    struct merkle_range range = {0};
    struct hash roots[MOST + 1];
    roots[0] = merkle_empty();
    memset(&shelf, 0, sizeof shelf);
    for (uint64_t n = 1; n <= MOST; n++) {
        struct hash leaf = leaf_of(n - 1);
        struct hash got = {0};
        struct merkle_proof p;
        uint64_t m = n * 2 / 3;
        merkle_range_add(&range, &leaf);
        roots[n] = merkle_range_root(&range);
        assert_int_equal(tiles_edge_add(g, &leaf, put, &shelf, NULL), OK);
        got = tiles_edge_root(g);
        assert_true(hash_equal(&got, &roots[n]));
        if (n % 13 && n % 256 > 2) continue; /* a tree head is not published at each size */
        assert_int_equal(tiles_edge_flush(g, put, &shelf, NULL), OK);
        tiles_reader_init(r, n, get, &shelf);
        assert_int_equal(merkle_root(n, tiles_node, r, &got, NULL), OK);
        assert_true(hash_equal(&got, &roots[n]));
        assert_int_equal(merkle_consistency(m, n, tiles_node, r, &p, NULL), OK);
        assert_int_equal(merkle_check_consistency(m, &roots[m], n, &roots[n], &p, NULL), OK);
        assert_int_equal(merkle_inclusion(m, n, tiles_node, r, &p, NULL), OK);
        leaf = leaf_of(m);
        assert_int_equal(merkle_check_inclusion(&leaf, m, n, &p, &roots[n], NULL), OK);
    }
    free(r);
    free(g);
}

/* The roots of 65536 and 70000 leaves by a compact range, and by two levels of tiles. */
static void a_full_second_level_goes_on_into_a_third(void **state)
{
    (void)state;
    struct tiles_edge *g = calloc(2, sizeof *g);
    struct tiles_reader *r = calloc(1, sizeof *r);
    struct merkle_range range = {0};
    struct hash at65536 = {0};
    memset(&shelf, 0, sizeof shelf);
    for (uint64_t n = 0; n < 70000; n++) {
        struct hash leaf = leaf_of(n);
        if (n == 65536) at65536 = merkle_range_root(&range);
        merkle_range_add(&range, &leaf);
        assert_int_equal(tiles_edge_add(g, &leaf, put, &shelf, NULL), OK);
    }
    assert_int_equal(tiles_edge_flush(g, put, &shelf, NULL), OK);
    assert_int_equal(shelf.n, 273 + 1 + 1 + 1 + 1);
    struct hash root = merkle_range_root(&range);
    struct hash got = tiles_edge_root(g);
    struct merkle_proof p;
    assert_true(hash_equal(&got, &root));
    tiles_reader_init(r, 70000, get, &shelf);
    assert_int_equal(merkle_consistency(65536, 70000, tiles_node, r, &p, NULL), OK);
    assert_int_equal(merkle_check_consistency(65536, &at65536, 70000, &root, &p, NULL), OK);
    assert_int_equal(tiles_edge_load(70000, get, &shelf, &g[1], NULL), OK);
    got = tiles_edge_root(&g[1]);
    assert_true(hash_equal(&got, &root));
    free(r);
    free(g);
}

static void a_failed_put_changes_nothing(void **state)
{
    (void)state;
    struct tiles_edge *g = calloc(1, sizeof *g);
    memset(&shelf, 0, sizeof shelf);
    for (uint64_t n = 0; n < 300; n++) {
        struct hash leaf = leaf_of(n);
        struct hash other = leaf_of(n + 1000);
        shelf.is_broken = n == 255;
        if (shelf.is_broken) {
            assert_int_equal(tiles_edge_add(g, &other, put, &shelf, NULL), ERR_IO);
            assert_int_equal(g->n, 255);
        }
        shelf.is_broken = false;
        assert_int_equal(tiles_edge_add(g, &leaf, put, &shelf, NULL), OK);
    }
    struct merkle_range range = {0};
    for (uint64_t n = 0; n < 300; n++) {
        struct hash leaf = leaf_of(n);
        merkle_range_add(&range, &leaf);
    }
    struct hash want = merkle_range_root(&range);
    struct hash got = tiles_edge_root(g);
    assert_true(hash_equal(&got, &want));
    free(g);
}

static void the_list_names_each_tile_that_a_proof_asks_for(void **state)
{
    (void)state;
    struct tiles_edge *g = calloc(1, sizeof *g);
    struct tiles_reader *r = calloc(1, sizeof *r);
    struct tiles_list list;
    struct merkle_proof p;
    memset(&shelf, 0, sizeof shelf);
    for (uint64_t n = 0; n < MOST; n++) {
        struct hash leaf = leaf_of(n);
        assert_int_equal(tiles_edge_add(g, &leaf, put, &shelf, NULL), OK);
    }
    assert_int_equal(tiles_edge_flush(g, put, &shelf, NULL), OK);
    for (uint64_t m = 1; m < MOST; m += 31) {
        assert_int_equal(tiles_for_consistency(m, MOST, &list, NULL), OK);
        shelf.n_got = 0;
        tiles_reader_init(r, MOST, get, &shelf);
        assert_int_equal(merkle_consistency(m, MOST, tiles_node, r, &p, NULL), OK);
        assert_int_equal(list.n, shelf.n_got);
        assert_in_range(list.n, 1, 3);
        for (uint32_t i = 0; i < list.n; i++)
            assert_true(tiles_is_within(&list.at[i], MOST));
    }
    assert_int_equal(tiles_for_consistency(MOST, MOST, &list, NULL), OK);
    assert_int_equal(list.n, 0);
    assert_int_equal(tiles_for_consistency(MOST + 1, MOST, &list, NULL), ERR_ARG);
    assert_int_equal(tiles_for_inclusion(0, MERKLE_MAX_LEAVES - 1, &list, NULL), OK);
    assert_in_range(list.n, 8, TILES_LIST_CAP);
    assert_int_equal(
        tiles_for_consistency(MERKLE_MAX_LEAVES / 3, MERKLE_MAX_LEAVES - 1, &list, NULL), OK);
    assert_in_range(list.n, 8, TILES_LIST_CAP);
    free(r);
    free(g);
}

static int fail_once(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH],
                     struct err *e)
{
    int *n_left = ctx;
    memset(ret, 0xee, TILES_WIDTH * sizeof *ret);
    if ((*n_left)-- == 0) return ERR_AGAIN;
    return get(&shelf, at, ret, e);
}

static void a_failed_get_leaves_no_half_tile_behind(void **state)
{
    (void)state;
    struct tiles_edge *g = calloc(1, sizeof *g);
    struct tiles_reader *r = calloc(1, sizeof *r);
    int n_left = 0;
    memset(&shelf, 0, sizeof shelf);
    for (uint64_t n = 0; n < 600; n++) {
        struct hash leaf = leaf_of(n);
        assert_int_equal(tiles_edge_add(g, &leaf, put, &shelf, NULL), OK);
    }
    assert_int_equal(tiles_edge_flush(g, put, &shelf, NULL), OK);
    tiles_reader_init(r, 600, fail_once, &n_left);
    struct hash want = tiles_edge_root(g);
    struct hash got;
    assert_int_equal(merkle_root(600, tiles_node, r, &got, NULL), ERR_AGAIN);
    assert_int_equal(merkle_root(600, tiles_node, r, &got, NULL), OK);
    assert_true(hash_equal(&got, &want));
    assert_int_equal(tiles_node(r, 0, 600, &got, NULL), ERR_ARG);
    assert_int_equal(tiles_node(r, 9, 1, &got, NULL), ERR_ARG);
    assert_int_equal(tiles_node(r, 99, 0, &got, NULL), ERR_ARG);
    free(r);
    free(g);
}

static void tile_bytes_of_another_length_are_refused(void **state)
{
    (void)state;
    struct hash h[TILES_WIDTH];
    uint8_t bytes[TILES_MAX_BYTES] = {1};
    assert_int_equal(tiles_hashes(bytes, sizeof bytes, 256, h, NULL), OK);
    assert_int_equal(tiles_hashes(bytes, 64, 2, h, NULL), OK);
    assert_int_equal(tiles_hashes(bytes, 63, 2, h, NULL), ERR_PROTO);
    assert_int_equal(tiles_hashes(bytes, 65, 2, h, NULL), ERR_PROTO);
    assert_int_equal(tiles_hashes(bytes, 0, 0, h, NULL), ERR_PROTO);
    assert_int_equal(tiles_hashes(bytes, (size_t)257 * 32, 257, h, NULL), ERR_PROTO);
}

/* --- bundles ---------------------------------------------------------------------------------- */

static void a_bundle_comes_back_entry_by_entry(void **state)
{
    (void)state;
    struct buf b = {0};
    struct tiles_entry v[TILES_WIDTH];
    char *longest = calloc(1, TILES_MAX_ENTRY + 1);
    assert_int_equal(tiles_bundle_add(&b, "abc", 3, NULL), OK);
    assert_int_equal(tiles_bundle_add(&b, "", 0, NULL), OK);
    assert_memory_equal(b.p, "\0\003abc\0\0", 7);
    assert_int_equal(tiles_bundle_add(&b, longest, TILES_MAX_ENTRY, NULL), OK);
    assert_int_equal(tiles_bundle_add(&b, longest, TILES_MAX_ENTRY + 1, NULL), ERR_LIMIT);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, 3, v, NULL), OK);
    assert_int_equal(v[0].n, 3);
    assert_memory_equal(v[0].p, "abc", 3);
    assert_int_equal(v[1].n, 0);
    assert_int_equal(v[2].n, TILES_MAX_ENTRY);
    free(longest);
    buf_deinit(&b);
}

static void a_bundle_cut_or_lengthened_anywhere_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    struct tiles_entry v[TILES_WIDTH];
    for (int i = 0; i < 5; i++)
        assert_int_equal(tiles_bundle_add(&b, "potluck", (size_t)i, NULL), OK);
    for (size_t n = 0; n < b.len; n++)
        assert_int_equal(tiles_bundle_parse(b.p, n, 5, v, NULL), ERR_PROTO);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, 5, v, NULL), OK);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, 4, v, NULL), ERR_PROTO);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, 6, v, NULL), ERR_PROTO);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, 0, v, NULL), ERR_ARG);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, 257, v, NULL), ERR_ARG);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_spelled_as_the_format_says),
        cmocka_unit_test(any_other_spelling_is_refused),
        cmocka_unit_test(the_example_of_seventy_thousand_has_its_tiles),
        cmocka_unit_test(a_narrower_cut_of_a_tile_is_within_the_tree),
        cmocka_unit_test(every_size_is_read_back_from_its_tiles),
        cmocka_unit_test(a_full_second_level_goes_on_into_a_third),
        cmocka_unit_test(a_failed_put_changes_nothing),
        cmocka_unit_test(the_list_names_each_tile_that_a_proof_asks_for),
        cmocka_unit_test(a_failed_get_leaves_no_half_tile_behind),
        cmocka_unit_test(tile_bytes_of_another_length_are_refused),
        cmocka_unit_test(a_bundle_comes_back_entry_by_entry),
        cmocka_unit_test(a_bundle_cut_or_lengthened_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
