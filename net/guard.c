#include "net/guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/limits.h"

/* Addresses remembered. More than there can be connections, so that one that left is not forgotten,
 * and with it how fast it came, before the others are.
 */
#define SEATS (2 * LIMIT_CONNECTIONS)

enum { FAMILY_V4 = 4, FAMILY_V6 = 6 };

struct guard_seat {
    struct guard *g;
    struct guard_key key;
    uint32_t n_conns;
    uint64_t n_held;
    double budget; /* connections that it may still open at once */
    int64_t budget_ms;
    bool is_used;
};

struct guard {
    uint32_t conns_per_address;
    uint32_t n_conns;
    uint32_t n_waiting;
    uint64_t n_held;
    struct guard_claim *first;
    struct guard_claim *last;
    void *blocks; /* each begins with the address of the next */
    uint32_t n_blocks;
    uint32_t n_spare; /* the fewest there were since the last trim */
    bool is_placing;
    bool is_orphan; /* guard_destroy was called */
    struct guard_seat seats[SEATS];
};

int guard_create(const struct guard_config *c, struct guard **ret, struct err *e)
{
    struct guard *g = alloc_zero(1, sizeof *g);
    if (!g) return err_set(e, ERR_NOMEM, 0, "out of memory for a server");
    g->conns_per_address = c->conns_per_address;
    *ret = g;
    return OK;
}

/* ---- blocks ---- */

static void *take_block(struct guard *g)
{
    void *block = g->blocks;
    if (!block) return NULL;
    memcpy(&g->blocks, block, sizeof g->blocks);
    g->n_blocks--;
    if (g->n_blocks < g->n_spare) g->n_spare = g->n_blocks;
    return block;
}

void *guard_block(struct guard *g)
{
    void *block = take_block(g);
    return block ? block : alloc_paged(GUARD_BLOCK_BYTES);
}

void guard_block_return(struct guard *g, void *block)
{
    memcpy(block, &g->blocks, sizeof g->blocks);
    g->blocks = block;
    g->n_blocks++;
}

static void drop_blocks(struct guard *g, uint32_t n)
{
    for (; n; n--)
        free(take_block(g));
}

void guard_trim(struct guard *g)
{
    drop_blocks(g, (g->n_spare + 1) / 2);
    g->n_spare = g->n_blocks;
}

struct guard *guard_of(const struct guard_seat *s)
{
    return s->g;
}

static void maybe_free(struct guard *g)
{
    if (!g->is_orphan || g->n_held || g->n_conns) return;
    drop_blocks(g, g->n_blocks);
    free(g);
}

void guard_destroy(struct guard *g)
{
    if (!g) return;
    g->is_orphan = true;
    maybe_free(g);
}

/* ---- addresses ---- */

struct guard_key guard_key_v4(const uint8_t a[4])
{
    struct guard_key k = {.b = {FAMILY_V4}};
    memcpy(k.b + 1, a, 4);
    return k;
}

struct guard_key guard_key_v6(const uint8_t a[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(a, mapped, sizeof mapped) == 0) return guard_key_v4(a + 12);
    struct guard_key k = {.b = {FAMILY_V6}};
    memcpy(k.b + 1, a, 8); /* one household has a whole /64 */
    return k;
}

static bool is_same_network(const struct guard_key *a, const struct guard_key *b)
{
    return a->b[0] == FAMILY_V6 && memcmp(a->b, b->b, 1 + 6) == 0;
}

/* A seat to reuse: never used, or the longest without anything of its own. */
static bool is_better(const struct guard_seat *s, const struct guard_seat *than)
{
    if (s->n_conns || s->n_held) return false;
    if (!than) return true;
    if (s->is_used != than->is_used) return !s->is_used;
    return s->budget_ms < than->budget_ms;
}

static struct guard_seat *find(struct guard *g, const struct guard_key *k, uint32_t *ret_network)
{
    struct guard_seat *same = NULL;
    struct guard_seat *best = NULL;
    *ret_network = 0;
    for (size_t i = 0; i < SEATS; i++) {
        struct guard_seat *s = &g->seats[i];
        if (s->is_used && is_same_network(&s->key, k)) *ret_network += s->n_conns;
        if (s->is_used && memcmp(&s->key, k, sizeof *k) == 0) same = s;
        if (is_better(s, best)) best = s;
    }
    return same ? same : best;
}

/* A host that lets one address have more connections lets it open them faster, too. */
static double burst_of(const struct guard *g)
{
    return g->conns_per_address > LIMIT_GREETINGS_BURST ? g->conns_per_address
                                                        : LIMIT_GREETINGS_BURST;
}

static bool spend(struct guard_seat *s, int64_t now_ms)
{
    double burst = burst_of(s->g);
    double per_s = burst * LIMIT_GREETINGS_PER_S / LIMIT_GREETINGS_BURST;
    s->budget += (double)(now_ms - s->budget_ms) / 1000 * per_s;
    s->budget_ms = now_ms;
    if (s->budget > burst) s->budget = burst;
    if (s->budget < 1) return false;
    s->budget -= 1;
    return true;
}

enum guard_verdict guard_enter(struct guard *g, const struct guard_key *k, int64_t now_ms,
                               struct guard_seat **ret_seat)
{
    uint32_t n_network = 0;
    struct guard_seat *s = find(g, k, &n_network);
    if (!s || g->n_conns >= LIMIT_CONNECTIONS) return GUARD_FULL;
    if (!s->is_used || memcmp(&s->key, k, sizeof *k) != 0)
        *s = (struct guard_seat){
            .g = g, .key = *k, .budget = burst_of(g), .budget_ms = now_ms, .is_used = true};
    if (g->conns_per_address) {
        uint32_t network = LIMIT_CONNECTIONS_PER_NETWORK;
        if (network < g->conns_per_address) network = g->conns_per_address;
        if (s->n_conns >= g->conns_per_address) return GUARD_ADDRESS;
        if (n_network >= network) return GUARD_NETWORK;
        if (!spend(s, now_ms)) return GUARD_RATE;
    }
    s->n_conns++;
    g->n_conns++;
    *ret_seat = s;
    return GUARD_WELCOME;
}

void guard_leave(struct guard_seat *s)
{
    s->n_conns--;
    s->g->n_conns--;
    maybe_free(s->g);
}

uint32_t guard_connections(const struct guard *g)
{
    return g->n_conns;
}

/* ---- bytes ---- */

/* When the host trusts one address with many connections, it may be all there are. */
static bool is_shared(const struct guard *g)
{
    return g->conns_per_address && g->conns_per_address <= LIMIT_CONNECTIONS_PER_IP;
}

static bool fits_server(const struct guard *g, uint64_t n)
{
    return g->n_held + n <= LIMIT_PROMISED_BYTES;
}

static bool fits_seat(const struct guard_seat *s, uint64_t n)
{
    return !is_shared(s->g) || s->n_held + n <= LIMIT_PROMISED_PER_ADDRESS;
}

static void add(struct guard_seat *s, uint64_t n)
{
    s->n_held += n;
    s->g->n_held += n;
}

static void unlink_claim(struct guard *g, struct guard_claim *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        g->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        g->last = c->prev;
    c->next = c->prev = NULL;
    c->is_waiting = false;
    g->n_waiting--;
}

/* First come, first placed; who has too much already steps aside for the others. placed() may
 * claim and release: one walk at a time, which begins again after each.
 */
static void place(struct guard *g)
{
    if (g->is_placing) return;
    g->is_placing = true;
    struct guard_claim *c = g->first;
    while (c && fits_server(g, c->n)) {
        if (!fits_seat(c->seat, c->n)) {
            c = c->next;
            continue;
        }
        unlink_claim(g, c);
        add(c->seat, c->n);
        c->placed(c);
        c = g->first;
    }
    g->is_placing = false;
}

void guard_claim(struct guard_claim *c)
{
    struct guard *g = c->seat->g;
    c->prev = g->last;
    c->next = NULL;
    if (g->last)
        g->last->next = c;
    else
        g->first = c;
    g->last = c;
    c->is_waiting = true;
    g->n_waiting++;
    place(g);
}

void guard_claim_drop(struct guard_claim *c)
{
    if (!c->is_waiting) return;
    struct guard *g = c->seat->g;
    unlink_claim(g, c);
    place(g); /* it may have stood in front of a smaller one */
}

bool guard_hold(struct guard_seat *s, uint64_t n)
{
    if (s->g->n_held + n > LIMIT_HELD_BYTES) return false;
    if (is_shared(s->g) && s->n_held + n > LIMIT_HELD_PER_ADDRESS) return false;
    add(s, n);
    return true;
}

void guard_release(struct guard_seat *s, uint64_t n)
{
    struct guard *g = s->g;
    check(s->n_held >= n);
    s->n_held -= n;
    g->n_held -= n;
    place(g);
    maybe_free(g);
}

uint64_t guard_held(const struct guard *g)
{
    return g->n_held;
}

uint32_t guard_waiting(const struct guard *g)
{
    return g->n_waiting;
}
