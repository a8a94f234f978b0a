#include "client/logbook.h"

#include "base/utf8.h"

static void sink(enum log_level level, long long wall_ms, const char *text, void *ctx)
{
    logbook_add(ctx, level, wall_ms, text);
}

void logbook_init(struct logbook *b)
{
    pthread_mutex_init(&b->lock, NULL);
    b->at = 0;
    b->n = 0;
    log_set_sink(sink, b);
}

void logbook_deinit(struct logbook *b)
{
    log_set_sink(NULL, NULL);
    pthread_mutex_destroy(&b->lock);
}

void logbook_add(struct logbook *b, enum log_level level, int64_t wall_ms, const char *text)
{
    pthread_mutex_lock(&b->lock);
    struct view_log *l = &b->lines[(b->at + b->n) % VIEW_LOG];
    if (b->n == VIEW_LOG)
        b->at = (b->at + 1) % VIEW_LOG;
    else
        b->n++;
    l->at_ms = wall_ms;
    l->level = (uint8_t)level;
    utf8_printable(text, l->text, sizeof l->text);
    pthread_mutex_unlock(&b->lock);
}

uint32_t logbook_copy(struct logbook *b, struct view_log dst[VIEW_LOG])
{
    pthread_mutex_lock(&b->lock);
    uint32_t n = b->n;
    for (uint32_t i = 0; i < n; i++)
        dst[i] = b->lines[(b->at + i) % VIEW_LOG];
    pthread_mutex_unlock(&b->lock);
    return n;
}
