#pragma once
/* Why: which rows of a table are shown, and in which order, follows from the view and from what the
 * person chose. Keys (tui/tui.c) and drawing (screen_*.c) must agree on it, so it is said once.
 */

#include "tui/tui.h"

/* Indices into v->peers in the order shown; returns how many. */
int rows_peers(const struct view *v, const struct tui *t, uint16_t ret[VIEW_PEERS]);

/* Indices into v->log, oldest first, of lines of the chosen level that hold the searched text. */
int rows_log(const struct view *v, const struct tui *t, uint16_t ret[VIEW_LOG]);

/* The first row to draw so that `pick` of n is among the h rows shown. */
int rows_first(int pick, int n, int h);

/* Does text hold what, whatever the case of plain letters? "" is held by every text. */
bool rows_holds(const char *text, const char *what);
