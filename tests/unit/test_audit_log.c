#include "record/audit_log.h"
#include "tests/unit/auditrig.h"

/* A log of change entries: many, and quickly made. */
struct seen {
    struct auditrig *r;
    uint64_t n, n_unread;
    uint64_t stop_at;
    bool may_be_older;
};

static void fill(struct auditrig *r, uint32_t n)
{
    while (r->n_entries < n) {
        struct entry m = {.kind = ENTRY_CHANGE};
        m.change.has[ENTRY_F_UPLOAD_MS] = true;
        m.change.value[ENTRY_F_UPLOAD_MS] = 1000;
        snprintf(m.change.reason, sizeof m.change.reason, "test");
        auditrig_append(r, &m);
    }
}

static int setup(void **state)
{
    *state = auditrig_begin(0);
    return 0;
}

static int teardown(void **state)
{
    auditrig_deinit(*state);
    return 0;
}

static int on_entry(void *ctx, uint64_t index, const struct entry *m, struct err *e)
{
    struct seen *s = ctx;
    assert_int_equal(index, s->n);
    s->n++;
    s->n_unread += !m;
    return s->stop_at && s->n == s->stop_at ? err_set(e, ERR_IO, 0, "enough") : OK;
}

static int walk(struct seen *s, const struct note_head *known, struct audit_book *b)
{
    struct note_head head;
    struct err e = {0};
    bool has = false;
    struct audit_log l = {.source = &s->r->source,
                          .run = &s->r->run,
                          .book = b,
                          .known = known,
                          .may_be_older = s->may_be_older,
                          .entry = on_entry,
                          .ctx = s};
    *b = (struct audit_book){.fn = auditrig_note, .ctx = s->r};
    s->r->n_findings = 0;
    assert_int_equal(audit_log_head(&l, &head, &has, &e), OK);
    return has ? audit_log_walk(&l, &head, &e) : ERR_NOTFOUND;
}

static struct note_head head_of(struct auditrig *r)
{
    return (struct note_head){r->run.id, r->edge.n, tiles_edge_root(&r->edge)};
}

static void a_log_of_many_bundles_is_read_and_held_against_its_tiles(void **state)
{
    struct seen s = {.r = *state};
    struct audit_book b;
    fill(s.r, 600);
    assert_int_equal(walk(&s, NULL, &b), OK);
    assert_int_equal(s.n, 600);
    assert_int_equal(s.n_unread, 0);
    assert_int_equal(s.r->n_findings, 0);
    assert_int_equal(b.n[AUDIT_TILE][AUDIT_OK], 4); /* three of level 0, one of level 1 */
    assert_int_equal(b.n[AUDIT_HEAD][AUDIT_OK], 1);
}

static void a_changed_tile_of_an_upper_level_is_found(void **state)
{
    struct seen s = {.r = *state};
    struct audit_book b;
    fill(s.r, 520);
    auditrig_flip(auditrig_find(s.r, "tile/1/000.p/2"));
    assert_int_equal(walk(&s, NULL, &b), OK);
    assert_int_equal(b.n[AUDIT_TILE][AUDIT_WRONG], 1);
    assert_non_null(strstr(s.r->findings[0].what, "tile/1/000.p/2"));
    assert_int_equal(b.n[AUDIT_HEAD][AUDIT_OK], 1);
}

/* A cache may have only the full tile that grew out of a partial one. */
static void a_full_tile_serves_for_a_partial_one(void **state)
{
    struct seen s = {.r = *state};
    struct audit_book b;
    fill(s.r, 200);
    struct buf head = {0};
    const struct auditrig_file *f = auditrig_find(s.r, "checkpoint");
    buf_put(&head, f->b.p, f->b.len);
    fill(s.r, 256);
    auditrig_put(s.r, "checkpoint", head.p, head.len); /* the reader still has the old one */
    auditrig_find(s.r, "tile/0/000.p/200")->name[0] = 0;
    auditrig_find(s.r, "tile/entries/000.p/200")->name[0] = 0;
    assert_int_equal(walk(&s, NULL, &b), OK);
    assert_int_equal(s.n, 200);
    assert_int_equal(s.r->n_findings, 0);
    buf_deinit(&head);
}

static void missing_entries_end_the_walk_without_a_verdict(void **state)
{
    struct seen s = {.r = *state};
    struct audit_book b;
    fill(s.r, 300);
    auditrig_find(s.r, "tile/entries/000")->name[0] = 0;
    assert_int_equal(walk(&s, NULL, &b), OK);
    assert_int_equal(b.n[AUDIT_ENTRY][AUDIT_NO_DATA], 1);
    assert_int_equal(b.n[AUDIT_HEAD][AUDIT_OK], 1); /* the tile has their hashes */
    assert_int_equal(s.n_unread, 256);
    auditrig_find(s.r, "tile/0/000")->name[0] = 0;
    s.n = s.n_unread = 0;
    assert_int_equal(walk(&s, NULL, &b), OK);
    assert_int_equal(b.n[AUDIT_HEAD][AUDIT_NO_DATA], 1);
    assert_int_equal(audit_count(&b, AUDIT_WRONG), 0);
}

static void a_remembered_head_must_be_contained(void **state)
{
    struct seen s = {.r = *state};
    struct audit_book b;
    fill(s.r, 10);
    struct note_head known = head_of(s.r);
    fill(s.r, 20);
    assert_int_equal(walk(&s, &known, &b), OK);
    assert_int_equal(s.r->n_findings, 0);
    known.root.b[0] ^= 1;
    s.n = 0;
    assert_int_equal(walk(&s, &known, &b), OK);
    assert_int_equal(b.n[AUDIT_HEAD][AUDIT_WRONG], 1);
    assert_non_null(strstr(s.r->findings[0].what, "rewritten history"));
    known = head_of(s.r);
    known.n_leaves = 21; /* more than there are now */
    s.n = 0;
    assert_int_equal(walk(&s, &known, &b), OK);
    assert_non_null(strstr(s.r->findings[0].what, "rewritten history"));
    s.n = 0;
    s.may_be_older = true; /* a copy of some time ago is no lie */
    assert_int_equal(walk(&s, &known, &b), OK);
    assert_int_equal(s.r->n_findings, 0);
}

static void a_head_of_other_entries(void **state)
{
    struct seen s = {.r = *state};
    struct audit_book b;
    struct buf text = {0};
    fill(s.r, 10);
    struct note_head lie = head_of(s.r);
    lie.root.b[3] ^= 1;
    assert_int_equal(note_sign(&lie, &s.r->host, &text, NULL), OK);
    auditrig_put(s.r, "checkpoint", text.p, text.len);
    assert_int_equal(walk(&s, NULL, &b), OK);
    assert_int_equal(b.n[AUDIT_HEAD][AUDIT_WRONG], 1);
    buf_clear(&text);
    lie = head_of(s.r);
    assert_int_equal(note_sign(&lie, &s.r->peer[0], &text, NULL), OK); /* somebody else's */
    auditrig_put(s.r, "checkpoint", text.p, text.len);
    assert_int_equal(walk(&s, NULL, &b), ERR_NOTFOUND);
    assert_non_null(strstr(s.r->findings[0].what, "not one that the host has signed"));
    auditrig_find(s.r, "checkpoint")->name[0] = 0;
    assert_int_equal(walk(&s, NULL, &b), ERR_NOTFOUND);
    assert_int_equal(b.n[AUDIT_HEAD][AUDIT_NO_DATA], 1);
    buf_deinit(&text);
}

static void an_entry_that_somebody_else_signed(void **state)
{
    struct seen s = {.r = *state};
    struct audit_book b;
    struct buf text = {0};
    struct entry m = {.kind = ENTRY_END, .run = s.r->run.id, .index = 1};
    assert_int_equal(entry_sign(&m, &s.r->peer[1], &text, NULL), OK);
    auditrig_append_text(s.r, text.p, text.len);
    assert_int_equal(walk(&s, NULL, &b), OK);
    assert_int_equal(b.n[AUDIT_ENTRY][AUDIT_WRONG], 1);
    assert_int_equal(s.n_unread, 1);
    buf_deinit(&text);
}

static void what_the_reader_says_ends_the_walk(void **state)
{
    struct seen s = {.r = *state, .stop_at = 3};
    struct audit_book b;
    fill(s.r, 10);
    assert_int_equal(walk(&s, NULL, &b), ERR_IO);
    assert_int_equal(s.n, 3);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_log_of_many_bundles_is_read_and_held_against_its_tiles),
        CASE(a_changed_tile_of_an_upper_level_is_found),
        CASE(a_full_tile_serves_for_a_partial_one),
        CASE(missing_entries_end_the_walk_without_a_verdict),
        CASE(a_remembered_head_must_be_contained),
        CASE(a_head_of_other_entries),
        CASE(an_entry_that_somebody_else_signed),
        CASE(what_the_reader_says_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
