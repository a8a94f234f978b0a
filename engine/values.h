#pragma once
/* Why: the coder of what the sent values are; engine/places.h says where they are. Scales and
 * counts are near those of the chunk before. Signs follow the shape of a gradient, which is close
 * to a product of two vectors: a vote for each column, and how well the row agreed with the votes
 * so far. The magnitudes of an update are few different ones (one a contributor and chunk, and
 * their sums), learnt anew in each chunk.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/arith.h"
#include "engine/places.h"

#define VALUES_NEAR 24u

/* Contexts of a number that is close to the one before it. */
struct values_near {
    struct arith_ctx away[VALUES_NEAR];
    struct arith_ctx side;
    uint32_t last;
};

struct values {
    struct arith_ctx is_empty[2];
    bool was_empty;
    struct values_near scale;
    struct values_near count;
    struct arith_ctx ratio[16];
    struct arith_ctx high[16]; /* by ratio */
    struct arith_ctx sign[8][6][6];
    struct arith_ctx size[128]; /* of this chunk */
    uint32_t cols;
    uint32_t n_group;
    uint64_t row;    /* that the last value was in */
    int32_t agreed;  /* of this row with the votes */
    int32_t settled; /* did rows of this tensor begin in agreement? */
    int8_t vote[PLACES_COLS];
};

void values_init(struct values *s);
void values_tensor(struct values *s, uint32_t cols);

/* A number from 0 to max < 2^16. Writing returns v; reading v is not looked at. What no writer
 * wrote makes a->bad true and gives 0.
 */
uint32_t values_near(struct values_near *s, struct arith *a, bool is_put, uint32_t max, uint32_t v);

/* Is there nothing in this chunk? */
bool values_empty(struct values *s, struct arith *a, bool is_put, bool v);

/* Signs of the values at pos[n] of the chunk that begins at `start`: 1 negative. Writing reads
 * negative[n], reading fills it; likewise below.
 */
void values_signs(struct values *s, struct arith *a, bool is_put, uint64_t start, uint32_t n,
                  const uint16_t *pos, uint8_t *negative);

/* The ratio of a chunk's two levels, 0 to 15; then for each value, is it the higher one? */
uint32_t values_ratio(struct values *s, struct arith *a, bool is_put, uint32_t ratio);
void values_high(struct values *s, struct arith *a, bool is_put, uint32_t ratio, uint32_t n,
                 uint8_t *high);

/* Magnitudes 0 to 127 of a chunk's n values. */
void values_sizes(struct values *s, struct arith *a, bool is_put, uint32_t n, uint8_t *size);
