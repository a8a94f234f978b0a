/* Let the model write: `potluck sample "Once upon a time"`.
 *
 * The text goes to stdout as it comes, whole characters only; what a terminal could take for a
 * command is replaced. How fast, and the seed that repeats it, go to stderr.
 */
#include "app/cmd_sample.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/loaded.h"
#include "app/optread.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/utf8stream.h"
#include "engine/sample.h"

enum { MAX_TOKENS = 1000000, MAX_PROMPT = 16 << 20, PROMPT_PART = 256 };

struct options {
    const char *from;
    const char *home;
    const char *text; /* NULL: from nothing */
    struct sample_choice choice;
    uint64_t seed;
    uint32_t n_tokens;
    uint32_t n_threads;
    bool is_json, no_prompt, is_quiet;
};

/* Why the text ended. */
enum ended { ENDED_TOKENS, ENDED_TEXT, ENDED_CONTEXT, ENDED_INTERRUPT };
static const char *const ended_words[] = {"tokens", "end", "context", "interrupt"};

struct job {
    const struct options *o;
    struct loaded model;
    struct buf prompt; /* bytes */
    struct buf ids;    /* of the prompt, after the one that begins a text */
    struct buf bytes;  /* of one token */
    struct buf text;   /* complete characters: of this step, or all with --json */
    struct utf8stream stream;
    struct sample_entry *scratch;
    uint32_t n_written;
    enum ended ended;
    int64_t read_ns, write_ns;
};

#define NAME "potluck sample"

static const char usage_text[] =
    "Usage: potluck sample [options] [TEXT]\n"
    "Let the model go on writing after TEXT (\"-\": what comes on standard input, without the "
    "last\n"
    "line end), or from nothing. Ctrl+C ends it; what was written stays.\n"
    "\n"
    "  --from SOURCE      which model: a Hugging Face folder, a folder of potluck train, a\n"
    "                     checkpoint or an aggregator's home; default: the joined run's\n"
    "  --tokens N         at most so many new tokens (default: 128)\n"
    "  --temperature X    0: always the likeliest; 0.01 to 100 (default: 0.8)\n"
    "  --top-k K          choose among the K likeliest; 0: all (default: 0)\n"
    "  --top-p P          among the likeliest that reach P together; 1: all (default: 0.95)\n"
    "  --seed N           repeat a text; default: another one every time\n"
    "  --no-prompt        write only what the model adds, not TEXT before it\n"
    "  --threads N        processor threads, 1 to 64 (default: all cores)\n"
    "  --json             one JSON object at the end instead of the text\n"
    "  --quiet            nothing about speed and seed on stderr\n"
    "  --home DIR         the contributor's home, when SOURCE is not given\n"
    "\n"
    "Examples:\n"
    "  potluck sample \"The potluck began\"\n"
    "  potluck sample --from my-run --temperature 0 --tokens 40 \"Dear\"\n"
    "  head -c 500 story.txt | potluck sample --seed 7 -\n";

enum {
    OPT_FROM = 1,
    OPT_TOKENS,
    OPT_TEMPERATURE,
    OPT_TOP_K,
    OPT_TOP_P,
    OPT_SEED,
    OPT_NO_PROMPT,
    OPT_THREADS,
    OPT_JSON,
    OPT_QUIET,
    OPT_HOME,
    OPT_HELP
};

static const struct option longs[] = {
    {"from",        required_argument, NULL, OPT_FROM       },
    {"tokens",      required_argument, NULL, OPT_TOKENS     },
    {"temperature", required_argument, NULL, OPT_TEMPERATURE},
    {"top-k",       required_argument, NULL, OPT_TOP_K      },
    {"top-p",       required_argument, NULL, OPT_TOP_P      },
    {"seed",        required_argument, NULL, OPT_SEED       },
    {"no-prompt",   no_argument,       NULL, OPT_NO_PROMPT  },
    {"threads",     required_argument, NULL, OPT_THREADS    },
    {"json",        no_argument,       NULL, OPT_JSON       },
    {"quiet",       no_argument,       NULL, OPT_QUIET      },
    {"home",        required_argument, NULL, OPT_HOME       },
    {"help",        no_argument,       NULL, OPT_HELP       },
    {NULL,          0,                 NULL, 0              },
};

/* NULL, or what is wrong with it. */
static const char *take_option(int c, void *ctx)
{
    struct options *o = ctx;
    switch (c) {
    case OPT_FROM: o->from = optarg; return NULL;
    case OPT_HOME: o->home = optarg; return NULL;
    case OPT_NO_PROMPT: o->no_prompt = true; return NULL;
    case OPT_JSON: o->is_json = true; return NULL;
    case OPT_QUIET: o->is_quiet = true; return NULL;
    case OPT_TOKENS:
        return optread_whole32(optarg, 1, MAX_TOKENS, &o->n_tokens) ? NULL
                                                                    : "--tokens wants 1 to 1000000";
    case OPT_TEMPERATURE:
        return optread_real(optarg, &o->choice.temperature) ? NULL : "--temperature wants a number";
    case OPT_TOP_K:
        return optread_whole32(optarg, 0, UINT32_MAX, &o->choice.top_k)
                   ? NULL
                   : "--top-k wants a whole number";
    case OPT_TOP_P: return optread_real(optarg, &o->choice.top_p) ? NULL : "--top-p wants a number";
    case OPT_SEED:
        return optread_whole(optarg, 0, INT64_MAX, &o->seed) ? NULL : "--seed wants a whole number";
    case OPT_THREADS:
        return optread_whole32(optarg, 1, POOL_MAX_THREADS, &o->n_threads)
                   ? NULL
                   : "--threads wants 1 to 64";
    default: return "this option is not at home here";
    }
}

/* 0 go on, 1 done (help), 2 usage. */
static int read_options(int argc, char **argv, struct options *o)
{
    uint64_t seed = 0;
    rng_secure(&seed, sizeof seed);
    *o = (struct options){
        .choice = {.temperature = 0.8, .top_p = 0.95},
          .seed = seed >> 32, .n_tokens = 128
    };
    o->n_threads = optread_cores(POOL_MAX_THREADS);
    const struct optread r = {NAME, usage_text, longs, OPT_HELP, take_option};
    int done = optread_each(&r, argc, argv, o);
    if (done) return done;
    if (optind < argc) o->text = argv[optind++];
    if (optind < argc) return optread_usage(NAME, "one TEXT only; put it into quotes");
    struct err e = {0};
    return sample_check(&o->choice, &e) == OK ? 0 : optread_usage(NAME, e.what);
}

/* ---- the text before ---- */

static int read_stdin(struct buf *out, struct err *e)
{
    for (;;) {
        uint8_t part[65536];
        ssize_t n = read(STDIN_FILENO, part, sizeof part);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_set(e, ERR_IO, errno, "cannot read standard input");
        if (n == 0) break;
        buf_put(out, part, (size_t)n);
        if (out->len > MAX_PROMPT)
            return err_set(e, ERR_LIMIT, 0, "standard input holds more than %d bytes", MAX_PROMPT);
    }
    if (out->len && out->p[out->len - 1] == '\n') out->len--;
    return buf_ok(out, e);
}

static int read_prompt(struct job *j, struct err *e)
{
    uint32_t start = j->model.start;
    const char *text = j->o->text ? j->o->text : "";
    int rc = OK;
    if (strcmp(text, "-") == 0)
        rc = read_stdin(&j->prompt, e);
    else
        buf_put_str(&j->prompt, text);
    if (start != TOKENIZER_NONE) buf_put(&j->ids, &start, sizeof start);
    if (!rc) rc = buf_ok(&j->prompt, e);
    if (!rc) rc = tokenizer_encode(j->model.tokenizer, j->prompt.p, j->prompt.len, &j->ids, e);
    uint32_t n = (uint32_t)(j->ids.len / sizeof(uint32_t));
    uint32_t most = j->model.config->max_position_embeddings;
    if (!rc && n == 0) {
        err_set(e, ERR_ARG, 0, "this model has no token that begins a text");
        err_hint(e, "give it some words to go on from");
        return ERR_ARG;
    }
    if (rc || n < most) return rc;
    err_set(e, ERR_LIMIT, 0, "the text has %u tokens; this model reads %u, and wants to add some",
            n, most);
    err_hint(e, "give the end of the text only");
    return ERR_LIMIT;
}

/* ---- writing ---- */

/* Show what is complete. */
static int flush(struct job *j, struct err *e)
{
    if (j->o->is_json || j->text.len == 0) return buf_ok(&j->text, e);
    int rc = buf_ok(&j->text, e);
    if (!rc) rc = file_write_all(STDOUT_FILENO, j->text.p, j->text.len, "standard output", e);
    buf_clear(&j->text);
    return rc;
}

static int show(struct job *j, uint32_t id, struct err *e)
{
    buf_clear(&j->bytes);
    int rc = tokenizer_decode(j->model.tokenizer, id, &j->bytes, e);
    if (rc) return rc;
    utf8stream_put(&j->stream, j->bytes.p, j->bytes.len, &j->text);
    return flush(j, e);
}

/* Read the prompt, some at a time, so that Ctrl+C is heard. */
static int read_ids(struct job *j, float **ret_logits, struct err *e)
{
    const uint32_t *ids = (const uint32_t *)(const void *)j->ids.p;
    uint32_t n = (uint32_t)(j->ids.len / sizeof *ids);
    int64_t began = clock_mono_ns();
    int rc = OK;
    for (uint32_t at = 0; at < n && !rc; at += PROMPT_PART) {
        uint32_t part = n - at < PROMPT_PART ? n - at : PROMPT_PART;
        rc = infer_feed(j->model.infer, j->model.params, ids + at, part, ret_logits, e);
    }
    j->read_ns = clock_mono_ns() - began;
    return rc;
}

static int pick(struct job *j, float *logits, struct rng *r, uint32_t *ret, struct err *e)
{
    *ret = sample_pick(&j->o->choice, logits, loaded_vocab(&j->model), j->scratch, r);
    if (*ret != SAMPLE_NONE) return OK;
    err_set(e, ERR_PROTO, 0, "the model's output is not a number: its weights are broken");
    err_hint(e, "use another checkpoint");
    return ERR_PROTO;
}

static int generate(struct job *j, struct err *e)
{
    struct rng r;
    float *logits = NULL;
    rng_init(&r, j->o->seed, 0);
    int rc = read_ids(j, &logits, e);
    int64_t began = clock_mono_ns();
    j->ended = ENDED_TOKENS;
    while (!rc) {
        uint32_t id;
        rc = pick(j, logits, &r, &id, e);
        if (rc) break;
        if (id == j->model.end) {
            j->ended = ENDED_TEXT;
            break;
        }
        rc = show(j, id, e);
        j->n_written++;
        if (rc || j->n_written == j->o->n_tokens) break;
        if (infer_room(j->model.infer) == 0) {
            j->ended = ENDED_CONTEXT;
            break;
        }
        rc = infer_feed(j->model.infer, j->model.params, &id, 1, &logits, e);
    }
    j->write_ns = clock_mono_ns() - began;
    if (rc != ERR_CANCELLED) return rc;
    j->ended = ENDED_INTERRUPT;
    return OK;
}

/* ---- telling ---- */

/* The first token costs no step of its own: it comes out of reading. */
static double speed(const struct job *j)
{
    return j->n_written > 1 ? (j->n_written - 1) * 1e9 / (double)j->write_ns : (double)NAN;
}

static int tell_json(struct job *j, struct err *e)
{
    const struct options *o = j->o;
    struct buf out = {0};
    struct buf prompt = {0};
    struct utf8stream s = {0};
    uint64_t n_prompt = j->ids.len / sizeof(uint32_t);
    utf8stream_put(&s, j->prompt.p, j->prompt.len, &prompt);
    utf8stream_end(&s, &prompt);
    json_t *v = json_object();
    json_object_set_new(v, "prompt", json_stringn(buf_str(&prompt), prompt.len));
    json_object_set_new(v, "text", json_stringn(buf_str(&j->text), j->text.len));
    json_set_u64(v, "tokens", j->n_written);
    json_set_u64(v, "prompt_tokens", n_prompt);
    json_set_real(v, "tokens_per_s", speed(j));
    json_set_real(v, "prompt_tokens_per_s", (double)n_prompt * 1e9 / (double)(j->read_ns + 1));
    json_set_u64(v, "seed", o->seed);
    json_set_real(v, "temperature", o->choice.temperature);
    json_set_u64(v, "top_k", o->choice.top_k);
    json_set_real(v, "top_p", o->choice.top_p);
    json_set_u64(v, "threads", o->n_threads);
    json_set_text(v, "ended", ended_words[j->ended]);
    json_set_text(v, "from", model_source_path(j->model.source));
    int rc = json_write(v, &out, e);
    buf_put_u8(&out, '\n');
    if (!rc) rc = buf_ok(&out, e);
    if (!rc) rc = file_write_all(STDOUT_FILENO, out.p, out.len, "standard output", e);
    json_decref(v);
    buf_deinit(&out);
    buf_deinit(&prompt);
    return rc;
}

static int tell(struct job *j, struct err *e)
{
    static const char *const why[] = {"", "; the text ended there",
                                      "; there the model's context is full", "; interrupted"};
    utf8stream_end(&j->stream, &j->text);
    if (j->o->is_json) return tell_json(j, e);
    buf_put_u8(&j->text, '\n');
    int rc = flush(j, e);
    if (rc || j->o->is_quiet) return rc;
    if (j->n_written > 1)
        fprintf(stderr, "-- %u tokens, %.0f a second, seed %llu%s\n", j->n_written, speed(j),
                (unsigned long long)j->o->seed, why[j->ended]);
    else
        fprintf(stderr, "-- %u token%s, seed %llu%s\n", j->n_written, j->n_written == 1 ? "" : "s",
                (unsigned long long)j->o->seed, why[j->ended]);
    return OK;
}

static int run(struct job *j, struct interrupt *i, struct err *e)
{
    const struct options *o = j->o;
    int rc = loaded_open(o->from, o->home, true, &j->model, e);
    if (!rc) rc = read_prompt(j, e);
    if (rc) return rc;
    uint32_t n = (uint32_t)(j->ids.len / sizeof(uint32_t)) + o->n_tokens;
    rc = loaded_begin(&j->model, i, n, o->n_threads, e);
    if (rc) return rc;
    j->scratch = alloc_zero(loaded_vocab(&j->model), sizeof *j->scratch);
    if (!j->scratch) return err_set(e, ERR_NOMEM, 0, "out of memory for the candidates");
    if (!o->is_json && !o->no_prompt) {
        utf8stream_put(&j->stream, j->prompt.p, j->prompt.len, &j->text);
        rc = flush(j, e);
    }
    if (!rc) rc = generate(j, e);
    return rc ? rc : tell(j, e);
}

int cmd_sample(int argc, char **argv)
{
    struct options o;
    int done = read_options(argc, argv, &o);
    if (done) return done == 1 ? 0 : done;
    struct err e = {0};
    struct job j = {.o = &o};
    struct interrupt *i = NULL;
    j.stream.is_harmless = !o.is_json && isatty(STDOUT_FILENO);
    (void)signal(SIGPIPE, SIG_DFL); /* when nobody reads on, there is nothing left to do */
    int rc = interrupt_create(&i, &e);
    if (!rc) rc = run(&j, i, &e);
    loaded_close(&j.model);
    interrupt_destroy(i);
    buf_deinit(&j.prompt);
    buf_deinit(&j.ids);
    buf_deinit(&j.bytes);
    buf_deinit(&j.text);
    free(j.scratch);
    return rc ? optread_fail(NAME, &e) : 0;
}
