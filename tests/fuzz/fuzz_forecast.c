/* Forecasts lie on other people's disks: any bytes must be refused in peace, or be a book that can
 * be used.
 */
#include "client/forecast.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct forecast_book b, again;
    struct buf out = {0};
    if (forecast_load(p, n, &b, NULL) == OK) {
        struct forecast_now now = {.now_ms = b.hour * 3600000 + 1, .gear = 1};
        check(forecast_save(&b, &out, NULL) == OK);
        check(forecast_load(out.p, out.len, &again, NULL) == OK);
        for (int k = 0; k < FORECAST_KINDS; k++) {
            struct forecast f = forecast_make(&b, (enum forecast_kind)k, &now);
            forecast_keep(&b, (enum forecast_kind)k, &f, &now);
        }
        (void)forecast_settle(&b, now.now_ms + 3600000LL * 200);
    }
    buf_deinit(&out);
    return 0;
}
