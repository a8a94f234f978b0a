#pragma once
/* Why: from nothing to taking part, without a manual: paste an invite (or choose a run that is known
 * here), read what it is, then three short steps with a safe default each, so that Enter three times
 * is enough. Nothing is started, and nothing but the description is fetched, before Start.
 *
 *   LINK -Enter-> ASKING -card-> CARD -Enter-> DOTS -Enter-> GEAR -Enter-> SUMMARY -Enter-> STARTING
 *     ^-------------error-'  Esc, b: one back                                  error -> SUMMARY
 *
 * A pure function of keys, as tui/tui.h; app/attach asks and joins.
 */

#include <stdbool.h>
#include <stdint.h>

#include "view/view.h"

#define WIZARD_LINK_CAP 1024
#define WIZARD_NAME_CAP 33
#define WIZARD_KNOWN    8

enum wizard_step {
    WIZARD_LINK = 0,
    WIZARD_ASKING,
    WIZARD_CARD,
    WIZARD_DOTS,
    WIZARD_GEAR,
    WIZARD_SUMMARY,
    WIZARD_STARTING,
};

struct wizard_known {
    char name[48];
    char source[WIZARD_LINK_CAP]; /* what `potluck join` takes */
};

struct wizard {
    bool is_on; /* asked for with `j`; without a run it is there anyway */
    enum wizard_step step;
    char link[WIZARD_LINK_CAP];
    char error[320]; /* why the last step did not work; "" */
    uint32_t n_card;
    struct view_card card[VIEW_CARD];
    char verdict[200]; /* of `potluck doctor` on this computer and this run; "": not yet */
    char speed[64];    /* as it measured */
    int scroll;
    int gear; /* 0 gentle, 1 balanced, 2 full */
    uint32_t n_cores;
    char name[WIZARD_NAME_CAP]; /* "": stay anonymous */
    bool is_naming;
    int known; /* picked known run, from 1; 0: the link typed */
    int n_known;
    struct wizard_known knows[WIZARD_KNOWN];
};

struct tui;

/* Is it what the Overview shows now? */
bool wizard_is_shown(const struct tui *t, const struct view *v);

/* What is joined when all is agreed: the link, or the picked known run. */
const char *wizard_source(const struct wizard *w);

/* Cores that a gear uses on a machine with n of them. */
uint32_t wizard_cores(int gear, uint32_t n_cores);

/* The answers that app/attach brings. */
void wizard_got_card(struct wizard *w, const struct view_card *card, uint32_t n);
void wizard_got_verdict(struct wizard *w, const char *verdict, const char *speed);
void wizard_failed(struct wizard *w, const char *why);
void wizard_done(struct tui *t);
