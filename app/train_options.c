#include "app/train_options.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/optread.h"

#define MAX_STEP_TOKENS (1u << 20)
#define MAX_STEPS       (UINT64_C(1) << 40)
#define DEFAULT_STEPS   1000
#define DEFAULT_SIZE    1 /* small */
#define DEFAULT_OUT     "potluck-model"

/* A WORD is kept as its number in `words`, and written as the word; a FLAG is 1 when it is said. */
enum type { COUNT, REAL, WORD, FLAG };

static const char *const precisions[] = {
    [TRAINER_FP32] = "fp32", [TRAINER_BF16] = "bf16", [TRAINER_AUTO] = "auto", NULL};
static const char *const moments[] = {
    [PACKED_F32] = "fp32", [PACKED_BF16] = "bf16", [PACKED_Q8] = "8bit", NULL};

struct row {
    const char *name;
    enum train_option_kind kind;
    enum type type;
    bool is_silent; /* kept in train.json, but no option */
    size_t offset;
    double lo, hi;
    const char *arg;
    const char *help;
    const char *const *words; /* WORD: what may be said, NULL at the end */
};

#define AT(m) offsetof(struct train_options, m)

/* clang-format off */
static const struct row rows[] = {
    {"hidden", TRAIN_MODEL, COUNT, false, AT(hidden), 8, 32768, "N", "values per token", NULL},
    {"layers", TRAIN_MODEL, COUNT, false, AT(layers), 1, 512, "N", "layers", NULL},
    {"heads", TRAIN_MODEL, COUNT, false, AT(heads), 1, 1024, "N", "attention heads; --hidden is a multiple", NULL},
    {"kv-heads", TRAIN_MODEL, COUNT, false, AT(kv_heads), 1, 1024, "N", "key-value heads; --heads is a multiple", NULL},
    {"intermediate", TRAIN_MODEL, COUNT, false, AT(intermediate), 8, 262144, "N", "width inside a layer (default: 8/3 of --hidden)", NULL},
    {"vocab", TRAIN_MODEL, COUNT, false, AT(vocab), 258, 1 << 20, "N", "token ids to learn from the text, at most", NULL},
    {"seq", TRAIN_MODEL, COUNT, false, AT(seq), 8, 65536, "N", "tokens of text read at once", NULL},
    {"model-vocab", TRAIN_MODEL, COUNT, true, AT(model_vocab), 1, 1 << 24, "", "", NULL},
    {"max-positions", TRAIN_MODEL, COUNT, true, AT(max_positions), 8, 1 << 24, "", "", NULL},
    {"tied", TRAIN_MODEL, COUNT, true, AT(is_tied), 0, 1, "", "", NULL},
    {"norm-eps", TRAIN_MODEL, REAL, true, AT(norm_eps), 1e-12, 1, "", "", NULL},
    {"rope-theta", TRAIN_MODEL, REAL, true, AT(rope_theta), 1, 1e12, "", "", NULL},
    {"batch", TRAIN_COURSE, COUNT, false, AT(batch), 1, 65536, "N", "texts of --seq tokens in a step", NULL},
    {"lr", TRAIN_COURSE, REAL, false, AT(lr), 1e-8, 10, "RATE", "learning rate at its peak", NULL},
    {"warmup", TRAIN_COURSE, COUNT, false, AT(warmup), 1, 1e9, "STEPS", "steps until the learning rate is at its peak", NULL},
    {"weight-decay", TRAIN_COURSE, REAL, false, AT(weight_decay), 0, 10, "X", "pull of the weights towards zero (default: 0.1)", NULL},
    {"seed", TRAIN_COURSE, COUNT, false, AT(seed), 0, 9007199254740991.0, "N", "of the first weights and the order of the text (default: 1)", NULL},
    {"val-frac", TRAIN_COURSE, REAL, false, AT(val_frac), 0.0001, 0.49, "X", "share of the text held out to measure (default: 0.01)", NULL},
    {"eval-seqs", TRAIN_COURSE, COUNT, false, AT(eval_seqs), 1, 65536, "N", "held-out texts measured on (default: 64)", NULL},
    {"moments", TRAIN_COURSE, WORD, false, AT(moments), 0, 2, "P", "AdamW's two values a weight: fp32 (default), bf16 or 8bit", moments},
    {"steps", TRAIN_LENGTH, COUNT, false, AT(steps), 1, 1e12, "N", "train so many steps in all (default: 1000)", NULL},
    {"tokens", TRAIN_LENGTH, COUNT, false, AT(tokens), 1, 1e15, "N", "or so many tokens: 50M, 2G", NULL},
    {"hours", TRAIN_LENGTH, REAL, false, AT(hours), 0, 100000, "H", "or about so many hours, measured on this computer", NULL},
    {"precision", TRAIN_MANNER, WORD, false, AT(precision), 0, 2, "P", "fp32, bf16 or auto: bf16 where the processor has it (default)", precisions},
    {"threads", TRAIN_MACHINE, COUNT, false, AT(threads), 1, 64, "N", "processor threads (default: all cores)", NULL},
    {"nice", TRAIN_MACHINE, COUNT, false, AT(nice), 0, 19, "N", "priority, 0 as other programs, 19 lowest (default: 19)", NULL},
    {"duty", TRAIN_MACHINE, COUNT, false, AT(duty), 1, 100, "PERCENT", "run this share of the time (default: 100)", NULL},
    {"save", TRAIN_MACHINE, COUNT, false, AT(save_s), 1, 86400, "SECONDS", "how often the model is saved (default: 60)", NULL},
    {"report", TRAIN_MACHINE, COUNT, false, AT(report_s), 1, 3600, "SECONDS", "time between lines where there is no terminal (default: 10)", NULL},
    {"eval-every", TRAIN_MACHINE, COUNT, false, AT(eval_every), 1, 1e9, "STEPS", "steps between two measurements on held-out text (default: 100)", NULL},
    {"stop-at", TRAIN_MACHINE, COUNT, false, AT(stop_at), 1, 1e12, "STEP", "save and end at this step; a later call goes on", NULL},
    {"recompute", TRAIN_MACHINE, FLAG, false, AT(recompute), 0, 1, "", "less memory for some time: layers are computed twice", NULL},
};
/* clang-format on */

#define N_ROWS (sizeof rows / sizeof *rows)

struct size {
    const char *name;
    uint64_t hidden, layers, heads, kv_heads, intermediate, vocab, seq, batch;
    double lr;
    const char *help;
};

static const struct size sizes[] = {
    {"tiny",   128, 4,  4,  2,  352,  2048,  128, 16, 4e-3, "1 million weights, minutes"         },
    {"small",  256, 6,  8,  4,  688,  4096,  256, 8,  3e-3, "5 million weights, an hour"         },
    {"medium", 512, 8,  8,  4,  1376, 16384, 512, 8,  1e-3, "32 million weights, a night or more"},
    {"large",  768, 12, 12, 12, 2048, 32768, 512, 16, 6e-4, "110 million weights, days"          },
};

#define N_SIZES (sizeof sizes / sizeof *sizes)

enum {
    OPT_DATA = 1000, /* below: 1 + row */
    OPT_INIT,
    OPT_OUT,
    OPT_HOME,
    OPT_SIZE,
    OPT_JSON,
    OPT_DRY_RUN,
    OPT_HELP,
    N_WORDS = 8
};

static void fill_longs(struct option longs[N_ROWS + N_WORDS + 1])
{
    static const struct option words[N_WORDS] = {
        {"data",    required_argument, NULL, OPT_DATA   },
        {"init",    required_argument, NULL, OPT_INIT   },
        {"out",     required_argument, NULL, OPT_OUT    },
        {"home",    required_argument, NULL, OPT_HOME   },
        {"size",    required_argument, NULL, OPT_SIZE   },
        {"json",    no_argument,       NULL, OPT_JSON   },
        {"dry-run", no_argument,       NULL, OPT_DRY_RUN},
        {"help",    no_argument,       NULL, OPT_HELP   },
    };
    size_t n = 0;
    for (size_t i = 0; i < N_ROWS; i++)
        if (!rows[i].is_silent)
            longs[n++] = (struct option){rows[i].name,
                                         rows[i].type == FLAG ? no_argument : required_argument,
                                         NULL, (int)i + 1};
    memcpy(longs + n, words, sizeof words);
    longs[n + N_WORDS] = (struct option){0};
}

static void *member(struct train_options *o, const struct row *r)
{
    return (char *)o + r->offset;
}

static double value_of(const struct train_options *o, const struct row *r)
{
    const void *p = (const char *)o + r->offset;
    return r->type == REAL ? *(const double *)p : (double)*(const uint64_t *)p;
}

static void set_value(struct train_options *o, const struct row *r, double v)
{
    if (r->type == REAL)
        *(double *)member(o, r) = v;
    else
        *(uint64_t *)member(o, r) = (uint64_t)v;
}

static uint64_t bit(const struct row *r)
{
    return UINT64_C(1) << (r - rows);
}

static const struct row *find_row(size_t offset)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].offset == offset) return &rows[i];
    return NULL;
}

static bool is_given(const struct train_options *o, size_t offset)
{
    return (o->given & bit(find_row(offset))) != 0;
}

/* "2048", "50M", "1.5G"; a number with a letter that multiplies it. */
static double read_number(const char *text, const char **end)
{
    char *rest = NULL;
    double v = strtod(text, &rest);
    *end = rest;
    if (rest == text || !*rest || rest[1]) return v;
    double by = *rest == 'k' ? 1e3 : *rest == 'M' ? 1e6 : *rest == 'G' ? 1e9 : 0;
    *end = by > 0 ? rest + 1 : rest;
    return by > 0 ? v * by : v;
}

/* The number of a word; ERR_ARG. */
static int find_word(const struct row *r, const char *text, double *ret, struct err *e)
{
    for (int i = 0; r->words[i]; i++) {
        if (strcmp(r->words[i], text) != 0) continue;
        *ret = i;
        return OK;
    }
    return err_set(e, ERR_ARG, 0, "--%s '%.40s': see potluck train --help for what it may be",
                   r->name, text);
}

static int set_word(struct train_options *o, const struct row *r, const char *text, struct err *e)
{
    double v = 0;
    int rc = find_word(r, text, &v, e);
    if (rc != OK) return rc;
    set_value(o, r, v);
    o->given |= bit(r);
    return OK;
}

static int set_row(struct train_options *o, const struct row *r, const char *text, struct err *e)
{
    if (r->type == WORD) return set_word(o, r, text, e);
    if (r->type == FLAG) text = "1";
    const char *end = NULL;
    double v = read_number(text, &end);
    if (end == text || *end || !(v >= r->lo && v <= r->hi))
        return err_set(e, ERR_ARG, 0, "--%s '%.40s' is not between %.9g and %.9g", r->name, text,
                       r->lo, r->hi);
    if (r->type == COUNT && v != floor(v))
        return err_set(e, ERR_ARG, 0, "--%s '%.40s' is not a whole number", r->name, text);
    set_value(o, r, v);
    o->given |= bit(r);
    return OK;
}

/* What the size decides, where nothing else did. */
static void apply_size(struct train_options *o, const struct size *s)
{
    const struct {
        uint64_t *to, from;
    } counts[] = {
        {&o->hidden,       s->hidden      },
        {&o->layers,       s->layers      },
        {&o->heads,        s->heads       },
        {&o->kv_heads,     s->kv_heads    },
        {&o->intermediate, s->intermediate},
        {&o->vocab,        s->vocab       },
        {&o->seq,          s->seq         },
        {&o->batch,        s->batch       },
    };
    /* An own width or head count asks for an own rest: the size's would hardly fit. */
    if (o->hidden && !o->intermediate) o->intermediate = (o->hidden * 8 / 3 + 15) / 16 * 16;
    if (o->heads && !o->kv_heads) o->kv_heads = o->heads;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!*counts[i].to) *counts[i].to = counts[i].from;
    if (!(o->lr > 0)) o->lr = s->lr;
}

const char *train_options_size(size_t i, struct train_options *o)
{
    if (i >= N_SIZES) return NULL;
    o->hidden = o->layers = o->heads = o->kv_heads = o->intermediate = 0;
    o->vocab = o->seq = o->batch = 0;
    o->lr = 0;
    apply_size(o, &sizes[i]);
    return sizes[i].name;
}

/* As if all that the size decides had been given one by one. */
static int choose_size(struct train_options *o, const char *name, struct err *e)
{
    for (size_t i = 0; i < N_SIZES; i++) {
        if (strcmp(sizes[i].name, name) != 0) continue;
        static const size_t decided[] = {AT(hidden),   AT(layers),       AT(heads),
                                         AT(kv_heads), AT(intermediate), AT(vocab),
                                         AT(seq),      AT(batch),        AT(lr)};
        apply_size(o, &sizes[i]);
        for (size_t k = 0; k < sizeof decided / sizeof *decided; k++)
            o->given |= bit(find_row(decided[k]));
        return OK;
    }
    return err_set(e, ERR_ARG, 0, "--size '%.40s' is none of tiny, small, medium and large", name);
}

static int add_data(struct train_options *o, const char *path, struct err *e)
{
    if (o->n_data == TRAIN_MAX_DATA)
        return err_set(e, ERR_ARG, 0, "--data may name %d files or folders", TRAIN_MAX_DATA);
    o->data[o->n_data++] = path;
    return OK;
}

static int set_out(struct train_options *o, const char *out, const char *home, struct err *e)
{
    int rc = out    ? path_format(o->out, "%s", out)
             : home ? path_format(o->out, "%s/model", home)
                    : path_format(o->out, "%s", DEFAULT_OUT);
    if (rc != 0 || !o->out[0])
        return err_set(e, ERR_ARG, 0, "--out wants the path of a folder, not too long");
    return OK;
}

struct words {
    const char *size, *out, *home;
};

/* One option; c is what getopt_long said. */
static int take(struct train_options *o, int c, struct words *w, struct err *e)
{
    switch (c) {
    case OPT_DATA: return add_data(o, optarg, e);
    case OPT_INIT: o->init = optarg; return OK;
    case OPT_OUT: w->out = optarg; return OK;
    case OPT_HOME: w->home = optarg; return OK;
    case OPT_SIZE: w->size = optarg; return OK;
    case OPT_JSON: o->is_json = true; return OK;
    case OPT_DRY_RUN: o->is_dry_run = true; return OK;
    case OPT_HELP: o->is_help = true; return OK;
    default: break;
    }
    check(c >= 1 && c <= (int)N_ROWS);
    return set_row(o, &rows[c - 1], optarg, e);
}

static int check_length(const struct train_options *o, struct err *e)
{
    int n = is_given(o, AT(steps)) + is_given(o, AT(tokens)) + is_given(o, AT(hours));
    if (is_given(o, AT(hours)) && !(o->hours >= 0.001)) /* 0 is in train.json: not by hours */
        return err_set(e, ERR_ARG, 0, "--hours wants at least 0.001");
    if (n <= 1) return OK;
    return err_set(e, ERR_ARG, 0, "only one of --steps, --tokens and --hours can be given");
}

int train_options_parse(int argc, char **argv, struct train_options *ret, struct err *e)
{
    struct train_options o = {.val_frac = 0.01, .weight_decay = 0.1, .seed = 1, .eval_seqs = 64};
    struct option longs[N_ROWS + N_WORDS + 1];
    struct words w = {0};
    o.threads = optread_cores(64);
    o.nice = 19;
    o.duty = 100;
    o.precision = TRAINER_AUTO;
    o.report_s = 10;
    o.eval_every = 100;
    fill_longs(longs);
    opterr = 0;
    optind = 0; /* from the beginning, also a second time in a process */
    int rc = OK;
    int c;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread */
    while (rc == OK && (c = getopt_long(argc, argv, ":", longs, NULL)) != -1)
        rc = c == '?' || c == ':' ? optread_fault(c, argv, longs, "potluck train", e)
                                  : take(&o, c, &w, e);
    while (rc == OK && optind < argc) /* `potluck train FOLDER` means --data FOLDER */
        rc = add_data(&o, argv[optind++], e);
    if (rc == OK && w.size) rc = choose_size(&o, w.size, e);
    if (rc == OK) rc = set_out(&o, w.out, w.home, e);
    if (rc == OK) rc = check_length(&o, e);
    if (rc == OK) *ret = o;
    return rc;
}

/* ---- going on, and starting from a model ---- */

static int differs(const struct row *r, double given, double has, const char *who, struct err *e)
{
    if (r->type == WORD)
        err_set(e, ERR_ARG, 0, "--%s %s does not fit: %s has %s", r->name, r->words[(size_t)given],
                who, r->words[(size_t)has]);
    else
        err_set(e, ERR_ARG, 0, "--%s %.9g does not fit: %s has %.9g", r->name, given, who, has);
    err_hint(e, "leave the option out, or begin another model with another --out");
    return ERR_ARG;
}

/* Take v for this row, unless something else was asked for. */
static int settle(struct train_options *o, const struct row *r, double v, const char *who,
                  struct err *e)
{
    if ((o->given & bit(r)) && value_of(o, r) != v) return differs(r, value_of(o, r), v, who, e);
    set_value(o, r, v);
    return OK;
}

/* Left out where it says its first choice. */
static bool may_lack(const struct row *r)
{
    return r->type == WORD && r->kind == TRAIN_COURSE;
}

/* What train.json says; the reader is bad afterwards when it says nothing that can be. */
static double read_value(struct json_reader *reader, const json_t *saved, const struct row *r)
{
    char word[16];
    double v = 0;
    if (may_lack(r) && !json_object_get(saved, r->name)) return 0;
    if (r->type == COUNT)
        return (double)json_u64(reader, saved, r->name, (uint64_t)r->lo, (uint64_t)r->hi);
    if (r->type == REAL) return json_real_in(reader, saved, r->name, r->lo, r->hi);
    json_text(reader, saved, r->name, word, sizeof word);
    if (!json_bad(reader) && find_word(r, word, &v, NULL) != OK)
        json_fail(reader, "the field '%s' is none of its words", r->name);
    return v;
}

int train_options_resume(struct train_options *o, const json_t *saved, struct err *e)
{
    struct json_reader reader = {.e = e};
    uint64_t length = bit(find_row(AT(steps))) | bit(find_row(AT(tokens)));
    /* The same hours again mean the end that was measured then. */
    const struct row *hours = find_row(AT(hours));
    double saved_hours = json_real_in(&reader, saved, hours->name, hours->lo, hours->hi);
    if (is_given(o, AT(hours)) && o->hours == saved_hours) o->given &= ~bit(hours);
    bool has_length = (o->given & (length | bit(hours))) != 0;
    for (size_t i = 0; i < N_ROWS; i++) {
        const struct row *r = &rows[i];
        if (r->kind == TRAIN_MACHINE || r->offset == AT(tokens)) continue;
        double v = read_value(&reader, saved, r);
        if (json_bad(&reader)) return err_wrap(e, "train.json");
        if (r->kind == TRAIN_LENGTH && has_length) continue;
        if (r->kind == TRAIN_MANNER && is_given(o, r->offset)) continue;
        int rc = settle(o, r, v, "this model", e);
        if (rc != OK) return rc;
    }
    return OK;
}

int train_options_adopt(struct train_options *o, const struct model_config *m, struct err *e)
{
    const struct {
        size_t offset;
        double v;
    } shape[] = {
        {AT(hidden),        m->hidden_size            },
        {AT(layers),        m->num_hidden_layers      },
        {AT(heads),         m->num_attention_heads    },
        {AT(kv_heads),      m->num_key_value_heads    },
        {AT(intermediate),  m->intermediate_size      },
        {AT(model_vocab),   m->vocab_size             },
        {AT(max_positions), m->max_position_embeddings},
        {AT(is_tied),       m->tie_word_embeddings    },
        {AT(norm_eps),      m->rms_norm_eps           },
        {AT(rope_theta),    m->rope_theta             },
    };
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        int rc = settle(o, find_row(shape[i].offset), shape[i].v, "the model to start from", e);
        if (rc != OK) return rc;
    }
    if (o->seq > m->max_position_embeddings)
        return err_set(e, ERR_ARG, 0, "--seq %" PRIu64 " is more than the model can read, %u",
                       o->seq, m->max_position_embeddings);
    /* A model that knows something already is changed with care. */
    if (!(o->lr > 0)) o->lr = 1e-4;
    if (!o->seq) o->seq = m->max_position_embeddings < 512 ? m->max_position_embeddings : 512;
    if (!o->batch) o->batch = 8;
    return OK;
}

bool train_options_must_measure(const struct train_options *o)
{
    return is_given(o, AT(hours));
}

static void fill_length(struct train_options *o)
{
    uint64_t n = o->batch * o->seq;
    if (is_given(o, AT(tokens)))
        o->steps = (o->tokens + n - 1) / n;
    else if (is_given(o, AT(hours)))
        o->steps = 0;
    else if (!o->steps)
        o->steps = DEFAULT_STEPS;
    if (is_given(o, AT(steps)) || is_given(o, AT(tokens))) o->hours = 0;
    uint64_t tenth = (o->steps ? o->steps : DEFAULT_STEPS) / 10;
    if (!o->warmup) o->warmup = tenth < 1 ? 1 : tenth > 100 ? 100 : tenth;
}

int train_options_fill(struct train_options *o, struct err *e)
{
    apply_size(o, &sizes[DEFAULT_SIZE]);
    if (!o->max_positions) {
        o->max_positions = o->seq;
        o->is_tied = 1;
        o->norm_eps = 1e-5;
        o->rope_theta = 10000;
    }
    if (o->hidden % o->heads || o->heads % o->kv_heads)
        return err_set(e, ERR_ARG, 0, "--heads must divide --hidden, and --kv-heads --heads");
    if (o->batch * o->seq > MAX_STEP_TOKENS)
        return err_set(e, ERR_ARG, 0,
                       "--batch %" PRIu64 " times --seq %" PRIu64 " is more than %u tokens in "
                       "one step",
                       o->batch, o->seq, MAX_STEP_TOKENS);
    o->precision = trainer_precision_here((enum trainer_precision)o->precision);
    fill_length(o);
    if (o->steps <= MAX_STEPS) return OK;
    return err_set(e, ERR_ARG, 0, "that is more than %" PRIu64 " steps", MAX_STEPS);
}

/* ---- what comes of it ---- */

static json_t *kept(const struct train_options *o, enum train_option_kind last)
{
    json_t *ret = json_object();
    for (size_t i = 0; ret && i < N_ROWS; i++) {
        const struct row *r = &rows[i];
        if (r->kind > last || r->offset == AT(tokens)) continue;
        if (may_lack(r) && value_of(o, r) == 0) continue;
        if (r->type == WORD)
            json_set_text(ret, r->name, r->words[(size_t)value_of(o, r)]);
        else if (r->type == COUNT)
            json_set_u64(ret, r->name, (uint64_t)value_of(o, r));
        else
            json_set_real(ret, r->name, value_of(o, r));
    }
    return ret;
}

json_t *train_options_json(const struct train_options *o)
{
    return kept(o, TRAIN_MANNER);
}

int train_options_hash(const struct train_options *o, struct hash *ret, struct err *e)
{
    struct buf text = {0};
    json_t *j = kept(o, TRAIN_COURSE);
    int rc = j ? json_write(j, &text, e) : err_set(e, ERR_NOMEM, 0, "no memory for the options");
    if (rc == OK) *ret = hash_of(text.p, text.len);
    json_decref(j);
    buf_deinit(&text);
    return rc;
}

void train_options_model(const struct train_options *o, struct model_config *ret)
{
    *ret =
        (struct model_config){.vocab_size = (uint32_t)(o->model_vocab ? o->model_vocab : o->vocab),
                              .hidden_size = (uint32_t)o->hidden,
                              .intermediate_size = (uint32_t)o->intermediate,
                              .num_hidden_layers = (uint32_t)o->layers,
                              .num_attention_heads = (uint32_t)o->heads,
                              .num_key_value_heads = (uint32_t)o->kv_heads,
                              .max_position_embeddings = (uint32_t)o->max_positions,
                              .rms_norm_eps = o->norm_eps,
                              .rope_theta = o->rope_theta,
                              .initializer_range = 0.02,
                              .tie_word_embeddings = o->is_tied != 0};
}

void train_options_trainer(const struct train_options *o, struct trainer_options *ret)
{
    *ret = (struct trainer_options){.n_threads = (uint32_t)o->threads,
                                    .precision = (enum trainer_precision)o->precision,
                                    .moments = (enum packed_kind)o->moments,
                                    .recompute = o->recompute != 0,
                                    .is_solo = true};
}

void train_options_params(const struct train_options *o, struct train_params *ret)
{
    uint64_t warmup = o->warmup < o->steps ? o->warmup : o->steps;
    *ret = (struct train_params){
        .seq_len = (uint32_t)o->seq,
        .batch_seqs = (uint32_t)o->batch,
        .lr = o->lr,
        .lr_min_frac = 0.1,
        .warmup_steps = warmup,
        .total_steps = o->steps,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = o->weight_decay,
        .clip_norm = 1,
        .ef_beta = 0.95,
        .outer_lr = 1,
        .delta = {.chunk = 4096, .k = 64}
    };
}

/* ---- help ---- */

static void put_option(struct buf *out, const char *name, const char *arg, const char *help)
{
    char left[40];
    snprintf(left, sizeof left, "--%s%s%s", name, *arg ? " " : "", arg);
    buf_printf(out, "  %-20s %s\n", left, help);
}

static void put_rows(struct buf *out, const char *title, enum train_option_kind kind)
{
    buf_printf(out, "\n%s\n", title);
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].kind == kind && !rows[i].is_silent)
            put_option(out, rows[i].name, rows[i].arg, rows[i].help);
}

int train_options_help(struct buf *out, struct err *e)
{
    buf_put_str(
        out,
        "Usage: potluck train --data PATH [options]\n"
        "Train a model alone, on your own text, with this computer. Ctrl+C saves; the same\n"
        "command again goes on where it was, to the bit. Ctrl+Z gives the processor back at once\n"
        "and keeps the memory; `fg` goes on.\n"
        "\n"
        "  potluck train --data ~/texts                     a small model, 1000 steps\n"
        "  potluck train --data ~/texts --size tiny --steps 300\n"
        "  potluck train --data ~/texts --size medium --hours 8 --out night\n"
        "  potluck train --out night                        go on\n"
        "  potluck train --data ~/texts --init ~/models/SmolLM --out mine\n"
        "  potluck train --data ~/texts --size large --dry-run    would it fit?\n"
        "\n");
    put_option(out, "data", "PATH", "a text file, a folder of them, or a folder that");
    buf_put_str(out, "                       `potluck-aggregator prepare` made; more than once\n");
    put_option(out, "out", "DIR", "where the model lies (default: " DEFAULT_OUT ")");
    put_option(out, "init", "MODEL", "start from this model: a Hugging Face folder, a folder of");
    buf_put_str(out, "                       `potluck train`, or a checkpoint\n");
    put_option(out, "size", "SIZE", "of the model:");
    for (size_t i = 0; i < N_SIZES; i++)
        buf_printf(out, "                         %-8s%s\n", sizes[i].name, sizes[i].help);
    put_rows(out, "The model, one by one:", TRAIN_MODEL);
    put_rows(out, "How it is trained:", TRAIN_COURSE);
    put_rows(out, "How long:", TRAIN_LENGTH);
    put_rows(out, "In which numbers:", TRAIN_MANNER);
    put_rows(out, "This computer:", TRAIN_MACHINE);
    put_option(out, "dry-run", "", "say what it needs, do nothing");
    put_option(out, "json", "", "one JSON object a line");
    put_option(out, "home", "DIR", "without --out: the model lies in DIR/model");
    buf_put_str(out,
                "\nExit codes: 0 done, or stopped as asked and saved; 1 error; 2 wrong usage.\n");
    return buf_ok(out, e);
}
