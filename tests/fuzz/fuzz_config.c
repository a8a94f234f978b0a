/* A person's file may hold anything; what was read is what an edit keeps. */
#include <string.h>

#include "client/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct config c, again;
    struct buf out = {0};
    config_init(&c);
    if (config_parse(&c, p, n, NULL) != OK) return 0;
    check(config_edit(p, n, CONFIG_CORES, "3", &out, NULL) == OK);
    config_init(&again);
    check(config_parse(&again, out.p, out.len, NULL) == OK);
    check(again.v[CONFIG_CORES].n == 3 && !again.is_old);
    for (int i = 0; n && i < CONFIG_KEYS; i++)
        check(i == CONFIG_CORES || strcmp(again.v[i].text, c.v[i].text) == 0);
    buf_deinit(&out);
    return 0;
}
