#include "tui/settings.h"

#include <stdio.h>

#include "tui/theme.h"
#include "view/text.h"

enum row { ROW_THEME, ROW_GRAPHS, ROW_CALM, ROW_CORES, ROW_MEMORY, ROW_NAME, ROW_HOST, ROW_COUNT };

static const struct {
    const char *title, *help;
} rows[ROW_COUNT] = {
    [ROW_THEME] = {"Colours",
                   "Which colours carry good, bad and the four graphs. Words and shapes say "
                   "the same, so nothing is lost in mono. NO_COLOR wins over this."                                  },
    [ROW_GRAPHS] = {"Graphs",    "What graphs are drawn with: braille dots are finest; blocks are for "
                              "terminals and fonts without them; ASCII works everywhere."},
    [ROW_CALM] = {"Calm",
                   "Numbers move every 5 s instead of every second, for a slow line or a quiet "
                  "eye. A change of state is still shown at once."                                                   },
    [ROW_CORES] = {"Cores",
                   "How many processor cores may train. More earns more, and the fan may get "
                   "louder."                                                                                         },
    [ROW_MEMORY] = {"Memory",
                   "What the agent takes now. It follows from the model and from how the "
                    "agent was told to save memory."                                                                 },
    [ROW_NAME] = {"Your name", "How others see you in the list of contributors: this name and your "
                               "speed, nothing else."                                 },
    [ROW_HOST] = {"Host",
                   "Who gathers the contributions of this run. Nobody else is ever contacted."                       },
};

int settings_n(const struct view *v)
{
    (void)v;
    return ROW_COUNT;
}

static const char *glyphs_text(int glyphs)
{
    static const char *const text[] = {"ASCII", "blocks", "braille"};
    return glyphs >= 0 && glyphs <= GLYPHS_BRAILLE ? text[glyphs] : "automatic";
}

static void say_cores(const struct view *v, struct settings_row *r)
{
    char a[TEXT_CAP];
    if (v->n_cores) {
        snprintf(r->value, sizeof r->value, "%u of %u", v->n_threads, v->n_cores);
        snprintf(r->why, sizeof r->why,
                 "now %s of the machine; change: potluck stop, then --threads N",
                 text_percent(v->cpu_frac, a));
    }
}

bool settings_row(const struct view *v, const struct tui *t, int i, struct settings_row *ret)
{
    if (i < 0 || i >= ROW_COUNT) return false;
    *ret = (struct settings_row){
        .title = rows[i].title, .help = rows[i].help, .value = "-", .can_change = i <= ROW_CALM};
    switch ((enum row)i) {
    case ROW_THEME:
        snprintf(ret->value, sizeof ret->value, "%s", theme_name(t->look.theme));
        snprintf(ret->why, sizeof ret->why, "%s", theme_about(t->look.theme));
        break;
    case ROW_GRAPHS:
        snprintf(ret->value, sizeof ret->value, "%s", glyphs_text(t->look.graphs));
        snprintf(ret->why, sizeof ret->why, "%s",
                 t->look.graphs < 0 ? "the finest that this terminal can show" : "you chose it");
        break;
    case ROW_CALM:
        snprintf(ret->value, sizeof ret->value, "%s", t->look.is_calm ? "on" : "off");
        snprintf(ret->why, sizeof ret->why, "%s",
                 t->look.is_calm ? "you chose it: numbers every 5 s" : "numbers every second");
        break;
    case ROW_CORES: say_cores(v, ret); break;
    case ROW_MEMORY:
        if (v->rss_bytes) text_bytes(v->rss_bytes, ret->value);
        snprintf(ret->why, sizeof ret->why, "measured now; see potluck agent --help to save some");
        break;
    case ROW_NAME:
        if (v->name[0]) snprintf(ret->value, sizeof ret->value, "%s", v->name);
        snprintf(ret->why, sizeof ret->why, "change: potluck join FILE|LINK --name NAME");
        break;
    case ROW_HOST:
        if (v->aggregator[0]) snprintf(ret->value, sizeof ret->value, "%.95s", v->aggregator);
        snprintf(ret->why, sizeof ret->why, "named in the run's signed description");
        break;
    case ROW_COUNT: break;
    }
    return true;
}

static int cycle(int value, int by, int least, int most)
{
    int n = most - least + 1;
    return least + (value - least + by + n) % n;
}

bool settings_change(struct tui *t, const struct view *v, int i, int by)
{
    (void)v;
    struct tui_look was = t->look;
    switch (i) {
    case ROW_THEME: t->look.theme = cycle(was.theme, by, 0, THEME_COUNT - 1); break;
    case ROW_GRAPHS: t->look.graphs = cycle(was.graphs, by, -1, GLYPHS_BRAILLE); break;
    case ROW_CALM: t->look.is_calm = !was.is_calm; break;
    default: return false;
    }
    t->before = was;
    t->has_undo = true;
    return true;
}
