/* Each forbidden thing, done from inside: what `potluck doctor` says about the sandbox is true because it
 * was tried, and the test tries the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/sandbox.h"

/* True: it was possible. */
static bool run_program(void)
{
    char name[] = "/bin/true";
    char *argv[] = {name, NULL}, *none[] = {NULL};
    (void)execve(name, argv, none); /* does not come back when it works: the process ends with 0 */
    return false;
}

static bool make_process(void)
{
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    return pid > 0;
}

static bool write_elsewhere(void)
{
    char path[] = "/tmp/potluck-sandbox-try";
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    close(fd);
    unlink(path);
    return true;
}

/* Where other people's files lie. */
static bool read_elsewhere(void)
{
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static bool listen_tcp(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool yes = bind(fd, (const struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return yes;
}

static bool raw_packets(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static bool look_into_parent(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool signal_parent(void)
{
    return kill(getppid(), 0) == 0;
}

static bool make_code(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return false;
    munmap(p, 4096);
    return true;
}

static bool turn_to_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return false;
    bool yes = mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
    munmap(p, 4096);
    return yes;
}

static bool new_namespace(void)
{
    return syscall(SYS_unshare, 0x10000000) == 0; /* CLONE_NEWUSER */
}

static const struct {
    const char *what;
    bool (*fn)(void);
} tries[] = {
    {"write outside of its folders", write_elsewhere },
    {"list the folders of others",   read_elsewhere  },
    {"listen on a port",             listen_tcp      },
    {"open raw packets",             raw_packets     },
    {"look into another process",    look_into_parent},
    {"signal another process",       signal_parent   },
    {"make executable memory",       make_code       },
    {"turn memory into code",        turn_to_code    },
    {"make a namespace",             new_namespace   },
    {"make a process",               make_process    },
    {"run a program",                run_program     },
};

enum { N_TRIES = sizeof tries / sizeof *tries };

/* One of them in a process of its own: 0 done, 1 refused, 2 no sandbox. */
static int one(const struct paths *own, int i)
{
    int status = 0;
    pid_t pid = fork();
    if (pid < 0) return 2;
    if (pid == 0) {
        struct sandbox s;
        if (sandbox_enter(own, &s, NULL) != OK) _exit(2);
        _exit(tries[i].fn() ? 0 : 1);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 2;
    return WEXITSTATUS(status);
}

int sandbox_try(const struct paths *own, int *ret_refused, char *ret_done, unsigned long cap)
{
    *ret_refused = 0;
    ret_done[0] = 0;
    for (int i = 0; i < N_TRIES; i++) {
        int how = one(own, i);
        if (how == 2) return 0;
        if (how == 1) ++*ret_refused;
        if (how == 0 && !ret_done[0]) snprintf(ret_done, cap, "%s", tries[i].what);
    }
    return N_TRIES;
}
