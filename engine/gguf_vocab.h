#pragma once
/* Why: a GGUF carries its tokenizer. Here a tokenizer.json of byte-level BPE, potluck's own or
 * another's, becomes the lists that llama.cpp wants: tokens by id, what each is for, the merges, and
 * the name of the rule that cuts text into words. A tokenizer that llama.cpp would read differently
 * is refused: text would become other ids than the model was trained on.
 *
 * Pure; any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum gguf_vocab_kind {
    GGUF_VOCAB_NORMAL = 1,
    GGUF_VOCAB_CONTROL = 3, /* a special token: never text */
    GGUF_VOCAB_USER = 4,    /* added, matched before the merges */
    GGUF_VOCAB_UNUSED = 5   /* an id that no token has */
};

struct gguf_vocab {
    uint32_t n_tokens;
    struct buf tokens; /* strings as GGUF writes them: u64 bytes, bytes */
    struct buf kinds;  /* i32 each, enum gguf_vocab_kind */
    uint32_t n_merges;
    struct buf merges; /* strings, "left right" */
    const char *pre;   /* llama.cpp's name of the pre-tokenizer: "gpt-2", ... */
    bool adds_bos;     /* the tokenizer puts a beginning-of-text token before every text */
};

/* vocab_size: of the model; ids that the file does not name become unused ones. ERR_PROTO (not such
 * a file), ERR_ARG (a tokenizer that has no equal there), ERR_NOMEM.
 */
int gguf_vocab_read(const void *json, size_t n, uint32_t vocab_size, struct gguf_vocab *ret,
                    struct err *e) MUST_CHECK;
void gguf_vocab_deinit(struct gguf_vocab *v); /* accepts zeroed */
