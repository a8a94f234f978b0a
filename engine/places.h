#pragma once
/* Why: where the sent values of a chunk lie costs more than what they are. A chunk is halved again
 * and again, and for each half with something in it the number of values in its first half is
 * coded. Chances follow the columns of the tensor (some hold more of the large values, which rows
 * before have shown) and the counts themselves (a dense part is dense all over). The limit for
 * 64 of 4096 places at random is 7.364 bits a place. docs/decisions/0013-packing.md.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/arith.h"

#define PLACES_MAX_LEN 4096u
#define PLACES_COLS    4096u /* wider tensors share a counter among neighbours */
#define PLACES_FEW     16u   /* counts below it are coded by a small tree each */
#define PLACES_SHARES  8u
#define PLACES_STEPS   24u

/* What has been learnt; the same on both sides after the same chunks. */
struct places {
    struct arith_ctx few[3][PLACES_FEW][PLACES_FEW][PLACES_SHARES];
    struct arith_ctx many[16][PLACES_STEPS];
    struct arith_ctx side[16];
    struct arith_ctx low[5][16];
    uint32_t cols;    /* of the current tensor */
    uint32_t n_group; /* neighbours that share a counter */
    uint16_t seen[PLACES_COLS];
};

void places_init(struct places *s);
void places_tensor(struct places *s, uint32_t cols); /* a new tensor of so many columns */

/* Code pos[n], ascending, below len <= PLACES_MAX_LEN, of the chunk that begins at `start` of the
 * tensor; 0 <= n <= len, known to both sides. Reading fills pos; what no writer wrote makes a->bad
 * true, with pos ascending and below len all the same.
 */
void places_put(struct places *s, struct arith *a, uint64_t start, uint32_t len, uint32_t n,
                const uint16_t *pos);
void places_get(struct places *s, struct arith *a, uint64_t start, uint32_t len, uint32_t n,
                uint16_t *pos);
