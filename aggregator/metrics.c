#include "aggregator/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/host.h"
#include "base/clock.h"

#define NO_ROUTE "none"

/* ---- counting ---- */

static bool is_row(const struct metrics_row *r, const char *method, const char *route, int status)
{
    return r->status == status && strcmp(r->method, method) == 0 && strcmp(r->route, route) == 0;
}

/* Methods are words that a stranger chooses: only those of the table are told apart. */
static const char *method_word(const char *method)
{
    static const char *const known[] = {"GET", "POST", "PUT", "HEAD"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(method, known[i]) == 0) return known[i];
    return "other";
}

/* The table cannot grow for ever: its last row takes whatever else there is. */
static struct metrics_row *find_row(struct metrics *m, const char *method, const char *route,
                                    int status)
{
    for (uint32_t i = 0; i < m->n_rows; i++)
        if (is_row(&m->rows[i], method, route, status)) return &m->rows[i];
    struct metrics_row *last = &m->rows[METRICS_ROWS - 1];
    if (m->n_rows == METRICS_ROWS) return last;
    struct metrics_row *r = &m->rows[m->n_rows++];
    *r = r == last ? (struct metrics_row){.method = "other", .route = "other"}
                   : (struct metrics_row){.method = method, .route = route, .status = status};
    return r;
}

void metrics_answer(struct metrics *m, const struct server_answer *a)
{
    struct metrics_row *r =
        find_row(m, method_word(a->method), a->route ? a->route : NO_ROUTE, a->status);
    r->n++;
    r->sum_ms += a->took_ms > 0 ? (uint64_t)a->took_ms : 0;
}

void metrics_done(struct metrics *m, enum metrics_work w, double took_s, bool is_fine)
{
    m->works[w].n++;
    m->works[w].n_failed += !is_fine;
    m->works[w].sum_s += took_s;
}

/* ---- the page ---- */

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP potluck_%s %s\n# TYPE potluck_%s %s\n", name, help, name, type);
}

static void one(struct buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    head(b, name, type, help);
    buf_printf(b, "potluck_%s %" PRIu64 "\n", name, v);
}

static void one_real(struct buf *b, const char *name, const char *help, double v)
{
    head(b, name, "gauge", help);
    if (isnan(v))
        buf_printf(b, "potluck_%s NaN\n", name);
    else
        buf_printf(b, "potluck_%s %.17g\n", name, v);
}

static void write_requests(const struct metrics *m, struct buf *b)
{
    head(b, "requests_total", "counter", "Requests answered, by route and status.");
    for (uint32_t i = 0; i < m->n_rows; i++)
        buf_printf(b,
                   "potluck_requests_total{method=\"%s\",route=\"%s\",status=\"%d\"} %" PRIu64 "\n",
                   m->rows[i].method, m->rows[i].route, m->rows[i].status, m->rows[i].n);
    head(b, "request_seconds_total", "counter", "Time from a request's head to its answer's.");
    for (uint32_t i = 0; i < m->n_rows; i++)
        buf_printf(b,
                   "potluck_request_seconds_total{method=\"%s\",route=\"%s\",status=\"%d\"} %.3f\n",
                   m->rows[i].method, m->rows[i].route, m->rows[i].status,
                   (double)m->rows[i].sum_ms / 1e3);
}

static void write_refused(const struct server_counts *c, struct buf *b)
{
    head(b, "refused_total", "counter",
         "Connections and requests turned away or ended by us, by reason.");
    for (int i = 0; i < SERVER_REFUSALS; i++)
        buf_printf(b, "potluck_refused_total{reason=\"%s\"} %" PRIu64 "\n",
                   server_refusal_word((enum server_refusal)i), c->refused[i]);
}

static void write_works(const struct metrics *m, struct buf *b)
{
    static const char *const words[METRICS_WORKS] = {"chunk", "judge", "merge", "publish"};
    head(b, "work_seconds", "summary", "Work in the pool: chunks stored, payloads judged, rounds.");
    for (int i = 0; i < METRICS_WORKS; i++)
        buf_printf(b,
                   "potluck_work_seconds_sum{work=\"%s\"} %.6f\n"
                   "potluck_work_seconds_count{work=\"%s\"} %" PRIu64 "\n",
                   words[i], m->works[i].sum_s, words[i], m->works[i].n);
    head(b, "work_failed_total", "counter", "Work that did not end well.");
    for (int i = 0; i < METRICS_WORKS; i++)
        buf_printf(b, "potluck_work_failed_total{work=\"%s\"} %" PRIu64 "\n", words[i],
                   m->works[i].n_failed);
}

static void write_run(const struct metrics *m, const struct metrics_now *now, struct buf *b)
{
    const struct store_totals *t = &m->totals;
    one(b, "round", "gauge", "The open round.", now->round);
    one(b, "rounds_total", "counter", "Rounds merged and published.", t->n_rounds);
    head(b, "contributions_total", "counter", "Contributions, by verdict.");
    buf_printf(b,
               "potluck_contributions_total{verdict=\"accepted\"} %" PRIu64 "\n"
               "potluck_contributions_total{verdict=\"late\"} %" PRIu64 "\n"
               "potluck_contributions_total{verdict=\"rejected\"} %" PRIu64 "\n",
               t->n_accepted, t->n_late, t->n_rejected);
    one(b, "tokens_total", "counter", "Tokens of accepted contributions.", t->n_tokens);
    one(b, "contributors", "gauge", "Contributors that were ever here.", t->n_contributors);
    one(b, "peers", "gauge", "Contributors that are here now.", now->n_peers);
    one_real(b, "tokens_per_second", "What they say they train together.", now->swarm_tok_per_s);
}

void metrics_write(const struct metrics *m, const struct metrics_now *now, struct buf *b)
{
    const struct server_counts *c = &now->server;
    write_requests(m, b);
    write_refused(c, b);
    one(b, "connections", "gauge", "Connections now.", c->n_conns);
    one(b, "connections_total", "counter", "Connections taken.", c->n_accepted);
    one(b, "greetings_total", "counter", "Connections whose handshake succeeded.", c->n_greeted);
    one(b, "received_bytes_total", "counter", "Bytes received on the wire.", now->bytes_in);
    one(b, "sent_bytes_total", "counter", "Bytes sent on the wire.", now->bytes_out);
    one(b, "held_bytes", "gauge", "Bodies and answers held for peers.", c->n_held);
    one(b, "waiting_bodies", "gauge", "Uploads that wait for their place.", c->n_waiting);
    write_works(m, b);
    one(b, "jobs", "gauge", "Pieces of work in the pool or waiting for it.", now->n_jobs);
    write_run(m, now, b);
    one(b, "disk_free_bytes", "gauge", "Room left on the disk of the home.", now->free_bytes);
    one(b, "resident_memory_bytes", "gauge", "Memory of this process.", now->rss_bytes);
    one_real(b, "uptime_seconds", "Since the start of serve.", now->uptime_s);
}

/* ---- looking around ---- */

static uint64_t own_rss(void)
{
    unsigned long long size = 0, resident = 0;
    long page = sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return 0;
    int n = fscanf(f, "%llu %llu", &size, &resident); /* NOLINT(cert-err34-c): the kernel's own */
    fclose(f);
    return n == 2 && page > 0 ? (uint64_t)resident * (uint64_t)page : 0;
}

int metrics_page(struct host *h, struct buf *out, struct err *e)
{
    struct metrics *m = &h->metrics;
    int64_t ms = clock_mono_ms();
    struct metrics_now now = {.free_bytes = spool_room(&h->spool),
                              .rss_bytes = own_rss(),
                              .uptime_s = (double)(ms - h->started_ms) / 1e3,
                              .round = h->round.round,
                              .n_peers = registry_n_here(&h->registry, ms),
                              .n_jobs = h->n_jobs,
                              .swarm_tok_per_s = registry_speed(&h->registry, ms)};
    server_count(h->server, &now.server);
    server_traffic(h->server, &now.bytes_in, &now.bytes_out);
    if (!m->totals_ms || ms - m->totals_ms > METRICS_FRESH) {
        int rc = store_view_totals(h->store, &m->totals, e);
        if (rc != OK) return rc;
        m->totals_ms = ms;
    }
    metrics_write(m, &now, out);
    return buf_ok(out, e);
}
