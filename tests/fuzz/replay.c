/* Why: the fuzz targets run in every row, not only under libFuzzer. This main replays each file
 * of a corpus folder and then a few hundred seeded mutations of them, so that a plain `meson test`
 * (and ASan, UBSan and TSan) walks the same code with the same inputs every time.
 *
 *     fuzz_json CORPUS_FOLDER [MUTATIONS [SEED]]
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/path.h"
#include "base/rng.h"

#define MAX_SEEDS      256
#define MAX_SEED_BYTES (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct corpus {
    struct buf seed[MAX_SEEDS];
    size_t n;
};

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* the same order in every locale */
}

static int load(struct corpus *c, const char *dir)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, NULL, by_name);
    if (n < 0) {
        fprintf(stderr, "there is no corpus folder '%s'\n", dir);
        return -1;
    }
    int rc = 0;
    for (int i = 0; i < n; i++) {
        char path[PATH_CAP];
        struct err e = {0};
        bool wanted = names[i]->d_name[0] != '.' && c->n < MAX_SEEDS;
        if (wanted && path_format(path, "%s/%s", dir, names[i]->d_name) == 0) {
            if (file_read(path, MAX_SEED_BYTES, &c->seed[c->n], &e)) {
                fprintf(stderr, "%s\n", e.what);
                rc = -1;
            }
            c->n++;
        }
        free(names[i]);
    }
    free(names);
    return rc;
}

/* One small change: flip a bit, set a byte, cut, repeat a piece, or splice in another seed. */
static void mutate(struct buf *b, const struct corpus *c, struct rng *r)
{
    uint32_t n = (uint32_t)b->len;
    uint32_t at = n ? rng_below(r, n) : 0;
    switch (rng_below(r, 6)) {
    case 0:
        if (n) b->p[at] ^= (uint8_t)(1U << rng_below(r, 8));
        break;
    case 1:
        if (n) b->p[at] = (uint8_t)rng_u64(r);
        break;
    case 2: b->len = at; break;
    case 3: buf_put_u8(b, (uint8_t)rng_u64(r)); break;
    case 4:
        if (n > 4 && at + 4 <= n) memset(b->p + at, rng_below(r, 2) ? 0xff : 0, 4);
        break;
    default: {
        const struct buf *other = &c->seed[rng_below(r, (uint32_t)c->n)];
        if (!other->len || b->len > MAX_SEED_BYTES) break;
        uint32_t from = rng_below(r, (uint32_t)other->len);
        b->len = at;
        buf_put(b, other->p + from, other->len - from);
    }
    }
}

static void run(const struct buf *b)
{
    /* An exact copy on the heap: AddressSanitizer then sees the first byte read too far. */
    uint8_t *p = malloc(b->len ? b->len : 1);
    if (!p) abort();
    if (b->len) memcpy(p, b->p, b->len);
    LLVMFuzzerTestOneInput(p, b->len);
    free(p);
}

static void run_mutations(const struct corpus *c, unsigned long n, uint64_t seed)
{
    struct rng r;
    struct buf b = {0};
    rng_init(&r, seed, 0);
    for (unsigned long i = 0; i < n; i++) {
        const struct buf *from = &c->seed[rng_below(&r, (uint32_t)c->n)];
        buf_clear(&b);
        buf_put(&b, from->p, from->len);
        for (uint32_t k = rng_below(&r, 4) + 1; k > 0; k--)
            mutate(&b, c, &r);
        run(&b);
    }
    buf_deinit(&b);
}

int main(int argc, char **argv)
{
    static struct corpus c;
    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER [MUTATIONS [SEED]]\n", argv[0]);
        return 2;
    }
    unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 500;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    if (load(&c, argv[1])) return 2;
    if (!c.n) {
        fprintf(stderr, "the corpus folder '%s' is empty: give it at least one seed\n", argv[1]);
        return 2;
    }
    for (size_t i = 0; i < c.n; i++)
        run(&c.seed[i]);
    run_mutations(&c, n, seed);
    for (size_t i = 0; i < c.n; i++)
        buf_deinit(&c.seed[i]);
    printf("%zu seeds and %lu mutations (seed %llu), no crash\n", c.n, n, (unsigned long long)seed);
    return 0;
}
