/* The header of a saved training state, and the size that the file claims to have: whatever is
 * accepted must lie inside the bytes that were given and add up to the file's length.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/trainer_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trainer_state_head h = {0};
    struct err e = {0};
    uint64_t total = size;
    if (size > 24) /* let a valid header meet the length it asks for */
        total = 128 + (uint64_t)data[16] * 20 + 32;
    if (trainer_state_parse(data, size, total, &h, &e)) {
        check(e.what[0] != 0);
        return 0;
    }
    check(h.head_bytes <= size);
    check((uint64_t)h.note_at + h.note_bytes <= h.head_bytes);
    uint64_t sum = h.head_bytes + HASH_BYTES;
    for (int i = 0; i < TRAINER_STATE_BLOCKS; i++)
        if (h.kind[i] != TRAINER_STATE_ABSENT)
            sum += packed_bytes((enum packed_kind)h.kind[i], h.n_params);
    check(sum == total);
    return 0;
}
