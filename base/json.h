#pragma once
/* Why: jansson, and the few helpers that make reading foreign JSON strict and short. This header
 * is the only one that includes <jansson.h>. Parsing refuses duplicate keys, bad UTF-8, trailing
 * junk and depth above 64.
 *
 * A reader collects the first mistake and goes on with zeros, so that a whole object is read
 * first and checked once:
 *
 *     struct json_reader r = {.e = e};
 *     cfg->hidden_size = json_u32(&r, obj, "hidden_size", 1, 65536);
 *     if (json_bad(&r)) return ERR_PROTO;
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"

/* Parse text (not NUL-terminated). The caller owns the result: json_decref. ERR_PROTO. */
int json_parse(const void *text, size_t n, json_t **ret, struct err *e) MUST_CHECK;

/* Append the canonical form: sorted keys, no spaces, reals with 17 digits. */
int json_write(const json_t *v, struct buf *out, struct err *e) MUST_CHECK;

struct json_reader {
    struct err *e;
    bool bad;
};

/* Required members; a missing or unfit one marks the reader bad. */
uint64_t json_u64(struct json_reader *r, const json_t *o, const char *k, uint64_t lo, uint64_t hi);
uint32_t json_u32(struct json_reader *r, const json_t *o, const char *k, uint32_t lo, uint32_t hi);
int64_t json_i64(struct json_reader *r, const json_t *o, const char *k, int64_t lo, int64_t hi);
double json_real_in(struct json_reader *r, const json_t *o, const char *k, double lo, double hi);
bool json_bool(struct json_reader *r, const json_t *o, const char *k);
void json_text(struct json_reader *r, const json_t *o, const char *k, char *dst, size_t cap);
void json_hash(struct json_reader *r, const json_t *o, const char *k, struct hash *ret);
void json_key(struct json_reader *r, const json_t *o, const char *k, struct key_pub *ret);
const json_t *json_object_in(struct json_reader *r, const json_t *o, const char *k);
const json_t *json_array_in(struct json_reader *r, const json_t *o, const char *k, size_t max);
static inline bool json_bad(const struct json_reader *r)
{
    return r->bad;
}

/* Mark the reader bad with a reason of the caller's own. */
void json_fail(struct json_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define json_each(i, v, a)                                                                         \
    for ((i) = 0; (i) < json_array_size(a) && ((v) = json_array_get(a, i)); (i)++)

/* Writers: silently do nothing when o is NULL or memory runs out (json_write then fails). */
void json_set_u64(json_t *o, const char *k, uint64_t v);
void json_set_i64(json_t *o, const char *k, int64_t v);
void json_set_real(json_t *o, const char *k, double v); /* non-finite becomes null */
void json_set_bool(json_t *o, const char *k, bool v);
void json_set_text(json_t *o, const char *k, const char *v); /* invalid UTF-8 is made printable */
void json_set_hash(json_t *o, const char *k, const struct hash *v);
void json_set_key(json_t *o, const char *k, const struct key_pub *v);
