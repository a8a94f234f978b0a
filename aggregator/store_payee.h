#pragma once
/* Why: to whom contributors want to be paid, until a settlement puts it on the record. Of each key the
 * newest signed text is kept (record/payee.h), told by its time: an older one that somebody kept cannot
 * come back, and a lost answer can be asked for again.
 *
 *   payees  key, time of the text, the text
 *
 * Thread, errors: as aggregator/store.h.
 */

#include "aggregator/store.h"
#include "record/payee.h"

/* m is what text says. Again with the same text: nothing changes. ERR_WRONG_STATE with a sentence when
 * another one of the same time or later is known.
 */
int store_payee_put(struct store *s, const struct payee *m, const char *text, size_t n,
                    struct err *e) MUST_CHECK;

/* The texts of those contributors of whom something was ever accepted, in the order of keys. fn
 * returns other than OK to stop, and that comes back. The store is locked meanwhile.
 */
typedef int (*store_payee_fn)(const char *text, size_t n, void *ctx, struct err *e);
int store_payee_each(struct store *s, store_payee_fn fn, void *ctx, struct err *e) MUST_CHECK;
