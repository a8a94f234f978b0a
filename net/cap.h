#pragma once
/* Why: somebody else at home wants to use the line too. A cap is a token bucket: so many bytes a second,
 * a tenth of a second's worth at once. Sending asks first; what was received cannot be unreceived, so
 * it is paid afterwards, and reading rests while there is debt (the sender then slows down by itself).
 * One cap may be shared by all links of a program. Pure: the caller has the clock.
 *
 * Owner: caller's memory; zeroed means no cap. Thread: that of the links.
 */

#include <stddef.h>
#include <stdint.h>

struct cap {
    double bytes_per_s; /* 0: none */
    double tokens;
    int64_t at_ns;
};

#define CAP_LEAST 4096 /* no smaller piece because of the cap */

/* From now on; takes effect at once. */
void cap_set(struct cap *c, double bytes_per_s, int64_t now_ns);

/* How many of n bytes may go now; 0: ask again later. They are paid. */
size_t cap_take(struct cap *c, size_t n, int64_t now_ns);

/* n bytes have come. */
void cap_spend(struct cap *c, size_t n, int64_t now_ns);

/* Until the debt is paid; 0: now. */
int64_t cap_wait_ms(struct cap *c, int64_t now_ns);
