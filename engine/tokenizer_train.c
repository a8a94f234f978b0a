/* Learning merges. Words are counted once; then the most frequent pair of neighbours is merged,
 * again and again. Three things make it quick: a word that occurs a thousand times is worked on
 * once, each pair knows the words it occurs in, and a heap finds the most frequent pair although
 * its entries may be out of date: a count only falls unless the pair is new, so that a stale entry
 * is put back with its true count when it comes up.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/pretoken.h"
#include "engine/tokenizer_table.h"

#define MAX_WORD 256u /* longer words are learned from in pieces; encoding does not cut them */

struct word {
    const uint8_t *text;
    uint32_t n_text;
    uint32_t n; /* ids left */
    size_t at;  /* of its ids in `ids` */
    uint64_t count;
};

struct pair {
    uint32_t left;
    uint32_t right;
    uint64_t count;
    uint32_t *words; /* where it occurs; may name words where it no longer does */
    uint32_t n_words;
    uint32_t cap;
};

/* Heap entry: the count when it was pushed. */
struct top {
    uint64_t count;
    uint32_t pair;
};

/* Any growing array: `p` holds n items of the given size, room for cap. */
struct list {
    void *p;
    size_t n;
    size_t cap;
};

struct learner {
    struct list words; /* struct word */
    struct list pairs; /* struct pair */
    struct list heap;  /* struct top */
    uint32_t *ids;     /* all words' ids, one after another */
    uint32_t *slots;   /* open addressing: index + 1 into words, later into pairs */
    size_t n_slots;
};

static bool list_room(struct list *l, size_t size)
{
    if (l->n < l->cap) return true;
    size_t cap = l->cap ? 2 * l->cap : 1024;
    void *p = alloc_resize(l->p, cap, size);
    if (!p) return false;
    l->p = p;
    l->cap = cap;
    return true;
}

static void learner_deinit(struct learner *x)
{
    struct pair *pairs = x->pairs.p;
    for (size_t i = 0; i < x->pairs.n; i++)
        free(pairs[i].words);
    free(x->words.p);
    free(x->pairs.p);
    free(x->heap.p);
    free(x->ids);
    free(x->slots);
}

/* ---- counting words ---- */

static size_t word_slot(const struct learner *x, const uint8_t *p, size_t n)
{
    const struct word *words = x->words.p;
    size_t mask = x->n_slots - 1;
    for (size_t s = tokenizer_hash(p, n) & mask;; s = (s + 1) & mask) {
        if (!x->slots[s]) return s;
        const struct word *w = &words[x->slots[s] - 1];
        if (w->n_text == n && memcmp(w->text, p, n) == 0) return s;
    }
}

static bool grow_word_slots(struct learner *x)
{
    if (2 * (x->words.n + 1) <= x->n_slots) return true;
    size_t n = x->n_slots ? 2 * x->n_slots : 4096;
    uint32_t *slots = alloc_zero(n, sizeof *slots);
    if (!slots) return false;
    free(x->slots);
    x->slots = slots;
    x->n_slots = n;
    const struct word *words = x->words.p;
    for (size_t i = 0; i < x->words.n; i++)
        x->slots[word_slot(x, words[i].text, words[i].n_text)] = (uint32_t)i + 1;
    return true;
}

static bool count_word(struct learner *x, const uint8_t *p, size_t n)
{
    if (n < 2) return true; /* nothing to merge */
    if (x->words.n >= UINT32_MAX - 1) return false;
    if (!grow_word_slots(x) || !list_room(&x->words, sizeof(struct word))) return false;
    struct word *words = x->words.p;
    uint32_t *slot = &x->slots[word_slot(x, p, n)];
    if (!*slot) {
        words[x->words.n++] = (struct word){.text = p, .n_text = (uint32_t)n};
        *slot = (uint32_t)x->words.n;
    }
    words[*slot - 1].count++;
    return true;
}

static bool count_words(struct learner *x, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t len = pretoken_next(PRETOKEN_GPT2, p, n);
        for (size_t at = 0; at < len; at += MAX_WORD)
            if (!count_word(x, p + at, len - at < MAX_WORD ? len - at : MAX_WORD)) return false;
        p += len;
        n -= len;
    }
    return true;
}

/* ---- pairs ---- */

static size_t pair_slot(const struct learner *x, uint32_t left, uint32_t right)
{
    const struct pair *pairs = x->pairs.p;
    size_t mask = x->n_slots - 1;
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    for (size_t s = (size_t)(h >> 24) & mask;; s = (s + 1) & mask) {
        if (!x->slots[s]) return s;
        const struct pair *q = &pairs[x->slots[s] - 1];
        if (q->left == left && q->right == right) return s;
    }
}

static bool grow_pair_slots(struct learner *x)
{
    if (2 * (x->pairs.n + 1) <= x->n_slots) return true;
    uint32_t *slots = alloc_zero(2 * x->n_slots, sizeof *slots);
    if (!slots) return false;
    free(x->slots);
    x->slots = slots;
    x->n_slots *= 2;
    const struct pair *pairs = x->pairs.p;
    for (size_t i = 0; i < x->pairs.n; i++)
        x->slots[pair_slot(x, pairs[i].left, pairs[i].right)] = (uint32_t)i + 1;
    return true;
}

/* Index of the pair, added when new; UINT32_MAX when memory is out. */
static uint32_t find_pair(struct learner *x, uint32_t left, uint32_t right)
{
    uint32_t *slot = &x->slots[pair_slot(x, left, right)];
    if (*slot) return *slot - 1;
    if (x->pairs.n >= UINT32_MAX - 1 || !grow_pair_slots(x) ||
        !list_room(&x->pairs, sizeof(struct pair)))
        return UINT32_MAX;
    struct pair *pairs = x->pairs.p;
    pairs[x->pairs.n++] = (struct pair){.left = left, .right = right};
    x->slots[pair_slot(x, left, right)] = (uint32_t)x->pairs.n;
    return (uint32_t)x->pairs.n - 1;
}

static bool pair_in_word(struct learner *x, uint32_t i_pair, uint32_t i_word)
{
    struct pair *q = (struct pair *)x->pairs.p + i_pair;
    if (q->n_words > 0 && q->words[q->n_words - 1] == i_word) return true;
    if (q->n_words == q->cap) {
        uint32_t cap = q->cap ? 2 * q->cap : 4;
        uint32_t *words = alloc_resize(q->words, cap, sizeof *words);
        if (!words) return false;
        q->words = words;
        q->cap = cap;
    }
    q->words[q->n_words++] = i_word;
    return true;
}

/* Count the word's pairs; those that hold `news` (any, when it is 0) learn that they occur here. */
static bool add_pairs(struct learner *x, uint32_t i_word, uint32_t news)
{
    const struct word *w = (const struct word *)x->words.p + i_word;
    const uint32_t *ids = x->ids + w->at;
    for (uint32_t i = 0; i + 1 < w->n; i++) {
        uint32_t i_pair = find_pair(x, ids[i], ids[i + 1]);
        if (i_pair == UINT32_MAX) return false;
        ((struct pair *)x->pairs.p)[i_pair].count += w->count;
        bool is_new = !news || ids[i] == news || ids[i + 1] == news;
        if (is_new && !pair_in_word(x, i_pair, i_word)) return false;
    }
    return true;
}

static void drop_pairs(struct learner *x, uint32_t i_word)
{
    const struct word *w = (const struct word *)x->words.p + i_word;
    const uint32_t *ids = x->ids + w->at;
    for (uint32_t i = 0; i + 1 < w->n; i++)
        ((struct pair *)x->pairs.p)[x->slots[pair_slot(x, ids[i], ids[i + 1])] - 1].count -=
            w->count;
}

/* ---- heap: most frequent first, then the lower ids, so that the order is the same anywhere ---- */

static bool before(const struct learner *x, struct top a, struct top b)
{
    const struct pair *p = (const struct pair *)x->pairs.p + a.pair;
    const struct pair *q = (const struct pair *)x->pairs.p + b.pair;
    if (a.count != b.count) return a.count > b.count;
    return p->left != q->left ? p->left < q->left : p->right < q->right;
}

static bool heap_push(struct learner *x, uint32_t i_pair)
{
    struct top t = {((struct pair *)x->pairs.p)[i_pair].count, i_pair};
    if (t.count < 2) return true;
    if (!list_room(&x->heap, sizeof t)) return false;
    struct top *heap = x->heap.p;
    size_t i = x->heap.n++;
    while (i > 0 && before(x, t, heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = t;
    return true;
}

static struct top heap_pop(struct learner *x)
{
    struct top *heap = x->heap.p;
    struct top result = heap[0];
    struct top t = heap[--x->heap.n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= x->heap.n) break;
        if (child + 1 < x->heap.n && before(x, heap[child + 1], heap[child])) child++;
        if (!before(x, heap[child], t)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = t;
    return result;
}

/* ---- learning ---- */

static bool spell_words(struct learner *x)
{
    struct word *words = x->words.p;
    size_t n = 0;
    for (size_t i = 0; i < x->words.n; i++)
        n += words[i].n_text;
    x->ids = alloc_zero(n + 1, sizeof *x->ids);
    free(x->slots);
    x->n_slots = 1u << 14;
    x->slots = alloc_zero(x->n_slots, sizeof *x->slots);
    if (!x->ids || !x->slots) return false;
    n = 0;
    for (uint32_t i = 0; i < x->words.n; i++) {
        words[i].at = n;
        words[i].n = words[i].n_text;
        for (uint32_t j = 0; j < words[i].n; j++)
            x->ids[n++] = words[i].text[j] + 1u;
        if (!add_pairs(x, i, 0)) return false;
    }
    for (uint32_t i = 0; i < x->pairs.n; i++)
        if (!heap_push(x, i)) return false;
    return true;
}

/* Put id in place of each left, right in the word. */
static void merge_in_word(struct learner *x, uint32_t i_word, uint32_t left, uint32_t right,
                          uint32_t id)
{
    struct word *w = (struct word *)x->words.p + i_word;
    uint32_t *ids = x->ids + w->at;
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        bool is_pair = ids[i] == left && i + 1 < w->n && ids[i + 1] == right;
        ids[n++] = is_pair ? id : ids[i];
        i += is_pair;
    }
    w->n = n;
}

static bool merge_everywhere(struct learner *x, uint32_t i_pair, uint32_t id)
{
    struct pair q = ((struct pair *)x->pairs.p)[i_pair];
    size_t n_before = x->pairs.n;
    ((struct pair *)x->pairs.p)[i_pair].words = NULL; /* ours now; it will not occur again */
    ((struct pair *)x->pairs.p)[i_pair].n_words = 0;
    ((struct pair *)x->pairs.p)[i_pair].cap = 0;
    bool ok = true;
    for (uint32_t i = 0; ok && i < q.n_words; i++) {
        drop_pairs(x, q.words[i]);
        merge_in_word(x, q.words[i], q.left, q.right, id);
        ok = add_pairs(x, q.words[i], id);
    }
    free(q.words);
    for (size_t i = n_before; ok && i < x->pairs.n; i++)
        ok = heap_push(x, (uint32_t)i);
    return ok;
}

/* Learn until the vocabulary is full or no pair occurs twice. */
static int learn(struct learner *x, struct tokenizer *t, uint32_t vocab_size,
                 tokenizer_progress_fn progress, void *ctx, struct err *e)
{
    while (tokenizer_vocab_size(t) < vocab_size && x->heap.n > 0) {
        struct top top = heap_pop(x);
        const struct pair *q = (const struct pair *)x->pairs.p + top.pair;
        if (q->count != top.count) {
            if (!heap_push(x, top.pair)) return err_set(e, ERR_NOMEM, 0, "no memory to learn");
            continue;
        }
        struct err why = {0};
        uint32_t id = tokenizer_vocab_size(t);
        int rc = tokenizer_merge(t, q->left, q->right, &why);
        if (rc == ERR_PROTO) continue; /* "ab" + "c" when "a" + "bc" is known: leave it apart */
        if (rc) return err_set(e, rc, 0, "%s", why.what);
        if (!merge_everywhere(x, top.pair, id))
            return err_set(e, ERR_NOMEM, 0, "no memory to learn more than %u tokens", id);
        if (progress) progress(id + 1, vocab_size, ctx);
    }
    return OK;
}

int tokenizer_train(const void *text, size_t n, uint32_t vocab_size, tokenizer_progress_fn progress,
                    void *ctx, struct tokenizer **ret, struct err *e)
{
    struct learner x = {0};
    struct tokenizer *t = NULL;
    int rc = tokenizer_create(vocab_size, &t, e);
    if (rc) return rc;
    if (!count_words(&x, text, n) || !spell_words(&x))
        rc = err_set(e, ERR_NOMEM, 0, "no memory to learn from %zu bytes of text", n);
    if (rc == OK) rc = learn(&x, t, vocab_size, progress, ctx, e);
    learner_deinit(&x);
    if (rc)
        tokenizer_destroy(t);
    else
        *ret = t;
    return rc;
}
