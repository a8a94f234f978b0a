#include "app/model_source.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/run_facts.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "client/fetch.h"
#include "client/history.h"
#include "client/home.h"
#include "client/journal.h"
#include "engine/gguf.h"
#include "engine/hf_folder.h"
#include "engine/tokenizer.h"
#include "engine/trainer_state.h"
#include "record/checkpoint.h"
#include "record/rundesc.h"

enum {
    MAX_TOKENIZER = 64 << 20,
    MAX_HISTORY = 4 << 20,
    MAX_STEPS = 256 << 20, /* history.ndjson */
    MAX_CARD = 1 << 20,
    IO_BYTES = 1 << 20
};

struct model_source {
    enum model_source_kind kind;
    char path[PATH_CAP]; /* the file of the weights, or the folder of HF */
    char dir[PATH_CAP];  /* where tokenizer.json may lie */
    struct hf_folder hf; /* HF; of TRAINED only its config and table */
    struct model_table table;
    struct model_config config;
    struct hf_config_ids ids;
    struct rundesc *run; /* NULL: no run is known */
    struct home home;    /* RUN */
    struct model_card card;
    struct buf tokenizer;
    struct buf tokenizer_config;
};

/* ---- what lies where ---- */

static int join(char dst[PATH_CAP], const char *dir, const char *name, struct err *e)
{
    if (path_format(dst, "%s/%s", dir, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", dir);
}

static bool has(const char *dir, const char *name)
{
    char path[PATH_CAP];
    return join(path, dir, name, NULL) == OK && file_exists(path);
}

/* Take up the description and what it says of the model. */
static int take_run(struct model_source *s, struct rundesc *run)
{
    s->run = run;
    s->config = run->model;
    s->ids = (struct hf_config_ids){-1, -1}; /* the tokenizer says */
    s->card.has_run = true;
    s->card.run = run->id;
    snprintf(s->card.name, sizeof s->card.name, "%s", run->name);
    snprintf(s->card.note, sizeof s->card.note, "%s", run->note);
    return OK;
}

static int read_run(struct model_source *s, const char *path, struct err *e)
{
    struct buf b = {0};
    struct rundesc *run = alloc_zero(1, sizeof *run);
    int rc = run ? file_read(path, RUNDESC_MAX_BYTES, &b, e)
                 : err_set(e, ERR_NOMEM, 0, "no memory for the run description");
    while (rc == OK && b.len && (b.p[b.len - 1] == '\n' || b.p[b.len - 1] == ' '))
        b.len--;
    if (rc == OK) rc = rundesc_parse(b.p, b.len, NULL, run, e);
    buf_deinit(&b);
    if (rc == OK) return take_run(s, run);
    free(run);
    return rc;
}

/* ---- checkpoints of an aggregator ---- */

/* The header of a checkpoint, and the descriptor it was read from. */
static int open_checkpoint(const char *path, struct checkpoint *ret, int *ret_fd, struct err *e)
{
    uint8_t head[CHECKPOINT_HEADER_BYTES];
    uint64_t total = 0;
    int fd = -1;
    int rc = file_open(path, &fd, &total, e);
    if (rc != OK) return rc;
    rc = file_read_at(fd, head, sizeof head, 0, path, e);
    if (rc == OK) rc = checkpoint_parse_head(head, sizeof head, total, ret, e);
    if (rc == OK)
        *ret_fd = fd;
    else
        close(fd);
    return rc;
}

/* The newest whole one in dir; files under way and damaged ones are passed over. */
static int find_checkpoint(const char *dir, char dst[PATH_CAP], struct err *e)
{
    DIR *d = opendir(dir);
    uint64_t best = 0;
    bool found = false;
    const struct dirent *it;
    if (!d) return file_error(e, errno, "open folder", dir);
    while ((it = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
        char path[PATH_CAP];
        struct checkpoint c = {0};
        int fd = -1;
        if (it->d_name[0] == '.' || join(path, dir, it->d_name, NULL) != OK) continue;
        if (open_checkpoint(path, &c, &fd, NULL) != OK) continue;
        close(fd);
        if (found && c.round <= best) continue;
        best = c.round;
        found = true;
        memcpy(dst, path, PATH_CAP);
    }
    closedir(d);
    if (found) return OK;
    err_set(e, ERR_NOTFOUND, 0, "there is no checkpoint in '%s'", dir);
    err_hint(e, "an aggregator writes one every few rounds");
    return ERR_NOTFOUND;
}

/* run.potluck beside the file, or one folder up: that folder is where the run's files lie. */
static int find_run(struct model_source *s, struct err *e)
{
    char dir[PATH_CAP], up[PATH_CAP], path[PATH_CAP];
    if (path_dirname(dir, s->path) || path_format(up, "%s/..", dir))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", s->path);
    const char *home = has(dir, "run.potluck") ? dir : up;
    if (!has(home, "run.potluck")) {
        err_set(e, ERR_NOTFOUND, 0, "a checkpoint holds weights alone; there is no run.potluck");
        err_hint(e, "put run.potluck and tokenizer.json beside the checkpoint file");
        return ERR_NOTFOUND;
    }
    memcpy(s->dir, home, PATH_CAP);
    int rc = join(path, home, "run.potluck", e);
    return rc == OK ? read_run(s, path, e) : rc;
}

static int open_weights_file(struct model_source *s, const char *path, struct err *e)
{
    struct checkpoint c = {0};
    int fd = -1;
    s->kind = MODEL_SOURCE_CHECKPOINT;
    if (path_format(s->path, "%s", path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    int rc = open_checkpoint(path, &c, &fd, e);
    if (rc == ERR_PROTO) err_hint(e, "give a checkpoint file, or the folder of a model");
    if (rc != OK) return rc;
    close(fd);
    s->card.has_round = true;
    s->card.n_rounds = c.round;
    return find_run(s, e);
}

static int open_aggregator(struct model_source *s, const char *home, struct err *e)
{
    char dir[PATH_CAP], path[PATH_CAP];
    int rc = join(dir, home, "checkpoints", e);
    if (rc == OK) rc = find_checkpoint(dir, path, e);
    return rc == OK ? open_weights_file(s, path, e) : rc;
}

static int load_checkpoint(struct model_source *s, float *params, struct err *e)
{
    struct checkpoint c = {0};
    int fd = -1;
    int rc = open_checkpoint(s->path, &c, &fd, e);
    if (rc != OK) return rc;
    if (c.n_params != s->table.n_params)
        rc = err_set(e, ERR_PROTO, 0, "the checkpoint is of another model than its run.potluck");
    if (rc == OK)
        rc = file_read_at(fd, params, s->table.n_params * sizeof *params, CHECKPOINT_HEADER_BYTES,
                          s->path, e);
    close(fd);
    if (rc != OK) return rc;
    struct hash got = model_hash(&s->table, params);
    if (!hash_equal(&got, &c.model))
        return err_set(e, ERR_AUTH, 0, "the checkpoint's weights do not have the hash it names");
    s->card.n_rounds = c.round;
    return OK;
}

/* ---- folders with a config.json ---- */

static int open_trained(struct model_source *s, const char *dir, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    s->kind = MODEL_SOURCE_TRAINED;
    int rc = join(path, dir, "config.json", e);
    if (rc == OK) rc = join(s->path, dir, "state", e);
    if (rc == OK) rc = file_read(path, HF_CONFIG_MAX, &text, e);
    if (rc == OK) rc = hf_config_parse(text.p, text.len, &s->config, &s->ids, e);
    buf_deinit(&text);
    return rc;
}

/* An export of ours keeps its history when it is exported again. */
static void read_card(struct model_source *s, const char *dir)
{
    char path[PATH_CAP];
    struct buf b = {0};
    if (join(path, dir, "README.md", NULL) == OK && file_read(path, MAX_CARD, &b, NULL) == OK &&
        model_card_read(b.p, b.len, &s->card, NULL) != OK)
        s->card = (struct model_card){0}; /* somebody else's: nothing is known */
    buf_deinit(&b);
}

static int open_hf(struct model_source *s, const char *dir, struct err *e)
{
    char path[PATH_CAP];
    s->kind = MODEL_SOURCE_HF;
    int rc = hf_folder_open(&s->hf, dir, e);
    if (rc != OK) return rc;
    s->config = s->hf.config;
    s->ids = s->hf.ids;
    read_card(s, dir);
    rc = join(path, dir, "tokenizer_config.json", e);
    if (rc == OK && file_exists(path)) rc = file_read(path, MAX_TOKENIZER, &s->tokenizer_config, e);
    return rc == OK && path_format(s->path, "%s", dir) ? ERR_LIMIT : rc;
}

/* ---- a contributor's home ---- */

static int no_run(struct err *e)
{
    err_set(e, ERR_NOTFOUND, 0, "no run is joined here, and no model was named");
    err_hint(e, "name a model's folder with --from, or join a run: potluck join FILE|LINK");
    return ERR_NOTFOUND;
}

static int open_joined(struct model_source *s, const char *home, struct err *e)
{
    struct hash id;
    struct rundesc *run = alloc_zero(1, sizeof *run);
    s->kind = MODEL_SOURCE_RUN;
    s->home.lock_fd = -1;
    if (!run) return err_set(e, ERR_NOMEM, 0, "no memory for the run description");
    int rc = path_look(&s->home.paths, home, e);
    if (rc == OK) rc = home_current(&s->home, &id, e);
    if (rc == ERR_NOTFOUND) rc = no_run(e);
    if (rc == OK) rc = home_load_run(&s->home, &id, run, e);
    if (rc == OK) rc = home_run_path(&s->home, &id, "state", s->path, e);
    if (rc != OK) {
        free(run);
        return rc;
    }
    (void)take_run(s, run);
    if (file_exists(s->path)) return OK;
    err_set(e, ERR_NOTFOUND, 0, "this computer has not trained in '%.60s' yet", run->name);
    err_hint(e, "start it with `potluck`; the weights are saved within a minute");
    return ERR_NOTFOUND;
}

/* What the graphs remember of validations; missing or damaged: nothing is known. */
static void read_losses(struct model_source *s)
{
    char path[PATH_CAP];
    struct buf b = {0};
    struct history *h = alloc_zero(1, sizeof *h);
    if (h && home_run_path(&s->home, &s->run->id, "history", path, NULL) == OK &&
        file_read(path, MAX_HISTORY, &b, NULL) == OK && history_load(b.p, b.len, h, NULL) == OK)
        for (uint32_t i = 0; i < h->n_val; i++)
            model_card_add(&s->card, h->val_round[i], (double)h->val[i], 0);
    buf_deinit(&b);
    free(h);
}

static void add_row(struct model_card *c, const json_t *o, uint64_t n_steps)
{
    struct json_reader r = {0};
    uint64_t step = json_u64(&r, o, "step", 0, n_steps);
    double loss = json_real_in(&r, o, "val_loss", 0, 1000);
    double bits = json_number_value(json_object_get(o, "val_bits_per_byte"));
    bool is_next = !c->n_losses || step > c->loss_round[c->n_losses - 1];
    if (json_bad(&r) || !is_next || !(loss > 0)) return;
    model_card_add(c, step, loss, bits > 0 && bits < 1000 ? bits : 0);
}

/* What potluck train measured on held-out text up to this step; missing: nothing is known. */
static void read_steps(struct model_source *s, uint64_t n_steps)
{
    char path[PATH_CAP], dir[PATH_CAP];
    struct buf b = {0};
    s->card.n_losses = 0;
    s->card.is_by_step = true;
    if (path_dirname(dir, s->path) || join(path, dir, "history.ndjson", NULL) != OK ||
        file_read(path, MAX_STEPS, &b, NULL) != OK)
        b.len = 0;
    for (size_t at = 0; at < b.len;) {
        const char *line = (const char *)b.p + at;
        const char *end = memchr(line, '\n', b.len - at);
        size_t n = end ? (size_t)(end - line) : b.len - at;
        json_t *o = NULL;
        at += n + 1;
        if (json_parse(line, n, &o, NULL) == OK) add_row(&s->card, o, n_steps);
        json_decref(o);
    }
    buf_deinit(&b);
}

/* The note of potluck train is JSON that says how many tokens went in; 0 when it does not. */
static uint64_t tokens_of(const char *note)
{
    json_t *o = NULL;
    if (json_parse(note, strlen(note), &o, NULL) != OK) return 0;
    json_int_t n = json_integer_value(json_object_get(o, "tokens"));
    json_decref(o);
    return n > 0 ? (uint64_t)n : 0;
}

static int load_state(struct model_source *s, float *params, struct err *e)
{
    bool is_run = s->kind == MODEL_SOURCE_RUN;
    char note[TRAINER_STATE_NOTE_MAX + 1];
    struct hash shape = trainer_state_shape(&s->config);
    struct journal j = {0};
    uint64_t n_steps = 0;
    int rc = trainer_state_load_block(s->path, &shape, s->table.n_params,
                                      is_run ? TRAINER_STATE_BASE : TRAINER_STATE_LOCAL, params,
                                      &n_steps, note, sizeof note, e);
    if (!is_run && (rc == ERR_AUTH || rc == ERR_PROTO))
        err_hint(e, "put back a good copy; this file is the only one of what was trained here");
    if (rc != OK) return rc;
    if (!is_run) {
        s->card.n_steps = n_steps;
        s->card.n_tokens = tokens_of(note);
        read_steps(s, n_steps);
        return OK;
    }
    rc = journal_decode(note, strlen(note), &j, e);
    if (rc == OK && !hash_equal(&j.run, &s->run->id))
        rc = err_set(e, ERR_PROTO, 0, "'%s' belongs to another run", s->path);
    if (rc != OK) return rc;
    s->card.has_round = true;
    s->card.n_rounds = j.model_round;
    s->card.own_tokens = j.total_tokens;
    s->card.n_losses = 0;
    read_losses(s);
    return OK;
}

/* ---- opening ---- */

static int no_model(const char *path, struct err *e)
{
    err_set(e, ERR_NOTFOUND, 0, "there is no model in '%.120s'", path);
    err_hint(e, "a model is a folder with config.json, an aggregator's home, or a checkpoint file");
    return ERR_NOTFOUND;
}

/* What people download for llama.cpp is a folder with a GGUF file. */
static int no_model_but(const char *path, struct err *e)
{
    DIR *d = opendir(path);
    const struct dirent *it;
    int rc = OK;
    while (rc == OK && d && (it = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
        char file[PATH_CAP];
        if (join(file, path, it->d_name, NULL) == OK) rc = gguf_refuse(file, e);
    }
    if (d) closedir(d);
    return rc == OK ? no_model(path, e) : rc;
}

static int open_folder(struct model_source *s, const char *path, struct err *e)
{
    if (path_format(s->dir, "%s", path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    if (has(path, "config.json")) {
        if (has(path, "state")) return open_trained(s, path, e);
        return open_hf(s, path, e);
    }
    if (has(path, "run.potluck") && has(path, "checkpoints")) return open_aggregator(s, path, e);
    if (has(path, "current") && has(path, "runs")) return open_joined(s, path, e);
    return no_model_but(path, e);
}

static int open_any(struct model_source *s, const char *path, const char *home, struct err *e)
{
    struct stat st = {0};
    if (!path) return open_joined(s, home, e);
    if (stat(path, &st) && errno == ENOENT) return no_model(path, e);
    if (stat(path, &st)) return file_error(e, errno, "look at", path);
    if (S_ISDIR(st.st_mode)) return open_folder(s, path, e);
    int rc = gguf_refuse(path, e);
    return rc == OK ? open_weights_file(s, path, e) : rc;
}

int model_source_open(const char *path, const char *home, struct model_source **ret, struct err *e)
{
    struct model_source *s = alloc_zero(1, sizeof *s);
    if (!s) return err_set(e, ERR_NOMEM, 0, "no memory for a model");
    int rc = open_any(s, path, home, e);
    if (rc == OK) rc = model_table_init(&s->table, &s->config, e);
    if (rc == OK)
        *ret = s;
    else
        model_source_close(s);
    return rc;
}

void model_source_close(struct model_source *s)
{
    if (!s) return;
    hf_folder_close(&s->hf);
    model_table_deinit(&s->table);
    buf_deinit(&s->tokenizer);
    buf_deinit(&s->tokenizer_config);
    free(s->run);
    free(s);
}

enum model_source_kind model_source_kind(const struct model_source *s)
{
    return s->kind;
}

const char *model_source_path(const struct model_source *s)
{
    return s->path;
}

const struct model_config *model_source_config(const struct model_source *s)
{
    return &s->config;
}

const struct model_table *model_source_table(const struct model_source *s)
{
    return &s->table;
}

const struct hf_config_ids *model_source_ids(const struct model_source *s)
{
    return &s->ids;
}

const struct buf *model_source_tokenizer_config(const struct model_source *s)
{
    return s->tokenizer_config.len ? &s->tokenizer_config : NULL;
}

const struct model_card *model_source_card(const struct model_source *s)
{
    return &s->card;
}

/* ---- tokenizer and weights ---- */

static int read_tokenizer(struct model_source *s, struct err *e)
{
    static const char *const places[] = {"tokenizer.json", "data/tokenizer.json"};
    if (s->kind == MODEL_SOURCE_RUN) return fetch_tokenizer(&s->home, s->run, &s->tokenizer, e);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[PATH_CAP];
        if (!has(s->dir, places[i])) continue;
        int rc = join(path, s->dir, places[i], e);
        if (rc == OK) rc = file_read(path, MAX_TOKENIZER, &s->tokenizer, e);
        if (rc != OK || !s->run) return rc;
        struct hash got = hash_of(s->tokenizer.p, s->tokenizer.len);
        if (hash_equal(&got, &s->run->tokenizer)) return OK;
        err_set(e, ERR_AUTH, 0, "'%s' is not the tokenizer of this run", path);
        err_hint(e, "take tokenizer.json from the data folder of the run's host");
        return ERR_AUTH;
    }
    err_set(e, ERR_NOTFOUND, 0, "there is no tokenizer.json in '%.120s'", s->dir);
    err_hint(e, "put the model's tokenizer.json there");
    return ERR_NOTFOUND;
}

/* A tokenizer that only others can read says nothing. */
static void settle_ends(struct model_source *s)
{
    struct tokenizer *t = NULL;
    if (tokenizer_from_json(s->tokenizer.p, s->tokenizer.len, &t, NULL) != OK) t = NULL;
    s->ids = hf_config_ends(s->run ? NULL : &s->ids, t);
    if (s->ids.bos >= s->config.vocab_size) s->ids.bos = -1;
    if (s->ids.eos >= s->config.vocab_size) s->ids.eos = -1;
    tokenizer_destroy(t);
}

int model_source_tokenizer(struct model_source *s, const struct buf **ret, struct err *e)
{
    if (!s->tokenizer.len) {
        int rc = read_tokenizer(s, e);
        if (rc != OK) {
            buf_clear(&s->tokenizer);
            return rc;
        }
        settle_ends(s);
    }
    *ret = &s->tokenizer;
    return OK;
}

static int check_finite(const struct model_source *s, const float *params, struct err *e)
{
    for (uint32_t i = 0; i < s->table.n_tensors; i++) {
        const struct model_tensor *t = &s->table.tensors[i];
        if (dtype_first_bad(params + t->offset, t->n) == t->n) continue;
        err_set(e, ERR_PROTO, 0, "'%s' holds values that are not finite numbers", t->name);
        err_hint(e, "the model has diverged; take an older one");
        return ERR_PROTO;
    }
    return OK;
}

int model_source_load(struct model_source *s, float *params, struct err *e)
{
    int rc = OK;
    switch (s->kind) {
    case MODEL_SOURCE_HF: return hf_folder_load(&s->hf, params, e);
    case MODEL_SOURCE_CHECKPOINT: rc = load_checkpoint(s, params, e); break;
    case MODEL_SOURCE_TRAINED:
    case MODEL_SOURCE_RUN: rc = load_state(s, params, e); break;
    }
    return rc == OK ? check_finite(s, params, e) : rc;
}

void model_source_ask_host(struct model_source *s)
{
    struct buf b = {0};
    if (!s->run) return;
    int rc = s->kind == MODEL_SOURCE_CHECKPOINT ? run_facts_ask_home(s->dir, &b, NULL)
                                                : run_facts_ask(s->run, &b, NULL);
    if (rc == OK) rc = run_facts_read(b.p, b.len, &s->card, NULL);
    (void)rc; /* the card tells less then */
    buf_deinit(&b);
}
