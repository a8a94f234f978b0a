#pragma once
/* Why: in an office or a school the way out is often a proxy. The usual environment variables say which
 * one: https_proxy, else all_proxy, unless the host is in no_proxy; the names in capitals count too.
 * What is asked of it is CONNECT (RFC 9110, section 9.3.6), so that TLS, with the run's pin, goes from
 * end to end and the proxy sees the host's name and how much was sent, nothing else. This machine
 * itself (localhost, 127.0.0.0/8, ::1) is always reached directly. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct proxy {
    char host[256]; /* "": none, connect directly */
    char port[8];
    char login[192]; /* value of proxy-authorization, or "" */
};

/* get: as getenv. ERR_ARG: a variable is set to something that cannot be used. */
int proxy_choose(const char *host, uint16_t port, char *(*get)(const char *name), struct proxy *ret,
                 struct err *e) MUST_CHECK;

/* What to send for "host:port" (`where`). */
void proxy_ask(const struct proxy *p, const char *where, struct buf *out);

/* Its answer as far as it has come: OK when the way is open, ERR_AGAIN when more must come, ERR_AUTH
 * (407) or ERR_IO when it refuses, ERR_PROTO.
 */
#define PROXY_ANSWER_MAX 8192
int proxy_answer(const char *p, size_t n, struct err *e) MUST_CHECK;
