/* What our engine says of a text: for other programs to be compared with (tests/ref/against-tools).
 *
 *     ref_logprobs MODEL_FOLDER TEXT_FILE SEQ_LEN N_WINDOWS N_FULL
 *
 * Cuts the text's first N_WINDOWS x (SEQ_LEN + 1) tokens into windows, and prints one JSON object:
 * `tokens` [N_WINDOWS][SEQ_LEN + 1], `nats` [N_WINDOWS] (summed cross-entropy), and for the first
 * N_FULL windows `last` [vocab_size]: the log-probability of every token as the window's last one.
 *
 * Only the trainer's narrow door is used, so that what is compared is what trains: the loss of the
 * same window with each token of the vocabulary in its last place differs by just that.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/hf_folder.h"
#include "engine/tokenizer.h"
#include "engine/trainer.h"

enum { MAX_TEXT = 1 << 26 };

static void must(int rc, const struct err *e)
{
    char line[400];
    if (rc == OK) return;
    fprintf(stderr, "ref_logprobs: %s\n", err_line(e, line, sizeof line));
    exit(1);
}

static void read_tokens(const char *folder, const char *text_path, struct buf *ids)
{
    char path[PATH_CAP];
    struct err e = {0};
    struct buf json = {0}, text = {0};
    struct tokenizer *tk = NULL;
    must(path_format(path, "%s/tokenizer.json", folder), &e);
    must(file_read(path, MAX_TEXT, &json, &e), &e);
    must(file_read(text_path, MAX_TEXT, &text, &e), &e);
    must(tokenizer_from_json(json.p, json.len, &tk, &e), &e);
    must(tokenizer_encode(tk, text.p, text.len, ids, &e), &e);
    tokenizer_destroy(tk);
    buf_deinit(&json);
    buf_deinit(&text);
}

static double nats_of(struct trainer *t, const uint32_t *window)
{
    struct trainer_eval_result r = {0};
    struct err e = {0};
    must(trainer_eval(t, window, 1, &r, &e), &e);
    return r.nats;
}

static void print_last(struct trainer *t, uint32_t *window, uint32_t T, uint32_t V)
{
    double *nats = alloc_zero(V, sizeof *nats);
    double least = INFINITY, sum = 0;
    uint32_t kept = window[T];
    for (uint32_t v = 0; v < V; v++) {
        window[T] = v;
        nats[v] = nats_of(t, window);
        least = fmin(least, nats[v]);
    }
    window[T] = kept;
    for (uint32_t v = 0; v < V; v++)
        sum += exp(least - nats[v]);
    for (uint32_t v = 0; v < V; v++)
        printf("%s%.9g", v ? "," : "[", least - nats[v] - log(sum));
    printf("]");
    free(nats);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct hf_folder f;
    struct buf ids = {0};
    struct trainer *t = NULL;
    if (argc != 6) {
        fprintf(stderr, "usage: ref_logprobs MODEL_FOLDER TEXT_FILE SEQ_LEN N_WINDOWS N_FULL\n");
        return 2;
    }
    uint32_t T = (uint32_t)atoi(argv[3]), n = (uint32_t)atoi(argv[4]),
             n_full = (uint32_t)atoi(argv[5]);
    must(hf_folder_open(&f, argv[1], &e), &e);
    float *params = alloc_aligned(f.table.n_params, sizeof *params);
    if (!params) return 1;
    must(hf_folder_load(&f, params, &e), &e);
    read_tokens(argv[1], argv[2], &ids);
    if (ids.len < (size_t)n * (T + 1) * 4)
        must(err_set(&e, ERR_ARG, 0, "the text is too short"), &e);
    struct train_params p = {
        .seq_len = T,
        .batch_seqs = 1,
        .lr = 1e-3,
        .total_steps = 1,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .clip_norm = 1,
        .ef_beta = 0.95,
        .outer_lr = 1,
        .delta = {.chunk = 4096, .k = 64}
    };
    struct trainer_options o = {.n_threads = 2, .eval_only = true, .precision = TRAINER_FP32};
    must(trainer_create(&f.config, &p, &o, &t, &e), &e);
    must(trainer_load_weights(t, params, f.table.n_params * 4, &e), &e);
    uint32_t *tokens = (uint32_t *)(void *)ids.p;
    printf("{\"class\":\"%s\",\"tokens\":[", trainer_class(t));
    for (uint32_t w = 0; w < n; w++)
        for (uint32_t i = 0; i <= T; i++)
            printf("%s%u%s", i ? "," : (w ? ",[" : "["), tokens[w * (T + 1) + i],
                   i == T ? "]" : "");
    printf("],\"nats\":[");
    for (uint32_t w = 0; w < n; w++)
        printf("%s%.9g", w ? "," : "", nats_of(t, tokens + (size_t)w * (T + 1)));
    printf("],\"last\":[");
    for (uint32_t w = 0; w < n_full; w++) {
        if (w) printf(",");
        print_last(t, tokens + (size_t)w * (T + 1), T, f.config.vocab_size);
    }
    printf("]}\n");
    trainer_destroy(t);
    hf_folder_close(&f);
    free(params);
    buf_deinit(&ids);
    return 0;
}
