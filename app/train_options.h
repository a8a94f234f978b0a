#pragma once
/* Why: `potluck train`: what a person may choose, with a default for all of it. One table of
 * options drives the command line, the help, and train.json, which lies beside the model and says
 * how it is trained, so that going on needs no option at all. Pure: no I/O.
 *
 *   MODEL    the model's shape; fixed when training begins
 *   COURSE   what each step does; fixed as well, since a model goes on bit for bit
 *   LENGTH   when training ends; may be chosen anew (the learning rate follows)
 *   MANNER   the precision; may be chosen anew too: it changes the bits that follow, but another
 *            computer may be fast in another one
 *   MACHINE  how this computer does it; never kept, never changes a bit of the result
 *
 * A word of the COURSE that says its first choice is not written: folders begun before there was
 * such a word go on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/path.h"
#include "engine/model.h"
#include "engine/trainer.h"

#define TRAIN_MAX_DATA 64

enum train_option_kind { TRAIN_MODEL, TRAIN_COURSE, TRAIN_LENGTH, TRAIN_MANNER, TRAIN_MACHINE };

struct train_options {
    /* where; strings point into argv */
    const char *data[TRAIN_MAX_DATA];
    int n_data;
    const char *init;
    char out[PATH_CAP];
    bool is_json, is_dry_run, is_help;
    /* model; vocab is what was asked for, model_vocab what the text gave. The second and third line
     * cannot be chosen, but come with a model to start from */
    uint64_t hidden, layers, heads, kv_heads, intermediate, vocab, seq;
    uint64_t model_vocab, max_positions, is_tied;
    double norm_eps, rope_theta;
    /* course */
    uint64_t batch, warmup, seed, eval_seqs;
    double lr, weight_decay, val_frac;
    uint64_t moments; /* enum packed_kind */
    /* length: steps counts; tokens and hours become steps */
    uint64_t steps, tokens;
    double hours;
    /* manner */
    uint64_t precision; /* enum trainer_precision; decided by train_options_fill */
    /* machine */
    uint64_t threads, nice, duty, save_s, report_s, eval_every, stop_at, recompute;
    /* bit i: option i of the table was given */
    uint64_t given;
};

/* Read the words behind `train`. --size is spelt out; what was not chosen stays 0 (or its default
 * where 0 means something) until train_options_fill. ERR_ARG with a sentence.
 */
int train_options_parse(int argc, char **argv, struct train_options *ret, struct err *e) MUST_CHECK;

/* Take all from the model that training goes on with (train.json) but what was given on the command
 * line: LENGTH, MANNER and MACHINE win, a MODEL or COURSE option that says something else is refused.
 */
int train_options_resume(struct train_options *o, const json_t *saved, struct err *e) MUST_CHECK;

/* The shape of a model to start from. ERR_ARG when a given option says something else. */
int train_options_adopt(struct train_options *o, const struct model_config *m,
                        struct err *e) MUST_CHECK;

/* Defaults for what is still open; checks what must fit together. model_vocab stays 0 until the
 * tokenizer is known.
 */
int train_options_fill(struct train_options *o, struct err *e) MUST_CHECK;

/* Do --hours ask for a measurement? Then steps is 0 until the caller has set it. */
bool train_options_must_measure(const struct train_options *o);

/* For train.json: all but MACHINE. NULL on out of memory. */
json_t *train_options_json(const struct train_options *o);

/* SHA-256 of MODEL and COURSE: a state belongs to exactly these. ERR_NOMEM. */
int train_options_hash(const struct train_options *o, struct hash *ret, struct err *e) MUST_CHECK;

void train_options_model(const struct train_options *o, struct model_config *ret);
void train_options_trainer(const struct train_options *o, struct trainer_options *ret);
void train_options_params(const struct train_options *o, struct train_params *ret);

/* Names of the sizes, small to large; NULL beyond the last. Sets all that the size decides. */
const char *train_options_size(size_t i, struct train_options *o);

int train_options_help(struct buf *out, struct err *e) MUST_CHECK;
