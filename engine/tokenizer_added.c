#include "engine/tokenizer_added.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int tokenizer_added_put(struct tokenizer_added *a, const void *name, size_t n, uint32_t id,
                        bool is_special, struct err *e)
{
    if (n < 1 || n > TOKENIZER_ADDED_MAX)
        return err_set(e, ERR_LIMIT, 0, "an added token of %zu bytes; 1 to %u are possible", n,
                       TOKENIZER_ADDED_MAX);
    if (a->n_items == a->cap) {
        uint32_t cap = a->cap ? 2 * a->cap : 16;
        void *p = alloc_resize(a->items, cap, sizeof *a->items);
        if (!p) return err_set(e, ERR_NOMEM, 0, "no memory for added tokens");
        a->items = p;
        a->cap = cap;
    }
    struct tokenizer_added_item x = {a->names.len, (uint32_t)n, id, is_special};
    buf_put(&a->names, name, n);
    if (a->names.failed) return buf_ok(&a->names, e);
    a->items[a->n_items++] = x;
    a->has_text |= !is_special;
    return OK;
}

static int by_name(const void *x, const void *y, void *ctx)
{
    const struct tokenizer_added_item *p = x;
    const struct tokenizer_added_item *q = y;
    const uint8_t *names = ctx;
    int c = memcmp(names + p->at, names + q->at, p->n < q->n ? p->n : q->n);
    if (c) return c;
    if (p->n != q->n) return p->n < q->n ? -1 : 1;
    return p->id < q->id ? -1 : p->id > q->id;
}

void tokenizer_added_sort(struct tokenizer_added *a)
{
    if (!a->n_items) return;
    qsort_r(a->items, a->n_items, sizeof *a->items, by_name, a->names.p);
    uint32_t n = 1;
    for (uint32_t i = 1; i < a->n_items; i++) {
        const struct tokenizer_added_item *x = &a->items[n - 1];
        const struct tokenizer_added_item *y = &a->items[i];
        bool is_same = x->n == y->n && memcmp(a->names.p + x->at, a->names.p + y->at, x->n) == 0;
        if (!is_same) a->items[n++] = *y;
    }
    a->n_items = n;
    uint32_t at = 0;
    for (unsigned b = 0; b <= 256; b++) {
        while (at < n && a->names.p[a->items[at].at] < b)
            at++;
        a->first[b] = at;
    }
}

/* The first item in [lo, hi) whose byte at `depth` is not below b; all are longer than depth. */
static uint32_t lower(const struct tokenizer_added *a, uint32_t lo, uint32_t hi, uint32_t depth,
                      unsigned b)
{
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (a->names.p[a->items[mid].at + depth] < b)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The longest name that p[n] begins with. All items in [lo, hi) agree with p up to depth. */
static const struct tokenizer_added_item *longest(const struct tokenizer_added *a, const uint8_t *p,
                                                  size_t n, bool with_specials)
{
    const struct tokenizer_added_item *best = NULL;
    uint32_t lo = a->first[p[0]];
    uint32_t hi = a->first[p[0] + 1];
    for (uint32_t depth = 1; lo < hi; depth++) {
        if (a->items[lo].n == depth) {
            if (with_specials || !a->items[lo].is_special) best = &a->items[lo];
            lo++;
        }
        if (depth == n) break;
        lo = lower(a, lo, hi, depth, p[depth]);
        hi = lower(a, lo, hi, depth, p[depth] + 1u);
    }
    return best;
}

size_t tokenizer_added_find(const struct tokenizer_added *a, const uint8_t *p, size_t n,
                            bool with_specials, size_t *ret_at, uint32_t *ret_id)
{
    bool any = with_specials ? a->n_items > 0 : a->has_text;
    for (size_t i = 0; any && i < n; i++) {
        if (a->first[p[i]] == a->first[p[i] + 1]) continue;
        const struct tokenizer_added_item *x = longest(a, p + i, n - i, with_specials);
        if (!x) continue;
        *ret_at = i;
        *ret_id = x->id;
        return x->n;
    }
    return 0;
}

void tokenizer_added_deinit(struct tokenizer_added *a)
{
    if (!a) return;
    free(a->items);
    buf_deinit(&a->names);
    *a = (struct tokenizer_added){0};
}
