/* One run, published in a folder and by a host on loopback: the auditor sees the same of both. */
#include <pthread.h>

#include "base/file.h"
#include "client/record_from.h"
#include "net/request.h"
#include "tests/unit/auditrig.h"
#include "tests/unit/loopback.h"
#include "tests/unit/scratch.h"

/* ---- a host --------------------------------------------------------------------------------- */

struct host {
    struct loopback lb;
    struct auditrig *r;
    pthread_t thread;
    uv_async_t stop;
    int n_later; /* so many answers are "come later" */
};

static void handle(struct request *q, void *ctx)
{
    struct host *h = ctx;
    const char *path = request_path(q);
    const char *name = NULL;
    if (h->n_later-- > 0) {
        request_add_header(q, "retry-after", "1");
        request_reply_error(q, 503, "later", "");
        return;
    }
    if (strcmp(path, "/v1/run") == 0) {
        request_reply(q, 200, "application/jose", h->r->jws.p, h->r->jws.len);
        return;
    }
    if (strncmp(path, "/v1/blobs/", 10) == 0) name = path + 10;
    if (strncmp(path, "/v1/log/", 8) == 0) name = path + 8;
    const struct auditrig_file *f = name ? auditrig_find(h->r, name) : NULL;
    if (f)
        request_reply(q, 200, "application/octet-stream", f->b.p, f->b.len);
    else
        request_reply_error(q, 404, "not here", "");
}

static void on_stop(uv_async_t *a)
{
    struct host *h = a->data;
    uv_close((uv_handle_t *)a, NULL);
    loopback_stop(&h->lb);
}

static void *run(void *ctx)
{
    struct host *h = ctx;
    loopback_run(&h->lb);
    return NULL;
}

static struct host the_host;

static void host_open(struct host *h)
{
    *h = (struct host){0};
    loopback_open(&h->lb);
    loopback_serve(&h->lb, false, handle, h);
    uv_async_init(&h->lb.loop, &h->stop, on_stop);
    h->stop.data = h;
    h->r = auditrig_begin_at(0, server_port(h->lb.server), &h->lb.pin);
    auditrig_round(h->r);
    auditrig_round(h->r);
    assert_int_equal(pthread_create(&h->thread, NULL, run, h), 0);
}

static void host_close(struct host *h)
{
    uv_async_send(&h->stop);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
    loopback_close(&h->lb);
    auditrig_deinit(h->r);
}

/* ---- what the auditor sees ------------------------------------------------------------------ */

static struct audit_report audit(struct record_from *f)
{
    struct audit_report p;
    struct err e = {0};
    struct audit_request q = {.source = record_from_source(f),
                              .run = record_from_run(f),
                              .known = record_from_remembered(f),
                              .round = AUDIT_ALL_ROUNDS};
    if (audit_run(&q, &p, &e) != OK) fail_msg("%s", e.what);
    return p;
}

static void write_file(const char *dir, const char *folder, const char *name, const struct buf *b)
{
    char path[PATH_CAP], up[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s/%s", dir, folder, name), 0);
    assert_int_equal(path_dirname(up, path), 0);
    assert_int_equal(file_mkdirs(up, NULL), OK);
    assert_int_equal(file_replace(path, b->p, b->len, 0600, NULL), OK);
}

static void a_folder_is_read(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct record_from *f = NULL;
    struct auditrig *r = auditrig_begin(0);
    auditrig_round(r);
    auditrig_round(r);
    auditrig_checkpoint(r);
    scratch_make(dir);
    scratch_write(dir, "run.potluck", r->jws.p, r->jws.len);
    for (uint32_t i = 0; i < r->n_files; i++) {
        const char *name = r->files[i].name;
        bool is_blob = strlen(name) == HASH_HEX - 1;
        bool is_weights = strncmp(name, "weights/", 8) == 0;
        write_file(dir,
                   is_blob      ? "receipts"
                   : is_weights ? "checkpoints"
                                : "record",
                   is_weights ? "x" : name, &r->files[i].b);
    }
    assert_int_equal(record_from_open(dir, NULL, &f, NULL), OK);
    assert_string_equal(record_from_dir(f), dir);
    assert_false(record_from_is_known(f)); /* by nothing but its own word */
    assert_int_equal(audit(f).verdict, AUDIT_TRUE);
    uint64_t rounds[4];
    uint32_t n = 0;
    const struct audit_source *s = record_from_source(f);
    struct buf b = {0};
    assert_int_equal(s->rounds(s->ctx, rounds, 4, &n, NULL), OK);
    assert_int_equal(n, 1);
    assert_int_equal(rounds[0], 2);
    assert_int_equal(s->weights(s->ctx, 2, 1 << 20, &b, NULL), OK);
    assert_int_equal(s->weights(s->ctx, 1, 1 << 20, &b, NULL), ERR_NOTFOUND);
    assert_int_equal(s->log(s->ctx, "tile/0/001", 100, &b, NULL), ERR_NOTFOUND);
    assert_int_equal(s->log(s->ctx, "checkpoint", 3, &b, NULL), ERR_LIMIT);
    assert_int_equal(record_from_ask(f, "/v1/run", 10, &b, NULL), ERR_WRONG_STATE);
    buf_deinit(&b);
    record_from_close(f);
    scratch_remove(dir);
    auditrig_deinit(r);
}

static void a_folder_of_something_else_is_said_to_be_so(void **state)
{
    (void)state;
    struct record_from *f = NULL;
    struct err e = {0};
    assert_int_equal(record_from_open("/tmp", NULL, &f, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.what, "no aggregator's home"));
    assert_null(f);
}

/* What this home saw of the run once, signed by the host, is not what there is now. */
static void remember_other_history(struct host *h, const struct home *home)
{
    struct note_head head = {.run = h->r->run.id, .n_leaves = 2, .root = hash_of("other", 5)};
    struct buf note = {0};
    char path[PATH_CAP];
    assert_int_equal(note_sign(&head, &h->r->host, &note, NULL), OK);
    assert_int_equal(home_run_path(home, &h->r->run.id, "treehead", path, NULL), OK);
    assert_int_equal(file_replace(path, note.p, note.len, 0600, NULL), OK);
    buf_deinit(&note);
}

static void a_host_is_asked_as_the_joined_run_says(void **state)
{
    (void)state;
    struct host *h = &the_host;
    struct record_from *f = NULL;
    struct home home;
    struct err e = {0};
    char dir[PATH_CAP], url[160];
    host_open(h);
    scratch_make(dir);
    assert_int_equal(home_open(&home, dir, NULL), OK);
    assert_int_equal(record_from_open(NULL, &home, &f, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "--from"));
    assert_int_equal(home_store_run(&home, &h->r->run.id, h->r->jws.p, h->r->jws.len, NULL), OK);
    assert_int_equal(home_set_current(&home, &h->r->run.id, NULL), OK);
    if (record_from_open(NULL, &home, &f, &e)) fail_msg("%s", e.what);
    assert_true(record_from_is_known(f));
    assert_null(record_from_dir(f));
    assert_null(record_from_remembered(f));
    assert_int_equal(audit(f).verdict, AUDIT_TRUE);
    record_from_close(f);
    remember_other_history(h, &home);
    if (record_from_open(NULL, &home, &f, &e)) fail_msg("%s", e.what);
    assert_int_equal(record_from_remembered(f)->n_leaves, 2);
    struct audit_report p = audit(f);
    assert_int_equal(p.verdict, AUDIT_FALSE);
    assert_int_equal(p.book.n[AUDIT_HEAD][AUDIT_WRONG], 1);
    record_from_close(f);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", h->r->run.aggregators[0].port);
    if (record_from_open(url, &home, &f, &e)) fail_msg("%s", e.what);
    assert_true(record_from_is_known(f));
    record_from_close(f);
    home_close(&home);
    scratch_remove(dir);
    host_close(h);
}

static void a_link_names_the_hosts_key(void **state)
{
    (void)state;
    struct host *h = &the_host;
    struct record_from *f = NULL;
    struct err e = {0};
    struct rundesc_invite v = {.host = "127.0.0.1"};
    char link[300];
    host_open(h);
    h->n_later = 1; /* a busy host is waited for */
    v.port = h->r->run.aggregators[0].port;
    v.key = h->r->host.pub;
    v.tls_pin = h->lb.pin;
    assert_int_equal(rundesc_invite_format(&v, link, sizeof link, NULL), OK);
    if (record_from_open(link, NULL, &f, &e)) fail_msg("%s", e.what);
    assert_true(record_from_is_known(f));
    auditrig_lose(h->r, &h->r->last.round.update);
    struct audit_report p = audit(f);
    assert_int_equal(p.book.n[AUDIT_UPDATE][AUDIT_NO_DATA], 1);
    record_from_close(f);
    f = NULL;
    v.key = h->r->peer[0].pub; /* somebody else's */
    assert_int_equal(rundesc_invite_format(&v, link, sizeof link, NULL), OK);
    assert_int_not_equal(record_from_open(link, NULL, &f, &e), OK);
    assert_null(f);
    host_close(h);
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    struct record_from *f = NULL;
    static const char *const bad[] = {"https://",          "https://:80",    "https://h:0",
                                      "https://h:70000",   "https://h/path", "https://[::1",
                                      "https://h:80/path", "https://h:80x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = record_from_open(bad[i], NULL, &f, NULL);
        if (i != 5) assert_int_equal(rc, ERR_ARG);
        assert_int_not_equal(rc, OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_read),
        cmocka_unit_test(a_folder_of_something_else_is_said_to_be_so),
        cmocka_unit_test(a_host_is_asked_as_the_joined_run_says),
        cmocka_unit_test(a_link_names_the_hosts_key),
        cmocka_unit_test(an_address_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
