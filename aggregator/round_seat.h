#pragma once
/* Why: questions about the contributors of a round, apart from the decisions. For
 * aggregator/round*.c only; no function here changes a state but round_seat_take.
 */

#include "aggregator/round.h"

struct round_seat *round_seat_find(const struct round *r, const struct key_pub *k);
struct round_seat *round_seat_by_id(const struct round *r, const char *id); /* slot id; "": NULL */

/* The contributor's seat, taken now if it has none; NULL when the run is full. */
struct round_seat *round_seat_take(struct round *r, const struct key_pub *k, int64_t now_ms);

bool round_seat_has(const struct round_seat *s, uint64_t round); /* a slot of that round */
bool round_seat_has_chunk(const struct round_seat *s, uint32_t i);
bool round_seat_in_flight(const struct round_seat *s); /* being judged or stored */
bool round_seat_is_active(const struct round_seat *s, int64_t now_ms);
bool round_seat_is_done(const struct round *r, const struct round_seat *s); /* has its verdict */
bool round_seat_is_accepted(const struct round *r, const struct round_seat *s);
uint32_t round_seat_n_in_flight(const struct round *r);

/* The slot id of (round, contributor): the same whenever asked, unguessable without the secret. */
void round_seat_make_id(const struct round *r, const struct key_pub *k, char dst[MSG_ID_HEX]);
