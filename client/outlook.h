#pragma once
/* Why: the agent's forecasts: the ledger as the host shows it goes into the book, and what is to
 * come goes into the view. The book itself and its arithmetic are client/forecast.h.
 */

#include "client/forecast.h"
#include "record/rundesc.h"
#include "view/view.h"

struct outlook {
    struct forecast_book book;
    struct forecast to_come[FORECAST_KINDS];
    uint64_t round_ms; /* how long rounds take of late; 0: not known */
};

/* What an earlier process left; a missing or damaged file begins anew (and is told of in e). */
int outlook_load(const char *path, struct outlook *ret, struct err *e) MUST_CHECK;

/* The newest page of the ledger. paused_until_ms: 0 without a pause that ends by itself. */
void outlook_credits(struct outlook *o, const struct msg_credits *page, int64_t now_ms,
                     int64_t paused_until_ms);

/* Fill the view's forecasts; its speeds are there already. */
void outlook_fill(const struct outlook *o, const struct rundesc *run, struct view *v);
