#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "aggregator/prepare.h"
#include "app/train_history.h"
#include "app/train_in.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "engine/memfree.h"
#include "engine/trainer_state.h"
#include "view/text.h"

#define MEASURE_MS    4000
#define MEASURE_STEPS 50
#define NOTE_CAP      (TRAINER_STATE_NOTE_MAX + 1)

/* ---- the text ---- */

static void tell_prepare(const char *line, void *ctx)
{
    struct train *t = ctx;
    json_t *o = t->show.is_json ? json_object() : NULL;
    json_set_text(o, "event", "prepare");
    json_set_text(o, "text", line);
    train_show_event(&t->show, o);
    train_show_line(&t->show, "%s", line);
}

static struct prepare_options prepare_of(struct train *t, const struct buf *tokenizer)
{
    return (struct prepare_options){.home = t->out.dir,
                                    .paths = t->o.data,
                                    .n_paths = t->o.n_data,
                                    .vocab_size = (uint32_t)t->o.vocab,
                                    .val_frac = t->o.val_frac,
                                    .tokenizer = tokenizer,
                                    .progress = tell_prepare,
                                    .ctx = t};
}

static int absolute(const char *path, char ret[PATH_CAP], struct err *e)
{
    char *full = realpath(path, NULL);
    int rc = full && path_format(ret, "%s", full) == 0
                 ? OK
                 : err_set(e, ERR_IO, full ? 0 : errno, "cannot find '%.120s'", path);
    free(full);
    return rc;
}

/* The folder of --data when it names prepared tokens: exactly one, and nothing beside it. "" for
 * text.
 */
static int prepared_folder(const struct train *t, char ret[PATH_CAP], struct err *e)
{
    char found[PATH_CAP];
    ret[0] = 0;
    for (int i = 0; i < t->o.n_data; i++) {
        if (!train_data_find(t->o.data[i], found)) continue;
        if (t->o.n_data == 1) return absolute(found, ret, e);
        err_set(e, ERR_ARG, 0, "'%.100s' holds prepared tokens", t->o.data[i]);
        err_hint(e, "name it alone, or name only text");
        return ERR_ARG;
    }
    return OK;
}

/* Text of a new model to OUT/data. */
static int new_data(struct train *t, struct err *e)
{
    struct prepare_report report;
    const struct buf *tokenizer = NULL;
    int rc = t->source ? model_source_tokenizer(t->source, &tokenizer, e) : OK;
    if (rc != OK) return err_wrap(e, "the model to start from");
    struct prepare_options p = prepare_of(t, tokenizer);
    int64_t said = t->source ? model_source_ids(t->source)->eos : -1;
    uint32_t eos = said < 0 ? TOKENIZER_NONE : (uint32_t)said;
    if (said >= 0) p.eos = &eos;
    return prepare_run(&p, &report, e);
}

/* Is the text that was named the one this model has learnt from? */
static int same_text(struct train *t, struct err *e)
{
    struct prepare_report report;
    struct prepare_options p = prepare_of(t, NULL);
    p.progress = NULL;
    int rc = prepare_look(&p, &report, e);
    if (rc != OK) return rc;
    if (t->data.has_text && hash_equal(&report.text, &t->data.text)) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "the text is not the one that this model was begun with");
    err_hint(e, "leave --data out to go on with that one, or choose another --out");
    return ERR_WRONG_STATE;
}

/* named: the prepared folder of --data, or "" for text; saved: where the model's own data lies when
 * that is not OUT/data. Whether a prepared folder holds what the model was begun with, the note of
 * its state decides.
 */
static int find_data(struct train *t, const char *named, const char *saved, char ret[PATH_CAP],
                     struct err *e)
{
    int rc = OK;
    if (!t->is_begun && !named[0]) rc = new_data(t, e);
    const char *folder = named[0] ? named : saved;
    if (rc != OK) return rc;
    if (!folder || !folder[0]) return train_out_path(t->out.dir, "data", ret, e);
    return path_format(ret, "%s", folder) == 0
               ? OK
               : err_set(e, ERR_LIMIT, 0, "the path of the data folder is too long");
}

/* A model to start from reads its own tokens only. */
static int check_tokenizer(struct train *t, struct err *e)
{
    const struct buf *own = NULL;
    if (!t->source || model_source_tokenizer(t->source, &own, NULL) != OK) return OK;
    const struct buf *has = &t->data.tokenizer_json;
    if (own->len == has->len && memcmp(own->p, has->p, has->len) == 0) return OK;
    err_set(e, ERR_ARG, 0, "the tokens were made with another tokenizer than the model's");
    err_hint(e, "give the text itself with --data: it is cut with the model's own");
    return ERR_ARG;
}

static int open_data(struct train *t, const char *named, const char *saved, struct err *e)
{
    char folder[PATH_CAP], shown[TEXT_CAP], tokens[TEXT_CAP], held[TEXT_CAP];
    int rc = find_data(t, named, saved, folder, e);
    if (rc == OK) rc = train_data_open(folder, &t->data, e);
    if (rc == ERR_NOTFOUND && t->is_begun)
        err_hint(e, "the tokens that this model was begun with: say with --data where they are");
    if (rc == OK && t->is_begun && t->o.n_data && !named[0]) rc = same_text(t, e);
    if (rc == OK) rc = check_tokenizer(t, e);
    if (rc != OK) return rc;
    train_show_line(&t->show, "text     %s, %s tokens to train on, %s held out",
                    text_bytes(t->data.n_text_bytes, shown),
                    text_number((double)t->data.n_train_tokens, tokens),
                    t->data.has_val ? text_number((double)t->data.val.x.n_tokens, held) : "none");
    if (!t->is_begun && !t->o.model_vocab) t->o.model_vocab = t->data.vocab_size;
    if (t->data.vocab_size > t->o.model_vocab)
        return err_set(e, ERR_ARG, 0, "the text has %u token ids, the model only %" PRIu64,
                       t->data.vocab_size, t->o.model_vocab);
    rc = train_walk_init(&t->walk, t->o.seed, (uint32_t)t->o.seq, t->data.n_tokens, t->data.n_train,
                         e);
    if (rc == OK)
        rc = train_data_sample(&t->data, (uint32_t)t->o.seq, (uint32_t)t->o.eval_seqs, &t->val, e);
    if (rc == OK && !t->val.n_seqs)
        train_show_line(&t->show, "         too little is held out to measure on");
    return rc;
}

/* A slip in a path is told before a folder is made. */
static int check_paths(const struct train *t, struct err *e)
{
    for (int i = 0; i < t->o.n_data; i++) {
        if (access(t->o.data[i], R_OK) == 0) continue;
        err_set(e, ERR_IO, errno, "cannot open '%.120s'", t->o.data[i]);
        err_hint(e, "name a folder that holds text files");
        return ERR_IO;
    }
    return OK;
}

/* ---- the trainer ---- */

static int load_state(struct train *t, struct err *e)
{
    char path[PATH_CAP];
    char note[NOTE_CAP];
    struct train_note n = {0};
    struct hash options;
    int rc = train_out_path(t->out.dir, "state", path, e);
    if (rc == OK) rc = trainer_load(t->trainer, path, note, sizeof note, e);
    if (rc == ERR_PROTO || rc == ERR_AUTH)
        err_hint(e, "move the file '%.60s' away to begin anew, or put back a good copy", path);
    if (rc == OK) rc = train_note_read(note, &n, e);
    if (rc == OK) rc = train_options_hash(&t->o, &options, e);
    if (rc != OK) return rc;
    if (!hash_equal(&n.options, &options)) {
        err_set(e, ERR_WRONG_STATE, 0, "train.json was changed after this model was begun");
        err_hint(e, "put back train.json as it was, or begin another model with another --out");
        return ERR_WRONG_STATE;
    }
    if (!hash_equal(&n.data, &t->data.name)) {
        err_set(e, ERR_WRONG_STATE, 0, "the tokens are not those that this model was begun with");
        err_hint(e, "name that data with --data, or begin another model with another --out");
        return ERR_WRONG_STATE;
    }
    t->note = n;
    return OK;
}

/* Before the trainer takes its memory: what both need together is looked at there. */
static int load_first(struct train *t, struct err *e)
{
    uint64_t n = model_source_table(t->source)->n_params;
    if (!t->first_weights) {
        t->first_weights = alloc_zero(n, sizeof *t->first_weights);
        if (!t->first_weights)
            return err_set(e, ERR_NOMEM, 0, "no memory for the weights of the model to start from");
    }
    int rc = model_source_load(t->source, t->first_weights, e);
    return rc == OK ? OK : err_wrap(e, "the model to start from");
}

static int begin_weights(struct train *t, struct err *e)
{
    if (!t->source) {
        trainer_init_weights(t->trainer, t->o.seed);
        return OK;
    }
    uint64_t n = trainer_table(t->trainer)->n_params;
    int rc = trainer_load_weights(t->trainer, t->first_weights, n * sizeof(float), e);
    free(t->first_weights);
    t->first_weights = NULL;
    return rc;
}

int train_make_trainer(struct train *t, struct err *e)
{
    int rc = train_plan_make(&t->o, &t->plan, e);
    if (rc == OK && t->source) rc = load_first(t, e);
    const struct train_plan *p = &t->plan;
    if (rc == OK) rc = trainer_create(&p->model, &p->params, &p->trainer, &t->trainer, e);
    if (rc != OK) return rc;
    if (t->is_begun) return load_state(t, e);
    rc = begin_weights(t, e);
    if (rc != OK) return rc;
    t->note = (struct train_note){.seed = t->o.seed, .data = t->data.name};
    return train_options_hash(&t->o, &t->note.options, e);
}

/* How many steps --hours are: a trainer that is thrown away takes some. */
static int measure(struct train *t, struct err *e)
{
    struct trainer_step_result r;
    int64_t began = 0, ns = 0;
    uint64_t n = 0;
    t->o.steps = MEASURE_STEPS + 1;
    int rc = train_make_trainer(t, e);
    uint64_t done = t->note.step;
    for (uint64_t i = 0; rc == OK && i <= MEASURE_STEPS && ns < MEASURE_MS * 1000000LL; i++) {
        rc = train_data_batch(&t->data, &t->walk, done + i, (uint32_t)t->o.batch, t->tokens, e);
        if (rc == OK) rc = trainer_step(t->trainer, t->tokens, i, &r, e);
        if (i == 0) began = clock_mono_ns(); /* the first one warms up */
        ns = clock_mono_ns() - began;
        n = i;
    }
    trainer_destroy(t->trainer);
    t->trainer = NULL;
    if (rc != OK) return rc;
    double step_s = n ? (double)ns * 1e-9 / (double)n * 100 / (double)t->o.duty : 1;
    double steps = t->o.hours * 3600 / step_s;
    t->o.steps = done + (steps < 1 ? 1 : (uint64_t)steps);
    return OK;
}

/* ---- files ---- */

/* What was noted when it was begun stays, but what has changed since. */
static int write_choices(struct train *t, const json_t *saved, const char *folder, struct err *e)
{
    json_t *o = saved ? json_deep_copy(saved) : json_object();
    json_t *options = train_options_json(&t->o);
    int rc = o && options && json_object_update(o, options) == 0
                 ? OK
                 : err_set(e, ERR_NOMEM, 0, "no memory for train.json");
    json_set_text(o, "data", folder);
    if (t->o.init && !saved) json_set_text(o, "init", t->o.init);
    json_set_text(o, "class", trainer_class(t->trainer));
    json_set_text(o, "program", "potluck " POTLUCK_VERSION);
    if (rc == OK) rc = train_out_write(&t->out, "train.json", o, e);
    json_decref(options);
    json_decref(o);
    return rc;
}

/* train.json first: it says whose files the others are. The state last: with it, it is begun. */
static int write_first(struct train *t, const char *folder, struct err *e)
{
    const struct buf *tokenizer = &t->data.tokenizer_json;
    const struct hf_config_ids *said = t->source ? model_source_ids(t->source) : NULL;
    struct hf_config_ids ids = hf_config_ends(said, t->data.tokenizer);
    int rc = write_choices(t, NULL, folder, e);
    if (rc == OK) rc = train_out_write_config(&t->out, &t->plan.model, &ids, e);
    if (rc == OK)
        rc = train_out_write_bytes(&t->out, "tokenizer.json", tokenizer->p, tokenizer->len, e);
    return rc == OK ? train_save(t, e) : rc;
}

int train_check_weights(const struct train *t, struct err *e)
{
    const float *w = trainer_weights(t->trainer);
    uint64_t n = trainer_table(t->trainer)->n_params;
    for (uint64_t i = 0; i < n; i++)
        if (!isfinite(w[i]))
            return err_set(e, ERR_LIMIT, 0,
                           "training diverged: a weight is no longer a finite number");
    return OK;
}

int train_save(struct train *t, struct err *e)
{
    char path[PATH_CAP];
    struct buf note = {0};
    int rc = train_check_weights(t, e);
    if (rc == OK) rc = train_out_path(t->out.dir, "state", path, e);
    if (rc == OK) rc = train_note_write(&t->note, &note, e);
    if (rc == OK) rc = trainer_save(t->trainer, path, buf_str(&note), e);
    if (rc == ERR_IO) err_hint(e, "free some space on that disk, or see who owns the folder");
    buf_deinit(&note);
    return rc;
}

/* ---- the beginning ---- */

static int open_source(struct train *t, struct err *e)
{
    int rc = model_source_open(t->o.init, NULL, &t->source, e);
    if (rc != OK) return err_wrap(e, "--init");
    return train_options_adopt(&t->o, model_source_config(t->source), e);
}

static int choose(struct train *t, json_t **saved, struct err *e)
{
    enum train_out_kind kind = TRAIN_OUT_NEW;
    int rc = train_out_look(t->o.out, &kind, e);
    if (rc != OK) return rc;
    t->is_begun = kind == TRAIN_OUT_BEGUN;
    if (t->is_begun) {
        rc = train_out_read(t->o.out, saved, e);
        if (rc == OK) rc = train_options_resume(&t->o, *saved, e);
    } else if (t->o.n_data == 0) {
        err_set(e, ERR_ARG, 0, "no text was named, and '%.80s' holds no model to go on with",
                t->o.out);
        err_hint(e, "potluck train --data FOLDER_OF_TEXT; see potluck train --help");
        rc = ERR_ARG;
    } else if (t->o.init) {
        rc = open_source(t, e);
    }
    if (rc == OK) rc = train_options_fill(&t->o, e);
    return rc == OK ? train_plan_make(&t->o, &t->plan, e) : rc;
}

static void say_plan(struct train *t, uint64_t available)
{
    char text[400];
    train_show_line(&t->show, "model    %s", train_plan_model(&t->plan, text, sizeof text));
    train_show_line(&t->show, "memory   %s",
                    train_plan_memory(&t->plan, available, text, sizeof text));
    json_t *o = json_object();
    json_set_text(o, "event", "plan");
    json_set_u64(o, "params", t->plan.n_params);
    json_set_u64(o, "memory_bytes", t->plan.budget.total_bytes);
    json_set_u64(o, "available_bytes", available);
    json_set_u64(o, "steps", t->o.steps);
    json_set_u64(o, "tokens_per_step", t->o.batch * t->o.seq);
    json_set_real(o, "flops_per_token", (double)t->plan.budget.flops_per_token);
    json_set_text(o, "out", t->o.out);
    train_show_event(&t->show, o);
}

static void say_course(struct train *t)
{
    char passes[TEXT_CAP], steps[TEXT_CAP];
    double n = (double)t->o.steps * (double)t->o.batch;
    train_show_line(&t->show,
                    "training %s steps of %" PRIu64 " tokens, %s times through the text; "
                    "%s, %" PRIu64 " threads",
                    text_count((int64_t)t->o.steps, steps), t->o.batch * t->o.seq,
                    text_number(n / (double)t->walk.n_windows, passes),
                    t->o.precision == TRAINER_BF16 ? "bf16" : "fp32", t->o.threads);
    if (t->is_begun)
        train_show_line(&t->show, "going on at step %s, in %s",
                        text_count((int64_t)t->note.step, steps), t->o.out);
}

static int room_for_tokens(struct train *t, struct err *e)
{
    t->tokens = alloc_zero(t->o.batch * (t->o.seq + 1), sizeof *t->tokens);
    return t->tokens ? OK : err_set(e, ERR_NOMEM, 0, "no memory for the tokens of a step");
}

static int cut_history(struct train *t, struct err *e)
{
    char path[PATH_CAP];
    int rc = train_out_path(t->out.dir, "history.ndjson", path, e);
    if (rc != OK) return rc;
    if (t->note.step == 0) (void)unlink(path); /* of a beginning that was not saved */
    return train_history_cut(path, t->note.step, &t->before_ms, e);
}

/* The same bits need the same kernels; a person who moved to another computer is told. */
static void say_class(struct train *t, const json_t *saved)
{
    const char *was = json_string_value(json_object_get(saved, "class"));
    const char *precision = json_string_value(json_object_get(saved, "precision"));
    const char *now = t->o.precision == TRAINER_BF16 ? "bf16" : "fp32";
    if (precision && strcmp(precision, now) != 0)
        train_show_line(&t->show, "note     the precision was %s, is %s from here on", precision,
                        now);
    if (!was || strcmp(was, trainer_class(t->trainer)) == 0) return;
    train_show_line(&t->show, "note     begun with '%s', goes on with '%s': not the same bits", was,
                    trainer_class(t->trainer));
    json_t *o = t->show.is_json ? json_object() : NULL;
    json_set_text(o, "event", "note");
    json_set_text(o, "class_before", was);
    json_set_text(o, "class", trainer_class(t->trainer));
    train_show_event(&t->show, o);
}

static int make_files(struct train *t, const json_t *saved, const char *folder, struct err *e)
{
    if (!t->is_begun) return write_first(t, folder, e);
    say_class(t, saved);
    return write_choices(t, saved, folder, e);
}

static int check_end(const struct train *t, struct err *e)
{
    if (t->note.step <= t->o.steps) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "this model has taken %" PRIu64 " steps, more than %" PRIu64,
            t->note.step, t->o.steps);
    err_hint(e, "give it more with a larger --steps; it cannot go back");
    return ERR_WRONG_STATE;
}

/* From here on files are written. */
static int set_up(struct train *t, const json_t *saved, struct err *e)
{
    const char *folder = json_string_value(json_object_get(saved, "data"));
    char named[PATH_CAP] = "";
    int rc = check_paths(t, e);
    if (rc == OK) rc = train_out_open(t->o.out, &t->out, e);
    if (rc == OK) rc = prepared_folder(t, named, e);
    if (rc == OK) rc = open_data(t, named, folder, e);
    if (named[0] || !folder) folder = named;
    if (rc == OK) rc = room_for_tokens(t, e);
    train_stop_hold();
    if (rc == OK && train_options_must_measure(&t->o)) rc = measure(t, e);
    if (rc == OK) rc = train_make_trainer(t, e);
    if (rc == OK) rc = check_end(t, e);
    if (rc == OK) rc = make_files(t, saved, folder, e);
    if (rc == OK) rc = cut_history(t, e);
    return rc == OK ? train_stop_create(t->trainer, &t->stop, e) : rc;
}

/* All that set_up would find out before it writes anything. */
static int look_only(struct train *t, const json_t *saved, struct err *e)
{
    const char *folder = json_string_value(json_object_get(saved, "data"));
    char named[PATH_CAP] = "", size[TEXT_CAP];
    struct prepare_report report;
    int rc = check_paths(t, e);
    if (rc == OK) rc = train_out_may(t->o.out, e);
    if (rc == OK && path_format(t->out.dir, "%s", t->o.out)) rc = ERR_LIMIT;
    if (rc == OK) rc = prepared_folder(t, named, e);
    if (rc != OK) return rc;
    if (named[0] || t->is_begun) return open_data(t, named, folder, e);
    struct prepare_options p = prepare_of(t, NULL);
    rc = prepare_look(&p, &report, e);
    if (rc == OK)
        train_show_line(&t->show, "text     %s to prepare in %" PRIu64 " files",
                        text_bytes(report.n_text_bytes, size), report.n_files);
    return rc;
}

int train_begin(struct train *t, struct err *e)
{
    json_t *saved = NULL;
    uint64_t available = memfree_bytes();
    t->out.lock_fd = -1;
    train_show_init(&t->show, t->o.is_json, t->o.report_s);
    int rc = choose(t, &saved, e);
    if (rc == OK) {
        say_plan(t, available);
        rc = train_plan_check(&t->o, &t->plan, available, e);
    }
    t->is_done = t->o.is_dry_run;
    if (rc == OK && t->is_done) {
        rc = look_only(t, saved, e);
        if (rc == ERR_ARG) rc = ERR_WRONG_STATE;
    } else if (rc == OK) {
        /* Of this thread, and so of those that come: other programs go first. */
        (void)setpriority(PRIO_PROCESS, 0, (int)t->o.nice);
        rc = set_up(t, saved, e);
        if (rc == OK) say_course(t);
        if (rc == ERR_ARG) rc = ERR_WRONG_STATE; /* no slip in the words: what the text holds */
    }
    json_decref(saved);
    return rc;
}

void train_end(struct train *t)
{
    train_show_end(&t->show);
    train_stop_destroy(t->stop);
    trainer_destroy(t->trainer);
    model_source_close(t->source);
    free(t->first_weights);
    train_sample_deinit(&t->val);
    train_data_close(&t->data);
    free(t->tokens);
    train_out_close(&t->out);
}
