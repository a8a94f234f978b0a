/* What a proxy answers, and what the environment says about it: a line, then the answer. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *line;

static char *get(const char *name)
{
    return strcmp(name, "https_proxy") == 0 || strcmp(name, "no_proxy") == 0 ? line : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy p;
    struct buf b = {0};
    size_t n = 0;
    while (n < size && data[n] != '\n' && data[n] != 0)
        n++;
    line = malloc(n + 1);
    if (!line) return 0;
    if (n) memcpy(line, data, n);
    line[n] = '\0';
    if (proxy_choose("run.example", 443, get, &p, NULL) == OK && *p.host) {
        proxy_ask(&p, "run.example:443", &b);
        const char *end = b.failed ? NULL : memmem(b.p, b.len, "\r\n\r\n", 4);
        check(b.failed || end == (const char *)b.p + b.len - 4); /* nothing can be slipped in */
    }
    buf_deinit(&b);
    free(line);
    int rc = proxy_answer((const char *)data + n, size - n, NULL);
    check(rc != ERR_AGAIN || size - n < PROXY_ANSWER_MAX);
    return 0;
}
