#include "app/train_history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define MAX_FILE (512u << 20)
#define MAX_S    1e12

int train_history_add(const char *path, const struct train_row *row, struct err *e)
{
    const struct train_progress *p = &row->p;
    struct buf line = {0};
    json_t *o = json_object();
    json_set_u64(o, "step", p->step);
    json_set_u64(o, "tokens", row->n_tokens);
    json_set_real(o, "loss", p->loss);
    json_set_real(o, "val_loss", p->val_loss);
    json_set_real(o, "val_bits_per_byte", p->bits_per_byte);
    json_set_real(o, "lr", row->lr);
    json_set_real(o, "grad_norm", row->grad_norm);
    json_set_real(o, "tokens_per_s", p->tok_per_s);
    json_set_real(o, "train_s", (double)p->elapsed_ms / 1e3);
    json_set_i64(o, "time_ms", row->wall_ms);
    int rc = o ? json_write(o, &line, e) : err_set(e, ERR_NOMEM, 0, "no memory for the history");
    buf_put_u8(&line, '\n');
    if (rc == OK) rc = buf_ok(&line, e);
    int fd = rc == OK ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (rc == OK && fd < 0) rc = file_error(e, errno, "open", path);
    if (rc == OK) rc = file_write_all(fd, line.p, line.len, path, e);
    if (fd >= 0) close(fd);
    json_decref(o);
    buf_deinit(&line);
    return rc;
}

/* Is this line a row up to `step`? Then its training time. */
static bool read_row(const char *line, size_t n, uint64_t step, double *ret_s)
{
    struct json_reader r = {0};
    json_t *o = NULL;
    if (json_parse(line, n, &o, NULL) != OK) return false;
    (void)json_u64(&r, o, "step", 0, step);
    double s = json_real_in(&r, o, "train_s", 0, MAX_S);
    json_decref(o);
    if (json_bad(&r)) return false;
    *ret_s = s;
    return true;
}

int train_history_cut(const char *path, uint64_t step, int64_t *ret_ms, struct err *e)
{
    struct buf text = {0}, kept = {0};
    double last_s = 0;
    *ret_ms = 0;
    int rc = file_read(path, MAX_FILE, &text, e);
    if (rc == ERR_NOTFOUND) return OK;
    for (size_t at = 0; rc == OK && at < text.len;) {
        const char *line = (const char *)text.p + at;
        const char *end = memchr(line, '\n', text.len - at);
        size_t n = end ? (size_t)(end - line) : text.len - at;
        at += n + 1;
        if (!end || !read_row(line, n, step, &last_s)) continue;
        buf_put(&kept, line, n + 1);
    }
    if (rc == OK) rc = buf_ok(&kept, e);
    if (rc == OK && kept.len != text.len) rc = file_replace(path, kept.p, kept.len, 0644, e);
    if (rc == OK) *ret_ms = (int64_t)(last_s * 1e3 + 0.5);
    buf_deinit(&text);
    buf_deinit(&kept);
    return rc;
}
