/* Foreign bytes as a payout address: as a signed text, as the payload of one that the fuzzer signs, and
 * as an SS58 address alone. What is taken is written again as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/payee.h"
#include "record/ss58.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_signed(const json_t *v, const struct key *k)
{
    struct payee m;
    struct err e = {0};
    struct buf a = {0}, b = {0};
    check(jws_sign(v, "potluck-payout+1", k, &a, &e) == OK);
    if (payee_verify(a.p, a.len, &k->pub, &m, &e))
        check(e.what[0]);
    else
        check(payee_sign(&m, k, &b, &e) == OK);
    buf_deinit(&a);
    buf_deinit(&b);
}

static void try_address(const uint8_t *data, size_t size)
{
    struct ss58 a;
    struct err e = {0};
    char again[SS58_CAP];
    char *text = malloc(size + 1);
    check(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (ss58_parse(text, &a, &e))
        check(e.what[0]);
    else
        check(strcmp(ss58_format(&a, again), text) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[KEY_BYTES] = {1};
    struct key k;
    struct payee m;
    struct err e = {0};
    json_t *v = NULL;
    if (size > 1U << 12) return 0;
    check(key_from_seed(seed, &k, NULL) == OK);
    if (payee_verify(data, size, NULL, &m, &e)) check(e.what[0]);
    if (json_parse(data, size, &v, NULL) == OK) try_signed(v, &k);
    json_decref(v);
    try_address(data, size);
    return 0;
}
