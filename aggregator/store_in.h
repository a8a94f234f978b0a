#pragma once
/* Why: what the files of the store share, and nobody else may see. */

#include <pthread.h>

#include "aggregator/store.h"
#include "aggregator/store_db.h"

/* The tables of store_admit.h; made when they are missing. */
int store_admit_open(struct store_db *db, struct err *e) MUST_CHECK;

/* The table of store_payee.h, likewise. */
int store_payee_open(struct store_db *db, struct err *e) MUST_CHECK;

struct store {
    pthread_mutex_t lock;
    struct store_db *db;
    uint8_t secret[32];
};
