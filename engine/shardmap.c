#include "engine/shardmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"

static int damaged(const struct shardmap *s, const char *how, struct err *e)
{
    err_set(e, ERR_PROTO, 0, "'%.120s' is damaged: %s", s->path, how);
    err_hint(e, "prepare the text again, or put back the file as it was");
    return ERR_PROTO;
}

static int map_file(struct shardmap *s, struct err *e)
{
    struct stat st;
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOTFOUND, 0, "there is no file '%s'", s->path);
    if (fd < 0) return file_error(e, errno, "open", s->path);
    int rc = OK;
    if (fstat(fd, &st) != 0)
        rc = file_error(e, errno, "look at", s->path);
    else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)DATA_HEADER_BYTES)
        rc = damaged(s, "it is too short for a token shard", e);
    if (rc == OK) {
        s->n_bytes = (size_t)st.st_size;
        void *p = mmap(NULL, s->n_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            rc = file_error(e, errno, "map", s->path);
        else
            s->map = p;
    }
    close(fd);
    return rc;
}

static int read_index(struct shardmap *s, struct err *e)
{
    size_t n = 0;
    int rc = data_index_peek(s->map, s->n_bytes, &n, e);
    if (rc != OK) return err_wrap(e, "'%.80s'", s->path);
    if (n > s->n_bytes) return damaged(s, "its index is cut short", e);
    rc = data_index_parse(s->map, n, &s->x, e);
    if (rc != OK) return err_wrap(e, "'%.80s'", s->path);
    if (s->n_bytes != n + s->x.n_tokens * s->x.token_bytes)
        return damaged(s, "its length does not fit its index", e);
    s->index_hash = hash_of(s->map, n);
    s->is_checked = alloc_zero(s->x.n_chunks, 1);
    s->scratch = alloc_zero(s->x.chunk_tokens, sizeof *s->scratch);
    if (s->is_checked && s->scratch) return OK;
    return err_set(e, ERR_NOMEM, 0, "no memory to read '%.120s'", s->path);
}

int shardmap_open(const char *path, struct shardmap *ret, struct err *e)
{
    struct shardmap s = {0};
    if (path_format(s.path, "%s", path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    int rc = map_file(&s, e);
    if (rc == OK) rc = read_index(&s, e);
    if (rc != OK) {
        shardmap_close(&s);
        return rc;
    }
    *ret = s;
    return OK;
}

void shardmap_close(struct shardmap *s)
{
    if (!s) return;
    if (s->map) munmap((void *)(uintptr_t)s->map, s->n_bytes);
    data_index_deinit(&s->x);
    free(s->is_checked);
    free(s->scratch);
    *s = (struct shardmap){0};
}

static int check_chunk(struct shardmap *s, uint32_t i, struct err *e)
{
    if (s->is_checked[i]) return OK;
    int rc = data_chunk_decode(&s->x, i, s->map + data_chunk_offset(&s->x, i),
                               data_chunk_bytes(&s->x, i), s->scratch, e);
    if (rc == OK) {
        s->is_checked[i] = 1;
        return OK;
    }
    err_hint(e, "prepare the text again, or put back the file as it was");
    return err_wrap(e, "'%.80s'", s->path);
}

int shardmap_read(struct shardmap *s, uint64_t at, uint64_t n, uint32_t *tokens, struct err *e)
{
    if (n == 0 || n > s->x.n_tokens || at > s->x.n_tokens - n)
        return err_set(e, ERR_ARG, 0,
                       "'%.80s' has no tokens %" PRIu64 " to %" PRIu64 ", only %" PRIu64, s->path,
                       at, at + n, s->x.n_tokens);
    uint64_t last = (at + n - 1) / s->x.chunk_tokens;
    for (uint64_t i = at / s->x.chunk_tokens; i <= last; i++) {
        int rc = check_chunk(s, (uint32_t)i, e);
        if (rc != OK) return rc;
    }
    /* Chunks lie side by side: behind the index the file is one array of tokens. */
    const uint8_t *p = s->map + data_index_bytes(&s->x) + at * s->x.token_bytes;
    for (uint64_t i = 0; i < n; i++)
        tokens[i] = s->x.token_bytes == 2 ? bytes_u16(p + 2 * i) : bytes_u32(p + 4 * i);
    return OK;
}
