#pragma once
/* Why: after a failure everybody waits, longer each time and never in step with the others, or a
 * restarted aggregator would be met by all its contributors at once. Pure: the caller has the
 * clock. Zero state plus backoff_init is a valid start.
 */

#include <stdint.h>

#include "base/rng.h"

struct backoff {
    struct rng rng;
    uint32_t base_ms; /* mean of the first delay */
    uint32_t cap_ms;  /* no delay is longer */
    uint32_t n_failures;
};

/* base_ms > 0, cap_ms >= base_ms. The same seed gives the same delays. */
void backoff_init(struct backoff *b, uint32_t base_ms, uint32_t cap_ms, uint64_t seed);

/* Something failed: the wait before the next try, drawn evenly from [d/2, d] with d doubling
 * from base_ms to cap_ms. A server's retry-after, when larger, is used instead (0: none), but
 * never more than ten times the cap.
 */
uint32_t backoff_next_ms(struct backoff *b, uint32_t retry_after_ms);

void backoff_progress(struct backoff *b); /* something worked: start small again */
