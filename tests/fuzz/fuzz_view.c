#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "view/series.h"
#include "view/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A view that was read must be writable and readable again; history files likewise must not
 * crash whatever a disk did to them.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct view v;
    static struct series s;
    struct buf out = {0};
    if (view_decode(data, size, &v, NULL) == OK) {
        static struct view again;
        if (view_encode(&v, &out, NULL) != OK) abort();
        if (view_decode(out.p, out.len, &again, NULL) != OK) abort();
    }
    buf_deinit(&out);
    struct view_card card[VIEW_CARD];
    uint32_t n_card = 0;
    if (view_card_decode(data, size, card, &n_card, NULL) == OK && n_card > VIEW_CARD) abort();
    if (series_load(data, size, &s, NULL) == OK) {
        struct view_series g;
        series_push(&s, 1, INT64_C(1700000000000));
        series_view(&s, INT64_C(1700000000000), 10000, &g);
    }
    return 0;
}
