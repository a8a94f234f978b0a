/* potluck: the one command of a contributor. It looks and asks; the agent (potluck-agent) trains.
 *
 *   app/cmdline   which command, which options       app/status   the agent's answer, as text
 *   app/attach    the screen                         app/talk      question and answer on the socket
 *   app/cmd_books receipts and rewards              app/cmd_payout payout addresses
 *   app/spawn     starting or becoming the agent     client/home  folders, key, joined run
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/attach.h"
#include "app/cmd_books.h"
#include "app/cmd_config.h"
#include "app/cmd_key.h"
#include "app/cmd_log.h"
#include "app/cmd_payout.h"
#include "app/cmdline.h"
#include "app/runs.h"
#include "app/spawn.h"
#include "app/status.h"
#include "app/talk.h"
#include "base/json.h"
#include "client/about.h"
#include "client/home.h"
#include "client/invite.h"
#include "client/lists.h"
#include "client/pass.h"
#include "client/sent.h"
#include "client/treehead.h"
#include "client/wish.h"

struct program {
    struct cmdline c;
    struct home home;
    char **argv;
    char home_words[PATH_CAP]; /* " --home a", to be said after commands; "" */
};

static int say_error(const struct program *p, const struct err *e, int code)
{
    char line[400];
    if (p->c.is_json) {
        json_t *o = json_object();
        struct buf b = {0};
        json_set_text(o, "state", code == CMDLINE_EXIT_NO_AGENT ? "NO AGENT" : "ERROR");
        json_set_text(o, "error", e->what);
        json_set_text(o, "reason", e->what);
        json_set_text(o, "hint", e->hint);
        if (json_write(o, &b, NULL) == OK) puts(buf_str(&b));
        json_decref(o);
        buf_deinit(&b);
        return code;
    }
    fprintf(stderr, "potluck: %s\n", err_line(e, line, sizeof line));
    return code;
}

static void print(struct buf *b)
{
    (void)buf_str(b);
    if (b->len) fwrite(b->p, 1, b->len, stdout);
    if (b->len && b->p[b->len - 1] != '\n') putchar('\n');
    buf_deinit(b);
}

static int run_help(struct program *p)
{
    struct buf b = {0};
    struct err e = {0};
    char help[] = "--help";
    char *args[] = {help, NULL};
    bool is_agent = p->c.source && strcmp(p->c.source, "agent") == 0;
    bool is_engine = p->c.source && cmdline_is_engine(p->c.source);
    if ((is_agent || is_engine) &&
        spawn_become(is_engine ? p->c.source : NULL, NULL, args, &e) == OK)
        return CMDLINE_EXIT_OK;
    if (cmdline_help(p->c.source, &b, &e) != OK) return say_error(p, &e, CMDLINE_EXIT_USAGE);
    print(&b);
    return CMDLINE_EXIT_OK;
}

/* What is asked of an agent that does not run: where it was looked for, and what starts it. */
static int no_agent(const struct program *p, struct err *e)
{
    if (access(p->home.paths.data, F_OK) != 0) {
        err_set(e, ERR_NOTFOUND, 0, "there is nothing in '%s'", p->home.paths.data);
        err_hint(e, "check --home, or begin with `potluck join FILE|LINK%s`", p->home_words);
    } else {
        err_hint(e, "start one with `potluck%s`", p->home_words);
    }
    return say_error(p, e, CMDLINE_EXIT_NO_AGENT);
}

static int run_status(struct program *p)
{
    struct err e = {0};
    struct view *v = calloc(1, sizeof *v);
    struct buf b = {0};
    int rc =
        v ? talk_view(p->home.paths.socket, v, &e) : err_set(&e, ERR_NOMEM, 0, "out of memory");
    if (rc == OK && p->c.is_json) rc = status_json(v, &b, &e);
    if (rc == OK && !p->c.is_json) status_text(v, &b);
    int code = rc == OK             ? status_exit(v)
               : rc == ERR_NOTFOUND ? no_agent(p, &e)
                                    : say_error(p, &e, CMDLINE_EXIT_ERROR);
    print(&b);
    free(v);
    return code;
}

/* No agent is needed for that: it follows from the program alone. */
static int run_what_is_sent(struct program *p)
{
    struct err e = {0};
    struct buf b = {0};
    int rc = OK;
    if (p->c.is_json)
        rc = sent_json(&b, &e);
    else
        sent_text(&b);
    if (rc == OK) rc = buf_ok(&b, &e);
    if (rc == OK) print(&b);
    buf_deinit(&b);
    return rc == OK ? CMDLINE_EXIT_OK : say_error(p, &e, CMDLINE_EXIT_ERROR);
}

static int done(const struct program *p, const char *what)
{
    if (p->c.is_json)
        puts("{\"ok\":true}");
    else
        puts(what);
    return CMDLINE_EXIT_OK;
}

/* No agent is needed to give up a run. */
static int leave_alone(const struct program *p, struct err *e)
{
    struct hash run;
    int rc = home_current(&p->home, &run, e);
    if (rc == ERR_NOTFOUND) {
        err_set(e, ERR_NOTFOUND, 0, "no run is joined here, so there is none to leave");
        err_hint(e, "join one with `potluck join FILE|LINK%s`", p->home_words);
        return rc;
    }
    return home_forget_current(&p->home, e); /* also one that cannot be read */
}

/* Nothing is promised that will not happen: a paused round is not completed. */
static int may_finish(const struct program *p, struct err *e)
{
    struct view *v = calloc(1, sizeof *v);
    int rc = v ? talk_view(p->home.paths.socket, v, e) : err_set(e, ERR_NOMEM, 0, "out of memory");
    if (rc == OK && v->is_paused) {
        rc = err_set(e, ERR_WRONG_STATE, 0, "paused: resume first");
        err_hint(e, "`potluck resume%s`", p->home_words);
    } else if (rc == OK && v->state == VIEW_DONE) {
        rc = err_set(e, ERR_WRONG_STATE, 0, "the run has ended: there is no round to complete");
    }
    free(v);
    return rc;
}

static int run_intent_text(struct program *p, enum intent_kind kind, const char *text,
                           const char *what)
{
    struct err e = {0};
    struct intent it = {.kind = kind};
    snprintf(it.text, sizeof it.text, "%s", text);
    int rc = kind == INTENT_FINISH ? may_finish(p, &e) : OK;
    if (rc == OK) rc = talk_intent(p->home.paths.socket, &it, &e);
    bool is_there = access(p->home.paths.data, F_OK) == 0;
    if (rc == ERR_NOTFOUND && kind == INTENT_LEAVE && is_there) {
        rc = leave_alone(p, &e);
        if (rc != OK) return say_error(p, &e, CMDLINE_EXIT_ERROR);
    }
    if (rc == OK && kind == INTENT_STOP) rc = spawn_await_end(&p->home, &e);
    if (rc == ERR_NOTFOUND) return no_agent(p, &e);
    return rc == OK ? done(p, what) : say_error(p, &e, CMDLINE_EXIT_ERROR);
}

static int run_intent(struct program *p, enum intent_kind kind, const char *what)
{
    return run_intent_text(p, kind, "", what);
}

static int run_pause(struct program *p)
{
    char what[120];
    if (p->c.is_release)
        return run_intent(
            p, INTENT_RELEASE,
            "Paused; the memory is given back, and comes again with `potluck resume`.");
    if (!p->c.span) return run_intent(p, INTENT_PAUSE, "Paused.");
    struct err e = {0};
    int64_t ms = 0;
    if (wish_span(p->c.span, 0, &ms, &e) != OK) return say_error(p, &e, CMDLINE_EXIT_USAGE);
    bool is_until = strchr(p->c.span, ':') != NULL;
    snprintf(what, sizeof what, "Paused %s %.40s; then it goes on by itself.",
             is_until ? "until" : "for", p->c.span);
    return run_intent_text(p, INTENT_SNOOZE, p->c.span, what);
}

static int run_key(struct program *p)
{
    struct err e = {0};
    int code = CMDLINE_EXIT_ERROR;
    return cmd_key(&p->home, &p->c, &code, &e) == OK ? code : say_error(p, &e, code);
}

static int run_log(struct program *p)
{
    struct err e = {0};
    int code = CMDLINE_EXIT_ERROR;
    int rc = p->c.command == CMDLINE_LOG ? cmd_log(&p->home, &p->c, &code, &e)
                                         : cmd_explain(&p->home, &p->c, &code, &e);
    return rc == OK ? code : say_error(p, &e, code);
}

static int run_config(struct program *p)
{
    struct err e = {0};
    int code = CMDLINE_EXIT_ERROR;
    return cmd_config(&p->home, &p->c, &code, &e) == OK ? code : say_error(p, &e, code);
}

static int start_agent(struct program *p, struct err *e)
{
    if (p->c.no_agent || talk_is_there(p->home.paths.socket)) return OK;
    int rc = home_open(&p->home, p->c.home, e);
    if (rc != OK) return rc;
    return spawn_agent(&p->home, p->c.home, p->c.threads, p->c.name, e);
}

static int run_runs(struct program *p)
{
    struct err e = {0};
    struct buf b = {0};
    struct key_pub key;
    struct lists_news news = {0};
    struct runlist *l = calloc(1, sizeof *l);
    int rc = l ? OK : err_set(&e, ERR_NOMEM, 0, "out of memory");
    if (rc == OK && p->c.key && key_from_hex(p->c.key, &key) != 0)
        rc = err_set(&e, ERR_ARG, 0, "--key '%.70s' is not a key of 64 hex digits", p->c.key);
    if (rc == OK) rc = home_open(&p->home, p->c.home, &e);
    if (rc == OK) rc = lists_get(&p->home, p->c.source, p->c.key ? &key : NULL, l, &news, &e);
    if (rc == OK && p->c.is_json) rc = runs_json(l, &news, &b, &e);
    if (rc == OK && !p->c.is_json) runs_text(l, &news, p->home_words, &b);
    if (rc == OK) rc = buf_ok(&b, &e);
    if (rc == OK) print(&b);
    buf_deinit(&b);
    free(l);
    if (rc == OK) return CMDLINE_EXIT_OK;
    return say_error(p, &e, rc == ERR_ARG ? CMDLINE_EXIT_USAGE : CMDLINE_EXIT_ERROR);
}

/* Of --code, or of the link. */
static int keep_code(struct program *p, const struct rundesc *run, struct err *e)
{
    char code[RUNDESC_CODE_CAP], dir[PATH_CAP];
    invite_code(p->c.source, code);
    if (p->c.code && !rundesc_is_code(p->c.code)) {
        err_set(e, ERR_ARG, 0, "'%.40s' is not an invite code", p->c.code);
        err_hint(e, "it has 32 of the characters 0-9 and a-f; copy it whole");
        return ERR_ARG;
    }
    if (p->c.code) snprintf(code, sizeof code, "%s", p->c.code);
    if (!code[0]) return OK;
    int rc = home_run_path(&p->home, &run->id, "", dir, e);
    return rc == OK ? pass_keep_invite(dir, code, e) : rc;
}

/* --anew: what was remembered of the host's record no longer counts. An agent that takes part has it
 * in memory, so it has to leave first.
 */
static int trust_anew(const struct program *p, const struct rundesc *run, struct err *e)
{
    struct hash now;
    char dir[PATH_CAP];
    if (!p->c.is_anew) return OK;
    if (talk_is_there(p->home.paths.socket) && home_current(&p->home, &now, NULL) == OK) {
        err_set(e, ERR_WRONG_STATE, 0, "--anew is for a run that is not being taken part in");
        err_hint(e, "`potluck leave%.80s` first", p->home_words);
        return ERR_WRONG_STATE;
    }
    int rc = home_run_path(&p->home, &run->id, "", dir, e);
    return rc == OK ? treehead_forget(dir, e) : rc;
}

/* --look: what a run is, and nothing else happens. */
static int show_card(const struct program *p, const struct rundesc *run, struct err *e)
{
    struct view_card card[VIEW_CARD] = {0};
    struct buf b = {0};
    struct msg_round now;
    struct err why = {0};
    uint32_t n = about_fill(run, card);
    int asked = invite_look(p->c.source, &now, &why);
    if (asked != ERR_ARG) n = about_state(asked == OK ? &now : NULL, &why, card, n);
    int rc = OK;
    if (p->c.is_json)
        rc = view_card_encode(card, n, &b, e);
    else
        for (uint32_t i = 0; i < n; i++)
            buf_printf(&b, "%-8s %s\n", card[i].title, card[i].text);
    if (rc == OK) rc = buf_ok(&b, e);
    if (rc == OK) print(&b);
    buf_deinit(&b);
    return rc;
}

static int run_look(struct program *p)
{
    struct err e = {0};
    struct buf jws = {0};
    struct rundesc *run = calloc(1, sizeof *run);
    int rc = run ? OK : err_set(&e, ERR_NOMEM, 0, "out of memory");
    if (rc == OK) rc = invite_get(p->c.source, &jws, run, &e);
    if (rc == OK) rc = show_card(p, run, &e);
    buf_deinit(&jws);
    free(run);
    return rc == OK ? CMDLINE_EXIT_OK : say_error(p, &e, CMDLINE_EXIT_ERROR);
}

static int run_join(struct program *p)
{
    struct err e = {0};
    struct buf jws = {0};
    struct intent it = {.kind = INTENT_JOIN};
    char what[PATH_CAP + 160];
    struct rundesc *run = calloc(1, sizeof *run);
    int rc = run ? OK : err_set(&e, ERR_NOMEM, 0, "out of memory");
    if (rc == OK) rc = invite_get(p->c.source, &jws, run, &e);
    if (rc == OK) rc = home_open(&p->home, p->c.home, &e); /* nothing is made for a bad link */
    if (rc == OK && p->c.name) rc = home_name_set(&p->home, p->c.name, &e);
    if (rc == OK) rc = trust_anew(p, run, &e);
    if (rc == OK) rc = invite_accept(&p->home, &jws, run, &e);
    if (rc == OK) rc = keep_code(p, run, &e);
    if (rc == OK && talk_is_there(p->home.paths.socket)) {
        hash_hex(&run->id, it.text);
        rc = talk_intent(p->home.paths.socket, &it, &e);
    } else if (rc == OK) {
        rc = start_agent(p, &e);
    }
    if (rc == OK)
        snprintf(what, sizeof what, "You take part in \"%s\". See it with: potluck%s", run->name,
                 p->home_words);
    buf_deinit(&jws);
    free(run);
    return rc == OK ? done(p, what) : say_error(p, &e, CMDLINE_EXIT_ERROR);
}

/* Runs that were joined here before: their folders stay when they are left. */
static int known_runs(struct wizard_known *ret, void *ctx)
{
    const struct home *h = ctx;
    char path[PATH_CAP];
    int n = 0;
    struct rundesc *run = calloc(1, sizeof *run);
    DIR *d = path_format(path, "%s/runs", h->paths.data) == 0 && run ? opendir(path) : NULL;
    const struct dirent *f;
    while (d && n < WIZARD_KNOWN &&
           (f = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
        struct hash id;
        if (hash_from_hex(f->d_name, &id) != 0 || home_load_run(h, &id, run, NULL) != OK) continue;
        snprintf(ret[n].name, sizeof ret[n].name, "%s", run->name);
        int len =
            snprintf(ret[n].source, sizeof ret[n].source, "%s/%s/run.potluck", path, f->d_name);
        n += len > 0 && (size_t)len < sizeof ret[n].source;
    }
    if (d) closedir(d);
    free(run);
    return n;
}

static int run_screen(struct program *p)
{
    struct err e = {0};
    struct hash run_id;
    bool is_dump = p->c.screen.dump != NULL;
    bool is_idle = !is_dump && !talk_is_there(p->home.paths.socket) &&
                   home_current(&p->home, &run_id, NULL) == ERR_NOTFOUND;
    int rc = is_dump || is_idle ? OK : start_agent(p, &e);
    p->c.screen.is_idle = is_idle;
    p->c.screen.home = p->c.home;
    p->c.screen.folder = p->home.paths.data;
    p->c.screen.known_runs = known_runs;
    p->c.screen.ctx = &p->home;
    p->c.screen.home_words = p->home_words;
    p->c.screen.socket = p->home.paths.socket;
    if (rc == OK) rc = attach_screen(&p->c.screen, &e);
    if (rc == OK) return CMDLINE_EXIT_OK;
    return say_error(p, &e, rc == ERR_ARG ? CMDLINE_EXIT_USAGE : CMDLINE_EXIT_ERROR);
}

static int run_replay(struct program *p)
{
    struct err e = {0};
    p->c.screen.replay = p->c.source;
    p->c.screen.socket = "";
    int rc = attach_screen(&p->c.screen, &e);
    if (rc == OK) return CMDLINE_EXIT_OK;
    return say_error(p, &e, rc == ERR_ARG ? CMDLINE_EXIT_USAGE : CMDLINE_EXIT_ERROR);
}

static int run_agent(struct program *p)
{
    struct err e = {0};
    if (spawn_become(NULL, p->c.home, p->argv + p->c.i_rest, &e) == OK) return CMDLINE_EXIT_OK;
    return say_error(p, &e, CMDLINE_EXIT_ERROR);
}

/* The agent's executable has the engine, so it also has the commands that compute. */
static int run_engine(struct program *p)
{
    struct err e = {0};
    if (spawn_become(p->argv[p->c.i_rest - 1], p->c.home, p->argv + p->c.i_rest, &e) == OK)
        return CMDLINE_EXIT_OK;
    return say_error(p, &e, CMDLINE_EXIT_ERROR);
}

static int run_books(struct program *p, bool is_receipts)
{
    struct err e = {0};
    int code = CMDLINE_EXIT_ERROR;
    int rc = is_receipts ? cmd_books_receipts(&p->home, &p->c, &code, &e)
                         : cmd_books_rewards(&p->home, &p->c, &code, &e);
    return rc == OK ? code : say_error(p, &e, code);
}

static int run_payout(struct program *p)
{
    struct err e = {0};
    int code = CMDLINE_EXIT_ERROR;
    int rc = cmd_payout(&p->home, &p->c, &code, &e);
    return rc == OK ? code : say_error(p, &e, code);
}

static int run(struct program *p)
{
    switch (p->c.command) {
    case CMDLINE_SCREEN: return run_screen(p);
    case CMDLINE_AGENT: return run_agent(p);
    case CMDLINE_ENGINE: return run_engine(p);
    case CMDLINE_REPLAY: return run_replay(p);
    case CMDLINE_JOIN: return p->c.is_look ? run_look(p) : run_join(p);
    case CMDLINE_LEAVE: return run_intent(p, INTENT_LEAVE, "The run is left; your key is kept.");
    case CMDLINE_PAUSE: return run_pause(p);
    case CMDLINE_RESUME:
        return run_intent(p, p->c.is_anyway ? INTENT_OVERRIDE : INTENT_RESUME, "Going on.");
    case CMDLINE_CONFIG: return run_config(p);
    case CMDLINE_KEY: return run_key(p);
    case CMDLINE_LOG:
    case CMDLINE_EXPLAIN: return run_log(p);
    case CMDLINE_FINISH:
        return run_intent(p, INTENT_FINISH, "This round will be completed, then pause.");
    case CMDLINE_STOP: return run_intent(p, INTENT_STOP, "The agent has saved and ended.");
    case CMDLINE_RUNS: return run_runs(p);
    case CMDLINE_STATUS: return p->c.what_is_sent ? run_what_is_sent(p) : run_status(p);
    case CMDLINE_RECEIPTS: return run_books(p, true);
    case CMDLINE_REWARDS: return run_books(p, false);
    case CMDLINE_PAYOUT: return run_payout(p);
    case CMDLINE_HELP: return run_help(p);
    case CMDLINE_VERSION: puts("potluck " POTLUCK_VERSION); return CMDLINE_EXIT_OK;
    }
    return CMDLINE_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct program p = {.argv = argv};
    struct err e = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    if (cmdline_parse(argc, argv, &p.c, &e) != OK) return say_error(&p, &e, CMDLINE_EXIT_USAGE);
    bool needs_home = p.c.command != CMDLINE_HELP && p.c.command != CMDLINE_VERSION &&
                      p.c.command != CMDLINE_AGENT && p.c.command != CMDLINE_ENGINE &&
                      p.c.command != CMDLINE_REPLAY &&
                      !(p.c.command == CMDLINE_SCREEN && p.c.screen.dump);
    p.home.lock_fd = -1;
    cmdline_home_words(p.c.home, p.home_words, sizeof p.home_words);
    /* Looking makes no folders, so that a slip in --home leaves nothing behind. */
    if (needs_home && path_look(&p.home.paths, p.c.home, &e) != OK)
        return say_error(&p, &e, CMDLINE_EXIT_ERROR);
    int code = run(&p);
    if (needs_home) home_close(&p.home);
    return code;
}
