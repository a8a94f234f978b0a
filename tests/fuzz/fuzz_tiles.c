/* A path that is taken is the one that would be written, and a bundle that is taken is what its
 * entries make again, byte for byte. The first byte is the bundle's width.
 */
#include <string.h>

#include "record/tiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(const uint8_t *data, size_t size)
{
    struct tiles_at at;
    char path[TILES_PATH_CAP];
    if (tiles_parse((const char *)data, size, &at)) return;
    tiles_path(&at, path);
    check(strlen(path) == size && memcmp(path, data, size) == 0);
    check(tiles_is_within(&at, MERKLE_MAX_LEAVES - 1));
    check(at.width >= 1 && at.width <= TILES_WIDTH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tiles_entry v[TILES_WIDTH];
    struct buf again = {0};
    struct err e = {0};
    try_path(data, size);
    if (size == 0) return 0;
    uint32_t width = data[0] + 1u;
    if (tiles_bundle_parse(data + 1, size - 1, width, v, &e)) {
        check(e.what[0]);
        return 0;
    }
    for (uint32_t i = 0; i < width; i++)
        check(tiles_bundle_add(&again, v[i].p, v[i].n, NULL) == OK);
    check(again.len == size - 1 && memcmp(again.p, data + 1, again.len) == 0);
    buf_deinit(&again);
    return 0;
}
