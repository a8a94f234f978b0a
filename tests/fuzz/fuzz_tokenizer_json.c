/* tokenizer.json comes from an aggregator. What loads must encode any bytes and give them back,
 * and must save and load again.
 */
#include <string.h>

#include "engine/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct tokenizer *t, const uint8_t *data, size_t size)
{
    struct buf ids = {0};
    struct buf back = {0};
    check(tokenizer_encode(t, data, size, &ids, NULL) == OK);
    for (size_t i = 0; i < ids.len; i += 4) {
        uint32_t id = 0;
        memcpy(&id, ids.p + i, 4);
        check(tokenizer_decode(t, id, &back, NULL) == OK);
    }
    check(back.len == size && (size == 0 || memcmp(back.p, data, size) == 0));
    buf_deinit(&ids);
    buf_deinit(&back);
}

/* Arbitrary bytes seldom are a whole tokenizer, so they also serve as text to learn from. */
static void learned(const uint8_t *data, size_t size)
{
    struct tokenizer *t = NULL;
    struct tokenizer *again = NULL;
    struct buf json = {0};
    check(tokenizer_train(data, size, 300, NULL, NULL, &t, NULL) == OK);
    round_trip(t, data, size);
    check(tokenizer_to_json(t, &json, NULL) == OK);
    check(tokenizer_from_json(json.p, json.len, &again, NULL) == OK);
    check(tokenizer_vocab_size(t) == tokenizer_vocab_size(again));
    round_trip(again, data, size);
    tokenizer_destroy(t);
    tokenizer_destroy(again);
    buf_deinit(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokenizer *t = NULL;
    if (tokenizer_from_json(data, size, &t, NULL) == OK) round_trip(t, data, size);
    tokenizer_destroy(t);
    learned(data, size);
    return 0;
}
