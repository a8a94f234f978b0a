#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "client/treehead.h"
#include "tests/unit/logcase.h"
#include "tests/unit/scratch.h"

struct rig {
    char dir[PATH_CAP];      /* the run's */
    char evidence[PATH_CAP]; /* the folder of evidence */
    struct rundesc *run;
    struct logcase log;
    struct treehead t;
    struct buf note;
    struct err e;
};

static void reopen(struct rig *r)
{
    treehead_deinit(&r->t);
    if (treehead_open(&r->t, r->dir, r->evidence, r->run, &r->e)) fail_msg("%s", r->e.what);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    scratch_make(r->dir);
    assert_int_equal(path_format(r->evidence, "%s/evidence", r->dir), 0);
    r->run = calloc(1, sizeof *r->run);
    assert_non_null(r->run);
    logcase_init(&r->log);
    r->run->id = r->log.run;
    r->run->n_aggregators = 2;
    r->run->aggregators[0].key = (struct key_pub){{9}};
    r->run->aggregators[1].key = r->log.key.pub;
    reopen(r);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    treehead_deinit(&r->t);
    buf_deinit(&r->note);
    scratch_remove(r->dir);
    free(r->run);
    free(r);
    return 0;
}

static int take_note(struct rig *r, uint64_t n_least)
{
    r->e = (struct err){0};
    return treehead_take(&r->t, r->note.p, r->note.len, n_least, logcase_tile, &r->log, &r->e);
}

/* The log's head at n entries. */
static int take(struct rig *r, uint64_t n, uint64_t n_least)
{
    buf_clear(&r->note);
    logcase_note(&r->log, n, &r->note);
    return take_note(r, n_least);
}

/* The folder that the error names holds this file; its text is appended. */
static void evidence(struct rig *r, const char *name, struct buf *ret)
{
    char path[PATH_CAP];
    const char *at = strstr(r->e.what, r->evidence);
    assert_non_null(at);
    assert_int_equal(path_format(path, "%s/%s", at, name), 0);
    if (file_read(path, 1 << 20, ret, NULL)) fail_msg("%s is missing", path);
}

static void assert_evidence(struct rig *r, const char *name, const void *p, size_t n)
{
    struct buf b = {0};
    evidence(r, name, &b);
    assert_int_equal(b.len, n);
    assert_memory_equal(b.p, p, n);
    buf_deinit(&b);
}

static void each_newer_head_is_taken_and_outlives_a_restart(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 1100, "one story");
    static const uint64_t sizes[] = {0, 1, 2, 7, 7, 255, 256, 257, 700, 1024, 1100};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (take(r, sizes[i], sizes[i])) fail_msg("%s", r->e.what);
        reopen(r);
        assert_true(r->t.has);
        assert_int_equal(r->t.head.n_leaves, sizes[i]);
    }
    assert_false(file_exists(r->evidence));
}

static void a_log_that_is_shorter_than_the_rounds_is_taken_and_said(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 5, "one story");
    assert_int_equal(take(r, 5, 6), TREEHEAD_STALE);
    assert_non_null(strstr(r->e.what, "5 entries where 5 rounds"));
    assert_int_equal(r->t.head.n_leaves, 5);
    assert_int_equal(take(r, 5, 5), OK);
    assert_false(file_exists(r->evidence));
}

/* Two logs of one key that agree up to entry 300. */
static void a_forked_history_is_refused_with_evidence(void **state)
{
    struct rig *r = *state;
    struct buf old = {0};
    logcase_grow(&r->log, 400, "one story");
    assert_int_equal(take(r, 400, 0), OK);
    buf_put(&old, r->t.note.p, r->t.note.len);
    r->log.n = 300;
    logcase_grow(&r->log, 450, "another story");
    assert_int_equal(take(r, 450, 0), ERR_AUTH);
    assert_non_null(strstr(r->e.what, "rewritten"));
    assert_evidence(r, "remembered.note", old.p, old.len);
    assert_evidence(r, "received.note", r->note.p, r->note.len);
    struct buf b = {0};
    evidence(r, "proof.txt", &b);
    assert_int_equal(strncmp(buf_str(&b), "consistency 400 450\n", 20), 0);
    buf_clear(&b);
    evidence(r, "what.txt", &b);
    assert_non_null(strstr(buf_str(&b), "rewritten"));
    assert_non_null(strstr(buf_str(&b), "400 entries"));
    buf_clear(&b);
    evidence(r, "tile-0-001.p-194", &b);
    assert_int_equal(b.len, 194 * 32);
    assert_memory_equal(b.p, &r->log.leaf[256], b.len);
    reopen(r); /* the old one is what counts, for ever */
    assert_int_equal(r->t.head.n_leaves, 400);
    assert_int_equal(take(r, 450, 0), ERR_AUTH);
    buf_deinit(&b);
    buf_deinit(&old);
}

static void another_root_of_the_same_size_is_refused(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 9, "one story");
    assert_int_equal(take(r, 9, 0), OK);
    r->log.n = 8;
    logcase_grow(&r->log, 9, "another story");
    assert_int_equal(take(r, 9, 0), ERR_AUTH);
    assert_non_null(strstr(r->e.what, "rewritten"));
    assert_evidence(r, "received.note", r->note.p, r->note.len);
}

static void an_older_head_is_refused(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 9, "one story");
    assert_int_equal(take(r, 9, 0), OK);
    assert_int_equal(take(r, 8, 0), ERR_AUTH);
    assert_non_null(strstr(r->e.what, "older"));
    assert_evidence(r, "received.note", r->note.p, r->note.len);
    assert_int_equal(take(r, 9, 0), OK);
}

static void a_head_that_is_not_signed_proves_nothing(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 9, "one story");
    assert_int_equal(take(r, 8, 0), OK);
    buf_clear(&r->note);
    logcase_note(&r->log, 9, &r->note);
    r->note.p[r->note.len - 10] ^= 1;
    assert_int_equal(take_note(r, 0), ERR_PROTO);
    assert_non_null(strstr(r->e.what, "not signed"));
    r->note.len = 0;
    assert_int_equal(take_note(r, 0), ERR_PROTO);
    assert_int_equal(r->t.head.n_leaves, 8);
}

static void a_record_that_is_gone_is_refused_only_if_there_was_one(void **state)
{
    struct rig *r = *state;
    assert_int_equal(treehead_gone(&r->t, &r->e), OK);
    logcase_grow(&r->log, 9, "one story");
    assert_int_equal(take(r, 9, 0), OK);
    assert_int_equal(treehead_gone(&r->t, &r->e), ERR_AUTH);
    assert_non_null(strstr(r->e.what, "no record"));
    assert_evidence(r, "remembered.note", r->note.p, r->note.len);
}

static void a_host_is_trusted_again_when_a_person_says_so(void **state)
{
    struct rig *r = *state;
    char aside[PATH_CAP];
    struct buf was = {0};
    logcase_grow(&r->log, 9, "one story");
    assert_int_equal(treehead_forget(r->dir, &r->e), OK); /* nothing to forget */
    assert_int_equal(take(r, 9, 0), OK);
    reopen(r);
    assert_int_equal(take(r, 5, 0), ERR_AUTH);
    evidence(r, "what.txt", &was);
    assert_non_null(strstr(buf_str(&was), "potluck join --anew"));
    buf_clear(&was);
    assert_int_equal(treehead_forget(r->dir, &r->e), OK);
    reopen(r);
    assert_false(r->t.has);
    assert_int_equal(take(r, 5, 0), OK);
    assert_int_equal(path_format(aside, "%s/treehead.set-aside", r->dir), 0);
    assert_int_equal(file_read(aside, NOTE_MAX_BYTES, &was, &r->e), OK); /* nothing is lost */
    buf_deinit(&was);
    assert_int_equal(treehead_forget("/nowhere/at/all", &r->e), OK);
}

static void a_changed_file_is_set_aside_and_said(void **state)
{
    struct rig *r = *state;
    char aside[PATH_CAP];
    logcase_grow(&r->log, 9, "one story");
    assert_int_equal(take(r, 9, 0), OK);
    r->note.p[80] ^= 1;
    scratch_write(r->dir, "treehead", r->note.p, r->note.len);
    treehead_deinit(&r->t);
    assert_int_not_equal(treehead_open(&r->t, r->dir, r->evidence, r->run, &r->e), OK);
    assert_non_null(strstr(r->e.what, "set aside"));
    assert_false(r->t.has);
    assert_int_equal(path_format(aside, "%s/treehead.unreadable", r->dir), 0);
    assert_true(file_exists(aside));
    assert_int_equal(take(r, 9, 0), OK);
}

static int later(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH], struct err *e)
{
    (void)ctx;
    (void)at;
    (void)ret;
    (void)e;
    return ERR_AGAIN;
}

static void without_its_tiles_nothing_is_taken(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 9, "one story");
    assert_int_equal(take(r, 5, 0), OK);
    buf_clear(&r->note);
    logcase_note(&r->log, 9, &r->note);
    assert_int_equal(treehead_take(&r->t, r->note.p, r->note.len, 0, later, NULL, &r->e),
                     ERR_AGAIN);
    assert_int_equal(r->t.head.n_leaves, 5);
    assert_false(file_exists(r->evidence));
}

static void a_check_asks_for_the_tiles_and_takes_the_head(void **state)
{
    struct rig *r = *state;
    struct treehead_check c = {0};
    struct hash h[TILES_WIDTH];
    logcase_grow(&r->log, 1100, "one story");
    for (uint64_t n = 90; n <= 1100; n += 101) {
        const struct tiles_at *at;
        uint32_t n_tiles = 0;
        buf_clear(&r->note);
        logcase_note(&r->log, n, &r->note);
        assert_int_equal(treehead_check_begin(&c, &r->t, r->note.p, r->note.len, &r->e), OK);
        for (; (at = treehead_check_next(&c)); n_tiles++) {
            assert_int_equal(logcase_tile(&r->log, at, h, NULL), OK);
            assert_int_equal(treehead_check_feed(&c, h, at->width * 32 - 1, NULL), ERR_PROTO);
            assert_int_equal(treehead_check_feed(&c, h, at->width * 32, NULL), OK);
        }
        assert_in_range(n_tiles, n == 90 ? 0 : 1, 3);
        if (treehead_check_end(&c, &r->t, n, &r->e)) fail_msg("%s", r->e.what);
    }
    treehead_check_clear(&c);
    assert_int_equal(r->t.head.n_leaves, 1100);
}

static void every_failing_allocation_is_survived(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 90, "one story");
    assert_int_equal(take(r, 5, 0), OK);
    uint64_t k = 0;
    int rc = ERR_NOMEM;
    buf_clear(&r->note);
    logcase_note(&r->log, 90, &r->note);
    while (rc == ERR_NOMEM && ++k < 100) {
        alloc_fail_nth(k);
        rc = take_note(r, 0);
        alloc_fail_nth(0);
        if (rc) assert_int_equal(r->t.head.n_leaves, 5);
    }
    assert_int_equal(rc, OK);
    assert_in_range(k, 3, 30);
    assert_int_equal(r->t.head.n_leaves, 90);
    assert_false(file_exists(r->evidence));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_newer_head_is_taken_and_outlives_a_restart),
        CASE(a_log_that_is_shorter_than_the_rounds_is_taken_and_said),
        CASE(a_forked_history_is_refused_with_evidence),
        CASE(another_root_of_the_same_size_is_refused),
        CASE(an_older_head_is_refused),
        CASE(a_head_that_is_not_signed_proves_nothing),
        CASE(a_record_that_is_gone_is_refused_only_if_there_was_one),
        CASE(a_host_is_trusted_again_when_a_person_says_so),
        CASE(a_changed_file_is_set_aside_and_said),
        CASE(without_its_tiles_nothing_is_taken),
        CASE(a_check_asks_for_the_tiles_and_takes_the_head),
        CASE(every_failing_allocation_is_survived),
    };
    log_set_stderr(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
