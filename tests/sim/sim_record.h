#pragma once
/* Why: the parts of sim_record: the world in which the power goes (sim_record.c) and the oracle
 * that looks at what is published (sim_record_oracle.c).
 */

#include "aggregator/publish.h"
#include "base/rng.h"
#include "record/merkle.h"

#define SIM_RECORD_ROUNDS   500 /* of one run: its log fills a tile, and the next run begins */
#define SIM_RECORD_PEERS    6
#define SIM_RECORD_EMISSION 1000003 /* not a multiple of anything */
#define SIM_RECORD_RECEIPTS (SIM_RECORD_ROUNDS * (SIM_RECORD_PEERS + 2))

/* What a contributor was answered. */
struct answer {
    struct key_pub contributor;
    uint64_t round;
    enum msg_verdict verdict;
    struct hash payload;
    uint64_t reward; /* from the sheet */
    bool is_on_sheet;
};

/* How a run comes to its end. */
enum ending { END_BY_NUMBER, END_WITH_A_ROUND, END_BETWEEN_ROUNDS, ENDINGS };

/* What the outside world has seen of the record. */
struct witness {
    struct merkle_range range;
    uint64_t n_seen; /* greatest tree head */
    uint64_t next_seq, next_round;
    struct hash model, commit;
    uint64_t paid;
    bool is_ended;
    struct hash bases[SIM_RECORD_ROUNDS + 1];
    uint64_t emissions[SIM_RECORD_ROUNDS + 2]; /* by changes on record; 0: as the round before */
    uint64_t n_changes, n_rollbacks;
};

struct world {
    char home[PATH_CAP];
    struct rundesc run;
    struct model_table table;
    struct key key;
    struct rng rng;
    int64_t now;
    enum ending ending;
    uint64_t n_rounds;
    bool is_back_asked; /* for a rollback, with the open round */
    /* what a crash takes away */
    struct store *store;
    struct spool spool;
    struct publish publish;
    struct round round;
    float *base, *next;
    bool is_up;
    /* the power */
    int n_left; /* durable steps until it goes; below zero: it stays */
    int n_steps;
    bool is_cut;
    char cut_at[64];
    bool is_busy; /* something arrives at the next step */
    /* the outside */
    struct witness seen;
    uint64_t n_answers;
    struct answer *answers; /* [MAX_RECEIPTS], by number - 1 */
    struct err e;
};

/* Something does not hold: say what, and end the program. */
void sim_record_fail(const struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3)
    __attribute__((noreturn));

#define HOLDS(w, cond, ...)                                                                        \
    do {                                                                                           \
        if (!(cond)) sim_record_fail(w, __VA_ARGS__);                                              \
    } while (0)
#define MUST(w, call) HOLDS(w, (call) == OK, "%s: %s", #call, (w)->e.what)

/* Read the tree head; what is new in it is read from the bundles and held against what was seen. */
void sim_record_look(struct world *w);

/* The whole ledger, line by line, and the tree from its tiles. */
void sim_record_audit(struct world *w);
