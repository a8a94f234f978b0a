#pragma once
/* Why: sizes that may come from a file or a peer are multiplied with overflow checks, and every
 * allocation can be made to fail on purpose, the k-th one, so that tests reach each error path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Multiply / add sizes; on overflow return SIZE_MAX, which no allocator can satisfy. */
size_t size_mul(size_t a, size_t b);
size_t size_add(size_t a, size_t b);

/* malloc family that obeys the fail hook. NULL when memory (or the hook) says no.
 * alloc_zero: n * size bytes, zeroed. alloc_aligned: 64-byte aligned, zeroed; free with free().
 * alloc_paged: on a page of its own, not zeroed; what file_replace_large wants. free with free().
 */
void *alloc_zero(size_t n, size_t size);
void *alloc_aligned(size_t n, size_t size);
void *alloc_paged(size_t bytes);
void *alloc_resize(void *p, size_t n, size_t size);
char *alloc_dup(const char *s);

/* For app/ and tui/ only: small allocations where the only sane answer is to stop. */
void *xmalloc(size_t bytes);

/* Tests: make the k-th allocation from now fail (1 = the next one; 0 = never). Thread safe.
 * alloc_count tells how many allocations were asked for since the last alloc_fail_nth call.
 */
void alloc_fail_nth(uint64_t k);
uint64_t alloc_count(void);
