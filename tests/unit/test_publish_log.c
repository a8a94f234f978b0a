#include "aggregator/publish_log.h"
#include "aggregator/store_record.h"
#include "base/file.h"
#include "record/merkle.h"
#include "record/note.h"
#include "record/tiles.h"
#include "tests/unit/scratch.h"

struct tower {
    char dir[PATH_CAP];
    struct hash run;
    struct key key;
    struct store *s;
    struct spool sp;
    struct publish_log *l;
    struct merkle_range range; /* of the same leaves, kept apart */
    struct err e;
};

static struct tower the_tower;

static void open_store(struct tower *x, const char *name)
{
    char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", x->dir, name), 0);
    assert_int_equal(store_open(path, &x->run, &x->s, &x->e), OK);
}

static int set_up(void **state)
{
    struct tower *x = &the_tower;
    memset(x, 0, sizeof *x);
    scratch_make(x->dir);
    x->run = hash_of("run", 3);
    key_generate(&x->key);
    open_store(x, "a.db");
    assert_int_equal(spool_open(&x->sp, x->dir, &x->e), OK);
    assert_int_equal(publish_log_open(&x->sp, &x->run, &x->key, &x->l, &x->e), OK);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct tower *x = *state;
    publish_log_close(x->l);
    store_close(x->s);
    scratch_remove(x->dir);
    return 0;
}

static void reopen(struct tower *x)
{
    publish_log_close(x->l);
    x->l = NULL;
    assert_int_equal(publish_log_open(&x->sp, &x->run, &x->key, &x->l, &x->e), OK);
}

/* Any text will do: what entries say is not this file's affair. */
static void add(struct tower *x, int n)
{
    for (int i = 0; i < n; i++) {
        struct store_entry m = {.kind = ENTRY_CHANGE};
        buf_printf(&m.text, "entry %d", (int)x->range.n);
        struct hash leaf = merkle_leaf(m.text.p, m.text.len);
        assert_int_equal(store_record_append(x->s, x->range.n, &m, 1, &x->e), OK);
        merkle_range_add(&x->range, &leaf);
        buf_deinit(&m.text);
    }
}

static void check_head(struct tower *x)
{
    struct buf b = {0};
    struct note_head h;
    struct hash root = merkle_range_root(&x->range);
    assert_int_equal(publish_log_read(&x->sp, "checkpoint", &b, &x->e), OK);
    assert_int_equal(note_verify(b.p, b.len, &x->run, &x->key.pub, &h, &x->e), OK);
    assert_int_equal(h.n_leaves, x->range.n);
    assert_true(hash_equal(&h.root, &root));
    buf_deinit(&b);
}

static int get_tile(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH],
                    struct err *e)
{
    struct tower *x = ctx;
    struct buf b = {0};
    char path[TILES_PATH_CAP];
    int rc = publish_log_read(&x->sp, tiles_path(at, path), &b, e);
    if (rc == OK) rc = tiles_hashes(b.p, b.len, at->width, ret, e);
    buf_deinit(&b);
    return rc;
}

/* A reader of tiles alone comes to the root of any tree that ever was. */
static void check_tiles(struct tower *x)
{
    struct tiles_reader *r = calloc(1, sizeof *r);
    struct hash root, want = merkle_range_root(&x->range);
    tiles_reader_init(r, x->range.n, get_tile, x);
    assert_int_equal(merkle_root(x->range.n, tiles_node, r, &root, &x->e), OK);
    assert_true(hash_equal(&root, &want));
    free(r);
}

static void an_empty_record_has_no_files(void **state)
{
    struct tower *x = *state;
    struct buf b = {0};
    assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
    assert_int_equal(publish_log_read(&x->sp, "checkpoint", &b, &x->e), ERR_NOTFOUND);
    assert_int_equal(publish_log_read(&x->sp, "tile/0/000.p/1", &b, &x->e), ERR_NOTFOUND);
    buf_deinit(&b);
}

static void the_head_follows_the_table(void **state)
{
    static const int steps[] = {1, 1, 3, 250, 1, 1, 300, 12};
    struct tower *x = *state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        add(x, steps[i]);
        assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
        check_head(x);
        check_tiles(x);
        if (i % 2) reopen(x); /* a restart goes on */
    }
}

/* The tree head of a moment ago is still served: a narrower tile is the beginning of a wider one. */
static void narrower_tiles_are_cut_from_the_one_that_is_kept(void **state)
{
    struct tower *x = *state;
    struct tiles_entry entries[TILES_WIDTH];
    struct buf b = {0};
    add(x, 300);
    assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
    assert_int_equal(publish_log_read(&x->sp, "tile/0/001.p/7", &b, &x->e), OK);
    assert_int_equal(b.len, 7 * HASH_BYTES);
    buf_clear(&b);
    assert_int_equal(publish_log_read(&x->sp, "tile/entries/000.p/200", &b, &x->e), OK);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, 200, entries, &x->e), OK);
    assert_memory_equal(entries[199].p, "entry 199", 9);
    buf_clear(&b);
    assert_int_equal(publish_log_read(&x->sp, "tile/entries/001.p/44", &b, &x->e), OK);
    assert_int_equal(tiles_bundle_parse(b.p, b.len, 44, entries, &x->e), OK);
    buf_clear(&b);
    assert_int_equal(publish_log_read(&x->sp, "tile/0/001.p/45", &b, &x->e), ERR_NOTFOUND);
    assert_int_equal(publish_log_read(&x->sp, "tile/0/../../a.db", &b, &x->e), ERR_NOTFOUND);
    assert_int_equal(publish_log_read(&x->sp, "../a.db", &b, &x->e), ERR_NOTFOUND);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

static void old_partial_tiles_are_taken_away(void **state)
{
    struct tower *x = *state;
    char path[PATH_CAP];
    add(x, 5);
    assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
    assert_int_equal(path_format(path, "%s/record/tile/0/000.p/5", x->dir), 0);
    assert_true(file_exists(path));
    add(x, 1);
    assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
    assert_false(file_exists(path));
    check_tiles(x);
}

static void a_damaged_file_is_written_again_at_the_start(void **state)
{
    struct tower *x = *state;
    char path[PATH_CAP];
    add(x, 300);
    assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
    assert_int_equal(path_format(path, "%s/record/tile/0/000", x->dir), 0);
    assert_int_equal(file_replace(path, "broken", 6, 0600, &x->e), OK);
    reopen(x);
    assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
    check_tiles(x);
}

static int fail_later(void *ctx, const char *what, struct err *e)
{
    (void)what;
    return (*(int *)ctx)-- > 0 ? OK : err_set(e, ERR_IO, 0, "the disk is full");
}

/* With the same object, and with a new one as after a crash. */
static void a_failure_at_any_file_is_made_good_later(void **state)
{
    struct tower *x = *state;
    for (int n = 0; n < 12; n++) {
        int left = n;
        add(x, 130);
        publish_log_on_step(x->l, fail_later, &left);
        int rc = publish_log_write(x->l, x->s, &x->e);
        publish_log_on_step(x->l, NULL, NULL);
        assert_int_equal(rc == OK, left >= 0);
        if (n % 2) reopen(x);
        assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
        check_head(x);
        check_tiles(x);
    }
}

/* An older copy of the database, or another history, must not get a new head. */
static void a_record_is_never_taken_back(void **state)
{
    struct tower *x = *state;
    struct buf before = {0}, after = {0}, tile = {0};
    add(x, 300);
    assert_int_equal(publish_log_write(x->l, x->s, &x->e), OK);
    assert_int_equal(publish_log_read(&x->sp, "checkpoint", &before, &x->e), OK);
    for (int how = 0; how < 2; how++) {
        store_close(x->s);
        open_store(x, how ? "c.db" : "b.db");
        x->range = (struct merkle_range){0};
        struct store_entry m = {.kind = ENTRY_CHANGE};
        buf_put_str(&m.text, "another history");
        for (uint64_t i = 0; i < (how ? 310u : 280u); i++)
            assert_int_equal(store_record_append(x->s, i, &m, 1, &x->e), OK);
        buf_deinit(&m.text);
        reopen(x);
        assert_int_equal(publish_log_write(x->l, x->s, &x->e), ERR_AUTH);
        assert_non_null(strstr(x->e.what, "contradict"));
        assert_true(x->e.hint[0]);
        buf_clear(&after);
        assert_int_equal(publish_log_read(&x->sp, "checkpoint", &after, &x->e), OK);
        assert_int_equal(after.len, before.len);
        assert_memory_equal(after.p, before.p, before.len);
        buf_clear(&tile); /* no file of the old history was touched */
        assert_int_equal(publish_log_read(&x->sp, "tile/entries/000.p/1", &tile, &x->e), OK);
        assert_memory_equal(tile.p + 2, "entry 0", 7);
    }
    buf_deinit(&tile);
    buf_deinit(&before);
    buf_deinit(&after);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_empty_record_has_no_files),
        CASE(the_head_follows_the_table),
        CASE(narrower_tiles_are_cut_from_the_one_that_is_kept),
        CASE(old_partial_tiles_are_taken_away),
        CASE(a_damaged_file_is_written_again_at_the_start),
        CASE(a_failure_at_any_file_is_made_good_later),
        CASE(a_record_is_never_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
