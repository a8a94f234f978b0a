#pragma once
/* Why: who took part in a round, and what came of it. A sheet is the file that a round's entry
 * names by hash (record/entry.h): canonical JSON {"round":N,"rows":[...]}, one row for each
 * receipt from first_seq to last_seq, in that order. Receipts are numbered without gaps and every
 * number is on exactly one sheet, so that no receipt can be left out. A run that scores adds
 * "scores": what was found out about contributions since the sheet before (record/score.h), in the
 * order of the keys; these evaluations count for this round's weights.
 * Units: score in millionths, reward in micro-units of the run's reward unit.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"
#include "record/msg.h"
#include "record/score_code.h"

#define SHEET_MAX_ROWS   65536u
#define SHEET_MAX_BYTES  (64u << 20)
#define SHEET_MAX_CHECKS 8
#define SHEET_NAME_CAP   24 /* of a check: a word, with NUL */

enum sheet_outcome { SHEET_PASSED = 1, SHEET_FAILED, SHEET_SKIPPED };

struct sheet_check {
    char name[SHEET_NAME_CAP]; /* "form", "steps", ...; lower-case letters and '-' */
    enum sheet_outcome outcome;
};

struct sheet_row {
    uint64_t seq;
    uint64_t round; /* of the contribution: a late one names an earlier round */
    struct key_pub contributor;
    struct hash manifest; /* SHA-256 of the signed manifest's text; zero: none came */
    struct hash receipt;  /* SHA-256 of the receipt's newest text (with reward, when accepted) */
    struct hash payload;
    uint64_t n_bytes;
    uint64_t n_tokens;
    uint32_t n_steps;
    enum msg_verdict verdict;
    char reason[MSG_REASON_CAP]; /* "" exactly when accepted */
    uint32_t n_checks;
    struct sheet_check checks[SHEET_MAX_CHECKS];
    int64_t score;   /* mean usefulness of the key; 0 under a rule that does not score */
    uint64_t weight; /* in the merge; 0: not merged */
    uint64_t reward; /* 0 unless accepted */
};

/* Owner: the caller; sheet_deinit frees the rows, zeroed is an empty sheet. */
struct sheet {
    uint64_t round;
    uint32_t n;
    struct sheet_row *rows;
    uint32_t n_scores; /* at most SCORE_CODE_MAX_EVALS */
    struct score_eval *scores;
};

void sheet_deinit(struct sheet *s); /* accepts NULL and zeroed */

/* Append the one text of s. ERR_PROTO names the field that no reader would accept. */
int sheet_encode(const struct sheet *s, struct buf *out, struct err *e) MUST_CHECK;

/* Read n bytes; *ret is the caller's (sheet_deinit), untouched on failure. Every bound is checked,
 * numbers ascend without a gap, and the text must be the canonical one. ERR_PROTO, ERR_LIMIT,
 * ERR_NOMEM.
 */
int sheet_decode(const void *json, size_t n, struct sheet *ret, struct err *e) MUST_CHECK;

/* "passed", "failed", "skipped"; "?" */
const char *sheet_outcome_word(enum sheet_outcome o);
