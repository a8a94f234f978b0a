/* Payloads come from strangers. The first byte chooses kind and settings; the rest is the payload.
 * Whatever is accepted must have finite values in range and positions inside their chunk, and an
 * update must be what the packer makes of its values, byte for byte.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "engine/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model_tensor tensors[3] = {
    {.name = "a", .rows = 30, .cols = 10, .offset = 0,   .n = 300},
    {.name = "n", .rows = 70, .cols = 1,  .offset = 300, .n = 70 },
    {.name = "b", .rows = 3,  .cols = 3,  .offset = 370, .n = 9  },
};
static const struct model_table table = {.n_tensors = 3, .n_params = 379, .tensors = tensors};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    const struct delta_params params[4] = {
        {64,   4   },
        {64,   64  },
        {128,  1   },
        {4096, 1000}
    };
    const struct delta_params *p = &params[data[0] >> 1 & 3];
    enum delta_kind kind = data[0] & 1 ? DELTA_UPDATE : DELTA_CONTRIBUTION;
    double norms[3];
    int rc = delta_check(&table, p, kind, data + 1, size - 1, norms, NULL);
    if (rc != OK) return 0;
    struct delta_reader r;
    struct delta_chunk c;
    uint64_t walked = 0;
    float seen[379] = {0};
    check(delta_reader_init(&r, &table, p, kind, data + 1, size - 1, NULL) == OK);
    while ((rc = delta_reader_next(&r, &c, NULL)) == OK) {
        check(c.start == walked && c.n <= c.len);
        walked += c.len;
        for (uint32_t i = 0; i < c.n; i++) {
            check(c.pos[i] < c.len && (i == 0 || c.pos[i] > c.pos[i - 1]) && isfinite(c.value[i]));
            seen[c.start + c.pos[i]] = c.value[i];
        }
    }
    check(rc == ERR_AGAIN && walked == table.n_params);
    for (int i = 0; i < 3; i++)
        check(isfinite(norms[i]));
    if (kind != DELTA_UPDATE) return 0;
    struct buf again = {0};
    check(delta_pack(&table, p, kind, seen, NULL, &again, NULL, NULL) == OK);
    check(again.len == size - 1 && memcmp(again.p, data + 1, again.len) == 0);
    buf_deinit(&again);
    return 0;
}
