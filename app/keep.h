#pragma once
/* Why: what outlives a screen: how the person likes it to look (screen.json), and what was exported.
 * All of it lies in the home's data folder and can be deleted at any time.
 */

#include "base/err.h"
#include "base/path.h"
#include "tui/tui.h"

/* ERR_NOTFOUND when nothing was kept; ERR_PROTO when it cannot be read. ret is left alone then. */
int keep_load(const char *folder, struct tui_look *ret, struct err *e) MUST_CHECK;
int keep_save(const char *folder, const struct tui_look *look, struct err *e) MUST_CHECK;

/* FOLDER/WHAT-20261127-093000.EXT, in local time. ERR_ARG when it is too long. */
int keep_path(const char *folder, const char *what, const char *ext, int64_t now_ms,
              char dst[PATH_CAP], struct err *e) MUST_CHECK;

/* The lines of the log that the screen shows, as text, into path. */
int keep_log(const struct view *v, const struct tui *t, const char *path, struct err *e) MUST_CHECK;
