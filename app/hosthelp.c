#include "app/hosthelp.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "aggregator/setup.h"

enum {
    INIT = 1,
    PREPARE = 2,
    SERVE = 4,
    STATUS = 8,
    DOORS = 16,
    INVITE = 32,
    ALLOW = 64,
    LIST = 128,
    END = 256,
    PAYOUTS = 512,
    PLAN = 1024,
    BACKUP = 2048,
    RESTORE = 4096,
    BAN = 8192,
    CHANGE = 16384,
    ROLLBACK = 32768,
    ALL = 65535 - PLAN /* which has no home */
};

struct command {
    const char *name;
    int bit;
    const char *args;
    const char *what;
    const char *more;
    const char *examples;
};

/* clang-format off */
static const struct command commands[] = {
    {"init", INIT, "--name NAME [choices]", "make keys and a certificate, write down your choices",
     "Each choice has a default, in brackets where it is something. init and prepare may come\n"
     "in either order; the second prints the link that contributors join with. After that only\n"
     "what `change` names can be changed. With --from init comes first. With --peers, how often to\n"
     "exchange and how much to send are chosen for so many and their links, as `plan` does.\n",
     "  potluck-aggregator init --home my-run --name 'My run' --public my.host.example:7333 \\\n"
     "      --listen 0.0.0.0:7333\n"
     "  potluck-aggregator init --home my-run --name 'My run' --peers 8 --up 20 --down 100\n"
     "  potluck-aggregator init --home my-run --name 'My run' --inner-steps 100 --ahead-steps 10 \\\n"
     "      --score-seconds 5\n"
     "  potluck-aggregator init --home soup --name Soup --from SmolLM-135M --seq 512\n"},
    {"prepare", PREPARE, "TEXT...", "turn text into tokens",
     "TEXT is a file or a folder; every file that is UTF-8 text is used, what is not used is named.\n"
     "A prepare that fails changes nothing.\n",
     "  potluck-aggregator prepare --home my-run ~/texts\n"
     "  potluck-aggregator prepare --home my-run --vocab 8192 ~/texts ~/more/letters.txt\n"},
    {"serve", SERVE, "", "run it, until Ctrl+C or SIGTERM",
     "",
     "  potluck-aggregator serve --home my-run\n"},
    {"status", STATUS, "", "say how it goes",
     "Asks the one that serves; when none does, tells what its books say.\n",
     "  potluck-aggregator status --home my-run --json\n"},
    {"doors", DOORS, "[public|private]", "say who may take part, or change it",
     "Counts at once, also while the run is served. A private run takes who has an invite code or\n"
     "is on the list of those allowed.\n",
     "  potluck-aggregator doors --home my-run private\n"},
    {"invite", INVITE, "[list | revoke ID|all]", "make an invite link for a private run",
     "Without a word: a new code, printed once as a link. Only its hash is kept.\n",
     "  potluck-aggregator invite --home my-run --uses 3 --days 7 --note 'for the club'\n"
     "  potluck-aggregator invite --home my-run revoke all\n"},
    {"allow", ALLOW, "add KEY | remove KEY | list", "let single keys into a private run",
     "KEY is what `potluck status` shows a contributor: 64 hex digits.\n",
     "  potluck-aggregator allow --home my-run list\n"},
    {"ban", BAN, "KEY", "shut a key out",
     "Also of a public run, whatever it brings; it notices within 20 s. The same as `allow remove KEY`;\n"
     "`allow add KEY` lets it in again. What it earned stays.\n",
     "  potluck-aggregator ban --home my-run 5d0c...\n"},
    {"list", LIST, "[add RUN.potluck... | remove NAME|ID]", "keep a signed list of runs",
     "What `potluck runs` shows to people who look for something to join. Without a word this\n"
     "home's own run is put in.\n",
     "  potluck-aggregator list --home my-run add friends.potluck\n"},
    {"change", CHANGE, "[NAME=VALUE...]", "change a run that is under way, from a round on",
     "NAME is one of init's: reward, lr, outer-lr, inner-steps, inner-seconds, max-inner-steps,\n"
     "upload-seconds, min-contributions, min-senders, rounds. It is signed and put on the public record;\n"
     "contributors take it up by themselves. Without a word: what was changed so far, and what holds.\n",
     "  potluck-aggregator change --home my-run\n"
     "  potluck-aggregator change --home my-run reward=50 upload-seconds=120 --reason 'slow lines'\n"
     "  potluck-aggregator change --home my-run --from 40 lr=5e-4\n"},
    {"rollback", ROLLBACK, "--to ROUND --reason TEXT", "take the model back to an earlier round",
     "When the open round closes, the model is again what it was when round ROUND began; rounds are\n"
     "numbered on. It is signed and put on the public record, and everybody reads the reason. Rewards\n"
     "stay: the work was done as asked.\n",
     "  potluck-aggregator rollback --home my-run --to 12 --reason 'the loss went up for good'\n"},
    {"end", END, "", "end the run for everybody",
     "While it is served, the open round becomes the last one, at its usual close. Otherwise it ends\n"
     "here and now: what was accepted of the open round is merged and paid. Cannot be taken back.\n",
     "  potluck-aggregator end --home my-run\n"},
    {"payouts", PAYOUTS, "", "say what is owed to whom for a period",
     "Writes a settlement file, made from the public record alone, and puts its hash on the record.\n"
     "The same period gives the same file again; no round is settled twice. Nothing is paid by this:\n"
     "no chain is spoken to, and no value is promised. Its lines have the addresses that contributors\n"
     "have set with `potluck payout`, which come on record with it. Without a period: all that is not settled yet.\n",
     "  potluck-aggregator payouts --home my-run --from 2026-11-01 --to 2026-11-30 --out november.json\n"
     "  potluck-aggregator payouts --home my-run --csv\n"},
    {"backup", BACKUP, "DIR", "copy the home into a folder, also while it is served",
     "The books as they are at one moment, then every file they name, held against its hash. Again into\n"
     "the same folder only what is new is copied. The copy has the run's keys: keep it as safe as them.\n",
     "  potluck-aggregator backup --home my-run /mnt/other-disk/my-run\n"},
    {"restore", RESTORE, "DIR", "make a home from a backup",
     "The home must not exist or be empty. Everything is checked while it is read.\n",
     "  potluck-aggregator restore --home my-run /mnt/other-disk/my-run\n"},
    {"plan", PLAN, "--peers N --up MBIT --down MBIT [choices]", "say what a run would ask of everybody",
     "How often to exchange and how much to send is chosen for these links, unless you choose;\n"
     "then bytes, seconds, cores, memory and disk follow. Nothing is read but --config, a\n"
     "model's config.json (Hugging Face); nothing is written.\n",
     "  potluck-aggregator plan --peers 8 --up 20 --down 100\n"
     "  potluck-aggregator plan --config Llama-8B/config.json --seq 2048 --batch 64 \\\n"
     "      --peers 40 --up 110 --down 500 --speed 8000 --cores 16 --json\n"},
};

static const struct {
    const char *name, *arg;
    int where;
    const char *help;
} options[] = {
    {"config", "FILE", PLAN, "the model's shape, instead of --hidden and so on"},
    {"peers", "N", INIT | PLAN, "contributors you expect; with init: choose the round for them"},
    {"up", "MBIT", INIT | PLAN, "what a contributor's link carries away, Mbit/s (20)"},
    {"down", "MBIT", INIT | PLAN, "and what it brings, Mbit/s (100)"},
    {"rtt", "MS", INIT | PLAN, "round trip between a contributor and you (80)"},
    {"speed", "TOK/S", INIT | PLAN, "a contributor's training (what two laptop cores do)"},
    {"decode", "MB/S", INIT | PLAN, "how fast an update is read and applied (4: one core)"},
    {"cores", "N", INIT | PLAN, "of your machine, for merging (1)"},
    {"vocab", "N", PREPARE | PLAN, "token ids to learn (4096)"},
    {"tokenizer", "FILE", PREPARE, "a model's tokenizer.json, instead of learning one"},
    {"val-frac", "F", PREPARE, "share of the documents to hold out (0.03)"},
    {"shard-tokens", "N", PREPARE, "tokens in one shard (16777216)"},
    {"wait-for", "N", SERVE, "begin the first round when so many contributors are here (1)"},
    {"per-address", "N", SERVE, "connections that one address may have (64)"},
    {"metrics", "local|any", SERVE, "who may read /metrics (local)"},
    {"port-file", "PATH", SERVE, "write the port there once it listens"},
    {"uses", "N", INVITE, "let so many in (1; 0: any number)"},
    {"days", "D", INVITE, "the code's life (30; 0: for ever)"},
    {"file", "PATH", LIST, "the list (HOME/runs.potluck, which serve hands out)"},
    {"yes", "", END | ROLLBACK, "do not ask"},
    {"from", "ROUND", CHANGE, "the first round that it holds for (the next one)"},
    {"to", "ROUND", ROLLBACK, "the round whose beginning to go back to"},
    {"reason", "TEXT", CHANGE | ROLLBACK, "why; everybody reads it"},
    {"from", "DAY|ROUND", PAYOUTS, "where the period begins (where the last one ended)"},
    {"to", "DAY|ROUND", PAYOUTS, "where it ends, that day or round included (the newest round)"},
    {"out", "FILE", PAYOUTS, "write it there (standard output)"},
    {"csv", "", PAYOUTS, "write its lines for a spreadsheet"},
    {"json", "", STATUS | DOORS | INVITE | ALLOW | BAN | BACKUP | RESTORE | PLAN, "answer with one JSON object"},
    {"home", "DIR", ALL, "keys, data and books of this run (or POTLUCK_HOME)"},
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct command *find(const char *name)
{
    for (size_t i = 0; name && i < COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

/* Every choice is init's; where to listen can be said anew, and an invite has a note too. */
static int where_choice(const char *name)
{
    static const char *const shape[] = {"hidden",       "layers", "heads",    "kv-heads",
                                        "intermediate", "seq",    "batch",    "inner-steps",
                                        "ahead-steps",  "k",      "retention"};
    if (strcmp(name, "note") == 0) return INIT | INVITE;
    for (size_t i = 0; i < COUNT(shape); i++)
        if (strcmp(name, shape[i]) == 0) return INIT | PLAN;
    return strcmp(name, "listen") == 0 ? INIT | SERVE | STATUS : INIT;
}

/* " (256)": what holds when nothing is chosen; nothing where that is 0 or no text. */
static void put_default(struct buf *out, const struct setup *s, const struct setup_option *o)
{
    const char *at = (const char *)s + o->offset;
    double real = 0;
    uint64_t count = 0;
    if (o->type == SETUP_REAL) memcpy(&real, at, sizeof real);
    if (o->type == SETUP_COUNT) memcpy(&count, at, sizeof count);
    if (o->type == SETUP_TEXT && *at) buf_printf(out, " (%s)", at);
    if (real > 0) buf_printf(out, " (%g)", real);
    if (count) buf_printf(out, " (%" PRIu64 ")", count);
}

static const char *const choice_args[] = {
    [SETUP_TEXT] = "TEXT", [SETUP_COUNT] = "N", [SETUP_REAL] = "X"};

static void put_choices(struct buf *out, int where)
{
    size_t n = 0;
    struct setup s;
    const struct setup_option *o = setup_options(&n);
    setup_defaults(&s);
    for (size_t i = 0; i < n; i++) {
        if (!(where_choice(o[i].name) & where)) continue;
        char left[40];
        snprintf(left, sizeof left, "%s %s", o[i].name, choice_args[o[i].type]);
        buf_printf(out, "  --%-19s %s", left, o[i].help);
        if (where & (INIT | PLAN)) put_default(out, &s, &o[i]);
        buf_put_str(out, "\n");
    }
}

static void put_options(struct buf *out, int where)
{
    for (size_t i = 0; i < COUNT(options); i++) {
        char left[32];
        if (!(options[i].where & where)) continue;
        snprintf(left, sizeof left, "%s %s", options[i].name, options[i].arg);
        buf_printf(out, "  --%-19s %s\n", left, options[i].help);
    }
}

static void put_page(struct buf *out, const struct command *c)
{
    buf_printf(out, "Usage: potluck-aggregator %s%s%s%s\n\n%s: %s.\n%s\n", c->name,
               c->bit & ALL ? " --home DIR" : "", *c->args ? " " : "", c->args, c->name, c->what,
               c->more);
    put_choices(out, c->bit);
    put_options(out, c->bit);
    buf_printf(out, "\nExample%s:\n%s", strchr(c->examples, '\n')[1] ? "s" : "", c->examples);
}

void hosthelp_write(const char *command, struct buf *out)
{
    const struct command *c = find(command);
    if (c) {
        put_page(out, c);
        return;
    }
    buf_put_str(out, "potluck-aggregator " POTLUCK_VERSION " - run a community's training\n\n");
    for (size_t i = 0; i < COUNT(commands); i++)
        buf_printf(out, "  potluck-aggregator %-8s %s\n", commands[i].name, commands[i].what);
    buf_put_str(
        out,
        "\n`potluck-aggregator COMMAND --help` has the options of each. In short:\n\n"
        "  potluck-aggregator init    --home my-run --name 'My run'\n"
        "  potluck-aggregator prepare --home my-run FOLDER_OF_TEXT\n"
        "  potluck-aggregator serve   --home my-run\n\n"
        "Every command but plan wants --home DIR (or POTLUCK_HOME). --version tells the version.\n"
        "Exit codes: 0 done; 1 error; 2 wrong usage; 3 damaged data; 4 not now.\n");
}

static int refuse(const char *option, int where, struct err *e)
{
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (!(commands[i].bit & where)) continue;
        err_set(e, ERR_ARG, 0, "--%s belongs to %s", option, commands[i].name);
        err_hint(e, "see: potluck-aggregator %s --help", commands[i].name);
        break;
    }
    return ERR_ARG;
}

int hosthelp_check(const char *command, const char *option, struct err *e)
{
    size_t n = 0;
    const struct setup_option *o = setup_options(&n);
    const struct command *c = find(command);
    if (!c) return OK;
    int where = 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(o[i].name, option) == 0) where |= where_choice(option);
    for (size_t i = 0; i < COUNT(options); i++)
        if (strcmp(options[i].name, option) == 0) where |= options[i].where;
    return !where || where & c->bit ? OK : refuse(option, where, e);
}
