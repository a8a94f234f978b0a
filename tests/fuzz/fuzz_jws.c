/* Foreign bytes never crash, and a refusal always says why. A message that this target signs
 * itself, with the input as its payload, must verify and come back.
 */
#include <string.h>

#include "base/json.h"
#include "base/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const uint8_t *data, size_t size)
{
    static const uint8_t seed[KEY_BYTES] = {1};
    struct key k;
    json_t *v = NULL;
    json_t *back = NULL;
    struct buf out = {0};
    if (json_parse(data, size, &v, NULL)) return;
    check(key_from_seed(seed, &k, NULL) == OK);
    check(jws_sign(v, "fuzz+1", &k, &out, NULL) == OK);
    check(jws_verify((char *)out.p, out.len, "fuzz+1", &k.pub, &back, NULL, NULL) == OK);
    json_decref(v);
    json_decref(back);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *v = NULL;
    struct key_pub signer;
    struct err e = {0};
    if (jws_verify((const char *)data, size, "test+1", NULL, &v, &signer, &e) == OK)
        json_decref(v);
    else
        check(e.what[0] && !v);
    round_trip(data, size);
    return 0;
}
