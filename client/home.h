#pragma once
/* Why: where a contributor keeps what, and who it is. One home has one key, one agent and at most
 * one run at a time; runs that were left keep their folder (receipts are never thrown away).
 *
 *   DATA/key                    the identity, 32 bytes, 0600
 *   DATA/name                   chosen name, or absent
 *   DATA/agent.lock             held by the running agent
 *   DATA/current                id of the joined run
 *   DATA/runs/ID/run.potluck    signed run description
 *   DATA/runs/ID/invite, proof  what lets one in, see client/pass.h
 *   DATA/runs/ID/state, payload-*, note.json, wish.json, receipts.jws, history, tokenizer.json,
 *                treehead (client/treehead.h), payout.jws (client/payto.h)
 *   DATA/evidence/...           what shows that a host has rewritten its record
 *   CACHE/ID/                   text chunks
 *   STATE/agent.log
 *
 * Thread: any; blocks on the disk. No engine code behind it: `potluck` links it as well.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"
#include "base/path.h"
#include "record/msg.h"
#include "record/rundesc.h"

struct home {
    struct paths paths;
    int lock_fd; /* -1: not held */
};

int home_open(struct home *h, const char *dir, struct err *e) MUST_CHECK; /* dir may be NULL */
void home_close(struct home *h);

/* Become this home's agent; ERR_WRONG_STATE with the other's process id when there is one. */
int home_lock(struct home *h, struct err *e) MUST_CHECK;

/* Does an agent hold this home at this moment? */
bool home_is_locked(const struct home *h);

/* The identity: key file, made when missing. And how it is called on screen. */
int home_key(const struct home *h, struct key *ret, struct err *e) MUST_CHECK;
int home_name_set(const struct home *h, const char *name, struct err *e) MUST_CHECK;
void home_name(const struct home *h, char dst[MSG_NAME_CAP]); /* "" when none was chosen */
void home_display_name(const char *name, const struct key_pub *k, char dst[40]); /* "peer-7f3c" */

/* The joined run. ERR_NOTFOUND when none is. */
int home_current(const struct home *h, struct hash *ret, struct err *e) MUST_CHECK;
int home_set_current(const struct home *h, const struct hash *run, struct err *e) MUST_CHECK;
int home_forget_current(const struct home *h, struct err *e) MUST_CHECK;

/* Keep a checked description; and read it again. */
int home_store_run(const struct home *h, const struct hash *run, const void *jws, size_t n,
                   struct err *e) MUST_CHECK;
int home_load_run(const struct home *h, const struct hash *run, struct rundesc *ret,
                  struct err *e) MUST_CHECK;

/* "DATA/runs/ID/name"; name may be "" for the folder. ERR_ARG when too long. */
int home_run_path(const struct home *h, const struct hash *run, const char *name,
                  char dst[PATH_CAP], struct err *e) MUST_CHECK;
int home_cache_path(const struct home *h, const struct hash *run, char dst[PATH_CAP],
                    struct err *e) MUST_CHECK;
