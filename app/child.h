#pragma once
/* Why: the screen may not block and may not map what it does not draw, so what takes a while (look at
 * an invite, join, export) is done by the command that does it anyway, as a process of its own. Its
 * answer comes to the loop when it is whole.
 *
 * Owner: child_start; frees itself after done was called. Thread: the loop's.
 */

#include <stddef.h>
#include <uv.h>

#include "base/err.h"

#define CHILD_OUT_MAX ((size_t)64 << 20)

struct child;

/* status: exit code, or -1 when it ended otherwise. text: all of its standard output, with a NUL after
 * it; valid during the call.
 */
typedef void (*child_fn)(int status, const char *text, size_t n, void *ctx);

/* Start this very program with these arguments (argv[0] is filled in; ends with NULL). Its standard
 * input is empty, its errors are thrown away: ask it for --json. ERR_IO when it cannot be started; done
 * is not called then.
 */
int child_start(uv_loop_t *loop, char **argv, child_fn done, void *ctx, struct child **ret,
                struct err *e) MUST_CHECK;

/* End it; done is not called any more. Accepts NULL. */
void child_drop(struct child *c);
