#pragma once
/* Why: a person who gives their processor likes to hear what became of it. After an update the
 * trainer's thread lets the model write a line, from nothing but the separator, for the screen.
 *
 * It may never be felt: one thread, some 24 tokens, at most once a minute, and not before a hundred
 * times what the last line took has been spent on training since (so 1 % at most; before the first
 * line its cost is estimated from the size of the weights). A pause stops it as fast as training; a
 * cancelled line is dropped.
 *
 * The seed is the round's: contributors of one determinism class read the same line.
 *
 * Owner: speak_create / speak_destroy. Thread: the trainer's, but speak_gate: any. Memory: of the
 * run's tokenizer, and a context of 64 tokens, taken when the first line is due.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/pool.h"
#include "record/rundesc.h"

#define SPEAK_CAP      200
#define SPEAK_TOKENS   24
#define SPEAK_EVERY_MS 60000
#define SPEAK_SHARE    100 /* training time for each unit of ours */

struct speak;

/* run outlives it. dir: the run's folder; a tokenizer.json kept there is taken when it is the run's.
 * ERR_NOMEM.
 */
int speak_create(const struct rundesc *run, const char *dir, struct speak **ret,
                 struct err *e) MUST_CHECK;
void speak_destroy(struct speak *s); /* accepts NULL */

/* Is the tokenizer missing still? Then it has to be fetched; once refused, it is not asked for again. */
bool speak_wants_tokenizer(const struct speak *s);

/* tokenizer.json as it came: held against the run's hash, kept in the run's folder. ERR_AUTH,
 * ERR_PROTO, ERR_NOMEM. That it cannot be kept is no error.
 */
int speak_tokenizer(struct speak *s, const void *json, size_t n, struct err *e) MUST_CHECK;

void speak_gate(struct speak *s, enum pool_gate gate);

/* So much more was spent on training. */
void speak_trained(struct speak *s, int64_t busy_ns);
bool speak_is_due(const struct speak *s, int64_t now_ms);

/* One line of at most SPEAK_CAP - 1 bytes, printable, white space as single spaces. params: the
 * weights. ERR_CANCELLED, ERR_NOMEM, ERR_PROTO (weights that are no numbers); then, too, the next
 * line is not due before its time.
 */
int speak_say(struct speak *s, const float *params, uint64_t round, int64_t now_ms,
              char dst[SPEAK_CAP], struct err *e) MUST_CHECK;
