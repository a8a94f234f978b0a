#pragma once
/* Why: the public record as static files under HOME/record, laid out as C2SP tlog-tiles says
 * (record/tiles.h), with the newest tree head in `checkpoint`. They are a pure function of the
 * store's table of entries and of the host's key: after a crash at any step the same files are
 * written again, byte for byte. Order: full tiles and bundles, partial ones, tree head, and only
 * then the partial ones of the head before go.
 *
 * A tree head that is on disk is never taken back: when the table is shorter or says otherwise
 * (an old copy of the database was put back), nothing is written any more and the host is told.
 *
 * Owner: publish_log_open / publish_log_close. Thread: any, one call at a time. Blocks.
 */

#include "aggregator/spool.h"
#include "aggregator/store.h"
#include "base/key.h"

/* Called before each durable step with its name; other than OK ends the publication there, as a
 * power cut would. For tests; NULL in the server.
 */
typedef int (*publish_step_fn)(void *ctx, const char *what, struct err *e);

struct publish_log;

/* spool outlives it. Reads the tree head that is there; writes nothing. */
int publish_log_open(const struct spool *spool, const struct hash *run, const struct key *key,
                     struct publish_log **ret, struct err *e) MUST_CHECK;
void publish_log_close(struct publish_log *l); /* accepts NULL */
void publish_log_on_step(struct publish_log *l, publish_step_fn fn, void *ctx);

/* Bring the files up to the table. Again when it failed: it goes on where it stopped. ERR_AUTH:
 * the table and the tree head on disk contradict each other; ERR_IO.
 */
int publish_log_write(struct publish_log *l, struct store *s, struct err *e) MUST_CHECK;

/* A file of the record: "checkpoint" or "tile/...", whatever a reader asked for. Appended to out.
 * Narrower tiles than the one kept are cut from it. ERR_NOTFOUND when the record has no such file,
 * ERR_IO.
 */
int publish_log_read(const struct spool *spool, const char *path, struct buf *out,
                     struct err *e) MUST_CHECK;
