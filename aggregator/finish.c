#include "aggregator/finish.h"

#include <stdlib.h>

#include "aggregator/describe.h"
#include "aggregator/host.h"
#include "aggregator/serve.h"
#include "aggregator/store_record.h"
#include "base/alloc.h"
#include "base/clock.h"

static int read_report(struct store *s, const struct rundesc *run, struct finish_report *ret,
                       struct err *e)
{
    struct course course;
    struct store_tail tail;
    struct msg_update last = {.result = run->initial_model};
    int rc = store_record_tail(s, &tail, e);
    if (rc == OK) rc = store_round_last(s, &last, e);
    if (rc == ERR_NOTFOUND) rc = OK;
    if (rc != OK) return rc;
    rc = store_record_course_of(s, run, &run->host, &course, e);
    const struct entry_rollback *back = course_rollback(&course, tail.n_rounds);
    if (back) last.result = back->result;
    course_deinit(&course);
    if (rc != OK) return rc;
    ret->n_rounds = tail.n_rounds;
    ret->paid = tail.paid;
    ret->model = last.result;
    return OK;
}

/* Write the wish into the books; serve looks there. */
static int ask(const char *home, const struct rundesc *d, struct finish_report *ret, struct err *e)
{
    char path[PATH_CAP];
    struct store *s = NULL;
    struct store_tail tail;
    if (path_format(path, "%s/aggregator.db", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    int rc = store_open(path, &d->id, &s, e);
    if (rc == OK) rc = store_record_tail(s, &tail, e);
    if (rc == OK) ret->was_ended = tail.is_ended;
    if (rc == OK && !tail.is_ended) rc = store_record_ask_end(s, e);
    if (rc == OK) rc = read_report(s, d, ret, e);
    store_close(s);
    return rc;
}

/* Is there a receipt that no sheet lists, or a merge under way since the start? */
static int is_unsettled(struct host *h, bool *ret, struct err *e)
{
    struct store_tail tail;
    struct store_row *rows = NULL;
    uint32_t n = 0;
    int rc = store_record_tail(h->store, &tail, e);
    if (rc == OK) rc = store_record_rows(h->store, tail.next_seq, 1, &rows, &n, e);
    store_record_rows_free(rows, n);
    *ret = n > 0 || h->n_jobs > 0;
    return rc;
}

static int close_round(struct host *h, struct err *e)
{
    struct round_event ev = {.kind = ROUND_EV_END, .is_now = true};
    host_step(h, &ev);
    while (h->n_jobs > 0 || h->round.state != ROUND_ENDED) {
        if (h->n_jobs == 0 && h->round.retry_ms) {
            err_set(e, ERR_IO, 0, "the last round could not be closed; the log above says why");
            err_hint(e, "nothing is lost: do it again when that is mended");
            return ERR_IO;
        }
        uv_run(h->loop, UV_RUN_ONCE);
    }
    return OK;
}

static int end_now(struct host *h, struct err *e)
{
    bool is_open = false;
    int rc = is_unsettled(h, &is_open, e);
    if (rc != OK) return rc;
    rc = is_open ? close_round(h, e) : publish_end(&h->publish, &h->round.base, clock_wall_ms(), e);
    if (rc == OK && h->checkpoint.round != h->round.round)
        rc = publish_checkpoint(&h->publish, h->round.round, h->base, e);
    return rc;
}

static int open_and_end(const char *home, struct finish_report *ret, struct err *e)
{
    uv_loop_t loop;
    struct host *h = alloc_zero(1, sizeof *h);
    if (!h) return err_set(e, ERR_NOMEM, 0, "no memory for the run");
    uv_loop_init(&loop);
    int rc = host_open(h, &loop, home, 1, e);
    if (rc == OK && h->round.state != ROUND_ENDED) rc = end_now(h, e);
    if (rc == OK) rc = read_report(h->store, &h->run, ret, e);
    h->is_stopping = true;
    uv_close((uv_handle_t *)&h->timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT); /* to the end of what is under way */
    host_close(h);
    uv_loop_close(&loop);
    free(h);
    return rc;
}

int finish_run(const char *home, struct finish_report *ret, struct err *e)
{
    struct rundesc *d = alloc_zero(1, sizeof *d);
    if (!d) return err_set(e, ERR_NOMEM, 0, "no memory for the run");
    *ret = (struct finish_report){0};
    int rc = describe_read(home, d, NULL, e);
    int locked = rc == OK ? serve_lock(home, e) : rc;
    if (locked == ERR_WRONG_STATE)
        *e = (struct err){0};
    else
        rc = locked;
    if (rc == OK) rc = ask(home, d, ret, e);
    ret->is_asked = locked != OK && !ret->was_ended;
    if (rc == OK && locked == OK && !ret->was_ended) rc = open_and_end(home, ret, e);
    free(d);
    return rc;
}
