#include "engine/tokenizer.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/pretoken.h"

/* What an id is made of. Ids 1..256 are bytes and have no halves. */
struct piece {
    uint32_t left;
    uint32_t right;
    size_t at; /* of its bytes in `text` */
    uint32_t n;
};

struct tokenizer {
    uint32_t n_ids;
    uint32_t max_ids;
    struct piece *pieces; /* [max_ids] */
    struct buf text;      /* bytes of all pieces */
    uint32_t mask;        /* of both tables; open addressing, 0 is an empty slot */
    uint32_t *by_pair;    /* [mask + 1] ids */
    uint32_t *by_text;    /* [mask + 1] ids */
};

uint64_t tokenizer_hash(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, finished so that low bits are good */
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h ^ (h >> 29);
}

static uint32_t pair_slot(const struct tokenizer *t, uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    uint32_t slot = (uint32_t)(h >> 32) & t->mask;
    for (;; slot = (slot + 1) & t->mask) {
        uint32_t id = t->by_pair[slot];
        if (!id || (t->pieces[id].left == left && t->pieces[id].right == right)) return slot;
    }
}

static uint32_t text_slot(const struct tokenizer *t, const void *bytes, size_t n)
{
    uint32_t slot = (uint32_t)tokenizer_hash(bytes, n) & t->mask;
    for (;; slot = (slot + 1) & t->mask) {
        uint32_t id = t->by_text[slot];
        if (!id) return slot;
        const struct piece *x = &t->pieces[id];
        if (x->n == n && memcmp(t->text.p + x->at, bytes, n) == 0) return slot;
    }
}

uint32_t tokenizer_pair(const struct tokenizer *t, uint32_t left, uint32_t right)
{
    uint32_t id = t->by_pair[pair_slot(t, left, right)];
    return id ? id : TOKENIZER_NONE;
}

uint32_t tokenizer_find(const struct tokenizer *t, const void *bytes, size_t n)
{
    uint32_t id = n ? t->by_text[text_slot(t, bytes, n)] : 0;
    return id ? id : TOKENIZER_NONE;
}

void tokenizer_destroy(struct tokenizer *t)
{
    if (!t) return;
    free(t->pieces);
    free(t->by_pair);
    free(t->by_text);
    buf_deinit(&t->text);
    free(t);
}

/* The next id gets the n bytes at the end of `text`. */
static uint32_t take_id(struct tokenizer *t, uint32_t left, uint32_t right, uint32_t n)
{
    uint32_t id = t->n_ids;
    size_t at = t->text.len - n;
    t->by_text[text_slot(t, t->text.p + at, n)] = id;
    t->pieces[id] = (struct piece){left, right, at, n};
    t->n_ids++;
    return id;
}

int tokenizer_create(uint32_t max_ids, struct tokenizer **ret, struct err *e)
{
    if (max_ids < TOKENIZER_FIRST || max_ids > TOKENIZER_MAX_VOCAB) {
        err_set(e, ERR_ARG, 0, "a vocabulary of %u tokens is not possible", max_ids);
        err_hint(e, "choose %u to %u", TOKENIZER_FIRST, TOKENIZER_MAX_VOCAB);
        return ERR_ARG;
    }
    struct tokenizer *t = alloc_zero(1, sizeof *t);
    if (!t) return err_set(e, ERR_NOMEM, 0, "no memory for a tokenizer");
    uint32_t slots = 1024;
    while (slots < 2 * max_ids)
        slots *= 2;
    t->mask = slots - 1;
    t->max_ids = max_ids;
    t->n_ids = 1;
    t->pieces = alloc_zero(max_ids, sizeof *t->pieces);
    t->by_pair = alloc_zero(slots, sizeof *t->by_pair);
    t->by_text = alloc_zero(slots, sizeof *t->by_text);
    for (unsigned b = 0; b < 256; b++)
        buf_put_u8(&t->text, (uint8_t)b);
    if (!t->pieces || !t->by_pair || !t->by_text || t->text.failed) {
        tokenizer_destroy(t);
        return err_set(e, ERR_NOMEM, 0, "no memory for a vocabulary of %u tokens", max_ids);
    }
    for (unsigned b = 0; b < 256; b++) {
        t->text.len = b + 1;
        (void)take_id(t, 0, 0, 1);
    }
    *ret = t;
    return OK;
}

int tokenizer_merge(struct tokenizer *t, uint32_t left, uint32_t right, struct err *e)
{
    if (left < 1 || right < 1 || left >= t->n_ids || right >= t->n_ids)
        return err_set(e, ERR_PROTO, 0, "a merge of tokens that do not exist yet");
    if (t->n_ids >= t->max_ids) return err_set(e, ERR_PROTO, 0, "more merges than tokens");
    const struct piece *a = &t->pieces[left];
    const struct piece *b = &t->pieces[right];
    uint64_t n = (uint64_t)a->n + b->n;
    size_t at = t->text.len;
    if (n > UINT32_MAX) return err_set(e, ERR_LIMIT, 0, "a token that is too long");
    uint8_t *p = buf_grow(&t->text, (size_t)n);
    if (!p) {
        t->text.failed = false;
        return err_set(e, ERR_NOMEM, 0, "no memory for another token");
    }
    memcpy(p, t->text.p + a->at, a->n);
    memcpy(p + a->n, t->text.p + b->at, b->n);
    if (tokenizer_find(t, p, (size_t)n) != TOKENIZER_NONE) {
        t->text.len = at;
        return err_set(e, ERR_PROTO, 0, "two merges that make the same token");
    }
    uint32_t slot = pair_slot(t, left, right);
    t->by_pair[slot] = take_id(t, left, right, (uint32_t)n);
    return OK;
}

void tokenizer_halves(const struct tokenizer *t, uint32_t id, uint32_t *ret_left,
                      uint32_t *ret_right)
{
    assert(id >= TOKENIZER_FIRST && id < t->n_ids);
    *ret_left = t->pieces[id].left;
    *ret_right = t->pieces[id].right;
}

const uint8_t *tokenizer_bytes(const struct tokenizer *t, uint32_t id, uint32_t *ret_n)
{
    assert(id >= 1 && id < t->n_ids);
    *ret_n = t->pieces[id].n;
    return t->text.p + t->pieces[id].at;
}

uint32_t tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->n_ids;
}

uint32_t tokenizer_id_bytes(const struct tokenizer *t, uint32_t id)
{
    assert(id < t->n_ids);
    return t->pieces[id].n;
}

int tokenizer_decode(const struct tokenizer *t, uint32_t id, struct buf *out, struct err *e)
{
    if (id >= t->n_ids)
        return err_set(e, ERR_PROTO, 0, "token %u is outside the vocabulary of %u", id, t->n_ids);
    buf_put(out, t->text.p + t->pieces[id].at, t->pieces[id].n);
    return buf_ok(out, e);
}

/* ---- encoding ---- */

/* A place of the word being merged: a linked list in an array, so that merging costs O(1). */
struct place {
    uint32_t id;
    uint32_t prev; /* TOKENIZER_NONE at the ends */
    uint32_t next;
};

/* A merge that was possible when it was queued. */
struct chance {
    uint32_t id; /* what it makes: lower ids were learned first and go first */
    uint32_t at;
};

/* One word seen before: where it stands in the text and where its ids are. */
struct seen {
    size_t text_at;
    size_t n_text; /* 0: empty slot */
    size_t ids_at; /* byte offset in `ids` */
    size_t n_ids;
};

struct encoder {
    const struct tokenizer *t;
    struct place *places; /* [cap] */
    struct chance *heap;  /* [3 * cap]: each place queues once, each merge twice at most */
    size_t cap;
    size_t n_heap;
    struct seen *seen; /* [seen_mask + 1]; direct mapped, newest wins */
    size_t seen_mask;
};

static bool before(struct chance a, struct chance b)
{
    return a.id != b.id ? a.id < b.id : a.at < b.at;
}

static void heap_push(struct encoder *c, uint32_t left_at)
{
    if (left_at == TOKENIZER_NONE) return;
    const struct place *left = &c->places[left_at];
    if (left->next == TOKENIZER_NONE) return;
    struct chance x = {.at = left_at};
    x.id = tokenizer_pair(c->t, left->id, c->places[left->next].id);
    if (x.id == TOKENIZER_NONE) return;
    size_t i = c->n_heap++;
    while (i > 0 && before(x, c->heap[(i - 1) / 2])) {
        c->heap[i] = c->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    c->heap[i] = x;
}

static struct chance heap_pop(struct encoder *c)
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

static int make_room(struct encoder *c, size_t n, struct err *e)
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

/* Merge the word's bytes, earliest learned pair first, leftmost of equals. */
static int merge_word(struct encoder *c, const uint8_t *p, size_t n, struct buf *ids, struct err *e)
{
    int rc = make_room(c, n, e);
    if (rc) return rc;
    struct place *x = c->places;
    for (uint32_t i = 0; i < n; i++)
        x[i] = (struct place){p[i] + 1u, i ? i - 1 : TOKENIZER_NONE,
                              i + 1 < n ? i + 1 : TOKENIZER_NONE};
    c->n_heap = 0;
    for (uint32_t i = 0; i + 1 < n; i++)
        heap_push(c, i);
    while (c->n_heap > 0) {
        struct chance top = heap_pop(c);
        struct place *left = &x[top.at];
        if (left->id == 0 || left->next == TOKENIZER_NONE) continue; /* merged away meanwhile */
        struct place *right = &x[left->next];
        if (tokenizer_pair(c->t, left->id, right->id) != top.id) continue;
        left->id = top.id;
        left->next = right->next;
        right->id = 0;
        if (left->next != TOKENIZER_NONE) x[left->next].prev = top.at;
        heap_push(c, left->prev);
        heap_push(c, top.at);
    }
    for (uint32_t i = 0; i != TOKENIZER_NONE; i = x[i].next)
        buf_put(ids, &x[i].id, sizeof x[i].id);
    return buf_ok(ids, e);
}

static int encode_words(struct encoder *c, const uint8_t *p, size_t n, struct buf *ids,
                        struct err *e)
{
    size_t len;
    for (size_t at = 0; at < n; at += len) {
        len = pretoken_next(p + at, n - at);
        struct seen *s = &c->seen[tokenizer_hash(p + at, len) & c->seen_mask];
        if (s->n_text == len && memcmp(p + s->text_at, p + at, len) == 0) {
            uint8_t *copy = buf_grow(ids, s->n_ids);
            if (!copy) return buf_ok(ids, e);
            memcpy(copy, ids->p + s->ids_at, s->n_ids);
            continue;
        }
        size_t ids_at = ids->len;
        int rc = merge_word(c, p + at, len, ids, e);
        if (rc) return rc;
        *s = (struct seen){at, len, ids_at, ids->len - ids_at};
    }
    return OK;
}

int tokenizer_encode(const struct tokenizer *t, const void *text, size_t n, struct buf *ids,
                     struct err *e)
{
    struct encoder c = {.t = t};
    size_t slots = 64;
    while (slots < n / 16 && slots < 1u << 16)
        slots *= 2;
    c.seen_mask = slots - 1;
    c.seen = alloc_zero(slots, sizeof *c.seen);
    int rc = c.seen ? encode_words(&c, text, n, ids, e)
                    : err_set(e, ERR_NOMEM, 0, "no memory to encode text");
    free(c.seen);
    free(c.places);
    free(c.heap);
    return rc;
}
