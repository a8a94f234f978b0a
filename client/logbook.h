#pragma once
/* Why: the screen's log page shows the newest lines that the agent logged, from any thread. */

#include <pthread.h>
#include <stdint.h>

#include "base/log.h"
#include "view/view.h"

struct logbook {
    pthread_mutex_t lock;
    uint32_t at, n;
    struct view_log lines[VIEW_LOG];
};

void logbook_init(struct logbook *b); /* begins to receive what log_write writes */
void logbook_deinit(struct logbook *b);
void logbook_add(struct logbook *b, enum log_level level, int64_t wall_ms, const char *text);
/* Oldest first; returns how many. */
uint32_t logbook_copy(struct logbook *b, struct view_log dst[VIEW_LOG]);
