#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "aggregator/prepare.h"
#include "aggregator/serve.h"
#include "aggregator/setup.h"
#include "base/file.h"
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

static void any_number_of_signals_ends_in_order(void **state)
{
    (void)state;
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
    int status = -1;
    while (!file_exists(port) && waitpid(child, &status, WNOHANG) == 0)
        nap();
    assert_true(file_exists(port));
    for (int i = 0; waitpid(child, &status, WNOHANG) == 0; i++) {
        kill(child, i % 2 ? SIGINT : SIGTERM);
        nap();
    }
    scratch_remove(dir);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_signals_ends_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
