#include "app/bench_blas.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/pool.h"

extern char **environ;

/* The header of cblas is not needed to call one function of it: its enums are these numbers, its
 * sizes are int in every flavour that Debian puts under this name.
 */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
typedef void (*sgemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *,
                         int, float, float *, int);

#define PATIENCE_MS 90000
#define MAX_ENV     512

/* ---- in a process of its own ---- */

struct product_run {
    sgemm_fn sgemm;
    struct bench_product p;
    const float *a, *b;
    float *c;
    uint32_t pieces;
};

/* Rows or columns [from, to) of C. */
static void call(const struct product_run *r, uint32_t from, uint32_t to, bool by_rows)
{
    const struct bench_product *p = &r->p;
    uint32_t lda = p->kind == BENCH_TN ? p->m : p->k;
    uint32_t ldb = p->kind == BENCH_NT ? p->k : p->n;
    uint32_t m = by_rows ? to - from : p->m;
    uint32_t n = by_rows ? p->n : to - from;
    const float *a = r->a;
    const float *b = r->b;
    float *c = r->c;
    if (by_rows) {
        a += p->kind == BENCH_TN ? from : (size_t)from * lda;
        c += (size_t)from * p->n;
    } else {
        b += p->kind == BENCH_NT ? (size_t)from * ldb : from;
        c += from;
    }
    if (m && n)
        r->sgemm(ROW_MAJOR, p->kind == BENCH_TN ? TRANS : NO_TRANS,
                 p->kind == BENCH_NT ? TRANS : NO_TRANS, (int)m, (int)n, (int)p->k, 1.0F, a,
                 (int)lda, b, (int)ldb, 0.0F, c, (int)p->n);
}

/* The longer side is cut, at multiples of 16. */
static void one_piece(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct product_run *r = ctx;
    bool by_rows = r->p.m >= r->p.n;
    uint32_t side = by_rows ? r->p.m : r->p.n;
    uint32_t step = ((side + r->pieces - 1) / r->pieces + 15) / 16 * 16;
    uint32_t from = piece * step < side ? piece * step : side;
    uint32_t to = side - from < step ? side : from + step;
    call(r, from, to, by_rows);
}

static void run_once(struct pool *pool, struct product_run *r)
{
    pool_run(pool, r->pieces, one_piece, r);
}

static void fill(float *x, size_t n)
{
    uint32_t s = 12345;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (float)(s >> 8) * 0x1p-24F - 0.5F;
    }
}

static double exact(const struct product_run *r, uint32_t i, uint32_t j)
{
    const struct bench_product *p = &r->p;
    double s = 0;
    for (uint32_t k = 0; k < p->k; k++) {
        float a = p->kind == BENCH_TN ? r->a[(size_t)k * p->m + i] : r->a[(size_t)i * p->k + k];
        float b = p->kind == BENCH_NT ? r->b[(size_t)j * p->k + k] : r->b[(size_t)k * p->n + j];
        s += (double)a * (double)b;
    }
    return s;
}

/* Does C hold the product? Every element of a small one, a sample of a large one. */
static bool is_right(const struct product_run *r)
{
    uint64_t n = (uint64_t)r->p.m * r->p.n;
    uint64_t step = n / 256 + 1;
    for (uint64_t i = 0; i < n; i += step) {
        double want = exact(r, (uint32_t)(i / r->p.n), (uint32_t)(i % r->p.n));
        if (!(fabs((double)r->c[i] - want) < 1e-4 * (1 + sqrt(r->p.k)))) return false;
    }
    return true;
}

/* Best Gflop/s; a measurement lasts at least 4 ms. */
static double product_rate(struct pool *pool, struct product_run *r)
{
    enum { PARTS = 4, PART_NS = 4000000 };
    double flops = 2.0 * r->p.m * r->p.n * r->p.k;
    double best = 0;
    uint32_t times = 1;
    for (int i = 0; i <= PARTS; i++) {
        int64_t began = clock_mono_ns();
        for (uint32_t k = 0; k < times; k++)
            run_once(pool, r);
        double ns = (double)(clock_mono_ns() - began);
        double rate = flops * times / ns;
        if (i && rate > best) best = rate;
        if (i == 0) times = (uint32_t)(PART_NS / (ns + 1)) + 1;
    }
    return best;
}

static size_t largest(const struct bench_product *list, char which)
{
    size_t most = 0;
    for (int i = 0; i < BENCH_PRODUCTS; i++) {
        size_t m = list[i].m;
        size_t n = list[i].n;
        size_t k = list[i].k;
        size_t x = which == 'a' ? m * k : which == 'b' ? n * k : m * n;
        most = x > most ? x : most;
    }
    return most;
}

static int measure_all(const struct bench_preset *p, sgemm_fn sgemm, struct pool *pool,
                       struct bench_blas_try *t, struct err *e)
{
    struct bench_product list[BENCH_PRODUCTS];
    double rates[BENCH_PRODUCTS] = {0};
    bench_preset_products(p, list);
    size_t n_a = largest(list, 'a');
    size_t n_b = largest(list, 'b');
    float *a = alloc_aligned(n_a, sizeof *a);
    float *b = alloc_aligned(n_b, sizeof *b);
    float *c = alloc_aligned(largest(list, 'c'), sizeof *c);
    int rc = a && b && c ? OK : err_set(e, ERR_NOMEM, 0, "no memory for OpenBLAS' products");
    if (rc == OK) {
        fill(a, n_a);
        fill(b, n_b);
    }
    for (int i = 0; i < BENCH_PRODUCTS && rc == OK; i++) {
        struct product_run r = {.sgemm = sgemm,
                                .p = list[i],
                                .a = a,
                                .b = b,
                                .c = c,
                                .pieces = t->is_own ? 1 : t->n_threads};
        rates[i] = product_rate(pool, &r);
        if (!is_right(&r)) rc = err_set(e, ERR_PROTO, 0, "its products are wrong");
    }
    if (rc == OK) t->gflops = bench_preset_rate(list, rates);
    free(a);
    free(b);
    free(c);
    return rc;
}

/* A function pointer out of dlsym, the way POSIX says it must be done. */
static void find(void *lib, const char *name, void *fn)
{
    void *sym = dlsym(lib, name);
    memcpy(fn, &sym, sizeof sym);
}

int bench_blas_measure(const struct bench_preset *p, struct bench_blas_try *t, struct err *e)
{
    static const char *const flavours[] = {"serial", "pthread", "openmp"};
    sgemm_fn sgemm = NULL;
    char *(*config)(void) = NULL;
    char *(*corename)(void) = NULL;
    int (*parallel)(void) = NULL;
    void *lib = dlopen(t->library, RTLD_NOW | RTLD_LOCAL);
    if (lib) {
        find(lib, "cblas_sgemm", &sgemm);
        find(lib, "openblas_get_config", &config);
        find(lib, "openblas_get_corename", &corename);
        find(lib, "openblas_get_parallel", &parallel);
    }
    if (!sgemm || !config || !corename || !parallel)
        return err_set(e, ERR_NOTFOUND, 0, "'%s' is not a complete OpenBLAS", t->library);
    int kind = parallel();
    if (kind < 0 || kind > 2) return err_set(e, ERR_VERSION, 0, "an unknown flavour of OpenBLAS");
    if (kind == 0) t->n_threads = 1;
    if (kind == 2) t->is_own = true;
    snprintf(t->flavour, sizeof t->flavour, "%s", flavours[kind]);
    snprintf(t->core, sizeof t->core, "%s", corename());
    snprintf(t->config, sizeof t->config, "%s", config());
    struct pool *pool = NULL;
    int rc = pool_create(t->is_own ? 1 : t->n_threads, &pool, e);
    if (rc == OK) rc = measure_all(p, sgemm, pool, t, e);
    pool_destroy(pool);
    return rc;
}

static json_t *to_json(const struct bench_blas_try *t)
{
    json_t *o = json_object();
    json_set_text(o, "flavour", t->flavour);
    json_set_text(o, "core", t->core);
    json_set_text(o, "config", t->config);
    json_set_u64(o, "threads", t->n_threads);
    json_set_bool(o, "own_threads", t->is_own);
    json_set_real(o, "gflops", t->gflops);
    return o;
}

int bench_blas_print(const struct bench_blas_try *t, struct err *e)
{
    json_t *o = to_json(t);
    struct buf b = {0};
    int rc = json_write(o, &b, e);
    if (rc == OK) puts(buf_str(&b));
    buf_deinit(&b);
    json_decref(o);
    return rc;
}

/* ---- on the asking side ---- */

/* Our environment, but for what steers OpenBLAS; `extra` in front. The strings are borrowed. */
static void environment_of(char **dst, char *const *extra, size_t n_extra)
{
    static const char *const drop[] = {"OPENBLAS_", "GOTO_NUM_THREADS=", "OMP_"};
    size_t n = 0;
    for (size_t i = 0; i < n_extra; i++)
        dst[n++] = extra[i];
    for (char **v = environ; *v && n + 1 < MAX_ENV; v++) {
        bool is_dropped = false;
        for (size_t i = 0; i < sizeof drop / sizeof *drop; i++)
            is_dropped = is_dropped || strncmp(*v, drop[i], strlen(drop[i])) == 0;
        if (!is_dropped) dst[n++] = *v;
    }
    dst[n] = NULL;
}

/* stdout of the process into out, until it closes it or patience ends. */
static int listen_to(int fd, pid_t pid, struct buf *out)
{
    int64_t end = clock_mono_ms() + PATIENCE_MS;
    char block[1024];
    for (;;) {
        struct pollfd x = {.fd = fd, .events = POLLIN};
        int64_t left = end - clock_mono_ms();
        int ready = left > 0 ? poll(&x, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            kill(pid, SIGKILL);
            return ERR_LIMIT;
        }
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return OK;
        if (out->len < sizeof block * 16) buf_put(out, block, (size_t)n);
    }
}

static void start_and_listen(char **argv, char **env, struct buf *out, struct bench_blas_try *t)
{
    int fd[2];
    pid_t pid;
    posix_spawn_file_actions_t act;
    if (pipe2(fd, O_CLOEXEC) != 0) {
        snprintf(t->fault, sizeof t->fault, "no pipe for it");
        return;
    }
    posix_spawn_file_actions_init(&act);
    posix_spawn_file_actions_adddup2(&act, fd[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&act, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int sys = posix_spawn(&pid, "/proc/self/exe", &act, NULL, argv, env);
    posix_spawn_file_actions_destroy(&act);
    close(fd[1]);
    if (sys) {
        snprintf(t->fault, sizeof t->fault, "it could not be started");
    } else {
        int status = 0;
        if (listen_to(fd[0], pid, out) != OK)
            snprintf(t->fault, sizeof t->fault, "it took longer than %d s", PATIENCE_MS / 1000);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (!*t->fault && WIFSIGNALED(status))
            snprintf(t->fault, sizeof t->fault, "it died of signal %d", WTERMSIG(status));
        else if (!*t->fault && status)
            snprintf(t->fault, sizeof t->fault, "it failed, or its products were wrong");
    }
    close(fd[0]);
}

static void read_answer(const struct buf *out, struct bench_blas_try *t)
{
    struct err e = {0};
    json_t *o = NULL;
    if (json_parse(out->p, out->len, &o, &e) == OK) {
        struct json_reader r = {.e = &e};
        json_text(&r, o, "flavour", t->flavour, sizeof t->flavour);
        json_text(&r, o, "core", t->core, sizeof t->core);
        json_text(&r, o, "config", t->config, sizeof t->config);
        t->n_threads = json_u32(&r, o, "threads", 1, POOL_MAX_THREADS);
        t->is_own = json_bool(&r, o, "own_threads");
        double g = json_real_in(&r, o, "gflops", 0, 1e9);
        if (!json_bad(&r) && g > t->gflops) t->gflops = g;
    }
    if (!(t->gflops > 0)) snprintf(t->fault, sizeof t->fault, "it gave no figure");
    json_decref(o);
}

/* One try in a process of its own: gflops rises, or fault says why not. */
static void run_try(const struct bench_preset *p, struct bench_blas_try *t)
{
    char core[64];
    char blas_threads[48];
    char omp_threads[48];
    char threads[16];
    snprintf(core, sizeof core, "OPENBLAS_CORETYPE=%s", t->asked);
    snprintf(blas_threads, sizeof blas_threads, "OPENBLAS_NUM_THREADS=%u",
             t->is_own ? t->n_threads : 1);
    snprintf(omp_threads, sizeof omp_threads, "OMP_NUM_THREADS=%u", t->is_own ? t->n_threads : 1);
    snprintf(threads, sizeof threads, "%u", t->n_threads);
    char *extra[] = {blas_threads, omp_threads, core};
    char *env[MAX_ENV];
    environment_of(env, extra, *t->asked ? 3 : 2);
    char words[7][16] = {"potluck-agent", "bench",     "blas", "--config",
                         "--threads",     "--library", "--own"};
    char name[16];
    snprintf(name, sizeof name, "%s", p->name);
    char *argv[] = {words[0], words[1], words[2], words[3],   name,
                    words[4], threads,  words[5], t->library, t->is_own ? words[6] : NULL,
                    NULL};
    struct buf out = {0};
    t->fault[0] = 0;
    start_and_listen(argv, env, &out, t);
    if (!*t->fault) read_answer(&out, t);
    buf_deinit(&out);
}

void bench_blas_again(const struct bench_preset *p, struct bench_blas *b)
{
    if (b->n_tries && b->tries[b->best].gflops > 0) run_try(p, &b->tries[b->best]);
}

static void add_try(const struct bench_preset *p, struct bench_blas *b, const char *library,
                    const char *core, bool is_own, uint32_t n_threads)
{
    if (b->n_tries == BENCH_BLAS_TRIES) return;
    struct bench_blas_try t = {.is_own = is_own, .n_threads = n_threads};
    snprintf(t.library, sizeof t.library, "%s", library);
    snprintf(t.asked, sizeof t.asked, "%s", core);
    run_try(p, &t);
    b->tries[b->n_tries] = t;
    if (t.gflops > b->tries[b->best].gflops) b->best = b->n_tries;
    b->n_tries++;
}

#if defined(__x86_64__)
#    define TRIPLET "x86_64-linux-gnu"
#    define CORES   "", "Haswell", "Zen", "SkylakeX", "Cooperlake"
#elif defined(__aarch64__)
#    define TRIPLET "aarch64-linux-gnu"
#    define CORES   "", "NEOVERSEN1", "ARMV8"
#else
#    define TRIPLET "none"
#    define CORES   ""
#endif
#define PLACE(flavour) "/usr/lib/" TRIPLET "/openblas-" flavour "/libopenblas.so.0"

int bench_blas_search(const struct bench_preset *p, uint32_t n_threads, struct bench_blas *ret,
                      struct err *e)
{
    static const char *const cores[] = {CORES};
    static const struct {
        const char *library;
        bool is_own;
    } ways[] = {
        {PLACE("pthread"),   false},
        {PLACE("pthread"),   true },
        {PLACE("openmp"),    true },
        {PLACE("serial"),    false},
        {"libopenblas.so.0", false},
    };
    struct bench_blas b = {0};
    bool is_found = false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (*ways[i].library == '/' ? !file_exists(ways[i].library) : is_found) continue;
        if (!is_found) /* the first way decides the core type, the others use it */
            for (size_t k = 0; k < sizeof cores / sizeof *cores; k++)
                add_try(p, &b, ways[i].library, cores[k], ways[i].is_own, n_threads);
        else if (n_threads > 1 || !ways[i].is_own)
            add_try(p, &b, ways[i].library, b.tries[b.best].asked, ways[i].is_own, n_threads);
        is_found = true;
    }
    *ret = b;
    if (b.tries[b.best].gflops > 0) return OK;
    err_set(e, ERR_NOTFOUND, 0, "there is no OpenBLAS that works here: %.80s",
            *b.tries[0].fault ? b.tries[0].fault : "not installed");
    err_hint(e, "apt install libopenblas0-pthread");
    return ERR_NOTFOUND;
}
