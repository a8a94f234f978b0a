#include "aggregator/prepare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/corpus.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/data.h"
#include "engine/tokenizer.h"
#include "record/rundesc.h"

#define SAMPLE_BYTES   (8u << 20)  /* of text the tokenizer learns from */
#define MAX_TOKENIZER  (64u << 20) /* of the file */
#define SHARD_TOKENS   (16u << 20) /* default; 64 MiB while it is being filled */
#define MIN_TRAIN      (2 * DATA_CHUNK_TOKENS)
#define MIN_VAL        1024
#define MIN_VAL_DOCS   8
#define MAX_TOLD       1000 /* skipped files in the report */
#define MAX_SAID       20   /* and on the screen: a folder of pictures should not fill it */
#define PROGRESS_BYTES (16u << 20)
#define PART           "data.part" /* of the home: what is being made */

struct tokens {
    struct buf ids; /* uint32_t each */
    uint64_t n_text_bytes;
};

struct job {
    const struct prepare_options *o;
    struct corpus corpus;
    bool *is_bad; /* [n_files] content not usable */
    struct prepare_report report;
    uint64_t n_of[CORPUS_FAULTS];
    struct hasher *hasher; /* of the usable files */
    struct buf sample;
    struct tokenizer *tk;
    struct tokenizer_encoder *encoder;
    struct hash tk_hash;
    struct tokens train, val;
    double val_frac;             /* share held out: what was asked, or more of a small text */
    double lowest[MIN_VAL_DOCS]; /* the documents' lowest draws, ascending */
    uint32_t n_lowest;
    uint64_t n_seen; /* documents, in the first pass */
    json_t *shards;  /* list for prepare.json */
    json_t *skipped; /* same */
};

static bool is_given(const struct prepare_options *o)
{
    return o->tokenizer || o->tokenizer_path;
}

PRINTF_LIKE(2, 3)
static void tell(const struct job *j, const char *fmt, ...)
{
    char line[640];
    if (!j->o->progress) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    j->o->progress(line, j->o->ctx);
}

static void note_skip(enum corpus_fault why, const char *path, const char *what, void *ctx)
{
    struct job *j = ctx;
    (void)path;
    j->n_of[why]++;
    j->report.n_skipped++;
    if (j->report.n_skipped <= MAX_SAID) tell(j, "skipped  %s", what);
    if (j->report.n_skipped == MAX_SAID) tell(j, "skipped  and more like these; the sum follows");
    if (json_array_size(j->skipped) >= MAX_TOLD) return;
    json_t *o = json_object();
    json_set_text(o, "why", corpus_fault_name(why));
    json_set_text(o, "what", what);
    json_array_append_new(j->skipped, o);
}

/* Calls fn for each document of a text. */
typedef int (*doc_fn)(struct job *j, const uint8_t *doc, size_t n, struct err *e);

static int each_doc(struct job *j, const struct buf *text, doc_fn fn, struct err *e)
{
    int rc = OK;
    for (size_t at = 0; rc == OK && at < text->len;) {
        size_t n = corpus_doc(text->p + at, text->len - at);
        rc = fn(j, text->p + at, n, e);
        at += n;
    }
    return rc;
}

/* Remember the lowest draws: a small text holds out the documents that drew them. */
static void note_draw(struct job *j, double unit)
{
    uint32_t i = j->n_lowest < MIN_VAL_DOCS ? j->n_lowest++ : MIN_VAL_DOCS;
    for (; i > 0 && j->lowest[i - 1] > unit; i--)
        if (i < MIN_VAL_DOCS) j->lowest[i] = j->lowest[i - 1];
    if (i < MIN_VAL_DOCS) j->lowest[i] = unit;
}

/* Chance may hold out nothing of a few dozen documents, and then no loss could be measured: at
 * least MIN_VAL_DOCS are held out, but never more than a quarter. The tokenizer's sample was drawn
 * before that, so it may have seen such a document; the model has not.
 */
static void hold_out_enough(struct job *j, uint64_t n_docs)
{
    uint64_t n = n_docs / 4 < j->n_lowest ? n_docs / 4 : j->n_lowest;
    j->val_frac = j->o->val_frac;
    if (n && j->lowest[n - 1] >= j->val_frac) j->val_frac = j->lowest[n - 1] + 0x1p-53;
}

static int take_sample(struct job *j, const uint8_t *doc, size_t n, struct err *e)
{
    note_draw(j, corpus_unit(doc, n, 0));
    j->n_seen++;
    double share = (double)SAMPLE_BYTES / (double)j->corpus.n_bytes;
    if (is_given(j->o)) return OK;
    if (corpus_is_held_out(doc, n, j->o->val_frac) || corpus_unit(doc, n, 1) >= share) return OK;
    buf_put(&j->sample, doc, n);
    return buf_ok(&j->sample, e);
}

static void hash_text(struct job *j, const struct buf *text)
{
    uint8_t n[8];
    bytes_put_u64(n, text->len);
    hasher_add(j->hasher, n, sizeof n);
    hasher_add(j->hasher, text->p, text->len);
}

/* First pass: which files are text, and a sample of it. */
static int read_all(struct job *j, struct err *e)
{
    struct buf text = {0};
    char what[512];
    int rc = OK;
    j->is_bad = alloc_zero(j->corpus.n_files + 1, sizeof *j->is_bad);
    j->hasher = hasher_create();
    if (!j->is_bad || !j->hasher) return err_set(e, ERR_NOMEM, 0, "no memory for a list of files");
    for (size_t i = 0; rc == OK && i < j->corpus.n_files; i++) {
        enum corpus_fault f = corpus_read(&j->corpus, i, &text, what);
        j->is_bad[i] = f != CORPUS_FINE;
        if (f != CORPUS_FINE) {
            note_skip(f, j->corpus.files[i].path, what, j);
            continue;
        }
        j->report.n_files++;
        j->report.n_text_bytes += text.len;
        hash_text(j, &text);
        rc = each_doc(j, &text, take_sample, e);
    }
    hold_out_enough(j, j->n_seen);
    j->report.text = hasher_end(j->hasher);
    buf_deinit(&text);
    return rc;
}

static int find_text(struct job *j, struct err *e)
{
    int rc = OK;
    for (int i = 0; rc == OK && i < j->o->n_paths; i++)
        rc = corpus_add(&j->corpus, j->o->paths[i], note_skip, j, e);
    if (rc != OK) return rc;
    corpus_sort(&j->corpus);
    /* Those that are skipped at first sight, empty ones, were found all the same. */
    tell(j, "found    %" PRIu64 " files, %.2f MB", j->corpus.n_files + j->report.n_skipped,
         (double)j->corpus.n_bytes / 1e6);
    rc = read_all(j, e);
    if (rc != OK) return rc;
    tell(j,
         "usable   %" PRIu64 " files, %.2f MB of text; skipped %" PRIu64 " (%" PRIu64
         " empty, %" PRIu64 " binary, %" PRIu64 " not UTF-8, %" PRIu64 " unreadable, %" PRIu64
         " other)",
         j->report.n_files, (double)j->report.n_text_bytes / 1e6, j->report.n_skipped,
         j->n_of[CORPUS_EMPTY], j->n_of[CORPUS_BINARY], j->n_of[CORPUS_INVALID_UTF8],
         j->n_of[CORPUS_UNREADABLE], j->n_of[CORPUS_NOT_A_FILE] + j->n_of[CORPUS_TOO_LARGE]);
    if (j->report.n_files &&
        j->report.n_text_bytes < MIN_TRAIN) { /* no token is less than a byte */
        err_set(e, ERR_ARG, 0, "too little text: %" PRIu64 " bytes, at least %u tokens are needed",
                j->report.n_text_bytes, MIN_TRAIN);
        err_hint(e, "add text: a few megabytes are a good start");
        return ERR_ARG;
    }
    if (j->report.n_files) return OK;
    if (!j->report.n_skipped) {
        err_set(e, ERR_ARG, 0, "'%s' holds no file at all", j->o->paths[0]);
        err_hint(e, "name a folder that holds text files");
        return ERR_ARG;
    }
    err_set(e, ERR_ARG, 0, "no usable text: %" PRIu64 " files were looked at, none is UTF-8 text",
            j->report.n_skipped);
    err_hint(e, "name a folder with .txt files in UTF-8; the lines above say why each was skipped");
    return ERR_ARG;
}

static void tell_vocab(uint32_t n_ids, uint32_t vocab_size, void *ctx)
{
    const struct job *j = ctx;
    if (n_ids == vocab_size || n_ids % 1024 == 0)
        tell(j, "learning %" PRIu32 " of %" PRIu32 " token ids", n_ids, vocab_size);
}

static int data_path(const struct job *j, const char *name, char ret[PATH_CAP], struct err *e)
{
    if (path_format(ret, "%s/" PART "/%s", j->o->home, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
}

static int learn(struct job *j, struct buf *json, struct err *e)
{
    tell(j, "learning a tokenizer from %.2f MB", (double)j->sample.len / 1e6);
    int rc =
        tokenizer_train(j->sample.p, j->sample.len, j->o->vocab_size, tell_vocab, j, &j->tk, e);
    return rc == OK ? tokenizer_to_json(j->tk, json, e) : rc;
}

/* Take the tokenizer of a model that others made: its very bytes, so that its hash stays. */
static int adopt(struct job *j, struct buf *json, struct err *e)
{
    const struct buf *given = j->o->tokenizer;
    if (given) buf_put(json, given->p, given->len);
    int rc = given ? buf_ok(json, e) : file_read(j->o->tokenizer_path, MAX_TOKENIZER, json, e);
    if (rc == OK) rc = tokenizer_from_json(json->p, json->len, &j->tk, e);
    if (rc == ERR_PROTO) return err_wrap(e, "the tokenizer");
    if (rc != OK) return rc;
    if (j->o->eos) rc = tokenizer_set_ends(j->tk, tokenizer_bos(j->tk), *j->o->eos, e);
    if (rc != OK) {
        err_hint(e, "eos_token_id of that model's config.json has to name one");
        return err_wrap(e, "what ends a document");
    }
    if (tokenizer_eos(j->tk) == TOKENIZER_NONE) {
        err_set(e, ERR_ARG, 0, "the tokenizer has no token that ends a document");
        err_hint(e, "it needs a special token such as </s> or " TOKENIZER_EOT_TEXT);
        return ERR_ARG;
    }
    tell(j, "tokens   %" PRIu32 " ids of the tokenizer that was given",
         tokenizer_vocab_size(j->tk));
    uint32_t n_lost = tokenizer_lost_bytes(j->tk);
    if (n_lost)
        tell(j,
             "warning  %" PRIu32 " of 256 byte values have no token: text that has them loses "
             "them",
             n_lost);
    return OK;
}

static int make_tokenizer(struct job *j, struct err *e)
{
    char path[PATH_CAP];
    struct buf json = {0};
    int rc = is_given(j->o) ? adopt(j, &json, e) : learn(j, &json, e);
    if (rc == OK) rc = data_path(j, "tokenizer.json", path, e);
    if (rc == OK) rc = file_replace(path, json.p, json.len, 0644, e);
    if (rc == OK) rc = tokenizer_encoder_create(j->tk, false, &j->encoder, e);
    if (rc == OK) {
        j->tk_hash = hash_of(json.p, json.len);
        j->report.vocab_size = tokenizer_vocab_size(j->tk);
    }
    buf_deinit(&json);
    buf_deinit(&j->sample);
    return rc;
}

static json_t *shard_json(const char *name, const struct tokens *t, const struct hash *index)
{
    uint64_t n = t->ids.len / sizeof(uint32_t);
    struct data_index x = {.n_chunks = (uint32_t)((n + DATA_CHUNK_TOKENS - 1) / DATA_CHUNK_TOKENS)};
    json_t *o = json_object();
    json_set_text(o, "file", name);
    json_set_hash(o, "index", index);
    json_set_u64(o, "index_bytes", data_index_bytes(&x));
    json_set_u64(o, "n_tokens", n);
    json_set_u64(o, "n_text_bytes", t->n_text_bytes);
    return o;
}

/* Write what is collected as one shard and forget it. */
static int write_shard(struct job *j, const char *name, struct tokens *t, json_t **ret,
                       struct err *e)
{
    char path[PATH_CAP];
    struct hash index;
    uint64_t n = t->ids.len / sizeof(uint32_t);
    int rc = data_path(j, name, path, e);
    if (rc == OK)
        rc = data_shard_write(path, (const uint32_t *)(const void *)t->ids.p, n, t->n_text_bytes,
                              tokenizer_vocab_size(j->tk), &j->tk_hash, &index, e);
    if (rc != OK) return rc;
    *ret = shard_json(name, t, &index);
    buf_clear(&t->ids);
    t->n_text_bytes = 0;
    return OK;
}

static int flush_train(struct job *j, struct err *e)
{
    char name[32];
    json_t *o = NULL;
    if (j->train.ids.len == 0) return OK;
    if (j->report.n_shards == RUNDESC_MAX_SHARDS) {
        err_set(e, ERR_LIMIT, 0, "more text than %d shards of %" PRIu64 " tokens hold",
                RUNDESC_MAX_SHARDS, j->o->shard_tokens ? j->o->shard_tokens : SHARD_TOKENS);
        err_hint(e, "give prepare less text, or a larger --shard-tokens");
        return ERR_LIMIT;
    }
    j->report.n_train_tokens += j->train.ids.len / sizeof(uint32_t);
    snprintf(name, sizeof name, "train-%03" PRIu32 ".shard", j->report.n_shards);
    int rc = write_shard(j, name, &j->train, &o, e);
    if (rc != OK) return rc;
    json_array_append_new(j->shards, o);
    j->report.n_shards++;
    return OK;
}

static size_t shard_cap(const struct job *j)
{
    return (size_t)(j->o->shard_tokens ? j->o->shard_tokens : SHARD_TOKENS) * sizeof(uint32_t);
}

static int encode_doc(struct job *j, const uint8_t *doc, size_t n, struct err *e)
{
    const uint32_t separator = tokenizer_eos(j->tk);
    bool is_val = corpus_is_held_out(doc, n, j->val_frac);
    struct tokens *t = is_val ? &j->val : &j->train;
    int rc = tokenizer_encoder_run(j->encoder, doc, n, &t->ids, e);
    if (rc != OK) return rc;
    buf_put(&t->ids, &separator, sizeof separator);
    t->n_text_bytes += n;
    j->report.n_docs++;
    j->report.n_val_docs += is_val;
    rc = buf_ok(&t->ids, e);
    return rc == OK && j->train.ids.len >= shard_cap(j) ? flush_train(j, e) : rc;
}

/* Second pass: text to tokens. A file that changed in between is an error, not a silent gap. */
static int encode_all(struct job *j, struct err *e)
{
    struct buf text = {0};
    char what[512];
    uint64_t done = 0, told = 0;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < j->corpus.n_files; i++) {
        if (j->is_bad[i]) continue;
        if (corpus_read(&j->corpus, i, &text, what) != CORPUS_FINE) {
            rc = err_set(e, ERR_IO, 0, "it changed while being read: %.150s", what);
            break;
        }
        rc = each_doc(j, &text, encode_doc, e);
        done += text.len;
        if (done - told < PROGRESS_BYTES) continue;
        told = done;
        tell(j, "encoding %.1f of %.1f MB", (double)done / 1e6,
             (double)j->report.n_text_bytes / 1e6);
    }
    buf_deinit(&text);
    return rc == OK ? flush_train(j, e) : rc;
}

static int check_sizes(const struct job *j, struct err *e)
{
    const struct prepare_report *r = &j->report;
    if (r->n_train_tokens < MIN_TRAIN) {
        err_set(e, ERR_ARG, 0,
                "too little text: %.2f MB give %" PRIu64 " tokens to train on, at "
                "least %u are needed",
                (double)r->n_text_bytes / 1e6, r->n_train_tokens, MIN_TRAIN);
        err_hint(e, "add text: a few megabytes are a good start");
        return ERR_ARG;
    }
    if (r->n_val_tokens >= MIN_VAL) return OK;
    err_set(e, ERR_ARG, 0,
            "too little held-out text: %" PRIu64 " documents of %" PRIu64 " with %" PRIu64
            " tokens, at least %u are needed",
            r->n_val_docs, r->n_docs, r->n_val_tokens, MIN_VAL);
    err_hint(e, "add text, or hold out more of it with --val-frac");
    return ERR_ARG;
}

static int write_list(struct job *j, json_t *val, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    const struct prepare_report *r = &j->report;
    json_t *o = json_object();
    json_set_u64(o, "version", 1);
    json_set_hash(o, "text", &r->text);
    json_set_hash(o, "tokenizer", &j->tk_hash);
    json_set_u64(o, "vocab_size", r->vocab_size);
    json_set_real(o, "val_frac", j->val_frac);
    json_set_u64(o, "n_files", r->n_files);
    json_set_u64(o, "n_skipped", r->n_skipped);
    json_set_u64(o, "n_text_bytes", r->n_text_bytes);
    json_set_u64(o, "n_docs", r->n_docs);
    json_set_u64(o, "n_val_docs", r->n_val_docs);
    json_set_u64(o, "n_train_tokens", r->n_train_tokens);
    json_set_u64(o, "n_val_tokens", r->n_val_tokens);
    json_object_set(o, "train", j->shards);
    json_object_set(o, "val", val);
    json_object_set(o, "skipped", j->skipped);
    int rc = json_write(o, &text, e);
    if (rc == OK) rc = data_path(j, "prepare.json", path, e);
    if (rc == OK) rc = file_replace(path, text.p, text.len, 0644, e);
    json_decref(o);
    buf_deinit(&text);
    return rc;
}

static int write_all(struct job *j, struct err *e)
{
    json_t *val = NULL;
    int rc = encode_all(j, e);
    if (rc != OK) return rc;
    j->report.n_val_tokens = j->val.ids.len / sizeof(uint32_t);
    rc = check_sizes(j, e);
    const struct prepare_report *r = &j->report;
    if (rc == OK && j->val_frac > j->o->val_frac)
        tell(j,
             "held out %" PRIu64 " of %" PRIu64 " documents: %.1f %% of the text, not the %.3g %% "
             "asked for, because fewer would say little about a model",
             r->n_val_docs, r->n_docs, 100 * (double)j->val.n_text_bytes / (double)r->n_text_bytes,
             100 * j->o->val_frac);
    if (rc == OK) rc = write_shard(j, "val.shard", &j->val, &val, e);
    if (rc == OK) rc = write_list(j, val, e);
    json_decref(val);
    return rc;
}

static int check_options(const struct prepare_options *o, struct err *e)
{
    if (o->n_paths == 0) {
        err_set(e, ERR_ARG, 0, "no text was named");
        err_hint(e, "name one or more folders that hold text files");
        return ERR_ARG;
    }
    if (!(o->val_frac > 0 && o->val_frac < 0.5) || (!is_given(o) && o->vocab_size < 258))
        return err_set(e, ERR_ARG, 0, "--val-frac lies between 0 and 0.5, --vocab is at least 258");
    return OK;
}

static int start(const struct prepare_options *o, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/run.potluck", o->home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    if (file_exists(path)) {
        err_set(e, ERR_WRONG_STATE, 0, "the run under '%s' is described already", o->home);
        err_hint(e, "its text cannot change any more; prepare other text in a new --home");
        return ERR_WRONG_STATE;
    }
    return check_options(o, e);
}

/* Remove a folder that holds only files; one that is not there, or holds more, stays. */
static void remove_files(const char *folder)
{
    char path[PATH_CAP];
    DIR *d = opendir(folder);
    const struct dirent *it;
    while (d && (it = readdir(d))) /* NOLINT(concurrency-mt-unsafe): own stream */
        if (path_format(path, "%s/%s", folder, it->d_name) == 0) (void)unlink(path);
    if (d) closedir(d);
    (void)rmdir(folder);
}

static int part_path(const struct prepare_options *o, char ret[PATH_CAP], struct err *e)
{
    if (path_format(ret, "%s/" PART, o->home) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
}

/* All is there: the part becomes the data, in place of what was prepared before. */
static int put_in_place(const struct prepare_options *o, const char *part, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/data", o->home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    bool is_swapped = renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_EXCHANGE) == 0;
    if (!is_swapped && errno != ENOENT) remove_files(path); /* a disk that cannot swap */
    if (!is_swapped && rename(part, path)) return file_error(e, errno, "replace", path);
    if (is_swapped) remove_files(part);
    return file_sync_dir(o->home, e);
}

static void free_all(struct job *j)
{
    corpus_deinit(&j->corpus);
    hasher_destroy(j->hasher);
    free(j->is_bad);
    buf_deinit(&j->sample);
    tokenizer_encoder_destroy(j->encoder);
    tokenizer_destroy(j->tk);
    buf_deinit(&j->train.ids);
    buf_deinit(&j->val.ids);
    json_decref(j->shards);
    json_decref(j->skipped);
}

int prepare_look(const struct prepare_options *o, struct prepare_report *ret, struct err *e)
{
    struct job j = {.o = o, .shards = json_array(), .skipped = json_array()};
    int rc = check_options(o, e);
    if (rc == OK) rc = find_text(&j, e);
    if (rc == OK) *ret = j.report;
    free_all(&j);
    return rc;
}

int prepare_run(const struct prepare_options *o, struct prepare_report *ret, struct err *e)
{
    char part[PATH_CAP];
    int rc = start(o, e);
    if (rc == OK) rc = part_path(o, part, e);
    if (rc != OK) return rc;
    struct job j = {.o = o, .shards = json_array(), .skipped = json_array()};
    bool had_home = file_exists(o->home);
    remove_files(part); /* of one that was killed */
    rc = file_mkdirs(part, e);
    if (rc == OK && is_given(o)) rc = make_tokenizer(&j, e); /* before hours of reading */
    if (rc == OK) rc = find_text(&j, e);
    if (rc == OK && !is_given(o)) rc = make_tokenizer(&j, e);
    if (rc == OK) rc = write_all(&j, e);
    if (rc == OK) rc = put_in_place(o, part, e);
    if (rc == OK) *ret = j.report;
    if (rc != OK) remove_files(part);
    if (rc != OK && !had_home) (void)rmdir(o->home);
    free_all(&j);
    return rc;
}
