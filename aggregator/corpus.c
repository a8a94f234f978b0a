#include "aggregator/corpus.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/utf8.h"

#define MAX_DEPTH 64

struct walk {
    struct corpus *c;
    corpus_skip_fn skip;
    void *ctx;
    struct err *e;
};

const char *corpus_fault_name(enum corpus_fault f)
{
    static const char *const names[CORPUS_FAULTS] = {
        "fine", "unreadable", "empty", "binary", "invalid_utf8", "not_a_file", "too_large"};
    return f < CORPUS_FAULTS ? names[f] : "unknown";
}

PRINTF_LIKE(4, 5)
static void skip(const struct walk *w, enum corpus_fault why, const char *path, const char *fmt,
                 ...)
{
    char reason[160];
    char safe[320];
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    snprintf(line, sizeof line, "%s: %s", utf8_printable(path, safe, sizeof safe), reason);
    w->skip(why, path, line, w->ctx);
}

static int append(struct corpus *c, const char *path, uint64_t n_bytes, struct err *e)
{
    if (c->n_files == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        struct corpus_file *p = alloc_resize(c->files, cap, sizeof *p);
        if (!p) return err_set(e, ERR_NOMEM, 0, "no memory for a list of %zu files", cap);
        c->files = p;
        c->cap = cap;
    }
    char *copy = alloc_dup(path);
    if (!copy) return err_set(e, ERR_NOMEM, 0, "no memory for a list of files");
    c->files[c->n_files++] = (struct corpus_file){copy, n_bytes};
    c->n_bytes += n_bytes;
    return OK;
}

static int visit(const struct walk *w, const char *path, const struct stat *st)
{
    if (st->st_size == 0)
        skip(w, CORPUS_EMPTY, path, "empty");
    else if ((uint64_t)st->st_size > CORPUS_FILE_MAX)
        skip(w, CORPUS_TOO_LARGE, path, "larger than 1 GiB; cut it into smaller files");
    else
        return append(w->c, path, (uint64_t)st->st_size, w->e);
    return OK;
}

static int walk_folder(const struct walk *w, const char *path, int depth);

static int walk_entry(const struct walk *w, const char *path, int depth)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        skip(w, CORPUS_UNREADABLE, path, "%s", strerrordesc_np(errno));
        return OK;
    }
    if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) return walk_folder(w, path, depth + 1);
    if (S_ISLNK(st.st_mode) && stat(path, &st) != 0) {
        skip(w, CORPUS_UNREADABLE, path, "a link to nothing");
        return OK;
    }
    if (S_ISREG(st.st_mode)) return visit(w, path, &st);
    skip(w, CORPUS_NOT_A_FILE, path,
         S_ISDIR(st.st_mode) ? "a link to a folder, or too deep; name that folder itself"
                             : "neither a file nor a folder");
    return OK;
}

static int walk_folder(const struct walk *w, const char *path, int depth)
{
    DIR *d = opendir(path);
    if (!d) {
        skip(w, CORPUS_UNREADABLE, path, "%s", strerrordesc_np(errno));
        return OK;
    }
    int rc = OK;
    struct dirent *f = NULL;
    while (rc == OK && (f = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): one thread */
        char child[PATH_CAP];
        if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0) continue;
        if (path_format(child, "%s/%s", path, f->d_name))
            skip(w, CORPUS_UNREADABLE, path, "a name in it is too long");
        else
            rc = walk_entry(w, child, depth);
    }
    closedir(d);
    return rc;
}

int corpus_add(struct corpus *c, const char *path, corpus_skip_fn fn, void *ctx, struct err *e)
{
    struct walk w = {c, fn, ctx, e};
    struct stat st;
    if (stat(path, &st) != 0) {
        int sys = errno;
        err_set(e, sys == ENOENT ? ERR_NOTFOUND : ERR_IO, sys, "cannot open '%s'", path);
        err_hint(e, "name a folder that holds text files");
        return sys == ENOENT ? ERR_NOTFOUND : ERR_IO;
    }
    if (S_ISREG(st.st_mode)) return visit(&w, path, &st);
    if (S_ISDIR(st.st_mode)) return walk_folder(&w, path, 0);
    err_set(e, ERR_ARG, 0, "'%s' is neither a file nor a folder", path);
    err_hint(e, "name a folder that holds text files");
    return ERR_ARG;
}

static int by_path(const void *a, const void *b)
{
    const struct corpus_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

void corpus_sort(struct corpus *c)
{
    size_t kept = 0;
    if (c->n_files) qsort(c->files, c->n_files, sizeof *c->files, by_path);
    for (size_t i = 0; i < c->n_files; i++) {
        if (kept && strcmp(c->files[kept - 1].path, c->files[i].path) == 0) {
            c->n_bytes -= c->files[i].n_bytes;
            free(c->files[i].path);
            continue;
        }
        c->files[kept++] = c->files[i];
    }
    c->n_files = kept;
}

void corpus_deinit(struct corpus *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n_files; i++)
        free(c->files[i].path);
    free(c->files);
    *c = (struct corpus){0};
}

enum corpus_fault corpus_read(const struct corpus *c, size_t i, struct buf *text, char what[512])
{
    struct err e = {0};
    char safe[320];
    const char *path = utf8_printable(c->files[i].path, safe, sizeof safe);
    buf_clear(text);
    if (file_read(c->files[i].path, CORPUS_FILE_MAX, text, &e) != OK) {
        snprintf(what, 512, "%s", e.what);
        return e.code == ERR_LIMIT ? CORPUS_TOO_LARGE : CORPUS_UNREADABLE;
    }
    if (text->len == 0) {
        snprintf(what, 512, "%s: empty", path);
        return CORPUS_EMPTY;
    }
    if (text->len > 2 && memcmp(text->p, "\x1f\x8b", 2) == 0) {
        snprintf(what, 512, "%s: packed with gzip, not text; unpack it with gunzip", path);
        return CORPUS_BINARY;
    }
    const uint8_t *zero = memchr(text->p, 0, text->len);
    if (zero) {
        snprintf(what, 512, "%s: binary, not text (a zero byte at %zu)", path,
                 (size_t)(zero - text->p));
        return CORPUS_BINARY;
    }
    size_t bad = utf8_first_bad(text->p, text->len);
    if (bad < text->len) {
        snprintf(what, 512, "%s: not valid UTF-8 (byte 0x%02x at %zu); convert it with iconv", path,
                 text->p[bad], bad);
        return CORPUS_INVALID_UTF8;
    }
    if (text->len > 3 && memcmp(text->p, "\xef\xbb\xbf", 3) == 0) {
        memmove(text->p, text->p + 3, text->len - 3);
        text->len -= 3;
    }
    return CORPUS_FINE;
}

/* After the blank line that follows `from`, or 0 when there is none before `limit`. */
static size_t blank_line(const uint8_t *text, size_t from, size_t limit)
{
    for (size_t i = from; i + 1 < limit; i++) {
        size_t next = i + 1 + (text[i + 1] == '\r' && i + 2 < limit);
        if (text[i] == '\n' && text[next] == '\n') return next + 1;
    }
    return 0;
}

/* The last line end, or the last whole character, before limit. */
static size_t forced_cut(const uint8_t *text, size_t limit)
{
    for (size_t i = limit; i > limit / 2; i--)
        if (text[i - 1] == '\n') return i;
    while (limit > 1 && (text[limit] & 0xc0) == 0x80)
        limit--;
    return limit;
}

size_t corpus_doc(const uint8_t *text, size_t n)
{
    if (n <= CORPUS_DOC_BYTES) return n;
    size_t limit = n < CORPUS_DOC_MAX_BYTES ? n : CORPUS_DOC_MAX_BYTES;
    size_t cut = blank_line(text, CORPUS_DOC_BYTES, limit);
    if (cut) return cut;
    return n <= CORPUS_DOC_MAX_BYTES ? n : forced_cut(text, limit);
}

double corpus_unit(const uint8_t *doc, size_t n, int which)
{
    struct hash h = hash_of(doc, n);
    return (double)(bytes_u64(h.b + 8 * which) >> 11) * 0x1p-53;
}

bool corpus_is_held_out(const uint8_t *doc, size_t n, double val_frac)
{
    return corpus_unit(doc, n, 0) < val_frac;
}
