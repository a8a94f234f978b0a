/* Did the host tell the truth? The public record is read from a folder or a host, every round that
 * is asked for is done again, and one sentence says what came of it.
 *
 *   client/record_from   where the bytes come from      record/audit_run   what is checked
 *   app/verify_scores    the held-out loss, again       app/verify_text    how it is said
 */
#include "app/cmd_verify.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/verify_scores.h"
#include "app/verify_text.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "client/record_from.h"
#include "engine/micro.h"
#include "engine/pool.h"

enum { TELL_EVERY_MS = 500 };

struct options {
    const char *from;
    const char *home;
    uint64_t round;
    uint32_t n_threads;
    bool is_json;
    bool with_scores;
};

struct job {
    const struct options *o;
    struct record_from *from;
    struct verify_scores *scores;
    struct verify_facts facts;
    struct audit_report report;
    bool shows_progress;
    int64_t told_ms, began_ms;
    uint32_t n_wrong, n_other;
    struct audit_finding wrong[VERIFY_MAX_FINDINGS];
    struct audit_finding other[VERIFY_MAX_FINDINGS]; /* not checked */
    struct audit_finding shown[2 * VERIFY_MAX_FINDINGS];
};

static const char usage_text[] =
    "Usage: potluck verify [ROUND|all] [options]\n"
    "Did the host tell the truth? Reads the run's public record, does every round again (or one),\n"
    "and says in one sentence what was and what was not checked: signatures, the order of "
    "entries,\n"
    "receipts and manifests, the update bit for bit from the contributions, the model from the\n"
    "update, every reward by the run's rule.\n"
    "\n"
    "  --from SOURCE   an aggregator's folder (of a kept demo: DIR/aggregator), the address of a\n"
    "                  host (https://HOST:PORT) or an invite link; default: the joined run's host\n"
    "  --scores        also evaluate the held-out loss again, within 0.001 nats per token; the\n"
    "                  text for it is in an aggregator's folder\n"
    "  --threads N     processor threads of --scores, 1 to 64 (default: all cores)\n"
    "  --kernels SET   use no faster instructions than c, avx2 or avx512: the bits are the same\n"
    "  --json          one JSON object\n"
    "  --home DIR      the contributor's home, whose run is the default\n"
    "\n"
    "Examples:\n"
    "  potluck verify\n"
    "  potluck verify 12 --from https://soup.example.org:7333\n"
    "  potluck verify all --json --scores --from my-run\n"
    "\n"
    "Exit codes: 0 the host told the truth, 1 it did not, 2 wrong usage, 3 that could not be\n"
    "checked.\n";

enum { OPT_FROM = 1, OPT_SCORES, OPT_THREADS, OPT_KERNELS, OPT_JSON, OPT_HOME, OPT_HELP };

static const struct option longs[] = {
    {"from",    required_argument, NULL, OPT_FROM   },
    {"scores",  no_argument,       NULL, OPT_SCORES },
    {"threads", required_argument, NULL, OPT_THREADS},
    {"kernels", required_argument, NULL, OPT_KERNELS},
    {"json",    no_argument,       NULL, OPT_JSON   },
    {"home",    required_argument, NULL, OPT_HOME   },
    {"help",    no_argument,       NULL, OPT_HELP   },
    {NULL,      0,                 NULL, 0          },
};

static int usage(const char *what)
{
    fprintf(stderr, "potluck verify: %s (see `potluck verify --help`)\n", what);
    return VERIFY_EXIT_USAGE;
}

/* A whole number of at most 15 digits. */
static bool whole(const char *text, uint64_t *ret)
{
    size_t n = strspn(text, "0123456789");
    if (!n || text[n] || n > 15) return false;
    *ret = strtoull(text, NULL, 10);
    return true;
}

/* NULL, or what is wrong with it. */
static const char *take_kernels(const char *name)
{
    static const char *const names[] = {
        [MICRO_C] = "c", [MICRO_AVX2] = "avx2", [MICRO_AVX512] = "avx512"};
    for (int set = MICRO_C; set <= MICRO_AVX512; set++) {
        if (strcmp(name, names[set]) != 0) continue;
        if (!micro_of((enum micro_set)set, MICRO_F32)) return "this processor has no such kernels";
        micro_force((enum micro_set)set);
        return NULL;
    }
    return "--kernels wants c, avx2 or avx512";
}

/* NULL, or what is wrong with it. */
static const char *take_option(int c, struct options *o)
{
    uint64_t n = 0;
    switch (c) {
    case OPT_FROM: o->from = optarg; return NULL;
    case OPT_HOME: o->home = optarg; return NULL;
    case OPT_SCORES: o->with_scores = true; return NULL;
    case OPT_JSON: o->is_json = true; return NULL;
    case OPT_KERNELS: return take_kernels(optarg);
    case OPT_THREADS:
        if (!whole(optarg, &n) || n < 1 || n > POOL_MAX_THREADS) return "--threads wants 1 to 64";
        o->n_threads = (uint32_t)n;
        return NULL;
    default: return "unknown option, or its value is missing";
    }
}

/* -1 go on; else the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (struct options){.round = AUDIT_ALL_ROUNDS};
    o->n_threads = cores < 1 ? 1 : cores > POOL_MAX_THREADS ? POOL_MAX_THREADS : (uint32_t)cores;
    int c;
    opterr = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread */
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == OPT_HELP) {
            fputs(usage_text, stdout);
            return 0;
        }
        const char *wrong = take_option(c, o);
        if (wrong) return usage(wrong);
    }
    if (argc - optind > 1) return usage("one round, or all");
    if (argc > optind && strcmp(argv[optind], "all") != 0 && !whole(argv[optind], &o->round))
        return usage("a round is a number; or say all");
    return -1;
}

/* ---- on the way ----------------------------------------------------------------------------- */

static bool on_progress(void *ctx, const struct audit_stage *s)
{
    struct job *j = ctx;
    int64_t now = clock_mono_ms();
    if (!j->shows_progress || now - j->told_ms < TELL_EVERY_MS) return true;
    j->told_ms = now;
    fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64 "\x1b[K",
            s->is_log ? "reading entries" : "checking rounds", s->done, s->of);
    return true;
}

static void on_finding(const struct audit_finding *f, void *ctx)
{
    struct job *j = ctx;
    bool is_wrong = f->outcome == AUDIT_WRONG;
    uint32_t *n = is_wrong ? &j->n_wrong : &j->n_other;
    struct audit_finding *list = is_wrong ? j->wrong : j->other;
    if (*n < VERIFY_MAX_FINDINGS)
        list[(*n)++] = *f;
    else
        j->facts.n_left_out++;
}

static int on_weights(void *ctx, uint64_t round, const float *params, struct audit_book *b,
                      struct err *e)
{
    struct job *j = ctx;
    return verify_scores_take(j->scores, round, params, b, e);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int open_source(struct job *j, struct err *e)
{
    struct home home = {.lock_fd = -1};
    int rc = path_look(&home.paths, j->o->home, e);
    if (rc == OK) rc = record_from_open(j->o->from, &home, &j->from, e);
    home_close(&home);
    return rc;
}

static int audit(struct job *j, struct err *e)
{
    struct verify_facts *v = &j->facts;
    struct audit_request q = {.source = record_from_source(j->from),
                              .run = record_from_run(j->from),
                              .round = j->o->round,
                              .known = record_from_remembered(j->from),
                              .may_be_older = record_from_dir(j->from) != NULL,
                              .finding = on_finding,
                              .progress = on_progress,
                              .ctx = j};
    int rc = OK;
    if (j->o->with_scores)
        rc = verify_scores_open(j->from, j->o->n_threads, &j->scores, v->no_scores,
                                sizeof v->no_scores, e);
    if (j->scores) q.weights = on_weights;
    if (rc == OK) rc = audit_run(&q, &j->report, e);
    v->n_losses = verify_scores_losses(j->scores, v->losses);
    bool is_any = false;
    for (uint32_t i = 0; i < v->n_losses; i++)
        is_any = is_any || v->losses[i].is_done;
    if (j->scores && !is_any)
        snprintf(v->no_scores, sizeof v->no_scores, "no round that was checked has one");
    return rc;
}

static int show(struct job *j, struct err *e)
{
    struct verify_facts *v = &j->facts;
    struct buf out = {0};
    v->report = &j->report;
    v->run = record_from_run(j->from);
    v->from = record_from_name(j->from);
    v->is_dir = record_from_dir(j->from) != NULL;
    v->is_known = record_from_is_known(j->from);
    v->round = j->o->round;
    v->seconds = (double)(clock_mono_ms() - j->began_ms) / 1000;
    v->with_scores = j->o->with_scores;
    v->tolerance = VERIFY_TOLERANCE;
    memcpy(j->shown, j->wrong, j->n_wrong * sizeof *j->wrong);
    memcpy(j->shown + j->n_wrong, j->other, j->n_other * sizeof *j->other);
    v->findings = j->shown;
    v->n_findings = j->n_wrong + j->n_other;
    int rc = OK;
    if (j->o->is_json) {
        rc = verify_json(v, &out, e);
        buf_put_u8(&out, '\n');
    } else {
        verify_lines(v, &out);
    }
    if (rc == OK) rc = buf_ok(&out, e);
    if (rc == OK) rc = file_write_all(STDOUT_FILENO, out.p, out.len, "standard output", e);
    buf_deinit(&out);
    return rc;
}

/* No verdict: what went wrong on our side or on the way. */
static int fail(const struct options *o, const struct err *e)
{
    char line[400];
    int code = e->code == ERR_ARG ? VERIFY_EXIT_USAGE : VERIFY_EXIT_UNKNOWN;
    err_line(e, line, sizeof line);
    if (o->is_json) {
        json_t *j = json_object();
        struct buf b = {0};
        json_set_text(j, "verdict", "unknown");
        json_set_text(j, "error", e->what);
        json_set_text(j, "hint", e->hint);
        if (json_write(j, &b, NULL) == OK) puts(buf_str(&b));
        json_decref(j);
        buf_deinit(&b);
    }
    fprintf(stderr, "potluck verify: %s\n", line);
    return code;
}

int cmd_verify(int argc, char **argv)
{
    struct options o;
    struct err e = {0};
    int code = read_options(argc, argv, &o);
    if (code >= 0) return code;
    struct job *j = alloc_zero(1, sizeof *j);
    if (!j) {
        err_set(&e, ERR_NOMEM, 0, "out of memory");
        return fail(&o, &e);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    j->o = &o;
    j->began_ms = clock_mono_ms();
    j->shows_progress = isatty(STDERR_FILENO);
    int rc = open_source(j, &e);
    if (rc == OK) rc = audit(j, &e);
    if (j->told_ms) fputs("\r\x1b[K", stderr);
    if (rc == OK) rc = show(j, &e);
    code = rc == OK ? verify_exit_code(&j->report) : fail(&o, &e);
    verify_scores_close(j->scores);
    record_from_close(j->from);
    free(j);
    return code;
}
