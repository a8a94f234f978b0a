#pragma once
/* A whole small run in memory, as an honest host publishes it: three contributors, some rounds, one
 * of them late, signed entries in tiles, a tree head. Tests then change a bit of it, or forge a
 * part with the host's own key, and look what the auditor finds.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/audit_run.h"
#include "record/checkpoint.h"
#include "record/merge.h"
#include "record/reward.h"
#include "record/tiles.h"
#include "tests/check.h"
#include "tests/unit/tinyrun.h"

#define AUDITRIG_PEERS 3
#define AUDITRIG_FILES 4096

/* By hash in hex, by path in the log, or "weights/N". */
struct auditrig_file {
    char name[80];
    struct buf b;
};

struct auditrig {
    struct rundesc run;
    struct buf jws; /* its signed text */
    struct model_table t;
    struct key host, peer[AUDITRIG_PEERS];
    uint8_t seed[32];
    uint32_t n_files;
    struct auditrig_file files[AUDITRIG_FILES];
    struct tiles_edge edge;
    struct buf bundle;
    uint64_t n_entries, n_rounds, next_seq, paid;
    float *base;
    /* The last round as it was put on record, for who wants to forge it. */
    struct entry last;
    uint64_t last_index;
    /* What a test makes the host do; each is called before the thing is signed. */
    void (*twist_row)(struct sheet_row *r);
    void (*twist_receipt)(struct msg_receipt *m);
    void (*twist_manifest)(struct msg_manifest *m);
    void (*twist_entry)(struct entry *m);
    bool is_repeating;         /* everybody sends what it sent in round 0, and the host takes it */
    uint32_t n_merged_at_most; /* 0: all; fewer: the host leaves somebody out of the merge */
    /* What the auditor told. */
    uint32_t n_findings;
    struct audit_finding findings[64];
    struct audit_source source;
};

static struct auditrig auditrig_the; /* too big for a stack */

/* ---- files ---------------------------------------------------------------------------------- */

static inline struct auditrig_file *auditrig_find(struct auditrig *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_files; i++)
        if (strcmp(r->files[i].name, name) == 0) return &r->files[i];
    return NULL;
}

static inline void auditrig_put(struct auditrig *r, const char *name, const void *p, size_t n)
{
    struct auditrig_file *f = auditrig_find(r, name);
    if (!f) {
        assert_in_range(r->n_files, 0, AUDITRIG_FILES - 1);
        f = &r->files[r->n_files++];
        snprintf(f->name, sizeof f->name, "%s", name);
    }
    buf_clear(&f->b);
    buf_put(&f->b, p, n);
}

static inline struct hash auditrig_put_blob(struct auditrig *r, const void *p, size_t n)
{
    char hex[HASH_HEX];
    struct hash h = hash_of(p, n);
    auditrig_put(r, hash_hex(&h, hex), p, n);
    return h;
}

static inline struct auditrig_file *auditrig_blob(struct auditrig *r, const struct hash *h)
{
    char hex[HASH_HEX];
    struct auditrig_file *f = auditrig_find(r, hash_hex(h, hex));
    assert_non_null(f);
    return f;
}

static inline void auditrig_lose(struct auditrig *r, const struct hash *h)
{
    auditrig_blob(r, h)->name[0] = 0;
}

static inline void auditrig_flip(struct auditrig_file *f)
{
    assert_non_null(f);
    f->b.p[f->b.len / 2] ^= 1;
}

static inline int auditrig_give(struct auditrig *r, const char *name, size_t max, struct buf *out,
                                struct err *e)
{
    const struct auditrig_file *f = auditrig_find(r, name);
    if (!f) return err_set(e, ERR_NOTFOUND, 0, "no file");
    if (f->b.len > max) return err_set(e, ERR_LIMIT, 0, "too long");
    buf_put(out, f->b.p, f->b.len);
    return buf_ok(out, e);
}

static inline int auditrig_get_blob(void *ctx, const struct hash *h, size_t max, struct buf *out,
                                    struct err *e)
{
    char hex[HASH_HEX];
    return auditrig_give(ctx, hash_hex(h, hex), max, out, e);
}

static inline int auditrig_get_log(void *ctx, const char *path, size_t max, struct buf *out,
                                   struct err *e)
{
    return auditrig_give(ctx, path, max, out, e);
}

static inline int auditrig_get_weights(void *ctx, uint64_t round, size_t max, struct buf *out,
                                       struct err *e)
{
    char name[40];
    snprintf(name, sizeof name, "weights/%llu", (unsigned long long)round);
    return auditrig_give(ctx, name, max, out, e);
}

static inline int auditrig_get_rounds(void *ctx, uint64_t *ret, uint32_t cap, uint32_t *ret_n,
                                      struct err *e)
{
    struct auditrig *r = ctx;
    (void)e;
    *ret_n = 0;
    for (uint64_t i = 0; i <= r->n_rounds && *ret_n < cap; i++) {
        char name[40];
        snprintf(name, sizeof name, "weights/%llu", (unsigned long long)i);
        if (auditrig_find(r, name)) ret[(*ret_n)++] = i;
    }
    return OK;
}

/* ---- the log -------------------------------------------------------------------------------- */

static inline int auditrig_tile(void *ctx, const struct tiles_at *at, const void *p, size_t n,
                                struct err *e)
{
    char path[TILES_PATH_CAP];
    (void)e;
    auditrig_put(ctx, tiles_path(at, path), p, n);
    return OK;
}

static inline void auditrig_head(struct auditrig *r)
{
    struct note_head h = {
        .run = r->run.id, .n_leaves = r->edge.n, .root = tiles_edge_root(&r->edge)};
    struct buf b = {0};
    assert_int_equal(tiles_edge_flush(&r->edge, auditrig_tile, r, NULL), OK);
    assert_int_equal(note_sign(&h, &r->host, &b, NULL), OK);
    auditrig_put(r, "checkpoint", b.p, b.len);
    buf_deinit(&b);
}

static inline void auditrig_append_text(struct auditrig *r, const void *p, size_t n)
{
    char path[TILES_PATH_CAP];
    struct hash leaf = merkle_leaf(p, n);
    if (r->n_entries % TILES_WIDTH == 0) buf_clear(&r->bundle);
    assert_int_equal(tiles_bundle_add(&r->bundle, p, n, NULL), OK);
    struct tiles_at at = {.is_entries = true,
                          .index = r->n_entries / TILES_WIDTH,
                          .width = (uint32_t)(r->n_entries % TILES_WIDTH) + 1};
    auditrig_put(r, tiles_path(&at, path), r->bundle.p, r->bundle.len);
    assert_int_equal(tiles_edge_add(&r->edge, &leaf, auditrig_tile, r, NULL), OK);
    r->n_entries++;
    auditrig_head(r);
}

static inline void auditrig_append(struct auditrig *r, struct entry *m)
{
    struct buf b = {0};
    m->run = r->run.id;
    m->index = r->n_entries;
    m->at_ms = 1700000000000 + (int64_t)r->n_entries;
    if (r->twist_entry) r->twist_entry(m);
    assert_int_equal(entry_sign(m, &r->host, &b, NULL), OK);
    auditrig_append_text(r, b.p, b.len);
    buf_deinit(&b);
}

static inline struct hash auditrig_commit(const struct auditrig *r, uint64_t round)
{
    struct hash secret = entry_secret(r->seed, &r->run.id, round);
    return entry_commit(&r->run.id, round, &secret);
}

/* ---- an honest round ------------------------------------------------------------------------ */

static inline void auditrig_manifest(struct auditrig *r, struct sheet_row *row, uint32_t who)
{
    struct msg_manifest *m = calloc(1, sizeof *m);
    struct buf b = {0};
    assert_non_null(m);
    m->run = r->run.id;
    snprintf(m->id, sizeof m->id, "%032x", who);
    m->round = row->round;
    m->base = model_hash(&r->t, r->base);
    m->payload = row->payload;
    m->n_bytes = row->n_bytes;
    m->n_chunks = 1;
    m->chunks[0] = row->payload;
    m->n_tokens = row->n_tokens;
    m->n_steps = row->n_steps;
    m->loss = 5.0 + who;
    m->tok_per_s = 1000;
    snprintf(m->engine, sizeof m->engine, "test");
    m->created_at_ms = 1700000000000;
    if (r->twist_manifest) r->twist_manifest(m);
    assert_int_equal(msg_manifest_sign(m, &r->peer[who], &b, NULL), OK);
    row->manifest = auditrig_put_blob(r, b.p, b.len);
    buf_deinit(&b);
    free(m);
}

static inline void auditrig_receipt(struct auditrig *r, struct sheet_row *row)
{
    struct msg_receipt m = {.run = r->run.id,
                            .contributor = row->contributor,
                            .seq = row->seq,
                            .round = row->round,
                            .payload = row->payload,
                            .n_bytes = row->n_bytes,
                            .n_tokens = row->n_tokens,
                            .verdict = row->verdict,
                            .created_at_ms = 1700000000000};
    struct buf b = {0};
    snprintf(m.reason, sizeof m.reason, "%s", row->reason);
    m.is_settled = true;
    m.reward = row->reward;
    m.entry = r->n_entries;
    if (r->twist_receipt) r->twist_receipt(&m);
    assert_int_equal(msg_receipt_sign(&m, &r->host, &b, NULL), OK);
    row->receipt = auditrig_put_blob(r, b.p, b.len);
    buf_deinit(&b);
}

static inline struct sheet_row auditrig_row(struct auditrig *r, uint32_t who, bool is_late)
{
    struct buf b = {0};
    struct sheet_row row = {.seq = r->next_seq++,
                            .round = is_late ? r->n_rounds - 1 : r->n_rounds,
                            .contributor = r->peer[who].pub,
                            .n_tokens = 32 + 32 * (uint64_t)(who % 2),
                            .n_steps = 2,
                            .verdict = is_late ? MSG_LATE : MSG_ACCEPTED,
                            .n_checks = 1,
                            .checks = {{"form", SHEET_PASSED}}};
    tinyrun_payload(&r->run, &r->t, (r->is_repeating ? 0 : 100 * r->n_rounds) + who, &b);
    row.n_bytes = b.len;
    if (is_late) {
        row.payload = hash_of(b.p, b.len); /* a late payload is not kept */
        snprintf(row.reason, sizeof row.reason, "late by 4 s");
        row.checks[0] = (struct sheet_check){"in-time", SHEET_FAILED};
    } else {
        row.payload = auditrig_put_blob(r, b.p, b.len);
        row.weight = row.n_tokens;
    }
    buf_deinit(&b);
    return row;
}

static inline void auditrig_pay(struct auditrig *r, struct sheet *s, uint32_t n)
{
    struct reward_share share[AUDITRIG_PEERS];
    for (uint32_t i = 0; i < n; i++)
        share[i] = (struct reward_share){.contributor = s->rows[i].contributor,
                                         .n_tokens = s->rows[i].n_tokens};
    reward_split(r->run.reward_per_round, share, n);
    for (uint32_t i = 0; i < n; i++)
        s->rows[i].reward = share[i].amount;
}

static inline int auditrig_by_key(const void *a, const void *b)
{
    const struct sheet_row *const *x = a;
    const struct sheet_row *const *y = b;
    return memcmp((*x)->contributor.b, (*y)->contributor.b, KEY_BYTES);
}

/* Merge rows 0 .. n-1 into the update; base becomes the next one. */
static inline void auditrig_merge(struct auditrig *r, const struct sheet *s, uint32_t n,
                                  struct entry_round *m)
{
    struct merge_input in[AUDITRIG_PEERS];
    const struct sheet_row *order[AUDITRIG_PEERS];
    struct buf u = {0};
    double loss = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct buf *b = &auditrig_blob(r, &s->rows[i].payload)->b;
        in[i] = (struct merge_input){s->rows[i].contributor, b->p, b->len, s->rows[i].n_tokens};
        order[i] = &s->rows[i];
        m->n_tokens += s->rows[i].n_tokens;
    }
    qsort(order, n, sizeof *order, auditrig_by_key);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t who = 0; who < AUDITRIG_PEERS; who++)
            if (key_equal(&order[i]->contributor, &r->peer[who].pub))
                loss += (5.0 + who) * (double)order[i]->n_tokens;
    m->train_loss = n ? loss / (double)m->n_tokens : (double)NAN;
    uint32_t n_in = r->n_merged_at_most && r->n_merged_at_most < n ? r->n_merged_at_most : n;
    assert_int_equal(
        merge_run(&r->t, &r->run.train.delta, r->run.merge_min_senders, in, n_in, &u, NULL), OK);
    assert_int_equal(
        merge_apply(&r->t, &r->run.train.delta, r->run.train.outer_lr, u.p, u.len, r->base, NULL),
        OK);
    m->update = auditrig_put_blob(r, u.p, u.len);
    m->update_bytes = u.len;
    m->n_merged = n;
    buf_deinit(&u);
}

/* One round: all three take part; in odd rounds the third one's line is a late one. */
static inline void auditrig_round(struct auditrig *r)
{
    struct entry e = {.kind = ENTRY_ROUND};
    struct entry_round *m = &e.round;
    struct sheet_row rows[AUDITRIG_PEERS];
    bool has_late = r->n_rounds % 2 == 1;
    uint32_t n = has_late ? AUDITRIG_PEERS - 1 : AUDITRIG_PEERS;
    struct sheet s = {.round = r->n_rounds, .n = AUDITRIG_PEERS, .rows = rows};
    struct buf b = {0};
    m->first_seq = r->next_seq;
    for (uint32_t i = 0; i < AUDITRIG_PEERS; i++)
        rows[i] = auditrig_row(r, i, i >= n);
    auditrig_pay(r, &s, n);
    for (uint32_t i = 0; i < AUDITRIG_PEERS; i++) {
        if (r->twist_row) r->twist_row(&rows[i]);
        auditrig_manifest(r, &rows[i], i);
        auditrig_receipt(r, &rows[i]);
    }
    m->round = r->n_rounds;
    m->base = model_hash(&r->t, r->base);
    auditrig_merge(r, &s, n, m);
    m->result = model_hash(&r->t, r->base);
    m->emission = m->paid = r->run.reward_per_round;
    m->secret = entry_secret(r->seed, &r->run.id, m->round);
    m->commit_next = auditrig_commit(r, m->round + 1);
    m->rule_merge = ENTRY_RULE_MERGE;
    m->rule_reward = ENTRY_RULE_REWARD;
    m->last_seq = r->next_seq - 1;
    assert_int_equal(sheet_encode(&s, &b, NULL), OK);
    m->sheet = auditrig_put_blob(r, b.p, b.len);
    m->sheet_bytes = b.len;
    buf_deinit(&b);
    r->n_rounds++;
    r->paid += m->paid;
    r->last_index = r->n_entries;
    auditrig_append(r, &e);
    r->last = e;
}

static inline void auditrig_checkpoint(struct auditrig *r)
{
    char name[40];
    struct buf b = {0};
    assert_int_equal(checkpoint_write(r->n_rounds, &r->t, r->base, &b, NULL), OK);
    snprintf(name, sizeof name, "weights/%llu", (unsigned long long)r->n_rounds);
    auditrig_put(r, name, b.p, b.len);
    buf_deinit(&b);
}

static inline void auditrig_end(struct auditrig *r)
{
    struct entry e = {.kind = ENTRY_END};
    e.end = (struct entry_end){r->n_rounds, model_hash(&r->t, r->base), r->paid};
    auditrig_append(r, &e);
}

/* What a description needs besides, and the host's signature under it. */
static inline void auditrig_describe(struct auditrig *r, uint16_t port, const struct hash *pin)
{
    struct rundesc *d = &r->run;
    struct err e = {0};
    d->tokenizer = hash_of("tokenizer", 9);
    d->tokenizer_bytes = 1000;
    d->n_train_shards = 1;
    d->train_shards[0] = d->val_shard = hash_of("shard", 5);
    d->train_index_bytes[0] = d->val_index_bytes = 104;
    d->n_aggregators = 1;
    d->aggregators[0] =
        (struct rundesc_aggregator){.host = "127.0.0.1", .port = port, .key = r->host.pub};
    d->aggregators[0].tls_pin = pin ? *pin : hash_of("tls", 3);
    if (rundesc_sign(d, &r->host, &r->jws, &e) != OK) fail_msg("%s", e.what);
}

/* retention: 0 keeps all. */
static inline struct auditrig *auditrig_begin_at(uint64_t retention, uint16_t port,
                                                 const struct hash *pin)
{
    struct auditrig *r = &auditrig_the;
    struct entry e = {.kind = ENTRY_OPEN};
    struct err err = {0};
    memset(r, 0, sizeof *r);
    tinyrun_make(&r->run, &r->t);
    for (uint8_t i = 0; i <= AUDITRIG_PEERS; i++) {
        uint8_t seed[KEY_BYTES] = {(uint8_t)(i + 1)};
        assert_int_equal(key_from_seed(seed, i ? &r->peer[i - 1] : &r->host, &err), OK);
    }
    r->run.retention = retention;
    auditrig_describe(r, port, pin);
    r->next_seq = 1;
    r->base = calloc(r->t.n_params, sizeof *r->base);
    assert_non_null(r->base);
    model_init_weights(&r->t, &r->run.model, r->run.init_seed, r->base);
    r->source = (struct audit_source){
        auditrig_get_blob, auditrig_get_log, auditrig_get_weights, auditrig_get_rounds, r, NULL};
    e.open = (struct entry_open){r->run.initial_model, auditrig_commit(r, 0),
                                 retention ? retention : ENTRY_RETAIN_ALL};
    auditrig_append(r, &e);
    return r;
}

static inline struct auditrig *auditrig_begin(uint64_t retention)
{
    return auditrig_begin_at(retention, 7777, NULL);
}

static inline void auditrig_deinit(struct auditrig *r)
{
    for (uint32_t i = 0; i < r->n_files; i++)
        buf_deinit(&r->files[i].b);
    buf_deinit(&r->bundle);
    buf_deinit(&r->jws);
    model_table_deinit(&r->t);
    free(r->base);
    memset(r, 0, sizeof *r);
}

/* ---- the auditor ---------------------------------------------------------------------------- */

static inline void auditrig_note(const struct audit_finding *f, void *ctx)
{
    struct auditrig *r = ctx;
    if (r->n_findings < sizeof r->findings / sizeof *r->findings) r->findings[r->n_findings] = *f;
    r->n_findings++;
}

static inline struct audit_report auditrig_audit(struct auditrig *r, uint64_t round)
{
    struct audit_report report;
    struct err e = {0};
    struct audit_request q = {
        .source = &r->source, .run = &r->run, .round = round, .finding = auditrig_note, .ctx = r};
    r->n_findings = 0;
    int rc = audit_run(&q, &report, &e);
    if (rc != OK) print_message("%s\n", e.what);
    assert_int_equal(rc, OK);
    return report;
}

/* There is one wrong item, of this kind, and the sentence names it. */
static inline void auditrig_one_wrong(struct auditrig *r, const struct audit_report *report,
                                      enum audit_item item, const char *words)
{
    const struct audit_finding *f = NULL;
    for (uint32_t i = 0; i < r->n_findings && i < 64; i++) {
        if (r->findings[i].outcome != AUDIT_WRONG) continue;
        print_message("# %s\n", r->findings[i].what);
        if (!f && r->findings[i].item == item) f = &r->findings[i];
    }
    assert_int_equal(report->verdict, AUDIT_FALSE);
    assert_int_equal(audit_count(&report->book, AUDIT_WRONG), 1);
    assert_non_null(f);
    assert_non_null(strstr(f->what, words));
}
