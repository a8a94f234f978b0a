#pragma once
/* Why: positions of the values that are sent cost more than the values themselves, so they are
 * coded as gaps with a Golomb-Rice code (Rice 1979) whose parameter is chosen for each chunk.
 * Bits fill bytes from the lowest up. Parameter 0 writes one bit for each place up to the last
 * position, so that the best parameter never costs more than a bitmap would.
 *
 * The same content has one encoding: readers refuse a parameter that is not the best one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RICE_MAX_LEN   4096u /* longest run of places, so positions are below it */
#define RICE_MAX_PARAM 12u
#define RICE_SINK_CAP  8192u

/* Bits on their way out; the owner empties whole bytes with rice_drain. Zero is empty. */
struct rice_sink {
    uint64_t acc;
    unsigned n_acc; /* bits in acc, below 32 */
    size_t len;     /* whole bytes in `bytes` */
    uint8_t bytes[RICE_SINK_CAP];
};

/* Bits of a borrowed block; `bad` is sticky, reads past the end give zeros. */
struct rice_source {
    const uint8_t *p;
    size_t n;    /* bytes */
    uint64_t at; /* next bit */
    bool bad;
};

/* Append the n <= 32 low bits of v. The caller sees to it that the sink never overflows: a chunk
 * of RICE_MAX_LEN values needs at most 9 bits a value and 64 more.
 */
void rice_put(struct rice_sink *s, uint32_t v, unsigned n);

/* Move unfinished bits into `bytes`, zero bits up to the byte's end. */
void rice_pad(struct rice_sink *s);

/* Next n <= 32 bits. */
uint32_t rice_get(struct rice_source *s, unsigned n);

/* True when fewer than 8 bits are left and all of them are zero. */
bool rice_at_end(const struct rice_source *s);

/* Best parameter for ascending pos[n], n >= 1 (ties: the smaller), and the bits it takes without
 * the parameter itself.
 */
unsigned rice_best(const uint16_t *pos, uint32_t n, uint64_t *ret_bits);

/* 4-bit parameter and the gaps. Returns bits written. */
uint64_t rice_put_positions(struct rice_sink *s, const uint16_t *pos, uint32_t n);

/* Read n ascending positions below len. ERR_PROTO when they leave the range, the parameter is not
 * the best, or bits are missing.
 */
int rice_get_positions(struct rice_source *s, uint32_t n, uint32_t len, uint16_t *pos,
                       struct err *e) MUST_CHECK;
