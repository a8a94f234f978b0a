/* Foreign bytes as each message: never a crash, always a reason. The input is tried as it is, and
 * as the payload of a message signed by the fuzzer, so that the fields behind the signature are
 * reached. What decodes must encode, and then decode to the same bytes.
 */
#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRY_PLAIN(x)                                                                               \
    static void try_##x(const uint8_t *data, size_t size)                                          \
    {                                                                                              \
        static struct msg_##x m;                                                                   \
        struct err e = {0};                                                                        \
        struct buf a = {0};                                                                        \
        struct buf b = {0};                                                                        \
        if (msg_##x##_decode(data, size, &m, &e)) {                                                \
            check(e.what[0]);                                                                      \
            return;                                                                                \
        }                                                                                          \
        check(msg_##x##_encode(&m, &a, &e) == OK);                                                 \
        check(msg_##x##_decode(a.p, a.len, &m, &e) == OK);                                         \
        check(msg_##x##_encode(&m, &b, &e) == OK);                                                 \
        check(a.len == b.len && memcmp(a.p, b.p, a.len) == 0);                                     \
        buf_deinit(&a);                                                                            \
        buf_deinit(&b);                                                                            \
    }
TRY_PLAIN(round)
TRY_PLAIN(slot)
TRY_PLAIN(peers)
TRY_PLAIN(credits)

#define TRY_SIGNED(x)                                                                              \
    static void try_##x(const uint8_t *data, size_t size, const json_t *v, const struct key *k)    \
    {                                                                                              \
        static struct msg_##x m;                                                                   \
        struct err e = {0};                                                                        \
        struct buf a = {0};                                                                        \
        struct buf b = {0};                                                                        \
        if (msg_##x##_verify(data, size, NULL, &m, &e)) check(e.what[0]);                          \
        if (v) {                                                                                   \
            check(jws_sign(v, "potluck-" #x "+1", k, &a, &e) == OK);                               \
            int rc = msg_##x##_verify(a.p, a.len, &k->pub, &m, &e);                                \
            if (rc)                                                                                \
                check(e.what[0]);                                                                  \
            else                                                                                   \
                check(msg_##x##_sign(&m, k, &b, &e) == OK);                                        \
        }                                                                                          \
        buf_deinit(&a);                                                                            \
        buf_deinit(&b);                                                                            \
    }
TRY_SIGNED(join)
TRY_SIGNED(reserve)
TRY_SIGNED(manifest)
TRY_SIGNED(receipt)
TRY_SIGNED(update)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[KEY_BYTES] = {1};
    struct key k;
    json_t *v = NULL;
    if (size > 1U << 16) return 0;
    check(key_from_seed(seed, &k, NULL) == OK);
    if (json_parse(data, size, &v, NULL)) v = NULL;
    try_round(data, size);
    try_slot(data, size);
    try_peers(data, size);
    try_credits(data, size);
    try_join(data, size, v, &k);
    try_reserve(data, size, v, &k);
    try_manifest(data, size, v, &k);
    try_receipt(data, size, v, &k);
    try_update(data, size, v, &k);
    json_decref(v);
    return 0;
}
