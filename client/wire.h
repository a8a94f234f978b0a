#pragma once
/* Why: the session decides in plain structs; this turns its requests into HTTP to the aggregator of
 * its choice, and the answers into events. Whatever comes back is checked here before the session
 * hears of it: signatures, hashes, lengths, the run it belongs to. Beside the session's requests it
 * fetches text for the trainer, and what the screen shows about the others.
 *
 * Owner: wire_create / wire_close (asynchronous). Thread: main. Does not block but for reading one
 * payload, appending one receipt, and keeping one tree head.
 */

#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/chunks.h"
#include "client/pass.h"
#include "client/session.h"
#include "record/rundesc.h"

struct wire;

struct wire_config {
    uv_loop_t *loop;
    const struct rundesc *run; /* outlives the wire */
    const struct key *key;     /* outlives the wire */
    char name[MSG_NAME_CAP];
    const char *run_dir;       /* payloads */
    const char *receipts_path; /* receipts are appended here before the session hears of them */
    const char *evidence_dir;  /* see client/treehead.h */
    /* Each is called from the loop, never from inside a wire_ call. */
    void (*on_event)(const struct session_event *ev, void *ctx);
    void (*on_text)(const struct chunks_want *want, struct buf *bytes, void *ctx); /* may move */
    void (*on_peers)(const struct msg_peers *peers, void *ctx);
    void (*on_credits)(const struct msg_credits *credits, void *ctx);
    void *ctx;
};

int wire_create(const struct wire_config *c, struct wire **ret, struct err *e) MUST_CHECK;
void wire_close(struct wire *w, void (*closed_fn)(void *ctx), void *ctx); /* accepts NULL */

/* Carry out a request action of the session's. What it needs beside the action it reads from s;
 * engine: determinism class; tok_per_s: told in polls.
 */
void wire_request(struct wire *w, const struct session_action *a, const struct session *s,
                  const char *engine, double tok_per_s);
void wire_drop(struct wire *w, uint32_t tag);

/* What joins carry from now on; copied. */
void wire_set_pass(struct wire *w, const struct pass *p);

/* Caps of the line in Mbit/s (10^6 bits), from now on; 0: none. */
void wire_set_caps(struct wire *w, double up_mbit, double down_mbit);

/* Bytes of the update or checkpoint last fetched; moved out. */
void wire_take_fetched(struct wire *w, struct buf *ret);

/* Fetch text; tried again until it is here. */
void wire_want(struct wire *w, const struct chunks_want *want);

/* Tell the aggregator that this session is over, so that no round waits for it. Best effort, bounded:
 * fn(ctx) comes once, within about a second, never from inside; not after wire_close. False, and no fn,
 * when there is no connection to say it on.
 */
bool wire_goodbye(struct wire *w, const char *token, void (*fn)(void *ctx), void *ctx);

/* Ask for peers and credits, unless such a question is still under way. */
void wire_look_around(struct wire *w);

double wire_rtt_ms(const struct wire *w);
double wire_fetch_frac(const struct wire *w); /* of the update or checkpoint; NaN when none */
void wire_traffic(const struct wire *w, uint64_t *ret_in, uint64_t *ret_out);
const struct rundesc_aggregator *wire_aggregator(const struct wire *w);
