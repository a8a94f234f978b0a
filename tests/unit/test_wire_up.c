/* A contribution on its way: whose word counts on what has arrived. */
#include "base/file.h"
#include "client/wire.h"
#include "client/work_state.h"
#include "tests/unit/loopback.h"
#include "tests/unit/scratch.h"

#define ID      "0123456789abcdef0123456789abcdef"
#define N_BYTES 1000

struct rig {
    struct loopback lb;
    char dir[PATH_CAP];
    struct rundesc *run;
    struct key key;
    struct wire *wire;
    struct session session;
    uint32_t n_bodies; /* chunks that came */
    int i_ask;
    enum session_event_kind heard[4];
};

/* Stores every chunk, and has none when it is asked again. */
static void handle(struct request *q, void *ctx)
{
    struct rig *r = ctx;
    const char *method = request_method(q);
    if (strcmp(method, "POST") == 0) {
        struct msg_slot slot = {.id = ID, .chunk_bytes = MSG_CHUNK_BYTES, .left_ms = 60000};
        struct buf b = {0};
        assert_int_equal(msg_slot_encode(&slot, &b, NULL), OK);
        request_reply(q, 201, "application/json", b.p, b.len);
        buf_deinit(&b);
    } else if (strcmp(method, "PUT") == 0) {
        r->n_bodies++;
        request_reply(q, 204, NULL, NULL, 0);
    } else {
        request_reply_error(q, 405, "no such thing", "");
    }
}

static const enum session_do ASKS[] = {SESSION_DO_PUT_CHUNK, SESSION_DO_PUT_CHUNK,
                                       SESSION_DO_RESERVE, SESSION_DO_PUT_CHUNK};
#define N_ASKS 4

static void ask_next(struct rig *r)
{
    struct session_action a = {
        .what = ASKS[r->i_ask], .tag = (uint32_t)r->i_ask + 1, .n_bytes = N_BYTES, .id = ID};
    wire_request(r->wire, &a, &r->session, "", 0);
}

static void on_event(const struct session_event *ev, void *ctx)
{
    struct rig *r = ctx;
    if (ev->kind == SESSION_EV_PROGRESS) return;
    if (ev->kind == SESSION_EV_FAILED) fail_msg("%s", ev->failed.why);
    r->heard[r->i_ask++] = ev->kind;
    if (r->i_ask < N_ASKS) {
        ask_next(r);
        return;
    }
    wire_close(r->wire, NULL, NULL);
    loopback_stop(&r->lb);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    char path[PATH_CAP];
    uint8_t payload[N_BYTES];
    assert_non_null(r);
    scratch_make(r->dir);
    key_generate(&r->key);
    r->run = calloc(1, sizeof *r->run);
    assert_non_null(r->run);
    r->run->n_aggregators = 1;
    snprintf(r->run->aggregators[0].host, sizeof r->run->aggregators[0].host, "127.0.0.1");
    memset(payload, 7, sizeof payload);
    struct session_config c = {.n_addresses = 1};
    struct hash none = {0};
    session_init(&r->session, &c, &none);
    r->session.payload = (struct session_payload){
        .hash = hash_of(payload, sizeof payload), .n_bytes = N_BYTES, .n_chunks = 1};
    assert_int_equal(work_state_payload(r->dir, &r->session.payload.hash, path), 0);
    assert_int_equal(file_replace(path, payload, sizeof payload, 0600, NULL), OK);
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

static void a_chunk_that_the_host_has_lost_is_sent_again(void **state)
{
    struct rig *r = *state;
    struct err e = {0};
    loopback_open(&r->lb);
    loopback_serve(&r->lb, false, handle, r);
    r->run->aggregators[0].port = server_port(r->lb.server);
    r->run->aggregators[0].tls_pin = r->lb.pin;
    struct wire_config w = {.loop = &r->lb.loop,
                            .run = r->run,
                            .key = &r->key,
                            .run_dir = r->dir,
                            .receipts_path = r->dir,
                            .evidence_dir = r->dir,
                            .on_event = on_event,
                            .ctx = r};
    if (wire_create(&w, &r->wire, &e)) fail_msg("%s", e.what);
    ask_next(r);
    loopback_run(&r->lb);
    loopback_close(&r->lb);
    assert_int_equal(r->i_ask, N_ASKS);
    assert_int_equal(r->heard[1], SESSION_EV_CHUNK); /* known to be there: not sent */
    assert_int_equal(r->heard[2], SESSION_EV_SLOT);  /* and reserved anew it is not */
    assert_int_equal(r->heard[3], SESSION_EV_CHUNK);
    assert_int_equal(r->n_bodies, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_chunk_that_the_host_has_lost_is_sent_again, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
