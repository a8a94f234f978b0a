#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "client/sandbox.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

static void own_folders(struct paths *p, char dir[PATH_CAP])
{
    scratch_make(dir);
    assert_int_equal(path_find(p, dir, NULL), OK);
}

static void *nothing(void *ctx)
{
    return ctx;
}

/* The agent's own work; the number of the first thing that fails, 0 when all of it goes. */
static int work_inside(const struct paths *own)
{
    struct sandbox s;
    char path[PATH_CAP], other[PATH_CAP];
    struct buf b = {0};
    struct addrinfo *all = NULL;
    pthread_t t;
    int pair[2];
    if (sandbox_enter(own, &s, NULL) != OK || !s.has_privs_off) return 1;
    if (path_format(path, "%s/a", own->data) || path_format(other, "%s/b", own->state)) return 2;
    if (file_replace(path, "x", 1, 0600, NULL) != OK) return 3;
    if (rename(path, other) != 0 || unlink(other) != 0) return 4;
    if (file_replace(own->config, "version = 1\n", 12, 0600, NULL) != OK) return 5;
    if (file_read("/proc/stat", 1 << 20, &b, NULL) != OK) return 6;
    if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0) return 7;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 8;
    if (getaddrinfo("localhost", "1", NULL, &all) != 0) return 9;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, all->ai_addr, all->ai_addrlen) == 0)) return 10;
    void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) != 0) return 11;
    freeaddrinfo(all);
    buf_deinit(&b);
    return 0;
}

static void sandbox_lets_the_agent_do_its_work(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct paths own;
    int status = -1;
    own_folders(&own, dir);
    pid_t pid = fork();
    if (pid == 0) _exit(work_inside(&own));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    scratch_remove(dir);
}

/* What this kernel and this build can give. */
static struct sandbox given(const struct paths *own)
{
    struct sandbox s = {0};
    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!sandbox_enter(own, &s, NULL);
        _exit(write(pipe_fd[1], &s, sizeof s) == sizeof s ? 0 : 1);
    }
    assert_int_equal(read(pipe_fd[0], &s, sizeof s), sizeof s);
    waitpid(pid, NULL, 0);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    return s;
}

static void sandbox_refuses_each_forbidden_thing(void **state)
{
    (void)state;
    char dir[PATH_CAP], done[64];
    struct paths own;
    int n_refused = 0;
    own_folders(&own, dir);
    struct sandbox s = given(&own);
    int n = sandbox_try(&own, &n_refused, done, sizeof done);
    scratch_remove(dir);
    if (!s.has_landlock || !s.has_seccomp || s.abi < 6) {
        print_message("skipped: Landlock ABI %d, seccomp %d\n", s.abi, s.has_seccomp);
        skip();
    }
    assert_string_equal(done, "");
    assert_int_equal(n, n_refused);
    assert_true(n > 8);
}

static void sandbox_text_says_what_is_missing(void **state)
{
    (void)state;
    char text[160];
    struct sandbox s = {0};
    sandbox_text(&s, text, sizeof text);
    assert_memory_equal(text, "none", 4);
    s = (struct sandbox){
        .has_privs_off = true, .has_landlock = true, .has_seccomp = true, .abi = 1};
    sandbox_text(&s, text, sizeof text);
    assert_non_null(strstr(text, "own folders only"));
    assert_null(strstr(text, "listening"));
    s.abi = 4;
    sandbox_text(&s, text, sizeof text);
    assert_non_null(strstr(text, "no listening"));
    s.has_landlock = false;
    sandbox_text(&s, text, sizeof text);
    assert_non_null(strstr(text, "any file of yours"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sandbox_lets_the_agent_do_its_work),
        cmocka_unit_test(sandbox_refuses_each_forbidden_thing),
        cmocka_unit_test(sandbox_text_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
