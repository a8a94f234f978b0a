#pragma once
/* Why: "did my work count?" A receipt is the host's word to one contributor, the public record its
 * word to everybody; each receipt must be on the sheet of a round, saying the same. Without engine:
 * nothing is recomputed here, `potluck verify` does that.
 */

#include "client/receipts.h"
#include "record/audit_log.h"

enum receipts_state {
    RECEIPTS_PENDING = 0, /* its round is not on record yet */
    RECEIPTS_ON_RECORD,   /* and says the same */
    RECEIPTS_AFTER_END,   /* late, after the run had ended: answered, and on no sheet */
    RECEIPTS_UNKNOWN,     /* the record could not be read there */
    RECEIPTS_WRONG,
};

struct receipts_verdict {
    enum receipts_state state;
    uint64_t reward; /* micro-units; ON_RECORD */
    uint64_t entry;  /* of the log; ON_RECORD and WRONG when it was found */
    char what[160];  /* why not, when UNKNOWN or WRONG; else "" */
};

/* Hold n receipts (sorted by number) against the record; ret [n]. Findings about the record itself
 * (tree head, entries, sheets) go into b. Errors: the source's own trouble, ERR_NOMEM.
 */
int receipts_verify(const struct audit_source *s, const struct rundesc *run,
                    const struct note_head *known, const struct receipts_row *rows, size_t n,
                    struct receipts_verdict *ret, struct audit_book *b, struct err *e) MUST_CHECK;
