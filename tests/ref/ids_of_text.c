/* Why: lets tests/ref/tokenizer-ids ask the engine for ids, many texts at a time.
 *
 *     ids_of_text train TEXT VOCAB           writes a tokenizer.json to standard output
 *     ids_of_text encode TOKENIZER TEXTS     writes ids to standard output
 *
 * TEXTS is a file of texts, each behind its length; ids come out the same way: a count, then so
 * many. All of these are 32 bits, little endian. Names of special tokens become their ids. A text
 * that does not come back as it went in (byte-level), or nearly (sentence), ends the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "engine/tokenizer.h"

#define MAX_BYTES (1u << 30)

static void must(int rc, const struct err *e)
{
    if (rc == OK) return;
    fprintf(stderr, "ids_of_text: %s\n", e->what);
    exit(1);
}

/* Special tokens stand for no text: their names are what is missing then. */
static void check_back(const struct tokenizer *t, const uint8_t *p, size_t n, struct err *e)
{
    struct buf ids = {0};
    struct buf back = {0};
    must(tokenizer_encode(t, p, n, &ids, e), e);
    for (size_t i = 0; i < ids.len; i += 4) {
        uint32_t id;
        memcpy(&id, ids.p + i, 4);
        must(tokenizer_decode(t, id, &back, e), e);
    }
    bool is_same = back.len == n && (n == 0 || memcmp(back.p, p, n) == 0);
    if (tokenizer_is_byte_level(t) && tokenizer_lost_bytes(t) == 0 && !is_same)
        must(err_set(e, ERR_PROTO, 0, "a text of %zu bytes does not come back", n), e);
    buf_deinit(&ids);
    buf_deinit(&back);
}

static void encode(const char *path, const char *texts, struct buf *out, struct err *e)
{
    struct buf json = {0};
    struct buf in = {0};
    struct buf ids = {0};
    struct tokenizer *t = NULL;
    struct tokenizer_encoder *c = NULL;
    must(file_read(path, MAX_BYTES, &json, e), e);
    must(tokenizer_from_json(json.p, json.len, &t, e), e);
    must(tokenizer_encoder_create(t, true, &c, e), e);
    must(file_read(texts, MAX_BYTES, &in, e), e);
    for (size_t at = 0; at + 4 <= in.len;) {
        size_t n = bytes_u32(in.p + at);
        at += 4;
        if (n > in.len - at) must(err_set(e, ERR_PROTO, 0, "'%s' ends early", texts), e);
        buf_clear(&ids);
        must(tokenizer_encoder_run(c, in.p + at, n, &ids, e), e);
        check_back(t, in.p + at, n, e);
        buf_put_u32(out, (uint32_t)(ids.len / 4));
        buf_put(out, ids.p, ids.len);
        at += n;
    }
    tokenizer_encoder_destroy(c);
    tokenizer_destroy(t);
    buf_deinit(&json);
    buf_deinit(&in);
    buf_deinit(&ids);
}

static void train(const char *path, const char *vocab, struct buf *out, struct err *e)
{
    struct buf text = {0};
    struct tokenizer *t = NULL;
    must(file_read(path, MAX_BYTES, &text, e), e);
    must(tokenizer_train(text.p, text.len, (uint32_t)strtoul(vocab, NULL, 10), NULL, NULL, &t, e),
         e);
    must(tokenizer_to_json(t, out, e), e);
    tokenizer_destroy(t);
    buf_deinit(&text);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct buf out = {0};
    if (argc == 4 && strcmp(argv[1], "train") == 0) {
        train(argv[2], argv[3], &out, &e);
    } else if (argc == 4 && strcmp(argv[1], "encode") == 0) {
        encode(argv[2], argv[3], &out, &e);
    } else {
        fputs("usage: ids_of_text train TEXT VOCAB | encode TOKENIZER TEXTS\n", stderr);
        return 2;
    }
    must(buf_ok(&out, &e), &e);
    bool ok = fwrite(out.p, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_deinit(&out);
    return ok ? 0 : 1;
}
