#pragma once
/* Why: `potluck-aggregator prepare`: folders of text in, tokenizer and token shards out. Same
 * text, same options, same bytes. Everything that was not used is told and counted.
 *
 *   HOME/data/tokenizer.json         Hugging Face form
 *   HOME/data/train-000.shard ...    tokens, documents separated by its <|endoftext|> or </s>
 *   HOME/data/val.shard              held-out documents, never trained on
 *   HOME/data/prepare.json           the list of all that, written last; and the report
 *
 * All of it is made in HOME/data.part and takes its place at the end: what fails changes nothing, and
 * leaves no folder that was not there.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

struct prepare_options {
    const char *home;
    const char *const *paths; /* [n_paths] files or folders */
    int n_paths;
    uint32_t vocab_size; /* to learn; not looked at when a tokenizer is given */
    double val_frac;
    const char *tokenizer_path;  /* tokenizer.json of a model to go on from, as a file */
    const struct buf *tokenizer; /* or its bytes; both NULL: learn one */
    const uint32_t *eos;   /* what ends a document, where that model says; NULL: its tokenizer */
    uint64_t shard_tokens; /* at most so many in one shard; 0: a good default */
    void (*progress)(const char *line, void *ctx); /* one line for a person; may be NULL */
    void *ctx;
};

struct prepare_report {
    uint64_t n_files;
    uint64_t n_skipped;
    uint64_t n_text_bytes;
    uint64_t n_docs, n_val_docs;
    uint64_t n_train_tokens, n_val_tokens;
    uint32_t n_shards;
    uint32_t vocab_size;
    struct hash text; /* SHA-256 of the usable files: u64 length and bytes of each, in order */
};

/* The same first look at the text without writing anything: fills n_files, n_skipped, n_text_bytes
 * and text. Is this the text that was prepared? Errors as below.
 */
int prepare_look(const struct prepare_options *o, struct prepare_report *ret,
                 struct err *e) MUST_CHECK;

/* ERR_ARG when nothing usable or too little is left (sizes in the text), ERR_WRONG_STATE when the
 * run under home is described already, ERR_PROTO when the tokenizer given cannot be represented.
 */
int prepare_run(const struct prepare_options *o, struct prepare_report *ret,
                struct err *e) MUST_CHECK;
