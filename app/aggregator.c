/* potluck-aggregator: init, prepare, serve, status, end, payouts. The command line and the exit
 * codes are here; everything else is in aggregator/.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/ask.h"
#include "aggregator/describe.h"
#include "aggregator/hoststatus.h"
#include "aggregator/origin.h"
#include "aggregator/prepare.h"
#include "aggregator/serve.h"
#include "app/backing.h"
#include "app/doors.h"
#include "app/ending.h"
#include "app/hosthelp.h"
#include "app/listing.h"
#include "app/optread.h"
#include "app/paying.h"
#include "app/planning.h"
#include "base/log.h"
#include "net/limits.h"

/* Exit codes, also in docs/OPERATING.md. */
enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DATA = 3, EXIT_BUSY = 4 };

enum {
    OPT_HOME = 256,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION,
    OPT_VOCAB,
    OPT_VAL,
    OPT_SHARD,
    OPT_TOKENIZER,
    OPT_WAIT,
    OPT_PORT_FILE,
    OPT_USES,
    OPT_DAYS,
    OPT_FILE,
    OPT_PER_ADDRESS,
    OPT_METRICS,
    OPT_YES,
    OPT_TO,
    OPT_OUT,
    OPT_CSV,
    OPT_CONFIG,
    OPT_PEERS,
    OPT_UP,
    OPT_DOWN,
    OPT_RTT,
    OPT_SPEED,
    OPT_DECODE,
    OPT_CORES,
    OPT_SETUP
};

#define MAX_OPTIONS 64

struct line {
    const char *home;
    bool is_json;
    struct setup setup;
    uint64_t given;        /* bit i: option i of setup_options was chosen */
    const char *from_path; /* of a model to go on from */
    uint32_t vocab;
    const char *tokenizer_path;
    double val_frac;
    uint64_t shard_tokens;
    uint32_t wait_for;
    uint32_t per_address;
    bool is_metrics_open;
    bool is_sure, is_csv;
    const char *to, *out;
    const char *port_file;
    const char *listen_addr;
    bool has_uses, has_days;
    uint64_t uses;
    double days;
    const char *file;
    struct planning_words plan;
    char *const *rest; /* what is left after the options */
    int n_rest;
};

/* command: NULL without one. */
static void print_usage(FILE *f, const char *command)
{
    struct buf b = {0};
    hosthelp_write(command, &b);
    fputs(buf_str(&b), f);
    buf_deinit(&b);
}

static int fail(const struct err *e)
{
    char text[sizeof e->what + sizeof e->hint + 8];
    fprintf(stderr, "potluck-aggregator: %s\n", err_line(e, text, sizeof text));
    switch (e->code) {
    case ERR_ARG:
    case ERR_NOTFOUND: return EXIT_USAGE;
    case ERR_PROTO:
    case ERR_AUTH:
    case ERR_VERSION: return EXIT_DATA;
    case ERR_WRONG_STATE: return EXIT_BUSY;
    default: return EXIT_FAILED;
    }
}

static int parse_count(const char *name, const char *text, double lo, double hi, double *ret,
                       struct err *e)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (end == text || *end || !(v >= lo && v <= hi))
        return err_set(e, ERR_ARG, 0, "--%s '%.40s' is not between %g and %g", name, text, lo, hi);
    *ret = v;
    return OK;
}

static int take_plan(struct planning_words *w, int opt, const char *arg, struct err *e)
{
    double v = 0;
    int rc = OK;
    switch (opt) {
    case OPT_CONFIG: w->config_path = arg; return OK;
    case OPT_UP: return parse_count("up", arg, 0.001, 1e6, &w->up_mbit, e);
    case OPT_DOWN: return parse_count("down", arg, 0.001, 1e6, &w->down_mbit, e);
    case OPT_RTT: return parse_count("rtt", arg, 0, 60000, &w->rtt_ms, e);
    case OPT_SPEED: return parse_count("speed", arg, 0.01, 1e12, &w->tok_per_s, e);
    case OPT_DECODE: return parse_count("decode", arg, 0.001, 1e6, &w->decode_mb_per_s, e);
    case OPT_CORES:
        rc = parse_count("cores", arg, 1, 1024, &v, e);
        if (rc == OK) w->host_cores = (uint32_t)v;
        return rc;
    default:
        rc = parse_count("peers", arg, 1, 1024, &v, e);
        if (rc == OK) w->n_peers = (uint32_t)v;
        return rc;
    }
}

static int take(struct line *l, int opt, const char *arg, struct err *e)
{
    double v = 0;
    int rc = OK;
    switch (opt) {
    case OPT_HOME: l->home = arg; return OK;
    case OPT_JSON: l->is_json = true; return OK;
    case OPT_YES: l->is_sure = true; return OK;
    case OPT_CSV: l->is_csv = true; return OK;
    case OPT_TO: l->to = arg; return OK;
    case OPT_OUT: l->out = arg; return OK;
    case OPT_PORT_FILE: l->port_file = arg; return OK;
    case OPT_TOKENIZER: l->tokenizer_path = arg; return OK;
    case OPT_FILE: l->file = arg; return OK;
    case OPT_USES:
        rc = parse_count("uses", arg, 0, 1e6, &v, e);
        l->has_uses = true;
        l->uses = (uint64_t)v;
        return rc;
    case OPT_DAYS: l->has_days = true; return parse_count("days", arg, 0, 36500, &l->days, e);
    case OPT_VAL: return parse_count("val-frac", arg, 0, 0.5, &l->val_frac, e);
    case OPT_VOCAB:
        rc = parse_count("vocab", arg, 258, 1 << 20, &v, e);
        if (rc == OK) l->vocab = (uint32_t)v;
        return rc;
    case OPT_SHARD:
        rc = parse_count("shard-tokens", arg, 1 << 16, 1e9, &v, e);
        if (rc == OK) l->shard_tokens = (uint64_t)v;
        return rc;
    case OPT_WAIT:
        rc = parse_count("wait-for", arg, 1, 1024, &v, e);
        if (rc == OK) l->wait_for = (uint32_t)v;
        return rc;
    case OPT_PER_ADDRESS:
        rc = parse_count("per-address", arg, 1, LIMIT_CONNECTIONS, &v, e);
        if (rc == OK) l->per_address = (uint32_t)v;
        return rc;
    case OPT_METRICS:
        l->is_metrics_open = strcmp(arg, "any") == 0;
        if (l->is_metrics_open || strcmp(arg, "local") == 0) return OK;
        return err_set(e, ERR_ARG, 0, "--metrics '%.40s' is neither local nor any", arg);
    default: break;
    }
    if (opt >= OPT_CONFIG && opt <= OPT_CORES) return take_plan(&l->plan, opt, arg, e);
    size_t n = 0;
    const struct setup_option *o = setup_options(&n);
    size_t i = (size_t)(opt - OPT_SETUP);
    if (i >= n) return err_set(e, ERR_ARG, 0, "unknown option");
    if (strcmp(o[i].name, "listen") == 0) l->listen_addr = arg;
    if (strcmp(o[i].name, "from") == 0) l->from_path = arg;
    l->given |= 1ULL << i;
    return setup_set(&l->setup, o[i].name, arg, e);
}

static size_t fill_options(struct option out[MAX_OPTIONS])
{
    static const struct option own[] = {
        {"home",         required_argument, NULL, OPT_HOME       },
        {"json",         no_argument,       NULL, OPT_JSON       },
        {"help",         no_argument,       NULL, OPT_HELP       },
        {"version",      no_argument,       NULL, OPT_VERSION    },
        {"vocab",        required_argument, NULL, OPT_VOCAB      },
        {"tokenizer",    required_argument, NULL, OPT_TOKENIZER  },
        {"val-frac",     required_argument, NULL, OPT_VAL        },
        {"shard-tokens", required_argument, NULL, OPT_SHARD      },
        {"wait-for",     required_argument, NULL, OPT_WAIT       },
        {"port-file",    required_argument, NULL, OPT_PORT_FILE  },
        {"uses",         required_argument, NULL, OPT_USES       },
        {"days",         required_argument, NULL, OPT_DAYS       },
        {"file",         required_argument, NULL, OPT_FILE       },
        {"per-address",  required_argument, NULL, OPT_PER_ADDRESS},
        {"metrics",      required_argument, NULL, OPT_METRICS    },
        {"yes",          no_argument,       NULL, OPT_YES        },
        {"to",           required_argument, NULL, OPT_TO         },
        {"out",          required_argument, NULL, OPT_OUT        },
        {"csv",          no_argument,       NULL, OPT_CSV        },
        {"config",       required_argument, NULL, OPT_CONFIG     },
        {"peers",        required_argument, NULL, OPT_PEERS      },
        {"up",           required_argument, NULL, OPT_UP         },
        {"down",         required_argument, NULL, OPT_DOWN       },
        {"rtt",          required_argument, NULL, OPT_RTT        },
        {"speed",        required_argument, NULL, OPT_SPEED      },
        {"decode",       required_argument, NULL, OPT_DECODE     },
        {"cores",        required_argument, NULL, OPT_CORES      },
    };
    size_t n = sizeof own / sizeof *own, n_setup = 0;
    const struct setup_option *o = setup_options(&n_setup);
    check(n + n_setup < MAX_OPTIONS);
    memcpy(out, own, sizeof own);
    for (size_t i = 0; i < n_setup; i++)
        out[n + i] = (struct option){o[i].name, required_argument, NULL, OPT_SETUP + (int)i};
    out[n + n_setup] = (struct option){0};
    return n + n_setup;
}

/* OK; ERR_CANCELLED when --help or --version was all that was asked for. */
static int parse(const char *command, int argc, char **argv, struct line *l, struct err *e)
{
    struct option options[MAX_OPTIONS];
    fill_options(options);
    *l = (struct line){.vocab = 4096, .val_frac = 0.03, .wait_for = 1};
    setup_defaults(&l->setup);
    planning_defaults(&l->plan);
    for (;;) {
        int i = 0;
        int opt = getopt_long(argc, argv, ":h", options, &i); /* NOLINT(concurrency-mt-unsafe) */
        if (opt == -1) break;
        if (opt == OPT_HELP || opt == 'h') {
            print_usage(stdout, command);
            return ERR_CANCELLED;
        }
        if (opt == OPT_VERSION) {
            puts("potluck-aggregator " POTLUCK_VERSION);
            return ERR_CANCELLED;
        }
        if (opt == '?' || opt == ':')
            return optread_fault(opt, argv, options, "potluck-aggregator", e);
        int rc = command ? hosthelp_check(command, options[i].name, e) : OK;
        if (rc == OK) rc = take(l, opt, optarg, e);
        if (rc != OK) return rc;
    }
    l->rest = argv + optind;
    l->n_rest = argc - optind;
    return OK;
}

static void print_progress(const char *text, void *ctx)
{
    (void)ctx;
    fprintf(stderr, "%s\n", text);
}

/* The run is described: say how people join and what comes next. */
static int announce(const char *home, struct err *e)
{
    struct rundesc d;
    char link[512];
    int rc = describe_home(home, &d, e);
    if (rc == ERR_AGAIN) return OK;
    if (rc == OK) rc = describe_invite(&d, "", link, sizeof link, e);
    if (rc != OK) return rc;
    fprintf(stderr,
            "run      %s/run.potluck is written and signed; it will not change any more\n"
            "invite   contributors join with the link below, or with that file\n"
            "next     potluck-aggregator serve --home %s\n",
            home, home);
    printf("%s\n", link);
    return OK;
}

static bool is_local(const char *listen_addr)
{
    return strncmp(listen_addr, "127.", 4) == 0 || strncmp(listen_addr, "localhost:", 10) == 0 ||
           strncmp(listen_addr, "[::1]", 5) == 0;
}

/* Everything is read and checked before anything is written. */
static int create_from(struct line *l, const char *home, struct err *e)
{
    struct origin from;
    const struct model_config *c = &from.config;
    int rc = origin_open(&from, l->from_path, e);
    if (rc != OK) return rc;
    rc = origin_fit(&from, l->given, &l->setup, e);
    if (rc == OK) rc = planning_choose(&l->plan, &from.config, l->given, &l->setup, e);
    if (rc == OK) rc = setup_create(&l->setup, &from, home, e);
    if (rc == OK)
        fprintf(stderr,
                "model    %.2fM weights: %" PRIu32 " wide, %" PRIu32 " layers, %" PRIu32
                " heads, %" PRIu32 " token ids; a copy is kept in %s/model\n",
                (double)from.table.n_params / 1e6, c->hidden_size, c->num_hidden_layers,
                c->num_attention_heads, c->vocab_size, home);
    origin_close(&from);
    return rc;
}

static int create_new(struct line *l, const char *home, struct err *e)
{
    int rc = planning_choose(&l->plan, NULL, l->given, &l->setup, e);
    return rc == OK ? setup_create(&l->setup, NULL, home, e) : rc;
}

static int run_init(struct line *l, const char *home, struct err *e)
{
    int rc = l->from_path && !*l->from_path ? err_set(e, ERR_ARG, 0, "--from names no folder")
             : l->from_path                 ? create_from(l, home, e)
                                            : create_new(l, home, e);
    if (rc != OK) return rc;
    fprintf(stderr, "home     %s: keys and choices are written\n", home);
    if (!l->setup.public_addr[0] && is_local(l->setup.listen_addr))
        fputs("reach    only this computer can join; for others choose --listen 0.0.0.0:7333 and "
              "--public HOST:PORT\n",
              stderr);
    if (!dataset_exists(home))
        fprintf(stderr, "next     potluck-aggregator prepare --home %s TEXT_FOLDER\n", home);
    return announce(home, e);
}

/* A run that goes on from a model takes that model's tokens. */
static int find_tokenizer(const char *home, struct origin_kept *kept, struct prepare_options *o,
                          struct err *e)
{
    struct setup s;
    if (setup_load(home, &s, NULL) != OK || !s.from[0]) return OK;
    if (o->tokenizer_path) {
        err_set(e, ERR_ARG, 0, "this run goes on from a model, whose tokenizer makes the tokens");
        err_hint(e, "leave --tokenizer out");
        return ERR_ARG;
    }
    int rc = origin_kept(home, kept, e);
    if (rc != OK) return rc;
    o->tokenizer_path = kept->tokenizer_path;
    o->eos = kept->has_eos ? &kept->eos : NULL;
    return OK;
}

static int run_prepare(const struct line *l, const char *home, struct err *e)
{
    struct setup s;
    struct origin_kept kept;
    struct prepare_report r;
    struct prepare_options o = {.home = home,
                                .paths = (const char *const *)l->rest,
                                .n_paths = l->n_rest,
                                .vocab_size = l->vocab,
                                .tokenizer_path = l->tokenizer_path,
                                .val_frac = l->val_frac,
                                .shard_tokens = l->shard_tokens,
                                .progress = print_progress};
    int rc = find_tokenizer(home, &kept, &o, e);
    if (rc == OK) rc = prepare_run(&o, &r, e);
    if (rc != OK) return rc;
    fprintf(stderr,
            "tokens   %" PRIu64 " to train on in %" PRIu32 " shards, %" PRIu64 " held out (%" PRIu64
            " of %" PRIu64 " documents); %" PRIu32 " token ids\n",
            r.n_train_tokens, r.n_shards, r.n_val_tokens, r.n_val_docs, r.n_docs, r.vocab_size);
    if (setup_load(home, &s, NULL) != OK)
        fprintf(stderr, "next     potluck-aggregator init --home %s --name NAME\n", home);
    return announce(home, e);
}

static int run_serve(const struct line *l, const char *home, struct err *e)
{
    struct serve_options o = {.home = home,
                              .listen_addr = l->listen_addr,
                              .port_file = l->port_file,
                              .wait_for = l->wait_for,
                              .per_address = l->per_address,
                              .is_metrics_open = l->is_metrics_open};
    return serve_run(&o, e);
}

static int run_status(const struct line *l, const char *home, struct err *e)
{
    struct setup s;
    struct rundesc d;
    struct hoststatus st;
    struct buf json = {0}, text = {0};
    int rc = describe_read(home, &d, NULL, e);
    if (rc == OK) rc = setup_load(home, &s, e);
    if (rc == OK &&
        ask_status(l->listen_addr ? l->listen_addr : s.listen_addr, &d, &json, NULL) != OK) {
        buf_clear(&json);
        rc = hoststatus_stored(home, &d, &st, e);
        if (rc == OK) rc = hoststatus_json(&st, &json, e);
    }
    if (rc == OK && !l->is_json) rc = hoststatus_text(json.p, json.len, &text, e);
    if (rc == OK) printf("%s%s", buf_str(l->is_json ? &json : &text), l->is_json ? "\n" : "");
    buf_deinit(&json);
    buf_deinit(&text);
    return rc;
}

static int run_who(const char *command, const struct line *l, const char *home, struct err *e)
{
    struct doors_words w = {.home = home,
                            .rest = l->rest,
                            .n_rest = l->n_rest,
                            .is_json = l->is_json,
                            .has_uses = l->has_uses,
                            .has_days = l->has_days,
                            .uses = l->uses,
                            .days = l->days,
                            .note = l->setup.note};
    return doors_run(command, &w, e);
}

static int find_home(const struct line *l, char ret[PATH_CAP], struct err *e)
{
    const char *home =
        l->home ? l->home : getenv("POTLUCK_HOME"); /* NOLINT(concurrency-mt-unsafe) */
    if (!home || !*home) {
        err_set(e, ERR_ARG, 0, "no home folder was named");
        err_hint(e, "add --home DIR: keys, data and books of this run live there");
        return ERR_ARG;
    }
    if (path_format(ret, "%s", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    return OK;
}

static int check_command(const char *command, struct err *e)
{
    static const char *const known[] = {"init",   "prepare", "serve",   "status", "doors",
                                        "invite", "allow",   "list",    "end",    "payouts",
                                        "plan",   "backup",  "restore", "ban",    NULL};
    for (size_t i = 0; known[i]; i++)
        if (strcmp(command, known[i]) == 0) return OK;
    err_set(e, ERR_ARG, 0, "there is no command '%.40s'", command);
    const char *near = optread_nearest(command, known);
    if (near)
        err_hint(e, "did you mean `potluck-aggregator %s`?", near);
    else
        err_hint(e, "see: potluck-aggregator --help");
    return ERR_ARG;
}

static int run(const char *command, struct line *l, struct err *e)
{
    char home[PATH_CAP];
    if (strcmp(command, "plan") == 0) {
        if (l->n_rest) return err_set(e, ERR_ARG, 0, "'%.80s' is not expected here", l->rest[0]);
        return planning_run(&l->plan, &l->setup, l->given, l->vocab, l->is_json, e);
    }
    int rc = find_home(l, home, e);
    if (rc != OK) return rc;
    if (strcmp(command, "list") == 0) {
        struct listing_words w = {home, l->file, l->rest, l->n_rest};
        return listing_run(&w, e);
    }
    if (doors_is_command(command)) return run_who(command, l, home, e);
    if (backing_is_command(command)) {
        struct backing_words w = {home, l->rest, l->n_rest, l->is_json};
        return backing_run(command, &w, e);
    }
    if (l->n_rest && strcmp(command, "prepare") != 0)
        return err_set(e, ERR_ARG, 0, "'%.80s' is not expected here", l->rest[0]);
    if (strcmp(command, "init") == 0) return run_init(l, home, e);
    if (strcmp(command, "prepare") == 0) return run_prepare(l, home, e);
    if (strcmp(command, "serve") == 0) return run_serve(l, home, e);
    if (strcmp(command, "end") == 0) return ending_run(home, l->is_sure, e);
    if (strcmp(command, "payouts") == 0) {
        struct paying_words w = {home, l->from_path, l->to, l->out, l->is_csv};
        return paying_run(&w, e);
    }
    return run_status(l, home, e);
}

int main(int argc, char **argv)
{
    struct line l;
    struct err e = {0};
    bool has_command = argc > 1 && argv[1][0] != '-';
    if (argc < 2) {
        print_usage(stderr, NULL);
        return EXIT_USAGE;
    }
    opterr = 0;
    int rc = has_command ? check_command(argv[1], &e) : OK;
    if (rc == OK)
        rc = parse(has_command ? argv[1] : NULL, argc - has_command, argv + has_command, &l, &e);
    if (rc == ERR_CANCELLED) return EXIT_FINE;
    if (rc == OK && !has_command) {
        print_usage(stderr, NULL);
        return EXIT_USAGE;
    }
    if (rc == OK) rc = run(argv[1], &l, &e);
    if (rc == OK) return EXIT_FINE;
    if (!e.code) e.code = rc;
    return fail(&e);
}
