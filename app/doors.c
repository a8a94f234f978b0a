#include "app/doors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aggregator/describe.h"
#include "aggregator/store_admit.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/utf8.h"

#define DAY_MS     86400000.0
#define USUAL_USES 1
#define USUAL_DAYS 30
#define ID_DIGITS  8
#define MAX_NOTE   64

struct doors {
    const struct doors_words *w;
    struct rundesc run;
    struct store *store;
    struct buf text; /* lines for a person */
    json_t *rows;    /* the same for a program */
};

static const char *const how_words[] = {"", "public", "invited", "listed", "removed"};

bool doors_is_command(const char *command)
{
    return strcmp(command, "doors") == 0 || strcmp(command, "invite") == 0 ||
           strcmp(command, "allow") == 0 || strcmp(command, "ban") == 0;
}

static int usage(struct err *e, const char *what, const char *hint)
{
    err_set(e, ERR_ARG, 0, "%s", what);
    err_hint(e, "%s", hint);
    return ERR_ARG;
}

static void put_day(struct buf *b, int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    char day[24] = "-";
    if (ms && gmtime_r(&t, &tm)) strftime(day, sizeof day, "%Y-%m-%d", &tm);
    buf_printf(b, "%-11s", day);
}

/* ---- invites -------------------------------------------------------------------------------- */

static bool is_open(const struct admit_invite *v, int64_t now_ms)
{
    bool has_uses = !v->max_uses || v->n_uses < v->max_uses;
    return !v->is_revoked && has_uses && (!v->expires_ms || now_ms < v->expires_ms);
}

static const char *invite_state(const struct admit_invite *v, int64_t now_ms)
{
    if (v->is_revoked) return "withdrawn";
    if (v->max_uses && v->n_uses >= v->max_uses) return "used up";
    return is_open(v, now_ms) ? "open" : "expired";
}

static void list_invite(const struct hash *code, const struct admit_invite *v, const char *note,
                        int64_t at_ms, void *ctx)
{
    struct doors *d = ctx;
    char id[HASH_HEX], uses[48], clean[MAX_NOTE + 1];
    int64_t now_ms = clock_wall_ms();
    hash_hex(code, id)[ID_DIGITS] = '\0';
    utf8_printable(note, clean, sizeof clean);
    json_t *o = json_object();
    json_set_text(o, "id", id);
    json_set_text(o, "state", invite_state(v, now_ms));
    json_set_u64(o, "uses", v->n_uses);
    json_set_u64(o, "max_uses", v->max_uses);
    json_set_i64(o, "expires_at_ms", v->expires_ms);
    json_set_i64(o, "made_at_ms", at_ms);
    json_set_text(o, "note", clean);
    json_array_append_new(d->rows, o);
    if (v->max_uses)
        snprintf(uses, sizeof uses, "%" PRIu64 " of %" PRIu64, v->n_uses, v->max_uses);
    else
        snprintf(uses, sizeof uses, "%" PRIu64, v->n_uses);
    buf_printf(&d->text, "%-10s%-11s%-10s", id, invite_state(v, now_ms), uses);
    put_day(&d->text, v->expires_ms);
    buf_printf(&d->text, "%s\n", clean);
}

static int list_invites(struct doors *d, struct err *e)
{
    buf_printf(&d->text, "%-10s%-11s%-10s%-11snote\n", "id", "state", "uses", "until");
    return store_admit_invites(d->store, list_invite, d, e);
}

static int revoke(struct doors *d, const char *id, struct err *e)
{
    uint32_t n = 0;
    bool is_all = strcmp(id, "all") == 0;
    if (!is_all && strlen(id) < ID_DIGITS)
        return usage(e, "that is not the id of an invite", "see: potluck-aggregator invite list");
    int rc = store_admit_revoke(d->store, is_all ? "" : id, &n, e);
    if (rc == OK && n == 0 && !is_all)
        return usage(e, "there is no open invite with that id",
                     "see: potluck-aggregator invite list");
    if (rc == OK)
        buf_printf(&d->text, "%" PRIu32 " withdrawn; who is in already stays in (see: allow)\n", n);
    return rc;
}

static int make_invite(struct doors *d, struct err *e)
{
    const struct doors_words *w = d->w;
    uint8_t secret[(MSG_INVITE_CAP - 1) / 2];
    char code[MSG_INVITE_CAP], link[640], id[HASH_HEX], note[MAX_NOTE + 1];
    bool is_private = false;
    int64_t now_ms = clock_wall_ms();
    double days = w->has_days ? w->days : USUAL_DAYS;
    struct admit_invite v = {.max_uses = w->has_uses ? w->uses : USUAL_USES};
    if (days > 0) v.expires_ms = now_ms + (int64_t)llround(days * DAY_MS);
    utf8_printable(w->note ? w->note : "", note, sizeof note);
    rng_secure(secret, sizeof secret);
    hex_encode(secret, sizeof secret, code);
    struct hash hash = store_admit_hash(code);
    hash_hex(&hash, id)[ID_DIGITS] = '\0';
    int rc = describe_invite(&d->run, code, link, sizeof link, e);
    if (rc == OK) rc = store_admit_add_invite(d->store, &hash, &v, note, now_ms, e);
    if (rc == OK) rc = store_admit_mode(d->store, &is_private, e);
    if (rc != OK) return rc;
    json_t *o = json_object();
    json_set_text(o, "link", link);
    json_set_text(o, "id", id);
    json_set_u64(o, "max_uses", v.max_uses);
    json_set_i64(o, "expires_at_ms", v.expires_ms);
    json_array_append_new(d->rows, o);
    buf_printf(&d->text, "%s\n", link);
    fprintf(stderr, "invite   %s; shown only now, and not kept: pass it on as it is\n", id);
    if (!is_private)
        fputs("note     this run is public: anybody may join without it. To change that:\n"
              "         potluck-aggregator doors private\n",
              stderr);
    return OK;
}

static int run_invite(struct doors *d, struct err *e)
{
    const struct doors_words *w = d->w;
    if (w->n_rest == 0) return make_invite(d, e);
    if (w->n_rest == 1 && strcmp(w->rest[0], "list") == 0) return list_invites(d, e);
    if (w->n_rest == 2 && strcmp(w->rest[0], "revoke") == 0) return revoke(d, w->rest[1], e);
    return usage(e, "'invite' knows no such words",
                 "invite [--uses N] [--days D] [--note TEXT], invite list, invite revoke ID|all");
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void list_member(const struct key_pub *k, enum admit_how how, const char *name,
                        int64_t at_ms, void *ctx)
{
    struct doors *d = ctx;
    char hex[KEY_HEX], clean[MSG_NAME_CAP];
    utf8_printable(name, clean, sizeof clean);
    json_t *o = json_object();
    json_set_key(o, "key", k);
    json_set_text(o, "how", how_words[how]);
    json_set_text(o, "name", clean);
    json_set_i64(o, "since_ms", at_ms);
    json_array_append_new(d->rows, o);
    buf_printf(&d->text, "%s  %-9s", key_hex(k, hex), how_words[how]);
    put_day(&d->text, at_ms);
    buf_printf(&d->text, "%s\n", clean);
}

static int set_member(struct doors *d, const char *hex, bool is_allowed, struct err *e)
{
    struct key_pub k;
    if (key_from_hex(hex, &k) != 0)
        return usage(e, "that is not a contributor's key",
                     "it has 64 hex digits: the \"key\" of `potluck status --json`");
    int rc = store_admit_set_how(d->store, &k, is_allowed ? ADMIT_LISTED : ADMIT_REMOVED,
                                 clock_wall_ms(), e);
    if (rc == OK)
        buf_put_str(&d->text, is_allowed ? "on the list; it counts at once\n"
                                         : "taken off; it is shut out from its next question on\n");
    return rc;
}

static int run_allow(struct doors *d, struct err *e)
{
    const struct doors_words *w = d->w;
    const char *word = w->n_rest ? w->rest[0] : "";
    if (w->n_rest == 1 && strcmp(word, "list") == 0)
        return store_admit_members(d->store, list_member, d, e);
    if (w->n_rest == 2 && strcmp(word, "add") == 0) return set_member(d, w->rest[1], true, e);
    if (w->n_rest == 2 && strcmp(word, "remove") == 0) return set_member(d, w->rest[1], false, e);
    return usage(e, "'allow' knows no such words", "allow add KEY, allow remove KEY, allow list");
}

/* The word that a host looks for when somebody has to go. */
static int run_ban(struct doors *d, struct err *e)
{
    if (d->w->n_rest == 1) return set_member(d, d->w->rest[0], false, e);
    return usage(e, "'ban' wants one key", "ban KEY; `allow add KEY` lets it in again");
}

/* ---- the doors themselves ------------------------------------------------------------------- */

struct counts {
    uint64_t n[sizeof how_words / sizeof *how_words];
    uint64_t n_open;
};

static void count_member(const struct key_pub *k, enum admit_how how, const char *name,
                         int64_t at_ms, void *ctx)
{
    (void)k;
    (void)name;
    (void)at_ms;
    ((struct counts *)ctx)->n[how]++;
}

static void count_invite(const struct hash *code, const struct admit_invite *v, const char *note,
                         int64_t at_ms, void *ctx)
{
    (void)code;
    (void)note;
    (void)at_ms;
    ((struct counts *)ctx)->n_open += is_open(v, clock_wall_ms());
}

static int tell_doors(struct doors *d, struct err *e)
{
    struct counts c = {0};
    bool is_private = false;
    int rc = store_admit_mode(d->store, &is_private, e);
    if (rc == OK) rc = store_admit_members(d->store, count_member, &c, e);
    if (rc == OK) rc = store_admit_invites(d->store, count_invite, &c, e);
    if (rc != OK) return rc;
    json_t *o = json_object();
    json_set_text(o, "doors", is_private ? "private" : "public");
    for (int i = ADMIT_PUBLIC; i <= ADMIT_REMOVED; i++)
        json_set_u64(o, how_words[i], c.n[i]);
    json_set_u64(o, "open_invites", c.n_open);
    json_set_u64(o, "puzzle_bits", d->run.puzzle.bits);
    json_array_append_new(d->rows, o);
    buf_printf(&d->text, "doors    %s\n",
               is_private ? "private: keys on the list, and who brings an invite"
                          : "public: every key, but those taken off the list");
    buf_printf(&d->text,
               "keys     %" PRIu64 " invited, %" PRIu64 " listed, %" PRIu64 " removed, %" PRIu64
               " came while it was public%s\n",
               c.n[ADMIT_INVITED], c.n[ADMIT_LISTED], c.n[ADMIT_REMOVED], c.n[ADMIT_PUBLIC],
               is_private && c.n[ADMIT_PUBLIC] ? " and are out now" : "");
    buf_printf(&d->text, "invites  %" PRIu64 " open\n", c.n_open);
    if (d->run.puzzle.bits)
        buf_printf(&d->text, "puzzle   %" PRIu32 " bits with %" PRIu32 " MiB\n", d->run.puzzle.bits,
                   d->run.puzzle.memory_kib / 1024);
    return OK;
}

static int run_doors(struct doors *d, struct err *e)
{
    const struct doors_words *w = d->w;
    const char *word = w->n_rest ? w->rest[0] : "";
    bool is_private = strcmp(word, "private") == 0;
    if (w->n_rest > 1 || (w->n_rest && !is_private && strcmp(word, "public") != 0))
        return usage(e, "'doors' knows no such words", "doors, doors public, doors private");
    int rc = w->n_rest ? store_admit_set_mode(d->store, is_private, e) : OK;
    return rc == OK ? tell_doors(d, e) : rc;
}

/* One object where one thing was asked for, a list where there may be many. */
static int print_json(const struct doors *d, struct err *e)
{
    struct buf b = {0};
    const char *word = d->w->n_rest ? d->w->rest[0] : "";
    bool is_list = strcmp(word, "list") == 0;
    const json_t *v = is_list ? d->rows : json_array_get(d->rows, 0);
    int rc = v ? json_write(v, &b, e) : OK;
    if (rc == OK) puts(v ? buf_str(&b) : "{\"ok\":true}");
    buf_deinit(&b);
    return rc;
}

int doors_run(const char *command, const struct doors_words *w, struct err *e)
{
    struct doors d = {.w = w, .rows = json_array()};
    char path[PATH_CAP];
    int rc = describe_read(w->home, &d.run, NULL, e);
    if (rc == OK && path_format(path, "%s/aggregator.db", w->home))
        rc = err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    if (rc == OK) rc = store_open(path, &d.run.id, &d.store, e);
    if (rc == OK) {
        rc = strcmp(command, "invite") == 0  ? run_invite(&d, e)
             : strcmp(command, "allow") == 0 ? run_allow(&d, e)
             : strcmp(command, "ban") == 0   ? run_ban(&d, e)
                                             : run_doors(&d, e);
    }
    if (rc == OK && w->is_json) rc = print_json(&d, e);
    if (rc == OK && !w->is_json) rc = buf_ok(&d.text, e);
    if (rc == OK && !w->is_json) fputs(buf_str(&d.text), stdout);
    store_close(d.store);
    json_decref(d.rows);
    buf_deinit(&d.text);
    return rc;
}
