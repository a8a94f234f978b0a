#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tests/check.h"
#include "tui/rows.h"

static struct view v;
static struct tui t;

static void peer(const char *name, double tok_per_s, int64_t seen_ms_ago)
{
    struct view_peer *p = &v.peers[v.n_peer_rows++];
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->state, sizeof p->state, "training");
    p->tok_per_s = tok_per_s;
    p->seen_ms_ago = seen_ms_ago;
}

static int setup(void **state)
{
    (void)state;
    view_init(&v);
    memset(&t, 0, sizeof t);
    peer("maple", 400, 900);
    peer("Ash", (double)NAN, VIEW_NONE);
    peer("birch", 900, 100);
    peer("oak", 400, 5000);
    return 0;
}

static void expect(enum tui_sort sort, const char *names)
{
    uint16_t rows[VIEW_PEERS];
    char got[200] = "";
    t.sort = sort;
    int n = rows_peers(&v, &t, rows);
    for (int i = 0; i < n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s ", v.peers[rows[i]].name);
    assert_string_equal(got, names);
}

static void peers_stand_in_the_chosen_order_and_unknown_ones_last(void **state)
{
    (void)state;
    expect(TUI_BY_HOST, "maple Ash birch oak ");
    expect(TUI_BY_SPEED, "birch maple oak Ash "); /* equal ones as the host lists them */
    expect(TUI_BY_NAME, "Ash birch maple oak ");
    expect(TUI_BY_SEEN, "birch maple oak Ash ");
}

static void only_what_holds_the_text_is_left(void **state)
{
    (void)state;
    snprintf(t.find[SCREEN_PEERS], TUI_TEXT, "A");
    expect(TUI_BY_HOST, "maple Ash birch oak "); /* "training" holds it as well */
    snprintf(t.find[SCREEN_PEERS], TUI_TEXT, "as");
    expect(TUI_BY_HOST, "Ash ");
    snprintf(t.find[SCREEN_PEERS], TUI_TEXT, "nobody");
    expect(TUI_BY_HOST, "");
    assert_true(rows_holds("Late by 40 s", "LATE"));
    assert_true(rows_holds("", ""));
    assert_false(rows_holds("", "x"));
}

static void the_log_is_cut_to_a_level_and_a_text(void **state)
{
    (void)state;
    uint16_t rows[VIEW_LOG];
    static const char *const text[] = {"training", "round 3: late", "round 4: rejected"};
    for (int i = 0; i < 3; i++) {
        v.log[v.n_log].level = (uint8_t)(LOG_INFO + i);
        snprintf(v.log[v.n_log++].text, VIEW_LINE_CAP, "%s", text[i]);
    }
    assert_int_equal(rows_log(&v, &t, rows), 3);
    t.level = LOG_WARN;
    assert_int_equal(rows_log(&v, &t, rows), 2);
    assert_int_equal(rows[0], 1);
    snprintf(t.find[SCREEN_LOG], TUI_TEXT, "reject");
    assert_int_equal(rows_log(&v, &t, rows), 1);
    assert_int_equal(rows[0], 2);
}

static void the_picked_row_is_always_among_those_shown(void **state)
{
    (void)state;
    for (int n = 1; n < 40; n++)
        for (int h = 1; h < 20; h++)
            for (int pick = 0; pick < n; pick++) {
                int first = rows_first(pick, n, h);
                assert_true(first >= 0 && first <= pick && pick < first + h);
                assert_true(n <= h ? first == 0 : first + h <= n);
            }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(peers_stand_in_the_chosen_order_and_unknown_ones_last),
        T(only_what_holds_the_text_is_left),
        T(the_log_is_cut_to_a_level_and_a_text),
        T(the_picked_row_is_always_among_those_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
