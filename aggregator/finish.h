#pragma once
/* Why: `potluck-aggregator end`. A run ends with an entry of its record, after which nothing but
 * payouts follows. While the run is served, the wish is written into the books and the open round
 * becomes the last one, at its usual close; when it is not served, that round is closed here and
 * now: what was accepted is merged and paid, by the same round machine, and when nothing is left to
 * be settled the end follows the last round as it is. Done again it changes nothing.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

struct finish_report {
    bool is_asked;     /* it is served: the open round is the last one */
    bool was_ended;    /* before we came */
    uint64_t n_rounds; /* on record so far */
    struct hash model; /* after them */
    uint64_t paid;
};

/* Blocks for as long as a merge takes. ERR_NOTFOUND without a run; whatever the disk says. */
int finish_run(const char *home, struct finish_report *ret, struct err *e) MUST_CHECK;
