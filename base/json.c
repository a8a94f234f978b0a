#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define MAX_DEPTH 64

/* jansson's own depth limit is 2048; ours keeps recursion small. Strings are skipped. */
static bool too_deep(const char *p, size_t n)
{
    int depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < n; i++) {
        if (in_text) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                in_text = false;
        } else if (p[i] == '"') {
            in_text = true;
        } else if (p[i] == '{' || p[i] == '[') {
            if (++depth > MAX_DEPTH) return true;
        } else if (p[i] == '}' || p[i] == ']') {
            depth--;
        }
    }
    return false;
}

int json_parse(const void *text, size_t n, json_t **ret, struct err *e)
{
    json_error_t je = {0};
    if (too_deep(text, n))
        return err_set(e, ERR_PROTO, 0, "JSON is nested deeper than %d", MAX_DEPTH);
    json_t *v = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!v) {
        char safe[128];
        utf8_printable(je.text, safe, sizeof safe);
        return err_set(e, ERR_PROTO, 0, "not valid JSON, line %d: %s", je.line, safe);
    }
    *ret = v;
    return OK;
}

static int append(const char *p, size_t n, void *out)
{
    struct buf *b = out;
    buf_put(b, p, n);
    return b->failed ? -1 : 0;
}

int json_write(const json_t *v, struct buf *out, struct err *e)
{
    size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    if (!v || json_dump_callback(v, append, out, flags))
        return err_set(e, ERR_NOMEM, 0, "out of memory while writing JSON");
    return OK;
}

void json_fail(struct json_reader *r, const char *fmt, ...)
{
    if (r->bad) return; /* the first mistake is the useful one */
    r->bad = true;
    char text[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(r->e, ERR_PROTO, 0, "%s", text);
}

static const json_t *member(struct json_reader *r, const json_t *o, const char *k)
{
    const json_t *v = json_object_get(o, k);
    if (!v) json_fail(r, "the field '%s' is missing", k);
    return v;
}

int64_t json_i64(struct json_reader *r, const json_t *o, const char *k, int64_t lo, int64_t hi)
{
    const json_t *v = member(r, o, k);
    if (!v) return 0;
    int64_t x = json_integer_value(v);
    if (!json_is_integer(v) || x < lo || x > hi) {
        json_fail(r, "the field '%s' must be a whole number from %lld to %lld", k, (long long)lo,
                  (long long)hi);
        return 0;
    }
    return x;
}

uint64_t json_u64(struct json_reader *r, const json_t *o, const char *k, uint64_t lo, uint64_t hi)
{
    uint64_t top = hi > INT64_MAX ? INT64_MAX : hi;
    return (uint64_t)json_i64(r, o, k, (int64_t)lo, (int64_t)top);
}

uint32_t json_u32(struct json_reader *r, const json_t *o, const char *k, uint32_t lo, uint32_t hi)
{
    return (uint32_t)json_i64(r, o, k, lo, hi);
}

double json_real_in(struct json_reader *r, const json_t *o, const char *k, double lo, double hi)
{
    const json_t *v = member(r, o, k);
    if (!v) return 0;
    double x = json_number_value(v);
    if (!json_is_number(v) || !(x >= lo && x <= hi)) {
        json_fail(r, "the field '%s' must be a number from %g to %g", k, lo, hi);
        return 0;
    }
    return x;
}

bool json_bool(struct json_reader *r, const json_t *o, const char *k)
{
    const json_t *v = member(r, o, k);
    if (v && !json_is_boolean(v)) json_fail(r, "the field '%s' must be true or false", k);
    return json_is_true(v);
}

void json_text(struct json_reader *r, const json_t *o, const char *k, char *dst, size_t cap)
{
    const json_t *v = member(r, o, k);
    dst[0] = 0;
    if (!v) return;
    const char *s = json_string_value(v);
    if (!s || strlen(s) != json_string_length(v) || strlen(s) >= cap)
        json_fail(r, "the field '%s' must be text of at most %zu bytes", k, cap - 1);
    else
        snprintf(dst, cap, "%s", s);
}

void json_hash(struct json_reader *r, const json_t *o, const char *k, struct hash *ret)
{
    const json_t *v = member(r, o, k);
    const char *s = json_string_value(v);
    if (v && (!s || hash_from_hex(s, ret)))
        json_fail(r, "the field '%s' must be a SHA-256 in hex", k);
}

void json_key(struct json_reader *r, const json_t *o, const char *k, struct key_pub *ret)
{
    const json_t *v = member(r, o, k);
    const char *s = json_string_value(v);
    if (v && (!s || key_from_hex(s, ret))) json_fail(r, "the field '%s' must be a key in hex", k);
}

const json_t *json_object_in(struct json_reader *r, const json_t *o, const char *k)
{
    const json_t *v = member(r, o, k);
    if (v && !json_is_object(v)) json_fail(r, "the field '%s' must be an object", k);
    return v;
}

const json_t *json_array_in(struct json_reader *r, const json_t *o, const char *k, size_t max)
{
    const json_t *v = member(r, o, k);
    if (v && (!json_is_array(v) || json_array_size(v) > max))
        json_fail(r, "the field '%s' must be a list of at most %zu", k, max);
    return v;
}

void json_set_u64(json_t *o, const char *k, uint64_t v)
{
    json_object_set_new(o, k, json_integer((json_int_t)v));
}

void json_set_i64(json_t *o, const char *k, int64_t v)
{
    json_object_set_new(o, k, json_integer(v));
}

void json_set_real(json_t *o, const char *k, double v)
{
    json_object_set_new(o, k, isfinite(v) ? json_real(v) : json_null());
}

void json_set_bool(json_t *o, const char *k, bool v)
{
    json_object_set_new(o, k, json_boolean(v));
}

void json_set_text(json_t *o, const char *k, const char *v)
{
    if (utf8_valid(v, strlen(v))) {
        json_object_set_new(o, k, json_string(v));
        return;
    }
    char safe[1024];
    json_object_set_new(o, k, json_string(utf8_printable(v, safe, sizeof safe)));
}

void json_set_hash(json_t *o, const char *k, const struct hash *v)
{
    char hex[HASH_HEX];
    json_object_set_new(o, k, json_string(hash_hex(v, hex)));
}

void json_set_key(json_t *o, const char *k, const struct key_pub *v)
{
    char hex[KEY_HEX];
    json_object_set_new(o, k, json_string(key_hex(v, hex)));
}
