#include "aggregator/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "aggregator/api.h"
#include "aggregator/describe.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

#define DESCRIPTORS  8192
#define POOL_THREADS "8"

struct serve {
    uv_loop_t loop;
    uv_poll_t signals;
    int signal_fd; /* -1: not open */
    bool is_metrics_open;
    struct host host;
};

/* Held until the process ends, however it ends. */
int serve_lock(const char *home, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/serve.lock", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return file_error(e, errno, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return OK;
    close(fd);
    err_set(e, ERR_WRONG_STATE, 0, "'%s' is being served already", home);
    err_hint(e, "stop the other aggregator first, or use another --home");
    return ERR_WRONG_STATE;
}

static void stop(struct serve *v, int number)
{
    struct host *h = &v->host;
    log_info("%s: finishing what is under way", number == SIGINT ? "interrupted" : "asked to stop");
    h->is_stopping = true;
    uv_close((uv_handle_t *)&h->timer, NULL);
    uv_close((uv_handle_t *)&v->signals, NULL);
    server_close(h->server, NULL, NULL);
}

static void on_signal(uv_poll_t *p, int status, int events)
{
    struct serve *v = p->data;
    struct signalfd_siginfo info;
    (void)events;
    if (status != 0 || read(v->signal_fd, &info, sizeof info) != sizeof info) return;
    stop(v, (int)info.ssi_signo);
}

/* ---- what requests meet ---- */

static void reply_metrics(struct serve *v, struct request *r)
{
    struct buf page = {0};
    struct err e = {0};
    request_set_route(r, "/metrics");
    if (strcmp(request_method(r), "GET") != 0)
        request_reply_error(r, 405, "this address takes another method", "use GET");
    else if (!v->is_metrics_open && !request_is_local(r))
        request_reply_error(r, 404, "there is nothing at this address", "see docs/PROTOCOL.md");
    else if (metrics_page(&v->host, &page, &e) == OK)
        request_reply(r, 200, METRICS_TYPE, page.p, page.len);
    else
        request_reply_error(r, 503, e.what, "try again in a moment");
    buf_deinit(&page);
}

static void on_request(struct request *r, void *ctx)
{
    struct serve *v = ctx;
    if (strcmp(request_path(r), "/metrics") == 0)
        reply_metrics(v, r);
    else
        api_handle(r, &v->host);
}

static void on_cut(struct request *r, void *ctx)
{
    api_cut(r, &((struct serve *)ctx)->host);
}

static void on_answer(const struct server_answer *a, void *ctx)
{
    metrics_answer(&((struct serve *)ctx)->host.metrics, a);
}

/* Large pieces of memory come from the system and go back to it, whatever lies around them. (Bodies
 * of contributions are kept for reuse by net/guard.h.) Without this the C library raises its
 * threshold by itself, and a thousand uploads leave holes of twice their size.
 */
static void tune_memory(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024); /* NOLINT(concurrency-mt-unsafe): one thread yet */
}

/* Each connection is a descriptor; the usual soft limit of 1024 would run out before our own. */
static void raise_descriptors(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= DESCRIPTORS) return;
    l.rlim_cur = l.rlim_max < DESCRIPTORS ? l.rlim_max : DESCRIPTORS;
    (void)setrlimit(RLIMIT_NOFILE, &l); /* a smaller number is lived with */
}

static int listen_on(struct serve *v, const struct serve_options *o, struct err *e)
{
    char cert[PATH_CAP], secret[PATH_CAP], host[SETUP_HOST_CAP];
    struct server_config c = {.host = host,
                              .cert_path = cert,
                              .key_path = secret,
                              .max_body_bytes = MSG_CHUNK_BYTES + 65536,
                              .conns_per_address = o->per_address,
                              .handle = on_request,
                              .answered = on_answer,
                              .cut = on_cut,
                              .ctx = v};
    v->is_metrics_open = o->is_metrics_open;
    if (path_format(cert, "%s/keys/tls-cert.pem", o->home) ||
        path_format(secret, "%s/keys/tls-key.pem", o->home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    int rc =
        setup_split(o->listen_addr ? o->listen_addr : v->host.setup.listen_addr, host, &c.port, e);
    if (rc == OK) rc = server_create(&v->loop, &c, &v->host.server, e);
    if (rc == ERR_IO)
        err_hint(e, "stop the program that holds the port, or choose another: --listen ADDR:PORT");
    return rc;
}

/* The signals are blocked for good, before there are threads, and read from a descriptor: the first
 * one begins the end, and a second one can no longer kill what is being finished.
 */
static int watch_signals(struct serve *v, struct err *e)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set(e, ERR_IO, 0, "cannot hold back signals");
    v->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (v->signal_fd < 0) return err_set(e, ERR_IO, errno, "cannot watch for signals");
    uv_poll_init(&v->loop, &v->signals, v->signal_fd);
    v->signals.data = v;
    int rc = uv_poll_start(&v->signals, UV_READABLE, on_signal);
    return rc ? err_set(e, ERR_IO, -rc, "cannot watch for signals") : OK;
}

static int tell_port(const struct serve *v, const struct serve_options *o, struct err *e)
{
    char text[16], link[512];
    unsigned port = server_port(v->host.server);
    int n = snprintf(text, sizeof text, "%u\n", port);
    int rc = describe_invite(&v->host.run, "", link, sizeof link, e);
    if (rc != OK) return rc;
    log_info("serving '%s' on port %u, round %" PRIu64, v->host.run.name, port,
             v->host.round.round);
    log_info("invite link: %s", link);
    return o->port_file ? file_replace(o->port_file, text, (size_t)n, 0644, e) : OK;
}

static void close_walk(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* After a failed start: nothing runs yet, so every handle may simply go. */
static void abandon(struct serve *v)
{
    v->host.is_stopping = true;
    if (v->host.server)
        server_close(v->host.server, NULL, NULL);
    else
        uv_walk(&v->loop, close_walk, NULL);
    if (v->host.server) {
        uv_close((uv_handle_t *)&v->host.timer, NULL);
        uv_close((uv_handle_t *)&v->signals, NULL);
    }
    uv_run(&v->loop, UV_RUN_DEFAULT);
}

static int start(struct serve *v, const struct serve_options *o, struct err *e)
{
    int rc = watch_signals(v, e);
    if (rc == OK) rc = host_open(&v->host, &v->loop, o->home, o->wait_for, e);
    if (rc == OK) rc = listen_on(v, o, e);
    if (rc == OK) rc = tell_port(v, o, e);
    return rc;
}

int serve_run(const struct serve_options *o, struct err *e)
{
    struct rundesc d;
    /* The first start after init and prepare may still have to write the description. */
    int rc = describe_home(o->home, &d, e);
    if (rc != OK && rc != ERR_AGAIN) return rc;
    if (rc == ERR_AGAIN) return describe_read(o->home, &d, NULL, e); /* says what is missing */
    rc = serve_lock(o->home, e);
    if (rc != OK) return rc;
    struct serve *v = alloc_zero(1, sizeof *v);
    if (!v) return err_set(e, ERR_NOMEM, 0, "no memory for the server");
    uv_loop_init(&v->loop);
    v->signal_fd = -1;
    raise_descriptors();
    tune_memory();
    /* Threads of the pool wait for the disk as often as they compute. There are none yet. */
    (void)setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0); /* NOLINT(concurrency-mt-unsafe) */
    rc = start(v, o, e);
    if (rc == OK) {
        host_start(&v->host);
        uv_run(&v->loop, UV_RUN_DEFAULT);
        log_info("stopped");
    } else {
        abandon(v);
    }
    host_close(&v->host);
    uv_loop_close(&v->loop);
    if (v->signal_fd >= 0) close(v->signal_fd);
    free(v);
    return rc;
}
