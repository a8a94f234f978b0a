#include "client/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/near.h"
#include "base/path.h"
#include "base/utf8.h"

#define N_NAMES 16

static const char *const gears[] = {"off", "gentle", "balanced", "full", NULL};
static const char *const priorities[] = {"gear", "idle", "normal", NULL};
static const char *const switches[] = {"on", "off", NULL};
static const char *const batteries[] = {"pause", "run", NULL};

/* clang-format off */
static const struct config_item items[CONFIG_KEYS] = {
    [CONFIG_GEAR_IN_USE] = {"gear_in_use", CONFIG_WORD, gears, 0, 0, "", "gentle", NULL, false,
        "how much to take while you use this computer; off: pause meanwhile"},
    [CONFIG_GEAR_IDLE] = {"gear_idle", CONFIG_WORD, gears, 0, 0, "", "balanced", NULL, false,
        "how much to take while nobody uses it"},
    [CONFIG_CORES] = {"cores", CONFIG_NUMBER, NULL, 0, 64, "cores", "0", "as the gear says", false,
        "processor cores to train with, in any gear"},
    [CONFIG_DUTY] = {"duty_percent", CONFIG_NUMBER, NULL, 0, 100, "%", "0", "as the gear says", false,
        "share of the time in which those cores may work"},
    [CONFIG_PRIORITY] = {"priority", CONFIG_WORD, priorities, 0, 0, "", "gear", NULL, false,
        "idle: only what no other program wants; normal: an equal share"},
    [CONFIG_IDLE_AFTER] = {"idle_after_s", CONFIG_NUMBER, NULL, 10, 86400, "s", "120", NULL, false,
        "how long without input until nobody uses this computer"},
    [CONFIG_BUSY] = {"busy_percent", CONFIG_NUMBER, NULL, 0, 100, "%", "0", "as the gear says", false,
        "pause while other programs take more of the processor; 100: never"},
    [CONFIG_BATTERY] = {"on_battery", CONFIG_WORD, batteries, 0, 0, "", "pause", NULL, false,
        "what to do without mains power"},
    [CONFIG_HEAT] = {"heat_limit_c", CONFIG_NUMBER, NULL, 0, 110, "C", "0", "as the gear says", false,
        "pause above this temperature of the processor"},
    [CONFIG_HOURS] = {"hours", CONFIG_TIMES, NULL, 0, 0, "", "always", NULL, false,
        "when to train, for example: mon-fri 20:00-08:00, sat-sun 00:00-24:00"},
    [CONFIG_PAUSE_WHILE] = {"pause_while", CONFIG_NAMES, NULL, 0, 0, "", "", NULL, false,
        "programs that shall have the computer to themselves, with commas between"},
    [CONFIG_MEMORY] = {"memory_percent", CONFIG_NUMBER, NULL, 0, 95, "%", "0", "as the gear says", true,
        "most memory that a model may need to be trained here"},
    [CONFIG_MEMORY_FREE] = {"memory_free_mib", CONFIG_NUMBER, NULL, 0, 1048576, "MiB", "200", "no limit", false,
        "pause and give memory back when less than this is left to others"},
    [CONFIG_RELEASE_AFTER] = {"release_after_min", CONFIG_NUMBER, NULL, 0, 10080, "min", "10", "never", false,
        "give the trainer's memory back after a pause of this length"},
    [CONFIG_DISK_QUOTA] = {"disk_quota_mib", CONFIG_NUMBER, NULL, 1, 1048576, "MiB", "512", NULL, true,
        "disk for the text that is trained on"},
    [CONFIG_DISK_FREE] = {"disk_free_mib", CONFIG_NUMBER, NULL, 0, 1048576, "MiB", "300", "no limit", false,
        "pause when less than this is left on the disk"},
    [CONFIG_NETWORK_CAP] = {"network_gb_per_month", CONFIG_NUMBER, NULL, 0, 100000, "GB", "0", "no limit", false,
        "pause when this much was sent and received in a month"},
    [CONFIG_UPLOAD] = {"upload_mbit", CONFIG_NUMBER, NULL, 0, 100000, "Mbit/s", "0", "no limit", false,
        "send no faster than this"},
    [CONFIG_DOWNLOAD] = {"download_mbit", CONFIG_NUMBER, NULL, 0, 100000, "Mbit/s", "0", "no limit", false,
        "fetch no faster than this"},
    [CONFIG_SAVE] = {"save_every_s", CONFIG_NUMBER, NULL, 1, 3600, "s", "30", NULL, true,
        "how often the local state is saved: so much work a power cut may cost"},
    [CONFIG_SANDBOX] = {"sandbox", CONFIG_WORD, switches, 0, 0, "", "on", NULL, true,
        "keep the agent from everything but its work; off only to look for a fault"},
};

/* What the settings are called by the agent's flags, and so by files without a version. */
static const struct old_name { const char *name; enum config_key key; } old_names[] = {
    {"threads", CONFIG_CORES}, {"quota", CONFIG_DISK_QUOTA}, {"save", CONFIG_SAVE},
};
/* clang-format on */

const struct config_item *config_item(enum config_key k)
{
    return &items[k];
}

const char *config_source_name(enum config_source s)
{
    static const char *const names[] = {"default", "file", "environment", "flag"};
    return names[s];
}

enum config_key config_find(const char *name)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (strcmp(items[i].name, name) == 0) return (enum config_key)i;
    return CONFIG_KEYS;
}

int config_require(const char *name, enum config_key *ret, struct err *e)
{
    enum config_key k = config_find(name);
    if (k != CONFIG_KEYS) {
        *ret = k;
        return OK;
    }
    const char *names[CONFIG_KEYS + 1] = {NULL};
    for (int i = 0; i < CONFIG_KEYS; i++)
        names[i] = items[i].name;
    const char *near = near_word(name, names);
    err_set(e, ERR_ARG, 0, "there is no setting '%.60s'", name);
    if (near)
        err_hint(e, "did you mean %s?", near);
    else
        err_hint(e, "`potluck config list` shows them all");
    return ERR_ARG;
}

void config_init(struct config *c)
{
    memset(c, 0, sizeof *c);
    for (int i = 0; i < CONFIG_KEYS; i++)
        check(config_take(c, (enum config_key)i, items[i].standard, CONFIG_DEFAULT, NULL) == OK);
}

/* ---- one value ----------------------------------------------------------------------------------- */

static int word_of(const struct config_item *it, const char *text, int64_t *ret, struct err *e)
{
    char all[120] = "";
    for (int i = 0; it->words[i]; i++) {
        if (strcmp(it->words[i], text) == 0) {
            *ret = i;
            return OK;
        }
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", it->words[i]);
    }
    err_set(e, ERR_ARG, 0, "%s cannot be '%.60s'", it->name, text);
    err_hint(e, "it is one of: %s", all);
    return ERR_ARG;
}

static int number_of(const struct config_item *it, const char *text, int64_t *ret, struct err *e)
{
    char *end = NULL;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    bool is_whole = *text && isdigit((unsigned char)*text) && !*end && !errno;
    bool is_within = is_whole && ((v >= it->lo && v <= it->hi) || (v == 0 && it->zero));
    /* A limit on heat or time that is nearly zero is a slip. */
    if (it == &items[CONFIG_HEAT] && v && v < 40) is_within = false;
    if (is_within) {
        *ret = v;
        return OK;
    }
    err_set(e, ERR_ARG, 0, "%s cannot be '%.60s'", it->name, text);
    err_hint(e, "it is a whole number from %lld to %lld%s%s%s%s%s",
             (long long)(it == &items[CONFIG_HEAT] ? 40 : it->lo), (long long)it->hi,
             *it->unit ? " " : "", it->unit, it->zero ? " (0: " : "", it->zero ? it->zero : "",
             it->zero ? ")" : "");
    return ERR_ARG;
}

/* Program names as the kernel knows them, at most 15 bytes each. */
static int names_of(const struct config_item *it, const char *text, struct err *e)
{
    size_t n = 0;
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, ",");
        size_t lead = strspn(p, " ");
        bool is_bad = memchr(p, '/', len) || memchr(p, '#', len); /* # would end it in the file */
        if (lead >= len || ++n > N_NAMES || is_bad) {
            err_set(e, ERR_ARG, 0, "%s is no list of programs: '%.60s'", it->name, text);
            err_hint(e, "at most %d names without a path or a #, for example: steam, obs", N_NAMES);
            return ERR_ARG;
        }
        p += len;
        if (*p == ',') p++;
    }
    return OK;
}

int config_take(struct config *c, enum config_key k, const char *text, enum config_source source,
                struct err *e)
{
    const struct config_item *it = &items[k];
    struct config_value v = {.source = source};
    struct hours h;
    int rc = OK;
    utf8_printable(text, v.text, sizeof v.text);
    if (strcmp(v.text, text) != 0) {
        err_set(e, ERR_ARG, 0, "the value of %s is too long or cannot be shown", it->name);
        err_hint(e, "use at most %d bytes of plain text", CONFIG_TEXT_CAP - 1);
        return ERR_ARG;
    }
    switch (it->kind) {
    case CONFIG_WORD: rc = word_of(it, text, &v.n, e); break;
    case CONFIG_NUMBER: rc = number_of(it, text, &v.n, e); break;
    case CONFIG_TIMES: rc = hours_parse(text, &h, e); break;
    case CONFIG_NAMES: rc = names_of(it, text, e); break;
    }
    if (rc == OK && source >= c->v[k].source) c->v[k] = v;
    return rc;
}

void config_hours(const struct config *c, struct hours *ret)
{
    check(hours_parse(c->v[CONFIG_HOURS].text, ret, NULL) == OK);
}

/* ---- the file ------------------------------------------------------------------------------------ */

/* One line of the file, without its end. */
struct line {
    const char *at;
    size_t n;
    char name[64]; /* "": blank or a comment */
    char value[CONFIG_TEXT_CAP];
    bool is_bad; /* no name = value, or too long */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool copy_trimmed(const char *p, const char *end, char *dst, size_t cap)
{
    while (p < end && is_space(*p))
        p++;
    while (end > p && is_space(end[-1]))
        end--;
    size_t n = (size_t)(end - p);
    if (n >= cap || memchr(p, 0, n)) return false;
    memcpy(dst, p, n);
    dst[n] = 0;
    return true;
}

/* The line that begins at *at; false at the end. *at moves behind it. */
static bool next_line(const char *text, size_t n, size_t *at, struct line *ret)
{
    if (*at >= n) return false;
    const char *p = text + *at;
    const char *nl = memchr(p, '\n', n - *at);
    *ret = (struct line){.at = p, .n = nl ? (size_t)(nl - p) : n - *at};
    *at += ret->n + 1;
    const char *end = p + ret->n;
    const char *hash = memchr(p, '#', ret->n);
    const char *stop = hash ? hash : end;
    const char *eq = memchr(p, '=', (size_t)(stop - p));
    if (eq) {
        ret->is_bad = !copy_trimmed(p, eq, ret->name, sizeof ret->name) || !ret->name[0] ||
                      !copy_trimmed(eq + 1, stop, ret->value, sizeof ret->value);
    } else {
        while (p < stop && is_space(*p))
            p++;
        ret->is_bad = p < stop;
    }
    return true;
}

static int in_line(struct err *e, int code, uint32_t i)
{
    (void)err_wrap(e, "line %u", i);
    if (e) e->code = code;
    return code;
}

static int version_of(const char *value, bool *is_old, struct err *e)
{
    char *end = NULL;
    long v = strtol(value, &end, 10);
    if (!*value || *end || v < 1)
        return err_set(e, ERR_PROTO, 0, "version must be a number, not '%.40s'", value);
    if (v > CONFIG_VERSION) {
        err_set(e, ERR_VERSION, 0, "these settings were written by a newer potluck (version %ld)",
                v);
        err_hint(e, "use that one, or move the file away");
        return ERR_VERSION;
    }
    *is_old = false;
    return OK;
}

static enum config_key old_key(const char *name)
{
    for (size_t i = 0; i < sizeof old_names / sizeof *old_names; i++)
        if (strcmp(old_names[i].name, name) == 0) return old_names[i].key;
    return CONFIG_KEYS;
}

static int take_line(struct config *c, const struct line *l, struct err *e)
{
    if (strcmp(l->name, "version") == 0) return version_of(l->value, &c->is_old, e);
    enum config_key k = c->is_old ? old_key(l->name) : CONFIG_KEYS;
    int rc = k == CONFIG_KEYS ? config_require(l->name, &k, e) : OK;
    return rc == OK ? config_take(c, k, l->value, CONFIG_FILE, e) : rc;
}

int config_parse(struct config *ret, const void *text, size_t n, struct err *e)
{
    struct config c = *ret;
    struct line l;
    size_t at = 0;
    uint32_t i = 0;
    bool seen[CONFIG_KEYS] = {false}, has_old = false;
    if (n > CONFIG_MAX_BYTES) return err_set(e, ERR_LIMIT, 0, "the file is too large");
    c.is_old = true;
    while (next_line(text, n, &at, &l)) {
        i++;
        if (l.is_bad) {
            err_set(e, ERR_PROTO, 0, "'%.60s' is no setting", l.name);
            err_hint(e, "write name = value; a comment begins with #");
            return in_line(e, ERR_PROTO, i);
        }
        if (!l.name[0]) continue;
        int rc = take_line(&c, &l, e);
        if (rc != OK) return in_line(e, rc == ERR_VERSION ? rc : ERR_PROTO, i);
        enum config_key k = config_find(l.name);
        if (k == CONFIG_KEYS && c.is_old) k = old_key(l.name);
        has_old = has_old || (k != CONFIG_KEYS && config_find(l.name) != k);
        if (k != CONFIG_KEYS && seen[k]) {
            err_set(e, ERR_PROTO, 0, "%s stands here a second time", l.name);
            err_hint(e, "keep one of the two");
            return in_line(e, ERR_PROTO, i);
        }
        if (k != CONFIG_KEYS) seen[k] = true;
    }
    if (has_old && !c.is_old) {
        err_set(e, ERR_PROTO, 0, "a name of an older version stands above the version");
        err_hint(e, "move the line that says version to the top");
        return ERR_PROTO;
    }
    *ret = c;
    return OK;
}

int config_environment(struct config *c, const char *(*look)(const char *name, void *ctx),
                       void *ctx, struct err *e)
{
    for (int i = 0; i < CONFIG_KEYS; i++) {
        char name[64] = "POTLUCK_";
        for (size_t k = 0; items[i].name[k]; k++)
            name[8 + k] = (char)toupper((unsigned char)items[i].name[k]);
        const char *v = look(name, ctx);
        if (!v || !*v) continue;
        int rc = config_take(c, (enum config_key)i, v, CONFIG_ENVIRONMENT, e);
        if (rc != OK) {
            (void)err_wrap(e, "reading the environment's %s", name);
            return rc;
        }
    }
    return OK;
}

/* ---- writing ------------------------------------------------------------------------------------- */

void config_template(struct buf *out)
{
    buf_put_str(out, "# Settings of potluck: what it may take of this computer. Remove a # to set\n"
                     "# one; a running agent takes up most changes at once. See `potluck config`\n"
                     "# and potluck.conf(5).\n");
    buf_printf(out, "version = %d\n", CONFIG_VERSION);
    for (int i = 0; i < CONFIG_KEYS; i++) {
        const struct config_item *it = &items[i];
        buf_printf(out, "\n# %s", it->help);
        if (it->zero) buf_printf(out, " (0: %s)", it->zero);
        if (it->at_start) buf_put_str(out, "; at the next start");
        if (it->words) buf_put_str(out, "\n# one of:");
        for (int w = 0; it->words && it->words[w]; w++)
            buf_printf(out, " %s", it->words[w]);
        buf_printf(out, "\n#%s = %s\n", it->name, it->standard);
    }
}

/* Is this the line to replace: the setting itself, or its commented default? */
static bool is_line_of(const struct line *l, const char *name, bool is_comment)
{
    if (!is_comment) return strcmp(l->name, name) == 0;
    size_t n = strlen(name);
    return l->n > n + 1 && l->at[0] == '#' && memcmp(l->at + 1, name, n) == 0 &&
           (l->at[n + 1] == ' ' || l->at[n + 1] == '=');
}

static void put_setting(struct buf *out, const struct config_item *it, const char *value)
{
    if (value)
        buf_printf(out, "%s = %s\n", it->name, value);
    else
        buf_printf(out, "#%s = %s\n", it->name, it->standard);
}

/* Old names are written anew; a file of names without a version gets one. */
static void put_line(struct buf *out, const struct line *l, bool is_old)
{
    enum config_key k = is_old ? old_key(l->name) : CONFIG_KEYS;
    if (k != CONFIG_KEYS) {
        buf_printf(out, "%s = %s\n", items[k].name, l->value);
    } else {
        buf_put(out, l->at, l->n);
        buf_put_u8(out, '\n');
    }
}

static bool has_line(const char *text, size_t n, const char *name, bool is_comment)
{
    struct line l;
    size_t at = 0;
    while (next_line(text, n, &at, &l))
        if (is_line_of(&l, name, is_comment)) return true;
    return false;
}

int config_edit(const void *text, size_t n, enum config_key k, const char *value, struct buf *out,
                struct err *e)
{
    const struct config_item *it = &items[k];
    struct config c;
    struct line l;
    struct buf fresh = {0};
    size_t at = 0;
    config_init(&c);
    int rc = value ? config_take(&c, k, value, CONFIG_FILE, e) : OK;
    if (rc == OK && n) rc = config_parse(&c, text, n, e);
    if (rc != OK) return rc;
    if (!n) {
        config_template(&fresh);
        text = fresh.p;
        n = fresh.len;
        c.is_old = false;
    }
    if (c.is_old) buf_printf(out, "version = %d\n", CONFIG_VERSION);
    bool is_set = has_line(text, n, it->name, false);
    bool is_done = false;
    while (next_line(text, n, &at, &l)) {
        bool is_same = c.is_old && l.name[0] && old_key(l.name) == k;
        if (!is_done && (is_same || is_line_of(&l, it->name, !is_set))) {
            put_setting(out, it, value);
            is_done = true;
        } else if (!is_same) {
            put_line(out, &l, c.is_old);
        }
    }
    if (!is_done && value) put_setting(out, it, value);
    buf_deinit(&fresh);
    return buf_ok(out, e);
}

static int read_text(const char *path, struct buf *b, struct err *e)
{
    int rc = file_read(path, CONFIG_MAX_BYTES, b, e);
    if (rc != ERR_NOTFOUND) return rc;
    if (e) *e = (struct err){0};
    return OK;
}

int config_file_read(struct config *c, const char *path, struct err *e)
{
    struct buf b = {0};
    struct config fresh;
    config_init(&fresh);
    int rc = read_text(path, &b, e);
    if (rc == OK && b.len) rc = config_parse(&fresh, b.p, b.len, e);
    if (rc == OK) *c = fresh;
    buf_deinit(&b);
    if (rc != OK) (void)err_wrap(e, "reading the settings in %s", path);
    return rc;
}

int config_file_set(const char *path, enum config_key k, const char *value, struct err *e)
{
    struct buf b = {0}, out = {0};
    char dir[PATH_CAP];
    int rc = read_text(path, &b, e);
    if (rc == OK) rc = config_edit(b.p, b.len, k, value, &out, e);
    if (rc == OK && path_dirname(dir, path)) rc = err_set(e, ERR_ARG, 0, "the path is too long");
    if (rc == OK) rc = file_mkdirs(dir, e);
    if (rc == OK) rc = file_replace(path, out.p, out.len, 0600, e);
    buf_deinit(&b);
    buf_deinit(&out);
    return rc;
}

/* ---- showing ------------------------------------------------------------------------------------- */

static const char *shown(const struct config_item *it, const struct config_value *v)
{
    if (it->zero && it->kind == CONFIG_NUMBER && v->n == 0) return it->zero;
    return v->text[0] ? v->text : "none";
}

void config_text_one(const struct config *c, enum config_key k, struct buf *out)
{
    const struct config_item *it = &items[k];
    const struct config_value *v = &c->v[k];
    char value[CONFIG_TEXT_CAP + 16];
    bool is_plain = it->kind == CONFIG_NUMBER && v->n == 0 && it->zero;
    snprintf(value, sizeof value, "%s%s%s", shown(it, v), *it->unit && !is_plain ? " " : "",
             is_plain ? "" : it->unit);
    buf_printf(out, "%-21s %-18s %-12s %s%s\n", it->name, value, config_source_name(v->source),
               it->help, it->at_start ? "; at the next start" : "");
}

void config_text(const struct config *c, const char *path, struct buf *out)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        config_text_one(c, (enum config_key)i, out);
    buf_printf(out, "\nfile: %s\n", path);
}

json_t *config_json_one(const struct config *c, enum config_key k)
{
    const struct config_item *it = &items[k];
    json_t *row = json_object();
    json_set_text(row, "key", it->name);
    json_set_text(row, "value", c->v[k].text);
    json_set_text(row, "unit", it->unit);
    json_set_text(row, "source", config_source_name(c->v[k].source));
    json_set_text(row, "default", it->standard);
    json_set_text(row, "help", it->help);
    json_set_text(row, "applies", it->at_start ? "at the next start" : "at once");
    if (it->zero) json_set_text(row, "zero", it->zero);
    if (it->kind == CONFIG_NUMBER) {
        json_set_i64(row, "least", it->lo);
        json_set_i64(row, "most", it->hi);
    }
    json_t *words = it->words ? json_array() : NULL;
    for (int w = 0; words && it->words[w]; w++)
        json_array_append_new(words, json_string(it->words[w]));
    if (words) json_object_set_new(row, "choices", words);
    return row;
}

int config_json(const struct config *c, const char *path, const char *const *notes, struct buf *out,
                struct err *e)
{
    json_t *o = json_object(), *a = json_array();
    for (int i = 0; i < CONFIG_KEYS; i++) {
        json_t *row = config_json_one(c, (enum config_key)i);
        if (notes && notes[i]) json_set_text(row, "in_effect", notes[i]);
        json_array_append_new(a, row);
    }
    json_object_set_new(o, "settings", a);
    json_set_text(o, "file", path);
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}
