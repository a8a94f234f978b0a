#pragma once
/* Why: `potluck runs`: a list of runs as a table for a person or JSON for a script. Pure. */

#include "base/buf.h"
#include "client/lists.h"

/* home_words: " --home DIR" or "", to be said after commands. */
void runs_text(const struct runlist *l, const struct lists_news *news, const char *home_words,
               struct buf *out);
int runs_json(const struct runlist *l, const struct lists_news *news, struct buf *out,
              struct err *e) MUST_CHECK;
