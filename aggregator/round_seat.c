#include "aggregator/round_seat.h"

#include <string.h>

#include "base/hex.h"

#define FORGET_MS (10 * 60 * 1000) /* a seat unseen for so long may be given to somebody else */

struct round_seat *round_seat_find(const struct round *r, const struct key_pub *k)
{
    for (uint32_t i = 0; i < r->n_seats; i++)
        if (r->seats[i].is_used && key_equal(&r->seats[i].key, k)) return &r->seats[i];
    return NULL;
}

struct round_seat *round_seat_by_id(const struct round *r, const char *id)
{
    for (uint32_t i = 0; i < r->n_seats && *id; i++) {
        struct round_seat *s = &r->seats[i];
        if (s->is_used && s->phase != ROUND_SLOT_NONE && strcmp(s->id, id) == 0) return s;
    }
    return NULL;
}

bool round_seat_in_flight(const struct round_seat *s)
{
    return s->phase == ROUND_SLOT_JUDGING || s->phase == ROUND_SLOT_STORING;
}

bool round_seat_has(const struct round_seat *s, uint64_t round)
{
    return s->is_used && s->phase != ROUND_SLOT_NONE && s->slot_round == round;
}

/* Nobody would miss it: no slot of this round, no work under way, long unseen. */
static bool is_forgettable(const struct round *r, const struct round_seat *s, int64_t now_ms)
{
    if (!s->is_used) return true;
    if (round_seat_has(s, r->round) || round_seat_in_flight(s) || s->n_waiters || s->n_chunk_ops)
        return false;
    return s->is_gone || now_ms - s->seen_ms > FORGET_MS;
}

struct round_seat *round_seat_take(struct round *r, const struct key_pub *k, int64_t now_ms)
{
    struct round_seat *s = round_seat_find(r, k);
    for (uint32_t i = 0; !s && i < r->n_seats; i++)
        if (is_forgettable(r, &r->seats[i], now_ms)) s = &r->seats[i];
    if (!s && r->n_seats < ROUND_MAX_SEATS) s = &r->seats[r->n_seats++];
    if (!s) return NULL;
    if (!s->is_used || !key_equal(&s->key, k)) *s = (struct round_seat){.is_used = true, .key = *k};
    s->seen_ms = now_ms;
    s->is_gone = false;
    return s;
}

bool round_seat_is_active(const struct round_seat *s, int64_t now_ms)
{
    return s->is_used && !s->is_gone && !s->is_paused && now_ms - s->seen_ms <= ROUND_ACTIVE_MS;
}

bool round_seat_is_done(const struct round *r, const struct round_seat *s)
{
    return round_seat_has(s, r->round) && s->phase == ROUND_SLOT_DONE;
}

bool round_seat_is_accepted(const struct round *r, const struct round_seat *s)
{
    return round_seat_is_done(r, s) && s->verdict == MSG_ACCEPTED;
}

uint32_t round_seat_n_in_flight(const struct round *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n_seats; i++)
        n += round_seat_has(&r->seats[i], r->round) && round_seat_in_flight(&r->seats[i]);
    return n;
}

/* The id of (round, contributor): the same whenever it is asked for, unguessable without secret. */
void round_seat_make_id(const struct round *r, const struct key_pub *k, char dst[MSG_ID_HEX])
{
    uint8_t in[32 + 8 + KEY_BYTES];
    memcpy(in, r->cfg.secret, 32);
    for (int i = 0; i < 8; i++)
        in[32 + i] = (uint8_t)(r->round >> (8 * i));
    memcpy(in + 40, k->b, KEY_BYTES);
    struct hash h = hash_of(in, sizeof in);
    hex_encode(h.b, (MSG_ID_HEX - 1) / 2, dst);
}

bool round_seat_has_chunk(const struct round_seat *s, uint32_t i)
{
    return i < MSG_MAX_CHUNKS && (s->have[i / 8] >> (i % 8) & 1);
}
