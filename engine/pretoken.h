#pragma once
/* Why: before byte pairs are merged, text is cut into words, so that no token spans two of them.
 * Where to cut is part of a tokenizer. Four ways are known; each reads as a regular expression
 * and is matched by hand here:
 *
 *   GPT2     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *            (Radford et al. 2019; what every Hugging Face "ByteLevel" reader does)
 *   DIGITS   every \p{N} alone, and GPT2 on what lies between (SmolLM, StarCoder)
 *   LLAMA3   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *            ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *   QWEN2    the same with \p{N} in place of \p{N}{1,3}
 *
 * Letters and numbers are the general categories L and N of Unicode 16, spaces its White_Space property.
 * Bytes that are no UTF-8 count as characters of no class, one each.
 */

#include <stddef.h>
#include <stdint.h>

enum pretoken_rule { PRETOKEN_GPT2, PRETOKEN_DIGITS, PRETOKEN_LLAMA3, PRETOKEN_QWEN2 };

/* Bytes of the first word of p[n]; at least 1, n > 0. The end of p counts as the end of the text. */
size_t pretoken_next(enum pretoken_rule rule, const uint8_t *p, size_t n);

/* The rule that a tokenizer.json spells as this regular expression, or -1 when none does. */
int pretoken_find(const char *regex);
