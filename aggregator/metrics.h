#pragma once
/* Why: a host that sleeps needs a machine that watches. GET /metrics tells the figures of this
 * process and of its run in the text format of Prometheus (0.0.4). Counting is cheap and always on;
 * the page is made when somebody asks. Every label is a word of ours, never a stranger's text.
 *
 * Thread: the loop. No I/O but metrics_page, which reads /proc, the file system and the books.
 */

#include <stdint.h>

#include "aggregator/store_view.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/server.h"

#define METRICS_TYPE  "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_ROWS  256   /* pairs of route and status; what comes beyond shares one row */
#define METRICS_FRESH 10000 /* ms; the books are asked no more often */

enum metrics_work {
    METRICS_CHUNK, /* hashed and durable */
    METRICS_JUDGE, /* decoded and checked */
    METRICS_MERGE,
    METRICS_PUBLISH,
    METRICS_WORKS
};

struct metrics_row {
    const char *method; /* a constant */
    const char *route;  /* a constant; NULL: no such address */
    int status;
    uint64_t n;
    uint64_t sum_ms;
};

struct metrics {
    uint32_t n_rows;
    struct metrics_row rows[METRICS_ROWS];
    struct {
        uint64_t n;
        uint64_t n_failed;
        double sum_s;
    } works[METRICS_WORKS];
    struct store_totals totals;
    int64_t totals_ms; /* when they were read; 0: never */
};

/* What the page needs to know besides. */
struct metrics_now {
    struct server_counts server;
    uint64_t bytes_in, bytes_out; /* on the wire */
    uint64_t free_bytes;          /* of the disk of the home */
    uint64_t rss_bytes;           /* 0: not known */
    double uptime_s;
    uint64_t round;
    uint32_t n_peers;       /* contributors here */
    uint32_t n_jobs;        /* pieces of work in the pool */
    double swarm_tok_per_s; /* NaN: not known */
};

void metrics_answer(struct metrics *m, const struct server_answer *a);
void metrics_done(struct metrics *m, enum metrics_work w, double took_s, bool is_fine);

/* The whole page. Pure. */
void metrics_write(const struct metrics *m, const struct metrics_now *now, struct buf *b);

struct host;
/* Look at everything and write the page. ERR_IO, ERR_NOMEM. */
int metrics_page(struct host *h, struct buf *out, struct err *e) MUST_CHECK;
