#include "view/view.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"

/* Whole numbers stay within what every JSON reader keeps exact; sums and differences of two of
 * them can then never overflow. Reals are kept where a float can hold them.
 */
#define MAX_WHOLE (INT64_C(1) << 53)
#define MAX_REAL  1e18
#define FORMAT    1

/* One table per object serves both directions, so that what is written is what is read. */
enum kind { TEXT, I64, U64, U32, U8, BOOL, REAL, STATE, SERIES };

struct field {
    const char *name;
    enum kind kind;
    uint16_t cap; /* TEXT: room in bytes */
    size_t at;    /* offset in the struct */
};

#define FIELD(type, name, kind)                                                                    \
    {                                                                                              \
#        name, kind, 0, offsetof(struct type, name)                                                \
    }
#define TEXT_FIELD(type, name)                                                                     \
    {                                                                                              \
#        name, TEXT, sizeof(((struct type *)0)->name), offsetof(struct type, name)                 \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format off */
static const struct field view_fields[] = {
    FIELD(view, seq, U64), FIELD(view, at_ms, I64), TEXT_FIELD(view, version),
    FIELD(view, state, STATE), TEXT_FIELD(view, reason), FIELD(view, ends_at_ms, I64),
    TEXT_FIELD(view, override_hint), FIELD(view, is_paused, BOOL), FIELD(view, is_finishing, BOOL),
    TEXT_FIELD(view, wish), FIELD(view, snooze_until_ms, I64), FIELD(view, is_released, BOOL),
    TEXT_FIELD(view, gear), FIELD(view, is_in_use, BOOL), FIELD(view, duty_frac, REAL),
    FIELD(view, others_frac, REAL), FIELD(view, heat_c, REAL), FIELD(view, battery_frac, REAL),
    FIELD(view, is_demo, BOOL), FIELD(view, is_run_ended, BOOL), TEXT_FIELD(view, name), TEXT_FIELD(view, key),
    TEXT_FIELD(view, run_name), TEXT_FIELD(view, run_note), TEXT_FIELD(view, run_id),
    TEXT_FIELD(view, aggregator), FIELD(view, round, U64), FIELD(view, n_rounds, U64),
    FIELD(view, round_frac, REAL), FIELD(view, round_ends_at_ms, I64), FIELD(view, i_step, U64),
    FIELD(view, n_steps, U64), FIELD(view, n_params, U64), FIELD(view, n_layers, U32),
    FIELD(view, hidden_size, U32), FIELD(view, vocab_size, U32), FIELD(view, seq_len, U32),
    TEXT_FIELD(view, model_hash), FIELD(view, is_model_hash_agreed, BOOL),
    FIELD(view, is_model_hash_wrong, BOOL),
    TEXT_FIELD(view, engine), TEXT_FIELD(view, said), FIELD(view, said_round, U64),
    FIELD(view, bits_per_value, REAL), FIELD(view, payload_bytes, U64),
    FIELD(view, tok_per_s, REAL), FIELD(view, tok_per_s_avg, REAL),
    FIELD(view, tok_per_s_best, REAL), FIELD(view, loss, REAL), FIELD(view, loss_best, REAL),
    FIELD(view, val_loss, REAL), FIELD(view, val_bits_per_byte, REAL), FIELD(view, val_round, U64),
    FIELD(view, n_tokens, U64), FIELD(view, n_accepted, U64), FIELD(view, n_late, U64),
    FIELD(view, n_rejected, U64), FIELD(view, credits_confirmed, I64),
    FIELD(view, credits_pending, I64), TEXT_FIELD(view, reward_unit),
    FIELD(view, today_lo, I64), FIELD(view, today_hi, I64), FIELD(view, day_lo, I64), FIELD(view, day_hi, I64),
    FIELD(view, week_lo, I64), FIELD(view, week_hi, I64), FIELD(view, credits_per_hour, I64),
    FIELD(view, n_forecasts, U32), FIELD(view, n_forecasts_held, U32), FIELD(view, n_peers, U32),
    FIELD(view, swarm_tok_per_s, REAL), FIELD(view, bytes_up, U64), FIELD(view, bytes_down, U64),
    FIELD(view, rtt_ms, REAL), FIELD(view, saved_ms_ago, I64), FIELD(view, cpu_frac, REAL),
    FIELD(view, n_threads, U32), FIELD(view, n_cores, U32), FIELD(view, rss_bytes, U64),
    FIELD(view, fetch_frac, REAL), FIELD(view, up_per_s, REAL), FIELD(view, down_per_s, REAL),
    FIELD(view, fetch_left_ms, I64), FIELD(view, ms_train, I64), FIELD(view, ms_pack, I64),
    FIELD(view, ms_upload, I64), FIELD(view, ms_wait, I64), FIELD(view, ms_apply, I64),
    FIELD(view, range, U32), FIELD(view, speed, SERIES), FIELD(view, loss_curve, SERIES), FIELD(view, val_curve, SERIES),
    FIELD(view, earned, SERIES), FIELD(view, earned_pending, SERIES),
    FIELD(view, peers_curve, SERIES),
};
static const struct field peer_fields[] = {
    TEXT_FIELD(view_peer, name), FIELD(view_peer, is_you, BOOL), FIELD(view_peer, tok_per_s, REAL),
    FIELD(view_peer, share_frac, REAL), TEXT_FIELD(view_peer, state),
    TEXT_FIELD(view_peer, last10), FIELD(view_peer, seen_ms_ago, I64),
};
static const struct field credit_fields[] = {
    FIELD(view_credit, at_ms, I64), FIELD(view_credit, round, U64),
    FIELD(view_credit, n_tokens, U64), TEXT_FIELD(view_credit, result),
    FIELD(view_credit, amount, I64), FIELD(view_credit, is_settled, BOOL),
};
static const struct field hold_fields[] = {
    TEXT_FIELD(view_hold, name), TEXT_FIELD(view_hold, reason), TEXT_FIELD(view_hold, end),
    FIELD(view_hold, ends_at_ms, I64), FIELD(view_hold, can_override, BOOL),
    FIELD(view_hold, is_overridden, BOOL),
};
static const struct field source_fields[] = {
    TEXT_FIELD(view_source, name), FIELD(view_source, is_working, BOOL),
    TEXT_FIELD(view_source, text),
};
static const struct field card_fields[] = {
    TEXT_FIELD(view_card, title), TEXT_FIELD(view_card, text),
};
static const struct field mark_fields[] = {
    FIELD(view_mark, at_ms, I64), FIELD(view_mark, until_ms, I64), FIELD(view_mark, is_open, BOOL),
    TEXT_FIELD(view_mark, kind), TEXT_FIELD(view_mark, why),
};
static const struct field day_fields[] = {
    FIELD(view_day, at_ms, I64), FIELD(view_day, amount, I64),
};
static const struct field log_fields[] = {
    FIELD(view_log, at_ms, I64), FIELD(view_log, level, U8), TEXT_FIELD(view_log, text),
};
static const struct rows {
    const char *name;
    size_t at, at_n; /* the array and its count */
    size_t size, cap;
    const struct field *fields;
    size_t n_fields;
} row_sets[] = {
    {"peers", offsetof(struct view, peers), offsetof(struct view, n_peer_rows),
     sizeof(struct view_peer), VIEW_PEERS, peer_fields, COUNT(peer_fields)},
    {"credits", offsetof(struct view, credits), offsetof(struct view, n_credit_rows),
     sizeof(struct view_credit), VIEW_CREDITS, credit_fields, COUNT(credit_fields)},
    {"holds", offsetof(struct view, holds), offsetof(struct view, n_holds),
     sizeof(struct view_hold), VIEW_HOLDS, hold_fields, COUNT(hold_fields)},
    {"sources", offsetof(struct view, sources), offsetof(struct view, n_sources),
     sizeof(struct view_source), VIEW_SOURCES, source_fields, COUNT(source_fields)},
    {"card", offsetof(struct view, card), offsetof(struct view, n_card),
     sizeof(struct view_card), VIEW_CARD, card_fields, COUNT(card_fields)},
    {"marks", offsetof(struct view, marks), offsetof(struct view, n_marks),
     sizeof(struct view_mark), VIEW_MARKS, mark_fields, COUNT(mark_fields)},
    {"days", offsetof(struct view, days), offsetof(struct view, n_days),
     sizeof(struct view_day), VIEW_DAYS, day_fields, COUNT(day_fields)},
    {"log", offsetof(struct view, log), offsetof(struct view, n_log),
     sizeof(struct view_log), VIEW_LOG, log_fields, COUNT(log_fields)},
};
static const char *const words[VIEW_STATE_COUNT] = {
    [VIEW_IDLE] = "NO RUN", [VIEW_JOINING] = "JOINING", [VIEW_FETCHING] = "FETCHING",
    [VIEW_RUNNING] = "RUNNING", [VIEW_SENDING] = "SENDING", [VIEW_WAITING] = "WAITING",
    [VIEW_PAUSED] = "PAUSED", [VIEW_FINISHING] = "FINISHING", [VIEW_RETRYING] = "RETRYING",
    [VIEW_STOPPED] = "STOPPED", [VIEW_LEAVING] = "LEAVING", [VIEW_NO_CONTACT] = "NO CONTACT",
    [VIEW_DONE] = "DONE", [VIEW_ENDING] = "ENDING", [VIEW_SNOOZED] = "SNOOZED",
};
/* clang-format on */

static const struct {
    const char *text, *name;
    uint32_t step_ms;
} ranges[VIEW_RANGES] = {
    [VIEW_10M] = {"10 m", "10m", 2500    },
      [VIEW_1H] = {"1 h",  "1h",  15000   },
    [VIEW_24H] = {"24 h", "24h", 360000  },
      [VIEW_7D] = {"7 d",  "7d",  2520000 },
    [VIEW_ALL] = {"all",  "all", 10800000},
};

const char *view_range_text(enum view_range r)
{
    return (unsigned)r < VIEW_RANGES ? ranges[r].text : "-";
}

const char *view_range_name(enum view_range r)
{
    return (unsigned)r < VIEW_RANGES ? ranges[r].name : "";
}

enum view_range view_range_from_name(const char *name)
{
    int i = 0;
    while (i < VIEW_RANGES && strcmp(ranges[i].name, name) != 0)
        i++;
    return (enum view_range)i;
}

uint32_t view_range_step_ms(enum view_range r)
{
    return ranges[(unsigned)r < VIEW_RANGES ? r : VIEW_10M].step_ms;
}

const char *view_state_word(enum view_state s)
{
    return (unsigned)s < VIEW_STATE_COUNT ? words[s] : "UNKNOWN";
}

bool view_is_held(const struct view *v)
{
    for (uint32_t i = 0; i < v->n_holds && i < VIEW_HOLDS; i++)
        if (!v->holds[i].is_overridden) return true;
    return false;
}

static void *at(void *object, size_t offset)
{
    return (char *)object + offset;
}

static void set_missing(void *object, const struct field *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (f[i].kind == REAL) *(double *)at(object, f[i].at) = NAN;
        if (f[i].kind == I64) *(int64_t *)at(object, f[i].at) = VIEW_NONE;
    }
}

void view_init(struct view *v)
{
    memset(v, 0, sizeof *v);
    set_missing(v, view_fields, COUNT(view_fields));
    v->at_ms = 0;
}

static void put_whole(struct buf *out, int64_t x)
{
    if (x == VIEW_NONE)
        buf_put_str(out, "null");
    else
        buf_printf(out, "%lld",
                   (long long)(x > MAX_WHOLE    ? MAX_WHOLE
                               : x < -MAX_WHOLE ? -MAX_WHOLE
                                                : x));
}

static void put_unsigned(struct buf *out, uint64_t x)
{
    put_whole(out, x > (uint64_t)MAX_WHOLE ? MAX_WHOLE : (int64_t)x);
}

static void put_real(struct buf *out, double x, int digits)
{
    if (isfinite(x) && fabs(x) <= MAX_REAL)
        buf_printf(out, "%.*g", digits, x);
    else
        buf_put_str(out, "null");
}

/* Made harmless first, so only the quote and the backslash still need care. */
static void put_text(struct buf *out, const char *s, size_t cap)
{
    char safe[VIEW_LINE_CAP + 256];
    check(cap <= sizeof safe);
    utf8_printable(s, safe, cap);
    buf_put_u8(out, '"');
    for (const char *p = safe; *p; p++) {
        if (*p == '"' || *p == '\\') buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)*p);
    }
    buf_put_u8(out, '"');
}

static void put_series(struct buf *out, const struct view_series *s)
{
    uint32_t n = s->n < VIEW_SERIES ? s->n : VIEW_SERIES;
    buf_printf(out, "{\"step_ms\":%u,\"v\":[", s->step_ms);
    for (uint32_t i = 0; i < n; i++) {
        if (i) buf_put_u8(out, ',');
        put_real(out, (double)s->v[i], 5);
    }
    buf_put_str(out, "]}");
}

static void put_field(struct buf *out, const struct field *f, const void *p)
{
    buf_printf(out, "\"%s\":", f->name);
    switch (f->kind) {
    case TEXT: put_text(out, p, f->cap); break;
    case I64: put_whole(out, *(const int64_t *)p); break;
    case U64: put_unsigned(out, *(const uint64_t *)p); break;
    case U32: put_unsigned(out, *(const uint32_t *)p); break;
    case U8: put_unsigned(out, *(const uint8_t *)p); break;
    case BOOL: buf_put_str(out, *(const bool *)p ? "true" : "false"); break;
    case REAL: put_real(out, *(const double *)p, 17); break;
    case STATE: buf_printf(out, "\"%s\"", view_state_word(*(const enum view_state *)p)); break;
    case SERIES: put_series(out, p); break;
    }
}

static void put_fields(struct buf *out, const struct field *f, size_t n, const void *object)
{
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_u8(out, ',');
        put_field(out, &f[i], (const char *)object + f[i].at);
    }
}

int view_encode(const struct view *v, struct buf *out, struct err *e)
{
    buf_printf(out, "{\"view\":%d,", FORMAT);
    put_fields(out, view_fields, COUNT(view_fields), v);
    for (size_t i = 0; i < COUNT(row_sets); i++) {
        const struct rows *r = &row_sets[i];
        uint32_t n = *(const uint32_t *)(const void *)((const char *)v + r->at_n);
        buf_printf(out, ",\"%s\":[", r->name);
        for (size_t k = 0; k < n && k < r->cap; k++) {
            buf_put_str(out, k ? ",{" : "{");
            put_fields(out, r->fields, r->n_fields, (const char *)v + r->at + k * r->size);
            buf_put_u8(out, '}');
        }
        buf_put_u8(out, ']');
    }
    buf_put_u8(out, '}');
    return buf_ok(out, e);
}

static double get_real(struct json_reader *r, const json_t *x, const char *name)
{
    if (json_is_null(x)) return NAN;
    double v = json_number_value(x);
    if (json_is_number(x) && fabs(v) <= MAX_REAL) return v;
    json_fail(r, "'%s' must be a number or null", name);
    return NAN;
}

static int64_t get_whole(struct json_reader *r, const json_t *x, const char *name, int64_t lo,
                         int64_t hi)
{
    int64_t v = json_integer_value(x);
    if (json_is_integer(x) && v >= lo && v <= hi) return v;
    json_fail(r, "'%s' must be a whole number from %lld to %lld", name, (long long)lo,
              (long long)hi);
    return 0;
}

static void get_series(struct json_reader *r, const json_t *x, const char *name,
                       struct view_series *ret)
{
    const json_t *values = json_object_get(x, "v");
    const json_t *v = NULL;
    size_t i = 0;
    if (!json_is_array(values) || json_array_size(values) > VIEW_SERIES) {
        json_fail(r, "'%s' must hold an array 'v' of at most %d numbers", name, VIEW_SERIES);
        return;
    }
    ret->step_ms = (uint32_t)get_whole(r, json_object_get(x, "step_ms"), name, 0, UINT32_MAX);
    ret->n = (uint32_t)json_array_size(values);
    json_each (i, v, values)
        ret->v[i] = (float)get_real(r, v, name);
}

static void get_text(struct json_reader *r, const json_t *x, const struct field *f, char *dst)
{
    const char *s = json_string_value(x);
    if (s)
        utf8_printable(s, dst, f->cap);
    else
        json_fail(r, "'%s' must be text", f->name);
}

static enum view_state get_state(struct json_reader *r, const json_t *x)
{
    const char *s = json_string_value(x);
    for (int i = 0; s && i < VIEW_STATE_COUNT; i++)
        if (strcmp(s, words[i]) == 0) return (enum view_state)i;
    json_fail(r, "'state' is not a word that this screen knows");
    return VIEW_IDLE;
}

static void get_field(struct json_reader *r, const json_t *x, const struct field *f, void *p)
{
    switch (f->kind) {
    case TEXT: get_text(r, x, f, p); break;
    case I64:
        if (json_is_null(x))
            *(int64_t *)p = VIEW_NONE;
        else
            *(int64_t *)p = get_whole(r, x, f->name, -MAX_WHOLE, MAX_WHOLE);
        break;
    case U64: *(uint64_t *)p = (uint64_t)get_whole(r, x, f->name, 0, MAX_WHOLE); break;
    case U32: *(uint32_t *)p = (uint32_t)get_whole(r, x, f->name, 0, UINT32_MAX); break;
    case U8: *(uint8_t *)p = (uint8_t)get_whole(r, x, f->name, 0, LOG_ERROR); break;
    case BOOL:
        if (!json_is_boolean(x)) json_fail(r, "'%s' must be true or false", f->name);
        *(bool *)p = json_is_true(x);
        break;
    case REAL: *(double *)p = get_real(r, x, f->name); break;
    case STATE: *(enum view_state *)p = get_state(r, x); break;
    case SERIES: get_series(r, x, f->name, p); break;
    }
}

/* Absent members keep their missing value and unknown ones are passed over, so that an agent and
 * a screen of neighbouring versions understand each other; a present member must be sound.
 */
static void get_fields(struct json_reader *r, const json_t *o, const struct field *f, size_t n,
                       void *object)
{
    if (!json_is_object(o)) json_fail(r, "a row must be an object");
    set_missing(object, f, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_object_get(o, f[i].name);
        if (x) get_field(r, x, &f[i], at(object, f[i].at));
    }
}

static void get_rows(struct json_reader *r, const json_t *o, const struct rows *set, struct view *v)
{
    const json_t *rows = json_object_get(o, set->name);
    if (!rows) return;
    if (!json_is_array(rows) || json_array_size(rows) > set->cap) {
        json_fail(r, "'%s' must be an array of at most %zu rows", set->name, set->cap);
        return;
    }
    *(uint32_t *)at(v, set->at_n) = (uint32_t)json_array_size(rows);
    for (size_t i = 0; i < json_array_size(rows); i++)
        get_fields(r, json_array_get(rows, i), set->fields, set->n_fields,
                   at(v, set->at + i * set->size));
}

static int check_format(const json_t *o, struct err *e)
{
    const json_t *f = json_object_get(o, "view");
    if (!json_is_integer(f)) return err_set(e, ERR_PROTO, 0, "this is no view of an agent");
    if (json_integer_value(f) == FORMAT) return OK;
    err_set(e, ERR_VERSION, 0, "the agent speaks view format %lld, this program format %d",
            (long long)json_integer_value(f), FORMAT);
    err_hint(e, "end the old agent with 'potluck stop', then start potluck again");
    return ERR_VERSION;
}

int view_decode(const void *json, size_t n, struct view *ret, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc) return rc;
    rc = check_format(o, e);
    if (rc == OK) {
        struct json_reader r = {.e = e};
        struct view *v = alloc_zero(1, sizeof *v);
        if (!v) {
            rc = err_set(e, ERR_NOMEM, 0, "out of memory while reading a view");
        } else {
            view_init(v);
            get_fields(&r, o, view_fields, COUNT(view_fields), v);
            for (size_t i = 0; i < COUNT(row_sets); i++)
                get_rows(&r, o, &row_sets[i], v);
            if (json_bad(&r))
                rc = ERR_PROTO;
            else
                *ret = *v;
        }
        free(v);
    }
    json_decref(o);
    return rc;
}

/* ---- a card alone --------------------------------------------------------------------------- */

int view_card_encode(const struct view_card *rows, uint32_t n, struct buf *out, struct err *e)
{
    buf_put_str(out, "{\"card\":[");
    for (uint32_t i = 0; i < n && i < VIEW_CARD; i++) {
        buf_put_str(out, i ? ",{" : "{");
        put_fields(out, card_fields, COUNT(card_fields), &rows[i]);
        buf_put_u8(out, '}');
    }
    buf_put_str(out, "]}");
    return buf_ok(out, e);
}

int view_card_decode(const void *json, size_t n, struct view_card ret[VIEW_CARD], uint32_t *ret_n,
                     struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc) return rc;
    struct json_reader r = {.e = e};
    const json_t *rows = json_object_get(o, "card");
    size_t n_rows = json_array_size(rows);
    struct view_card card[VIEW_CARD];
    if (!json_is_array(rows) || n_rows > VIEW_CARD)
        json_fail(&r, "'card' must be an array of at most %d rows", VIEW_CARD);
    for (size_t i = 0; i < n_rows && i < VIEW_CARD; i++) {
        memset(&card[i], 0, sizeof card[i]);
        get_fields(&r, json_array_get(rows, i), card_fields, COUNT(card_fields), &card[i]);
    }
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    memcpy(ret, card, n_rows * sizeof *card);
    *ret_n = (uint32_t)n_rows;
    return OK;
}
