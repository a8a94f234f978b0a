#include "engine/model_card.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

#define FACTS "<!-- potluck-card "

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
    buf_printf(b,
               "\n## Loss on held-out text\n\n| %s | bits a byte | nats a token | perplexity |\n"
               "|---:|---:|---:|---:|\n",
               c->is_by_step ? "step" : "round");
    uint32_t n = c->n_losses < ROWS ? c->n_losses : ROWS;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = n > 1 ? (uint32_t)((uint64_t)i * (c->n_losses - 1) / (n - 1)) : 0;
        buf_printf(b, "| %" PRIu64 " |", c->loss_round[k]);
        if (c->bits[k] > 0)
            buf_printf(b, " %.4f |", c->bits[k]);
        else
            buf_put_str(b, " - |");
        buf_printf(b, " %.4f | %.2f |\n", c->loss[k], exp(c->loss[k]));
    }
}

void model_card_add(struct model_card *c, uint64_t round, double loss, double bits)
{
    if (c->n_losses == MODEL_CARD_LOSSES) {
        c->n_losses = (MODEL_CARD_LOSSES + 1) / 2;
        for (uint32_t i = 1; i < c->n_losses; i++) {
            c->loss_round[i] = c->loss_round[2 * i];
            c->loss[i] = c->loss[2 * i];
            c->bits[i] = c->bits[2 * i];
        }
    }
    c->loss_round[c->n_losses] = round;
    c->loss[c->n_losses] = loss;
    c->bits[c->n_losses++] = bits;
}

/* ---- for the next one who writes a card of this model ---- */

static void set_known(json_t *o, const char *k, uint64_t v)
{
    if (v) json_set_u64(o, k, v);
}

static json_t *losses_json(const struct model_card *c)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < c->n_losses; i++) {
        json_t *row = json_array();
        json_array_append_new(row, json_integer((json_int_t)c->loss_round[i]));
        json_array_append_new(row, json_real(c->loss[i]));
        json_array_append_new(row, json_real(c->bits[i]));
        json_array_append_new(list, row);
    }
    return list;
}

static int put_facts(const struct model_card *c, struct buf *b, struct err *e)
{
    json_t *o = json_object();
    struct buf text = {0};
    if (c->name[0]) json_set_text(o, "name", c->name);
    if (c->note[0]) json_set_text(o, "note", c->note);
    if (c->has_run) json_set_hash(o, "run", &c->run);
    if (c->has_round) json_set_u64(o, "n_rounds", c->n_rounds);
    set_known(o, "n_steps", c->n_steps);
    set_known(o, "n_people", c->n_people);
    set_known(o, "n_tokens", c->n_tokens);
    set_known(o, "own_tokens", c->own_tokens);
    if (c->n_losses) json_set_bool(o, "by_step", c->is_by_step);
    if (c->n_losses) json_object_set_new(o, "loss", losses_json(c));
    int rc = o ? json_write(o, &text, e) : err_set(e, ERR_NOMEM, 0, "no memory for a model card");
    buf_put_str(b, "\n" FACTS);
    for (size_t i = 0; rc == OK && i < text.len;
         i++) /* only in strings: it would end the comment */
        if (text.p[i] == '>')
            buf_put_str(b, "\\u003e");
        else
            buf_put_u8(b, text.p[i]);
    buf_put_str(b, " -->\n");
    json_decref(o);
    buf_deinit(&text);
    return rc;
}

static void read_losses(struct json_reader *r, const json_t *o, struct model_card *c)
{
    size_t i = 0;
    const json_t *row = NULL;
    const json_t *list = json_array_in(r, o, "loss", MODEL_CARD_LOSSES);
    c->is_by_step = json_bool(r, o, "by_step");
    json_each (i, row, list) {
        json_int_t at = json_integer_value(json_array_get(row, 0));
        double loss = json_number_value(json_array_get(row, 1));
        double bits = json_number_value(json_array_get(row, 2));
        bool is_next = !c->n_losses || (uint64_t)at > c->loss_round[c->n_losses - 1];
        if (at < 0 || !is_next || !(loss > 0 && loss < 1000) || !(bits >= 0 && bits < 1000)) {
            json_fail(r, "a loss of the card is none");
            return;
        }
        model_card_add(c, (uint64_t)at, loss, bits);
    }
}

static uint64_t known(struct json_reader *r, const json_t *o, const char *k)
{
    return json_object_get(o, k) ? json_u64(r, o, k, 0, UINT64_C(1) << 53) : 0;
}

static int read_facts(const json_t *o, struct model_card *ret, struct err *e)
{
    struct json_reader r = {.e = e};
    struct model_card c = {.has_run = json_object_get(o, "run") != NULL,
                           .has_round = json_object_get(o, "n_rounds") != NULL};
    if (json_object_get(o, "name")) json_text(&r, o, "name", c.name, sizeof c.name);
    if (json_object_get(o, "note")) json_text(&r, o, "note", c.note, sizeof c.note);
    if (c.has_run) json_hash(&r, o, "run", &c.run);
    c.n_rounds = known(&r, o, "n_rounds");
    c.n_steps = known(&r, o, "n_steps");
    c.n_people = known(&r, o, "n_people");
    c.n_tokens = known(&r, o, "n_tokens");
    c.own_tokens = known(&r, o, "own_tokens");
    if (json_object_get(o, "loss")) read_losses(&r, o, &c);
    if (json_bad(&r)) return ERR_PROTO;
    *ret = c;
    return OK;
}

int model_card_read(const void *text, size_t n, struct model_card *c, struct err *e)
{
    const size_t mark = sizeof FACTS - 1;
    const char *p = text;
    const char *from = NULL;
    json_t *o = NULL;
    for (size_t at = 0; at + mark <= n; at++)
        if (p[at] == FACTS[0] && memcmp(p + at, FACTS, mark) == 0) from = p + at + mark;
    if (!from) return err_set(e, ERR_NOTFOUND, 0, "this is no model card of potluck's");
    size_t left = n - (size_t)(from - p);
    const char *end = memmem(from, left, "-->", 3);
    if (!end) return err_set(e, ERR_PROTO, 0, "the model card is cut short");
    int rc = json_parse(from, (size_t)(end - from), &o, e);
    if (rc == OK) rc = read_facts(o, c, e);
    json_decref(o);
    return rc;
}

/* ---- the whole ---- */

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
    int rc = put_facts(c, out, e);
    return rc == OK ? buf_ok(out, e) : rc;
}
