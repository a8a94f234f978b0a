#pragma once
/* Why: one log for people and one shape for machines: "time level text" lines to stderr and,
 * when a file is set, the same line there, rotated at a size. Only client/, app/ and aggregator/
 * log; other rooms return errors. Thread safe. Text is made printable before it is written.
 */

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Called for every line at or above the level, on the thread that logged. */
typedef void (*log_sink_fn)(enum log_level level, long long wall_ms, const char *text, void *ctx);

void log_set_level(enum log_level level);
void log_set_stderr(int on);
void log_set_sink(log_sink_fn fn, void *ctx); /* NULL to remove */

/* Append to this file as well; beyond max_bytes it is renamed to path.1 and begun anew. */
int log_open(const char *path, long max_bytes, struct err *e) MUST_CHECK;
void log_close(void);

void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_err(enum log_level level, const struct err *e, const char *doing);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
