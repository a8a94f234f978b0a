#pragma once
/* Why: the kinds of fields that messages and run descriptions share, each with its bounds in one
 * place: counts that any JSON reader keeps exact, numbers that may be missing, text that cannot
 * steer a terminal, identifiers. All of them mark the reader bad instead of returning an error.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

/* Largest count on the wire: 2^53 - 1, since many JSON readers keep numbers in doubles. */
#define MSG_JSON_MAX_COUNT ((1LL << 53) - 1)

/* Wall clock and durations in ms: up to the year 10889, so sums of two never overflow. */
#define MSG_JSON_MAX_MS (1LL << 48)

/* A count from lo to MSG_JSON_MAX_COUNT. */
uint64_t msg_json_count(struct json_reader *r, const json_t *o, const char *k, uint64_t lo);

/* A number from lo to hi, or null for "not known", which reads as NaN. */
double msg_json_maybe(struct json_reader *r, const json_t *o, const char *k, double lo, double hi);

/* Text from a peer, made printable; at most cap - 1 bytes. */
void msg_json_text(struct json_reader *r, const json_t *o, const char *k, char *dst, size_t cap);
void msg_json_set_text(json_t *o, const char *k, const char *v);

/* A contribution or session id: 32 lower-case hex digits; "" too when may_be_empty. */
void msg_json_id(struct json_reader *r, const json_t *o, const char *k, char *dst,
                 bool may_be_empty);

/* One of the words names[0..n-1]; its index, or 0 and the reader bad. names[i] may be NULL. */
uint32_t msg_json_word(struct json_reader *r, const json_t *o, const char *k,
                       const char *const *names, uint32_t n);

/* Refuse fields beyond the n that have been read: for objects in which an unknown field would
 * change the meaning of the known ones.
 */
void msg_json_only(struct json_reader *r, const json_t *o, const char *what, size_t n);
