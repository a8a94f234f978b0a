#pragma once
/* Why: a round's sheet is where a contributor finds its own line and an auditor all of them. Apart
 * from audit_round.h, because a program that only looks for a line needs no engine for it.
 */

#include "record/audit.h"
#include "record/entry.h"
#include "record/sheet.h"

enum audit_sheet {
    AUDIT_SHEET_NONE,    /* not there, or not readable: found */
    AUDIT_SHEET_CHANGED, /* readable, but not the one on record: found; good for naming the change */
    AUDIT_SHEET_GOOD
};

/* The sheet of a round. *ret is the caller's (sheet_deinit), empty with AUDIT_SHEET_NONE. Errors:
 * the source's, ERR_NOMEM.
 */
int audit_sheet_read(const struct audit_source *s, struct audit_book *b,
                     const struct entry_round *m, struct sheet *ret, enum audit_sheet *ret_state,
                     struct err *e) MUST_CHECK;
