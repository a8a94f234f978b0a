#pragma once
/* Why: what the host has changed since the run was described (record/course.h), as far as it is known
 * here: signed entries of the record, kept beside the description. A list that takes back or alters what
 * was signed before is refused.
 *
 *   DATA/runs/ID/changes    one entry a line, oldest first
 *
 * Owner: changes_open / changes_deinit. Thread: any one. Blocks on the disk for a moment.
 */

#include "base/path.h"
#include "record/course.h"

#define CHANGES_MAX_BYTES (4u << 20) /* of the list */

struct changes {
    const struct rundesc *run; /* outlives it */
    char path[PATH_CAP];
    struct course course;
    struct buf text; /* the lines taken */
};

/* Take up what is kept; a file that cannot be read as such is said and asked for anew. ERR_NOMEM, ERR_ARG. */
int changes_open(struct changes *c, const char *run_dir, const struct rundesc *run,
                 struct err *e) MUST_CHECK;
void changes_deinit(struct changes *c); /* accepts NULL and zeroed */

/* The whole list as a host gives it; what is new in it is said in words. Kept before it counts.
 * ERR_AUTH, ERR_PROTO, ERR_LIMIT: nothing was taken.
 */
int changes_take(struct changes *c, const void *lines, size_t n, struct err *e) MUST_CHECK;
