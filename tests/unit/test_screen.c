/* Properties that hold for every frame: any view, any size, any level. The looks themselves are
 * in tests/golden.
 */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "tests/check.h"
#include "tui/keymap.h"
#include "tui/screen.h"
#include "view/view.h"

static struct view v;
static struct tui t;

static double odd_real(struct rng *r)
{
    static const double some[] = {NAN, 0, -1, 1e-9, 0.5, 1, 3.14, 999.6, 1e6, 1e18, -1e18};
    return some[rng_below(r, sizeof some / sizeof some[0])];
}

static int64_t odd_whole(struct rng *r)
{
    static const int64_t some[] = {
        VIEW_NONE, 0, -1, 1, 999, 1700037927000, INT64_C(1) << 53, -(INT64_C(1) << 53)};
    return some[rng_below(r, sizeof some / sizeof some[0])];
}

static void odd_text(struct rng *r, char *dst, size_t cap)
{
    static const char *const some[] = {"",
                                       "a",
                                       "桜の計算機",
                                       "Köln e\xcc\x81",
                                       "a text that is longer than its column",
                                       "\x1b[31mred",
                                       "\xff\xfe",
                                       "x                                        y"};
    struct buf text = {0};
    for (uint32_t n = rng_below(r, 5); n > 0; n--)
        buf_put_str(&text, some[rng_below(r, sizeof some / sizeof some[0])]);
    utf8_printable(buf_str(&text), dst, cap);
    buf_deinit(&text);
}

static void odd_series(struct rng *r, struct view_series *s)
{
    static const uint32_t step[] = {0, 1, 1000, 10000, UINT32_MAX};
    s->n = rng_below(r, VIEW_SERIES + 1);
    s->step_ms = step[rng_below(r, 5)];
    for (uint32_t i = 0; i < s->n; i++)
        s->v[i] = (float)odd_real(r);
}

static void odd_rows(struct rng *r)
{
    v.n_peer_rows = rng_below(r, VIEW_PEERS + 1);
    v.n_credit_rows = rng_below(r, VIEW_CREDITS + 1);
    v.n_log = rng_below(r, VIEW_LOG + 1);
    for (uint32_t i = 0; i < v.n_peer_rows; i++) {
        odd_text(r, v.peers[i].name, sizeof v.peers[i].name);
        v.peers[i].tok_per_s = odd_real(r);
        v.peers[i].share_frac = odd_real(r);
        v.peers[i].seen_ms_ago = odd_whole(r);
    }
    for (uint32_t i = 0; i < v.n_credit_rows; i++) {
        odd_text(r, v.credits[i].result, sizeof v.credits[i].result);
        v.credits[i].amount = odd_whole(r);
        v.credits[i].at_ms = odd_whole(r);
    }
    for (uint32_t i = 0; i < v.n_log; i++) {
        odd_text(r, v.log[i].text, sizeof v.log[i].text);
        v.log[i].at_ms = odd_whole(r);
        v.log[i].level = (uint8_t)rng_below(r, 5);
    }
}

static void odd_marks(struct rng *r)
{
    v.range = rng_below(r, VIEW_RANGES + 1);
    v.n_marks = rng_below(r, VIEW_MARKS + 1);
    for (uint32_t i = 0; i < v.n_marks; i++) {
        int64_t near = v.at_ms - (int64_t)rng_below(r, 700000);
        v.marks[i].at_ms = rng_below(r, 3) ? near : odd_whole(r);
        v.marks[i].until_ms = rng_below(r, 3) ? near + 5000 : odd_whole(r);
        v.marks[i].is_open = rng_below(r, 4) == 0;
        odd_text(r, v.marks[i].kind, sizeof v.marks[i].kind);
        odd_text(r, v.marks[i].why, sizeof v.marks[i].why);
    }
    v.n_days = rng_below(r, VIEW_DAYS + 1);
    for (uint32_t i = 0; i < v.n_days; i++)
        v.days[i] = (struct view_day){odd_whole(r), odd_whole(r)};
    v.n_card = rng_below(r, VIEW_CARD + 1);
    for (uint32_t i = 0; i < v.n_card; i++) {
        odd_text(r, v.card[i].title, sizeof v.card[i].title);
        odd_text(r, v.card[i].text, sizeof v.card[i].text);
    }
    v.up_per_s = odd_real(r);
    v.down_per_s = odd_real(r);
    v.fetch_left_ms = odd_whole(r);
}

static void odd_view(struct rng *r)
{
    view_init(&v);
    v.state = (enum view_state)rng_below(r, VIEW_STATE_COUNT);
    v.at_ms = 1700037927000;
    v.ends_at_ms = odd_whole(r);
    v.round_ends_at_ms = odd_whole(r);
    v.saved_ms_ago = odd_whole(r);
    v.credits_confirmed = odd_whole(r);
    v.credits_pending = odd_whole(r);
    v.ms_train = odd_whole(r);
    odd_text(r, v.reason, sizeof v.reason);
    odd_text(r, v.override_hint, sizeof v.override_hint);
    odd_text(r, v.run_name, sizeof v.run_name);
    odd_text(r, v.run_note, sizeof v.run_note);
    odd_text(r, v.reward_unit, sizeof v.reward_unit);
    odd_text(r, v.said, sizeof v.said);
    v.round = rng_u64(r) >> 11;
    v.n_steps = rng_below(r, 2) * 30;
    v.n_params = rng_u64(r) >> 11;
    v.n_tokens = rng_u64(r) >> 11;
    v.bytes_up = rng_u64(r) >> 11;
    v.round_frac = odd_real(r);
    v.fetch_frac = odd_real(r);
    v.tok_per_s = odd_real(r);
    v.loss = odd_real(r);
    v.cpu_frac = odd_real(r);
    v.rtt_ms = odd_real(r);
    odd_series(r, &v.speed);
    odd_series(r, &v.loss_curve);
    odd_series(r, &v.val_curve);
    odd_series(r, &v.earned);
    odd_series(r, &v.earned_pending);
    odd_series(r, &v.peers_curve);
    odd_rows(r);
    odd_marks(r);
}

static void odd_wizard(struct rng *r)
{
    struct wizard *w = &t.wizard;
    w->is_on = rng_below(r, 3) == 0;
    w->step = (enum wizard_step)rng_below(r, WIZARD_STARTING + 1);
    odd_text(r, w->link, sizeof w->link);
    odd_text(r, w->error, sizeof w->error);
    odd_text(r, w->name, sizeof w->name);
    w->n_card = rng_below(r, VIEW_CARD + 1);
    memcpy(w->card, v.card, sizeof v.card);
    w->scroll = (int)rng_below(r, 50);
    w->gear = (int)rng_below(r, 3);
    w->n_cores = rng_below(r, 300);
    w->is_naming = rng_below(r, 2) == 0;
    w->n_known = (int)rng_below(r, WIZARD_KNOWN + 1);
    w->known = w->n_known ? (int)rng_below(r, (uint32_t)w->n_known + 1) : 0;
    for (int i = 0; i < w->n_known; i++)
        odd_text(r, w->knows[i].name, sizeof w->knows[i].name);
}

static void odd_tui(struct rng *r)
{
    memset(&t, 0, sizeof t);
    t.screen = (enum screen)rng_below(r, SCREEN_COUNT);
    t.has_view = rng_below(r, 8) > 0;
    t.is_lost = rng_below(r, 4) == 0;
    t.is_frozen = rng_below(r, 4) == 0;
    t.is_asking = rng_below(r, 8) == 0;
    t.is_open = rng_below(r, 3) == 0;
    t.is_about = rng_below(r, 4) == 0;
    t.is_typing = t.screen < SCREEN_HELP && rng_below(r, 8) == 0;
    t.is_replay = rng_below(r, 8) == 0;
    t.is_snoozing = rng_below(r, 8) == 0;
    t.sort = (enum tui_sort)rng_below(r, TUI_SORTS);
    t.level = (int)rng_below(r, 4);
    t.look =
        (struct tui_look){(int)rng_below(r, 5), (int)rng_below(r, 4) - 1, rng_below(r, 2) == 0};
    odd_wizard(r);
    for (int i = 0; i < SCREEN_COUNT; i++) {
        t.scroll[i] = (int)rng_below(r, rng_below(r, 2) ? 200 : 4);
        if (rng_below(r, 8) == 0) odd_text(r, t.find[i], sizeof t.find[i]);
    }
    if (rng_below(r, 4) == 0) {
        odd_text(r, t.note, sizeof t.note);
        t.note_until_ms = INT64_MAX;
    }
}

static void draw(struct canvas *c, enum glyphs level)
{
    struct screen_frame f = {.c = c, .v = &v, .t = &t, .glyphs = level, .now_ms = v.at_ms};
    screen_draw(&f);
}

/* Cells of a row by wcwidth, counted from its text, as a terminal would. */
static int cells(const char *s)
{
    int w = 0;
    while (*s) {
        uint32_t cp = 0;
        size_t n = utf8_decode((const uint8_t *)s, strlen(s), &cp);
        assert_true(n > 0);
        int one = wcwidth((wchar_t)cp);
        assert_true(one > 0);
        w += one;
        s += n;
    }
    return w;
}

static void check_frame(const struct canvas *c)
{
    struct buf b = {0};
    for (int y = 0; y < c->h; y++) {
        buf_clear(&b);
        canvas_row(c, y, &b);
        assert_true(cells(buf_str(&b)) <= c->w);
    }
    if (c->w >= 12) {
        char word[32];
        bool is_gone = t.is_lost || !t.has_view;
        snprintf(word, sizeof word, "[%s]", view_state_word(is_gone ? VIEW_NO_CONTACT : v.state));
        buf_clear(&b);
        canvas_row(c, 0, &b);
        assert_int_equal(strncmp(buf_str(&b), word, strlen(word)), 0);
    }
    buf_deinit(&b);
}

static void any_view_at_any_size_is_a_sound_frame(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 2, 8);
    for (int i = 0; i < 3000; i++) {
        struct canvas c;
        int w = 1 + (int)rng_below(&r, i % 3 ? 250 : 45);
        int h = 1 + (int)rng_below(&r, i % 3 ? 80 : 14);
        bool is_ascii = rng_below(&r, 3) == 0;
        odd_view(&r);
        odd_tui(&r);
        canvas_init(&c, w, h, is_ascii);
        draw(&c, is_ascii ? GLYPHS_ASCII : (enum glyphs)rng_below(&r, 3));
        check_frame(&c);
        canvas_deinit(&c);
    }
}

static void every_size_is_served(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 5, 1);
    for (int w = 1; w <= 250; w += w < 130 ? 1 : 5)
        for (int h = 1; h <= 80; h += w % 3 + (h < 50 ? 1 : 4)) {
            struct canvas c;
            if (h % 16 == 1) odd_view(&r);
            odd_tui(&r);
            canvas_init(&c, w, h, false);
            draw(&c, GLYPHS_BRAILLE);
            check_frame(&c);
            canvas_deinit(&c);
        }
}

static bool has(const struct canvas *c, int y, const char *what)
{
    struct buf b = {0};
    canvas_row(c, y, &b);
    bool found = strstr(buf_str(&b), what) != NULL;
    buf_deinit(&b);
    return found;
}

static void every_screen_says_how_to_pause_and_how_to_leave(void **state)
{
    (void)state;
    view_init(&v);
    v.state = VIEW_RUNNING;
    snprintf(v.run_name, sizeof v.run_name, "tiny");
    memset(&t, 0, sizeof t);
    t.has_view = true;
    for (int s = 0; s < SCREEN_COUNT; s++)
        for (int w = 40; w <= 120; w += 40) {
            struct canvas c;
            t.screen = (enum screen)s;
            canvas_init(&c, w, 24, false);
            draw(&c, GLYPHS_ASCII);
            assert_true(has(&c, 23, "p Pause"));
            assert_true(has(&c, 23, "q Close"));
            if (w >= 80) assert_true(has(&c, 23, "q Close, keep training"));
            v.is_demo = true;
            draw(&c, GLYPHS_ASCII);
            assert_true(has(&c, 23, "q End demo"));
            v.is_demo = false;
            canvas_deinit(&c);
        }
}

static void every_key_of_the_table_is_in_the_help(void **state)
{
    (void)state;
    struct canvas c;
    int n = 0;
    const struct keymap_entry *k = keymap_table(&n);
    memset(&t, 0, sizeof t);
    view_init(&v);
    t.screen = SCREEN_HELP;
    canvas_init(&c, 100, 60, false);
    draw(&c, GLYPHS_ASCII);
    for (int i = 0; i < n; i++) {
        bool found = !k[i].help;
        for (int y = 0; y < 60 && !found; y++)
            found = has(&c, y, k[i].help) && has(&c, y, k[i].keys);
        assert_true(found);
    }
    canvas_deinit(&c);
}

static void old_numbers_carry_a_question_mark(void **state)
{
    (void)state;
    struct canvas c;
    view_init(&v);
    memset(&t, 0, sizeof t);
    v.tok_per_s = 412;
    v.state = VIEW_RUNNING;
    t.has_view = t.is_lost = true;
    t.lost_since_ms = v.at_ms - 12000;
    canvas_init(&c, 80, 24, false);
    draw(&c, GLYPHS_ASCII);
    assert_true(has(&c, 0, "[NO CONTACT]"));
    assert_true(has(&c, 0, "12 s"));
    assert_true(has(&c, 2, "412 tok/s?") || has(&c, 3, "412 tok/s?"));
    canvas_deinit(&c);
}

static void a_long_reason_is_wrapped_and_not_lost(void **state)
{
    (void)state;
    struct canvas c;
    view_init(&v);
    memset(&t, 0, sizeof t);
    t.has_view = true;
    v.state = VIEW_STOPPED;
    snprintf(v.reason, sizeof v.reason,
             "the aggregator refused five contributions in a row because the base of the round "
             "was not the one it has; end of the story");
    canvas_init(&c, 80, 24, false);
    draw(&c, GLYPHS_ASCII);
    assert_true(has(&c, 1, "end of the story"));
    canvas_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_view_at_any_size_is_a_sound_frame),
        cmocka_unit_test(every_size_is_served),
        cmocka_unit_test(every_screen_says_how_to_pause_and_how_to_leave),
        cmocka_unit_test(every_key_of_the_table_is_in_the_help),
        cmocka_unit_test(old_numbers_carry_a_question_mark),
        cmocka_unit_test(a_long_reason_is_wrapped_and_not_lost),
    };
    setlocale(LC_CTYPE, "C.UTF-8"); /* NOLINT(concurrency-mt-unsafe): one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
