#include "client/receipts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"

#define MAX_FILE (256u << 20)

int receipts_check(const void *jws, size_t n, const struct rundesc *run, const struct key_pub *us,
                   struct msg_receipt *ret, struct err *e)
{
    int rc = ERR_AUTH;
    struct msg_receipt r;
    for (uint32_t i = 0; i < run->n_aggregators && rc != OK; i++)
        rc = msg_receipt_verify(jws, n, &run->aggregators[i].key, &r, e);
    if (rc != OK) {
        (void)err_wrap(e, "checking a receipt");
        return rc;
    }
    if (!hash_equal(&r.run, &run->id) || !key_equal(&r.contributor, us))
        return err_set(e, ERR_AUTH, 0, "the receipt is for another run or another contributor");
    *ret = r;
    return OK;
}

/* Does the file end within a line? */
static bool ends_open(int fd)
{
    struct stat st;
    char last = '\n';
    if (fstat(fd, &st) != 0 || st.st_size == 0) return false;
    return pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
}

int receipts_append(const char *path, const void *jws, size_t n, struct err *e)
{
    bool is_new = !file_exists(path);
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return file_error(e, errno, "open", path);
    struct buf line = {0};
    if (ends_open(fd)) buf_put_u8(&line, '\n');
    buf_put(&line, jws, n);
    buf_put_u8(&line, '\n');
    int rc = buf_ok(&line, e);
    if (rc == OK) rc = file_write_all(fd, line.p, line.len, path, e);
    if (rc == OK && fsync(fd) != 0) rc = file_error(e, errno, "sync", path);
    close(fd);
    buf_deinit(&line);
    char dir[PATH_CAP];
    if (rc == OK && is_new && path_dirname(dir, path) == 0) rc = file_sync_dir(dir, e);
    return rc;
}

static int by_seq(const void *a, const void *b)
{
    const struct receipts_row *x = a;
    const struct receipts_row *y = b;
    if (x->r.seq != y->r.seq) return x->r.seq < y->r.seq ? -1 : 1;
    return memcmp(x->text.b, y->text.b, HASH_BYTES);
}

/* Sorted, and each text once; returns how many are left. */
static size_t unique(struct receipts_row *rows, size_t n)
{
    size_t kept = 0;
    if (n) qsort(rows, n, sizeof *rows, by_seq);
    for (size_t i = 0; i < n; i++)
        if (!kept || !hash_equal(&rows[kept - 1].text, &rows[i].text)) rows[kept++] = rows[i];
    return kept;
}

int receipts_load(const char *path, const struct rundesc *run, const struct key_pub *us,
                  struct receipts_row **ret, size_t *ret_n, uint32_t *ret_n_bad, struct err *e)
{
    struct buf b = {0}, all = {0};
    size_t n = 0;
    uint32_t n_bad = 0;
    int rc = file_read(path, MAX_FILE, &b, e);
    if (rc == ERR_NOTFOUND) rc = OK;
    for (size_t at = 0; rc == OK && at < b.len;) {
        const uint8_t *nl = memchr(b.p + at, '\n', b.len - at);
        size_t len = nl ? (size_t)(nl - (b.p + at)) : b.len - at;
        struct receipts_row row;
        if (len > 0 && receipts_check(b.p + at, len, run, us, &row.r, NULL) == OK) {
            row.text = hash_of(b.p + at, len);
            buf_put(&all, &row, sizeof row);
            n++;
        } else if (len > 0) {
            n_bad++;
        }
        at += len + 1;
    }
    if (rc == OK) rc = buf_ok(&all, e);
    buf_deinit(&b);
    if (rc != OK) {
        buf_deinit(&all);
        return rc;
    }
    *ret = (struct receipts_row *)(void *)all.p;
    *ret_n = unique(*ret, n);
    *ret_n_bad = n_bad;
    return OK;
}

bool receipts_same(const struct msg_receipt *a, const struct msg_receipt *b)
{
    return hash_equal(&a->run, &b->run) && key_equal(&a->contributor, &b->contributor) &&
           a->seq == b->seq && a->round == b->round && hash_equal(&a->payload, &b->payload) &&
           a->n_bytes == b->n_bytes && a->n_tokens == b->n_tokens && a->verdict == b->verdict &&
           strcmp(a->reason, b->reason) == 0 && a->created_at_ms == b->created_at_ms;
}

size_t receipts_newest(struct receipts_row *rows, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct receipts_row *last = kept ? &rows[kept - 1] : NULL;
        bool is_again = last && receipts_same(&last->r, &rows[i].r) &&
                        !(last->r.is_settled && rows[i].r.is_settled);
        if (!is_again)
            rows[kept++] = rows[i];
        else if (rows[i].r.is_settled)
            *last = rows[i];
    }
    return kept;
}

static int by_round(const void *a, const void *b)
{
    const struct receipts_row *x = a;
    const struct receipts_row *y = b;
    if (x->r.round != y->r.round) return x->r.round < y->r.round ? -1 : 1;
    return x->r.seq < y->r.seq ? -1 : x->r.seq > y->r.seq;
}

static void count(struct receipts_row *all, size_t n, struct receipts_count *ret)
{
    if (n) qsort(all, n, sizeof *all, by_round);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && all[i + 1].r.round == all[i].r.round) continue;
        if (all[i].r.verdict == MSG_ACCEPTED) ret->n_accepted++;
        if (all[i].r.verdict == MSG_LATE) ret->n_late++;
        if (all[i].r.verdict == MSG_REJECTED) ret->n_rejected++;
    }
}

int receipts_read(const char *path, const struct rundesc *run, const struct key_pub *us,
                  struct receipts_count *ret, uint32_t *ret_n_bad, struct err *e)
{
    struct receipts_row *all = NULL;
    size_t n = 0;
    *ret = (struct receipts_count){0};
    *ret_n_bad = 0;
    int rc = receipts_load(path, run, us, &all, &n, ret_n_bad, e);
    if (rc == OK) count(all, n, ret);
    free(all);
    return rc;
}
