#pragma once
/* Why: a number without a unit is a riddle, and eight digits are noise. Every figure a person
 * sees goes through here: three significant digits, thin SI units, local 24 h times, and "-" for
 * what is not known (never 0).
 *
 * Each function writes at most TEXT_CAP bytes, always terminates, and returns dst. Pure but for
 * the time zone of text_clock and text_date.
 */

#include <stdint.h>

#define TEXT_CAP 64

/* "412", "3.21", "18.2k", "124M", "0.0213". Missing (not finite): "-". */
char *text_number(double x, char dst[TEXT_CAP]);

/* A fixed number of decimals: losses are compared digit by digit. "-" when not finite. */
char *text_fixed(double x, int decimals, char dst[TEXT_CAP]);

/* All digits in groups of three: "48,210". VIEW_NONE: "-". */
char *text_count(int64_t n, char dst[TEXT_CAP]);

/* "512 B", "1.13 GB" (powers of 1000). */
char *text_bytes(uint64_t n, char dst[TEXT_CAP]);

/* "350 ms", "1.9 s", "38 s", "4 min", "2 h 20 min", "9 d". VIEW_NONE: "-". Negative counts as 0. */
char *text_duration(int64_t ms, char dst[TEXT_CAP]);

/* Micro-credits: "12.40", "1,284.6", "0.188"; VIEW_NONE: "-". */
char *text_credits(int64_t micro, char dst[TEXT_CAP]);

/* The same with a sign in front where it is not negative: "+0.190". */
char *text_credits_signed(int64_t micro, char dst[TEXT_CAP]);

/* "62%" of a fraction; "<1%" for a little; "-" when not finite. */
char *text_percent(double frac, char dst[TEXT_CAP]);

/* "14:32" and "24 Oct 14:32" in local time. VIEW_NONE: "-". */
char *text_clock(int64_t wall_ms, char dst[TEXT_CAP]);
char *text_date(int64_t wall_ms, char dst[TEXT_CAP]);
