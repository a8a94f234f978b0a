#pragma once
/* Why: the host's database and files as rows on the virtual disk. Names are the primary keys:
 *
 *   slot/<round>/<key>      struct round_op       receipt/<key>/<round>   struct sim_receipt
 *   chunk/<id>/<i>          bytes                 payload/<hash>          bytes
 *   round/<n>               struct msg_update     head/<n>                signed text
 *   update/<hash>           bytes                 ledger/<n>/<key>        struct sim_line
 *   weights/<n>             floats, base of round n
 */

#include "tests/sim/sim_world.h"

struct sim_receipt {
    struct key_pub contributor;
    uint64_t round, seq;
    enum msg_verdict verdict;
    struct round_claim claim;
    char id[MSG_ID_HEX];
    uint32_t n_text;
    char text[2048]; /* the signed form */
};

struct sim_line {
    uint64_t round, receipt_seq, amount;
};

void sim_store_slot_name(char dst[SIM_DISK_NAME], uint64_t round, const struct key_pub *k);
void sim_store_receipt_name(char dst[SIM_DISK_NAME], const struct key_pub *k, uint64_t round);
void sim_store_hash_name(char dst[SIM_DISK_NAME], const char *folder, const struct hash *h);
void sim_store_number_name(char dst[SIM_DISK_NAME], const char *folder, uint64_t n);
void sim_store_chunk_name(char dst[SIM_DISK_NAME], const char *id, uint32_t i);
void sim_store_line_name(char dst[SIM_DISK_NAME], uint64_t round, const struct key_pub *k);

/* A row of exactly size bytes; whether it is there. */
bool sim_store_row(const struct sim_disk *d, const char *name, void *dst, size_t size);
bool sim_store_receipt(const struct sim_disk *d, const struct key_pub *k, uint64_t round,
                       struct sim_receipt *dst);
/* The next receipt row; false after the last. */
bool sim_store_next_receipt(const struct sim_disk *d, uint32_t *i, struct sim_receipt *dst);
/* Greatest seq so far. */
uint64_t sim_store_last_seq(const struct sim_disk *d);
/* Rounds published: 0 .. result - 1. */
uint64_t sim_store_n_rounds(const struct sim_disk *d);
