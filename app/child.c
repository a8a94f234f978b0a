#include "app/child.h"

#include <signal.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"

struct child {
    uv_process_t process;
    uv_pipe_t out;
    struct buf text;
    child_fn done;
    void *ctx;
    int status;
    int n_open;    /* handles not closed yet */
    int n_awaited; /* end of output, end of the process */
    char block[4096];
};

static void on_closed(uv_handle_t *h)
{
    struct child *c = h->data;
    if (--c->n_open > 0) return;
    buf_deinit(&c->text);
    free(c);
}

static void close_all(struct child *c)
{
    uv_close((uv_handle_t *)&c->out, on_closed);
    uv_close((uv_handle_t *)&c->process, on_closed);
}

static void one_less(struct child *c)
{
    if (--c->n_awaited > 0) return;
    if (c->done) c->done(c->status, buf_str(&c->text), c->text.len, c->ctx);
    close_all(c);
}

static void on_exit_of(uv_process_t *p, int64_t status, int sig)
{
    struct child *c = p->data;
    c->status = sig ? -1 : (int)status;
    one_less(c);
}

static void on_alloc(uv_handle_t *h, size_t want, uv_buf_t *ret)
{
    struct child *c = h->data;
    (void)want;
    *ret = uv_buf_init(c->block, sizeof c->block);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct child *c = s->data;
    if (n > 0 && c->text.len < CHILD_OUT_MAX) buf_put(&c->text, b->base, (size_t)n);
    if (n >= 0) return;
    uv_read_stop(s);
    one_less(c);
}

int child_start(uv_loop_t *loop, char **argv, child_fn done, void *ctx, struct child **ret,
                struct err *e)
{
    char self[1024];
    size_t n = sizeof self;
    if (uv_exepath(self, &n)) return err_set(e, ERR_IO, 0, "this program cannot find itself");
    struct child *c = xmalloc(sizeof *c);
    *c = (struct child){.done = done, .ctx = ctx, .n_open = 2, .n_awaited = 2};
    c->process.data = c;
    c->out.data = c;
    argv[0] = self;
    uv_stdio_container_t io[3] = {
        {.flags = UV_IGNORE                        },
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->out},
        {.flags = UV_IGNORE                                         },
    };
    uv_process_options_t o = {
        .exit_cb = on_exit_of, .file = self, .args = argv, .stdio = io, .stdio_count = 3};
    uv_pipe_init(loop, &c->out, 0);
    c->out.data = c;
    int rc = uv_spawn(loop, &c->process, &o);
    c->process.data = c;
    if (rc || uv_read_start((uv_stream_t *)&c->out, on_alloc, on_read)) {
        c->done = NULL;
        close_all(c);
        return err_set(e, ERR_IO, 0, "cannot start '%s': %s", self, uv_strerror(rc));
    }
    *ret = c;
    return OK;
}

void child_drop(struct child *c)
{
    if (!c) return;
    c->done = NULL;
    uv_process_kill(&c->process, SIGTERM);
}
