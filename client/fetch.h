#pragma once
/* Why: some things are asked of an aggregator once, outside of any session: the run description
 * that an invite link promises, and the run's tokenizer when somebody wants to use the model. One
 * request on a pinned connection, on a loop of its own; the answer is checked by the caller or here.
 *
 * Thread: any, without an agent's loop; blocks up to 20 s an address.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/home.h"
#include "record/rundesc.h"

#define FETCH_STALL_MS 20000 /* for what somebody waits for */

/* GET path; appends the body. stall_ms without progress end it. ERR_IO unreachable, ERR_AUTH wrong pin, ERR_PROTO another status,
 * ERR_LIMIT.
 */
int fetch_get(const char *host, uint16_t port, const struct hash *tls_pin, const char *path,
              uint32_t stall_ms, size_t max_bytes, struct buf *out, struct err *e) MUST_CHECK;

/* The run's tokenizer.json, checked against the description's hash: from the run's folder
 * (DATA/runs/ID/tokenizer.json), else from the first aggregator that has it, and then kept there.
 * ERR_IO and others of fetch_get when nobody answers, ERR_AUTH when what came is another one.
 */
int fetch_tokenizer(const struct home *h, const struct rundesc *run, struct buf *out,
                    struct err *e) MUST_CHECK;
