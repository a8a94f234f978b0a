#pragma once
/* Why: the work the round machine asks for, done in the libuv pool so that the loop never waits
 * for a disk or for arithmetic. A job owns copies of everything it needs; when it has ended the
 * loop steps the machine with its outcome.
 */

#include "aggregator/host.h"

struct job_input {
    const void *bytes; /* STORE_CHUNK, or a manifest's text: copied */
    size_t n_bytes;
    struct hash hash;                    /* STORE_CHUNK: announced, of the whole chunk */
    struct hash content;                 /* STORE_CHUNK: announced, of what the request brought */
    const struct msg_manifest *manifest; /* JUDGE: copied; bytes: its signed text, which becomes
                                          * durable before any receipt about it */
    struct request *from;                /* STORE_CHUNK: whose body is taken, not copied */
};

/* Start the work of one action. */
void job_start(struct host *h, const struct round_action *a, const struct job_input *in);

/* After a publication: write a checkpoint of the base when one is due (or is_forced), and delete
 * what closed rounds left behind.
 */
void job_tidy(struct host *h, bool is_forced);
