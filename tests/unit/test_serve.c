#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "aggregator/describe.h"
#include "aggregator/metrics.h"
#include "aggregator/prepare.h"
#include "aggregator/serve.h"
#include "aggregator/setup.h"
#include "base/file.h"
#include "net/link.h"
#include "tests/unit/textfolder.h"

static char dir[PATH_CAP], text[PATH_CAP], port[PATH_CAP];
static struct err e;

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void make_run(void)
{
    const char *paths[1] = {text};
    struct prepare_report r;
    struct prepare_options o = {
        .home = dir, .paths = paths, .n_paths = 1, .vocab_size = 300, .val_frac = 0.1};
    struct setup s;
    setup_defaults(&s);
    assert_int_equal(setup_set(&s, "name", "soup", &e), OK);
    assert_int_equal(setup_set(&s, "hidden", "32", &e), OK);
    assert_int_equal(setup_set(&s, "layers", "1", &e), OK);
    assert_int_equal(setup_set(&s, "listen", "127.0.0.1:0", &e), OK);
    assert_int_equal(setup_create(&s, NULL, dir, &e), OK);
    assert_int_equal(prepare_run(&o, &r, &e), OK);
}

/* A run of its own, served by a child that listens by now. */
static pid_t begin_serving(int *status)
{
    scratch_make(dir);
    assert_int_equal(path_format(text, "%s/text", dir), 0);
    assert_int_equal(path_format(port, "%s/port", dir), 0);
    assert_int_equal(mkdir(text, 0700), 0);
    textfolder_fill(text, "a.txt", 200000, 1);
    make_run();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct serve_options o = {.home = dir, .port_file = port, .wait_for = 1};
        _exit(serve_run(&o, &e) == OK ? 0 : 9);
    }
    while (!file_exists(port) && waitpid(child, status, WNOHANG) == 0)
        nap();
    assert_true(file_exists(port));
    return child;
}

static void any_number_of_signals_ends_in_order(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = begin_serving(&status);
    for (int i = 0; waitpid(child, &status, WNOHANG) == 0; i++) {
        kill(child, i % 2 ? SIGINT : SIGTERM);
        nap();
    }
    scratch_remove(dir);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- /metrics, over the wire ---- */

struct question {
    struct link *link;
    int n_left;
    int status[2];
    char type[96];
    struct buf page;
};

static void on_page(const struct link_reply *r, void *ctx)
{
    struct question *q = ctx;
    q->status[--q->n_left] = r->status;
    if (q->n_left == 1) {
        snprintf(q->type, sizeof q->type, "%s", r->type);
        buf_put(&q->page, r->body, r->n_body);
    }
    if (!q->n_left) link_close(q->link, NULL, NULL);
}

static void ask_twice(uint16_t number, const struct hash *pin, struct question *q)
{
    uv_loop_t loop;
    struct link_config c = {.host = "127.0.0.1", .port = number, .tls_pin = pin};
    struct link_request r = {.method = "GET", .path = "/metrics", .done = on_page, .ctx = q};
    q->n_left = 2;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(link_create(&loop, &c, &q->link, &e), OK);
    assert_true(link_send(q->link, &r) != 0);
    r.method = "DELETE";
    assert_true(link_send(q->link, &r) != 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void metrics_are_told_to_this_machine(void **state)
{
    (void)state;
    struct question q = {0};
    struct rundesc run;
    struct buf number = {0};
    int status = -1;
    pid_t child = begin_serving(&status);
    assert_int_equal(file_read(port, 16, &number, &e), OK);
    assert_int_equal(describe_read(dir, &run, NULL, &e), OK);
    ask_twice((uint16_t)strtoul(buf_str(&number), NULL, 10), &run.aggregators[0].tls_pin, &q);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &status, 0), child);
    scratch_remove(dir);
    assert_int_equal(q.status[1], 200);
    assert_int_equal(q.status[0], 405);
    assert_string_equal(q.type, METRICS_TYPE);
    assert_non_null(strstr(buf_str(&q.page), "\npotluck_connections 1\n"));
    assert_non_null(strstr(buf_str(&q.page), "\npotluck_round 0\n"));
    assert_null(strstr(buf_str(&q.page), "potluck_disk_free_bytes 0\n"));
    assert_null(strstr(buf_str(&q.page), "potluck_resident_memory_bytes 0\n"));
    buf_deinit(&q.page);
    buf_deinit(&number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_signals_ends_in_order),
        cmocka_unit_test(metrics_are_told_to_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
