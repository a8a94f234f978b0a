/* Run descriptions and invite links from strangers. The input is tried as it is and, when it is
 * JSON, as the payload of a description that the fuzzer signs, so that every field is reached.
 */
#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/rundesc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_invite(const uint8_t *data, size_t size)
{
    char text[1024];
    char back[1024];
    struct rundesc_invite v;
    struct rundesc_invite again;
    struct err e = {0};
    size_t n = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, data, n);
    text[n] = 0;
    if (rundesc_invite_parse(text, &v, &e)) {
        check(e.what[0] && e.hint[0]);
        return;
    }
    check(rundesc_invite_format(&v, back, sizeof back, &e) == OK);
    check(rundesc_invite_parse(back, &again, &e) == OK);
    check(strcmp(v.host, again.host) == 0 && v.port == again.port);
}

static void try_signed(const uint8_t *data, size_t size)
{
    static const uint8_t seed[KEY_BYTES] = {1};
    static struct rundesc d;
    struct key k;
    struct err e = {0};
    struct buf a = {0};
    struct buf b = {0};
    json_t *v = NULL;
    if (json_parse(data, size, &v, NULL)) return;
    check(key_from_seed(seed, &k, NULL) == OK);
    check(jws_sign(v, "potluck-run+1", &k, &a, &e) == OK);
    if (rundesc_parse(a.p, a.len, &k.pub, &d, &e))
        check(e.what[0]);
    else
        check(rundesc_sign(&d, &k, &b, &e) == OK);
    json_decref(v);
    buf_deinit(&a);
    buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rundesc d;
    struct err e = {0};
    if (size > RUNDESC_MAX_BYTES + 1) return 0;
    if (rundesc_parse(data, size, NULL, &d, &e)) check(e.what[0]);
    try_invite(data, size);
    try_signed(data, size);
    return 0;
}
