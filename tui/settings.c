#include "tui/settings.h"

#include <stdio.h>
#include <string.h>

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

/* First the look, then the agent's settings, then what can only be looked at. */
#define N_LOOK (ROW_CALM + 1)

int settings_n(const struct tui *t)
{
    return ROW_COUNT + (int)t->options.n;
}

const struct option_row *settings_option(const struct tui *t, int i)
{
    int k = i - N_LOOK;
    return k >= 0 && k < (int)t->options.n ? &t->options.at[k] : NULL;
}

/* The enum row of line i, when it is none of the agent's. */
static enum row row_of(const struct tui *t, int i)
{
    return (enum row)(i < N_LOOK ? i : i - (int)t->options.n);
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
        if (v->gear[0])
            snprintf(r->why, sizeof r->why, "now %s of the machine; gear %s, since %s",
                     text_percent(v->cpu_frac, a), v->gear,
                     v->is_in_use ? "you are here" : "nobody is here");
        else
            snprintf(r->why, sizeof r->why,
                     "now %s of the machine; change: potluck stop, then --threads N",
                     text_percent(v->cpu_frac, a));
    }
}

/* "idle_after_s" reads "Idle after": the unit stands behind the value. */
static void say_title(const char *key, char *dst, size_t cap)
{
    static const char *const units[] = {"_s", "_percent", "_mib", "_min", "_c"};
    snprintf(dst, cap, "%s", key);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        char *end = dst + strlen(dst) - strlen(units[i]);
        if (end > dst && strcmp(end, units[i]) == 0) *end = 0;
    }
    for (char *c = dst; *c; c++)
        if (*c == '_') *c = ' ';
    if (*dst >= 'a' && *dst <= 'z') *dst = (char)(*dst - 'a' + 'A');
}

static void say_option(const struct option_row *o, struct settings_row *r)
{
    bool is_zero = o->zero[0] && strcmp(o->value, "0") == 0;
    say_title(o->key, r->title, sizeof r->title);
    snprintf(r->value, sizeof r->value, "%s%s%s", o->value[0] ? o->value : "-",
             o->unit[0] && !strstr(o->key, "percent") ? " " : "", o->unit);
    if (is_zero) snprintf(r->value, sizeof r->value, "%s", o->zero);
    bool is_default = strcmp(o->source, "default") == 0;
    bool is_file = strcmp(o->source, "file") == 0;
    snprintf(r->why, sizeof r->why, "%s%s%s",
             is_default ? "the default"
             : is_file  ? "you chose it"
                        : o->source,
             o->in_effect[0] ? "; now: " : "", o->in_effect);
    snprintf(r->help, sizeof r->help, "%s. Applies %s; the default is %s.", o->help,
             o->applies[0] ? o->applies : "at once", o->standard[0] ? o->standard : "none");
    r->can_change = is_default || is_file;
}

bool settings_row(const struct view *v, const struct tui *t, int i, struct settings_row *ret)
{
    const struct option_row *o = settings_option(t, i);
    if (i < 0 || i >= settings_n(t)) return false;
    *ret = (struct settings_row){.value = "-"};
    if (o) {
        say_option(o, ret);
        return true;
    }
    enum row row = row_of(t, i);
    snprintf(ret->title, sizeof ret->title, "%s", rows[row].title);
    snprintf(ret->help, sizeof ret->help, "%s", rows[row].help);
    ret->can_change = row <= ROW_CALM;
    switch (row) {
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

enum settings_changed settings_set(struct tui *t, int i, const char *value)
{
    const struct option_row *o = settings_option(t, i);
    if (!o) return SETTINGS_NOTHING;
    snprintf(t->undo_key, sizeof t->undo_key, "%s", o->key);
    snprintf(t->undo_value, sizeof t->undo_value, "%s", o->value);
    snprintf(t->set_key, sizeof t->set_key, "%s", o->key);
    snprintf(t->set_value, sizeof t->set_value, "%s", value);
    t->has_undo = true;
    return SETTINGS_SET;
}

enum settings_changed settings_change(struct tui *t, int i, int by)
{
    struct tui_look was = t->look;
    const struct option_row *o = settings_option(t, i);
    if (o) {
        char next[OPTIONS_VALUE];
        return options_next(o, by, next) ? settings_set(t, i, next) : SETTINGS_NOTHING;
    }
    if (i < 0 || i >= settings_n(t)) return SETTINGS_NOTHING;
    enum row row = row_of(t, i);
    if (row == ROW_THEME) t->look.theme = cycle(was.theme, by, 0, THEME_COUNT - 1);
    if (row == ROW_GRAPHS) t->look.graphs = cycle(was.graphs, by, -1, GLYPHS_BRAILLE);
    if (row == ROW_CALM) t->look.is_calm = !was.is_calm;
    if (row > ROW_CALM) return SETTINGS_NOTHING;
    t->before = was;
    t->undo_key[0] = 0;
    t->has_undo = true;
    return SETTINGS_LOOK;
}

static const struct option_row *option_named(const struct tui *t, const char *key)
{
    for (uint32_t i = 0; i < t->options.n; i++)
        if (strcmp(t->options.at[i].key, key) == 0) return &t->options.at[i];
    return NULL;
}

enum settings_changed settings_undo(struct tui *t)
{
    if (!t->has_undo) return SETTINGS_NOTHING;
    if (!t->undo_key[0]) {
        struct tui_look now = t->look;
        t->look = t->before;
        t->before = now;
        return SETTINGS_LOOK;
    }
    const struct option_row *o = option_named(t, t->undo_key);
    if (!o) return SETTINGS_NOTHING;
    snprintf(t->set_key, sizeof t->set_key, "%s", t->undo_key);
    snprintf(t->set_value, sizeof t->set_value, "%s", t->undo_value);
    snprintf(t->undo_value, sizeof t->undo_value, "%s", o->value);
    return SETTINGS_SET;
}
