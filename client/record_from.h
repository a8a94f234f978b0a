#pragma once
/* Why: where the bytes of a public record come from: an aggregator's folder on this disk, or a host
 * that is asked over the network. Either gives the run description and a source for the auditor
 * (record/audit.h); nothing that comes is believed here.
 *
 *   DIR                      an aggregator's home: run.potluck, record/, sheets/, payloads/, ...
 *   https://HOST[:PORT]      port 443 when left out; an address of the joined run is asked with its
 *                            pinned key and must have that run
 *   potluck://...            an invite link
 *   nothing (NULL)           the joined run's first aggregator that answers
 *
 * Owner: record_from_open / record_from_close. Thread: one. Blocks on the disk or the network.
 */

#include "client/home.h"
#include "record/audit.h"
#include "record/note.h"

struct record_from;

/* home: whose joined run counts; NULL: none does. ERR_NOTFOUND (what was looked for), ERR_ARG,
 * ERR_IO (nobody answers), ERR_AUTH, ERR_PROTO, ERR_VERSION.
 */
int record_from_open(const char *what, const struct home *home, struct record_from **ret,
                     struct err *e) MUST_CHECK;
void record_from_close(struct record_from *f); /* accepts NULL */

const struct rundesc *record_from_run(const struct record_from *f);
const struct audit_source *record_from_source(const struct record_from *f);
const char *record_from_name(const struct record_from *f); /* folder, or "host:port" */
const char *record_from_dir(const struct record_from *f);  /* NULL: it is a host */

/* Is the run known by more than this source's own word: the joined one, or its host's key came with
 * a link?
 */
bool record_from_is_known(const struct record_from *f);

/* The tree head of this run that the home remembers (client/treehead.h writes it), NULL when there is
 * none that is signed. What this source shows must contain it.
 */
const struct note_head *record_from_remembered(const struct record_from *f);

/* Ask for one path of the host's ("/v1/..."). ERR_NOTFOUND; ERR_WRONG_STATE for a folder. */
int record_from_ask(struct record_from *f, const char *path, size_t max, struct buf *out,
                    struct err *e) MUST_CHECK;
