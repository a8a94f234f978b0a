#include "tests/sim/sim_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void sim_store_slot_name(char dst[SIM_DISK_NAME], uint64_t round, const struct key_pub *k)
{
    char hex[KEY_HEX];
    snprintf(dst, SIM_DISK_NAME, "slot/%" PRIu64 "/%s", round, key_hex(k, hex));
}

void sim_store_receipt_name(char dst[SIM_DISK_NAME], const struct key_pub *k, uint64_t round)
{
    char hex[KEY_HEX];
    snprintf(dst, SIM_DISK_NAME, "receipt/%s/%" PRIu64, key_hex(k, hex), round);
}

void sim_store_hash_name(char dst[SIM_DISK_NAME], const char *folder, const struct hash *h)
{
    char hex[HASH_HEX];
    snprintf(dst, SIM_DISK_NAME, "%s/%s", folder, hash_hex(h, hex));
}

void sim_store_number_name(char dst[SIM_DISK_NAME], const char *folder, uint64_t n)
{
    snprintf(dst, SIM_DISK_NAME, "%s/%" PRIu64, folder, n);
}

void sim_store_chunk_name(char dst[SIM_DISK_NAME], const char *id, uint32_t i)
{
    snprintf(dst, SIM_DISK_NAME, "chunk/%s/%" PRIu32, id, i);
}

void sim_store_line_name(char dst[SIM_DISK_NAME], uint64_t round, const struct key_pub *k)
{
    char hex[KEY_HEX];
    snprintf(dst, SIM_DISK_NAME, "ledger/%" PRIu64 "/%s", round, key_hex(k, hex));
}

bool sim_store_row(const struct sim_disk *d, const char *name, void *dst, size_t size)
{
    const struct buf *b = sim_disk_get(d, name);
    if (!b) return false;
    check(b->len == size);
    memcpy(dst, b->p, size);
    return true;
}

bool sim_store_receipt(const struct sim_disk *d, const struct key_pub *k, uint64_t round,
                       struct sim_receipt *dst)
{
    char name[SIM_DISK_NAME];
    sim_store_receipt_name(name, k, round);
    return sim_store_row(d, name, dst, sizeof *dst);
}

bool sim_store_next_receipt(const struct sim_disk *d, uint32_t *i, struct sim_receipt *dst)
{
    const char *name = sim_disk_next(d, "receipt/", i);
    return name && sim_store_row(d, name, dst, sizeof *dst);
}

uint64_t sim_store_last_seq(const struct sim_disk *d)
{
    uint64_t last = 0;
    uint32_t i = 0;
    struct sim_receipt r;
    while (sim_store_next_receipt(d, &i, &r))
        if (r.seq > last) last = r.seq;
    return last;
}

uint64_t sim_store_n_rounds(const struct sim_disk *d)
{
    char name[SIM_DISK_NAME];
    uint64_t n = 0;
    for (;; n++) {
        sim_store_number_name(name, "round", n);
        if (!sim_disk_get(d, name)) return n;
    }
}
