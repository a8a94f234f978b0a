/* Gathers the facts that client/doctor.h judges: looks at this computer, asks the run's host, trains
 * a few steps of the run's model on made-up text. Nothing is joined, kept or sent but two questions.
 */
#include "app/cmd_doctor.h"

#include <math.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "app/cmdline.h"
#include "app/optread.h"
#include "app/talk.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "client/doctor.h"
#include "client/fetch.h"
#include "client/gears.h"
#include "client/home.h"
#include "client/invite.h"
#include "client/sandbox.h"
#include "client/sense.h"
#include "client/sent.h"
#include "engine/budget.h"
#include "engine/memfree.h"
#include "engine/micro.h"
#include "engine/pool.h"

#define NAME       "potluck doctor"
#define MEASURE_MS 6000
#define MAX_STEPS  8
#define STALL_MS   8000
#define MAX_STATUS 262144

static const char usage_text[] =
    "Usage: potluck doctor [FILE|LINK] [options]\n"
    "Can this computer take part, and is it worth it? Looks at the computer and, with a "
    "run.potluck\n"
    "file or an invite link (default: the joined run), at the run: memory, disk, the way to its "
    "host,\n"
    "and how fast this computer trains its model. Each finding says what to do. Nothing is "
    "joined.\n"
    "\n"
    "  --no-speed   do not train for some seconds to measure\n"
    "  --json       one JSON object\n"
    "  --home DIR   the home that would take part (or POTLUCK_HOME)\n"
    "\n"
    "Examples:\n"
    "  potluck doctor\n"
    "  potluck doctor --no-speed run.potluck\n"
    "\n"
    "Exit codes: 0 fit, 1 could not look, 2 wrong usage, 6 something stands against it.\n";

enum { OPT_HOME = 1, OPT_JSON, OPT_NO_SPEED, OPT_HELP };

static const struct option longs[] = {
    {"home",     required_argument, NULL, OPT_HOME    },
    {"json",     no_argument,       NULL, OPT_JSON    },
    {"no-speed", no_argument,       NULL, OPT_NO_SPEED},
    {"help",     no_argument,       NULL, OPT_HELP    },
    {NULL,       0,                 NULL, 0           },
};

struct options {
    const char *home, *source;
    bool is_json, no_speed;
};

struct job {
    struct options o;
    struct paths paths;
    struct config config;
    struct rundesc *run; /* NULL: none */
    struct gear gear;
    struct trainer_options how;
    struct doctor_facts f;
};

static const char *take_option(int c, void *ctx)
{
    struct options *o = ctx;
    switch (c) {
    case OPT_HOME: o->home = optarg; return NULL;
    case OPT_JSON: o->is_json = true; return NULL;
    case OPT_NO_SPEED: o->no_speed = true; return NULL;
    default: return "this option is not at home here";
    }
}

/* ---- this computer ------------------------------------------------------------------------------- */

static const char *environment(const char *name, void *ctx)
{
    (void)ctx;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): before any thread */
}

static void look_at_settings(struct job *j)
{
    struct err e = {0};
    config_init(&j->config);
    if (config_file_read(&j->config, j->paths.config, &e) != OK ||
        config_environment(&j->config, environment, NULL, &e) != OK)
        (void)err_line(&e, j->f.config_trouble, sizeof j->f.config_trouble);
    uint32_t n_cores = optread_cores(2 * POOL_MAX_THREADS);
    j->gear = gears_now(&j->config, false, n_cores);
    j->f.n_cores = n_cores;
    j->f.n_used = j->gear.n_cores;
}

/* The folder itself, or the nearest above it that exists. */
static void nearest_folder(char path[PATH_CAP])
{
    char up[PATH_CAP];
    while (access(path, F_OK) != 0 && path[1] && path_dirname(up, path) == 0)
        snprintf(path, PATH_CAP, "%s", up);
}

static void look_at_home(struct job *j)
{
    struct doctor_facts *f = &j->f;
    char path[PATH_CAP];
    struct statvfs v;
    struct stat st;
    snprintf(path, sizeof path, "%s", j->paths.data);
    nearest_folder(path);
    snprintf(f->home, sizeof f->home, "%.120s", path);
    f->can_write_home = access(path, W_OK | X_OK) == 0;
    if (statvfs(path, &v) == 0) f->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
    if (path_format(path, "%s/key", j->paths.data) == 0 && stat(path, &st) == 0)
        f->key_mode = st.st_mode & 0777;
}

static void look_around(struct job *j)
{
    struct doctor_facts *f = &j->f;
    struct sense *s = calloc(1, sizeof *s);
    struct holds_seen seen;
    struct sense_ask ask = {.disk_path = f->home, .programs = "", .wall_ms = clock_wall_ms()};
    __builtin_cpu_init();
    f->has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    f->has_avx512 = __builtin_cpu_supports("avx512f");
    f->has_bf16 = micro_has_bf16();
    f->memory_free = memfree_bytes();
    f->memory_all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    f->wall_ms = clock_wall_ms();
    f->has_proxy = environment("https_proxy", NULL) || environment("HTTPS_PROXY", NULL);
    if (!s) return;
    sense_init(s, "");
    sense_look(s, &ask, &seen);
    struct timespec moment = {.tv_nsec = 300000000};
    nanosleep(&moment, NULL); /* a rate needs two looks */
    sense_look(s, &ask, &seen);
    f->n_sources = sense_rows(s, f->sources, VIEW_SOURCES);
    free(s);
}

/* What an agent started here could not do: tried, not believed. The folders must be there for that. */
static void try_sandbox(struct job *j)
{
    struct doctor_facts *f = &j->f;
    struct paths own = j->paths;
    char done[64];
    int n_refused = 0;
    if (!file_exists(own.data)) {
        char tmp[] = "/tmp/potluck-doctor-XXXXXX";
        if (!mkdtemp(tmp)) return;
        (void)path_format(own.data, "%s", tmp);
        (void)path_format(own.cache, "%s", tmp);
        (void)path_format(own.state, "%s", tmp);
        (void)path_format(own.config, "%s/potluck.conf", tmp);
        (void)path_format(own.socket, "%s/agent.sock", tmp);
        f->n_tries = sandbox_try(&own, &n_refused, done, sizeof done);
        rmdir(tmp);
    } else {
        f->n_tries = sandbox_try(&own, &n_refused, done, sizeof done);
    }
    f->n_refused = n_refused;
    f->is_sandbox_off = j->config.v[CONFIG_SANDBOX].n != 0;
    snprintf(f->sandbox_done, sizeof f->sandbox_done, "%s", done);
}

/* A running agent has looked for longer, and does not count its own work as that of others. Its row
 * of the sandbox is tried here anew.
 */
static void take_sources(struct doctor_facts *f, const struct view *v)
{
    if (v->n_sources) f->n_sources = 0;
    for (uint32_t i = 0; i < v->n_sources; i++)
        if (strcmp(v->sources[i].name, "sandbox") != 0) f->sources[f->n_sources++] = v->sources[i];
}

/* What a running agent knows better than any measurement. */
static void ask_agent(struct job *j)
{
    struct doctor_facts *f = &j->f;
    struct view *v = calloc(1, sizeof *v);
    if (v && talk_view(j->paths.socket, v, NULL) == OK) {
        char id[HASH_HEX];
        f->is_agent_running = true;
        take_sources(f, v);
        bool is_same = j->run && strcmp(hash_hex(&j->run->id, id), v->run_id) == 0;
        if (is_same && v->tok_per_s_avg > 0) f->tok_per_s = v->tok_per_s_avg;
        if (is_same && v->payload_bytes) {
            f->payload_bytes = v->payload_bytes;
            f->is_payload_known = true;
        }
        if (is_same && v->payload_bytes && v->ms_upload > 0)
            f->up_bytes_per_s = (double)v->payload_bytes * 1000 / (double)v->ms_upload;
    }
    free(v);
}

/* ---- the run ------------------------------------------------------------------------------------- */

static void plan_run(struct job *j)
{
    struct doctor_facts *f = &j->f;
    const struct rundesc *r = j->run;
    struct budget b;
    j->how = (struct trainer_options){
        .n_threads = j->gear.n_cores < POOL_MAX_THREADS ? j->gear.n_cores : POOL_MAX_THREADS,
        .precision = TRAINER_AUTO};
    /* As the agent reckons: its trainer has threads for every gear. */
    struct trainer_options kept = j->how;
    kept.n_threads = gears_threads(&j->config, f->n_cores);
    budget_plan(&r->model, &r->train, &kept, &b);
    f->has_run = true;
    snprintf(f->run_name, sizeof f->run_name, "%s", r->name);
    f->memory_needed = b.total_bytes;
    f->memory_allowed =
        (uint64_t)(gears_memory_frac(&j->config, f->n_cores) * (double)f->memory_all);
    /* The state and its successor, beside the text. */
    f->disk_needed =
        2 * budget_param_bytes(&b) + ((uint64_t)j->config.v[CONFIG_DISK_QUOTA].n << 20);
    f->inner_steps = r->inner_steps;
    f->inner_ms = r->inner_ms;
    f->round_ms = rundesc_round_ms(r);
    f->tokens_per_step = (uint64_t)r->train.batch_seqs * r->train.seq_len;
    uint64_t n_params = b.bytes[BUDGET_GRADIENTS] / sizeof(float);
    /* Of k in each chunk some 12 bits of place and 2 of value; an update carries more places. */
    f->payload_bytes = n_params / r->train.delta.chunk * r->train.delta.k * 14 / 8;
    f->update_bytes = 2 * f->payload_bytes;
}

static int find_run(struct job *j, struct err *e)
{
    struct home h = {.lock_fd = -1, .paths = j->paths};
    struct hash id;
    struct buf jws = {0};
    j->run = calloc(1, sizeof *j->run);
    if (!j->run) return err_set(e, ERR_NOMEM, 0, "out of memory");
    int rc = OK;
    if (j->o.source) {
        rc = invite_get(j->o.source, &jws, j->run, e);
    } else {
        rc = home_current(&h, &id, NULL);
        if (rc == OK) rc = home_load_run(&h, &id, j->run, e);
        if (rc == ERR_NOTFOUND) {
            free(j->run);
            j->run = NULL;
            rc = OK;
        }
    }
    buf_deinit(&jws);
    return rc;
}

static void measure_steps(struct job *j, struct trainer *t, uint32_t *tokens, size_t n)
{
    struct doctor_facts *f = &j->f;
    struct trainer_step_result r;
    struct rng rng;
    struct err e = {0};
    int64_t until = clock_mono_ms() + MEASURE_MS;
    double best = 0;
    rng_init(&rng, 1, 0);
    trainer_init_weights(t, 1);
    for (size_t i = 0; i < n; i++)
        tokens[i] = rng_below(&rng, j->run->model.vocab_size);
    for (uint32_t i = 0; i < MAX_STEPS && (i == 0 || clock_mono_ms() < until); i++) {
        if (trainer_step(t, tokens, i, &r, &e) != OK) break;
        double now = r.busy_ns > 0 ? (double)r.n_tokens * 1e9 / (double)r.busy_ns : 0;
        if (now > best) best = now;
    }
    if (best > 0)
        f->tok_per_s = best * j->gear.duty_frac;
    else
        snprintf(f->speed_trouble, sizeof f->speed_trouble, "%.150s", e.what);
}

static void measure_speed(struct job *j)
{
    struct doctor_facts *f = &j->f;
    struct trainer *t = NULL;
    struct err e = {0};
    if (!j->run || f->tok_per_s > 0) return;
    if (j->o.no_speed || f->is_agent_running) {
        snprintf(f->speed_trouble, sizeof f->speed_trouble, "%s",
                 j->o.no_speed ? "not wanted" : "the agent has not trained this run yet");
        return;
    }
    size_t n = size_mul(j->run->train.batch_seqs, (size_t)j->run->train.seq_len + 1);
    uint32_t *tokens = malloc(size_mul(n, sizeof *tokens));
    if (!tokens) (void)err_set(&e, ERR_NOMEM, 0, "out of memory");
    if (tokens && trainer_create(&j->run->model, &j->run->train, &j->how, &t, &e) == OK)
        measure_steps(j, t, tokens, n);
    else
        snprintf(f->speed_trouble, sizeof f->speed_trouble, "%.150s", e.what);
    trainer_destroy(t);
    free(tokens);
}

/* ---- its host ------------------------------------------------------------------------------------ */

static void resolve(struct doctor_facts *f, const struct rundesc_aggregator *g)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
    if (getaddrinfo(g->host, NULL, &hints, &all) != 0) return;
    for (const struct addrinfo *a = all; a; a = a->ai_next) {
        f->has_ipv4 = f->has_ipv4 || a->ai_family == AF_INET;
        f->has_ipv6 = f->has_ipv6 || a->ai_family == AF_INET6;
    }
    freeaddrinfo(all);
}

static void read_status(struct doctor_facts *f, const struct buf *b)
{
    json_t *o = NULL;
    if (json_parse(b->p, b->len, &o, NULL) != OK) return;
    const char *state = json_string_value(json_object_get(o, "state"));
    f->has_ended = state && strcmp(state, "ended") == 0;
    json_decref(o);
}

static void ask_host(struct job *j)
{
    struct doctor_facts *f = &j->f;
    struct err e = {0};
    if (!j->run) return;
    const struct rundesc_aggregator *g = &j->run->aggregators[0];
    struct fetch *host = NULL;
    struct buf b = {0};
    f->is_asked = true;
    snprintf(f->host, sizeof f->host, "%s:%u", g->host, g->port);
    resolve(f, g);
    int64_t t0 = clock_mono_ns();
    int rc = fetch_open(g->host, g->port, &g->tls_pin, &host, &e);
    if (rc == OK) rc = fetch_ask(host, sent_kind(SENT_STATUS)->path, STALL_MS, MAX_STATUS, &b, &e);
    f->connect_ms = (double)(clock_mono_ns() - t0) / 1e6;
    if (rc == OK) {
        f->has_answer = true;
        read_status(f, &b);
        buf_clear(&b);
        t0 = clock_mono_ns();
        if (fetch_ask(host, sent_kind(SENT_TOKENIZER)->path, STALL_MS,
                      (size_t)j->run->tokenizer_bytes, &b, NULL) == OK)
            f->down_bytes_per_s = (double)b.len * 1e9 / (double)(clock_mono_ns() - t0 + 1);
    } else {
        snprintf(f->net_trouble, sizeof f->net_trouble, "%s", e.what);
        snprintf(f->net_fix, sizeof f->net_fix, "%s", e.hint);
    }
    fetch_close(host);
    buf_deinit(&b);
}

/* -------------------------------------------------------------------------------------------------- */

static int run(struct job *j, struct err *e)
{
    struct doctor_facts *f = &j->f;
    f->tok_per_s = f->down_bytes_per_s = f->up_bytes_per_s = f->connect_ms = (double)NAN;
    int rc = path_look(&j->paths, j->o.home, e);
    if (rc == OK) rc = find_run(j, e);
    if (rc != OK) return rc;
    look_at_settings(j);
    look_at_home(j);
    look_around(j);
    try_sandbox(j);
    if (j->run) plan_run(j);
    ask_agent(j);
    ask_host(j);
    if (f->memory_needed <= f->memory_allowed) measure_speed(j);
    struct doctor d;
    struct buf b = {0};
    doctor_judge(f, &d);
    if (j->o.is_json) rc = doctor_json(&d, &b, e);
    if (!j->o.is_json) doctor_text(&d, &b);
    if (rc == OK) rc = buf_ok(&b, e);
    if (rc == OK) fputs(buf_str(&b), stdout);
    if (rc == OK && j->o.is_json) putchar('\n');
    buf_deinit(&b);
    return rc == OK && d.worst == DOCTOR_BLOCK ? CMDLINE_EXIT_BLOCKED : rc;
}

int cmd_doctor(int argc, char **argv)
{
    struct job *j = calloc(1, sizeof *j);
    struct err e = {0};
    if (!j) return CMDLINE_EXIT_ERROR;
    const struct optread r = {NAME, usage_text, longs, OPT_HELP, take_option};
    int code = optread_each(&r, argc, argv, &j->o);
    if (code == 0 && argc - optind > 1) code = optread_usage(NAME, "one FILE or LINK at most");
    if (code == 0) {
        j->o.source = argv[optind];
        code = run(j, &e);
        if (code < 0) code = optread_fail(NAME, &e);
    } else if (code == 1) {
        code = 0; /* help */
    }
    free(j->run);
    free(j);
    return code;
}
