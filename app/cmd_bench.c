#include "app/cmd_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/bench_engine.h"
#include "app/bench_exchange.h"
#include "app/bench_page.h"
#include "app/bench_sample.h"
#include "app/optread.h"
#include "base/alloc.h"
#include "engine/pool.h"

#define STEPS_DEFAULT 10

enum what { PAGE, ENGINE, SAMPLE, BLAS, EXCHANGE };

struct options {
    enum what what;
    struct bench_engine_options engine;
    struct bench_blas_try blas;
    uint32_t n_prompt, n_tokens;         /* of sample; 0: half of what the size can read, each */
    uint32_t n_rounds, n_peers, n_inner; /* of exchange */
    const char *text;                    /* of exchange */
    double lr;                           /* 0: the preset's */
    int64_t warmup;                      /* -1: the preset's */
    bool is_json;
    bool with_losses;
};

#define NAME "potluck bench"

static const char usage_text[] =
    "Usage: potluck bench [--threads N] [--json]\n"
    "       potluck bench engine --config NAME [options]\n"
    "       potluck bench sample --config NAME [--prompt N] [--tokens N] [--threads N]\n"
    "       potluck bench exchange [--config NAME] [--text FILE] [--json]\n"
    "       potluck bench blas [--config NAME] [--threads N] [--json]\n"
    "\n"
    "Without a word: one page about this computer, in less than half a minute: what its\n"
    "processor and memory can do, what our engine makes of it, which models would fit.\n"
    "engine: train a model of a known size on real text and say how fast that was, beside\n"
    "the processor's peak and OpenBLAS' rate, both measured in the same run.\n"
    "sample: how fast a model of a known size reads and writes text, beside the speed of\n"
    "memory, which is what bounds the writing. Its weights are random.\n"
    "exchange: a run of some contributors in one process, on real text; how many bits a value\n"
    "that is sent takes, and how fast choosing, packing, unpacking and merging are.\n"
    "blas: OpenBLAS alone, in all the ways it can be called here.\n"
    "\n"
    "  --config NAME     demo, S, M or L (or 350M, 1B, 3B, where they fit)\n"
    "  --precision P     fp32, bf16 or auto (default): what to train in\n"
    "  --moments P       fp32 (default), bf16 or 8bit: how AdamW's moments are kept\n"
    "  --feedback P      fp32 (default) or bf16: the error feedback (no step touches it)\n"
    "  --recompute       keep less of each layer, and compute it twice\n"
    "  --solo            without what an exchange needs, as potluck train\n"
    "  --threads N       processor threads, 1 to 64 (default: all cores)\n"
    "  --steps N         training steps, 1 to 2000 (default: 10)\n"
    "  --prompt N        sample: tokens to read at once (default: a half of the context)\n"
    "  --tokens N        sample: tokens to write, one by one (default: the other half)\n"
    "  --rounds N        exchange: rounds, up to 1000 (default: 24)\n"
    "  --peers N         exchange: contributors, up to 16 (default: 4)\n"
    "  --inner-steps N   exchange: steps of a round, up to 1000 (default: 15)\n"
    "  --text FILE       exchange: train on this text\n"
    "  --seconds N       stop after so long, though not before two steps\n"
    "  --data DIR        token shards (*.shard) to train on; without it, text of this\n"
    "                    computer is turned into some once and kept in the cache\n"
    "  --seed N          of the weights and of the order of the text (default: 1)\n"
    "  --lr X            peak learning rate (default: 0.001)\n"
    "  --warmup N        steps until it is reached (default: 100)\n"
    "  --no-blas         do not measure OpenBLAS\n"
    "  --losses          with --json: loss and speed of every step, model and schedule\n"
    "                    in full; the learning rate then ends with the last step\n"
    "  --dump-weights F  write the initial weights to F: fp32, tensors in table order\n"
    "  --dump-tokens F   write the tokens of all steps to F: uint32 [steps][B][T + 1]\n"
    "  --json            answer with one JSON object\n"
    "  --home DIR        keep the cache of text in DIR (or POTLUCK_HOME)\n"
    "\n"
    "Examples:\n"
    "  potluck bench\n"
    "  potluck bench engine --config S --precision fp32 --json\n"
    "  potluck bench sample --config M\n"
    "  potluck bench exchange --json\n"
    "  potluck bench engine --config M --steps 20 --data my-run/data\n";

enum {
    OPT_CONFIG = 1,
    OPT_PRECISION,
    OPT_MOMENTS,
    OPT_FEEDBACK,
    OPT_RECOMPUTE,
    OPT_SOLO,
    OPT_THREADS,
    OPT_STEPS,
    OPT_SECONDS,
    OPT_PROMPT,
    OPT_TOKENS,
    OPT_ROUNDS,
    OPT_PEERS,
    OPT_INNER,
    OPT_TEXT,
    OPT_DATA,
    OPT_SEED,
    OPT_LR,
    OPT_WARMUP,
    OPT_NO_BLAS,
    OPT_LOSSES,
    OPT_DUMP_WEIGHTS,
    OPT_DUMP_TOKENS,
    OPT_LIBRARY,
    OPT_OWN,
    OPT_JSON,
    OPT_HOME,
    OPT_HELP
};

static const struct option longs[] = {
    {"config",       required_argument, NULL, OPT_CONFIG      },
    {"precision",    required_argument, NULL, OPT_PRECISION   },
    {"moments",      required_argument, NULL, OPT_MOMENTS     },
    {"feedback",     required_argument, NULL, OPT_FEEDBACK    },
    {"recompute",    no_argument,       NULL, OPT_RECOMPUTE   },
    {"solo",         no_argument,       NULL, OPT_SOLO        },
    {"threads",      required_argument, NULL, OPT_THREADS     },
    {"steps",        required_argument, NULL, OPT_STEPS       },
    {"seconds",      required_argument, NULL, OPT_SECONDS     },
    {"prompt",       required_argument, NULL, OPT_PROMPT      },
    {"tokens",       required_argument, NULL, OPT_TOKENS      },
    {"rounds",       required_argument, NULL, OPT_ROUNDS      },
    {"peers",        required_argument, NULL, OPT_PEERS       },
    {"inner-steps",  required_argument, NULL, OPT_INNER       },
    {"text",         required_argument, NULL, OPT_TEXT        },
    {"data",         required_argument, NULL, OPT_DATA        },
    {"seed",         required_argument, NULL, OPT_SEED        },
    {"lr",           required_argument, NULL, OPT_LR          },
    {"warmup",       required_argument, NULL, OPT_WARMUP      },
    {"no-blas",      no_argument,       NULL, OPT_NO_BLAS     },
    {"losses",       no_argument,       NULL, OPT_LOSSES      },
    {"dump-weights", required_argument, NULL, OPT_DUMP_WEIGHTS},
    {"dump-tokens",  required_argument, NULL, OPT_DUMP_TOKENS },
    {"library",      required_argument, NULL, OPT_LIBRARY     }, /* what bench_blas.c asks itself */
    {"own",          no_argument,       NULL, OPT_OWN         },
    {"json",         no_argument,       NULL, OPT_JSON        },
    {"home",         required_argument, NULL, OPT_HOME        },
    {"help",         no_argument,       NULL, OPT_HELP        },
    {NULL,           0,                 NULL, 0               },
};

static int fail(const struct err *e)
{
    int code = optread_fail(NAME, e);
    return e->code == ERR_ARG ? 2 : code;
}

static void say(const char *line)
{
    fprintf(stderr, "%s\n", line);
}

static int take_precision(struct options *o, const char *text)
{
    static const struct {
        const char *name;
        enum trainer_precision precision;
    } words[] = {
        {"fp32", TRAINER_FP32},
        {"bf16", TRAINER_BF16},
        {"auto", TRAINER_AUTO},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i].name) != 0) continue;
        o->engine.precision = words[i].precision;
        return 0;
    }
    return optread_usage(NAME, "--precision wants fp32, bf16 or auto");
}

static int take_kind(struct options *o, int c, const char *text)
{
    enum packed_kind kind = PACKED_F32;
    bool is_moments = c == OPT_MOMENTS;
    int rc = packed_of_word(text, &kind);
    if (rc != 0 || (!is_moments && kind == PACKED_Q8))
        return optread_usage(NAME, is_moments ? "--moments wants fp32, bf16 or 8bit"
                                              : "--feedback wants fp32 or bf16");
    if (is_moments)
        o->engine.moments = kind;
    else
        o->engine.feedback = kind;
    return 0;
}

static int take_number(struct options *o, int c, const char *text)
{
    uint64_t v = 0;
    switch (c) {
    case OPT_THREADS:
        if (!optread_whole(text, 1, POOL_MAX_THREADS, &v))
            return optread_usage(NAME, "--threads wants a number from 1 to 64");
        o->engine.n_threads = (uint32_t)v;
        break;
    case OPT_STEPS:
        if (!optread_whole(text, 1, BENCH_ENGINE_STEPS, &v))
            return optread_usage(NAME, "--steps wants a number from 1 to 2000");
        o->engine.n_steps = (uint32_t)v;
        break;
    case OPT_SECONDS:
        if (!optread_whole(text, 1, 86400, &v))
            return optread_usage(NAME, "--seconds wants a number from 1 to 86400");
        o->engine.most_ms = (uint32_t)v * 1000;
        break;
    case OPT_PROMPT:
    case OPT_TOKENS:
        if (!optread_whole(text, 1, 1 << 20, &v))
            return optread_usage(NAME, c == OPT_PROMPT ? "--prompt wants a number of tokens from 1"
                                                       : "--tokens wants a number from 1");
        *(c == OPT_PROMPT ? &o->n_prompt : &o->n_tokens) = (uint32_t)v;
        break;
    case OPT_ROUNDS:
        if (!optread_whole(text, 1, BENCH_EXCHANGE_ROUNDS, &v))
            return optread_usage(NAME, "--rounds wants a number from 1 to 1000");
        o->n_rounds = (uint32_t)v;
        break;
    case OPT_PEERS:
        if (!optread_whole(text, 1, BENCH_EXCHANGE_PEERS, &v))
            return optread_usage(NAME, "--peers wants a number from 1 to 16");
        o->n_peers = (uint32_t)v;
        break;
    case OPT_INNER:
        if (!optread_whole(text, 1, 1000, &v))
            return optread_usage(NAME, "--inner-steps wants a number from 1 to 1000");
        o->n_inner = (uint32_t)v;
        break;
    case OPT_WARMUP:
        if (!optread_whole(text, 0, 10000, &v))
            return optread_usage(NAME, "--warmup wants a number up to 10000");
        o->warmup = (int64_t)v;
        break;
    default:
        if (!optread_whole(text, 0, INT64_MAX, &v))
            return optread_usage(NAME, "--seed wants a number");
        o->engine.seed = v;
    }
    return 0;
}

static int take_lr(struct options *o, const char *text)
{
    if (optread_real(text, &o->lr) && o->lr > 0 && o->lr <= 1) return 0;
    return optread_usage(NAME, "--lr wants a number above 0, at most 1");
}

/* 0 go on, 1 done (help), 2 usage. */
static int take_option(struct options *o, int c)
{
    switch (c) {
    case OPT_CONFIG:
        if (bench_preset_find(optarg, &o->engine.preset) == 0) return 0;
        return optread_usage(NAME, "--config wants demo, S, M, L, 350M, 1B or 3B");
    case OPT_PRECISION: return take_precision(o, optarg);
    case OPT_MOMENTS:
    case OPT_FEEDBACK: return take_kind(o, c, optarg);
    case OPT_RECOMPUTE: o->engine.recompute = true; break;
    case OPT_SOLO: o->engine.is_solo = true; break;
    case OPT_THREADS:
    case OPT_STEPS:
    case OPT_SECONDS:
    case OPT_PROMPT:
    case OPT_TOKENS:
    case OPT_ROUNDS:
    case OPT_PEERS:
    case OPT_INNER:
    case OPT_WARMUP:
    case OPT_SEED: return take_number(o, c, optarg);
    case OPT_LR: return take_lr(o, optarg);
    case OPT_TEXT: o->text = optarg; break;
    case OPT_DATA: o->engine.data = optarg; break;
    case OPT_NO_BLAS: o->engine.without_blas = true; break;
    case OPT_LOSSES: o->with_losses = true; break;
    case OPT_DUMP_WEIGHTS: o->engine.weights = optarg; break;
    case OPT_DUMP_TOKENS: o->engine.tokens = optarg; break;
    case OPT_LIBRARY: snprintf(o->blas.library, sizeof o->blas.library, "%s", optarg); break;
    case OPT_OWN: o->blas.is_own = true; break;
    case OPT_JSON: o->is_json = true; break;
    case OPT_HOME: o->engine.home = optarg; break;
    case OPT_HELP: fputs(usage_text, stdout); return 1;
    default: return optread_usage(NAME, "this option is not at home here");
    }
    return 0;
}

static int take_word(struct options *o, int argc, char **argv)
{
    if (optind >= argc) return 0;
    if (strcmp(argv[optind], "engine") == 0)
        o->what = ENGINE;
    else if (strcmp(argv[optind], "sample") == 0)
        o->what = SAMPLE;
    else if (strcmp(argv[optind], "exchange") == 0)
        o->what = EXCHANGE;
    else if (strcmp(argv[optind], "blas") == 0)
        o->what = BLAS;
    else
        return optread_usage(NAME,
                             "the word after bench is engine, sample, exchange, blas, or none");
    if (optind + 1 < argc)
        return optread_usage(NAME, "one argument too many; sizes go with --config");
    return 0;
}

static int read_options(int argc, char **argv, struct options *o)
{
    o->engine = (struct bench_engine_options){
        .n_threads = optread_cores(POOL_MAX_THREADS),
        .precision = TRAINER_AUTO,
        .n_steps = STEPS_DEFAULT,
        .seed = 1,
        .say = say,
    };
    o->warmup = -1;
    o->n_rounds = 24;
    o->n_peers = 4;
    o->n_inner = 15;
    opterr = 0;
    int c;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread */
    while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
        struct err e = {0};
        if (c == '?' || c == ':') {
            (void)optread_fault(c, argv, longs, NAME, &e);
            return optread_told(NAME, &e);
        }
        int done = take_option(o, c);
        if (done) return done;
    }
    int done = take_word(o, argc, argv);
    if (done) return done;
    if ((o->what == ENGINE || o->what == SAMPLE) && !o->engine.preset.name)
        return optread_usage(NAME, "say which size to measure: --config S, M or L");
    if (!o->engine.preset.name)
        (void)bench_preset_find(o->what == EXCHANGE ? "demo" : "S", &o->engine.preset);
    struct train_params *t = &o->engine.preset.train;
    if (o->lr > 0) t->lr = o->lr;
    if (o->warmup >= 0) t->warmup_steps = (uint64_t)o->warmup;
    if (o->with_losses && o->engine.n_steps > t->warmup_steps) t->total_steps = o->engine.n_steps;
    return 0;
}

static int finish(int rc, struct buf *out, const struct err *e)
{
    if (rc == OK) fputs(buf_str(out), stdout);
    buf_deinit(out);
    return rc == OK ? 0 : fail(e);
}

static int run_page(const struct options *o)
{
    struct err e = {0};
    struct buf out = {0};
    struct bench_page p;
    int rc = bench_page_measure(o->engine.n_threads, o->engine.home, say, &p, &e);
    if (rc == OK && o->is_json) rc = bench_page_json(&p, &out, &e);
    if (rc == OK && !o->is_json) bench_page_text(&p, &out);
    return finish(rc, &out, &e);
}

static int run_engine(const struct options *o)
{
    struct err e = {0};
    struct buf out = {0};
    struct bench_engine *r = xmalloc(sizeof *r);
    int rc = bench_engine_run(&o->engine, r, &e);
    if (rc == OK && o->is_json) rc = bench_engine_json(r, o->with_losses, &out, &e);
    if (rc == OK && !o->is_json) bench_engine_text(r, &out);
    free(r);
    return finish(rc, &out, &e);
}

static int run_sample(const struct options *o)
{
    struct err e = {0};
    struct buf out = {0};
    struct bench_sample r;
    uint32_t most = o->engine.preset.model.max_position_embeddings;
    struct bench_sample_options s = {.preset = o->engine.preset,
                                     .n_threads = o->engine.n_threads,
                                     .n_prompt = o->n_prompt ? o->n_prompt : most / 2,
                                     .n_tokens = o->n_tokens,
                                     .seed = o->engine.seed};
    if (!s.n_tokens) s.n_tokens = s.n_prompt < most ? most - s.n_prompt : 1;
    int rc = bench_sample_run(&s, &r, &e);
    if (rc == OK && o->is_json) rc = bench_sample_json(&r, &out, &e);
    if (rc == OK && !o->is_json) bench_sample_text(&r, &out);
    return finish(rc, &out, &e);
}

static int run_exchange(const struct options *o)
{
    struct err e = {0};
    struct buf out = {0};
    struct bench_exchange r;
    struct bench_exchange_options x = {.preset = o->engine.preset,
                                       .precision = o->engine.precision,
                                       .n_threads = o->engine.n_threads,
                                       .n_rounds = o->n_rounds,
                                       .n_peers = o->n_peers,
                                       .n_inner = o->n_inner,
                                       .seed = o->engine.seed,
                                       .home = o->engine.home,
                                       .data = o->engine.data,
                                       .text = o->text,
                                       .say = say};
    int rc = bench_exchange_run(&x, &r, &e);
    if (rc == OK && o->is_json) rc = bench_exchange_json(&r, &out, &e);
    if (rc == OK && !o->is_json) bench_exchange_text(&r, &out);
    return finish(rc, &out, &e);
}

static void put_try(const struct bench_blas_try *t, bool is_best, struct buf *out)
{
    const char *asked = *t->asked ? t->asked : "(its own)";
    if (t->gflops > 0)
        buf_printf(out, "%-9s %-12s %-12s %-20s %8.1f%s\n", t->flavour, asked, t->core,
                   t->is_own          ? "its own threads"
                   : t->n_threads > 1 ? "our threads"
                                      : "one thread",
                   t->gflops, is_best ? "  best" : "");
    else
        buf_printf(out, "%s, core type %s: %s\n", t->library, asked, t->fault);
}

static int run_blas(struct options *o)
{
    struct err e = {0};
    struct buf out = {0};
    struct bench_blas b;
    o->blas.n_threads = o->engine.n_threads;
    if (*o->blas.library) {
        int rc = bench_blas_measure(&o->engine.preset, &o->blas, &e);
        if (rc == OK) rc = bench_blas_print(&o->blas, &e);
        return rc == OK ? 0 : fail(&e);
    }
    int rc = bench_blas_search(&o->engine.preset, o->engine.n_threads, &b, &e);
    if (rc != OK) return fail(&e);
    if (o->is_json) return bench_blas_print(&b.tries[b.best], &e) == OK ? 0 : fail(&e);
    buf_printf(&out, "OpenBLAS' sgemm at the products of model %s, Gflop/s\n\n%-9s %-12s %-12s\n",
               o->engine.preset.name, "flavour", "asked for", "core type");
    for (uint32_t i = 0; i < b.n_tries; i++)
        put_try(&b.tries[i], i == b.best, &out);
    return finish(OK, &out, &e);
}

int cmd_bench(int argc, char **argv)
{
    struct options o = {0};
    int done = read_options(argc, argv, &o);
    if (done) return done == 1 ? 0 : done;
    switch (o.what) {
    case ENGINE: return run_engine(&o);
    case SAMPLE: return run_sample(&o);
    case BLAS: return run_blas(&o);
    case EXCHANGE: return run_exchange(&o);
    case PAGE: break;
    }
    return run_page(&o);
}
