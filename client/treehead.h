#pragma once
/* Why: a host that could change what it has published unseen would not be held by its record. So a
 * contributor remembers the last tree head of its run, and takes a newer one only when a proof
 * shows that the newer log begins with the older one. What fails that test is kept as evidence that
 * anybody can check (both signed notes, the tiles, the proof), and is an error to be loud about.
 *
 *   DATA/runs/ID/treehead                     the remembered note, as it came
 *   DATA/evidence/RUN-NOTE/                   eight hex digits each of run id and of the new note's hash
 *       what.txt                              what happened, in words
 *       remembered.note, received.note        the two notes
 *       proof.txt, tile-0-000.p-17, ...       consistency proof and the tiles it was made from
 *
 * Thread: any one. Blocks on small writes. Knows no network: tiles come by a callback, or are asked
 * for one by one (struct treehead_check).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/path.h"
#include "record/note.h"
#include "record/rundesc.h"
#include "record/tiles.h"

struct treehead {
    char path[PATH_CAP];     /* of the file */
    char evidence[PATH_CAP]; /* the folder of such folders */
    struct hash run;
    uint32_t n_keys;
    struct key_pub keys[RUNDESC_MAX_AGGREGATORS]; /* any of them may sign */
    bool has;                                     /* one is remembered: */
    struct note_head head;
    struct buf note;
};

/* Take up what is remembered in run_dir; nothing is an ordinary beginning. Another file than a
 * signed tree head of this run is set aside (treehead.unreadable) with ERR_PROTO or ERR_AUTH and a
 * sentence; t is usable then and remembers nothing. ERR_IO: t is not usable. ERR_ARG: path too long.
 */
int treehead_open(struct treehead *t, const char *run_dir, const char *evidence_dir,
                  const struct rundesc *run, struct err *e) MUST_CHECK;
void treehead_deinit(struct treehead *t); /* accepts NULL and zeroed */

/* The person trusts the host again, whatever was remembered: the note is set aside as
 * treehead.set-aside, and the next tree head is taken as a first one is. OK also when none was
 * remembered. Not while an agent takes part in the run. ERR_IO, ERR_ARG: path too long.
 */
int treehead_forget(const char *run_dir, struct err *e) MUST_CHECK;

/* Take the n bytes of a note that the aggregator gave as its newest tree head. n_least: how many
 * entries the log must have by now (rounds that are known to be merged, and one). Tiles of the new
 * tree come from get.
 *   OK         it is remembered now, durably; or it was already
 *   ERR_AUTH   refused: history was rewritten. e names the folder of evidence
 *   ERR_PROTO  not a tree head that this host signed, which proves nothing: ask again
 *   TREEHEAD_STALE  good, remembered, but with fewer entries than n_least: ask again soon
 *   others     get's own; ERR_IO, ERR_NOMEM: nothing changed, ask again
 */
#define TREEHEAD_STALE ERR_WRONG_STATE
int treehead_take(struct treehead *t, const void *note, size_t n, uint64_t n_least,
                  tiles_get_fn get, void *ctx, struct err *e) MUST_CHECK;

/* The aggregator says that it has no log. OK when none was ever seen; else ERR_AUTH as above. */
int treehead_gone(struct treehead *t, struct err *e) MUST_CHECK;

/* One such check, for those who must ask for tiles and wait. Zero is valid; clear before another.
 *
 *     treehead_check_begin(&c, &t, note, n)
 *     while (treehead_check_next(&c)) ... treehead_check_feed(&c, bytes, n) ...
 *     treehead_check_end(&c, &t, n_least, &e)
 */
struct treehead_check {
    struct buf note;
    struct tiles_list want;
    uint32_t n_fed;
    struct hash *h; /* TILES_WIDTH for each wanted tile */
};

int treehead_check_begin(struct treehead_check *c, const struct treehead *t, const void *note,
                         size_t n, struct err *e) MUST_CHECK;
/* The tile to ask for next; NULL: all are here. */
const struct tiles_at *treehead_check_next(const struct treehead_check *c);
/* Its bytes; ERR_PROTO when their number is wrong. */
int treehead_check_feed(struct treehead_check *c, const void *p, size_t n,
                        struct err *e) MUST_CHECK;
/* As treehead_take; once all tiles are here. */
int treehead_check_end(struct treehead_check *c, struct treehead *t, uint64_t n_least,
                       struct err *e) MUST_CHECK;
void treehead_check_clear(struct treehead_check *c);
