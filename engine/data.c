#include "engine/data.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"

#define VERSION   1u
#define MAX_VOCAB (1u << 24)
#define MAX_CHUNK (1u << 20) /* tokens */
#define MAX_TEXT  ((uint64_t)1 << 48)

static const char MAGIC[4] = {'P', 'L', 'T', 'S'};

void data_index_deinit(struct data_index *x)
{
    if (!x) return;
    free(x->chunk_hashes);
    memset(x, 0, sizeof *x);
}

size_t data_index_bytes(const struct data_index *x)
{
    return DATA_HEADER_BYTES + (size_t)x->n_chunks * HASH_BYTES;
}

uint64_t data_chunk_offset(const struct data_index *x, uint32_t i)
{
    return data_index_bytes(x) + (uint64_t)i * x->chunk_tokens * x->token_bytes;
}

uint32_t data_chunk_tokens(const struct data_index *x, uint32_t i)
{
    uint64_t before = (uint64_t)i * x->chunk_tokens;
    if (before >= x->n_tokens) return 0;
    uint64_t left = x->n_tokens - before;
    return left < x->chunk_tokens ? (uint32_t)left : x->chunk_tokens;
}

size_t data_chunk_bytes(const struct data_index *x, uint32_t i)
{
    return (size_t)data_chunk_tokens(x, i) * x->token_bytes;
}

/* What is wrong with the header, or NULL. */
static const char *header_fault(const struct data_index *x)
{
    if (x->vocab_size < 1 || x->vocab_size > MAX_VOCAB) return "vocabulary size out of range";
    if (x->token_bytes != (x->vocab_size <= 65536 ? 2u : 4u)) return "token width does not fit";
    if (x->chunk_tokens < 1 || x->chunk_tokens > MAX_CHUNK) return "chunk length out of range";
    if (x->n_tokens < 1 || x->n_tokens > (uint64_t)DATA_MAX_CHUNKS * x->chunk_tokens)
        return "token count out of range";
    if (x->n_text_bytes > MAX_TEXT) return "text length out of range";
    if (x->n_chunks != (x->n_tokens + x->chunk_tokens - 1) / x->chunk_tokens)
        return "chunk count does not match";
    return NULL;
}

/* The fixed part; the cursor stands at the hash table afterwards. */
static int take_header(struct cursor *c, struct data_index *x, struct err *e)
{
    const uint8_t *magic = cursor_take(c, 4);
    uint32_t version = cursor_u32(c);
    if (c->bad || memcmp(magic, MAGIC, 4) != 0)
        return err_set(e, ERR_PROTO, 0, "token shard: this is not the index of one");
    if (version != VERSION)
        return err_set(e, ERR_VERSION, 0, "token shard has version %u, this program reads %u",
                       version, VERSION);
    x->token_bytes = cursor_u32(c);
    x->vocab_size = cursor_u32(c);
    x->n_tokens = cursor_u64(c);
    x->n_text_bytes = cursor_u64(c);
    x->chunk_tokens = cursor_u32(c);
    x->n_chunks = cursor_u32(c);
    const uint8_t *tokenizer = cursor_take(c, HASH_BYTES);
    const char *fault = c->bad ? "index ends too early" : header_fault(x);
    if (fault) return err_set(e, ERR_PROTO, 0, "token shard: %s", fault);
    memcpy(x->tokenizer.b, tokenizer, HASH_BYTES);
    return OK;
}

int data_index_peek(const void *bytes, size_t n, size_t *ret_bytes, struct err *e)
{
    struct cursor c = {.p = bytes, .n = n};
    struct data_index x = {0};
    int rc = take_header(&c, &x, e);
    if (rc == OK) *ret_bytes = data_index_bytes(&x);
    return rc;
}

int data_index_parse(const void *bytes, size_t n, struct data_index *ret, struct err *e)
{
    struct cursor c = {.p = bytes, .n = n};
    struct data_index x = {0};
    int rc = take_header(&c, &x, e);
    if (rc != OK) return rc;
    if (c.n != (size_t)x.n_chunks * HASH_BYTES)
        return err_set(e, ERR_PROTO, 0, "token shard: index has the wrong length");
    x.chunk_hashes = alloc_zero(x.n_chunks, sizeof *x.chunk_hashes);
    if (!x.chunk_hashes)
        return err_set(e, ERR_NOMEM, 0, "no memory for an index of %u chunks", x.n_chunks);
    memcpy(x.chunk_hashes, c.p, c.n);
    *ret = x;
    return OK;
}

int data_index_write(const struct data_index *x, struct buf *out, struct err *e)
{
    const char *fault = header_fault(x);
    if (fault) return err_set(e, ERR_ARG, 0, "token shard: %s", fault);
    buf_put(out, MAGIC, 4);
    buf_put_u32(out, VERSION);
    buf_put_u32(out, x->token_bytes);
    buf_put_u32(out, x->vocab_size);
    buf_put_u64(out, x->n_tokens);
    buf_put_u64(out, x->n_text_bytes);
    buf_put_u32(out, x->chunk_tokens);
    buf_put_u32(out, x->n_chunks);
    buf_put(out, x->tokenizer.b, HASH_BYTES);
    buf_put(out, x->chunk_hashes, (size_t)x->n_chunks * HASH_BYTES);
    return buf_ok(out, e);
}

int data_chunk_decode(const struct data_index *x, uint32_t i, const void *bytes, size_t n,
                      uint32_t *tokens, struct err *e)
{
    if (i >= x->n_chunks || n != data_chunk_bytes(x, i))
        return err_set(e, ERR_PROTO, 0, "token chunk %u has the wrong length", i);
    struct hash h = hash_of(bytes, n);
    if (!hash_equal(&h, &x->chunk_hashes[i])) {
        err_set(e, ERR_AUTH, 0, "token chunk %u is damaged: its hash does not match", i);
        err_hint(e, "it will be fetched again");
        return ERR_AUTH;
    }
    const uint8_t *p = bytes;
    uint32_t n_tokens = data_chunk_tokens(x, i);
    uint32_t worst = 0;
    for (uint32_t j = 0; j < n_tokens; j++) {
        uint32_t t =
            x->token_bytes == 2 ? bytes_u16(p + 2 * (size_t)j) : bytes_u32(p + 4 * (size_t)j);
        worst = t > worst ? t : worst;
        tokens[j] = t;
    }
    if (worst >= x->vocab_size)
        return err_set(e, ERR_PROTO, 0, "token chunk %u holds token %u outside the vocabulary", i,
                       worst);
    return OK;
}

static int put_tokens(struct buf *b, const struct data_index *x, const uint32_t *tokens,
                      struct err *e)
{
    size_t n_bytes = size_mul((size_t)x->n_tokens, x->token_bytes);
    uint8_t *p = buf_grow(b, n_bytes);
    if (!p) return buf_ok(b, e);
    for (uint64_t i = 0; i < x->n_tokens; i++) {
        if (tokens[i] >= x->vocab_size)
            return err_set(e, ERR_ARG, 0, "token %u is outside the vocabulary of %u", tokens[i],
                           x->vocab_size);
        if (x->token_bytes == 2)
            bytes_put_u16(p + 2 * i, (uint16_t)tokens[i]);
        else
            bytes_put_u32(p + 4 * i, tokens[i]);
    }
    for (uint32_t i = 0; i < x->n_chunks; i++)
        x->chunk_hashes[i] =
            hash_of(p + (data_chunk_offset(x, i) - data_index_bytes(x)), data_chunk_bytes(x, i));
    return OK;
}

int data_shard_write(const char *path, const uint32_t *tokens, uint64_t n_tokens,
                     uint64_t n_text_bytes, uint32_t vocab_size, const struct hash *tokenizer,
                     struct hash *ret_index_hash, struct err *e)
{
    struct data_index x = {.token_bytes = vocab_size <= 65536 ? 2 : 4,
                           .vocab_size = vocab_size,
                           .n_tokens = n_tokens,
                           .n_text_bytes = n_text_bytes,
                           .chunk_tokens = DATA_CHUNK_TOKENS,
                           .tokenizer = *tokenizer};
    uint64_t n_chunks = n_tokens / DATA_CHUNK_TOKENS + (n_tokens % DATA_CHUNK_TOKENS != 0);
    x.n_chunks = n_chunks > DATA_MAX_CHUNKS ? DATA_MAX_CHUNKS : (uint32_t)n_chunks;
    const char *fault = header_fault(&x);
    if (fault) return err_set(e, ERR_ARG, 0, "cannot write '%s': %s", path, fault);
    struct buf body = {0};
    struct buf file = {0};
    int rc = OK;
    x.chunk_hashes = alloc_zero(x.n_chunks, sizeof *x.chunk_hashes);
    if (!x.chunk_hashes) rc = err_set(e, ERR_NOMEM, 0, "no memory for %u chunks", x.n_chunks);
    if (rc == OK) rc = put_tokens(&body, &x, tokens, e);
    if (rc == OK) rc = data_index_write(&x, &file, e);
    if (rc) goto done;
    struct hash index_hash = hash_of(file.p, file.len);
    buf_put(&file, body.p, body.len);
    rc = buf_ok(&file, e);
    if (rc == OK) rc = file_replace(path, file.p, file.len, 0644, e);
    if (rc == OK) *ret_index_hash = index_hash;
done:
    buf_deinit(&body);
    buf_deinit(&file);
    data_index_deinit(&x);
    return rc;
}
