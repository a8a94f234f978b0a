#pragma once
/* Why: nothing acknowledged may be lost, so there is one way to replace a file: write a new one
 * beside it, fsync, rename, fsync the folder. And one way to read a whole file with a cap.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Replace path by n bytes, durably. On failure the old file is untouched and no litter stays.
 * ERR_IO with a hint when the disk is full.
 */
int file_replace(const char *path, const void *p, size_t n, int mode, struct err *e) MUST_CHECK;

/* Threads that put files into one folder at the same time share the fsync of the folder: each waits
 * for one that began after its own rename. Zero is a valid idle group; nothing to give back.
 */
struct file_group {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    uint64_t n_begun;
    uint64_t n_ended;
    uint64_t n_failed; /* the newest that failed */
    bool is_running;
};

/* The same for data that nobody reads again soon: past the page cache where p lies on a page
 * (alloc_paged) and the file system can, which halves the processor's part of the work. g: of the
 * folder, or NULL.
 */
int file_replace_large(const char *path, const void *p, size_t n, int mode, struct file_group *g,
                       struct err *e) MUST_CHECK;

/* Read the whole file, at most max bytes (ERR_LIMIT above). ERR_NOTFOUND when it is missing. */
int file_read(const char *path, size_t max, struct buf *out, struct err *e) MUST_CHECK;

/* Open a plain file for reading, and its size (may be NULL). ERR_NOTFOUND, ERR_IO; ERR_PROTO when it
 * is a folder, a pipe or a device: opening never waits for anybody.
 */
int file_open(const char *path, int *ret_fd, uint64_t *ret_bytes, struct err *e) MUST_CHECK;

/* Exactly n bytes at an offset, through short reads and EINTR. ERR_IO; ERR_PROTO when the file ends
 * before. name: for the sentence.
 */
int file_read_at(int fd, void *p, size_t n, uint64_t at, const char *name,
                 struct err *e) MUST_CHECK;

/* Create the folder and its parents (0700). OK when it exists already. */
int file_mkdirs(const char *path, struct err *e) MUST_CHECK;

/* fsync the folder, so that a rename or create inside it survives a power cut. */
int file_sync_dir(const char *path, struct err *e) MUST_CHECK;

/* Write all n bytes to fd, through short writes and EINTR. */
int file_write_all(int fd, const void *p, size_t n, const char *name, struct err *e) MUST_CHECK;

/* Set ERR_IO from errno with a hint that fits (disk full, read-only, no permission). */
int file_error(struct err *e, int sys, const char *doing, const char *path);

bool file_exists(const char *path);
