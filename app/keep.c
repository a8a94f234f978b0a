#include "app/keep.h"

#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "tui/rows.h"
#include "tui/theme.h"

#define KEEP_MAX 4096

static int look_path(const char *folder, char dst[PATH_CAP], struct err *e)
{
    if (path_format(dst, "%s/screen.json", folder))
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    return OK;
}

static int read_look(const void *json, size_t n, struct tui_look *ret, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc != OK) return rc;
    struct json_reader r = {.e = e};
    char theme[32];
    char graphs[32];
    struct tui_look look = {.graphs = -1};
    json_text(&r, o, "theme", theme, sizeof theme);
    json_text(&r, o, "graphs", graphs, sizeof graphs);
    look.is_calm = json_is_true(json_object_get(o, "calm"));
    json_decref(o);
    if (json_bad(&r)) return ERR_PROTO;
    /* Words of a newer version are no error: what is not known here is the usual. */
    look.theme = theme_from_name(theme) < 0 ? THEME_DEFAULT : theme_from_name(theme);
    look.graphs = theme_glyphs(graphs);
    *ret = look;
    return OK;
}

int keep_load(const char *folder, struct tui_look *ret, struct err *e)
{
    char path[PATH_CAP];
    struct buf b = {0};
    int rc = look_path(folder, path, e);
    if (rc == OK) rc = file_read(path, KEEP_MAX, &b, e);
    if (rc == OK) rc = read_look(b.p, b.len, ret, e);
    buf_deinit(&b);
    return rc;
}

int keep_save(const char *folder, const struct tui_look *look, struct err *e)
{
    static const char *const glyphs[] = {"ascii", "blocks", "braille"};
    char path[PATH_CAP];
    struct buf b = {0};
    json_t *o = json_object();
    json_set_text(o, "theme", theme_name(look->theme));
    json_set_text(o, "graphs", look->graphs < 0 ? "auto" : glyphs[look->graphs]);
    json_set_bool(o, "calm", look->is_calm);
    int rc = json_write(o, &b, e);
    json_decref(o);
    if (rc == OK) rc = look_path(folder, path, e);
    if (rc == OK) rc = file_mkdirs(folder, e);
    if (rc == OK) rc = file_replace(path, b.p, b.len, 0600, e);
    buf_deinit(&b);
    return rc;
}

int keep_path(const char *folder, const char *what, const char *ext, int64_t now_ms,
              char dst[PATH_CAP], struct err *e)
{
    time_t s = (time_t)(now_ms / 1000);
    struct tm tm;
    char at[32] = "";
    if (localtime_r(&s, &tm)) strftime(at, sizeof at, "%Y%m%d-%H%M%S", &tm);
    if (path_format(dst, "%s/%s-%s.%s", folder, what, at, ext))
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    return OK;
}

int keep_log(const struct view *v, const struct tui *t, const char *path, struct err *e)
{
    static const char *const word[] = {"debug", "info", "warn", "error"};
    struct buf b = {0};
    uint16_t rows[VIEW_LOG];
    int n = rows_log(v, t, rows);
    for (int i = 0; i < n; i++) {
        const struct view_log *l = &v->log[rows[i]];
        time_t s = (time_t)(l->at_ms / 1000);
        struct tm tm;
        char at[32] = "-";
        if (l->at_ms != VIEW_NONE && localtime_r(&s, &tm))
            strftime(at, sizeof at, "%Y-%m-%d %H:%M:%S", &tm);
        buf_printf(&b, "%s  %-5s  %s\n", at, word[l->level <= LOG_ERROR ? l->level : LOG_ERROR],
                   l->text);
    }
    int rc = buf_ok(&b, e);
    if (rc == OK) rc = file_replace(path, b.p, b.len, 0600, e);
    buf_deinit(&b);
    return rc;
}
