/* What we parse we can write, and what we wrote parses back to an equal value and equal bytes. */
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_everything(const json_t *v)
{
    struct json_reader r = {0};
    char text[32];
    struct hash h;
    struct key_pub k;
    json_u32(&r, v, "u", 0, 100);
    json_i64(&r, v, "i", -100, 100);
    json_real_in(&r, v, "r", 0, 1);
    json_bool(&r, v, "b");
    json_text(&r, v, "t", text, sizeof text);
    json_hash(&r, v, "h", &h);
    json_key(&r, v, "k", &k);
    json_object_in(&r, v, "o");
    json_array_in(&r, v, "a", 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *v = NULL;
    json_t *again = NULL;
    struct err e = {0};
    struct buf a = {0};
    struct buf b = {0};
    if (json_parse(data, size, &v, &e)) {
        check(e.what[0]);
        return 0;
    }
    read_everything(v);
    check(json_write(v, &a, &e) == OK);
    check(json_parse(a.p, a.len, &again, &e) == OK);
    check(json_write(again, &b, &e) == OK);
    check(a.len == b.len && memcmp(a.p, b.p, a.len) == 0);
    json_decref(v);
    json_decref(again);
    buf_deinit(&a);
    buf_deinit(&b);
    return 0;
}
