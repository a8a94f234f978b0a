#pragma once
/* Why: the effects around aggregator/admit.h: looks up what is known about a key, counts new keys of
 * an address, has a puzzle's answer checked in the pool (it takes memory and some ten milliseconds),
 * remembers who was let in, and answers who was not with a problem document.
 *
 * Thread: loop.
 */

#include "aggregator/host.h"

/* The key is in: go on with its join. */
typedef void (*door_in_fn)(struct host *h, struct request *r, const struct msg_join *m);

/* Let a join in, now or after its proof was checked, or answer it. */
void door_join(struct host *h, struct request *r, const struct msg_join *m, door_in_fn in);

/* May this key go on? A stranger may where nothing but a key is asked for. False: r was answered. */
bool door_is_in(struct host *h, struct request *r, const struct key_pub *k);
