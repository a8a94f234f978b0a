#include "engine/trainer_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/path.h"

enum {
    VERSION = 3,
    FIXED_BYTES = 76, /* the header before the note */
    FIXED_BYTES_1 = 68,
    HEAD_MAX = FIXED_BYTES + TRAINER_STATE_NOTE_MAX + 64,
    IO_BYTES = 1 << 20,
    SYNC_BYTES = 4 << 20
};

static const char MAGIC[8] = {'P', 'L', 'S', 'T', 'A', 'T', 'E', 1};

struct hash trainer_state_shape(const struct model_config *c)
{
    const uint32_t u[] = {c->vocab_size,
                          c->hidden_size,
                          c->intermediate_size,
                          c->num_hidden_layers,
                          c->num_attention_heads,
                          c->num_key_value_heads,
                          c->max_position_embeddings,
                          c->tie_word_embeddings};
    uint8_t bytes[sizeof u];
    for (size_t i = 0; i < sizeof u / sizeof *u; i++)
        bytes_put_u32(bytes + 4 * i, u[i]);
    return hash_of(bytes, sizeof bytes);
}

/* ---- writing ---- */

static int write_hashed(const struct trainer_state *s, int fd, struct hasher *h, const void *p,
                        size_t n, const char *name, struct err *e)
{
    const uint8_t *b = p;
    for (size_t at = 0; at < n;) {
        size_t part = n - at < IO_BYTES ? n - at : IO_BYTES;
        if (s->wait) s->wait(s->wait_ctx);
        hasher_add(h, b + at, part);
        int rc = file_write_all(fd, b + at, part, name, e);
        if (rc) return rc;
        at += part;
        /* On its way to the disk now: else the last fsync would have all of it to do at once, for
         * longer than a pause may take. Only a hint: what it cannot do, fsync does and reports. */
        if (at % SYNC_BYTES == 0) (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    return OK;
}

static void put_head(const struct trainer_state *s, const char *note, struct buf *b)
{
    uint32_t n = (uint32_t)strlen(note);
    uint32_t head = (FIXED_BYTES + n + 63) / 64 * 64;
    buf_put(b, MAGIC, sizeof MAGIC);
    buf_put_u32(b, head);
    buf_put_u32(b, VERSION);
    buf_put_u64(b, s->n_params);
    buf_put_u64(b, s->n_steps);
    buf_put(b, s->shape.b, HASH_BYTES);
    buf_put_u32(b, n);
    for (int i = 0; i < TRAINER_STATE_BLOCKS; i++)
        buf_put_u8(b, s->block[i] ? (uint8_t)s->kind[i] : TRAINER_STATE_ABSENT);
    buf_put(b, "\0\0", 2);
    buf_put(b, note, n);
    while (!b->failed && b->len < head)
        buf_put_u8(b, 0);
}

static int write_all(const struct trainer_state *s, const struct buf *head, struct hasher *h,
                     int fd, const char *name, struct err *e)
{
    int rc = write_hashed(s, fd, h, head->p, head->len, name, e);
    for (int i = 0; i < TRAINER_STATE_BLOCKS && !rc; i++)
        if (s->block[i])
            rc =
                write_hashed(s, fd, h, s->block[i], packed_bytes(s->kind[i], s->n_params), name, e);
    if (rc) return rc;
    struct hash sum = hasher_end(h);
    rc = file_write_all(fd, sum.b, HASH_BYTES, name, e);
    if (!rc && fsync(fd)) rc = file_error(e, errno, "sync", name);
    return rc;
}

/* The timeline of every replaced file: write beside it, fsync, rename, fsync the folder. Not
 * file_replace, because five blocks of a large model must not be copied into one buffer first.
 */
static int replace(const struct trainer_state *s, const struct buf *head, struct hasher *h,
                   const char *path, struct err *e)
{
    char tmp[PATH_CAP];
    char dir[PATH_CAP];
    if (path_format(tmp, "%s.tmp", path) || path_dirname(dir, path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return file_error(e, errno, "create", tmp);
    int rc = write_all(s, head, h, fd, tmp, e);
    if (close(fd) && !rc) rc = file_error(e, errno, "close", tmp);
    if (!rc && rename(tmp, path)) rc = file_error(e, errno, "replace", path);
    if (rc) {
        unlink(tmp);
        return rc;
    }
    return file_sync_dir(dir, e);
}

int trainer_state_save(const struct trainer_state *s, const char *path, const char *note,
                       struct err *e)
{
    if (strlen(note) > TRAINER_STATE_NOTE_MAX)
        return err_set(e, ERR_LIMIT, 0, "the note of a saved state may have %d bytes",
                       TRAINER_STATE_NOTE_MAX);
    struct buf head = {0};
    struct hasher *h = hasher_create();
    put_head(s, note, &head);
    int rc = h ? buf_ok(&head, e) : err_set(e, ERR_NOMEM, 0, "out of memory for a hash");
    if (!rc) rc = replace(s, &head, h, path, e);
    hasher_destroy(h);
    buf_deinit(&head);
    return rc ? err_wrap(e, "saving the training state") : OK;
}

/* ---- reading ---- */

static int damaged(struct err *e, const char *how)
{
    err_set(e, ERR_PROTO, 0, "the saved training state is damaged: %s", how);
    err_hint(e, "delete the file; training goes on from the run's newest checkpoint");
    return ERR_PROTO;
}

/* Fill h->kind; do blocks and hash take just `rest` bytes? */
static bool check_blocks(struct trainer_state_head *h, const uint8_t *kinds, uint32_t version,
                         uint64_t rest)
{
    uint64_t sum = HASH_BYTES;
    for (int i = 0; i < TRAINER_STATE_BLOCKS; i++) {
        h->kind[i] = kinds ? kinds[i] : PACKED_F32;
        if (i == TRAINER_STATE_ANCHOR && version < 3) h->kind[i] = TRAINER_STATE_ABSENT;
        if (h->kind[i] == TRAINER_STATE_ABSENT) continue;
        if (h->kind[i] >= PACKED_KINDS) return false;
        sum = size_add((size_t)sum, packed_bytes((enum packed_kind)h->kind[i], h->n_params));
    }
    return sum == rest;
}

int trainer_state_parse(const void *bytes, size_t n, uint64_t total, struct trainer_state_head *ret,
                        struct err *e)
{
    struct cursor c = {.p = bytes, .n = n};
    const uint8_t *magic = cursor_take(&c, sizeof MAGIC);
    if (!magic || memcmp(magic, MAGIC, sizeof MAGIC) != 0)
        return damaged(e, "it does not begin like one");
    struct trainer_state_head h = {0};
    h.head_bytes = cursor_u32(&c);
    uint32_t version = cursor_u32(&c);
    if (!c.bad && (version < 1 || version > VERSION)) {
        err_set(e, ERR_VERSION, 0, "the training state has version %u, this program reads %d",
                version, VERSION);
        err_hint(e, "use the program that wrote it, or delete the file");
        return ERR_VERSION;
    }
    h.note_at = version == 1 ? FIXED_BYTES_1 : FIXED_BYTES;
    h.n_params = cursor_u64(&c);
    h.n_steps = cursor_u64(&c);
    const uint8_t *shape = cursor_take(&c, HASH_BYTES);
    h.note_bytes = cursor_u32(&c);
    const uint8_t *kinds = version == 1 ? NULL : cursor_take(&c, FIXED_BYTES - FIXED_BYTES_1);
    if (c.bad || h.note_bytes > TRAINER_STATE_NOTE_MAX)
        return damaged(e, "its header is cut short");
    if (h.head_bytes != (h.note_at + h.note_bytes + 63) / 64 * 64 || h.head_bytes > n)
        return damaged(e, "its header has a wrong length");
    if (memchr((const uint8_t *)bytes + h.note_at, 0, h.note_bytes))
        return damaged(e, "its note is not a text");
    if (h.n_params == 0 || h.n_params > UINT64_MAX / 64 || total < h.head_bytes ||
        !check_blocks(&h, kinds, version, total - h.head_bytes))
        return damaged(e, "its length does not fit its header");
    memcpy(h.shape.b, shape, HASH_BYTES);
    *ret = h;
    return OK;
}

static int check_hash(int fd, uint64_t total, uint8_t *io, const char *path, struct err *e)
{
    struct hasher *h = hasher_create();
    if (!h) return err_set(e, ERR_NOMEM, 0, "out of memory for a hash");
    uint64_t end = total - HASH_BYTES;
    int rc = OK;
    for (uint64_t at = 0; at < end && !rc;) {
        size_t part = end - at < IO_BYTES ? (size_t)(end - at) : IO_BYTES;
        rc = file_read_at(fd, io, part, at, path, e);
        if (!rc) hasher_add(h, io, part);
        at += part;
    }
    struct hash want = {{0}};
    struct hash got = hasher_end(h);
    hasher_destroy(h);
    if (!rc) rc = file_read_at(fd, want.b, HASH_BYTES, end, path, e);
    if (rc || hash_equal(&want, &got)) return rc;
    err_set(e, ERR_AUTH, 0, "the saved training state does not match its hash");
    err_hint(e, "delete the file; training goes on from the run's newest checkpoint");
    return ERR_AUTH;
}

static int check_fits(const struct trainer_state *s, const struct trainer_state_head *h,
                      size_t note_cap, struct err *e)
{
    if (h->n_params != s->n_params || !hash_equal(&h->shape, &s->shape)) {
        err_set(e, ERR_PROTO, 0, "the saved training state belongs to another model");
        err_hint(e, "use the folder of that run, or delete the file to start anew");
        return ERR_PROTO;
    }
    for (int i = 0; i < TRAINER_STATE_BLOCKS; i++) {
        if (!s->block[i] || h->kind[i] == s->kind[i]) continue;
        if (i == TRAINER_STATE_ANCHOR && h->kind[i] == TRAINER_STATE_ABSENT) continue;
        err_set(e, ERR_PROTO, 0, "the saved training state was kept with other memory options");
        err_hint(e, "go on with the options it was begun with, or delete the file to start anew");
        return ERR_PROTO;
    }
    bool is_whole = s->block[TRAINER_STATE_LOCAL] && s->block[TRAINER_STATE_M];
    if (h->kind[TRAINER_STATE_ANCHOR] != TRAINER_STATE_ABSENT && is_whole &&
        !s->block[TRAINER_STATE_ANCHOR]) {
        err_set(e, ERR_PROTO, 0, "the saved training state has steps ahead; this run takes none");
        err_hint(e, "use the folder of that run, or delete the file to start anew");
        return ERR_PROTO;
    }
    if (h->note_bytes >= note_cap)
        return err_set(e, ERR_LIMIT, 0, "the saved state's note has %u bytes, room is for %zu",
                       h->note_bytes, note_cap);
    return OK;
}

/* Into io, [IO_BYTES], where the note stays. */
static int read_head(int fd, uint64_t total, const char *path, uint8_t *io,
                     struct trainer_state_head *ret, struct err *e)
{
    size_t n = total < HEAD_MAX ? (size_t)total : HEAD_MAX;
    int rc = file_read_at(fd, io, n, 0, path, e);
    return rc ? rc : trainer_state_parse(io, n, total, ret, e);
}

/* Blocks that are NULL are left out. */
static int load_fd(struct trainer_state *s, int fd, uint64_t total, const char *path, uint8_t *io,
                   char *note, size_t note_cap, struct err *e)
{
    struct trainer_state_head h = {0};
    int rc = read_head(fd, total, path, io, &h, e);
    if (!rc) rc = check_fits(s, &h, note_cap, e);
    if (rc) return rc;
    char text[TRAINER_STATE_NOTE_MAX + 1] = {0};
    memcpy(text, io + h.note_at, h.note_bytes);
    rc = check_hash(fd, total, io, path, e);
    uint64_t at = h.head_bytes;
    for (int i = 0; i < TRAINER_STATE_BLOCKS && !rc; i++) {
        if (h.kind[i] == TRAINER_STATE_ABSENT) continue;
        size_t bytes = packed_bytes((enum packed_kind)h.kind[i], s->n_params);
        if (s->block[i]) rc = file_read_at(fd, s->block[i], bytes, at, path, e);
        at += bytes;
    }
    if (rc) return rc;
    if (h.kind[TRAINER_STATE_ANCHOR] == TRAINER_STATE_ABSENT) s->block[TRAINER_STATE_ANCHOR] = NULL;
    s->n_steps = h.n_steps;
    memcpy(note, text, h.note_bytes + 1);
    return OK;
}

static int open_file(const char *path, int *ret_fd, uint64_t *ret_total, uint8_t **ret_io,
                     struct err *e)
{
    int fd = -1;
    int rc = file_open(path, &fd, ret_total, e);
    if (rc) return rc;
    *ret_io = alloc_zero(IO_BYTES, 1);
    *ret_fd = fd;
    if (*ret_io) return OK;
    close(fd);
    return err_set(e, ERR_NOMEM, 0, "out of memory for reading the training state");
}

int trainer_state_load(struct trainer_state *s, const char *path, char *note, size_t note_cap,
                       struct err *e)
{
    int fd = -1;
    uint64_t total = 0;
    uint8_t *io = NULL;
    int rc = open_file(path, &fd, &total, &io, e);
    if (rc) return rc;
    rc = load_fd(s, fd, total, path, io, note, note_cap, e);
    free(io);
    close(fd);
    return rc;
}

int trainer_state_kinds(const char *path, enum packed_kind *ret_moments,
                        enum packed_kind *ret_feedback, struct err *e)
{
    int fd = -1;
    uint8_t *io = NULL;
    uint64_t total = 0;
    struct trainer_state_head h = {0};
    int rc = open_file(path, &fd, &total, &io, e);
    if (rc) return rc;
    rc = read_head(fd, total, path, io, &h, e);
    free(io);
    close(fd);
    if (rc) return rc;
    uint8_t m = h.kind[TRAINER_STATE_M];
    uint8_t f = h.kind[TRAINER_STATE_E];
    if (f == TRAINER_STATE_ABSENT) f = PACKED_F32;
    if ((m != PACKED_F32 && m != PACKED_BF16 && m != PACKED_Q8) ||
        h.kind[TRAINER_STATE_V] != (m == PACKED_Q8 ? PACKED_U8 : m) ||
        (f != PACKED_F32 && f != PACKED_BF16))
        return damaged(e, "its values are kept as no trainer keeps them");
    *ret_moments = (enum packed_kind)m;
    *ret_feedback = (enum packed_kind)f;
    return OK;
}

int trainer_state_load_block(const char *path, const struct hash *shape, uint64_t n_params,
                             enum trainer_state_block block, float *dst, uint64_t *ret_steps,
                             char *note, size_t note_cap, struct err *e)
{
    struct trainer_state s = {.n_params = n_params, .shape = *shape};
    s.block[block] = dst;
    int rc = trainer_state_load(&s, path, note, note_cap, e);
    if (!rc && ret_steps) *ret_steps = s.n_steps;
    return rc;
}
