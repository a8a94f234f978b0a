/* A GGUF file, and a tokenizer.json on its way into one. The first byte says how much longer the file
 * claims to be than the bytes that are here. What is accepted lies inside of the file, each tensor by
 * itself, and every setting can be read.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "engine/gguf.h"
#include "engine/gguf_vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct gguf *g, const struct gguf_setting *s)
{
    char key[GGUF_MAX_NAME + 1];
    uint64_t n;
    double x;
    struct gguf_text t = {0};
    memcpy(key, s->key.p, s->key.n);
    key[s->key.n] = 0;
    if (strlen(key) != s->key.n) return;
    check(gguf_find(g, key) == s);
    (void)gguf_whole(g, key, &n);
    (void)gguf_real(g, key, &x);
    (void)gguf_string(g, key, &t);
    if (s->type != GGUF_ARRAY || s->item != GGUF_STRING) return;
    uint64_t n_items = 0;
    for (size_t at = 0; gguf_next(s, &at, &t);)
        n_items++;
    check(n_items == s->n_items);
}

static void check_tensors(const struct gguf *g, uint64_t total)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        check(t->at >= g->data_at && t->at + t->n_bytes <= total);
        sum += t->n_bytes;
    }
    check(g->data_at + sum <= total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf g = {0};
    struct gguf_vocab v = {0};
    struct err e = {0};
    if (!size) return 0;
    if (gguf_vocab_read(data + 1, size - 1, data[0], &v, &e) == OK) {
        check(v.n_tokens == data[0] && v.kinds.len == (size_t)4 * v.n_tokens);
        check(v.pre != NULL);
        gguf_vocab_deinit(&v);
    }
    uint64_t total = size - 1 + (uint64_t)data[0] * 4;
    if (gguf_parse(data + 1, size - 1, total, &g, &e)) {
        check(e.what[0] != 0);
        check(!g.settings && !g.tensors);
        return 0;
    }
    for (uint32_t i = 0; i < g.n_settings; i++)
        look_up(&g, &g.settings[i]);
    check_tensors(&g, total);
    gguf_deinit(&g);
    return 0;
}
