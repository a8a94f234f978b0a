/* Foreign bytes as a sheet: never a crash, always a reason. What is read is written again as the
 * same bytes.
 */
#include <string.h>

#include "record/sheet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sheet s = {0};
    struct err e = {0};
    struct buf again = {0};
    if (sheet_decode(data, size, &s, &e)) {
        check(e.what[0]);
        return 0;
    }
    check(sheet_encode(&s, &again, &e) == OK);
    check(again.len == size && memcmp(again.p, data, size) == 0);
    buf_deinit(&again);
    sheet_deinit(&s);
    return 0;
}
