#pragma once
/* Why: some things are asked of an aggregator once, outside of any session: the run description
 * that an invite link promises, and the run's tokenizer when somebody wants to use the model. One
 * request on a pinned connection, on a loop of its own; the answer is checked by the caller or here.
 *
 * Thread: any, without an agent's loop; blocks up to 20 s an address. tls_pin NULL: the system's
 * authorities and the host's name count.
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

/* POST a body of that content-type; what is answered is of no interest but whether it was taken. ERR_IO
 * and ERR_AUTH as above; ERR_WRONG_STATE with the words of the host's problem document: it was refused.
 */
int fetch_post(const char *host, uint16_t port, const struct hash *tls_pin, const char *path,
               const char *type, const struct buf *body, uint32_t stall_ms,
               struct err *e) MUST_CHECK;

/* The same for many questions to one host: one connection, one question at a time.
 * Owner: fetch_open / fetch_close. Between questions it may be closed by the host; the next one makes it
 * again. ERR_NOTFOUND: status 404. A host that asks to come later (503) is asked again a few times.
 */
struct fetch;
int fetch_open(const char *host, uint16_t port, const struct hash *tls_pin, struct fetch **ret,
               struct err *e) MUST_CHECK;
int fetch_ask(struct fetch *f, const char *path, uint32_t stall_ms, size_t max_bytes,
              struct buf *out, struct err *e) MUST_CHECK;

/* Many paths at once, FETCH_AT_ONCE under way at a time: what far away costs a minute one by one costs
 * seconds so. Each item gets its own outcome in rc, as fetch_ask would give it, and its bytes.
 * max_bytes is for each. Items' bufs are the caller's (buf_deinit). Errors: ERR_IO and others that are
 * not about one item.
 */
#define FETCH_AT_ONCE 16
struct fetch_item {
    char path[112];
    struct buf out;
    int rc;
    int status; /* private, as below */
    struct fetch *of;
    struct err err;
};
int fetch_ask_many(struct fetch *f, struct fetch_item *items, uint32_t n, uint32_t stall_ms,
                   size_t max_bytes, struct err *e) MUST_CHECK;
void fetch_close(struct fetch *f); /* accepts NULL */

/* The run's tokenizer.json, checked against the description's hash: from the run's folder
 * (DATA/runs/ID/tokenizer.json), else from the first aggregator that has it, and then kept there.
 * ERR_IO and others of fetch_get when nobody answers, ERR_AUTH when what came is another one.
 */
int fetch_tokenizer(const struct home *h, const struct rundesc *run, struct buf *out,
                    struct err *e) MUST_CHECK;
