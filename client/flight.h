#pragma once
/* Why: "what happened at 03:12?" The agent's log has a line for everything that it began, ended or
 * waited for, in words, with the time of day. Here its lines get their day back (from the file's own
 * time, line by line towards the past) and are chosen by time. Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FLIGHT_MAX_BYTES (8u << 20) /* of the log that is looked at: its end */

/* The lines of text with from_ms <= time < to_ms, oldest first, with their date, appended to out; returns
 * how many. last_ms: wall clock of the last line (the file's time). Lines that are none are left out.
 * before: where a line is copied that is the last one before from_ms, "" when there is none; or NULL.
 */
size_t flight_pick(const char *text, size_t n, int64_t last_ms, int64_t from_ms, int64_t to_ms,
                   struct buf *out, char *before, size_t before_cap);

/* "03:12": the last time it was that, before now_ms; "2026-11-27 03:12": then. ERR_ARG. */
int flight_moment(const char *text, int64_t now_ms, int64_t *ret_ms, struct err *e) MUST_CHECK;
