/* A list's payload: whatever is taken can be signed and read again to the same list. The signature
 * would stop every mutation, so the payload is signed here first.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jws.h"
#include "record/runlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct runlist l, back;
    uint8_t seed[KEY_BYTES];
    struct key k;
    struct buf a = {0}, b = {0};
    json_t *o = NULL;
    memset(seed, 1, sizeof seed);
    check(key_from_seed(seed, &k, NULL) == OK);
    int rc = runlist_parse(data, size, NULL, &l, NULL); /* as it is */
    (void)rc;
    if (json_parse(data, size, &o, NULL) == OK && json_is_object(o) &&
        jws_sign(o, "potluck-runs+1", &k, &a, NULL) == OK &&
        runlist_parse(a.p, a.len, &k.pub, &l, NULL) == OK) {
        check(runlist_sign(&l, &k, &b, NULL) == OK);
        check(runlist_parse(b.p, b.len, &k.pub, &back, NULL) == OK);
        check(memcmp(&l, &back, sizeof l) == 0);
    }
    json_decref(o);
    buf_deinit(&a);
    buf_deinit(&b);
    return 0;
}
