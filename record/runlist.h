#pragma once
/* Why: who looks for something to join reads a list of runs: one signed static file (compact JWS of
 * typ "potluck-runs+1") that any web server, any disk or an aggregator can hand out. The signature
 * is the list keeper's; each run's own description is signed by its host and checked when it is
 * joined, so a list can lie about a run's size, never about the run itself.
 *
 * Thread: any. Every bound is checked; text is made printable.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/key.h"
#include "record/rundesc.h"

#define RUNLIST_MAX       256
#define RUNLIST_MAX_BYTES (512u * 1024)
#define RUNLIST_LINK_CAP  512

struct runlist_run {
    struct hash run; /* its id */
    char name[48];
    char note[256];
    char link[RUNLIST_LINK_CAP]; /* an invite link, as rundesc_invite_parse takes it */
    uint64_t n_params;
    char reward_unit[24];
    int64_t since_ms; /* wall clock; when it was first listed */
};

struct runlist {
    struct key_pub key;    /* who signed it; filled by parse and sign */
    int64_t updated_at_ms; /* later lists have later ones */
    uint32_t n;
    struct runlist_run runs[RUNLIST_MAX];
};

/* ERR_AUTH when expect (may be NULL) did not sign it; ERR_PROTO, ERR_LIMIT. *ret is left alone. */
int runlist_parse(const void *jws, size_t n, const struct key_pub *expect, struct runlist *ret,
                  struct err *e) MUST_CHECK;
int runlist_sign(struct runlist *l, const struct key *k, struct buf *out, struct err *e) MUST_CHECK;

/* Put a run in, or renew what is said about it (since_ms stays). ERR_LIMIT when the list is full. */
int runlist_put(struct runlist *l, const struct rundesc *d, int64_t now_ms,
                struct err *e) MUST_CHECK;

/* Take out the run whose id begins with text, or whose name it is: how many were. */
uint32_t runlist_remove(struct runlist *l, const char *text);
