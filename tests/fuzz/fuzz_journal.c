/* State files live on other people's disks: any bytes must be refused in peace. */
#include "client/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct journal j;
    struct session_note note;
    struct journal_wish wish;
    struct buf out = {0};
    if (journal_decode(p, n, &j, NULL) == OK) {
        check(journal_encode(&j, &out, NULL) == OK);
        check(out.len < JOURNAL_CAP);
        check(journal_decode(out.p, out.len, &j, NULL) == OK);
    }
    buf_clear(&out);
    if (journal_note_decode(p, n, &note, NULL) == OK) {
        check(journal_note_encode(&note, &out, NULL) == OK);
        check(journal_note_decode(out.p, out.len, &note, NULL) == OK);
    }
    (void)!journal_wish_decode(p, n, &wish, NULL);
    buf_deinit(&out);
    return 0;
}
