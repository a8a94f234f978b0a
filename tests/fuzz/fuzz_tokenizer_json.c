/* tokenizer.json comes from an aggregator or a folder of somebody's model. What loads must encode
 * any bytes and give them back: all of them when it is byte-level and lacks none, with a space for
 * each U+2581 and perhaps one in front when it is of the sentence family. What was learned here
 * must save and load again.
 */
#include <string.h>

#include "engine/tokenizer_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_expected(const struct tokenizer *t, const uint8_t *data, size_t size,
                         struct buf *out)
{
    if (tokenizer_is_byte_level(t)) {
        buf_put(out, data, size);
        return;
    }
    for (size_t i = 0; i < size;) {
        bool is_meta = size - i >= 3 && memcmp(data + i, "\xe2\x96\x81", 3) == 0;
        buf_put_u8(out, is_meta ? ' ' : data[i]);
        i += is_meta ? 3 : 1;
    }
}

/* An encoder gives the same ids the second time, and may be asked for special tokens. */
static void same_again(const struct tokenizer *t, const uint8_t *data, size_t size,
                       const struct buf *want)
{
    struct tokenizer_encoder *c = NULL;
    struct buf ids = {0};
    check(tokenizer_encoder_create(t, false, &c, NULL) == OK);
    for (int i = 0; i < 2; i++) {
        buf_clear(&ids);
        check(tokenizer_encoder_run(c, data, size, &ids, NULL) == OK);
        check(ids.len == want->len && (ids.len == 0 || memcmp(ids.p, want->p, ids.len) == 0));
    }
    tokenizer_encoder_destroy(c);
    check(tokenizer_encoder_create(t, true, &c, NULL) == OK);
    check(tokenizer_encoder_run(c, data, size, &ids, NULL) == OK);
    tokenizer_encoder_destroy(c);
    buf_deinit(&ids);
}

static void round_trip(const struct tokenizer *t, const uint8_t *data, size_t size)
{
    struct buf ids = {0};
    struct buf back = {0};
    struct buf want = {0};
    size_t n_bytes = 0;
    check(tokenizer_encode(t, data, size, &ids, NULL) == OK);
    for (size_t i = 0; i < ids.len; i += 4) {
        uint32_t id = 0;
        memcpy(&id, ids.p + i, 4);
        check(tokenizer_decode(t, id, &back, NULL) == OK);
        n_bytes += tokenizer_id_bytes(t, id);
    }
    check(n_bytes == back.len);
    put_expected(t, data, size, &want);
    size_t front = back.len > want.len ? 1 : 0;
    bool is_whole = tokenizer_is_byte_level(t) ? tokenizer_lost_bytes(t) == 0
                                               : !t->added.has_text && !t->normalized.has_text;
    if (is_whole) {
        check(front == 0 || (tokenizer_adds_space(t) && back.p[0] == ' '));
        check(back.len == want.len + front);
        check(want.len == 0 || memcmp(back.p + front, want.p, want.len) == 0);
    }
    same_again(t, data, size, &ids);
    buf_deinit(&ids);
    buf_deinit(&back);
    buf_deinit(&want);
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
