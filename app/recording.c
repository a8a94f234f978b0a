#include "app/recording.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

#define RECORDING_MAX ((size_t)512 << 20)

int recording_open(const char *path, struct recording *ret, struct err *e)
{
    struct recording r = {0};
    int rc = file_read(path, RECORDING_MAX, &r.text, e);
    if (rc != OK) {
        buf_deinit(&r.text);
        return err_wrap(e, "reading the recording '%s'", path);
    }
    size_t cap = 0;
    for (size_t i = 0; i < r.text.len;) {
        const uint8_t *nl = memchr(r.text.p + i, '\n', r.text.len - i);
        size_t end = nl ? (size_t)(nl - r.text.p) : r.text.len;
        if (r.n + 2 > cap) {
            cap = cap ? cap * 2 : 256;
            size_t *more = xmalloc(cap * sizeof *more);
            if (r.n) memcpy(more, r.at, r.n * sizeof *more);
            free(r.at);
            r.at = more;
        }
        if (end > i + 1) r.at[r.n++] = i; /* not an empty line */
        i = end + 1;
    }
    if (r.n == 0) {
        recording_deinit(&r);
        return err_set(e, ERR_PROTO, 0, "the recording '%s' holds nothing", path);
    }
    r.at[r.n] = r.text.len;
    *ret = r;
    return OK;
}

void recording_deinit(struct recording *r)
{
    buf_deinit(&r->text);
    free(r->at);
    *r = (struct recording){0};
}

int recording_view(const struct recording *r, size_t i, struct view *ret, struct err *e)
{
    check(i < r->n);
    const uint8_t *p = r->text.p + r->at[i];
    size_t n = r->at[i + 1] - r->at[i];
    const uint8_t *nl = memchr(p, '\n', n);
    if (nl) n = (size_t)(nl - p);
    if (n && p[n - 1] == '\r') n--;
    int rc = view_decode(p, n, ret, e);
    if (rc != OK) err_wrap(e, "reading view %zu of the recording", i + 1);
    return rc;
}

int64_t recording_at_ms(const struct recording *r, size_t i)
{
    static const char key[] = "\"at_ms\":";
    char head[256];
    size_t n = r->at[i + 1] - r->at[i];
    if (n > sizeof head - 1) n = sizeof head - 1;
    memcpy(head, r->text.p + r->at[i], n);
    head[n] = 0;
    const char *at = strstr(head, key);
    return at ? strtoll(at + sizeof key - 1, NULL, 10) : VIEW_NONE;
}
