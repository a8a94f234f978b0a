#pragma once
/* Why: `potluck-aggregator status`: ask the running server over its own TLS connection, pinned as
 * a contributor's would be; when it does not answer, the caller reads the database instead.
 */

#include "base/buf.h"
#include "record/rundesc.h"

/* GET /v1/status at ADDR:PORT. ERR_IO when nobody answers within a few seconds. */
int ask_status(const char *listen_addr, const struct rundesc *run, struct buf *out,
               struct err *e) MUST_CHECK;
