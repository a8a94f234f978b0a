/* Is a swarm faster than one machine? R trainers in one process stand for R contributors: real
 * packing, real merging, real outer steps, only the network is missing. The same number of inner
 * steps each, compared with one of them alone without any exchange. docs/CONVERGENCE.md says what
 * came out.
 *
 *     rounds text=FILE [name=value ...]        every name is in `options` below
 *
 * Prints one JSON object. One thread; runs with the same values print the same figures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/trainer.h"
#include "record/assign.h"
#include "record/merge.h"
#include "tests/bench/heldout.h"

#define MAX_PEERS 64

struct option {
    const char *name;
    double value;
    const char *what;
};

enum {
    VOCAB,
    HIDDEN,
    INTER,
    LAYERS,
    HEADS,
    KV,
    SEQ,
    BATCH,
    PEERS,
    ROUNDS,
    INNER,
    CHUNK,
    TOP_K,
    OUTER_LR,
    SENDERS,
    EF_BETA,
    LR,
    LR_MIN,
    WARMUP,
    SEED,
    VAL_SEQS,
    TEXT_CHUNK,
    ALONE,
    SWARM,
    EXACT,
    AHEAD,
    DOWN,
    DOWN_BETA,
    N_OPTIONS
};

/* clang-format off */
static const struct option DEFAULTS[N_OPTIONS] = {
    [VOCAB] = {"vocab", 1024, "tokens of the vocabulary"},
    [HIDDEN] = {"hidden", 96, "model width"},
    [INTER] = {"inter", 256, "width of the MLP"},
    [LAYERS] = {"layers", 4, "layers"},
    [HEADS] = {"heads", 4, "heads"},
    [KV] = {"kv", 2, "key and value heads"},
    [SEQ] = {"seq", 128, "tokens of a sequence"},
    [BATCH] = {"batch", 4, "sequences of a step"},
    [PEERS] = {"peers", 3, "contributors"},
    [ROUNDS] = {"rounds", 8, "rounds"},
    [INNER] = {"inner", 30, "inner steps of a round"},
    [CHUNK] = {"chunk", 4096, "values of a chunk"},
    [TOP_K] = {"k", 64, "values sent of a chunk"},
    [OUTER_LR] = {"outer_lr", 1.0, "outer learning rate"},
    [SENDERS] = {"senders", 2, "m of sum / max(senders, m)"},
    [EF_BETA] = {"ef_beta", 0.95, "decay of the error feedback"},
    [LR] = {"lr", 2e-3, "peak learning rate"},
    [LR_MIN] = {"lr_min", 0.1, "floor of the cosine"},
    [WARMUP] = {"warmup", 20, "steps of warmup"},
    [SEED] = {"seed", 1, "seed of weights and data order"},
    [VAL_SEQS] = {"val", 200, "sequences of the validation"},
    [TEXT_CHUNK] = {"text_chunk", 16384, "tokens of a chunk of text"},
    [ALONE] = {"alone", 1, "1: train one alone for comparison"},
    [SWARM] = {"swarm", 1, "1: train the swarm"},
    [EXACT] = {"exact", 0, "1: average whole weights, nothing packed: what packing costs"},
    [AHEAD] = {"ahead", 0, "steps of a round taken before the last update lands"},
    [DOWN] = {"down", 0, "values of a chunk of an update; 0: all that contributions carried"},
    [DOWN_BETA] = {"down_beta", 1, "decay of what the aggregator kept back (down > 0)"},
};
/* clang-format on */

struct bench {
    double v[N_OPTIONS];
    struct model_config model;
    struct train_params train;
    struct assign_space space;
    struct hash run;
    struct heldout text;
    uint32_t *step; /* [batch][seq + 1] */
    float *kept;    /* down > 0: what the aggregator keeps back; NULL before the first round */
};

struct result {
    double first_nats; /* a token, untrained */
    double nats;       /* a token, at the end */
    double train_nats; /* mean of the last round */
    json_t *curve;     /* nats a token along the way */
    uint64_t tokens;   /* trained on, all contributors */
    uint64_t payload_bytes;
    uint64_t update_bytes;
    uint64_t values; /* sent in payloads */
    double seconds;
};

static void must(int rc, const struct err *e)
{
    if (rc == OK) return;
    fprintf(stderr, "rounds: %s%s%s\n", e->what, e->hint[0] ? "; " : "", e->hint);
    _exit(1);
}

static void *room(size_t n, size_t size)
{
    void *p = alloc_zero(n, size);
    struct err e = {.what = "out of memory"};
    must(p ? OK : ERR_NOMEM, &e);
    return p;
}

static uint32_t opt(const struct bench *b, int i)
{
    return (uint32_t)b->v[i];
}

/* ---- text to tokens ---- */

static void load_text(struct bench *b, const char *path)
{
    struct err e = {0};
    must(heldout_load(path, opt(b, VOCAB), opt(b, SEQ), opt(b, VAL_SEQS), opt(b, TEXT_CHUNK),
                      &b->text, &e),
         &e);
    b->model.vocab_size = b->text.vocab;
    b->space.n_chunks = (uint32_t)(b->text.tokens.len / 4 / opt(b, TEXT_CHUNK));
}

/* ---- training ---- */

static void setup(struct bench *b)
{
    b->model = (struct model_config){.vocab_size = opt(b, VOCAB),
                                     .hidden_size = opt(b, HIDDEN),
                                     .intermediate_size = opt(b, INTER),
                                     .num_hidden_layers = opt(b, LAYERS),
                                     .num_attention_heads = opt(b, HEADS),
                                     .num_key_value_heads = opt(b, KV),
                                     .max_position_embeddings = opt(b, SEQ),
                                     .rms_norm_eps = 1e-5,
                                     .rope_theta = 10000,
                                     .initializer_range = 0.02,
                                     .tie_word_embeddings = true};
    uint64_t steps = (uint64_t)opt(b, ROUNDS) * opt(b, INNER);
    b->train = (struct train_params){
        .seq_len = opt(b, SEQ),
        .batch_seqs = opt(b, BATCH),
        .lr = b->v[LR],
        .lr_min_frac = b->v[LR_MIN],
        .warmup_steps = opt(b, WARMUP),
        .total_steps = steps,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 1.0,
        .ef_beta = b->v[EF_BETA],
        .outer_lr = b->v[OUTER_LR],
        .delta = {opt(b, CHUNK), opt(b, TOP_K)}
    };
    b->space = (struct assign_space){.chunk_tokens = opt(b, TEXT_CHUNK), .seq_len = opt(b, SEQ)};
    b->run = hash_of(&b->v[SEED], sizeof b->v[SEED]);
    b->step = room((size_t)opt(b, BATCH) * (opt(b, SEQ) + 1), sizeof *b->step);
}

static struct trainer *make_trainer(const struct bench *b)
{
    struct err e = {0};
    struct trainer *t = NULL;
    struct trainer_options how = {.n_threads = 1, .ahead = b->v[AHEAD] > 0};
    must(trainer_create(&b->model, &b->train, &how, &t, &e), &e);
    trainer_init_weights(t, (uint64_t)b->v[SEED]);
    return t;
}

/* Nats a token on the validation text; measured about eight times in a run and at its end. */
static double evaluate(const struct bench *b, struct trainer *t)
{
    struct err e = {0};
    struct trainer_eval_result r = {0};
    uint32_t *val = (uint32_t *)(void *)b->text.val.p;
    must(trainer_eval(t, val, b->text.n_val, &r, &e), &e);
    return r.nats / (double)r.n_tokens;
}

static struct key_pub peer_key(uint32_t i)
{
    struct key_pub k = {{0}};
    k.b[0] = (uint8_t)(i + 1);
    return k;
}

static bool is_time(const struct bench *b, uint64_t round)
{
    uint64_t every = opt(b, ROUNDS) / 8 > 1 ? opt(b, ROUNDS) / 8 : 1;
    return (round + 1) % every == 0 || round + 1 == opt(b, ROUNDS);
}

/* The next batch of contributor i: its sequences number `at` and on in this round. */
static void fill_step(struct bench *b, uint32_t i, uint64_t round, uint64_t at)
{
    uint32_t span = opt(b, SEQ) + 1;
    struct key_pub key = peer_key(i);
    for (uint32_t s = 0; s < opt(b, BATCH); s++) {
        struct assign_place p = assign_sequence(&b->space, &b->run, round, &key, at + s);
        uint64_t from = (uint64_t)p.chunk * opt(b, TEXT_CHUNK) + p.offset;
        memcpy(b->step + (size_t)s * span, b->text.tokens.p + 4 * from, 4 * (size_t)span);
    }
}

/* Inner steps [from, to) of one contributor's round; returns the sum of their losses. */
static double inner_steps(struct bench *b, struct trainer *t, uint32_t i, uint64_t round,
                          uint32_t from, uint32_t to)
{
    double sum = 0;
    for (uint32_t s = from; s < to; s++) {
        struct err e = {0};
        struct trainer_step_result r = {0};
        fill_step(b, i, round, (uint64_t)s * opt(b, BATCH));
        must(trainer_step(t, b->step, round * opt(b, INNER) + s, &r, &e), &e);
        sum += r.loss;
    }
    return sum;
}

/* One contributor, the same steps, no exchange: its local weights are what it has. */
static struct result run_alone(struct bench *b)
{
    struct result r = {.curve = json_array()};
    struct err e = {0};
    struct trainer *t = make_trainer(b);
    struct trainer *eval = make_trainer(b);
    int64_t began = clock_mono_ms();
    r.first_nats = evaluate(b, eval);
    for (uint64_t round = 0; round < opt(b, ROUNDS); round++) {
        r.train_nats = inner_steps(b, t, 0, round, 0, opt(b, INNER)) / opt(b, INNER);
        must(trainer_load_weights(eval, trainer_local(t),
                                  (size_t)trainer_table(t)->n_params * sizeof(float), &e),
             &e);
        if (!is_time(b, round)) continue;
        r.nats = evaluate(b, eval);
        json_array_append_new(r.curve, json_real(r.nats));
    }
    r.tokens = (uint64_t)opt(b, ROUNDS) * opt(b, INNER) * opt(b, BATCH) * opt(b, SEQ);
    r.seconds = (double)(clock_mono_ms() - began) / 1000;
    trainer_destroy(t);
    trainer_destroy(eval);
    return r;
}

/* acc += factor * what a payload carries. */
static void add_payload(struct trainer *t, const struct delta_params *p, enum delta_kind kind,
                        const struct buf *payload, float factor, float *acc)
{
    struct err e = {0};
    struct delta_reader r;
    struct delta_chunk c;
    must(delta_reader_init(&r, trainer_table(t), p, kind, payload->p, payload->len, &e), &e);
    int rc = OK;
    while ((rc = delta_reader_next(&r, &c, &e)) == OK)
        for (uint32_t i = 0; i < c.n; i++)
            acc[c.start + c.pos[i]] += factor * c.value[i];
    must(rc == ERR_AGAIN ? OK : rc, &e);
}

/* One update down, made sparse again: what was kept back and the exact update, of it the largest
 * `down` of a chunk, the rest kept for the next round. Every contributor applies the same bytes.
 */
static void apply_sparse(struct bench *b, struct trainer **t, const struct buf *update,
                         struct result *r)
{
    struct err e = {0};
    const struct model_table *table = trainer_table(t[0]);
    struct delta_params p = {opt(b, CHUNK), opt(b, DOWN)};
    struct buf sparse = {0};
    if (!b->kept) b->kept = room(table->n_params, sizeof *b->kept);
    for (uint64_t i = 0; i < table->n_params; i++)
        b->kept[i] *= (float)b->v[DOWN_BETA];
    add_payload(t[0], &b->train.delta, DELTA_UPDATE, update, 1, b->kept);
    must(delta_pack(table, &p, DELTA_CONTRIBUTION, b->kept, b->kept, &sparse, NULL, &e), &e);
    r->update_bytes += sparse.len;
    float *next = room(table->n_params, sizeof *next);
    memcpy(next, trainer_weights(t[0]), table->n_params * sizeof *next);
    add_payload(t[0], &p, DELTA_CONTRIBUTION, &sparse, -(float)b->v[OUTER_LR], next);
    for (uint32_t i = 0; i < opt(b, PEERS); i++)
        must(trainer_load_weights(t[i], next, table->n_params * sizeof *next, &e), &e);
    free(next);
    buf_deinit(&sparse);
}

/* Round `round` is packed, merged and applied; the first steps of the next one are taken before the
 * update lands. Returns the sum of their losses over all contributors.
 */
static double exchange(struct bench *b, struct trainer **t, uint64_t round, struct result *r)
{
    struct err e = {0};
    struct buf payload[MAX_PEERS] = {{0}};
    struct merge_input in[MAX_PEERS];
    struct buf update = {0};
    uint32_t n = opt(b, PEERS);
    for (uint32_t i = 0; i < n; i++) {
        struct delta_stats s = {0};
        must(trainer_pack(t[i], &payload[i], &s, &e), &e);
        in[i] = (struct merge_input){.contributor = peer_key(i),
                                     .payload = payload[i].p,
                                     .n_bytes = payload[i].len,
                                     .n_tokens = 1000};
        r->payload_bytes += payload[i].len;
        r->values += s.n_values;
    }
    must(merge_run(trainer_table(t[0]), &b->train.delta, b->v[SENDERS], in, n, &update, &e), &e);
    if (opt(b, DOWN))
        apply_sparse(b, t, &update, r);
    else
        r->update_bytes += update.len;
    struct hash first = {{0}};
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (opt(b, AHEAD)) {
            must(trainer_ahead_begin(t[i], &e), &e);
            sum += inner_steps(b, t[i], i, round + 1, 0, opt(b, AHEAD));
        }
        if (!opt(b, DOWN)) must(trainer_apply_update(t[i], update.p, update.len, &e), &e);
        struct hash h = trainer_base_hash(t[i]);
        if (i == 0) first = h;
        check(hash_equal(&h, &first));
        buf_deinit(&payload[i]);
    }
    buf_deinit(&update);
    return sum;
}

/* base -= outer_lr * mean of (base - local), all of it, in fp32. */
static void exchange_exact(struct bench *b, struct trainer **t)
{
    struct err e = {0};
    uint32_t n = opt(b, PEERS);
    uint64_t n_params = trainer_table(t[0])->n_params;
    float *next = room(n_params, sizeof *next);
    const float *base = trainer_weights(t[0]);
    for (uint64_t j = 0; j < n_params; j++) {
        double moved = 0;
        for (uint32_t i = 0; i < n; i++)
            moved += (double)(base[j] - trainer_local(t[i])[j]);
        next[j] = (float)((double)base[j] - b->v[OUTER_LR] * moved / n);
    }
    for (uint32_t i = 0; i < n; i++)
        must(trainer_load_weights(t[i], next, n_params * sizeof *next, &e), &e);
    free(next);
}

static struct result run_swarm(struct bench *b)
{
    struct result r = {.curve = json_array()};
    struct trainer *t[MAX_PEERS] = {NULL};
    uint32_t n = opt(b, PEERS);
    for (uint32_t i = 0; i < n; i++)
        t[i] = make_trainer(b);
    int64_t began = clock_mono_ms();
    r.first_nats = evaluate(b, t[0]);
    double ahead = 0; /* losses of the steps that were taken ahead */
    for (uint64_t round = 0; round < opt(b, ROUNDS); round++) {
        double sum = ahead;
        for (uint32_t i = 0; i < n; i++)
            sum += inner_steps(b, t[i], i, round, round ? opt(b, AHEAD) : 0, opt(b, INNER));
        r.train_nats = sum / n / opt(b, INNER);
        if (opt(b, EXACT))
            exchange_exact(b, t);
        else
            ahead = exchange(b, t, round, &r);
        if (!is_time(b, round)) continue;
        r.nats = evaluate(b, t[0]);
        json_array_append_new(r.curve, json_real(r.nats));
    }
    r.tokens = (uint64_t)n * opt(b, ROUNDS) * opt(b, INNER) * opt(b, BATCH) * opt(b, SEQ);
    r.seconds = (double)(clock_mono_ms() - began) / 1000;
    for (uint32_t i = 0; i < n; i++)
        trainer_destroy(t[i]);
    return r;
}

/* ---- report ---- */

static json_t *report(const struct bench *b, const struct result *r, bool is_swarm)
{
    double per_byte = heldout_bits(&b->text, opt(b, SEQ), 1);
    double contributions = b->v[PEERS] * b->v[ROUNDS];
    json_t *o = json_object();
    json_set_real(o, "val_nats_per_token_first", r->first_nats);
    json_set_real(o, "val_nats_per_token_last", r->nats);
    json_set_real(o, "val_bits_per_byte_first", r->first_nats * per_byte);
    json_set_real(o, "val_bits_per_byte_last", r->nats * per_byte);
    json_set_real(o, "train_nats_per_token_last_round", r->train_nats);
    json_set_u64(o, "tokens", r->tokens);
    json_set_real(o, "seconds", r->seconds);
    json_object_set_new(o, "curve", r->curve);
    if (!is_swarm || !r->values) return o;
    json_set_real(o, "bytes_per_contribution", (double)r->payload_bytes / contributions);
    json_set_real(o, "bytes_per_update", (double)r->update_bytes / b->v[ROUNDS]);
    json_set_real(o, "bits_per_value", 8.0 * (double)r->payload_bytes / (double)r->values);
    return o;
}

static int usage(void)
{
    fprintf(stderr, "usage: rounds text=FILE [name=value ...]\n");
    for (int i = 0; i < N_OPTIONS; i++)
        fprintf(stderr, "  %-10s %-6g %s\n", DEFAULTS[i].name, DEFAULTS[i].value, DEFAULTS[i].what);
    return 2;
}

static bool take_option(struct bench *b, const char *arg, const char **text)
{
    if (strncmp(arg, "text=", 5) == 0) {
        *text = arg + 5;
        return true;
    }
    for (int i = 0; i < N_OPTIONS; i++) {
        size_t n = strlen(DEFAULTS[i].name);
        if (strncmp(arg, DEFAULTS[i].name, n) != 0 || arg[n] != '=') continue;
        char *end = NULL;
        b->v[i] = strtod(arg + n + 1, &end);
        return end != arg + n + 1 && *end == '\0' && b->v[i] >= 0;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    const char *text = NULL;
    for (int i = 0; i < N_OPTIONS; i++)
        b.v[i] = DEFAULTS[i].value;
    for (int i = 1; i < argc; i++)
        if (!take_option(&b, argv[i], &text)) return usage();
    if (!text || opt(&b, PEERS) < 1 || opt(&b, PEERS) > MAX_PEERS || opt(&b, INNER) < 1 ||
        opt(&b, DOWN) > opt(&b, CHUNK) || (opt(&b, DOWN) && opt(&b, AHEAD)))
        return usage();
    setup(&b);
    load_text(&b, text);
    json_t *o = json_object();
    for (int i = 0; i < N_OPTIONS; i++)
        json_set_real(o, DEFAULTS[i].name, b.v[i]);
    json_set_real(o, "unigram_bits_per_byte", b.text.unigram_bpb);
    if (opt(&b, ALONE)) {
        struct result r = run_alone(&b);
        json_object_set_new(o, "one", report(&b, &r, false));
    }
    if (opt(&b, SWARM)) {
        struct result r = run_swarm(&b);
        json_object_set_new(o, "many", report(&b, &r, true));
    }
    struct buf out = {0};
    struct err e = {0};
    must(json_write(o, &out, &e), &e);
    puts(buf_str(&out));
    json_decref(o);
    buf_deinit(&out);
    heldout_deinit(&b.text);
    free(b.kept);
    free(b.step);
    return 0;
}
