#pragma once
/* Why: the agent talks to strangers' servers and reads what they send. Should a parser ever be
 * fooled, the process must not be able to do more than its work: after the start it can run no
 * program, make no process, open nothing but its own folders and what a resolver and the sensors
 * read, listen nowhere, look into no other process, and make no memory executable.
 *
 *   no_new_privs   nothing that is run could gain rights; and seccomp needs it
 *   Landlock       files and folders by path; TCP ports and signals where the kernel's ABI has them
 *   seccomp        a list of the system calls that the agent makes; any other fails with EPERM
 *
 * Own filter and own list, no library: a list of numbers and one loop (docs/decisions/0017). Counts
 * for the calling thread and those it makes later, so it is entered before any thread. A kernel
 * without Landlock gives less, and sandbox_text says so. A build with a sanitizer leaves seccomp
 * out, for its run-time needs calls that the agent does not.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/path.h"

struct sandbox {
    bool has_privs_off, has_landlock, has_seccomp;
    int abi; /* of Landlock; 0: none */
};

/* own: what may be read and written; the socket's folder: only to remove the socket. Folders that
 * are not there are left out. Errors of the kernel take a part away and are seen in ret; ERR_ARG
 * alone is an error.
 */
int sandbox_enter(const struct paths *own, struct sandbox *ret, struct err *e) MUST_CHECK;

/* "no exec, no new process, files of its own folders only, ..." */
void sandbox_text(const struct sandbox *s, char *dst, unsigned long cap);

/* sandbox_try.c: do each forbidden thing, in a process of its own that has entered. Returns how many
 * were tried, *ret_refused how many did not work; *ret_done: the first that did work, or "". own must be
 * folders that may be written. 0: no process could be made. Blocks for some milliseconds.
 */
int sandbox_try(const struct paths *own, int *ret_refused, char *ret_done, unsigned long cap);
