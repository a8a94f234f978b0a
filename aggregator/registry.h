#pragma once
/* Why: who is here, as far as screens want to know: sessions given out by joins, the state and
 * speed that polls report. Memory only: after a restart everybody joins again. Nothing that
 * counts depends on it; the round has its own seats.
 *
 * Thread: loop.
 */

#include <stdbool.h>
#include <stdint.h>

#include "record/msg.h"

#define REGISTRY_MAX     1024
#define REGISTRY_GONE_MS 45000

enum registry_state {
    REGISTRY_TRAINING,
    REGISTRY_UPLOADING,
    REGISTRY_WAITING,
    REGISTRY_PAUSED,
};

struct registry_row {
    bool is_used;
    struct key_pub key;
    char session[MSG_ID_HEX];
    char name[MSG_NAME_CAP];
    enum registry_state state;
    double tok_per_s; /* NaN: not told yet */
    int64_t seen_ms;
    bool is_gone; /* said goodbye; its session is over */
};

struct registry {
    uint32_t n;
    struct registry_row rows[REGISTRY_MAX];
};

/* A new session for this contributor (its old one ends). Takes the longest-unseen row when full. */
struct registry_row *registry_join(struct registry *g, const struct key_pub *k, const char *name,
                                   int64_t now_ms);

/* The row of a session; NULL when unknown. */
struct registry_row *registry_find(struct registry *g, const char *session);
const struct registry_row *registry_of(const struct registry *g, const struct key_pub *k);

/* A poll came: note state ("training" ...; NULL or unknown: unchanged) and speed (same). */
void registry_note(struct registry_row *row, const char *state, const char *speed, int64_t now_ms);

/* Goodbye: the session ends at once, the row stays to be shown as gone. */
void registry_leave(struct registry_row *row);

bool registry_is_here(const struct registry_row *row, int64_t now_ms);
uint32_t registry_n_here(const struct registry *g, int64_t now_ms);
double registry_speed(const struct registry *g,
                      int64_t now_ms); /* of all who are here; NaN: none */
const char *registry_state_word(enum registry_state s);
