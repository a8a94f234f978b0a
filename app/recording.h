#pragma once
/* Why: a recording is one view a line (view_encode), as the screen received it. It is looked at again
 * as one frame (--dump) or as it went, faster (`potluck replay`).
 *
 * Owner: recording_deinit. One thread.
 */

#include "base/buf.h"
#include "base/err.h"
#include "view/view.h"

struct recording {
    struct buf text;
    size_t *at; /* where each line begins, and where the last ends */
    size_t n;   /* lines */
};

/* ERR_NOTFOUND, ERR_IO; ERR_PROTO when it holds nothing. */
int recording_open(const char *path, struct recording *ret, struct err *e) MUST_CHECK;
void recording_deinit(struct recording *r); /* accepts zeroed */

/* View i; ERR_PROTO when the line is none. */
int recording_view(const struct recording *r, size_t i, struct view *ret, struct err *e) MUST_CHECK;

/* When view i was made (wall clock, ms), without reading all of it; VIEW_NONE when it does not say. */
int64_t recording_at_ms(const struct recording *r, size_t i);
