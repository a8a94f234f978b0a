/* Text to ids. A text goes through these doors, each behind the other:
 *
 *   names     added tokens are found; what lies between them goes on
 *   spaces    (sentence family) U+2581 becomes a space, one is put in front
 *   words     cut where no merge can reach across
 *   cache     a short word that was seen before has its ids already
 *   merging   all pairs of neighbours that have a merge wait in a heap, the lowest rank first
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "engine/tokenizer_table.h"

#define WORD_BYTES 30
#define WORD_IDS   8
#define MIN_SLOTS  (1u << 8)
#define MAX_SLOTS  (1u << 16)

/* A word seen before, in one line of the processor's cache. */
struct seen {
    uint8_t n_text; /* 0: empty */
    uint8_t n_ids;
    uint8_t text[WORD_BYTES];
    uint32_t ids[WORD_IDS];
};

/* A place of the word being merged: a linked list in an array, so that merging costs O(1). */
struct place {
    uint32_t id;
    uint32_t prev; /* TOKENIZER_NONE at the ends */
    uint32_t next;
};

/* A merge that was possible when it was queued. */
struct chance {
    uint32_t rank;
    uint32_t at;
};

struct tokenizer_encoder {
    const struct tokenizer *t;
    bool with_specials;
    struct seen *seen; /* [seen_mask + 1]; direct mapped, newest wins */
    uint32_t seen_mask;
    uint32_t n_new;       /* words put into it */
    struct place *places; /* [cap] */
    struct chance *heap;  /* [3 * cap]: each place queues once, each merge twice at most */
    size_t cap;
    size_t n_heap;
    struct buf spaced; /* sentence: the stretch with its spaces; its first byte is spare */
    struct buf *ids;
};

/* ---- merging ---- */

static bool before(struct chance a, struct chance b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void heap_push(struct tokenizer_encoder *c, uint32_t left_at)
{
    if (left_at == TOKENIZER_NONE) return;
    const struct place *left = &c->places[left_at];
    if (left->next == TOKENIZER_NONE) return;
    struct chance x = {.at = left_at};
    x.rank = tokenizer_rank(c->t, left->id, c->places[left->next].id);
    if (x.rank == TOKENIZER_NONE) return;
    size_t i = c->n_heap++;
    while (i > 0 && before(x, c->heap[(i - 1) / 2])) {
        c->heap[i] = c->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    c->heap[i] = x;
}

static struct chance heap_pop(struct tokenizer_encoder *c)
{
    struct chance top = c->heap[0];
    struct chance x = c->heap[--c->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= c->n_heap) break;
        if (child + 1 < c->n_heap && before(c->heap[child + 1], c->heap[child])) child++;
        if (!before(c->heap[child], x)) break;
        c->heap[i] = c->heap[child];
        i = child;
    }
    c->heap[i] = x;
    return top;
}

static int make_room(struct tokenizer_encoder *c, size_t n, struct err *e)
{
    if (c->places && n <= c->cap) return OK;
    if (n >= TOKENIZER_NONE) return err_set(e, ERR_LIMIT, 0, "a word of %zu bytes", n);
    size_t cap = n < 128 ? 128 : n + n / 2;
    free(c->places);
    free(c->heap);
    c->places = alloc_zero(cap, sizeof *c->places);
    c->heap = alloc_zero(size_mul(3, cap), sizeof *c->heap);
    c->cap = c->places && c->heap ? cap : 0;
    return c->cap ? OK : err_set(e, ERR_NOMEM, 0, "no memory to encode a word of %zu bytes", n);
}

/* The ids to begin with: one for each byte that has one, or for each character, and a character
 * without one is its bytes. Returns how many.
 */
static uint32_t spell_word(struct tokenizer_encoder *c, const uint8_t *p, size_t n)
{
    const struct tokenizer *t = c->t;
    uint32_t n_ids = 0;
    size_t len;
    for (size_t i = 0; i < n; i += len) {
        uint32_t cp = 0;
        uint32_t id = TOKENIZER_NONE;
        len = t->style.is_sentence ? utf8_decode(p + i, n - i, &cp) : 0;
        if (len) id = tokenizer_find(t, p + i, len);
        if (id != TOKENIZER_NONE) {
            c->places[n_ids++].id = id;
            continue;
        }
        if (len == 0) len = 1;
        for (size_t j = i; j < i + len; j++)
            if (t->of_byte[p[j]] != TOKENIZER_NONE) c->places[n_ids++].id = t->of_byte[p[j]];
    }
    for (uint32_t i = 0; i < n_ids; i++) {
        c->places[i].prev = i ? i - 1 : TOKENIZER_NONE;
        c->places[i].next = i + 1 < n_ids ? i + 1 : TOKENIZER_NONE;
    }
    return n_ids;
}

/* Merge the word's ids, lowest rank first, leftmost of equals. */
static int merge_word(struct tokenizer_encoder *c, const uint8_t *p, size_t n, struct err *e)
{
    int rc = make_room(c, n, e);
    if (rc) return rc;
    struct place *x = c->places;
    uint32_t n_ids = spell_word(c, p, n);
    c->n_heap = 0;
    for (uint32_t i = 0; i + 1 < n_ids; i++)
        heap_push(c, i);
    while (c->n_heap > 0) {
        struct chance top = heap_pop(c);
        struct place *left = &x[top.at];
        if (left->id == TOKENIZER_NONE || left->next == TOKENIZER_NONE) continue; /* merged away */
        struct place *right = &x[left->next];
        if (tokenizer_rank(c->t, left->id, right->id) != top.rank) continue;
        left->id = c->t->rules[top.rank].id;
        left->next = right->next;
        right->id = TOKENIZER_NONE;
        if (left->next != TOKENIZER_NONE) x[left->next].prev = top.at;
        heap_push(c, left->prev);
        heap_push(c, top.at);
    }
    for (uint32_t i = n_ids ? 0 : TOKENIZER_NONE; i != TOKENIZER_NONE; i = x[i].next)
        buf_put(c->ids, &x[i].id, sizeof x[i].id);
    return buf_ok(c->ids, e);
}

/* ---- words ---- */

static int new_word(struct tokenizer_encoder *c, const uint8_t *p, size_t n, struct err *e)
{
    uint32_t id = c->t->style.ignores_merges ? tokenizer_find(c->t, p, n) : TOKENIZER_NONE;
    if (id == TOKENIZER_NONE) return merge_word(c, p, n, e);
    buf_put(c->ids, &id, sizeof id);
    return buf_ok(c->ids, e);
}

/* So many words were new that a larger table pays. It begins empty; without memory it stays. */
static void grow_seen(struct tokenizer_encoder *c)
{
    c->n_new = 0;
    if (c->seen_mask + 1 >= MAX_SLOTS) return;
    struct seen *seen = alloc_aligned(4 * ((size_t)c->seen_mask + 1), sizeof *seen);
    if (!seen) return;
    free(c->seen);
    c->seen = seen;
    c->seen_mask = 4 * c->seen_mask + 3;
}

static int put_word(struct tokenizer_encoder *c, const uint8_t *p, size_t n, struct err *e)
{
    if (n > WORD_BYTES) return new_word(c, p, n, e);
    struct seen *s = &c->seen[tokenizer_hash(p, n) & c->seen_mask];
    if (s->n_text == n && memcmp(s->text, p, n) == 0) {
        buf_put(c->ids, s->ids, s->n_ids * sizeof *s->ids);
        return buf_ok(c->ids, e);
    }
    size_t at = c->ids->len;
    int rc = new_word(c, p, n, e);
    size_t n_ids = (c->ids->len - at) / sizeof *s->ids;
    if (rc || n_ids > WORD_IDS) return rc;
    s->n_text = (uint8_t)n;
    s->n_ids = (uint8_t)n_ids;
    memcpy(s->text, p, n);
    memcpy(s->ids, c->ids->p + at, n_ids * sizeof *s->ids);
    if (++c->n_new > c->seen_mask) grow_seen(c);
    return OK;
}

static int put_words(struct tokenizer_encoder *c, const uint8_t *p, size_t n, struct err *e)
{
    int rc = OK;
    size_t len;
    for (size_t at = 0; rc == OK && at < n; at += len) {
        len = pretoken_next(c->t->style.rule, p + at, n - at);
        rc = put_word(c, p + at, len, e);
    }
    return rc;
}

/* ---- the sentence family ---- */

/* Bytes up to where the next word begins: at each space, or only where spaces begin, or never. */
static size_t next_space(const struct tokenizer *t, const uint8_t *p, size_t n)
{
    if (!t->style.is_split && !t->is_cut_at_space) return n;
    size_t at = 1;
    if (!t->style.is_split)
        while (at < n && p[at] == ' ')
            at++;
    const uint8_t *space = at < n ? memchr(p + at, ' ', n - at) : NULL;
    return space ? (size_t)(space - p) : n;
}

/* A stretch of `spaced`, with a byte in front that may be overwritten. */
static int put_sentence(struct tokenizer_encoder *c, uint8_t *p, size_t n, bool is_first,
                        struct err *e)
{
    enum tokenizer_prefix prefix = c->t->style.prefix;
    bool wants = prefix == TOKENIZER_PREFIX_WORD || (prefix == TOKENIZER_PREFIX_FIRST && is_first);
    if (n > 0 && wants && p[0] != ' ') {
        *--p = ' ';
        n++;
    }
    int rc = OK;
    size_t len;
    for (size_t at = 0; rc == OK && at < n; at += len) {
        len = next_space(c->t, p + at, n - at);
        rc = put_word(c, p + at, len, e);
    }
    return rc;
}

/* Copy the stretch to `spaced`: a space for each U+2581, and perhaps one in front. */
static int put_spaces(struct tokenizer_encoder *c, const uint8_t *p, size_t n, struct err *e)
{
    struct buf *b = &c->spaced;
    buf_clear(b);
    buf_put_u8(b, 0);
    if (n > 0 && c->t->style.prefix == TOKENIZER_PREFIX_ALWAYS) buf_put_u8(b, ' ');
    size_t len;
    for (size_t at = 0; at < n; at += len) {
        const uint8_t *x = memmem(p + at, n - at, "\xe2\x96\x81", 3);
        len = x ? (size_t)(x - p) - at : n - at;
        buf_put(b, p + at, len);
        if (!x) continue;
        buf_put_u8(b, ' ');
        len += 3;
    }
    return buf_ok(b, e);
}

static int put_stretch(struct tokenizer_encoder *c, const uint8_t *p, size_t n, bool is_first,
                       struct err *e)
{
    if (!c->t->style.is_sentence) return put_words(c, p, n, e);
    int rc = put_spaces(c, p, n, e);
    size_t at = 1;
    while (rc == OK && at < c->spaced.len) {
        uint8_t *q = c->spaced.p + at;
        size_t left = c->spaced.len - at;
        size_t gap = left;
        uint32_t id = 0;
        size_t len = tokenizer_added_find(&c->t->normalized, q, left, c->with_specials, &gap, &id);
        rc = put_sentence(c, q, gap, is_first && at == 1, e);
        if (rc == OK && len) buf_put(c->ids, &id, sizeof id);
        at += gap + len;
    }
    return rc == OK ? buf_ok(c->ids, e) : rc;
}

/* ---- the door ---- */

int tokenizer_encoder_run(struct tokenizer_encoder *c, const void *text, size_t n, struct buf *ids,
                          struct err *e)
{
    const uint8_t *p = text;
    int rc = OK;
    c->ids = ids;
    for (size_t at = 0; rc == OK && at < n;) {
        size_t gap = n - at;
        uint32_t id = 0;
        size_t len =
            tokenizer_added_find(&c->t->added, p + at, n - at, c->with_specials, &gap, &id);
        rc = put_stretch(c, p + at, gap, at == 0, e);
        if (rc == OK && len) buf_put(ids, &id, sizeof id);
        at += gap + len;
    }
    return rc == OK ? buf_ok(ids, e) : rc;
}

int tokenizer_encoder_create(const struct tokenizer *t, bool with_specials,
                             struct tokenizer_encoder **ret, struct err *e)
{
    struct tokenizer_encoder *c = alloc_zero(1, sizeof *c);
    if (c) *c = (struct tokenizer_encoder){.t = t, .with_specials = with_specials};
    if (c) c->seen = alloc_aligned(MIN_SLOTS, sizeof *c->seen);
    if (!c || !c->seen) {
        tokenizer_encoder_destroy(c);
        return err_set(e, ERR_NOMEM, 0, "no memory to encode text");
    }
    c->seen_mask = MIN_SLOTS - 1;
    *ret = c;
    return OK;
}

void tokenizer_encoder_destroy(struct tokenizer_encoder *c)
{
    if (!c) return;
    free(c->seen);
    free(c->places);
    free(c->heap);
    buf_deinit(&c->spaced);
    free(c);
}

int tokenizer_encode(const struct tokenizer *t, const void *text, size_t n, struct buf *ids,
                     struct err *e)
{
    struct tokenizer_encoder *c = NULL;
    int rc = tokenizer_encoder_create(t, false, &c, e);
    if (rc == OK) rc = tokenizer_encoder_run(c, text, n, ids, e);
    tokenizer_encoder_destroy(c);
    return rc;
}
