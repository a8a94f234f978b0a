/* Every screen at three sizes and three glyph levels, drawn from a recording and compared with
 * the text in tests/golden/frames. After a wanted change: POTLUCK_GOLDEN_UPDATE=1 golden, then
 * look at the difference with your own eyes before you commit it.
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

static const char *const screens[SCREEN_COUNT] = {"overview", "run", "peers",
                                                  "credits",  "log", "help"};
static const char *const levels[] = {"ascii", "blocks", "braille"};
static const struct {
    int w, h;
} sizes[] = {
    {80,  24},
    {120, 40},
    {40,  10}
};

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
    t = (struct tui){.has_view = true};
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

static void every_screen_looks_as_agreed(void **state)
{
    (void)state;
    load("running");
    for (int s = 0; s < SCREEN_COUNT; s++) {
        struct buf out = {0};
        t.screen = (enum screen)s;
        for (size_t i = 0; i < 3; i++)
            for (int g = 0; g < 3; g++)
                add(&out, screens[s], sizes[i].w, sizes[i].h, (enum glyphs)g);
        compare(screens[s], &out);
        buf_deinit(&out);
    }
}

static void every_state_says_what_and_why(void **state)
{
    (void)state;
    static const char *const names[] = {"paused", "retrying", "stopped", "norun", "demo"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        struct buf out = {0};
        load(names[n]);
        for (size_t i = 0; i < 3; i++)
            for (int g = 0; g < 3; g++)
                add(&out, names[n], sizes[i].w, sizes[i].h, (enum glyphs)g);
        compare(names[n], &out);
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
    load("running");
    t.is_frozen = true;
    add(&out, "frozen", 80, 24, GLYPHS_ASCII);
    t.is_asking = true;
    add(&out, "asking", 80, 24, GLYPHS_ASCII);
    add(&out, "asking", 40, 10, GLYPHS_ASCII);
    add(&out, "asking", 30, 5, GLYPHS_ASCII);
    t = (struct tui){.has_view = true, .note_until_ms = v.at_ms + 1};
    snprintf(t.note, sizeof t.note, "the agent could not be asked: connection closed");
    add(&out, "note", 80, 24, GLYPHS_ASCII);
    add(&out, "one-line", 39, 1, GLYPHS_ASCII);
    compare("moments", &out);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_screen_looks_as_agreed),
        cmocka_unit_test(every_state_says_what_and_why),
        cmocka_unit_test(what_the_screen_itself_has_to_say_is_seen),
    };
    setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe): one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
