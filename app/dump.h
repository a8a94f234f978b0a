#pragma once
/* Why: one frame as text, without a terminal: for tests, for the docs' pictures, for a bug report.
 * With --svg it is a picture that a browser shows, with the theme's colours.
 */

#include "app/attach.h"
#include "tui/tui.h"

/* o->dump and o->recording say what; to standard output. ERR_ARG, ERR_IO, ERR_PROTO. */
int dump_frame(const struct attach_options *o, enum screen screen, struct err *e) MUST_CHECK;
