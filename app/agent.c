/* potluck-agent: the process that trains. `potluck` starts it; `potluck agent` becomes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/engine_cmd.h"
#include "app/optread.h"
#include "base/log.h"
#include "client/agent_loop.h"
#include "client/invite.h"
#include "engine/pool.h"

struct options {
    const char *home;
    const char *join;
    const char *name;
    struct config given;
    enum trainer_precision precision;
    enum packed_kind moments, feedback;
    bool recompute;
    struct work_choice chosen;
    bool is_demo;
    bool is_quiet;
};

#define NAME "potluck-agent"

static const char usage_text[] =
    "Usage: potluck agent [options]\n"
    "Be the agent, in the foreground: trains until `potluck stop`, SIGTERM or Ctrl-C.\n"
    "(`potluck` and `potluck join` start it in the background.)\n"
    "\n"
    "  --home DIR        keep everything in DIR (or POTLUCK_HOME)\n"
    "  --join FILE|LINK  take part in this run\n"
    "  --name NAME       how others see you; at most 32 bytes\n"
    "  --gear GEAR       gentle, balanced, full or off: how much to take of this computer, also\n"
    "                    while somebody uses it (default: gentle then, balanced when idle)\n"
    "  --set KEY=VALUE   any setting of `potluck config list`; stands above the file\n"
    "  --threads N       processor threads to train with, 1 to 64 (default: as the gear says)\n"
    "  --precision P     fp32, bf16 or auto: bf16 where the processor has it (default)\n"
    "  --moments P       fp32 (default), bf16 or 8bit: memory of the optimizer\n"
    "  --feedback P      fp32 (default) or bf16: memory of what was not sent yet\n"
    "  --recompute       less memory for some time: layers are computed twice\n"
    "                    Without --moments and --feedback a local state goes on as it was\n"
    "                    kept; with another choice it is put aside, and training starts from\n"
    "                    the run's weights. Recomputing may change at any time.\n"
    "  --quota MIB       disk for the text cache: disk_quota_mib (default: 512)\n"
    "  --save SECONDS    how often the local state is saved: save_every_s (default: 30)\n"
    "  --quiet           log to the file only, not to stderr\n"
    "  --foreground      stay in the foreground (it always does; accepted for clarity)\n"
    "  --demo            tell screens that this is a demo\n"
    "  --help, --version\n"
    "\n"
    "Examples:\n"
    "  potluck agent --threads 4 --name Ada\n"
    "  potluck agent --home /srv/potluck --join run.potluck --quiet\n";

enum {
    OPT_HOME = 1,
    OPT_JOIN,
    OPT_NAME,
    OPT_THREADS,
    OPT_PRECISION,
    OPT_MOMENTS,
    OPT_FEEDBACK,
    OPT_RECOMPUTE,
    OPT_QUOTA,
    OPT_SAVE,
    OPT_GEAR,
    OPT_SET,
    OPT_QUIET,
    OPT_FOREGROUND,
    OPT_DEMO,
    OPT_HELP,
    OPT_VERSION
};

static const struct option longs[] = {
    {"home",       required_argument, NULL, OPT_HOME      },
    {"join",       required_argument, NULL, OPT_JOIN      },
    {"name",       required_argument, NULL, OPT_NAME      },
    {"threads",    required_argument, NULL, OPT_THREADS   },
    {"precision",  required_argument, NULL, OPT_PRECISION },
    {"moments",    required_argument, NULL, OPT_MOMENTS   },
    {"feedback",   required_argument, NULL, OPT_FEEDBACK  },
    {"recompute",  no_argument,       NULL, OPT_RECOMPUTE },
    {"quota",      required_argument, NULL, OPT_QUOTA     },
    {"save",       required_argument, NULL, OPT_SAVE      },
    {"gear",       required_argument, NULL, OPT_GEAR      },
    {"set",        required_argument, NULL, OPT_SET       },
    {"quiet",      no_argument,       NULL, OPT_QUIET     },
    {"foreground", no_argument,       NULL, OPT_FOREGROUND},
    {"demo",       no_argument,       NULL, OPT_DEMO      },
    {"help",       no_argument,       NULL, OPT_HELP      },
    {"version",    no_argument,       NULL, OPT_VERSION   },
    {NULL,         0,                 NULL, 0             },
};

/* A flag that is a setting; -1 when text is not a whole number in [lo, hi]. */
static int give(struct options *o, enum config_key k, const char *text, uint32_t lo, uint32_t hi)
{
    uint32_t v = 0;
    return optread_whole32(text, lo, hi, &v) ? config_take(&o->given, k, text, CONFIG_FLAG, NULL)
                                             : -1;
}

/* One word for both: whether somebody is here or not. */
static int give_gear(struct options *o, const char *word, enum config_source source, struct err *e)
{
    int rc = config_take(&o->given, CONFIG_GEAR_IN_USE, word, source, e);
    return rc == OK ? config_take(&o->given, CONFIG_GEAR_IDLE, word, source, e) : rc;
}

/* "key=value" */
static int give_any(struct options *o, const char *text, struct err *e)
{
    char name[64] = "";
    enum config_key k;
    const char *eq = strchr(text, '=');
    if (!eq || (size_t)(eq - text) >= sizeof name) {
        err_set(e, ERR_ARG, 0, "--set wants KEY=VALUE, not '%.60s'", text);
        err_hint(e, "for example --set on_battery=run");
        return ERR_ARG;
    }
    memcpy(name, text, (size_t)(eq - text));
    int rc = config_require(name, &k, e);
    return rc == OK ? config_take(&o->given, k, eq + 1, CONFIG_FLAG, e) : rc;
}

static const char *environment(const char *name, void *ctx)
{
    (void)ctx;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): before any thread */
}

/* What is said before any flag. */
static int give_environment(struct options *o, struct err *e)
{
    const char *gear = environment("POTLUCK_GEAR", NULL);
    config_init(&o->given);
    int rc = gear && *gear ? give_gear(o, gear, CONFIG_ENVIRONMENT, e) : OK;
    if (rc != OK) {
        (void)err_wrap(e, "reading the environment's POTLUCK_GEAR");
        return rc;
    }
    return config_environment(&o->given, environment, NULL, e);
}

/* -1 when the word is none. */
static int precision_of(const char *word)
{
    static const char *const words[] = {
        [TRAINER_FP32] = "fp32", [TRAINER_BF16] = "bf16", [TRAINER_AUTO] = "auto"};
    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++)
        if (strcmp(word, words[i]) == 0) return i;
    return -1;
}

/* 0 go on, 1 done (help, version), 2 usage. */
static int read_options(int argc, char **argv, struct options *o)
{
    struct err e = {0};
    int threads = OK, quota = OK, save = OK;
    int precision = TRAINER_AUTO, moments = 0, feedback = 0;
    if (give_environment(o, &e) != OK) return optread_told(NAME, &e);
    opterr = 0;
    int c;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread */
    while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
        switch (c) {
        case OPT_HOME: o->home = optarg; break;
        case OPT_JOIN: o->join = optarg; break;
        case OPT_NAME: o->name = optarg; break;
        case OPT_THREADS: threads = give(o, CONFIG_CORES, optarg, 1, 64); break;
        case OPT_PRECISION: precision = precision_of(optarg); break;
        case OPT_MOMENTS:
            moments = packed_of_word(optarg, &o->moments);
            o->chosen.moments = true;
            break;
        case OPT_FEEDBACK:
            feedback = packed_of_word(optarg, &o->feedback);
            o->chosen.feedback = true;
            break;
        case OPT_RECOMPUTE: o->recompute = true; break;
        case OPT_QUOTA: quota = give(o, CONFIG_DISK_QUOTA, optarg, 1, 1 << 20); break;
        case OPT_SAVE: save = give(o, CONFIG_SAVE, optarg, 1, 3600); break;
        case OPT_GEAR:
            if (give_gear(o, optarg, CONFIG_FLAG, &e) != OK) return optread_told(NAME, &e);
            break;
        case OPT_SET:
            if (give_any(o, optarg, &e) != OK) return optread_told(NAME, &e);
            break;
        case OPT_QUIET: o->is_quiet = true; break;
        case OPT_FOREGROUND: break;
        case OPT_DEMO: o->is_demo = true; break;
        case OPT_HELP: fputs(usage_text, stdout); return 1;
        case OPT_VERSION: puts("potluck-agent " POTLUCK_VERSION); return 1;
        default: (void)optread_fault(c, argv, longs, NAME, &e); return optread_told(NAME, &e);
        }
    }
    if (optind < argc) return optread_usage(NAME, "no arguments are expected");
    if (threads < 0) return optread_usage(NAME, "--threads wants a number from 1 to 64");
    if (precision < 0) return optread_usage(NAME, "--precision wants fp32, bf16 or auto");
    if (moments < 0) return optread_usage(NAME, "--moments wants fp32, bf16 or 8bit");
    if (feedback < 0 || o->feedback == PACKED_Q8)
        return optread_usage(NAME, "--feedback wants fp32 or bf16");
    if (quota < 0) return optread_usage(NAME, "--quota wants a number of MiB from 1");
    if (save < 0) return optread_usage(NAME, "--save wants a number of seconds from 1 to 3600");
    o->precision = (enum trainer_precision)precision;
    return 0;
}

static int accept_run(const struct home *h, const char *source, struct err *e)
{
    struct buf jws = {0};
    struct rundesc *run = calloc(1, sizeof *run);
    int rc = run ? invite_get(source, &jws, run, e)
                 : err_set(e, ERR_NOMEM, 0, "no memory for the run description");
    if (rc == OK) rc = invite_accept(h, &jws, run, e);
    buf_deinit(&jws);
    free(run);
    return rc;
}

int main(int argc, char **argv)
{
    engine_cmd_fn cmd = argc > 1 ? engine_cmd_find(argv[1]) : NULL;
    if (cmd) return cmd(argc - 1, argv + 1);
    struct options o = {0};
    int done = read_options(argc, argv, &o);
    if (done) return done == 1 ? 0 : done;
    struct err e = {0};
    struct home h = {.lock_fd = -1};
    int rc = home_open(&h, o.home, &e);
    if (rc == OK) rc = home_lock(&h, &e);
    if (rc == OK && o.name) rc = home_name_set(&h, o.name, &e);
    if (rc == OK && o.join) rc = accept_run(&h, o.join, &e);
    if (rc == OK) {
        log_set_stderr(!o.is_quiet);
        struct agent_config c = {.home = &h,
                                 .given = o.given,
                                 .precision = o.precision,
                                 .moments = o.moments,
                                 .feedback = o.feedback,
                                 .recompute = o.recompute,
                                 .chosen = o.chosen,
                                 .is_demo = o.is_demo};
        rc = agent_loop(&c, &e);
    }
    if (rc != OK) (void)optread_fail(NAME, &e);
    home_close(&h);
    return rc == OK ? 0 : 1;
}
