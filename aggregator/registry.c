#include "aggregator/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/rng.h"

#define MAX_SPEED 1e12 /* tokens per second; more is not believed */

static const char *const words[] = {"training", "uploading", "waiting", "paused"};

const char *registry_state_word(enum registry_state s)
{
    return s <= REGISTRY_PAUSED ? words[s] : "unknown";
}

const struct registry_row *registry_of(const struct registry *g, const struct key_pub *k)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (g->rows[i].is_used && key_equal(&g->rows[i].key, k)) return &g->rows[i];
    return NULL;
}

static struct registry_row *row_for(struct registry *g, const struct key_pub *k)
{
    struct registry_row *oldest = &g->rows[0];
    for (uint32_t i = 0; i < g->n; i++) {
        if (g->rows[i].is_used && key_equal(&g->rows[i].key, k)) return &g->rows[i];
        if (g->rows[i].seen_ms < oldest->seen_ms) oldest = &g->rows[i];
    }
    return g->n < REGISTRY_MAX ? &g->rows[g->n++] : oldest;
}

struct registry_row *registry_join(struct registry *g, const struct key_pub *k, const char *name,
                                   int64_t now_ms)
{
    uint8_t id[(MSG_ID_HEX - 1) / 2];
    struct registry_row *row = row_for(g, k);
    *row = (struct registry_row){
        .is_used = true, .key = *k, .state = REGISTRY_WAITING, .tok_per_s = NAN, .seen_ms = now_ms};
    snprintf(row->name, sizeof row->name, "%s", name);
    rng_secure(id, sizeof id);
    hex_encode(id, sizeof id, row->session);
    return row;
}

struct registry_row *registry_find(struct registry *g, const char *session)
{
    for (uint32_t i = 0; session && *session && i < g->n; i++)
        if (g->rows[i].is_used && strcmp(g->rows[i].session, session) == 0) return &g->rows[i];
    return NULL;
}

void registry_note(struct registry_row *row, const char *state, const char *speed, int64_t now_ms)
{
    row->seen_ms = now_ms;
    for (int i = 0; state && i <= REGISTRY_PAUSED; i++)
        if (strcmp(state, words[i]) == 0) row->state = (enum registry_state)i;
    if (!speed || !*speed) return;
    char *end = NULL;
    double v = strtod(speed, &end);
    if (*end == '\0' && v >= 0 && v < MAX_SPEED) row->tok_per_s = v;
}

void registry_leave(struct registry_row *row)
{
    row->is_gone = true;
    row->session[0] = '\0';
    row->tok_per_s = NAN;
}

bool registry_is_here(const struct registry_row *row, int64_t now_ms)
{
    return row->is_used && !row->is_gone && now_ms - row->seen_ms <= REGISTRY_GONE_MS;
}

uint32_t registry_n_here(const struct registry *g, int64_t now_ms)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n; i++)
        n += registry_is_here(&g->rows[i], now_ms);
    return n;
}

double registry_speed(const struct registry *g, int64_t now_ms)
{
    double sum = NAN;
    for (uint32_t i = 0; i < g->n; i++) {
        const struct registry_row *r = &g->rows[i];
        if (!registry_is_here(r, now_ms) || isnan(r->tok_per_s) || r->state == REGISTRY_PAUSED)
            continue;
        sum = isnan(sum) ? r->tok_per_s : sum + r->tok_per_s;
    }
    return sum;
}
