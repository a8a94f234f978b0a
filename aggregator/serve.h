#pragma once
/* Why: `potluck-aggregator serve`, from start to orderly end: one process for each home (a lock
 * file says so), the server, signals, and the loop. SIGTERM and SIGINT end it after the work under
 * way; a kill at any moment loses nothing that was acknowledged.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct serve_options {
    const char *home;
    const char *listen_addr; /* ADDR:PORT instead of what init chose; NULL */
    const char *port_file;   /* write the port here once requests are taken; NULL */
    uint32_t wait_for;       /* contributors before round 0's clock starts */
    uint32_t per_address;    /* connections that one address may have; 0: as net/limits.h says */
    bool is_metrics_open;    /* GET /metrics for everybody, not only from this machine */
};

/* Keep every other process from serving this home until ours ends. ERR_WRONG_STATE: one does. */
int serve_lock(const char *home, struct err *e) MUST_CHECK;

/* Runs until a signal. ERR_WRONG_STATE when this home is being served already; ERR_IO when the
 * port is taken.
 */
int serve_run(const struct serve_options *o, struct err *e) MUST_CHECK;
