#pragma once
/* Why: which handler does a request belong to? A table of method and path pattern is matched
 * strictly: a `*` takes exactly one segment of [A-Za-z0-9._~-], no empty segments, no dots-only
 * segments, no percent signs; `**` at the end takes one or more of them. What is captured can therefore be used in a message or a look-up
 * without further cleaning (but never as a file name). Pure, no allocation.
 */

#include <stddef.h>

#define ROUTER_CAPTURES      4
#define ROUTER_SEGMENT_BYTES 128

struct router_entry {
    const char *method;  /* "GET" */
    const char *pattern; /* "/v1/contributions/x/chunks/x", with a star for each x */
};

struct router_match {
    int n;
    char segment[ROUTER_CAPTURES][ROUTER_SEGMENT_BYTES + 1];
};

#define ROUTER_NOT_FOUND  (-1) /* answer 404 */
#define ROUTER_NOT_METHOD (-2) /* the path exists with another method: answer 405 */

/* Index of the first entry that fits, with what the stars took in *ret (untouched otherwise). */
int router_find(const struct router_entry *table, size_t n, const char *method, const char *path,
                struct router_match *ret);
