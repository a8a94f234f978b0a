#include "app/train_out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"

#define LOCK_NAME "train.lock"
#define MAX_JSON  (1u << 20)
#define MAX_STEP  (UINT64_C(1) << 41)

int train_out_path(const char *dir, const char *name, char ret[PATH_CAP], struct err *e)
{
    if (path_format(ret, "%s/%s", dir, name) == 0) return OK;
    err_set(e, ERR_LIMIT, 0, "the path of the model's folder is too long");
    err_hint(e, "choose a shorter --out");
    return ERR_LIMIT;
}

static bool holds(const char *dir, const char *name)
{
    char path[PATH_CAP];
    return train_out_path(dir, name, path, NULL) == OK && file_exists(path);
}

/* Is there anything in it? ERR_NOTFOUND when there is no such folder. */
static int is_empty(const char *dir, bool *ret, struct err *e)
{
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT) return ERR_NOTFOUND;
    if (!d && errno == ENOTDIR) {
        err_set(e, ERR_WRONG_STATE, 0, "'%.120s' is a file, not a folder", dir);
        err_hint(e, "choose another folder with --out");
        return ERR_WRONG_STATE;
    }
    if (!d) {
        file_error(e, errno, "open folder", dir);
        err_hint(e, "choose another folder with --out");
        return ERR_IO;
    }
    struct dirent *f = NULL;
    *ret = true;
    while ((f = readdir(d))) /* NOLINT(concurrency-mt-unsafe): before any thread */
        if (strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0) *ret = false;
    closedir(d);
    return OK;
}

int train_out_look(const char *dir, enum train_out_kind *ret, struct err *e)
{
    bool has_nothing = false;
    int rc = is_empty(dir, &has_nothing, e);
    *ret = TRAIN_OUT_NEW;
    if (rc == ERR_NOTFOUND || (rc == OK && has_nothing)) return OK;
    if (rc != OK) return rc;
    if (!holds(dir, LOCK_NAME)) {
        err_set(e, ERR_WRONG_STATE, 0, "'%.120s' holds files that potluck train did not put there",
                dir);
        err_hint(e, "choose another folder with --out; nothing was changed");
        return ERR_WRONG_STATE;
    }
    if (holds(dir, "state") && holds(dir, "train.json")) *ret = TRAIN_OUT_BEGUN;
    return OK;
}

int train_out_may(const char *dir, struct err *e)
{
    char at[PATH_CAP], above[PATH_CAP];
    if (path_format(at, "%s", dir))
        return err_set(e, ERR_LIMIT, 0, "the path of the model's folder is too long");
    while (access(at, F_OK) != 0 && errno == ENOENT && path_dirname(above, at) == 0 &&
           strcmp(above, at) != 0)
        memcpy(at, above, sizeof at);
    if (access(at, W_OK | X_OK) == 0) return OK;
    file_error(e, errno, "write into", at);
    err_hint(e, "choose another folder with --out");
    return ERR_IO;
}

static int take_lock(struct train_out *o, struct err *e)
{
    char path[PATH_CAP];
    int rc = train_out_path(o->dir, LOCK_NAME, path, e);
    if (rc != OK) return rc;
    o->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (o->lock_fd < 0) {
        file_error(e, errno, "create", path);
        err_hint(e, "choose another folder with --out");
        return ERR_IO;
    }
    if (flock(o->lock_fd, LOCK_EX | LOCK_NB) == 0) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "another training works in '%.120s'", o->dir);
    err_hint(e, "end that one first, or choose another folder with --out");
    return ERR_WRONG_STATE;
}

int train_out_open(const char *dir, struct train_out *ret, struct err *e)
{
    struct train_out o = {.lock_fd = -1};
    enum train_out_kind kind = TRAIN_OUT_NEW;
    if (path_format(o.dir, "%s", dir))
        return err_set(e, ERR_LIMIT, 0, "the path of the model's folder is too long");
    int rc = train_out_look(dir, &kind, e);
    if (rc == OK) rc = file_mkdirs(dir, e);
    if (rc == OK) rc = take_lock(&o, e);
    if (rc != OK) {
        train_out_close(&o);
        return rc;
    }
    *ret = o;
    return OK;
}

void train_out_close(struct train_out *o)
{
    if (o->lock_fd >= 0) close(o->lock_fd);
    o->lock_fd = -1;
}

int train_out_read(const char *dir, json_t **ret, struct err *e)
{
    char path[PATH_CAP];
    struct buf text = {0};
    int rc = train_out_path(dir, "train.json", path, e);
    if (rc == OK) rc = file_read(path, MAX_JSON, &text, e);
    if (rc == OK) rc = json_parse(text.p, text.len, ret, e);
    if (rc == ERR_PROTO) err_wrap(e, "train.json");
    buf_deinit(&text);
    return rc;
}

int train_out_write_bytes(const struct train_out *o, const char *name, const void *p, size_t n,
                          struct err *e)
{
    char path[PATH_CAP];
    int rc = train_out_path(o->dir, name, path, e);
    if (rc == OK) rc = file_replace(path, p, n, 0644, e);
    if (rc == ERR_IO) err_hint(e, "free some space or look who owns it, then call this again");
    return rc;
}

int train_out_write(const struct train_out *o, const char *name, const json_t *json, struct err *e)
{
    struct buf text = {0};
    int rc = json ? json_write(json, &text, e) : err_set(e, ERR_NOMEM, 0, "no memory for %s", name);
    buf_put_u8(&text, '\n');
    if (rc == OK) rc = buf_ok(&text, e);
    if (rc == OK) rc = train_out_write_bytes(o, name, text.p, text.len, e);
    buf_deinit(&text);
    return rc;
}

int train_out_write_config(const struct train_out *o, const struct model_config *m,
                           const struct hf_config_ids *ids, struct err *e)
{
    struct buf text = {0};
    int rc = hf_config_write(m, ids, DTYPE_F32, &text, e);
    if (rc == OK) rc = train_out_write_bytes(o, "config.json", text.p, text.len, e);
    buf_deinit(&text);
    return rc;
}

int train_note_write(const struct train_note *n, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    json_set_u64(o, "step", n->step);
    json_set_u64(o, "tokens", n->n_tokens);
    json_set_u64(o, "seed", n->seed);
    json_set_hash(o, "data", &n->data);
    json_set_hash(o, "options", &n->options);
    int rc = o ? json_write(o, out, e) : err_set(e, ERR_NOMEM, 0, "no memory for a note");
    json_decref(o);
    return rc;
}

int train_note_read(const char *text, struct train_note *ret, struct err *e)
{
    struct json_reader r = {.e = e};
    struct train_note n = {0};
    json_t *o = NULL;
    int rc = json_parse(text, strlen(text), &o, e);
    if (rc == OK) {
        n.step = json_u64(&r, o, "step", 0, MAX_STEP);
        n.n_tokens = json_u64(&r, o, "tokens", 0, UINT64_C(1) << 62);
        n.seed = json_u64(&r, o, "seed", 0, UINT64_C(1) << 53);
        json_hash(&r, o, "data", &n.data);
        json_hash(&r, o, "options", &n.options);
        if (json_bad(&r)) rc = ERR_PROTO;
    }
    json_decref(o);
    if (rc != OK) return err_wrap(e, "the note in the saved state");
    *ret = n;
    return OK;
}
