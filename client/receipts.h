#pragma once
/* Why: a receipt is the aggregator's signed word about a contribution, and the only thing with
 * which a contributor can prove what it is owed. Receipts are verified, then appended to one file
 * of JWS lines that only ever grows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/msg.h"
#include "record/rundesc.h"

struct receipts_count {
    uint64_t n_accepted, n_late, n_rejected;
};

/* Check a receipt against the run: some aggregator of the run signed it, for this run, for us. */
int receipts_check(const void *jws, size_t n, const struct rundesc *run, const struct key_pub *us,
                   struct msg_receipt *ret, struct err *e) MUST_CHECK;

/* Append, durably. A cut last line (power) is completed by a newline first, so it spoils nothing. */
int receipts_append(const char *path, const void *jws, size_t n, struct err *e) MUST_CHECK;

/* One line of the file: the receipt, and the hash of its text, by which the public record knows it. */
struct receipts_row {
    struct msg_receipt r;
    struct hash text;
};

/* Every receipt of the file that verifies, by number; a line that is there twice counts once. The rest
 * is told in *ret_n_bad. rows are the caller's (free); a missing file has none.
 */
int receipts_load(const char *path, const struct rundesc *run, const struct key_pub *us,
                  struct receipts_row **ret, size_t *ret_n, uint32_t *ret_n_bad,
                  struct err *e) MUST_CHECK;

/* Is it the same answer to the same contribution? One may be settled and the other not yet. */
bool receipts_same(const struct msg_receipt *a, const struct msg_receipt *b);

/* Of sorted rows, keep one for each answer: the settled text where there is one. Two answers under one
 * number both stay. Returns how many are left.
 */
size_t receipts_newest(struct receipts_row *rows, size_t n);

/* Read the file: counts every receipt that verifies, each (round) once, newest kept; the rest is
 * told in *ret_n_bad. A missing file counts nothing.
 */
int receipts_read(const char *path, const struct rundesc *run, const struct key_pub *us,
                  struct receipts_count *ret, uint32_t *ret_n_bad, struct err *e) MUST_CHECK;
