#pragma once
/* Publish a round in a store alone, without files: what publish_commit does to the database. */

#include "aggregator/publish_page.h"
#include "tests/check.h"

static inline int tinypub_open(struct store *s, const struct rundesc *run, const struct key *key,
                               struct err *e)
{
    struct store_entry first = {0};
    uint8_t seed[32];
    store_secret(s, seed);
    int rc = publish_page_open(run, key, seed, 1, &first, e);
    if (rc == OK) rc = store_record_append(s, 0, &first, 1, e);
    buf_deinit(&first.text);
    return rc;
}

/* The page of a round; deinit it. */
static inline int tinypub_page(struct store *s, const struct rundesc *run, const struct key *key,
                               const struct msg_update *u, const struct round_input *in, uint32_t n,
                               struct store_tail *tail, struct publish_page *page, struct err *e)
{
    uint8_t seed[32];
    struct publish_source from = {
        .run = run, .key = key, .seed = seed, .update = u, .inputs = in, .n_inputs = n, .at_ms = 9};
    store_secret(s, seed);
    assert_int_equal(store_record_tail(s, &from.tail, e), OK);
    assert_int_equal(store_record_rows(s, from.tail.next_seq, 1000, &page->rows, &page->n_rows, e),
                     OK);
    *tail = from.tail;
    return publish_page_make(&from, page, e);
}

static inline int tinypub_commit(struct store *s, const struct msg_update *u,
                                 const struct publish_page *page, const struct store_tail *tail,
                                 struct err *e)
{
    struct store_publication p = {.update = u,
                                  .head = "signed",
                                  .first_index = tail->n_entries,
                                  .entries = page->entries,
                                  .n_entries = page->n_entries,
                                  .sheet = page->sheet_hash,
                                  .paid = page->paid,
                                  .rows = page->rows,
                                  .n_rows = page->n_rows,
                                  .at_ms = 9};
    return store_record_publish(s, &p, e);
}

static inline int tinypub_publish(struct store *s, const struct hash *run, const struct key *key,
                                  const struct msg_update *u, const struct round_input *in,
                                  uint32_t n, struct err *e)
{
    struct rundesc d = {.id = *run, .reward_per_round = 1000};
    struct publish_page page = {0};
    struct store_tail tail;
    assert_int_equal(store_record_tail(s, &tail, e), OK);
    if (tail.n_entries == 0) assert_int_equal(tinypub_open(s, &d, key, e), OK);
    int rc = tinypub_page(s, &d, key, u, in, n, &tail, &page, e);
    if (rc == OK) rc = tinypub_commit(s, u, &page, &tail, e);
    publish_page_deinit(&page);
    return rc;
}
