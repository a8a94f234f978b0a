#pragma once
/* Why: a tokenizer.json says in many small objects what happens to a text before and after the
 * merges. Only what can be done here exactly is accepted; anything else is refused by its name.
 */

#include "base/json.h"
#include "engine/tokenizer_table.h"

struct tokenizer_frame {
    struct tokenizer_style style;
    bool is_normalized; /* added tokens may be looked for in what the normalizer made */
    const char *bos;    /* names that the post-processor adds, or NULL; they belong to the JSON */
    const char *eos;
};

/* Everything but the vocabulary, the merges and the added tokens. ERR_PROTO. */
int tokenizer_frame_read(const json_t *o, struct tokenizer_frame *ret, struct err *e) MUST_CHECK;

/* "tokenizer.json: ..." with the hint that goes with all of them. Returns ERR_PROTO. */
int tokenizer_refuse(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A name from the file, printable and cut to fit into a sentence. Returns dst. */
const char *tokenizer_show(const char *s, char dst[64]);

/* OK when o is an object with no other members than these (separated by spaces). */
int tokenizer_members(const json_t *o, const char *what, const char *known,
                      struct err *e) MUST_CHECK;
