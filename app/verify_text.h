#pragma once
/* Why: what an audit found, said to a person in one sentence and to a script in one object, from the
 * same facts, so that they cannot disagree. Pure.
 */

#include "base/buf.h"
#include "base/err.h"
#include "record/audit_run.h"

#define VERIFY_MAX_FINDINGS 100 /* of each outcome kept to be shown */

enum verify_exit {
    VERIFY_EXIT_TRUE = 0,
    VERIFY_EXIT_FALSE = 1,
    VERIFY_EXIT_USAGE = 2,
    VERIFY_EXIT_UNKNOWN = 3, /* could not be checked */
};

/* The held-out loss, told by the host and evaluated again. */
struct verify_loss {
    uint64_t round;
    double said;
    double found;
    bool is_done;
};

struct verify_facts {
    const struct audit_report *report;
    const struct rundesc *run;
    const char *from; /* folder or host:port */
    bool is_dir;      /* what is wrong may also be this disk's fault */
    bool is_known;    /* the run is known by more than the source's own word */
    uint64_t round;   /* or AUDIT_ALL_ROUNDS */
    double seconds;
    uint32_t n_findings;
    const struct audit_finding *findings; /* as they came, wrong ones first */
    uint64_t n_left_out;                  /* findings beyond those */
    bool with_scores;
    double tolerance;    /* nats per token */
    char no_scores[160]; /* why nothing could be evaluated; "" */
    uint32_t n_losses;
    struct verify_loss losses[2];
};

int verify_exit_code(const struct audit_report *r);

/* One sentence with its full stop: whether the host told the truth, and what was and was not
 * checked.
 */
void verify_sentence(const struct verify_facts *v, struct buf *out);

/* Lines for a person, the sentence last. */
void verify_lines(const struct verify_facts *v, struct buf *out);

/* One object; docs/PROTOCOL.md, "Verifying", names its fields. */
int verify_json(const struct verify_facts *v, struct buf *out, struct err *e) MUST_CHECK;
