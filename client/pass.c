#include "client/pass.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "record/msg_json.h"
#include "record/rundesc.h"

#define MAX_FILE 256

struct pass_task {
    uv_work_t work;
    char path[PATH_CAP];
    struct puzzle puzzle;
    struct hash run;
    struct key_pub key;
    uint64_t nonce;
    atomic_bool is_cancelled;
    int rc;
    struct err err;
    pass_done_fn done;
    void *ctx;
};

static int path_of(const char *run_dir, const char *name, char dst[PATH_CAP], struct err *e)
{
    if (path_format(dst, "%s/%s", run_dir, name) == 0) return OK;
    return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
}

int pass_keep_invite(const char *run_dir, const char *code, struct err *e)
{
    char path[PATH_CAP];
    int rc = path_of(run_dir, "invite", path, e);
    return rc == OK ? file_replace(path, code, strlen(code), 0600, e) : rc;
}

static void load_invite(const char *run_dir, struct pass *ret)
{
    char path[PATH_CAP];
    struct buf b = {0};
    if (path_of(run_dir, "invite", path, NULL) == OK && file_read(path, MAX_FILE, &b, NULL) == OK &&
        rundesc_is_code(buf_str(&b)))
        memcpy(ret->invite, b.p, sizeof ret->invite - 1);
    buf_deinit(&b);
}

/* The file's nonce; is it the solution? */
static uint64_t load_nonce(const char *path, bool *ret_is_solved)
{
    struct buf b = {0};
    json_t *o = NULL;
    struct json_reader r = {0};
    uint64_t nonce = 0;
    *ret_is_solved = false;
    if (file_read(path, MAX_FILE, &b, NULL) == OK && json_parse(b.p, b.len, &o, NULL) == OK) {
        nonce = msg_json_count(&r, o, "nonce", 0);
        *ret_is_solved = json_bool(&r, o, "solved");
        if (json_bad(&r)) nonce = 0;
    }
    *ret_is_solved = *ret_is_solved && nonce > 0;
    json_decref(o);
    buf_deinit(&b);
    return nonce;
}

void pass_load(const char *run_dir, struct pass *ret)
{
    char path[PATH_CAP];
    bool is_solved = false;
    *ret = (struct pass){0};
    load_invite(run_dir, ret);
    if (path_of(run_dir, "proof", path, NULL) != OK) return;
    uint64_t nonce = load_nonce(path, &is_solved);
    if (is_solved) ret->proof = nonce;
}

static int save_nonce(const char *path, uint64_t nonce, bool is_solved, struct err *e)
{
    json_t *o = json_object();
    struct buf b = {0};
    json_set_u64(o, "nonce", nonce);
    json_set_bool(o, "solved", is_solved);
    int rc = json_write(o, &b, e);
    if (rc == OK) rc = file_replace(path, b.p, b.len, 0600, e);
    json_decref(o);
    buf_deinit(&b);
    return rc;
}

static bool is_wanted(void *ctx)
{
    struct pass_task *t = ctx;
    return !atomic_load(&t->is_cancelled);
}

static void search(uv_work_t *w)
{
    struct pass_task *t = w->data;
    struct err e = {0};
    t->rc = puzzle_solve(&t->puzzle, &t->run, &t->key, is_wanted, t, &t->nonce, &t->err);
    bool is_solved = t->rc == OK;
    if (!is_solved && t->rc != ERR_CANCELLED) return;
    /* Not kept is no harm but the work: it is done again. */
    if (save_nonce(t->path, t->nonce, is_solved, &e) != OK)
        log_err(LOG_WARN, &e, "keeping the solved entry puzzle");
}

static void searched(uv_work_t *w, int status)
{
    struct pass_task *t = w->data;
    (void)status;
    if (!atomic_load(&t->is_cancelled)) t->done(t->rc == OK ? t->nonce : 0, &t->err, t->ctx);
    free(t);
}

int pass_solve(uv_loop_t *loop, const char *run_dir, const struct puzzle *p, const struct hash *run,
               const struct key_pub *key, pass_done_fn done, void *ctx, struct pass_task **ret,
               struct err *e)
{
    bool is_solved = false;
    struct pass_task *t = alloc_zero(1, sizeof *t);
    if (!t) return err_set(e, ERR_NOMEM, 0, "no memory for the run's entry puzzle");
    t->puzzle = *p;
    t->run = *run;
    t->key = *key;
    t->done = done;
    t->ctx = ctx;
    t->work.data = t;
    int rc = path_of(run_dir, "proof", t->path, e);
    if (rc == OK) t->nonce = load_nonce(t->path, &is_solved);
    if (rc == OK && uv_queue_work(loop, &t->work, search, searched) != 0)
        rc = err_set(e, ERR_NOMEM, 0, "the run's entry puzzle cannot be begun");
    if (rc != OK) {
        free(t);
        return rc;
    }
    *ret = t;
    return OK;
}

void pass_cancel(struct pass_task *t)
{
    if (t) atomic_store(&t->is_cancelled, true);
}
