#include "app/bench_exchange.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/bench_data.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/outer.h"
#include "engine/quant.h"
#include "record/merge.h"

#define MOST_TEXT ((size_t)1 << 30)
#define SENDERS   2.0 /* as `potluck-aggregator init` has it */

enum { SELECT, PACK, UNPACK, MERGE, N_SPEEDS };

struct peer {
    struct trainer *trainer;
    float *acc; /* error feedback, then what is packed */
    struct buf payload;
};

struct job {
    const struct bench_exchange_options *o;
    struct bench_exchange *r;
    struct bench_data data;
    struct train_params train;
    struct peer peers[BENCH_EXCHANGE_PEERS];
    const struct model_table *table;
    float *residual;
    uint32_t *tokens;
    double *speeds[N_SPEEDS]; /* GB/s, one for each measurement */
    uint32_t n_speeds[N_SPEEDS];
    struct delta_stats sent;
    uint64_t n_placed;
    uint64_t update_bytes;
    uint64_t update_values;
};

/* Of this thread: what somebody else computes meanwhile does not count. */
static int64_t cpu_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void note_speed(struct job *j, int what, int64_t began, uint32_t times)
{
    int64_t ns = cpu_ns() - began;
    double bytes = 4.0 * (double)j->table->n_params * times;
    j->speeds[what][j->n_speeds[what]++] = bytes / (double)(ns > 0 ? ns : 1);
}

/* ---- text ---- */

/* Shards of the file in a folder of their own, gone again before training begins. */
static int open_text(struct job *j, struct err *e)
{
    char dir[] = "/tmp/potluck-bench-XXXXXX";
    char path[PATH_CAP];
    struct buf text = {0};
    const struct bench_preset *p = &j->o->preset;
    int rc = file_read(j->o->text, MOST_TEXT, &text, e);
    if (rc != OK) return rc;
    if (!mkdtemp(dir)) {
        buf_deinit(&text);
        return err_set(e, ERR_IO, 0, "cannot make a folder in /tmp");
    }
    rc = bench_data_make(text.p, text.len, p->model.vocab_size, dir, e);
    buf_deinit(&text);
    if (rc == OK) rc = bench_data_open(dir, p->model.vocab_size, p->train.seq_len, &j->data, e);
    if (path_format(path, "%s/text.shard", dir) == 0) (void)unlink(path);
    (void)rmdir(dir);
    if (rc == OK) snprintf(j->data.from, sizeof j->data.from, "%s", j->o->text);
    return rc;
}

static int open_data(struct job *j, struct err *e)
{
    const struct bench_exchange_options *o = j->o;
    uint32_t vocab = o->preset.model.vocab_size;
    uint32_t seq_len = o->preset.train.seq_len;
    if (o->text) return open_text(j, e);
    if (o->data) return bench_data_open(o->data, vocab, seq_len, &j->data, e);
    return bench_data_default(o->home, vocab, seq_len, o->say, &j->data, e);
}

/* ---- the run ---- */

static int open_peers(struct job *j, struct err *e)
{
    const struct bench_exchange_options *o = j->o;
    struct trainer_options how = {.n_threads = o->n_threads, .precision = o->precision};
    for (uint32_t i = 0; i < o->n_peers; i++) {
        struct peer *p = &j->peers[i];
        int rc = trainer_create(&o->preset.model, &j->train, &how, &p->trainer, e);
        if (rc != OK) return rc;
        trainer_init_weights(p->trainer, o->seed);
        j->table = trainer_table(p->trainer);
        p->acc = alloc_zero(j->table->n_params, sizeof *p->acc);
        if (!p->acc) return err_set(e, ERR_NOMEM, 0, "no memory for contributor %u", i + 1);
    }
    snprintf(j->r->class, sizeof j->r->class, "%s", trainer_class(j->peers[0].trainer));
    j->r->n_params = j->table->n_params;
    j->residual = alloc_zero(j->table->n_params, sizeof *j->residual);
    if (!j->residual) return err_set(e, ERR_NOMEM, 0, "no memory for an error feedback");
    return OK;
}

static int open_job(struct job *j, struct err *e)
{
    const struct bench_exchange_options *o = j->o;
    j->train = o->preset.train;
    j->train.lr = 2e-3;
    j->train.total_steps = (uint64_t)o->n_rounds * o->n_inner;
    j->train.warmup_steps = j->train.total_steps < 160 ? j->train.total_steps / 4 : 40;
    size_t n = (size_t)j->train.batch_seqs * (j->train.seq_len + 1);
    j->tokens = alloc_zero(n, sizeof *j->tokens);
    bool has_all = j->tokens != NULL;
    for (int i = 0; i < N_SPEEDS; i++) {
        j->speeds[i] = alloc_zero((size_t)o->n_rounds * o->n_peers, sizeof(double));
        has_all &= j->speeds[i] != NULL;
    }
    if (!has_all) return err_set(e, ERR_NOMEM, 0, "no memory for the bench");
    return open_data(j, e);
}

static void close_job(struct job *j)
{
    for (uint32_t i = 0; i < j->o->n_peers; i++) {
        trainer_destroy(j->peers[i].trainer);
        free(j->peers[i].acc);
        buf_deinit(&j->peers[i].payload);
    }
    for (int i = 0; i < N_SPEEDS; i++)
        free(j->speeds[i]);
    bench_data_close(&j->data);
    free(j->residual);
    free(j->tokens);
}

static int inner_steps(struct job *j, uint32_t i_peer, uint32_t round, struct err *e)
{
    const struct train_params *t = &j->train;
    for (uint32_t i = 0; i < j->o->n_inner; i++) {
        struct trainer_step_result s = {0};
        uint64_t step = (uint64_t)round * j->o->n_inner + i;
        int rc = bench_data_batch(&j->data, j->o->seed * BENCH_EXCHANGE_PEERS + i_peer,
                                  step * t->batch_seqs, t->batch_seqs, j->tokens, e);
        if (rc == OK) rc = trainer_step(j->peers[i_peer].trainer, j->tokens, step, &s, e);
        if (rc != OK) return rc;
        if (round + 1 == j->o->n_rounds) j->r->loss += s.loss / j->o->n_inner / j->o->n_peers;
    }
    return OK;
}

/* Choose the largest of every chunk, as packing does, and do nothing else. */
static void select_all(struct job *j, const float *values)
{
    uint16_t pos[DELTA_MAX_CHUNK];
    const struct delta_params *p = &j->train.delta;
    int64_t began = cpu_ns();
    for (uint32_t i = 0; i < j->table->n_tensors; i++) {
        const struct model_tensor *t = &j->table->tensors[i];
        for (uint64_t at = 0; at < t->n && t->cols > 1; at += p->chunk) {
            uint32_t n = t->n - at < p->chunk ? (uint32_t)(t->n - at) : p->chunk;
            quant_top(values + t->offset + at, n, (p->k * n + p->chunk - 1) / p->chunk, pos);
        }
    }
    note_speed(j, SELECT, began, 1);
}

static int contribute(struct job *j, struct peer *p, struct err *e)
{
    struct delta_stats s = {0};
    uint64_t n = j->table->n_params;
    outer_accumulate((float)j->train.ef_beta, trainer_weights(p->trainer),
                     trainer_local(p->trainer), p->acc, n);
    select_all(j, p->acc);
    buf_clear(&p->payload);
    int64_t began = cpu_ns();
    int rc = delta_pack(j->table, &j->train.delta, DELTA_CONTRIBUTION, p->acc, j->residual,
                        &p->payload, &s, e);
    if (rc != OK) return rc;
    note_speed(j, PACK, began, 1);
    memcpy(p->acc, j->residual, n * sizeof *p->acc);
    began = cpu_ns();
    rc = delta_check(j->table, &j->train.delta, DELTA_CONTRIBUTION, p->payload.p, p->payload.len,
                     NULL, e);
    note_speed(j, UNPACK, began, 1);
    j->sent.n_values += s.n_values;
    j->sent.index_bits += s.index_bits;
    j->sent.value_bits += s.value_bits;
    j->sent.total_bits += s.total_bits;
    j->n_placed += s.n_values;
    for (uint32_t i = 0; i < j->table->n_tensors; i++) /* norms are sent whole */
        if (j->table->tensors[i].cols == 1) j->n_placed -= j->table->tensors[i].n;
    return rc;
}

static int count_values(struct job *j, const struct buf *update, struct err *e)
{
    struct delta_reader r;
    struct delta_chunk c;
    int rc =
        delta_reader_init(&r, j->table, &j->train.delta, DELTA_UPDATE, update->p, update->len, e);
    while (rc == OK && (rc = delta_reader_next(&r, &c, e)) == OK)
        j->update_values += c.n;
    return rc == ERR_AGAIN ? OK : rc;
}

static int exchange(struct job *j, struct err *e)
{
    struct merge_input in[BENCH_EXCHANGE_PEERS] = {0};
    struct buf update = {0};
    uint32_t n = j->o->n_peers;
    for (uint32_t i = 0; i < n; i++) {
        int rc = contribute(j, &j->peers[i], e);
        if (rc != OK) return rc;
        in[i] = (struct merge_input){
            .payload = j->peers[i].payload.p, .n_bytes = j->peers[i].payload.len, .n_tokens = 1};
        in[i].contributor.b[0] = (uint8_t)(i + 1);
    }
    int64_t began = cpu_ns();
    int rc = merge_run(j->table, &j->train.delta, SENDERS, in, n, &update, e);
    note_speed(j, MERGE, began, n);
    if (rc == OK) rc = count_values(j, &update, e);
    j->update_bytes += update.len;
    for (uint32_t i = 0; i < n && rc == OK; i++)
        rc = trainer_apply_update(j->peers[i].trainer, update.p, update.len, e);
    buf_deinit(&update);
    return rc;
}

static int all_rounds(struct job *j, struct err *e)
{
    for (uint32_t round = 0; round < j->o->n_rounds; round++) {
        char line[80];
        snprintf(line, sizeof line, "round %u of %u", round + 1, j->o->n_rounds);
        if (j->o->say && round % 8 == 0) j->o->say(line);
        int rc = OK;
        for (uint32_t i = 0; i < j->o->n_peers && rc == OK; i++)
            rc = inner_steps(j, i, round, e);
        if (rc == OK) rc = exchange(j, e);
        if (rc != OK) return rc;
    }
    return OK;
}

static double log2_choose(uint32_t n, uint32_t k)
{
    double sum = 0;
    for (uint32_t i = 1; i <= k; i++)
        sum += log2((double)(n - k + i) / i);
    return sum;
}

static void conclude(struct job *j)
{
    struct bench_exchange *r = j->r;
    const struct delta_params *p = &j->train.delta;
    double n_payloads = (double)j->o->n_rounds * j->o->n_peers;
    double n = (double)j->sent.n_values;
    r->n_values = j->sent.n_values;
    r->index_bits = j->n_placed ? j->sent.index_bits / (double)j->n_placed : 0;
    r->value_bits = j->sent.value_bits / n;
    r->total_bits = (double)j->sent.total_bits / n;
    r->ratio_to_fp32 = 32 * (double)r->n_params * n_payloads / (double)j->sent.total_bits;
    r->random_bits = log2_choose(p->chunk, p->k) / p->k;
    r->payload_bytes = (double)j->sent.total_bits / 8 / n_payloads;
    r->update_bytes = (double)j->update_bytes / j->o->n_rounds;
    r->update_bits = 8 * (double)j->update_bytes / (double)j->update_values;
    double *speeds[N_SPEEDS] = {&r->select_gb_s, &r->pack_gb_s, &r->unpack_gb_s, &r->merge_gb_s};
    for (int i = 0; i < N_SPEEDS; i++)
        *speeds[i] = bench_preset_median(j->speeds[i], j->n_speeds[i]);
    snprintf(r->from, sizeof r->from, "%s", j->data.from);
}

int bench_exchange_run(const struct bench_exchange_options *o, struct bench_exchange *ret,
                       struct err *e)
{
    if (o->n_rounds < 1 || o->n_rounds > BENCH_EXCHANGE_ROUNDS || o->n_peers < 1 ||
        o->n_peers > BENCH_EXCHANGE_PEERS || o->n_inner < 1)
        return err_set(e, ERR_ARG, 0, "rounds, contributors or inner steps out of range");
    struct job j = {.o = o, .r = ret};
    *ret = (struct bench_exchange){.o = *o};
    int rc = open_job(&j, e);
    if (rc == OK) rc = open_peers(&j, e);
    if (rc == OK) rc = all_rounds(&j, e);
    if (rc == OK) conclude(&j);
    close_job(&j);
    return rc;
}

/* ---- telling ---- */

int bench_exchange_json(const struct bench_exchange *r, struct buf *out, struct err *e)
{
    const struct delta_params *p = &r->o.preset.train.delta;
    json_t *o = json_object();
    json_set_text(o, "config", r->o.preset.name);
    json_set_u64(o, "params", r->n_params);
    json_set_u64(o, "rounds", r->o.n_rounds);
    json_set_u64(o, "contributors", r->o.n_peers);
    json_set_u64(o, "inner_steps", r->o.n_inner);
    json_set_u64(o, "chunk", p->chunk);
    json_set_u64(o, "k", p->k);
    json_set_u64(o, "values", r->n_values);
    json_set_real(o, "index_bits", r->index_bits);
    json_set_real(o, "value_bits", r->value_bits);
    json_set_real(o, "total_bits_per_value", r->total_bits);
    json_set_real(o, "ratio_to_fp32", r->ratio_to_fp32);
    json_set_real(o, "random_index_bits", r->random_bits);
    json_set_real(o, "anchor_index_bits", BENCH_EXCHANGE_ANCHOR_INDEX);
    json_set_real(o, "anchor_total_bits_per_value", BENCH_EXCHANGE_ANCHOR_TOTAL);
    json_set_real(o, "bytes_per_contribution", r->payload_bytes);
    json_set_real(o, "bytes_per_update", r->update_bytes);
    json_set_real(o, "update_bits_per_value", r->update_bits);
    json_set_real(o, "select_gb_s", r->select_gb_s);
    json_set_real(o, "pack_gb_s", r->pack_gb_s);
    json_set_real(o, "unpack_gb_s", r->unpack_gb_s);
    json_set_real(o, "merge_gb_s", r->merge_gb_s);
    json_set_real(o, "loss", r->loss);
    json_set_text(o, "class", r->class);
    json_set_text(o, "text", r->from);
    int rc = json_write(o, out, e);
    buf_put_str(out, "\n");
    json_decref(o);
    return rc == OK ? buf_ok(out, e) : rc;
}

void bench_exchange_text(const struct bench_exchange *r, struct buf *out)
{
    const struct delta_params *p = &r->o.preset.train.delta;
    buf_printf(out, "model      %s: %.2f million parameters; the %u largest of each %u are sent\n",
               r->o.preset.name, (double)r->n_params / 1e6, p->k, p->chunk);
    buf_printf(out, "run        %u rounds of %u steps, %u contributors, loss %.3f; text: %s\n",
               r->o.n_rounds, r->o.n_inner, r->o.n_peers, r->loss, r->from);
    buf_printf(out,
               "a value    %.3f bits in all: its place %.3f (at random at least %.3f, in the\n"
               "           anchor's format %.0f of %.1f), sign, size and scale %.3f\n",
               r->total_bits, r->index_bits, r->random_bits, BENCH_EXCHANGE_ANCHOR_INDEX,
               BENCH_EXCHANGE_ANCHOR_TOTAL, r->value_bits);
    buf_printf(out, "up         %.0f bytes a contribution: 1/%.0f of the weights in fp32\n",
               r->payload_bytes, r->ratio_to_fp32);
    buf_printf(out, "down       %.0f bytes an update (%.2f bits a value)\n", r->update_bytes,
               r->update_bits);
    buf_printf(out,
               "speed      GB/s of fp32 weights on one thread: choose %.2f, pack %.2f,\n"
               "           unpack %.2f, merge %.2f\n",
               r->select_gb_s, r->pack_gb_s, r->unpack_gb_s, r->merge_gb_s);
}
