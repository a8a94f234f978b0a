/* Foreign bytes as an entry of the record: as they are, and as the payload of a message signed by
 * the fuzzer. What is believed is written again as the same text.
 */
#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_signed(const json_t *v, const struct key *k)
{
    struct entry m;
    struct err e = {0};
    struct buf a = {0};
    struct buf b = {0};
    check(jws_sign(v, "potluck-entry+1", k, &a, &e) == OK);
    if (entry_verify(a.p, a.len, &k->pub, &m, &e)) {
        check(e.what[0]);
    } else {
        check(entry_sign(&m, k, &b, &e) == OK);
        check(a.len == b.len && memcmp(a.p, b.p, a.len) == 0);
    }
    buf_deinit(&a);
    buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[KEY_BYTES] = {1};
    struct key k;
    struct entry m;
    struct err e = {0};
    json_t *v = NULL;
    if (size > 1U << 17) return 0;
    check(key_from_seed(seed, &k, NULL) == OK);
    if (entry_verify(data, size, NULL, &m, &e)) check(e.what[0]);
    if (json_parse(data, size, &v, NULL) == OK) try_signed(v, &k);
    json_decref(v);
    return 0;
}
