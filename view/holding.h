#pragma once
/* Why: two kinds of rows of a view (view/view.h) that say why the agent steps aside, and how it knows.
 * Plain data.
 */

#include <stdbool.h>
#include <stdint.h>

#define VIEW_HOLDS   12
#define VIEW_SOURCES 12

/* A reason not to train that stands now. The first row is the one that `reason` tells. */
struct view_hold {
    char name[16];      /* "in use", "busy", "battery", ... */
    char reason[160];   /* "you are using this computer" */
    char end[96];       /* "goes on 2 min after you stop" */
    int64_t ends_at_ms; /* wall clock; VIEW_NONE when that is not known */
    bool can_override;  /* `o` goes on anyway */
    bool is_overridden; /* and that was asked for: it does not stop anything now */
};

/* Where the agent learns about its surroundings. */
struct view_source {
    char name[24]; /* "terminals", "power supply" */
    bool is_working;
    char text[96]; /* "last input 12 s ago" / "no battery here" */
};
