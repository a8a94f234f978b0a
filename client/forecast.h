#pragma once
/* Why: people want to know what they will get, and a promise that is not kept is worse than none. A
 * forecast is a range that should hold four times out of five; every one is kept, held against
 * what came, and makes the next ones wider or narrower. Pure: told the lines of the ledger and the
 * time.
 *
 *   history   what was earned in each hour of the last four weeks; a pause is an hour of nothing
 *   paths     the hours to come are drawn from the past in pieces of up to a day that begin at the
 *             same time of day, newer days more often; so evenings stay evenings
 *   trend     what an hour of work brought this week against the week before (the swarm grows or
 *             shrinks; gears change), carried on at half strength
 *   range     quantiles of the paths; their level follows from how often the range was missed
 *
 * Sources: moving-block bootstrap (Kuensch 1989); adaptive conformal inference (Gibbs and Candes
 * 2021, arXiv 2106.00170). Units: micro-units of the run's reward, ms of wall clock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/msg.h"

#define FORECAST_HOURS 672 /* four weeks */
#define FORECAST_KEPT  64  /* forecasts whose time is not over */
#define FORECAST_PATHS 400

enum forecast_kind { FORECAST_TODAY, FORECAST_DAY, FORECAST_WEEK, FORECAST_KINDS };

struct forecast_kept {
    enum forecast_kind kind;
    int64_t from_hour, to_hour; /* what is earned in these hours, the last one excluded */
    int64_t lo, hi;
};

/* Zeroed is a valid beginning: nothing is known. */
struct forecast_book {
    int64_t hour;                   /* since 1970, the newest one; 0: no history */
    uint32_t n;                     /* hours known about, at most FORECAST_HOURS */
    int64_t earned[FORECAST_HOURS]; /* of hour h at h % FORECAST_HOURS; -1: not known */
    uint64_t last_seq;              /* receipts up to this one are in it */
    int32_t level[FORECAST_KINDS]; /* millionths, how much the share that may be missed has moved */
    uint32_t n_hit[FORECAST_KINDS], n_of[FORECAST_KINDS]; /* the track record */
    uint32_t n_kept;
    struct forecast_kept kept[FORECAST_KEPT];
};

/* What is known of the hours to come. */
struct forecast_now {
    int64_t now_ms;
    int64_t midnight_ms;     /* the next one, where the person lives */
    int64_t paused_until_ms; /* nothing is earned before; 0: no pause */
    double gear;             /* speed from now on over that of the last weeks; 1: as ever */
};

struct forecast {
    bool is_known; /* false: there is too little history, two hours at least */
    int64_t lo, mid, hi;
    uint32_t n_days; /* of history behind it, begun ones included */
};

/* Lines of the ledger, newest first, as hosts give them: those that are settled and new are taken
 * in. is_all: there are no older ones than these; else hours between the book and the oldest line
 * are not known.
 */
void forecast_take(struct forecast_book *b, const struct msg_credit *lines, uint32_t n, bool is_all,
                   int64_t now_ms);

struct forecast forecast_make(const struct forecast_book *b, enum forecast_kind kind,
                              const struct forecast_now *now);

/* Remember a forecast of one kind, at most one a day of each kind. */
void forecast_keep(struct forecast_book *b, enum forecast_kind kind, const struct forecast *f,
                   const struct forecast_now *now);

/* Hold those whose time is over against what came. Returns how many. */
uint32_t forecast_settle(struct forecast_book *b, int64_t now_ms);

/* "today", "day", "week"; "?" */
const char *forecast_word(enum forecast_kind k);

/* As one small file. The reader checks every bound. */
int forecast_save(const struct forecast_book *b, struct buf *out, struct err *e) MUST_CHECK;
int forecast_load(const void *json, size_t n, struct forecast_book *ret, struct err *e) MUST_CHECK;

/* A newcomer's hour: what a machine of tok_per_s gets of a round's emission beside a swarm of
 * swarm_tok_per_s, rounds of round_ms each. Micro-units.
 */
int64_t forecast_newcomer(double tok_per_s, double swarm_tok_per_s, uint64_t emission,
                          uint64_t round_ms);
