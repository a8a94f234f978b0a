#pragma once
/* Why: a bench that trains on noise says nothing about the loss, and nobody wants to look for text
 * before the first try. This finds English that lies on a Debian machine anyway: the demo's
 * packages (bible-kjv, dict-foldoc, fortunes), else the texts of /usr/share/doc.
 */

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define BENCH_TEXT_WANTED ((size_t)12 << 20) /* bytes; more is not taken */
#define BENCH_TEXT_LEAST  ((size_t)1 << 20)

/* Append at most BENCH_TEXT_WANTED bytes to out; from [cap] gets a few words on where they are
 * from. Starts `bible` and `gzip`. ERR_NOTFOUND with what to install when there is too little.
 */
int bench_text_gather(struct buf *out, char *from, size_t cap, struct err *e) MUST_CHECK;

/* Append the plain files below folder whose names say "text" (copyright, README, *.txt, *.pod,
 * *.md, *.rst, *.html, and names without a dot when any_name), sorted, until out has `most` bytes.
 * A folder that is not there adds nothing.
 */
void bench_text_folder(const char *folder, int any_name, size_t most, struct buf *out);
