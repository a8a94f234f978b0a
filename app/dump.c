#include "app/dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/recording.h"
#include "base/alloc.h"
#include "base/file.h"
#include "tui/screen.h"
#include "tui/term.h"

static int dump_size(const char *text, int *ret_w, int *ret_h, struct err *e)
{
    char rest = 0;
    int n = sscanf(text, "%dx%d%c", ret_w, ret_h, &rest);
    if (n == 2 && *ret_w >= 1 && *ret_w <= CANVAS_MAX_W && *ret_h >= 1 && *ret_h <= CANVAS_MAX_H)
        return OK;
    err_set(e, ERR_ARG, 0, "'%s' is no size of a screen", text);
    err_hint(e, "give columns x rows, for example --dump 80x24");
    return ERR_ARG;
}

int dump_frame(const struct attach_options *o, enum screen screen, struct err *e)
{
    int w = 0;
    int h = 0;
    bool is_ascii = false;
    int rc = dump_size(o->dump, &w, &h, e);
    if (rc) return rc;
    if (!o->recording) {
        err_set(e, ERR_ARG, 0, "there is nothing to draw");
        err_hint(e, "name a file of views with --recording FILE");
        return ERR_ARG;
    }
    enum glyphs glyphs = term_glyphs_of("", &is_ascii);
    if (o->graphs && !is_ascii) glyphs = (enum glyphs)theme_glyphs(o->graphs);
    struct view *v = xmalloc(sizeof *v);
    view_init(v);
    struct recording r = {0};
    rc = recording_open(o->recording, &r, e);
    if (rc == OK) rc = recording_view(&r, r.n - 1, v, e);
    if (rc == OK) {
        struct canvas c;
        struct buf out = {0};
        struct tui t = {.screen = screen, .has_view = true};
        struct screen_frame f = {.c = &c,
                                 .v = v,
                                 .t = &t,
                                 .glyphs = glyphs,
                                 .now_ms = o->frozen_time_ms ? o->frozen_time_ms : v->at_ms};
        canvas_init(&c, w, h, is_ascii);
        screen_draw(&f);
        for (int y = 0; y < c.h; y++) {
            canvas_row(&c, y, &out);
            buf_put_u8(&out, '\n');
        }
        rc = buf_ok(&out, e);
        if (rc == OK) rc = file_write_all(STDOUT_FILENO, out.p, out.len, "standard output", e);
        buf_deinit(&out);
        canvas_deinit(&c);
    }
    recording_deinit(&r);
    free(v);
    return rc;
}
