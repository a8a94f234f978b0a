#include <string.h>

#include "record/audit.h"
#include "tests/check.h"

/* A source with one file, or with trouble. */
struct shop {
    int rc;
    const char *text;
};

static int blob(void *ctx, const struct hash *h, size_t max, struct buf *out, struct err *e)
{
    struct shop *s = ctx;
    (void)h;
    if (s->rc != OK) return err_set(e, s->rc, 0, "trouble");
    if (strlen(s->text) > max) return err_set(e, ERR_LIMIT, 0, "long");
    buf_put_str(out, s->text);
    return OK;
}

static struct audit_finding last;

static void note(const struct audit_finding *f, void *ctx)
{
    (void)ctx;
    last = *f;
}

static void audit_blob_believes_only_the_hash(void **state)
{
    (void)state;
    struct shop shop = {.text = "soup"};
    struct audit_source s = {.blob = blob, .ctx = &shop};
    struct buf out = {0};
    struct hash soup = hash_of("soup", 4), salad = hash_of("salad", 5);
    buf_put_str(&out, "a ");
    assert_int_equal(audit_blob(&s, &soup, 100, &out, NULL), OK);
    assert_string_equal(buf_str(&out), "a soup");
    assert_int_equal(audit_blob(&s, &salad, 100, &out, NULL), ERR_AUTH);
    assert_int_equal(audit_blob(&s, &soup, 3, &out, NULL), ERR_AUTH);
    assert_string_equal(buf_str(&out), "a soup"); /* nothing of what was refused stays */
    shop.rc = ERR_NOTFOUND;
    assert_int_equal(audit_blob(&s, &soup, 100, &out, NULL), ERR_NOTFOUND);
    shop.rc = ERR_IO;
    assert_int_equal(audit_blob(&s, &soup, 100, &out, NULL), ERR_IO);
    buf_deinit(&out);
}

static int want(struct shop *shop, struct audit_book *b, enum audit_outcome gone, bool *ret_has)
{
    struct audit_source s = {.blob = blob, .ctx = shop};
    struct hash soup = hash_of("soup", 4);
    struct buf out = {0};
    struct audit_wanted w = {&soup, 100, AUDIT_SHEET, gone, 3, "the sheet of round 3"};
    int rc = audit_want(&s, b, &w, &out, ret_has, NULL);
    buf_deinit(&out);
    return rc;
}

static void audit_want_tells_missing_wrong_and_trouble_apart(void **state)
{
    (void)state;
    struct shop shop = {.text = "soup"};
    struct audit_book b = {.fn = note};
    bool has = false;
    assert_int_equal(want(&shop, &b, AUDIT_NO_DATA, &has), OK);
    assert_true(has);
    assert_int_equal(b.n[AUDIT_SHEET][AUDIT_OK], 0); /* there, not yet checked */
    shop.rc = ERR_NOTFOUND;
    assert_int_equal(want(&shop, &b, AUDIT_NOT_KEPT, &has), OK);
    assert_false(has);
    assert_int_equal(last.outcome, AUDIT_NOT_KEPT);
    assert_non_null(strstr(last.what, "the sheet of round 3 is not kept any more"));
    assert_int_equal(want(&shop, &b, AUDIT_NO_DATA, &has), OK);
    assert_non_null(strstr(last.what, "though it should be"));
    shop = (struct shop){.text = "salt"};
    assert_int_equal(want(&shop, &b, AUDIT_NO_DATA, &has), OK);
    assert_false(has);
    assert_int_equal(last.outcome, AUDIT_WRONG);
    assert_int_equal(last.round, 3);
    shop.rc = ERR_IO;
    assert_int_equal(want(&shop, &b, AUDIT_NO_DATA, &has), ERR_IO); /* says nothing of the host */
    assert_int_equal(audit_count(&b, AUDIT_WRONG), 1);
    assert_int_equal(audit_count(&b, AUDIT_NOT_KEPT), 1);
    assert_int_equal(audit_count(&b, AUDIT_NO_DATA), 1);
}

static void audit_words_are_there_for_all(void **state)
{
    (void)state;
    for (int i = 0; i < AUDIT_ITEMS; i++)
        assert_true(strlen(audit_item_word((enum audit_item)i)) > 3);
    for (int i = 0; i < AUDIT_OUTCOMES; i++)
        assert_true(strlen(audit_outcome_word((enum audit_outcome)i)) > 1);
    assert_string_equal(audit_item_word(AUDIT_ITEMS), "?");
    assert_string_equal(audit_outcome_word(AUDIT_OUTCOMES), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audit_blob_believes_only_the_hash),
        cmocka_unit_test(audit_want_tells_missing_wrong_and_trouble_apart),
        cmocka_unit_test(audit_words_are_there_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
