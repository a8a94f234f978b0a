#include "app/cmdline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/examples.h"
#include "app/exit_pages.h"
#include "app/optread.h"

/* Where an option may stand. */
enum {
    ON_ALL = 1,
    ON_SCREEN = 2,
    ON_JOIN = 4,
    ON_STATUS = 8,
    ON_ASK = 16,
    ON_RUNS = 32,
    ON_RECEIPTS = 64,
    ON_REWARDS = 128,
    ON_ANEW = 256,
    ON_PAYOUT = 512,
    ON_REPLAY = 1024,
    ON_PAUSE = 2048,
    ON_RESUME = 4096,
    ON_LOG = 8192
};

struct word {
    const char *name;
    enum cmdline_command command;
    int options;      /* beside ON_ALL */
    const char *args; /* "" or what follows */
    bool needs_arg;
    const char *help; /* one line of the first page */
    const char *more; /* NULL, or what the command's own page says beside it */
};

/* In the order of the first page; a group's title stands above its first word. */
/* clang-format off */
static const struct word words[] = {
    {"screen", CMDLINE_SCREEN, ON_SCREEN, "", false,
     "Open the screen. The same as no command at all.",
     "If a run is joined and no agent runs, one is started."},
    {"join", CMDLINE_JOIN, ON_JOIN | ON_ANEW, "FILE|LINK", true,
     "Take part in a run that somebody hosts.",
     "FILE is the run's run.potluck, LINK its potluck:// invite link."},
    {"runs", CMDLINE_RUNS, ON_STATUS | ON_RUNS, "FILE|URL|LINK", true,
     "Show a list of runs to join.",
     "The list is a file, an https address, or what a host keeps behind its link."},
    {"doctor", CMDLINE_ENGINE, 0, "[FILE|LINK]", false,
     "Can this computer take part, and is it worth it?", NULL},
    {"status", CMDLINE_STATUS, ON_STATUS | ON_ASK, "", false,
     "What the agent does and why; the exit code says it too.", NULL},
    {"pause", CMDLINE_PAUSE, ON_STATUS | ON_PAUSE, "", false,
     "Stop training at once, keep the seat.",
     "Lasts until `resume`, also over restarts."},
    {"resume", CMDLINE_RESUME, ON_STATUS | ON_RESUME, "", false, "Go on after a pause.", NULL},
    {"finish", CMDLINE_FINISH, ON_STATUS, "", false,
     "Complete this round's contribution, then pause.", NULL},
    {"leave", CMDLINE_LEAVE, ON_STATUS, "", false,
     "Give up the run; your key and receipts stay.", NULL},
    {"stop", CMDLINE_STOP, ON_STATUS, "", false,
     "End the agent; the next start goes on from there.",
     "What was trained is saved before."},
    {"agent", CMDLINE_AGENT, 0, "[options]", false,
     "Be the agent, in the foreground.", NULL},
    {"receipts", CMDLINE_RECEIPTS, ON_STATUS | ON_RECEIPTS, "", false,
     "Did my work count? What the host answered each time.", NULL},
    {"rewards", CMDLINE_REWARDS, ON_STATUS | ON_REWARDS, "", false,
     "What each contribution earned, and why.", NULL},
    {"payout", CMDLINE_PAYOUT, ON_STATUS | ON_PAYOUT, "set ADDRESS|show|clear", false,
     "Where your share is to go, if the host pays anything.",
     "Signed by your key and kept by the host. No value is promised."},
    {"verify", CMDLINE_ENGINE, 0, "[ROUND|all]", false,
     "Did the host tell the truth? Its rounds, done again.", NULL},
    {"config", CMDLINE_CONFIG, ON_STATUS, "list|get KEY|set KEY VALUE", true,
     "What it may take of this computer.",
     "Every setting, its value and where that comes from: default, file, environment, flag."},
    {"key", CMDLINE_KEY, ON_STATUS, "show|backup|restore", false,
     "Who you are; your key as words on paper, and back.", NULL},
    {"log", CMDLINE_LOG, ON_LOG, "", false, "What the agent did, in its own words.", NULL},
    {"explain", CMDLINE_EXPLAIN, 0, "TIME", true,
     "What happened at that time?",
     "What the agent did then and just before; TIME is 03:12, of the last 24 hours, or a day too."},
    {"replay", CMDLINE_REPLAY, ON_REPLAY, "FILE", true,
     "Show a recording as it went, faster.",
     "FILE is what `potluck screen --record` wrote; keys < > , . and p move in it."},
    {"train", CMDLINE_ENGINE, 0, "[options]", false,
     "Train a model alone, on your own text.", NULL},
    {"sample", CMDLINE_ENGINE, 0, "[TEXT] [options]", false, "Let the model write.", NULL},
    {"eval", CMDLINE_ENGINE, 0, "PATH [options]", false,
     "How good is it, on text or questions of yours?", NULL},
    {"export", CMDLINE_ENGINE, 0, "DIR", false,
     "Take it home: files for transformers or llama.cpp.", NULL},
    {"bench", CMDLINE_ENGINE, 0, "[options]", false,
     "Measure what this computer can do.", NULL},
    {"help", CMDLINE_HELP, 0, "[COMMAND|CODE]", false,
     "This page, or more of a command or an exit code.", NULL},
};

static const struct {
    const char *first, *title;
} groups[] = {
    {"screen",   "Take part"},
    {"receipts", "What it earned"},
    {"config",   "This computer"},
    {"train",    "The model, with or without a run"},
    {"help",     "Help"},
};

enum opt { OPT_HOME, OPT_JSON, OPT_NAME, OPT_CODE, OPT_THREADS, OPT_NO_AGENT, OPT_PLAIN, OPT_NO_COLOR,
           OPT_GRAPHS, OPT_SCREEN, OPT_RECORD, OPT_DUMP, OPT_RECORDING, OPT_TIME, OPT_SENT, OPT_KEY,
           OPT_VERIFY, OPT_CSV, OPT_FORECAST, OPT_ANEW, OPT_KIND, OPT_LOOK, OPT_SPEED, OPT_THEME, OPT_SVG, OPT_VIEW,
           OPT_FOR, OPT_RELEASE, OPT_ANYWAY, OPT_SINCE, OPT_FOLLOW };

struct option_word {
    const char *name;
    enum opt opt;
    int where;
    const char *arg; /* NULL: takes none */
    const char *help;
};

static const struct option_word options[] = {
    {"--home", OPT_HOME, ON_ALL, "DIR", "keep everything in DIR (or POTLUCK_HOME)"},
    {"--json", OPT_JSON, ON_STATUS | ON_JOIN, NULL, "answer with one JSON object"},
    {"--what-is-sent", OPT_SENT, ON_ASK, NULL, "every kind of request this machine makes, and why"},
    {"--key", OPT_KEY, ON_RUNS, "KEY", "who must have signed the list; 64 hex digits"},
    {"--name", OPT_NAME, ON_JOIN, "NAME", "how others see you; at most 32 bytes"},
    {"--look", OPT_LOOK, ON_ANEW, NULL, "only show what the run is; join nothing"},
    {"--code", OPT_CODE, ON_JOIN, "CODE", "invite code of a private run, when the link has none"},
    {"--anew", OPT_ANEW, ON_ANEW, NULL, "trust a host again whose record was refused"},
    {"--threads", OPT_THREADS, ON_JOIN | ON_SCREEN, "N", "threads of an agent that is started"},
    {"--no-agent", OPT_NO_AGENT, ON_JOIN | ON_SCREEN, NULL, "do not start an agent"},
    {"--for", OPT_FOR, ON_PAUSE, "TIME", "30m, 2h, 1d or until when (08:00); then it goes on"},
    {"--release", OPT_RELEASE, ON_PAUSE, NULL, "give the memory back too; it comes again by itself"},
    {"--anyway", OPT_ANYWAY, ON_RESUME, NULL, "go on in spite of what holds it now, for an hour"},
    {"--since", OPT_SINCE, ON_LOG, "TIME", "how far back: 30m, 2h, 7d (default: a day)"},
    {"--follow", OPT_FOLLOW, ON_LOG, NULL, "go on with what comes; Ctrl-C ends"},
    {"--verify", OPT_VERIFY, ON_RECEIPTS, NULL, "hold each against the run's public record"},
    {"--csv", OPT_CSV, ON_REWARDS, NULL, "answer with a table for other programs"},
    {"--forecast", OPT_FORECAST, ON_REWARDS, NULL, "what is to come: today, 24 hours, a week; and how forecasts did"},
    {"--kind", OPT_KIND, ON_PAYOUT, "KIND", "of the address: ss58 (checked; the default) or text"},
    {"--plain", OPT_PLAIN, ON_SCREEN, NULL, "lines instead of a screen"},
    {"--no-color", OPT_NO_COLOR, ON_SCREEN | ON_REPLAY, NULL, "no colours (or NO_COLOR)"},
    {"--graphs", OPT_GRAPHS, ON_SCREEN | ON_REPLAY, "KIND", "braille, blocks or ascii"},
    {"--theme", OPT_THEME, ON_SCREEN | ON_REPLAY, "NAME",
     "default, light, high contrast, colour-blind safe, mono"},
    {"--screen", OPT_SCREEN, ON_SCREEN | ON_REPLAY, "NAME", "overview, run, peers, credits, log, settings, help"},
    {"--speed", OPT_SPEED, ON_REPLAY, "N", "how many times faster than it was (60)"},
    {"--record", OPT_RECORD, ON_SCREEN, "FILE", "append every view that is received to FILE"},
    {"--dump", OPT_DUMP, ON_SCREEN, "WxH", "print one frame of a recording and end"},
    {"--recording", OPT_RECORDING, ON_SCREEN, "FILE", "the recording to dump"},
    {"--view", OPT_VIEW, ON_SCREEN, "N", "another view of the recording than the last, from 1"},
    {"--svg", OPT_SVG, ON_SCREEN, NULL, "the frame as a picture"},
    {"--frozen-time", OPT_TIME, ON_SCREEN, "MS", "draw as if it were this time (ms since 1970)"},
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct word *find_word(const char *name)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(words[i].name, name) == 0) return &words[i];
    return NULL;
}

bool cmdline_is_engine(const char *word)
{
    const struct word *w = find_word(word);
    return w && w->command == CMDLINE_ENGINE;
}

static int usage(struct err *e, const char *fmt, const char *what)
{
    /* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral) */
    err_set(e, ERR_ARG, 0, "%s '%.80s'", fmt, what);
    err_hint(e, "see `potluck help`");
    return ERR_ARG;
}

/* As usage, with what was probably meant. names ends with NULL. */
static int unknown(struct err *e, const char *fmt, const char *what, const char *const *names)
{
    const char *near = optread_nearest(what, names);
    (void)usage(e, fmt, what);
    if (near) err_hint(e, "did you mean `%s`? See `potluck help`", near);
    return ERR_ARG;
}

static int no_option(const char *arg, size_t len, int where, struct err *e)
{
    const char *names[COUNT(options) + 1] = {NULL};
    char name[40];
    size_t n = 0;
    for (size_t k = 0; k < COUNT(options); k++)
        if (options[k].where & where) names[n++] = options[k].name;
    snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), arg);
    return unknown(e, "there is no option", name, names);
}

static int no_command(const char *arg, struct err *e)
{
    const char *names[COUNT(words) + 1] = {NULL};
    for (size_t i = 0; i < COUNT(words); i++)
        names[i] = words[i].name;
    return unknown(e, "there is no command", arg, names);
}

static int set_time(struct cmdline *c, const char *value, struct err *e)
{
    char *end = NULL;
    long long ms = strtoll(value, &end, 10);
    if (!*value || *end || ms < 0) return usage(e, "--frozen-time wants milliseconds, not", value);
    c->screen.frozen_time_ms = ms;
    return OK;
}

static int set_number(const char *name, const char *value, long lo, long hi, long *ret,
                      struct err *e)
{
    char *end = NULL;
    long n = strtol(value, &end, 10);
    if (!*value || *end || n < lo || n > hi) {
        err_set(e, ERR_ARG, 0, "%s wants a number from %ld to %ld, not '%.40s'", name, lo, hi,
                value);
        return ERR_ARG;
    }
    *ret = n;
    return OK;
}

static int set_option(struct cmdline *c, const struct option_word *o, const char *value,
                      struct err *e)
{
    switch (o->opt) {
    case OPT_HOME: c->home = value; break;
    case OPT_JSON: c->is_json = true; break;
    case OPT_NAME: c->name = value; break;
    case OPT_CODE: c->code = value; break;
    case OPT_THREADS: c->threads = value; break;
    case OPT_NO_AGENT: c->no_agent = true; break;
    case OPT_PLAIN: c->screen.is_plain = true; break;
    case OPT_NO_COLOR: c->screen.no_color = true; break;
    case OPT_GRAPHS: c->screen.graphs = value; break;
    case OPT_SCREEN: c->screen.screen = value; break;
    case OPT_RECORD: c->screen.record = value; break;
    case OPT_DUMP: c->screen.dump = value; break;
    case OPT_RECORDING: c->screen.recording = value; break;
    case OPT_KEY: c->key = value; break;
    case OPT_SENT: c->what_is_sent = true; break;
    case OPT_VERIFY: c->is_verify = true; break;
    case OPT_CSV: c->is_csv = true; break;
    case OPT_FORECAST: c->is_forecast = true; break;
    case OPT_ANEW: c->is_anew = true; break;
    case OPT_FOR: c->span = value; break;
    case OPT_SINCE: c->since = value; break;
    case OPT_FOLLOW: c->is_follow = true; break;
    case OPT_RELEASE: c->is_release = true; break;
    case OPT_ANYWAY: c->is_anyway = true; break;
    case OPT_LOOK: c->is_look = true; break;
    case OPT_THEME: c->screen.theme = value; break;
    case OPT_SVG: c->screen.is_svg = true; break;
    case OPT_VIEW: return set_number("--view", value, 1, 1000000000, &c->screen.view, e);
    case OPT_SPEED: return set_number("--speed", value, 1, 1000, &c->screen.speed, e);
    case OPT_KIND: c->kind = value; break;
    case OPT_TIME: return set_time(c, value, e);
    }
    return OK;
}

/* An option at argv[*i], "--x value" or "--x=value"; *i moves to its last argument. */
static int take_option(int argc, char **argv, int *i, const struct word *w, struct cmdline *c,
                       struct err *e)
{
    const char *arg = argv[*i];
    const char *eq = strchr(arg, '=');
    size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
    int where = ON_ALL | (w ? w->options : ON_SCREEN | ON_STATUS);
    for (size_t k = 0; k < COUNT(options); k++) {
        const struct option_word *o = &options[k];
        if (strncmp(o->name, arg, len) != 0 || o->name[len]) continue;
        if (!(o->where & where)) return usage(e, "this command has no option", arg);
        if (!o->arg)
            return eq ? usage(e, "no value belongs to", o->name) : set_option(c, o, NULL, e);
        if (eq) return set_option(c, o, eq + 1, e);
        if (*i + 1 >= argc) return usage(e, "a value is missing after", o->name);
        return set_option(c, o, argv[++*i], e);
    }
    return no_option(arg, len, where, e);
}

/* A command, or its argument. */
static int take_word(const char *arg, const struct word **w, struct cmdline *c, struct err *e)
{
    if (!*w) {
        *w = find_word(arg);
        if (!*w) return no_command(arg, e);
        c->command = (*w)->command;
        return OK;
    }
    if (c->command == CMDLINE_PAYOUT && c->source && !c->detail) {
        c->detail = arg;
        return OK;
    }
    bool has_more = c->command == CMDLINE_CONFIG && c->source;
    if (has_more && !c->detail && strcmp(c->source, "list") != 0) {
        c->detail = arg;
        return OK;
    }
    if (has_more && c->detail && !c->value && strcmp(c->source, "set") == 0) {
        c->value = arg;
        return OK;
    }
    if (!*(*w)->args || c->source) return usage(e, "one argument too many:", arg);
    c->source = arg;
    return OK;
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static const char *missing_of(enum cmdline_command c)
{
    if (c == CMDLINE_JOIN) return "say what to join: potluck join";
    if (c == CMDLINE_EXPLAIN) return "say when: potluck explain";
    if (c == CMDLINE_REPLAY) return "say which recording: potluck replay";
    return c == CMDLINE_CONFIG ? "say what: potluck config" : "say which list: potluck runs";
}

static int check_config(const struct cmdline *c, struct err *e)
{
    static const char *const words_of[] = {"list", "get", "set", NULL};
    if (!c->source) return err_set(e, ERR_ARG, 0, "say what: list, get or set");
    bool is_list = strcmp(c->source, "list") == 0;
    bool is_get = strcmp(c->source, "get") == 0;
    bool is_set = strcmp(c->source, "set") == 0;
    if (!is_list && !is_get && !is_set)
        return unknown(e, "config is followed by list, get or set, not", c->source, words_of);
    if (!is_list && !c->detail) return usage(e, "a setting's name is missing after", c->source);
    if (is_set && !c->value) return usage(e, "a value is missing after", c->detail);
    return OK;
}

int cmdline_parse(int argc, char **argv, struct cmdline *ret, struct err *e)
{
    struct cmdline c = {.command = CMDLINE_SCREEN};
    const struct word *w = NULL;
    int rc = OK;
    bool is_done = false;
    for (int i = 1; i < argc && rc == OK && !is_done; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--version") == 0 || is_help(arg)) {
            c.source = w ? w->name : NULL;
            c.command = is_help(arg) ? CMDLINE_HELP : CMDLINE_VERSION;
            is_done = true;
        } else if (arg[0] == '-' && arg[1]) {
            rc = take_option(argc, argv, &i, w, &c, e);
        } else {
            rc = take_word(arg, &w, &c, e);
            c.i_rest = i + 1;
            is_done = c.command == CMDLINE_AGENT || c.command == CMDLINE_ENGINE;
        }
    }
    if (rc != OK) return rc;
    if (w && c.command == w->command && w->needs_arg && !c.source)
        return usage(e, missing_of(w->command), w->args);
    if (c.command == CMDLINE_CONFIG) rc = check_config(&c, e);
    if (rc != OK) return rc;
    if (c.span && c.is_release) {
        err_set(e, ERR_ARG, 0, "--for and --release exclude each other");
        err_hint(e, "memory is given back by itself in a long pause; see release_after_min");
        return ERR_ARG;
    }
    *ret = c;
    return OK;
}

char *cmdline_home_words(const char *home, char *dst, size_t cap)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+,:@%";
    dst[0] = 0;
    if (!home || !*home || strchr(home, '\'')) return dst;
    const char *quote = home[strspn(home, plain)] ? "'" : "";
    int n = snprintf(dst, cap, " --home %s%s%s", quote, home, quote);
    if (n < 0 || (size_t)n >= cap) dst[0] = 0;
    return dst;
}

static void put_options(struct buf *out, int where)
{
    for (size_t i = 0; i < COUNT(options); i++) {
        if (!(options[i].where & where)) continue;
        char left[32];
        snprintf(left, sizeof left, "%s%s%s", options[i].name, options[i].arg ? " " : "",
                 options[i].arg ? options[i].arg : "");
        buf_printf(out, "  %-18s %s\n", left, options[i].help);
    }
}

/* A line of the first page; what follows a command is left out where it would not fit. */
static void put_word(struct buf *out, const struct word *w)
{
    bool is_long = strlen(w->name) + 1 + strlen(w->args) > 18;
    const char *args = is_long || strstr(w->args, "options]") ? "..." : w->args;
    char left[32];
    for (size_t i = 0; i < COUNT(groups); i++)
        if (strcmp(groups[i].first, w->name) == 0) buf_printf(out, "\n%s\n", groups[i].title);
    snprintf(left, sizeof left, "%s%s%s", w->name, *args ? " " : "", args);
    buf_printf(out, "  %-18s %s\n", left, w->help);
}

int cmdline_help(const char *command, struct buf *out, struct err *e)
{
    if (command && exit_pages_put(command, out)) return buf_ok(out, e);
    if (command) {
        const struct word *w = find_word(command);
        if (!w) {
            (void)no_command(command, e);
            if (e) e->code = ERR_NOTFOUND;
            return ERR_NOTFOUND;
        }
        bool has_options = strcmp(w->args, "[options]") == 0;
        buf_printf(out, "Usage: potluck %s%s%s%s\n%s%s%s\n\n", w->name, *w->args ? " " : "",
                   w->args, has_options ? "" : " [options]", w->help, w->more ? "\n" : "",
                   w->more ? w->more : "");
        put_options(out, ON_ALL | w->options);
        const char *lines = examples_of(w->name);
        if (lines) buf_printf(out, "\nExample%s:\n%s", strchr(lines, '\n')[1] ? "s" : "", lines);
        return buf_ok(out, e);
    }
    buf_put_str(out, "potluck - train a language model together with others\n\n"
                     "Usage: potluck [COMMAND] [options]\n"
                     "`potluck COMMAND --help` has options and examples of each.\n");
    for (size_t i = 0; i < COUNT(words); i++)
        put_word(out, &words[i]);
    buf_put_str(out, "\nOptions of several commands:\n");
    put_options(out, ON_ALL | ON_STATUS);
    buf_put_str(out, "  --version          the version\n");
    exit_pages_list(out);
    return buf_ok(out, e);
}
