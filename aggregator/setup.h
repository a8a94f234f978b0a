#pragma once
/* Why: `potluck-aggregator init`: what a host chooses, with defaults for all of it, and how that
 * becomes the signed run description. The choices are kept in HOME/aggregator.json, so that init
 * and prepare can be done in either order: whichever comes second writes HOME/run.potluck.
 *
 *   HOME/aggregator.json      the choices
 *   HOME/keys/host.key        signs the run, receipts and updates
 *   HOME/keys/tls-cert.pem    and tls-key.pem: what the invite link pins
 *   HOME/model/               what the run goes on from, if anything (aggregator/origin.h)
 *   HOME/run.potluck          the run description; never changes once written
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "record/rundesc.h"

#define SETUP_HOST_CAP   128
#define SETUP_MAX_PUBLIC RUNDESC_MAX_AGGREGATORS /* addresses of one aggregator */

struct origin;

struct setup {
    char name[48];
    char note[256];
    char listen_addr[SETUP_HOST_CAP + 8]; /* ADDR:PORT; port 0: a free one is chosen at init */
    /* HOST:PORT as contributors reach it, several with commas between them; "" = listen */
    char public_addr[SETUP_MAX_PUBLIC * (SETUP_HOST_CAP + 8)];
    uint64_t hidden, layers, heads, kv_heads, intermediate, seq, batch;
    uint64_t inner_steps, inner_seconds, max_inner_steps, ahead_steps, upload_seconds, rounds;
    uint64_t warmup_steps, total_steps;
    uint64_t k, chunk, min_contributions;
    uint64_t val_seqs, checkpoint_every, seed;
    uint64_t retention;                  /* rounds of payloads kept; 0: all */
    uint64_t puzzle_bits, puzzle_memory; /* what a new key has to solve; bits 0: nothing; MiB */
    uint64_t reward;                     /* whole credits a round */
    uint64_t score_seconds; /* processor time for trying out contributions; 0: paid by tokens */
    double lr, outer_lr, min_senders, weight_decay;
    char from[PATH_CAP]; /* the model that the run goes on from, as init was told; "" = none */
};

enum setup_type { SETUP_TEXT, SETUP_COUNT, SETUP_REAL };

/* One choice: the flag "--name", the member of aggregator.json, its bounds, its help. */
struct setup_option {
    const char *name;
    enum setup_type type;
    size_t offset;
    size_t cap;    /* SETUP_TEXT: bytes with NUL */
    double lo, hi; /* numbers */
    const char *help;
};

const struct setup_option *setup_options(size_t *ret_n);
void setup_defaults(struct setup *s);

/* Set one choice from text; "public" adds an address. ERR_ARG with flag, value and bounds. */
int setup_set(struct setup *s, const char *name, const char *value, struct err *e) MUST_CHECK;

/* The width inside a layer when none is chosen. */
uint64_t setup_intermediate(uint64_t hidden);

/* Choices that do not fit together: ERR_ARG with a sentence. Fills what follows from others. */
int setup_check(struct setup *s, struct err *e) MUST_CHECK;

int setup_save(const struct setup *s, const char *home, struct err *e) MUST_CHECK;
int setup_load(const char *home, struct setup *ret, struct err *e) MUST_CHECK; /* ERR_NOTFOUND */

/* "ADDR:PORT" or "[v6]:PORT" apart. ERR_ARG. */
int setup_split(const char *text, char host[SETUP_HOST_CAP], uint16_t *ret_port,
                struct err *e) MUST_CHECK;

/* The i-th address that contributors are told. ERR_NOTFOUND (no text) when there are fewer. */
int setup_address(const struct setup *s, uint32_t i, char host[SETUP_HOST_CAP], uint16_t *ret_port,
                  struct err *e) MUST_CHECK;

/* ERR_WRONG_STATE when this home has choices already; ERR_ARG when they do not make a run: then
 * nothing is written. Otherwise choose a free port if port 0 is asked for, make keys and
 * certificate, keep the model that the run goes on from (NULL: it begins with new weights), save.
 */
int setup_create(struct setup *s, const struct origin *from, const char *home,
                 struct err *e) MUST_CHECK;
