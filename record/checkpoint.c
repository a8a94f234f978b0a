#include "record/checkpoint.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"

#define VERSION 1u

static const char magic[8] = {'P', 'O', 'T', 'L', 'K', 'C', 'P', 0};

int checkpoint_write(uint64_t round, const struct model_table *t, const float *params,
                     struct buf *out, struct err *e)
{
    struct hash h = model_hash(t, params);
    buf_put(out, magic, sizeof magic);
    buf_put_u32(out, VERSION);
    buf_put_u32(out, 0);
    buf_put_u64(out, round);
    buf_put_u64(out, t->n_params);
    buf_put(out, h.b, sizeof h.b);
    uint8_t *p = buf_grow(out, (size_t)t->n_params * 4);
    for (uint64_t i = 0; p && i < t->n_params; i++) {
        uint32_t bits;
        memcpy(&bits, &params[i], 4);
        bytes_put_u32(p + 4 * i, bits);
    }
    return buf_ok(out, e);
}

int checkpoint_parse_head(const void *bytes, size_t n, uint64_t total, struct checkpoint *ret,
                          struct err *e)
{
    struct cursor c = {bytes, n, false};
    const uint8_t *m = cursor_take(&c, sizeof magic);
    if (!m || memcmp(m, magic, sizeof magic) != 0)
        return err_set(e, ERR_PROTO, 0, "this is not a checkpoint file");
    uint32_t version = cursor_u32(&c);
    uint32_t reserved = cursor_u32(&c);
    struct checkpoint v = {0};
    v.round = cursor_u64(&c);
    v.n_params = cursor_u64(&c);
    const uint8_t *h = cursor_take(&c, HASH_BYTES);
    if (version != VERSION)
        return err_set(e, ERR_VERSION, 0,
                       "checkpoint of version %" PRIu32 ", this program reads %u", version,
                       VERSION);
    if (!h || reserved != 0 || v.n_params == 0 || v.n_params > SIZE_MAX / 4)
        return err_set(e, ERR_PROTO, 0, "the checkpoint's header is damaged");
    v.n_bytes = (size_t)v.n_params * 4;
    if (total - CHECKPOINT_HEADER_BYTES != v.n_bytes)
        return err_set(e, ERR_PROTO, 0,
                       "the checkpoint should hold %zu bytes of weights, not %" PRIu64, v.n_bytes,
                       total - CHECKPOINT_HEADER_BYTES);
    memcpy(v.model.b, h, HASH_BYTES);
    *ret = v;
    return OK;
}

int checkpoint_parse(const void *bytes, size_t n, struct checkpoint *ret, struct err *e)
{
    struct checkpoint v = {0};
    int rc = checkpoint_parse_head(bytes, n, n, &v, e);
    if (rc != OK) return rc;
    v.weights = (const uint8_t *)bytes + CHECKPOINT_HEADER_BYTES;
    struct hash got = hash_of(v.weights, v.n_bytes);
    if (!hash_equal(&got, &v.model))
        return err_set(e, ERR_AUTH, 0, "the checkpoint's weights do not have the hash it names");
    *ret = v;
    return OK;
}
