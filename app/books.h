#pragma once
/* Why: `potluck receipts` and `potluck rewards` for people and for scripts, from the same rows. Pure.
 * Texts of the host are made printable; what a table program could take for a formula is quoted.
 */

#include "base/buf.h"
#include "base/err.h"
#include "client/credits.h"
#include "client/forecast.h"
#include "client/receipts_verify.h"

/* One receipt to be shown. */
struct books_receipt {
    struct receipts_row row;
    bool is_ours;                    /* it lies in this home; else only the host told of it */
    bool is_double;                  /* the host has given two answers under its number */
    struct receipts_verdict verdict; /* with is_verified */
};

struct books_receipts {
    const struct rundesc *run;
    const struct key_pub *key;
    uint32_t n;
    const struct books_receipt *rows;
    uint32_t n_bad;        /* lines of this home's file that are no receipts of this run */
    bool is_verified;      /* held against the record */
    uint64_t n_wrong;      /* findings about the record itself */
    char record_what[256]; /* the first of them */
    char no_host[200];     /* why the host could not be asked; "" */
};

/* Ours and the host's in one list by number; *ret is the caller's (free). ERR_NOMEM. */
int books_merge(const struct receipts_row *ours, size_t n_ours, const struct receipts_row *host,
                size_t n_host, struct books_receipt **ret, uint32_t *ret_n,
                struct err *e) MUST_CHECK;

void books_receipts_text(const struct books_receipts *b, struct buf *out);
int books_receipts_json(const struct books_receipts *b, struct buf *out, struct err *e) MUST_CHECK;

/* "All 8 of your receipts are on record ...": one sentence with its full stop. */
void books_sentence(const struct books_receipts *b, struct buf *out);

/* enum cmdline_exit */
int books_exit(const struct books_receipts *b);

void books_rewards_text(const struct credits *c, const struct rundesc *run, struct buf *out);
int books_rewards_json(const struct credits *c, const struct rundesc *run, const struct key_pub *k,
                       struct buf *out, struct err *e) MUST_CHECK;
/* RFC 4180, with a header line. */
void books_rewards_csv(const struct credits *c, struct buf *out);

/* What is to come, and how earlier forecasts did. f [FORECAST_KINDS] by kind. */
void books_forecast_text(const struct forecast_book *b, const struct forecast *f,
                         const struct rundesc *run, struct buf *out);
int books_forecast_json(const struct forecast_book *b, const struct forecast *f,
                        const struct rundesc *run, struct buf *out, struct err *e) MUST_CHECK;
