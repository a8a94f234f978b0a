#include "app/train_show.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "view/text.h"

#define KEEP        0.95 /* of a mean's past, at each value */
#define TERMINAL_MS 500
#define PLAIN_WIDTH 160
#define USUAL_WIDTH 80
#define NARROWEST   20

void train_mean_add(struct train_mean *m, double x)
{
    m->sum = m->sum * KEEP + x;
    m->weight = m->weight * KEEP + 1;
}

double train_mean_value(const struct train_mean *m)
{
    return m->weight > 0 ? m->sum / m->weight : (double)NAN;
}

int64_t train_left_ms(uint64_t done, int64_t elapsed_ms, uint64_t to_do)
{
    if (to_do == 0) return 0;
    if (done == 0) return -1;
    return (int64_t)((double)elapsed_ms / (double)done * (double)to_do);
}

/* Append a part with two spaces in front, if it fits. false: it did not, and no later one may. */
PRINTF_LIKE(4, 5)
static bool add(char *dst, size_t cap, int width, const char *fmt, ...)
{
    char part[128];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(part, sizeof part, fmt, ap);
    va_end(ap);
    size_t at = strlen(dst);
    size_t gap = at ? 2 : 0;
    if (n < 0 || at + gap + (size_t)n > (size_t)width || at + gap + (size_t)n >= cap) return false;
    memcpy(dst + at, "  ", gap);
    memcpy(dst + at + gap, part, (size_t)n + 1);
    return true;
}

char *train_progress_text(const struct train_progress *p, int width, char *dst, size_t cap)
{
    char a[TEXT_CAP];
    dst[0] = 0;
    bool fits = add(dst, cap, width, "step %llu/%llu", (unsigned long long)p->step,
                    (unsigned long long)p->steps);
    fits = fits && add(dst, cap, width, "loss %s", text_fixed(p->loss, 3, a));
    fits = fits && add(dst, cap, width, "%s tok/s", text_number(p->tok_per_s, a));
    if (p->left_ms >= 0)
        fits = fits && add(dst, cap, width, "%s left", text_duration(p->left_ms, a));
    if (!isnan(p->val_loss))
        fits = fits &&
               add(dst, cap, width, "held-out %s bits/byte", text_fixed(p->bits_per_byte, 3, a));
    if (fits) (void)add(dst, cap, width, "%s so far", text_duration(p->elapsed_ms, a));
    return dst;
}

json_t *train_progress_json(const char *event, const struct train_progress *p)
{
    json_t *o = json_object();
    json_set_text(o, "event", event);
    json_set_u64(o, "step", p->step);
    json_set_u64(o, "steps", p->steps);
    json_set_real(o, "loss", p->loss);
    json_set_real(o, "val_loss", p->val_loss);
    json_set_real(o, "val_bits_per_byte", p->bits_per_byte);
    json_set_real(o, "tokens_per_s", p->tok_per_s);
    json_set_real(o, "train_s", (double)p->elapsed_ms / 1e3);
    json_set_real(o, "left_s", p->left_ms < 0 ? (double)NAN : (double)p->left_ms / 1e3);
    return o;
}

/* ---- printing ---- */

void train_show_init(struct train_show *s, bool is_json, uint64_t report_s)
{
    *s = (struct train_show){.is_json = is_json, .is_terminal = !is_json && isatty(STDOUT_FILENO)};
    s->report_ms = s->is_terminal ? TERMINAL_MS : (int64_t)report_s * 1000;
    s->shown_at_ms = INT64_MIN / 2;
}

void train_show_end(struct train_show *s)
{
    if (s->has_line) putchar('\n');
    s->has_line = false;
    (void)fflush(stdout);
}

void train_show_line(struct train_show *s, const char *fmt, ...)
{
    if (s->is_json) return;
    if (s->has_line) fputs("\r\x1b[K", stdout);
    s->has_line = false;
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    (void)fflush(stdout);
}

/* One column is left free: a terminal wraps when the last one is written. */
static int columns(const struct train_show *s)
{
    struct winsize w = {0};
    if (!s->is_terminal) return PLAIN_WIDTH;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0) return USUAL_WIDTH - 1;
    return w.ws_col < NARROWEST ? NARROWEST : w.ws_col - 1;
}

void train_show_progress(struct train_show *s, const struct train_progress *p, int64_t now_ms,
                         bool is_forced)
{
    char text[PLAIN_WIDTH + 1];
    if (!is_forced && now_ms - s->shown_at_ms < s->report_ms) return;
    s->shown_at_ms = now_ms;
    if (s->is_json) {
        train_show_event(s, train_progress_json("progress", p));
        return;
    }
    train_progress_text(p, columns(s), text, sizeof text);
    if (s->is_terminal)
        printf("\r%s\x1b[K", text);
    else
        puts(text);
    s->has_line = s->is_terminal;
    (void)fflush(stdout);
}

void train_show_event(struct train_show *s, json_t *o)
{
    struct buf b = {0};
    if (s->is_json && o && json_write(o, &b, NULL) == OK) {
        puts(buf_str(&b));
        (void)fflush(stdout);
    }
    buf_deinit(&b);
    json_decref(o);
}
