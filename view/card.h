#pragma once
/* Why: what a run is, in rows of plain words: shown before anybody agrees to take part, and at any time
 * afterwards.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define VIEW_CARD 12

/* A line of what a person should know of a run before taking part in it. */
struct view_card {
    char title[16]; /* "what", "by", "rewards" */
    char text[320];
};

/* The rows of a card alone, {"card":[...]}: what `potluck join --look --json` answers. */
int view_card_encode(const struct view_card *rows, uint32_t n, struct buf *out,
                     struct err *e) MUST_CHECK;
int view_card_decode(const void *json, size_t n, struct view_card ret[VIEW_CARD], uint32_t *ret_n,
                     struct err *e) MUST_CHECK;
