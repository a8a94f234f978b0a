/* Checkpoint files from strangers: what is accepted is whole and lies inside the input. */
#include "base/hash.h"
#include "record/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct checkpoint c;
    struct err e = {0};
    if (checkpoint_parse(data, size, &c, &e) != OK) {
        check(e.what[0]);
        return 0;
    }
    const uint8_t *w = c.weights;
    check(w >= data && w + c.n_bytes == data + size && c.n_bytes / 4 == c.n_params);
    struct hash h = hash_of(c.weights, c.n_bytes);
    check(hash_equal(&h, &c.model));
    return 0;
}
