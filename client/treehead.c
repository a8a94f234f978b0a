#include "client/treehead.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"

/* --- what is remembered ----------------------------------------------------------------------- */

/* By any of the run's keys. */
static int verify(const struct treehead *t, const void *note, size_t n, struct note_head *ret,
                  struct err *e)
{
    int rc = err_set(e, ERR_AUTH, 0, "the run names no aggregator");
    for (uint32_t i = 0; i < t->n_keys && rc == ERR_AUTH; i++) {
        if (e) *e = (struct err){0};
        rc = note_verify(note, n, &t->run, &t->keys[i], ret, e);
    }
    return rc;
}

static int read_file(struct treehead *t, struct err *e)
{
    char aside[PATH_CAP];
    int rc = file_read(t->path, NOTE_MAX_BYTES, &t->note, e);
    if (rc == ERR_NOTFOUND) {
        if (e) *e = (struct err){0};
        return OK;
    }
    if (!rc) rc = verify(t, t->note.p, t->note.len, &t->head, e);
    t->has = !rc;
    if (rc != ERR_PROTO && rc != ERR_AUTH && rc != ERR_LIMIT) return rc;
    buf_clear(&t->note);
    if (path_format(aside, "%s.unreadable", t->path) == 0) (void)!rename(t->path, aside);
    return err_wrap(e, "the remembered tree head was set aside");
}

int treehead_open(struct treehead *t, const char *run_dir, const char *evidence_dir,
                  const struct rundesc *run, struct err *e)
{
    *t = (struct treehead){.run = run->id, .n_keys = run->n_aggregators};
    for (uint32_t i = 0; i < run->n_aggregators; i++)
        t->keys[i] = run->aggregators[i].key;
    if (path_format(t->path, "%s/treehead", run_dir) ||
        path_format(t->evidence, "%s", evidence_dir))
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    return read_file(t, e);
}

int treehead_forget(const char *run_dir, struct err *e)
{
    char path[PATH_CAP];
    char aside[PATH_CAP];
    if (path_format(path, "%s/treehead", run_dir) ||
        path_format(aside, "%s/treehead.set-aside", run_dir))
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    if (rename(path, aside)) return errno == ENOENT ? OK : file_error(e, errno, "set aside", path);
    return file_sync_dir(run_dir, e);
}

void treehead_deinit(struct treehead *t)
{
    if (!t) return;
    buf_deinit(&t->note);
    *t = (struct treehead){0};
}

static int remember(struct treehead *t, const struct note_head *head, const void *note, size_t n,
                    struct err *e)
{
    struct buf copy = {0};
    buf_put(&copy, note, n);
    int rc = buf_ok(&copy, e);
    if (!rc) rc = file_replace(t->path, note, n, 0600, e);
    if (rc) {
        buf_deinit(&copy);
        return err_wrap(e, "remembering the tree head");
    }
    buf_deinit(&t->note);
    t->note = copy;
    t->head = *head;
    t->has = true;
    return OK;
}

/* --- evidence --------------------------------------------------------------------------------- */

/* All that was seen when a tree head was refused. */
struct seen {
    const char *what; /* in words */
    const void *note; /* NULL: there was none */
    size_t n;
    const struct note_head *head; /* NULL: the note is not to be believed */
    bool has_proof;               /* these two, and the tiles can be got: */
    struct merkle_proof proof;
    struct tiles_list tiles;
    tiles_get_fn get;
    void *ctx;
};

static int save(const char *dir, const char *name, const void *p, size_t n, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/%s", dir, name))
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    return file_replace(path, p, n, 0600, e);
}

static int save_words(const struct treehead *t, const struct seen *v, const char *dir,
                      struct err *e)
{
    struct buf b = {0};
    char hex[HASH_HEX];
    buf_printf(&b, "%s\n\nrun                %s\n", v->what, hash_hex(&t->run, hex));
    for (uint32_t i = 0; i < t->n_keys; i++)
        buf_printf(&b, "aggregator's key   %s\n", key_hex(&t->keys[i], hex));
    if (t->has)
        buf_printf(&b, "remembered         %llu entries, root %s\n",
                   (unsigned long long)t->head.n_leaves, hash_hex(&t->head.root, hex));
    if (v->head)
        buf_printf(&b, "received           %llu entries, root %s\n",
                   (unsigned long long)v->head->n_leaves, hash_hex(&v->head->root, hex));
    buf_put_str(
        &b,
        "\nBoth notes are C2SP signed notes; the log is hashed as RFC 9162 says. A host\n"
        "that signed both cannot have kept one and the same record.\n"
        "\nNothing more is sent to this host. What you can do: show this folder to the others\n"
        "and to the host, and give the run up with `potluck leave`. If the host has told why\n"
        "(say, its disk broke and it went back to a copy) and you believe it: `potluck leave`,\n"
        "then `potluck join --anew LINK` trusts the record that it shows from now on.\n");
    int rc = buf_ok(&b, e);
    if (!rc) rc = save(dir, "what.txt", b.p, b.len, e);
    buf_deinit(&b);
    return rc;
}

static int save_proof(const struct treehead *t, const struct seen *v, const char *dir,
                      struct err *e)
{
    struct buf b = {0};
    buf_printf(&b, "consistency %llu %llu\n", (unsigned long long)t->head.n_leaves,
               (unsigned long long)v->head->n_leaves);
    for (uint32_t i = 0; i < v->proof.n; i++) {
        hex_b64_encode(&b, v->proof.h[i].b, HASH_BYTES);
        buf_put_u8(&b, '\n');
    }
    int rc = buf_ok(&b, e);
    if (!rc) rc = save(dir, "proof.txt", b.p, b.len, e);
    buf_deinit(&b);
    return rc;
}

/* "tile/0/x001/067.p/3" as one file name */
static int save_tile(const struct tiles_at *at, const struct hash *h, const char *dir,
                     struct err *e)
{
    char name[TILES_PATH_CAP];
    tiles_path(at, name);
    for (char *p = name; *p; p++)
        if (*p == '/') *p = '-';
    return save(dir, name, h, at->width * sizeof *h, e);
}

static int save_all(const struct treehead *t, const struct seen *v, const char *dir, struct err *e)
{
    int rc = file_mkdirs(dir, e);
    if (!rc && t->has) rc = save(dir, "remembered.note", t->note.p, t->note.len, e);
    if (!rc && v->note)
        rc = save(dir, "received.note", v->note, v->n < NOTE_MAX_BYTES ? v->n : NOTE_MAX_BYTES, e);
    if (!rc && v->has_proof) rc = save_proof(t, v, dir, e);
    struct hash *h = !rc && v->has_proof ? alloc_zero(TILES_WIDTH, sizeof *h) : NULL;
    for (uint32_t i = 0; h && !rc && i < v->tiles.n; i++) {
        rc = v->get(v->ctx, &v->tiles.at[i], h, e);
        if (!rc) rc = save_tile(&v->tiles.at[i], h, dir, e);
    }
    free(h);
    if (!rc) rc = save_words(t, v, dir, e); /* last: with it the folder is complete */
    return rc;
}

/* Save what was seen and say so. The same evidence twice is one folder. */
static int refuse(const struct treehead *t, const struct seen *v, struct err *e)
{
    char dir[PATH_CAP];
    char run[HASH_HEX];
    char note[HASH_HEX];
    struct err trouble = {0};
    struct hash h = hash_of(v->note ? v->note : "", v->n);
    hash_hex(&t->run, run);
    hash_hex(&h, note);
    int rc = path_format(dir, "%s/%.8s-%.8s", t->evidence, run, v->note ? note : "gone");
    if (rc)
        err_set(&trouble, ERR_ARG, 0, "the path is too long");
    else
        rc = save_all(t, v, dir, &trouble);
    log_error("%s; evidence: %s", v->what, rc ? trouble.what : dir);
    if (rc)
        err_set(e, ERR_AUTH, 0, "%s; evidence could not be saved: %.60s", v->what, trouble.what);
    else
        err_set(e, ERR_AUTH, 0, "%s; evidence is in %s", v->what, dir);
    err_hint(e, "nothing more is sent to this host; what.txt there says what you can do");
    return ERR_AUTH;
}

/* --- taking a newer one ----------------------------------------------------------------------- */

static int check_growth(struct treehead *t, struct seen *v, struct err *e)
{
    struct tiles_reader *r = alloc_zero(1, sizeof *r);
    uint64_t m = t->head.n_leaves;
    uint64_t n = v->head->n_leaves;
    if (!r) return err_set(e, ERR_NOMEM, 0, "no memory to check the tree head");
    tiles_reader_init(r, n, v->get, v->ctx);
    int rc = tiles_for_consistency(m, n, &v->tiles, e);
    if (!rc) rc = merkle_consistency(m, n, tiles_node, r, &v->proof, e);
    free(r);
    if (rc) return rc;
    if (!merkle_check_consistency(m, &t->head.root, n, &v->head->root, &v->proof, NULL)) return OK;
    v->what = "the host has rewritten the run's history";
    v->has_proof = true;
    return refuse(t, v, e);
}

static int check_head(struct treehead *t, struct seen *v, struct err *e)
{
    const struct note_head *was = &t->head;
    if (!t->has) return OK;
    if (v->head->n_leaves > was->n_leaves) return check_growth(t, v, e);
    if (v->head->n_leaves == was->n_leaves && hash_equal(&v->head->root, &was->root)) return OK;
    v->what = v->head->n_leaves < was->n_leaves
                  ? "the host shows an older record than it did before"
                  : "the host has rewritten the run's history";
    return refuse(t, v, e);
}

int treehead_take(struct treehead *t, const void *note, size_t n, uint64_t n_least,
                  tiles_get_fn get, void *ctx, struct err *e)
{
    struct note_head head;
    struct seen v = {.note = note, .n = n, .get = get, .ctx = ctx};
    int rc = verify(t, note, n, &head, e);
    if (rc == ERR_NOMEM) return rc;
    if (rc) { /* proves nothing: a damaged disk does that too */
        err_set(e, ERR_PROTO, 0, "the host's tree head is damaged, or not signed by it");
        err_hint(e, "it is asked for again; tell the host if this stays");
        return ERR_PROTO;
    }
    v.head = &head;
    rc = check_head(t, &v, e);
    if (rc) return rc;
    bool is_new = !t->has || head.n_leaves > t->head.n_leaves;
    if (is_new) rc = remember(t, &head, note, n, e);
    if (rc || head.n_leaves >= n_least) return rc;
    return err_set(e, TREEHEAD_STALE, 0,
                   "the record has %llu entries where %llu rounds were merged",
                   (unsigned long long)head.n_leaves, (unsigned long long)(n_least - 1));
}

int treehead_gone(struct treehead *t, struct err *e)
{
    struct seen v = {.what = "the host shows no record any more"};
    return t->has ? refuse(t, &v, e) : OK;
}

/* --- one check, tile by tile ------------------------------------------------------------------ */

void treehead_check_clear(struct treehead_check *c)
{
    buf_deinit(&c->note);
    free(c->h);
    *c = (struct treehead_check){0};
}

int treehead_check_begin(struct treehead_check *c, const struct treehead *t, const void *note,
                         size_t n, struct err *e)
{
    struct note_head head;
    treehead_check_clear(c);
    buf_put(&c->note, note, n);
    int rc = buf_ok(&c->note, e);
    /* Whatever is wrong with the note is for the end to say. */
    if (rc || !t->has || verify(t, note, n, &head, NULL)) return rc;
    if (head.n_leaves <= t->head.n_leaves) return OK;
    rc = tiles_for_consistency(t->head.n_leaves, head.n_leaves, &c->want, e);
    if (rc || c->want.n == 0) return rc;
    c->h = alloc_zero((size_t)c->want.n * TILES_WIDTH, sizeof *c->h);
    return c->h ? OK : err_set(e, ERR_NOMEM, 0, "no memory for the log's tiles");
}

const struct tiles_at *treehead_check_next(const struct treehead_check *c)
{
    return c->n_fed < c->want.n ? &c->want.at[c->n_fed] : NULL;
}

int treehead_check_feed(struct treehead_check *c, const void *p, size_t n, struct err *e)
{
    const struct tiles_at *at = treehead_check_next(c);
    check(at != NULL);
    int rc = tiles_hashes(p, n, at->width, c->h + (size_t)c->n_fed * TILES_WIDTH, e);
    if (!rc) c->n_fed++;
    return rc;
}

static int give(void *ctx, const struct tiles_at *at, struct hash ret[TILES_WIDTH], struct err *e)
{
    const struct treehead_check *c = ctx;
    for (uint32_t i = 0; i < c->n_fed; i++) {
        if (!tiles_same(&c->want.at[i], at)) continue;
        memcpy(ret, c->h + (size_t)i * TILES_WIDTH, TILES_WIDTH * sizeof *ret);
        return OK;
    }
    return err_set(e, ERR_NOTFOUND, 0, "a tile of the log was not fetched");
}

int treehead_check_end(struct treehead_check *c, struct treehead *t, uint64_t n_least,
                       struct err *e)
{
    return treehead_take(t, c->note.p, c->note.len, n_least, give, c, e);
}
