#pragma once
/* Why: some lines are paid by the gigabyte. The meter counts what this computer's contribution sent
 * and fetched in the present calendar month (UTC), all runs together, in a small file that outlives
 * restarts. When the allowance is used up, nothing new is begun until the next month: client/wire
 * refuses reservations and downloads by itself, and says why; an upload under way still ends.
 *
 * Owner: caller's memory. Pure but for load and save. Thread: main.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* What the person allows; 0: no cap. */
struct link_limits {
    double up_mbit, down_mbit; /* 10^6 bits a second */
    double gb_month;           /* 10^9 bytes a month, both ways together */
};

struct meter {
    uint32_t month; /* 12 * year + month - 1; 0: nothing counted yet */
    uint64_t in, out;
};

/* Bytes since the last call, at this wall clock; another month begins at zero. */
void meter_add(struct meter *m, int64_t wall_ms, uint64_t in, uint64_t out);
bool meter_is_spent(const struct meter *m, const struct link_limits *l, int64_t wall_ms);
/* Until a new month begins. */
int64_t meter_left_ms(int64_t wall_ms);

int meter_encode(const struct meter *m, struct buf *out, struct err *e) MUST_CHECK;
int meter_decode(const void *p, size_t n, struct meter *ret, struct err *e) MUST_CHECK;
