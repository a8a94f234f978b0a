#pragma once
/* Why: the chunks of a contribution over HTTP. Each chunk is an upload of its own after
 * draft-ietf-httpbis-resumable-upload (UPLOAD_INTEROP): PUT brings it whole, what arrived of one that
 * was cut off is kept, HEAD says how much that is, PATCH goes on from there. Digests are those of
 * RFC 9530: content-digest of what a request brings, repr-digest of the whole chunk. Decisions are
 * the round machine's; here is only what a request means. docs/PROTOCOL.md, "Uploads".
 *
 * Thread: loop.
 */

#include "aggregator/host.h"
#include "net/router.h"

#define UPLOAD_INTEROP 8 /* upload-draft-interop-version */

void upload_put(struct host *h, struct request *r, const struct router_match *m);
void upload_patch(struct host *h, struct request *r, const struct router_match *m);
void upload_head(struct host *h, struct request *r, const struct router_match *m);

/* A PUT or PATCH that ended before all of it was there: keep what came. There is nobody to answer. */
void upload_cut(struct host *h, struct request *r, const struct router_match *m);
