#pragma once
/* Why: what a person sees while a model is trained: one line that is rewritten on a terminal, a
 * plain line now and then elsewhere, JSON objects for scripts; above it what shall stay. Losses are
 * smoothed, since a single step's says little. Text is pure; train_show_* alone print, to stdout.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

/* A mean that forgets: the last 20 values or so; unbiased from the first one on. */
struct train_mean {
    double sum, weight;
};

void train_mean_add(struct train_mean *m, double x);
double train_mean_value(const struct train_mean *m); /* NAN before the first */

struct train_progress {
    uint64_t step, steps;
    double loss;          /* smoothed; NAN: not known yet, as below */
    double val_loss;      /* nats per token, newest */
    double bits_per_byte; /* of the same */
    double tok_per_s;     /* of the steps alone */
    int64_t elapsed_ms;   /* trained in all, earlier calls included */
    int64_t left_ms;      /* until the end; -1: not known */
};

/* Time that is left when `done` steps of this call took elapsed_ms; -1 before the first. */
int64_t train_left_ms(uint64_t done, int64_t elapsed_ms, uint64_t to_do);

/* "step 120/1000  loss 5.214  ..." in at most `width` columns: what does not fit is left out, from
 * the end. Returns dst.
 */
char *train_progress_text(const struct train_progress *p, int width, char *dst, size_t cap);

/* The same for a script; NULL on out of memory. The caller adds and prints. */
json_t *train_progress_json(const char *event, const struct train_progress *p);

struct train_show {
    bool is_json;
    bool is_terminal;
    bool has_line; /* the cursor stands in a line that is rewritten */
    int64_t report_ms;
    int64_t shown_at_ms; /* of the last progress */
};

void train_show_init(struct train_show *s, bool is_json, uint64_t report_s);

/* A line that stays; nothing with --json. */
void train_show_line(struct train_show *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Progress, when it is time for it; now: monotonic ms. */
void train_show_progress(struct train_show *s, const struct train_progress *p, int64_t now_ms,
                         bool is_forced);

/* One object in one line with --json, else nothing. Takes o over; NULL is allowed. */
void train_show_event(struct train_show *s, json_t *o);

/* End a line that is being rewritten. */
void train_show_end(struct train_show *s);
