#pragma once
/* Why: what a run will ask of everybody, from the words of the command line: `potluck-aggregator
 * plan`, and `init --peers N`, which chooses the length of a round and what is sent from the same
 * arithmetic (record/controller).
 */

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/setup.h"
#include "base/err.h"
#include "engine/model.h"

struct planning_words {
    const char *config_path; /* a model's config.json; NULL: the shape is in the setup */
    uint32_t n_peers;        /* 0: not said */
    uint32_t host_cores;
    double up_mbit, down_mbit, rtt_ms;
    double decode_mb_per_s;
    double tok_per_s; /* 0: what two laptop cores do */
};

void planning_defaults(struct planning_words *w);

/* `plan`: prints the page or one JSON object. given: bit i set when option i of setup_options was
 * said. ERR_ARG without --peers; what hf_config_parse and model_config_check answer.
 */
int planning_run(const struct planning_words *w, const struct setup *s, uint64_t given,
                 uint32_t vocab, bool is_json, struct err *e) MUST_CHECK;

/* `init`: when peers are expected, choose s->inner_steps, s->k and s->min_senders (those that were not
 * said) and print which and why. from: the model that the run goes on from, or NULL.
 */
int planning_choose(const struct planning_words *w, const struct model_config *from, uint64_t given,
                    struct setup *s, struct err *e) MUST_CHECK;
