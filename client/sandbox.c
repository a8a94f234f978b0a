#include "client/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

/* ---- Landlock ------------------------------------------------------------------------------------ */

/* From the kernel's documentation (Documentation/userspace-api/landlock.rst); this system's header may be
 * older than its kernel, so the names are our own.
 */
enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_FILE = 1 << 5,
    FS_ABI_1 = (1 << 13) - 1, /* all of the first ABI: with them devices, sockets, links made */
    FS_REFER = 1 << 13,       /* ABI 2 */
    FS_TRUNCATE = 1 << 14,    /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15,   /* ABI 5 */
    FS_LOOK = FS_READ_FILE | FS_READ_DIR,
    NET_BIND_TCP = 1 << 0,    /* ABI 4 */
    SCOPES = 1 << 0 | 1 << 1, /* ABI 6: abstract sockets of others, signals to others */
    RULE_PATH_BENEATH = 1,
    CREATE_VERSION = 1 << 0,
};

struct ruleset {
    uint64_t fs, net, scoped;
};

struct beneath {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

static int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static uint64_t handled_fs(int abi)
{
    uint64_t all = FS_ABI_1;
    if (abi >= 2) all |= FS_REFER;
    if (abi >= 3) all |= FS_TRUNCATE;
    if (abi >= 5) all |= FS_IOCTL_DEV;
    return all;
}

/* What is not there needs no rule. */
static void allow(int rules, const char *path, uint64_t access)
{
    struct beneath b = {.allowed = access, .fd = open(path, O_PATH | O_CLOEXEC)};
    if (b.fd < 0) return;
    (void)syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &b, 0);
    close(b.fd);
}

static void allow_own(int rules, const struct paths *own, uint64_t all)
{
    char dir[PATH_CAP];
    const uint64_t work = all & ~(uint64_t)FS_EXECUTE;
    const char *const folders[] = {own->data, own->cache, own->state};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        allow(rules, folders[i], work);
    if (path_dirname(dir, own->config) == 0) {
        (void)!file_mkdirs(dir, NULL); /* a setting may be changed later, from the screen */
        allow(rules, dir, work);
    }
    if (path_dirname(dir, own->socket) == 0) allow(rules, dir, FS_REMOVE_FILE | FS_READ_DIR);
}

static void allow_looking(int rules)
{
    /* Names and certificates, time zones, the C library's own modules, sensors. */
    static const char *const places[] = {"/etc",
                                         "/usr",
                                         "/lib",
                                         "/lib64",
                                         "/proc",
                                         "/sys",
                                         "/run/systemd/resolve",
                                         "/run/resolvconf",
                                         "/run/NetworkManager",
                                         "/dev/pts",
                                         "/dev/urandom",
                                         "/var/lib/ca-certificates"};
    static const char *const named[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "POTLUCK_SENSE_ROOT"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        allow(rules, places[i], strncmp(places[i], "/dev/u", 6) == 0 ? FS_READ_FILE : FS_LOOK);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        const char *v = getenv(named[i]); /* NOLINT(concurrency-mt-unsafe): before any thread */
        if (v && *v) allow(rules, v, i == 0 ? FS_READ_FILE : FS_LOOK);
    }
    allow(rules, "/dev", FS_READ_DIR);
    allow(rules, "/dev/null", FS_READ_FILE | FS_WRITE_FILE);
    allow(rules, "/proc/self/autogroup", FS_READ_FILE | FS_WRITE_FILE);
}

static bool enter_landlock(const struct paths *own, int abi)
{
    struct ruleset r = {
        .fs = handled_fs(abi), .net = abi >= 4 ? NET_BIND_TCP : 0, .scoped = abi >= 6 ? SCOPES : 0};
    size_t n = abi >= 6 ? sizeof r : abi >= 4 ? offsetof(struct ruleset, scoped) : sizeof r.fs;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &r, n, 0);
    if (rules < 0) return false;
    allow_own(rules, own, r.fs);
    allow_looking(rules);
    bool is_in = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    return is_in;
}

/* ---- seccomp ------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define HAS_FILTER 0
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define HAS_FILTER 0
#    endif
#endif
#if defined(__x86_64__)
#    define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#    define ARCH AUDIT_ARCH_AARCH64
#else
#    define HAS_FILTER 0
#endif
#ifndef HAS_FILTER
#    define HAS_FILTER 1
#endif

#if HAS_FILTER
/* What the agent, the C library, libuv and OpenSSL call, the frequent ones first. */
static const int calls[] = {
    SYS_futex,
    SYS_read,
    SYS_write,
    SYS_epoll_pwait,
    SYS_clock_gettime,
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_writev,
    SYS_readv,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_openat,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_faccessat,
    SYS_lseek,
    SYS_getdents64,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_renameat,
    SYS_renameat2,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_readlinkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_umask,
    SYS_utimensat,
    SYS_statfs,
    SYS_fstatfs,
    SYS_flock,
    SYS_fcntl,
    SYS_ioctl,
    SYS_dup,
    SYS_dup3,
    SYS_getcwd,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_msync,
    SYS_mincore,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_eventfd2,
    SYS_pipe2,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_shutdown,
    SYS_getsockname,
    SYS_getpeername,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_set_robust_list,
    SYS_set_tid_address,
    SYS_exit,
    SYS_exit_group,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_sched_setscheduler,
    SYS_sched_getscheduler,
    SYS_sched_getparam,
    SYS_sched_setparam,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_getpriority,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_getrusage,
    SYS_getrandom,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_uname,
    SYS_sysinfo,
    SYS_prlimit64,
    SYS_prctl,
    SYS_membarrier,
    SYS_getcpu,
    SYS_restart_syscall,
    SYS_times,
    SYS_rt_sigtimedwait,
#    ifdef SYS_rseq
    SYS_rseq,
#    endif
#    ifdef SYS_faccessat2
    SYS_faccessat2,
#    endif
#    ifdef SYS_epoll_pwait2
    SYS_epoll_pwait2,
#    endif
#    ifdef SYS_epoll_wait /* the older calls, which a newer processor does not have */
    SYS_epoll_wait,
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_rename,
    SYS_unlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_readlink,
    SYS_chmod,
    SYS_poll,
    SYS_select,
    SYS_dup2,
    SYS_pipe,
    SYS_time,
    SYS_arch_prctl,
    SYS_getrlimit,
#    endif
};

#    define MAX_CODE (2 * sizeof calls / sizeof *calls + 64)
#    define NR       offsetof(struct seccomp_data, nr)
#    define ARG(i)   (offsetof(struct seccomp_data, args) + 8 * (i)) /* low word; little endian */

struct code {
    struct sock_filter f[MAX_CODE];
    unsigned short n;
};

static void put(struct code *c, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
    check(c->n < MAX_CODE);
    c->f[c->n++] = (struct sock_filter){.code = op, .jt = jt, .jf = jf, .k = k};
}

static void load(struct code *c, uint32_t at)
{
    put(c, BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
}

static void give(struct code *c, uint32_t verdict)
{
    put(c, BPF_RET | BPF_K, verdict, 0, 0);
}

#    define REFUSE SECCOMP_RET_ERRNO | EPERM

/* Call nr with any bit of `bits` in argument i: verdict_set; with none: verdict_none. */
static void by_bits(struct code *c, int nr, int i, uint32_t bits, uint32_t verdict_set,
                    uint32_t verdict_none)
{
    put(c, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 4);
    load(c, ARG(i));
    put(c, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    give(c, verdict_set);
    give(c, verdict_none);
    load(c, NR);
}

/* Memory from a file may be executable (the C library loads its resolver so), other memory never. */
static void by_mapping(struct code *c)
{
    put(c, BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6);
    load(c, ARG(2));
    put(c, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 3);
    load(c, ARG(3));
    put(c, BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 1);
    give(c, REFUSE);
    give(c, SECCOMP_RET_ALLOW);
    load(c, NR);
}

/* Only these families: no raw packets, no kernel interfaces but the one that lists addresses. */
static void by_family(struct code *c)
{
    static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    const uint8_t n = sizeof families / sizeof *families;
    put(c, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, (uint8_t)(n + 3));
    load(c, ARG(0));
    for (uint8_t i = 0; i < n; i++)
        put(c, BPF_JMP | BPF_JEQ | BPF_K, families[i], (uint8_t)(n - i), 0);
    give(c, REFUSE);
    give(c, SECCOMP_RET_ALLOW);
    load(c, NR);
}

/* abort() and raise() reach this process alone. */
static void by_self(struct code *c)
{
    put(c, BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 4);
    load(c, ARG(0));
    put(c, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 1, 0);
    give(c, REFUSE);
    give(c, SECCOMP_RET_ALLOW);
    load(c, NR);
}

static bool enter_seccomp(void)
{
    struct code *c = alloc_zero(1, sizeof *c);
    if (!c) return false;
    load(c, offsetof(struct seccomp_data, arch));
    put(c, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    give(c, REFUSE);
    load(c, NR);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        put(c, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1);
        give(c, SECCOMP_RET_ALLOW);
    }
    by_mapping(c);
    by_bits(c, SYS_mprotect, 2, PROT_EXEC, REFUSE, SECCOMP_RET_ALLOW);
    by_bits(c, SYS_clone, 0, CLONE_THREAD, SECCOMP_RET_ALLOW, REFUSE);
    by_family(c);
    by_self(c);
    put(c, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1); /* its flags lie in memory: use clone */
    give(c, SECCOMP_RET_ERRNO | ENOSYS);
    give(c, REFUSE);
    struct sock_fprog prog = {.len = c->n, .filter = c->f};
    bool is_in = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0;
    free(c);
    return is_in;
}
#else
static bool enter_seccomp(void)
{
    return false;
}
#endif

/* -------------------------------------------------------------------------------------------------- */

int sandbox_enter(const struct paths *own, struct sandbox *ret, struct err *e)
{
    struct sandbox s = {0};
    if (!own->data[0]) return err_set(e, ERR_ARG, 0, "the sandbox needs a home folder");
    s.has_privs_off = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    s.abi = landlock_abi();
    if (s.has_privs_off && s.abi) s.has_landlock = enter_landlock(own, s.abi);
    if (s.has_privs_off) s.has_seccomp = enter_seccomp();
    *ret = s;
    return OK;
}

void sandbox_text(const struct sandbox *s, char *dst, unsigned long cap)
{
    if (!s->has_landlock && !s->has_seccomp) {
        snprintf(dst, cap, "none: this system has neither Landlock nor seccomp for us");
        return;
    }
    snprintf(dst, cap, "%s%s%s%s", s->has_seccomp ? "no program, no new process" : "no program",
             s->has_landlock ? ", own folders only" : ", any file of yours",
             s->abi >= 4 && s->has_landlock ? ", no listening" : "",
             s->has_seccomp ? ", no new code" : "");
}
