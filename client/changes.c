#include "client/changes.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

static int verify(const struct rundesc *run, const char *line, size_t n, struct entry *ret,
                  struct err *e)
{
    int rc = ERR_AUTH;
    for (uint32_t i = 0; i < run->n_aggregators && rc == ERR_AUTH; i++)
        rc = entry_verify(line, n, &run->aggregators[i].key, ret, e);
    if (rc != OK) return rc;
    if (!hash_equal(&ret->run, &run->id))
        return err_set(e, ERR_AUTH, 0, "a change is signed for another run");
    if (ret->kind != ENTRY_CHANGE && ret->kind != ENTRY_ROLLBACK)
        return err_set(e, ERR_PROTO, 0, "the list of changes holds something else");
    return OK;
}

static int parse(const struct rundesc *run, const char *text, size_t n, struct course *ret,
                 struct err *e)
{
    int rc = OK;
    course_init(ret, run);
    for (size_t at = 0; rc == OK && at < n;) {
        struct entry m;
        const char *end = memchr(text + at, '\n', n - at);
        if (!end)
            return err_set(e, ERR_PROTO, 0, "the list of changes ends in the middle of a line");
        size_t len = (size_t)(end - text) - at;
        rc = verify(run, text + at, len, &m, e);
        if (rc == OK) rc = course_take(ret, &m, e);
        at += len + 1;
    }
    return rc;
}

/* What `now` has and `before` had not. */
static void tell(const struct course *before, const struct course *now)
{
    const struct entry_change *m = (const void *)now->changes.p;
    const struct entry_rollback *back = (const void *)now->rollbacks.p;
    struct buf words = {0};
    for (size_t i = before->changes.len / sizeof *m; i < now->changes.len / sizeof *m; i++) {
        buf_clear(&words);
        course_words(&m[i], &words);
        log_warn("the host changes the run %s", buf_str(&words));
    }
    for (size_t i = before->rollbacks.len / sizeof *back; i < now->rollbacks.len / sizeof *back;
         i++)
        log_warn("the host goes back to the model of round %" PRIu64 " before round %" PRIu64
                 ": %s",
                 back[i].to_round, back[i].next_round, back[i].reason);
    buf_deinit(&words);
}

int changes_open(struct changes *c, const char *run_dir, const struct rundesc *run, struct err *e)
{
    struct err why = {0};
    *c = (struct changes){.run = run};
    course_init(&c->course, run);
    if (path_format(c->path, "%s/changes", run_dir))
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    int rc = file_read(c->path, CHANGES_MAX_BYTES, &c->text, &why);
    if (rc == OK) {
        course_deinit(&c->course);
        rc = parse(run, (const char *)c->text.p, c->text.len, &c->course, &why);
    }
    if (rc == OK || rc == ERR_NOTFOUND) return OK;
    changes_deinit(c);
    if (rc == ERR_NOMEM) return err_set(e, rc, 0, "no memory for the changes of the run");
    log_err(LOG_WARN, &why, "the changes of the run are asked for anew");
    char path[PATH_CAP];
    check(path_format(path, "%s/changes", run_dir) == 0);
    *c = (struct changes){.run = run};
    memcpy(c->path, path, sizeof c->path);
    course_init(&c->course, run);
    return OK;
}

void changes_deinit(struct changes *c)
{
    if (!c) return;
    course_deinit(&c->course);
    buf_deinit(&c->text);
    *c = (struct changes){0};
}

int changes_take(struct changes *c, const void *lines, size_t n, struct err *e)
{
    struct course now;
    struct buf text = {0};
    if (n > CHANGES_MAX_BYTES) return err_set(e, ERR_LIMIT, 0, "the list of changes is too long");
    bool is_longer =
        n >= c->text.len && (!c->text.len || memcmp(lines, c->text.p, c->text.len) == 0);
    if (!is_longer)
        return err_set(e, ERR_AUTH, 0, "the host takes back a change that it had signed");
    int rc = parse(c->run, lines, n, &now, e);
    if (rc == OK) {
        buf_put(&text, lines, n);
        rc = buf_ok(&text, e);
    }
    if (rc == OK) rc = file_replace(c->path, text.p, text.len, 0600, e);
    if (rc == OK) {
        struct course before = c->course;
        struct buf old = c->text;
        tell(&before, &now);
        c->course = now;
        c->text = text;
        now = before;
        text = old;
    }
    course_deinit(&now);
    buf_deinit(&text);
    return rc;
}
