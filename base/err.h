#pragma once
/* Why: one error type for the whole program. It lives on the caller's stack, never allocates,
 * and carries a hint that tells the person what they can do. Functions that can fail return OK
 * or a negative ERR_* code and fill `struct err` when the caller gave one (NULL is allowed).
 */

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum err_code {
    OK = 0,
    ERR_NOMEM = -1,       /* out of memory */
    ERR_IO = -2,          /* file, socket or device failed; `sys` holds errno when known */
    ERR_PROTO = -3,       /* the other side or a file said something malformed */
    ERR_LIMIT = -4,       /* a stated cap would be exceeded */
    ERR_WRONG_STATE = -5, /* not possible in the present state */
    ERR_AGAIN = -6,       /* not a failure: try later; sets no text */
    ERR_CANCELLED = -7,   /* asked to stop; sets no text */
    ERR_AUTH = -8,        /* a signature, hash or key does not match */
    ERR_VERSION = -9,     /* made by a version this program does not speak */
    ERR_ARG = -10,        /* the person asked for something unusable */
    ERR_NOTFOUND = -11,   /* the named thing does not exist */
};

/* One error. `what` is one line without a full stop; `hint` is what the person can do. */
struct err {
    int code;
    int sys;
    char what[192];
    char hint[128];
};

/* Fill e (may be NULL) and return code. sys is an errno value or 0; its text is appended. */
int err_set(struct err *e, int code, int sys, const char *fmt, ...) PRINTF_LIKE(4, 5);
#ifdef __clang_analyzer__ /* it sees one file at a time and cannot know that the code comes back */
#    define err_set(e, code, ...)                                                                  \
        __extension__({                                                                            \
            (void)err_set(e, code, __VA_ARGS__);                                                   \
            (code);                                                                                \
        })
#endif

/* Set the hint of an error already filled; returns e->code, or code 0 when e is NULL. */
void err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Put context in front: "loading checkpoint: <what>". Returns e's code (ERR_WRONG_STATE when NULL). */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The code's name ("ERR_IO") for logs; never NULL. */
const char *err_name(int code);

/* "what (hint)" into dst; always terminated. Returns dst. */
char *err_line(const struct err *e, char *dst, unsigned long cap);

/* Our own bug, checked in release builds too: aborts with file and line. */
#define check(cond) ((cond) ? (void)0 : err_check_failed(#cond, __FILE__, __LINE__))
void err_check_failed(const char *cond, const char *file, int line) __attribute__((noreturn));
