#include "aggregator/describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/origin.h"
#include "base/alloc.h"
#include "base/file.h"
#include "net/tls.h"

#define MICRO         1000000u
#define MAX_TOKENIZER (64u << 20)

static int home_path(char dst[PATH_CAP], const char *home, const char *name, struct err *e)
{
    if (path_format(dst, "%s/%s", home, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
}

void describe_model(const struct setup *s, uint32_t vocab, struct model_config *m)
{
    *m = (struct model_config){.vocab_size = vocab,
                               .hidden_size = (uint32_t)s->hidden,
                               .intermediate_size = (uint32_t)s->intermediate,
                               .num_hidden_layers = (uint32_t)s->layers,
                               .num_attention_heads = (uint32_t)s->heads,
                               .num_key_value_heads = (uint32_t)s->kv_heads,
                               .max_position_embeddings = (uint32_t)s->seq,
                               .rms_norm_eps = 1e-5,
                               .rope_theta = 10000,
                               .initializer_range = 0.02,
                               .tie_word_embeddings = true};
}

static void fill_training(const struct setup *s, struct train_params *t)
{
    *t = (struct train_params){
        .seq_len = (uint32_t)s->seq,
        .batch_seqs = (uint32_t)s->batch,
        .lr = s->lr,
        .lr_min_frac = 0.1,
        .warmup_steps = s->warmup_steps,
        .total_steps = s->total_steps,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = s->weight_decay,
        .clip_norm = 1,
        .ef_beta = 0.95,
        .outer_lr = s->outer_lr,
        .delta = {.chunk = (uint32_t)s->chunk, .k = (uint32_t)s->k}
    };
}

static int initial_model(const char *home, struct rundesc *r, struct err *e)
{
    struct model_table t = {0};
    int rc = model_config_check(&r->model, e);
    if (rc == OK) rc = model_table_init(&t, &r->model, e);
    if (rc != OK) return rc;
    if (r->is_from_checkpoint) {
        rc = origin_weights(home, &t, NULL, &r->initial_model, e);
        model_table_deinit(&t);
        return rc;
    }
    float *params = alloc_zero((size_t)t.n_params, sizeof *params);
    if (params) {
        model_init_weights(&t, &r->model, r->init_seed, params);
        r->initial_model = model_hash(&t, params);
        free(params);
    } else {
        rc = err_set(e, ERR_NOMEM, 0, "no memory for a model of %llu parameters",
                     (unsigned long long)t.n_params);
    }
    model_table_deinit(&t);
    return rc;
}

static int fill_addresses(const struct setup *s, const struct key_pub *host,
                          const struct hash *tls_pin, struct rundesc *r, struct err *e)
{
    int rc = OK;
    while (rc == OK && r->n_aggregators < RUNDESC_MAX_AGGREGATORS) {
        struct rundesc_aggregator *a = &r->aggregators[r->n_aggregators];
        rc = setup_address(s, r->n_aggregators, a->host, &a->port, e);
        if (rc != OK) break;
        a->key = *host;
        a->tls_pin = *tls_pin;
        r->n_aggregators++;
    }
    return rc == ERR_NOTFOUND ? OK : rc;
}

/* All that does not come from the data. from: the model to go on from; NULL: a new one. */
static int fill_choices(const struct setup *s, uint32_t vocab, const struct model_config *from,
                        const struct key_pub *host, const struct hash *tls_pin, struct rundesc *ret,
                        struct err *e)
{
    struct rundesc r = {.is_from_checkpoint = from != NULL,
                        .init_seed = from ? 0 : s->seed,
                        .inner_steps = (uint32_t)s->inner_steps,
                        .inner_ms = (uint32_t)s->inner_seconds * 1000,
                        .max_inner_steps = (uint32_t)s->max_inner_steps,
                        .ahead_steps = (uint32_t)s->ahead_steps,
                        .upload_ms = (uint32_t)s->upload_seconds * 1000,
                        .min_contributions = (uint32_t)s->min_contributions,
                        .n_rounds = s->rounds,
                        .retention = s->retention,
                        .merge_min_senders = s->min_senders,
                        .reward_unit = "credits",
                        .reward_per_round = s->reward * MICRO};
    snprintf(r.name, sizeof r.name, "%s", s->name);
    snprintf(r.note, sizeof r.note, "%s", s->note);
    if (from)
        r.model = *from;
    else
        describe_model(s, vocab, &r.model);
    if (s->puzzle_bits) {
        r.puzzle.bits = (uint32_t)s->puzzle_bits;
        r.puzzle.memory_kib = (uint32_t)s->puzzle_memory * 1024;
    }
    fill_training(s, &r.train);
    int rc = fill_addresses(s, host, tls_pin, &r, e);
    if (rc == OK) *ret = r;
    return rc;
}

/* Text that was prepared with the model's own tokenizer, as prepare does by itself. */
static int check_tokens(const struct origin_kept *from, const struct dataset *d, struct err *e)
{
    struct buf kept = {0};
    int rc = file_read(from->tokenizer_path, MAX_TOKENIZER, &kept, e);
    struct hash h = hash_of(kept.p, kept.len);
    buf_deinit(&kept);
    if (rc != OK) return rc;
    if (hash_equal(&h, &d->tokenizer_hash) && d->vocab_size <= from->config.vocab_size) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "the text was not prepared with the model's tokenizer");
    err_hint(e, "run: potluck-aggregator prepare --home DIR TEXT_FOLDER");
    return ERR_WRONG_STATE;
}

int describe_fill(const char *home, const struct setup *s, const struct dataset *d,
                  const struct key_pub *host, const struct hash *tls_pin, struct rundesc *ret,
                  struct err *e)
{
    struct rundesc r;
    struct origin_kept kept;
    bool has_origin = s->from[0];
    int rc = has_origin ? origin_kept(home, &kept, e) : OK;
    if (rc == OK && has_origin) rc = check_tokens(&kept, d, e);
    if (rc == OK)
        rc = fill_choices(s, d->vocab_size, has_origin ? &kept.config : NULL, host, tls_pin, &r, e);
    if (rc != OK) return rc;
    dataset_describe(d, &r);
    rc = initial_model(home, &r, e);
    if (rc == OK) *ret = r;
    return rc;
}

/* Signed with a key that nobody will know, of data that is not there: only the bounds count. */
int describe_check(const struct setup *s, const struct model_config *from, struct err *e)
{
    struct rundesc r;
    struct key k;
    struct hash pin = {0};
    struct buf jws = {0};
    key_generate(&k);
    int rc = fill_choices(s, DESCRIBE_VOCAB, from, &k.pub, &pin, &r, e);
    if (rc == OK) {
        r.n_train_shards = 1;
        r.tokenizer_bytes = r.train_index_bytes[0] = r.val_index_bytes = 1;
        rc = rundesc_sign(&r, &k, &jws, e);
    }
    key_wipe(&k);
    buf_deinit(&jws);
    if (rc == OK) return OK;
    if (e) e->code = ERR_ARG;
    err_hint(e, "nothing is written; see the choices in: potluck-aggregator --help");
    return ERR_ARG;
}

static int sign_and_write(const char *home, struct rundesc *r, const struct key *k, struct err *e)
{
    char path[PATH_CAP];
    struct buf jws = {0};
    int rc = rundesc_sign(r, k, &jws, e);
    if (rc == OK) rc = home_path(path, home, "run.potluck", e);
    if (rc == OK) rc = file_replace(path, jws.p, jws.len, 0644, e);
    buf_deinit(&jws);
    return rc;
}

static int make(const char *home, const struct setup *s, struct rundesc *ret, struct err *e)
{
    char path[PATH_CAP];
    struct dataset d = {0};
    struct key k = {0};
    struct hash pin;
    int rc = home_path(path, home, "keys/host.key", e);
    if (rc == OK) rc = key_load_or_create(path, &k, e);
    if (rc == OK) rc = home_path(path, home, "keys/tls-cert.pem", e);
    if (rc == OK) rc = tls_certificate_pin(path, &pin, e);
    if (rc == OK) rc = dataset_open(home, &d, e);
    if (rc == OK) rc = describe_fill(home, s, &d, &k.pub, &pin, ret, e);
    if (rc == OK) rc = sign_and_write(home, ret, &k, e);
    key_wipe(&k);
    dataset_close(&d);
    return rc;
}

int describe_home(const char *home, struct rundesc *ret, struct err *e)
{
    char path[PATH_CAP];
    struct setup s;
    int rc = home_path(path, home, "run.potluck", e);
    if (rc != OK) return rc;
    if (file_exists(path)) return describe_read(home, ret, NULL, e);
    rc = setup_load(home, &s, e);
    if (rc == ERR_NOTFOUND || (rc == OK && !dataset_exists(home))) {
        if (e) *e = (struct err){0};
        return ERR_AGAIN;
    }
    return rc == OK ? make(home, &s, ret, e) : rc;
}

/* What is missing, in the order a host would do it. */
static int next_step(const char *home, struct err *e)
{
    struct setup s;
    err_set(e, ERR_NOTFOUND, 0, "there is no run under '%s' yet", home);
    if (setup_load(home, &s, NULL) != OK)
        err_hint(e, "run: potluck-aggregator init --home DIR --name NAME");
    else if (!dataset_exists(home))
        err_hint(e, "run: potluck-aggregator prepare --home DIR TEXT_FOLDER");
    return ERR_NOTFOUND;
}

int describe_read(const char *home, struct rundesc *ret, struct buf *jws, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    int rc = home_path(path, home, "run.potluck", e);
    if (rc == OK) rc = file_read(path, RUNDESC_MAX_BYTES, &text, e);
    if (rc == ERR_NOTFOUND) rc = next_step(home, e);
    while (rc == OK && text.len && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == ' '))
        text.len--;
    if (rc == OK) {
        rc = rundesc_parse(text.p, text.len, NULL, ret, e);
        if (rc != OK) err_wrap(e, "'%s'", path);
    }
    if (rc == OK && jws) {
        buf_put(jws, text.p, text.len);
        rc = buf_ok(jws, e);
    }
    buf_deinit(&text);
    return rc;
}

int describe_invite(const struct rundesc *d, const char *code, char *dst, size_t cap, struct err *e)
{
    const struct rundesc_aggregator *a = &d->aggregators[0];
    struct rundesc_invite v = {.port = a->port, .key = d->host, .tls_pin = a->tls_pin};
    memcpy(v.host, a->host, sizeof v.host);
    snprintf(v.code, sizeof v.code, "%s", code);
    return rundesc_invite_format(&v, dst, cap, e);
}
