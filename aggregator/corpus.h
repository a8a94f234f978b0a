#pragma once
/* Why: any folder of text becomes a list of documents, the same list on every machine. Nothing is
 * skipped silently: each file that cannot be used is told with its reason. Files are read one at
 * a time; a large file is cut at blank lines into documents of about 4 KB, so that a held-out
 * part by document exists even when everything is in one file.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/path.h"

#define CORPUS_DOC_BYTES     4096         /* a document ends at the first blank line after it */
#define CORPUS_DOC_MAX_BYTES (64 * 1024)  /* or at a line, or a character, before this */
#define CORPUS_FILE_MAX      (1ull << 30) /* larger files have to be cut by the person */

enum corpus_fault {
    CORPUS_FINE,
    CORPUS_UNREADABLE,
    CORPUS_EMPTY,
    CORPUS_BINARY,
    CORPUS_INVALID_UTF8,
    CORPUS_NOT_A_FILE, /* socket, device, link to a folder */
    CORPUS_TOO_LARGE,
    CORPUS_FAULTS,
};

struct corpus_file {
    char *path;
    uint64_t n_bytes;
};

struct corpus {
    struct corpus_file *files; /* usable by name, sorted; content is checked when read */
    size_t n_files;
    size_t cap;
    uint64_t n_bytes;
};

/* Told of each thing that is not used. what: one printable line with path and reason. */
typedef void (*corpus_skip_fn)(enum corpus_fault why, const char *path, const char *what,
                               void *ctx);

/* Add a file, or everything below a folder. ERR_NOTFOUND / ERR_IO when the path itself cannot be
 * opened, with a hint.
 */
int corpus_add(struct corpus *c, const char *path, corpus_skip_fn fn, void *ctx,
               struct err *e) MUST_CHECK;
void corpus_sort(struct corpus *c); /* by path, doubles removed */
void corpus_deinit(struct corpus *c);

/* Read file i into text (cleared first) and check it. CORPUS_FINE, or why not; `what` gets the
 * line to tell. A byte order mark at the start is left out.
 */
enum corpus_fault corpus_read(const struct corpus *c, size_t i, struct buf *text, char what[512]);

/* Length of the first document of text [n]; n > 0, result in 1..n. */
size_t corpus_doc(const uint8_t *text, size_t n);

/* A number in [0, 1) that belongs to this content; `which` 0 or 1 gives independent ones. */
double corpus_unit(const uint8_t *doc, size_t n, int which);

/* Is this document held out? By its content, so that equal documents are on the same side. */
bool corpus_is_held_out(const uint8_t *doc, size_t n, double val_frac);

const char *corpus_fault_name(enum corpus_fault f);
