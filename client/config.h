#pragma once
/* Why: every limit that a person sets is in one table here: its name, what it may be, what it is
 * when nobody says anything, and in one sentence what it is for. The file potluck.conf, the
 * environment, `potluck config`, the agent and the screen's settings all read and write by this
 * table, so that none knows a setting that the others do not.
 *
 * The file:  one `name = value` a line; '#' begins a comment; a name that is not known is an error
 *            (with the one that was probably meant), never passed over. `version` tells how old the
 *            file is: one without it may use the names of the agent's flags, which are taken as
 *            their settings and written anew by the next change. A newer version is refused.
 * Strength:  default < file < environment (POTLUCK_CORES=2 ...) < flag.
 *
 * Pure but for config_file_set. Thread: any one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "client/hours.h"

#define CONFIG_VERSION   1
#define CONFIG_MAX_BYTES 65536
#define CONFIG_TEXT_CAP  256

enum config_key {
    CONFIG_GEAR_IN_USE,
    CONFIG_GEAR_IDLE,
    CONFIG_CORES,
    CONFIG_DUTY,
    CONFIG_PRIORITY,
    CONFIG_IDLE_AFTER,
    CONFIG_BUSY,
    CONFIG_BATTERY,
    CONFIG_HEAT,
    CONFIG_HOURS,
    CONFIG_PAUSE_WHILE,
    CONFIG_MEMORY,
    CONFIG_MEMORY_FREE,
    CONFIG_RELEASE_AFTER,
    CONFIG_DISK_QUOTA,
    CONFIG_DISK_FREE,
    CONFIG_NETWORK_CAP,
    CONFIG_UPLOAD,
    CONFIG_DOWNLOAD,
    CONFIG_SAVE,
    CONFIG_SANDBOX,
    CONFIG_KEYS
};

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

enum config_kind { CONFIG_WORD, CONFIG_NUMBER, CONFIG_TIMES, CONFIG_NAMES };

/* One setting, as the table has it. */
struct config_item {
    const char *name;
    enum config_kind kind;
    const char *const *words; /* WORD: what it may be, ended by NULL */
    int64_t lo, hi;           /* NUMBER */
    const char *unit;         /* "s", "%", ... ; "" */
    const char *standard;     /* the default, as text */
    const char *zero;         /* NUMBER: what 0 means; NULL: nothing of its own */
    bool at_start;            /* taken up when the agent starts; else at once */
    const char *help;
};

struct config_value {
    enum config_source source;
    int64_t n;                  /* WORD: which; NUMBER: the number */
    char text[CONFIG_TEXT_CAP]; /* as it is shown and written */
};

struct config {
    struct config_value v[CONFIG_KEYS];
    bool is_old; /* the file has no version line */
};

const struct config_item *config_item(enum config_key k);
const char *config_source_name(enum config_source s); /* "default", "file", ... */

/* CONFIG_KEYS when there is no such. */
enum config_key config_find(const char *name);
/* The same; ERR_ARG with what was probably meant. */
int config_require(const char *name, enum config_key *ret, struct err *e) MUST_CHECK;

/* All as the defaults are. */
void config_init(struct config *c);

/* One value from a stronger or equal source; a weaker one changes nothing. ERR_ARG with what the
 * setting may be.
 */
int config_take(struct config *c, enum config_key k, const char *text, enum config_source source,
                struct err *e) MUST_CHECK;

/* The file's text, at most CONFIG_MAX_BYTES of any bytes. ERR_PROTO names the line; ERR_VERSION when
 * the file is newer. On an error ret is as it was; else lines of the file replace what is in it.
 */
int config_parse(struct config *ret, const void *text, size_t n, struct err *e) MUST_CHECK;

/* POTLUCK_<NAME IN CAPITALS>; look is getenv's shape. */
int config_environment(struct config *c, const char *(*look)(const char *name, void *ctx),
                       void *ctx, struct err *e) MUST_CHECK;

/* The file's text with one setting changed, everything else as it stands; text may be empty: then
 * the documented file is written. value NULL: back to the default.
 */
int config_edit(const void *text, size_t n, enum config_key k, const char *value, struct buf *out,
                struct err *e) MUST_CHECK;

/* The documented file: each setting with its sentence, its default as a comment. */
void config_template(struct buf *out);

/* The effective times; the value was checked when it was taken. */
void config_hours(const struct config *c, struct hours *ret);

/* Defaults and the file at path (absent: defaults). Blocks on the disk. */
int config_file_read(struct config *c, const char *path, struct err *e) MUST_CHECK;

/* Change one setting in the file at path, durably; makes file and folder when they are missing.
 * Blocks on the disk.
 */
int config_file_set(const char *path, enum config_key k, const char *value,
                    struct err *e) MUST_CHECK;

/* For people: one line each, with where the value comes from. For programs: an array of objects with
 * key, value, unit, source, default, help, choices, applies, and in_effect where notes (of
 * CONFIG_KEYS, or NULL) say what comes of it now.
 */
void config_text(const struct config *c, const char *path, struct buf *out);
int config_json(const struct config *c, const char *path, const char *const *notes, struct buf *out,
                struct err *e) MUST_CHECK;
/* One setting, as a line of config_text or an object of config_json. */
void config_text_one(const struct config *c, enum config_key k, struct buf *out);
json_t *config_json_one(const struct config *c, enum config_key k);
