#pragma once
/* Why: where lists of runs come from, and whose word they are. A list is a file, what an https
 * address gives (HTTP/2 and TLS 1.3, the system's certificate authorities, no redirects), or what
 * an aggregator publishes (its invite link). Who signed a list is remembered at its first use; from
 * then on another key stops everything.
 *
 *   DATA/lists/HASH.json    {"key":..., "source":..., "updated_at_ms":...}; HASH of the source
 *
 * Thread: any, without an agent's loop; blocks (a fetch: up to 20 s).
 */

#include "client/home.h"
#include "record/runlist.h"

/* An https address apart. ERR_ARG with what is supported. */
#define LISTS_PATH_CAP 400
struct lists_url {
    char host[128];
    uint16_t port;
    char path[LISTS_PATH_CAP];
};
int lists_url_parse(const char *text, struct lists_url *ret, struct err *e) MUST_CHECK;

/* What was found out beside the list. */
struct lists_news {
    bool is_first;       /* the key was not known before: it is now */
    bool is_older;       /* than the list seen last time */
    int64_t seen_before; /* updated_at_ms of that one */
};

/* Fetch or read, check the signature, hold the key against what is remembered, remember. expect
 * (may be NULL): the key that the person named; it replaces what is remembered. An invite link names
 * its key itself. ERR_AUTH: another key than the one remembered, and then nothing is changed.
 */
int lists_get(const struct home *h, const char *source, const struct key_pub *expect,
              struct runlist *ret, struct lists_news *news, struct err *e) MUST_CHECK;
