/* A source that answers whatever it likes: no log is taken for good that is not, nothing is told
 * twice, and the walk ends. The first byte is how many entries the head claims; then each answer is
 * two bytes of length and so many bytes, 65535 meaning that there is no such file. What is left is
 * read as a sheet.
 */
#include "base/bytes.h"
#include "record/audit_log.h"
#include "record/audit_sheet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct story {
    struct cursor c;
    uint64_t n_entries;
};

static int answer(struct story *s, size_t max, struct buf *out, struct err *e)
{
    uint16_t n = cursor_u16(&s->c);
    const uint8_t *p = s->c.bad || n == 65535 ? NULL : cursor_take(&s->c, n);
    if (!p) return err_set(e, ERR_NOTFOUND, 0, "no such file");
    if (n > max) return err_set(e, ERR_LIMIT, 0, "too long");
    buf_put(out, p, n);
    return buf_ok(out, e);
}

static int give_log(void *ctx, const char *path, size_t max, struct buf *out, struct err *e)
{
    check(path[0]);
    return answer(ctx, max, out, e);
}

static int give_blob(void *ctx, const struct hash *h, size_t max, struct buf *out, struct err *e)
{
    check(h != NULL);
    return answer(ctx, max, out, e);
}

static int on_entry(void *ctx, uint64_t index, const struct entry *m, struct err *e)
{
    struct story *s = ctx;
    (void)e;
    check(index == s->n_entries);
    check(!m || m->kind >= ENTRY_OPEN);
    s->n_entries++;
    return OK;
}

static void read_sheet(struct story *s, const struct audit_source *source)
{
    struct audit_book book = {0};
    struct entry_round m = {.round = 0, .first_seq = 1, .last_seq = 2};
    struct sheet sheet;
    enum audit_sheet state;
    m.sheet = hash_of(s->c.n > 2 ? s->c.p + 2 : s->c.p, s->c.n > 2 ? s->c.n - 2 : 0);
    m.sheet_bytes = s->c.n > 2 ? s->c.n - 2 : 0;
    int rc = audit_sheet_read(source, &book, &m, &sheet, &state, NULL);
    check(rc == OK || rc == ERR_NOMEM);
    check((state == AUDIT_SHEET_NONE) == (sheet.rows == NULL));
    sheet_deinit(&sheet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rundesc run; /* signed by the key of zeros: nobody's */
    if (size < 1) return 0;
    struct story s = {
        .c = {data + 1, size - 1, false}
    };
    struct audit_source source = {.blob = give_blob, .log = give_log, .ctx = &s};
    struct audit_book book = {0};
    struct note_head head = {.n_leaves = data[0] * UINT64_C(3)};
    struct audit_log l = {
        .source = &source, .run = &run, .book = &book, .entry = on_entry, .ctx = &s};
    int rc = audit_log_walk(&l, &head, NULL);
    check(rc == OK || rc == ERR_NOMEM);
    check(s.n_entries <= head.n_leaves);
    check(book.n[AUDIT_ENTRY][AUDIT_OK] == 0); /* that is the chain's to say */
    check(head.n_leaves == 0 || book.n[AUDIT_HEAD][AUDIT_OK] == 0);
    s.c.bad = false;
    read_sheet(&s, &source);
    return 0;
}
