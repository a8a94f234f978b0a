#pragma once
/* Why: choices and prepared text together make the run description, signed once and never changed
 * after. Written by whichever of init and prepare comes second.
 */

#include "aggregator/dataset.h"
#include "aggregator/setup.h"
#include "record/rundesc.h"

/* The shape of the new model that these choices make, for a vocabulary of so many. */
void describe_model(const struct setup *s, uint32_t vocab, struct model_config *m);
#define DESCRIBE_VOCAB 4096u /* until the text is prepared */

/* The description that choices and data make; unsigned, initial_model included (this makes or reads
 * the initial weights once: n_params floats of memory for a moment). home: where HOME/model lies,
 * looked at when s->from says so.
 */
int describe_fill(const char *home, const struct setup *s, const struct dataset *d,
                  const struct key_pub *host, const struct hash *tls_pin, struct rundesc *ret,
                  struct err *e) MUST_CHECK;

/* Would these choices make a description that is taken? ERR_ARG with a sentence when not. from: of
 * the model that the run goes on from, or NULL.
 */
int describe_check(const struct setup *s, const struct model_config *from,
                   struct err *e) MUST_CHECK;

/* Write HOME/run.potluck if choices and prepared data are both there: OK and the description;
 * ERR_AGAIN (no text) when one of the two is missing. An existing run.potluck is kept and read.
 */
int describe_home(const char *home, struct rundesc *ret, struct err *e) MUST_CHECK;

/* Read and check HOME/run.potluck. ERR_NOTFOUND with the next step when there is none. jws (may
 * be NULL) gets its text without white space at the end: what is served.
 */
int describe_read(const char *home, struct rundesc *ret, struct buf *jws, struct err *e) MUST_CHECK;

/* The invite link of a run, with an invite code in its fragment or "" without. */
int describe_invite(const struct rundesc *d, const char *code, char *dst, size_t cap,
                    struct err *e) MUST_CHECK;
