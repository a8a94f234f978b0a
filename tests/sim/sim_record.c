/* sim_record - publish many rounds while the power goes at every step, and see what became of it.
 *
 *     sim_record [--rounds N] [--seed S] [--plant NAME] [--verbose]
 *
 * What runs is the aggregator itself: its round machine decides, its publication writes, its SQLite
 * database and its files hold what is durable. Virtual is only the power: before each durable step
 * (and after the last) it may go. Then everything in memory is forgotten, the store is opened again
 * and the record repaired, during which the power may go once more. While a round is published,
 * late manifests arrive and contributors who heard nothing ask for their receipt again. Between rounds
 * the host changes rewards and asks to go back to earlier models; a run ends by its number of
 * rounds, with a round that the host chooses, or between two rounds, by seed.
 *
 * The oracle sits outside: it reads only files that anybody may read, and remembers what it saw.
 *   - each tree head continues every earlier one: same root over the same first entries;
 *   - each entry follows the one before (model, receipts, secret that was committed to); the run goes back
 *     exactly when the host asked for it, to a model that was there, and after each start the weights
 *     are those on record;
 *   - each receipt has the next number, is on exactly one sheet, and was answered so;
 *   - each round pays exactly its emission, or nothing when nobody is merged;
 *   - the ledger has one posting for each receipt on a sheet, of the amount that the sheet says,
 *     and its two sides sum to zero.
 * With --plant a known accident happens in round 7, and it must be found: old-copy (the database of
 * an earlier round is put back), other-entry (one bit of a published entry changes), lost-sheet (the
 * sheet of a round goes), double-pay (a receipt is given twice the reward).
 *
 * Exit status: 0 all held (or the accident was found), 1 something did not, 2 wrong usage.
 */
#include "tests/sim/sim_record.h"

#include <dirent.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aggregator/store_db.h"
#include "aggregator/store_record.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

#define MAX_STEPS 64

struct sums {
    uint64_t n_rounds, n_crashes, n_receipts, n_late, n_asked_again, n_entries, n_changes,
        n_rollbacks;
    uint64_t at[MAX_STEPS];
    char names[MAX_STEPS][24];
    uint32_t n_names;
};

static bool is_verbose;
static const char *plant = "";
static bool has_happened; /* the planted accident */

#define PLANT_ROUND 7

/* What must be said about each accident. */
static const char *const plants[][2] = {
    {"old-copy",    "contradict each other"         },
    {"other-entry", "entry_verify"                  },
    {"lost-sheet",  "spool_read"                    },
    {"double-pay",  "only a settled receipt is paid"},
};

static const char *plant_words(void)
{
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++)
        if (strcmp(plants[i][0], plant) == 0) return plants[i][1];
    return NULL;
}

static void remove_home(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *f = NULL;
    while (d && (f = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
        char child[PATH_CAP];
        struct stat st;
        if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0) continue;
        check(path_format(child, "%s/%s", path, f->d_name) == 0);
        if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
            remove_home(child);
        else
            unlink(child);
    }
    if (d) closedir(d);
    rmdir(path);
}

void sim_record_fail(const struct world *w, const char *fmt, ...)
{
    va_list ap;
    char text[768];
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (*plant && has_happened && strstr(text, plant_words())) {
        printf("found the planted accident '%s': %s\n", plant, text);
        remove_home(w->home);
        exit(0); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    printf("FAILED in round %" PRIu64 ", after a cut at '%s': %s; kept: %s\n", w->seen.next_round,
           w->cut_at, text, w->home);
    exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* ---- contributors --------------------------------------------------------------------------- */

static struct key_pub peer_key(uint32_t i)
{
    struct key_pub k = {{0}};
    k.b[0] = (uint8_t)(i + 1);
    return k;
}

/* One contributor's payload of one round, durable as the judge leaves it. */
static void put_payload(struct world *w, uint32_t peer, uint64_t round, struct round_claim *claim)
{
    struct buf b = {0};
    struct rng r;
    float *v = alloc_zero((size_t)w->table.n_params, sizeof *v);
    check(v);
    rng_init(&r, round, peer);
    for (uint64_t i = 0; i < w->table.n_params; i++)
        v[i] = (float)((int32_t)rng_below(&r, 2001) - 1000) * 1e-6f;
    MUST(w,
         delta_pack(&w->table, &w->run.train.delta, DELTA_CONTRIBUTION, v, NULL, &b, NULL, &w->e));
    MUST(w, spool_put(&w->spool, SPOOL_PAYLOAD, b.p, b.len, &claim->payload, &w->e));
    claim->n_bytes = b.len;
    free(v);
    buf_deinit(&b);
}

/* A manifest is answered: the same question gets the same answer, for ever. */
static void answer(struct world *w, uint32_t peer, uint64_t round, enum msg_verdict verdict)
{
    struct round_op op = {.round = round, .contributor = peer_key(peer), .verdict = verdict};
    char text[64];
    uint64_t seq = 0;
    enum msg_verdict got = MSG_REJECTED;
    op.claim = (struct round_claim){.n_tokens = 1 + rng_below(&w->rng, 5000), .n_steps = 2};
    op.claim.loss = 3;
    op.n_passed = verdict == MSG_ACCEPTED ? ROUND_CHECKS : verdict == MSG_LATE ? 0 : 3;
    if (verdict != MSG_ACCEPTED) snprintf(op.reason, sizeof op.reason, "for a reason");
    snprintf(text, sizeof text, "manifest of %" PRIu32 " in %" PRIu64, peer, round);
    if (verdict == MSG_ACCEPTED) put_payload(w, peer, round, &op.claim);
    MUST(w, spool_put(&w->spool, SPOOL_MANIFEST, text, strlen(text), &op.claim.manifest, &w->e));
    MUST(w, store_receipt_put(w->store, &op, &w->run.id, &w->key, w->now, &seq, &got, &w->e));
    if (seq <= w->n_answers) {
        const struct answer *a = &w->answers[seq - 1];
        HOLDS(w,
              a->round == round && a->verdict == got && key_equal(&a->contributor, &op.contributor),
              "receipt %" PRIu64 " was another answer before", seq);
        return;
    }
    HOLDS(w, seq == w->n_answers + 1, "receipt %" PRIu64 " follows %" PRIu64, seq, w->n_answers);
    HOLDS(w, got == verdict, "a new receipt with another verdict");
    check(w->n_answers < SIM_RECORD_RECEIPTS);
    w->answers[w->n_answers++] = (struct answer){.contributor = op.contributor,
                                                 .round = round,
                                                 .verdict = verdict,
                                                 .payload = op.claim.payload};
}

/* Everybody's verdict about the open round; some come late for the one before, some not at all. */
static void contribute(struct world *w, uint64_t round, struct sums *sums)
{
    bool is_bad_day = rng_below(&w->rng, 20) == 0; /* nothing will be accepted */
    for (uint32_t i = 0; i < SIM_RECORD_PEERS; i++) {
        uint32_t dice = rng_below(&w->rng, 10);
        if (dice == 0 && i) continue;
        if (dice == 1 && round > 0 && i) answer(w, i, round - 1, MSG_LATE), sums->n_late++;
        answer(w, i, round, is_bad_day || dice == 2 ? MSG_REJECTED : MSG_ACCEPTED);
    }
}

/* ---- the power ------------------------------------------------------------------------------ */

static void note_step(struct sums *s, const char *what)
{
    char name[24];
    bool is_tile = strncmp(what, "tile/", 5) == 0;
    bool is_partial = strstr(what, ".p/") != NULL;
    if (is_tile)
        snprintf(name, sizeof name, "%s %s", is_partial ? "partial" : "full",
                 strncmp(what, "tile/entries", 12) == 0 ? "bundle" : "tile");
    else
        snprintf(name, sizeof name, "%.20s", what);
    for (uint32_t i = 0; i < s->n_names; i++) {
        if (strcmp(s->names[i], name) != 0) continue;
        s->at[i]++;
        return;
    }
    check(s->n_names < MAX_STEPS);
    memcpy(s->names[s->n_names], name, sizeof name);
    s->at[s->n_names++] = 1;
}

static int on_step(void *ctx, const char *what, struct err *e)
{
    struct world *w = ctx;
    w->n_steps++;
    if (w->n_left-- == 0) {
        w->is_cut = true;
        snprintf(w->cut_at, sizeof w->cut_at, "%.60s", what);
        return err_set(e, ERR_IO, 0, "the power is gone");
    }
    if (!w->is_busy || rng_below(&w->rng, 3)) return OK;
    w->is_busy = false; /* a manifest comes in the middle of it: for the round under way, late */
    answer(w, SIM_RECORD_PEERS, w->round.round, MSG_LATE);
    return OK;
}

static void forget(struct world *w)
{
    publish_close(&w->publish);
    round_deinit(&w->round);
    store_close(w->store);
    w->store = NULL;
    w->is_up = false;
}

/* ---- the aggregator's life ------------------------------------------------------------------ */

static struct round_config config_of(struct world *w, uint64_t round)
{
    struct course course;
    MUST(w, publish_course(&w->publish, &course, &w->e));
    struct round_config c = {.run = w->run.id,
                             .wait_for = 1,
                             .min_contributions = 1,
                             .n_rounds = course_terms(&course, round).n_rounds,
                             .round_ms = 20000,
                             .upload_ms = 10000,
                             .max_inner_steps = 4,
                             .tokens_per_step = 10000,
                             .max_bytes = 1 << 20,
                             .reward_per_round = course_terms(&course, round).emission};
    course_deinit(&course);
    store_secret(w->store, c.secret);
    return c;
}

/* As host_open does: store, record, weights. False: the power went meanwhile. */
static bool start(struct world *w, uint64_t *ret_round, struct msg_update *last)
{
    char path[PATH_CAP];
    check(path_format(path, "%s/aggregator.db", w->home) == 0);
    MUST(w, spool_open(&w->spool, w->home, &w->e));
    MUST(w, store_open(path, &w->run.id, &w->store, &w->e));
    w->publish = (struct publish){.run = &w->run,
                                  .table = &w->table,
                                  .spool = &w->spool,
                                  .store = w->store,
                                  .key = &w->key,
                                  .step = on_step,
                                  .step_ctx = w};
    w->is_up = true;
    int rc = publish_open(&w->publish, w->now, &w->e);
    if (w->is_cut) return false;
    HOLDS(w, rc == OK, "the record cannot be opened again: %s", w->e.what);
    rc = publish_restore(&w->publish, w->base, last, &w->e);
    HOLDS(w, rc == OK || rc == ERR_NOTFOUND, "the weights are lost: %s", w->e.what);
    *ret_round = rc == OK ? last->round + 1 : 0;
    if (rc != OK) *last = (struct msg_update){.result = w->run.initial_model};
    return true;
}

/* The machine as it comes back from the store, at the deadline of its round. */
static void wake(struct world *w, uint64_t round, const struct msg_update *last,
                 struct round_actions *out)
{
    struct round_config c = config_of(w, round);
    struct round_stored *stored = NULL;
    uint32_t n = 0;
    MUST(w, round_init(&w->round, &c, &w->e));
    MUST(w, store_restore(w->store, round, &stored, &n, &w->e));
    MUST(w, round_restore(&w->round, round, &last->result, &last->update, last->update_bytes,
                          stored, n, w->now, out, &w->e));
    free(stored);
    if (w->round.state == ROUND_MERGING || w->round.state == ROUND_ENDED) return;
    struct round_event tick = {.kind = ROUND_EV_TICK};
    w->now += (int64_t)c.round_ms + ROUND_ACTIVE_MS + 1;
    round_step(&w->round, &tick, w->now, out);
}

/* base: that the run goes back to; NULL. */
static void done(struct world *w, enum round_action_kind kind, int rc, const struct msg_update *u,
                 const struct hash *base, struct round_actions *out)
{
    struct round_event ev = {.kind = ROUND_EV_DONE,
                             .work = kind,
                             .outcome = rc == OK ? ROUND_OK : ROUND_FAILED,
                             .result = u->result,
                             .update = u->update,
                             .update_bytes = u->update_bytes,
                             .base = base};
    ev.op.attempt = w->round.attempt;
    round_step(&w->round, &ev, w->now, out);
}

/* Merge and publish the machine's round. False: the power went. */
static bool publish(struct world *w, struct round_actions *out)
{
    uint32_t n = 0;
    const struct round_input *in = round_inputs(&w->round, &n);
    HOLDS(w, w->round.state == ROUND_MERGING, "the round does not close: %s",
          round_state_word(w->round.state));
    struct msg_update u = *round_update(&w->round);
    int rc = publish_merge(&w->publish, in, n, w->base, w->next, &u, &w->e);
    if (w->is_cut) return false;
    HOLDS(w, rc == OK, "the round cannot be merged: %s", w->e.what);
    done(w, ROUND_DO_MERGE, rc, &u, NULL, out);
    u = *round_update(&w->round);
    rc = publish_commit(&w->publish, &u, in, n, w->now, &w->e);
    if (w->is_cut) return false;
    HOLDS(w, rc == OK, "the round cannot be published: %s", w->e.what);
    struct hash back;
    int rolled = publish_rolled(&w->publish, u.round + 1, w->next, &back, &w->e);
    if (w->is_cut) return false;
    HOLDS(w, rolled == OK || rolled == ERR_NOTFOUND, "the way back is lost: %s", w->e.what);
    if (w->n_left == 0) { /* after the last step, before anybody is told */
        w->is_cut = true;
        snprintf(w->cut_at, sizeof w->cut_at, "announcement");
        return false;
    }
    done(w, ROUND_DO_PUBLISH, rc, &u, rolled == OK ? &back : NULL, out);
    float *old = w->base;
    w->base = w->next;
    w->next = old;
    return true;
}

/* ---- one run -------------------------------------------------------------------------------- */

static void make_run(struct world *w, uint64_t seed, uint64_t n_rounds)
{
    uint8_t bytes[KEY_BYTES] = {(uint8_t)seed, (uint8_t)(seed >> 8), 1};
    w->run = (struct rundesc){
        .id = hash_of(&seed, sizeof seed),
        .init_seed = seed,
        .model = {.vocab_size = 64,
                  .hidden_size = 16,
                  .intermediate_size = 16,
                  .num_hidden_layers = 1,
                  .num_attention_heads = 1,
                  .num_key_value_heads = 1,
                  .max_position_embeddings = 16,
                  .rms_norm_eps = 1e-5,
                  .rope_theta = 10000,
                  .initializer_range = 0.02,
                  .tie_word_embeddings = true},
        .merge_min_senders = 2,
        .n_rounds = w->ending == END_BY_NUMBER ? n_rounds : 0,
        .retention = 20,
        .reward_per_round = SIM_RECORD_EMISSION
    };
    w->run.inner_steps = w->run.max_inner_steps = 4;
    w->run.upload_ms = 10000;
    w->run.min_contributions = 1;
    w->run.train.lr = 1e-3;
    w->run.train.outer_lr = 1;
    w->run.train.delta = (struct delta_params){.chunk = 256, .k = 8};
    MUST(w, key_from_seed(bytes, &w->key, &w->e));
    MUST(w, model_table_init(&w->table, &w->run.model, &w->e));
    w->base = alloc_zero((size_t)w->table.n_params, sizeof *w->base);
    w->next = alloc_zero((size_t)w->table.n_params, sizeof *w->next);
    w->answers = alloc_zero(SIM_RECORD_RECEIPTS, sizeof *w->answers);
    check(w->base && w->next && w->answers);
    model_init_weights(&w->table, &w->run.model, w->run.init_seed, w->base);
    w->run.initial_model = model_hash(&w->table, w->base);
    w->seen.next_seq = 1;
    w->now = 1700000000000;
    rng_init(&w->rng, seed, 77);
}

static void make_home(struct world *w)
{
    const char *tmp = getenv("TMPDIR");              /* NOLINT(concurrency-mt-unsafe): one thread */
    bool has_memory = access("/dev/shm", W_OK) == 0; /* the power is virtual, so may the disk be */
    check(path_format(w->home, "%s/potluck-record-XXXXXX",
                      tmp && *tmp  ? tmp
                      : has_memory ? "/dev/shm"
                                   : "/tmp") == 0);
    check(mkdtemp(w->home));
}

/* One life: until the round is published, or the power goes. */
static bool live(struct world *w, uint64_t round, struct sums *sums)
{
    struct msg_update last;
    struct round_actions out;
    uint64_t open_round = 0;
    if (!start(w, &open_round, &last)) return false;
    sim_record_look(w); /* whatever the repair published is what was in the table */
    HOLDS(w, open_round >= round && open_round <= round + 1, "round %" PRIu64 " is open",
          open_round);
    HOLDS(w, open_round == w->seen.next_round, "the record and the rounds differ");
    struct hash model = model_hash(&w->table, w->base);
    HOLDS(w, hash_equal(&model, &w->seen.model), "the weights are not those on record");
    if (open_round > round) return true; /* published before the cut, and now announced */
    if (rng_below(&w->rng, 3) == 0) {
        answer(w, 0, round, MSG_REJECTED); /* lost answer: asked again */
        sums->n_asked_again++;
    }
    wake(w, open_round, &last, &out);
    return publish(w, &out);
}

static void cut_power(struct world *w, struct sums *sums)
{
    note_step(sums, w->cut_at);
    sums->n_crashes++;
    if (is_verbose) printf("round %" PRIu64 ": cut at %s\n", w->seen.next_round, w->cut_at);
    forget(w);
    sim_record_look(w); /* anybody may read meanwhile */
}

static void copy_file(const char *from, const char *to)
{
    struct buf b = {0};
    check(file_read(from, 1u << 28, &b, NULL) == OK);
    check(file_replace(to, b.p, b.len, 0600, NULL) == OK);
    buf_deinit(&b);
}

/* Somebody reads the record for the first time. */
static void read_anew(struct world *w)
{
    w->seen = (struct witness){.next_seq = 1};
    for (uint64_t i = 0; i < w->n_answers; i++)
        w->answers[i].is_on_sheet = false;
    sim_record_look(w);
}

static void flip_entry(struct world *w)
{
    char path[PATH_CAP];
    struct buf b = {0};
    check(path_format(path, "%s/record/tile/entries/000.p/%" PRIu64, w->home, w->seen.n_seen) == 0);
    check(file_read(path, 1u << 24, &b, NULL) == OK);
    b.p[b.len - 100] ^= 1; /* within the newest entry */
    check(file_replace(path, b.p, b.len, 0600, NULL) == OK);
    buf_deinit(&b);
}

static void pay_twice(struct world *w, const char *path)
{
    struct store_db *db = NULL;
    MUST(w, store_db_open(path, &db, &w->e));
    int rc = store_db_exec(db,
                           "INSERT INTO receipts SELECT seq+1000, contributor, 9999,"
                           " zeroblob(32), n_bytes, n_tokens, n_steps, loss, tok_per_s, 2,"
                           " reason, created_at, jws, manifest, n_passed, NULL, NULL FROM"
                           " receipts WHERE seq=1;"
                           "INSERT INTO postings SELECT NULL, 1, 1001, 1, 2, 5, 'x', 1",
                           &w->e);
    store_db_close(db);
    HOLDS(w, rc == OK, "%s", w->e.what);
}

/* One accident, between two rounds, with nobody at work. */
static void have_accident(struct world *w, uint64_t round)
{
    char path[PATH_CAP], copy[PATH_CAP];
    struct msg_update last;
    uint64_t open_round = 0;
    if (!*plant || round + 2 < PLANT_ROUND || round > PLANT_ROUND) return;
    check(path_format(path, "%s/aggregator.db", w->home) == 0);
    check(path_format(copy, "%s/copy.db", w->home) == 0);
    if (strcmp(plant, "old-copy") == 0 && round + 2 == PLANT_ROUND) copy_file(path, copy);
    if (round != PLANT_ROUND) return;
    has_happened = true;
    if (strcmp(plant, "old-copy") == 0) {
        copy_file(copy, path);
        w->n_left = -1;
        (void)start(w, &open_round, &last);
    }
    if (strcmp(plant, "double-pay") == 0) pay_twice(w, path);
    if (strcmp(plant, "other-entry") == 0) {
        flip_entry(w);
        read_anew(w);
    }
    if (strcmp(plant, "lost-sheet") == 0) {
        check(path_format(path, "%s/sheets", w->home) == 0);
        remove_home(path);
        read_anew(w);
    }
}

/* What the host's other commands leave in the books while nobody, or somebody, serves. */
static void steer(struct world *w, uint64_t round)
{
    struct store_tail tail;
    struct store_entry row = {.kind = ENTRY_CHANGE};
    struct entry m = {.kind = ENTRY_CHANGE, .run = w->run.id, .at_ms = w->now};
    if (rng_below(&w->rng, 16) == 0) {
        uint64_t to = round - rng_below(&w->rng, round < 8 ? (uint32_t)round + 1 : 8);
        struct publish p = {.run = &w->run,
                            .table = &w->table,
                            .spool = &w->spool,
                            .store = w->store,
                            .key = &w->key};
        w->is_back_asked = publish_weights(&p, to, w->next, NULL) == OK; /* as the command does */
        if (w->is_back_asked)
            MUST(w, store_record_ask_rollback(w->store, to, "an accident", &w->e));
    }
    if (w->ending == END_WITH_A_ROUND && round + 1 == w->n_rounds)
        MUST(w, store_record_ask_end(w->store, &w->e));
    if (round == 0 || rng_below(&w->rng, 8)) return;
    MUST(w, store_record_tail(w->store, &tail, &w->e));
    m.index = tail.n_entries;
    m.change.from_round = round + 1;
    m.change.has[ENTRY_F_REWARD_PER_ROUND] = true;
    m.change.value[ENTRY_F_REWARD_PER_ROUND] = 1 + rng_below(&w->rng, 1000000);
    MUST(w, entry_sign(&m, &w->key, &row.text, &w->e));
    MUST(w, store_record_append(w->store, m.index, &row, 1, &w->e));
    buf_deinit(&row.text);
}

static void run_round(struct world *w, uint64_t round, int *next_cut, struct sums *sums)
{
    bool is_through = false;
    char path[PATH_CAP];
    have_accident(w, round);
    check(path_format(path, "%s/aggregator.db", w->home) == 0);
    MUST(w, spool_open(&w->spool, w->home, &w->e));
    MUST(w, store_open(path, &w->run.id, &w->store, &w->e));
    contribute(w, round, sums);
    steer(w, round);
    uint64_t n_back = w->seen.n_rollbacks;
    store_close(w->store);
    w->store = NULL;
    w->is_busy = w->ending != END_BETWEEN_ROUNDS || round + 1 < w->n_rounds;
    for (int life = 0; !is_through; life++) {
        w->is_cut = false;
        w->n_steps = 0;
        w->n_left = life == 0                                ? *next_cut
                    : rng_below(&w->rng, 3) == 0 && life < 4 ? (int)rng_below(&w->rng, 6)
                                                             : -1;
        is_through = live(w, round, sums);
        if (!is_through) cut_power(w, sums);
        if (life == 0) *next_cut = is_through ? 0 : *next_cut + 1; /* every step in its turn */
    }
    sim_record_look(w);
    HOLDS(w, w->seen.next_round == round + 1, "round %" PRIu64 " is not on record", round);
    HOLDS(w, w->seen.n_rollbacks - n_back == w->is_back_asked,
          "the host asked to go back, and the record does not");
    w->is_back_asked = false;
    w->n_left = -1;
    if ((round + 1) % 10 == 0) MUST(w, publish_checkpoint(&w->publish, round + 1, w->base, &w->e));
    forget(w);
}

/* With the power going before each step of it. */
static void end_between_rounds(struct world *w, struct sums *sums)
{
    struct msg_update last;
    uint64_t round = 0;
    for (int cut = 0; w->ending == END_BETWEEN_ROUNDS; cut++) {
        w->is_cut = false;
        w->n_left = cut;
        bool is_up = start(w, &round, &last);
        int rc = is_up ? publish_end(&w->publish, &last.result, w->now, &w->e) : ERR_IO;
        if (w->is_cut) {
            cut_power(w, sums);
            continue;
        }
        HOLDS(w, rc == OK, "the run cannot be ended: %s", w->e.what);
        sim_record_look(w);
        forget(w);
        if (w->seen.is_ended) break; /* and nothing was left to do */
    }
}

static void run_world(uint64_t seed, uint64_t n_rounds, struct sums *sums)
{
    struct world *w = alloc_zero(1, sizeof *w);
    int next_cut = 0;
    check(w);
    make_home(w);
    w->ending = (enum ending)((seed + 1) % ENDINGS);
    w->n_rounds = n_rounds;
    make_run(w, seed, n_rounds);
    for (uint64_t r = 0; r < n_rounds; r++) {
        run_round(w, r, &next_cut, sums);
        if (r % 100 == 99) sim_record_audit(w);
    }
    end_between_rounds(w, sums);
    sim_record_audit(w);
    HOLDS(w, w->seen.is_ended, "the run is over, but the record does not say so");
    sums->n_rounds += n_rounds;
    sums->n_receipts += w->n_answers;
    sums->n_entries += w->seen.range.n;
    sums->n_changes += w->seen.n_changes;
    sums->n_rollbacks += w->seen.n_rollbacks;
    remove_home(w->home);
    model_table_deinit(&w->table);
    free(w->base);
    free(w->next);
    free(w->answers);
    free(w);
}

static bool parse_number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    *ret = strtoull(text, &end, 10);
    return end != text && *end == 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"rounds",  required_argument, NULL, 'n'},
        {"seed",    required_argument, NULL, 's'},
        {"plant",   required_argument, NULL, 'p'},
        {"verbose", no_argument,       NULL, 'v'},
        {NULL,      0,                 NULL, 0  },
    };
    static struct sums sums;
    uint64_t n_rounds = 300, seed = 1;
    bool is_good = true;
    int c;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'n': is_good &= parse_number(optarg, &n_rounds); break;
        case 's': is_good &= parse_number(optarg, &seed); break;
        case 'p':
            plant = optarg;
            is_good &= plant_words() != NULL;
            break;
        case 'v': is_verbose = true; break;
        default: is_good = false;
        }
    }
    if (!is_good || optind < argc || !n_rounds) {
        fprintf(stderr, "usage: sim_record [--rounds N] [--seed S] [--plant old-copy|other-entry|"
                        "lost-sheet|double-pay] [--verbose]\n");
        return 2;
    }
    log_set_stderr(0);
    if (*plant) n_rounds = 2 * PLANT_ROUND;
    for (uint64_t left = n_rounds; left > 0; seed++) {
        uint64_t n = left < SIM_RECORD_ROUNDS ? left : SIM_RECORD_ROUNDS;
        run_world(seed, n, &sums);
        left -= n;
    }
    printf("%" PRIu64 " rounds, %" PRIu64 " entries, %" PRIu64 " receipts (%" PRIu64
           " late, %" PRIu64 " asked for again), %" PRIu64 " changes, back %" PRIu64
           " times; the power went %" PRIu64 " times, before:",
           sums.n_rounds, sums.n_entries, sums.n_receipts, sums.n_late, sums.n_asked_again,
           sums.n_changes, sums.n_rollbacks, sums.n_crashes);
    for (uint32_t i = 0; i < sums.n_names; i++)
        printf("%s %s %" PRIu64, i ? "," : "", sums.names[i], sums.at[i]);
    printf("\n");
    if (*plant) printf("the planted accident '%s' was not found\n", plant);
    return *plant != 0;
}
