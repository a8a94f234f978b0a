/* How good is the model: on text that is named, or on questions with choices.
 *
 * Text: every token but the first of each shard or file is predicted once, in windows of the
 * model's context (stride = length), fp32, by the same arithmetic as `potluck sample`.
 */
#include "app/cmd_eval.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/eval_choices.h"
#include "app/eval_texts.h"
#include "app/optread.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "view/text.h"

enum { TELL_EVERY_MS = 500 };

struct options {
    const char *from;
    const char *home;
    const char *choices;
    char *const *paths;
    int n_paths;
    uint64_t limit;
    uint32_t n_ctx;
    uint32_t n_threads;
    bool is_json;
};

struct job {
    const struct options *o;
    struct loaded model;
    struct interrupt *interrupt;
    struct eval_rows rows;
    struct eval_choices choices;
    bool is_interrupted;
    bool shows_progress;
    int64_t told_ms;
    int64_t began_ms;
};

#define NAME "potluck eval"

static const char usage_text[] =
    "Usage: potluck eval [options] PATH...\n"
    "       potluck eval [options] --choices FILE\n"
    "How good is the model? Loss (nats per token), perplexity and bits per byte of text, for each\n"
    "PATH: a .shard file, a folder of them, a text file or a folder of text.\n"
    "\n"
    "  --from SOURCE   which model: a Hugging Face folder, a folder of potluck train, a\n"
    "                  checkpoint or an aggregator's home; default: the joined run's\n"
    "  --choices FILE  questions, one JSON object a line:\n"
    "                  {\"question\": \"...\", \"choices\": [\"...\", \"...\"], \"answer\": 0}\n"
    "                  gives the share answered rightly with its 95 % interval, by the\n"
    "                  likelihood of each choice, raw and per byte\n"
    "  --limit N       at most N tokens of each shard or PATH of text\n"
    "  --context N     windows of N tokens (default: all that the model knows)\n"
    "  --threads N     processor threads, 1 to 64 (default: all cores)\n"
    "  --json          one JSON object\n"
    "  --home DIR      the contributor's home, when SOURCE is not given\n"
    "\n"
    "Examples:\n"
    "  potluck eval --from my-run my-run/data/val.shard\n"
    "  potluck eval ~/texts --limit 100000\n"
    "  potluck eval --from my-model --choices questions.jsonl --json\n"
    "\n"
    "Exit code 1 when anything could not be used; the rest is evaluated and shown all the same.\n";

enum {
    OPT_FROM = 1,
    OPT_CHOICES,
    OPT_LIMIT,
    OPT_CONTEXT,
    OPT_THREADS,
    OPT_JSON,
    OPT_HOME,
    OPT_HELP
};

static const struct option longs[] = {
    {"from",    required_argument, NULL, OPT_FROM   },
    {"choices", required_argument, NULL, OPT_CHOICES},
    {"limit",   required_argument, NULL, OPT_LIMIT  },
    {"context", required_argument, NULL, OPT_CONTEXT},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"json",    no_argument,       NULL, OPT_JSON   },
    {"home",    required_argument, NULL, OPT_HOME   },
    {"help",    no_argument,       NULL, OPT_HELP   },
    {NULL,      0,                 NULL, 0          },
};

/* NULL, or what is wrong with it. */
static const char *take_option(int c, void *ctx)
{
    struct options *o = ctx;
    switch (c) {
    case OPT_FROM: o->from = optarg; return NULL;
    case OPT_HOME: o->home = optarg; return NULL;
    case OPT_CHOICES: o->choices = optarg; return NULL;
    case OPT_JSON: o->is_json = true; return NULL;
    case OPT_LIMIT:
        return optread_whole(optarg, 1, INT64_MAX, &o->limit)
                   ? NULL
                   : "--limit wants a number of tokens from 1";
    case OPT_CONTEXT:
        return optread_whole32(optarg, 1, UINT32_MAX, &o->n_ctx)
                   ? NULL
                   : "--context wants a number of tokens from 1";
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
    *o = (struct options){0};
    o->n_threads = optread_cores(POOL_MAX_THREADS);
    const struct optread r = {NAME, usage_text, longs, OPT_HELP, take_option};
    int done = optread_each(&r, argc, argv, o);
    if (done) return done;
    o->paths = argv + optind;
    o->n_paths = argc - optind;
    if (!o->n_paths && !o->choices)
        return optread_usage(NAME, "name shards or text, or --choices FILE");
    if (o->n_paths && o->choices) return optread_usage(NAME, "either PATHs or --choices, not both");
    return 0;
}

/* ---- on the way ---- */

static bool goes_on(struct job *j, const char *name, const char *what, uint64_t n, uint64_t of)
{
    int64_t now = clock_mono_ms();
    if (interrupt_asked(j->interrupt)) return false;
    if (!j->shows_progress || now - j->told_ms < TELL_EVERY_MS) return true;
    char shown[60], a[TEXT_CAP], b[TEXT_CAP];
    j->told_ms = now;
    size_t len = strlen(name);
    utf8_printable(len < sizeof shown ? name : name + len - sizeof shown + 1, shown, sizeof shown);
    fprintf(stderr, "\r%s: %s", shown, text_count((int64_t)n, a));
    if (of) fprintf(stderr, " of %s", text_count((int64_t)of, b));
    fprintf(stderr, " %s\x1b[K", what);
    return true;
}

static bool text_progress(void *ctx, const char *name, uint64_t n_done, uint64_t n_tokens)
{
    return goes_on(ctx, name, "tokens", n_done, n_tokens);
}

static bool choices_progress(void *ctx, uint64_t n_done)
{
    struct job *j = ctx;
    return goes_on(j, j->o->choices, "questions", n_done, 0);
}

static void end_progress(struct job *j)
{
    if (j->told_ms) fputs("\r\x1b[K", stderr);
}

/* ---- text: figures ---- */

static void add(struct eval_sum *to, const struct eval_sum *from)
{
    to->nats += from->nats;
    to->n_tokens += from->n_tokens;
    to->n_bytes += from->n_bytes;
}

static void print_row(const char *name, const struct eval_sum *s)
{
    char count[TEXT_CAP], loss[TEXT_CAP], ppl[TEXT_CAP], bits[TEXT_CAP], shown[40];
    char tail[40];
    size_t len = strlen(name);
    snprintf(tail, sizeof tail, "%s%s", len > 34 ? "..." : "", len > 34 ? name + len - 31 : name);
    utf8_printable(tail, shown, sizeof shown);
    printf("%-34s %13s %9s %11s %11s\n", shown, text_count((int64_t)s->n_tokens, count),
           text_fixed(eval_loss(s), 4, loss), text_number(eval_perplexity(s), ppl),
           text_fixed(eval_bits_per_byte(s), 4, bits));
}

static void print_rows(const struct job *j, const struct eval_sum *all)
{
    printf("%-34s %13s %9s %11s %11s\n", "", "tokens", "loss", "perplexity", "bits/byte");
    for (uint32_t i = 0; i < j->rows.n; i++)
        print_row(j->rows.rows[i].name, &j->rows.rows[i].sum);
    if (j->rows.n > 1) print_row("all", all);
}

static void set_sum(json_t *o, const struct eval_sum *s)
{
    json_set_u64(o, "tokens", s->n_tokens);
    json_set_u64(o, "bytes", s->n_bytes);
    json_set_real(o, "loss", eval_loss(s));
    json_set_real(o, "perplexity", eval_perplexity(s));
    json_set_real(o, "bits_per_byte", eval_bits_per_byte(s));
}

static json_t *rows_json(const struct job *j, const struct eval_sum *all)
{
    json_t *o = json_object();
    json_t *list = json_array();
    for (uint32_t i = 0; i < j->rows.n; i++) {
        const struct eval_row *r = &j->rows.rows[i];
        json_t *v = json_object();
        json_set_text(v, "name", r->name);
        json_set_text(v, "kind", r->is_shard ? "shard" : "text");
        if (!r->is_shard) json_set_u64(v, "files", r->n_files);
        if (!r->is_shard) json_set_u64(v, "skipped", r->n_skipped);
        set_sum(v, &r->sum);
        json_array_append_new(list, v);
    }
    set_sum(o, all);
    json_object_set_new(o, "parts", list);
    return o;
}

/* ---- choices: figures ---- */

static void print_share(const char *name, uint64_t k, uint64_t n)
{
    double lo, hi;
    choices_interval(k, n, &lo, &hi);
    printf("%-34s %6.1f %%   95 %%: %.1f to %.1f %%\n", name, 100.0 * (double)k / (double)n,
           100 * lo, 100 * hi);
}

static void print_choices(const struct job *j)
{
    const struct choices_tally *t = &j->choices.tally;
    if (!t->n) return;
    printf("%-34s %6llu\n", "questions", (unsigned long long)t->n);
    print_share("right, by likelihood per byte", t->n_right_normalised, t->n);
    print_share("right, by likelihood", t->n_right_raw, t->n);
    printf("%-34s %6.1f %%\n", "by chance", 100 * t->chance / (double)t->n);
    if (t->n_cut)
        printf("%-34s %6llu\n", "questions cut to the context", (unsigned long long)t->n_cut);
    if (j->choices.n_bad)
        printf("%-34s %6llu\n", "lines that could not be used",
               (unsigned long long)j->choices.n_bad);
}

static void set_share(json_t *o, const char *name, uint64_t k, uint64_t n)
{
    double lo, hi;
    json_t *v = json_object();
    choices_interval(k, n, &lo, &hi);
    json_set_u64(v, "right", k);
    json_set_real(v, "accuracy", n ? (double)k / (double)n : (double)NAN);
    json_set_real(v, "low_95", lo);
    json_set_real(v, "high_95", hi);
    json_object_set_new(o, name, v);
}

static json_t *choices_json(const struct job *j)
{
    const struct eval_choices *c = &j->choices;
    const struct choices_tally *t = &c->tally;
    json_t *o = json_object();
    json_t *bad = json_array();
    json_set_text(o, "choices", j->o->choices);
    json_set_u64(o, "questions", t->n);
    set_share(o, "normalised", t->n_right_normalised, t->n);
    set_share(o, "raw", t->n_right_raw, t->n);
    json_set_real(o, "chance", t->n ? t->chance / (double)t->n : (double)NAN);
    json_set_u64(o, "cut_questions", t->n_cut);
    json_set_u64(o, "bad_lines", c->n_bad);
    for (uint64_t i = 0; i < c->n_bad && i < sizeof c->bad_lines / sizeof *c->bad_lines; i++)
        json_array_append_new(bad, json_integer((json_int_t)c->bad_lines[i]));
    json_object_set_new(o, "bad_line_numbers", bad);
    return o;
}

/* ---- all together ---- */

static int print_json(struct job *j, json_t *o, struct err *e)
{
    struct buf out = {0};
    json_set_text(o, "from", model_source_path(j->model.source));
    json_set_u64(o, "context", infer_length(j->model.infer) + infer_room(j->model.infer));
    json_set_u64(o, "threads", j->o->n_threads);
    json_set_real(o, "seconds", (double)(clock_mono_ms() - j->began_ms) / 1000);
    json_set_bool(o, "interrupted", j->is_interrupted);
    int rc = json_write(o, &out, e);
    buf_put_u8(&out, '\n');
    if (!rc) rc = buf_ok(&out, e);
    if (!rc) rc = file_write_all(STDOUT_FILENO, out.p, out.len, "standard output", e);
    json_decref(o);
    buf_deinit(&out);
    return rc;
}

static int show(struct job *j, struct err *e)
{
    struct eval_sum all = {0};
    for (uint32_t i = 0; i < j->rows.n; i++)
        add(&all, &j->rows.rows[i].sum);
    if (j->o->is_json)
        return print_json(j, j->o->choices ? choices_json(j) : rows_json(j, &all), e);
    if (j->o->choices)
        print_choices(j);
    else
        print_rows(j, &all);
    if (j->is_interrupted) puts("interrupted; the figures are of what was done");
    return OK;
}

/* A path that fails is told; the others are evaluated. */
static int run_paths(struct job *j, bool *ret_failed)
{
    for (int i = 0; i < j->o->n_paths; i++) {
        struct err e = {0};
        int rc = eval_texts_run(&j->model, j->o->paths[i], &j->rows, &e);
        if (rc == ERR_CANCELLED) {
            j->is_interrupted = true;
            return OK;
        }
        if (rc == OK) continue;
        end_progress(j);
        *ret_failed = true;
        (void)optread_fail(NAME, &e);
        if (rc == ERR_NOMEM) return rc;
    }
    return OK;
}

static int run(struct job *j, int *ret_code)
{
    const struct options *o = j->o;
    struct err e = {0};
    bool failed = false;
    int rc = loaded_open(o->from, o->home, o->choices != NULL, &j->model, &e);
    if (!rc) rc = loaded_begin(&j->model, j->interrupt, o->n_ctx, o->n_threads, &e);
    if (!rc && o->choices) {
        rc = eval_choices_run(&j->model, o->choices, &j->choices, &e);
        j->is_interrupted = j->choices.is_interrupted;
        failed = j->choices.n_bad > 0;
    } else if (!rc) {
        rc = run_paths(j, &failed);
        if (rc) return rc; /* told already */
    }
    end_progress(j);
    if (!rc && (o->choices || j->rows.n || j->is_interrupted)) rc = show(j, &e);
    *ret_code = rc ? optread_fail(NAME, &e) : failed || j->is_interrupted;
    return rc;
}

int cmd_eval(int argc, char **argv)
{
    struct options o;
    int done = read_options(argc, argv, &o);
    if (done) return done == 1 ? 0 : done;
    struct err e = {0};
    struct job j = {.o = &o, .began_ms = clock_mono_ms()};
    int code = 1;
    j.shows_progress = isatty(STDERR_FILENO);
    j.rows = (struct eval_rows){.limit = o.limit, .progress = text_progress, .ctx = &j};
    j.choices.progress = choices_progress;
    j.choices.ctx = &j;
    if (interrupt_create(&j.interrupt, &e)) return optread_fail(NAME, &e);
    (void)run(&j, &code);
    eval_texts_deinit(&j.rows);
    loaded_close(&j.model);
    interrupt_destroy(j.interrupt);
    return code;
}
