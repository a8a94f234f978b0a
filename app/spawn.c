#include "app/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/talk.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/utf8.h"

#define WAIT_MS  10000
#define END_MS   15000
#define MAX_ARGS 256

int spawn_find(char dst[PATH_CAP], struct err *e)
{
    char self[PATH_CAP], dir[PATH_CAP];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        static const char *const places[] = {"potluck-agent", "../libexec/potluck/potluck-agent",
                                             "../lib/potluck/potluck-agent"};
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            if (path_dirname(dir, self) == 0 && path_format(dst, "%s/%s", dir, places[i]) == 0 &&
                access(dst, X_OK) == 0)
                return OK;
    }
    err_set(e, ERR_NOTFOUND, 0, "the program potluck-agent is not beside potluck");
    err_hint(e, "install potluck again; both programs belong together");
    return ERR_NOTFOUND;
}

/* The agent's stderr, until it has its log: one line when it cannot start. */
static void read_complaint(const char *path, struct err *e)
{
    struct buf b = {0};
    char line[160] = "";
    if (file_read(path, 4096, &b, NULL) == OK) {
        char *text = strdup(buf_str(&b));
        if (text) {
            char *nl = strchr(text, '\n');
            if (nl) *nl = 0;
            const char *from = strncmp(text, "potluck-agent: ", 15) == 0 ? text + 15 : text;
            utf8_printable(from, line, sizeof line);
            free(text);
        }
    }
    buf_deinit(&b);
    err_set(e, ERR_IO, 0, "the agent did not start: %s", *line ? line : "it said nothing");
}

static _Noreturn void child(char **argv, const char *complaint)
{
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int errors = open(complaint, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(null, 0);
    dup2(null, 1);
    dup2(errors >= 0 ? errors : null, 2);
    execv(argv[0], argv);
    _exit(127);
}

static void nap(void)
{
    struct timespec t = {.tv_nsec = 30 * 1000 * 1000};
    nanosleep(&t, NULL);
}

/* Until it answers or ends. */
static int await(const struct home *h, pid_t pid, const char *complaint, struct err *e)
{
    int64_t until = clock_mono_ms() + WAIT_MS;
    while (clock_mono_ms() < until) {
        if (talk_is_there(h->paths.socket)) return OK;
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            read_complaint(complaint, e);
            return ERR_IO;
        }
        nap();
    }
    err_set(e, ERR_IO, 0, "the agent was started but does not answer");
    err_hint(e, "look into %s/agent.log", h->paths.state);
    return ERR_IO;
}

int spawn_agent(const struct home *h, const char *home, const char *threads, const char *name,
                struct err *e)
{
    char program[PATH_CAP], complaint[PATH_CAP];
    int rc = spawn_find(program, e);
    if (rc != OK) return rc;
    if (path_format(complaint, "%s/agent.err", h->paths.state) != 0)
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    const char *argv[10] = {program, "--quiet"};
    int n = 2;
    const char *pairs[][2] = {
        {"--home",    home   },
        {"--threads", threads},
        {"--name",    name   }
    };
    for (size_t i = 0; i < 3; i++) {
        if (!pairs[i][1]) continue;
        argv[n++] = pairs[i][0];
        argv[n++] = pairs[i][1];
    }
    char *copy[10];
    memcpy(copy, argv, sizeof copy);
    pid_t pid = fork();
    if (pid < 0) return err_set(e, ERR_IO, errno, "cannot start the agent");
    if (pid == 0) child(copy, complaint);
    return await(h, pid, complaint, e);
}

int spawn_await_end(const struct home *h, struct err *e)
{
    int64_t until = clock_mono_ms() + END_MS;
    while (home_is_locked(h)) {
        if (clock_mono_ms() >= until) {
            err_set(e, ERR_IO, 0, "the agent was asked to end and is still saving after %d s",
                    END_MS / 1000);
            err_hint(e, "it ends by itself; look into %s/agent.log", h->paths.state);
            return ERR_IO;
        }
        nap();
    }
    return OK;
}

int spawn_become(const char *word, const char *home, char **args, struct err *e)
{
    char program[PATH_CAP];
    int rc = spawn_find(program, e);
    if (rc != OK) return rc;
    char flag[] = "--home";
    char *argv[MAX_ARGS] = {program};
    char first[32], copy[PATH_CAP];
    int n = 1;
    if (word) {
        snprintf(first, sizeof first, "%s", word);
        argv[n++] = first;
    }
    if (home && path_format(copy, "%s", home) == 0) {
        argv[n++] = flag;
        argv[n++] = copy;
    }
    for (; *args && n < MAX_ARGS - 1; args++)
        argv[n++] = *args;
    if (*args) return err_set(e, ERR_ARG, 0, "too many arguments for the agent");
    execv(program, argv);
    return err_set(e, ERR_IO, errno, "cannot run '%s'", program);
}
