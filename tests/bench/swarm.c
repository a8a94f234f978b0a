/* One method of training with R machines, one learning rate, one seed, for a given wall time: real
 * trainers, real packing, real merging and outer steps in one process; the network is a formula.
 * tests/bench/swarm runs it for every method of docs/CONVERGENCE.md and compares.
 *
 *     bench_swarm text=FILE method=one|dp|average|sparse [name=value ...]
 *
 *   one      one machine alone
 *   dp       exact data parallelism: the gradient of all machines' sequences in every step
 *   average  whole weights averaged every `inner` steps, with outer momentum: DiLoCo, local SGD
 *   sparse   what potluck does: trainer_pack, merge_run, trainer_apply_update
 *
 * A round costs inner * step_ms of computing; with free=0 also the way of its bytes over the link:
 * trips * rtt_ms + up + down + host_ms, during which nobody trains, or only `ahead` steps. The learning rate follows the
 * wall clock, so that a method which waits less takes more steps under the same curve.
 *
 * Prints one JSON object. One thread; runs with the same values print the same figures, but
 * `seconds`.
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
    STEPS,
    INNER,
    AHEAD,
    EARLY,
    EARLY_INNER,
    FAST,
    CHUNK,
    TOP_K,
    OUTER_LR,
    MOMENTUM,
    SENDERS,
    BETA1,
    EF_BETA,
    LR,
    LR_MIN,
    WARMUP,
    SEED,
    VAL_SEQS,
    EVALS,
    TEXT_CHUNK,
    STEP_MS,
    UP_MBIT,
    DOWN_MBIT,
    RTT_MS,
    TRIPS,
    HOST_MS,
    FREE,
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
    [BATCH] = {"batch", 4, "sequences of a contributor's step"},
    [PEERS] = {"peers", 8, "contributors"},
    [STEPS] = {"steps", 400, "wall time, in steps of one machine that never waits"},
    [INNER] = {"inner", 15, "inner steps of a round"},
    [AHEAD] = {"ahead", 0, "sparse: steps of a round taken while the last update is awaited"},
    [EARLY] = {"early", 0, "share of the time with rounds of early_inner steps"},
    [EARLY_INNER] = {"early_inner", 1, "inner steps of a round in the beginning"},
    [FAST] = {"fast", 1, "the first contributor is so many times as fast"},
    [CHUNK] = {"chunk", 4096, "values of a chunk"},
    [TOP_K] = {"k", 64, "values sent of a chunk"},
    [OUTER_LR] = {"outer_lr", 1.0, "outer learning rate"},
    [MOMENTUM] = {"momentum", 0, "average: Nesterov momentum of the outer step"},
    [SENDERS] = {"senders", 2, "m of sum / max(senders, m)"},
    [BETA1] = {"beta1", 0.9, "AdamW's first"},
    [EF_BETA] = {"ef_beta", 0.95, "decay of the error feedback"},
    [LR] = {"lr", 4e-3, "peak learning rate"},
    [LR_MIN] = {"lr_min", 0.1, "floor of the cosine"},
    [WARMUP] = {"warmup", 40, "steps of warmup"},
    [SEED] = {"seed", 1, "seed of weights and data order"},
    [VAL_SEQS] = {"val", 200, "sequences of the validation"},
    [EVALS] = {"evals", 20, "points of the curve"},
    [TEXT_CHUNK] = {"text_chunk", 16384, "tokens of a chunk of text"},
    [STEP_MS] = {"step_ms", 250, "a step's time on a contributor's machine"},
    [UP_MBIT] = {"up", 20, "Mbit/s from a contributor"},
    [DOWN_MBIT] = {"down", 100, "Mbit/s to a contributor"},
    [RTT_MS] = {"rtt_ms", 80, "round trip"},
    [TRIPS] = {"trips", 4, "round trips of an exchange that nothing else hides"},
    [HOST_MS] = {"host_ms", 20, "the host's checking and merging"},
    [FREE] = {"free", 1, "1: communication takes no time"},
};
/* clang-format on */

enum method { ONE, DP, AVERAGE, SPARSE, N_METHODS };
static const char *const METHODS[N_METHODS] = {"one", "dp", "average", "sparse"};

struct bench {
    double v[N_OPTIONS];
    enum method method;
    struct model_config model;
    struct train_params train;
    struct assign_space space;
    struct hash run;
    struct heldout text;
    uint32_t *step;  /* [batch * peers][seq + 1] */
    float *velocity; /* [n_params], of the outer step */
    float *next;     /* [n_params] */
    struct trainer *t[MAX_PEERS];
    struct trainer *eval;
    uint64_t n_params;
    double wall_ms;
    double comm_ms;   /* of the last exchange */
    uint32_t n_ahead; /* steps of the next round that are done */
    uint32_t n_evals;
    json_t *at_s;
    json_t *bits;
    double last_bits;
    uint64_t rounds, tokens, up_bytes, down_bytes; /* bytes of all contributors, of all rounds */
};

static void must(int rc, const struct err *e)
{
    if (rc == OK) return;
    fprintf(stderr, "bench_swarm: %s%s%s\n", e->what, e->hint[0] ? "; " : "", e->hint);
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

/* ---- the machines ---- */

static bool is_swarm(const struct bench *b)
{
    return b->method == AVERAGE || b->method == SPARSE;
}

static uint32_t n_trainers(const struct bench *b)
{
    return is_swarm(b) ? opt(b, PEERS) : 1;
}

static struct trainer *make_trainer(const struct bench *b, bool eval_only)
{
    struct err e = {0};
    struct trainer *t = NULL;
    struct trainer_options o = {
        .n_threads = 1, .eval_only = eval_only, .ahead = !eval_only && b->v[AHEAD] > 0};
    must(trainer_create(&b->model, &b->train, &o, &t, &e), &e);
    trainer_init_weights(t, (uint64_t)b->v[SEED]);
    return t;
}

static void setup(struct bench *b, const char *path)
{
    struct err e = {0};
    must(heldout_load(path, opt(b, VOCAB), opt(b, SEQ), opt(b, VAL_SEQS), opt(b, TEXT_CHUNK),
                      &b->text, &e),
         &e);
    b->model = (struct model_config){.vocab_size = b->text.vocab,
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
    uint32_t batch = opt(b, BATCH) * (b->method == DP ? opt(b, PEERS) : 1);
    b->train = (struct train_params){
        .seq_len = opt(b, SEQ),
        .batch_seqs = batch,
        .lr = b->v[LR],
        .lr_min_frac = b->v[LR_MIN],
        .warmup_steps = opt(b, WARMUP),
        .total_steps = opt(b, STEPS),
        .beta1 = b->v[BETA1],
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 1.0,
        .ef_beta = b->v[EF_BETA],
        .outer_lr = b->v[OUTER_LR],
        .delta = {opt(b, CHUNK), opt(b, TOP_K)}
    };
    b->space =
        (struct assign_space){.n_chunks = (uint32_t)(b->text.tokens.len / 4 / opt(b, TEXT_CHUNK)),
                              .chunk_tokens = opt(b, TEXT_CHUNK),
                              .seq_len = opt(b, SEQ)};
    b->run = hash_of(&b->v[SEED], sizeof b->v[SEED]);
    b->step = room((size_t)batch * (opt(b, SEQ) + 1), sizeof *b->step);
    for (uint32_t i = 0; i < n_trainers(b); i++)
        b->t[i] = make_trainer(b, false);
    b->eval = is_swarm(b) ? b->t[0] : make_trainer(b, true);
    b->n_params = trainer_table(b->t[0])->n_params;
    b->velocity = room(b->n_params, sizeof *b->velocity);
    b->next = room(b->n_params, sizeof *b->next);
    b->at_s = json_array();
    b->bits = json_array();
}

static void teardown(struct bench *b)
{
    if (!is_swarm(b)) trainer_destroy(b->eval);
    for (uint32_t i = 0; i < n_trainers(b); i++)
        trainer_destroy(b->t[i]);
    heldout_deinit(&b->text);
    free(b->step);
    free(b->velocity);
    free(b->next);
}

/* ---- training ---- */

static struct key_pub peer_key(uint32_t i)
{
    struct key_pub k = {{0}};
    k.b[0] = (uint8_t)(i + 1);
    return k;
}

/* Sequences of contributor i: number `at` and on of its list for this round. */
static void fill(struct bench *b, uint32_t i, uint64_t round, uint64_t at, uint32_t n, uint32_t *to)
{
    uint32_t span = opt(b, SEQ) + 1;
    struct key_pub key = peer_key(i);
    for (uint32_t s = 0; s < n; s++) {
        struct assign_place p = assign_sequence(&b->space, &b->run, round, &key, at + s);
        uint64_t from = (uint64_t)p.chunk * opt(b, TEXT_CHUNK) + p.offset;
        memcpy(to + (size_t)s * span, b->text.tokens.p + 4 * from, 4 * (size_t)span);
    }
}

/* Steps from..from+n of machine i in a round; they fill the time of n_in_time. */
static void inner_phase(struct bench *b, uint32_t i, uint64_t round, uint32_t from, uint32_t n,
                        double n_in_time)
{
    uint32_t batch = opt(b, BATCH);
    uint32_t machines = b->method == DP ? opt(b, PEERS) : 1;
    for (uint32_t s = 0; s < n; s++) {
        struct err e = {0};
        struct trainer_step_result r = {0};
        for (uint32_t m = 0; m < machines; m++)
            fill(b, i + m, round, (uint64_t)(from + s) * batch, batch,
                 b->step + (size_t)m * batch * (opt(b, SEQ) + 1));
        double i_step = b->wall_ms / b->v[STEP_MS] + s * n_in_time / n;
        must(trainer_step(b->t[i], b->step, (uint64_t)i_step, &r, &e), &e);
        b->tokens += r.n_tokens;
    }
}

static uint32_t steps_of(const struct bench *b, uint32_t i, uint32_t n)
{
    return i == 0 ? (uint32_t)(n * b->v[FAST]) : n;
}

static void evaluate(struct bench *b)
{
    struct err e = {0};
    struct trainer_eval_result r = {0};
    uint32_t *val = (uint32_t *)(void *)b->text.val.p;
    if (!is_swarm(b))
        must(trainer_load_weights(b->eval, trainer_local(b->t[0]), b->n_params * sizeof(float), &e),
             &e);
    must(trainer_eval(b->eval, val, b->text.n_val, &r, &e), &e);
    b->last_bits = heldout_bits(&b->text, opt(b, SEQ), r.nats / (double)r.n_tokens);
    json_array_append_new(b->at_s, json_real(b->wall_ms / 1000));
    json_array_append_new(b->bits, json_real(b->last_bits));
    b->n_evals++;
}

/* ---- exchange ---- */

static double link_ms(const struct bench *b, uint64_t up_bytes, uint64_t down_bytes)
{
    if (b->v[FREE] > 0) return 0;
    return b->v[TRIPS] * b->v[RTT_MS] + b->v[HOST_MS] +
           8e-3 * ((double)up_bytes / b->v[UP_MBIT] + (double)down_bytes / b->v[DOWN_MBIT]);
}

static void exchange_sparse(struct bench *b, uint32_t n_inner)
{
    struct err e = {0};
    struct buf payload[MAX_PEERS] = {{0}};
    struct merge_input in[MAX_PEERS];
    struct buf update = {0};
    uint32_t n = opt(b, PEERS);
    uint64_t longest = 0;
    for (uint32_t i = 0; i < n; i++) {
        must(trainer_pack(b->t[i], &payload[i], NULL, &e), &e);
        in[i] = (struct merge_input){.contributor = peer_key(i),
                                     .payload = payload[i].p,
                                     .n_bytes = payload[i].len,
                                     .n_tokens = steps_of(b, i, n_inner)};
        b->up_bytes += payload[i].len;
        longest = payload[i].len > longest ? payload[i].len : longest;
    }
    must(merge_run(trainer_table(b->t[0]), &b->train.delta, b->v[SENDERS], in, n, &update, &e), &e);
    struct hash first = {{0}};
    for (uint32_t i = 0; i < n; i++) {
        if (opt(b, AHEAD)) {
            must(trainer_ahead_begin(b->t[i], &e), &e);
            inner_phase(b, i, b->rounds + 1, 0, opt(b, AHEAD), opt(b, AHEAD));
        }
        must(trainer_apply_update(b->t[i], update.p, update.len, &e), &e);
        struct hash h = trainer_base_hash(b->t[i]);
        if (i == 0) first = h;
        check(hash_equal(&h, &first));
        buf_deinit(&payload[i]);
    }
    b->down_bytes += (uint64_t)n * update.len;
    b->comm_ms = link_ms(b, longest, update.len);
    double ahead_ms = opt(b, AHEAD) * b->v[STEP_MS];
    b->comm_ms = ahead_ms > b->comm_ms ? ahead_ms : b->comm_ms;
    buf_deinit(&update);
}

/* g = mean of (base - local); v = momentum * v + g; base -= outer_lr * (g + momentum * v): the
 * Nesterov step of DiLoCo (arXiv 2311.08105), whole weights, fp32 on the wire.
 */
static void exchange_average(struct bench *b)
{
    struct err e = {0};
    uint32_t n = opt(b, PEERS);
    const float *base = trainer_weights(b->t[0]);
    double mu = b->v[MOMENTUM];
    for (uint64_t j = 0; j < b->n_params; j++) {
        double moved = 0;
        for (uint32_t i = 0; i < n; i++)
            moved += (double)(base[j] - trainer_local(b->t[i])[j]);
        double g = moved / n;
        b->velocity[j] = (float)(mu * (double)b->velocity[j] + g);
        b->next[j] = (float)((double)base[j] - b->v[OUTER_LR] * (g + mu * (double)b->velocity[j]));
    }
    uint64_t n_bytes = b->n_params * sizeof(float);
    for (uint32_t i = 0; i < n; i++)
        must(trainer_load_weights(b->t[i], b->next, n_bytes, &e), &e);
    b->up_bytes += n * n_bytes;
    b->down_bytes += n * n_bytes;
    b->comm_ms = link_ms(b, n_bytes, n_bytes);
}

/* ---- one run ---- */

/* Steps that fit before the end; 0: the time is over. */
static uint32_t steps_left(const struct bench *b)
{
    double all_ms = b->v[STEPS] * b->v[STEP_MS];
    double left = (all_ms - b->wall_ms - b->comm_ms) / b->v[STEP_MS] + 1e-6 + b->n_ahead;
    bool is_early = b->wall_ms < b->v[EARLY] * all_ms;
    uint32_t inner = is_swarm(b) ? opt(b, is_early ? EARLY_INNER : INNER) : 5;
    if (left < 1 + b->n_ahead) return 0;
    return left < inner ? (uint32_t)left : inner;
}

static void run(struct bench *b)
{
    double end_ms = b->v[STEPS] * b->v[STEP_MS];
    uint32_t n;
    evaluate(b);
    while ((n = steps_left(b)) > 0) {
        n -= b->n_ahead;
        for (uint32_t i = 0; i < n_trainers(b); i++)
            inner_phase(b, i, b->rounds, b->n_ahead, steps_of(b, i, n), n);
        b->wall_ms += n * b->v[STEP_MS];
        if (b->method == SPARSE) exchange_sparse(b, n);
        if (b->method == AVERAGE) exchange_average(b);
        b->wall_ms += b->comm_ms;
        b->n_ahead = opt(b, AHEAD);
        b->rounds++;
        if (b->wall_ms >= end_ms * b->n_evals / b->v[EVALS]) evaluate(b);
    }
    evaluate(b);
}

/* ---- words ---- */

static json_t *report(const struct bench *b, double seconds)
{
    double exchanges = b->v[PEERS] * (double)b->rounds;
    json_t *o = json_object();
    for (int i = 0; i < N_OPTIONS; i++)
        json_set_real(o, DEFAULTS[i].name, b->v[i]);
    json_object_set_new(o, "method", json_string(METHODS[b->method]));
    json_set_u64(o, "n_params", b->n_params);
    json_set_real(o, "unigram_bits_per_byte", b->text.unigram_bpb);
    json_set_real(o, "val_bits_per_byte", b->last_bits);
    json_object_set_new(o, "at_s", b->at_s);
    json_object_set_new(o, "curve", b->bits);
    json_set_u64(o, "rounds", b->rounds);
    json_set_u64(o, "tokens", b->tokens);
    json_set_real(o, "seconds", seconds);
    if (!b->up_bytes) return o;
    json_set_real(o, "up_bytes_a_round", (double)b->up_bytes / exchanges);
    json_set_real(o, "down_bytes_a_round", (double)b->down_bytes / exchanges);
    json_set_u64(o, "up_bytes", b->up_bytes / opt(b, PEERS));
    json_set_u64(o, "down_bytes", b->down_bytes / opt(b, PEERS));
    return o;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_swarm text=FILE method=one|dp|average|sparse [name=value ...]\n");
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
    for (int m = 0; m < N_METHODS && strncmp(arg, "method=", 7) == 0; m++) {
        if (strcmp(arg + 7, METHODS[m]) != 0) continue;
        b->method = (enum method)m;
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
    struct bench b = {.method = N_METHODS};
    const char *text = NULL;
    for (int i = 0; i < N_OPTIONS; i++)
        b.v[i] = DEFAULTS[i].value;
    for (int i = 1; i < argc; i++)
        if (!take_option(&b, argv[i], &text)) return usage();
    bool is_bad = !text || b.method == N_METHODS || opt(&b, PEERS) < 1 ||
                  opt(&b, PEERS) > MAX_PEERS || opt(&b, INNER) < 1 || opt(&b, EARLY_INNER) < 1 ||
                  opt(&b, STEPS) < 1 || b.v[FAST] < 1;
    if (opt(&b, AHEAD) >= opt(&b, INNER) || (opt(&b, AHEAD) && b.v[FAST] > 1)) return usage();
    if (is_bad || !(b.v[STEP_MS] > 0) || !(b.v[UP_MBIT] > 0) || !(b.v[DOWN_MBIT] > 0) ||
        !(b.v[EVALS] >= 1))
        return usage();
    setup(&b, text);
    int64_t began = clock_mono_ms();
    run(&b);
    json_t *o = report(&b, (double)(clock_mono_ms() - began) / 1000);
    struct buf out = {0};
    struct err e = {0};
    must(json_write(o, &out, &e), &e);
    puts(buf_str(&out));
    json_decref(o);
    buf_deinit(&out);
    teardown(&b);
    return 0;
}
