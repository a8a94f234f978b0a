#include "app/run_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "client/fetch.h"
#include "client/sent.h"

#define PROGRAM "potluck-aggregator"

enum { MAX_STATUS = 1 << 16, WAIT_MS = 5000 };

int run_facts_ask(const struct rundesc *run, struct buf *out, struct err *e)
{
    int rc = ERR_NOTFOUND;
    for (uint32_t i = 0; i < run->n_aggregators && rc != OK; i++) {
        const struct rundesc_aggregator *a = &run->aggregators[i];
        buf_clear(out);
        rc = fetch_get(a->host, a->port, &a->tls_pin, sent_kind(SENT_STATUS)->path, WAIT_MS,
                       MAX_STATUS, out, e);
    }
    return rc;
}

/* ---- through the host's own program ---- */

/* In the child: become it, from beside this program, from ../../bin, or from the PATH. */
static void become(const char *home, int out)
{
    char self[PATH_CAP] = "", path[PATH_CAP];
    char *const args[] = {(char[]){PROGRAM},  (char[]){"status"},      (char[]){"--json"},
                          (char[]){"--home"}, (char *)(uintptr_t)home, NULL};
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = n > 0 ? strrchr(self, '/') : NULL;
    int quiet = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (quiet < 0 || dup2(quiet, 0) < 0 || dup2(quiet, 2) < 0 || dup2(out, 1) < 0) _exit(127);
    if (slash) {
        *slash = 0;
        if (path_format(path, "%s/" PROGRAM, self) == 0) execv(path, args);
        if (path_format(path, "%s/../../bin/" PROGRAM, self) == 0) execv(path, args);
    }
    execvp(PROGRAM, args);
    _exit(127);
}

static int read_all(int fd, struct buf *out, struct err *e)
{
    uint8_t part[4096];
    for (;;) {
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_set(e, ERR_IO, errno, "cannot read what " PROGRAM " says");
        if (n == 0) return buf_ok(out, e);
        if (out->len + (size_t)n > MAX_STATUS)
            return err_set(e, ERR_LIMIT, 0, PROGRAM " says more than is believed");
        buf_put(out, part, (size_t)n);
    }
}

int run_facts_ask_home(const char *home, struct buf *out, struct err *e)
{
    int pipe_fds[2];
    int status = 0;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) return err_set(e, ERR_IO, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) become(home, pipe_fds[1]);
    close(pipe_fds[1]);
    int rc = pid < 0 ? err_set(e, ERR_IO, errno, "cannot start " PROGRAM)
                     : read_all(pipe_fds[0], out, e);
    close(pipe_fds[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (rc == OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        rc = err_set(e, ERR_NOTFOUND, 0, PROGRAM " cannot tell of '%.100s'", home);
    return rc;
}

/* ---- what it says ---- */

struct names {
    const char *loss, *bits, *round;
};

static void add_loss(struct model_card *c, const json_t *o, const struct names *k)
{
    double v = json_number_value(json_object_get(o, k->loss));
    double bits = json_number_value(json_object_get(o, k->bits));
    int64_t r = json_integer_value(json_object_get(o, k->round));
    uint32_t n = c->n_losses;
    if (!json_is_number(json_object_get(o, k->loss)) || !(v > 0 && v < 1000) || r < 0) return;
    if (c->has_round && (uint64_t)r > c->n_rounds) return;
    if (!(bits > 0 && bits < 1000)) bits = 0;
    uint32_t at = 0;
    while (at < n && c->loss_round[at] < (uint64_t)r)
        at++;
    if (at < n && c->loss_round[at] == (uint64_t)r) {
        c->bits[at] = bits;
        return;
    }
    if (n == MODEL_CARD_LOSSES) return;
    memmove(c->loss + at + 1, c->loss + at, (n - at) * sizeof *c->loss);
    memmove(c->bits + at + 1, c->bits + at, (n - at) * sizeof *c->bits);
    memmove(c->loss_round + at + 1, c->loss_round + at, (n - at) * sizeof *c->loss_round);
    c->loss[at] = v;
    c->bits[at] = bits;
    c->loss_round[at] = (uint64_t)r;
    c->n_losses++;
}

/* The text measured on is the same in every round, and so is what a nat a token is in bits. */
static void fill_bits(struct model_card *c)
{
    double by = 0;
    for (uint32_t i = 0; i < c->n_losses; i++)
        if (c->bits[i] > 0) by = c->bits[i] / c->loss[i];
    for (uint32_t i = 0; i < c->n_losses; i++)
        c->bits[i] = c->loss[i] * by;
}

static int read_status(const json_t *o, struct model_card *c, struct err *e)
{
    struct json_reader r = {.e = e};
    struct hash run;
    json_hash(&r, o, "run", &run);
    uint64_t most = UINT64_C(1) << 53;
    uint64_t rounds = json_u64(&r, o, "rounds", 0, most);
    uint64_t people = json_u64(&r, o, "contributors", 0, most);
    uint64_t tokens = json_u64(&r, o, "tokens", 0, most);
    bool has_val = json_bool(&r, o, "has_val");
    if (json_bad(&r)) return ERR_PROTO;
    if (!c->has_run || !hash_equal(&run, &c->run))
        return err_set(e, ERR_PROTO, 0, "the status is of another run");
    if (c->has_round && rounds == c->n_rounds) {
        c->n_people = people;
        c->n_tokens = tokens;
    }
    if (!has_val) return OK;
    add_loss(c, o, &(struct names){"val_loss_first", "val_bits_per_byte_first", "val_round_first"});
    add_loss(c, o, &(struct names){"val_loss_last", "val_bits_per_byte_last", "val_round_last"});
    fill_bits(c);
    return OK;
}

int run_facts_read(const void *json, size_t n, struct model_card *c, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc == OK) rc = read_status(o, c, e);
    json_decref(o);
    return rc;
}
