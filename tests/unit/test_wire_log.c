/* A contributor's session over a real connection to a host that serves a log, and to the same host
 * after it has forked: two logs of one key.
 */
#include "base/file.h"
#include "base/log.h"
#include "client/wire.h"
#include "tests/unit/logcase.h"
#include "tests/unit/loopback.h"
#include "tests/unit/scratch.h"

struct rig {
    struct loopback lb;
    char dir[PATH_CAP];
    char evidence[PATH_CAP];
    struct rundesc *run;
    struct key key;
    struct logcase log;
    struct wire *wire;
    struct session session;
    uv_timer_t late;  /* an answer that never comes must not hang the test */
    uint64_t n_shown; /* entries of the served tree head; 0: there is no log */
    uint32_t n_heads, n_tiles;
    bool is_hiding_tiles;
    bool is_cut; /* tiles come one byte short */
    int kind;    /* of the last event of the record's lane */
    uint64_t round;
    struct hash base;
};

/* --- the host ----------------------------------------------------------------------------------- */

static void serve_tile(struct rig *r, struct request *q, const char *path)
{
    struct tiles_at at;
    struct hash h[TILES_WIDTH];
    r->n_tiles++;
    assert_int_equal(tiles_parse(path, strlen(path), &at), 0);
    assert_true(tiles_is_within(&at, r->n_shown));
    if (r->is_hiding_tiles || logcase_tile(&r->log, &at, h, NULL))
        request_reply_error(q, 404, "no such tile", "");
    else
        request_reply(q, 200, "application/octet-stream", h, at.width * sizeof *h - r->is_cut);
}

static void handle(struct request *q, void *ctx)
{
    struct rig *r = ctx;
    const char *path = request_path(q);
    struct buf b = {0};
    if (strncmp(path, "/v1/log/tile/", 13) == 0) {
        serve_tile(r, q, path + 8);
    } else if (strcmp(path, "/v1/log/checkpoint") == 0 && r->n_shown) {
        r->n_heads++;
        logcase_note(&r->log, r->n_shown, &b);
        request_reply(q, 200, "text/plain; charset=utf-8", b.p, b.len);
    } else {
        request_reply_error(q, 404, "no such thing", "");
    }
    buf_deinit(&b);
}

/* --- the contributor ------------------------------------------------------------------------------ */

static void end(struct rig *r)
{
    if (!r->wire) return;
    wire_close(r->wire, NULL, NULL);
    r->wire = NULL;
    uv_close((uv_handle_t *)&r->late, NULL);
    loopback_stop(&r->lb);
}

static void on_late(uv_timer_t *t)
{
    end(t->data);
}

static void step(struct rig *r, const struct session_event *ev)
{
    struct session_actions out;
    session_step(&r->session, ev, 1000, &out);
    for (uint32_t i = 0; i < out.n; i++)
        if (out.a[i].what == SESSION_DO_CHECK_RECORD)
            wire_request(r->wire, &out.a[i], &r->session, "", 0);
}

static void on_event(const struct session_event *ev, void *ctx)
{
    struct rig *r = ctx;
    r->kind = (int)ev->kind;
    step(r, ev);
    end(r);
}

/* A new process of the contributor joins, checks the record once, and ends. */
static int come_back(struct rig *r, uint64_t n_shown)
{
    struct session_config c = {.run = r->log.run, .inner_steps = 5, .n_addresses = 1};
    struct session_saved saved = {.model_round = r->round};
    struct session_event ev = {.kind = SESSION_EV_START};
    struct err e = {0};
    r->n_shown = n_shown;
    r->kind = 0;
    r->n_heads = r->n_tiles = 0;
    loopback_open(&r->lb);
    loopback_serve(&r->lb, false, handle, r);
    r->run->aggregators[0].port = server_port(r->lb.server);
    r->run->aggregators[0].tls_pin = r->lb.pin;
    uv_timer_init(&r->lb.loop, &r->late);
    r->late.data = r;
    uv_timer_start(&r->late, on_late, 20000, 0);
    struct wire_config w = {.loop = &r->lb.loop,
                            .run = r->run,
                            .key = &r->key,
                            .run_dir = r->dir,
                            .receipts_path = r->dir,
                            .evidence_dir = r->evidence,
                            .on_event = on_event,
                            .ctx = r};
    if (wire_create(&w, &r->wire, &e)) fail_msg("%s", e.what);
    session_init(&r->session, &c, &r->base);
    session_restore(&r->session, &saved);
    step(r, &ev);
    loopback_run(&r->lb);
    loopback_close(&r->lb);
    return r->kind;
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    scratch_make(r->dir);
    assert_int_equal(path_format(r->evidence, "%s/evidence", r->dir), 0);
    logcase_init(&r->log);
    key_generate(&r->key);
    r->run = calloc(1, sizeof *r->run);
    assert_non_null(r->run);
    r->run->id = r->log.run;
    r->run->n_aggregators = 1;
    r->run->aggregators[0].key = r->log.key.pub;
    snprintf(r->run->aggregators[0].host, sizeof r->run->aggregators[0].host, "127.0.0.1");
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    scratch_remove(r->dir);
    free(r->run);
    free(r);
    return 0;
}

/* --- cases ---------------------------------------------------------------------------------------- */

static void a_host_without_a_log_is_tolerated_at_first(void **state)
{
    struct rig *r = *state;
    assert_int_equal(come_back(r, 0), SESSION_EV_RECORD);
    assert_int_equal(r->session.is_rewritten, false);
}

static void a_growing_log_is_followed_with_few_tiles(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 1100, "one story");
    assert_int_equal(come_back(r, 5), SESSION_EV_RECORD);
    assert_int_equal(r->n_tiles, 0); /* nothing to compare with yet */
    assert_int_equal(come_back(r, 5), SESSION_EV_RECORD);
    assert_int_equal(r->n_tiles, 0);
    assert_int_equal(come_back(r, 300), SESSION_EV_RECORD);
    assert_in_range(r->n_tiles, 1, 3);
    assert_int_equal(come_back(r, 1100), SESSION_EV_RECORD);
    assert_in_range(r->n_tiles, 1, 3);
    assert_int_equal(r->n_heads, 1);
    assert_false(file_exists(r->evidence));
}

static void a_returning_client_notices_a_forked_history(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 400, "one story");
    assert_int_equal(come_back(r, 400), SESSION_EV_RECORD);
    r->log.n = 399; /* the same key signs another story */
    logcase_grow(&r->log, 500, "another story");
    assert_int_equal(come_back(r, 500), SESSION_EV_REWRITTEN);
    assert_int_equal(r->session.state, SESSION_DISTRUST);
    assert_non_null(strstr(r->session.why, "rewritten"));
    assert_non_null(strstr(r->session.why, "evidence is in"));
    assert_true(file_exists(r->evidence));
    assert_int_equal(come_back(r, 500), SESSION_EV_REWRITTEN); /* and every time it comes back */
}

static void a_log_that_disappears_or_shrinks_is_noticed(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 20, "one story");
    assert_int_equal(come_back(r, 20), SESSION_EV_RECORD);
    assert_int_equal(come_back(r, 0), SESSION_EV_REWRITTEN);
    assert_non_null(strstr(r->session.why, "no record"));
    assert_int_equal(come_back(r, 19), SESSION_EV_REWRITTEN);
    assert_non_null(strstr(r->session.why, "older"));
    assert_int_equal(come_back(r, 20), SESSION_EV_RECORD);
}

static void tiles_that_do_not_come_are_asked_for_again_later(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 20, "one story");
    assert_int_equal(come_back(r, 7), SESSION_EV_RECORD);
    r->is_hiding_tiles = true;
    assert_int_equal(come_back(r, 20), SESSION_EV_FAILED);
    r->is_hiding_tiles = false;
    r->is_cut = true;
    assert_int_equal(come_back(r, 20), SESSION_EV_FAILED);
    assert_true(r->session.is_record_due);
    r->is_cut = false;
    assert_int_equal(come_back(r, 20), SESSION_EV_RECORD);
    assert_false(file_exists(r->evidence));
}

static void a_record_that_lags_behind_the_rounds_is_asked_again(void **state)
{
    struct rig *r = *state;
    logcase_grow(&r->log, 20, "one story");
    r->round = 10;
    assert_int_equal(come_back(r, 10), SESSION_EV_FAILED);
    assert_int_equal(come_back(r, 11), SESSION_EV_RECORD);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_host_without_a_log_is_tolerated_at_first),
        CASE(a_growing_log_is_followed_with_few_tiles),
        CASE(a_returning_client_notices_a_forked_history),
        CASE(a_log_that_disappears_or_shrinks_is_noticed),
        CASE(tiles_that_do_not_come_are_asked_for_again_later),
        CASE(a_record_that_lags_behind_the_rounds_is_asked_again),
    };
    log_set_stderr(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
