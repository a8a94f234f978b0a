#include "client/chunks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "engine/data.h"

#define N_MEMORY   (2 * (int)ASSIGN_WINDOW + 8) /* decoded: this window, the next round's, some */
#define KEEP_LEAST (2 * ASSIGN_WINDOW)

/* A decoded chunk in memory. */
struct slot {
    uint32_t number;
    bool is_used;
    uint64_t used_at;
    uint32_t *tokens;
};

/* A chunk file on disk. */
struct stored {
    uint32_t number;
    uint32_t n_bytes;
    uint64_t used_at;
};

struct chunks {
    char dir[PATH_CAP];
    const struct rundesc *run;
    uint64_t quota;
    struct data_index *index; /* [n_train_shards]; zeroed until known */
    uint32_t *first;          /* [n_train_shards]: number of each shard's chunk 0 */
    uint32_t n_indexes;       /* known so far, in order */
    uint32_t n_chunks;
    uint64_t clock;
    struct slot slots[N_MEMORY];
    struct stored *files;
    size_t n_files, cap_files;
    uint64_t disk_bytes;
};

static uint32_t full_chunks(const struct data_index *x)
{
    return (uint32_t)(x->n_tokens / x->chunk_tokens);
}

static void file_name(const struct chunks *c, uint32_t number, char dst[PATH_CAP])
{
    check(path_format(dst, "%s/chunk-%08x", c->dir, number) == 0);
}

static void index_name(const struct chunks *c, uint32_t shard, char dst[PATH_CAP])
{
    check(path_format(dst, "%s/index-%04x", c->dir, shard) == 0);
}

static struct stored *find_file(struct chunks *c, uint32_t number)
{
    for (size_t i = 0; i < c->n_files; i++)
        if (c->files[i].number == number) return &c->files[i];
    return NULL;
}

static void remember_file(struct chunks *c, uint32_t number, uint32_t n_bytes)
{
    if (c->n_files == c->cap_files) {
        size_t cap = c->cap_files ? c->cap_files * 2 : 64;
        struct stored *p = alloc_resize(c->files, cap, sizeof *p);
        if (!p) return; /* an unremembered file is only never evicted in this process */
        c->files = p;
        c->cap_files = cap;
    }
    c->files[c->n_files++] = (struct stored){number, n_bytes, ++c->clock};
    c->disk_bytes += n_bytes;
}

static void forget_file(struct chunks *c, struct stored *f)
{
    char path[PATH_CAP];
    file_name(c, f->number, path);
    unlink(path);
    c->disk_bytes -= f->n_bytes;
    *f = c->files[--c->n_files];
}

static void evict(struct chunks *c, uint64_t room)
{
    while (c->n_files > KEEP_LEAST && c->disk_bytes + room > c->quota) {
        struct stored *oldest = &c->files[0];
        for (size_t i = 1; i < c->n_files; i++)
            if (c->files[i].used_at < oldest->used_at) oldest = &c->files[i];
        forget_file(c, oldest);
    }
}

/* What an earlier process left. Names that are not ours are left alone. */
static void scan(struct chunks *c)
{
    DIR *d = opendir(c->dir);
    if (!d) return;
    const struct dirent *it;
    while ((it = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
        unsigned number = 0;
        int end = 0;
        if (sscanf(it->d_name, "chunk-%8x%n", &number, &end) != 1 || it->d_name[end]) continue;
        char path[PATH_CAP];
        struct stat st;
        file_name(c, number, path);
        if (stat(path, &st) == 0 && st.st_size < INT32_MAX)
            remember_file(c, number, (uint32_t)st.st_size);
    }
    closedir(d);
}

int chunks_create(const char *dir, const struct rundesc *run, uint64_t quota_bytes,
                  struct chunks **ret, struct err *e)
{
    int rc = file_mkdirs(dir, e);
    if (rc != OK) return rc;
    struct chunks *c = alloc_zero(1, sizeof *c);
    if (!c) return err_set(e, ERR_NOMEM, 0, "no memory for the text cache");
    c->run = run;
    c->quota = quota_bytes;
    c->index = alloc_zero(run->n_train_shards, sizeof *c->index);
    c->first = alloc_zero(run->n_train_shards, sizeof *c->first);
    if (!c->index || !c->first || path_format(c->dir, "%s", dir) != 0) {
        chunks_destroy(c);
        return err_set(e, ERR_NOMEM, 0, "no memory for the text cache");
    }
    scan(c);
    *ret = c;
    return OK;
}

void chunks_destroy(struct chunks *c)
{
    if (!c) return;
    for (uint32_t i = 0; c->index && i < c->run->n_train_shards; i++)
        data_index_deinit(&c->index[i]);
    for (int i = 0; i < N_MEMORY; i++)
        free(c->slots[i].tokens);
    free(c->index);
    free(c->first);
    free(c->files);
    free(c);
}

static int take_index(struct chunks *c, uint32_t shard, const void *bytes, size_t n, struct err *e)
{
    if (shard != c->n_indexes) return OK; /* came twice */
    struct hash h = hash_of(bytes, n);
    if (!hash_equal(&h, &c->run->train_shards[shard]))
        return err_set(e, ERR_AUTH, 0, "index of text shard %u is not the one the run signed",
                       shard);
    struct data_index x = {0};
    int rc = data_index_parse(bytes, n, &x, e);
    if (rc != OK) return rc;
    bool fits = x.chunk_tokens == DATA_CHUNK_TOKENS && x.vocab_size <= c->run->model.vocab_size &&
                x.n_tokens / x.chunk_tokens <= DATA_MAX_CHUNKS;
    if (!fits) {
        data_index_deinit(&x);
        return err_set(e, ERR_PROTO, 0, "text shard %u does not fit the run's model", shard);
    }
    c->index[shard] = x;
    c->first[shard] = c->n_chunks;
    c->n_chunks += full_chunks(&x);
    c->n_indexes++;
    return OK;
}

int chunks_ready(struct chunks *c, struct chunks_want *ret, struct err *e)
{
    while (c->n_indexes < c->run->n_train_shards) {
        uint32_t shard = c->n_indexes;
        char path[PATH_CAP];
        index_name(c, shard, path);
        struct buf b = {0};
        int rc = file_read(path, c->run->train_index_bytes[shard], &b, NULL);
        if (rc == OK) rc = take_index(c, shard, b.p, b.len, NULL);
        buf_deinit(&b);
        if (rc == OK) continue;
        *ret = (struct chunks_want){
            .is_index = true, .shard = shard, .n_bytes = (size_t)c->run->train_index_bytes[shard]};
        return ERR_AGAIN;
    }
    if (c->n_chunks > 0) return OK;
    err_set(e, ERR_LIMIT, 0, "the run has less than one chunk of text");
    err_hint(e, "tell the run's host; nothing on this machine is wrong");
    return ERR_LIMIT;
}

int chunks_space(const struct chunks *c, uint32_t seq_len, struct assign_space *ret, struct err *e)
{
    if (c->n_indexes < c->run->n_train_shards || c->n_chunks == 0)
        return err_set(e, ERR_WRONG_STATE, 0, "the text's index is not here yet");
    *ret = (struct assign_space){c->n_chunks, DATA_CHUNK_TOKENS, seq_len};
    return OK;
}

static struct chunks_want want_of(const struct chunks *c, uint32_t number)
{
    uint32_t s = c->run->n_train_shards - 1;
    while (s > 0 && c->first[s] > number)
        s--;
    uint32_t i = number - c->first[s];
    return (struct chunks_want){
        .shard = s, .chunk = i, .number = number, .n_bytes = data_chunk_bytes(&c->index[s], i)};
}

static struct slot *find_slot(struct chunks *c, uint32_t number)
{
    for (int i = 0; i < N_MEMORY; i++)
        if (c->slots[i].is_used && c->slots[i].number == number) return &c->slots[i];
    return NULL;
}

static int decode_into_slot(struct chunks *c, const struct chunks_want *w, const void *bytes,
                            size_t n, struct slot **ret, struct err *e)
{
    struct slot *s = &c->slots[0];
    for (int i = 1; i < N_MEMORY; i++)
        if (!c->slots[i].is_used || (s->is_used && c->slots[i].used_at < s->used_at))
            s = &c->slots[i];
    if (!s->tokens) s->tokens = alloc_zero(DATA_CHUNK_TOKENS, sizeof *s->tokens);
    if (!s->tokens) return err_set(e, ERR_NOMEM, 0, "no memory for a chunk of text");
    s->is_used = false;
    int rc = data_chunk_decode(&c->index[w->shard], w->chunk, bytes, n, s->tokens, e);
    if (rc != OK) return rc;
    s->is_used = true;
    s->number = w->number;
    s->used_at = ++c->clock;
    *ret = s;
    return OK;
}

int chunks_get(struct chunks *c, uint32_t number, const uint32_t **ret, struct chunks_want *want,
               struct err *e)
{
    if (number >= c->n_chunks) return err_set(e, ERR_ARG, 0, "no text chunk %u", number);
    struct slot *s = find_slot(c, number);
    struct stored *f = s ? NULL : find_file(c, number);
    *want = want_of(c, number);
    if (f) {
        char path[PATH_CAP];
        file_name(c, number, path);
        struct buf b = {0};
        int rc = file_read(path, want->n_bytes, &b, NULL);
        if (rc == OK) rc = decode_into_slot(c, want, b.p, b.len, &s, NULL);
        buf_deinit(&b);
        f->used_at = ++c->clock;
        if (rc != OK) forget_file(c, f); /* not what was signed: fetch it again */
    }
    if (!s) return ERR_AGAIN;
    s->used_at = ++c->clock;
    *ret = s->tokens;
    return OK;
}

bool chunks_has(struct chunks *c, uint32_t number, struct chunks_want *want)
{
    if (number >= c->n_chunks || find_slot(c, number) || find_file(c, number)) return true;
    *want = want_of(c, number);
    return false;
}

/* A cache file needs no fsync: it is checked whenever it is read. It is still written aside and
 * renamed, so that a cut write does not cost a fetch of its neighbour.
 */
static int write_plain(const char *path, const void *p, size_t n)
{
    char tmp[PATH_CAP];
    if (path_format(tmp, "%s.part", path) != 0) return -1;
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    int rc = file_write_all(fd, p, n, tmp, NULL);
    close(fd);
    if (rc == OK && rename(tmp, path) == 0) return 0;
    unlink(tmp);
    return -1;
}

int chunks_take(struct chunks *c, const struct chunks_want *w, const void *bytes, size_t n,
                struct err *e)
{
    char path[PATH_CAP];
    if (w->is_index) {
        int rc = take_index(c, w->shard, bytes, n, e);
        index_name(c, w->shard, path);
        if (rc == OK) (void)write_plain(path, bytes, n);
        return rc;
    }
    struct slot *s;
    int rc = decode_into_slot(c, w, bytes, n, &s, e);
    if (rc != OK || find_file(c, w->number)) return rc;
    evict(c, n);
    file_name(c, w->number, path);
    if (write_plain(path, bytes, n) == 0) remember_file(c, w->number, (uint32_t)n);
    return OK;
}

uint64_t chunks_disk_bytes(const struct chunks *c)
{
    return c->disk_bytes;
}
