#pragma once
/* Why: the life of one slot - reservation, chunks, manifest, verdict, receipt - inside the round
 * machine. aggregator/round.c calls these and closes the round; nothing else may.
 */

#include "aggregator/round.h"

bool round_slot_takes(const struct round *r); /* contributions, in the present state */
int64_t round_slot_left_ms(const struct round *r, int64_t now_ms); /* until the deadline */

/* Events. */
void round_slot_reserve(struct round *r, const struct round_event *ev, int64_t now_ms,
                        struct round_actions *out);
void round_slot_chunk(struct round *r, const struct round_event *ev, int64_t now_ms,
                      struct round_actions *out);
void round_slot_offset(struct round *r, const struct round_event *ev, int64_t now_ms,
                       struct round_actions *out);
void round_slot_manifest(struct round *r, const struct round_event *ev, int64_t now_ms,
                         struct round_actions *out);

/* Ends of work: STORE_SLOT, STORE_CHUNK, FIND_PART, JUDGE, STORE_RECEIPT, FIND_RECEIPT. */
void round_slot_reserved(struct round *r, const struct round_event *ev, int64_t now_ms,
                         struct round_actions *out);
void round_slot_chunk_done(struct round *r, const struct round_event *ev, int64_t now_ms,
                           struct round_actions *out);
void round_slot_offset_found(const struct round_event *ev, struct round_actions *out);
void round_slot_judged(struct round *r, const struct round_event *ev, int64_t now_ms,
                       struct round_actions *out);
void round_slot_receipted(struct round *r, const struct round_event *ev, int64_t now_ms,
                          struct round_actions *out);
void round_slot_found(const struct round *r, const struct round_event *ev,
                      struct round_actions *out);
