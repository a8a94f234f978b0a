#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "app/attach_in.h"
#include "app/keep.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"

#define ARGS 12

static void add_home(const struct attach *a, char **argv, size_t *n)
{
    static char home[] = "--home";
    if (!a->o->home) return;
    argv[(*n)++] = home;
    argv[(*n)++] = (char *)(uintptr_t)a->o->home;
}

static void start_child(struct attach *a, char **argv, child_fn done)
{
    struct err e = {0};
    if (a->asking) child_drop(a->asking);
    a->asking = NULL;
    if (child_start(&a->loop, argv, done, a, &a->asking, &e) == OK) return;
    if (a->tui.wizard.step == WIZARD_ASKING || a->tui.wizard.step == WIZARD_STARTING)
        wizard_failed(&a->tui.wizard, e.what);
    else
        attach_note(a, e.what);
}

/* "error (hint)" of a command's --json answer. */
static void put_failure(const char *text, size_t n, char *dst, size_t cap)
{
    json_t *o = NULL;
    snprintf(dst, cap, "that did not work");
    if (json_parse(text, n, &o, NULL)) return;
    const char *error = json_string_value(json_object_get(o, "error"));
    const char *hint = json_string_value(json_object_get(o, "hint"));
    bool has_hint = hint && *hint;
    char all[512];
    if (error) {
        snprintf(all, sizeof all, "%s%s%s%s", error, has_hint ? " (" : "", has_hint ? hint : "",
                 has_hint ? ")" : "");
        utf8_printable(all, dst, cap);
    }
    json_decref(o);
}

/* "speed" is one of the doctor's findings. */
static const char *finding(const json_t *o, const char *what)
{
    const json_t *list = json_object_get(o, "findings");
    const json_t *row = NULL;
    size_t i = 0;
    json_each (i, row, list) {
        const char *name = json_string_value(json_object_get(row, "what"));
        if (name && strcmp(name, what) == 0) return json_string_value(json_object_get(row, "text"));
    }
    return NULL;
}

/* Its exit code says how bad it is; the sentence is wanted in any case. */
static void on_verdict(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    char verdict[200];
    char speed[64];
    json_t *o = NULL;
    a->asking = NULL;
    (void)status;
    if (json_parse(text, n, &o, NULL)) return;
    const char *said = json_string_value(json_object_get(o, "verdict"));
    const char *fast = finding(o, "speed");
    utf8_printable(said ? said : "it could not be judged; `potluck doctor` says why", verdict,
                   sizeof verdict);
    utf8_printable(fast ? fast : "", speed, sizeof speed);
    wizard_got_verdict(&a->tui.wizard, verdict, speed);
    json_decref(o);
    attach_draw_soon(a);
}

static void ask_doctor(struct attach *a)
{
    static char doctor[] = "doctor", json[] = "--json";
    char *argv[ARGS] = {NULL, doctor, json, (char *)(uintptr_t)wizard_source(&a->tui.wizard)};
    size_t n = 4;
    add_home(a, argv, &n);
    start_child(a, argv, on_verdict);
}

static void on_card(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    struct view_card card[VIEW_CARD];
    uint32_t n_card = 0;
    char why[320];
    a->asking = NULL;
    if (status == 0 && view_card_decode(text, n, card, &n_card, NULL) == OK) {
        wizard_got_card(&a->tui.wizard, card, n_card);
        ask_doctor(a);
    } else {
        put_failure(text, n, why, sizeof why);
        wizard_failed(&a->tui.wizard, why);
    }
    attach_draw_soon(a);
}

void attach_ask_card(struct attach *a)
{
    static char join[] = "join", look[] = "--look", json[] = "--json";
    char *argv[ARGS] = {NULL, join, (char *)(uintptr_t)wizard_source(&a->tui.wizard), look, json};
    size_t n = 5;
    add_home(a, argv, &n);
    start_child(a, argv, on_card);
}

static void on_joined(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    char why[320];
    a->asking = NULL;
    if (status == 0) {
        wizard_done(&a->tui);
        a->is_idle = false;
        attach_subscribe(a);
        attach_ask_settings(a);
    } else {
        put_failure(text, n, why, sizeof why);
        wizard_failed(&a->tui.wizard, why);
    }
    attach_draw_soon(a);
}

static void join_now(struct attach *a)
{
    static char join[] = "join", json[] = "--json", name[] = "--name";
    struct wizard *w = &a->tui.wizard;
    char *argv[ARGS] = {NULL, join, (char *)(uintptr_t)wizard_source(w), json};
    size_t n = 4;
    if (w->name[0]) {
        argv[n++] = name;
        argv[n++] = w->name;
    }
    add_home(a, argv, &n);
    start_child(a, argv, on_joined);
}

/* The gear is two settings, made before anything runs; gentle is what they are anyway. */
static void set_gear(struct attach *a, bool is_idle, child_fn done)
{
    static char config[] = "config", set[] = "set", json[] = "--json";
    static char in_use[] = "gear_in_use", idle[] = "gear_idle";
    static char gentle[] = "gentle", balanced[] = "balanced", full[] = "full";
    static char *const gears[2][3] = {
        {gentle,   balanced, full},
        {balanced, full,     full}
    };
    char *argv[ARGS] = {
        NULL, config, set, is_idle ? idle : in_use, gears[is_idle][a->tui.wizard.gear], json};
    size_t n = 6;
    add_home(a, argv, &n);
    start_child(a, argv, done);
}

static void fail_step(struct attach *a, const char *text, size_t n)
{
    char why[320];
    put_failure(text, n, why, sizeof why);
    wizard_failed(&a->tui.wizard, why);
    attach_draw_soon(a);
}

static void on_gear_idle(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    a->asking = NULL;
    if (status == 0)
        join_now(a);
    else
        fail_step(a, text, n);
}

static void on_gear_in_use(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    a->asking = NULL;
    if (status == 0)
        set_gear(a, true, on_gear_idle);
    else
        fail_step(a, text, n);
}

static void begin_join(struct attach *a)
{
    if (a->tui.wizard.gear == 0)
        join_now(a);
    else
        set_gear(a, false, on_gear_in_use);
}

static void on_left(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    a->asking = NULL;
    if (status == 0)
        begin_join(a);
    else
        fail_step(a, text, n);
}

/* One home takes part in one run: another one is left first. */
void attach_ask_join(struct attach *a)
{
    static char leave_word[] = "leave", json[] = "--json";
    char *argv[ARGS] = {NULL, leave_word, json};
    size_t n = 3;
    if (!a->view->run_name[0]) {
        begin_join(a);
        return;
    }
    add_home(a, argv, &n);
    start_child(a, argv, on_left);
}

static void said_written(struct attach *a, const struct err *e)
{
    char text[PATH_CAP + 32];
    if (e->code)
        err_line(e, text, sizeof text);
    else
        snprintf(text, sizeof text, "written to %s", a->export_path);
    attach_note(a, text);
}

static void on_rewards(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    struct err e = {0};
    a->asking = NULL;
    if (status != 0)
        err_set(&e, ERR_IO, 0, "the list could not be fetched; `potluck rewards --csv` says why");
    else if (file_replace(a->export_path, text, n, 0600, &e) != OK)
        err_wrap(&e, "exporting");
    said_written(a, &e);
}

void attach_ask_export(struct attach *a)
{
    static char rewards[] = "rewards", csv[] = "--csv";
    struct err e = {0};
    bool is_log = a->tui.screen == SCREEN_LOG;
    if (!a->o->folder || a->tui.is_replay) {
        attach_note(a, "there is no home folder to write to");
        return;
    }
    int rc = keep_path(a->o->folder, is_log ? "log" : "rewards", is_log ? "txt" : "csv",
                       attach_now_ms(a), a->export_path, &e);
    if (rc == OK && !is_log) {
        char *argv[ARGS] = {NULL, rewards, csv};
        size_t n = 3;
        add_home(a, argv, &n);
        attach_note(a, "fetching every line that was earned ...");
        start_child(a, argv, on_rewards);
        return;
    }
    if (rc == OK && keep_log(a->view, &a->tui, a->export_path, &e) != OK) check(e.code != OK);
    said_written(a, &e);
}

static void on_settings(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    a->asking = NULL;
    if (status == 0 && options_parse(text, n, &a->tui.options, NULL) == OK) attach_draw_soon(a);
}

void attach_ask_settings(struct attach *a)
{
    static char config[] = "config", list[] = "list", json[] = "--json";
    char *argv[ARGS] = {NULL, config, list, json};
    size_t n = 4;
    if (a->tui.is_replay || a->asking) return;
    add_home(a, argv, &n);
    start_child(a, argv, on_settings);
}

static void on_set(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    char why[320];
    a->asking = NULL;
    if (status != 0) {
        put_failure(text, n, why, sizeof why);
        attach_note(a, why);
    }
    attach_ask_settings(a);
}

void attach_ask_set(struct attach *a)
{
    static char config[] = "config", set[] = "set", json[] = "--json", standard[] = "default";
    struct tui *t = &a->tui;
    char *argv[ARGS] = {NULL, config, set, t->set_key, t->set_value[0] ? t->set_value : standard,
                        json};
    size_t n = 6;
    if (t->is_replay) return;
    add_home(a, argv, &n);
    start_child(a, argv, on_set);
}

/* The state line shows that it worked; a note says why not. */
static void on_told(int status, const char *text, size_t n, void *ctx)
{
    struct attach *a = ctx;
    char why[320];
    a->asking = NULL;
    if (status == 0) return;
    put_failure(text, n, why, sizeof why);
    attach_note(a, why);
}

void attach_ask_snooze(struct attach *a, const char *span)
{
    static char pause_word[] = "pause", how_long[] = "--for", json[] = "--json";
    char *argv[ARGS] = {NULL, pause_word, how_long, (char *)(uintptr_t)span, json};
    size_t n = 5;
    add_home(a, argv, &n);
    start_child(a, argv, on_told);
}

void attach_ask_anyway(struct attach *a)
{
    static char resume[] = "resume", anyway[] = "--anyway", json[] = "--json";
    char *argv[ARGS] = {NULL, resume, anyway, json};
    size_t n = 4;
    add_home(a, argv, &n);
    start_child(a, argv, on_told);
}
