/* The header of a safetensors file. The first byte says how much longer the file claims to be than
 * the bytes that are here. Whatever is accepted must cover the file exactly, each byte once.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "engine/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors s = {0};
    struct err e = {0};
    if (!size) return 0;
    uint64_t total = size - 1 + (uint64_t)data[0] * 4;
    if (safetensors_parse(data + 1, size - 1, total, &s, &e)) {
        check(e.what[0] != 0);
        check(!s.tensors && !s.header);
        return 0;
    }
    uint64_t sum = s.data_at;
    for (uint32_t i = 0; i < s.n_tensors; i++) {
        const struct safetensors_tensor *t = &s.tensors[i];
        check(t->at >= s.data_at && t->at + t->n_bytes <= total);
        check(i == 0 || strcmp(s.tensors[i - 1].name, t->name) < 0);
        check(safetensors_find(&s, t->name) == t);
        sum += t->n_bytes;
    }
    check(sum == total);
    safetensors_deinit(&s);
    return 0;
}
