#include "app/bench_data.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/bench_text.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/rng.h"
#include "engine/tokenizer.h"

/* Of a shard's header: docs/PROTOCOL.md, "Token shards". */
enum { HEAD_BYTES = 72, N_CHUNKS_AT = 36 };

/* Chunks of a shard that can give a sequence: all, or all but a short last one. */
static uint32_t usable(const struct data_index *x, uint32_t seq_len)
{
    uint32_t n = x->n_chunks;
    while (n && data_chunk_tokens(x, n - 1) <= seq_len)
        n--;
    return n;
}

/* The number of chunks, which decides how long the index is, ends the header but for one hash. */
static int read_index(int fd, const char *path, struct data_index *x, struct err *e)
{
    uint8_t head[HEAD_BYTES];
    int rc = file_read_at(fd, head, sizeof head, 0, path, e);
    if (rc != OK) return rc;
    uint32_t n_chunks = bytes_u32(head + N_CHUNKS_AT);
    if (n_chunks > DATA_MAX_CHUNKS)
        return err_set(e, ERR_PROTO, 0, "this is not a token shard, or a damaged one");
    size_t n = HEAD_BYTES + (size_t)n_chunks * HASH_BYTES;
    uint8_t *p = alloc_zero(n, 1);
    if (!p) return err_set(e, ERR_NOMEM, 0, "no memory for the index of a token shard");
    rc = file_read_at(fd, p, n, 0, path, e);
    if (rc == OK) rc = data_index_parse(p, n, x, e);
    free(p);
    return rc;
}

static int open_shard(struct bench_data *d, const char *path, uint32_t vocab_size, struct err *e)
{
    struct bench_shard *s = &d->shards[d->n_shards];
    int fd = -1;
    int rc = file_open(path, &fd, NULL, e);
    if (rc != OK) return rc;
    rc = read_index(fd, path, &s->x, e);
    if (rc != OK) {
        close(fd);
        err_wrap(e, "%s", path);
        return rc;
    }
    s->fd = fd;
    d->n_shards++;
    d->n_chunks += usable(&s->x, d->seq_len);
    if (s->x.chunk_tokens > d->chunk_tokens) d->chunk_tokens = s->x.chunk_tokens;
    if (s->x.vocab_size > d->vocab_size) d->vocab_size = s->x.vocab_size;
    if (d->vocab_size <= vocab_size) return OK;
    err_set(e, ERR_ARG, 0, "'%s' has %u token ids, this model only %u", path, d->vocab_size,
            vocab_size);
    err_hint(e, "choose shards of a smaller vocabulary, or a larger --config");
    return ERR_ARG;
}

int bench_data_open(const char *dir, uint32_t vocab_size, uint32_t seq_len, struct bench_data *ret,
                    struct err *e)
{
    struct bench_data d = {.seq_len = seq_len};
    char pattern[PATH_CAP];
    glob_t g = {0};
    int rc = OK;
    snprintf(d.from, sizeof d.from, "%s", dir);
    if (path_format(pattern, "%s/*.shard", dir) ||
        glob(pattern, 0, NULL, &g) != 0) { /* NOLINT(concurrency-mt-unsafe): before any thread */
        globfree(&g);
        err_set(e, ERR_NOTFOUND, 0, "there is no token shard (*.shard) in '%s'", dir);
        err_hint(e, "`potluck-aggregator prepare` makes some, in HOME/data");
        return ERR_NOTFOUND;
    }
    for (size_t i = 0; i < g.gl_pathc && i < BENCH_DATA_SHARDS && rc == OK; i++)
        rc = open_shard(&d, g.gl_pathv[i], vocab_size, e);
    globfree(&g);
    if (rc == OK && d.n_chunks == 0)
        rc = err_set(e, ERR_ARG, 0, "no chunk of the shards in '%s' holds %u tokens", dir,
                     seq_len + 1);
    d.bytes = alloc_zero(d.chunk_tokens, sizeof(uint32_t));
    d.tokens = alloc_zero(d.chunk_tokens, sizeof(uint32_t));
    if (rc == OK && (!d.bytes || !d.tokens))
        rc = err_set(e, ERR_NOMEM, 0, "no memory for a chunk of text");
    if (rc != OK) {
        bench_data_close(&d);
        return rc;
    }
    *ret = d;
    return OK;
}

void bench_data_close(struct bench_data *d)
{
    for (uint32_t i = 0; i < d->n_shards; i++) {
        close(d->shards[i].fd);
        data_index_deinit(&d->shards[i].x);
    }
    free(d->bytes);
    free(d->tokens);
    *d = (struct bench_data){0};
}

static int one_sequence(struct bench_data *d, struct rng *r, uint32_t *tokens, struct err *e)
{
    uint64_t chunk = rng_u64(r) % d->n_chunks;
    const struct bench_shard *s = d->shards;
    while (chunk >= usable(&s->x, d->seq_len)) {
        chunk -= usable(&s->x, d->seq_len);
        s++;
    }
    uint32_t i = (uint32_t)chunk;
    size_t n_bytes = data_chunk_bytes(&s->x, i);
    uint32_t n = data_chunk_tokens(&s->x, i);
    int rc =
        file_read_at(s->fd, d->bytes, n_bytes, data_chunk_offset(&s->x, i), "a token shard", e);
    if (rc == OK) rc = data_chunk_decode(&s->x, i, d->bytes, n_bytes, d->tokens, e);
    if (rc != OK) return rc;
    memcpy(tokens, d->tokens + rng_below(r, n - d->seq_len),
           ((size_t)d->seq_len + 1) * sizeof *tokens);
    return OK;
}

int bench_data_batch(struct bench_data *d, uint64_t seed, uint64_t at, uint32_t n_seqs,
                     uint32_t *tokens, struct err *e)
{
    for (uint32_t i = 0; i < n_seqs; i++) {
        struct rng r;
        rng_init(&r, seed, at + i);
        int rc = one_sequence(d, &r, tokens + (size_t)i * (d->seq_len + 1), e);
        if (rc != OK) return rc;
    }
    return OK;
}

int bench_data_make(const void *text, size_t n, uint32_t vocab_size, const char *dir, struct err *e)
{
    struct tokenizer *t = NULL;
    struct buf json = {0};
    struct buf ids = {0};
    char path[PATH_CAP];
    struct hash h;
    struct hash index;
    int rc = tokenizer_train(text, n, vocab_size, NULL, NULL, &t, e);
    if (rc == OK) rc = tokenizer_to_json(t, &json, e);
    if (rc == OK) rc = tokenizer_encode(t, text, n, &ids, e);
    if (rc == OK) rc = file_mkdirs(dir, e);
    if (rc == OK && path_format(path, "%s/text.shard", dir))
        rc = err_set(e, ERR_ARG, 0, "the path of the cache is too long");
    if (rc == OK) {
        h = hash_of(json.p, json.len);
        rc = data_shard_write(path, (const uint32_t *)(const void *)ids.p, ids.len / 4, n,
                              tokenizer_vocab_size(t), &h, &index, e);
    }
    tokenizer_destroy(t);
    buf_deinit(&json);
    buf_deinit(&ids);
    return rc;
}

static int make_default(const char *dir, uint32_t vocab_size, struct err *e)
{
    struct buf text = {0};
    char from[128];
    char path[PATH_CAP];
    int rc = bench_text_gather(&text, from, sizeof from, e);
    if (rc == OK) rc = bench_data_make(text.p, text.len, vocab_size, dir, e);
    if (rc == OK && path_format(path, "%s/from", dir) == 0)
        rc = file_replace(path, from, strlen(from), 0644, e);
    buf_deinit(&text);
    return rc;
}

/* In a process of its own: learning a vocabulary takes more memory than the training that is to be
 * measured afterwards.
 */
static int make_apart(const char *dir, uint32_t vocab_size, struct err *e)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) return err_set(e, ERR_IO, errno, "cannot start a process to prepare the text");
    if (pid == 0) {
        struct err mine = {0};
        char line[400];
        int rc = make_default(dir, vocab_size, &mine);
        if (rc != OK) (void)fprintf(stderr, "%s\n", err_line(&mine, line, sizeof line));
        _exit(rc == OK ? 0 : 1);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return err_set(e, ERR_IO, errno, "lost the process that prepares");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return OK;
    err_set(e, ERR_IO, 0, "no text could be prepared; the line above says why");
    err_hint(e, "name token shards with --data DIR");
    return ERR_IO;
}

int bench_data_default(const char *home, uint32_t vocab_size, uint32_t seq_len,
                       void (*say)(const char *line), struct bench_data *ret, struct err *e)
{
    struct paths paths;
    char dir[PATH_CAP];
    char path[PATH_CAP];
    char line[PATH_CAP + 80];
    int rc = path_look(&paths, home, e);
    if (rc != OK) return rc;
    if (path_format(dir, "%s/bench/vocab-%u", paths.cache, vocab_size) ||
        path_format(path, "%s/from", dir))
        return err_set(e, ERR_ARG, 0, "the path of the cache is too long");
    if (!file_exists(path)) {
        snprintf(line, sizeof line, "turning text of this computer into tokens, once, in %s", dir);
        if (say) say(line);
        rc = make_apart(dir, vocab_size, e);
    }
    if (rc == OK) rc = bench_data_open(dir, vocab_size, seq_len, ret, e);
    struct buf from = {0};
    if (rc == OK && file_read(path, 256, &from, NULL) == OK)
        snprintf(ret->from, sizeof ret->from, "%s", buf_str(&from));
    buf_deinit(&from);
    return rc;
}
