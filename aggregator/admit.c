#include "aggregator/admit.h"

#include <arpa/inet.h>
#include <string.h>

#define NEAR       8 /* places looked at for one address */
#define MS_A_TOKEN (3600.0 * 1000 / ADMIT_NEW_PER_HOUR)
#define PROBLEM    "potluck:problem/"
#define ASK_HOST   "ask the run's host for an invite link, then `potluck join LINK`"

/* clang-format off */
static const struct admit_problem problems[ADMIT_ANSWERS] = {
    [ADMIT_NO_CODE] = {403, PROBLEM "invite-needed",
        "this run is private",
        ASK_HOST},
    [ADMIT_BAD_CODE] = {403, PROBLEM "invite-unknown",
        "that invite code is not one of this run",
        "copy the invite link whole, or ask the run's host for another"},
    [ADMIT_OLD_CODE] = {403, PROBLEM "invite-expired",
        "that invite has expired",
        ASK_HOST},
    [ADMIT_USED_CODE] = {403, PROBLEM "invite-used",
        "that invite has been used up",
        ASK_HOST},
    [ADMIT_REVOKED_CODE] = {403, PROBLEM "invite-revoked",
        "that invite was withdrawn by the host",
        ASK_HOST},
    [ADMIT_TAKEN_OFF] = {403, PROBLEM "removed",
        "the host has taken your key off the list",
        "ask the run's host, or `potluck leave`"},
    [ADMIT_NO_PROOF] = {403, PROBLEM "puzzle-needed",
        "a new key must bring the run's solved puzzle",
        "the potluck agent solves it by itself; see docs/PROTOCOL.md"},
    [ADMIT_BAD_PROOF] = {403, PROBLEM "puzzle-wrong",
        "the run's puzzle is not solved by this answer",
        "solve it for this run and this key; see docs/PROTOCOL.md"},
    [ADMIT_TOO_MANY] = {429, PROBLEM "too-many-keys",
        "many new keys came from your address a short while ago",
        "nothing is lost; wait for your turn, or use the key you have"},
    [ADMIT_BUSY] = {503, PROBLEM "busy",
        "many newcomers are at the door",
        "nothing is lost; it is tried again in a few seconds"},
};
/* clang-format on */

const struct admit_problem *admit_problem(enum admit_answer a)
{
    return a < ADMIT_ANSWERS && problems[a].status ? &problems[a] : NULL;
}

static bool is_in(const struct admit_facts *f)
{
    if (f->how == ADMIT_INVITED || f->how == ADMIT_LISTED) return true;
    return f->how == ADMIT_PUBLIC && !f->is_private;
}

static enum admit_answer look_at_code(const struct admit_facts *f)
{
    const struct admit_invite *v = &f->invite;
    if (!f->has_code) return ADMIT_NO_CODE;
    if (!f->is_code_ours) return ADMIT_BAD_CODE;
    if (v->is_revoked) return ADMIT_REVOKED_CODE;
    if (v->expires_ms && f->now_ms >= v->expires_ms) return ADMIT_OLD_CODE;
    if (v->max_uses && v->n_uses >= v->max_uses) return ADMIT_USED_CODE;
    return ADMIT_NEW;
}

bool admit_wants_proof(const struct admit_facts *f)
{
    return f->needs_proof && f->how == ADMIT_STRANGER; /* who worked here before is no newcomer */
}

enum admit_answer admit_decide(const struct admit_facts *f)
{
    if (f->how == ADMIT_REMOVED) return ADMIT_TAKEN_OFF;
    if (is_in(f)) return ADMIT_IN;
    enum admit_answer a = f->is_private ? look_at_code(f) : ADMIT_NEW;
    if (a == ADMIT_NEW && admit_wants_proof(f) && !f->has_proof) return ADMIT_NO_PROOF;
    return a;
}

bool admit_spends_code(const struct admit_facts *f)
{
    return f->is_private && admit_decide(f) == ADMIT_NEW;
}

/* ---- addresses ------------------------------------------------------------------------------ */

static void prefix_of(const char *address, uint8_t ret[8])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint8_t b[16];
    memset(ret, 0, 8);
    if (inet_pton(AF_INET, address, b) == 1) {
        ret[0] = 4;
        memcpy(ret + 1, b, 4);
    } else if (inet_pton(AF_INET6, address, b) == 1) {
        bool is_v4 = memcmp(b, mapped, sizeof mapped) == 0;
        ret[0] = is_v4 ? 4 : 6;
        memcpy(ret + 1, is_v4 ? b + 12 : b, is_v4 ? 4 : 6);
    }
}

static uint32_t slot_of(const uint8_t prefix[8])
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (int i = 0; i < 8; i++)
        h = (h ^ prefix[i]) * 16777619u;
    return h % ADMIT_PLACES;
}

/* The place of a prefix: its own, else a free one, else the longest unseen of those near. */
static struct admit_place *place_of(struct admit_gate *g, const uint8_t prefix[8], int64_t now_ms)
{
    uint32_t at = slot_of(prefix);
    struct admit_place *best = NULL;
    for (uint32_t i = 0; i < NEAR; i++) {
        struct admit_place *p = &g->places[(at + i) % ADMIT_PLACES];
        if (p->is_used && memcmp(p->prefix, prefix, 8) == 0) return p;
        bool is_better = !best || (best->is_used && (!p->is_used || p->at_ms < best->at_ms));
        if (is_better) best = p;
    }
    *best = (struct admit_place){.is_used = true, .tokens = ADMIT_NEW_BURST, .at_ms = now_ms};
    memcpy(best->prefix, prefix, 8);
    return best;
}

bool admit_gate_pass(struct admit_gate *g, const char *address, int64_t now_ms,
                     int64_t *ret_wait_ms)
{
    uint8_t prefix[8];
    prefix_of(address, prefix);
    struct admit_place *p = place_of(g, prefix, now_ms);
    if (now_ms > p->at_ms) p->tokens += (double)(now_ms - p->at_ms) / MS_A_TOKEN;
    if (p->tokens > ADMIT_NEW_BURST) p->tokens = ADMIT_NEW_BURST;
    p->at_ms = now_ms;
    *ret_wait_ms = 0;
    if (p->tokens < 1) {
        *ret_wait_ms = (int64_t)((1 - p->tokens) * MS_A_TOKEN) + 1;
        return false;
    }
    p->tokens -= 1;
    return true;
}
