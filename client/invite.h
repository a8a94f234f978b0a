#pragma once
/* Why: how a run description gets into a home: from a file, or over the pinned connection that an
 * invite link names. Either way it is checked completely before anything is stored.
 *
 * Thread: any, before the agent's loop; blocks (a link: up to 20 s).
 */

#include "base/buf.h"
#include "base/err.h"
#include "client/home.h"
#include "record/rundesc.h"

/* source: a file's path, or "potluck://...". Appends the JWS text; fills *ret.
 * ERR_NOTFOUND no such file, ERR_AUTH wrong key or pin, ERR_VERSION, ERR_PROTO, ERR_IO unreachable:
 * each with a hint.
 */
int invite_get(const char *source, struct buf *out, struct rundesc *ret, struct err *e) MUST_CHECK;

/* How the run of a link stands now: its host is asked. ERR_ARG for a file, which names no host to ask
 * before anything is agreed; else as fetch_get.
 */
int invite_look(const char *source, struct msg_round *ret, struct err *e) MUST_CHECK;

/* The invite code that a link carries; "" for a file or a link without one. */
void invite_code(const char *source, char dst[RUNDESC_CODE_CAP]);

/* Store a checked description and make it the home's run. ERR_WRONG_STATE when another is joined. */
int invite_accept(const struct home *h, const struct buf *jws, const struct rundesc *run,
                  struct err *e) MUST_CHECK;
