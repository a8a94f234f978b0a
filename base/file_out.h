#pragma once
/* Why: a file too large to build in memory (a model's weights) is replaced as durably as a small
 * one: written piece by piece into a new file beside it, fsynced, renamed, the folder fsynced. Until
 * file_out_commit the old file is untouched; whatever fails, no litter stays.
 *
 *     struct file_out o;
 *     int rc = file_out_begin(&o, path, 0644, e);
 *     if (rc == OK) rc = file_out_put(&o, p, n, e);
 *     return rc == OK ? file_out_commit(&o, e) : (file_out_abandon(&o), rc);
 *
 * Owner: the caller's memory. Thread: any one; blocks on the disk.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"

struct file_out {
    int fd;           /* -1: not open */
    uint64_t n_bytes; /* put so far */
    char path[PATH_CAP];
    char tmp[PATH_CAP];
};

/* ERR_LIMIT (path too long), ERR_IO. On failure o is abandoned already. */
int file_out_begin(struct file_out *o, const char *path, int mode, struct err *e) MUST_CHECK;

int file_out_put(struct file_out *o, const void *p, size_t n, struct err *e) MUST_CHECK;

/* Make it the file. On failure the old file stays and o is abandoned. */
int file_out_commit(struct file_out *o, struct err *e) MUST_CHECK;

/* Remove what was written; does nothing after commit or a second time. */
void file_out_abandon(struct file_out *o);
