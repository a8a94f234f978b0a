/* Ours come first here: curses.h makes OK a macro, base/err.h an enumerator. */
/* clang-format off */
#include "tui/term.h"

#include "base/alloc.h"
#include "tui/keymap.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>
/* clang-format on */

#define ESC_MS      25
#define RESTORE_CAP 128
#define STACK_BYTES 32768

struct terminal {
    SCREEN *screen;
    FILE *in;
    int fd;
    int n_colors;
    bool is_ascii;
    enum glyphs glyphs;
    struct canvas last; /* what the terminal shows; cell NULL: unknown */
    attr_t attr[STYLE_COUNT];
    short pair[STYLE_COUNT];
    void *stack;
};

/* A signal handler can be given nothing, so what it needs lies here: written once by term_open
 * before the handlers are installed, only read by them.
 */
static struct {
    char bytes[RESTORE_CAP];
    size_t n;
    struct termios modes;
    bool has_modes;
} restore;

static const int fatal[] = {SIGSEGV, SIGABRT, SIGBUS};

static void on_fatal(int sig)
{
    ssize_t n = write(STDOUT_FILENO, restore.bytes, restore.n);
    if (restore.has_modes) tcsetattr(STDOUT_FILENO, TCSANOW, &restore.modes);
    signal(sig, SIG_DFL);
    raise(n < 0 ? sig : sig);
}

static void add_restore(const char *name)
{
    const char *s = tigetstr(name);
    if (!s || s == (const char *)-1) return;
    size_t len = strlen(s);
    if (restore.n + len > sizeof restore.bytes) return;
    memcpy(restore.bytes + restore.n, s, len);
    restore.n += len;
}

static void guard(struct terminal *t)
{
    restore.n = 0;
    add_restore("sgr0");
    add_restore("cnorm");
    add_restore("rmkx");
    add_restore("rmcup");
    t->stack = xmalloc(STACK_BYTES);
    stack_t own = {.ss_sp = t->stack, .ss_size = STACK_BYTES};
    if (sigaltstack(&own, NULL)) return;
    struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK};
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &sa, NULL);
}

static void unguard(struct terminal *t)
{
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        signal(fatal[i], SIG_DFL);
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    free(t->stack);
}

enum glyphs term_glyphs_of(const char *term_name, bool *ret_is_ascii)
{
    bool is_utf8 =
        strcmp(nl_langinfo(CODESET), "UTF-8") == 0; /* NOLINT(concurrency-mt-unsafe): one thread */
    *ret_is_ascii = !is_utf8;
    if (!is_utf8) return GLYPHS_ASCII;
    if (strncmp(term_name, "linux", 5) == 0 || wcwidth(0x28ff) != 1) return GLYPHS_BLOCKS;
    return GLYPHS_BRAILLE;
}

/* The first type, the person's own first, that is known here and can place a cursor. */
static const char *usable_type(void)
{
    const char *own = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (!own || !*own || strcmp(own, "dumb") == 0) return NULL;
    const char *const type[] = {own, "xterm-256color", "vt100"};
    for (size_t i = 0; i < sizeof type / sizeof type[0]; i++) {
        int why = 0;
        if (setupterm(type[i], STDOUT_FILENO, &why) != OK || why != 1) continue;
        const char *cup = tigetstr("cup");
        bool is_usable = cup && cup != (const char *)-1;
        del_curterm(cur_term);
        if (is_usable) return type[i];
    }
    return NULL;
}

static FILE *open_input(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        const char *name = ttyname(STDOUT_FILENO); /* NOLINT(concurrency-mt-unsafe) */
        if (name) fd = open(name, O_RDWR | O_CLOEXEC | O_NOCTTY);
    }
    if (fd < 0) return NULL;
    FILE *f = fdopen(fd, "r+");
    if (!f) close(fd);
    return f;
}

void term_theme(struct terminal *t, enum theme theme)
{
    for (int i = 0; i < STYLE_COUNT; i++) {
        struct look l = theme_look((enum style)i, t->n_colors, theme);
        t->attr[i] =
            (l.is_bold ? A_BOLD : 0) | (l.is_dim ? A_DIM : 0) | (l.is_reverse ? A_REVERSE : 0);
        t->pair[i] = 0;
        if (l.fg < 0 || t->n_colors < 8) continue;
        t->pair[i] = (short)(i + 1);
        init_pair(t->pair[i], l.fg, -1);
    }
    term_forget(t);
}

static void choose_colors(struct terminal *t, bool no_color)
{
    const char *env = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (no_color || (env && *env) || !has_colors() || start_color() != OK) return;
    use_default_colors();
    t->n_colors = COLORS;
}

static void choose_modes(void)
{
    cbreak();
    noecho();
    nonl();
    intrflush(stdscr, FALSE);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    set_escdelay(ESC_MS);
}

int term_open(const struct term_options *o, struct terminal **ret, struct err *e)
{
    restore.has_modes = tcgetattr(STDOUT_FILENO, &restore.modes) == 0;
    const char *type = isatty(STDOUT_FILENO) ? usable_type() : NULL;
    if (!type) {
        err_set(e, ERR_NOTFOUND, 0, "this terminal cannot place a cursor");
        err_hint(e, "set TERM to your terminal's type, for example TERM=xterm-256color");
        return ERR_NOTFOUND;
    }
    struct terminal *t = xmalloc(sizeof *t);
    memset(t, 0, sizeof *t);
    t->in = open_input();
    if (!t->in) {
        int sys = errno;
        free(t);
        return err_set(e, ERR_NOTFOUND, sys, "cannot read keys from this terminal");
    }
    t->fd = fileno(t->in);
    t->screen = newterm(type, stdout, t->in);
    if (!t->screen) {
        fclose(t->in);
        free(t);
        return err_set(e, ERR_NOTFOUND, 0, "cannot use the terminal type '%s'", type);
    }
    t->glyphs = term_glyphs_of(type, &t->is_ascii);
    if (o->glyphs >= 0 && !t->is_ascii) t->glyphs = (enum glyphs)o->glyphs;
    choose_colors(t, o->no_color);
    term_theme(t, o->theme);
    choose_modes();
    guard(t);
    *ret = t;
    return OK;
}

/* Without a second screen to leave, the last frame stays above the prompt; its key bar would stand
 * in the prompt's own line.
 */
static void clear_prompt_line(void)
{
    const char *rmcup = tigetstr("rmcup");
    if (rmcup && rmcup != (const char *)-1) return;
    move(LINES - 1, 0);
    clrtoeol();
    refresh();
}

void term_close(struct terminal *t)
{
    if (!t) return;
    clear_prompt_line();
    endwin();
    unguard(t);
    delscreen(t->screen);
    fclose(t->in);
    canvas_deinit(&t->last);
    free(t);
}

int term_fd(const struct terminal *t)
{
    return t->fd;
}

static int translate(int c)
{
    switch (c) {
    case KEY_UP: return KEYMAP_UP;
    case KEY_DOWN: return KEYMAP_DOWN;
    case KEY_LEFT: return KEYMAP_LEFT;
    case KEY_RIGHT: return KEYMAP_RIGHT;
    case KEY_PPAGE: return KEYMAP_PAGE_UP;
    case KEY_NPAGE: return KEYMAP_PAGE_DOWN;
    case KEY_HOME: return KEYMAP_HOME;
    case KEY_END: return KEYMAP_END;
    case KEY_BTAB: return KEYMAP_BACK_TAB;
    case KEY_ENTER: return KEYMAP_ENTER;
    case KEY_F(1): return KEYMAP_F1;
    case '\b':
    case KEY_BACKSPACE: return KEYMAP_BACKSPACE;
    default: return c > 0 && c < 0x100 ? c : 0; /* 0: a key without a meaning here */
    }
}

int term_key(struct terminal *t)
{
    int c = getch();
    if (c != ERR) return translate(c);
    struct termios modes;
    return tcgetattr(t->fd, &modes) < 0 ? KEYMAP_EOF : KEYMAP_NONE;
}

bool term_has_input(const struct terminal *t)
{
    int waiting = 0;
    return ioctl(t->fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

enum glyphs term_glyphs(const struct terminal *t)
{
    return t->glyphs;
}

bool term_is_ascii(const struct terminal *t)
{
    return t->is_ascii;
}

void term_size(const struct terminal *t, int *ret_w, int *ret_h)
{
    (void)t;
    *ret_w = COLS;
    *ret_h = LINES;
}

void term_resize(struct terminal *t)
{
    struct winsize ws;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_row == 0 || ws.ws_col == 0) return;
    if (ws.ws_row == LINES && ws.ws_col == COLS) return;
    resizeterm(ws.ws_row, ws.ws_col);
    term_forget(t);
}

void term_forget(struct terminal *t)
{
    canvas_deinit(&t->last);
}

void term_suspend(struct terminal *t)
{
    (void)t;
    endwin();
}

void term_resume(struct terminal *t)
{
    refresh(); /* takes the terminal's modes again */
    term_resize(t);
    term_forget(t);
}

static void show_cell(const struct terminal *t, int x, int y, const struct cell *k)
{
    cchar_t ch;
    wchar_t text[2] = {(wchar_t)k->cp, 0};
    if (setcchar(&ch, text, t->attr[k->style], t->pair[k->style], NULL) == OK) mvadd_wch(y, x, &ch);
}

void term_show(struct terminal *t, const struct canvas *c)
{
    bool is_fresh = !t->last.cell || t->last.w != c->w || t->last.h != c->h;
    if (is_fresh) {
        canvas_deinit(&t->last);
        canvas_init(&t->last, c->w, c->h, c->is_ascii);
        clear(); /* also clears the glass at the next refresh */
    }
    bool has_changed = is_fresh;
    for (int y = 0; y < c->h; y++) {
        for (int x = 0; x < c->w; x++) {
            const struct cell *now = &c->cell[y * c->w + x];
            struct cell *was = &t->last.cell[y * c->w + x];
            if (!is_fresh && now->cp == was->cp && now->style == was->style &&
                now->width == was->width)
                continue;
            *was = *now;
            has_changed = true;
            if (now->width) show_cell(t, x, y, now);
        }
    }
    if (!has_changed) return;
    move(0, 0);
    refresh();
}
