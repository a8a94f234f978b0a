/* Weights over a line that breaks: what has come is kept, and the rest asked for. */
#include <fcntl.h>

#include "base/file.h"
#include "client/wire.h"
#include "engine/model.h"
#include "record/checkpoint.h"
#include "tests/unit/loopback.h"
#include "tests/unit/scratch.h"

#define BREAK_AT 30000

struct rig {
    struct loopback lb;
    char dir[PATH_CAP];
    struct rundesc *run;
    struct key key;
    struct wire *wire;
    struct session session;
    uv_timer_t late;
    struct buf file;
    char path[PATH_CAP];
    uint32_t n_asked;
    uint32_t n_breaks; /* answers that are cut off */
    uint64_t from[8];  /* where they began */
    bool is_changed;   /* the rest is of another file */
    bool is_gone;      /* no range any more */
    struct session_action ask;
    int kind, n_failed;
};

static void handle(struct request *q, void *ctx)
{
    struct rig *r = ctx;
    const char *range = request_header(q, "range");
    if (strcmp(request_path(q), "/v1/checkpoints/3") != 0) {
        request_reply_error(q, 404, "no such thing", "");
        return;
    }
    uint64_t from = range ? strtoull(range + 6, NULL, 10) : 0;
    assert_true(r->n_asked < 8);
    r->from[r->n_asked++] = from;
    if (r->is_gone && range) {
        request_reply_error(q, 416, "not any more", "");
        return;
    }
    bool breaks = r->n_asked <= r->n_breaks;
    size_t n = r->file.len - from;
    if (breaks) { /* a file that is shorter than promised ends in a reset */
        int fd = open(r->path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        request_reply_file(q, range ? 206 : 200, "application/octet-stream", fd, from, n + 1000000);
        return;
    }
    if (r->is_changed) r->file.p[r->file.len - 1] ^= 1;
    request_reply(q, range ? 206 : 200, "application/octet-stream", r->file.p + from, n);
}

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

/* Ask again after a failure, until it is here or has failed too often. */
static void on_event(const struct session_event *ev, void *ctx)
{
    struct rig *r = ctx;
    if (ev->kind == SESSION_EV_PROGRESS) return;
    r->kind = (int)ev->kind;
    if (ev->kind == SESSION_EV_FAILED && ++r->n_failed < 4) {
        r->ask.tag++;
        wire_request(r->wire, &r->ask, &r->session, "", 0);
        return;
    }
    if (ev->kind == SESSION_EV_CHECKPOINT) {
        struct buf got = {0};
        wire_take_fetched(r->wire, &got);
        assert_int_equal(got.len, r->file.len);
        assert_memory_equal(got.p, r->file.p, got.len);
        buf_deinit(&got);
    }
    end(r);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct model_table t;
    struct err e = {0};
    assert_non_null(r);
    scratch_make(r->dir);
    key_generate(&r->key);
    r->run = calloc(1, sizeof *r->run);
    assert_non_null(r->run);
    r->run->model = (struct model_config){.vocab_size = 512,
                                          .hidden_size = 32,
                                          .intermediate_size = 48,
                                          .num_hidden_layers = 1,
                                          .num_attention_heads = 2,
                                          .num_key_value_heads = 1,
                                          .max_position_embeddings = 32,
                                          .rms_norm_eps = 1e-5f,
                                          .rope_theta = 10000,
                                          .initializer_range = 0.02f,
                                          .tie_word_embeddings = true};
    r->run->n_aggregators = 1;
    snprintf(r->run->aggregators[0].host, sizeof r->run->aggregators[0].host, "127.0.0.1");
    assert_int_equal(model_table_init(&t, &r->run->model, &e), OK);
    size_t n = CHECKPOINT_HEADER_BYTES + t.n_params * sizeof(float);
    model_table_deinit(&t);
    for (size_t i = 0; i < n; i++)
        buf_put_u8(&r->file, (uint8_t)(i * 31 + i / 251));
    assert_int_equal(path_format(r->path, "%s/short", r->dir), 0);
    assert_true(n > 2 * BREAK_AT);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    scratch_remove(r->dir);
    buf_deinit(&r->file);
    free(r->run);
    free(r);
    return 0;
}

static void fetch(struct rig *r)
{
    struct err e = {0};
    struct session_config c = {.n_addresses = 1};
    struct hash none = {0};
    assert_int_equal(file_replace(r->path, r->file.p, BREAK_AT, 0600, &e), OK);
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
                            .evidence_dir = r->dir,
                            .on_event = on_event,
                            .ctx = r};
    if (wire_create(&w, &r->wire, &e)) fail_msg("%s", e.what);
    session_init(&r->session, &c, &none);
    r->ask = (struct session_action){.what = SESSION_DO_FETCH_CHECKPOINT,
                                     .tag = 1,
                                     .round = 3,
                                     .hash = hash_of(r->file.p, r->file.len),
                                     .n_bytes = r->file.len};
    wire_request(r->wire, &r->ask, &r->session, "", 0);
    loopback_run(&r->lb);
    loopback_close(&r->lb);
}

static void what_has_come_is_not_fetched_again(void **state)
{
    struct rig *r = *state;
    r->n_breaks = 1;
    fetch(r);
    assert_int_equal(r->kind, SESSION_EV_CHECKPOINT);
    assert_int_equal(r->n_asked, 2);
    assert_int_equal(r->from[1], BREAK_AT);
}

static void a_range_that_is_refused_begins_anew(void **state)
{
    struct rig *r = *state;
    r->n_breaks = 1;
    r->is_gone = true;
    fetch(r);
    assert_int_equal(r->kind, SESSION_EV_CHECKPOINT);
    assert_int_equal(r->n_asked, 3);
    assert_int_equal(r->from[2], 0);
}

static void a_wrong_end_is_never_taken(void **state)
{
    struct rig *r = *state;
    r->n_breaks = 1;
    r->is_changed = true;
    fetch(r);
    /* The second answer ends wrongly, so the third is of all of it: and is right by then. */
    assert_int_equal(r->from[1], BREAK_AT);
    assert_int_equal(r->from[2], 0);
    assert_true(r->n_failed >= 2);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_has_come_is_not_fetched_again),
        CASE(a_range_that_is_refused_begins_anew),
        CASE(a_wrong_end_is_never_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
