#include "engine/model_card.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"

enum { ROWS = 20 }; /* of the table of losses */

/* Text of a stranger: printable, and nothing in it is markup. */
static void put_text(struct buf *b, const char *text)
{
    char safe[512];
    utf8_printable(text, safe, sizeof safe);
    for (const char *p = safe; *p; p++) {
        if (strchr("\\`*_{}[]<>()#+!|~$&", *p)) buf_put_u8(b, '\\');
        buf_put_u8(b, (uint8_t)*p);
    }
}

static void put_shape(const struct model_config *m, uint64_t n_params, struct buf *b)
{
    buf_printf(b,
               "A language model of the LLaMA architecture with %" PRIu64 " parameters: %u layers, "
               "width %u, %u attention heads over %u key/value heads, hidden width %u, %u token "
               "ids, up to %u positions, output head %s the embedding.\n",
               n_params, m->num_hidden_layers, m->hidden_size, m->num_attention_heads,
               m->num_key_value_heads, m->intermediate_size, m->vocab_size,
               m->max_position_embeddings, m->tie_word_embeddings ? "tied to" : "separate from");
}

static void put_number(struct buf *b, const char *what, uint64_t n)
{
    if (n) buf_printf(b, "| %s | %" PRIu64 " |\n", what, n);
}

static void put_history(const struct model_card *c, const struct hash *model, struct buf *b)
{
    char hex[HASH_HEX];
    buf_put_str(b, "\n## History\n\n| | |\n|---|---|\n");
    if (c->has_run) buf_printf(b, "| run | `%s` |\n", hash_hex(&c->run, hex));
    if (c->has_round) buf_printf(b, "| rounds merged | %" PRIu64 " |\n", c->n_rounds);
    put_number(b, "contributors", c->n_people);
    put_number(b, "training steps", c->n_steps);
    put_number(b, "tokens trained on", c->n_tokens);
    put_number(b, "tokens trained on by who exported this", c->own_tokens);
    buf_printf(b, "| SHA-256 of the weights as fp32 | `%s` |\n", hash_hex(model, hex));
}

/* The first, the last, and what lies evenly between. */
static void put_losses(const struct model_card *c, struct buf *b)
{
    if (!c->n_losses) return;
    buf_put_str(b, "\n## Loss on held-out text\n\n| round | nats a token | perplexity |\n"
                   "|---:|---:|---:|\n");
    uint32_t n = c->n_losses < ROWS ? c->n_losses : ROWS;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = n > 1 ? (uint32_t)((uint64_t)i * (c->n_losses - 1) / (n - 1)) : 0;
        buf_printf(b, "| %" PRIu64 " | %.4f | %.2f |\n", c->loss_round[k], c->loss[k],
                   exp(c->loss[k]));
    }
}

int model_card_write(const struct model_card *c, const struct model_config *m, uint64_t n_params,
                     const struct hash *model, const char *file, const char *type, struct buf *out,
                     struct err *e)
{
    buf_put_str(out, "---\nlibrary_name: transformers\npipeline_tag: text-generation\n"
                     "tags:\n- llama\n- potluck\n---\n\n# ");
    put_text(out, c->name[0] ? c->name : "A model made with potluck");
    buf_put_str(out, "\n\n");
    if (c->note[0]) {
        buf_put_str(out, "> ");
        put_text(out, c->note);
        buf_put_str(out, "\n\n");
    }
    put_shape(m, n_params, out);
    put_history(c, model, out);
    put_losses(c, out);
    buf_put_str(out, "\n## Terms\n\n");
    if (c->note[0])
        buf_put_str(out, "What the host of the run says about it stands above, word for word.\n");
    else
        buf_put_str(out, "Nothing is stated. Ask who trained it before you pass it on.\n");
    const char *end = strrchr(file, '.');
    buf_printf(out, "\n## Files\n\n`%s` holds the weights as %s", file, type);
    if (end && strcmp(end, ".gguf") == 0)
        buf_put_str(out, ", with the tokenizer inside, for llama.cpp and what is built on it.\n");
    else
        buf_put_str(out,
                    ", with `config.json` and `tokenizer.json` beside it: transformers and what "
                    "reads its folders opens them.\n");
    return buf_ok(out, e);
}
