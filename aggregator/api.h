#pragma once
/* Why: docs/PROTOCOL.md, "Requests": HTTP in, events and answers out. Signatures are checked here,
 * before anything reaches the round machine; decisions are left to it.
 *
 * Thread: loop. ctx of api_handle is the host.
 */

#include "aggregator/host.h"

void api_handle(struct request *r, void *ctx);
void api_cut(struct request *r, void *ctx); /* server_config.cut */

/* Our own trouble: told to the host's log, kept short for the peer. Answers r. */
void api_trouble(struct request *r, const struct err *e);
