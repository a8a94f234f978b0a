#pragma once
/* Why: what a host wants to know at a glance: the JSON of GET /v1/status and `potluck-aggregator
 * status --json`, made from the running host or from the database alone, and as lines for people.
 */

#include "aggregator/store_round.h"
#include "aggregator/store_view.h"
#include "base/buf.h"
#include "record/course.h"
#include "record/rundesc.h"

struct hoststatus {
    const struct rundesc *run;
    const char *state; /* round_state_word, or "stopped" when the run can go on */
    bool is_ending;    /* the host has asked for the end: this round is the last */
    uint64_t round;    /* open, or next to open */
    struct hash model;
    uint32_t n_peers; /* here now */
    double swarm_tok_per_s;
    uint64_t bytes_in, bytes_out; /* since the start of serve */
    int64_t left_ms;              /* -1: no clock runs */
    uint32_t n_received;
    bool has_val;
    struct store_val val_first, val_last;
    struct store_totals totals;
    uint64_t values_per_contribution;
    uint64_t n_params;
    uint64_t n_rounds;  /* by the terms of this round; 0: endless */
    uint64_t n_changes; /* changes and rollbacks on record */
    bool has_back;      /* the newest rollback */
    struct entry_rollback back;
};

/* What the record has changed so far, for s->round. */
void hoststatus_course(struct hoststatus *s, const struct course *c);

int hoststatus_json(const struct hoststatus *s, struct buf *out, struct err *e) MUST_CHECK;

/* Fill it from a home whose server does not run. run must outlive the result. */
int hoststatus_stored(const char *home, struct rundesc *run, struct hoststatus *ret,
                      struct err *e) MUST_CHECK;

/* A few lines for a person, from the JSON. */
int hoststatus_text(const void *json, size_t n, struct buf *out, struct err *e) MUST_CHECK;

/* Values a contribution carries: k of each chunk, one-dimensional tensors whole. */
uint64_t hoststatus_values(const struct model_table *t, const struct delta_params *p);
