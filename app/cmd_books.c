#include "app/cmd_books.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/books.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/utf8.h"
#include "client/outlook.h"

/* The joined run and who we are in it. */
struct member {
    struct rundesc run;
    struct key key;
};

static int open_member(const struct home *h, struct member **ret, struct err *e)
{
    struct hash id;
    struct member *m = NULL;
    int rc = home_current(h, &id, e);
    if (rc == ERR_NOTFOUND) {
        err_set(e, rc, 0, "no run is joined here");
        err_hint(e, "join one with `potluck join FILE|LINK`, or check --home");
    }
    if (rc == OK && !(m = alloc_zero(1, sizeof *m))) rc = err_set(e, ERR_NOMEM, 0, "out of memory");
    if (rc == OK) rc = home_load_run(h, &id, &m->run, e);
    if (rc == OK) rc = home_key(h, &m->key, e);
    if (rc == OK) {
        *ret = m;
        return OK;
    }
    free(m);
    return rc;
}

static void close_member(struct member *m)
{
    if (m) key_wipe(&m->key);
    free(m);
}

static int put_out(struct buf *out, int rc, struct err *e)
{
    if (rc == OK && out->len && out->p[out->len - 1] != '\n') buf_put_u8(out, '\n');
    if (rc == OK) rc = buf_ok(out, e);
    if (rc == OK) rc = file_write_all(STDOUT_FILENO, out->p, out->len, "standard output", e);
    buf_deinit(out);
    return rc;
}

/* ---- receipts ------------------------------------------------------------------------------- */

struct receipts_job {
    const struct member *m;
    struct record_from *from;
    struct receipts_row *ours, *host;
    size_t n_ours, n_host;
    struct books_receipt *rows;
    struct receipts_verdict *verdicts;
    struct receipts_row *flat; /* rows[i].row, as the record is asked for them */
    struct books_receipts shown;
};

static void on_finding(const struct audit_finding *f, void *ctx)
{
    struct receipts_job *j = ctx;
    if (f->outcome != AUDIT_WRONG || j->shown.record_what[0]) return;
    snprintf(j->shown.record_what, sizeof j->shown.record_what, "%s", f->what);
}

/* Without the host the receipts of this home can still be shown. */
static int ask_host(struct receipts_job *j, const struct home *h, bool is_needed, struct err *e)
{
    struct err why = {0};
    int rc = record_from_open(NULL, h, &j->from, &why);
    if (rc == OK) rc = credits_receipts(j->from, &j->m->key.pub, &j->host, &j->n_host, &why);
    if (rc == OK) return OK;
    if (is_needed || rc == ERR_NOMEM) {
        if (e) *e = why;
        return rc;
    }
    utf8_printable(why.what, j->shown.no_host, sizeof j->shown.no_host);
    return OK;
}

static int look_up(struct receipts_job *j, struct err *e)
{
    struct audit_book book = {.fn = on_finding, .ctx = j};
    uint32_t n = j->shown.n;
    j->flat = alloc_zero(n, sizeof *j->flat);
    j->verdicts = alloc_zero(n, sizeof *j->verdicts);
    if (!j->flat || !j->verdicts) return err_set(e, ERR_NOMEM, 0, "out of memory");
    for (uint32_t i = 0; i < n; i++)
        j->flat[i] = j->rows[i].row;
    int rc = receipts_verify(record_from_source(j->from), &j->m->run,
                             record_from_remembered(j->from), j->flat, n, j->verdicts, &book, e);
    for (uint32_t i = 0; rc == OK && i < n; i++)
        j->rows[i].verdict = j->verdicts[i];
    j->shown.is_verified = rc == OK;
    j->shown.n_wrong = audit_count(&book, AUDIT_WRONG);
    return rc;
}

static int receipts(struct receipts_job *j, const struct home *h, const struct cmdline *c,
                    struct err *e)
{
    char path[PATH_CAP];
    struct buf out = {0};
    int rc = home_run_path(h, &j->m->run.id, "receipts.jws", path, e);
    if (rc == OK)
        rc = receipts_load(path, &j->m->run, &j->m->key.pub, &j->ours, &j->n_ours, &j->shown.n_bad,
                           e);
    if (rc == OK) rc = ask_host(j, h, c->is_verify, e);
    if (rc == OK)
        rc = books_merge(j->ours, j->n_ours, j->host, j->n_host, &j->rows, &j->shown.n, e);
    if (rc == OK && c->is_verify) rc = look_up(j, e);
    j->shown.rows = j->rows;
    if (rc == OK && c->is_json) rc = books_receipts_json(&j->shown, &out, e);
    if (rc == OK && !c->is_json) books_receipts_text(&j->shown, &out);
    return put_out(&out, rc, e);
}

static int code_of(int rc)
{
    return rc == OK ? CMDLINE_EXIT_OK : rc == ERR_IO ? CMDLINE_EXIT_WAITING : CMDLINE_EXIT_ERROR;
}

int cmd_books_receipts(const struct home *h, const struct cmdline *c, int *ret_code, struct err *e)
{
    struct member *m = NULL;
    struct receipts_job *j = alloc_zero(1, sizeof *j);
    int rc = j ? open_member(h, &m, e) : err_set(e, ERR_NOMEM, 0, "out of memory");
    if (rc == OK) {
        j->m = m;
        j->shown.run = &m->run;
        j->shown.key = &m->key.pub;
        rc = receipts(j, h, c, e);
    }
    *ret_code = rc == OK ? books_exit(&j->shown) : code_of(rc);
    if (j) {
        record_from_close(j->from);
        free(j->ours);
        free(j->host);
        free(j->rows);
        free(j->flat);
        free(j->verdicts);
    }
    free(j);
    close_member(m);
    return rc;
}

/* ---- rewards -------------------------------------------------------------------------------- */

/* The ledger goes into the book, the book says what is to come and remembers that it said so. */
static int foretell(const struct home *h, const struct member *m, const struct credits *credits,
                    bool is_json, struct buf *out, struct err *e)
{
    struct forecast f[FORECAST_KINDS];
    struct buf file = {0};
    char path[PATH_CAP];
    struct forecast_now now = {.now_ms = clock_wall_ms(), .gear = 1};
    struct outlook *o = alloc_zero(1, sizeof *o);
    if (!o) return err_set(e, ERR_NOMEM, 0, "out of memory");
    struct forecast_book *b = &o->book;
    now.midnight_ms = clock_midnight_ms(now.now_ms);
    int rc = home_run_path(h, &m->run.id, "forecast.json", path, e);
    if (rc == OK) rc = outlook_load(path, o, e);
    if (rc == OK) {
        forecast_take(b, credits_line(credits, 0), (uint32_t)credits_n(credits), true, now.now_ms);
        forecast_settle(b, now.now_ms);
        for (int k = 0; k < FORECAST_KINDS; k++) {
            f[k] = forecast_make(b, (enum forecast_kind)k, &now);
            forecast_keep(b, (enum forecast_kind)k, &f[k], &now);
        }
        rc = forecast_save(b, &file, e);
    }
    if (rc == OK) rc = file_replace(path, file.p, file.len, 0600, e);
    if (rc == OK && is_json) rc = books_forecast_json(b, f, &m->run, out, e);
    if (rc == OK && !is_json) books_forecast_text(b, f, &m->run, out);
    buf_deinit(&file);
    free(o);
    return rc;
}

int cmd_books_rewards(const struct home *h, const struct cmdline *c, int *ret_code, struct err *e)
{
    struct member *m = NULL;
    struct record_from *f = NULL;
    struct credits credits = {0};
    struct buf out = {0};
    int rc = open_member(h, &m, e);
    if (rc == OK) rc = record_from_open(NULL, h, &f, e);
    if (rc == OK) rc = credits_fetch(f, &m->key.pub, &credits, e);
    if (rc == OK && c->is_forecast)
        rc = foretell(h, m, &credits, c->is_json, &out, e);
    else if (rc == OK && c->is_json)
        rc = books_rewards_json(&credits, &m->run, &m->key.pub, &out, e);
    else if (rc == OK && c->is_csv)
        books_rewards_csv(&credits, &out);
    else if (rc == OK)
        books_rewards_text(&credits, &m->run, &out);
    rc = put_out(&out, rc, e);
    credits_deinit(&credits);
    record_from_close(f);
    close_member(m);
    *ret_code = code_of(rc);
    return rc;
}
