/* Every screen at five sizes and on three glyph levels, and every state's line at each size, drawn from
 * recordings and compared with the text in tests/golden/frames: one file for a screen and a size. After
 * a wanted change: POTLUCK_GOLDEN_UPDATE=1 golden, then look at the difference with your own eyes
 * before you commit it.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "tests/check.h"
#include "tui/screen.h"
#include "view/view.h"

static const char *const levels[] = {"ascii", "blocks", "braille"};
static const struct {
    int w, h;
} sizes[] = {
    {40,  10},
    {60,  16},
    {80,  24},
    {120, 40},
    {200, 60}
};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

static struct view v;
static struct tui t;

static void load(const char *name)
{
    char path[256];
    struct buf text = {0};
    struct err e = {0};
    snprintf(path, sizeof path, "tests/golden/%s.ndjson", name);
    assert_int_equal(file_read(path, 1 << 24, &text, &e), OK);
    size_t end = text.len - 1; /* the last line, without its newline */
    size_t from = end;
    while (from && text.p[from - 1] != '\n')
        from--;
    assert_int_equal(view_decode(text.p + from, end - from, &v, &e), OK);
    buf_deinit(&text);
    t = (struct tui){.has_view = true, .look = {.graphs = -1}};
}

static void draw(int w, int h, enum glyphs glyphs, struct buf *out)
{
    struct canvas c;
    canvas_init(&c, w, h, glyphs == GLYPHS_ASCII);
    struct screen_frame f = {.c = &c, .v = &v, .t = &t, .glyphs = glyphs, .now_ms = v.at_ms};
    screen_draw(&f);
    for (int y = 0; y < h; y++) {
        canvas_row(&c, y, out);
        buf_put_u8(out, '\n');
    }
    canvas_deinit(&c);
}

/* A frame file: the frames of one size and level one after the other, each under its name. */
static void compare(const char *name, struct buf *frames)
{
    char path[256];
    struct buf want = {0};
    struct err e = {0};
    snprintf(path, sizeof path, "tests/golden/frames/%s.txt", name);
    if (getenv("POTLUCK_GOLDEN_UPDATE")) { /* NOLINT(concurrency-mt-unsafe): one thread */
        assert_int_equal(file_mkdirs("tests/golden/frames", &e), OK);
        assert_int_equal(file_replace(path, frames->p, frames->len, 0644, &e), OK);
    }
    if (file_read(path, 1 << 24, &want, &e) != OK) fail_msg("%s", e.what);
    assert_string_equal(buf_str(frames), buf_str(&want));
    buf_deinit(&want);
}

static void add(struct buf *out, const char *title, int w, int h, enum glyphs g)
{
    buf_printf(out, "=== %s %dx%d %s\n", title, w, h, levels[g]);
    draw(w, h, g, out);
}

/* ---- scenes --------------------------------------------------------------------------------- */

static void zoomed(void)
{
    t.is_open = true;
    t.scroll[SCREEN_OVERVIEW] = 1;
}

static void about(void)
{
    t.is_about = true;
    v.n_holds = 2;
    v.holds[0] = (struct view_hold){.name = "busy",
                                    .reason = "other programs use 71% of the processor",
                                    .end = "goes on 60 s after they rest",
                                    .can_override = true};
    v.holds[1] = (struct view_hold){.name = "hours",
                                    .reason = "outside of your hours",
                                    .end = "until 20:00",
                                    .is_overridden = true};
}

static void open_row(void)
{
    t.is_open = true;
    t.scroll[t.screen] =
        t.screen == SCREEN_CREDITS ? 9 : 3; /* the late one; a name with an umlaut */
}

static void sorted_and_found(void)
{
    t.sort = TUI_BY_SPEED;
    snprintf(t.find[SCREEN_PEERS], TUI_TEXT, "training");
}

static void warnings_only(void)
{
    t.level = 2;
}

static void agents_settings(void)
{
    struct buf text = {0};
    assert_int_equal(file_read("tests/golden/settings.json", 1 << 20, &text, NULL), OK);
    assert_int_equal(options_parse(buf_str(&text), text.len, &t.options, NULL), OK);
    buf_deinit(&text);
    t.scroll[SCREEN_SETTINGS] = 12;
    snprintf(v.gear, sizeof v.gear, "gentle");
    v.is_in_use = true;
}

static void wizard(void)
{
    t.wizard.n_cores = 8;
    t.wizard.n_known = 1;
    snprintf(t.wizard.knows[0].name, sizeof t.wizard.knows[0].name, "tiny-gpt-7");
    snprintf(t.wizard.link, sizeof t.wizard.link,
             "potluck://potluck.example.org:8443/#7f3c2a91d04be65f");
}

static void wizard_wrong(void)
{
    wizard();
    snprintf(t.wizard.error, sizeof t.wizard.error,
             "the aggregator did not answer in time (is the address right, and does it run?)");
}

static void wizard_at(enum wizard_step step)
{
    static struct view other;
    wizard();
    other = v;
    load("running");
    wizard();
    t.wizard.step = step;
    memcpy(t.wizard.card, v.card, sizeof v.card);
    t.wizard.n_card = v.n_card;
    wizard_got_verdict(&t.wizard,
                       "this machine finishes a round in about 6.0 s of 35 s: worth joining",
                       "1.66k tokens/s");
    v = other;
}

static void wizard_card(void)
{
    wizard_at(WIZARD_CARD);
}

static void wizard_dots(void)
{
    wizard_at(WIZARD_DOTS);
}

static void wizard_gear(void)
{
    wizard_at(WIZARD_GEAR);
}

static void wizard_summary(void)
{
    wizard_at(WIZARD_SUMMARY);
}

static const struct {
    const char *name, *recording;
    enum screen screen;
    void (*prepare)(void);
} scenes[] = {
    {"overview",       "running",  SCREEN_OVERVIEW, NULL            },
    {"fetching",       "fetching", SCREEN_OVERVIEW, NULL            },
    {"zoom",           "running",  SCREEN_OVERVIEW, zoomed          },
    {"run",            "running",  SCREEN_RUN,      NULL            },
    {"about",          "running",  SCREEN_RUN,      about           },
    {"peers",          "running",  SCREEN_PEERS,    NULL            },
    {"peers-found",    "running",  SCREEN_PEERS,    sorted_and_found},
    {"peers-row",      "running",  SCREEN_PEERS,    open_row        },
    {"credits",        "running",  SCREEN_CREDITS,  NULL            },
    {"credits-row",    "running",  SCREEN_CREDITS,  open_row        },
    {"log",            "running",  SCREEN_LOG,      NULL            },
    {"log-warnings",   "running",  SCREEN_LOG,      warnings_only   },
    {"settings",       "running",  SCREEN_SETTINGS, NULL            },
    {"settings-agent", "running",  SCREEN_SETTINGS, agents_settings },
    {"help",           "running",  SCREEN_HELP,     NULL            },
    {"wizard-link",    "norun",    SCREEN_OVERVIEW, wizard          },
    {"wizard-wrong",   "norun",    SCREEN_OVERVIEW, wizard_wrong    },
    {"wizard-card",    "norun",    SCREEN_OVERVIEW, wizard_card     },
    {"wizard-dots",    "norun",    SCREEN_OVERVIEW, wizard_dots     },
    {"wizard-gear",    "norun",    SCREEN_OVERVIEW, wizard_gear     },
    {"wizard-summary", "norun",    SCREEN_OVERVIEW, wizard_summary  },
};

static void every_screen_looks_as_agreed(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof scenes / sizeof scenes[0]; k++) {
        load(scenes[k].recording);
        t.screen = scenes[k].screen;
        if (scenes[k].prepare) scenes[k].prepare();
        for (size_t i = 0; i < N_SIZES; i++) {
            struct buf out = {0};
            char name[64];
            for (int g = 0; g < 3; g++)
                add(&out, scenes[k].name, sizes[i].w, sizes[i].h, (enum glyphs)g);
            snprintf(name, sizeof name, "%s-%dx%d", scenes[k].name, sizes[i].w, sizes[i].h);
            compare(name, &out);
            buf_deinit(&out);
        }
    }
}

/* ---- every state ---------------------------------------------------------------------------- */

/* What client/explain.c says; a state that stands in a recording comes from there. */
static const struct {
    const char *title, *recording;
    enum view_state state;
    const char *reason, *hint;
    int64_t ends_in_ms;
} states[] = {
    {"running",   "running",  VIEW_RUNNING,   NULL,                                                             NULL,              VIEW_NONE },
    {"paused",    "paused",   VIEW_PAUSED,    NULL,                                                             NULL,              VIEW_NONE },
    {"retrying",  "retrying", VIEW_RETRYING,  NULL,                                                             NULL,              VIEW_NONE },
    {"stopped",   "stopped",  VIEW_STOPPED,   NULL,                                                             NULL,              VIEW_NONE },
    {"no run",    "norun",    VIEW_IDLE,      NULL,                                                             NULL,              VIEW_NONE },
    {"fetching",  "fetching", VIEW_FETCHING,  NULL,                                                             NULL,              VIEW_NONE },
    {"demo",      "demo",     VIEW_FETCHING,  NULL,                                                             NULL,              VIEW_NONE },
    {"joining",   "running",  VIEW_JOINING,   "saying hello to potluck.example.org:8443",                       "p: pause",
     VIEW_NONE                                                                                                                               },
    {"sending",   "running",  VIEW_SENDING,   "round 128, sending what was learned",                            "p: pause",
     VIEW_NONE                                                                                                                               },
    {"waiting",   "running",  VIEW_WAITING,   "round 128 is done here; waiting for the round to close",
     "p: pause",                                                                                                                   38000     },
    {"finishing", "running",  VIEW_FINISHING, "round 128, then pause",                                          "f: keep going",   38000     },
    {"held",      "running",  VIEW_WAITING,
     "other programs use 71% of the processor; goes on 60 s after they rest (+1 more)",                         "o: go on anyway", VIEW_NONE },
    {"snoozed",   "running",  VIEW_SNOOZED,   "by you until 09:15",                                             "p: resume now",   30 * 60000},
    {"leaving",   "running",  VIEW_LEAVING,   "telling the host",                                               "",                VIEW_NONE },
    {"ending",    "running",  VIEW_ENDING,    "saving, then the agent ends",                                    "",                VIEW_NONE },
    {"done",      "running",  VIEW_DONE,      "run ended after 400 rounds; this machine holds the final model",
     "potluck leave",                                                                                                              VIEW_NONE },
    {"tomorrow",  "running",  VIEW_WAITING,   "the host has no round now",                                      "p: pause",
     9 * 3600000 + 120000                                                                                                                    },
};

/* The state's rows and the key bar: what lies between does not depend on the state. */
static void add_ends(struct buf *out, const char *title, int w, int h)
{
    struct buf frame = {0};
    draw(w, h, GLYPHS_ASCII, &frame);
    int n_rows = 0;
    char *text = (char *)frame.p;
    buf_put_u8(&frame, 0);
    text = (char *)frame.p;
    buf_printf(out, "=== %s %dx%d\n", title, w, h);
    for (char *line = text; *line; n_rows++) {
        char *end = strchr(line, '\n');
        *end = 0;
        if (n_rows < 3 || n_rows == h - 1) buf_printf(out, "%s\n", line);
        line = end + 1;
    }
    buf_deinit(&frame);
}

static void every_state_says_what_and_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++) {
        struct buf out = {0};
        char name[64];
        for (size_t k = 0; k < sizeof states / sizeof states[0]; k++) {
            load(states[k].recording);
            if (states[k].reason) {
                v.state = states[k].state;
                snprintf(v.reason, sizeof v.reason, "%s", states[k].reason);
                snprintf(v.override_hint, sizeof v.override_hint, "%s", states[k].hint);
                v.ends_at_ms =
                    states[k].ends_in_ms == VIEW_NONE ? VIEW_NONE : v.at_ms + states[k].ends_in_ms;
                v.is_finishing = v.state == VIEW_FINISHING;
                bool is_snoozed = strcmp(states[k].title, "snoozed") == 0;
                v.is_paused = is_snoozed;
                if (is_snoozed) v.snooze_until_ms = v.ends_at_ms;
            }
            assert_int_equal(v.state, states[k].state);
            add_ends(&out, states[k].title, sizes[i].w, sizes[i].h);
        }
        snprintf(name, sizeof name, "states-%dx%d", sizes[i].w, sizes[i].h);
        compare(name, &out);
        buf_deinit(&out);
    }
}

static void what_the_screen_itself_has_to_say_is_seen(void **state)
{
    (void)state;
    struct buf out = {0};
    load("running");
    t.is_lost = true;
    t.lost_since_ms = v.at_ms - 12000;
    add(&out, "no-contact", 80, 24, GLYPHS_BRAILLE);
    add(&out, "no-contact", 40, 10, GLYPHS_ASCII);
    add(&out, "no-contact", 30, 5, GLYPHS_ASCII);
    t.is_gone = true;
    t.home_words = " --home a";
    add(&out, "agent-ended", 80, 24, GLYPHS_BRAILLE);
    add(&out, "agent-ended", 40, 10, GLYPHS_ASCII);
    add(&out, "agent-ended", 30, 5, GLYPHS_ASCII);
    t = (struct tui){.lost_since_ms = v.at_ms - 3000};
    view_init(&v);
    v.at_ms = 1700037927000;
    t.lost_since_ms = v.at_ms - 3000;
    add(&out, "no-agent-yet", 80, 24, GLYPHS_BRAILLE);
    load("paused");
    t.is_frozen = true;
    add(&out, "frozen-paused", 80, 24, GLYPHS_ASCII);
    load("running");
    v.state = VIEW_DONE;
    v.ends_at_ms = VIEW_NONE;
    snprintf(v.reason, sizeof v.reason,
             "run ended after 2 rounds; this machine holds the final model");
    snprintf(v.override_hint, sizeof v.override_hint, "potluck leave");
    t.home_words = " --home a";
    add(&out, "done", 80, 24, GLYPHS_ASCII);
    t.home_words = " --home /srv/volunteers/of/the/library/potluck/second-machine-of-the-hall";
    add(&out, "done-long-home", 80, 24, GLYPHS_ASCII);
    load("running");
    t.is_frozen = true;
    add(&out, "frozen", 80, 24, GLYPHS_ASCII);
    t.is_asking = true;
    add(&out, "asking", 80, 24, GLYPHS_ASCII);
    add(&out, "asking", 40, 10, GLYPHS_ASCII);
    add(&out, "asking", 30, 5, GLYPHS_ASCII);
    t = (struct tui){.has_view = true, .note_until_ms = v.at_ms + 1, .look = {.graphs = -1}};
    snprintf(t.note, sizeof t.note, "the agent could not be asked: connection closed");
    add(&out, "note", 80, 24, GLYPHS_ASCII);
    add(&out, "one-line", 39, 1, GLYPHS_ASCII);
    t = (struct tui){.has_view = true, .look = {.graphs = -1}, .is_replay = true, .speed = 60};
    t.n_views = 240;
    add(&out, "replay", 80, 24, GLYPHS_ASCII);
    t.is_replay = false;
    t.screen = SCREEN_LOG;
    t.is_typing = true;
    snprintf(t.find[SCREEN_LOG], TUI_TEXT, "late");
    add(&out, "typing", 80, 24, GLYPHS_ASCII);
    compare("moments", &out);
    buf_deinit(&out);
}

static void a_forecast_without_history_is_not_invented(void **state)
{
    (void)state;
    struct buf out = {0};
    load("running");
    t.screen = SCREEN_CREDITS;
    v.n_forecasts = v.n_forecasts_held = 0;
    add(&out, "none-is-over", 80, 24, GLYPHS_ASCII);
    v.today_lo = v.today_hi = v.day_lo = v.day_hi = v.week_lo = v.week_hi = VIEW_NONE;
    add(&out, "first-hours", 80, 24, GLYPHS_ASCII);
    v.credits_per_hour = VIEW_NONE;
    add(&out, "nothing-known", 60, 16, GLYPHS_ASCII);
    compare("forecast", &out);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_screen_looks_as_agreed),
        cmocka_unit_test(every_state_says_what_and_why),
        cmocka_unit_test(what_the_screen_itself_has_to_say_is_seen),
        cmocka_unit_test(a_forecast_without_history_is_not_invented),
    };
    setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe): one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
