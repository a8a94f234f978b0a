#include "aggregator/setup.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aggregator/describe.h"
#include "aggregator/origin.h"
#include "base/file.h"
#include "base/json.h"
#include "base/key.h"
#include "base/path.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "net/tls.h"

#define MAX_CLAIM       1e6 /* steps of one contribution */
#define MAX_TOTAL_STEPS 1e9
#define MAX_STEP_TOKENS (1 << 24)
#define MAX_PUZZLE_MIB  256      /* PUZZLE_MAX_KIB */
#define ENDLESS_STEPS   10000000 /* of the cosine when no end is known: nearly flat for years */

_Static_assert(MAX_PUZZLE_MIB * 1024 == PUZZLE_MAX_KIB, "one bound in two units");

#define TEXT(f, member, what)                                                                      \
    {                                                                                              \
        f, SETUP_TEXT, offsetof(struct setup, member), sizeof(((struct setup *)0)->member), 0, 0,  \
            what                                                                                   \
    }
#define COUNT(f, member, lo, hi, what)                                                             \
    {                                                                                              \
        f, SETUP_COUNT, offsetof(struct setup, member), 0, lo, hi, what                            \
    }
#define REAL(f, member, lo, hi, what)                                                              \
    {                                                                                              \
        f, SETUP_REAL, offsetof(struct setup, member), 0, lo, hi, what                             \
    }

/* clang-format off */
static const struct setup_option options[] = {
    TEXT("name", name, "what the run is called; needed"),
    TEXT("note", note, "a sentence for those who join: what is trained, which licence"),
    TEXT("listen", listen_addr, "ADDR:PORT to listen on; port 0 picks a free one"),
    TEXT("public", public_addr, "HOST:PORT as contributors reach it; up to 8 times"),
    COUNT("hidden", hidden, 16, 65536, "size of the model: values per token"),
    COUNT("layers", layers, 1, 512, "size of the model: layers"),
    COUNT("heads", heads, 1, 1024, "attention heads; --hidden is a multiple"),
    COUNT("kv-heads", kv_heads, 1, 1024, "key-value heads; --heads is a multiple"),
    COUNT("intermediate", intermediate, 0, 262144, "width inside a layer; 0: 8/3 of --hidden"),
    COUNT("seq", seq, 8, 65536, "tokens of text read at once"),
    COUNT("batch", batch, 1, 65536, "texts in a training step"),
    REAL("lr", lr, 1e-8, 10, "learning rate at its peak"),
    REAL("weight-decay", weight_decay, 0, 10, "pull of the weights towards zero"),
    COUNT("warmup-steps", warmup_steps, 0, 1e9, "steps until the learning rate is at its peak"),
    COUNT("total-steps", total_steps, 0, MAX_TOTAL_STEPS, "steps until the learning rate is lowest; 0: from --rounds"),
    COUNT("inner-steps", inner_steps, 0, 1e6, "training steps of a round; 0: --inner-seconds decides"),
    COUNT("inner-seconds", inner_seconds, 0, 86400, "seconds of training in a round; 0: --inner-steps decides"),
    COUNT("max-inner-steps", max_inner_steps, 0, MAX_CLAIM, "most steps one contribution may claim; 0: chosen"),
    COUNT("ahead-steps", ahead_steps, 0, MAX_CLAIM, "steps of the next round taken while this one's update is awaited; 0: wait"),
    COUNT("upload-seconds", upload_seconds, 1, 86400, "seconds to send in, after the training of a round"),
    COUNT("rounds", rounds, 0, 1e9, "rounds until the run ends; 0: endless"),
    COUNT("k", k, 1, 4096, "values sent of each --chunk: more is exact, less is fast"),
    COUNT("chunk", chunk, 64, 4096, "values of the model that are packed together"),
    REAL("outer-lr", outer_lr, 1e-4, 100, "how far the model follows the merged update"),
    REAL("min-senders", min_senders, 1, 1024, "what fewer send counts as if so many had, at most those who took part"),
    COUNT("min-contributions", min_contributions, 1, 1024, "a round waits for so many contributions"),
    COUNT("val-seqs", val_seqs, 1, 65536, "held-out texts the model is measured on after a round"),
    COUNT("score-seconds", score_seconds, 0, 3600, "processor time a round for trying out what came, which is then paid by its use too; 0: off"),
    COUNT("checkpoint-every", checkpoint_every, 1, 1e6, "rounds from one saved model to the next"),
    COUNT("retention", retention, 0, 1e9, "rounds whose contributions are kept for auditors; 0: all"),
    COUNT("seed", seed, 0, 9007199254740991.0, "of the first weights; 0: random"),
    TEXT("from", from, "folder of a LLaMA model (Hugging Face) to go on from; it says the shape"),
    COUNT("puzzle-bits", puzzle_bits, 0, PUZZLE_MAX_BITS, "a new key solves a puzzle of 2^N tries first; 0: none"),
    COUNT("puzzle-memory", puzzle_memory, 1, MAX_PUZZLE_MIB, "MiB of memory for each try; a power of two"),
    COUNT("reward", reward, 0, 1e9, "credits a round pays out, all together"),
};
/* clang-format on */

const struct setup_option *setup_options(size_t *ret_n)
{
    *ret_n = sizeof options / sizeof *options;
    return options;
}

void setup_defaults(struct setup *s)
{
    *s = (struct setup){.listen_addr = "127.0.0.1:7333",
                        .hidden = 256,
                        .layers = 6,
                        .heads = 8,
                        .kv_heads = 4,
                        .seq = 128,
                        .batch = 8,
                        .lr = 3e-3,
                        .weight_decay = 0.1,
                        .warmup_steps = 40,
                        .inner_seconds = 30,
                        .upload_seconds = 30,
                        .k = 512,
                        .chunk = 4096,
                        .outer_lr = 1,
                        .min_senders = 2,
                        .min_contributions = 1,
                        .val_seqs = 64,
                        .checkpoint_every = 10,
                        .retention = 1000,
                        .puzzle_memory = 16,
                        .reward = 100};
}

static void *member(struct setup *s, const struct setup_option *o)
{
    return (char *)s + o->offset;
}

static int out_of_bounds(const struct setup_option *o, const char *value, struct err *e)
{
    return err_set(e, ERR_ARG, 0, "--%s '%.40s' is not between %.9g and %.9g", o->name, value,
                   o->lo, o->hi);
}

static int set_number(struct setup *s, const struct setup_option *o, const char *value,
                      struct err *e)
{
    char *end = NULL;
    double v = strtod(value, &end);
    if (end == value || *end || !(v >= o->lo && v <= o->hi)) return out_of_bounds(o, value, e);
    if (o->type == SETUP_REAL) {
        *(double *)member(s, o) = v;
        return OK;
    }
    if (v != (double)(uint64_t)v)
        return err_set(e, ERR_ARG, 0, "--%s '%.40s' is not a whole number", o->name, value);
    *(uint64_t *)member(s, o) = (uint64_t)v;
    if (o->offset == offsetof(struct setup, inner_steps) && s->inner_steps) s->inner_seconds = 0;
    if (o->offset == offsetof(struct setup, inner_seconds) && s->inner_seconds) s->inner_steps = 0;
    return OK;
}

static int add_public(struct setup *s, const char *value, struct err *e)
{
    size_t n = strlen(s->public_addr);
    uint32_t n_commas = 0;
    for (const char *p = s->public_addr; *p; p++)
        n_commas += *p == ',';
    if (strchr(value, ','))
        return err_set(e, ERR_ARG, 0, "--public takes one address; say it again for the next");
    if ((n && n_commas + 1 == SETUP_MAX_PUBLIC) || strlen(value) >= SETUP_HOST_CAP + 7)
        return err_set(e, ERR_ARG, 0, "--public '%.40s...': at most %d addresses, %d bytes each",
                       value, SETUP_MAX_PUBLIC, SETUP_HOST_CAP + 6);
    snprintf(s->public_addr + n, sizeof s->public_addr - n, "%s%s", n ? "," : "", value);
    return OK;
}

int setup_set(struct setup *s, const char *name, const char *value, struct err *e)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct setup_option *o = &options[i];
        if (strcmp(o->name, name) != 0) continue;
        if (o->type != SETUP_TEXT) return set_number(s, o, value, e);
        if (strlen(value) >= o->cap)
            return err_set(e, ERR_ARG, 0, "--%s is longer than %zu bytes", name, o->cap - 1);
        if (!utf8_valid(value, strlen(value)))
            return err_set(e, ERR_ARG, 0, "--%s is not valid UTF-8", name);
        if (o->offset == offsetof(struct setup, public_addr)) return add_public(s, value, e);
        utf8_printable(value, member(s, o), o->cap);
        return OK;
    }
    return err_set(e, ERR_ARG, 0, "there is no option --%s", name);
}

int setup_split(const char *text, char host[SETUP_HOST_CAP], uint16_t *ret_port, struct err *e)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    const char *start = text;
    char *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        start++;
        n -= 2;
    }
    if (!colon || n == 0 || n >= SETUP_HOST_CAP || end == colon + 1 || *end || port > 65535)
        return err_set(e, ERR_ARG, 0, "'%.100s' is not ADDRESS:PORT", text);
    memcpy(host, start, n);
    host[n] = '\0';
    *ret_port = (uint16_t)port;
    return OK;
}

int setup_address(const struct setup *s, uint32_t i, char host[SETUP_HOST_CAP], uint16_t *ret_port,
                  struct err *e)
{
    char text[SETUP_HOST_CAP + 8];
    const char *p = s->public_addr;
    if (!*p) return i ? ERR_NOTFOUND : setup_split(s->listen_addr, host, ret_port, e);
    for (; i > 0; i--) {
        p = strchr(p, ',');
        if (!p) return ERR_NOTFOUND;
        p++;
    }
    snprintf(text, sizeof text, "%.*s", (int)strcspn(p, ","), p);
    return setup_split(text, host, ret_port, e);
}

/* Where the contributors' steps of the last round end; see rundesc_schedule_step. */
static uint64_t schedule_end(const struct setup *s)
{
    struct rundesc d = {.inner_steps = (uint32_t)s->inner_steps,
                        .inner_ms = (uint32_t)s->inner_seconds * 1000};
    uint64_t n = s->rounds ? rundesc_schedule_step(&d, s->rounds, 0) : ENDLESS_STEPS;
    return n < MAX_TOTAL_STEPS ? n : (uint64_t)MAX_TOTAL_STEPS;
}

uint64_t setup_intermediate(uint64_t hidden)
{
    return (hidden * 8 / 3 + 15) / 16 * 16;
}

static void fill_in(struct setup *s)
{
    if (!s->intermediate) s->intermediate = setup_intermediate(s->hidden);
    if (!s->max_inner_steps)
        s->max_inner_steps = s->inner_steps ? s->inner_steps : s->inner_seconds * 100;
    if (s->max_inner_steps > MAX_CLAIM) s->max_inner_steps = (uint64_t)MAX_CLAIM;
    if (!s->total_steps) s->total_steps = schedule_end(s);
    if (s->total_steps <= s->warmup_steps) s->warmup_steps = s->total_steps / 10;
    if (!s->seed) {
        rng_secure(&s->seed, sizeof s->seed);
        s->seed = (s->seed >> 11) | 1;
    }
}

int setup_check(struct setup *s, struct err *e)
{
    if (!s->name[0]) {
        err_set(e, ERR_ARG, 0, "the run has no name");
        err_hint(e, "give it one with --name NAME");
        return ERR_ARG;
    }
    if (!s->inner_steps && !s->inner_seconds)
        return err_set(e, ERR_ARG, 0, "one of --inner-steps and --inner-seconds is needed");
    uint64_t most = s->inner_steps ? s->inner_steps : s->max_inner_steps;
    if (most && s->ahead_steps >= most) /* else max_inner_steps is chosen below, and is many */
        return err_set(e, ERR_ARG, 0,
                       "--ahead-steps %" PRIu64 " must be fewer than a round's steps",
                       s->ahead_steps);
    if (s->k > s->chunk)
        return err_set(e, ERR_ARG, 0, "--k %" PRIu64 " is more than --chunk %" PRIu64, s->k,
                       s->chunk);
    if (s->hidden % s->heads || s->heads % s->kv_heads)
        return err_set(e, ERR_ARG, 0, "--heads must divide --hidden, and --kv-heads --heads");
    if (s->puzzle_memory & (s->puzzle_memory - 1))
        return err_set(e, ERR_ARG, 0, "--puzzle-memory %" PRIu64 " is not a power of two",
                       s->puzzle_memory);
    char host[SETUP_HOST_CAP];
    uint16_t port = 0;
    int rc = setup_split(s->listen_addr, host, &port, e);
    if (rc != OK) return err_wrap(e, "--listen");
    bool is_any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    if (is_any && !s->public_addr[0]) {
        err_set(e, ERR_ARG, 0, "contributors cannot connect to '%s'", host);
        err_hint(e, "say how they reach this machine: --public HOST:PORT");
        return ERR_ARG;
    }
    for (uint32_t i = 0; s->public_addr[0] && rc == OK; i++)
        rc = setup_address(s, i, host, &port, e);
    if (rc != OK && rc != ERR_NOTFOUND) return err_wrap(e, "--public");
    if (s->batch * s->seq > MAX_STEP_TOKENS)
        return err_set(e, ERR_ARG, 0,
                       "--batch %" PRIu64 " times --seq %" PRIu64 " is more than %d "
                       "tokens in one step",
                       s->batch, s->seq, MAX_STEP_TOKENS);
    fill_in(s);
    return OK;
}

static int home_path(char dst[PATH_CAP], const char *home, const char *name, struct err *e)
{
    if (path_format(dst, "%s/%s", home, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
}

int setup_save(const struct setup *s, const char *home, struct err *e)
{
    struct setup copy = *s;
    struct buf text = {0};
    char path[PATH_CAP];
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct setup_option *p = &options[i];
        if (p->type == SETUP_TEXT)
            json_set_text(o, p->name, member(&copy, p));
        else if (p->type == SETUP_COUNT)
            json_set_u64(o, p->name, *(uint64_t *)member(&copy, p));
        else
            json_set_real(o, p->name, *(double *)member(&copy, p));
    }
    int rc = json_write(o, &text, e);
    if (rc == OK) rc = home_path(path, home, "aggregator.json", e);
    if (rc == OK) rc = file_replace(path, text.p, text.len, 0600, e);
    json_decref(o);
    buf_deinit(&text);
    return rc;
}

static int read_choices(const json_t *o, struct setup *s, struct err *e)
{
    struct json_reader r = {.e = e};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct setup_option *p = &options[i];
        bool is_newer = p->offset == offsetof(struct setup, from) ||
                        p->offset == offsetof(struct setup, puzzle_bits) ||
                        p->offset == offsetof(struct setup, puzzle_memory) ||
                        p->offset == offsetof(struct setup, retention);
        if (is_newer && !json_object_get(o, p->name)) continue; /* written by an older version */
        if (p->type == SETUP_TEXT)
            json_text(&r, o, p->name, member(s, p), p->cap);
        else if (p->type == SETUP_COUNT)
            *(uint64_t *)member(s, p) = json_u64(&r, o, p->name, (uint64_t)p->lo, (uint64_t)p->hi);
        else
            *(double *)member(s, p) = json_real_in(&r, o, p->name, p->lo, p->hi);
    }
    return json_bad(&r) ? ERR_PROTO : OK;
}

int setup_load(const char *home, struct setup *ret, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    struct setup s;
    json_t *o = NULL;
    setup_defaults(&s);
    int rc = home_path(path, home, "aggregator.json", e);
    if (rc == OK) rc = file_read(path, 65536, &text, e);
    if (rc == ERR_NOTFOUND) {
        err_set(e, ERR_NOTFOUND, 0, "there is no aggregator under '%s'", home);
        err_hint(e, "run: potluck-aggregator init --home DIR --name NAME");
    }
    if (rc == OK) rc = json_parse(text.p, text.len, &o, e);
    if (rc == OK) rc = read_choices(o, &s, e);
    if (rc == OK) *ret = s;
    json_decref(o);
    buf_deinit(&text);
    return rc;
}

/* A port that is free now: bind to 0, ask which, let go. */
static int free_port(const char *host, uint16_t *ret, struct err *e)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        return err_set(e, ERR_ARG, 0, "port 0 needs a numeric IPv4 address, not '%s'", host);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_good = fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 &&
                   getsockname(fd, (struct sockaddr *)&a, &n) == 0;
    if (fd >= 0) close(fd);
    if (!is_good) return err_set(e, ERR_IO, 0, "no free port at '%s'", host);
    *ret = ntohs(a.sin_port);
    return OK;
}

static int settle_port(struct setup *s, struct err *e)
{
    char host[SETUP_HOST_CAP];
    uint16_t port = 0;
    int rc = setup_split(s->listen_addr, host, &port, e);
    if (rc != OK || port) return rc;
    rc = free_port(host, &port, e);
    if (rc == OK) snprintf(s->listen_addr, sizeof s->listen_addr, "%s:%u", host, port);
    return rc;
}

static int make_keys(const struct setup *s, const char *home, struct err *e)
{
    char dir[PATH_CAP], cert[PATH_CAP], secret[PATH_CAP], host_key[PATH_CAP];
    char name[SETUP_HOST_CAP];
    uint16_t port = 0;
    struct key key;
    struct hash pin;
    if (home_path(dir, home, "keys", e) || home_path(host_key, home, "keys/host.key", e) ||
        home_path(cert, home, "keys/tls-cert.pem", e) ||
        home_path(secret, home, "keys/tls-key.pem", e))
        return ERR_LIMIT;
    int rc = file_mkdirs(dir, e);
    if (rc == OK) rc = key_load_or_create(host_key, &key, e);
    if (rc != OK) return rc;
    key_wipe(&key);
    if (file_exists(cert) && file_exists(secret)) return OK;
    rc = setup_address(s, 0, name, &port, e);
    return rc == OK ? tls_make_certificate(cert, secret, name, &pin, e) : rc;
}

/* A home that init may still fill. */
static int check_home(const struct origin *from, const char *home, struct err *e)
{
    char path[PATH_CAP];
    int rc = home_path(path, home, "run.potluck", e);
    if (rc == OK && file_exists(path)) {
        err_set(e, ERR_WRONG_STATE, 0, "the run under '%s' is described already", home);
        err_hint(e, "start it with: potluck-aggregator serve; another run needs a new --home");
        return ERR_WRONG_STATE;
    }
    if (rc == OK) rc = home_path(path, home, "aggregator.json", e);
    if (rc == OK && file_exists(path)) {
        err_set(e, ERR_WRONG_STATE, 0, "choices were made already under '%s'", home);
        err_hint(e, "go on with: potluck-aggregator prepare; to choose anew, remove "
                    "aggregator.json there, or use another --home");
        return ERR_WRONG_STATE;
    }
    if (rc == OK && from && dataset_exists(home)) {
        err_set(e, ERR_WRONG_STATE, 0, "the text under '%s' is prepared already", home);
        err_hint(e, "with --from, init comes first: the model's tokenizer makes the tokens");
        return ERR_WRONG_STATE;
    }
    return rc;
}

int setup_create(struct setup *s, const struct origin *from, const char *home, struct err *e)
{
    check((from != NULL) == (s->from[0] != '\0'));
    int rc = check_home(from, home, e);
    if (rc == OK) rc = setup_check(s, e);
    if (rc == OK) rc = settle_port(s, e);
    if (rc == OK) rc = describe_check(s, from ? &from->config : NULL, e);
    if (rc == OK) rc = file_mkdirs(home, e);
    if (rc == OK) rc = make_keys(s, home, e);
    if (rc == OK && from) rc = origin_store(from, home, e);
    if (rc == OK) rc = setup_save(s, home, e);
    return rc;
}
