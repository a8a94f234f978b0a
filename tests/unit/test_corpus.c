#include "aggregator/corpus.h"
#include "tests/unit/scratch.h"

struct seen {
    int n[CORPUS_FAULTS];
};

static char dir[PATH_CAP];
static struct corpus c;
static struct seen seen;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    scratch_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    corpus_deinit(&c);
    scratch_remove(dir);
    return 0;
}

static void note(enum corpus_fault why, const char *path, const char *what, void *ctx)
{
    struct seen *s = ctx;
    assert_non_null(path);
    assert_non_null(strchr(what, ':'));
    s->n[why]++;
}

static void folders_are_walked_and_listed_in_order(void **state)
{
    char sub[PATH_CAP];
    (void)state;
    assert_int_equal(path_format(sub, "%s/sub", dir), 0);
    assert_int_equal(mkdir(sub, 0700), 0);
    scratch_write(dir, "b.txt", "bb", 2);
    scratch_write(sub, "a.txt", "a", 1);
    scratch_write(dir, "empty", "", 0);
    assert_int_equal(corpus_add(&c, dir, note, &seen, &e), OK);
    assert_int_equal(corpus_add(&c, dir, note, &seen, &e), OK); /* twice: doubles go */
    corpus_sort(&c);
    assert_int_equal(c.n_files, 2);
    assert_int_equal(c.n_bytes, 3);
    assert_non_null(strstr(c.files[0].path, "b.txt"));
    assert_int_equal(seen.n[CORPUS_EMPTY], 2);
}

static void a_path_that_does_not_exist_is_an_error_with_a_hint(void **state)
{
    (void)state;
    assert_int_equal(corpus_add(&c, "/nonexistent/text", note, &seen, &e), ERR_NOTFOUND);
    assert_true(e.hint[0]);
}

static void links_to_nothing_and_to_folders_are_told(void **state)
{
    char path[PATH_CAP];
    (void)state;
    assert_int_equal(path_format(path, "%s/broken", dir), 0);
    assert_int_equal(symlink("/nonexistent", path), 0);
    assert_int_equal(path_format(path, "%s/loop", dir), 0);
    assert_int_equal(symlink(dir, path), 0);
    assert_int_equal(corpus_add(&c, dir, note, &seen, &e), OK);
    assert_int_equal(seen.n[CORPUS_UNREADABLE], 1);
    assert_int_equal(seen.n[CORPUS_NOT_A_FILE], 1);
}

static enum corpus_fault read_one(const char *name, const void *p, size_t n, struct buf *text)
{
    char what[512] = "";
    scratch_write(dir, name, p, n);
    corpus_deinit(&c);
    assert_int_equal(corpus_add(&c, dir, note, &seen, &e), OK);
    enum corpus_fault f = corpus_read(&c, 0, text, what);
    if (f != CORPUS_FINE) assert_non_null(strstr(what, name));
    if (n > 2 && memcmp(p, "\x1f\x8b", 2) == 0) assert_non_null(strstr(what, "gunzip"));
    return f;
}

static void unusable_content_is_named_for_what_it_is(void **state)
{
    struct buf text = {0};
    (void)state;
    assert_int_equal(read_one("x", "caf\xe9", 4, &text), CORPUS_INVALID_UTF8);
    assert_int_equal(read_one("x", "a\0b", 3, &text), CORPUS_BINARY);
    assert_int_equal(read_one("x", "\x1f\x8b\x08\x00", 4, &text), CORPUS_BINARY);
    assert_int_equal(read_one("x", "\x1f\x8b\x08z", 4, &text), CORPUS_BINARY); /* no zero byte */
    assert_int_equal(read_one("x", "caf\xc3\xa9", 5, &text), CORPUS_FINE);
    assert_int_equal(read_one("x", "\xef\xbb\xbfhi", 5, &text), CORPUS_FINE);
    assert_string_equal(buf_str(&text), "hi");
    buf_deinit(&text);
}

static void a_short_text_is_one_document(void **state)
{
    (void)state;
    assert_int_equal(corpus_doc((const uint8_t *)"a\n\nb", 4), 4);
}

static void a_long_text_is_cut_after_a_blank_line(void **state)
{
    static uint8_t text[20000];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + 100, "\n\n", 2);
    memcpy(text + 5000, "\n\n", 2);
    assert_int_equal(corpus_doc(text, sizeof text), 5002);
    memcpy(text + 5000, "\n\r\n", 3);
    assert_int_equal(corpus_doc(text, sizeof text), 5003);
}

static void a_text_without_blank_lines_is_cut_at_a_line_or_a_character(void **state)
{
    static uint8_t text[CORPUS_DOC_MAX_BYTES + 100];
    (void)state;
    memset(text, 'x', sizeof text);
    text[60000] = '\n';
    assert_int_equal(corpus_doc(text, sizeof text), 60001);
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    size_t n = corpus_doc(text, sizeof text - 1);
    assert_true(n <= CORPUS_DOC_MAX_BYTES && n > CORPUS_DOC_MAX_BYTES / 2);
    assert_int_equal(n % 2, 0);
}

static void about_the_asked_share_is_held_out_and_always_the_same(void **state)
{
    int n = 0;
    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        bool held = corpus_is_held_out((const uint8_t *)&i, 4, 0.1);
        assert_int_equal(held, corpus_is_held_out((const uint8_t *)&i, 4, 0.1));
        n += held;
    }
    assert_in_range(n, 140, 260);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(folders_are_walked_and_listed_in_order),
        CASE(a_path_that_does_not_exist_is_an_error_with_a_hint),
        CASE(links_to_nothing_and_to_folders_are_told),
        CASE(unusable_content_is_named_for_what_it_is),
        cmocka_unit_test(a_short_text_is_one_document),
        cmocka_unit_test(a_long_text_is_cut_after_a_blank_line),
        cmocka_unit_test(a_text_without_blank_lines_is_cut_at_a_line_or_a_character),
        cmocka_unit_test(about_the_asked_share_is_held_out_and_always_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
