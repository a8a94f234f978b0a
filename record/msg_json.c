#include "record/msg_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"

#define ID_BYTES 16

uint64_t msg_json_count(struct json_reader *r, const json_t *o, const char *k, uint64_t lo)
{
    return json_u64(r, o, k, lo, (uint64_t)MSG_JSON_MAX_COUNT);
}

double msg_json_maybe(struct json_reader *r, const json_t *o, const char *k, double lo, double hi)
{
    if (json_is_null(json_object_get(o, k))) return NAN;
    return json_real_in(r, o, k, lo, hi);
}

void msg_json_text(struct json_reader *r, const json_t *o, const char *k, char *dst, size_t cap)
{
    char raw[1024];
    check(cap <= sizeof raw);
    json_text(r, o, k, raw, cap);
    utf8_printable(raw, dst, cap);
}

void msg_json_set_text(json_t *o, const char *k, const char *v)
{
    char safe[1024];
    json_set_text(o, k, utf8_printable(v, safe, sizeof safe));
}

void msg_json_id(struct json_reader *r, const json_t *o, const char *k, char *dst,
                 bool may_be_empty)
{
    char text[2 * ID_BYTES + 1];
    uint8_t bytes[ID_BYTES];
    json_text(r, o, k, text, sizeof text);
    bool is_empty = text[0] == 0;
    bool fits = strlen(text) == 2 * ID_BYTES && hex_decode(text, bytes, ID_BYTES) == 0;
    if (!fits && !(is_empty && may_be_empty))
        json_fail(r, "the field '%s' must be 32 hex digits", k);
    memcpy(dst, text, sizeof text);
}

uint32_t msg_json_word(struct json_reader *r, const json_t *o, const char *k,
                       const char *const *names, uint32_t n)
{
    char word[24];
    json_text(r, o, k, word, sizeof word);
    for (uint32_t i = 0; i < n; i++)
        if (names[i] && strcmp(names[i], word) == 0) return i;
    json_fail(r, "the field '%s' holds a word this program does not know", k);
    return 0;
}

void msg_json_only(struct json_reader *r, const json_t *o, const char *what, size_t n)
{
    if (!json_is_object(o))
        json_fail(r, "%s must be an object", what);
    else if (json_object_size(o) != n)
        json_fail(r, "%s has fields this program does not know", what);
}
