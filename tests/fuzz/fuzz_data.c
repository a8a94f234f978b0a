/* The index of a shard and its chunks come from an aggregator: an accepted index writes back to
 * the same bytes, and no chunk of it can be read past its end.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_index x = {0};
    if (data_index_parse(data, size, &x, NULL)) return 0;
    size_t peeked = 0;
    check(data_index_peek(data, size, &peeked, NULL) == OK && peeked == size);
    struct buf b = {0};
    check(data_index_write(&x, &b, NULL) == OK);
    check(b.len == size && memcmp(b.p, data, size) == 0);
    uint32_t last = x.n_chunks - 1;
    size_t n = data_chunk_bytes(&x, last);
    void *bytes = calloc(1, n);
    uint32_t *tokens = calloc(data_chunk_tokens(&x, last), sizeof *tokens);
    if (bytes && tokens) {
        struct hash h = hash_of(bytes, n);
        int expected = hash_equal(&h, &x.chunk_hashes[last]) ? OK : ERR_AUTH;
        check(data_chunk_decode(&x, last, bytes, n, tokens, NULL) == expected);
        x.chunk_hashes[last] = hash_of(bytes, n);
        check(data_chunk_decode(&x, last, bytes, n, tokens, NULL) == OK);
    }
    free(bytes);
    free(tokens);
    buf_deinit(&b);
    data_index_deinit(&x);
    return 0;
}
