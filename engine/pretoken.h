#pragma once
/* Why: before byte pairs are merged, text is cut into words, so that no token spans two of them.
 * The cut is GPT-2's (Radford et al. 2019), the one every Hugging Face "ByteLevel" reader makes:
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * Letters and numbers are Unicode's general categories L and N, spaces its White_Space property.
 * Bytes that are no UTF-8 count as characters of no class, one each.
 */

#include <stddef.h>
#include <stdint.h>

/* Bytes of the first word of p[n]; at least 1, n > 0. The end of p counts as the end of the text. */
size_t pretoken_next(const uint8_t *p, size_t n);
