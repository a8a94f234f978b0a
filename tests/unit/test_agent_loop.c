#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "client/agent_loop.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

#define LIMIT_MS 20000

/* An agent without a run, in a process of its own; exit code 0 when its loop ended in order. */
static _Noreturn void be_agent(struct home *h)
{
    struct err e = {0};
    struct agent_config c = {.home = h};
    _exit(agent_loop(&c, &e) == OK ? 0 : 1);
}

/* It says so behind the moment from which it watches signals. */
static bool is_turning(const char *log)
{
    struct buf b = {0};
    bool yes =
        file_read(log, 1 << 20, &b, NULL) == OK && strstr(buf_str(&b), "no run is joined yet");
    buf_deinit(&b);
    return yes;
}

static void agent_loop_ends_in_order_under_a_hail_of_signals(void **state)
{
    (void)state;
    char dir[PATH_CAP], log[PATH_CAP];
    struct home h;
    scratch_make(dir);
    assert_int_equal(home_open(&h, dir, NULL), OK);
    assert_int_equal(path_format(log, "%s/agent.log", h.paths.state), 0);
    pid_t pid = fork();
    if (pid == 0) be_agent(&h);
    assert_true(pid > 0);
    int64_t until = clock_mono_ms() + LIMIT_MS;
    while (!is_turning(log) && clock_mono_ms() < until)
        sched_yield();
    int status = -1;
    for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
        kill(pid, clock_mono_ms() > until ? SIGKILL : i % 2 ? SIGINT : SIGTERM);
        sched_yield();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    home_close(&h);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_loop_ends_in_order_under_a_hail_of_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
